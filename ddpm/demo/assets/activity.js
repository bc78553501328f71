// What the screens of Compare and Explore have in common: when they may start, what state they are in, what the
// evaluator says. See activity.py.
(() => {
  DDPM.CLOSING = 10000; // ms: so long at most after Stop nothing new may start, where the server does not answer

  const MAX_OBJECTS = __MAX_OBJECTS__;
  const BUSY = ["waiting", "running"];
  const GROUPS = [["found", "\u2713"], ["missing", "\u2717"], ["unrequested", "+"]];

  const byId = (id) => document.getElementById(id);

  // Name the text that says why this cannot be drawn, or return "".
  function refusal(labels, seed) {
    if (labels.length === 0) return "picker.none";
    if (labels.length > MAX_OBJECTS) return "picker.over";
    return Number.isSafeInteger(seed) && seed >= 0 ? "" : "picker.seed";
  }

  Object.assign(DDPM, { MAX_OBJECTS, refusal });

  // Keep a screen up to date with its value. draw(view) shows everything but the state.
  DDPM.activity = ({ name, element, props, trigger, watch, draw }) => {
    const root = element.querySelector("section");
    const status = root.querySelector('[data-part="state"]');
    let view = {};
    let stopped = false;
    let closing = 0; // the timer that ends the wait after Stop

    function press() {
      const busy = BUSY.includes(root.dataset.state);
      for (const [id, allowed] of [["start", !busy && !closing], ["stop", busy]]) {
        const button = byId(`${name}-${id}`);
        if (button) button.disabled = !allowed;
      }
    }

    // The server has ended the run that was stopped: another may start, which its last words can no longer reach.
    function close() {
      clearTimeout(closing);
      closing = 0;
      press();
    }

    function show() {
      if (props.value.state === "failed" && closing) return; // the last words of the run that was stopped
      view = { ...view, ...props.value };
      if (view.state === "stopped" && BUSY.includes(root.dataset.state)) closing = setTimeout(close, DDPM.CLOSING);
      if (view.state === "stopped") stopped = true;
      if (view.state === "waiting" || view.state === "refused") stopped = false;
      const state = stopped ? "stopped" : view.state; // after Stop, pictures may still be on their way
      root.dataset.state = state;
      press();
      if (state === "refused" && view.message) {
        delete status.dataset.text;
        status.textContent = view.message;
      } else if (state === "refused") {
        DDPM.say(status, view.problem, view.values);
      } else {
        DDPM.say(status, state === "empty" ? `${name}.empty` : `activity.${state}`);
      }
      draw(view, state);
    }

    element.addEventListener("ask", ({ detail }) => {
      if (BUSY.includes(root.dataset.state) || closing) return; // asked by another button than the one to start it
      const problem = refusal(detail.labels, detail.seed);
      if (!problem) return trigger("submit");
      props.value = { state: "refused", problem, values: { most: MAX_OBJECTS }, message: "" };
      show();
    });
    element.addEventListener("closed", () => closing && setTimeout(close, 100)); // a last word may be on its way
    show();
    watch("value", show);
    document.addEventListener("localechange", () => draw(view, root.dataset.state));
  };

  const icon = (label) => {
    const [color, shape] = label.split(" ");
    return `<span class="object ${shape} ${color}"></span>`;
  };
  DDPM.icon = icon;

  // A verdict as a list with names.
  DDPM.verdictList = (verdict) =>
    GROUPS.flatMap(([group, mark]) =>
      Object.entries(verdict[group]).map(
        ([label, chance]) =>
          `<li class="${group}"><span class="mark" aria-hidden="true">${mark}</span>${icon(label)}` +
          `<span>${DDPM.label(label)}</span> <span class="word">${DDPM.text(`activity.${group}`)} ` +
          `${Math.round(100 * chance)}\u202f%</span></li>`,
      ),
    ).join("");

  // A verdict in words, such as "All found" or "Missing: red cube. Extra: gray cube."
  DDPM.verdictWords = (verdict) => {
    const names = (group) => Object.keys(verdict[group]).map(DDPM.label).join(DDPM.text("label.separator"));
    const parts = GROUPS.slice(1)
      .filter(([group]) => Object.keys(verdict[group]).length)
      .map(([group]) => DDPM.text(`activity.${group}_names`, { names: names(group) }));
    return parts.join(" ") || DDPM.text("activity.all_found");
  };

  // A verdict as a small badge: a tick, or the icons of what is missing and of what is too many.
  DDPM.verdictBadge = (verdict) => {
    const bad = GROUPS.slice(1).filter(([group]) => Object.keys(verdict[group]).length);
    const parts = bad.map(
      ([group, mark]) => `<span class="${group}"><b>${mark}</b>${Object.keys(verdict[group]).map(icon).join("")}</span>`,
    );
    const words = DDPM.verdictWords(verdict);
    const short = bad.length ? parts.join("") : `<span class="found"><b>\u2713</b></span>`;
    return `<span class="badge" title="${words}"><span aria-hidden="true">${short}</span><span class="unseen">${words}</span></span>`;
  };
})();
