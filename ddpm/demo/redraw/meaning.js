// Says what so many percent of the way back to pure noise mean.
import { text } from "../shared/texts.js";

const LIMITS = [
  [30, "little"],
  [55, "some"],
  [85, "much"],
  [100, "all"],
];

export function mount(element, page) {
  function draw() {
    const percent = page.value;
    const name = LIMITS.find(([limit]) => percent <= limit)[1];
    const values = { t: page.props.timesteps[percent], noise: Math.round(100 * page.props.noise[percent]) };
    element.querySelector("p").textContent = `${text("redraw.place", values)} ${text(`redraw.${name}`)}`;
  }

  draw();
  page.changed(draw);
  document.addEventListener("localechange", draw);
}
