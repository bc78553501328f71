// Changes the language of Gradio's own labels, which the texts of the page follow, and keeps the choice in the address.
import { replaceQuery } from "../shared/address.js";
import { data } from "../shared/data.js";
import { nearest } from "../shared/texts.js";

async function change(language) {
  if (!data.core || document.documentElement.lang === language) return;
  const { changeLocale } = await import(new URL(`assets/${data.core}`, document.baseURI));
  changeLocale(language);
}

// A page that speaks one language throughout.
function settle() {
  const { lang } = document.documentElement;
  if (lang !== nearest(lang)) change(nearest(lang));
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
