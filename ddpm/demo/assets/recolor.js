// A row for each requested object, with a button for each color that it could have instead.
const COLORS = ["gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow"];
const rows = element.querySelector(".rows");

function draw() {
  const { labels } = props.value;
  const lines = labels.map((label) => {
    const [own, shape] = label.split(" ");
    const line = document.createElement("div");
    line.innerHTML = `<span>${DDPM.label(label)}</span>`;
    for (const color of COLORS) {
      const wish = `${color} ${shape}`;
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = DDPM.icon(wish);
      button.disabled = labels.includes(wish); // each object stands once in a scene
      button.classList.toggle("own", color === own);
      const words = DDPM.text("redraw.into", { from: DDPM.label(label), to: DDPM.label(wish) });
      button.title = words;
      button.setAttribute("aria-label", words);
      button.addEventListener("click", () => {
        props.value = { labels, wanted: labels.map((other) => (other === label ? wish : other)) };
        trigger("click");
      });
      line.append(button);
    }
    return line;
  });
  rows.replaceChildren(...lines);
  element.hidden = labels.length === 0;
}

draw();
watch("value", draw);
document.addEventListener("localechange", draw);
