// What both sides of a mirror hold under one name, and whether it is equal: by the same rules as compare.py.

import { h, shown, withCommas } from "./text.js";
import { valueElement } from "./values.js";

/** @typedef {import("./mirror.js").MirrorView} Mirror */

/** @type {Record<string, string>} */
export const MARKS = { equal: "=", shapesOnly: "~", different: "≠", only: "·", noValue: "·" };
/** @type {("ours" | "theirs")[]} */
export const SIDES = ["ours", "theirs"];
const ORDER = ["different", "shapesOnly", "equal", "only"];
const TENSOR = ["shape", "dtype", "digest"];
const MODULE = ["parameters", "trainable"];

export class Compared {
  /** @param {Mirror} mirror */
  constructor(mirror) {
    this.mirror = mirror;
    this.element = h("section", { class: "pl-compared", "aria-label": mirror.t("compared"), tabindex: "0" });
    this.turn = 0;
  }

  /** Names with what differs first, then what is equal, then those of one side. */
  async show() {
    const turn = (this.turn += 1);
    const { mirror } = this;
    const sides = mirror.views.map((view) => ({ view, moment: view.store.at(view.step), held: valuesByName(view.store, view.store.at(view.step)) }));
    const [ours, theirs] = sides.map(({ held }) => held);
    /** @param {string} name @returns {Promise<{name: string, found: Verdict}>} */
    const compared = async (name) => {
      if (!ours.has(name) || !theirs.has(name)) return { name, found: { verdict: "only" } };
      const [mine, other] = await Promise.all(sides.map(({ view, held }) => view.store.value(/** @type {number} */ (held.get(name)))));
      return { name, found: compareValues(name || mirror.t("result"), mine, other) };
    };
    const rows = await Promise.all([...new Set([...ours.keys(), ...theirs.keys()])].map(compared)).catch(() => null);
    if (turn !== this.turn || !rows) return;
    rows.sort((one, other) => ORDER.indexOf(one.found.verdict) - ORDER.indexOf(other.found.verdict) || Number(one.name === "self") - Number(other.name === "self"));
    const count = (/** @type {string} */ verdict) => rows.filter((one) => one.found.verdict === verdict).length;
    const said = mirror.t(rows.some((one) => one.found.verdict !== "only") ? "comparedHere" : "nothingShared", { equal: count("equal"), different: count("different"), shapes: count("shapesOnly") });
    this.element.replaceChildren(h("p", { class: "pl-hint" }, said), h("ul", {}, ...rows.map(({ name, found }) => this.row(name, found, sides))));
  }

  /**
   * @param {string} name @param {Verdict} found
   * @param {{view: import("./stepper.js").StepperView, moment: import("./store.js").Moment, held: Map<string, number>}[]} sides
   */
  row(name, { verdict, where, fact, sides: facts }, sides) {
    const { mirror } = this;
    const lines = sides.map(({ view, moment, held }) => (held.has(name) ? view.store.headline(moment.step, /** @type {number} */ (held.get(name))) : null));
    const once = verdict === "equal" && lines[0]?.[1] === lines[1]?.[1]; // equal objects of two packages may be told differently
    const values = sides.flatMap(({ view }, at) => {
      const line = lines[at];
      if (!line || (once && at)) return [];
      return [h("span", { class: once ? "pl-once" : `pl-of-${SIDES[at]}` }, once ? null : h("small", {}, `${mirror.labels[at]} `), valueElement(line, view.colours))];
    });
    const why = facts && (fact === "digest" ? `${where}: ${mirror.t("otherNumbers")}` : fact && `${where}: ${fact} ${facts[0]} ≠ ${facts[1]}`);
    const sign = h("span", { class: "pl-sign", title: mirror.t(verdict), role: "img", "aria-label": mirror.t(verdict) }, MARKS[verdict]);
    return h(
      "li",
      { class: `pl-compared-${verdict}` },
      h("span", {}, sign, " ", h("bdi", { class: "pl-name" }, shown(name || mirror.t("result")))),
      ...values,
      why ? h("small", { class: "pl-why" }, shown(why)) : null,
    );
  }
}

/** What is held at a moment, by name; what it returns has none. @param {import("./store.js").Store} store @param {import("./store.js").Moment} moment */
function valuesByName(store, moment) {
  const watched = new Set(store.meta.watches);
  const found = new Map([...moment.locals].filter(([name]) => !watched.has(name)).map(([name, value]) => [store.meta.names[name], value]));
  const given = moment.bound.find(([name, value]) => name === 0 && value !== null);
  if (given && store.headline(moment.step, /** @type {number} */ (given[1]))[1] !== "None") found.set("", /** @type {number} */ (given[1]));
  return found;
}

/**
 * The verdict on two whole values; of what is not equal, where it is, which fact, and what that is on each side.
 * @typedef {{verdict: "equal" | "shapesOnly" | "different" | "only", where?: string, fact?: string, sides?: [string, string]}} Verdict
 */

/** @param {string} name @param {any} mine @param {any} other @returns {Verdict} */
export function compareValues(name, mine, other) {
  const [here, there] = [factsOf(mine), factsOf(other)];
  /** @param {string} fact @param {[string, string]} sides @returns {Verdict} */
  const differs = (fact, sides) => ({ verdict: "different", where: name, fact, sides });
  if (here.shape || there.shape) {
    for (const fact of TENSOR) {
      const [one, another] = [factAsText(here[fact]), factAsText(there[fact])];
      if (one !== another && (fact !== "digest" || (here[fact] && there[fact]))) return differs(fact, [one, another]);
    }
    return { verdict: here.digest && there.digest ? "equal" : "shapesOnly" };
  }
  if ("parameters" in here && "parameters" in there) {
    const fact = MODULE.find((one) => here[one] !== there[one]);
    return fact ? differs(fact, [withCommas(here[fact]), withCommas(there[fact])]) : { verdict: "equal" };
  }
  if (mine.parts?.length && other.parts?.length) {
    const others = new Map(other.parts);
    if (mine.parts.some((/** @type {[string, any]} */ [label]) => others.has(label))) return compareParts(name, mine.parts, others);
    return differs("", [valueAsText(mine), valueAsText(other)]);
  }
  const plain = [mine, other].map((one) => (Array.isArray(one) ? one[1] : classOf(one)));
  return plain[0] === plain[1] ? { verdict: "equal" } : differs("", [valueAsText(mine), valueAsText(other)]);
}

/** @param {string} name @param {[string, any][]} parts @param {Map<string, any>} others @returns {Verdict} */
function compareParts(name, parts, others) {
  const found = parts.filter(([label]) => others.has(label)).map(([label, part]) => compareValues(`${name}.${label}`, part, others.get(label)));
  return found.find((one) => one.verdict === "different") ?? found.find((one) => one.verdict === "shapesOnly") ?? { verdict: "equal" };
}

/** @param {any} value @returns {Record<string, any>} */
function factsOf(value) {
  return Array.isArray(value) ? {} : value.facts;
}

/** @param {any} fact */
function factAsText(fact) {
  return fact == null ? "None" : typeof fact === "string" ? fact : JSON.stringify(fact);
}

/** @param {any} value @returns {string} */
function classOf(value) {
  return "value" in value.facts ? factAsText(value.facts.value) : value.type.split(".").at(-1);
}

/** @param {any} value @returns {string} */
function valueAsText(value) {
  return Array.isArray(value) ? value[1] : value.text;
}
