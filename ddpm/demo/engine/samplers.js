// Ways from noise to pictures, see ddpm/samplers.py: each step yields { index, total, t, x, x0, eps, pull }, and the last x0
// is the result. A sampler is how a step mixes the next x: { x, x0, before, noise } for the step from t to s > 0, after one
// that came from u (undefined: the first).

const { exp, expm1, log, log1p, sqrt } = Math;

// Ho et al. 2020, eq. 7, also over fewer than T steps; sigma_t^2 is beta_t for steps of one timestep.
function ancestral(alphaBar, t, s) {
  const alpha = alphaBar[t] / alphaBar[s]; // of the step from t to s
  const share = t - s === 1 ? 1 : (1 - alphaBar[s]) / (1 - alphaBar[t]);
  return {
    x: (sqrt(alpha) * (1 - alphaBar[s])) / (1 - alphaBar[t]),
    x0: (sqrt(alphaBar[s]) * (1 - alpha)) / (1 - alphaBar[t]),
    before: 0,
    noise: sqrt((1 - alpha) * share),
  };
}

// Song et al. 2020, eq. 12, at eta = 0; its eps is (x - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar).
function implicit(alphaBar, t, s) {
  const ofEps = sqrt(1 - alphaBar[s]) / sqrt(1 - alphaBar[t]);
  return { x: ofEps, x0: sqrt(alphaBar[s]) - sqrt(alphaBar[t]) * ofEps, before: 0, noise: 0 };
}

const lambda = (alphaBar) => (log(alphaBar) - log1p(-alphaBar)) / 2;

// DPM-Solver++(2M), Lu et al. 2022, algorithm 2; eta = 1 is the solver for the SDE.
function multistep(alphaBar, t, s, u, eta = 0) {
  const h = lambda(alphaBar[s]) - lambda(alphaBar[t]);
  const ofD = -sqrt(alphaBar[s]) * expm1(-(1 + eta) * h);
  const ahead = u === undefined ? 0 : h / (2 * (lambda(alphaBar[t]) - lambda(alphaBar[u])));
  return {
    x: sqrt((1 - alphaBar[s]) / (1 - alphaBar[t])) * exp(-eta * h),
    x0: ofD * (1 + ahead),
    before: -ofD * ahead,
    noise: sqrt(-(1 - alphaBar[s]) * expm1(-2 * eta * h)),
  };
}

export const MIXINGS = {
  ddpm: ancestral,
  ddim: implicit,
  "dpm++": multistep,
  "sde-dpm++": (alphaBar, t, s, u) => multistep(alphaBar, t, s, u, 1),
};

// The steps of a run. denoise(x, t): see denoiser.js. noise(t, s): see noise.js.
export async function* sample(sampler, { denoise, x, timesteps, alphaBar, noise }) {
  let before = x;
  for (const [i, t] of timesteps.entries()) {
    const prediction = await denoise(x, t);
    yield { index: i + 1, total: timesteps.length, t, x, ...prediction };
    const s = timesteps[i + 1];
    if (!s) return;
    const mix = MIXINGS[sampler](alphaBar, t, s, timesteps[i - 1]);
    const { x0 } = prediction;
    const last = before;
    const fresh = mix.noise ? noise(t, s) : null;
    x = x.map((value, k) => mix.x * value + mix.x0 * x0[k] + mix.before * last[k] + (fresh ? mix.noise * fresh[k] : 0));
    before = x0;
  }
}
