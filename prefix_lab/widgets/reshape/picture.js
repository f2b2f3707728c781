// A step as a picture: the tensor before, the tensor after, each number in the colour of the place that it came from,
// and the one that is followed with a line from where it stood to where it stands.

import { countOf, follow, indexOf, numberAt, range, within } from "./following.js";
import { arrange, fits, LINE } from "./laying.js";
import { fill, make } from "../moving/parts.js";

/**
 * @typedef {import("./following.js").Journey} Journey @typedef {import("./following.js").Stage} Stage
 * @typedef {{label: string, axis: string, count: number, index: (number: number) => number, meanings: string[]}} Colouring
 *   `index` of a number along the axis, -1 where it has none
 * @typedef {{step: number, right: Journey, colouring: Colouring | null, colours: Record<string, string>, path: number[][] | null,
 *   dead: (number: number) => boolean, texts: Record<string, string>, fly: boolean, wide: number, told: string,
 *   pick: (step: number, place: number) => void}} Look
 */

const [HEAD, BETWEEN] = [26, 26];
const TEXT = "var(--jp-ui-font-color1, var(--vscode-foreground, CanvasText))";
const EDGE = "var(--jp-border-color1, var(--vscode-widget-border, GrayText))";
const OTHER = "#767676";
const NAMELESS = "#b0467e"; // for an axis without a name: in no axis's colour, and as readable in either theme
const [PALEST, FULLEST] = [0.05, 0.72];

/** @param {string} name @param {Record<string, string>} colours */
function coloursOfAxis(name, colours) {
  const found = (name.match(/[a-z_]+/g) ?? []).map((one) => colours[one] ?? OTHER);
  return found.length ? found : [OTHER];
}

/**
 * Every axis of steps that Python ran that gives each number one index and tells at least two apart.
 * @param {Journey} journey @param {Record<string, string>} texts @returns {Colouring[]}
 */
export function colourings(journey, texts) {
  /** @type {Colouring[]} */
  const found = [];
  const met = new Set();
  journey.stages.forEach((stage, step) => {
    const axes = stage.pieces[0]?.axes ?? [];
    axes.forEach((name, axis) => {
      /** @type {Map<number, number>} */
      const index = new Map();
      let one = true;
      for (const place of range(countOf(stage))) {
        const [piece, inside] = within(stage, place);
        const number = numberAt(journey, step, place);
        const at = indexOf(inside, stage.pieces[piece].shape)[axis];
        one &&= (index.get(number) ?? at) === at;
        index.set(number, at);
      }
      const key = JSON.stringify([...index].sort(([a], [b]) => a - b));
      const count = new Set(index.values()).size;
      if (!one || count < 2 || met.has(key)) return;
      met.add(key);
      const label = name || fill(texts.axisOf, { axis, step: stage.operation || texts.start });
      const named = found.some((one) => one.label === label) ? `${label} (${stage.operation})` : label;
      found.push({ label: named, axis: name, count: Math.max(...index.values()) + 1, index: (number) => index.get(number) ?? -1, meanings: [] });
    });
  });
  return found;
}

/** How opaque a number's cell is: the later the index, the fuller. @param {Colouring} colouring @param {number} index */
function shade(colouring, index) {
  return index < 0 ? 0 : PALEST + ((FULLEST - PALEST) * index) / Math.max(colouring.count - 1, 1);
}

/** @param {Colouring} colouring @param {Record<string, string>} colours */
function colourOf({ axis }, colours) {
  return axis ? coloursOfAxis(axis, colours)[0] : NAMELESS;
}

/** @param {number} x @param {number} y @param {string} said @param {Record<string, any>} [look] */
function write(x, y, said, look = {}) {
  return make("text", { x, y, fill: TEXT, "font-size": 13, ...look }, said);
}

/** How wide a text is drawn, more or less; a Chinese sign takes the room of two. @param {string} text */
function room(text) {
  return [...text].reduce((all, sign) => all + (sign > "\u2e80" ? 13.5 : 7.4), 0);
}

/** What a tensor is: `after`, then each axis with a patch of its colour, its size, and the way that it runs. @param {string} word @param {Stage} stage @param {string[]} ways @param {Look} look @returns {[Element, number]} */
function heading(word, stage, ways, look) {
  const parts = [write(0, 14, word, { "font-weight": 600 })];
  let x = 12 + room(word) * 1.08;
  if (stage.many) {
    const text = `${stage.pieces.length} ${stage.each} ×`;
    parts.push(write(x, 14, text));
    x += room(text) + 8;
  }
  const [first] = stage.pieces;
  const alike = first && stage.pieces.every((one) => String(one.shape) === String(first.shape));
  (alike ? first.shape : []).forEach((count, axis) => {
    for (const colour of coloursOfAxis(first.axes[axis], look.colours)) {
      parts.push(make("rect", { x, y: 4, width: 9, height: 12, rx: 2, fill: colour }));
      x += 10;
    }
    const text = `${first.axes[axis] || fill(look.texts.axis, { axis })} ${count} ${ways[axis]}`;
    parts.push(write(x + 3, 14, text));
    x += room(text) + 16;
  });
  return [make("g", {}, ...parts), x];
}

/** A frame with its name. @param {any} frame @param {Stage} stage @param {Look} look */
function framed(frame, stage, look) {
  const piece = stage.pieces[Math.max(frame.piece, 0)];
  const name = frame.axis >= 0 ? piece.axes[frame.axis] : stage.each;
  let label = frame.axis >= 0 ? `${name || fill(look.texts.axis, { axis: frame.axis })} ${frame.index}` : piece.label;
  if (name === "key_value") label = [look.texts.key, look.texts.value, look.texts.crossKey, look.texts.crossValue][frame.index];
  const unused = name === "key_value" && frame.index > 1;
  if (room(label) > frame.width - 4) label = unused ? `✗ ${frame.index}` : frame.axis >= 0 ? String(frame.index) : label.replace(/^.*?(\d+)$/, "$1");
  const colour = coloursOfAxis(name, look.colours)[0];
  return [
    make("rect", { x: frame.x, y: frame.y, width: frame.width, height: frame.height, rx: 3, fill: "none", stroke: colour, "stroke-width": frame.axis < 0 ? 2 : 1.3, "stroke-dasharray": unused && "5 4" }),
    write(frame.x + 4, frame.y + 13, label),
  ];
}

/**
 * What a place is, in words: `layers 1, value, heads 0, prefix_len 2`.
 * @param {Stage} stage @param {number} place @param {Record<string, string>} texts
 */
export function placeSaid(stage, place, texts) {
  const [number, inside] = within(stage, place);
  const { shape, axes, label } = stage.pieces[number];
  const kinds = [texts.key, texts.value, texts.crossKey, texts.crossValue];
  const said = indexOf(inside, shape).map((at, axis) => (axes[axis] === "key_value" ? kinds[at] : `${axes[axis] || fill(texts.axis, { axis })} ${at}`));
  return [...(label ? [label] : []), ...said].join(", ");
}

/**
 * One tensor, or several, of a step.
 * @param {Journey} journey @param {number} step @param {import("./laying.js").Layout} layout @param {Look} look
 * @param {Map<number, {x: number, y: number}> | null} from where each place flies from
 * @param {number} cell
 */
function tensor(journey, step, layout, look, from, cell) {
  const stage = journey.stages[step];
  const chosen = new Set(look.path?.[step] ?? []);
  const found = layout.frames.flatMap((frame) => framed(frame, stage, look));
  const seen = new Set();
  const born = step >= journey.birth;
  for (const { x, y, place } of layout.cells) {
    const number = numberAt(journey, step, place);
    const index = born && look.colouring ? look.colouring.index(number) : -1;
    const wrong = look.right !== journey && numberAt(look.right, step, place) !== number;
    const dead = born && look.dead(number);
    const moved = from?.get(place);
    const box = { x: x + 0.5, y: y + 0.5, width: cell - 1, height: LINE - 1 };
    const colour = look.colouring && born && !dead ? colourOf(look.colouring, look.colours) : OTHER;
    const opacity = dead ? 0 : look.colouring && born ? shade(look.colouring, index) : 0.1;
    found.push(
      make(
        "g",
        { class: moved ? "pr-cell pr-fly" : "pr-cell", style: moved && `--x: ${moved.x - x}px; --y: ${moved.y - y}px`, "data-place": place, "data-step": step, onclick: () => look.pick(step, place) },
        make("title", {}, fill(look.texts.numberAt, { number, place: placeSaid(stage, place, look.texts) })),
        make("rect", { ...box, fill: colour, "fill-opacity": opacity.toFixed(2), stroke: EDGE, "pointer-events": "all" }),
        seen.has(number) && make("path", { d: `M${x + cell - 1} ${y + 1}h-7l7 7z`, fill: TEXT, opacity: 0.75 }),
        dead && make("path", { d: `M${x + 2} ${y + 2}l${cell - 4} ${LINE - 4}m0 ${4 - LINE}l${4 - cell} ${LINE - 4}`, stroke: OTHER, class: "pr-dead" }),
        write(x + cell / 2, y + 15.5, String(number), { "text-anchor": "middle" }),
        wrong && make("path", { d: `M${x + 2} ${y + LINE - 2}L${x + cell - 2} ${y + 2}`, stroke: TEXT, class: "pr-wrong" }),
        chosen.has(place) && make("rect", { x: x + 1.5, y: y + 1.5, width: cell - 3, height: LINE - 3, fill: "none", stroke: TEXT, "stroke-width": 3, class: "pr-chosen" }),
      ),
    );
    seen.add(number);
  }
  return found.length ? found : [write(0, 14, look.texts.noNumbers)];
}

/** The `<svg>` of a step. @param {Journey} journey @param {Look} look */
export function drawStep(journey, look) {
  const { step, path } = look;
  const { stages } = journey;
  const steps = step ? [step - 1, step] : [0];
  const most = Math.max(...steps.map((one) => countOf(stages[one])));
  const whole = steps.every((one) => fits(stages[one]));
  const cell = Math.max(29, 8 * String(most).length + 7);
  const layouts = steps.map((one) => arrange(stages[one], path?.[one][0] ?? 0, whole, cell, look.wide - 4));
  const drawn = [];
  /** @type {Map<number, {x: number, y: number}>[]} */
  const places = [];
  let [y, width] = [0, 300];
  steps.forEach((one, at) => {
    const layout = layouts[at];
    const [head, wide] = heading(at || !step ? (step ? look.texts.after : look.texts.theStart) : look.texts.before, stages[one], layout.ways, look);
    head.setAttribute("transform", `translate(0 ${y})`);
    places.push(new Map(layout.cells.map((cell) => [cell.place, { x: cell.x, y: cell.y + y + HEAD }])));
    let from = null;
    if (at && look.fly && whole) {
      from = new Map(layout.cells.map(({ place }) => {
        const was = /** @type {{x: number, y: number}} */ (places[0].get(stages[one].back(place)[0]));
        return [place, { x: was.x, y: was.y - y - HEAD }];
      }));
    }
    drawn.push(head, make("g", { transform: `translate(0 ${y + HEAD})` }, ...tensor(journey, one, layout, look, from, cell)));
    width = Math.max(width, layout.width, wide);
    y += HEAD + layout.height + (at < steps.length - 1 ? BETWEEN : 2);
  });
  if (step && path) {
    const now = new Set(path[step]);
    const lines = path[step - 1].slice(0, 40).flatMap((was) => stages[step].forth(was).filter((place) => now.has(place)).slice(0, 8).map((place) => [places[0].get(was), places[1].get(place)]));
    for (const [a, b] of lines.slice(0, 80)) {
      if (!a || !b) continue;
      const [x, top, end, low] = [a.x + cell / 2, a.y + LINE - 1, b.x + cell / 2, b.y + 1];
      drawn.push(make("path", { d: `M${x} ${top}C${x} ${(top + low) / 2} ${end} ${(top + low) / 2} ${end} ${low}`, fill: "none", stroke: TEXT, "stroke-width": 2, "stroke-dasharray": lines.length > 1 && "6 3", "pointer-events": "none", class: "pr-line" }));
    }
  }
  const title = fill(look.texts.stepAt, { number: step, all: stages.length - 1 });
  const style = `display: block; width: ${width + 2}px; max-width: none; height: auto`;
  return make("svg", { role: "img", viewBox: `-1 0 ${width + 2} ${y}`, style }, make("title", {}, title), make("desc", {}, look.told), ...drawn);
}

/** What the colours, corners and strokes mean. @param {Journey} journey @param {Look} look */
export function legend(journey, look) {
  const items = [];
  const { colouring, texts } = look;
  if (colouring) {
    items.push(make("b", {}, colouring.label));
    for (const index of range(Math.min(colouring.count, 12))) {
      const patch = { x: 0.5, y: 0.5, width: 17, height: 11, fill: colourOf(colouring, look.colours), "fill-opacity": shade(colouring, index), stroke: EDGE };
      items.push(make("span", {}, make("svg", { width: 18, height: 12, "aria-hidden": "true" }, make("rect", patch)), ` ${index} ${colouring.meanings[index] ?? ""}`));
    }
    if (colouring.count > 12) items.push("…");
  }
  const steps = [look.step - 1, look.step].filter((step) => step >= 0);
  const shown = steps.map((step) => range(Math.min(countOf(journey.stages[step]), 4096)).map((place) => numberAt(journey, step, place)));
  if (shown.some((all) => new Set(all).size < all.length)) items.push(texts.copy);
  if (steps.some((step) => step >= journey.birth) && shown[shown.length - 1].concat(shown[0]).some(look.dead)) items.push(texts.deadMark);
  if (look.right !== journey && range(countOf(journey.stages[look.step])).some((place) => numberAt(journey, look.step, place) !== numberAt(look.right, look.step, place))) items.push(texts.wrongMark);
  return items.map((item) => make("span", {}, item));
}

/** @param {Journey} journey @param {[number, number]} at @param {boolean} row @returns {number[][]} */
export function pathOf(journey, [step, place], row) {
  if (!row) return follow(journey, step, [place]);
  const last = journey.stages[0].pieces[0].shape[1];
  const first = Math.floor(follow(journey, step, [place])[0][0] / last) * last;
  return follow(journey, 0, range(last, first));
}
