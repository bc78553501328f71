// Tabs: one panel of a group is shown (ARIA Authoring Practices, "Tabs with automatic activation").
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

function choose(tab) {
  for (const other of tab.parentElement.children) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.classList.toggle("selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

export function start() {
  document.addEventListener("click", ({ target }) => {
    const tab = target.closest?.("[role=tab]");
    if (tab) choose(tab);
  });
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("[role=tab]");
    if (!tab || !(event.key in STEPS)) return;
    event.preventDefault();
    const tabs = [...tab.parentElement.children];
    const by = STEPS[event.key];
    const next = Number.isFinite(by) ? tabs.at((tabs.indexOf(tab) + by) % tabs.length) : tabs.at(by < 0 ? 0 : -1);
    choose(next);
    next.focus();
  });
}
