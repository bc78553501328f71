// Arrow keys in the picker: its boxes are a table of shapes and colors, and one stop of the tab key.
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

const table = () =>
  [...document.querySelectorAll(".shape-row")].map((row) => [...row.querySelectorAll("input[type=checkbox]")]);

// Let the tab key come to this box alone.
function stop(box) {
  for (const other of table().flat()) other.tabIndex = other === box ? 0 : -1;
}

export function start() {
  document.addEventListener("focusin", ({ target }) => target.closest?.(".shape-row") && stop(target));
  document.addEventListener("keydown", (event) => {
    const way = STEPS[event.key];
    const boxes = table();
    const row = boxes.findIndex((row) => row.includes(event.target));
    if (!way || row < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const line = boxes[(row + way[0] + boxes.length) % boxes.length];
    line[(boxes[row].indexOf(event.target) + way[1] + line.length) % line.length].focus();
  });
}
