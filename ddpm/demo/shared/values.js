// Buttons that set values of Gradio's components: a click hands over the JSON in the button's data-value.
export function mount(element, page) {
  element.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-value]");
    if (!button) return;
    page.props.value = JSON.parse(button.dataset.value);
    page.emit("click");
  });
}
