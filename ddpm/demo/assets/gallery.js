// Draws several pictures of the same labels, see `_pictures_view` in explore.py. A click on one takes its seed.
const root = element.querySelector("section");
const part = (role) => root.querySelector(`[data-part="${role}"]`);
const FRAME = 64 * 64 * 3;
let tiles = [];
let current = {};

function build(seeds) {
  tiles = seeds.map((seed) => {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.dataset.seed = seed;
    tile.innerHTML =
      '<canvas width="64" height="64" aria-hidden="true"></canvas>' +
      '<span class="line"><span data-part="seed"></span><span data-part="badge"></span></span>';
    tile.addEventListener("click", () => pick(seed));
    return tile;
  });
  part("tiles").replaceChildren(...tiles);
  part("picked").textContent = "";
}

function pick(seed) {
  tiles.forEach((tile) => tile.setAttribute("aria-pressed", tile.dataset.seed === String(seed)));
  DDPM.say(part("picked"), "gallery.picked", { seed });
  props.value = { ...current, picked: seed };
  trigger("select");
}

function draw(view, state) {
  current = view;
  part("tally").textContent = "";
  if (!view.pictures) return;
  if (tiles.map((tile) => tile.dataset.seed).join() !== view.seeds.join()) build(view.seeds);
  const bytes = DDPM.decode(view.pictures);
  tiles.forEach((tile, i) => {
    DDPM.paint(tile.firstChild, bytes.subarray(i * FRAME, (i + 1) * FRAME));
    const verdict = view.verdicts[i];
    const seed = DDPM.text("gallery.seed", { seed: view.seeds[i] });
    tile.querySelector('[data-part="seed"]').textContent = seed;
    tile.querySelector('[data-part="badge"]').innerHTML = verdict ? DDPM.verdictBadge(verdict) : "";
    tile.title = DDPM.text("gallery.take");
  });
  const good = view.verdicts.filter(({ missing, unrequested }) => ![missing, unrequested].some((group) => Object.keys(group).length));
  if (state === "done") {
    part("tally").textContent = DDPM.text("gallery.tally", { good: good.length, count: view.verdicts.length });
  } else if (state === "running") {
    part("tally").textContent = DDPM.text("activity.step", { n: view.index, total: view.total });
  }
}

DDPM.activity({ name: "gallery", element, props, trigger, watch, draw });
