// The screen of a part that draws with its own start and stop buttons: its state in words, and what the part draws.
import { Activity } from "./activity.js";
import { savePicture } from "./picture.js";
import { intoSight } from "./sight.js";
import { say } from "./texts.js";

// name: the part, its buttons #name-start and #name-stop, its endpoint page_name. draw(view, state): shows everything
// but the state. Returns { ask(labels, seed, ...inputs) }.
export function screen(name, element, page, draw) {
  const root = element.querySelector("section");
  const status = root.querySelector('[data-part="state"]');
  const halt = document.createElement("button");
  Object.assign(halt, { type: "button", className: "halt" });
  Object.assign(halt.dataset, { stop: `${name}-stop`, text: "activity.stop" });
  root.prepend(halt);
  const keep = root.querySelector('[data-part="keep"]'); // saves the pictures, in a part that does not do it itself
  let view = { state: "empty" };

  function show(news) {
    view = { ...view, problem: "", message: "", ...news };
    const { state, problem, message, values } = view;
    root.dataset.state = state;
    if (keep) keep.hidden = state !== "done";
    if (problem) say(status, problem, values);
    else if (message) {
      say(status, "");
      status.textContent = message;
    } else if (state === "waiting" && news.ahead) say(status, "activity.waiting_for", news);
    else say(status, state === "empty" ? `${name}.empty` : `activity.${state === "asked" ? "waiting" : state}`);
    draw(view, state);
    if (state === "asked") intoSight(root);
  }

  const refuse = (problem, values) => show({ state: "refused", problem, values });
  const activity = new Activity({ start: `${name}-start`, stop: `${name}-stop`, call: page.call, show, refuse });
  keep?.addEventListener("click", () => savePicture(root, name));
  document.addEventListener("localechange", () => draw(view, view.state));
  show({});
  return { ask: (labels, seed, ...inputs) => activity.ask(`page_${name}`, labels, seed, inputs) };
}
