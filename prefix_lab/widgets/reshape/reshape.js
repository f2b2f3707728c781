// ReshapeView: one step at a time, any number of it to be followed back to its row of the table and on to who reads it,
// with the pointer or the keys.

import { beginOf, countOf, indexOf, journeyGiven, journeyOf, placeOf, range, readersOf, within } from "./following.js";
import { colourings, drawStep, legend, pathOf } from "./picture.js";
import { elementSaid, givenSaid, memorySaid, mistakeSaid, placesSaid, rowSaid, shapeSaid, stepSaid } from "./saying.js";
import { choice, fill, keepDrawn, keepsKeys, make, number, tick, withoutKernel } from "../moving/parts.js";

/**
 * @typedef {import("./following.js").Sizes & {step: number, colour: number, by_view: boolean, at: [number, number] | null, row: boolean}} Chosen
 * @typedef {{texts: Record<string, string>, notes: Record<string, string>, colours: Record<string, string>,
 *   reach: Record<string, number>, fixed: boolean, values: import("./saying.js").Values,
 *   given: {right: any[], wrong: any[] | null} | null}} Data
 */

const SIZES = ["batch", "prefix_len", "layers", "heads", "kv_heads", "head_dim", "encoder_hidden"];
const MOST = 2 ** 22; // numbers of a journey
const ELEMENT = ["layer", "key_value", "head", "prefix_len", "head_dim"];

/** The setting after one control was moved; sizes that would be too much, or do not go together, stay. @param {Chosen} chosen @param {string} name @param {any} value @returns {Chosen} */
export function changedTo(chosen, name, value) {
  const next = { ...chosen, [name]: value };
  if (![...SIZES, "family", "projection"].includes(name)) return next;
  if (next.heads % next.kv_heads) next.kv_heads = range(Math.min(next.heads, next.kv_heads), 1).filter((one) => next.heads % one === 0).pop() ?? 1;
  const { batch, prefix_len, layers, heads, head_dim } = next;
  if (4 * batch * prefix_len * layers * heads * head_dim > MOST) return chosen;
  const last = journeyOf(next, {}, { keyAt: "", valueAt: "" }).stages.length - 1;
  return { ...next, at: null, row: false, step: Math.min(next.step, last) };
}

/** What there is to colour by in PEFT's journey: what a number's place at birth says. @param {Chosen} chosen @param {Data} data @returns {import("./picture.js").Colouring[]} */
function ofJourney(chosen, { texts }) {
  const few = chosen.family === "Llama";
  const shape = [chosen.prefix_len, 2 * chosen.layers, few ? chosen.kv_heads : chosen.heads, chosen.head_dim];
  const names = ["prefix_len", "2·layers", few ? "kv_heads" : "heads", "head_dim"];
  const meanings = range(2 * chosen.layers).map((row) => (chosen.family === "T5" ? "" : fill(row % 2 ? texts.valueAt : texts.keyAt, { layer: row >> 1 })));
  return names.map((name, axis) => ({ label: name, axis: name, count: shape[axis], index: (one) => indexOf(one, shape)[axis], meanings: axis === 1 ? meanings : [] }));
}

/** @param {{model: any, el: HTMLElement}} place */
function render({ model, el }) {
  /** @type {() => Data} */
  const data = () => model.get("data");
  /** @type {() => Chosen} */
  const now = () => model.get("chosen");
  const { texts, reach } = data();
  const set = (/** @type {Partial<Chosen>} */ some) => {
    model.set("chosen", { ...now(), ...some });
    model.save_changes();
  };
  const move = (/** @type {string} */ name) => (/** @type {any} */ value) => set(changedTo(now(), name, value));

  const back = make("button", { onclick: () => go(-1) }, texts.back);
  const next = make("button", { onclick: () => go(1) }, texts.next);
  const colour = choice({ name: texts.colourBy }, (value) => set({ colour: Number(value) }));
  const byView = tick({ name: texts.byView }, (value) => set({ by_view: value }));
  const row = tick({ name: texts.wholeRow }, (value) => set({ row: value, at: now().at ?? [0, 0] }));
  const undo = make("button", { onclick: () => set({ at: null, row: false }) }, texts.letGo);
  /** @type {Record<string, any>} */
  const sizes = {
    family: choice({ name: texts.family }, move("family")),
    projection: tick({ name: texts.projection }, move("projection")),
  };
  for (const name of SIZES) sizes[name] = number({ name, said: texts.drag, slider: texts.slider, least: 1, far: reach[name], most: 4096 }, move(name));
  const keyValue = choice({ name: "key_value" }, () => element("key_value"));
  keyValue.offer([["0", texts.key], ["1", texts.value]]);
  /** @type {Record<string, any>} */
  const parts = { key_value: keyValue };
  /** @type {Record<string, number>} */
  const picked = { layer: 0, key_value: 0, head: 0, prefix_len: 0, head_dim: 0 };
  for (const name of ["layer", "head", "prefix_len", "head_dim"]) {
    parts[name] = number({ name: texts[name], said: texts.drag, slider: texts.slider, least: 0, far: 1, most: 4096 }, (value) => element(name, value));
  }

  const said = make("div", { class: "pr-said", role: "status", "aria-live": "polite" });
  const step = make("code", { class: "pr-step" });
  const words = make("div");
  const key = make("div", { class: "pr-legend" });
  const picture = make("div", { class: "pr-picture pm-wide", tabindex: 0, role: "group", "aria-label": texts.hint });
  const steps = make("ol", { class: "pr-path", start: 0 });
  const given = data().given !== null;
  const setting = make("details", { class: "pr-sizes" }, make("summary", {}, texts.sizes), make("div", { class: "pm-grid" }, sizes.family.row, sizes.projection.row, ...SIZES.map((name) => sizes[name].row)));
  const pick = make("fieldset", {}, make("legend", {}, texts.element), make("div", { class: "pm-grid" }, ...ELEMENT.map((name) => parts[name].row)));
  const bar = make("div", { class: "pr-bar" }, back, next, colour.row, byView.row, !given && row.row, undo);
  const root = make("div", { class: "pm-root pr-root" }, bar, !given && !data().fixed && setting, step, words, said, key, make("div", { class: "pr-both" }, make("div", { class: "pr-left" }, picture), make("div", { class: "pr-right" }, !given && pick, steps)));
  keepsKeys(root);
  el.replaceChildren(root);

  /** @type {import("./following.js").Journey} */
  let right;
  /** @type {import("./following.js").Journey} */
  let journey;
  let made = "";
  /** @type {Map<number, boolean>} */
  const dead = new Map();
  let stood = now().step;

  const last = () => journey.stages.length - 1;
  const go = (/** @type {number} */ by) => set({ step: Math.min(Math.max(now().step + by, 0), last()) });

  /** An element of the cache is chosen by its indices. @param {string} name @param {number} [value] */
  function element(name, value) {
    const stage = right.stages[last()];
    picked[name] = value ?? Number(keyValue.row.querySelector("select")?.value ?? 0);
    const shape = stage.pieces[0].shape;
    const index = [0, picked.head, picked.prefix_len, picked.head_dim].map((one, axis) => Math.min(one, shape[axis] - 1));
    const piece = Math.min(2 * picked.layer + picked.key_value, stage.pieces.length - 1);
    set({ at: [last(), beginOf(stage, piece) + placeOf(index, shape)], row: false });
  }

  function work() {
    const chosen = now();
    const { family, batch, prefix_len, layers, heads, kv_heads, head_dim, projection, encoder_hidden } = chosen;
    const about = JSON.stringify([data(), family, batch, prefix_len, layers, heads, kv_heads, head_dim, projection, encoder_hidden, chosen.by_view]);
    if (about === made) return;
    made = about;
    dead.clear();
    const { given, notes } = data();
    right = given ? journeyGiven(given.right) : journeyOf(chosen, notes, texts);
    journey = right;
    if (chosen.by_view) journey = given ? (given.wrong ? journeyGiven(given.wrong) : right) : journeyOf(chosen, notes, texts, true);
  }

  const isDead = (/** @type {number} */ one) => {
    if (given || now().family !== "T5") return false;
    if (!dead.has(one)) dead.set(one, !readersOf(right, one).length);
    return Boolean(dead.get(one));
  };

  function draw() {
    work();
    const chosen = now();
    const all = data();
    const at = Math.min(chosen.step, last());
    const big = range(journey.stages.length).some((one) => countOf(journey.stages[one]) > 1024);
    const spot = chosen.at ?? (big ? /** @type {[number, number]} */ ([last(), 0]) : null);
    const whole = chosen.row && !chosen.by_view; // a mistaken view takes no row to one place
    const path = spot && pathOf(journey, spot, whole);
    const choices = given ? colourings(right, texts) : ofJourney(chosen, all);
    const colouring = choices[Math.min(chosen.colour, choices.length - 1)] ?? null;
    colour.offer(choices.map(({ label }, number) => [String(number), label]));
    colour.show(Math.min(chosen.colour, choices.length - 1));
    colour.row.hidden = !choices.length;
    byView.row.hidden = given && !all.given?.wrong;
    byView.show(chosen.by_view);
    row.show(whole);
    row.off(chosen.by_view);
    undo.disabled = !chosen.at;
    back.disabled = at === 0;
    next.disabled = at === last();
    sizes.family.offer([["GPT-2", "GPT-2"], ["Llama", texts.llama], ["T5", texts.t5]]);
    sizes.family.show(chosen.family);
    sizes.projection.show(chosen.projection);
    for (const name of SIZES) sizes[name].show(/** @type {any} */ (chosen)[name], reach[name]);
    sizes.kv_heads.row.hidden = chosen.family !== "Llama";
    sizes.encoder_hidden.row.hidden = !chosen.projection;

    const stage = journey.stages[at];
    step.textContent = stepSaid(journey, at, texts);
    const lines = [shapeSaid(stage, texts), stage.note, ...mistakeSaid(right, journey, at, texts), ...memorySaid(journey, at, texts), big ? texts.around : ""].filter(Boolean);
    words.replaceChildren(...lines.map((line) => make("div", {}, line)));
    let told = [texts.hint];
    if (spot && path) told = given || chosen.by_view ? givenSaid(journey, spot, path, texts) : whole ? rowSaid(journey, path, texts) : elementSaid(journey, chosen, spot, path, all.values, texts);
    if (said.textContent !== told.join("")) said.replaceChildren(...told.map((line) => make("div", {}, line)));
    const look = { step: at, right, colouring, colours: all.colours, path, dead: isDead, texts, fly: at === stood + 1, wide: Math.max(picture.clientWidth || 700, 330), told: [step.textContent, ...lines].join("\n"), pick: (/** @type {number} */ where, /** @type {number} */ place) => choose(where, place) };
    stood = at;
    picture.replaceChildren(drawStep(journey, look));
    key.replaceChildren(...legend(journey, look));
    steps.replaceChildren(...journey.stages.map((one, number) => {
      const where = path && make("div", { class: path[number].length ? "" : "pr-nowhere" }, placesSaid(one, path[number], texts));
      const code = make("button", { "aria-current": number === at && "step", onclick: () => set({ step: number }) }, one.code || texts.theStart);
      return make("li", {}, code, where ?? null);
    }));
    if (!given && path?.[last()].length && !whole) {
      const [piece, inside] = within(right.stages[last()], path[last()][0]);
      const [, head, token, channel] = indexOf(inside, right.stages[last()].pieces[piece].shape);
      Object.assign(picked, { layer: piece >> 1, key_value: piece % 2, head, prefix_len: token, head_dim: channel });
    }
    if (given) return;
    const shape = right.stages[last()].pieces[0].shape;
    const reaches = [chosen.layers, 2, ...shape.slice(1)];
    ELEMENT.forEach((name, axis) => (name === "key_value" ? keyValue.show(picked[name]) : parts[name].show(picked[name], reaches[axis] - 1)));
  }

  /** A number is followed; a second click lets it go. @param {number} where @param {number} place */
  function choose(where, place) {
    const { at } = now();
    set(at && at[0] === where && at[1] === place ? { at: null, row: false } : { at: [where, place] });
  }

  picture.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { step: at, at: spot } = now();
    const stage = journey.stages[at];
    const there = spot ? pathOf(journey, spot, false)[at][0] : undefined;
    const shape = stage.pieces[there === undefined ? 0 : within(stage, there)[0]].shape;
    const line = shape.at(-1) ?? 1;
    const block = line * (shape.at(-2) ?? 1);
    /** @type {Record<string, number>} */
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -line, ArrowDown: line, PageUp: -block, PageDown: block };
    if (event.key === "n" || event.key === "p") go(event.key === "n" ? 1 : -1);
    else if (by[event.key]) {
      const wanted = there === undefined ? 0 : there + by[event.key];
      if (wanted >= 0 && wanted < countOf(stage)) set({ at: [at, wanted], row: false });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  let wide = 0;
  const matters = () => {
    const far = Math.abs(picture.clientWidth - wide) > 8;
    if (far) wide = picture.clientWidth;
    return far;
  };
  return keepDrawn(model, picture, matters, draw);
}

/** In a page without a kernel. @param {HTMLElement} el @param {{data: Data, chosen: Chosen}} state */
function mount(el, state) {
  return render({ model: withoutKernel(state), el });
}

export default { render, mount };
