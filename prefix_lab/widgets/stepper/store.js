// What a page knows of a recording, step by step: where one stands, where moves lead, what is around.

import { Pieces } from "./pieces.js";

/** A value in one line: type, text, shape, axes, object, whether more is inside. @typedef {any[]} Headline */

/**
 * What is at a step. `locals` are name → value as the step finds them, by their numbers; `bound` is what it binds.
 * @typedef {object} Moment
 * @property {number} step
 * @property {string} event
 * @property {number} file
 * @property {string} function
 * @property {number} line
 * @property {number} frame
 * @property {string} thread
 * @property {Map<number, number>} locals
 * @property {Map<number, number>} lines the line that bound a name last; 0 if that is long ago
 * @property {[name: number, value: number | null, flag: number][]} bound
 * @property {Set<number>} fresh names that the step before in this frame bound
 * @property {Set<number>} visited lines of this frame that ran before
 */

/** A line of the stack. @typedef {{step: number, place: number, frame: number}} Call */

/** Where breakpoints stand in a file: line → the line that stands for it, and its places. @typedef {Map<number, [line: number, ...places: number[]]>} Standing */

export class Store extends Pieces {
  /** @param {import("./pieces.js").Source} source */
  constructor(source) {
    super(source);
    /** @type {Map<number, Standing>} */
    this.standing = new Map();
    /** @type {WeakMap<string[], Set<number>>} */
    this.meant = new WeakMap();
    /** @type {Map<string, any>} */
    this.unanswered = new Map();
  }

  /** Where breakpoints stand in a file, by its number. @param {number} file @returns {Promise<Standing>} */
  async stands(file) {
    const [, , rows] = await this.piece(`source/${file}`);
    let found = this.standing.get(file);
    if (!found) this.standing.set(file, (found = new Map(rows.map((/** @type {number[]} */ [line, ...stands]) => [line, stands]))));
    return found;
  }

  /** What a breakpoint's condition asks for in vain, and what is known instead; asked once, since it is so at every step. @param {import("./stops.js").Stop} breakpoint */
  async unknown(breakpoint) {
    const key = JSON.stringify(breakpoint);
    if (!this.unanswered.has(key)) this.unanswered.set(key, await this.source.ask({ ask: "unknown", breakpoint }));
    return this.unanswered.get(key);
  }

  /** The event, function and line of a place. @param {number} place @returns {[string, number, number]} */
  place(place) {
    const [event, called, line] = this.meta.places[place];
    return [this.meta.events[event], called, line];
  }

  /** The step that the frame of a step was entered from. @param {number} step @returns {number | null} */
  caller(step) {
    const page = this.here(step);
    let at = step - page.first;
    const frame = page.frame[at];
    while (page.callers[at] === -1) {
      do at -= 1;
      while (page.frame[at] !== frame);
    }
    return page.callers[at];
  }

  /** The calls around a step, it first; everything needed is in its page. @param {number} step @returns {Call[]} */
  stack(step) {
    const page = this.here(step);
    const end = page.first + page.place.length;
    /** @type {Call[]} */
    const found = [];
    /** @type {number | null} */
    let at = step;
    while (at !== null && at !== undefined) {
      if (at >= page.first && at < end) {
        found.push({ step: at, place: page.place[at - page.first], frame: page.frame[at - page.first] });
        at = this.caller(at);
      } else {
        /** @type {[number, number, number | null]} */
        const [place, frame, outwards] = page.outer[at];
        found.push({ step: at, place, frame });
        at = outwards;
      }
    }
    return found;
  }

  /** The step after, or before, in the same frame. @param {number} step @param {boolean} back @returns {number | null} */
  beside(step, back) {
    const page = this.here(step);
    if (step >= page.first && step < page.first + page.place.length) {
      const distance = (back ? page.before : page.after)[step - page.first];
      return distance ? step + (back ? -distance : distance) : null;
    }
    return null;
  }

  /** The numbers of functions that are meant by a name or its end, by their file, or by a folder, as cursor.py has it. @param {string[]} names */
  functionsOf(names) {
    const known = this.meant.get(names);
    if (known) return known;
    const isMeant = (/** @type {string} */ file, /** @type {string} */ called) =>
      names.some((name) => `.${called}`.endsWith(`.${name}`) || `/${file}`.endsWith(`/${name}`) || (name.endsWith("/") && `/${file}`.includes(`/${name}`)));
    const found = new Set([...this.meta.functions.keys()].filter((number) => isMeant(this.meta.files[this.meta.functions[number][0]], this.meta.functions[number][1])));
    this.meant.set(names, found);
    return found;
  }

  /** The numbers of functions of a name, or whose names end in it. @param {string} name */
  namedSo(name) {
    /** @type {any[][]} */
    const functions = this.meta.functions;
    return new Set([...functions.keys()].filter((number) => `.${functions[number][1]}`.endsWith(`.${name}`)));
  }

  /**
   * Where a move leads, past the functions that `skip` names; null at an end.
   * @param {number} step @param {string} move @param {boolean} back @param {string[]} [skip]
   */
  async destination(step, move, back, skip = []) {
    await this.page(step);
    const skipped = this.functionsOf(skip);
    if (move === "in") return this.past(step + (back ? -1 : 1), back, skipped, skip);
    if (move === "over") {
      const there = this.beside(step, back);
      if (there !== null) return there;
    }
    if (move === "end") {
      const page = this.here(step);
      const there = page.frames[page.frame[step - page.first]][back ? 0 : 1];
      return there === step ? null : there;
    }
    let there = await this.outOf(step, back);
    while (there !== null && this.calledAt(await this.page(there), there, skipped)) {
      const further = await this.outOf(there, back);
      if (further === null || further < there !== back) return null; // the latter: a generator that another thread goes on with
      there = further;
    }
    return there;
  }

  /** Whether a step of a page is in one of these functions. @param {any} page @param {number} step @param {Set<number>} functions */
  calledAt(page, step, functions) {
    return functions.has(this.place(page.place[step - page.first])[1]);
  }

  /** The first step from this one on that is in none of the skipped functions. @param {number} step @param {boolean} back @param {Set<number>} skipped @param {string[]} names */
  async past(step, back, skipped, names) {
    if (this.within(step) === null || !skipped.size) return this.within(step);
    const page = await this.page(step);
    let at = step;
    while (page.place[at - page.first] !== undefined && this.calledAt(page, at, skipped)) at += back ? -1 : 1;
    if (this.within(at) === null || page.place[at - page.first] !== undefined) return this.within(at);
    return this.source.ask({ ask: "past", step: at, skip: names, back });
  }

  /** @param {number} step @param {boolean} back */
  async outOf(step, back) {
    const page = await this.page(step);
    const [, ...callers] = this.stack(step).map((call) => call.step);
    if (back && callers.length) return callers[0];
    for (const caller of callers) {
      const inside = caller >= page.first && caller < page.first + page.place.length;
      const after = inside ? this.beside(caller, false) : page.outer[caller][4];
      if (after !== null) return after;
    }
    const [first, last] = page.frames[page.frame[step - page.first]];
    const thread = threadAt(page, step);
    // Callers that have no step after the call: what else their lines called is deeper than they are.
    const depth = page.depth[step - page.first] - callers.length;
    let at = back ? first - 1 : (callers.length ? step : last) + 1;
    while (this.within(at) !== null) {
      const there = await this.page(at);
      // Deeper is what the frame's last line called, where an exception left the frame then.
      if (threadAt(there, at) === thread && there.depth[at - there.first] <= depth) return at;
      at += back ? -1 : 1;
    }
    return null;
  }

  /** @param {number} step @returns {number | null} */
  within(step) {
    return step >= 0 && step < this.meta.steps ? step : null;
  }

  /** What is at a step whose page is here. @param {number} step @returns {Moment} */
  at(step) {
    const page = this.here(step);
    const index = step - page.first;
    const frame = page.frame[index];
    const [event, called, line] = this.place(page.place[index]);
    const [file, name] = this.meta.functions[called];
    /** @type {Map<number, number>} */
    const locals = new Map();
    const lines = new Map();
    const visited = new Set();
    const held = page.held[frame] ?? [];
    for (let at = 0; at < held.length; at += 3) {
      locals.set(held[at], held[at + 1]);
      lines.set(held[at], held[at + 2]);
      if (held[at + 2]) visited.add(held[at + 2]);
    }
    let before = -1;
    for (let at = 0; at <= index; at += 1) {
      if (page.frame[at] !== frame) continue;
      const [kind, , its] = this.place(page.place[at]);
      if (at === index && kind !== "call") break;
      if (at < index) {
        before = at;
        if (kind === "line") visited.add(its);
      }
      bind(page.bound[at], its, locals, lines);
    }
    const fresh = new Set(before < 0 ? (page.fresh[frame] ?? []) : names(page.bound[before]));
    const thread = this.meta.threads[threadAt(page, step)];
    const bound = triples(page.bound[index]);
    return { step, event, file, function: name, line, frame, thread, locals, lines, bound, fresh, visited };
  }

  /** The runs of stages around a step, outermost first. @param {number} step */
  runsAt(step) {
    /** @type {[name: string, first: number][]} */
    const found = [];
    for (const [name, , runs] of this.meta.stages)
      for (const [first, last] of runs) if (first <= step && step <= last) found.push([name, first]);
    return found.sort(([, one], [, other]) => one - other);
  }

  /** The names of the stages around a step, outermost first. @param {number} step @returns {string[]} */
  stagesAt(step) {
    return this.runsAt(step).map(([name]) => name);
  }

  /** Where the next stage begins or goes on after a step, or before. @param {number} step @param {boolean} back @returns {number | undefined} */
  stageBeside(step, back) {
    /** @type {number[]} */
    const stops = this.meta.stageStops;
    return back ? stops.findLast((one) => one < step) : stops.find((one) => one > step);
  }

  /** The step of a page that is here which is nearest to one and not stepped past, if there is any. @param {number} step @param {string[]} skip */
  walkedNear(step, skip) {
    const page = this.here(step);
    const skipped = this.functionsOf(skip);
    for (let far = 0; far < page.place.length; far += 1)
      for (const at of [step + far, step - far]) if (page.place[at - page.first] !== undefined && !this.calledAt(page, at, skipped)) return at;
    return step;
  }

  /** A value's line. It is in the page of the step where it was seen. @param {number} step @param {number} value */
  headline(step, value) {
    return /** @type {Headline} */ (this.here(step).values[value]);
  }

  /** A value with its facts and parts. @param {number} value @returns {Promise<any>} */
  async value(value) {
    const size = this.meta.valuesPage;
    const page = await this.piece(`values/${Math.floor(value / size)}`);
    return page[value % size];
  }

  /** Values of names at a step, whole, for expressions. @param {Moment} moment @param {Set<string>} wanted */
  async valuesOf(moment, wanted) {
    const found = new Map();
    for (const [name, value] of moment.locals) {
      const text = this.meta.names[name];
      if (wanted.has(text)) found.set(text, await this.value(value));
    }
    return found;
  }

  /** Get what is likely to be needed next. @param {number} step */
  async ahead(step) {
    const page = await this.page(step);
    const near = [step - 1, step + 1, this.beside(step, false), this.beside(step, true)];
    for (const call of this.stack(step)) near.push(call.step, ...(page.outer[call.step]?.slice(3) ?? []));
    near.push(page.first - 1, page.first + page.place.length);
    for (const there of near)
      if (there !== null && this.within(there) !== null && !this.has(there)) this.page(there).catch(() => null);
  }
}

/** Which thread took a step of this page. @param {any} page @param {number} step @returns {number} */
function threadAt(page, step) {
  return page.turns.findLast((/** @type {[number, number]} */ [first]) => first <= step)[1];
}

/** @param {any[]} bound @returns {[number, number | null, number][]} */
function triples(bound) {
  /** @type {[number, number | null, number][]} */
  const found = [];
  for (let at = 0; at < bound.length; at += 3) found.push([bound[at], bound[at + 1], bound[at + 2]]);
  return found;
}

/** @param {any[]} bound */
function names(bound) {
  return triples(bound).map(([name]) => name);
}

/** @param {any[]} bound @param {number} line @param {Map<number, number>} locals @param {Map<number, number>} lines */
function bind(bound, line, locals, lines) {
  for (const [name, value] of triples(bound)) {
    if (name === 0) continue;
    if (value === null) locals.delete(name);
    else {
      locals.set(name, value);
      lines.set(name, line);
    }
  }
}
