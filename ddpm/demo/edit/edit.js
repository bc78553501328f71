// The tab Edit: a stack of pictures, each from the one below by one change of its labels. See edit.py for a view.
import { query } from "../share/recipe.js";
import { MOST_SCENES } from "../share/restore.js";
import { copyLink, leadTo } from "../shared/address.js";
import { decode, Film, paint, SIDE } from "../shared/frames.js";
import { drawn, saveCanvas } from "../shared/picture.js";
import { follow } from "../shared/runs.js";
import { screen } from "../shared/screen.js";
import { say, text } from "../shared/texts.js";
import { Transport } from "../shared/transport.js";
import { list } from "../shared/verdicts.js";
import { Orders } from "./orders.js";

const BRUSH = 4; // pixels around the pointer that it paints
const FAINT = 0.25; // of an object's strongest pixel: a click on less means none
const FRAME_MS = 120;
const COLUMNS = 10; // of a film strip
const SHADE = 150; // of 255, on what stays as it is

const ENDED = ["stopped", "failed", "refused"];

const encode = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

export function mount(element, page) {
  const part = (role) => element.querySelector(`[data-part="${role}"]`);
  const [cursor, frame] = [part("cursor"), part("frame")];
  // { labels, picture, place, verdict, film, maps, made }: the drawn one first, which has the `origin` that it follows from.
  // made: how an edit was made; null where its place was painted, which no link can say.
  let stack = [];
  let newest = null; // what the stage has drawn last, as the first of a stack
  let making = null; // how the edit under way is made
  let todo = []; // the edits of a link that are still to be made
  let linked = null; // the picture that they begin with: its labels and seed
  let finished = null; // the id of the last run that was pushed
  let running = null; // the film of the run that goes on
  let run = null; // and its id
  let chosen = null; // a label, or "" for one more
  let painted = null; // where it may change, in place of what the server finds
  let place = 0; // of the cursor in the film
  let busy = false;
  let before = ""; // the state that was drawn last: it is drawn once more in another language

  const orders = new Orders(part("objects"), part("wishes"), { choose, wish });
  const top = () => stack.at(-1);
  const film = () => running ?? top()?.film;

  function restart() {
    chosen = null;
    painted = null;
    running = null;
    part("address").hidden = true;
    place = Math.max(0, (film()?.frames.length ?? 1) - 1);
    show();
  }

  // Ask for an edit: the part's value goes through Gradio, which adds the seed and the settings.
  function wish(after) {
    const { labels, picture } = top();
    const where = painted && encode(painted);
    page.props.value = { before: labels, after, picture: encode(picture), place: where, at: Date.now() };
    page.emit("click");
  }

  function draw(view, state) {
    const ended = ENDED.includes(state) && state !== before;
    before = state;
    busy = ["asked", "waiting", "running"].includes(state);
    if (state === "asked") running = null;
    if (view.chunks && (state === "running" || state === "done") && view.run) take(view);
    if (state === "done" && view.run === run && running) {
      const { labels, verdict } = view;
      stack.push({ labels, picture: running.last.x0, place: decode(view.place), verdict, film: running, made: making });
      finished = run;
      run = null;
      restart();
      if (link()) leadTo(link());
      goOn();
    } else if (!busy) {
      running = null;
      if (ended) {
        todo = [];
        begin();
      }
    }
    show();
  }

  // Without any edit, the picture that was drawn last is where they begin.
  function begin() {
    if (stack.length > 1 || !newest || stack[0]?.origin === newest.origin) return;
    stack = [newest];
    restart();
  }

  // The query that leads to what the tab shows, or null where no link can say it.
  function link() {
    const [first, ...edits] = stack;
    const [made, ...others] = new Map(edits.map(({ made }) => [JSON.stringify(made), made])).values();
    if (!made || others.length || edits.length > MOST_SCENES) return null;
    return query({ view: "edit", ...first.origin, edits: edits.map(({ labels }) => labels), ...made });
  }

  // Make the next edit of a link.
  function goOn() {
    if (!todo.length) return;
    const [{ labels, made }, ...rest] = todo;
    const first = stack.length === 1;
    todo = rest;
    const { edit_seed, edit_sampler, edit_steps, edit_guidance } = made;
    const inputs = [edit_seed, labels, encode(top().picture), null, edit_sampler, edit_steps, edit_guidance];
    make(first ? start : startUnseen, top().labels, ...inputs);
  }

  // Draw the first picture of a link; its edits follow.
  function restore(labels, seed, sampler, steps, guidance, model, edits, ...how) {
    const [edit_seed, edit_sampler, edit_steps, edit_guidance] = how.map(
      (value, i) => value ?? [seed, sampler, steps, guidance][i],
    );
    const made = { edit_seed, edit_sampler, edit_steps, edit_guidance };
    stack = stack.slice(0, 1);
    chosen = null;
    linked = { labels, seed };
    todo = (edits ?? []).map((labels) => ({ labels, made }));
    globalThis.ddpm.ask("stage", labels, seed, sampler, steps, guidance, model);
  }

  function take(view) {
    if (view.run === finished) return; // shown once more, in another language
    if (view.run !== run && !running) {
      run = view.run;
      running = new Film(view.total);
    }
    if (view.run !== run || view.chunks === running.taken) return;
    running.taken = view.chunks;
    for (const chunk of view.chunks) running.add(chunk);
    place = Math.max(0, running.frames.length - 1);
    shade(decode(view.place));
  }

  // What stays is dark; null: nothing is.
  function shade(where) {
    const context = part("place").getContext("2d");
    const image = context.createImageData(SIDE, SIDE);
    where?.forEach((inside, i) => {
      image.data[4 * i + 3] = inside ? 0 : SHADE;
    });
    context.putImageData(image, 0, 0);
  }

  function show() {
    if (!stack.length) return;
    const frames = film()?.frames ?? [];
    const still = !frames[place];
    paint(part("picture"), still ? top().picture : frames[place].x0);
    paint(part("noisy"), still ? top().picture : frames[place].x);
    const painting = part("paint").ariaPressed === "true";
    if (!busy) shade(painting || painted ? (painted ?? new Uint8Array(SIDE * SIDE)) : shown());
    cursor.max = Math.max(1, frames.length - 1);
    cursor.value = place;
    cursor.disabled = part("play").disabled = frames.length < 2;
    part("step").textContent = frames[place]
      ? text("edit.step", { n: frames[place].index, total: film().total, t: frames[place].t })
      : "";
    part("verdict").innerHTML = top().verdict ? list(top().verdict) : "";
    frame.classList.toggle("painting", painting);
    part("undo").disabled = busy || stack.length < 2;
    part("wipe").disabled = !painted;
    part("show").disabled = !top().place;
    part("strip").disabled = !film()?.complete;
    part("link").disabled = busy || !link();
    orders.show(top().labels, chosen, busy);
    say(part("note"), painting ? "edit.painting" : painted ? "edit.painted" : "edit.count", { n: stack.length - 1 });
  }

  function shown() {
    return (part("show").ariaPressed === "true" && top().place) || null;
  }

  function choose(name) {
    chosen = chosen === name ? null : name;
    show();
  }

  function pixel(event) {
    const box = part("picture").getBoundingClientRect();
    const along = (at, from, size) => Math.min(SIDE - 1, Math.max(0, Math.floor((SIDE * (at - from)) / size)));
    return [along(event.clientX, box.left, box.width), along(event.clientY, box.top, box.height)];
  }

  function brush(event) {
    painted ??= new Uint8Array(SIDE * SIDE);
    const [x, y] = pixel(event);
    for (let i = 0; i < SIDE * SIDE; i++) {
      if (Math.hypot((i % SIDE) - x, Math.floor(i / SIDE) - y) <= BRUSH) painted[i] = 1;
    }
    show();
  }

  // Choose the object under the pointer; the server is asked once a picture where they stand.
  async function pick(event) {
    const [x, y] = pixel(event);
    const here = top();
    if (!here.maps) {
      say(part("note"), "edit.looking");
      const maps = await page.answer("page_objects", [here.labels, encode(here.picture)]);
      if (!maps) return say(part("note"), "edit.no_places");
      here.maps = Object.entries(maps).map(([name, bytes]) => [name, decode(bytes)]);
    }
    const strength = ([, map]) => map[y * SIDE + x];
    const best = here.maps.reduce((a, b) => (strength(b) > strength(a) ? b : a));
    if (here !== top() || busy) return;
    chosen = strength(best) >= 255 * FAINT ? best[0] : null;
    show();
    if (chosen === null) say(part("note"), "edit.nothing_here");
  }

  frame.addEventListener("pointerdown", (event) => {
    if (busy || !stack.length) return;
    if (part("paint").ariaPressed !== "true") return pick(event);
    frame.setPointerCapture(event.pointerId);
    brush(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (event.buttons && !busy && part("paint").ariaPressed === "true") brush(event);
  });
  for (const role of ["show", "paint"]) {
    part(role).addEventListener("click", () => {
      part(role).ariaPressed = part(role).ariaPressed !== "true";
      show();
    });
  }
  part("wipe").addEventListener("click", () => {
    painted = null;
    show();
  });
  part("undo").addEventListener("click", () => {
    stack.pop();
    restart();
    begin();
    if (part("undo").disabled) part("objects").querySelector("button")?.focus({ preventScroll: true });
  });
  const name = (ending) => `${top().labels.join("_").replaceAll(" ", "-")}_edited${ending}.png`;
  part("save").addEventListener("click", () => saveCanvas(drawn([[top().picture]], 16), name("")));
  part("strip").addEventListener("click", () => {
    const { frames } = film();
    const count = Math.min(COLUMNS, frames.length);
    const at = (i) => Math.round((i * (frames.length - 1)) / (count - 1 || 1));
    const some = Array.from({ length: count }, (_, i) => frames[at(i)]);
    saveCanvas(drawn([some.map(({ x }) => x), some.map(({ x0 }) => x0)], 4), name("_strip"));
  });
  part("link").addEventListener("click", () => copyLink(link(), part("note"), part("address")));

  function seek(k) {
    place = Math.min(Math.max(0, k), (film()?.frames.length ?? 1) - 1);
    show();
  }

  let waited = 0;
  const last = () => (film()?.frames.length ?? 1) - 1;
  new Transport(
    element.querySelector(".noisy"),
    { play: part("play") },
    {
      ready: () => last() > 0,
      step: (by) => seek(place + by),
      first: () => seek(0),
      last: () => seek(last()),
      advance: (ms) => {
        waited += ms;
        if (waited < FRAME_MS) return;
        waited = 0;
        seek(place + 1);
      },
      over: () => place >= last(),
    },
  );
  cursor.addEventListener("input", () => seek(Number(cursor.value)));
  const { ask: start, askUnseen: startUnseen } = screen("edit", element, page, draw);
  function make(begin, labels, seed, after, picture, where, ...settings) {
    const [edit_sampler, edit_steps, edit_guidance] = settings;
    making = where ? null : { edit_seed: seed, edit_sampler, edit_steps, edit_guidance };
    begin(labels, seed, after, picture, where, ...settings);
  }
  // A picture that was drawn is where edits begin, unless some have been made.
  follow(({ state, run: origin, picture }) => {
    if (ENDED.includes(state)) todo = [];
    if (!picture || !["example", "done"].includes(state)) return;
    newest = { labels: origin.labels, picture, origin };
    if (busy || stack.length > 1) return;
    begin();
    if (state !== "done") return;
    const same =
      linked && linked.seed === origin.seed && linked.labels.toSorted().join() === origin.labels.toSorted().join();
    if (!same) todo = [];
    goOn();
  });
  return { ask: (...inputs) => make(start, ...inputs), restore };
}
