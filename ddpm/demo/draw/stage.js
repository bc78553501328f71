// The stage: a run as a film, what the evaluator sees on the way, and where each label acted. See stage.py for a view.
import { Activity, refusal } from "../shared/activity.js";
import { Chart } from "../shared/chart.js";
import { data } from "../shared/data.js";
import { decode, Film, paint } from "../shared/frames.js";
import { gradient, overlay } from "../shared/heat.js";
import { Player } from "../shared/player.js";
import { announce } from "../shared/runs.js";
import { intoSight } from "../shared/sight.js";
import { label, say, text } from "../shared/texts.js";
import { percent } from "../shared/verdicts.js";
import { Apart } from "./apart.js";

const WORDS = {
  found: { open: "seen", done: "found" },
  missing: { open: "not_yet", done: "missing" },
  unrequested: { open: "seen", done: "extra" },
  repeated: { open: "seen", done: "twice" },
};
const MOST_UNREQUESTED = 3;
const ELSEWHERE = ["compare", "gallery", "walk"]; // what links lead to that do not draw here
const LIVE_PAUSE = 50; // ms: some buttons set several values, one after another; a change alone is not waited with

export function mount(element, page) {
  const part = (role) => element.querySelector(`[data-role="${role}"]`);
  const root = part("stage");
  // In one column the player has to be seen with its Stop; beside the picker the pictures are enough.
  const column = matchMedia("(max-width: 980px)");
  const comeIntoSight = () =>
    intoSight(part("player"), column.matches ? part("player") : element.querySelector(".views"));
  const player = new Player(part("player"), moved);
  const chart = new Chart(part("charts"), (k) => player.look(k));
  const inputs = (run) => data.keys.map((key) => run[key]);
  const apart = new Apart(part("apart"), (index) => page.answer("page_apart", [...inputs(view), index]));
  let view = {};
  let film = new Film(1);
  let heat = { maps: null, shown: null, asked: null };
  let waits = null; // for how many runs, and how long
  let live = false; // whether the run was asked for by a change alone: its picture counts, not the way there
  let change = null; // one that is waited with
  let changed = -Infinity; // when there was one
  let wanted = ""; // what was asked for last
  let refused = {}; // why the server will not

  const refuse = (problem) => announce({ state: "refused", problem });
  const activity = new Activity({ start: "generate", stop: "stop", call: page.call, show, refuse });

  // A run to try, until one is asked for. It comes after the page, which is then usable sooner.
  async function showExample() {
    const link = new URLSearchParams(location.search);
    if (link.get("labels") && !ELSEWHERE.includes(link.get("view"))) return; // it brings its own
    const example = await page.answer("page_example", []);
    if (example && !activity.state) activity.to(example);
  }

  // Show a view: of a run, what is new of it; or a state alone.
  function show(news) {
    if (news.chunks) take(news);
    waits = news.ahead ? news : null;
    setState(news.state, news.message, news);
    const run = Object.fromEntries(data.keys.map((key) => [key, view[key]]));
    const taken = film.last?.index ?? 0;
    announce({ state: news.state, run, taken, live, picture: film.complete ? film.last.x0 : null });
  }

  function take(news) {
    if (news.run !== view.run) begin(news);
    view = { ...view, ...news };
    for (const chunk of news.chunks) film.add(chunk);
    for (const [k, p] of news.p) film.frames[k].p = p;
    chart.draw();
    if (news.chunks.length) player.grow();
  }

  function begin(news) {
    apart.show(null);
    film = new Film(news.steps);
    heat = { maps: null, shown: null, asked: null };
    player.open(film, news.frames);
    chart.open(film, news.labels, data.labels, news.frames, news.logSnr);
    showHeat(null);
    player.newest = live;
    if (news.state !== "example") player.play();
  }

  function setState(state, message = "", { problem = "", values = {} } = {}) {
    const before = root.dataset.state;
    if (state !== "running") film.ended = true;
    if (["asked", "stopped", "failed", "refused"].includes(state)) player.pause();
    root.dataset.state = state;
    root.dataset.message = message;
    refused = { problem, values };
    // The frame of the example in which the objects can first be seen through the noise
    if (state !== before && state === "example") player.look(film.frames.findIndex(({ noise }) => noise < 0.5));
    showState();
    if (state === "asked" && !live) comeIntoSight();
  }

  function showState() {
    const { state, message } = root.dataset;
    const name = message ? "refused" : state === "asked" ? "waiting" : live && state === "done" ? "live" : state;
    const left = state === "running" && film.last ? view.seconds * (film.total / film.last.index - 1) : 0;
    part("state").ariaLive = left >= 2 ? "off" : "polite"; // it changes every second
    if (refused.problem) say(part("state"), refused.problem, refused.values);
    else if (waits) say(part("state"), "activity.waiting_for", waits);
    else if (left >= 2) say(part("state"), "stage.state_left", { left: Math.round(left) });
    else say(part("state"), `stage.state_${name}`, { seconds: (view.seconds ?? 0).toFixed(1), message });
    const frame = film.frames[player.k];
    if (!frame) return;
    showChips(frame);
    apart.show(film.complete ? frame.index : null);
  }

  // The evaluator's last word holds for the finished picture alone.
  const finished = (frame) => frame.index === film.total;

  function moved(frame, k) {
    chart.move(k);
    part("step").textContent = `${frame.index} / ${film.total}`;
    part("t").textContent = finished(frame) ? `${frame.t} → 0` : frame.t; // what came in, and what came out
    part("noise").textContent = percent(frame.noise);
    part("snr").textContent = frame.logSnr.toFixed(1).replace("-", "\u2212");
    if (heat.shown && !finished(frame)) showHeat(null);
    else showNote(frame);
    showChips(frame);
    apart.show(film.complete ? frame.index : null);
  }

  function showNote(frame) {
    if (heat.asked) say(part("note"), "stage.where_busy");
    else if (heat.shown) say(part("note"), "stage.where_note", { label: label(heat.shown) });
    else say(part("note"), finished(frame) ? "stage.x0_done" : "stage.x0_note");
  }

  function newChip(name, requested) {
    const [color, shape] = name.split(" ");
    const chip = document.createElement("li");
    chip.dataset.label = name;
    const tag = requested ? "button" : "span";
    chip.innerHTML =
      `<${tag} class="chip"><span class="object ${shape} ${color}"></span><span class="name"></span>` +
      `<span class="meter"></span><span class="chance"></span><span class="word"></span></${tag}>`;
    if (requested) {
      chip.firstChild.type = "button";
      chip.firstChild.setAttribute("aria-pressed", "false");
      chip.firstChild.addEventListener("click", () => where(name));
    }
    return chip;
  }

  // Show a chip for each [label, group, chance]; those that are there already are updated in place.
  function fillList(list, entries, done) {
    const old = new Map([...list.children].map((chip) => [chip.dataset.label, chip]));
    const chips = entries.map(([name, group, chance]) => {
      const chip = old.get(name) ?? newChip(name, group !== "unrequested");
      chip.className = group;
      chip.querySelector(".name").textContent = label(name);
      chip.querySelector(".meter").style.setProperty("--share", chance);
      chip.querySelector(".chance").textContent = percent(chance);
      const word = text(`stage.${WORDS[group][done ? "done" : "open"]}`);
      const again = done && group === "unrequested" && twice(name);
      chip.querySelector(".word").textContent = again ? `${word}, ${text("stage.twice")}` : word;
      return chip;
    });
    if (chips.length !== old.size || chips.some((chip, i) => chip !== list.children[i])) list.replaceChildren(...chips);
  }

  const twice = (name) => film.complete && view.twice.includes(name);

  function showChips(frame) {
    const done = finished(frame);
    const p = film.seen(frame) ?? [];
    const chance = (name) => p[data.labels.indexOf(name)] ?? 0;
    const group = (name) => (done && twice(name) ? "repeated" : chance(name) >= data.threshold ? "found" : "missing");
    const requested = view.labels.map((name) => [name, group(name), chance(name)]);
    const others = data.labels
      .filter((name) => chance(name) >= data.threshold && !view.labels.includes(name))
      .sort((a, b) => chance(b) - chance(a))
      .map((name) => [name, "unrequested", chance(name)]);
    root.dataset.done = done;
    fillList(part("requested"), requested, done);
    fillList(part("unrequested"), others.slice(0, MOST_UNREQUESTED), done);
    const rest = others.length - MOST_UNREQUESTED;
    part("rest").textContent =
      others.length === 0 ? text("stage.nothing") : rest > 0 ? text("stage.more", { n: rest }) : "";
    for (const chip of part("requested").children) {
      chip.firstChild.disabled = !film.complete;
      chip.firstChild.setAttribute("aria-pressed", heat.shown === chip.dataset.label);
      chip.firstChild.setAttribute("aria-busy", heat.asked === chip.dataset.label);
    }
  }

  // Show on the finished picture where a label acts, or take that away again. The server is asked once a run.
  function where(name) {
    comeIntoSight();
    if (heat.shown === name) return showHeat(null);
    player.look(film.frames.length - 1);
    if (heat.maps) return showHeat(name);
    const waits = heat.asked;
    heat.asked = name;
    showState();
    showNote(film.last);
    if (!waits) askWhere(view);
  }

  async function askWhere({ run, ...about }) {
    const maps = await page.answer("page_where", inputs(about));
    if (run !== view.run) return;
    const name = heat.asked;
    heat.asked = null;
    if (maps) {
      heat.maps = Object.fromEntries(Object.entries(maps).map(([key, base64]) => [key, decode(base64)]));
      if (name && film.frames[player.k] === film.last) return showHeat(name);
    }
    showState();
    if (maps) showNote(film.frames[player.k]);
    else say(part("note"), "stage.where_failed");
  }

  function showHeat(name) {
    heat.shown = name;
    const canvas = part("heat");
    canvas.hidden = !name;
    part("legend").hidden = !name;
    if (name) paint(canvas, overlay(film.last.x0, heat.maps[name]));
    const frame = film.frames[player.k];
    if (!frame) return;
    showNote(frame);
    showChips(frame);
  }

  part("full").hidden = !part("player").requestFullscreen; // as on phones of some makers
  part("full").addEventListener("click", () => {
    const turned = document.fullscreenElement ? document.exitFullscreen() : part("player").requestFullscreen();
    turned.catch((error) => console.info(error.message));
  });
  part("legend").querySelector(".ramp").style.background = gradient;
  document.addEventListener("localechange", () => {
    const frame = film.frames[player.k];
    if (frame) moved(frame, player.k);
  });
  showExample();

  const key = (labels, seed) => JSON.stringify([data.labels.filter((name) => labels.includes(name)), seed]);

  function ask(labels, seed, ...inputs) {
    clearTimeout(change);
    if (!refusal(labels, seed)) {
      live = activity.yields = false;
      wanted = key(labels, seed);
    }
    activity.ask("page_draw", labels, seed, inputs);
  }

  // Draw these labels from this seed, if it can be done and was not asked for, in whatever way; a run on its way gives place.
  function askLive(labels, seed, ...inputs) {
    clearTimeout(change);
    const alone = performance.now() - changed > LIVE_PAUSE;
    changed = performance.now();
    const draw = () => {
      const now = key(labels, seed);
      const drawn = now === wanted && (activity.busy || activity.state === "done");
      if (drawn || refusal(labels, seed)) return;
      live = activity.yields = true;
      wanted = now;
      activity.ask("page_draw", labels, seed, inputs);
    };
    if (alone) draw();
    else change = setTimeout(draw, LIVE_PAUSE);
  }

  return { ask, live: askLive };
}
