// The screen of a part that draws with its own start and stop buttons: its state in words, what the part draws, and what can
// be taken away of it.
import { query } from "../share/recipe.js";
import { Activity } from "./activity.js";
import { copyLink, leadTo } from "./address.js";
import { savePicture } from "./picture.js";
import { intoSight } from "./sight.js";
import { say } from "./texts.js";

// name: the part, its buttons #name-start and #name-stop, its endpoint page_name. draw(view, state): shows everything
// but the state. Returns { ask(labels, seed, ...inputs) }, and askUnseen, which lets the visitor stay elsewhere. The section names its inputs where a link can lead to it.
export function screen(name, element, page, draw) {
  const root = element.querySelector("section");
  const status = root.querySelector('[data-part="state"]');
  const halt = document.createElement("button");
  Object.assign(halt, { type: "button", className: "halt" });
  Object.assign(halt.dataset, { stop: `${name}-stop`, text: "activity.stop" });
  root.prepend(halt);
  const linked = root.dataset.link ? JSON.parse(root.dataset.link) : null;
  const take = linked ? takeAway() : null;
  let view = { state: "empty" };
  let link = ""; // the query that leads to what is drawn
  let unseen = false; // whether a run is not to bring the screen into sight

  function takeAway() {
    const box = document.createElement("div");
    box.className = "take";
    box.hidden = true;
    box.innerHTML =
      '<span role="status"></span>' +
      '<button type="button" data-part="link" data-text="share.link" data-text-title="share.link_note"></button>' +
      '<button type="button" data-part="keep" data-text="activity.keep"></button>' +
      '<input type="text" readonly hidden data-text-aria="share.link">';
    const [said, field] = [box.querySelector("span"), box.querySelector("input")];
    box.querySelector('[data-part="keep"]').addEventListener("click", () => savePicture(root, name));
    box.querySelector('[data-part="link"]').addEventListener("click", () => copyLink(link, said, field));
    status.closest(".state").after(box);
    return box;
  }

  function show(news) {
    view = { ...view, problem: "", message: "", ...news };
    const { state, problem, message, values } = view;
    root.dataset.state = state;
    if (take) offer(state === "done");
    if (problem) say(status, problem, values);
    else if (message) {
      say(status, "");
      status.textContent = message;
    } else if (state === "waiting" && news.ahead) say(status, "activity.waiting_for", news);
    else say(status, state === "empty" ? `${name}.empty` : `activity.${state === "asked" ? "waiting" : state}`);
    draw(view, state);
    if (state === "asked" && !unseen) intoSight(root);
  }

  function offer(done) {
    if (done && take.hidden) leadTo(link);
    take.hidden = !done;
    if (done) return;
    say(take.querySelector("span"), "");
    take.querySelector("input").hidden = true;
  }

  const refuse = (problem, values) => show({ state: "refused", problem, values });
  const activity = new Activity({ start: `${name}-start`, stop: `${name}-stop`, call: page.call, show, refuse });
  document.addEventListener("localechange", () => draw(view, view.state));
  show({});

  function start(hidden, labels, seed, ...inputs) {
    unseen = hidden;
    if (linked) {
      const fields = linked.map((key, i) => [key, inputs[i]]);
      link = query({ view: name, labels, seed, ...Object.fromEntries(fields) });
    }
    activity.ask(`page_${name}`, labels, seed, inputs);
  }

  return { ask: (...inputs) => start(false, ...inputs), askUnseen: (...inputs) => start(true, ...inputs) };
}
