// The page without a server: its parts, its components, and the models in a worker.
import * as arrows from "../adapter/arrows.js";
import * as names from "../adapter/names.js";
import { replaceQuery } from "../shared/address.js";
import * as look from "../shared/look.js";
import { ask, drawLive, mounting } from "../shared/parts.js";
import * as terms from "../shared/terms.js";
import { nearest, say } from "../shared/texts.js";
import { call, follow, place } from "./call.js";
import * as controls from "./controls.js";
import * as tabs from "./tabs.js";

export { drawRestored, restore } from "../share/restore.js";
export { ask };
export const mount = mounting({ call, place });

const MEGABYTE = 1e6;

function speak(language) {
  document.documentElement.lang = nearest(language);
}

// How much of the networks has come.
function showProgress(progress) {
  const box = document.getElementById("loading");
  box.hidden = !progress;
  if (!progress) return;
  box.querySelector("progress").value = progress.loaded / progress.total;
  const [loaded, total] = [progress.loaded, progress.total].map((bytes) => Math.round(bytes / MEGABYTE));
  say(box.querySelector("span"), "static.loading", { loaded, total });
}

speak(new URLSearchParams(location.search).get("lang") ?? navigator.language);
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-language]");
  if (!link) return;
  event.preventDefault();
  const address = new URL(location);
  address.searchParams.set("lang", link.dataset.language);
  replaceQuery(address.search);
  speak(link.dataset.language);
});
follow(showProgress);
look.start();
arrows.start();
terms.start();
names.start();
tabs.start();
globalThis.ddpm = { ask, live: drawLive };
controls.start();
