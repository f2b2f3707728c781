// The language of conditions and watches, for pages: its grammar and what it means stand in debugger/conditions.py.
// Whole numbers are BigInt here and others are numbers, as int and float are two in Python.

/** @typedef {Map<string, any>} Names values by name, as the pieces have them */
/** @typedef {(names: Names) => any} Work */
/** @typedef {{type: string, text: string, facts: Record<string, any>, parts: [string, any][], headline?: any[]}} Thing */

const HAS =
  "Conditions and watches have names, numbers, texts, facts and items such as x.shape[0], len(x), + - * / // %, " +
  "comparisons, in, and, or, not. Write one: i == 5.";
export const NAMED = 8; // names that are said to be known, instead of one that is not
const LONGEST = 1000;
const DEEPEST = 30;
const ESCAPE = String.raw`\\(?:[\\'"nrt]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U00(?:0[\da-fA-F]|10)[\da-fA-F]{4})`;
const TOKEN = new RegExp(
  String.raw`[ \t\f]*(?:(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<name>[\p{XID_Start}_]\p{XID_Continue}*)` +
    `|(?<text>'(?:[^'\\\\\r\n]|${ESCAPE})*'|"(?:[^"\\\\\r\n]|${ESCAPE})*")` +
    String.raw`|(?<sign>==|!=|<=|>=|\/\/|[<>+\-*\/%()[\].,]))`,
  "uy",
);
const LEVELS = [["or"], ["and"], ["==", "!=", "<", "<=", ">", ">=", "in", "not", "is"], ["+", "-"], ["*", "/", "//", "%"]];
const COMPARED = 2;
/** @type {Map<string, any>} */
const CONSTANTS = new Map([["None", null], ["True", true], ["False", false]]);
const WORDS = new Set(
  ("and as assert async await break class continue def del elif else except finally for from global if import in is " +
    "lambda nonlocal not or pass raise return try while with yield None True False").split(" "),
);

/** What a condition asks for has no answer at this step. */
export class Unknown extends Error {
  /** @param {string} why @param {string} [asked] the name, fact or part that was not recorded @param {Iterable<string>} [known] those that were */
  constructor(why, asked = "", known = []) {
    super(why);
    this.asked = asked;
    this.known = mostAlike(asked, known);
  }
}

/** Names in the order of how many signs are to be changed to make the asked one of them. @param {string} asked @param {Iterable<string>} known */
function mostAlike(asked, known) {
  return [...new Set(known)].map((name) => ({ name, far: distance([...asked], [...name]) })).sort((one, other) => one.far - other.far || (one.name < other.name ? -1 : 1)).map(({ name }) => name);
}

/** How many signs are to be put in, left out or replaced. @param {string[]} one @param {string[]} other */
function distance(one, other) {
  let row = [...other.keys(), other.length];
  for (const [down, mine] of one.entries()) {
    const next = [down + 1];
    for (const [across, theirs] of other.entries()) next.push(Math.min(row[across + 1] + 1, next[across] + 1, row[across] + Number(mine !== theirs)));
    row = next;
  }
  return row[other.length];
}

/** A condition, or a watch, that was read. Throws a `SyntaxError` for what is not in the language. */
export class Condition {
  /** @param {string} text */
  constructor(text) {
    const reader = new Reader(text.trim());
    this.work = reader.whole();
    this.names = reader.names;
  }

  /** What it gives for these values. Throws `Unknown` where it has no answer. @param {Names} names */
  worth(names) {
    return this.work(names);
  }

  /** Why it has no answer for these values; null where it has one. @param {Names} names */
  unknownOf(names) {
    try {
      for (const name of [...this.names].sort()) valueOf(name, names);
      this.work(names);
      return null;
    } catch (error) {
      if (error instanceof Unknown) return error;
      throw error;
    }
  }

  /** Whether it holds for these values; false where it has no answer. @param {Names} names */
  isTrueOf(names) {
    try {
      return isTrue(this.work(names));
    } catch (error) {
      if (error instanceof Unknown) return false;
      throw error;
    }
  }
}

/** What is wrong with a condition, in a sentence; empty where nothing is. @param {string} text */
export function wrongWith(text) {
  try {
    new Condition(text);
    return "";
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

/** Reads a condition from left to right: each rule of the grammar gives a function of the values. */
class Reader {
  /** @param {string} text */
  constructor(text) {
    if (text.length > LONGEST) throw refused("it is longer than 1,000 signs");
    this.at = 0;
    this.depth = 0;
    /** @type {Set<string>} */
    this.names = new Set();
    /** @type {{kind: string, text: string}[]} */
    this.tokens = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.length) {
      const start = TOKEN.lastIndex;
      const groups = TOKEN.exec(text)?.groups;
      if (!groups) throw refused(`${[...text.slice(start).trim()][0]} cannot stand here`);
      const [kind, found] = Object.entries(groups).find(([, one]) => one !== undefined) ?? ["", ""];
      this.tokens.push({ kind, text: kind === "name" ? found.normalize("NFKC") : found });
    }
  }

  /** The next token, passed over, if it is one of these signs and words. @param {...string} wanted */
  taken(...wanted) {
    const next = this.tokens[this.at];
    if (!next || next.kind === "text" || !wanted.includes(next.text)) return "";
    this.at += 1;
    return next.text;
  }

  /** @param {string} sign */
  expect(sign) {
    if (!this.taken(sign)) throw this.misplaced();
  }

  misplaced() {
    const next = this.tokens[this.at];
    return refused(next ? `${next.text} cannot stand here` : "something is missing at the end");
  }

  /** @param {() => Work} rule */
  inner(rule) {
    if ((this.depth += 1) > DEEPEST) throw refused("it is nested too deeply");
    const found = rule();
    this.depth -= 1;
    return found;
  }

  whole() {
    const found = this.condition();
    if (this.at < this.tokens.length) throw this.misplaced();
    return found;
  }

  /** A rule of the grammar by how tightly it binds: `or`, `and`, comparisons, sums, products. @param {number} [level] @returns {Work} */
  condition(level = 0) {
    if (level === LEVELS.length) return this.signed();
    if (level === COMPARED && this.taken("not")) {
      const denied = this.inner(() => this.condition(COMPARED));
      return (names) => !isTrue(denied(names));
    }
    const first = this.condition(level + 1);
    /** @type {[string, Work][]} */
    const others = [];
    for (let sign = this.sign(level); sign; sign = this.sign(level)) others.push([sign, this.condition(level + 1)]);
    if (!others.length) return first;
    if (level > COMPARED) return (names) => others.reduce((left, [sign, other]) => arithmetic(sign, left, other(names)), first(names));
    return (names) => {
      let left = first(names);
      for (const [sign, other] of others) {
        if (level < COMPARED && isTrue(left) === (sign === "or")) return left; // the first part that decides
        const right = other(names);
        if (level === COMPARED && !holds(sign, left, right)) return false;
        left = right;
      }
      return level === COMPARED || left;
    };
  }

  /** The sign or words between two parts, passed over. @param {number} level */
  sign(level) {
    const sign = this.taken(...LEVELS[level]);
    if (sign === "not") {
      this.expect("in");
      return "not in";
    }
    if (sign !== "is") return sign;
    const negated = this.taken("not");
    if (!CONSTANTS.has(this.tokens[this.at]?.text)) throw uncomputable("is compares with None, True and False alone");
    return negated ? "is not" : "is";
  }

  /** @returns {Work} */
  signed() {
    if (!this.taken("-")) return this.value();
    const positive = this.inner(() => this.signed());
    return (names) => arithmetic("*", -1n, positive(names));
  }

  /** @returns {Work} */
  value() {
    const atom = this.atom();
    /** @type {((value: any, names: Names) => any)[]} */
    const steps = [];
    for (let sign = this.taken(".", "["); sign; sign = this.taken(".", "[")) {
      if (sign === ".") {
        const name = this.name();
        steps.push((value) => fact(value, name));
      } else {
        const key = this.inner(() => this.condition());
        this.expect("]");
        steps.push((value, names) => item(value, key(names)));
      }
    }
    if (this.taken("(")) throw uncomputable("nothing can be called but len");
    return (names) => steps.reduce((value, step) => step(value, names), atom(names));
  }

  name() {
    const next = this.tokens[this.at];
    if (next?.kind !== "name" || WORDS.has(next.text)) throw this.misplaced();
    this.at += 1;
    return next.text;
  }

  /** @returns {Work} */
  atom() {
    if (this.taken("(")) return this.items(")", false);
    if (this.taken("[")) return this.items("]", true);
    const next = this.tokens[this.at];
    if (this.taken("len")) {
      this.expect("(");
      const measured = this.inner(() => this.condition());
      this.expect(")");
      return (names) => lengthOf(measured(names));
    }
    if (next?.kind === "name" && !CONSTANTS.has(next.text)) {
      const name = this.name();
      this.names.add(name);
      return (names) => valueOf(name, names);
    }
    if (!next || next.kind === "sign") throw this.misplaced();
    this.at += 1;
    if (/^0\d*[1-9]\d*$/.test(next.text)) throw refused(`${next.text} begins with a zero`);
    const worth = next.kind === "name" ? CONSTANTS.get(next.text) : next.kind === "text" ? textOf(next.text) : numberOf(next.text);
    return () => worth;
  }

  /** What stands up to a closing sign: a list, or one condition in brackets of its own. @param {string} close @param {boolean} list @returns {Work} */
  items(close, list) {
    /** @type {Work[]} */
    const found = [];
    while (!this.taken(close)) {
      found.push(this.inner(() => this.condition()));
      if (!this.taken(",")) {
        this.expect(close);
        break;
      }
      list = true;
    }
    if (found.length === 1 && !list) return found[0];
    return (names) => found.map((one) => one(names));
  }
}

/** @param {string} what */
function refused(what) {
  return new SyntaxError(`This is not an expression: ${what}. ${HAS}`);
}

/** @param {string} what */
function uncomputable(what) {
  return new SyntaxError(`This cannot be worked out on a recording: ${what}. ${HAS}`);
}

/** A number as it is written. @param {string} text */
function numberOf(text) {
  return /^-?\d+$/.test(text) ? BigInt(text) : Number(text);
}

/** What a text in quotes says, as Python writes and reads it. @param {string} quoted */
export function textOf(quoted) {
  return quoted.slice(1, -1).replace(new RegExp(ESCAPE, "g"), (all) => {
    const sign = { n: "\n", r: "\r", t: "\t" }[all[1]];
    return sign ?? (all.length === 2 ? all[1] : String.fromCodePoint(parseInt(all.slice(2), 16)));
  });
}

/** @param {string} name @param {Names} names */
function valueOf(name, names) {
  if (!names.has(name)) throw new Unknown(name, name, names.keys());
  return plain(names.get(name));
}

/** What stands for itself: a number, a text, None, a list; else the thing. @param {any} value @returns {any} */
function plain(value) {
  if (!Array.isArray(value)) {
    if (!value || typeof value !== "object" || !("value" in value.facts)) return value;
    const found = factOf(value.facts.value);
    return found === undefined ? value : found;
  }
  const [type, text] = value;
  if (CONSTANTS.has(text)) return CONSTANTS.get(text);
  const found = type === "str" ? (text.endsWith("…") ? undefined : textOf(text)) : factOf({ py: text });
  return found === undefined || !["str", "int", "float"].includes(type) ? { type, text, facts: {}, parts: [], headline: value } : found;
}

/** A fact's worth; undefined where JSON has its text alone. @param {any} found @returns {any} */
function factOf(found) {
  if (Array.isArray(found)) return found.map(factOf);
  if (typeof found === "number") return Number.isInteger(found) ? BigInt(found) : found;
  if (!found || typeof found !== "object") return found;
  if (["nan", "inf", "-inf"].includes(found.py)) return { nan: NaN, inf: Infinity, "-inf": -Infinity }[/** @type {string} */ (found.py)];
  return found.py.trim() && !Number.isNaN(Number(found.py)) ? numberOf(found.py) : undefined;
}

/** @param {any} value @returns {value is Thing} */
function isThing(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** @param {any} value */
function isTrue(value) {
  if (isThing(value)) return value.facts.length !== 0;
  return Array.isArray(value) || typeof value === "string" ? value.length > 0 : Number.isNaN(value) || Boolean(value);
}

/** @param {any} value @param {string} name @returns {any} */
function fact(value, name) {
  if (!isThing(value)) throw new Unknown(name, name);
  if (Object.hasOwn(value.facts, name)) return factOf(value.facts[name]) ?? null;
  const part = value.parts.find(([label]) => label === name);
  if (part) return plain(part[1]);
  if (name === "type") return value.type;
  throw new Unknown(name, name, [...Object.keys(value.facts), ...value.parts.map(([label]) => label)]);
}

/** @param {any} value @param {any} key @returns {any} */
function item(value, key) {
  if (isThing(value)) {
    const fields = value.facts.fields ?? []; // of a named tuple, whose items have numbers, too
    const label = (typeof key === "bigint" && fields.at(Number(key))) || (["bigint", "string"].includes(typeof key) ? String(key) : null);
    const part = value.parts.find(([one]) => one === label);
    if (part) return plain(part[1]);
    if (label !== null) throw new Unknown(label, label, value.parts.map(([one]) => one));
  } else if (typeof key === "bigint" && (Array.isArray(value) || typeof value === "string")) {
    const found = [...value].at(Number(key));
    if (found !== undefined) return found;
  }
  throw new Unknown(String(key));
}

/** @param {any} value @returns {any} */
function lengthOf(value) {
  const found = isThing(value) ? (value.facts.length ?? value.facts.shape?.[0]) : typeof value === "string" ? [...value].length : value?.length;
  if (found === undefined) throw new Unknown("len");
  return factOf(found);
}

/** @param {any} value @returns {bigint | number} */
function number(value) {
  if (typeof value === "boolean") return BigInt(value);
  if (typeof value === "bigint" || typeof value === "number") return value;
  throw new Unknown("a number");
}

/** @param {any} value */
const isNumber = (value) => ["number", "boolean", "bigint"].includes(typeof value);

/** A whole number as a float, if one holds it. @param {bigint | number} value */
function float(value) {
  const found = Number(value);
  if (typeof value === "bigint" && (!Number.isFinite(found) || BigInt(found) !== value)) throw new Unknown("a float");
  return found;
}

/** @param {string} sign @param {any} one @param {any} other @returns {bigint | number} */
function arithmetic(sign, one, other) {
  const [whole, by] = [number(one), number(other)];
  if ("/%".includes(sign[0]) && !Number(by)) throw new Unknown("a quotient");
  if (typeof whole === "bigint" && typeof by === "bigint" && sign !== "/") {
    if (sign === "+") return whole + by;
    if (sign === "-") return whole - by;
    if (sign === "*") return whole * by;
    const rest = whole % by;
    const down = rest !== 0n && rest < 0n !== by < 0n; // Python rounds down, JavaScript towards zero
    return sign === "//" ? whole / by - (down ? 1n : 0n) : down ? rest + by : rest;
  }
  const [left, right] = [float(whole), float(by)];
  if (sign === "+") return left + right;
  if (sign === "-") return left - right;
  if (sign === "*") return left * right;
  if (sign === "/") return left / right;
  const rest = left % right;
  const down = rest !== 0 && rest < 0 !== right < 0;
  return sign === "//" ? Math.round((left - rest) / right) - (down ? 1 : 0) : down ? rest + right : rest;
}

/** @param {any} left @param {any} right @returns {boolean} */
function same(left, right) {
  if (Array.isArray(left) && Array.isArray(right)) return left.length === right.length && left.every((one, at) => same(one, right[at]));
  if (isNumber(left) && isNumber(right)) return number(left) == number(right); // exactly, of whatever kinds
  return isThing(left) && isThing(right) ? saidOf(left) === saidOf(right) : left === right;
}

/** All that is said of a thing, whichever object it is. @param {Thing} thing */
function saidOf({ type, text, facts, parts }) {
  return JSON.stringify([type, text, facts, parts], (name, inner) => (name === "number" ? undefined : inner));
}

/** @param {string} sign @param {any} left @param {any} right @returns {boolean} */
function holds(sign, left, right) {
  if (sign === "==") return same(left, right);
  if (sign === "is") return left === right;
  if (sign === "in") {
    if (Array.isArray(right)) return right.some((one) => same(left, one));
    if (typeof left === "string" && typeof right === "string") return right.includes(left);
    throw new Unknown("in");
  }
  const opposite = { "!=": "==", "is not": "is", "not in": "in" }[sign];
  return opposite ? !holds(opposite, left, right) : ordered(sign, left, right);
}

/** @param {string} sign @param {any} left @param {any} right @returns {boolean} */
function ordered(sign, left, right) {
  if (typeof left === "string" && typeof right === "string") return ordered(sign, signsOf(left), signsOf(right));
  if (Array.isArray(left) && Array.isArray(right)) {
    const at = left.findIndex((one, index) => index >= right.length || !same(one, right[index]));
    if (at >= 0 && at < right.length) return ordered(sign, left[at], right[at]);
    return ordered(sign, left.length, right.length);
  }
  const [one, other] = [number(left), number(right)];
  return sign === "<" ? one < other : sign === "<=" ? one <= other : sign === ">" ? one > other : one >= other;
}

/** The numbers of a text's signs, by which Python orders texts. @param {string} text */
function signsOf(text) {
  return [...text].map((sign) => sign.codePointAt(0));
}

/** What a condition gave, as Python writes it. @param {any} worth @returns {string} */
export function asPython(worth) {
  if (worth === null) return "None";
  if (typeof worth === "boolean") return worth ? "True" : "False";
  if (typeof worth === "string") return `'${worth}'`;
  if (Array.isArray(worth)) return `(${worth.map(asPython).join(", ")}${worth.length === 1 ? "," : ""})`;
  if (isThing(worth)) return namedText(worth);
  if (typeof worth === "bigint" || !Number.isInteger(worth)) return String(worth).replace("Infinity", "inf").replace("NaN", "nan");
  return Number.isSafeInteger(worth) ? `${Object.is(worth, -0) ? "-0" : worth}.0` : String(worth);
}

/** A thing's text, a tensor's with the names of its axes, as `Summary.__repr__` has it. @param {Thing} thing */
function namedText({ text, facts }) {
  const { axes, shape } = facts;
  if (!axes?.length || !shape?.length || !axes.every((/** @type {any} */ axis) => typeof axis === "string")) return text;
  const named = shape.map((/** @type {number} */ size, /** @type {number} */ at) => (axes[at] === String(size) ? axes[at] : `${axes[at]} ${size}`));
  return text.replace(`(${shape.join(", ")})`, () => `(${named.join(", ")})`);
}

/** What a condition gives, as a line says it: a text without quotes; null where it has no answer. @param {Condition} condition @param {Names} names @returns {string | null} */
export function asText(condition, names) {
  try {
    const worth = condition.worth(names);
    return typeof worth === "string" ? worth : asPython(worth);
  } catch (error) {
    if (error instanceof Unknown) return null;
    throw error;
  }
}
