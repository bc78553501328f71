// Shows what a link has restored: the value is empty, or a list of [name of a text, values for it].
function draw() {
  const box = element.querySelector("div");
  box.replaceChildren(
    ...(props.value || []).map(([name, values]) => {
      const line = document.createElement("p");
      line.classList.toggle("problem", name !== "share.restored");
      DDPM.say(line, name, values);
      return line;
    }),
  );
}

draw();
watch("value", draw);
