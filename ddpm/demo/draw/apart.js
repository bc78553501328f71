// One step of the run taken apart, while it is unfolded: what guidance makes of two predictions, and what the next noisy
// image is mixed of. See `Studio.apart` in studio.py for what the page is told.
import { decode, paint } from "../shared/frames.js";
import { say } from "../shared/texts.js";

const REST = 300; // ms on one step before the models are asked
const MINUS = "\u2212";

const short = (share) => Math.abs(share).toFixed(2);

// root: the element. ask(index): promises the parts of step index, or nothing.
export class Apart {
  constructor(root, ask) {
    Object.assign(this, { root, ask, wanted: null, due: null, question: null });
    root.addEventListener("toggle", () => this.look());
    document.addEventListener("localechange", () => this.parts && this.draw());
  }

  // Somebody looks at step `index`; null where there is nothing to take apart yet.
  show(index) {
    if (index === this.wanted) return;
    this.wanted = index;
    this.question = null;
    this.look();
  }

  look() {
    clearTimeout(this.due);
    if (this.root.open && this.wanted) this.due = setTimeout(() => this.fetch(this.wanted), REST);
  }

  async fetch(index) {
    const question = {};
    this.question = question;
    this.root.setAttribute("aria-busy", "true");
    const parts = await this.ask(index);
    if (this.question !== question) return;
    this.root.removeAttribute("aria-busy");
    say(this.root.querySelector('[data-apart="failed"]'), parts ? "" : "stage.where_failed");
    if (!parts) return;
    this.parts = parts;
    this.root.dataset.step = index;
    this.draw();
  }

  draw() {
    const { guidance, mix, s, t, uncond, cond, difference, x, x0, before, fresh, next } = this.parts;
    const twice = guidance !== 0 && guidance !== 1;
    this.row("guidance", [
      ["", uncond, "stage.apart_without"],
      [`+ ${guidance} ×`, difference, "stage.apart_difference"],
      ["=", x0, "stage.apart_guided"],
    ]);
    this.row("pair", [
      ["", cond, "stage.apart_with"],
      [MINUS, uncond, "stage.apart_without"],
      ["=", difference, "stage.apart_difference"],
    ]);
    const once = guidance ? "stage.apart_once_1" : "stage.apart_once_0";
    say(this.root.querySelector('[data-apart="once"]'), twice ? "" : once);
    if (!mix) this.row("mix", []);
    else {
      const term = (share, first) => `${share < 0 ? MINUS : first ? "" : "+"} ${short(share)} ×`;
      const terms = [[term(mix.x, true), x, "stage.apart_x", { t }]];
      terms.push([term(mix.x0), x0, "stage.apart_x0"]);
      if (before) terms.push([term(mix.before), before, "stage.apart_before"]);
      if (fresh) terms.push([term(mix.noise), fresh, "stage.apart_fresh"]);
      this.row("mix", [...terms, ["=", next, "stage.apart_next", { t: s }]]);
    }
    say(this.root.querySelector('[data-apart="last"]'), mix ? "" : "stage.apart_last");
  }

  // A sum: pictures, each with its sign and its name.
  row(name, terms) {
    const figures = terms.map(([sign, picture, words, values]) => {
      const figure = document.createElement("figure");
      figure.innerHTML =
        '<span class="sign"></span><canvas width="64" height="64" aria-hidden="true"></canvas><figcaption></figcaption>';
      figure.querySelector(".sign").textContent = sign;
      paint(figure.querySelector("canvas"), decode(picture));
      say(figure.querySelector("figcaption"), words, values);
      return figure;
    });
    this.root.querySelector(`[data-apart="${name}"]`).replaceChildren(...figures);
  }
}
