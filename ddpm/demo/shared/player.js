// The player: keeps a place in a run's frames, moves it by itself or on demand, and shows the frame there.
import { difference, Film, paint } from "./frames.js";
import { heat } from "./heat.js";
import { thumbnail } from "./picture.js";
import { say, text, translate } from "./texts.js";
import { Transport } from "./transport.js";

const FRAMES_A_SECOND = 12; // slow enough to follow a run that took a third of a second
const SPEEDS = [0.5, 1, 2];
const THUMBNAILS = [11, 6]; // as many as a run has frames for; on a phone every other one of eleven
const CHANGE_GAIN = 4;
const VIEWS = ["pull", "change", "eps"];
const PULL_SHARE = 0.25; // what 255 stands for, as a share of the way from black to white: see frames.py

// Fill a radio group with a pill for each value.
function pills(group, name, values, chosen, choose) {
  for (const value of values) {
    const pill = document.createElement("label");
    const words = typeof value === "number" ? `${value}\u00d7` : "";
    pill.innerHTML = `<input type="radio" name="stage-${name}" value="${value}"><span>${words}</span>`;
    if (!words) say(pill.querySelector("span"), `stage.${value}`);
    pill.querySelector("input").checked = value === chosen;
    pill.addEventListener("change", () => choose(value));
    group.append(pill);
  }
}

// Gray bytes, scaled so that the largest is 255: what the labels do late in a run is small, and yet it is somewhere.
function brightened(gray) {
  const most = Math.max(...gray, 1);
  return gray.map((value) => (255 * value) / most);
}

export class Player {
  // root: an element with the parts of stage.html. moved(frame, k): called when another frame is shown.
  constructor(root, moved) {
    Object.assign(this, { root, moved, film: new Film(1), k: -1, expected: 1, speed: 1, view: VIEWS[0], wait: 0 });
    this.newest = false; // whether what is new is shown at once
    this.thumbs = [];
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.timeline = this.part("timeline");
    pills(this.part("choice"), "view", VIEWS, this.view, (view) => {
      this.view = view;
      this.paintThird();
    });
    pills(this.part("speed"), "speed", SPEEDS, this.speed, (speed) => {
      this.speed = speed;
    });
    const buttons = Object.fromEntries(
      [...root.querySelectorAll("[data-go]")].map((button) => [button.dataset.go, button]),
    );
    this.transport = new Transport(root, buttons, {
      ready: () => this.film.frames.length > 0,
      step: (by) => this.seek(this.k + by),
      first: () => this.seek(0),
      last: () => this.seek(this.film.frames.length - 1),
      advance: (ms) => this.advance(ms),
      over: () => this.film.ended && this.k === this.film.frames.length - 1,
    });
    this.timeline.addEventListener("input", () => this.look(Number(this.timeline.value)));
    document.addEventListener("localechange", () => this.showPlace());
  }

  part(role) {
    return this.root.querySelector(`[data-role="${role}"]`);
  }

  // Take another run, of which `expected` frames will be shown. Its frames may still be on their way: see `grow`.
  open(film, expected) {
    this.pause();
    Object.assign(this, { film, expected, k: -1 });
    this.timeline.max = Math.max(expected - 1, 1);
    this.buildStrip();
  }

  // Frames have been added to the run.
  grow() {
    const { frames } = this.film;
    if (this.k < 0 && frames.length) this.seek(0);
    for (const thumb of this.thumbs) {
      const frame = frames[thumb.place];
      if (!frame || !thumb.button.disabled) continue;
      thumb.button.disabled = false;
      paint(thumb.button.firstChild, frame.x0);
    }
    this.timeline.style.setProperty("--loaded", (frames.length - 1) / Math.max(this.expected - 1, 1));
    if ((this.calm.matches || this.newest) && this.transport.playing) this.seek(frames.length - 1);
  }

  buildStrip() {
    const count = THUMBNAILS.find((most) => most <= this.expected) ?? this.expected;
    this.thumbs = Array.from({ length: count }, (_, i) => {
      const button = thumbnail();
      button.disabled = true;
      const place = count > 1 ? Math.round((i * (this.expected - 1)) / (count - 1)) : 0;
      button.classList.toggle("between", count === THUMBNAILS[0] && i % 2 === 1);
      button.addEventListener("click", () => this.look(place));
      return { button, place };
    });
    this.part("strip").replaceChildren(...this.thumbs.map(({ button }) => button));
  }

  play() {
    this.wait = 0;
    this.transport.play();
  }

  pause() {
    this.transport.pause();
  }

  // A frame stays for its time; after a wait for frames there is no haste.
  advance(ms) {
    const interval = 1000 / (FRAMES_A_SECOND * this.speed);
    this.wait = Math.min(this.wait + ms, 2 * interval);
    if (this.wait < interval || this.k + 1 >= this.film.frames.length) return;
    this.wait -= interval;
    this.seek(this.k + 1);
  }

  // Somebody wants to look at this frame, so it stays.
  look(k) {
    this.pause();
    this.seek(k);
  }

  // Show frame k, or the nearest there is.
  seek(k) {
    const { frames } = this.film;
    if (!frames.length) return;
    k = Math.min(Math.max(k, 0), frames.length - 1);
    this.timeline.value = k;
    if (k === this.k) return;
    this.k = k;
    const frame = frames[k];
    paint(this.part("x"), frame.x);
    paint(this.part("x0"), frame.x0);
    this.paintThird();
    this.showPlace();
    this.moved(frame, k);
  }

  showPlace() {
    const frame = this.film.frames[this.k];
    if (!frame) return;
    const name = (index) => text("stage.step_of", { n: index ?? "?", total: this.film.total });
    this.timeline.style.setProperty("--played", this.k / Math.max(this.expected - 1, 1));
    this.timeline.setAttribute("aria-valuetext", name(frame.index));
    const distance = ({ place }) => Math.abs(place - this.k);
    const visible = this.thumbs.filter(({ button }) => button.offsetWidth > 0); // not all are, on a phone
    const nearest = visible.length && visible.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    for (const thumb of this.thumbs) {
      thumb.button.setAttribute("aria-label", name(this.film.frames[thumb.place]?.index));
      thumb.button.ariaCurrent = thumb === nearest ? "true" : null;
    }
  }

  paintThird() {
    const frame = this.film.frames[this.k];
    if (!frame) return;
    const before = this.film.frames[this.k - 1];
    const canvas = this.part("third");
    const missing = this.view === "change" ? !before && "first" : this.view === "pull" && !frame.pull && "no_pull";
    const empty = this.part("empty");
    empty.hidden = !missing;
    canvas.style.visibility = missing ? "hidden" : "";
    if (missing) say(empty, `stage.${missing}`);
    else if (this.view === "eps") paint(canvas, frame.eps);
    else if (this.view === "change") paint(canvas, heat(difference(before.x0, frame.x0, CHANGE_GAIN).gray));
    else paint(canvas, heat(brightened(frame.pull)));
    const most = frame.pull && ((100 * Math.max(...frame.pull)) / 255) * PULL_SHARE;
    const note = this.view === "pull" && missing ? "" : `stage.${this.view}_note`;
    say(this.part("third-note"), note, { gain: CHANGE_GAIN, most: most?.toFixed(1) });
    canvas.dataset.textAria = `stage.${this.view}`;
    translate(canvas);
  }
}
