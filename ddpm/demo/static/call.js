// Runs in the browser: the same calls as adapter/call.js, answered by the worker with the models (engine/worker.js).
import { text } from "../shared/texts.js";

const listeners = new Map(); // by the id of a run
let worker = null;
let runs = 0;
let onProgress = () => {};

function tell(message) {
  if (!worker) {
    worker = new Worker(new URL("../engine/worker.js", import.meta.url), { type: "module" });
    const mine = worker;
    worker.addEventListener("message", ({ data }) => {
      if ("progress" in data) onProgress(data.progress);
      else listeners.get(data.id)?.(data);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault(); // one of its scripts cannot be had
      if (worker === mine) end();
    });
  }
  worker.postMessage(message);
}

// ONNX Runtime does not start twice in one worker; the next run has a new one.
function end() {
  worker?.terminate();
  worker = null;
  onProgress(null);
  for (const take of listeners.values()) take({ failed: {} });
}

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
    tell({ id, stop: true });
    take({ done: true });
  };
  listeners.set(id, take);
  signal?.addEventListener("abort", stop);
  tell({ id, name, inputs });
  accepted();
  try {
    for (;;) {
      if (!messages.length) {
        await new Promise((resolve) => {
          wake = resolve;
        });
      }
      const { view, done, failed } = messages.shift();
      if ((failed?.missing || failed?.broken) && listeners.delete(id)) end();
      if (failed) throw new Error(failed.missing ? text("static.missing", { file: failed.missing }) : "");
      if (done) return;
      yield view;
    }
  } finally {
    listeners.delete(id);
    signal?.removeEventListener("abort", stop);
  }
}
