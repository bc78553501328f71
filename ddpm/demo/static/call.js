// Runs in the browser: the same calls as adapter/call.js, answered by the worker with the models (engine/worker.js).
import { text } from "../shared/texts.js";

const worker = new Worker(new URL("../engine/worker.js", import.meta.url), { type: "module" });
const listeners = new Map(); // by the id of a run
let runs = 0;
let onProgress = () => {};

worker.addEventListener("message", ({ data }) => {
  if ("progress" in data) onProgress(data.progress);
  else listeners.get(data.id)?.(data);
});

// act({ loaded, total }): called while files come, in bytes; act(null) when they are there.
export function follow(act) {
  onProgress = act;
}

// Where a file can be had that a run has answered.
export const place = (file) => URL.createObjectURL(file.data);

// Yield the views of a run, see adapter/call.js.
export async function* call(name, inputs, signal, accepted = () => {}) {
  const id = ++runs;
  const messages = [];
  let wake = () => {};
  const take = (message) => {
    messages.push(message);
    wake();
  };
  const stop = () => {
    worker.postMessage({ id, stop: true });
    take({ done: true });
  };
  listeners.set(id, take);
  signal?.addEventListener("abort", stop);
  worker.postMessage({ id, name, inputs });
  accepted();
  try {
    for (;;) {
      if (!messages.length) {
        await new Promise((resolve) => {
          wake = resolve;
        });
      }
      const { view, done, failed } = messages.shift();
      if (failed) throw new Error(failed.missing ? text("static.missing", { file: failed.missing }) : "");
      if (done) return;
      yield view;
    }
  } finally {
    listeners.delete(id);
    signal?.removeEventListener("abort", stop);
  }
}
