// The page's texts, in the language that the `lang` of <html> names. They follow when it changes.
//
//   data-text="area.key"          fills an element, whenever it comes into the page and when the language changes
//   data-html="area.key"          the same for a text with tags in it
//   data-text-aria, data-text-title, data-text-alt="area.key"   fill aria-label, title and alt
//   data-values='{"n": 3}'        are put in the place of {n}
//   data-language="en"            is a link that changes the language
//   "localechange"                is the event on `document` for what has to be drawn anew
import { data } from "./data.js";

const TEXTS = data.texts;
const FALLBACK = Object.keys(TEXTS)[0];
const ATTRIBUTES = { "data-text-aria": "aria-label", "data-text-title": "title", "data-text-alt": "alt" };
const MARKED = ["data-text", "data-html", "data-language", ...Object.keys(ATTRIBUTES)]
  .map((name) => `[${name}]`)
  .join();

// The language of the page that is closest to a browser's; who reads simplified characters gets English.
export const nearest = (language) => (/^zh-(tw|hk|mo|hant)\b/i.test(language) ? "zh-TW" : FALLBACK);

export const locale = () => nearest(document.documentElement.lang);

// A text by its name, such as text("stage.step_of", { n: 3, total: 25 }).
export function text(name, values = {}) {
  const pattern = TEXTS[locale()][name] ?? TEXTS[FALLBACK][name];
  if (pattern === undefined) console.error(`no text is called ${name}`);
  return (pattern ?? name).replace(/\{(\w+)\}/g, (place, key) => values[key] ?? place);
}

// The name of an object, such as "red cube".
export const label = (name) => text(`label.${name}`);

export const labels = (names) => names.map(label).join(text("label.separator"));

function fill(element) {
  const { text: plain, html, values, language } = element.dataset;
  const parsed = values ? JSON.parse(values) : {};
  if (html) element.innerHTML = text(html, parsed);
  else if (plain && element.textContent !== text(plain, parsed)) element.textContent = text(plain, parsed);
  if (language) element.setAttribute("aria-current", language === locale());
  for (const [source, target] of Object.entries(ATTRIBUTES)) {
    if (element.hasAttribute(source)) element.setAttribute(target, text(element.getAttribute(source), parsed));
  }
}

// Fill what is marked in an element and below it.
export function translate(root) {
  if (root.matches?.(MARKED)) fill(root);
  root.querySelectorAll(MARKED).forEach(fill);
}

// Show a text in an element, now and after a change of the language; without a name, nothing.
export function say(element, name, values) {
  delete element.dataset.values;
  if (!name) {
    delete element.dataset.text;
    element.textContent = "";
    return;
  }
  element.dataset.text = name;
  if (values) element.dataset.values = JSON.stringify(values);
  fill(element);
}

function nameThePage() {
  if (document.title !== text("page.title")) document.title = text("page.title");
}

function follow() {
  nameThePage();
  translate(document);
  document.dispatchEvent(new Event("localechange"));
}

new MutationObserver((records) => {
  for (const { addedNodes, target } of records) {
    if (target.nodeName === "TITLE") nameThePage(); // written once more when all is loaded
    for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) translate(node);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ["lang"] });
follow();
