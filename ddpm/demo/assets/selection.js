// What cannot be drawn is refused here, without asking the server.
element.addEventListener("ask", (event) => {
  const objects = props.value.length;
  const { seed } = event.detail;
  const problem =
    objects === 0 ? "Tick at least one object."
    : objects > MAX_OBJECTS ? "A scene holds at most MAX_OBJECTS objects: untick some."
    : !Number.isSafeInteger(seed) || seed < 0 ? "The seed must be a whole number, 0 or more."
    : "";
  const line = element.querySelector("p");
  line.classList.toggle("refused", problem !== "");
  line.querySelector("span").textContent = problem || props.value.join(", ");
  if (!problem) trigger("submit");
});
