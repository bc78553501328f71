// How it works: noise on a scene at the timestep of the slider, and the curves of both schedules with a cursor there.
import { decode, paint } from "../shared/frames.js";
import { text } from "../shared/texts.js";

// Standard normal noise, the same at every visit: Marsaglia's xorshift and the Box-Muller transform.
function gaussian(count) {
  let state = 42;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

const bytes = (x) => Uint8ClampedArray.from(x, (value) => (value + 1) * 127.5);

const logSnr = (table) => table.map((share) => Math.log(share / (1 - share)));

function short(number) {
  if (number === Infinity) return "∞";
  const sign = number < 0 ? "−" : "";
  const size = Math.abs(number);
  if (size !== 0 && size < 0.001)
    return `${sign}${size.toExponential(1).replace("e-", " × 10⁻").replace(/\d+$/, superscript)}`;
  return sign + (size >= 100 ? Math.round(size).toLocaleString("en") : size.toFixed(size >= 10 ? 1 : 3));
}
const superscript = (digits) => [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");

// A chart with one curve a schedule: fixed lines and words, and a cursor with a dot on each curve.
const WIDTH = 440;
const HEIGHT = 240;
const BOX = { left: 44, right: 14, top: 12, bottom: 40 };

function chart(place, what, tables, low, high, ticks) {
  const T = Object.values(tables)[0].length - 1;
  const across = (t) => BOX.left + ((WIDTH - BOX.left - BOX.right) * t) / T;
  const down = (y) =>
    HEIGHT - BOX.bottom - ((HEIGHT - BOX.top - BOX.bottom) * (clip(y, low, high) - low)) / (high - low);
  const curve = (table) => table.map((y, t) => `${across(t).toFixed(1)},${down(y).toFixed(1)}`).join(" ");
  const columns = [0, T / 4, T / 2, (3 * T) / 4, T].map(Math.round);
  place.innerHTML = `
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
      ${ticks
        .map(
          (y) => `
        <path class="grid" d="M${BOX.left} ${down(y)}H${WIDTH - BOX.right}"/>
        <text x="${BOX.left - 8}" y="${down(y) + 5}" text-anchor="end">${String(y).replace("-", "−")}</text>`,
        )
        .join("")}
      ${columns.map((t) => `<text x="${across(t)}" y="${HEIGHT - 22}" text-anchor="middle">${t}</text>`).join("")}
      <text class="axis" x="${across(T / 2)}" y="${HEIGHT - 3}" text-anchor="middle" data-text="lesson.timestep_axis"></text>
      ${Object.entries(tables)
        .map(([name, table]) => `<polyline class="${name}" points="${curve(table)}"/>`)
        .join("")}
      <path class="cursor" d="M0 ${BOX.top}V${HEIGHT - BOX.bottom}"/>
      ${Object.keys(tables)
        .map((name) => `<circle class="${name}" r="5"/>`)
        .join("")}
    </svg>
    <p class="key">${Object.keys(tables)
      .map((name) => `<span class="${name}" data-text="lesson.${name}"></span>`)
      .join("")}</p>`;
  const describe = () =>
    place.firstElementChild.setAttribute(
      "aria-label",
      text("lesson.chart_alt", { what: text(what) }).replace(/<[^>]+>/g, ""),
    );
  describe();
  document.addEventListener("localechange", describe);
  return (t) => {
    place.querySelector(".cursor").setAttribute("transform", `translate(${across(t)} 0)`);
    for (const [name, table] of Object.entries(tables)) {
      place.querySelector(`circle.${name}`).setAttribute("cx", across(t));
      place.querySelector(`circle.${name}`).setAttribute("cy", down(table[t]));
    }
  };
}
const clip = (value, low, high) => Math.min(Math.max(value, low), high);

export function mount(element, page) {
  const { scene, kind, alphaBar } = page.props.value;
  const own = alphaBar[kind];
  const T = own.length - 1;
  const START = Math.round(0.25 * T);

  const part = (role) => element.querySelector(`[data-part="${role}"]`);
  const slider = element.querySelector("input");
  const clean = Float32Array.from(decode(scene), (byte) => byte / 127.5 - 1);
  const noise = gaussian(clean.length);

  const logs = Object.fromEntries(Object.entries(alphaBar).map(([name, table]) => [name, logSnr(table)]));
  const cursors = [
    chart(part("alphaChart"), "lesson.chart_alpha", alphaBar, 0, 1, [0, 0.5, 1]),
    chart(part("snrChart"), "lesson.chart_snr", logs, -12, 12, [-10, -5, 0, 5, 10]),
  ];

  function draw() {
    const t = Number(slider.value);
    const alpha = Math.sqrt(own[t]);
    const sigma = Math.sqrt(1 - own[t]);
    paint(part("xt"), bytes(clean.map((x0, i) => alpha * x0 + sigma * noise[i])));
    part("alpha").textContent = alpha.toFixed(2);
    part("sigma").textContent = sigma.toFixed(2);
    part("t").textContent = t;
    part("alphaBar").textContent = short(own[t]);
    part("snr").textContent = short(own[t] / (1 - own[t]));
    part("logSnr").textContent = short(logs[kind][t]);
    for (const cursor of cursors) cursor(t);
  }

  paint(part("scene"), bytes(clean));
  paint(part("noise"), bytes(noise));
  slider.value = START;
  slider.addEventListener("input", draw);
  draw();
}
