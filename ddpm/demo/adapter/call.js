// Runs on the server: an endpoint is asked for one, and answers with a stream of views. This is the protocol that
// Gradio documents for plain HTTP, POST call/NAME and GET call/NAME/EVENT_ID with server-sent events.
const API = new URL("../../../", import.meta.url); // this file is served at gradio_api/page/VERSION/adapter/call.js

// Where a file can be had that an endpoint has answered.
export const place = (file) => new URL(`file=${file.path}`, API).href;

// Yield the views of a run. signal: aborting it ends the run on the server too, whenever it comes. accepted(): called
// when the server has taken the request. Throws an Error with the server's words, or none.
export async function* call(name, inputs, signal, accepted = () => {}) {
  const endpoint = new URL(`call/${name}`, API);
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ data: inputs }),
  });
  const { event_id: id, detail } = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof detail === "string" ? detail : "");
  const stream = `${endpoint}/${id}`;
  if (signal?.aborted) {
    const listening = await fetch(stream); // a run whose listener leaves is over
    await listening.body.cancel();
    return;
  }
  accepted();
  let views = 0;
  for await (const { event, data } of events(await fetch(stream, { signal }))) {
    if (event === "error") throw new Error(data?.error ?? "");
    if (event === "generating" || (event === "complete" && !views)) yield data[0];
    if (event === "complete") return;
    views += event === "generating";
  }
  throw new Error("");
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
        yield { event: fields.event, data: JSON.parse(fields.data ?? "null") };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
