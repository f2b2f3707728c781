// Answers in a page that has no kernel: the same as questions.py gives, from the pieces in the page.

import { Condition, NAMED } from "./condition.js";
import { namesInLog, saidAt, timesOf } from "./stops.js";
import { Store } from "./store.js";

/** @typedef {import("./stops.js").Stop} Stop */

const IN_PLACE = 1;
const SAID_AT_MOST = 1000; // lines of log points
const MOST_FOUND = 100;
const LONGEST_HISTORY = 1000;

export class Answers {
  /** @param {(keys: string[]) => Promise<Record<string, any>>} get */
  constructor(get) {
    /** @type {number[][] | null} */
    this.places = null;
    /** @type {Map<string, number[]>} the steps of a place, and those at which a stop with a count stops */
    this.known = new Map();
    this.store = new Store({ get, ask: (question) => this.answer(question) });
  }

  /** @param {Record<string, any>} question @returns {Promise<any>} */
  async answer(question) {
    await this.store.open();
    const { ask, ...rest } = question;
    if (ask === "stop") return this.stop(rest.step, rest.breakpoints, rest.back ?? false);
    if (ask === "past") return this.store.past(rest.step, rest.back, this.store.functionsOf(rest.skip), rest.skip);
    if (ask === "times") return (await this.stepsOf(rest.breakpoint)).length;
    if (ask === "said") return this.said(rest.breakpoints);
    if (ask === "unknown") return this.unknown(rest.breakpoint);
    if (ask === "history") return this.history(rest.step, rest.name);
    if (ask === "changed") return this.changed(rest.since, rest.step);
    if (ask === "made") return this.made(rest.value);
    if (ask === "search") return this.search(rest.text);
    throw new Error(`no such question: ${ask}`);
  }

  /** For each place, its steps. @returns {Promise<number[][]>} */
  async stepsAt() {
    const index = await this.store.piece("index");
    this.places ??= index.map((/** @type {number[]} */ distances) => {
      let step = 0;
      return distances.map((distance) => (step += distance));
    });
    return this.places ?? [];
  }

  /** The steps at which a breakpoint can stop, in order, whatever its condition. @param {Stop} one @returns {Promise<number[]>} */
  async stepsOf(one) {
    const { file = "", line, function: called = "", name, raises } = one;
    const key = JSON.stringify([file, line, called, name, raises]);
    const known = this.known.get(key);
    if (known) return known;
    /** @type {number[]} */
    let found;
    if (name !== undefined) found = await this.changesOf(called, name);
    else if (raises !== undefined) found = await this.raisedOf(raises);
    else if (line !== undefined) {
      const [, ...places] = (await this.store.stands(this.store.meta.files.indexOf(file))).get(line) ?? [line];
      found = await this.stepsIn(places);
    } else if (called) found = this.beginningsOf(called) ?? (await this.stepsIn(this.callsOf(called)));
    else found = Array.from({ length: this.store.meta.steps }, (_, step) => step);
    this.known.set(key, found);
    return found;
  }

  /** @param {number[]} places */
  async stepsIn(places) {
    const stepsAt = await this.stepsAt();
    return places.flatMap((place) => stepsAt[place]).sort((one, other) => one - other);
  }

  /** Where a stage begins, if there is one of that name. @param {string} name @returns {number[] | undefined} */
  beginningsOf(name) {
    const [, , runs] = this.store.meta.stages.find((/** @type {any[]} */ [stage]) => stage === name) ?? [];
    return runs?.map((/** @type {number[]} */ [first]) => first);
  }

  /** The places at which a function is called. @param {string} name */
  callsOf(name) {
    const meant = this.store.namedSo(name);
    return [...this.store.meta.places.keys()].filter((place) => {
      const [event, called] = this.store.place(place);
      return event === "call" && meant.has(called);
    });
  }

  /** The steps at which a name of a function is given another value, or the contents of its value change. @param {string} called @param {string} name */
  async changesOf(called, name) {
    const { functions, names, watches } = this.store.meta;
    const exact = [...functions.keys()].filter((number) => functions[number][1] === called);
    const inside = exact.length ? new Set(exact) : this.store.namedSo(called);
    /** @type {number[]} */
    const found = [];
    /** @type {Map<number, number | null>} frame → the value that the name has there */
    const last = new Map();
    await this.eachBinding((step, number, value, flag) => {
      if (names[number] !== name || watches.includes(number)) return true;
      const page = this.store.here(step);
      const [, of] = this.store.place(page.place[step - page.first]);
      const frame = page.frame[step - page.first];
      if (!inside.has(of)) return true;
      if ((!last.has(frame) || last.get(frame) !== value || flag & IN_PLACE) && found.at(-1) !== step) found.push(step);
      last.set(frame, value);
      return true;
    }, true);
    return found;
  }

  /** The steps at which exceptions of these classes were raised. @param {string} classes */
  async raisedOf(classes) {
    const wanted = classes.split(",").map((one) => one.trim()).filter(Boolean);
    /** @type {number[]} */
    const found = [];
    for (const [step, number] of await this.store.piece("raised")) {
      const value = wanted.length ? await this.store.value(number) : null;
      /** @type {string[]} */
      const bases = value?.facts?.bases ?? [];
      if (!wanted.length || wanted.some((name) => bases.some((base) => `.${base}`.endsWith(`.${name}`)))) found.push(step);
    }
    return found;
  }

  /** Of these steps, in their order, those at which a breakpoint stops. @param {Stop} one @param {number[]} steps */
  async *holding(one, steps) {
    const wanted = one.condition ? new Condition(one.condition) : null;
    for (const at of steps) {
      const values = wanted && (await this.valuesFor(wanted, at));
      if (!wanted || (values && wanted.isTrueOf(values))) yield at;
    }
  }

  /** The steps at which a breakpoint stops, as far as they are known without its condition: with a count, it is seen to already. @param {Stop} one @returns {Promise<[number[], Stop]>} */
  async candidates(one) {
    const steps = await this.stepsOf(one);
    const counts = one.hits ? timesOf(one.hits) : null;
    if (!counts) return [steps, one];
    const key = JSON.stringify({ ...one, on: true });
    let found = this.known.get(key);
    if (!found) {
      found = [];
      let time = 0;
      for await (const at of this.holding(one, steps)) if (counts((time += 1))) found.push(at);
      this.known.set(key, found);
    }
    return [found, {}];
  }

  /** The next step, or the one before, where one of the breakpoints stops, and which of them. @param {number} step @param {Stop[]} breakpoints @param {boolean} back */
  async stop(step, breakpoints, back) {
    /** @type {[number, number] | null} */
    let best = null;
    for (const [number, one] of breakpoints.entries()) {
      const [steps, rest] = await this.candidates(one);
      /** @type {number} */
      const limit = best?.[0] ?? (back ? -1 : Infinity);
      const there = steps.filter((at) => (back ? limit < at && at < step : step < at && at < limit));
      for await (const at of this.holding(rest, back ? there.reverse() : there)) {
        best = [at, number];
        break;
      }
    }
    return best;
  }

  /** What log points say, in the order of the steps. @param {Stop[]} breakpoints */
  async said(breakpoints) {
    /** @type {[number, string][]} */
    const found = [];
    for (const one of breakpoints) {
      const [steps, rest] = await this.candidates(one);
      const names = namesInLog(one.log ?? "");
      let left = SAID_AT_MOST;
      for await (const at of this.holding(rest, steps)) {
        await this.store.page(at);
        found.push([at, saidAt(one.log ?? "", await this.store.valuesOf(this.store.at(at), names))]);
        if (!(left -= 1)) break;
      }
    }
    return found.sort(([one], [other]) => one - other).slice(0, SAID_AT_MOST);
  }

  /** The values of a condition's names at a step; null where one of them has none. @param {Condition} condition @param {number} step */
  async valuesFor(condition, step) {
    await this.store.page(step);
    const values = await this.store.valuesOf(this.store.at(step), condition.names);
    return values.size === condition.names.size ? values : null;
  }

  /** What a breakpoint's condition asks for and none of its steps knows, and what is known there. @param {any} breakpoint */
  async unknown(breakpoint) {
    if (!breakpoint.condition) return null;
    const condition = new Condition(breakpoint.condition);
    const steps = await this.stepsOf(breakpoint);
    const why = async (/** @type {number} */ step) => {
      const values = (await this.valuesFor(condition, step)) ?? (await this.namesAt(step));
      return condition.unknownOf(values);
    };
    let found = null;
    for (const step of steps) if (!(found = await why(step))) return null;
    return found && [found.asked, found.known.slice(0, NAMED)];
  }

  /** The names that have a value at a step; what values, does not matter. @param {number} step */
  async namesAt(step) {
    await this.store.page(step);
    const { names, watches } = this.store.meta;
    return new Map([...this.store.at(step).locals.keys()].filter((name) => !watches.includes(name)).map((name) => [names[name], undefined]));
  }

  /** @param {number} step @param {number} name */
  async history(step, name) {
    const found = [];
    const page = await this.store.page(step);
    /** @type {number | null} */
    let at = page.frames[page.frame[step - page.first]][0];
    while (at !== null && found.length < LONGEST_HISTORY) {
      const there = await this.store.page(at);
      const bound = there.bound[at - there.first];
      for (let one = 0; one < bound.length; one += 3)
        if (bound[one] === name) {
          const value = bound[one + 1];
          found.push(value === null ? [at, null, null] : [at, value, there.values[value]]);
        }
      at = this.store.beside(at, false);
    }
    return found;
  }

  /** What is not as it was at another step, as comparing.py has it. @param {number} since @param {number} step */
  async changed(since, step) {
    const { store } = this;
    const [first, last] = [Math.min(since, step), Math.max(since, step)];
    await store.page(first);
    const before = new Map(store.stack(first).map((call) => [call.frame, call.step]));
    await store.page(last);
    const found = [];
    for (const call of store.stack(last)) {
      const page = await store.page(call.step);
      const now = store.at(call.step);
      /** @type {number | null} */
      let then = page.frames[call.frame][0] > first ? null : (before.get(call.frame) ?? call.step);
      while (then !== null && then > first) {
        await store.page(then);
        then = store.beside(then, true);
      }
      if (then !== null) await store.page(then);
      const old = then === null ? null : store.at(then);
      for (const name of new Set([...now.locals.keys(), ...(old?.locals.keys() ?? [])])) {
        const values = [old?.locals.get(name), now.locals.get(name)];
        if (values[0] === values[1] || store.meta.watches.includes(name)) continue;
        const lines = [old, now].map((moment, at) => (moment && values[at] !== undefined ? store.headline(moment.step, values[at]) : null));
        found.push([now.function, store.meta.names[name], ...lines]);
      }
    }
    return found;
  }

  /** @param {number} value */
  async made(value) {
    const one = await this.store.value(value);
    if (Array.isArray(one) || one.number === null) return this.firstStep(new Set([value]));
    const same = new Set();
    await this.eachValue((number, other) => {
      if (!Array.isArray(other) && other.number === one.number && other.type === one.type) same.add(number);
    });
    return this.firstStep(same);
  }

  /** @param {(number: number, value: any) => void} visit */
  async eachValue(visit) {
    const { valuesPage } = this.store.meta;
    for (let page = 0; page * valuesPage < this.store.meta.values; page += 1) {
      const values = await this.store.piece(`values/${page}`);
      values.forEach((/** @type {any} */ value, /** @type {number} */ at) => visit(page * valuesPage + at, value));
    }
  }

  /** The step that bound one of the values before all others. @param {Set<number>} values */
  async firstStep(values) {
    /** @type {number | null} */
    let found = null;
    let when = Infinity;
    await this.eachBinding((step, _name, value) => {
      if (values.has(value) && this.boundWhen(step) < when) [found, when] = [step, this.boundWhen(step)];
      return step < when;
    });
    return found;
  }

  /** A line binds when it has run, and what it calls has bound before: just before the frame's next step. @param {number} step */
  boundWhen(step) {
    const page = this.store.here(step);
    const [event] = this.store.place(page.place[step - page.first]);
    if (event !== "line" && event !== "resume") return step;
    return (this.store.beside(step, false) ?? this.store.meta.steps) - 0.5;
  }

  /** Visits what each step bound, until the visitor says no. @param {(step: number, name: number, value: number, flag: number) => boolean} visit @param {boolean} [deleted] and what it deleted */
  async eachBinding(visit, deleted = false) {
    for (let first = 0; first < this.store.meta.steps; first += this.store.meta.page) {
      const page = await this.store.page(first);
      for (let at = 0; at < page.bound.length; at += 1)
        for (let one = 0; one < page.bound[at].length; one += 3)
          if ((deleted || page.bound[at][one + 1] !== null) && !visit(first + at, page.bound[at][one], page.bound[at][one + 1], page.bound[at][one + 2])) return;
    }
  }

  /** @param {string} text @returns {Promise<any[]>} */
  async search(text) {
    const wanted = text.toLowerCase().trim();
    if (!wanted) return [];
    return [...(await this.placesWith(wanted)), ...(await this.valuesWith(wanted))];
  }

  /** @param {string} wanted */
  async placesWith(wanted) {
    const stepsAt = await this.stepsAt();
    /** @type {any[]} */
    const functions = [];
    /** @type {any[]} */
    const lines = [];
    for (const [place, steps] of stepsAt.entries()) {
      if (!steps.length) continue;
      const [event, called, line] = this.store.place(place);
      const [file, name] = this.store.meta.functions[called];
      if (event === "call" && name.toLowerCase().includes(wanted)) functions.push(["function", steps[0], steps.length, name]);
      if (event === "line") {
        const [source] = await this.store.piece(`source/${file}`);
        const said = (source.split("\n")[line - 1] ?? "").trim();
        if (said.toLowerCase().includes(wanted)) lines.push(["line", steps[0], steps.length, said]);
      }
    }
    const first = (/** @type {any[]} */ rows) => rows.sort((one, other) => one[1] - other[1]).slice(0, MOST_FOUND);
    return [...first(functions), ...first(lines)];
  }

  /** @param {string} wanted */
  async valuesWith(wanted) {
    /** @type {Map<number, string>} */
    const texts = new Map();
    await this.eachValue((number, value) => {
      const said = Array.isArray(value) ? value[1] : value.text;
      if (said.toLowerCase().includes(wanted)) texts.set(number, said);
    });
    /** @type {any[]} */
    const found = [];
    if (!texts.size) return found;
    await this.eachBinding((step, name, value) => {
      const said = texts.get(value);
      if (said !== undefined) {
        texts.delete(value);
        found.push(["value", step, 1, `${name ? this.store.meta.names[name] : "→"} = ${said}`]);
      }
      return texts.size > 0 && found.length < MOST_FOUND;
    });
    return found;
  }
}
