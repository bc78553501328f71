// The tab Edit: a stack of pictures, each from the one below by one change of its labels. See edit.py for a view.
import { data } from "../shared/data.js";
import { decode, Film, paint } from "../shared/frames.js";
import { follow } from "../shared/runs.js";
import { screen } from "../shared/screen.js";
import { label, say, text } from "../shared/texts.js";
import { Transport } from "../shared/transport.js";
import { icon, list } from "../shared/verdicts.js";

const SIDE = 64;
const BRUSH = 4; // pixels around the pointer that it paints
const FAINT = 0.25; // of an object's strongest pixel: a click on less means none
const FRAME_MS = 120;
const SHADE = 150; // of 255, on what stays as it is

const encode = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

export function mount(element, page) {
  const part = (role) => element.querySelector(`[data-part="${role}"]`);
  const [cursor, frame] = [part("cursor"), part("frame")];
  const shapes = [...new Set(data.labels.map((name) => name.split(" ")[1]))];
  let stack = []; // { labels, picture, place, verdict, film, maps }: the drawn one first
  let running = null; // the film of the run that goes on
  let run = null; // and its id
  let chosen = null; // a label, or "" for one more
  let painted = null; // where it may change, in place of what the server finds
  let place = 0; // of the cursor in the film
  let busy = false;

  const top = () => stack.at(-1);
  const film = () => running ?? top()?.film;

  function restart() {
    chosen = null;
    painted = null;
    running = null;
    place = Math.max(0, (film()?.frames.length ?? 1) - 1);
    show();
  }

  // Ask for an edit: the part's value goes through Gradio, which adds the seed and the settings.
  function wish(after) {
    const { labels, picture } = top();
    const where = painted && encode(painted);
    page.value = { before: labels, after, picture: encode(picture), place: where, at: Date.now() };
    page.emit("click");
  }

  function draw(view, state) {
    busy = ["asked", "waiting", "running"].includes(state);
    if (state === "asked") running = null;
    if (view.chunks && (state === "running" || state === "done") && view.run) take(view);
    if (state === "done" && view.run === run && running) {
      const { labels, verdict } = view;
      stack.push({ labels, picture: running.last.x0, place: decode(view.place), verdict, film: running });
      run = null;
      restart();
    } else if (!busy) running = null;
    show();
  }

  function take(view) {
    if (view.run !== run && !running) {
      run = view.run;
      running = new Film(view.total);
    }
    if (view.run !== run || view.chunks === running.taken) return;
    running.taken = view.chunks;
    for (const chunk of view.chunks) running.add(chunk);
    place = Math.max(0, running.frames.length - 1);
    shade(decode(view.place));
  }

  // What stays is dark; null: nothing is.
  function shade(where) {
    const context = part("place").getContext("2d");
    const image = context.createImageData(SIDE, SIDE);
    where?.forEach((inside, i) => {
      image.data[4 * i + 3] = inside ? 0 : SHADE;
    });
    context.putImageData(image, 0, 0);
  }

  function show() {
    if (!stack.length) return;
    const frames = film()?.frames ?? [];
    const still = !frames[place];
    paint(part("picture"), still ? top().picture : frames[place].x0);
    paint(part("noisy"), still ? top().picture : frames[place].x);
    const painting = part("paint").ariaPressed === "true";
    if (!busy) shade(painting || painted ? (painted ?? new Uint8Array(SIDE * SIDE)) : shown());
    cursor.max = Math.max(1, frames.length - 1);
    cursor.value = place;
    cursor.disabled = part("play").disabled = frames.length < 2;
    part("step").textContent = frames[place]
      ? text("edit.step", { n: frames[place].index, total: film().total, t: frames[place].t })
      : "";
    part("verdict").innerHTML = top().verdict ? list(top().verdict) : "";
    frame.classList.toggle("painting", painting);
    part("undo").disabled = busy || stack.length < 2;
    part("wipe").disabled = !painted;
    part("show").disabled = !top().place;
    showObjects();
    showWishes();
    say(part("note"), painting ? "edit.painting" : painted ? "edit.painted" : "edit.count", { n: stack.length - 1 });
  }

  function shown() {
    return (part("show").ariaPressed === "true" && top().place) || null;
  }

  function button(content, words, act, options = {}) {
    const made = document.createElement("button");
    made.type = "button";
    made.innerHTML = content;
    made.title = words;
    made.setAttribute("aria-label", words);
    Object.assign(made, options);
    made.addEventListener("click", act);
    return made;
  }

  function showObjects() {
    const { labels } = top();
    const focused = part("objects").contains(document.activeElement) && document.activeElement.dataset.label;
    const choices = labels.map((name) => [name, `${icon(name)}<span>${label(name)}</span>`, label(name)]);
    if (labels.length < data.maxObjects) choices.push(["", `<span>${text("edit.add")}</span>`, text("edit.add")]);
    part("objects").replaceChildren(
      ...choices.map(([name, content, words]) => {
        const made = button(content, words, () => choose(name), { disabled: busy });
        made.dataset.label = name;
        made.setAttribute("aria-pressed", chosen === name);
        return made;
      }),
    );
    if (typeof focused === "string") part("objects").querySelector(`[data-label="${focused}"]`)?.focus();
  }

  function choose(name) {
    chosen = chosen === name ? null : name;
    show();
  }

  // What can be done with the chosen object.
  function showWishes() {
    const { labels } = top();
    if (chosen === null) {
      part("wishes").replaceChildren();
      return;
    }
    const to = (name, words) =>
      button(
        icon(name),
        words,
        () => wish(chosen ? labels.map((old) => (old === chosen ? name : old)) : [...labels, name]),
        {
          disabled: busy || labels.includes(name),
        },
      );
    const line = (title, buttons) => {
      const made = document.createElement("div");
      made.innerHTML = `<span class="title">${text(title)}</span>`;
      made.append(...buttons);
      return made;
    };
    if (!chosen) {
      part("wishes").replaceChildren(
        ...shapes.map((shape) =>
          line(
            `picker.${shape}`,
            data.colors.map((color) =>
              to(`${color} ${shape}`, text("edit.add_one", { what: label(`${color} ${shape}`) })),
            ),
          ),
        ),
      );
      return;
    }
    const [color, shape] = chosen.split(" ");
    const into = (name) => to(name, text("edit.into", { from: label(chosen), to: label(name) }));
    const rest = labels.filter((name) => name !== chosen);
    const remove = button(text("edit.remove"), text("edit.remove_one", { what: label(chosen) }), () => wish(rest), {
      disabled: busy || !rest.length,
      className: "word",
    });
    part("wishes").replaceChildren(
      line(
        "edit.color",
        data.colors.filter((other) => other !== color).map((other) => into(`${other} ${shape}`)),
      ),
      line("edit.shape", [
        ...shapes.filter((other) => other !== shape).map((other) => into(`${color} ${other}`)),
        remove,
      ]),
    );
  }

  function pixel(event) {
    const box = part("picture").getBoundingClientRect();
    const along = (at, from, size) => Math.min(SIDE - 1, Math.max(0, Math.floor((SIDE * (at - from)) / size)));
    return [along(event.clientX, box.left, box.width), along(event.clientY, box.top, box.height)];
  }

  function brush(event) {
    painted ??= new Uint8Array(SIDE * SIDE);
    const [x, y] = pixel(event);
    for (let i = 0; i < SIDE * SIDE; i++) {
      if (Math.hypot((i % SIDE) - x, Math.floor(i / SIDE) - y) <= BRUSH) painted[i] = 1;
    }
    show();
  }

  // Choose the object under the pointer; the server is asked once a picture where they stand.
  async function pick(event) {
    const [x, y] = pixel(event);
    const here = top();
    try {
      if (!here.maps) {
        say(part("note"), "edit.looking");
        for await (const maps of page.call("page_objects", [here.labels, encode(here.picture)])) {
          here.maps = Object.entries(maps).map(([name, bytes]) => [name, decode(bytes)]);
        }
      }
    } catch (error) {
      console.info(error.message);
      say(part("note"), "edit.no_places");
      return;
    }
    const strength = ([, map]) => map[y * SIDE + x];
    const best = here.maps.reduce((a, b) => (strength(b) > strength(a) ? b : a));
    if (here !== top() || busy) return;
    chosen = strength(best) >= 255 * FAINT ? best[0] : null;
    show();
    if (chosen === null) say(part("note"), "edit.nothing_here");
  }

  frame.addEventListener("pointerdown", (event) => {
    if (busy || !stack.length) return;
    if (part("paint").ariaPressed !== "true") return pick(event);
    frame.setPointerCapture(event.pointerId);
    brush(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (event.buttons && !busy && part("paint").ariaPressed === "true") brush(event);
  });
  for (const role of ["show", "paint"]) {
    part(role).addEventListener("click", () => {
      part(role).ariaPressed = part(role).ariaPressed !== "true";
      show();
    });
  }
  part("wipe").addEventListener("click", () => {
    painted = null;
    show();
  });
  part("undo").addEventListener("click", () => {
    stack.pop();
    restart();
  });
  part("save").addEventListener("click", () => {
    const large = document.createElement("canvas");
    Object.assign(large, { width: 16 * SIDE, height: 12 * SIDE });
    const context = large.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(part("picture"), 0, 0, large.width, large.height);
    const link = document.createElement("a");
    link.href = large.toDataURL("image/png");
    link.download = `${top().labels.join("_").replaceAll(" ", "-")}_edited.png`;
    link.click();
  });

  function seek(k) {
    place = Math.min(Math.max(0, k), (film()?.frames.length ?? 1) - 1);
    show();
  }

  let waited = 0;
  const last = () => (film()?.frames.length ?? 1) - 1;
  new Transport(
    element.querySelector(".noisy"),
    { play: part("play") },
    {
      ready: () => last() > 0,
      step: (by) => seek(place + by),
      first: () => seek(0),
      last: () => seek(last()),
      advance: (ms) => {
        waited += ms;
        if (waited < FRAME_MS) return;
        waited = 0;
        seek(place + 1);
      },
      over: () => place >= last(),
    },
  );
  cursor.addEventListener("input", () => seek(Number(cursor.value)));
  const { ask } = screen("edit", element, page, draw);
  // A picture that was drawn is where edits begin, unless some have been made.
  follow(({ state, run: drawn, picture }) => {
    if (!picture || !["example", "done"].includes(state) || busy || stack.length > 1) return;
    stack = [{ labels: drawn.labels, picture }];
    restart();
  });
  return { ask };
}
