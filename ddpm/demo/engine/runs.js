// Runs of the models, and what is kept of them.
import { denoiser, encode } from "./denoiser.js";
import { brownian, normal } from "./noise.js";
import { joined } from "./pictures.js";
import { sample } from "./samplers.js";
import { snr, timesteps } from "./schedule.js";

const MOST = 2 ** 25; // bytes of runs that are remembered, for their files and for where a label acts

// The steps of a run over scenes, image i with the seed `seed + i`.
export function steps(model, names, scenes, seed, settings) {
  const seeds = scenes.map((_, i) => seed + i);
  const conditions = scenes.map((scene) => encode(scene, names));
  return from(model, floats(seeds.map(normal)), seeds, conditions, settings);
}

// The same from pictures of the caller's own, as noisy as the timestep `start` asks for. around: what changes the denoiser.
export function from(model, x, seeds, conditions, settings, start = model.alphaBar.length - 1, around = (own) => own) {
  const { alphaBar } = model;
  const { sampler, steps, guidance } = settings;
  return sample(sampler, {
    denoise: around(denoiser(model, conditions, guidance)),
    x,
    timesteps: timesteps(start, steps),
    alphaBar,
    noise: brownian(seeds, snr(alphaBar)),
  });
}

// Arrays of floats as one.
export function floats(parts) {
  return new Float32Array(joined(parts.map((part) => new Uint8Array(part.buffer))).buffer);
}

const kept = new Map();

function bytes() {
  return [...kept.values()].flat().reduce((sum, { x, x0 }) => sum + x.byteLength + x0.byteLength, 0);
}

const key = (...about) => JSON.stringify(about);

// Pass the steps of a run of one picture on, and keep x and x0 of all, or of those before it was stopped.
export async function* keeping(run, about) {
  const all = [];
  try {
    for await (const step of run) {
      all.push({ t: step.t, x: step.x, x0: step.x0 });
      yield step;
    }
  } finally {
    const known = kept.get(key(about)) ?? [];
    kept.delete(key(about)); // the newest stands last
    if (all.length || known.length) kept.set(key(about), all.length < known.length ? known : all);
    while (kept.size > 1 && bytes() > MOST) kept.delete(kept.keys().next().value);
  }
}

// The first `count` steps of a run, kept or drawn anew by again().
export async function trajectory(about, again, count) {
  if (!(kept.get(key(about))?.length >= count)) {
    let taken = 0;
    for await (const _ of keeping(again(), about)) if (++taken === count) break;
  }
  return kept.get(key(about)).slice(0, count);
}
