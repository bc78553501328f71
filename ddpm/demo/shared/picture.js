// Pictures on the page, and as files.
import { paint, SIDE } from "./frames.js";

const WIDTH = 384;
const GAP = 24;
const LINE = 36; // for a caption
const COLUMNS = 4;

// The pictures of a part as one PNG for slides, in rows, each above its caption.
export async function savePicture(root, name) {
  const pictures = [...root.querySelectorAll("canvas:not(.facts canvas, .stroll canvas)")];
  const height = (WIDTH * pictures[0].clientHeight) / pictures[0].clientWidth; // 4:3, or raw pixels
  const columns = Math.min(COLUMNS, pictures.length);
  const sheet = document.createElement("canvas");
  sheet.width = columns * (WIDTH + GAP) + GAP;
  sheet.height = Math.ceil(pictures.length / columns) * (height + LINE + GAP) + GAP;
  const context = sheet.getContext("2d");
  const { color, fontFamily } = getComputedStyle(root);
  context.fillStyle = getComputedStyle(document.querySelector("#views")).backgroundColor;
  context.fillRect(0, 0, sheet.width, sheet.height);
  Object.assign(context, { imageSmoothingEnabled: false, fillStyle: color, font: `20px ${fontFamily}` });
  for (const [i, picture] of pictures.entries()) {
    const x = GAP + (i % columns) * (WIDTH + GAP);
    const y = GAP + Math.floor(i / columns) * (height + LINE + GAP);
    context.drawImage(picture, x, y, WIDTH, height);
    const frame = picture.closest("figure, button");
    const caption = frame.dataset.caption ?? frame.querySelector('figcaption, [data-part="seed"]').textContent;
    context.fillText(caption.trim().replace(/\s+/g, " "), x, y + height + LINE - 8, WIDTH);
  }
  await saveCanvas(sheet, `${name}.png`);
}

export async function saveCanvas(canvas, name) {
  download(URL.createObjectURL(await new Promise((resolve) => canvas.toBlob(resolve))), name);
}

// Save what lies at an address under this name.
export function download(href, name) {
  Object.assign(document.createElement("a"), { href, download: name }).click();
  if (href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

// A button with a small picture, and other content below it.
export function thumbnail(more = "") {
  const button = document.createElement("button");
  button.type = "button";
  button.innerHTML = `<canvas width="${SIDE}" height="${SIDE}" aria-hidden="true"></canvas>${more}`;
  return button;
}

// Rows of pictures as one, each of their pixels `scale` wide and 3/4 of that high.
export function drawn(rows, scale) {
  const [width, height] = [scale * SIDE, (3 * scale * SIDE) / 4];
  const [small, large] = [document.createElement("canvas"), document.createElement("canvas")];
  Object.assign(small, { width: SIDE, height: SIDE });
  Object.assign(large, { width: width * rows[0].length, height: height * rows.length });
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  for (const [j, row] of rows.entries()) {
    for (const [i, picture] of row.entries()) {
      paint(small, picture);
      context.drawImage(small, i * width, j * height, width, height);
    }
  }
  return large;
}
