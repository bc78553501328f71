// The pictures of a part as one PNG for slides, in rows, each above its caption.
const WIDTH = 384;
const GAP = 24;
const LINE = 36; // for a caption
const COLUMNS = 4;

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
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(await new Promise((resolve) => sheet.toBlob(resolve)));
  anchor.download = `${name}.png`;
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}
