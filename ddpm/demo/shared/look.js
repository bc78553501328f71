// The switches in the page's head: dark or light, and pictures as the camera saw them or as squares of pixels. They
// are kept for the next visit. And the button that unfolds the settings on a phone.
const SWITCHES = {
  raw: {
    is: () => "raw" in document.documentElement.dataset,
    turn: (on) => document.documentElement.toggleAttribute("data-raw", on),
  },
  dark: {
    is: () => document.body.classList.contains("dark"),
    turn: (on) => document.body.classList.toggle("dark", on),
  },
};

// In a frame of another site there may be no storage.
function kept(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(`ddpm-${name}`);
    localStorage.setItem(`ddpm-${name}`, value);
  } catch {}
  return null;
}

function show() {
  for (const button of document.querySelectorAll("[data-switch]")) {
    button.setAttribute("aria-pressed", SWITCHES[button.dataset.switch].is());
  }
}

export function start() {
  const { searchParams } = new URL(location);
  for (const [name, { turn }] of Object.entries(SWITCHES)) {
    const value = kept(name);
    if (value && !(name === "dark" && searchParams.has("__theme"))) turn(value === "true");
  }
  document.addEventListener("click", (event) => {
    const fold = event.target.closest?.("#fold");
    fold?.setAttribute("aria-expanded", fold.getAttribute("aria-expanded") === "false");
    const name = event.target.closest?.("[data-switch]")?.dataset.switch;
    if (!name) return;
    const on = !SWITCHES[name].is();
    SWITCHES[name].turn(on);
    kept(name, on);
    show();
  });
  // The system's choice is followed until somebody uses the switch, and Gradio draws the head when it likes.
  new MutationObserver(show).observe(document.body, { attributeFilter: ["class"] });
  show();
}
