// Drawings of the page as a file of their own, in the colors that they have there.
const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "font-size"];
const LINE = 22; // height of a line of words
const FONT = "system-ui, sans-serif";

// One SVG: drawings below each other, each under its title, and a legend of [words, color]. Elements of the classes
// `left` are left out.
export function sheet(drawings, legend, left) {
  const width = Math.max(...drawings.map(([, svg]) => svg.clientWidth));
  const ink = getComputedStyle(drawings[0][1]).color;
  const words = (text, x, y) => `<text x="${x}" y="${y}" fill="${ink}" font-size="14">${text}</text>`;
  let y = LINE;
  let content = "";
  for (const [title, svg] of drawings) {
    content += `${words(title, 8, y - 6)}<g transform="translate(0 ${y})">${styled(svg, left)}</g>`;
    y += svg.clientHeight + LINE;
  }
  legend.forEach(([text, color], i) => {
    const x = 16 + (i % 2) * (width / 2);
    content += `<circle cx="${x}" cy="${y + 8}" r="6" fill="${color}"/>${words(text, x + 12, y + 13)}`;
    if (i % 2 || i === legend.length - 1) y += LINE;
  });
  const paper = getComputedStyle(document.querySelector("#views")).backgroundColor;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + 8}" font-family="${FONT}">` +
    `<rect width="100%" height="100%" fill="${paper}"/>${content}</svg>`
  );
}

// The same as a PNG, `scale` times as large.
export async function rasterized(drawing, scale) {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(drawing)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: scale * image.width, height: scale * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject())));
}

// What is in an SVG, with the styles that the page gives it written into it.
function styled(svg, left) {
  const copy = svg.cloneNode(true);
  const copies = copy.querySelectorAll("*");
  svg.querySelectorAll("*").forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of STYLES) copies[i].setAttribute(name, style.getPropertyValue(name));
    if (left.some((name) => element.classList.contains(name))) copies[i].remove();
  });
  return new XMLSerializer().serializeToString(copy).replace(/^<svg/, '<svg overflow="visible"');
}
