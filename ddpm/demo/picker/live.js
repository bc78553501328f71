// The switch for drawing at every change; its value is whether it is on.
export function mount(element, page) {
  const box = element.querySelector("input");
  box.checked = page.props.value;
  box.addEventListener("change", () => {
    page.props.value = box.checked;
    page.emit("click");
  });
}
