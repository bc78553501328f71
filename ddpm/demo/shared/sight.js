// Bring what somebody asked for into sight. Where its pictures are there already nothing moves, so that nothing changes
// under the pointer; a tab that hides it is opened first.
export function intoSight(target, pictures = target) {
  const tab = target.closest("[role=tabpanel]");
  const hidden = !target.offsetParent;
  if (hidden && tab) document.querySelector(`#views button[aria-controls="${tab.id}"]`)?.click();
  requestAnimationFrame(() => {
    const { top, bottom } = pictures.getBoundingClientRect();
    if (!hidden && top >= 0 && bottom <= innerHeight) return;
    const { height } = target.getBoundingClientRect();
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    target.scrollIntoView({ block: height > innerHeight ? "start" : "nearest", behavior: calm ? "auto" : "smooth" });
  });
}
