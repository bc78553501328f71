// Draws two runs side by side, see `compare_views` in compare.py, at one place of a common timeline.
const SWEEP = 6000; // ms from pure noise to the pictures
const END = 1000; // the timeline's last place; its first, 0, is pure noise
const ICONS = { play: "M7 4.5l12.5 7.5L7 19.5z", pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z" };
const DIFFERENCE_GAIN = 4;

const root = element.querySelector("section");
const part = (role, side) => root.querySelector(`${side === undefined ? "" : `[data-side="${side}"] `}[data-part="${role}"]`);
const cursor = part("cursor");

let current = { run: null, sides: [] };
let runs = [];
let follow = true; // until somebody moves the cursor, it goes with the frames that come in
let playing = null;

const share = (side, frame) => END * (1 - frame.t / current.sides[side].T);

// The latest frame of a side at the cursor.
function frameAt(side) {
  const { frames } = runs[side];
  let found = null;
  for (const frame of frames) {
    if (share(side, frame) > Number(cursor.value) + 1e-6) break;
    found = frame;
  }
  return found;
}

function open(view) {
  current = view;
  root.style.setProperty("--rows", Math.max(3, view.labels.length)); // of the verdict, so that it does not move the page
  runs = view.sides.map((side) => new DDPM.Run(side.total));
  follow = true;
  pause();
  for (const side of [0, 1]) {
    part("x0", side).getContext("2d").clearRect(0, 0, 64, 64);
    part("x", side).getContext("2d").clearRect(0, 0, 64, 64);
    root.querySelector(`.ticks[data-side="${side}"]`).replaceChildren();
  }
  part("difference").getContext("2d").clearRect(0, 0, 64, 64);
}

function draw(view, state) {
  if (view.sides && view.run !== current.run) open(view);
  if (!view.sides) return paint();
  current = view;
  view.sides.forEach(({ chunks }, side) => {
    for (const chunk of chunks.slice(runs[side].taken ?? 0)) {
      const known = runs[side].frames.length;
      runs[side].add(chunk);
      mark(side, runs[side].frames.slice(known));
    }
    runs[side].taken = chunks.length;
  });
  if (follow) {
    const places = runs.flatMap((run, side) => (run.frames.length ? [share(side, run.last)] : []));
    cursor.value = state === "done" ? END : Math.ceil(Math.max(0, ...places));
  }
  paint();
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

function paint() {
  const ready = runs.length === 2 && runs.every(({ frames }) => frames.length);
  cursor.disabled = !ready;
  part("play").disabled = !ready;
  cursor.style.setProperty("--played", cursor.value / END);
  const shown = runs.map((_, side) => frameAt(side));
  shown.forEach((frame, side) => paintSide(side, frame));
  for (const side of [0, 1]) if (!runs[side]) paintSide(side, null);
  const both = shown.length === 2 && shown[0] && shown[1];
  const T = current.sides[0]?.T ?? END;
  const t = Math.round(T * (1 - cursor.value / END));
  const words = ready ? DDPM.text("compare.t", { t, T }) : "";
  part("t").textContent = words;
  cursor.setAttribute("aria-valuetext", words);
  part("distance").textContent = both ? percent(difference(shown[0].x0, shown[1].x0)) : "\u2013";
}

const percent = (value) => `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)}\u202f%`;

// Paint how far two pictures are apart, and return it for the whole of them as a share of the way from black to white.
function difference(a, b) {
  const gray = new Uint8Array(a.length / 3);
  let sum = 0;
  for (let i = 0; i < gray.length; i++) {
    const j = 3 * i;
    const apart = (Math.abs(a[j] - b[j]) + Math.abs(a[j + 1] - b[j + 1]) + Math.abs(a[j + 2] - b[j + 2])) / 3;
    sum += apart;
    gray[i] = Math.min(255, DIFFERENCE_GAIN * apart);
  }
  DDPM.paint(part("difference"), DDPM.heat(gray));
  return sum / gray.length / 255;
}

function paintSide(side, frame) {
  const run = runs[side];
  const about = current.sides[side];
  if (frame) {
    DDPM.paint(part("x0", side), frame.x0);
    DDPM.paint(part("x", side), frame.x);
  }
  part("name", side).textContent = about ? name(about) : "";
  const done = run?.complete;
  part("step", side).textContent = frame ? `${frame.index} / ${run.total}` : "\u2013";
  part("noise", side).textContent = frame ? percent(frame.noise) : "\u2013";
  part("evaluations", side).textContent = frame ? `${frame.index * about.cost} / ${run.total * about.cost}` : "\u2013";
  part("seconds", side).textContent = frame ? `${about.seconds.toFixed(1)}\u202fs` : "\u2013";
  const key = JSON.stringify([about?.verdict, done, DDPM.locale]);
  const list = part("verdict", side);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.innerHTML = about?.verdict ? DDPM.verdictList(about.verdict) : `<li class="open">${DDPM.text("compare.later")}</li>`;
}

function name({ model, sampler, total, guidance }) {
  const settings = DDPM.text("compare.name", { sampler, steps: total, guidance });
  return model ? `${model}: ${settings}` : settings;
}

// The places at which a side shows another frame.
function places() {
  const all = runs.flatMap(({ frames }, side) => frames.map((frame) => share(side, frame)));
  return [...new Set([0, ...all])].sort((a, b) => a - b);
}

function seek(place) {
  follow = false;
  cursor.value = Math.min(END, Math.max(0, place));
  paint();
}

function step(by) {
  const here = Number(cursor.value);
  const others = places().map(Math.ceil).filter((place) => (by > 0 ? place > here : place < here));
  seek(by > 0 ? (others[0] ?? END) : (others.at(-1) ?? 0));
}

function play() {
  if (Number(cursor.value) >= END) seek(0);
  follow = false;
  let before = performance.now();
  let place = Number(cursor.value);
  const tick = (now) => {
    place += ((now - before) / SWEEP) * END;
    before = now;
    seek(place);
    if (place >= END) pause();
    else playing = requestAnimationFrame(tick);
  };
  playing = requestAnimationFrame(tick);
  showPlaying();
}

function pause() {
  cancelAnimationFrame(playing);
  playing = null;
  showPlaying();
}

function showPlaying() {
  const key = playing === null ? "play" : "pause";
  part("icon").setAttribute("d", ICONS[key]);
  const button = part("play");
  button.dataset.textAria = `compare.${key}`;
  button.dataset.textTitle = `compare.${key}`;
  DDPM.translate(button);
}

part("play").addEventListener("click", () => (playing === null ? play() : pause()));
cursor.addEventListener("input", () => {
  pause();
  seek(Number(cursor.value));
});
root.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || cursor.disabled) return;
  const act = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Home: () => seek(0),
    End: () => seek(END),
    " ": () => (playing === null ? play() : pause()),
  }[event.key];
  if (!act || (event.key === " " && event.target.type === "button")) return;
  event.preventDefault();
  if (event.key !== " ") pause();
  act();
});

part("ramp").style.background = DDPM.heatGradient;
showPlaying();
DDPM.activity({ name: "compare", element, props, trigger, watch, draw });
