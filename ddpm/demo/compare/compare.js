// Two runs side by side at one place of a common timeline. See `compare_views` in compare.py for a view.
import { clear, difference, Film, paint } from "../shared/frames.js";
import { gradient, heat } from "../shared/heat.js";
import { screen } from "../shared/screen.js";
import { locale, labels as names, text } from "../shared/texts.js";
import { Transport } from "../shared/transport.js";
import { list } from "../shared/verdicts.js";

const SWEEP = 6000; // ms from pure noise to the pictures
const END = 1000; // the timeline's last place; its first, 0, is pure noise
const DIFFERENCE_GAIN = 4;
const SIDES = [0, 1];

const percent = (value) => `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)}\u202f%`;

function nameOf({ model, sampler, total, guidance }) {
  const settings = text("compare.name", { sampler, steps: total, guidance });
  return model ? `${model}: ${settings}` : settings;
}

export function mount(element, page) {
  const root = element.querySelector("section");
  for (const facts of root.querySelectorAll(".facts"))
    facts.append(root.querySelector("template").content.cloneNode(true));
  const part = (role, side) =>
    root.querySelector(`${side === undefined ? "" : `[data-side="${side}"] `}[data-part="${role}"]`);
  const cursor = part("cursor");

  let current = { run: null, sides: [] };
  let films = [];
  let follow = true; // until somebody moves the cursor, it goes with the frames that come in
  let place = 0; // of the cursor, which holds whole numbers

  const share = (side, frame) => END * (1 - frame.t / current.sides[side].T);
  const ready = () => films.length === 2 && films.every(({ frames }) => frames.length);

  // The latest frame of a side at the cursor.
  const frameAt = (side) => films[side].frames.findLast((frame) => share(side, frame) <= place + 1e-6) ?? null;

  // The places at which a side shows another frame.
  function places() {
    const all = films.flatMap(({ frames }, side) => frames.map((frame) => share(side, frame)));
    return [...new Set([0, ...all])].sort((a, b) => a - b);
  }

  function seek(to) {
    follow = false;
    move(to);
    paintAll();
  }

  function move(to) {
    place = Math.min(END, Math.max(0, to));
    cursor.value = Math.ceil(place - 1e-6);
  }

  function step(by) {
    const others = places()
      .map(Math.ceil)
      .filter((other) => (by > 0 ? other > place : other < place));
    seek(by > 0 ? (others[0] ?? END) : (others.at(-1) ?? 0));
  }

  const transport = new Transport(
    root,
    { play: part("play") },
    {
      ready,
      step,
      first: () => seek(0),
      last: () => seek(END),
      advance: (ms) => seek(place + (ms / SWEEP) * END),
      over: () => place >= END,
    },
  );

  function open(view) {
    current = view;
    const [a, b] = view.sides;
    root.classList.toggle("two-scenes", a.labels.join() !== b.labels.join() || a.seed !== b.seed);
    const most = Math.max(3, ...view.sides.map(({ labels }) => labels.length));
    root.style.setProperty("--rows", most); // of the verdict, so that it does not move the page
    films = view.sides.map((side) => new Film(side.total));
    follow = true;
    transport.pause();
    for (const side of SIDES) {
      clear(part("x0", side));
      clear(part("x", side));
      root.querySelector(`.ticks[data-side="${side}"]`).replaceChildren();
    }
    clear(part("difference"));
  }

  // A view holds what is new of each run.
  function draw(view, state) {
    if (view.sides && view.run !== current.run) open(view);
    if (view.sides && view !== current) {
      current = view;
      view.sides.forEach(({ chunks }, side) => {
        for (const chunk of chunks.splice(0)) {
          const known = films[side].frames.length;
          films[side].add(chunk);
          mark(side, films[side].frames.slice(known));
        }
      });
      const reached = films.flatMap((film, side) => (film.frames.length ? [share(side, film.last)] : []));
      if (follow) move(state === "done" ? END : Math.ceil(Math.max(0, ...reached)));
    }
    paintAll();
  }

  // A tick on the timeline for each step of a side.
  function mark(side, frames) {
    const ticks = frames.map((frame) => {
      const tick = document.createElement("i");
      tick.style.left = `${(100 * share(side, frame)) / END}%`;
      return tick;
    });
    root.querySelector(`.ticks[data-side="${side}"]`).append(...ticks);
  }

  function paintAll() {
    cursor.disabled = part("play").disabled = !ready();
    cursor.style.setProperty("--played", place / END);
    const shown = films.map((_, side) => frameAt(side));
    for (const side of SIDES) paintSide(side, shown[side]);
    const T = current.sides[0]?.T ?? END;
    const words = ready() ? text("compare.t", { t: Math.round(T * (1 - place / END)), T }) : "";
    part("t").textContent = words;
    cursor.setAttribute("aria-valuetext", words);
    part("distance").textContent = "\u2013";
    if (!shown[0] || !shown[1]) return;
    const { gray, mean } = difference(shown[0].x0, shown[1].x0, DIFFERENCE_GAIN);
    paint(part("difference"), heat(gray));
    part("distance").textContent = percent(mean);
  }

  function paintSide(side, frame) {
    const film = films[side];
    const about = current.sides[side];
    if (frame) {
      paint(part("x0", side), frame.x0);
      paint(part("x", side), frame.x);
    }
    part("name", side).textContent = about ? [nameOf(about), ...ownScene(about)].join("; ") : "";
    part("step", side).textContent = frame ? `${frame.index} / ${film.total}` : "\u2013";
    part("noise", side).textContent = frame ? percent(frame.noise) : "\u2013";
    part("evaluations", side).textContent = frame
      ? `${frame.index * about.cost} / ${film.total * about.cost}`
      : "\u2013";
    part("seconds", side).textContent = frame ? `${about.seconds.toFixed(1)}\u202fs` : "\u2013";
    const key = JSON.stringify([about?.verdict, film?.complete, locale()]);
    const place = part("verdict", side);
    if (place.dataset.key === key) return;
    place.dataset.key = key;
    place.innerHTML = about?.verdict ? list(about.verdict) : `<li class="open">${text("compare.later")}</li>`;
  }

  // What a side draws, where the two differ.
  function ownScene({ labels, seed }) {
    const [a, b] = current.sides;
    const others = a.labels.join() !== b.labels.join();
    return [...(others ? [names(labels)] : []), ...(a.seed !== b.seed ? [text("gallery.seed", { seed })] : [])];
  }

  cursor.addEventListener("input", () => {
    transport.pause();
    seek(Number(cursor.value));
  });
  part("ramp").style.background = gradient;
  return screen("compare", element, page, draw);
}
