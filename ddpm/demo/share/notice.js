// Shows what a link or a picture has restored, until a run is asked for: the value is empty, or a list of [name of a
// text, values].
import { follow } from "../shared/runs.js";
import { say } from "../shared/texts.js";

export function mount(element, page) {
  const box = element.querySelector("div");
  let own = false; // whether the next run is that of the link or the picture

  function draw() {
    const lines = (page.props.value || []).map(([name, values]) => {
      const line = document.createElement("p");
      line.classList.toggle("problem", !name.startsWith("share.from_"));
      say(line, name, values);
      return line;
    });
    box.replaceChildren(...lines);
  }

  draw();
  page.changed(() => {
    draw();
    own = (page.props.value || []).some(([, { drawn }]) => drawn);
  });
  follow(({ state, live }) => {
    if (state !== "asked" || (live && own)) return; // Live follows the boxes that the link ticks
    if (!own) box.replaceChildren();
    own = false;
  });
}
