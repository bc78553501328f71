// From the values of the controls to the same with what a query says of them, then the scene, and the notice on it. What
// cannot be used is left out, and named. allowed: see `_restore` in share.py. given: the query and its source, which names
// the text of the notice.
export function restore(values, allowed, given = {}) {
  const { query = location.search, source = "link" } = given;
  const wanted = new URLSearchParams(query);
  let [cubes, spheres, cylinders, seed, sampler, steps, guidance] = values;
  let [model] = allowed.model; // the page's own, unless another is named
  const problems = [];
  let restored = false;

  const read = (key, use) => {
    if (!wanted.has(key)) return;
    const value = wanted.get(key).trim();
    const problem = use(value);
    if (problem) problems.push([`share.bad_${key}`, { value: value.slice(0, 40), ...problem }]);
    else restored = true;
  };
  const number = (value) => (value === "" ? NaN : Number(value));

  read("labels", (value) => {
    const names = [
      ...new Set(
        value
          .split(",")
          .map((name) => name.trim())
          .filter(Boolean),
      ),
    ];
    const known = names.filter((name) => allowed.labels.includes(name));
    const kept = known.slice(0, allowed.mostLabels);
    const left = names.filter((name) => !kept.includes(name));
    if (kept.length || !names.length) {
      [cubes, spheres, cylinders] = ["cube", "sphere", "cylinder"].map((shape) =>
        kept.filter((name) => name.endsWith(shape)),
      );
      restored = true;
    }
    if (left.length) return { value: left.join(", ").slice(0, 80), most: allowed.mostLabels };
  });
  read("seed", (value) => {
    const asked = number(value);
    if (!Number.isInteger(asked) || asked < 0 || asked > allowed.seed) return {};
    seed = asked;
  });
  // A link typed by hand may say dpm++, whose ++ an address reads as two spaces.
  read("sampler", (value) => {
    const asked = Object.hasOwn(allowed.sampler, `${value}++`) ? `${value}++` : value;
    if (!Object.hasOwn(allowed.sampler, asked)) return { allowed: Object.values(allowed.sampler).join(", ") };
    sampler = asked;
  });
  read("steps", (value) => {
    const asked = number(value);
    if (!allowed.steps.includes(asked)) return { allowed: allowed.steps.join(", ") };
    steps = asked;
  });
  read("guidance", (value) => {
    const asked = number(value);
    const [least, most] = allowed.guidance;
    if (!(asked >= least && asked <= most)) return { least, most };
    guidance = asked;
  });

  read("model", (value) => {
    if (allowed.model.includes(value)) model = value;
    else {
      [sampler, steps, guidance] = values.slice(4, 7); // what is asked for suits the other model
      return { allowed: allowed.model.join(", ") };
    }
  });

  // drawn: whether a run follows at once. at: tells the same picture from itself when it is opened again.
  const facts = { drawn: Boolean(wanted.get("labels")), at: Date.now() };
  const notice = [...(restored ? [[`share.from_${source}`, {}]] : []), ...problems].map(([name, values]) => [
    name,
    { ...values, ...facts },
  ]);
  const scene = [...cubes, ...spheres, ...cylinders];
  return [cubes, spheres, cylinders, seed, sampler, steps, guidance, model, scene, notice.length ? notice : null];
}
