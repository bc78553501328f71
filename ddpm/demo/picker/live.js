// The switch for drawing at every change; its value is whether it is on.
export function mount(element, page) {
  const box = element.querySelector("input");
  box.checked = page.value;
  box.addEventListener("change", () => {
    page.value = box.checked;
    page.emit("click");
  });
}
