// The player: keeps a place in a run's frames, moves it by itself or on demand, and shows the frame there.
(() => {
  const FRAMES_A_SECOND = 12; // slow enough to follow a run that took a third of a second
  const SPEEDS = [0.5, 1, 2];
  const THUMBNAILS = [11, 6]; // as many as a run has frames for; on a phone every other one of eleven
  const CHANGE_GAIN = 4;
  const VIEWS = ["pull", "change", "eps"];
  const ICONS = {
    back: "M6 5h2.5v14H6zM19 5v14l-9.5-7z",
    on: "M15.500 5H18v14h-2.500zM5 5l9.500 7L5 19z",
    play: "M7 4.500l12.500 7.500L7 19.500z",
    pause: "M6.500 5h4v14h-4zM13.500 5h4v14h-4z",
  };
  // Magma (van der Walt & Smith 2015), evenly spaced: equal steps of value look like equal steps of brightness.
  const MAGMA = ["#000004", "#1d1147", "#51127c", "#832681", "#b73779", "#e75263", "#fc8961", "#fec488", "#fcfdbf"];
  const STOPS = MAGMA.map((color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)));

  // The color (r, g, b) of a share 0..1.
  function heatColor(share) {
    const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
    const i = Math.min(Math.floor(place), STOPS.length - 2);
    return STOPS[i].map((value, channel) => value + (place - i) * (STOPS[i + 1][channel] - value));
  }

  // The power lets weak effects be seen beside strong ones.
  const HEAT = Array.from({ length: 256 }, (_, value) => heatColor((value / 255) ** 0.7));

  DDPM.heatGradient = `linear-gradient(90deg, ${MAGMA.join(", ")})`;

  // Gray bytes (64*64) as RGB bytes on the heat scale.
  DDPM.heat = (gray) => {
    const rgb = new Uint8Array(3 * gray.length);
    gray.forEach((value, i) => rgb.set(HEAT[value], 3 * i));
    return rgb;
  };

  // Lay gray bytes over a picture: the stronger, the less of the picture is left.
  DDPM.overlay = (rgb, gray) => {
    const mixed = new Uint8Array(rgb.length);
    gray.forEach((value, i) => {
      const cover = 0.15 + 0.65 * (value / 255) ** 0.7;
      for (let c = 0; c < 3; c++) mixed[3 * i + c] = (1 - cover) * rgb[3 * i + c] + cover * HEAT[value][c];
    });
    return mixed;
  };

  function change(before, after) {
    const gray = new Uint8Array(after.length / 3);
    for (let i = 0; i < gray.length; i++) {
      const j = 3 * i;
      const sum = Math.abs(after[j] - before[j]) + Math.abs(after[j + 1] - before[j + 1]) + Math.abs(after[j + 2] - before[j + 2]);
      gray[i] = Math.min(255, (CHANGE_GAIN * sum) / 3);
    }
    return gray;
  }

  // Fill a radio group with a pill for each value.
  function pills(group, name, values, chosen, choose) {
    for (const value of values) {
      const label = document.createElement("label");
      const text = typeof value === "number" ? `${value}\u00d7` : "";
      label.innerHTML = `<input type="radio" name="stage-${name}" value="${value}"><span>${text}</span>`;
      if (!text) DDPM.say(label.querySelector("span"), `stage.${value}`);
      label.querySelector("input").checked = value === chosen;
      label.addEventListener("change", () => choose(value));
      group.append(label);
    }
  }

  DDPM.Player = class {
    // root: an element with the parts of stage.html. moved(frame, k): called when another frame is shown.
    constructor(root, moved) {
      this.root = root;
      this.moved = moved;
      this.run = new DDPM.Run(1);
      this.k = -1;
      this.playing = false;
      this.speed = 1;
      this.view = VIEWS[0];
      this.calm = matchMedia("(prefers-reduced-motion: reduce)");
      this.timeline = this.part("timeline");
      this.build();
    }

    part(role) {
      return this.root.querySelector(`[data-role="${role}"]`);
    }

    build() {
      pills(this.part("choice"), "view", VIEWS, this.view, (view) => {
        this.view = view;
        this.paintThird();
      });
      pills(this.part("speed"), "speed", SPEEDS, this.speed, (speed) => {
        this.speed = speed;
      });
      this.icon("back");
      this.icon("on");
      this.showPlaying();

      const actions = { back: () => this.step(-1), on: () => this.step(1), play: () => this.toggle() };
      for (const [name, act] of Object.entries(actions)) this.button(name).addEventListener("click", act);
      this.timeline.addEventListener("input", () => this.seek(Number(this.timeline.value), true));
      this.root.addEventListener("keydown", (event) => this.key(event));
      document.addEventListener("localechange", () => this.showPlace());
    }

    button(name) {
      return this.root.querySelector(`[data-go="${name}"]`);
    }

    icon(name, icon = name) {
      const button = this.button(name);
      button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[icon]}"/></svg>`;
      button.dataset.textAria = button.dataset.textTitle = `stage.${icon}`;
      DDPM.translate(button);
    }

    // Keys anywhere in the player, save where the element at hand has a use of its own for them.
    key(event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const tag = event.target.type ?? "";
      const last = this.run.frames.length - 1;
      const act = {
        ArrowLeft: () => this.step(-1),
        ArrowRight: () => this.step(1),
        Home: () => this.seek(0, true),
        End: () => this.seek(last, true),
        " ": () => this.toggle(),
      }[event.key];
      const own = event.key === " " ? tag === "button" || tag === "radio" : tag === "radio" || tag === "range";
      if (!act || own) return;
      event.preventDefault();
      act();
    }

    // Take another run, of which `expected` frames will be shown. Its frames may still be on their way: see `grow`.
    open(run, expected) {
      this.pause();
      this.run = run;
      this.expected = expected;
      this.k = -1;
      this.timeline.max = Math.max(expected - 1, 1);
      this.buildStrip();
    }

    // Frames have been added to the run.
    grow() {
      const { frames } = this.run;
      if (this.k < 0 && frames.length) this.seek(0);
      for (const thumb of this.thumbs) {
        const frame = frames[thumb.place];
        if (!frame || !thumb.button.disabled) continue;
        thumb.button.disabled = false;
        DDPM.paint(thumb.button.firstChild, frame.x0);
      }
      this.timeline.style.setProperty("--loaded", (frames.length - 1) / Math.max(this.expected - 1, 1));
      if (this.calm.matches && this.playing) this.seek(frames.length - 1);
    }

    buildStrip() {
      const count = THUMBNAILS.find((most) => most <= this.expected) ?? this.expected;
      this.thumbs = Array.from({ length: count }, (_, i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.disabled = true;
        button.innerHTML = '<canvas width="64" height="64" aria-hidden="true"></canvas>';
        const place = count > 1 ? Math.round((i * (this.expected - 1)) / (count - 1)) : 0;
        button.classList.toggle("between", count === THUMBNAILS[0] && i % 2 === 1);
        button.addEventListener("click", () => this.seek(place, true));
        return { button, place };
      });
      this.part("strip").replaceChildren(...this.thumbs.map(({ button }) => button));
    }

    get atEnd() {
      return this.run.ended && this.k === this.run.frames.length - 1;
    }

    play() {
      if (this.atEnd) this.seek(0);
      this.playing = true;
      this.due = performance.now() + this.interval;
      this.showPlaying();
      this.request ??= requestAnimationFrame((now) => this.tick(now));
    }

    pause() {
      this.playing = false;
      cancelAnimationFrame(this.request);
      this.request = null;
      this.showPlaying();
    }

    toggle() {
      if (this.playing) this.pause();
      else if (this.run.frames.length) this.play();
    }

    get interval() {
      return 1000 / (FRAMES_A_SECOND * this.speed);
    }

    tick(now) {
      this.request = null;
      if (now >= this.due && this.k + 1 < this.run.frames.length) {
        this.seek(this.k + 1);
        this.due = Math.max(this.due + this.interval, now); // no haste after a wait
      }
      if (this.atEnd) this.pause();
      else if (this.playing) this.request = requestAnimationFrame((later) => this.tick(later));
    }

    step(by) {
      this.seek(this.k + by, true);
    }

    // Show frame k, or the nearest there is. byHand: somebody wants to look at this one, so it stays.
    seek(k, byHand = false) {
      const { frames } = this.run;
      if (!frames.length) return;
      if (byHand && this.playing) this.pause();
      k = Math.min(Math.max(k, 0), frames.length - 1);
      this.timeline.value = k;
      if (k === this.k) return;
      this.k = k;
      const frame = frames[k];
      DDPM.paint(this.part("x"), frame.x);
      DDPM.paint(this.part("x0"), frame.x0);
      this.paintThird();
      this.showPlace();
      this.moved(frame, k);
    }

    showPlace() {
      const frame = this.run.frames[this.k];
      if (!frame) return;
      const name = (index) => DDPM.text("stage.step_of", { n: index ?? "?", total: this.run.total });
      this.timeline.style.setProperty("--played", this.k / Math.max(this.expected - 1, 1));
      this.timeline.setAttribute("aria-valuetext", name(frame.index));
      const distance = ({ place }) => Math.abs(place - this.k);
      const visible = this.thumbs.filter(({ button }) => button.offsetWidth > 0); // not all are, on a phone
      const nearest = visible.length && visible.reduce((a, b) => (distance(b) < distance(a) ? b : a));
      for (const thumb of this.thumbs) {
        thumb.button.setAttribute("aria-label", name(this.run.frames[thumb.place]?.index));
        if (thumb === nearest) thumb.button.setAttribute("aria-current", "true");
        else thumb.button.removeAttribute("aria-current");
      }
    }

    paintThird() {
      const frame = this.run.frames[this.k];
      if (!frame) return;
      const before = this.run.frames[this.k - 1];
      const canvas = this.part("third");
      const missing = this.view === "change" ? !before && "first" : this.view === "pull" && !frame.pull && "no_pull";
      const empty = this.part("empty");
      empty.hidden = !missing;
      canvas.style.visibility = missing ? "hidden" : "";
      if (missing) DDPM.say(empty, `stage.${missing}`);
      else if (this.view === "eps") DDPM.paint(canvas, frame.eps);
      else DDPM.paint(canvas, DDPM.heat(this.view === "pull" ? frame.pull : change(before.x0, frame.x0)));
      DDPM.say(this.part("third-note"), `stage.${this.view}_note`, { gain: CHANGE_GAIN });
      canvas.dataset.textAria = `stage.${this.view}`;
      DDPM.translate(canvas);
    }

    showPlaying() {
      const name = this.playing ? "pause" : "play";
      this.icon("play", name);
      this.root.dataset.playing = this.playing;
    }
  };
})();
