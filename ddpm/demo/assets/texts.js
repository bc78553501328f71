// The page's texts for the browser, in the language in which Gradio shows its own labels. Gradio writes that into the
// `lang` of <html>, at the start and when it is changed in the settings; this script follows it.
//
//   data-text="area.key"          fills an element, whenever it comes into the page and when the language changes
//   data-html="area.key"          the same for a text with tags in it
//   data-text-aria, data-text-title, data-text-alt="area.key"   fill aria-label, title and alt
//   data-values='{"n": 3}'        are put in the place of {n}
//   data-language="en"            is a link that changes the language
//   DDPM.text("area.key", {n: 3}) is the text itself, DDPM.say(element, "area.key", {n: 3}) shows it in an element
//   DDPM.label("red cube")        is the name of an object
//   "localechange"                is the event on `document` for what has to be drawn anew
(() => {
  const TEXTS = __TEXTS__;
  const CORE = __CORE__; // the module of Gradio's frontend that changes its language
  const FALLBACK = Object.keys(TEXTS)[0];
  const ATTRIBUTES = { "data-text-aria": "aria-label", "data-text-title": "title", "data-text-alt": "alt" };
  const MARKED = ["data-text", "data-html", "data-language", ...Object.keys(ATTRIBUTES)].map((name) => `[${name}]`).join();

  const nearest = (language) => (language.startsWith("zh") ? "zh-TW" : FALLBACK);
  const locale = () => nearest(document.documentElement.lang);

  function text(name, values = {}) {
    const pattern = TEXTS[locale()][name] ?? TEXTS[FALLBACK][name];
    if (pattern === undefined) console.error(`no text is called ${name}`);
    return (pattern ?? name).replace(/\{(\w+)\}/g, (place, key) => values[key] ?? place);
  }

  const label = (name) => text(`label.${name}`);

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

  function translate(root) {
    if (root.matches?.(MARKED)) fill(root);
    root.querySelectorAll(MARKED).forEach(fill);
  }

  function say(element, name, values) {
    element.dataset.text = name;
    if (values) element.dataset.values = JSON.stringify(values);
    else delete element.dataset.values;
    fill(element);
  }

  // Change the language of the whole page, Gradio's labels included, and keep the choice in the address.
  async function speak(language) {
    const address = new URL(location);
    address.searchParams.set("lang", language);
    history.replaceState(history.state, "", address);
    await change(language);
  }

  async function change(language) {
    if (!CORE || document.documentElement.lang === language) return;
    const { changeLocale } = await import(new URL(`assets/${CORE}`, document.baseURI));
    changeLocale(language);
  }

  function name() {
    if (document.title !== text("page.title")) document.title = text("page.title");
  }

  function follow() {
    const { lang } = document.documentElement;
    if (CORE && lang !== nearest(lang)) return change(nearest(lang)); // a page that speaks one language throughout
    name();
    translate(document);
    document.dispatchEvent(new Event("localechange"));
  }

  window.DDPM = Object.assign(window.DDPM ?? {}, { text, label, translate, say });
  Object.defineProperty(window.DDPM, "locale", { get: locale });

  new MutationObserver((records) => {
    for (const { addedNodes, target } of records) {
      if (target.nodeName === "TITLE") name(); // Gradio writes it once more when all is loaded
      for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) translate(node);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
  new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ["lang"] });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-language]");
    if (!link || !CORE) return; // then the link loads the page anew
    event.preventDefault();
    speak(link.dataset.language);
  });

  const wanted = new URLSearchParams(location.search).get("lang");
  if (wanted) change(nearest(wanted));
  follow();
})();
