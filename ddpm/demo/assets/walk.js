// Draws the pictures of a walk, see `_pictures_view` in explore.py, and fades from one to the next along a slider.
const root = element.querySelector("section");
const part = (role) => root.querySelector(`[data-part="${role}"]`);
const FRAME = 64 * 64 * 3;
const slider = part("way");
let frames = [];
let current = {};

function build(count) {
  const stops = Array.from({ length: count }, (_, i) => {
    const stop = document.createElement("button");
    stop.type = "button";
    stop.innerHTML = '<canvas width="64" height="64" aria-hidden="true"></canvas><span data-part="badge"></span>';
    stop.addEventListener("click", () => go(i));
    return stop;
  });
  part("stops").replaceChildren(...stops);
  slider.max = count - 1;
  slider.value = 0;
}

function go(place) {
  slider.value = place;
  paint();
}

// The picture at a place between two stops: a fade, and no picture of the model.
function blend(place) {
  const i = Math.min(Math.floor(place), frames.length - 2);
  const share = place - i;
  return frames[i].map((value, k) => value + share * (frames[i + 1][k] - value));
}

function paint() {
  if (frames.length < 2) return;
  const place = Number(slider.value);
  const nearest = Math.round(place);
  DDPM.paint(part("picture"), blend(place));
  const words = DDPM.text("walk.place", { n: nearest + 1, count: frames.length });
  part("place").textContent = words;
  slider.setAttribute("aria-valuetext", words);
  const verdict = current.verdicts[nearest];
  part("verdict").innerHTML = verdict ? DDPM.verdictList(verdict) : "";
  [...part("stops").children].forEach((stop, i) => {
    if (i === nearest) stop.setAttribute("aria-current", "true");
    else stop.removeAttribute("aria-current");
  });
}

function end({ labels, seed }, other) {
  const names = labels.map(DDPM.label).join(DDPM.text("label.separator"));
  return labels.join() === other.labels.join() ? DDPM.text("gallery.seed", { seed }) : names;
}

function draw(view, state) {
  current = view;
  part("note").textContent = "";
  part("stroll").hidden = !view.pictures;
  if (!view.pictures) return;
  if (frames.length !== view.count) build(view.count);
  const bytes = DDPM.decode(view.pictures);
  frames = Array.from({ length: view.count }, (_, i) => bytes.subarray(i * FRAME, (i + 1) * FRAME));
  [...part("stops").children].forEach((stop, i) => {
    DDPM.paint(stop.firstChild, frames[i]);
    const verdict = view.verdicts[i];
    stop.querySelector('[data-part="badge"]').innerHTML = verdict ? DDPM.verdictBadge(verdict) : "";
    stop.setAttribute("aria-label", DDPM.text("walk.place", { n: i + 1, count: view.count }) + (verdict ? `. ${DDPM.verdictWords(verdict)}` : ""));
  });
  const [from, to] = view.ends;
  part("from").textContent = end(from, to);
  part("to").textContent = end(to, from);
  const step = state === "running" ? DDPM.text("activity.step", { n: view.index, total: view.total }) : "";
  const note = view.note ? DDPM.text("walk.note", { sampler: view.note }) : "";
  part("note").textContent = [step, note].filter(Boolean).join(" ");
  paint();
}

slider.addEventListener("input", paint);
slider.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const place = Number(slider.value);
  go(by > 0 ? Math.floor(place) + 1 : Math.ceil(place) - 1);
});
DDPM.activity({ name: "walk", element, props, trigger, watch, draw });
