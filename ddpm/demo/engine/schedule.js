// The tables of a noise schedule and its timesteps, see ddpm/schedule.py. alphaBar: float64 (T + 1,).

// Halves go to the even neighbor, as in Python.
export function round(x) {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 ? down + 1 : down;
}

// At most `most` of 0..length - 1, evenly spread, with the first and the last.
export function spread(length, most) {
  const count = Math.min(length, most);
  if (count === 1) return [length - 1];
  return Array.from({ length: count }, (_, i) => round((i * (length - 1)) / (count - 1)));
}

export const snr = (alphaBar) => alphaBar.map((share) => share / (1 - share));

// n of 1..start, evenly spaced and falling from it ("trailing" spacing, Lin et al. 2024, table 2).
export function timesteps(start, n) {
  return Array.from({ length: n }, (_, i) => round((start * (n - i)) / n));
}
