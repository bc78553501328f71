// Files of a run to take away, the same as a server writes (ddpm/trajectory.py, ddpm/export.py).
import { query } from "../share/recipe.js";
import { joined, PIXELS, rgb, SIDE } from "./pictures.js";
import { spread } from "./schedule.js";

const SCALE = 4; // pixels of a film beside each other for one of its pictures, and 3/4 as many above each other
const LARGE = 16;
const COLUMNS = 10;
const COLORS = 127; // of each half of a film's frame; the last two of its palette are those of a caption
const CAPTION = {
  height: 56,
  margin: 12,
  largest: 18,
  least: 512, // pixels that it is wide
  line: 24,
  colors: [
    [255, 255, 255],
    [34, 38, 45],
  ],
};
const FILM_FRAMES = 100;
const [FRAME_MS, SLIDE_MS, LAST_FRAME_MS] = [60, 300, 2000];

const library = (name) => import(new URL(`../../runtime/${name}`, import.meta.url));

// Rows of pictures as one of RGB bytes.
function sheet(rows) {
  const [width, height] = [rows[0].length * SIDE, rows.length * SIDE];
  const data = new Uint8Array(3 * width * height);
  for (const [j, row] of rows.entries()) {
    for (const [i, picture] of row.entries()) {
      for (let y = 0; y < SIDE; y++) {
        data.set(picture.subarray(3 * y * SIDE, 3 * (y + 1) * SIDE), 3 * ((j * SIDE + y) * width + i * SIDE));
      }
    }
  }
  return { width, height, data };
}

// The same with each pixel `scale` wide and 3/4 of that high. channels: bytes of a pixel.
function enlarged({ width, height, data }, scale, channels = 3) {
  const large = { width: width * scale, height: (height * scale * 3) / 4 };
  const bytes = new Uint8Array(channels * large.width * large.height);
  for (let y = 0; y < large.height; y++) {
    const line = Math.floor((4 * y) / (3 * scale)) * width;
    for (let x = 0; x < large.width; x++) {
      const from = channels * (line + Math.floor(x / scale));
      for (let c = 0; c < channels; c++) bytes[channels * (y * large.width + x) + c] = data[from + c];
    }
  }
  return { ...large, data: bytes };
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

const crc = (bytes) => ~bytes.reduce((sum, byte) => CRC[(sum ^ byte) & 255] ^ (sum >>> 8), ~0) >>> 0;

function chunk(type, body) {
  const data = new Uint8Array(body.length + 12);
  const view = new DataView(data.buffer);
  view.setUint32(0, body.length);
  data.set(new TextEncoder().encode(type), 4);
  data.set(body, 8);
  view.setUint32(body.length + 8, crc(data.subarray(4, body.length + 8)));
  return data;
}

// A PNG with the query that the picture follows from (PNG specification, sections 5, 11.2 and 11.3.3).
async function png({ width, height, data }, query) {
  const { zlibSync } = await library("fflate.js");
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint16(8, 0x0802); // 8 bits a channel, RGB
  const lines = new Uint8Array(height * (1 + 3 * width)); // each begins with its filter, 0 for none
  for (let y = 0; y < height; y++)
    lines.set(data.subarray(3 * width * y, 3 * width * (y + 1)), y * (1 + 3 * width) + 1);
  return [
    Uint8Array.of(0x89, ...new TextEncoder().encode("PNG\r\n\x1a\n")),
    chunk("IHDR", new Uint8Array(head.buffer)),
    chunk("tEXt", new TextEncoder().encode(`ddpm\0${query}`)),
    chunk("IDAT", zlibSync(lines, { level: 9 })),
    chunk("IEND", new Uint8Array()),
  ];
}

// The place in a palette that is closest to each pixel of RGB bytes.
function closest(bytes, palette) {
  return Uint8Array.from({ length: bytes.length / 3 }, (_, at) => {
    const apart = (color) => color.reduce((sum, value, c) => sum + (value - bytes[3 * at + c]) ** 2, 0);
    let [best, least] = [0, Infinity];
    for (const [i, color] of palette.entries()) {
      const distance = apart(color);
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  });
}

// A picture in 128 colors: those of the library, which sees only the high bits, moved to the mean of their pixels.
function palettized(bytes, quantize) {
  const rgba = new Uint8Array((4 * bytes.length) / 3).fill(255);
  for (let at = 0; at < bytes.length / 3; at++) rgba.set(bytes.subarray(3 * at, 3 * at + 3), 4 * at);
  let palette = quantize(rgba, COLORS);
  const pixels = closest(bytes, palette);
  const sums = palette.map(() => [0, 0, 0, 0]);
  pixels.forEach((i, at) => {
    for (let c = 0; c < 3; c++) sums[i][c] += bytes[3 * at + c];
    sums[i][3]++;
  });
  palette = palette.map((color, i) => (sums[i][3] ? color.map((_, c) => Math.round(sums[i][c] / sums[i][3])) : color));
  return { palette, pixels: closest(bytes, palette) };
}

// Lines below a picture: 1 for ink, 0 for paper.
function caption(lines, width) {
  const scale = width <= 512 ? 1 : 2;
  const [height, margin, largest, line] = ["height", "margin", "largest", "line"].map((key) => scale * CAPTION[key]);
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "black";
  const font = (size) => {
    context.font = `${size}px sans-serif`;
    return Math.max(...lines.map((words) => context.measureText(words).width));
  };
  let size = largest;
  while (font(size) > width - 2 * margin) size--;
  lines.forEach((words, i) => context.fillText(words, margin, height / 2 + line * (i - 0.5) + size / 3));
  const { data } = context.getImageData(0, 0, width, height);
  return Uint8Array.from({ length: width * height }, (_, at) => (data[4 * at] < 128 ? 1 : 0));
}

// A picture of RGB bytes with lines below it, on paper that is wide enough for them.
function captioned({ width, height, data }, lines) {
  const wide = Math.max(width, CAPTION.least);
  const ink = caption(lines, wide);
  const below = Uint8Array.from({ length: 3 * ink.length }, (_, at) => CAPTION.colors[ink[Math.floor(at / 3)]][at % 3]);
  const above = new Uint8Array(3 * wide * height).fill(CAPTION.colors[0][0]);
  for (let y = 0; y < height; y++) above.set(data.subarray(3 * width * y, 3 * width * (y + 1)), 3 * wide * y);
  return { width: wide, height: height + ink.length / wide, data: joined([above, below]) };
}

// The two lines at step k of a run, see `Trajectory._captions`.
function words(k, run, { labels, seed, sampler, steps, guidance, model }) {
  const how = `${model ? `${model}, ` : ""}${sampler}, guidance ${guidance}, seed ${seed}`;
  return [labels.join(", "), `step ${k + 1} of ${steps}, timestep ${run[k].t}; ${how}`];
}

// A film of noisy and clean pictures beside each other; each half of a frame has colors of its own. said(k): the lines
// below step k. pause: ms that each frame is shown.
async function gif(run, said, pause = FRAME_MS) {
  const { GIFEncoder, quantize } = await library("gifenc.js");
  const film = GIFEncoder();
  const chosen = spread(run.length, FILM_FRAMES);
  for (const [i, k] of chosen.entries()) {
    const halves = [run[k].x, run[k].x0].map((x) => palettized(rgb(x), quantize));
    const palette = halves.flatMap(({ palette }) => Array.from({ length: COLORS }, (_, k) => palette[k] ?? [0, 0, 0]));
    palette.push(...CAPTION.colors);
    const data = new Uint8Array(2 * SIDE * SIDE); // places in the palette, the clean picture on the right
    for (let y = 0; y < SIDE; y++) {
      const line = halves.map(({ pixels }) => pixels.subarray(y * SIDE, (y + 1) * SIDE));
      const right = line[1].map((place) => COLORS + place);
      data.set(line[0], 2 * y * SIDE);
      data.set(right, (2 * y + 1) * SIDE);
    }
    const { data: pixels, width, height } = enlarged({ width: 2 * SIDE, height: SIDE, data }, SCALE, 1);
    const below = said ? caption(said(k), width).map((ink) => 2 * COLORS + ink) : new Uint8Array();
    const delay = i === chosen.length - 1 ? LAST_FRAME_MS : pause;
    film.writeFrame(joined([pixels, below]), width, height + below.length / width, { palette, delay });
  }
  film.finish();
  return [film.bytes()];
}

// A NumPy array as a file (numpy.lib.format, version 1.0).
function npy(type, shape, data) {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const head = `{'descr': '${type}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padded = `${head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11)}\n`;
  const file = new Uint8Array(10 + padded.length + data.byteLength);
  file.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length & 255, padded.length >> 8]);
  file.set(new TextEncoder().encode(padded), 10);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + padded.length);
  return file;
}

// NumPy has no strings of no length.
function strings(shape, words) {
  const length = Math.max(1, ...words.map((word) => word.length));
  const codes = words.flatMap((word) => Array.from({ length }, (_, i) => word.codePointAt(i) ?? 0));
  return npy(`<U${length}`, shape, Uint32Array.from(codes));
}

// Every step as arrays, see `Trajectory.save_npz`.
async function npz(run, { labels, seed, names, sampler, steps, guidance, model }) {
  const { zipSync } = await library("fflate.js");
  const images = (key) => {
    const all = new Float32Array(run.length * PIXELS);
    run.forEach((step, i) => all.set(step[key], i * PIXELS));
    return npy("<f4", [run.length, 1, 3, SIDE, SIDE], all);
  };
  const whole = (shape, numbers, type = "<i8") => npy(type, shape, BigInt64Array.from(numbers.map(BigInt)));
  const timesteps = run.map(({ t }) => t);
  const asked = Uint8Array.from(names, (name) => labels.includes(name));
  const arrays = {
    x: images("x"),
    x0: images("x0"),
    timesteps: whole([run.length], timesteps),
    labels: npy("|u1", [1, names.length], asked),
    label_names: strings([names.length], names),
    seeds: whole([1], [seed], "<u8"),
    sampler: strings([], [sampler]),
    steps: whole([], [steps]),
    guidance: npy("<f8", [], Float64Array.of(guidance)),
    model: strings([], [model ?? ""]),
  };
  const files = Object.entries(arrays).map(([name, file]) => [`${name}.npy`, file]);
  return [zipSync(Object.fromEntries(files), { level: 0 })];
}

const result = (run) => sheet([[rgb(run.at(-1).x0)]]);
const strip = (run) => sheet(["x", "x0"].map((key) => spread(run.length, COLUMNS).map((i) => rgb(run[i][key]))));

const recipe = (run, { names, ...about }) => query({ ...about, until: run.length < about.steps ? run.length : null });
const below = (picture, run, about, captions) =>
  captions ? captioned(picture, words(run.length - 1, run, about)) : picture;
const picture = (run, about, captions, drawn) => png(below(drawn, run, about, captions), recipe(run, about));
const film = (run, about, captions, pause) => gif(run, captions && ((k) => words(k, run, about)), pause);

const WRITERS = {
  png: [(run, about) => png(result(run), recipe(run, about)), ".png", "image/png"],
  large: [(...run) => picture(...run, enlarged(result(run[0]), LARGE)), "_large.png", "image/png"],
  strip: [(...run) => picture(...run, enlarged(strip(run[0]), SCALE)), "_strip.png", "image/png"],
  gif: [film, ".gif", "image/gif"],
  slides: [(run, about) => film(run, about, true, SLIDE_MS), "_slides.gif", "image/gif"],
  npz: [npz, ".npz", "application/octet-stream"],
};

// A run's file in a format, under a name such as red-cube_cyan-sphere_seed7.gif. run: { t, x, x0 } a step; fewer of
// them where it was stopped.
export async function file(format, run, about, captions) {
  const [write, ending, type] = WRITERS[format];
  const objects = about.labels.map((label) => label.replace(" ", "-")).join("_");
  const stopped = run.length < about.steps ? `_step${run.length}` : "";
  const name = `${objects}_seed${about.seed}${stopped}${ending}`;
  return { orig_name: name, data: new Blob(await write(run, about, captions), { type }) };
}
