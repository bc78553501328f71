// Puts a query such as "?seed=7" into the address of the page, and of the page around it where there is one: that of a
// Space takes it from this message (https://huggingface.co/docs/hub/spaces-handle-url-parameters).
export function replaceQuery(query) {
  history.replaceState(history.state, "", query);
  if (parent === window) return;
  // What begins with __ is between the two pages: the key to a private Space, the theme.
  const parts = location.search.slice(1).split("&");
  parent.postMessage({ queryString: parts.filter((part) => !part.startsWith("__")).join("&") }, "*");
}
