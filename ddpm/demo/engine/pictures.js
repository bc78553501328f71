// Pictures (N, 3, 64, 64) are Float32Arrays in [-1, 1], one after another.
export const SIDE = 64;
export const PLANE = SIDE * SIDE; // numbers of one channel
export const PIXELS = 3 * PLANE; // of one picture

export const one = (x, i) => x.subarray(i * PIXELS, (i + 1) * PIXELS);

// The bytes of picture i: RGB, channels last. most: the value that is white, its negative being black.
export function rgb(x, i = 0, most = 1) {
  const bytes = new Uint8ClampedArray(PIXELS); // clips, and rounds halves to even
  for (let k = 0; k < PLANE; k++) {
    for (let c = 0; c < 3; c++) bytes[3 * k + c] = (x[i * PIXELS + c * PLANE + k] / most + 1) * 127.5;
  }
  return new Uint8Array(bytes.buffer);
}

// Shares in [0, 1] as bytes.
export function gray(shares) {
  return new Uint8Array(Uint8ClampedArray.from(shares, (share) => 255 * share).buffer);
}

// Parts of bytes as one.
export function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
