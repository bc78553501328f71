// Draws the value of the stage, see stage.py. Its elements stay in place: only what has changed is written.
const NAMES = __LABELS__;
const THRESHOLD = __THRESHOLD__;
const WORDS = {
  found: { open: "seen", done: "found" },
  missing: { open: "not_yet", done: "missing" },
  unrequested: { open: "seen", done: "extra" },
};
const MOST_UNREQUESTED = 3;

const part = (role) => element.querySelector(`[data-role="${role}"]`);
const percent = (share) => `${Math.round(100 * share)}\u202f%`;
const root = part("stage");

const player = new DDPM.Player(part("player"), (frame, k) => moved(frame, k));
const buttons = new DDPM.Buttons(element, "generate", "stop");
const chart = new DDPM.Chart(part("charts"), (k) => player.seek(k, true));

let view = {};
let run = new DDPM.Run(1);
let taken = 0; // chunks of the value that the run has
let overId = 0; // this run and all before it may send no more; later runs have larger ids
let heat = { maps: null, shown: null, asked: null };

// The value is a whole run as far as it has come, or some of its keys alone, such as a new state or the heat maps.
function take() {
  const value = props.value ?? {};
  if (!value.chunks) {
    if (value.maps !== undefined) takeMaps(value);
    else setState(value.state, value.message);
    return;
  }
  const fresh = value.run !== view.run;
  const awaited = ["waiting", "failed"].includes(root.dataset.state);
  if (fresh && view.run && !awaited) overId = Math.max(overId, value.run); // nobody waits for it
  if (value.run <= overId) return; // the last words of an old run
  if (fresh) begin(value);
  view = value;
  const grown = value.chunks.length > taken;
  for (const chunk of value.chunks.slice(taken)) run.add(chunk);
  taken = value.chunks.length;
  run.frames.forEach((frame, k) => (frame.p = value.p[k]));
  chart.draw();
  if (grown) player.grow();
  setState(value.state);
}

function begin(value) {
  run = new DDPM.Run(value.steps);
  taken = 0;
  heat = { maps: null, shown: null, asked: null };
  player.open(run, value.frames);
  chart.open(run, value.labels, NAMES, value.frames, value.logSnr);
  showHeat(null);
  if (value.state !== "example") player.play();
}

function setState(state, message = "") {
  const before = root.dataset.state;
  if (state === "failed" && (buttons.closing || !buttons.busy)) return; // the last words of a run that was stopped
  if (state !== "running") run.ended = true;
  if (["waiting", "stopped", "failed", "refused"].includes(state)) {
    overId = view.run ?? 0;
    if (state !== "waiting") player.pause();
  }
  root.dataset.state = state;
  root.dataset.message = message;
  if (state !== before && state === "example") player.seek(telling());
  showState();
  buttons.follow(state);
  if (state === "waiting" && before !== state) comeIntoSight();
}

// A run is asked for from anywhere on the page. Where its pictures are in sight, nothing moves under the pointer.
function comeIntoSight() {
  const hidden = !element.offsetParent; // another tab is open
  if (hidden) document.querySelector('#views button[data-tab-id="draw"]')?.click();
  requestAnimationFrame(() => {
    const { top, bottom } = element.querySelector(".views").getBoundingClientRect();
    if (!hidden && top >= 0 && bottom <= innerHeight) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  });
}

// The frame of the example in which the objects can first be seen through the noise.
function telling() {
  return Math.max(0, run.frames.findIndex((frame) => frame.noise < 0.5));
}

function showState() {
  const { state, message } = root.dataset;
  DDPM.say(part("state"), `stage.state_${state}`, { seconds: (view.seconds ?? 0).toFixed(1), message });
  const frame = run.frames[player.k];
  if (frame) showChips(frame);
}

// The evaluator's last word holds for the finished picture alone.
const finished = (frame) => frame.index === run.total;

function moved(frame, k) {
  chart.move(k);
  part("step").textContent = `${frame.index} / ${run.total}`;
  part("t").textContent = frame.t;
  part("noise").textContent = percent(frame.noise);
  part("snr").textContent = frame.logSnr.toFixed(1).replace("-", "\u2212");
  if (heat.shown && !finished(frame)) showHeat(null);
  else showNote(frame);
  showChips(frame);
}

function showNote(frame) {
  if (heat.asked) DDPM.say(part("note"), "stage.where_busy");
  else if (heat.shown) DDPM.say(part("note"), "stage.where_note", { label: DDPM.label(heat.shown) });
  else DDPM.say(part("note"), finished(frame) ? "stage.x0_done" : "stage.x0_note");
}

function newChip(label, requested) {
  const [color, shape] = label.split(" ");
  const chip = document.createElement("li");
  chip.dataset.label = label;
  const tag = requested ? "button" : "span";
  chip.innerHTML =
    `<${tag} class="chip"><span class="object ${shape} ${color}"></span><span class="name"></span>` +
    `<span class="meter"></span><span class="chance"></span><span class="word"></span></${tag}>`;
  if (requested) {
    chip.firstChild.type = "button";
    chip.firstChild.setAttribute("aria-pressed", "false");
    chip.firstChild.addEventListener("click", () => where(label));
  }
  return chip;
}

// Show a chip for each [label, group, chance]; those that are there already are updated in place.
function fillList(list, entries, done) {
  const old = new Map([...list.children].map((chip) => [chip.dataset.label, chip]));
  const chips = entries.map(([label, group, chance]) => {
    const chip = old.get(label) ?? newChip(label, group !== "unrequested");
    chip.className = group;
    chip.querySelector(".name").textContent = DDPM.label(label);
    chip.querySelector(".meter").style.setProperty("--share", chance);
    chip.querySelector(".chance").textContent = percent(chance);
    chip.querySelector(".word").textContent = DDPM.text(`stage.${WORDS[group][done ? "done" : "open"]}`);
    return chip;
  });
  if (chips.length !== old.size || chips.some((chip, i) => chip !== list.children[i])) list.replaceChildren(...chips);
}

function showChips(frame) {
  const done = finished(frame);
  const p = run.seen(frame) ?? [];
  const chance = (label) => p[NAMES.indexOf(label)] ?? 0;
  const requested = view.labels.map((label) => [label, chance(label) >= THRESHOLD ? "found" : "missing", chance(label)]);
  const others = NAMES.filter((label) => chance(label) >= THRESHOLD && !view.labels.includes(label))
    .sort((a, b) => chance(b) - chance(a))
    .map((label) => [label, "unrequested", chance(label)]);
  root.dataset.done = done;
  fillList(part("requested"), requested, done);
  fillList(part("unrequested"), others.slice(0, MOST_UNREQUESTED), done);
  const rest = others.length - MOST_UNREQUESTED;
  part("rest").textContent =
    others.length === 0 ? DDPM.text("stage.nothing") : rest > 0 ? DDPM.text("stage.more", { n: rest }) : "";
  for (const chip of part("requested").children) {
    chip.firstChild.disabled = !run.complete;
    chip.firstChild.setAttribute("aria-pressed", heat.shown === chip.dataset.label);
    chip.firstChild.setAttribute("aria-busy", heat.asked === chip.dataset.label);
  }
}

// Show on the finished picture where a label acts, or take that away again. The server is asked once a run.
function where(label) {
  if (heat.shown === label) return showHeat(null);
  player.pause();
  player.seek(run.frames.length - 1);
  if (heat.maps) return showHeat(label);
  const waits = heat.asked;
  heat.asked = label;
  showState();
  showNote(run.last);
  if (!waits) trigger("where", Object.fromEntries(["run", "labels", "seed", "sampler", "steps", "guidance"].map((key) => [key, view[key]])));
}

function takeMaps({ run: id, maps }) {
  const label = heat.asked;
  if (id !== undefined && id !== view.run) return;
  heat.asked = null;
  if (maps) {
    heat.maps = Object.fromEntries(Object.entries(maps).map(([name, base64]) => [name, DDPM.decode(base64)]));
    if (label && run.frames[player.k] === run.last) return showHeat(label);
  }
  showState();
  if (maps) showNote(run.frames[player.k]);
  else DDPM.say(part("note"), "stage.where_failed");
}

function showHeat(label) {
  heat.shown = label;
  const canvas = part("heat");
  canvas.hidden = !label;
  part("legend").hidden = !label;
  if (label) DDPM.paint(canvas, DDPM.overlay(run.last.x0, heat.maps[label]));
  const frame = run.frames[player.k];
  if (!frame) return;
  showNote(frame);
  showChips(frame);
}

part("legend").querySelector(".ramp").style.background = DDPM.heatGradient;
document.addEventListener("localechange", () => {
  const frame = run.frames[player.k];
  if (frame) moved(frame, player.k);
});
take();
watch("value", take);
