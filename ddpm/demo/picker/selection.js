// Names what is ticked, and says why it cannot be drawn.
import { data } from "../shared/data.js";
import { follow } from "../shared/runs.js";
import { labels as names, say } from "../shared/texts.js";

export function mount(element, page) {
  const line = element.querySelector("p");
  const values = { most: data.maxObjects, max: Number.MAX_SAFE_INTEGER };

  function draw(problem = "") {
    const labels = page.props.value;
    const over = labels.length > data.maxObjects;
    line.classList.toggle("over", over);
    line.classList.toggle("refused", problem !== "");
    say(line.querySelector("b"), "picker.ticked", { n: labels.length, ...values });
    const why = problem || (labels.length === 0 ? "picker.none" : over ? "picker.over" : "");
    const words = line.querySelector("span");
    say(words, why, values);
    if (!why) words.textContent = names(labels);
  }

  draw();
  page.changed(() => draw());
  document.addEventListener("localechange", () => draw());
  document.addEventListener("input", () => line.classList.contains("refused") && draw()); // it may be mended
  follow(({ state, problem }) => {
    if (problem || state === "asked") draw(problem);
  });
}
