const MOST_TRIES = 300; // frames that a tab is waited for

// Bring what somebody asked for into sight. Where its pictures are there already nothing moves, so that nothing changes
// under the pointer; tabs that hide it are opened first.
export function intoSight(target, pictures = target) {
  const hidden = !target.offsetParent;
  if (hidden) open(target.closest("[role=tabpanel]"));
  requestAnimationFrame(() => {
    const { top, bottom } = pictures.getBoundingClientRect();
    if (!hidden && top >= 0 && bottom <= innerHeight) return;
    const { height } = target.getBoundingClientRect();
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    target.scrollIntoView({ block: height > innerHeight ? "start" : "nearest", behavior: calm ? "auto" : "smooth" });
  });
}

function open(panel) {
  if (!panel) return;
  document.querySelector(`#views button[aria-controls="${panel.id}"]`)?.click();
  open(panel.parentElement.closest("[role=tabpanel]"));
}

// Open a tab in another, by their names; the inner one comes when the outer is open.
export function openTabs([name, ...inner], tries = MOST_TRIES) {
  if (!name) return;
  const tab = document.querySelector(`#views button[data-tab-id="${name}"]`);
  tab?.click();
  if (tab) openTabs(inner);
  else if (tries) requestAnimationFrame(() => openTabs([name, ...inner], tries - 1));
  else console.error(`there is no tab ${name}`);
}
