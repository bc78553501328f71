// Names that Gradio leaves out: its groups have none for screen readers, a box of the picker would be called by its
// color alone, and tabs that were never open keep the language that the page began with.
import { label, text } from "../shared/texts.js";

const TABS = {
  draw: "page.draw",
  compare: "page.compare",
  edit: "edit.title",
  explore: "page.explore",
  gallery: "gallery.title",
  walk: "walk.title",
};
const NAMED = "fieldset, button[data-tab-id]";
let groups = 0;

function name() {
  for (const group of document.querySelectorAll("fieldset:not([aria-labelledby])")) {
    const title = group.querySelector('[data-testid="block-info"]');
    if (!title) continue;
    title.id = `group-${++groups}`;
    group.setAttribute("aria-labelledby", title.id);
  }
  for (const box of document.querySelectorAll(".shape-row input")) {
    box.title = label(box.name);
    box.setAttribute("aria-label", box.title);
  }
  for (const tab of document.querySelectorAll("button[data-tab-id]")) {
    const words = [...tab.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (words && TABS[tab.dataset.tabId]) words.data = text(TABS[tab.dataset.tabId]);
  }
}

const isNamed = (node) => node.nodeType === Node.ELEMENT_NODE && (node.matches(NAMED) || node.querySelector(NAMED));

export function start() {
  new MutationObserver((records) => {
    if (records.some(({ addedNodes }) => [...addedNodes].some(isNamed))) name();
  }).observe(document.documentElement, { childList: true, subtree: true });
  document.addEventListener("localechange", name);
  name();
}
