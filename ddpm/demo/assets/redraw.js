// Draws a picture before, while and after it is noised and denoised again, see `_redrawn_view` in explore.py.
const root = element.querySelector("section");
const part = (role) => root.querySelector(`[data-part="${role}"]`);
const SHOWN = ["before", "noised", "after"];

function draw(view) {
  if (!view.before) return;
  for (const role of SHOWN) {
    const canvas = part(role);
    if (view[role]) DDPM.paint(canvas, DDPM.decode(view[role]));
    else canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }
  part("start").textContent = DDPM.text("redraw.start_at", { t: view.start });
  ["before", "after"].forEach((role, i) => {
    part(`verdict-${role}`).innerHTML = view.verdicts[i] ? DDPM.verdictList(view.verdicts[i]) : "";
  });
}

DDPM.activity({ name: "redraw", element, props, trigger, watch, draw });
