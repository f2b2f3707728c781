// What the view says: of a step, of the number that is followed, and of what went wrong where a view stands for permute.

import { countOf, numberAt, range, readersOf, within } from "./following.js";
import { placeSaid } from "./picture.js";
import { commas, fill, tuple } from "../moving/parts.js";

/**
 * @typedef {import("./following.js").Journey} Journey @typedef {import("./following.js").Stage} Stage
 * @typedef {import("./following.js").Sizes} Sizes @typedef {Record<string, string>} Texts
 * @typedef {{table: number[], cache: number[]} | null} Values of the learner's own run, of one text
 */

/** `Step 2 of 3: permute(2, 0, 1)`. @param {Journey} journey @param {number} step @param {Texts} texts */
export function stepSaid({ stages }, step, texts) {
  const { code, instead } = stages[step];
  return fill(instead ? texts.stepInstead : step ? texts.step : texts.stepStart, { number: step, all: stages.length - 1, code });
}

/** `layers: 2 × (batch, heads) = (2, 2)`. @param {Stage} stage @param {Texts} texts */
export function shapeSaid(stage, texts) {
  const said = stage.pieces.map(({ shape, axes }) => (axes.some(Boolean) || !shape.length ? `(${axes.map((name, axis) => name || shape[axis]).join(", ")}) = ${shape.length ? tuple(shape) : texts.oneNumber}` : tuple(shape)));
  const shapes = [...new Set(said)];
  if (!stage.many) return shapes[0];
  return shapes.length === 1 ? `${stage.each}: ${stage.pieces.length} × ${shapes[0]}` : shapes.join("; ") || texts.noTensors;
}

/** Where the numbers lie: what a step moved, the strides, and whether they are in reading order. @param {Journey} journey @param {number} step @param {Texts} texts @returns {string[]} */
export function memorySaid({ stages }, step, texts) {
  const stage = stages[step];
  if (stage.memory !== undefined) return [stage.memory];
  const strides = tuple(stage.pieces[0].strides);
  const values = { name: stage.instead ? "view" : stage.operation, numbers: commas(countOf(stage)), strides, before: step ? tuple(stages[step - 1].pieces[0].strides) : "" };
  if (!step) return [fill(texts.lies, values)];
  const text = stage.moved ? texts.wrote : values.before === strides ? texts.readsAsBefore : texts.readsAnew;
  return [fill(text, values), stage.pieces.every((piece) => piece.contiguous) ? texts.inOrder : texts.outOfOrder];
}

/** What a view in place of permute did. @param {Journey} right @param {Journey} wrong @param {number} step @param {Texts} texts @returns {string[]} */
export function mistakeSaid(right, wrong, step, texts) {
  const stage = wrong.stages[step];
  if (!wrong.stages.slice(0, step + 1).some((one) => one.instead)) return [];
  const count = countOf(stage);
  const off = range(count).filter((place) => numberAt(right, step, place) !== numberAt(wrong, step, place));
  if (!off.length) return [stage.instead ? fill(texts.noDifference, { step: stage.code }) : texts.noneWrong];
  const where = placeSaid(right.stages[step], off[0], texts);
  const values = { step: stage.code, off: commas(off.length), count: commas(count), place: where, right: numberAt(right, step, off[0]), wrong: numberAt(wrong, step, off[0]) };
  return [fill(stage.instead ? texts.wrongHere : texts.wrongSince, values), fill(texts.wrongExample, values)];
}

/**
 * The number that is followed, in sentences: its row of the table, and who reads it.
 * @param {Journey} journey @param {Sizes} sizes @param {[number, number]} at @param {number[][]} path @param {Values} values @param {Texts} texts
 * @returns {string[]}
 */
export function elementSaid(journey, sizes, [step, place], path, values, texts) {
  const { stages, birth } = journey;
  const last = stages.length - 1;
  const long = stages[birth].pieces[0].shape.at(-1) ?? 1;
  if (step < birth) {
    const width = stages[0].pieces[0].shape[1];
    const first = path[0][0];
    if (step === 2) return [fill(texts.innerNumber, { number: place % sizes.encoder_hidden, row: Math.floor(first / width) })];
    return [fill(texts.tableNumber, { row: Math.floor(first / width), column: first % width, count: commas(long) })];
  }
  const number = numberAt(journey, step, place);
  const [row, column] = [Math.floor(number / long) % sizes.prefix_len, number % long];
  const born = row * long + column; // the same for every text of the batch
  const readers = readersOf(journey, born);
  const layers = [...new Set(readers.map((one) => one.layer))].join(", ");
  const found = [fill(birth ? texts.madeNumber : texts.number, { number: born, row, column, inner: sizes.encoder_hidden })];
  if (!readers.length) return [...found, texts.nowhere];
  const [{ value, head, token, channel, layer }] = readers;
  found.push(fill(value ? texts.asValue : texts.asKey, { layers, head, token, channel }));
  if (!path[last].length) found.push(texts.thrown);
  if (sizes.family === "Llama" && sizes.heads > sizes.kv_heads) {
    const group = sizes.heads / sizes.kv_heads;
    found.push(fill(texts.askedBy, { first: head * group, last: (head + 1) * group - 1 }));
  }
  if (values) {
    const { kv_heads, heads, prefix_len, head_dim } = sizes;
    const cached = sizes.family === "Llama" ? kv_heads : heads;
    const there = (((2 * layer + value) * cached + head) * prefix_len + token) * head_dim + channel;
    found.push(fill(birth ? texts.madeValues : texts.values, { table: values.table[born], cache: values.cache[there] }));
  }
  return found;
}

/** A whole row of the table. @param {Journey} journey @param {number[][]} path @param {Texts} texts @returns {string[]} */
export function rowSaid({ stages, birth }, path, texts) {
  const last = stages[stages.length - 1];
  const row = Math.floor(path[0][0] / stages[0].pieces[0].shape[1]);
  const layers = [...new Set(path[stages.length - 1].map((place) => within(last, place)[0] >> 1))].sort((a, b) => a - b);
  const long = stages[birth].pieces[0].shape.at(-1) ?? 0;
  let dead = 0;
  for (let column = 0; column < long; column += 1) if (!readersOf({ stages, birth }, row * long + column).length) dead += 1;
  return [fill(birth ? texts.rowMixed : texts.row, { row, count: commas(long), layers: layers.join(", ") }), ...(dead ? [fill(texts.rowDead, { dead: commas(dead), count: commas(long) })] : [])];
}

/** A number through steps that Python ran. @param {Journey} journey @param {[number, number]} at @param {number[][]} path @param {Texts} texts @returns {string[]} */
export function givenSaid(journey, [step, place], path, texts) {
  const last = journey.stages.length - 1;
  const ends = path[last].map((one) => placeSaid(journey.stages[last], one, texts));
  return [fill(ends.length ? texts.givenNumber : texts.givenLost, { number: numberAt(journey, step, place), place: ends.slice(0, 4).join("; ") })];
}

/** The places of a step that the path meets, in words. @param {Stage} stage @param {number[]} places @param {Texts} texts */
export function placesSaid(stage, places, texts) {
  if (!places.length) return texts.nowhereHere;
  const shown = places.slice(0, 2).map((place) => placeSaid(stage, place, texts));
  return places.length > 2 ? fill(texts.more, { places: shown.join("; "), count: commas(places.length) }) : shown.join("; ");
}
