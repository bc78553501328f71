// Ties the parts of the page to Gradio: each is mounted in a gr.HTML, and asked for a run by Gradio's buttons.
import * as look from "../shared/look.js";
import { ask, drawLive, mounting } from "../shared/parts.js";
import * as terms from "../shared/terms.js";
import * as arrows from "./arrows.js";
import { call, place } from "./call.js";
import * as fields from "./fields.js";
import * as language from "./language.js";
import * as names from "./names.js";

export { drawRestored, restore } from "../share/restore.js";
export { ask };
export const mount = mounting({ call, place });

language.start();
look.start();
arrows.start();
fields.start();
terms.start();
names.start();
globalThis.ddpm = { ask, live: drawLive };
