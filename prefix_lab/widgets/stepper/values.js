// How a value is written: its name, its shape with the axes in their colours, and what is inside when it is opened.

import { h, shown } from "./text.js";

/** @typedef {import("./store.js").Headline} Headline */

const OTHER = "#767676";

/** The shape with names, `(batch, prefix_len)` or `(batch 2, prefix_len 20)`, or its numbers; empty for what has none. @param {Headline} value @param {boolean} [sizes] */
export function shapeText(value, sizes = false) {
  const [, , shape, axes] = value;
  if (!shape) return "";
  const named = sizes && axes ? axes.map((/** @type {string} */ axis, /** @type {number} */ at) => (axis === String(shape[at]) ? axis : `${axis}\u00a0${shape[at]}`)) : axes;
  return `(${(named ?? shape).join(", ")})`;
}

/** One short text for beside a line. @param {Headline} value @param {number} [room] @param {boolean} [sizes] of a shape beside its names */
export function shortText(value, room = 60, sizes = false) {
  const shape = shapeText(value, sizes);
  if (shape) return shape;
  return value[1].length > room ? `${value[1].slice(0, room - 1)}…` : value[1];
}

/** @param {Record<string, string>} colours @param {string} expression @returns {string} */
export function colourOf(colours, expression) {
  const name = expression.split("|")[0].match(/[\p{L}_]\w*/gu)?.find((one) => Object.hasOwn(colours, one));
  return name ? colours[name] : OTHER;
}

/**
 * A value as an element: tensors by their axes, each with its colour under its name and its number behind.
 * @param {Headline} value @param {Record<string, string>} colours
 */
export function valueElement(value, colours) {
  const [, text, shape, axes] = value;
  if (!shape || !axes) return h("bdi", { class: "pl-value" }, shown(text));
  const rest = text.slice(text.indexOf(")") + 1).trim();
  const chips = axes.map((/** @type {string} */ axis, /** @type {number} */ at) => {
    const chip = h("span", { class: "pl-axis" }, shown(axis), axis === String(shape[at]) ? null : h("small", {}, ` ${shape[at]}`));
    chip.style.setProperty("--axis", colourOf(colours, axis));
    return chip;
  });
  return h("bdi", { class: "pl-value" }, ...chips, h("span", { class: "pl-dtype" }, ` ${shown(rest)}`));
}

/**
 * What is inside a value, as rows that open in turn.
 * @param {any} whole @param {Record<string, string>} colours @param {string} noNumbers what is said of a tensor without
 */
export function insideOf(whole, colours, noNumbers) {
  const rows = [];
  for (const [name, fact] of Object.entries(whole.facts ?? {})) if (!["shape", "axes"].includes(name)) rows.push(factRow(name, fact));
  if (whole.facts?.shape && !whole.facts.numbers) rows.push(h("li", { class: "pl-hint" }, noNumbers));
  for (const [label, part] of whole.parts ?? []) rows.push(partRow(label, part, colours, noNumbers));
  return h("ul", { class: "pl-inside" }, ...rows);
}

/** @param {string} name @param {any} fact */
function factRow(name, fact) {
  return h("li", {}, h("span", { class: "pl-fact" }, shown(name)), " ", h("bdi", { class: "pl-value" }, shown(factText(fact))));
}

/** @param {any} fact @returns {string} */
function factText(fact) {
  if (fact === null) return "None";
  if (Array.isArray(fact)) return `(${fact.map(factText).join(", ")})`;
  if (typeof fact === "object") return fact.py;
  if (typeof fact === "boolean") return fact ? "True" : "False";
  return String(fact);
}

/** @param {string} label @param {any} part @param {Record<string, string>} colours @param {string} noNumbers */
function partRow(label, part, colours, noNumbers) {
  const line = [h("bdi", { class: "pl-name" }, shown(label)), " ", valueElement(headlineOf(part), colours)];
  if (Array.isArray(part) || !(part.parts.length || Object.keys(part.facts).length)) return h("li", {}, ...line);
  const details = h("details", {}, h("summary", {}, ...line));
  details.addEventListener("toggle", () => details.children.length === 1 && details.append(insideOf(part, colours, noNumbers)), { once: true });
  return h("li", {}, details);
}

/** @param {any} value @returns {Headline} */
export function headlineOf(value) {
  if (Array.isArray(value)) return value;
  return [value.type, value.text, value.facts.shape ?? null, value.facts.axes ?? null, value.number, value.parts.length ? 1 : 0];
}
