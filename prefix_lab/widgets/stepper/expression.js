// Expressions over what was recorded, `x.shape[0] > 2 and i == 5`: read and worked out here, as conditions.py does.
// Names are the frame's names, attributes are facts, and nothing can be called but len.

/** A name, fact or part that this step does not have. */
export class Unknown extends Error {}

/** @typedef {{kind: string, [field: string]: any}} Tree */

const TOKEN =
  /[ \t\f\r\n]*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([\p{XID_Start}_]\p{XID_Continue}*)|('(?:[^'\\\r\n]|\\.)*'|"(?:[^"\\\r\n]|\\.)*")|(==|!=|<=|>=|\/\/|[<>+\-*/%()[\].,]))/uy;
const COMPARISONS = new Set(["==", "!=", "<", "<=", ">", ">=", "is", "in", "not"]);
const WORDS = new Set(
  ("and as assert async await break class continue def del elif else except finally for from global if import in is " +
    "lambda nonlocal not or pass raise return try while with yield").split(" "),
);
/** @type {Record<string, any>} */
const CONSTANTS = { None: null, True: true, False: false };
const LONGEST_EXPRESSION = 2000;

/**
 * The tree of an expression. Throws an Error that says what is wrong with it.
 * @param {string} text
 * @returns {Tree}
 */
export function parse(text) {
  if (text.length > LONGEST_EXPRESSION) throw new Error("This is too long for an expression.");
  const tokens = tokensOf(text);
  let at = 0;
  let depth = 0;

  /** @param {string} sign */
  const taken = (sign) => (tokens[at]?.text === sign && tokens[at].kind !== "text" ? (at += 1) : 0) > 0;
  /** @param {string} sign */
  const expect = (sign) => {
    if (!taken(sign)) throw new Error(`Expected ${sign} ${tokens[at] ? `before ${tokens[at].text}` : "at the end"}.`);
  };
  /** @returns {Tree} */
  function either() {
    if ((depth += 1) > 100) throw new Error("This is nested too deeply.");
    const parts = [both()];
    while (taken("or")) parts.push(both());
    depth -= 1;
    return parts.length === 1 ? parts[0] : { kind: "or", parts };
  }
  /** @returns {Tree} */
  function both() {
    const parts = [negated()];
    while (taken("and")) parts.push(negated());
    return parts.length === 1 ? parts[0] : { kind: "and", parts };
  }
  /** @returns {Tree} */
  function negated() {
    let count = 0;
    while (taken("not")) count += 1;
    let inner = compared();
    while (count-- > 0) inner = { kind: "not", inner };
    return inner;
  }
  /** @returns {Tree} */
  function compared() {
    const first = sum();
    /** @type {[string, Tree][]} */
    const others = [];
    while (at < tokens.length && tokens[at].kind !== "text" && COMPARISONS.has(tokens[at].text)) {
      let sign = tokens[at++].text;
      if (sign === "not") {
        expect("in");
        sign = "not in";
      } else if (sign === "is" && taken("not")) sign = "is not";
      others.push([sign, sum()]);
    }
    return others.length ? { kind: "compare", first, others } : first;
  }
  /** @param {string[]} signs @param {() => Tree} inner @returns {Tree} */
  function chain(signs, inner) {
    let left = inner();
    for (;;) {
      const sign = signs.find((one) => taken(one));
      if (!sign) return left;
      left = { kind: "arithmetic", sign, left, right: inner() };
    }
  }
  const sum = () => chain(["+", "-"], product);
  const product = () => chain(["*", "//", "/", "%"], signed);
  /** @returns {Tree} */
  function signed() {
    let minus = 0;
    while (taken("-")) minus += 1;
    let inner = postfix();
    while (minus-- > 0) inner = { kind: "minus", inner };
    return inner;
  }
  /** @returns {Tree} */
  function postfix() {
    let base = atom();
    for (;;) {
      if (taken(".")) {
        const name = tokens[at++];
        if (name?.kind !== "name" || WORDS.has(name.text) || Object.hasOwn(CONSTANTS, name.text)) throw new Error("A name belongs after the dot.");
        base = { kind: "fact", base, name: name.text };
      } else if (taken("[")) {
        if (tokens[at]?.text === "]" && tokens[at].kind === "sign") throw new Error("A number or name belongs in the brackets.");
        base = { kind: "item", base, key: listOf("]") };
      } else if (tokens[at]?.text === "(" && tokens[at].kind === "sign") {
        throw new Error("Nothing can be called but len, with one argument.");
      } else return base;
    }
  }
  /** Expressions up to a closing sign: one, or several as a tuple. @param {string} close @returns {Tree} */
  function listOf(close) {
    const items = [];
    let comma = false;
    while (!taken(close)) {
      items.push(either());
      comma = taken(",");
      if (!comma) {
        expect(close);
        break;
      }
    }
    return items.length === 1 && !comma ? items[0] : { kind: "tuple", items };
  }
  /** @returns {Tree} */
  function atom() {
    const token = tokens[at++];
    if (!token) throw new Error("Something is missing at the end.");
    if (/^0\d*[1-9]\d*$/.test(token.text)) throw new Error(`${token.text} begins with a zero.`);
    if (token.kind === "number") return { kind: "constant", value: numberOf(token.text) };
    if (token.kind === "text") return { kind: "constant", value: textOf(token.text) };
    if (token.kind === "name") {
      if (Object.hasOwn(CONSTANTS, token.text)) return { kind: "constant", value: CONSTANTS[token.text] };
      if (WORDS.has(token.text)) throw new Error(`${token.text} cannot stand here.`);
      if (token.text === "len" && taken("(")) {
        const inner = either();
        taken(",");
        expect(")");
        return { kind: "len", inner };
      }
      return { kind: "name", name: token.text };
    }
    if (token.text === "(") return listOf(")");
    if (token.text === "[") {
      const inner = listOf("]");
      return inner.kind === "tuple" ? inner : { kind: "tuple", items: [inner] };
    }
    throw new Error(`${token.text} cannot stand here.`);
  }

  const tree = either();
  if (at < tokens.length) throw new Error(`${tokens[at].text} cannot stand here. Compare: i == 5.`);
  return tree;
}

/** @param {string} text */
function tokensOf(text) {
  const tokens = [];
  const rest = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < rest.length) {
    const start = TOKEN.lastIndex;
    const found = TOKEN.exec(rest);
    if (!found) throw new Error(`${rest.slice(start).trim()[0]} cannot be worked out on a recording. Compare: i == 5.`);
    const kind = found[1] ? "number" : found[2] ? "name" : found[3] ? "text" : "sign";
    tokens.push({ kind, text: found[1] || found[2]?.normalize("NFKC") || found[3] || found[4] });
  }
  if (!tokens.length) throw new Error("Write an expression: i == 5.");
  return tokens;
}

/** @type {Record<string, string>} */
const ESCAPES = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v", "\\": "\\", "'": "'", '"': '"' };
const ESCAPE = /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U(00(?:0[\da-fA-F]|10)[\da-fA-F]{4})|(.))/gsu;

/** What a text in quotes says, as Python reads it. @param {string} quoted */
export function textOf(quoted) {
  return quoted.slice(1, -1).replace(ESCAPE, (all, octal, two, four, eight, sign) => {
    if (sign === undefined) return String.fromCodePoint(octal ? parseInt(octal, 8) : parseInt(two || four || eight, 16));
    if ("xuUN".includes(sign)) throw new Error(`${all} is no sign in a text.`);
    return ESCAPES[sign] ?? all;
  });
}

/** The names that an expression uses. @param {Tree} tree @returns {Set<string>} */
export function namesIn(tree) {
  if (tree.kind === "name") return new Set([tree.name]);
  const inner = [tree.first, tree.inner, tree.left, tree.right, tree.base, typeof tree.key === "object" ? tree.key : null];
  const more = [...(tree.parts ?? []), ...(tree.items ?? []), ...(tree.others ?? []).map((/** @type {any} */ one) => one[1])];
  return new Set([...inner, ...more].filter(Boolean).flatMap((one) => [...namesIn(one)]));
}

/**
 * The worth of an expression, given the values by name. Throws `Unknown` where the step has no such thing.
 * @param {Tree} tree
 * @param {Map<string, any>} names values as pieces have them
 * @returns {any}
 */
export function workOut(tree, names) {
  /** @param {Tree} one */
  const out = (one) => workOut(one, names);
  switch (tree.kind) {
    case "constant":
      return tree.value;
    case "name":
      if (!names.has(tree.name)) throw new Unknown(tree.name);
      return plain(names.get(tree.name));
    case "tuple":
      return tree.items.map(out);
    case "fact":
      return fact(out(tree.base), tree.name);
    case "item":
      return item(out(tree.base), out(tree.key));
    case "len":
      return lengthOf(out(tree.inner));
    case "not":
      return !isTrue(out(tree.inner));
    case "minus":
      return -number(out(tree.inner));
    case "arithmetic":
      return arithmetic(tree.sign, number(out(tree.left)), number(out(tree.right)));
    case "and":
    case "or": {
      let worth;
      for (const one of tree.parts) {
        worth = out(one);
        if (isTrue(worth) !== (tree.kind === "and")) break;
      }
      return worth;
    }
    default: {
      let left = out(tree.first);
      for (const [sign, one] of tree.others) {
        const right = out(one);
        if (!holds(sign, left, right)) return false;
        left = right;
      }
      return true;
    }
  }
}

/** Whether it holds; false where one of the values has no such fact. @param {Tree} tree @param {Map<string, any>} names */
export function isTrueOf(tree, names) {
  try {
    return isTrue(workOut(tree, names));
  } catch (error) {
    if (error instanceof Unknown) return false;
    throw error;
  }
}

/** What stands for itself: a number, a text, None, a list; else the summary. @param {any} value @returns {any} */
export function plain(value) {
  if (Array.isArray(value) && typeof value[0] === "string") return atomOf(value[0], value[1], value);
  if (value && typeof value === "object" && "facts" in value && Object.hasOwn(value.facts, "value")) return factOf(value.facts.value);
  return value;
}

/** @param {string} type @param {string} text @param {any} whole */
function atomOf(type, text, whole) {
  if (type === "NoneType") return null;
  if (type === "bool") return text === "True";
  if (type === "int" || type === "float") {
    const found = text === "inf" ? Infinity : text === "-inf" ? -Infinity : numberOf(text);
    if (Number.isNaN(found) && text !== "nan") throw new Unknown(text);
    return found;
  }
  if (type === "str" && !text.endsWith("…")) return textOf(text);
  return { type, text, facts: {}, parts: [], headline: whole };
}

/** @param {any} found @returns {any} */
function factOf(found) {
  if (Array.isArray(found)) return found.map(factOf);
  if (found && typeof found === "object" && "py" in found) {
    const text = found.py;
    if (text === "inf" || text === "-inf") return text === "inf" ? Infinity : -Infinity;
    return text === "nan" || !Number.isNaN(Number(text)) ? numberOf(text) : text;
  }
  return found;
}

/** A number as it is written; a whole one of more digits than a float holds as a BigInt. @param {string} text */
function numberOf(text) {
  const found = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(found) ? BigInt(text) : found;
}

/** @param {any} value */
const isNumber = (value) => ["number", "boolean", "bigint"].includes(typeof value);

/** @param {any} value @param {string} name */
function fact(value, name) {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    if (Object.hasOwn(value.facts, name)) return factOf(value.facts[name]);
    const part = value.parts.find((/** @type {any} */ one) => one[0] === name);
    if (part) return plain(part[1]);
    if (name === "type") return value.type;
  }
  throw new Unknown(name);
}

/** @param {any} value @param {any} key */
function item(value, key) {
  if (Array.isArray(value) || typeof value === "string") {
    const letters = typeof value === "string" ? [...value] : value;
    const at = typeof key === "boolean" ? Number(key) : key;
    if (!Number.isInteger(at) || at >= letters.length || at < -letters.length) throw new Unknown(String(key));
    return letters.at(at);
  }
  if (value && typeof value === "object") {
    const fields = value.facts.fields ?? []; // of a named tuple, whose items have numbers, too
    const label = Number.isInteger(key) && fields.at(key) !== undefined ? fields.at(key) : labelOf(key);
    const part = value.parts.find((/** @type {any} */ one) => one[0] === label);
    if (part) return plain(part[1]);
  }
  throw new Unknown(String(key));
}

/** How Python's `str` writes a key. @param {any} key @returns {string} */
function labelOf(key) {
  if (Array.isArray(key)) return `(${key.map((one) => (typeof one === "string" ? `'${one}'` : labelOf(one))).join(", ")})`;
  return key === null ? "None" : key === true ? "True" : key === false ? "False" : String(key);
}

/** @param {any} value @returns {number} */
function lengthOf(value) {
  if (Array.isArray(value)) return value.length;
  if (typeof value === "string") return [...value].length;
  if (value && typeof value === "object") {
    if ("length" in value.facts) return factOf(value.facts.length);
    if ("shape" in value.facts && value.facts.shape.length) return value.facts.shape[0];
  }
  throw new Unknown("len");
}

/** @param {any} value */
function isTrue(value) {
  return Array.isArray(value) || typeof value === "string" ? value.length > 0 : Number.isNaN(value) || Boolean(value);
}

/** @param {any} value @returns {any} */
function number(value) {
  if (isNumber(value)) return typeof value === "bigint" ? value : Number(value);
  throw new Unknown("a number");
}

/** Whole numbers where one is larger than a float holds. @param {string} sign @param {bigint} left @param {bigint} right */
function exactly(sign, left, right) {
  if (sign === "+") return left + right;
  if (sign === "-") return left - right;
  if (sign === "*") return left * right;
  if (right === 0n) throw new Unknown("a quotient");
  const rest = left % right;
  const down = rest !== 0n && rest < 0n !== right < 0n;
  return sign === "//" ? left / right - (down ? 1n : 0n) : down ? rest + right : rest;
}

/** @param {string} sign @param {any} left @param {any} right @returns {any} */
function arithmetic(sign, left, right) {
  if (typeof left === "bigint" || typeof right === "bigint") {
    const whole = [left, right].every((one) => typeof one === "bigint" || Number.isSafeInteger(one));
    if (sign !== "/" && whole) return numberOf(String(exactly(sign, BigInt(left), BigInt(right))));
    [left, right] = [Number(left), Number(right)];
  }
  if (sign === "+") return left + right;
  if (sign === "-") return left - right;
  if (sign === "*") return left * right;
  if (right === 0) throw new Unknown("a quotient");
  if (sign === "/") return left / right;
  const rest = left % right;
  const moved = rest !== 0 && rest < 0 !== right < 0 ? rest + right : rest;
  return sign === "//" ? Math.round((left - rest) / right) - (moved === rest ? 0 : 1) : moved;
}

/** @param {any} left @param {any} right @returns {boolean} */
function same(left, right) {
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((one, at) => same(one, right[at]));
  // A BigInt is held against a float exactly, as Python does, and by `==` alone.
  if (isNumber(left) && isNumber(right)) return number(left) == number(right);
  if (left && right && typeof left === "object" && typeof right === "object")
    return left === right || saidOf(left) === saidOf(right);
  return left === right;
}

/** All that a summary says, whichever object it is of. @param {any} value */
function saidOf({ type, text, facts, parts }) {
  return JSON.stringify([type, text, facts, parts], (name, inner) => (name === "number" ? undefined : inner));
}

/** @param {string} sign @param {any} left @param {any} right @returns {boolean} */
function holds(sign, left, right) {
  if (sign === "==") return same(left, right);
  if (sign === "!=") return !same(left, right);
  if (sign === "is") return typeof left === typeof right && same(left, right);
  if (sign === "is not") return !holds("is", left, right);
  if (sign === "in") {
    if (Array.isArray(right)) return right.some((one) => same(left, one));
    if (typeof left === "string" && typeof right === "string") return right.includes(left);
    throw new Unknown("in");
  }
  if (sign === "not in") return !holds("in", left, right);
  return ordered(sign, left, right);
}

/** Two texts as the signs in which they differ, by which Python orders them; -1 is an end. @param {string} left @param {string} right */
function inOrder(left, right) {
  const [one, other] = [[...left], [...right]];
  const at = one.findIndex((sign, index) => sign !== other[index]);
  return [one, other].map((signs) => signs[at < 0 ? one.length : at]?.codePointAt(0) ?? -1);
}

/** @param {string} sign @param {any} left @param {any} right @returns {boolean} */
function ordered(sign, left, right) {
  if (Array.isArray(left) && Array.isArray(right)) {
    const at = left.findIndex((one, index) => index >= right.length || !same(one, right[index]));
    if (at >= 0 && at < right.length) return ordered(sign, left[at], right[at]);
    return ordered(sign, left.length, right.length);
  }
  if (!(typeof left === "string" && typeof right === "string")) {
    left = number(left);
    right = number(right);
  } else if (left !== right) [left, right] = inOrder(left, right);
  return sign === "<" ? left < right : sign === "<=" ? left <= right : sign === ">" ? left > right : left >= right;
}
