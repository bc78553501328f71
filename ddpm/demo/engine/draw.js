// The tab Draw: a run as a film, where its labels acted, and its files. See draw/studio.py and share/share.py.
import { denoiser, encode } from "./denoiser.js";
import { file } from "./files.js";
import { brownian } from "./noise.js";
import { gray, one, PIXELS, PLANE, rgb } from "./pictures.js";
import { floats, keeping, steps, trajectory } from "./runs.js";
import { MIXINGS } from "./samplers.js";
import { snr, spread, timesteps } from "./schedule.js";
import { chunk, clock, inOrder, logSnr, repeated, shown } from "./views.js";

const EXAMPLE = new URL("../../example.json", import.meta.url);
const GLANCE_PAUSE = 250; // ms between two looks of the evaluator at a run on its way

export async function* example() {
  yield await (await fetch(EXAMPLE, { cache: "no-cache" })).json();
}

export async function* draw({ facts, model, judge }, labels, seed, sampler, count, guidance, name) {
  const [drawing] = await Promise.all([model(name), judge(new Float32Array(PIXELS))]); // nothing is loaded on the way
  const { alphaBar } = drawing;
  const scene = inOrder(labels, facts);
  const settings = { sampler, steps: count, guidance };
  const wanted = shown(count, facts);
  const ts = timesteps(alphaBar.length - 1, count);
  const range = [ts[0], ts.at(-1)].map((t) => logSnr(alphaBar[t]));
  const begun = performance.now();
  const about = { run: Date.now(), labels: scene, seed, ...settings, model: drawing.other, frames: wanted.size };
  const due = clock();
  const glance = clock(GLANCE_PAUSE, begun + GLANCE_PAUSE);
  const frames = [];
  const seen = new Set(); // the frames that the evaluator has looked at
  let gathered = [];
  let seconds = 0;
  let twice = []; // what is there more than once in the picture

  function view(state, p) {
    const chunks = gathered.length ? [chunk(gathered, alphaBar, facts)] : [];
    gathered = [];
    return { ...about, state, logSnr: range, seconds, chunks, p, twice };
  }

  async function look(k) {
    seen.add(k);
    const [{ p, counts }] = await judge(frames[k]);
    if (k === wanted.size - 1) twice = repeated(counts, facts.labels);
    return [k, p];
  }

  const run = steps(drawing, facts.labels, [scene], seed, settings);
  for await (const step of keeping(run, [scene, seed, settings, drawing.other])) {
    if (!wanted.has(step.index)) continue;
    gathered.push(step);
    frames.push(step.x0);
    const done = step.index === step.total;
    if (!done && !due()) continue;
    seconds = (performance.now() - begun) / 1000;
    yield view(done ? "done" : "running", done || glance() ? [await look(frames.length - 1)] : []);
  }
  const rest = [];
  for (const k of frames.keys()) if (!seen.has(k)) rest.push(await look(k));
  if (rest.length) yield view("done", rest);
}

// A run that was asked for: its model, scene, settings and steps, all or the first few. One of the last few runs, or
// drawn anew.
async function drawn({ facts, model }, labels, seed, sampler, count, guidance, name, until = count) {
  const drawing = await model(name);
  const scene = inOrder(labels, facts);
  const settings = { sampler, steps: count, guidance };
  const again = () => steps(drawing, facts.labels, [scene], seed, settings);
  const run = await trajectory([scene, seed, settings, drawing.other], again, until);
  return { drawing, scene, settings, run };
}

// Where each requested label acted: see ddpm/influence.py.
export async function* where(studio, ...asked) {
  const { facts } = studio;
  const { drawing, scene, run } = await drawn(studio, ...asked);
  const scenes = [scene, ...scene.map((name) => scene.filter((other) => other !== name))];
  const conditions = scenes.map((some) => encode(some, facts.labels));
  const denoise = denoiser(drawing, conditions);
  const sums = scene.map(() => new Float32Array(PLANE));
  const shares = run.map(({ t }) => drawing.alphaBar[t]);
  const chosen = telling(shares, facts.influence);
  for (const i of chosen) {
    const { x0 } = await denoise(floats(conditions.map(() => run[i].x)), run[i].t);
    const all = one(x0, 0);
    sums.forEach((sum, k) => {
      one(x0, k + 1).forEach((value, at) => {
        sum[at % PLANE] += (value - all[at]) ** 2 / 3;
      });
    });
  }
  const sizes = sums.map((sum) => sum.map((value) => Math.sqrt(value / chosen.length)));
  const most = Math.max(1e-6, ...sizes.map((map) => Math.max(...map)));
  yield Object.fromEntries(scene.map((name, k) => [name, gray(sizes[k].map((value) => value / most))]));
}

// Some steps whose shares of signal lie between these bounds, evenly spread; the nearest one where none does.
function telling(shares, { telling: [low, high], steps: most }) {
  const inside = [...shares.keys()].filter((i) => shares[i] >= low && shares[i] <= high);
  if (inside.length) return spread(inside.length, most).map((i) => inside[i]);
  const far = shares.map((share) => Math.abs(share - (low + high) / 2));
  return [far.indexOf(Math.min(...far))];
}

// A step of a run taken apart: see ddpm/anatomy.py.
export async function* apart(studio, labels, seed, sampler, count, guidance, name, index) {
  const { facts } = studio;
  const { drawing, scene, run } = await drawn(studio, labels, seed, sampler, count, guidance, name);
  const [last, step, next] = [run[index - 2], run[index - 1], run[index]];
  const predicted = (scale) => denoiser(drawing, [encode(scene, facts.labels)], scale, false)(step.x, step.t);
  const [{ x0: uncond }, { x0: cond }] = [await predicted(0), await predicted(1)];
  const mix = next ? MIXINGS[sampler](drawing.alphaBar, step.t, next.t, last?.t) : null;
  const fresh = mix?.noise ? brownian([seed], snr(drawing.alphaBar))(step.t, next.t) : null;
  const bytes = (x, most) => x && rgb(x, 0, most);
  yield {
    t: step.t,
    s: next?.t ?? 0,
    guidance,
    mix,
    x: bytes(step.x),
    x0: bytes(step.x0),
    uncond: bytes(uncond),
    cond: bytes(cond),
    difference: bytes(cond.map((value, i) => value - uncond[i])),
    before: mix?.before ? bytes(last.x0) : null,
    fresh: bytes(fresh, facts.frames.eps),
    next: bytes(next?.x ?? null),
  };
}

export async function* save(studio, labels, seed, sampler, count, guidance, name, format, captions, until) {
  const asked = [labels, seed, sampler, count, guidance, name];
  const { drawing, scene, settings, run } = await drawn(studio, ...asked, until ?? count);
  const about = { labels: scene, seed, names: studio.facts.labels, ...settings, model: drawing.other };
  yield await file(format, run, about, captions);
}
