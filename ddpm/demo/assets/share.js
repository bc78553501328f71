// Saves files of the run that the stage shows, and keeps the address of the page pointing at it; see share.py.
const KEYS = __KEYS__;
const part = (role) => element.querySelector(`[data-role="${role}"]`);

let run = null; // what the finished run follows from
let asked = 0; // when a file was asked for that has not come yet

// The value is a run (or none), or an answer: a file, or that there will be none.
function take() {
  const value = props.value;
  if (value?.file) return value.asked === asked && save(value.file);
  if (value?.failed) return answer("share.failed");
  run = value?.labels ? value : null;
  asked = 0;
  if (run?.state === "done") history.replaceState(history.state, "", address());
  part("address").hidden = true;
  say("");
  draw();
}

function draw() {
  element.querySelectorAll("button").forEach((button) => (button.disabled = !run || (asked !== 0 && button.dataset.format)));
  const line = part("run");
  if (!run) return DDPM.say(line, "share.none");
  const { seed, sampler, steps, guidance } = run;
  const labels = run.labels.map(DDPM.label).join(DDPM.text("label.separator"));
  DDPM.say(line, "share.run", { labels, seed, sampler: DDPM.text(`share.sampler_${sampler}`), steps, guidance });
}

function say(name, values) {
  const line = part("status");
  if (name) return DDPM.say(line, name, values);
  delete line.dataset.text;
  line.textContent = "";
}

function answer(name, values) {
  asked = 0;
  say(name, values);
  draw();
}

function save(file) {
  const anchor = document.createElement("a");
  anchor.href = file.url;
  anchor.download = file.orig_name;
  anchor.click();
  answer("share.saved", { name: file.orig_name });
}

// labels=red+cube,cyan+sphere&seed=7&...: read by restore.js.
function query() {
  const values = { ...run, labels: run.labels.map((label) => label.replace(" ", "+")).join() };
  return KEYS.map((key) => `${key}=${key === "labels" ? values.labels : encodeURIComponent(values[key])}`).join("&");
}

// The address of this page with the run in it; what else stands there, such as the language, stays.
function address() {
  const others = new URLSearchParams(location.search);
  KEYS.forEach((key) => others.delete(key));
  return `?${[query(), others].map(String).filter(Boolean).join("&")}`;
}

async function copyLink() {
  const link = `${location.origin}${location.pathname}?${query()}`;
  try {
    await navigator.clipboard.writeText(link);
    say("share.copied");
  } catch {
    // Pages without encryption may not write to the clipboard.
    const field = part("address");
    field.value = link;
    field.hidden = false;
    field.select();
    say("share.copy_by_hand");
  }
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !run) return;
  if (button.dataset.role === "link") return copyLink();
  asked = Date.now();
  say("share.busy");
  draw();
  trigger("save", { ...Object.fromEntries(KEYS.map((key) => [key, run[key]])), format: button.dataset.format, asked });
});

document.addEventListener("localechange", draw);
take();
watch("value", take);
