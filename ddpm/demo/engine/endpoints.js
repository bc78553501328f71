// What the page asks for, by the names of the server's endpoints and with the same views: see the Python beside each part.
import { denoiser, encode, one } from "./denoiser.js";
import { file } from "./files.js";
import { normal } from "./noise.js";
import { gray, joined, PIXELS, rgb, SIDE } from "./pictures.js";
import { floats, from, keeping, steps, trajectory } from "./runs.js";
import { DETERMINISTIC, slerp, turnover } from "./variations.js";

const EXAMPLE = new URL("../../example.json", import.meta.url);
const SHOWN = 100; // longer runs are thinned to about so many frames
const PAUSE = 120; // ms between two views
const GLANCE_PAUSE = 250; // ms between two looks of the evaluator at a run on its way
const EPS_RANGE = 3; // as in frames.py
const PULL_RANGE = 0.5;
const THRESHOLD = 0.5;
const WALKER = "dpm++"; // the sampler of a walk where the chosen one is not deterministic

// Steps of one picture as the page's film takes them, see `frames.chunk`.
function chunk(some, alphaBar, keys = ["x", "x0", "eps", "pull"]) {
  const share = (step) => alphaBar[step.t];
  const bytes = {
    x: (step) => rgb(step.x),
    x0: (step) => rgb(step.x0),
    eps: (step) => rgb(step.eps, 0, EPS_RANGE),
    pull: (step) => gray(magnitude(step.pull)),
  };
  const has = (key) => keys.includes(key) && some.every((step) => step[key]);
  return {
    index: some.map((step) => step.index),
    t: some.map((step) => step.t),
    noise: some.map((step) => 1 - share(step)),
    logSnr: some.map((step) => Math.log(share(step) / (1 - share(step)))),
    ...Object.fromEntries(Object.entries(bytes).map(([key, of]) => [key, has(key) ? joined(some.map(of)) : null])),
  };
}

// The mean magnitude over the channels, as a share of what is shown as white.
function magnitude(pull) {
  const plane = SIDE * SIDE;
  const sizes = [0, 1, 2].map((c) => pull.subarray(c * plane, (c + 1) * plane));
  return sizes[0].map((_, i) => sizes.reduce((sum, channel) => sum + Math.abs(channel[i]), 0) / 3 / PULL_RANGE);
}

// Which of the steps 1..total become frames.
function shown(total) {
  const every = Math.ceil(total / SHOWN);
  return new Set([...Array.from({ length: Math.ceil(total / every) }, (_, i) => 1 + i * every), total]);
}

function verdict(labels, names, p) {
  const chance = Object.fromEntries(names.map((name, i) => [name, p[i]]));
  const pick = (group) => Object.fromEntries(group.map((name) => [name, chance[name]]));
  const seen = names.filter((name) => chance[name] >= THRESHOLD);
  return {
    found: pick(labels.filter((name) => seen.includes(name))),
    missing: pick(labels.filter((name) => !seen.includes(name))),
    unrequested: pick(seen.filter((name) => !labels.includes(name)).sort((a, b) => chance[b] - chance[a])),
  };
}

const inOrder = (labels, names) => names.filter((name) => labels.includes(name));

async function* example() {
  yield await (await fetch(EXAMPLE)).json();
}

async function* draw(networks, check, labels, seed, sampler, count, guidance) {
  const { own, labels: names } = await networks.facts();
  const judge = (x) => networks.judge(x, check);
  const [model] = await Promise.all([networks.model(own, check), judge(new Float32Array(PIXELS))]);
  const { alphaBar } = model;
  const scene = inOrder(labels, names);
  const settings = { sampler, steps: count, guidance };
  const wanted = shown(count);
  const logSnr = (t) => Math.log(alphaBar[t] / (1 - alphaBar[t]));
  const run = Date.now();
  const start = performance.now();
  const frames = [];
  let gathered = [];
  let first = 0;
  let [due, look] = [0, start + GLANCE_PAUSE];

  const view = (state, some, p) => ({
    run,
    state,
    labels: scene,
    seed,
    ...settings,
    frames: wanted.size,
    logSnr: [logSnr(first), logSnr(Math.max(1, Math.round(first / count)))],
    seconds: (performance.now() - start) / 1000,
    chunks: some.length ? [chunk(some, alphaBar)] : [],
    p,
  });

  const seen = new Set();
  for await (const step of keeping(steps(model, names, [scene], seed, settings), [scene, seed, settings])) {
    first ||= step.t;
    const done = step.index === step.total;
    if (wanted.has(step.index)) {
      gathered.push(step);
      frames.push(step.x0);
    }
    if (!gathered.length || (!done && performance.now() < due)) continue;
    const k = frames.length - 1;
    const p = [];
    if (done || performance.now() > look) {
      p.push([k, (await judge(frames[k]))[0]]);
      seen.add(k);
      look = performance.now() + GLANCE_PAUSE;
    }
    yield view(done ? "done" : "running", gathered, p);
    gathered = [];
    due = performance.now() + PAUSE;
  }
  const whole = view("done", [], []);
  for (const [k, x0] of frames.entries()) if (!seen.has(k)) whole.p.push([k, (await judge(x0))[0]]);
  yield whole;
}

// Where each requested label acted: see ddpm/influence.py.
async function* where(networks, check, labels, seed, sampler, count, guidance) {
  const { own, labels: names } = await networks.facts();
  const model = await networks.model(own, check);
  const scene = inOrder(labels, names);
  const run = await drawn(networks, check, scene, seed, { sampler, steps: count, guidance });
  const conditions = [scene, ...scene.map((name) => scene.filter((other) => other !== name))];
  const denoise = denoiser(
    model,
    conditions.map((some) => encode(some, names)),
  );
  const plane = SIDE * SIDE;
  const change = scene.map(() => new Float32Array(plane));
  const chosen = telling(run.map(({ t }) => model.alphaBar[t]));
  for (const i of chosen) {
    const { x0 } = await denoise(floats(conditions.map(() => run[i].x)), run[i].t);
    const all = one(x0, 0);
    change.forEach((map, k) => {
      one(x0, k + 1).forEach((value, at) => {
        map[at % plane] += (value - all[at]) ** 2 / 3;
      });
    });
  }
  const sizes = change.map((map) => map.map((sum) => Math.sqrt(sum / chosen.length)));
  const most = Math.max(1e-6, ...sizes.map((map) => Math.max(...map)));
  yield Object.fromEntries(scene.map((name, k) => [name, gray(sizes[k].map((value) => value / most))]));
}

// At most six steps between these shares of signal, evenly spread; the nearest one where none is.
function telling(shares, [low, high] = [0.02, 0.8], most = 6) {
  const inside = [...shares.keys()].filter((i) => shares[i] >= low && shares[i] <= high);
  if (!inside.length) {
    const far = shares.map((share) => Math.abs(share - (low + high) / 2));
    return [far.indexOf(Math.min(...far))];
  }
  const count = Math.min(most, inside.length);
  return Array.from(
    { length: count },
    (_, k) => inside[Math.round((k * (inside.length - 1)) / Math.max(count - 1, 1))],
  );
}

// All steps of a run of the page's own model, one of the last few or drawn anew.
async function drawn(networks, check, scene, seed, settings) {
  const { own, labels: names } = await networks.facts();
  const model = await networks.model(own, check);
  return trajectory([scene, seed, settings], () => steps(model, names, [scene], seed, settings));
}

async function* save(networks, check, labels, seed, sampler, count, guidance, format) {
  const { labels: names } = await networks.facts();
  const scene = inOrder(labels, names);
  const settings = { sampler, steps: count, guidance };
  const run = await drawn(networks, check, scene, seed, settings);
  yield await file(format, run, { scene, seed, names, ...settings });
}

// The states of a batch: some on the way, and the last with verdicts.
async function* pictures(networks, check, run, scenes, names, about = {}) {
  let due = 0;
  for await (const { index, total, x0 } of run) {
    const done = index === total;
    if (!done && performance.now() < due) continue;
    const verdicts = done
      ? (await networks.judge(x0, check)).map((p, i) => verdict(inOrder(scenes[i], names), names, p))
      : [];
    yield {
      state: done ? "done" : "running",
      index,
      total,
      count: scenes.length,
      pictures: joined(scenes.map((_, i) => rgb(x0, i))),
      seeds: [],
      verdicts,
      ...about,
    };
    due = performance.now() + 2 * PAUSE;
  }
}

async function* gallery(networks, check, labels, seed, count, sampler, stepCount, guidance) {
  const { own, labels: names } = await networks.facts();
  const model = await networks.model(own, check);
  const scenes = Array.from({ length: count }, () => labels);
  const run = steps(model, names, scenes, seed, { sampler, steps: stepCount, guidance });
  yield* pictures(networks, check, run, scenes, names, { seeds: scenes.map((_, i) => seed + i) });
}

async function* compare(networks, check, labels, seed, ...halves) {
  const { labels: names, models, samplers } = await networks.facts();
  const scene = inOrder(labels, names);
  const sides = [halves.slice(0, 4), halves.slice(4)].map(([name, sampler, count, guidance]) => ({
    name,
    T: models[name].T,
    settings: { sampler, steps: count, guidance },
  }));
  for (const [i, { T, settings }] of sides.entries()) {
    if (!Number.isInteger(settings.steps) || settings.steps < 1 || settings.steps > T) {
      yield { state: "refused", problem: "compare.bad_steps", values: { side: "AB"[i], most: T } };
      return;
    }
  }
  const drawing = await Promise.all(sides.map(({ name }) => networks.model(name, check)));
  const views = sides.map(({ name, T, settings }) => ({
    model: Object.keys(models).length > 1 ? name : null,
    sampler: samplers[settings.sampler],
    total: settings.steps,
    guidance: settings.guidance,
    cost: [0, 1].includes(settings.guidance) ? 1 : 2,
    T,
    seconds: 0,
    verdict: null,
  }));
  const runs = sides.map(({ settings }, i) => steps(drawing[i], names, [scene], seed, settings));
  const wanted = sides.map(({ settings }) => shown(settings.steps));
  const run = Date.now();
  let gathered = [[], []];
  let due = 0;

  function view(state) {
    const chunks = gathered.map((some, i) => (some.length ? [chunk(some, drawing[i].alphaBar, ["x", "x0"])] : []));
    gathered = [[], []];
    return { state, run, labels: scene, sides: views.map((half, i) => ({ ...half, chunks: chunks[i] })) };
  }

  const left = new Map([...sides.keys()].map((i) => [i, Infinity])); // the last timestep of each side
  while (left.size) {
    const side = [...left.keys()].reduce((a, b) => (left.get(b) > left.get(a) ? b : a));
    const start = performance.now();
    const { value: step } = await runs[side].next();
    views[side].seconds += (performance.now() - start) / 1000;
    if (wanted[side].has(step.index)) gathered[side].push(step);
    left.set(side, step.t);
    if (step.index === step.total) {
      left.delete(side);
      views[side].verdict = verdict(scene, names, (await networks.judge(step.x0, check))[0]);
    }
    if (left.size && performance.now() >= due) {
      yield view("running");
      due = performance.now() + PAUSE;
    }
  }
  yield view("done");
}

async function* walk(networks, check, labels, seed, way, otherSeed, otherLabels, stops, sampler, count, guidance) {
  const { own, labels: names, samplers } = await networks.facts();
  const toSeed = way === "seed";
  if (!toSeed && !otherLabels.length) return yield { state: "refused", problem: "walk.no_labels" };
  if (toSeed && !(Number.isSafeInteger(otherSeed) && otherSeed >= 0)) {
    return yield { state: "refused", problem: "walk.bad_seed", values: { max: Number.MAX_SAFE_INTEGER } };
  }
  const [start, end] = [labels, toSeed ? labels : otherLabels].map((scene) => inOrder(scene, names));
  const seeds = [seed, toSeed ? otherSeed : seed];
  if (seeds[0] === seeds[1] && start.join() === end.join()) return yield { state: "refused", problem: "walk.same" };
  const scenes = turnover(start, end, stops);
  const model = await networks.model(own, check);
  const ends = seeds.map(normal);
  const noise = scenes.map((_, i) => slerp(...ends, i / (stops - 1)));
  const chosen = DETERMINISTIC.includes(sampler) ? sampler : WALKER;
  const conditions = scenes.map((scene) => encode(scene, names));
  const run = from(
    model,
    floats(noise),
    scenes.map(() => seed),
    conditions,
    { sampler: chosen, steps: count, guidance },
  );
  yield* pictures(networks, check, run, scenes, names, {
    ends: [
      { labels, seed },
      { labels: end, seed: seeds[1] },
    ],
    scenes,
    note: chosen === sampler ? null : samplers[chosen],
  });
}

export const ENDPOINTS = {
  page_example: example,
  page_draw: draw,
  page_where: where,
  page_save: save,
  page_gallery: gallery,
  page_compare: compare,
  page_walk: walk,
};
