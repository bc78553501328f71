// What can be done to the objects of a picture: one is chosen, then what becomes of it.
import { data } from "../shared/data.js";
import { label, text } from "../shared/texts.js";
import { icon } from "../shared/verdicts.js";

const SHAPES = [...new Set(data.labels.map((name) => name.split(" ")[1]))];

function button(content, words, act, options = {}) {
  const made = document.createElement("button");
  made.type = "button";
  made.innerHTML = content;
  made.title = words;
  made.setAttribute("aria-label", words);
  Object.assign(made, options);
  made.addEventListener("click", act);
  return made;
}

function line(title, ...buttons) {
  const made = document.createElement("div");
  made.innerHTML = `<span class="title">${text(title)}</span>`;
  made.append(...buttons);
  return made;
}

export class Orders {
  // objects, wishes: where the buttons go. choose(name): an object was pressed, "" for one more. wish(labels): what the
  // picture is to show.
  constructor(objects, wishes, { choose, wish }) {
    Object.assign(this, { objects, wishes, choose, wish, left: false });
  }

  // labels: of the picture. chosen: one of them, "" or null. busy: whether nothing can be pressed.
  show(labels, chosen, busy) {
    this.left ||= this.wishes.contains(document.activeElement);
    this.showObjects(labels, chosen, busy);
    this.wishes.replaceChildren(...this.lines(labels, chosen, busy));
    if (busy) return;
    // The focus stays near what was pressed, which is not there any more.
    if (this.left && document.activeElement === document.body)
      this.objects.querySelector("button")?.focus({ preventScroll: true });
    this.left = false;
  }

  showObjects(labels, chosen, busy) {
    const focused = this.objects.contains(document.activeElement) && document.activeElement.dataset.label;
    const choices = labels.map((name) => [name, `${icon(name)}<span>${label(name)}</span>`, label(name)]);
    if (labels.length < data.maxObjects) choices.push(["", `<span>${text("edit.add")}</span>`, text("edit.add")]);
    this.objects.replaceChildren(
      ...choices.map(([name, content, words]) => {
        const made = button(content, words, () => this.choose(name), { disabled: busy });
        made.dataset.label = name;
        made.setAttribute("aria-pressed", chosen === name);
        return made;
      }),
    );
    if (typeof focused === "string") this.objects.querySelector(`[data-label="${focused}"]`)?.focus();
  }

  // What can be done with the chosen object.
  lines(labels, chosen, busy) {
    if (chosen === null) return [];
    const to = (name, words, after) =>
      button(icon(name), words, () => this.wish(after), { disabled: busy || labels.includes(name) });
    if (!chosen) {
      const one = (name) => to(name, text("edit.add_one", { what: label(name) }), [...labels, name]);
      return SHAPES.map((shape) => line(`picker.${shape}`, ...data.colors.map((color) => one(`${color} ${shape}`))));
    }
    const [color, shape] = chosen.split(" ");
    const words = (name) => text("edit.into", { from: label(chosen), to: label(name) });
    const exchanged = (name) => labels.map((old) => (old === chosen ? name : old));
    const into = (name) => to(name, words(name), exchanged(name));
    const rest = labels.filter((name) => name !== chosen);
    const drop = text("edit.remove_one", { what: label(chosen) });
    const options = { disabled: busy || !rest.length, className: "word" };
    const remove = button(text("edit.remove"), drop, () => this.wish(rest), options);
    const others = (all, own) => all.filter((other) => other !== own);
    return [
      line("edit.color", ...others(data.colors, color).map((other) => into(`${other} ${shape}`))),
      line("edit.shape", ...others(SHAPES, shape).map((other) => into(`${color} ${other}`)), remove),
    ];
  }
}
