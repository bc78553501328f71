// The networks, run by ONNX Runtime Web: on the GPU where the browser lends it (WebGPU), else in WebAssembly. What they
// need is fetched when it is first asked for.
import { PIXELS } from "./pictures.js";

const HOME = new URL("../../", import.meta.url); // of the whole site, see static/build.py
const RUNTIME = new URL("runtime/", HOME);
const MODELS = new URL("models/", HOME);
const MOST_THREADS = 4;
const GPU_ROWS = 8; // pictures of one forward on a GPU; in WebAssembly one, so that Stop never waits for more

// A file that cannot be had; `address` says which.
export class Missing extends Error {
  constructor(address) {
    super(`${address} cannot be loaded`);
    this.address = address;
  }
}

// progress({ loaded, total }): called while files come, in bytes; null when they are there.
export class Networks {
  constructor(progress) {
    this.progress = progress;
    this.coming = new Map(); // files on their way: [loaded, total]
    this.kept = new Map(); // promises by name
    this.turn = Promise.resolve();
  }

  // What `make` promises, made once; a failure is forgotten, so that it can be tried again.
  once(name, make) {
    if (!this.kept.has(name)) {
      const made = make();
      this.kept.set(name, made);
      made.catch(() => this.kept.delete(name));
    }
    return this.kept.get(name);
  }

  facts() {
    return this.once("facts", async () =>
      JSON.parse(new TextDecoder().decode(await this.fetch(MODELS, "models.json"))),
    );
  }

  // A model that draws: its config, alphaBar, and run(x, time, conditions) -> like x. check(): called before each
  // forward; what it throws ends the run.
  async model(name, check) {
    const { models, schedules } = await this.facts();
    const model = models[name];
    const sessions = await Promise.all(model.networks.map(({ file, bytes }) => this.session(file, bytes)));
    const run = async (x, time, conditions) => {
      // t / T and the shares are rounded each for itself: half a millionth is less than any step
      const stage = model.networks.findIndex(({ until }) => time <= until + 5e-7);
      const out = new Float32Array(x.length);
      const size = this.rows;
      for (let i = 0; i < conditions.length; i += size) {
        const some = conditions.slice(i, i + size);
        const part = await this.forward(sessions[stage], check, {
          x: [x.subarray(i * PIXELS, (i + some.length) * PIXELS), [some.length, 3, 64, 64]],
          time: [new Float32Array(some.length).fill(time), [some.length]],
          labels: [Float32Array.from(some.flatMap((condition) => [...condition])), [some.length, some[0].length]],
        });
        out.set(part, i * PIXELS);
      }
      return out;
    };
    return { ...model, alphaBar: schedules[model.schedule], run };
  }

  // Probabilities of all labels in pictures, an array for each.
  async judge(x, check) {
    const { evaluator, labels } = await this.facts();
    const session = await this.session(evaluator.file, evaluator.bytes);
    const found = [];
    for (let i = 0; i < x.length; i += PIXELS) {
      const p = await this.forward(session, check, { x: [x.subarray(i, i + PIXELS), [1, 3, 64, 64]] });
      found.push(Array.from(p.subarray(0, labels.length), (chance) => Math.round(1e4 * chance) / 1e4));
    }
    return found;
  }

  // One forward at a time: the processor is one, and so is the GPU.
  forward(session, check, inputs) {
    const run = async () => {
      await breath();
      check();
      const { Tensor } = this.ort;
      const feeds = Object.entries(inputs).map(([name, [data, shape]]) => [name, new Tensor("float32", data, shape)]);
      const { out } = await session.run(Object.fromEntries(feeds));
      return out.data;
    };
    const result = this.turn.then(run);
    this.turn = result.catch(() => {});
    return result;
  }

  session(file, bytes) {
    return this.once(file, async () => {
      const [provider, data] = await Promise.all([this.runtime(), this.fetch(MODELS, file, bytes)]);
      return this.ort.InferenceSession.create(data, { executionProviders: [provider] });
    });
  }

  // Start ONNX Runtime, and name what it runs on.
  runtime() {
    return this.once("runtime", async () => {
      const { runtime } = await this.facts();
      const gpu = await hasGpu();
      const { script, glue, binary, bytes } = gpu ? runtime.webgpu : runtime.wasm;
      this.ort = await import(new URL(script, RUNTIME)).catch(() => {
        throw new Missing(new URL(script, RUNTIME));
      });
      const { wasm } = this.ort.env;
      wasm.wasmPaths = { mjs: new URL(glue, RUNTIME).href };
      wasm.wasmBinary = await this.fetch(RUNTIME, binary, bytes);
      // Threads share memory, which a page has only where its server isolates it
      wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
      this.rows = gpu ? GPU_ROWS : 1;
      return gpu ? "webgpu" : "wasm";
    });
  }

  // The bytes of a file. bytes: how many there will be.
  async fetch(folder, file, bytes = 0) {
    const address = new URL(file, folder);
    const answer = await fetch(address).catch(() => ({ ok: false }));
    if (!answer.ok) throw new Missing(address);
    const data = new Uint8Array(await new Response(answer.body.pipeThrough(this.counter(file, bytes))).arrayBuffer());
    this.coming.delete(file);
    if (!this.coming.size) this.progress(null);
    return data;
  }

  counter(file, bytes) {
    const count = [0, bytes];
    if (bytes) this.coming.set(file, count);
    const tell = () => {
      const all = [...this.coming.values()];
      const sum = (i) => all.reduce((total, one) => total + one[i], 0);
      if (all.length) this.progress({ loaded: sum(0), total: sum(1) });
    };
    return new TransformStream({
      transform(chunk, controller) {
        count[0] += chunk.length;
        tell();
        controller.enqueue(chunk);
      },
    });
  }
}

// Let messages come in, such as one that stops a run. A timer would wait 4 ms.
const channel = new MessageChannel();
function breath() {
  return new Promise((resolve) => {
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
}

async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter) && !adapter.info?.isFallbackAdapter;
}
