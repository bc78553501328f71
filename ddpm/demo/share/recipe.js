// What a picture follows from, as the query of a link (see ddpm/recipe.py); a PNG of ours carries it as text chunk "ddpm":
// a signature of 8 bytes, then chunks of length, type, data and checksum (PNG specification, section 5).
const SIGNATURE = "\x89PNG\r\n\x1a\n";
const KEYWORD = "ddpm\0";
const MOST = 10 * 2 ** 20; // bytes

// labels=red+cube,cyan+sphere&seed=7&...: read by restore.js.
export function query({ labels, seed, sampler, steps, guidance, model }) {
  const names = labels.map((label) => label.replace(" ", "+")).join();
  const drawnBy = model ? `&model=${encodeURIComponent(model)}` : "";
  return `labels=${names}&seed=${seed}&sampler=${encodeURIComponent(sampler)}&steps=${steps}&guidance=${guidance}${drawnBy}`;
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
