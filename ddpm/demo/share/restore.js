// Sets the page to what the query of a link says, and draws it.
import { askAgain } from "../shared/parts.js";

const SHAPES = ["cube", "sphere", "cylinder"];
const NAMED = ["labels", "seed", "sampler", "steps", "guidance", "model"]; // whose problems have a text of their own

const number = (words) => (words === "" ? NaN : Number(words));

// How the words of a field are read: its value, undefined where they are not allowed.
const READ = {
  whole: (words, { most }) => READ.range(words, { least: 0, most, whole: true }),
  range: (words, { least, most, whole }) => {
    const value = number(words);
    return value >= least && value <= most && (!whole || Number.isInteger(value)) ? value : undefined;
  },
  // A link typed by hand may say dpm++, whose ++ an address reads as two spaces.
  choice: (words, { choices }) =>
    choices
      .map(([value]) => value)
      .find((value) => (typeof value === "number" ? number(words) === value : [words, `${words}++`].includes(value))),
};

let restored = null; // the name of the part that draws what was restored, and its inputs

// From the values of the controls (the three rows, then the fields) to the same with what a query says of them, then the
// scene, and the notice on it. What cannot be used is left out, and named. allowed: see `_restore` in share.py. given: the
// query and its source, which names the text of the notice.
export function restore(values, allowed, given = {}) {
  const { query = location.search, source = "link" } = given;
  const wanted = new URLSearchParams(query);
  const names = Object.keys(allowed.fields);
  const held = values.slice(SHAPES.length);
  const found = Object.fromEntries(names.map((name, i) => [name, i < held.length ? held[i] : null]));
  let rows = values.slice(0, SHAPES.length);
  const problems = [];
  let some = false;

  function refuse(name, kind, words) {
    const { choices, least = 0, most } = { ...allowed.fields[name], ...kind };
    const about = {
      key: name,
      value: words.slice(0, 80),
      allowed: choices?.map(([, name]) => name).join(", "),
      least,
      most,
    };
    const problem = NAMED.includes(name)
      ? name
      : ["labels", "scenes"].includes(kind.kind)
        ? "labels"
        : choices
          ? "choice"
          : "range";
    problems.push([`share.bad_${problem}`, about]);
  }

  function scene(name, words) {
    const asked = [...new Set(words.split(",").map((label) => label.trim()))].filter(Boolean);
    const kept = asked.filter((label) => allowed.labels.includes(label)).slice(0, allowed.mostLabels);
    const left = asked.filter((label) => !kept.includes(label));
    if (left.length) refuse(name, { kind: "labels", most: allowed.mostLabels }, left.join(", "));
    return kept.length || !asked.length ? kept : null;
  }

  const scenes = (name, words) => words.split(";").map((some) => scene(name, some));
  const lists = { labels: scene, scenes: (name, words) => scenes(name, words).filter((some) => some?.length) };

  const view = wanted.get("view") ?? "stage";
  const known = Object.hasOwn(allowed.views, view);
  if (!known) refuse("view", { choices: Object.keys(allowed.views).map((name) => [name, name]) }, view);
  if (wanted.has("labels")) {
    const kept = scene("labels", wanted.get("labels"));
    if (kept) {
      rows = SHAPES.map((shape) => kept.filter((label) => label.endsWith(shape)));
      some = true;
    }
  }
  const part = known ? view : "stage";
  for (const name of ["seed", ...allowed.views[part]]) {
    const field = allowed.fields[name];
    const own = name.endsWith("model"); // the page's own, unless another is named
    if (own) found[name] = field.choices[0][0];
    if (!wanted.has(name)) continue;
    const words = wanted.get(name).trim();
    const value = field.kind in READ ? READ[field.kind](words, field) : lists[field.kind](name, words);
    if (value === undefined) refuse(name, field, words);
    if (value === undefined && own) {
      const before = name.replace("model", ""); // what is asked for suits the other model
      for (const other of ["sampler", "steps", "guidance"]) found[before + other] = held[names.indexOf(before + other)];
    }
    if (value === undefined || value === null) continue;
    found[name] = value;
    some = true;
  }

  const labels = rows.flat();
  restored = null;
  if (wanted.get("labels")) {
    restored = [part, labels, found.seed, ...allowed.views[part].map((name) => found[name])];
  }
  // drawn: whether a run follows at once. at: tells the same picture from itself when it is opened again.
  const facts = { drawn: Boolean(restored), at: Date.now() };
  const notice = [...(some ? [[`share.from_${source}`, {}]] : []), ...problems].map(([name, values]) => [
    name,
    { ...values, ...facts },
  ]);
  return [...rows, ...held.map((_, i) => found[names[i]]), labels, notice.length ? notice : null];
}

// Draw what was restored, if it is whole.
export function drawRestored() {
  if (restored) askAgain(...restored);
}
