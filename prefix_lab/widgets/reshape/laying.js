// Where each number of a tensor stands in the picture: the last axis goes to the right, the one before downwards, and
// each further axis as frames around them.

import { beginOf, placeOf, range, size, within, indexOf } from "./following.js";

/**
 * @typedef {{x: number, y: number, width: number, height: number, axis: number, index: number, piece: number}} Frame
 *   around what has one index along an axis; `axis` is -1 for a whole tensor
 * @typedef {{x: number, y: number, place: number}} Cell
 * @typedef {{width: number, height: number, cells: Cell[], frames: Frame[], ways: string[]}} Layout
 */

export const LINE = 22; // a number's height, in pixels
const [PAD, TITLE, GAP] = [5, 17, 6];
const LONGEST = 32; // numbers in a line: what is longer goes on below
const SHAPELY = 2.6; // the width for one of height that looks well
const WINDOW = [6, 12]; // of a tensor too big to draw, this many lines and columns around a place
export const LIMIT = 1024; // numbers in a picture

/** How many boxes look best side by side, so that all rows are full and none too wide. @param {number} count @param {number} width @param {number} height @param {number} wide */
function inARow(count, width, height, wide) {
  if (count * (width + GAP) <= Math.min(480, wide)) return Math.max(count, 1);
  const fitting = range(count, 1).filter((row) => count % row === 0 && row * (width + GAP) <= wide);
  const beauty = (/** @type {number} */ row) => Math.abs(Math.log((row * (width + GAP)) / ((count / row) * (height + GAP)) / SHAPELY));
  return fitting.reduce((best, row) => (beauty(row) < beauty(best) ? row : best), 1);
}

/**
 * The places of the numbers with these indices along each axis.
 * @param {readonly number[]} shape @param {number[][]} shown @param {number} cell @param {number} wide @returns {Layout}
 */
export function layOut(shape, shown, cell, wide) {
  const lead = Math.max(2 - shape.length, 0);
  const full = [...range(lead).map(() => [0]), ...shown];
  const deep = full.length - 2;
  const last = full[deep + 1].length;
  const line = Math.min(last, LONGEST, Math.max(Math.floor((wide - 2 * PAD * deep) / cell), 4));
  const lines = Math.max(Math.ceil(last / Math.max(line, 1)), 1);
  let width = line * cell;
  const row = lines * LINE + (lines > 1 ? GAP : 0);
  let height = full[deep].length * row;
  const tracks = [{ row: 1, x: 0, y: row }, { row: Math.max(line, 1), x: cell, y: LINE }];
  /** @type {[number, number][]} */
  const boxes = [];
  for (let axis = deep - 1; axis >= 0; axis -= 1) {
    const count = full[axis].length;
    const box = /** @type {[number, number]} */ ([width + 2 * PAD, height + PAD + TITLE]);
    const track = { row: inARow(count, ...box, wide), x: box[0] + GAP, y: box[1] + GAP };
    boxes.unshift(box);
    tracks.unshift(track);
    width = Math.min(count, track.row) * track.x - GAP;
    height = Math.ceil(count / track.row) * track.y - GAP;
  }
  /** @type {Cell[]} */
  const cells = [];
  /** @type {Frame[]} */
  const frames = [];
  const go = (/** @type {number} */ axis, /** @type {number} */ x, /** @type {number} */ y, /** @type {number[]} */ index) => {
    if (axis === full.length) return void cells.push({ x, y, place: placeOf(index.slice(lead), shape) });
    const track = tracks[axis];
    full[axis].forEach((one, at) => {
      const [left, top] = [x + (at % track.row) * track.x, y + Math.floor(at / track.row) * track.y];
      if (axis >= deep) return go(axis + 1, left, top, [...index, one]);
      frames.push({ x: left, y: top, width: boxes[axis][0], height: boxes[axis][1], axis: axis - lead, index: one, piece: -1 });
      go(axis + 1, left + PAD, top + TITLE, [...index, one]);
    });
  };
  go(0, 0, 0, []);
  const way = (/** @type {number} */ axis) => (axis === full.length - 1 ? "→" : axis === deep ? "↓" : tracks[axis].row >= full[axis].length && full[axis].length > 1 ? "→" : tracks[axis].row === 1 ? "↓" : "→↓");
  return { width: Math.max(width, 0), height: Math.max(height, 0), cells, frames, ways: range(shape.length, lead).map(way) };
}

/**
 * What of a step is shown: all of it, or where it is too big, what stands around a place.
 * @param {import("./following.js").Stage} stage @param {number} around @param {boolean} whole @param {number} cell @param {number} wide
 * @returns {Layout}
 */
export function arrange(stage, around, whole, cell, wide) {
  /** @type {Layout[]} */
  const layouts = [];
  const chosen = whole ? range(stage.pieces.length) : [within(stage, around)[0]];
  for (const number of chosen) {
    const { shape } = stage.pieces[number];
    let shown = shape.map((count) => range(count));
    if (!whole) {
      const index = indexOf(around - beginOf(stage, number), shape);
      shown = shape.map((count, axis) => {
        const most = axis < shape.length - 2 ? 1 : WINDOW[axis - shape.length + 2];
        return range(Math.min(most, count), Math.max(0, Math.min(index[axis] - (most >> 1), count - most)));
      });
    }
    const begin = beginOf(stage, number);
    const one = layOut(shape, shown, cell, stage.many ? wide - 2 * PAD : wide);
    layouts.push({ ...one, cells: one.cells.map((cell) => ({ ...cell, place: cell.place + begin })), frames: one.frames.map((frame) => ({ ...frame, piece: number })) });
  }
  if (!stage.many) return layouts[0];
  let [x, y, high] = [0, 0, 0];
  /** @type {Layout} */
  const all = { width: 0, height: 0, cells: [], frames: [], ways: layouts[0]?.ways ?? [] };
  layouts.forEach((one, at) => {
    const [width, height] = [one.width + 2 * PAD, one.height + PAD + TITLE];
    if (x && x + width > wide) [x, y, high] = [0, y + high + GAP, 0];
    all.frames.push({ x, y, width, height, axis: -1, index: chosen[at], piece: chosen[at] });
    const move = (/** @type {any} */ what) => ({ ...what, x: what.x + x + PAD, y: what.y + y + TITLE });
    all.cells.push(...one.cells.map(move));
    all.frames.push(...one.frames.map(move));
    all.width = Math.max(all.width, x + width);
    [x, high] = [x + width + GAP, Math.max(high, height)];
    all.height = y + high;
  });
  return all;
}

/** How many numbers a step has to draw. @param {import("./following.js").Stage} stage */
export function fits(stage) {
  return stage.pieces.reduce((all, piece) => all + size(piece.shape), 0) <= LIMIT;
}
