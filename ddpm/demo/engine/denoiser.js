// Noisy pictures, a timestep and labels in, clean pictures and noise out; see ddpm/denoiser.py.
// model: { prediction, alphaBar, run(x, time, labels) }, see networks.js. conditions: a Float32Array(24) a picture.
// Returns denoise(x, t), which answers with { x0, eps, pull }: pull is null where guidance is 0 or 1.
export function denoiser(model, conditions, guidance = 1, clip = true) {
  const T = model.alphaBar.length - 1;

  // What the network's output at x means.
  const clean = {
    eps: (x, out, alpha, sigma) => (x - sigma * out) / alpha,
    v: (x, out, alpha, sigma) => alpha * x - sigma * out,
    x0: (_, out) => out,
  }[model.prediction];

  return async (x, t) => {
    const alpha = Math.sqrt(model.alphaBar[t]);
    const sigma = Math.sqrt(1 - model.alphaBar[t]);
    const ask = async (conditions) => {
      const out = await model.run(x, t / T, conditions);
      return out.map((value, i) => clean(x[i], value, alpha, sigma));
    };
    const none = conditions.map((condition) => condition.map(() => -1)); // stands for no labels
    let x0 = await ask(guidance === 0 ? none : conditions);
    let pull = null;
    if (guidance !== 0 && guidance !== 1) {
      const uncond = await ask(none);
      pull = x0.map((value, i) => guidance * (value - uncond[i])); // Ho & Salimans 2022, eq. 6, with w for their 1 + w
      x0 = uncond.map((value, i) => value + pull[i]);
    }
    if (clip) x0 = x0.map((value) => Math.min(Math.max(value, -1), 1));
    return { x0, eps: x.map((value, i) => (value - alpha * x0[i]) / sigma), pull };
  };
}

// The multi-hot vector of a scene. names: all labels in their order.
export function encode(scene, names) {
  return Float32Array.from(names, (name) => (scene.includes(name) ? 1 : 0));
}
