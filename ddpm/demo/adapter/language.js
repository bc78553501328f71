// Changes the language of Gradio's own labels, which the texts of the page follow, and keeps the choice in the address.
import { replaceQuery } from "../shared/address.js";
import { data } from "../shared/data.js";
import { nearest } from "../shared/texts.js";

const PATIENCE = 5000; // ms; for a language that cannot be loaded

let wanted = "";
let loading = false;
let turn = Promise.resolve();

// One change at a time: Gradio lets a language that is still being loaded overtake the one that was asked for after it.
function change(language) {
  if (!data.core) return;
  wanted = language;
  turn = turn
    .then(() => wanted === language && document.documentElement.lang !== language && load(language))
    .catch(console.error);
}

async function load(language) {
  const { changeLocale } = await import(new URL(`assets/${data.core}`, document.baseURI));
  const until = performance.now() + PATIENCE;
  loading = true;
  try {
    changeLocale(language);
    while (document.documentElement.lang !== language && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    loading = false;
  }
  settle();
}

// A page that speaks one language throughout.
function settle() {
  const { lang } = document.documentElement;
  if (!loading && lang !== nearest(lang)) change(nearest(lang));
}

export function start() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-language]");
    if (!link || !data.core) return; // then the link loads the page anew
    event.preventDefault();
    const address = new URL(location);
    address.searchParams.set("lang", link.dataset.language);
    replaceQuery(address.search);
    change(link.dataset.language);
  });
  document.addEventListener("localechange", settle);
  const wanted = new URLSearchParams(location.search).get("lang");
  change(nearest(wanted ?? navigator.language)); // Gradio takes zh-HK for simplified Chinese
}
