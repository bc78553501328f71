// Saves files of the run that the stage shows, keeps the address of the page pointing at it, and opens pictures that were
// saved here, by the button or dropped anywhere on the page; see share.py.
import { copyLink, leadTo } from "../shared/address.js";
import { data } from "../shared/data.js";
import { paint } from "../shared/frames.js";
import { download, thumbnail } from "../shared/picture.js";
import { follow } from "../shared/runs.js";
import { rasterized, sheet } from "../shared/svg.js";
import { label, labels as names, say, text } from "../shared/texts.js";
import { query, recipe, sideBySide } from "./recipe.js";

const REMEMBERED = 24; // runs of this visit

export function mount(element, page) {
  const part = (role) => element.querySelector(`[data-role="${role}"]`);
  let run = null; // what the run on the stage follows from
  let until = null; // after how many steps it was stopped
  let asked = null; // the question for a file that has not come yet

  function show(shown, taken) {
    const stopped = shown && taken < shown.steps ? taken : null;
    if (run && shown && until === stopped && query(run) === query(shown)) return; // one more view of the same run
    run = shown;
    until = stopped;
    asked = null;
    part("address").hidden = true;
    say(part("status"), "");
    draw();
  }

  function draw() {
    for (const button of element.querySelectorAll(".files button:not([data-role=open])")) {
      button.disabled = !run || (asked !== null && button.dataset.format !== undefined);
    }
    if (!run) return say(part("run"), "share.none");
    const { labels, seed, sampler, steps, guidance, model } = run;
    const settings = { seed, sampler: text(`share.sampler_${sampler}`), steps, guidance, model, until };
    const what = until === null ? (model ? "run_of" : "run") : "stopped_run";
    say(part("run"), `share.${what}`, { labels: names(labels), ...settings });
  }

  // Ask the server for a file of the run, and save it where the run is still the one that is shown.
  async function save(format) {
    const question = {};
    const pressed = document.activeElement;
    asked = question;
    say(part("status"), "share.busy");
    draw();
    const inputs = [...data.keys.map((key) => run[key]), format, part("captions").checked, until];
    const file = await page.answer("page_save", inputs);
    if (asked !== question) return;
    asked = null;
    if (file) download(page.place(file), file.orig_name);
    say(part("status"), file ? "share.saved" : "share.failed", { name: file?.orig_name });
    draw();
    if (document.activeElement === document.body) pressed.focus({ preventScroll: true });
  }

  // The chart of the stage as it stands there, as SVG or PNG.
  async function saveChart(format) {
    const drawings = ["chances", "levels"].map((name) => {
      const svg = document.querySelector(`#stage .charts .${name}`);
      return [svg.getAttribute("aria-label"), svg];
    });
    const legend = run.labels.map((name) => {
      const line = document.querySelector(`#stage .charts .line.${name.split(" ")[0]} .core`);
      return [label(name), getComputedStyle(line).stroke];
    });
    const svg = sheet(drawings, legend, ["veil", "cursor"]);
    const name = `${run.labels.join("_").replaceAll(" ", "-")}_seed${run.seed}_chart.${format}`;
    const blob = format === "png" ? await rasterized(svg, 2) : new Blob([svg], { type: "image/svg+xml" });
    download(URL.createObjectURL(blob), name);
    say(part("status"), "share.saved", { name });
  }

  // Set everything to what a picture follows from; the server is not asked until it is drawn again.
  async function open(file) {
    const found = await recipe(file).catch(() => null);
    if (found === null) return say(part("status"), "share.no_recipe", { name: file.name.slice(0, 60) });
    restore(found, "picture");
  }

  // The runs of this visit, the newest first; a click draws one again, or chooses one of two to be compared.
  function remember(picture) {
    const mine = query(run);
    const runs = part("history");
    [...runs.children].find((thumb) => thumb.dataset.query === mine)?.remove();
    const thumb = thumbnail();
    Object.assign(thumb.dataset, { query: mine, labels: run.labels.join() });
    paint(thumb.firstChild, picture);
    runs.prepend(thumb);
    while (runs.children.length > REMEMBERED) runs.lastChild.remove();
    part("visit").hidden = runs.children.length < 2;
    if (part("pair").ariaPressed === "true") thumb.ariaPressed = false;
    nameThumbs();
  }

  function choosePair(on) {
    part("pair").ariaPressed = on;
    for (const thumb of part("history").children) thumb.ariaPressed = on ? false : null;
  }

  function pick(thumb) {
    if (part("pair").ariaPressed !== "true") return restore(thumb.dataset.query, "history");
    thumb.ariaPressed = thumb.ariaPressed !== "true";
    const [a, b] = part("history").querySelectorAll('[aria-pressed="true"]');
    if (!b) return;
    choosePair(false);
    restore(sideBySide(b.dataset.query, a.dataset.query), "pair"); // the older one first
  }

  function restore(query, source) {
    page.props.value = { query, source, at: Date.now() };
    page.emit("click");
  }

  function nameThumbs() {
    for (const thumb of part("history").children) {
      thumb.title = names(thumb.dataset.labels.split(","));
      thumb.setAttribute("aria-label", thumb.title);
    }
  }

  part("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) open(target.files[0]);
    target.value = ""; // the same file may be chosen again
  });
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return;
    event.preventDefault();
    open(file);
  });
  element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.query) return pick(button);
    if (button?.dataset.role === "pair") return choosePair(button.ariaPressed !== "true");
    if (button?.dataset.role === "open") return part("file").click();
    if (!button || !run) return;
    if (button.dataset.role === "link") return copyLink(query(run), part("status"), part("address"));
    if (button.dataset.chart) {
      return saveChart(button.dataset.chart).catch(() => say(part("status"), "share.failed"));
    }
    save(button.dataset.format);
  });
  draw();
  follow((news) => {
    if (news.state === "asked") show(null);
    else if (news.taken && !["waiting", "running"].includes(news.state)) show(news.run, news.taken);
    if (news.state === "done") {
      leadTo(query(run));
      if (news.picture && !news.live) remember(news.picture);
    }
  });
  document.addEventListener("localechange", () => {
    draw();
    nameThumbs();
  });
}
