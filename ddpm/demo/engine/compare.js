// The tab Compare: two runs from the same noise, in step. See compare/compare.py.
import { steps } from "./runs.js";
import { chunk, clock, inOrder, shown, verdict } from "./views.js";

export async function* compare({ facts, model, judge }, labels, seed, ...inputs) {
  const [ownLabels, ownSeed] = inputs.slice(8); // of side B
  const halves = [
    [labels, seed, ...inputs.slice(0, 4)],
    [ownLabels ?? labels, ownSeed ?? seed, ...inputs.slice(4, 8)],
  ];
  const sides = halves.map(([labels, seed, name, sampler, count, guidance]) => ({
    scene: inOrder(labels, facts),
    seed,
    name,
    T: facts.models[name].T,
    settings: { sampler, steps: count, guidance },
    gathered: [],
    left: Infinity, // the last timestep
  }));
  for (const [i, { T, settings }] of sides.entries()) {
    if (Number.isInteger(settings.steps) && settings.steps >= 1 && settings.steps <= T) continue;
    yield { state: "refused", problem: "compare.bad_steps", values: { side: "AB"[i], most: T } };
    return;
  }
  const run = Date.now();
  const due = clock();
  const several = Object.keys(facts.models).length > 1;
  for (const side of sides) {
    const { name, T, settings } = side;
    const { sampler, steps: total, guidance } = settings;
    const drawing = await model(name);
    side.alphaBar = drawing.alphaBar;
    side.run = steps(drawing, facts.labels, [side.scene], side.seed, settings);
    side.wanted = shown(total, facts);
    side.about = {
      labels: side.scene,
      seed: side.seed,
      model: several ? name : null,
      sampler: facts.samplers[sampler],
      total,
      guidance,
      cost: guidance === 0 || guidance === 1 ? 1 : 2,
      T,
      seconds: 0,
      verdict: null,
    };
  }

  function view(state) {
    const news = ({ about, gathered, alphaBar }) => ({
      ...about,
      chunks: gathered.length ? [chunk(gathered.splice(0), alphaBar, facts, ["x", "x0"])] : [],
    });
    return { state, run, sides: sides.map(news) };
  }

  // Always the side goes on that has more noise left.
  for (let going = sides; going.length; going = sides.filter(({ left }) => left > 0)) {
    const side = going.reduce((a, b) => (b.left > a.left ? b : a));
    const begun = performance.now();
    const { value: step } = await side.run.next();
    side.about.seconds += (performance.now() - begun) / 1000;
    if (side.wanted.has(step.index)) side.gathered.push(step);
    const done = step.index === step.total;
    side.left = done ? 0 : step.t;
    if (done) side.about.verdict = verdict(side.scene, (await judge(step.x0))[0], facts);
    if (due()) yield view("running");
  }
  yield view("done");
}
