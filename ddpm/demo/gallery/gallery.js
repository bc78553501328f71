// Several pictures of the same labels, see `pictures_view` in explore.py. A click on one takes its seed.
import { decode, PICTURE, paint } from "../shared/frames.js";
import { thumbnail } from "../shared/picture.js";
import { screen } from "../shared/screen.js";
import { say, text } from "../shared/texts.js";
import { badge, right } from "../shared/verdicts.js";

export function mount(element, page) {
  const part = (role) => element.querySelector(`[data-part="${role}"]`);
  let tiles = [];

  function build(seeds) {
    tiles = seeds.map((seed) => {
      const tile = thumbnail('<span class="line"><span data-part="seed"></span><span data-part="badge"></span></span>');
      tile.dataset.seed = seed;
      tile.addEventListener("click", () => pick(seed));
      return tile;
    });
    part("tiles").replaceChildren(...tiles);
    say(part("picked"), "");
  }

  function pick(seed) {
    tiles.forEach((tile) => tile.setAttribute("aria-pressed", tile.dataset.seed === String(seed)));
    say(part("picked"), "gallery.picked", { seed });
    page.props.value = seed;
    page.emit("select");
  }

  function draw(view, state) {
    part("tally").textContent = "";
    if (!view.pictures) return;
    if (tiles.map((tile) => tile.dataset.seed).join() !== view.seeds.join()) build(view.seeds);
    const bytes = decode(view.pictures);
    tiles.forEach((tile, i) => {
      paint(tile.firstChild, bytes.subarray(i * PICTURE, (i + 1) * PICTURE));
      const verdict = view.verdicts[i];
      tile.querySelector('[data-part="seed"]').textContent = text("gallery.seed", { seed: view.seeds[i] });
      tile.querySelector('[data-part="badge"]').innerHTML = verdict ? badge(verdict) : "";
      tile.title = text("gallery.take");
    });
    if (state === "done") {
      const good = view.verdicts.filter(right).length;
      part("tally").textContent = text("gallery.tally", { good, count: view.verdicts.length });
    } else if (state === "running") {
      part("tally").textContent = text("activity.step", { n: view.index, total: view.total });
    }
  }

  return screen("gallery", element, page, draw);
}
