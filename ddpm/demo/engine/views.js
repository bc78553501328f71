// What the page draws of a run, as the server's views hold it. facts: models.json, see static/networks.py.
import { gray, joined, PLANE, rgb } from "./pictures.js";

// Steps of one picture as the page's film takes them, see `frames.chunk`.
export function chunk(some, alphaBar, { frames }, keys = ["x", "x0", "eps", "pull"]) {
  const share = (step) => alphaBar[step.t];
  const bytes = {
    x: (step) => rgb(step.x),
    x0: (step) => rgb(step.x0),
    eps: (step) => rgb(step.eps, 0, frames.eps),
    pull: (step) => gray(magnitude(step.pull).map((size) => size / frames.pull)),
  };
  const has = (key) => keys.includes(key) && some.every((step) => step[key]);
  return {
    index: some.map((step) => step.index),
    t: some.map((step) => step.t),
    noise: some.map((step) => 1 - share(step)),
    logSnr: some.map((step) => logSnr(share(step))),
    ...Object.fromEntries(Object.entries(bytes).map(([key, of]) => [key, has(key) ? joined(some.map(of)) : null])),
  };
}

export const logSnr = (share) => Math.log(share / (1 - share));

// The mean magnitude over the channels.
function magnitude(pull) {
  const channels = [0, 1, 2].map((c) => pull.subarray(c * PLANE, (c + 1) * PLANE));
  return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + Math.abs(channel[i]), 0) / channels.length);
}

// Which of the steps 1..total become frames.
export function shown(total, { frames }) {
  const every = Math.ceil(total / frames.most);
  return new Set([...Array.from({ length: Math.ceil(total / every) }, (_, i) => 1 + i * every), total]);
}

// What was found, is missing, was seen without being asked for, and is there more than once: see verdicts.py.
export function verdict(scene, { p, counts }, { labels, threshold }) {
  const chance = Object.fromEntries(labels.map((name, i) => [name, p[i]]));
  const pick = (group) => Object.fromEntries(group.map((name) => [name, chance[name]]));
  const seen = labels.filter((name) => chance[name] >= threshold);
  return {
    found: pick(scene.filter((name) => seen.includes(name))),
    missing: pick(scene.filter((name) => !seen.includes(name))),
    unrequested: pick(seen.filter((name) => !scene.includes(name)).sort((a, b) => chance[b] - chance[a])),
    repeated: pick(repeated(counts, labels)),
  };
}

export const repeated = (counts, labels) => labels.filter((_, i) => counts[i] > 1);

// Labels in their order.
export const inOrder = (scene, { labels }) => labels.filter((name) => scene.includes(name));

// Says when so many ms have gone by, since the last time it said so; by default those between two views of a run.
export function clock(pause = 120, due = 0) {
  return () => {
    if (performance.now() < due) return false;
    due = performance.now() + pause;
    return true;
  };
}
