// What is said to an answer to a question where there is no kernel: as predict.py says it, in its own words.

/**
 * What a question's answer is held against. `texts` are predict.py's, translated.
 * @typedef {{name: string, shape: number[], sizes: Record<string, number>, reads: string, explained: string, texts: Record<string, string>}} Expected
 */

const HELP_FROM = 2;
const ANSWER_FROM = 3;

/** A template with its values; `!r` is in quotes. @param {string} text @param {Record<string, string | number>} values */
function filled(text, values) {
  return text.replace(/\{(\w+)(!r)?\}/g, (_, name, quoted) => (quoted ? `'${values[name]}'` : String(values[name])));
}

/** Sentences one behind the other; behind a full-width stop no blank. @param {string[]} sentences */
function paragraph(...sentences) {
  return sentences.filter(Boolean).reduce((text, one) => text + (text && !/[。！？：；”）]$/.test(text) ? " " : "") + one, "");
}

/** The axes of an answer, in one spelling. @param {string} text @returns {string[]} */
export function partsOf(text) {
  const inner = text.trim().replace(/^[()[\]]+|[()[\]]+$/g, "").trim();
  const parts = inner.split(",").map((part) => part.trim().replace(/\s*[*×·]\s*|(?<=[\p{L}\p{N}_])\s+(?=[\p{L}\p{N}_])/gu, "·"));
  return parts.filter(Boolean).map((part) => part.replace(/\s+/g, ""));
}

/** The number that a sum of products stands for; null where a name has no size. @param {string} written @param {Record<string, number>} sizes */
export function evaluated(written, sizes) {
  const size = (/** @type {string} */ name) => (/^\d+$/.test(name) ? Number(name) : Object.hasOwn(sizes, name) ? sizes[name] : null);
  let total = 0;
  for (let term of written.replaceAll("-", "+-").split("+")) {
    let product = term.startsWith("-") ? -1 : 1;
    term = term.replace(/^-/, "");
    for (const factor of term.split("·")) {
      const [name, divisor] = factor.split(/\/(.*)/s);
      const [whole, parts] = [size(name), divisor ? size(divisor) : 1];
      if (whole === null || !parts || whole % parts) return null;
      product *= whole / parts;
    }
    total += product;
  }
  return total;
}

/** What is wrong with an answer; empty when it is right. @param {string} text @param {Expected} expected */
export function wrongWithAnswer(text, { shape, sizes, texts }) {
  const given = partsOf(text);
  if (!given.length && shape.length) return texts.none;
  if (given.length !== shape.length) return filled(texts.count, { given: given.length, expected: shape.length });
  for (const [at, part] of given.entries()) {
    const worth = evaluated(part, sizes);
    if (worth === null) return filled(Object.keys(sizes).length ? texts.noAxis : texts.numbers, { part, known: Object.keys(sizes).join(", ") });
    if (worth !== shape[at]) return filled(/^\d+$/.test(part) ? texts.notThis : texts.notThisName, { number: at, part, worth });
  }
  return "";
}

/** The question after an answer, which counts its tries. @param {any} question @param {{text?: string, show?: boolean}} answer @param {Expected} expected */
export function answered(question, answer, expected) {
  if (answer.show) return { ...question, said: expected.explained, done: true, offer: "" };
  if (question.right) return question;
  const given = String(answer.text ?? "");
  const tries = (question.tries ?? 0) + 1;
  const wrong = wrongWithAnswer(given, expected);
  if (!wrong) {
    const score = filled(expected.texts.score, { right: 1, asked: 1, at_once: Number(tries === 1 && !question.done) });
    return { ...question, tries, given, score, right: true, said: paragraph(expected.texts.right, expected.explained), done: true, offer: "" };
  }
  const parts = partsOf(given);
  const fitting = parts.length === expected.shape.length ? [...parts.keys()].filter((at) => evaluated(parts[at], expected.sizes) === expected.shape[at]) : [];
  const helped = tries < HELP_FROM ? [] : [fitting.length ? filled(expected.texts.rightAre, { axes: fitting.join(", ") }) : "", expected.reads];
  return { ...question, tries, given, said: paragraph(wrong, ...helped), offer: tries >= ANSWER_FROM && !question.done ? expected.texts.offer : "" };
}
