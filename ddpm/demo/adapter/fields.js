// A slider's number that was emptied gets its last value back; Gradio would take the least, which nobody asked for.
const NUMBERS = "input[type=number][aria-label^='number input']";

export function start() {
  const last = new WeakMap();
  document.addEventListener("focusin", ({ target }) => target.matches?.(NUMBERS) && last.set(target, target.value));
  document.addEventListener(
    "blur",
    ({ target }) => {
      if (!target.matches?.(NUMBERS) || target.value !== "" || !last.get(target)) return;
      target.value = last.get(target);
      target.dispatchEvent(new Event("input", { bubbles: true }));
    },
    true, // before Gradio's own
  );
}
