// Where each number came from and where it goes, by arithmetic on places alone: PEFT's `get_prompt` at any sizes, or the
// steps that Python ran. A place counts the numbers of a step in reading order, through all its tensors.

/**
 * @typedef {{shape: number[], axes: string[], label: string, strides: number[], contiguous: boolean}} Piece
 * @typedef {{code: string, operation: string, note: string, many: boolean, each: string, moved: boolean, instead: boolean,
 *   pieces: Piece[], memory?: string, back: (place: number) => number[], forth: (place: number) => number[]}} Stage
 *   `back` gives the places of the step before that a number came from, `forth` those to which a number of the step
 *   before goes; a projection makes each number from many
 * @typedef {{family: string, batch: number, prefix_len: number, layers: number, heads: number, kv_heads: number,
 *   head_dim: number, projection: boolean, encoder_hidden: number}} Sizes
 * @typedef {{stages: Stage[], birth: number, batch: number}} Journey `birth` is the step whose places are the numbers that
 *   are shown, the same for every text of the batch
 */

/** @param {readonly number[]} shape */
export function size(shape) {
  return shape.reduce((all, one) => all * one, 1);
}

/** The index along each axis. @param {number} place @param {readonly number[]} shape @returns {number[]} */
export function indexOf(place, shape) {
  /** @type {number[]} */
  const index = [];
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    index[axis] = place % shape[axis];
    place = Math.floor(place / shape[axis]);
  }
  return index;
}

/** @param {readonly number[]} index @param {readonly number[]} shape */
export function placeOf(index, shape) {
  return index.reduce((place, one, axis) => place * shape[axis] + one, 0);
}

/** @param {readonly number[]} shape */
function inOrder(shape) {
  return shape.map((_, axis) => size(shape.slice(axis + 1)));
}

/** @param {number} count @param {number} [from] */
export function range(count, from = 0) {
  return Array.from({ length: count }, (_, at) => from + at);
}

/** All numbers of a step. @param {Stage} stage */
export function countOf(stage) {
  return stage.pieces.reduce((all, piece) => all + size(piece.shape), 0);
}

/** The tensor of a step that holds a place, and the place there. @param {Stage} stage @param {number} place @returns {[number, number]} */
export function within(stage, place) {
  let number = 0;
  while (place >= size(stage.pieces[number].shape)) place -= size(stage.pieces[number++].shape);
  return [number, place];
}

/** Where a tensor of a step begins. @param {Stage} stage @param {number} number */
export function beginOf(stage, number) {
  return stage.pieces.slice(0, number).reduce((all, piece) => all + size(piece.shape), 0);
}

const same = (/** @type {number} */ place) => [place];

/**
 * The journey of a prefix through PEFT, from its table to what attention reads.
 * @param {Sizes} sizes @param {Record<string, string>} notes @param {Record<string, string>} texts
 * @param {boolean} [byView] whether a view stands in place of permute
 * @returns {Journey}
 */
export function journeyOf(sizes, notes, texts, byView = false) {
  const { batch, prefix_len: tokens, layers, head_dim, projection, encoder_hidden: inner } = sizes;
  const two = sizes.family === "T5";
  const few = sizes.family === "Llama";
  const heads = few ? sizes.kv_heads : sizes.heads;
  const headAxis = few ? "kv_heads" : "heads";
  const widthAxis = few ? "kv_heads·head_dim" : "hidden";
  const width = heads * head_dim;
  const long = 2 * layers * width;
  const rows = two ? 4 : 2; // of a layer's block
  /** @type {Stage[]} */
  const stages = [];
  const add = (/** @type {string} */ key, /** @type {string} */ code, /** @type {[string, number][]} */ axes, /** @type {Partial<Stage>} */ more = {}) => {
    const shape = axes.map(([, one]) => one);
    const names = axes.map(([name]) => name);
    const piece = { shape, axes: names.map((name) => (/^\d+$/.test(name) ? "" : name)), label: "", strides: inOrder(shape), contiguous: true };
    stages.push({ code, operation: code.split("(")[0], note: notes[key] ?? "", many: false, each: "", moved: true, instead: false, pieces: [piece], back: same, forth: same, ...more });
  };
  /** Numbers of a row that are repeated for every text of the batch. @param {number} count */
  const forBatch = (count) => ({ back: (/** @type {number} */ place) => [place % count], forth: (/** @type {number} */ place) => range(batch).map((one) => one * count + place) });
  /** Every number of a token is made from all that it had. @param {number} from @param {number} to */
  const mixed = (from, to) => ({
    back: (/** @type {number} */ place) => range(from, Math.floor(place / to) * from),
    forth: (/** @type {number} */ place) => range(to, Math.floor(place / from) * to),
  });
  /** @type {[string, number][]} */
  const lead = [["batch", batch], ["prefix_len", tokens]];
  if (projection) {
    add("short table", "embedding.weight", [["prefix_len", tokens], [widthAxis, width]]);
    add("short lookup", "embedding(prompt_tokens)", [...lead, [widthAxis, width]], forBatch(tokens * width));
    add("linear in", "transform.0, Tanh", [...lead, ["encoder_hidden", inner]], mixed(width, inner));
    add("linear out", "transform.2", [...lead, [`2·layers·${widthAxis}`, long]], mixed(inner, long));
  } else {
    add("table", "embedding.weight", [["prefix_len", tokens], [`2·layers·${widthAxis}`, long]]);
    add("lookup", "embedding(prompt_tokens)", [...lead, [`2·layers·${widthAxis}`, long]], forBatch(tokens * long));
  }
  const birth = projection ? 3 : 0;
  add("view", `view(batch, prefix_len, 2*layers, ${headAxis}, head_dim)`, [...lead, ["2·layers", 2 * layers], [headAxis, heads], ["head_dim", head_dim]], { moved: false });
  if (two) {
    const once = 2 * layers * width;
    add("cat", "cat([x, x], dim=2)", [...lead, ["4·layers", 4 * layers], [headAxis, heads], ["head_dim", head_dim]], {
      back: (place) => [Math.floor(place / (2 * once)) * once + (place % once)],
      forth: (place) => range(2).map((copy) => Math.floor(place / once) * 2 * once + copy * once + (place % once)),
    });
  }
  const order = [2, 0, 3, 1, 4];
  const before = stages[stages.length - 1].pieces[0];
  const now = order.map((axis) => before.shape[axis]);
  const turn = {
    back: (/** @type {number} */ place) => {
      const index = indexOf(place, now);
      return [placeOf(before.shape.map((_, axis) => index[order.indexOf(axis)]), before.shape)];
    },
    forth: (/** @type {number} */ place) => {
      const index = indexOf(place, before.shape);
      return [placeOf(order.map((axis) => index[axis]), now)];
    },
  };
  const turned = /** @type {[string, number][]} */ (order.map((axis) => [before.axes[axis], before.shape[axis]]));
  add("permute", "permute(2, 0, 3, 1, 4)", turned, { ...(byView ? { instead: true } : turn), moved: false });
  const strides = byView ? inOrder(now) : order.map((axis) => before.strides[axis]);
  Object.assign(stages[stages.length - 1].pieces[0], { strides, contiguous: byView });
  const block = [rows, batch, heads, tokens, head_dim];
  const axes = ["key_value", "batch", headAxis, "prefix_len", "head_dim"];
  const pieces = range(layers).map((layer) => ({ shape: block, axes, label: `layers ${layer}`, strides, contiguous: byView }));
  add(two ? "split in 4" : "split in 2", `split(${rows})`, [], { many: true, each: "layers", moved: false, pieces });
  const each = size(block.slice(1));
  const own = range(2 * layers).map((row) => {
    const label = (row % 2 ? texts.valueAt : texts.keyAt).replace("{layer}", String(row >> 1));
    return { shape: block.slice(1), axes: axes.slice(1), label, strides: strides.slice(1), contiguous: byView };
  });
  add(two ? "cache of 4" : "cache of 2", two ? "EncoderDecoderCache" : "DynamicCache", [], {
    many: true,
    each: "2·layers",
    moved: false,
    pieces: own,
    back: (place) => {
      const row = Math.floor(place / each);
      return [((row >> 1) * rows + (row % 2)) * each + (place % each)];
    },
    forth: (place) => {
      const row = Math.floor(place / each);
      return row % rows < 2 ? [(Math.floor(row / rows) * 2 + (row % rows)) * each + (place % each)] : [];
    },
  });
  return { stages, birth, batch };
}

/**
 * The steps that Python ran, each with the place of every number in the step before.
 * @param {(Omit<Stage, "back" | "forth"> & {parents: number[]})[]} given @returns {Journey}
 */
export function journeyGiven(given) {
  const stages = given.map(({ parents, ...stage }) => {
    /** @type {Map<number, number[]>} */
    const to = new Map();
    parents.forEach((from, place) => to.set(from, [...(to.get(from) ?? []), place]));
    return { ...stage, back: (/** @type {number} */ place) => [parents[place]], forth: (/** @type {number} */ place) => to.get(place) ?? [] };
  });
  return { stages, birth: 0, batch: 1 };
}

/** The number that stands at a place: its place at birth, or before that its own, counted in one text. @param {Journey} journey @param {number} at @param {number} place */
export function numberAt({ stages, birth, batch }, at, place) {
  for (; at > birth; at -= 1) place = stages[at].back(place)[0];
  return at ? place % (countOf(stages[at]) / batch) : place;
}

/**
 * The places at every step that numbers of one step came from and go to; none where they have nowhere to go.
 * @param {Journey} journey @param {number} at @param {number[]} places @returns {number[][]}
 */
export function follow({ stages }, at, places) {
  /** @type {number[][]} */
  const found = stages.map(() => []);
  const once = (/** @type {number[]} */ all) => [...new Set(all)];
  found[at] = places;
  for (let step = at; step > 0; step -= 1) found[step - 1] = once(found[step].flatMap(stages[step].back));
  for (let step = at + 1; step < stages.length; step += 1) found[step] = once(found[step - 1].flatMap(stages[step].forth));
  return found;
}

/**
 * Who reads a number of the table, or of what the projection made: one for each layer, and none of the dead half.
 * @param {Pick<Journey, "stages" | "birth">} journey @param {number} number
 * @returns {{layer: number, value: number, head: number, token: number, channel: number}[]}
 */
export function readersOf({ stages, birth }, number) {
  let places = [number];
  for (const stage of stages.slice(birth + 1)) places = places.flatMap(stage.forth);
  const last = stages[stages.length - 1];
  return places.map((place) => {
    const [piece, inside] = within(last, place);
    const [batch, head, token, channel] = indexOf(inside, last.pieces[piece].shape);
    return { batch, layer: piece >> 1, value: piece % 2, head, token, channel };
  }).filter((one) => one.batch === 0).map(({ batch, ...one }) => one);
}
