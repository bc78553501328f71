// The models at work beside the page: takes { id, name, inputs } for a run and { id, stop } for its end, and answers with
// { id, view }s, then { id, done } or { id, failed }. { progress }: see networks.js.
import { compare } from "./compare.js";
import { apart, draw, example, save, where } from "./draw.js";
import { edit, objects } from "./edit.js";
import { gallery, walk } from "./explore.js";
import { Missing, Networks } from "./networks.js";

// By the names of the server's endpoints, which begin with "page_", with the same inputs and views. Each takes first what
// it works with: facts: models.json. model(name): see networks.js, by default the page's own. judge(x): what the evaluator
// says of each picture.
const ENDPOINTS = { example, draw, where, apart, save, compare, edit, objects, gallery, walk };

const networks = new Networks((progress) => postMessage({ progress }));
const stopped = new Set();

class Stopped extends Error {}

async function run({ id, name, inputs }) {
  const check = () => {
    if (stopped.has(id)) throw new Stopped();
  };
  try {
    const facts = await networks.facts();
    const studio = { facts, model: (name) => networks.model(name, check), judge: (x) => networks.judge(x, check) };
    for await (const view of ENDPOINTS[name.slice("page_".length)](studio, ...inputs)) {
      check();
      postMessage({ id, view });
    }
    postMessage({ id, done: true });
  } catch (error) {
    if (error instanceof Stopped) return;
    console.info(error);
    postMessage({
      id,
      failed: { missing: error instanceof Missing ? error.address.href : null, broken: networks.broken },
    });
  } finally {
    stopped.delete(id);
  }
}

addEventListener("message", ({ data }) => {
  if (data.stop) stopped.add(data.id);
  else run(data);
});
