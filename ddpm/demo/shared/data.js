// What the page knows from the start: texts, labels and limits, as JSON in its head (see adapter/page.py).
export const data = JSON.parse(document.getElementById("ddpm-data").textContent);
