// The pictures of a walk, see `pictures_view` in explore.py. A slider goes from stop to stop.
import { decode, PICTURE, paint } from "../shared/frames.js";
import { thumbnail } from "../shared/picture.js";
import { screen } from "../shared/screen.js";
import { labels as names, text } from "../shared/texts.js";
import { badge, list, words } from "../shared/verdicts.js";

function end({ labels, seed }, other) {
  return labels.join() === other.labels.join() ? text("gallery.seed", { seed }) : names(labels);
}

export function mount(element, page) {
  const part = (role) => element.querySelector(`[data-part="${role}"]`);
  const slider = part("way");
  let frames = [];
  let current = {};

  function build(count) {
    const stops = Array.from({ length: count }, (_, i) => {
      const stop = thumbnail('<span data-part="badge"></span>');
      stop.addEventListener("click", () => go(i));
      return stop;
    });
    part("stops").replaceChildren(...stops);
    slider.max = count - 1;
    slider.value = 0;
  }

  function go(place) {
    slider.value = place;
    show();
  }

  const placeWords = (i) => text("walk.place", { n: i + 1, count: frames.length });

  function show() {
    if (!frames.length) return;
    const i = Number(slider.value);
    paint(part("picture"), frames[i]);
    part("place").textContent = text("walk.asked", { place: placeWords(i), labels: names(current.scenes[i]) });
    slider.setAttribute("aria-valuetext", placeWords(i));
    const verdict = current.verdicts[i];
    part("verdict").innerHTML = verdict ? list(verdict) : "";
    for (const [k, stop] of [...part("stops").children].entries()) stop.ariaCurrent = k === i ? "true" : null;
  }

  function draw(view, state) {
    current = view;
    part("note").textContent = "";
    part("stroll").hidden = !view.pictures;
    if (!view.pictures) return;
    if (frames.length !== view.count) build(view.count);
    const bytes = decode(view.pictures);
    frames = Array.from({ length: view.count }, (_, i) => bytes.subarray(i * PICTURE, (i + 1) * PICTURE));
    [...part("stops").children].forEach((stop, i) => {
      paint(stop.firstChild, frames[i]);
      const verdict = view.verdicts[i];
      stop.querySelector('[data-part="badge"]').innerHTML = verdict ? badge(verdict) : "";
      stop.dataset.caption = names(view.scenes[i]);
      stop.setAttribute("aria-label", placeWords(i) + (verdict ? `. ${words(verdict)}` : ""));
    });
    const [from, to] = view.ends;
    part("from").textContent = end(from, to);
    part("to").textContent = end(to, from);
    const step = state === "running" ? text("activity.step", { n: view.index, total: view.total }) : "";
    const note = view.note ? text("walk.note", { sampler: view.note }) : "";
    part("note").textContent = [step, note].filter(Boolean).join(" ");
    show();
  }

  slider.addEventListener("input", show);
  return screen("walk", element, page, draw);
}
