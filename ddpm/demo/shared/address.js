// The address of the page, which leads back to what was drawn last.
import { data } from "./data.js";
import { say } from "./texts.js";

// Put a query such as "?seed=7" into it, and into that of the page around where there is one: that of a Space takes it
// from this message (https://huggingface.co/docs/hub/spaces-handle-url-parameters).
export function replaceQuery(query) {
  history.replaceState(history.state, "", query);
  if (parent === window) return;
  // What begins with __ is between the two pages: the key to a private Space, the theme.
  const parts = location.search.slice(1).split("&");
  parent.postMessage({ queryString: parts.filter((part) => !part.startsWith("__")).join("&") }, "*");
}

// Let it lead to what a query says; what else stands there, such as the language, stays.
export function leadTo(query) {
  const others = new URLSearchParams(location.search);
  data.linkKeys.forEach((key) => others.delete(key));
  replaceQuery(`?${[query, others].map(String).filter(Boolean).join("&")}`);
}

// Copy a link with this query, or show it in a field to be copied by hand. status: where it says so.
export async function copyLink(query, status, field) {
  const link = `${location.origin}${location.pathname}?${query}`;
  try {
    await navigator.clipboard.writeText(link);
    say(status, "share.copied");
  } catch {
    // Pages without encryption may not write to the clipboard.
    field.value = link;
    field.hidden = false;
    field.select();
    say(status, "share.copy_by_hand");
  }
}
