// The networks, run by ONNX Runtime Web: on the GPU where the browser lends it (WebGPU), else in WebAssembly. What they
// need is fetched when it is first asked for.
import { one, PIXELS } from "./pictures.js";

const HOME = new URL("../../", import.meta.url); // of the whole site, see static/build.py
const RUNTIME = new URL("runtime/", HOME);
const MODELS = new URL("models/", HOME);
const MOST_THREADS = 4;
const SLOW = 150; // ms: a GPU that takes longer for a look at a picture is left alone

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
    this.broken = false;
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

  // A model that draws: its config, alphaBar, and run(x, time, conditions) -> like x; other: its name, null for the page's
  // own. check(): called before each forward; what it throws ends the run.
  async model(name, check) {
    const { models, schedules, own } = await this.facts();
    const model = models[name ?? own];
    const sessions = await Promise.all(model.networks.map((network) => this.session(network)));
    const run = async (x, time, conditions) => {
      // t / T and the shares are rounded each for itself: half a millionth is less than any step
      const stage = model.networks.findIndex(({ until }) => time <= until + 5e-7);
      const out = new Float32Array(x.length);
      for (const [i, condition] of conditions.entries()) {
        const inputs = {
          x: [one(x, i), [1, 3, 64, 64]],
          time: [Float32Array.of(time), [1]],
          labels: [condition, [1, condition.length]],
        };
        out.set(await this.forward(sessions[stage], check, inputs), i * PIXELS);
      }
      return out;
    };
    const other = model === models[own] ? null : name;
    return { ...model, other, alphaBar: schedules[model.schedule], run };
  }

  // What the evaluator says of each picture: p, the probabilities of all labels, and counts (ddpm/counting.py).
  async judge(x, check) {
    const { evaluator, labels } = await this.facts();
    const session = await this.session(evaluator);
    const found = [];
    for (let i = 0; i < x.length; i += PIXELS) {
      const said = await this.forward(session, check, { x: [x.subarray(i, i + PIXELS), [1, 3, 64, 64]] });
      const p = Array.from(said.subarray(0, labels.length), (chance) => Math.round(1e4 * chance) / 1e4);
      found.push({ p, counts: Array.from(said.subarray(labels.length)) });
    }
    return found;
  }

  // One thing at a time: the processor is one, and so is the GPU.
  inTurn(work) {
    const result = this.turn.then(work);
    this.turn = result.catch(() => {});
    return result;
  }

  forward(session, check, inputs) {
    return this.inTurn(async () => {
      await breath();
      check();
      const { Tensor } = this.ort;
      const used = session.inputNames.map((name) => [name, new Tensor("float32", ...inputs[name])]);
      const { out } = await session.run(Object.fromEntries(used)).catch((error) => this.gaveUp(error));
      return out.data;
    });
  }

  session({ file, bytes }) {
    return this.once(file, async () => {
      try {
        const [provider, data] = await Promise.all([this.runtime(), this.bytes(file, bytes)]);
        return await this.created(data, provider);
      } catch (error) {
        return this.gaveUp(error);
      } finally {
        this.kept.delete(`bytes of ${file}`); // the session has a copy of its own
      }
    });
  }

  // Nothing can be relied on any more: ONNX Runtime does not start twice.
  gaveUp(error) {
    this.broken = true;
    throw error;
  }

  created(data, provider) {
    const create = () => this.ort.InferenceSession.create(data, { executionProviders: [provider] });
    return this.inTurn(create).catch((error) => this.explained(error));
  }

  // Throw an error again, or a Missing where it comes from a file of ONNX Runtime that cannot be had.
  async explained(error) {
    await Promise.all(this.program.map(there));
    throw error;
  }

  // Start ONNX Runtime, and name what it runs on: a GPU that passes a trial, or WebAssembly.
  runtime() {
    return this.once("runtime", async () => {
      if (await hasGpu()) {
        try {
          await this.started("webgpu");
          await this.trial();
          return "webgpu";
        } catch (error) {
          if (error instanceof Missing) throw error;
          this.broken = false; // by the trial: the processor may do better
          console.info(`The networks run without the GPU: ${error.message}`);
        }
      }
      await this.started("wasm");
      return "wasm";
    });
  }

  async started(kind) {
    const { runtime } = await this.facts();
    const { script, glue, binary } = runtime[kind];
    const files = [script, glue, binary].map((file) => new URL(file, RUNTIME));
    this.program = files;
    this.ort = await import(files[0]).catch((error) => this.explained(error));
    const { wasm } = this.ort.env;
    // It fetches its program itself: so the browser compiles it on the way, and keeps that for the next visit
    wasm.wasmPaths = { mjs: files[1].href, wasm: files[2].href };
    // Threads share memory, which a page has only where its server isolates it
    wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  }

  // Let the GPU judge a picture twice: some cannot, and some are slower than the processor. The first time it compiles.
  async trial() {
    const { evaluator } = await this.facts();
    const session = await this.created(await this.bytes(evaluator.file, evaluator.bytes), "webgpu");
    const gray = { x: [new Float32Array(PIXELS), [1, 3, 64, 64]] };
    await this.forward(session, () => {}, gray);
    const begun = performance.now();
    const p = await this.forward(session, () => {}, gray);
    const ms = performance.now() - begun;
    await session.release();
    if (!p.every((chance) => chance >= 0 && chance <= 1)) throw new Error("it miscalculates");
    if (ms > SLOW) throw new Error(`it takes ${Math.round(ms)} ms for a look at a picture`);
  }

  // A network's file, fetched once.
  bytes(file, bytes) {
    return this.once(`bytes of ${file}`, () => this.fetch(MODELS, file, bytes));
  }

  // The bytes of a file. bytes: how many there will be.
  async fetch(folder, file, bytes = 0) {
    const address = new URL(file, folder);
    try {
      const answer = await fetch(address, { cache: bytes ? "default" : "no-cache" }); // models.json keeps its name
      if (!answer.ok) throw new Error(answer.statusText);
      return new Uint8Array(await new Response(answer.body.pipeThrough(this.counter(file, bytes))).arrayBuffer());
    } catch {
      throw new Missing(address);
    } finally {
      this.coming.delete(file);
      if (!this.coming.size) this.progress(null);
    }
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

// Throw a Missing where a file cannot be had.
async function there(address) {
  const answer = await fetch(address, { method: "HEAD" }).catch(() => ({ ok: false }));
  if (!answer.ok) throw new Missing(address);
}

async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter) && !adapter.info?.isFallbackAdapter;
}
