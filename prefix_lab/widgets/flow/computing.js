// The journey's shapes and what it costs, from sizes alone. `journey.py` says the same; a test holds one against the other.

/**
 * @typedef {{label: string, encoder_decoder: boolean, layers: number, heads: number, kv_heads: number, head_dim: number,
 *   hidden: number, readers: number, trouble: {step: string, said: string} | null, base: number | null}} Sizes
 * @typedef {{model: string, layers: number, heads: number, kv_heads: number, head_dim: number, prefix_len: number,
 *   projection: boolean, encoder_hidden: number | null, batch: number, tokens: number, dtype: string}} Chosen
 * @typedef {{key: string, when: string, operation: string, axes: string, count: string, dtype: string, copies: boolean,
 *   sentence: string}} Planned a step of the table that Python gives
 * @typedef {{key: string, shown: string, sentence: string, axes: string[], shape: number[], countAxis: string,
 *   count: number, dtype: string, copies: boolean, bytes: number}} Step
 * @typedef {{texts: Record<string, string>, colours: Record<string, string>, steps: Planned[],
 *   models: Record<string, Sizes>, own: {two: string, one: string}, axes: Record<string, string>,
 *   dtypes: Record<string, number>, reach: Record<string, number>}} Data
 */

/** The sizes that are chosen: a model's, or own ones. @param {Data} data @param {Chosen} chosen @returns {Sizes} */
export function sizesOf(data, chosen) {
  const known = data.models[chosen.model];
  if (known) return known;
  const { layers, heads, kv_heads, head_dim } = chosen;
  const own = { layers, heads, kv_heads, head_dim, hidden: heads * head_dim, readers: layers };
  return { ...own, label: chosen.model, encoder_decoder: chosen.model === data.own.two, trouble: null, base: null };
}

/** What kv_heads may be for this many heads. @param {number} number */
export function divisors(number) {
  return Array.from({ length: number }, (_, at) => at + 1).filter((one) => number % one === 0);
}

/**
 * The setting after one control was moved: whoever moves a size of the model has sizes of their own.
 * @param {Data} data @param {Chosen} chosen @param {string} name @param {any} value @returns {Chosen}
 */
export function moved(data, chosen, name, value) {
  const old = sizesOf(data, chosen);
  const sizes = (/** @type {any} */ from) => ({ layers: from.layers, heads: from.heads, kv_heads: from.kv_heads, head_dim: from.head_dim });
  if (name === "model") {
    const next = data.models[value];
    const kv = value === data.own.two ? old.heads : old.kv_heads;
    return { ...chosen, model: value, ...sizes(next ?? { ...old, kv_heads: kv }), encoder_hidden: null };
  }
  if (!["layers", "heads", "kv_heads", "head_dim"].includes(name)) return { ...chosen, [name]: value };
  const after = { ...sizes(old), [name]: value };
  if (name === "heads") after.kv_heads = old.kv_heads === old.heads ? value : Math.max(...divisors(value).filter((one) => one <= old.kv_heads));
  return { ...chosen, model: old.encoder_decoder ? data.own.two : data.own.one, ...after };
}

/** Every axis by name. @param {Sizes} sizes @param {Chosen} chosen @returns {Record<string, number>} */
export function axesOf(sizes, chosen) {
  const { batch, prefix_len, tokens } = chosen;
  const { layers, heads, kv_heads, head_dim, hidden } = sizes;
  const text = sizes.encoder_decoder ? "target" : "source";
  const encoder_hidden = chosen.encoder_hidden ?? kv_heads * head_dim;
  return { batch, prefix_len, layers, heads, kv_heads, head_dim, hidden, [text]: tokens, encoder_hidden };
}

/** What `2·layers·hidden` or `prefix_len+source` is worth. @param {string} name @param {Record<string, number>} known */
export function worth(name, known) {
  const factor = (/** @type {string} */ one) => known[one] ?? Number(one);
  return name.split("+").reduce((sum, term) => sum + term.split("·").reduce((all, one) => all * factor(one), 1), 0);
}

/** Every step with names and numbers. @param {Data} data @param {Chosen} chosen @returns {Step[]} */
export function journey(data, chosen) {
  const sizes = sizesOf(data, chosen);
  const known = axesOf(sizes, chosen);
  const heads = sizes.kv_heads === sizes.heads ? "heads" : "kv_heads";
  const words = {
    heads,
    width: sizes.kv_heads * sizes.head_dim === sizes.hidden ? "hidden" : `${heads}·head_dim`,
    text: sizes.encoder_decoder ? "target" : "source",
    block: sizes.encoder_decoder ? "4" : "2",
    joined: sizes.readers === sizes.layers ? "2·layers" : String(2 * sizes.readers),
    dtype: chosen.dtype,
  };
  const holds = new Set(["", sizes.encoder_decoder ? "two" : "one", chosen.projection ? "projection" : "direct", chosen.dtype === "float32" ? "" : "cast"]);
  const filled = (/** @type {string} */ text) => text.replace(/\{(\w+)\}/g, (_, name) => /** @type {any} */ (words)[name]);
  return data.steps
    .filter((step) => holds.has(step.when))
    .map((step) => {
      const axes = filled(step.axes).split(" ");
      const shape = axes.map((name) => worth(name, known));
      const countAxis = filled(step.count);
      const count = worth(countAxis || "1", known);
      const dtype = filled(step.dtype);
      const bytes = count * shape.reduce((all, one) => all * one, 1) * (data.dtypes[dtype] ?? 8);
      return { key: step.key, shown: filled(step.operation), sentence: filled(step.sentence), axes, shape, countAxis, count, dtype, copies: step.copies, bytes };
    });
}

/**
 * The rows of the prefix, of 2·layers, that are a layer's key and value.
 * @param {number} layer @param {number} layers @param {boolean} two
 */
export function rowsOfLayer(layer, layers, two) {
  return two ? [(4 * layer) % (2 * layers), (4 * layer + 1) % (2 * layers)] : [2 * layer, 2 * layer + 1];
}

/** Each row → the layers that read it. @param {Sizes} sizes @returns {number[][]} */
export function readersOfRows(sizes) {
  /** @type {number[][]} */
  const found = Array.from({ length: 2 * sizes.layers }, () => []);
  for (let layer = 0; layer < sizes.readers; layer += 1) for (const row of rowsOfLayer(layer, sizes.layers, sizes.encoder_decoder)) found[row].push(layer);
  return found;
}

/** What it costs. @param {Data} data @param {Chosen} chosen */
export function cost(data, chosen) {
  const sizes = sizesOf(data, chosen);
  const width = sizes.kv_heads * sizes.head_dim;
  const long = 2 * sizes.layers * width;
  const inner = chosen.encoder_hidden ?? width;
  /** @type {Record<string, number>} */
  const parts = chosen.projection
    ? { embedding: chosen.prefix_len * width, "transform.0 (Linear)": (width + 1) * inner, "transform.2 (Linear)": (inner + 1) * long }
    : { embedding: chosen.prefix_len * long };
  const trainable = Object.values(parts).reduce((all, one) => all + one, 0);
  const dead = readersOfRows(sizes).flatMap((layers, row) => (layers.length ? [] : [row]));
  const deadParameters = dead.length * width * (chosen.projection ? inner + 1 : chosen.prefix_len);
  const total = sizes.base === null ? null : sizes.base + trainable;
  const cacheBytes = chosen.batch * chosen.prefix_len * long * data.dtypes[chosen.dtype];
  // weight, gradient and Adam's two moments of it: 16 bytes for each number
  return { parts, trainable, total, cacheBytes, rows: 2 * sizes.layers, dead, deadParameters, deadBytes: 16 * deadParameters };
}
