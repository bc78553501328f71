// A row for each requested object, with a button for each color that it could have instead.
import { data } from "../shared/data.js";
import { label, text } from "../shared/texts.js";
import { icon } from "../shared/verdicts.js";

export function mount(element, page) {
  function draw() {
    const { labels } = page.value;
    const lines = labels.map((name) => {
      const [own, shape] = name.split(" ");
      const line = document.createElement("div");
      line.innerHTML = `<span>${label(name)}</span>`;
      for (const color of data.colors) {
        const wish = `${color} ${shape}`;
        const button = document.createElement("button");
        button.type = "button";
        button.innerHTML = icon(wish);
        button.disabled = labels.includes(wish); // each object stands once in a scene
        button.classList.toggle("own", color === own);
        const words = text("redraw.into", { from: label(name), to: label(wish) });
        button.title = words;
        button.setAttribute("aria-label", words);
        button.addEventListener("click", () => {
          page.value = { labels, wanted: labels.map((other) => (other === name ? wish : other)) };
          page.emit("click");
        });
        line.append(button);
      }
      return line;
    });
    element.querySelector(".rows").replaceChildren(...lines);
    element.hidden = labels.length === 0;
  }

  draw();
  page.changed(draw);
  document.addEventListener("localechange", draw);
}
