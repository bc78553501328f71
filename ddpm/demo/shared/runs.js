// What the stage is doing, for the other parts of the page: { state, run, taken, live, problem, picture }. run: what the run
// that it shows follows from, see `keys` in data.js. taken: how many of its steps it shows. live: whether a change alone has asked for it. problem: the
// name of the text that says why nothing is drawn. picture: the bytes of the finished one, or null.
const listeners = [];
let last = null;

export function announce(news) {
  last = news;
  for (const listen of listeners) listen(news);
}

// Call listen(news) now, where there is any, and from now on.
export function follow(listen) {
  listeners.push(listen);
  if (last) listen(last);
}
