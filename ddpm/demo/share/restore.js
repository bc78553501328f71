// Sets the page to what the query of a link says, and draws it.
import { askAgain } from "../shared/parts.js";

const SHAPES = ["cube", "sphere", "cylinder"];
const NAMED = ["labels", "seed", "sampler", "steps", "guidance", "model"]; // whose problems have a text of their own

const SETTINGS = ["sampler", "steps", "guidance"];
const ON_STAGE = ["stage", "edit"];
export const MOST_SCENES = 20;

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

  function refuse(name, field, words) {
    const { kind, choices, least = 0, most, whole } = field;
    const about = {
      key: name,
      value: words.slice(0, 80),
      allowed: choices?.map(([value]) => value).join(", "),
      least,
      most,
    };
    const generic = { labels: "objects", range: whole ? "whole" : "range" }[kind] ?? kind;
    const problem = NAMED.includes(name) ? name : name.endsWith("model") ? "model" : generic;
    problems.push([`share.bad_${problem}`, about]);
  }

  // The labels of a scene, and those that it cannot have.
  function scene(words) {
    const asked = [...new Set(words.split(",").map((label) => label.trim()))].filter(Boolean);
    const kept = asked.filter((label) => allowed.labels.includes(label)).slice(0, allowed.mostLabels);
    return { asked, kept, left: asked.filter((label) => !kept.includes(label)) };
  }

  const lists = {
    labels: (name, words) => {
      const { kept, left } = scene(words);
      if (left.length) refuse(name, { kind: "labels", most: allowed.mostLabels }, left.join(", "));
      return kept.length ? kept : null;
    },
    // Up to the first with a label that is none: what follows it would be another change.
    scenes: (name, words) => {
      const all = words.split(";").map(scene);
      const wrong = all.findIndex(({ kept, left }) => left.length || !kept.length);
      const good = (wrong < 0 ? all : all.slice(0, wrong)).slice(0, MOST_SCENES);
      if (good.length < all.length) {
        const words = all.slice(good.length).map(({ asked }) => asked.join(","));
        refuse(name, { kind: "labels", most: allowed.mostLabels }, words.join(";"));
      }
      return good.map(({ kept }) => kept);
    },
  };

  const view = wanted.get("view") ?? "stage";
  const known = Object.hasOwn(allowed.views, view);
  if (!known) refuse("view", { kind: "choice", choices: Object.keys(allowed.views).map((name) => [name, name]) }, view);
  if (wanted.has("labels")) {
    const { asked, kept, left } = scene(wanted.get("labels"));
    if (left.length) refuse("labels", { most: allowed.mostLabels }, left.join(", "));
    if (kept.length || !asked.length) {
      rows = SHAPES.map((shape) => kept.filter((label) => label.endsWith(shape)));
      some = true;
    }
  }
  const part = known ? view : "stage";
  const mine = ["seed", ...allowed.views[part]];
  const read = new Set(); // what the query says
  const last = (name) => name.endsWith("model"); // an unknown one takes back what was asked for it
  for (const name of [...mine.filter((name) => !last(name)), ...mine.filter(last)]) {
    const field = allowed.fields[name];
    const own = last(name); // the page's own, unless another is named
    if (own) found[name] = field.choices[0][0];
    if (!wanted.has(name)) continue;
    const words = wanted.get(name).trim();
    const value = field.kind in READ ? READ[field.kind](words, field) : lists[field.kind](name, words);
    if (value === undefined) refuse(name, field, words);
    if (own) {
      const before = name.replace("model", "");
      SETTINGS.forEach((other, i) => {
        // What is asked for an unknown model suits that one.
        if (value === undefined) found[before + other] = held[names.indexOf(before + other)];
        else if (!read.has(before + other)) found[before + other] = allowed.suiting[value][i];
      });
    }
    if (value === undefined || value === null) continue;
    read.add(name);
    found[name] = value;
    some = true;
  }

  const pageModel = allowed.fields.model?.choices[0][0];
  if (part === "edit" && found.model !== pageModel) {
    // It is the page's own model that edits.
    SETTINGS.forEach((name, i) => {
      found[`edit_${name}`] ??= allowed.suiting[pageModel][i];
    });
  }
  const labels = rows.flat();
  restored = null;
  if (wanted.get("labels")) {
    restored = [part, labels, found.seed, ...allowed.views[part].map((name) => found[name])];
  }
  if (wanted.has("until")) problems.push(["share.drawn_whole", { until: wanted.get("until").slice(0, 10) }]);
  // drawn: whether a run follows at once on the stage. at: tells the same picture from itself when it is opened again.
  const facts = { drawn: Boolean(restored) && ON_STAGE.includes(part), at: Date.now() };
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
