// Playing, pausing, stepping and the keys for it: what the player of a run and that of a comparison have in common.
import { translate } from "./texts.js";

const ICONS = {
  back: "M6 5h2.5v14H6zM19 5v14l-9.5-7z",
  on: "M15.500 5H18v14h-2.500zM5 5l9.500 7L5 19z",
  play: "M7 4.500l12.500 7.500L7 19.500z",
  pause: "M6.500 5h4v14h-4zM13.500 5h4v14h-4z",
};

// Show an icon on a button, with its name.
function show(button, icon) {
  button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[icon]}"/></svg>`;
  button.dataset.textAria = button.dataset.textTitle = `player.${icon}`;
  translate(button);
}

export class Transport {
  // root: hears the keys, and says in data-playing whether it plays. buttons: those elements named "play", "back", "on"
  // that there are. film: what is played, with
  //   ready()        whether there is anything to show
  //   step(by)       one frame back or on
  //   first(), last()
  //   advance(ms)    go on by that much time
  //   over()         whether there is nothing left to play
  constructor(root, buttons, film) {
    Object.assign(this, { root, buttons, film, playing: false, request: null });
    const actions = { back: () => this.step(-1), on: () => this.step(1), play: () => this.toggle() };
    for (const [name, button] of Object.entries(buttons)) {
      button.addEventListener("click", actions[name]);
      show(button, name);
    }
    root.addEventListener("keydown", (event) => this.key(event));
    this.show();
  }

  // Keys anywhere in the player, save where the element at hand has a use of its own for them.
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || !this.film.ready()) return;
    const tag = event.target.type ?? "";
    const act = {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      Home: () => this.go(() => this.film.first()),
      End: () => this.go(() => this.film.last()),
      " ": () => this.toggle(),
    }[event.key];
    const own = event.key === " " ? tag === "button" || tag === "radio" : tag === "radio";
    if (!act || own || tag === "text") return;
    event.preventDefault();
    act();
  }

  // What somebody wants to look at stays.
  go(act) {
    this.pause();
    act();
  }

  step(by) {
    this.go(() => this.film.step(by));
  }

  toggle() {
    if (this.playing) this.pause();
    else if (this.film.ready()) this.play();
  }

  play() {
    if (this.film.over()) this.film.first();
    this.playing = true;
    this.before = performance.now();
    this.show();
    this.request ??= requestAnimationFrame((now) => this.tick(now));
  }

  pause() {
    cancelAnimationFrame(this.request);
    this.request = null;
    this.playing = false;
    this.show();
  }

  tick(now) {
    this.request = null;
    this.film.advance(Math.max(0, now - this.before));
    this.before = now;
    if (this.film.over()) this.pause();
    else if (this.playing) this.request = requestAnimationFrame((later) => this.tick(later));
  }

  show() {
    show(this.buttons.play, this.playing ? "pause" : "play");
    this.root.dataset.playing = this.playing;
  }
}
