// Ties the parts of the page to Gradio: each is mounted in a gr.HTML, and asked for a run by Gradio's buttons.
import * as compare from "../compare/compare.js";
import * as stage from "../draw/stage.js";
import * as edit from "../edit/edit.js";
import * as gallery from "../gallery/gallery.js";
import * as lesson from "../lesson/lesson.js";
import * as examples from "../picker/examples.js";
import * as selection from "../picker/selection.js";
import * as notice from "../share/notice.js";
import { restore } from "../share/restore.js";
import * as share from "../share/share.js";
import * as look from "../shared/look.js";
import * as terms from "../shared/terms.js";
import * as values from "../shared/values.js";
import * as walk from "../walk/walk.js";
import * as arrows from "./arrows.js";
import { call, place } from "./call.js";
import * as fields from "./fields.js";
import * as language from "./language.js";
import * as names from "./names.js";

const PARTS = {
  compare,
  edit,
  examples,
  gallery,
  lesson,
  notice,
  selection,
  share,
  stage,
  values,
  walk,
};
const FIRST = ["examples", "lesson", "notice", "selection", "share", "stage"]; // what is there when the page opens
const mounted = {};

// Gradio builds the page piece by piece; it is seen once nothing jumps any more, see page.css.
function show() {
  document.documentElement.dataset.ready = "";
}

// Mount a part in a gr.HTML, given what its `js_on_load` gets. A part takes its element and `page`:
//   page.value           what Python gave it; setting it hands a value to Gradio
//   page.props           the other arguments of the gr.HTML
//   page.changed(act)    calls act() whenever Python or another component has set the value
//   page.emit(event, detail)   raises an event of the component
//   page.call, page.place      see call.js
export function mount(name, { element, props, trigger, watch }) {
  const page = {
    get value() {
      return props.value;
    },
    set value(value) {
      props.value = value;
    },
    props,
    changed: (act) => watch("value", act),
    emit: trigger,
    call,
    place,
  };
  mounted[name] = PARTS[name].mount(element, page);
  if (FIRST.every((part) => part in mounted)) requestAnimationFrame(() => requestAnimationFrame(show));
}

// Ask a part for a run, with the values of its inputs.
export function ask(name, ...inputs) {
  mounted[name]?.ask(...inputs);
}

language.start();
look.start();
arrows.start();
fields.start();
terms.start();
names.start();
globalThis.ddpm = { ask };

export { restore };
