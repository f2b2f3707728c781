// ShapeFlow: controls, figures and the picture, each of them following the others at once.

import { axesOf, cost, divisors, journey, moved, readersOfRows, sizesOf } from "./computing.js";
import { drawJourney, drawRows, SHOWN } from "./drawing.js";
import { choice, commas, fill, keepDrawn, keepsKeys, make, number, tick, withoutKernel } from "../moving/parts.js";

/** @typedef {import("./computing.js").Data} Data @typedef {import("./computing.js").Chosen} Chosen */

const GROUPS = [
  ["ofModel", ["model", "layers", "heads", "kv_heads", "head_dim"]],
  ["ofPrefix", ["prefix_len", "projection", "encoder_hidden", "batch", "tokens", "dtype"]],
];
const MOST_LAYERS = 10_000; // each has rows of its own, which are counted one by one
const NARROW = 760; // pixels: below, a step's sentence stands over its boxes

/** As many digits as Python writes, a half to the even one. @param {number} value @param {number} digits */
function decimal(value, digits) {
  const scaled = value * 10 ** digits;
  const low = Math.floor(scaled);
  return scaled - low === 0.5 ? ((low + (low % 2)) / 10 ** digits).toFixed(digits) : value.toFixed(digits);
}

/** Bytes as one reads them: `2.8 MiB`. @param {number} bytes @param {Record<string, string>} texts */
export function amount(bytes, texts) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let at = 0;
  while (bytes >= 1024 && at < 3) [bytes, at] = [bytes / 1024, at + 1];
  return at ? `${decimal(bytes, 1)} ${units[at]}` : fill(texts.bytes, { number: decimal(bytes, 0) });
}

/** What it costs, as [question, answer]. @param {Data} data @param {Chosen} chosen @returns {[string, string][]} */
export function facts(data, chosen) {
  const { texts } = data;
  const sizes = sizesOf(data, chosen);
  const costs = cost(data, chosen);
  const size = (/** @type {number} */ bytes) => amount(bytes, texts);
  const width = sizes.kv_heads * sizes.head_dim;
  const product = `${sizes.kv_heads === sizes.heads ? "heads" : "kv_heads"} · head_dim = ${sizes.kv_heads} · ${sizes.head_dim} = ${width}`;
  const share = costs.total === null ? texts.unknownShare : fill(texts.share, { share: decimal((100 * costs.trainable) / costs.total, 4), total: commas(costs.total) });
  const cache = fill(chosen.batch > 1 ? texts.cacheOfMany : texts.cacheOfOne, { size: size(costs.cacheBytes), batch: chosen.batch, each: size(costs.cacheBytes / chosen.batch) });
  let dead = sizes.encoder_decoder ? texts.noneDeadTwo : texts.noneDead;
  if (costs.dead.length) dead = sizes.layers % 2 === 0 && sizes.readers === sizes.layers ? texts.deadHalf : texts.dead;
  const values = { rows: costs.rows, dead: costs.dead.length, parameters: commas(costs.deadParameters), size: size(costs.deadBytes), half: Math.floor(sizes.layers / 2) };
  return [
    [texts.width, width === sizes.hidden ? `hidden = ${product}` : fill(texts.otherWidth, { product, hidden: sizes.hidden })],
    [texts.trainable, commas(costs.trainable)],
    ...(chosen.projection ? /** @type {[string, string][]} */ ([[texts.ofThem, Object.entries(costs.parts).map(([name, count]) => `${name} ${commas(count)}`).join(", ")]]) : []),
    [texts.shareOf, share],
    [fill(texts.cache, { dtype: chosen.dtype }), cache],
    [texts.deadRows, fill(dead, values)],
  ];
}

/** The picture in words, for those who hear it. @param {Data} data @param {Chosen} chosen */
export function inWords(data, chosen) {
  return journey(data, chosen)
    .map((step, at) => `${at + 1} ${step.shown}: ${step.countAxis && `${step.countAxis} × `}(${step.axes.join(", ")}) = ${step.countAxis && `${step.count} × `}(${step.shape.join(", ")}). ${step.sentence}`)
    .join("\n");
}

/** @param {Data} data @param {Chosen} chosen */
export function rowsSaid(data, chosen) {
  const { dead, rows } = cost(data, chosen);
  return fill(dead.length ? data.texts.rowsDead : data.texts.rowsRead, { last: rows - 1, dead: dead.join(", ") });
}

/** @param {{model: any, el: HTMLElement}} place */
function render({ model, el }) {
  /** @type {() => Data} */
  const data = () => model.get("data");
  const { texts, axes, reach } = data();
  const move = (/** @type {string} */ name) => (/** @type {any} */ value) => {
    model.set("chosen", moved(data(), model.get("chosen"), name, value));
    model.save_changes();
  };
  /** @type {Record<string, any>} */
  const controls = {
    model: choice({ name: texts.model }, move("model")),
    kv_heads: choice({ name: "kv_heads", said: axes.kv_heads }, (value) => move("kv_heads")(Number(value))),
    projection: tick({ name: texts.projection }, move("projection")),
    dtype: choice({ name: "dtype" }, move("dtype")),
  };
  for (const [name, far] of Object.entries(reach)) {
    const said = axes[name] ? fill(texts.meaning, { meaning: axes[name] }) : texts.drag;
    controls[name] = number({ name, said, slider: texts.slider, least: 1, far, most: name === "layers" ? MOST_LAYERS : 10_000_000 }, move(name));
  }
  const groups = GROUPS.flatMap(([label, names]) => [make("p", {}, make("b", {}, texts[String(label)])), make("div", { class: "pm-grid" }, .../** @type {string[]} */ (names).map((name) => controls[name].row))]);
  const trouble = make("p", { class: "pm-trouble" });
  const body = make("tbody");
  const picture = make("div", { class: "pm-wide", tabindex: 0 });
  const caption = make("p");
  const rows = make("div", { class: "pm-wide", tabindex: 0 });
  const root = make("div", { class: "pm-root" }, ...groups, trouble, make("div", { class: "pm-wide", tabindex: 0 }, make("table", {}, body)), picture, caption, rows);
  keepsKeys(root);
  el.replaceChildren(root);

  let narrow = false;
  const draw = () => {
    const given = data();
    /** @type {Chosen} */
    const chosen = model.get("chosen");
    const sizes = sizesOf(given, chosen);
    const known = axesOf(sizes, chosen);
    for (const name of Object.keys(reach)) controls[name].show(name === "tokens" ? chosen.tokens : known[name]);
    controls.tokens.named(sizes.encoder_decoder ? "target" : "source");
    controls.encoder_hidden.off(!chosen.projection);
    controls.kv_heads.offer((sizes.encoder_decoder ? [sizes.heads] : divisors(sizes.heads)).map((one) => [String(one), String(one)]));
    controls.kv_heads.off(sizes.encoder_decoder);
    controls.kv_heads.show(sizes.kv_heads);
    controls.model.offer([...Object.entries(given.models).map(([name, one]) => [name, one.label]), [given.own.two, texts.ownTwo], [given.own.one, texts.ownOne]]);
    controls.model.show(chosen.model);
    controls.dtype.offer(Object.keys(given.dtypes).map((one) => [one, one]));
    controls.dtype.show(chosen.dtype);
    controls.projection.show(chosen.projection);
    trouble.hidden = !sizes.trouble;
    trouble.textContent = sizes.trouble ? `✗ ${sizes.trouble.said}` : "";
    body.replaceChildren(...facts(given, chosen).map(([question, answer]) => make("tr", {}, make("th", { scope: "row" }, question), make("td", {}, answer))));
    const label = sizes.encoder_decoder && chosen.model === given.own.two ? texts.ownTwo : chosen.model === given.own.one ? texts.ownOne : sizes.label;
    const title = fill(chosen.projection ? texts.titleProjected : texts.title, { model: label, prefix_len: chosen.prefix_len });
    picture.replaceChildren(drawJourney(journey(given, chosen), { title, told: inWords(given, chosen), fails: sizes.trouble?.step ?? "", noCopy: texts.noCopy, size: (bytes) => amount(bytes, texts), colours: given.colours, narrow }));
    caption.hidden = rows.hidden = !sizes.encoder_decoder;
    if (!sizes.encoder_decoder) return;
    caption.textContent = fill(2 * sizes.layers > SHOWN ? texts.captionCut : texts.caption, { rows: 2 * sizes.layers, shown: SHOWN });
    rows.replaceChildren(drawRows(readersOfRows(sizes), texts.whichReads, rowsSaid(given, chosen), given.colours));
  };
  const matters = () => {
    const before = narrow;
    narrow = root.clientWidth > 0 && root.clientWidth < NARROW;
    return narrow !== before;
  };
  return keepDrawn(model, root, matters, draw);
}

/** In a page without a kernel. @param {HTMLElement} el @param {{data: Data, chosen: Chosen}} state */
function mount(el, state) {
  return render({ model: withoutKernel(state), el });
}

export default { render, mount };
