// The tab Explore: pictures in a batch, a gallery or the stops of a walk. See explore.py, gallery/ and walk/.
import { encode } from "./denoiser.js";
import { normal } from "./noise.js";
import { joined, rgb } from "./pictures.js";
import { floats, from, steps } from "./runs.js";
import { slerp, turnover } from "./variations.js";
import { clock, inOrder, verdict } from "./views.js";

const PAUSE = 250; // ms between two views

// Some states on the way, and the last with verdicts by what each picture was asked for.
async function* pictures({ facts, judge }, run, scenes, about) {
  const due = clock(PAUSE);
  for await (const { index, total, x0 } of run) {
    const done = index === total;
    if (!done && !due()) continue;
    const verdicts = done ? (await judge(x0)).map((said, i) => verdict(inOrder(scenes[i], facts), said, facts)) : [];
    const bytes = joined(scenes.map((_, i) => rgb(x0, i)));
    const state = done ? "done" : "running";
    yield { state, index, total, count: scenes.length, pictures: bytes, verdicts, seeds: [], ...about };
  }
}

export async function* gallery(studio, labels, seed, count, sampler, stepCount, guidance, name) {
  if (!Number.isSafeInteger(seed + count - 1)) {
    return yield { state: "refused", problem: "picker.seed", values: { max: Number.MAX_SAFE_INTEGER - count + 1 } };
  }
  const scenes = Array.from({ length: count }, () => labels);
  const settings = { sampler, steps: stepCount, guidance };
  const run = steps(await studio.model(name), studio.facts.labels, scenes, seed, settings);
  yield* pictures(studio, run, scenes, { seeds: scenes.map((_, i) => seed + i) });
}

export async function* walk(studio, labels, seed, way, otherSeed, otherLabels, stops, ...settings) {
  const [sampler, count, guidance, name] = settings;
  const { facts, model } = studio;
  const toSeed = way === "seed";
  const refuse = (problem, values) => ({ state: "refused", problem, values });
  if (!toSeed && !otherLabels.length) return yield refuse("walk.no_labels");
  if (!toSeed && otherLabels.length > facts.mostLabels) return yield refuse("picker.over", { most: facts.mostLabels });
  if (toSeed && !(Number.isSafeInteger(otherSeed) && otherSeed >= 0)) {
    return yield refuse("walk.bad_seed", { max: Number.MAX_SAFE_INTEGER });
  }
  const [start, end] = [labels, toSeed ? labels : otherLabels].map((scene) => inOrder(scene, facts));
  const seeds = [seed, toSeed ? otherSeed : seed];
  if (seeds[0] === seeds[1] && start.join() === end.join()) return yield refuse("walk.same");
  const scenes = turnover(start, end, stops);
  const noises = seeds.map(normal);
  const x = floats(scenes.map((_, i) => slerp(...noises, i / (stops - 1))));
  const walker = facts.deterministic.includes(sampler) ? sampler : facts.walker;
  const conditions = scenes.map((scene) => encode(scene, facts.labels));
  const same = scenes.map(() => seed); // of noise on the way, which no walker asks for
  const run = from(await model(name), x, same, conditions, { sampler: walker, steps: count, guidance });
  yield* pictures(studio, run, scenes, {
    ends: [start, end].map((scene, i) => ({ labels: scene, seed: seeds[i] })),
    scenes,
    note: walker === sampler ? null : facts.samplers[walker],
  });
}
