// The components of a page without a server, and its events, as the page's Blocks describe them (see page.py): what
// Gradio does on a served page.
import { events, mounts, values } from "./events.js";

const find = (id) => document.querySelector(`[data-component="${id}"]`);
const all = (element, selector) => [...element.querySelectorAll(selector)];
const valueIn = (box) => JSON.parse(box.dataset.value);

// A group of boxes marks the labels of those that are ticked.
function tick(element, is) {
  for (const box of all(element, "label > input")) {
    box.checked = is(valueIn(box));
    box.parentElement.classList.toggle("selected", box.checked);
  }
}

const KINDS = {
  group: {
    read: (element) => all(element, "input:checked").map(valueIn),
    write: (element, value) => tick(element, (of) => value.includes(of)),
  },
  choice: {
    read: (element) => valueIn(element.querySelector("input:checked")),
    write: (element, value) => tick(element, (of) => of === value),
  },
  numbers: {
    read: (element) => number(element.querySelector("input")),
    write: (element, value) => {
      for (const input of all(element, "input")) input.value = value;
    },
  },
  list: {
    read: (element) => {
      const list = element.querySelector("select");
      const chosen = [...list.selectedOptions].map(valueIn);
      return list.multiple ? chosen : chosen[0];
    },
    write: (element, value) => {
      for (const option of all(element, "option")) option.selected = [value].flat().includes(valueIn(option));
    },
  },
};

// An empty field is no number.
const number = (input) => (input.value === "" ? null : Number(input.value));

const watchers = {}; // of the parts, by component

function kindOf(element) {
  if (element.querySelector("select")) return KINDS.list;
  if (element.querySelector("label > input[type=radio]")) return KINDS.choice;
  if (element.querySelector("label > input[type=checkbox]")) return KINDS.group;
  return KINDS.numbers;
}

function read(id) {
  return id in values ? values[id] : kindOf(find(id)).read(find(id));
}

function write(id, value) {
  if (!(id in values)) return kindOf(find(id)).write(find(id), value);
  values[id] = value;
  for (const act of watchers[id] ?? []) act();
}

function fire(id, name) {
  for (const event of events) if (event.targets.some(([of, what]) => of === id && what === name)) handle(event);
}

async function handle(event) {
  const result = await event.run(...event.inputs.map(read));
  const outputs = Array.isArray(result) ? result : [result];
  const before = event.outputs.map((id) => JSON.stringify(read(id)));
  event.outputs.forEach((id, i) => write(id, outputs[i]));
  event.outputs.forEach((id, i) => JSON.stringify(read(id)) !== before[i] && fire(id, "change"));
  for (const next of events) if (next.after === event.id) handle(next);
}

// A slider's two inputs go together, within its bounds; one that was emptied gets its value back.
function pair(element, input) {
  const [field, slider] = all(element, "input");
  if (!slider) return;
  if (input === slider) field.value = slider.value;
  else if (field.value !== "") slider.value = field.value;
}

export async function start() {
  const mounting = Object.entries(mounts).map(([id, mount]) => {
    const props = {
      get value() {
        return values[id];
      },
      set value(value) {
        values[id] = value;
      },
    };
    watchers[id] = [];
    return mount({
      element: find(id),
      props,
      trigger: (name) => fire(Number(id), name),
      watch: (_, act) => watchers[id].push(act),
    });
  });
  document.addEventListener("input", ({ target }) => {
    const element = target.closest("[data-component]");
    if (!element || element.dataset.component in values) return;
    const kind = kindOf(element);
    pair(element, target);
    if (kind === KINDS.group || kind === KINDS.choice) kind.write(element, kind.read(element));
    for (const name of ["input", "change"]) fire(Number(element.dataset.component), name);
  });
  document.addEventListener("focusout", ({ target }) => {
    if (target.type !== "number") return;
    const [field, slider] = all(target.closest("[data-component]") ?? document.body, "input");
    if (slider && target === field) field.value = slider.value;
  });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.("button[data-component]");
    if (button) fire(Number(button.dataset.component), "click");
  });
  await Promise.all(mounting);
  for (const event of events) if (event.targets.some(([, name]) => name === "load")) handle(event);
}
