// Shows what a link has restored, until a run is asked for: the value is empty, or a list of [name of a text, values].
import { follow } from "../shared/runs.js";
import { say } from "../shared/texts.js";

export function mount(element, page) {
  const box = element.querySelector("div");
  let linked = false; // whether the next run is the link's own

  function draw() {
    const lines = (page.value || []).map(([name, values]) => {
      const line = document.createElement("p");
      line.classList.toggle("problem", name !== "share.restored");
      say(line, name, values);
      return line;
    });
    box.replaceChildren(...lines);
  }

  draw();
  page.changed(() => {
    draw();
    linked = new URLSearchParams(location.search).has("labels");
  });
  follow(({ state }) => {
    if (state !== "asked") return;
    if (!linked) box.replaceChildren();
    linked = false;
  });
}
