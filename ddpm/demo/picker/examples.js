// Buttons with the icons of a scene; a click ticks its objects.
import { labels } from "../shared/texts.js";
import * as values from "../shared/values.js";

export function mount(element, page) {
  function name() {
    for (const button of element.querySelectorAll("button")) {
      button.title = labels(JSON.parse(button.dataset.value));
      button.setAttribute("aria-label", button.title);
    }
  }

  name();
  document.addEventListener("localechange", name);
  values.mount(element, page);
}
