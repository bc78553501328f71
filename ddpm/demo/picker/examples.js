// Buttons with the icons of a scene, and one for a scene by chance; a click ticks its objects.
import { data } from "../shared/data.js";
import { labels, text } from "../shared/texts.js";
import * as values from "../shared/values.js";

// From one to as many objects as a scene holds, each number as often.
function scene() {
  const left = [...data.labels];
  const count = 1 + Math.floor(Math.random() * data.maxObjects);
  return Array.from({ length: count }, () => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
}

export function mount(element, page) {
  const chance = element.querySelector(".chance");

  function name() {
    for (const button of element.querySelectorAll("button")) {
      button.title = button === chance ? text("picker.random_note") : labels(JSON.parse(button.dataset.value));
      if (button !== chance) button.setAttribute("aria-label", button.title);
    }
  }

  chance.addEventListener("click", () => {
    chance.dataset.value = JSON.stringify(scene());
  });

  name();
  document.addEventListener("localechange", name);
  values.mount(element, page);
}
