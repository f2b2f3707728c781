// The pane with the source: only the lines that are in view are in the page. Values stand beside a line where there is
// room, and under it where there is none; the current line wraps, and has its values under it.

import { h, renew, shown } from "./text.js";
import { shortText } from "./values.js";

const HEIGHT = 20; // pixels of a line, as in stepper.css
const GUTTER = 77; // pixels, as in stepper.css
const MARGIN = 6; // lines around the current one
const LONGEST_LINE = 2000; // characters of a line
const MOST_GHOSTS = 3; // values beside a line
const MOST_UNDER = 8; // values under the current one
const MOST_SIGNS = 70; // of a value, its name and its label
const LEAST_SIGNS = 24; // of a value
const GAP = 4; // characters before a value
const LEAST = 24; // signs of a line that stay in a row, however deep it is indented
/** @type {Record<string, string>} the letters that written.py gives pieces of source → classes of stepper.css */
const KINDS = { c: "comment", s: "string", n: "number", k: "keyword", d: "decorator", f: "definition", b: "builtin" };

/** A line of source, cut by colour. @typedef {[kind: string, text: string][]} Line */

/**
 * A value beside a line, or under it. `label` says what the line has to do with it.
 * @typedef {{text: string, kind: "past" | "next" | "read", title: string, label: string}} Ghost
 */

/**
 * What the pane shows.
 * @typedef {object} Shown
 * @property {number} file
 * @property {string} title
 * @property {string} text
 * @property {string} colours as written.py has them
 * @property {number} current
 * @property {string} event
 * @property {Set<number>} visited lines of this call
 * @property {Set<number>} reached lines that ran at any time
 * @property {Map<number, Ghost[]>} ghosts
 * @property {Map<number, {on: boolean, condition?: string, log?: string, never?: boolean}>} breakpoints never: the line did not run
 */

export class SourcePane {
  /**
   * @param {import("./text.js").Language} language
   * @param {{toggle: (line: number) => void, condition: (line: number) => void}} act
   */
  constructor(language, act) {
    this.language = language;
    this.act = act;
    this.title = h("span", { class: "pl-file" });
    this.lines = h("div", { class: "pl-lines" });
    this.view = h("div", { class: "pl-code", tabindex: "0", role: "group", "aria-label": language.t("source") }, this.lines);
    const enter = (/** @type {Event} */ event) => {
      event.preventDefault(); // the button must not take the focus: it goes when there is one inside
      this.view.focus();
    };
    const away = h("button", { type: "button", class: "pl-keys-away", onmousedown: enter, onclick: enter }, language.t("keysAway"));
    const head = h("div", { class: "pl-source-head" }, h("h3", {}, this.title), away, h("small", { class: "pl-keys-here" }, language.t("keysHere")));
    this.element = h("section", { class: "pl-source", "aria-label": language.t("source") }, head, this.view);
    this.view.addEventListener("scroll", () => {
      [this.scrolled, this.aside] = [this.view.scrollTop, this.view.scrollLeft];
      this.place = this.scrolled;
      this.draw();
    });
    this.lines.addEventListener("click", (event) => this.clicked(event));
    this.lines.addEventListener("contextmenu", (event) => this.clicked(event, true));
    new ResizeObserver(() => this.resized()).observe(this.view);
    // What the browser knows as well; asked in the midst of drawing, it would lay everything out anew.
    this.height = 0;
    this.scrolled = 0;
    this.aside = 0;
    /** @type {Shown | null} */
    this.shown = null;
    this.drawn = [0, 0]; // the first line that is in the page, and the one behind the last
    this.place = 0; // where the view is scrolled to; `scrolled` is where it will be
    /** @type {Line[]} */
    this.text = [];
    this.textOf = "";
    this.columns = 0; // signs that have room in the width; 0 until the pane is seen
    this.under = 0; // pixels of the current line beyond its first
    /** @type {Map<number, number>} pixels of lines beyond their first, in the order of the lines */
    this.tall = new Map();
  }

  /** @param {MouseEvent} event @param {boolean} [withCondition] */
  clicked(event, withCondition = false) {
    const gutter = /** @type {HTMLElement} */ (event.target).closest("[data-line]");
    if (!gutter) return;
    event.preventDefault();
    const line = Number(gutter.getAttribute("data-line"));
    if (withCondition || event.shiftKey) this.act.condition(line);
    else this.act.toggle(line);
  }

  /** Cut a source into lines and colours. @param {string} text @param {string} colours */
  read(text, colours) {
    if (this.textOf === text) return;
    this.textOf = text;
    this.text = coloured(text, colours);
  }

  /** The names in a line's code, those behind a dot left out. @param {number} line */
  namesIn(line) {
    const code = (this.text[line - 1] ?? []).map(([kind, text]) => (["string", "comment"].includes(kind) ? " " : text)).join("");
    return new Set(code.match(/(?<![\p{L}\w.])[\p{L}_][\p{L}\w]*/gu));
  }

  /** @param {Shown} what @param {boolean} [follow] whether to bring the current line into view */
  show(what, follow = true) {
    this.read(what.text, what.colours);
    this.shown = what;
    this.title.textContent = shown(what.title);
    this.measure();
    if (follow) this.follow();
    this.draw(true);
    if (follow) this.keepWhole();
    this.scroll();
  }

  /** Which lines are higher than others, since their values have no room beside them, and how high that makes the whole. */
  measure() {
    const what = /** @type {Shown} */ (this.shown);
    const found = [...what.ghosts.keys()].filter((line) => line !== what.current && line <= this.text.length);
    /** @type {[number, number][]} */
    const tall = found.map((line) => [line, HEIGHT * this.rowsUnder(line)]);
    if (what.current) tall.push([what.current, this.under]);
    this.tall = new Map(tall.filter(([, more]) => more).sort(([one], [other]) => one - other));
    const height = `${this.top(this.text.length + 1)}px`;
    if (this.lines.style.height !== height) this.lines.style.height = height;
  }

  /** How many rows of values a line has under it. @param {number} line */
  rowsUnder(line) {
    const ghosts = /** @type {Shown} */ (this.shown).ghosts.get(line) ?? [];
    const code = this.text[line - 1].reduce((sum, [, text]) => sum + text.length, 0);
    const values = ghosts.reduce((sum, { text }) => sum + text.length + GAP, 0);
    if (!this.columns || code + values <= this.columns) return 0;
    const room = this.roomUnder(line) - GAP / 2;
    return ghosts.reduce((sum, { text }) => sum + rowsOf(`‹ ${text}`, room), 0);
  }

  /** @param {number} line */
  indent(line) {
    const signs = (this.text[line - 1][0]?.[1] ?? "").search(/\S|$/);
    return Math.min(signs, Math.max(2, this.columns - LEAST));
  }

  /** How many signs have room in a row under a line. @param {number} line */
  roomUnder(line) {
    return this.columns && this.text[line - 1] ? this.columns - this.indent(line) : MOST_SIGNS;
  }

  /** Pixels from the top of the source to a line. @param {number} line */
  top(line) {
    let top = (line - 1) * HEIGHT;
    for (const [at, more] of this.tall) if (at < line) top += more;
    return top;
  }

  /** The line at so many pixels from the top. @param {number} pixels */
  lineAt(pixels) {
    let above = 0;
    for (const [line, more] of this.tall) if ((line - 1) * HEIGHT + above < pixels) above += more;
    return Math.max(0, Math.floor((pixels - above) / HEIGHT));
  }

  follow() {
    if (!this.shown) return;
    const { height, scrolled } = this;
    const top = this.top(this.shown.current);
    const margin = Math.min(MARGIN * HEIGHT, Math.max(0, height / 2 - HEIGHT));
    if (this.aside) this.view.scrollLeft = this.aside = 0;
    if (top < scrolled + margin || top > scrolled + height - HEIGHT - margin) this.scrollTo(top - height * 0.4);
  }

  /** @param {number} pixels */
  scrollTo(pixels) {
    const there = Math.max(0, Math.min(Math.round(pixels), this.top(this.text.length + 1) - this.height));
    this.scrolled = there;
  }

  /** Last, since it has everything laid out. */
  scroll() {
    if (this.scrolled !== this.place) this.view.scrollTop = this.place = this.scrolled;
  }

  /** The current line with its values is in view to its end, or at least from its beginning. */
  keepWhole() {
    const top = this.top(this.shown?.current ?? 0);
    const beyond = top + HEIGHT + this.under - this.scrolled - this.height;
    if (beyond > 0) this.scrollTo(Math.min(this.scrolled + beyond, top));
  }

  /** A lower or narrower pane must not lose the current line. */
  resized() {
    const { clientHeight, clientWidth } = this.view;
    const one = h("span", {}, "0".repeat(100));
    this.lines.append(one);
    this.columns = Math.max(0, Math.floor((clientWidth - GUTTER) / (one.getBoundingClientRect().width / 100)));
    this.lines.style.setProperty("--pl-room", `${Math.max(0, clientWidth - GUTTER)}px`);
    if (this.shown) this.measure();
    const other = clientHeight !== this.height;
    this.height = clientHeight;
    if (other) this.follow();
    this.draw(true);
    if (other) this.keepWhole();
    this.scroll();
  }

  draw(again = false) {
    const what = this.shown;
    if (!what) return;
    const top = this.lineAt(this.scrolled);
    const bottom = Math.min(this.text.length, this.lineAt(this.scrolled + this.height) + 1);
    if (!again && this.drawn[0] <= top && bottom <= this.drawn[1]) return;
    const first = Math.max(0, top - 3);
    const last = Math.min(this.text.length, first + Math.ceil(this.height / HEIGHT) + 8);
    this.drawn = [first, last];
    const lines = Array.from({ length: last - first }, (_, at) => first + at + 1);
    this.lines.style.paddingTop = `${this.top(first + 1)}px`;
    renew(
      this.lines,
      lines.map((line) => [this.keyOf(line), () => this.row(line)]),
    );
    const current = /** @type {HTMLElement | undefined} */ (this.lines.children[what.current - 1 - first]);
    if (current && current.offsetHeight !== HEIGHT + this.under) {
      this.under = Math.max(0, current.offsetHeight - HEIGHT);
      this.measure();
    }
  }

  /** Everything that a row shows. @param {number} line */
  keyOf(line) {
    const what = /** @type {Shown} */ (this.shown);
    const current = line === what.current ? what.event : null;
    const ran = what.visited.has(line) ? 2 : Number(what.reached.has(line));
    return JSON.stringify([line, current, ran, this.columns, what.file, what.breakpoints.get(line), what.ghosts.get(line)]);
  }

  /** @param {number} line */
  row(line) {
    const what = /** @type {Shown} */ (this.shown);
    const stop = what.breakpoints.get(line);
    const current = line === what.current; // it wraps, and its indentation is a margin
    const state = ["pl-line"];
    if (current) state.push("pl-current", `pl-at-${what.event}`);
    if (what.visited.has(line)) state.push("pl-visited");
    else if (what.reached.has(line)) state.push("pl-reached");
    const mark = stop ? (stop.never ? "○" : stop.log ? "◇" : stop.condition ? "◆" : "●") : "";
    const label = stop?.never ? this.language.t("neverRan", { line }) : this.language.t("line", { line });
    const gutter = h(
      "span",
      { class: `pl-gutter${stop ? (stop.on ? " pl-stop" : " pl-stop pl-off") : ""}`, "data-line": line, title: stop?.log || (stop?.condition ?? label) },
      h("span", { class: "pl-mark", "aria-hidden": "true" }, current ? (mark || "▶") : mark),
      String(line),
    );
    const code = h("span", { class: "pl-text" });
    let room = LONGEST_LINE;
    for (const [at, [kind, whole]] of this.text[line - 1].entries()) {
      const text = current && !at ? whole.trimStart() : whole;
      const said = shown(text.length > room ? `${text.slice(0, room)}…` : text);
      code.append(kind ? h("span", { class: `pl-${kind}` }, said) : said);
      room -= text.length;
      if (room <= 0) break;
    }
    const under = current || this.rowsUnder(line) > 0;
    const told = h("span", { class: under ? "pl-told pl-told-under" : "pl-told" }, code, this.ghosts(line));
    told.style.setProperty("--indent", `${Math.round(this.indent(line))}ch`);
    const row = h("div", { class: state.join(" ") }, gutter, told);
    if (current) row.setAttribute("aria-current", "step");
    return row;
  }

  /** @param {number} line */
  ghosts(line) {
    const ghosts = /** @type {Shown} */ (this.shown).ghosts.get(line);
    if (!ghosts?.length) return null;
    const said = ghosts.map(({ text, kind, title, label }) =>
      h("bdi", { class: `pl-ghost pl-ghost-${kind}`, title: shown(title) }, label ? h("small", {}, `${label} `) : null, shown(text)),
    );
    return h("span", { class: "pl-ghosts" }, ...said);
  }
}

/**
 * The values beside lines. Of a line of this call: what it bound last. Of the current one: what it is about to bind or
 * to give back, then what it reads. `self` is the last, and nowhere but where it comes in.
 * @param {import("./store.js").Store} store @param {import("./store.js").Moment} moment
 * @param {boolean} hidden whether what the line gives is not to be seen yet
 * @param {SourcePane} pane with the source
 */
export function ghostsAt(store, moment, hidden, pane) {
  /** @type {Map<number, Ghost[]>} */
  const found = new Map();
  const { names, watches } = store.meta;
  const { language } = pane;
  const read = pane.namesIn(moment.line);
  const room = Math.min(MOST_SIGNS, pane.roomUnder(moment.line));
  /** @param {number} line @param {number} name @param {number} value @param {Ghost["kind"]} kind @param {string} [label] */
  const add = (line, name, value, kind, label = "") => {
    const all = found.get(line) ?? [];
    const headline = store.headline(moment.step, value);
    const here = line === moment.line;
    const most = here ? MOST_UNDER : MOST_GHOSTS;
    const left = Math.max(LEAST_SIGNS, room - names[name].length - label.length - 2);
    if (all.length < most && line) all.push({ text: `${names[name]} ${shortText(headline, left, here)}`.trim(), kind, title: headline[1], label });
    found.set(line, all);
  };
  const gives = /** @type {Record<string, string>} */ ({ return: "returns", yield: "yields", exception: "raises" })[moment.event] ?? "gives";
  for (const [name, value] of hidden ? [] : moment.bound)
    if (value !== null && !watches.includes(name) && (name === 0 || moment.event === "line")) add(moment.line, name, value, "next", language.t(gives));
  const entered = moment.event === "call";
  for (const [name, value] of selfLast([...moment.locals], names)) {
    if (watches.includes(name) || names[name] === "__class__") continue;
    const line = moment.lines.get(name) ?? 0;
    const own = names[name] === "self"; // it says nothing new from line to line
    if (line !== moment.line && !own) add(line, name, value, "past");
    if (entered || (read.has(names[name]) && !own)) add(moment.line, name, value, "read", language.t(entered ? "given" : "reads"));
  }
  return found;
}

/** How many rows a text takes that wraps between words, or anywhere in a long one. @param {string} text @param {number} room */
function rowsOf(text, room) {
  let rows = 1;
  let taken = 0;
  for (const word of text.split(" ")) {
    if (taken && taken + word.length > room) [rows, taken] = [rows + 1, 0];
    taken += word.length;
    while (taken > room) [rows, taken] = [rows + 1, taken - room];
    taken += 1;
  }
  return rows;
}

/** Names with their values, `self` behind the others. @template T @param {[number, T][]} rows @param {string[]} names */
export function selfLast(rows, names) {
  return rows.sort(([one], [other]) => Number(names[one] === "self") - Number(names[other] === "self"));
}

/** The lines of a source by its colours, `k3.1f7`: so many signs of each; what comes after has none. @param {string} text @param {string} colours */
export function coloured(text, colours) {
  /** @type {Line[]} */
  const lines = [[]];
  /** @param {string} kind @param {string} piece */
  const add = (kind, piece) =>
    piece.split("\n").forEach((part, at) => {
      if (at) lines.push([]);
      if (part) /** @type {Line} */ (lines.at(-1)).push([kind, part]);
    });
  let at = 0;
  for (const [, letter, length] of colours.matchAll(/(\D)(\d+)/g)) add(KINDS[letter] ?? "", text.slice(at, (at += Number(length))));
  add("", text.slice(at));
  return lines;
}
