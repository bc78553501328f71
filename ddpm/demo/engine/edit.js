// The tab Edit: one thing of a picture changes and the rest stays. See ddpm/editing.py and edit/edit.py.
import { decode } from "../shared/frames.js";
import { denoiser, encode } from "./denoiser.js";
import { normal } from "./noise.js";
import { gray, PIXELS, PLANE, SIDE } from "./pictures.js";
import { floats, from } from "./runs.js";
import { round } from "./schedule.js";
import { chunk, clock, inOrder, shown, verdict } from "./views.js";

// x_t from clean pictures and noise (Ho et al. 2020, eq. 4).
function noised(x0, noise, share) {
  return x0.map((value, i) => Math.sqrt(share) * value + Math.sqrt(1 - share) * noise[i]);
}

const repeated = (x, times) => floats(Array.from({ length: times }, () => x));

// How much a picture changes between pairs of label sets, by the two predicted clean pictures at several levels of a
// noise: a map of 64x64 for each pair.
async function difference(model, picture, pairs, own, { editing, labels }) {
  const conditions = (i) => pairs.map((pair) => encode(pair[i], labels));
  const [before, after] = [0, 1].map((i) => denoiser(model, conditions(i)));
  const [x0, noise] = [picture, own].map((x) => repeated(x, pairs.length));
  const total = new Float32Array(pairs.length * PLANE);
  for (const share of editing.looks) {
    const t = Math.max(1, round(share * (model.alphaBar.length - 1)));
    const x = noised(x0, noise, model.alphaBar[t]);
    const [old, changed] = [(await before(x, t)).x0, (await after(x, t)).x0];
    changed.forEach((value, i) => {
      total[Math.floor(i / PIXELS) * PLANE + (i % PLANE)] += Math.abs(value - old[i]) / 3;
    });
  }
  const count = editing.looks.length;
  return pairs.map((_, i) => total.subarray(i * PLANE, (i + 1) * PLANE).map((sum) => sum / count));
}

// Each pixel of a map as what sum up makes of those at most `reach` away.
function pooled(map, reach, sumUp) {
  return map.map((_, at) => {
    const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
    const near = [];
    for (let v = Math.max(0, y - reach); v <= Math.min(SIDE - 1, y + reach); v++) {
      for (let u = Math.max(0, x - reach); u <= Math.min(SIDE - 1, x + reach); u++) near.push(map[v * SIDE + u]);
    }
    return sumUp(near);
  });
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const largest = (values) => Math.max(...values);

// Where a difference is large, 0 or 1, with a margin for the shadow.
function place(change, { threshold, grown }) {
  const smooth = pooled(change, 1, mean);
  const most = largest(smooth);
  const large = smooth.map((value) => (value > threshold * most ? 1 : 0));
  return pooled(large, grown, largest);
}

// Where each object of a picture stands.
export async function* objects({ facts, model }, labels, bytes) {
  const scene = inOrder(labels, facts);
  const pairs = scene.map((name) => [scene, scene.filter((other) => other !== name)]);
  const maps = await difference(await model(), floatsOf(bytes), pairs, normal(0), facts);
  const brightest = (map) => map.map((value) => value / Math.max(1e-6, largest(map)));
  yield Object.fromEntries(scene.map((name, i) => [name, gray(brightest(maps[i]))]));
}

export async function* edit(studio, labels, seed, wanted, bytes, painted, sampler, count, guidance) {
  const { facts, model, judge } = studio;
  const { editing } = facts;
  const [before, after] = [labels, wanted].map((scene) => inOrder(scene, facts));
  const about = { run: Date.now(), labels: after };
  const own = await model();
  const picture = floatsOf(bytes);
  const noise = normal(seed); // the place is where it will let the new object stand
  const where = painted
    ? Float32Array.from(decode(painted), (byte) => (byte > 0 ? 1 : 0))
    : place((await difference(own, picture, [[before, after]], noise, facts))[0], editing);
  const exchange = before.length === after.length;
  const T = own.alphaBar.length - 1;
  const start = Math.max(1, round((exchange ? editing.exchange : editing.new) * T));
  const settings = {
    sampler,
    steps: Math.max(1, round((count * start) / T)),
    guidance: exchange ? Math.max(guidance, editing.exchangeGuidance) : guidance,
  };
  // The known picture is held outside the place, in every predicted clean one
  const keeping = (denoise) => async (x, t) => {
    const guess = await denoise(x, t);
    const share = own.alphaBar[t];
    const x0 = guess.x0.map((value, i) => (where[i % PLANE] ? value : picture[i]));
    const eps = x.map((value, i) => (value - Math.sqrt(share) * x0[i]) / Math.sqrt(1 - share));
    return { ...guess, x0, eps };
  };
  const x = noised(picture, noise, own.alphaBar[start]);
  const run = from(own, x, [seed], [encode(after, facts.labels)], settings, start, keeping);
  const due = clock();
  const frames = shown(settings.steps, facts);
  let gathered = [];
  for await (const step of run) {
    const done = step.index === step.total;
    if (frames.has(step.index)) gathered.push(step);
    if (!done && !due()) continue;
    yield {
      ...about,
      state: done ? "done" : "running",
      total: step.total,
      place: gray(where),
      verdict: done ? verdict(after, (await judge(step.x0))[0], facts) : null,
      chunks: gathered.length ? [chunk(gathered, own.alphaBar, facts, ["x", "x0"])] : [],
    };
    gathered = [];
  }
}

// A picture of the page, RGB bytes in base64, in [-1, 1] with the channels first.
function floatsOf(base64) {
  const bytes = decode(base64);
  return Float32Array.from({ length: PIXELS }, (_, i) => bytes[3 * (i % PLANE) + Math.floor(i / PLANE)] / 127.5 - 1);
}
