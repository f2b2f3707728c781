// The journey as a picture: a line of boxes for each step, a box an axis, and ribbons that follow an axis down.
//
// A box that stands for a product is as wide as the boxes it will be cut into, so that `view` only draws borders,
// `permute` only crosses ribbons, and `cat` shows every row twice. A second picture shows which decoder layer reads
// which row of the prefix: half of them are read by none.

import { make } from "../moving/parts.js";

/**
 * @typedef {{kind: string, left: number, width: number, colour: string}} Part one stretch of a box
 * @typedef {{name: string, number: number, parts: Part[], times: boolean, left: number, width: number}} Box
 */

// In pixels. What the boxes of one axis take, wide enough for its name.
/** @type {Record<string, number>} */
const WIDTHS = { batch: 63, prefix_len: 90, rows: 98, heads: 77, kv_heads: 77, head_dim: 86, block: 35 };
const [TEXT_WIDTH, ENCODER_HIDDEN, COUNT] = [79, 134, 98];
const [TOP, LINE, BOX, GAP, RIGHT] = [8, 90, 50, 9, 77];
const WRAP = 36; // signs of a sentence in one line, where it stands on the left
const TYPE = 13;
const OTHER = "#767676";
const INK = "var(--jp-ui-font-color1, var(--vscode-foreground, CanvasText))";
const FAINT = "var(--jp-border-color1, var(--vscode-widget-border, GrayText))";
/** @type {Record<string, string[]>} a block holds the rows of one layer */
const SOURCES = { rows: ["rows", "block"], block: ["rows"] };
export const SHOWN = 48; // more cells than this would be too narrow for their numbers

/** The colours of the axes that a name has. @param {string} name @param {Record<string, string>} colours */
function coloursOf(name, colours) {
  const found = (name.match(/[a-z_]+/g) ?? []).map((one) => colours[one] ?? OTHER);
  return found.length ? found : [OTHER];
}

/**
 * What a box consists of: kind, width, colour. A product's factors are those that it will be cut into.
 * @param {string} name @param {Record<string, string>} colours @returns {[string, number, string][]}
 */
function stretches(name, colours) {
  const own = coloursOf(name, colours);
  if (/^\d+$/.test(name)) return [["block", WIDTHS.block, OTHER]];
  if (name === "encoder_hidden") return [["mixed", ENCODER_HIDDEN, own[0]]];
  if (name.includes("+")) return [["prefix_len", WIDTHS.prefix_len, own[0]], [name.split("+")[1], TEXT_WIDTH, own[1]]];
  if (name === "4·layers") return [["rows", WIDTHS.rows, own[0]], ["rows", WIDTHS.rows, own[0]]];
  /** @type {[string, number, string][]} */
  const found = name.startsWith("2·layers") ? [["rows", WIDTHS.rows, own[0]]] : [];
  const rest = name.replace(/^2·layers·?/, "");
  const colour = coloursOf(rest, colours);
  if (rest === "hidden" || rest.includes("·")) return [...found, ["heads", WIDTHS.heads + GAP, colour[0]], ["head_dim", WIDTHS.head_dim, colour[colour.length - 1]]];
  return rest ? [...found, [rest === "kv_heads" ? "heads" : rest, WIDTHS[rest], colour[0]]] : found;
}

/** The boxes of a step from left to right. @param {import("./computing.js").Step} step @param {Record<string, string>} colours @returns {Box[]} */
export function boxesOf(step, colours) {
  /** @type {Box[]} */
  const boxes = [];
  let left = 0;
  const add = (/** @type {string} */ name, /** @type {number} */ number, /** @type {[string, number, string][]} */ given, /** @type {boolean} */ times) => {
    const start = left;
    const parts = given.map(([kind, width, colour]) => ({ kind, width, colour, left: (left += width) - width }));
    boxes.push({ name, number, parts, times, left: start, width: left - start });
    left += times ? 3 * GAP : GAP;
  };
  if (step.countAxis) add(step.countAxis, step.count, [["rows", COUNT, colours.layers]], true);
  step.axes.forEach((name, at) => add(name, step.shape[at], stretches(name, colours), false));
  return boxes;
}

/** One line of text, its middle at height `y`. @param {number} x @param {number} y @param {string} said @param {Record<string, any>} [look] */
function words(x, y, said, look = {}) {
  const size = look["font-size"] ?? TYPE;
  return make("text", { x, y: y + size * 0.36, "font-size": size, "text-anchor": "middle", fill: INK, ...look }, said);
}

/** A sentence in lines; Chinese signs take the room of two, and a line may end behind each. @param {string} text @param {number} most */
function wrapped(text, most) {
  const lines = [""];
  const room = (/** @type {string} */ one) => [...one].reduce((all, sign) => all + (sign > "\u2e80" ? 2 : 1), 0);
  for (const piece of text.match(/[\u2e80-\uffff][，。：；、]?|[^\s\u2e80-\uffff]+\s*|\s+/g) ?? []) {
    if (room(lines[lines.length - 1] + piece.trimEnd()) > most) lines.push("");
    lines[lines.length - 1] += piece;
  }
  return lines;
}

/**
 * The picture as `<svg>`; `title` and `told` are for those who hear it.
 * @param {import("./computing.js").Step[]} steps
 * @param {{title: string, told: string, fails: string, noCopy: string, size: (bytes: number) => string,
 *   colours: Record<string, string>, narrow: boolean}} look
 */
export function drawJourney(steps, { title, told, fails, noCopy, size, colours, narrow }) {
  const lines = steps.map((step) => boxesOf(step, colours));
  const most = Math.max(...lines.map((line) => line[line.length - 1].left + line[line.length - 1].width));
  const said = steps.map((step) => wrapped(step.sentence, narrow ? 64 : WRAP));
  const left = narrow ? 2 : 270;
  const head = (/** @type {number} */ at) => (narrow ? 24 + 16 * said[at].length : 0); // above the boxes
  const tops = [TOP];
  steps.forEach((_, at) => tops.push(tops[at] + LINE + head(at)));
  /** @type {Node[]} */
  const drawn = [];
  steps.forEach((step, at) => {
    if (at) drawn.push(...between(step.key, lines[at - 1], lines[at], [tops[at - 1] + head(at - 1) + BOX, tops[at] + head(at)]));
  });
  steps.forEach((step, at) => {
    const [x, y] = [-left + 2, tops[at]];
    const start = { "text-anchor": "start" };
    const boxes = y + head(at);
    // on its own ground, since ribbons may run below it
    const ground = { stroke: "var(--jp-layout-color0, Canvas)", "stroke-width": 3, "paint-order": "stroke" };
    drawn.push(words(x, y + 7, (step.key === fails ? "✗ " : "") + step.shown, { ...start, ...ground, "font-size": 14, "font-weight": "bold" }));
    said[at].forEach((line, number) => drawn.push(words(x, y + 26 + number * 16, line, { ...start, ...ground })));
    for (const box of lines[at]) drawn.push(...drawBox(box, boxes));
    const memory = step.key === "ids" ? [step.dtype] : [step.dtype, step.copies ? size(step.bytes) : noCopy];
    memory.forEach((line, number) => drawn.push(words(most + RIGHT - 5, boxes + BOX / 2 + (number - 0.5) * 16, line, { "text-anchor": "end" })));
  });
  const width = left + most + RIGHT;
  return framed(drawn, -left, width, tops[steps.length] - 8, title, told, narrow ? 0.72 : 0.92);
}

/** @param {Node[]} drawn @param {number} left @param {number} width @param {number} height @param {string} title @param {string} told @param {number} least */
function framed(drawn, left, width, height, title, told, least) {
  const style = `display: block; width: 100%; max-width: ${width}px; min-width: ${Math.round(least * width)}px; height: auto`;
  return make("svg", { role: "img", viewBox: `${left} 0 ${width} ${height}`, style }, make("title", {}, title), make("desc", {}, told), ...drawn);
}

/** A frame in the axis's colours, its name above its number. @param {Box} box @param {number} top */
function drawBox(box, top) {
  const found = box.parts.flatMap(({ left, width, colour }) => [
    make("rect", { x: left, y: top, width, height: BOX, fill: colour, "fill-opacity": 0.18 }),
    make("rect", { x: left, y: top, width, height: 4, fill: colour }),
  ]);
  found.push(make("rect", { x: box.left, y: top, width: box.width, height: BOX, fill: "none", stroke: box.parts[0].colour, "stroke-dasharray": box.times && "4 3" }));
  const middle = box.left + box.width / 2;
  if (!/^\d+$/.test(box.name)) found.push(words(middle, top + 15, box.times ? `${box.name} ×` : box.name));
  found.push(words(middle, top + 36, box.times ? `${box.number} ×` : String(box.number), { "font-size": 15, "font-weight": "bold" }));
  return found;
}

/**
 * From each stretch of a line to where the same numbers are in the next one, which is the step `key`.
 * @param {string} key @param {Box[]} above @param {Box[]} below @param {[number, number]} heights
 */
function between(key, above, below, heights) {
  /** @type {Node[]} */
  const drawn = [];
  if (key === "mask") return drawn; // it does not come from the keys
  if (key.startsWith("linear")) {
    // every number of the last axis goes into every number of the next
    const [first, second] = [above[above.length - 1], below[below.length - 1]];
    drawn.push(band([first.left, first.left + first.width], [second.left, second.left + second.width], heights, OTHER));
    [above, below] = [above.slice(0, -1), below.slice(0, -1)];
  }
  const parts = above.flatMap((box) => box.parts);
  below.flatMap((box) => box.parts).forEach((part, at) => {
    let found = parts.filter((one) => (SOURCES[part.kind] ?? [part.kind]).includes(one.kind));
    if (key === "permute" && part.kind === "rows") found = found.slice(at, at + 1); // the doubled rows stay two
    if (!found.length) return;
    const source = /** @type {[number, number]} */ ([Math.min(...found.map((one) => one.left)), Math.max(...found.map((one) => one.left + one.width))]);
    drawn.push(band(source, [part.left, part.left + part.width], heights, part.colour));
  });
  return drawn;
}

/** A ribbon that bends from one stretch to another. @param {[number, number]} above @param {[number, number]} below @param {[number, number]} heights @param {string} fill */
function band([a, b], [c, d], [top, bottom], fill) {
  const middle = (top + bottom) / 2;
  const path = `M${a} ${top}C${a} ${middle} ${c} ${middle} ${c} ${bottom}H${d}C${d} ${middle} ${b} ${middle} ${b} ${top}Z`;
  return make("path", { d: path, fill, "fill-opacity": 0.3 });
}

/**
 * A cell for each of the 2·layers rows, the layers that read it below. `told` says it in words.
 * @param {number[][]} readers @param {string} title @param {string} told @param {Record<string, string>} colours
 */
export function drawRows(readers, title, told, colours) {
  const shown = readers.slice(0, SHOWN);
  const step = Math.max(24, 880 / Math.max(shown.length, 12)); // few rows do not become wide
  const width = step * 0.92;
  const drawn = shown.flatMap((layers, row) => {
    const left = row * step;
    const look = layers.length ? { fill: colours.layers, "fill-opacity": 0.35 } : { fill: "none" };
    const found = [make("rect", { x: left, y: 24, width, height: 29, stroke: FAINT, ...look }), words(left + width / 2, 13, String(row))];
    if (!layers.length) found.push(make("path", { d: `M${left} 24l${width} 29m0 -29l${-width} 29`, stroke: FAINT }));
    else if (row % 2 === 0) found.push(words(left + step * 0.96, 65, layers.join(", ")));
    return found;
  });
  return framed(drawn, -2, shown.length * step + 24, 80, title, told, 0.92);
}
