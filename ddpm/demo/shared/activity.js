// What a part of the page asks the models for, one run at a time:
//
//   asked -> waiting -> running -> done | stopped | failed | refused (by the server)
//
// Each run is a stream of its own, so that no word of an old run can fall on a new one. Stop ends a run in any of the
// first three states, and a new request takes the place of the old one.
import { data } from "./data.js";

const BUSY = ["asked", "waiting", "running"];

// Name the text that says why this cannot be drawn, or return "".
export function refusal(labels, seed) {
  if (labels.length === 0) return "picker.none";
  if (labels.length > data.maxObjects) return "picker.over";
  return Number.isSafeInteger(seed) && seed >= 0 ? "" : "picker.seed";
}

export class Activity {
  // start, stop: ids of the buttons. call: see adapter/call.js. show(view): draws a view of the run; one that the server
  // has not sent has nothing but its `state`, and perhaps a `message`. refuse(problem, values): says, by the name of a
  // text, why nothing was asked for. yields: whether a run gives place to a press on start.
  constructor({ start, stop, call, show, refuse }) {
    Object.assign(this, { startId: start, stopId: stop, call, show, refuse, state: "", run: null, yields: false });
    document.addEventListener("click", (event) => {
      if (event.target.closest?.(`#${stop}, [data-stop="${stop}"]`)) this.stop();
    });
    this.press();
  }

  get busy() {
    return BUSY.includes(this.state);
  }

  // Ask the endpoint `name` for a run. labels, seed: what is refused here already if it cannot be drawn.
  async ask(name, labels, seed, inputs) {
    const problem = refusal(labels, seed);
    if (problem) return this.refuse(problem, { most: data.maxObjects, max: Number.MAX_SAFE_INTEGER });
    this.run?.abort();
    const run = new AbortController();
    this.run = run;
    const current = () => this.run === run;
    this.to({ state: "asked" });
    try {
      const accepted = () => current() && this.to({ state: "waiting" });
      for await (const view of this.call(name, [labels, seed, ...inputs], run.signal, accepted)) {
        if (!current()) return;
        this.to(view);
      }
      if (current() && this.busy) this.to({ state: "failed" });
    } catch (error) {
      if (current()) this.to({ state: "failed", message: error.message });
    }
  }

  stop() {
    if (!this.busy) return;
    this.run.abort();
    this.run = null;
    this.to({ state: "stopped" });
  }

  to(view) {
    this.state = view.state;
    this.press();
    this.show(view);
  }

  // Let the buttons be pressed when the state allows it. The focus goes with what can be pressed.
  press() {
    const start = document.getElementById(this.startId);
    const stop = document.getElementById(this.stopId);
    if (!start || !stop) return;
    const focused = [start, stop].find((button) => button === document.activeElement);
    start.disabled = this.busy && !this.yields;
    stop.disabled = !this.busy;
    if (focused?.disabled) (focused === start ? stop : start).focus({ preventScroll: true });
  }
}
