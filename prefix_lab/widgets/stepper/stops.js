// Where to stop, as a person types it and as it is kept: the same as debugger/stops.py, which says what the language is.

import { asText, Condition, wrongWith } from "./condition.js";

/** @typedef {{file?: string, line?: number, function?: string, name?: string, raises?: string, condition?: string, hits?: string, log?: string, on?: boolean}} Stop */

const NAME = String.raw`[\p{L}_][\p{L}\p{N}_]*`;
const FUNCTION = String.raw`(?:${NAME}|<\w+>)(?:\.(?:${NAME}|<\w+>))*`;
const HITS = String.raw`(==|>=|<=|>|<|%)?\s*([0-9]{1,9})`;
const TYPED = new RegExp(
  String.raw`^\s*(?<place>.*?)(?:(?:^|\s+)if\s+(?<condition>.*?))?(?:\s+hit\s+(?<hits>(?:==|>=|<=|>|<|%)?\s*[0-9]+))?(?:\s+log\s+(?<log>.*?))?\s*$`,
  "u",
);
const LINE = /^(?:(?<file>.+):)?(?<line>[0-9]{1,15})$/;
const CHANGES = new RegExp(String.raw`^(?<name>${NAME})\s+changes(?:\s+in\s+(?<called>${FUNCTION}))?$`, "u");
const RAISES = new RegExp(String.raw`^raises(?:\s+(?<classes>${FUNCTION}(?:\s*,\s*${FUNCTION})*))?$`, "u");
const CALLED = new RegExp(`^${FUNCTION}$`, "u");
const BRACES = /\{([^{}]+)\}/g;

/**
 * What a text means, typed at a step of this function and file where these names have values; null for one that begins
 * with no place.
 * @param {string} text @param {string} file @param {string} called @param {string[]} names @returns {Stop | null}
 */
export function readStop(text, file, called, names) {
  const { place = "", condition, hits, log } = TYPED.exec(text)?.groups ?? {};
  const limits = Object.fromEntries(Object.entries({ condition, hits, log }).flatMap(([key, one]) => (one?.trim() ? [[key, one.trim()]] : [])));
  const line = LINE.exec(place)?.groups;
  if (line) return { file: line.file ?? file, line: Number(line.line), ...limits };
  const changes = CHANGES.exec(place)?.groups;
  if (changes) return { name: changes.name, function: changes.called ?? called, ...limits };
  const raises = RAISES.exec(place)?.groups;
  if (raises) return { raises: raises.classes ?? "", ...limits };
  if (CALLED.test(place) && ("condition" in limits || !names.includes(place))) return { function: place, ...limits };
  if ("condition" in limits) return place ? null : limits;
  return place ? { condition: place, ...limits } : null;
}

/** Whether a breakpoint stops: it is on, and no log point. @param {Stop} stop */
export function stopping(stop) {
  return stop.on !== false && !stop.log;
}

/** Where, as one types it; nothing for any step. @param {Stop} stop */
export function placeOfStop(stop) {
  if (stop.name !== undefined) return `${stop.name} changes in ${stop.function}`;
  if (stop.raises !== undefined) return `raises ${stop.raises}`.trim();
  return stop.line !== undefined ? `${stop.file?.split("/").at(-1)}:${stop.line}` : (stop.function ?? "");
}

/** Whether the n-th time counts: `3`, `>= 3`, `% 3`; null for what is no count. @param {string} hits @returns {((time: number) => boolean) | null} */
export function timesOf(hits) {
  const [, sign = "==", digits] = new RegExp(String.raw`^\s*${HITS}\s*$`).exec(hits) ?? [];
  const count = Number(digits);
  if (digits === undefined || (count < 1 && ["==", "%"].includes(sign))) return null;
  /** @type {Record<string, (time: number) => boolean>} */
  const tests = {
    "==": (time) => time === count,
    ">=": (time) => time >= count,
    "<=": (time) => time <= count,
    ">": (time) => time > count,
    "<": (time) => time < count,
    "%": (time) => time % count === 0,
  };
  return tests[sign];
}

/** What is wrong with a log point's text; empty where nothing is. @param {string} log */
export function wrongInLog(log) {
  return [...log.matchAll(BRACES)].map(([, asked]) => wrongWith(asked)).find(Boolean) ?? "";
}

/** The names that a log point's text asks for. @param {string} log */
export function namesInLog(log) {
  return new Set([...log.matchAll(BRACES)].flatMap(([, asked]) => [...new Condition(asked).names]));
}

/** A log point's text with what stands in braces worked out; what has no answer stays. @param {string} log @param {import("./condition.js").Names} values */
export function saidAt(log, values) {
  return log.replace(BRACES, (all, asked) => asText(new Condition(asked), values) ?? all);
}
