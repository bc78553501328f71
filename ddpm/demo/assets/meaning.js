// Says what so many percent of the way back to pure noise mean.
const LIMITS = [[30, "little"], [55, "some"], [85, "much"], [100, "all"]];

function draw() {
  const percent = props.value;
  const name = LIMITS.find(([limit]) => percent <= limit)[1];
  const values = { t: props.timesteps[percent], noise: Math.round(100 * props.noise[percent]) };
  const place = DDPM.text("redraw.place", values);
  element.querySelector("p").textContent = `${place} ${DDPM.text(`redraw.${name}`)}`;
}

draw();
watch("value", draw);
document.addEventListener("localechange", draw);
