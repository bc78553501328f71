// The color scale of heat maps: Magma (van der Walt & Smith 2015), evenly spaced, in which equal steps of value look
// like equal steps of brightness.
const MAGMA = ["#000004", "#1d1147", "#51127c", "#832681", "#b73779", "#e75263", "#fc8961", "#fec488", "#fcfdbf"];
const STOPS = MAGMA.map((color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)));

// The color (r, g, b) of a share 0..1.
function color(share) {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const i = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[i].map((value, channel) => value + (place - i) * (STOPS[i + 1][channel] - value));
}

// The power lets weak effects be seen beside strong ones.
const HEAT = Array.from({ length: 256 }, (_, value) => color((value / 255) ** 0.7));

export const gradient = `linear-gradient(90deg, ${MAGMA.join(", ")})`;

// Gray bytes as RGB bytes on the heat scale.
export function heat(gray) {
  const rgb = new Uint8Array(3 * gray.length);
  gray.forEach((value, i) => rgb.set(HEAT[value], 3 * i));
  return rgb;
}

// Lay gray bytes over a picture: the stronger, the less of the picture is left.
export function overlay(rgb, gray) {
  const mixed = new Uint8Array(rgb.length);
  gray.forEach((value, i) => {
    const cover = 0.15 + 0.65 * (value / 255) ** 0.7;
    for (let c = 0; c < 3; c++) mixed[3 * i + c] = (1 - cover) * rgb[3 * i + c] + cover * HEAT[value][c];
  });
  return mixed;
}
