// What the evaluator says of a picture, see ddpm/demo/verdicts.py: found, missing, unrequested, repeated.
import { label, labels, text } from "./texts.js";

const GROUPS = [
  ["found", "\u2713"],
  ["missing", "\u2717"],
  ["unrequested", "+"],
  ["repeated", "2\u00d7"],
];

const wrong = (verdict) => GROUPS.slice(1).filter(([group]) => Object.keys(verdict[group]).length);

export const percent = (share) => `${Math.round(100 * share)}\u202f%`;

// An object's icon.
export function icon(name) {
  const [color, shape] = name.split(" ");
  return `<span class="object ${shape} ${color}"></span>`;
}

export const right = (verdict) => wrong(verdict).length === 0;

// A verdict as a list with names; what is repeated stands there once.
export const list = (verdict) =>
  GROUPS.slice(0, -1)
    .flatMap(([group, mark]) =>
      Object.entries(verdict[group]).map(([name, chance]) => {
        const [kind, sign] = name in verdict.repeated ? GROUPS.at(-1) : [group, mark];
        const kinds = kind !== group && group === "unrequested" ? [group, kind] : [kind];
        const word = kinds.map((kind) => text(`activity.${kind}`)).join(", ");
        return (
          `<li class="${kind}"><span class="mark" aria-hidden="true">${sign}</span>${icon(name)}` +
          `<span>${label(name)}</span> <span class="word">${word} ${percent(chance)}</span></li>`
        );
      }),
    )
    .join("");

// A verdict in words, such as "All found" or "Missing: red cube. Extra: gray cube."
export const words = (verdict) =>
  wrong(verdict)
    .map(([group]) => text(`activity.${group}_names`, { names: labels(Object.keys(verdict[group])) }))
    .join(" ") || text("activity.all_found");

// A verdict as a small badge: a tick, or the icons of what is missing and of what is too many.
export function badge(verdict) {
  const parts = wrong(verdict).map(
    ([group, mark]) => `<span class="${group}"><b>${mark}</b>${Object.keys(verdict[group]).map(icon).join("")}</span>`,
  );
  const short = parts.join("") || '<span class="found"><b>\u2713</b></span>';
  const long = words(verdict);
  return `<span class="badge" title="${long}"><span aria-hidden="true">${short}</span><span class="unseen">${long}</span></span>`;
}
