// Names what is ticked. What cannot be drawn is refused here, without asking the server.
const line = element.querySelector("p");

function draw() {
  const labels = props.value;
  const over = labels.length > DDPM.MAX_OBJECTS;
  line.classList.toggle("over", over);
  line.classList.remove("refused");
  DDPM.say(line.querySelector("b"), "picker.ticked", { n: labels.length, most: DDPM.MAX_OBJECTS });
  say(labels.length === 0 ? "picker.none" : over ? "picker.over" : "");
}

function say(problem) {
  const words = line.querySelector("span");
  if (problem) return DDPM.say(words, problem, { most: DDPM.MAX_OBJECTS });
  delete words.dataset.text;
  words.textContent = props.value.map(DDPM.label).join(DDPM.text("label.separator"));
}

element.addEventListener("ask", (event) => {
  const problem = DDPM.refusal(props.value, event.detail.seed);
  line.classList.toggle("refused", problem !== "");
  say(problem);
  if (!problem) trigger("submit");
});

draw();
watch("value", draw);
document.addEventListener("localechange", draw);
