// A picture before, while and after it is noised and denoised again, see `_redrawn_view` in redraw.py.
import { clear, decode, paint } from "../shared/frames.js";
import { screen } from "../shared/screen.js";
import { text } from "../shared/texts.js";
import { list } from "../shared/verdicts.js";

export function mount(element, page) {
  const part = (role) => element.querySelector(`[data-part="${role}"]`);

  function draw(view) {
    if (!view.before) return;
    for (const role of ["before", "noised", "after"]) {
      if (view[role]) paint(part(role), decode(view[role]));
      else clear(part(role));
    }
    part("start").textContent = text("redraw.start_at", { t: view.start });
    ["before", "after"].forEach((role, i) => {
      part(`verdict-${role}`).innerHTML = view.verdicts[i] ? list(view.verdicts[i]) : "";
    });
  }

  return screen("redraw", element, page, draw);
}
