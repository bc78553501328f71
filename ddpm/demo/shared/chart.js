// The chart under the player: the evaluator's probability of each label along the steps, and the noise level below it.
import { label, text, translate } from "./texts.js";
import { percent } from "./verdicts.js";

const HEIGHT = 178,
  NOISE_HEIGHT = 92;
const LEFT = 46,
  RIGHT = 12,
  TOP = 10,
  BOTTOM = 22;
const LEAST = -10; // log SNR: below it there is nothing but noise, and the axis ends
const MARKERS = 5; // about so many on a line, to tell shapes of the same color apart
const SHAPES = {
  cube: "M-5-5h10v10h-10z",
  sphere: "M-5.500 0a5.500 5.500 0 1 0 11 0a5.500 5.500 0 1 0-11 0z",
  cylinder: "M-3.500-4.500a3.500 3 0 0 1 7 0v9a3.500 3 0 0 1-7 0z",
};

export class Chart {
  // root: an empty element. seek(k): asks for frame k, when somebody clicks or drags in the chart.
  constructor(root, seek) {
    this.root = root;
    this.seek = seek;
    root.innerHTML = `
      <p class="axis" data-text="stage.chance_axis"></p>
      <svg class="chances" role="img" height="${HEIGHT}" data-text-aria="stage.chance_axis"></svg>
      <p class="key"><svg width="26" height="8" aria-hidden="true"><path class="other" d="M0 4h26"/></svg><span data-role="other"></span></p>
      <p class="axis" data-text="stage.snr_axis"></p>
      <svg class="levels" role="img" height="${NOISE_HEIGHT}" data-text-aria="stage.snr_axis"></svg>`;
    translate(root);
    this.chances = root.querySelector(".chances");
    this.levels = root.querySelector(".levels");
    for (const svg of [this.chances, this.levels]) {
      svg.addEventListener("pointerdown", (event) => {
        svg.setPointerCapture(event.pointerId);
        this.point(event);
      });
      svg.addEventListener("pointermove", (event) => event.buttons && this.point(event));
    }
    new ResizeObserver(() => this.draw()).observe(root);
    document.addEventListener("localechange", () => this.draw());
  }

  // film: a Film whose frames have `p`, the probability of each of `names`, or null where nobody has looked yet. labels: those requested.
  // expected: how many frames there will be. range: the log SNR at the run's first and last step.
  open(film, labels, names, expected, range) {
    Object.assign(this, { film, labels, names, expected, range, k: 0 });
    this.ids = labels.map((label) => names.indexOf(label));
    this.draw();
  }

  point(event) {
    const box = event.currentTarget.getBoundingClientRect();
    const distance = (frame) => Math.abs(this.x(frame.index) - (event.clientX - box.left));
    const { frames } = this.film;
    if (frames.length)
      this.seek(frames.reduce((best, frame, k) => (distance(frame) < distance(frames[best]) ? k : best), 0));
  }

  x(index) {
    const share = this.film.total > 1 ? (index - 1) / (this.film.total - 1) : 0.5;
    return LEFT + share * (this.width - LEFT - RIGHT);
  }

  // The id of the likeliest label that was not requested, given all probabilities.
  other(p) {
    return p.reduce((best, chance, id) => (this.ids.includes(id) || (best >= 0 && p[best] >= chance) ? best : id), -1);
  }

  draw() {
    this.width = this.root.clientWidth;
    if (!this.film || !this.width) return;
    this.drawChances();
    this.drawLevels();
    this.move(this.k);
  }

  drawChances() {
    const bottom = HEIGHT - BOTTOM;
    const y = (p) => bottom - p * (bottom - TOP);
    const frames = this.film.frames.filter((frame) => frame.p);
    const path = (value) =>
      frames
        .map((frame, k) => `${k ? "L" : "M"}${this.x(frame.index).toFixed(1)} ${y(value(frame)).toFixed(1)}`)
        .join("");
    const every = Math.max(1, Math.round(this.expected / MARKERS));
    const lines = this.labels.map((label, i) => {
      const [color, shape] = label.split(" ");
      const line = path((frame) => frame.p[this.ids[i]]);
      const offset = Math.round((i * every) / this.labels.length);
      const markers = this.film.frames
        .filter((frame, k) => frame.p && k % every === offset)
        .map(
          (frame) =>
            `<path class="mark" d="${SHAPES[shape]}" transform="translate(${this.x(frame.index)} ${y(frame.p[this.ids[i]])})"/>`,
        );
      return `<g class="line ${color}"><path class="edge" d="${line}"/><path class="core" d="${line}"/>${markers.join("")}</g>`;
    });
    const others = frames.length
      ? `<path class="other" d="${path((frame) => frame.p[this.other(frame.p)] ?? 0)}"/>`
      : "";
    const grid = [0, 0.5, 1].map((p) => this.rule(y(p), percent(p), p === 0.5 ? "seen" : ""));
    this.show(this.chances, grid.join("") + this.steps(bottom) + others + lines.join(""), bottom);
  }

  drawLevels() {
    const bottom = NOISE_HEIGHT - BOTTOM;
    const low = Math.min(Math.max(this.range[0], LEAST), -1),
      high = Math.max(this.range[1], 1);
    const y = (value) => bottom - ((Math.max(value, low) - low) / (high - low)) * (bottom - TOP);
    const line = this.film.frames
      .map((frame, k) => `${k ? "L" : "M"}${this.x(frame.index).toFixed(1)} ${y(frame.logSnr).toFixed(1)}`)
      .join("");
    const grid = [low, 0, high].map((value) => {
      const close = value !== 0 && Math.abs(y(value) - y(0)) < 12;
      return this.rule(
        y(value),
        close ? "" : Math.round(value).toString().replace("-", "\u2212"),
        value === 0 ? "seen" : "",
      );
    });
    const caption = `<text class="equal" x="${LEFT + 4}" y="${y(0) - 5}">${text("stage.equal")}</text>`;
    this.show(this.levels, `${grid.join("") + this.steps(bottom) + caption}<path class="level" d="${line}"/>`, bottom);
  }

  rule(y, words, kind) {
    return `<path class="rule ${kind}" d="M${LEFT} ${y}H${this.width - RIGHT}"/><text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${words}</text>`;
  }

  steps(bottom) {
    const { total } = this.film;
    const shown = total > 2 ? [1, Math.round((total + 1) / 2), total] : total > 1 ? [1, total] : [1];
    return shown
      .map(
        (index) =>
          `<text x="${this.x(index)}" y="${bottom + 16}" text-anchor="${index === total && total > 1 ? "end" : index === 1 && total > 1 ? "start" : "middle"}">${index}</text>`,
      )
      .join("");
  }

  // What lies behind the cursor is veiled: it is yet to come.
  show(svg, content, bottom) {
    svg.setAttribute("width", this.width);
    svg.innerHTML = `${content}<rect class="veil" y="0" height="${bottom + 1}"/><path class="cursor" d="M0 ${TOP - 6}V${bottom}"/>`;
  }

  // Put the cursor on frame k.
  move(k) {
    this.k = k;
    const frame = this.film?.frames[k];
    if (!frame || !this.width) return;
    const x = this.x(frame.index);
    for (const svg of [this.chances, this.levels]) {
      svg.querySelector(".cursor").setAttribute("transform", `translate(${x} 0)`);
      const veil = svg.querySelector(".veil");
      veil.setAttribute("x", x);
      veil.setAttribute("width", Math.max(0, this.width - x));
    }
    const p = this.film.seen(frame);
    const id = p ? this.other(p) : -1;
    this.root.querySelector('[data-role="other"]').textContent =
      id < 0 ? "" : text("stage.other", { label: label(this.names[id]), chance: percent(p[id]) });
  }
}
