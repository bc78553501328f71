// Ways from noise to pictures, see ddpm/samplers.py: each yields { index, total, t, x, x0, eps, pull } a step, and the last
// x0 is the result. denoise(x, t): see denoiser.js. noise(t, s): see noise.js.

const sqrt = Math.sqrt;

// The next x: factor * values, summed over the pairs given.
function sum(...terms) {
  return terms[0][1].map((_, i) => terms.reduce((total, [factor, values]) => total + factor * values[i], 0));
}

async function* intervals(denoise, x, timesteps, next) {
  for (const [i, t] of timesteps.entries()) {
    const prediction = await denoise(x, t);
    yield { index: i + 1, total: timesteps.length, t, x, ...prediction };
    const s = timesteps[i + 1];
    if (s) x = next(x, prediction, t, s);
  }
}

// Ho et al. 2020, algorithm 2, also over fewer than T steps; sigma_t^2 is beta_t for steps of one timestep.
export function ddpm({ denoise, x, timesteps, alphaBar, noise }) {
  return intervals(denoise, x, timesteps, (x, { x0 }, t, s) => {
    const alpha = alphaBar[t] / alphaBar[s]; // of the step from t to s
    const towardX0 = (sqrt(alphaBar[s]) * (1 - alpha)) / (1 - alphaBar[t]);
    const towardX = (sqrt(alpha) * (1 - alphaBar[s])) / (1 - alphaBar[t]);
    const sigma = sqrt(t - s === 1 ? 1 - alpha : ((1 - alpha) * (1 - alphaBar[s])) / (1 - alphaBar[t])); // eq. 7
    return sum([towardX0, x0], [towardX, x], [sigma, noise(t, s)]);
  });
}

// Song et al. 2020, at eta = 0.
export function ddim({ denoise, x, timesteps, alphaBar }) {
  return intervals(
    denoise,
    x,
    timesteps,
    (_, { x0, eps }, _t, s) => sum([sqrt(alphaBar[s]), x0], [sqrt(1 - alphaBar[s]), eps]), // eq. 12
  );
}

const lambda = (alphaBar) => (Math.log(alphaBar) - Math.log1p(-alphaBar)) / 2;

// DPM-Solver++(2M), Lu et al. 2022, algorithm 2; eta = 1 is the solver for the SDE.
export function dpmSolver({ denoise, x, timesteps, alphaBar, noise }, eta = 0) {
  let before = null; // x0 of the step before, and how far lambda went in it
  return intervals(denoise, x, timesteps, (x, { x0 }, t, s) => {
    const h = lambda(alphaBar[s]) - lambda(alphaBar[t]);
    const ahead = before ? h / (2 * before.h) : 0;
    const d = before ? sum([1 + ahead, x0], [-ahead, before.x0]) : x0;
    before = { x0, h };
    const terms = [
      [sqrt((1 - alphaBar[s]) / (1 - alphaBar[t])) * Math.exp(-eta * h), x],
      [-sqrt(alphaBar[s]) * Math.expm1(-(1 + eta) * h), d],
    ];
    if (eta > 0) terms.push([sqrt(-(1 - alphaBar[s]) * Math.expm1(-2 * eta * h)), noise(t, s)]);
    return sum(...terms);
  });
}

export const SAMPLERS = {
  ddpm,
  ddim,
  "dpm++": dpmSolver,
  "sde-dpm++": (run) => dpmSolver(run, 1),
};
