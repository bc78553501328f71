// What the screens of Compare and Explore have in common: when they may start, what state they are in, what the
// evaluator says. See activity.py.
(() => {
  const MAX_OBJECTS = 5;
  const BUSY = ["waiting", "running"];
  const GROUPS = [["found", "\u2713"], ["missing", "\u2717"], ["unrequested", "+"]];

  const byId = (id) => document.getElementById(id);

  // Name the text that says why this cannot be drawn, or return "".
  function refusal(labels, seed) {
    if (labels.length === 0) return "picker.none";
    if (labels.length > MAX_OBJECTS) return "picker.over";
    return Number.isSafeInteger(seed) && seed >= 0 ? "" : "picker.seed";
  }

  // Keep a screen up to date with its value. draw(view) shows everything but the state.
  DDPM.activity = ({ name, element, props, trigger, watch, draw }) => {
    const root = element.querySelector("section");
    const status = root.querySelector('[data-part="state"]');
    let view = {};
    let stopped = false;

    function show() {
      view = { ...view, ...props.value };
      if (view.state === "stopped") stopped = true;
      if (view.state === "waiting") stopped = false;
      const state = stopped ? "stopped" : view.state; // after Stop, pictures may still be on their way
      root.dataset.state = state;
      for (const [id, allowed] of [["start", !BUSY.includes(state)], ["stop", BUSY.includes(state)]]) {
        const button = byId(`${name}-${id}`);
        if (button) button.disabled = !allowed;
      }
      if (state === "refused" && view.message) {
        delete status.dataset.text;
        status.textContent = view.message;
      } else if (state === "refused") {
        DDPM.say(status, view.problem, { most: MAX_OBJECTS });
      } else {
        DDPM.say(status, state === "empty" ? `${name}.empty` : `activity.${state}`);
      }
      draw(view, state);
    }

    element.addEventListener("ask", ({ detail }) => {
      const problem = refusal(detail.labels, detail.seed);
      if (!problem) return trigger("submit");
      props.value = { state: "refused", problem, message: "" };
      show();
    });
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
