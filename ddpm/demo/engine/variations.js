// Ways to move among a model's pictures, see ddpm/variations.py.
import { round } from "./schedule.js";

// Walk along the great circle from noise a to noise b (Shoemake 1985), by a share in 0..1.
export function slerp(a, b, share) {
  const dot = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(Math.max(cosine, -1), 1));
  const straight = Math.sin(angle) < 1e-4; // the same direction, or opposite ones: no single great circle joins them
  const from = straight ? 1 - share : Math.sin((1 - share) * angle) / Math.sin(angle);
  const to = straight ? share : Math.sin(share * angle) / Math.sin(angle);
  return a.map((value, i) => from * value + to * b[i]);
}

// Label sets for `count` stops from one to another: labels are exchanged one at a time, a label for one of the same shape
// where there is such, then for one of the same color.
export function turnover(start, end, count) {
  let leaving = start.filter((label) => !end.includes(label));
  let coming = end.filter((label) => !start.includes(label));
  const moves = [];
  for (const part of [(label) => label.split(" ")[1], (label) => label.split(" ")[0], () => ""]) {
    for (const old of leaving) {
      const match = coming.find((label) => part(label) === part(old));
      if (!match) continue;
      moves.push([old, match]);
      coming = coming.filter((label) => label !== match);
    }
    leaving = leaving.filter((label) => !moves.some(([old]) => old === label));
  }
  moves.push(...leaving.map((old) => [old, null]), ...coming.map((label) => [null, label]));
  const scenes = [start];
  for (const [gone, added] of moves) {
    const last = scenes.at(-1);
    const next = gone ? last.map((label) => (label === gone ? added : label)) : [...last, added];
    scenes.push(next.filter(Boolean));
  }
  return Array.from({ length: count }, (_, i) => scenes[round((i * moves.length) / (count - 1))]);
}
