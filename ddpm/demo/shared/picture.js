// Pictures of a part as one PNG: as they stand there, twice as large, with the words that belong to them.
const SCALE = 2;
const MARGIN = 12;
const WORDS = '[data-part="name"], [data-part="place"], [data-part="seed"], .difference figcaption';

const seen = (root, selector) => [...root.querySelectorAll(selector)].filter((element) => element.offsetWidth);

export async function savePicture(root, name) {
  const pictures = seen(root, "canvas");
  const words = seen(root, WORDS);
  const boxes = [...pictures, ...words].map((element) => element.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left)) - MARGIN;
  const top = Math.min(...boxes.map((box) => box.top)) - MARGIN;
  const sheet = document.createElement("canvas");
  sheet.width = SCALE * (Math.max(...boxes.map((box) => box.right)) + MARGIN - left);
  sheet.height = SCALE * (Math.max(...boxes.map((box) => box.bottom)) + MARGIN - top);
  const context = sheet.getContext("2d");
  context.scale(SCALE, SCALE);
  context.fillStyle = getComputedStyle(document.querySelector("#views")).backgroundColor;
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  for (const picture of pictures) {
    const box = picture.getBoundingClientRect();
    context.drawImage(picture, box.left - left, box.top - top, box.width, box.height);
  }
  context.textBaseline = "top";
  for (const element of words) {
    const { color, font } = getComputedStyle(element);
    Object.assign(context, { fillStyle: color, font });
    const box = element.getBoundingClientRect();
    context.fillText(element.textContent.trim(), box.left - left, box.top - top + 2, box.width);
  }
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(await new Promise((resolve) => sheet.toBlob(resolve)));
  anchor.download = `${name}.png`;
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}
