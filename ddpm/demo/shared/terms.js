// Words explained where they stand: a press on an element with data-term="t" shows the text "terms.t" beside it.
import { say } from "./texts.js";

const GAP = 6; // pixels between a word and its explanation

export function start() {
  const box = document.createElement("div");
  Object.assign(box, { id: "term", popover: "auto", role: "status" });
  document.body.append(box);
  document.addEventListener("click", (event) => {
    const word = event.target.closest?.("[data-term]");
    if (!word) return;
    say(box, `terms.${word.dataset.term}`);
    box.showPopover();
    const { left, top, bottom } = word.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    box.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    box.style.top = `${bottom + GAP + height < innerHeight ? bottom + GAP : top - GAP - height}px`;
  });
}
