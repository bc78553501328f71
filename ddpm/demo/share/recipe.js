// What a picture follows from, as the query of a link (see ddpm/recipe.py); a PNG of ours carries it as text chunk "ddpm":
// a signature of 8 bytes, then chunks of length, type, data and checksum (PNG specification, section 5).
const SIGNATURE = "\x89PNG\r\n\x1a\n";
const KEYWORD = "ddpm\0";
const MOST = 10 * 2 ** 20; // bytes

// Labels as red+cube,cyan+sphere; several scenes with a semicolon between them.
function written(value) {
  if (!Array.isArray(value)) return encodeURIComponent(value);
  return Array.isArray(value[0]) ? value.map(written).join(";") : value.map((label) => label.replace(" ", "+")).join();
}

// labels=red+cube,cyan+sphere&seed=7&...: read by restore.js. values: by the names of the fields; those that are null are
// left out.
export function query(values) {
  const said = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return said.map(([name, value]) => `${name}=${written(value)}`).join("&");
}

// From the queries of two runs to that of a comparison.
export function sideBySide(a, b) {
  const [first, second] = [new URLSearchParams(a), new URLSearchParams(b)];
  const values = { view: "compare", labels: first.get("labels").split(","), seed: first.get("seed") };
  for (const [side, run] of Object.entries({ a: first, b: second })) {
    for (const name of ["model", "sampler", "steps", "guidance"]) values[`${side}_${name}`] = run.get(name);
  }
  return query({ ...values, b_labels: second.get("labels").split(","), b_seed: second.get("seed") });
}

// The query of a file, or null where the file carries none.
export async function recipe(file) {
  if (file.size > MOST) return null;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const view = new DataView(bytes.buffer);
  const latin1 = (start, length) => String.fromCharCode(...bytes.subarray(start, start + length));
  if (latin1(0, 8) !== SIGNATURE) return null;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const data = at + 8;
    if (latin1(at + 4, 4) === "tEXt" && latin1(data, KEYWORD.length) === KEYWORD && length < 1000) {
      return latin1(data + KEYWORD.length, length - KEYWORD.length);
    }
    at = data + length + 4;
  }
  return null;
}
