// What the screens of Compare and Explore have in common: when they may start, what state they are in, what the
// evaluator says; and the two buttons of a run, the stage's too. See activity.py.
(() => {
  DDPM.CLOSING = 10000; // ms: so long at most after Stop nothing new may start, where the server does not answer
  const GRACE = 100; // ms in which the last words of a run that is over may still come

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

  // The buttons that start and stop the runs of `element`. After Stop nothing new may start until Gradio says that the
  // old run is over ("closed", see stage.py), whose last words would fall on the new one; what is asked for meanwhile
  // starts then. A run that waits can be stopped once the server has answered that it waits: before, Gradio says that
  // it is over, and it goes on.
  class Buttons {
    constructor(element, start, stop) {
      Object.assign(this, { start, stop, state: "", closing: 0, joining: false, wanted: false });
      element.addEventListener("closed", () => this.closing && this.close(GRACE));
      Buttons.all[start] = this;
    }

    get busy() {
      return BUSY.includes(this.state);
    }

    follow(state) {
      if (state === "stopped" && this.busy) this.close(DDPM.CLOSING);
      if (state === "waiting" && !this.busy) this.joining = true;
      this.state = state;
      this.press();
    }

    press() {
      const stoppable = this.state === "running" || (this.state === "waiting" && !this.joining);
      for (const [id, allowed] of [[this.start, !this.busy && !this.closing], [this.stop, stoppable]]) {
        const button = byId(id);
        if (button) button.disabled = !allowed;
      }
    }

    close(wait) {
      clearTimeout(this.closing);
      this.closing = setTimeout(() => {
        this.closing = 0;
        this.press();
        if (this.wanted) byId(this.start).click();
        this.wanted = false;
      }, wait);
    }

    joined() {
      this.joining = false;
      this.press();
    }
  }
  Buttons.all = {};
  new PerformanceObserver((seen) => {
    if (!seen.getEntries().some((entry) => entry.name.includes("/queue/join"))) return;
    for (const buttons of Object.values(Buttons.all)) buttons.joined();
  }).observe({ type: "resource" });

  // Press a start button; after Stop as soon as that may be.
  function start(id) {
    const buttons = Buttons.all[id];
    if (buttons.closing) buttons.wanted = true;
    else byId(id).click();
  }

  Object.assign(DDPM, { MAX_OBJECTS, refusal, Buttons, start });

  // Keep a screen up to date with its value. draw(view) shows everything but the state.
  DDPM.activity = ({ name, element, props, trigger, watch, draw }) => {
    const root = element.querySelector("section");
    const status = root.querySelector('[data-part="state"]');
    let view = {};
    let stopped = false;
    const buttons = new Buttons(element, `${name}-start`, `${name}-stop`);

    function show() {
      if (props.value.state === "failed" && buttons.closing) return; // the last words of the run that was stopped
      view = { ...view, ...props.value };
      if (view.state === "stopped") stopped = true;
      if (view.state === "waiting" || view.state === "refused") stopped = false;
      const state = stopped ? "stopped" : view.state; // after Stop, pictures may still be on their way
      root.dataset.state = state;
      buttons.follow(state);
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
      if (buttons.busy) return; // asked by another button than the one to start it
      if (buttons.closing) return (buttons.wanted = true);
      const problem = refusal(detail.labels, detail.seed);
      if (!problem) return trigger("submit");
      props.value = { state: "refused", problem, values: { most: MAX_OBJECTS }, message: "" };
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
