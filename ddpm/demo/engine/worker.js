// The models at work beside the page: takes { id, name, inputs } for a run and { id, stop } for its end, and answers with
// { id, view }s, then { id, done } or { id, failed }. { progress }: see networks.js.
import { ENDPOINTS } from "./endpoints.js";
import { Missing, Networks } from "./networks.js";

const networks = new Networks((progress) => postMessage({ progress }));
const stopped = new Set();

class Stopped extends Error {}

async function run({ id, name, inputs }) {
  const check = () => {
    if (stopped.has(id)) throw new Stopped();
  };
  try {
    for await (const view of ENDPOINTS[name](networks, check, ...inputs)) {
      check();
      postMessage({ id, view });
    }
    postMessage({ id, done: true });
  } catch (error) {
    if (error instanceof Stopped) return;
    console.info(error);
    postMessage({ id, failed: { missing: error instanceof Missing ? error.address.href : null } });
  } finally {
    stopped.delete(id);
  }
}

addEventListener("message", ({ data }) => {
  if (data.stop) stopped.add(data.id);
  else run(data);
});
