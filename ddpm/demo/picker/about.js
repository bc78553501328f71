// A line on the chosen model; its value is the name of the text, or null.
import { say } from "../shared/texts.js";

export function mount(element, page) {
  const line = element.querySelector("p");
  const show = () => say(line, page.props.value);
  page.changed(show);
  show();
}
