// The parts of the page: an adapter mounts each in its place, and asks it for runs.
import * as compare from "../compare/compare.js";
import * as stage from "../draw/stage.js";
import * as edit from "../edit/edit.js";
import * as gallery from "../gallery/gallery.js";
import * as lesson from "../lesson/lesson.js";
import * as about from "../picker/about.js";
import * as examples from "../picker/examples.js";
import * as live from "../picker/live.js";
import * as selection from "../picker/selection.js";
import * as notice from "../share/notice.js";
import * as share from "../share/share.js";
import * as walk from "../walk/walk.js";
import { openTabs } from "./sight.js";
import * as values from "./values.js";

const PARTS = { about, compare, edit, examples, gallery, lesson, live, notice, selection, share, stage, values, walk };
const FIRST = ["examples", "lesson", "notice", "selection", "share", "stage"]; // what is there when the page opens
const TABS = { compare: ["compare"], edit: ["edit"], gallery: ["explore", "gallery"], walk: ["explore", "walk"] };
const mounted = {};
let untold = null; // what a part is asked for that is not there yet

// The page is built piece by piece; it is seen once nothing jumps any more, see page.css.
function show() {
  document.documentElement.dataset.ready = "";
}

// The last of what an endpoint answers; nothing where it fails.
const answering = (call) => async (name, inputs) => {
  let last;
  try {
    for await (const found of call(name, inputs)) last = found;
  } catch (error) {
    console.info(error.message);
    return undefined;
  }
  return last;
};

// For an adapter: how to mount a part, given what Gradio gives the `js_on_load` of a gr.HTML. models: { call, place }, by
// which the parts ask for runs and find files, as in adapter/call.js. A part takes its element and `page`:
//   page.props           the arguments of the gr.HTML; setting its value hands one to the other components
//   page.changed(act)    calls act() whenever Python or another component has set the value
//   page.emit(event, detail)   raises an event of the component
//   page.answer(name, inputs)  promises the last of what an endpoint answers
//   page.call, page.place      of the models
export function mounting(models) {
  const answer = answering(models.call);
  return (name, { element, props, trigger, watch }) => {
    const page = { props, changed: (act) => watch("value", act), emit: trigger, answer, ...models };
    mounted[name] = PARTS[name].mount(element, page);
    if (untold?.name === name) untold.what(mounted[name]);
    if (untold?.name === name) untold = null;
    if (FIRST.every((part) => part in mounted)) requestAnimationFrame(() => requestAnimationFrame(show));
  };
}

// Draw on the stage as soon as nothing changes any more.
export function drawLive(...inputs) {
  mounted.stage?.live(...inputs);
}

// Ask a part for a run, with the values of its inputs.
export function ask(name, ...inputs) {
  tell(name, (part) => part.ask(...inputs));
}

// Ask it for what a link says; some need more than a run for that.
export function askAgain(name, ...values) {
  tell(name, (part) => (part.restore ?? part.ask)(...values));
}

// A part in a tab that was never opened is not there yet.
function tell(name, what) {
  if (mounted[name]) return what(mounted[name]);
  untold = { name, what };
  openTabs(TABS[name] ?? []);
}
