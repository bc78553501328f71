// The noise that a seed means, the same as on a server (ddpm/noise.py): the start of a picture, and one Brownian motion
// for what a sampler adds on the way. Generator and uniform numbers are those of torch.randn to the bit.
import { PIXELS } from "./pictures.js";
import { round } from "./schedule.js";

const N = 624;
const M = 397;
const float = Math.fround;

// Matsumoto & Nishimura 1998, "Mersenne Twister". torch.Generator.manual_seed keeps the low 32 bits of a seed.
export class MersenneTwister {
  constructor(seed) {
    this.state = new Uint32Array(N);
    this.state[0] = Number(BigInt(seed) & 0xffffffffn);
    for (let i = 1; i < N; i++) {
      const last = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, last) + i;
    }
    this.next = N;
  }

  // A whole number of 32 bits.
  random() {
    if (this.next === N) this.twist();
    let y = this.state[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  twist() {
    const { state } = this;
    for (let i = 0; i < N; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }

  // A share in [0, 1) with 24 bits, as torch makes a float32 of them.
  uniform() {
    return (this.random() & 0xffffff) / 2 ** 24;
  }
}

// Standard normal noise as torch.randn(3, 64, 64) draws it: the transform of Box & Muller 1958 on each sixteen uniform
// numbers, the first eight for the radius and the others for the angle. Seeds of more than 32 bits are scattered over these.
export function normal(seed) {
  const generator = new MersenneTwister(seed < 2 ** 32 ? seed : mix(BigInt(seed)));
  const x = Float32Array.from({ length: PIXELS }, () => generator.uniform());
  for (let i = 0; i < PIXELS; i += 16) {
    for (let j = i; j < i + 8; j++) {
      // rounded to float32 at every operation, as torch does
      const radius = float(Math.sqrt(-2 * float(Math.log(1 - x[j]))));
      const angle = float(float(2 * Math.PI) * x[j + 8]);
      x[j] = radius * float(Math.cos(angle));
      x[j + 8] = radius * float(Math.sin(angle));
    }
  }
  return x;
}

// Scatters a number of 64 bits (Steele et al. 2014: SplitMix64).
function mix(x) {
  const low = (value) => BigInt.asUintN(64, value);
  x = low(x + 0x9e3779b97f4a7c15n);
  x = low((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n);
  x = low((x ^ (x >> 27n)) * 0x94d049bb133111ebn);
  return x ^ (x >> 31n);
}

// Divisors of T, each dividing the one before, down to 1.
function strides(T) {
  const primes = [];
  for (let left = T, prime = 2; left > 1; ) {
    if (left % prime) prime++;
    else {
      primes.push(prime);
      left /= prime;
    }
  }
  const all = [T];
  for (const prime of primes.reverse()) all.push(all.at(-1) / prime);
  return all;
}

// One picture's motion B at the timesteps T..1, found by bisection (Li et al. 2020, section 4): B(T) = 0, and B(s) - B(t)
// has the variance snr[s] - snr[t].
export class BrownianPath {
  constructor(seed, snr) {
    Object.assign(this, { seed: BigInt(seed), snr, strides: strides(snr.length - 1), kept: new Map() });
  }

  // B(t) for t in 1..T.
  at(t) {
    const { snr, kept } = this;
    let [low, high] = [1, snr.length - 1];
    const found = new Map([
      [high, new Float32Array(PIXELS)],
      [low, kept.get(low) ?? this.normal(low).map((value) => value * Math.sqrt(snr[low] - snr[snr.length - 1]))],
    ]);
    while (!found.has(t)) {
      const middle = this.between(low, high);
      found.set(middle, kept.get(middle) ?? this.bridge(found, low, middle, high));
      if (t < middle) high = middle;
      else low = middle;
    }
    this.kept = found;
    return found.get(t);
  }

  // A value of the bridge between two neighbors.
  bridge(found, low, middle, high) {
    const { snr } = this;
    const share = (snr[middle] - snr[high]) / (snr[low] - snr[high]);
    const spread = Math.sqrt(share * (snr[low] - snr[middle]));
    const [from, to] = [found.get(high), found.get(low)];
    return this.normal(middle).map((value, i) => from[i] + share * (to[i] - from[i]) + spread * value);
  }

  // Where the way from low to high is cut: near the middle, at the roundest number there is.
  between(low, high) {
    const after = (stride) => (Math.floor(low / stride) + 1) * stride;
    const stride = this.strides.find((stride) => after(stride) < high);
    const last = Math.floor((high - 1) / stride) * stride;
    return Math.min(Math.max(round((low + high) / 2 / stride) * stride, after(stride)), last);
  }

  // The noise that belongs to B(t).
  normal(t) {
    return normal(BigInt.asUintN(32, mix(BigInt.asUintN(64, mix(this.seed) + BigInt(t)))));
  }
}

// The noise of a batch on the way: standard normal, for the step from t to s < t.
export function brownian(seeds, snr) {
  const paths = seeds.map((seed) => new BrownianPath(seed, snr));
  return (t, s) => {
    const scale = Math.sqrt(snr[s] - snr[t]);
    const noise = new Float32Array(seeds.length * PIXELS);
    paths.forEach((path, i) => {
      const from = path.at(t); // t first: it was the last one's s
      const to = path.at(s);
      for (let k = 0; k < PIXELS; k++) noise[i * PIXELS + k] = Math.fround(to[k] - from[k]) / scale;
    });
    return noise;
  };
}
