// Draws the value of the stage, see `view` in stage.py. Its elements stay in place: only what has changed is written.
const STATES = {
  example: "An example in the making",
  waiting: "Waiting for the model\u2026",
  running: "Denoising\u2026",
  done: "Finished",
  stopped: "Stopped",
  failed: "Something went wrong. Please try again.",
};
const WORDS = {
  found: { open: "seen", done: "found" },
  missing: { open: "not yet", done: "missing" },
  unrequested: { open: "seen", done: "extra" },
};
const MOST_UNREQUESTED = 3;

const part = (role) => element.querySelector(`[data-role="${role}"]`);
const percent = (share) => `${Math.round(100 * share)}\u202f%`;

function press(id, allowed) {
  const button = document.getElementById(id);
  if (button) button.disabled = !allowed;
}

function newChip(label) {
  const [color, shape] = label.split(" ");
  const chip = document.createElement("li");
  chip.dataset.label = label;
  chip.innerHTML =
    `<span class="object ${shape} ${color}"></span><span>${label}</span>` +
    `<span class="meter"></span><span class="chance"></span><span class="word"></span>`;
  return chip;
}

// Show a chip for each [label, group, chance]; those that are there already are updated in place.
function showChips(list, entries, done) {
  const old = new Map([...list.children].map((chip) => [chip.dataset.label, chip]));
  const chips = entries.map(([label, group, chance]) => {
    const chip = old.get(label) ?? newChip(label);
    chip.className = group;
    chip.querySelector(".meter").style.setProperty("--share", chance);
    chip.querySelector(".chance").textContent = percent(chance);
    chip.querySelector(".word").textContent = WORDS[group][done ? "done" : "open"];
    return chip;
  });
  if (chips.length !== old.size || chips.some((chip, i) => chip !== list.children[i])) list.replaceChildren(...chips);
}

let view = {};
let stopped = false;

function draw() {
  view = { ...view, ...props.value };
  if (view.state === "stopped") stopped = true;
  if (view.state === "waiting") stopped = false;
  const state = stopped ? "stopped" : view.state; // after Stop, frames may still be on their way
  const done = state === "done";
  const root = element.querySelector(".stage");
  const starts = state === "waiting" && root.dataset.state !== state;
  root.dataset.state = state;
  part("x").src = view.x;
  part("x0").src = view.x0;
  part("note").textContent = done ? "the finished picture" : "what the network makes of it";
  part("state").textContent = STATES[state];
  part("step").textContent = `${view.index} / ${view.total}`;
  part("t").textContent = `${view.t} / ${view.T}`;
  part("noise").textContent = percent(view.noise);

  const bar = part("bar");
  bar.style.setProperty("--share", view.index / view.total);
  bar.setAttribute("aria-valuemax", view.total);
  bar.setAttribute("aria-valuenow", view.index);

  const { found, missing, unrequested } = view.verdict;
  const requested = view.labels.map((label) =>
    label in found ? [label, "found", found[label]] : [label, "missing", missing[label]],
  );
  const others = Object.entries(unrequested).map(([label, chance]) => [label, "unrequested", chance]);
  showChips(part("requested"), requested, done);
  showChips(part("unrequested"), others.slice(0, MOST_UNREQUESTED), done);
  const rest = others.length - MOST_UNREQUESTED;
  part("rest").textContent = others.length === 0 ? "nothing" : rest > 0 ? `and ${rest} more` : "";

  press("generate", state !== "waiting" && state !== "running");
  press("stop", state === "waiting" || state === "running");

  if (starts) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }
}

draw();
watch("value", draw);
