// Frames of a run in the browser: decoding what `frames.chunk` in frames.py sends, keeping it, painting it.
export const SIDE = 64;
const PIXELS = SIDE * SIDE;

// Bytes of an RGB picture.
export const PICTURE = 3 * PIXELS;

// Bytes, which a server sends as base64.
export function decode(data) {
  if (typeof data !== "string") return data;
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(data); // since 2025
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
}

// Draw RGB (64*64*3) or gray (64*64) bytes pixel for pixel on a canvas of 64x64; CSS makes it larger.
export function paint(canvas, bytes) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  const gray = bytes.length === PIXELS;
  for (let i = 0; i < PIXELS; i++) {
    const from = gray ? i : 3 * i;
    image.data[4 * i] = bytes[from];
    image.data[4 * i + 1] = bytes[gray ? from : from + 1];
    image.data[4 * i + 2] = bytes[gray ? from : from + 2];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

export const clear = (canvas) => canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);

// How far two RGB pictures are apart: gray bytes, amplified, and the mean as a share of the way from black to white.
export function difference(a, b, gain) {
  const gray = new Uint8Array(PIXELS);
  let sum = 0;
  for (let i = 0; i < PIXELS; i++) {
    const j = 3 * i;
    const apart = (Math.abs(a[j] - b[j]) + Math.abs(a[j + 1] - b[j + 1]) + Math.abs(a[j + 2] - b[j + 2])) / 3;
    sum += apart;
    gray[i] = Math.min(255, gain * apart);
  }
  return { gray, mean: sum / PIXELS / 255 };
}

// All frames of a run of `total` steps, as far as they have come; long runs come thinned, so that a frame's own
// `index` (1..total) need not be its place in `frames`.
export class Film {
  constructor(total) {
    this.total = total;
    this.frames = [];
    this.ended = false; // whether no more frames will come
  }

  // Take over a chunk.
  add(chunk) {
    const bytes = {};
    for (const key of ["x", "x0", "eps", "pull"]) bytes[key] = chunk[key] ? decode(chunk[key]) : null;
    chunk.index.forEach((index, k) => {
      const frame = { index, t: chunk.t[k], noise: chunk.noise[k], logSnr: chunk.logSnr[k] };
      for (const [key, all] of Object.entries(bytes)) {
        const size = key === "pull" ? PIXELS : PICTURE;
        frame[key] = all?.subarray(k * size, (k + 1) * size);
      }
      this.frames.push(frame);
    });
    if (this.complete) this.ended = true;
  }

  // What the evaluator saw in this frame, or else in the last one before it that it has looked at; or undefined.
  seen(frame) {
    return this.frames.findLast((other) => other.p && other.index <= frame.index)?.p;
  }

  get last() {
    return this.frames[this.frames.length - 1];
  }

  get complete() {
    return this.frames.length > 0 && this.last.index === this.total;
  }
}
