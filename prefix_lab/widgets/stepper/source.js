// The pane with the source: only the lines that are in view are in the page.

import { h, shown } from "./text.js";
import { shortText } from "./values.js";

export const HEIGHT = 20; // pixels of a line, as in stepper.css
const MARGIN = 6; // lines around the current one
const LONGEST_LINE = 2000; // characters of a line
const MOST_GHOSTS = 3; // values beside a line
/** @type {Record<string, string>} the letters that written.py gives pieces of source → classes of stepper.css */
const KINDS = { c: "comment", s: "string", n: "number", k: "keyword", d: "decorator", f: "definition", b: "builtin" };

/** A line of source, cut by colour. @typedef {[kind: string, text: string][]} Line */

/** @typedef {{text: string, kind: string, title: string}} Ghost a value beside a line */

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
 * @property {Map<number, {on: boolean, condition?: string, never?: boolean}>} breakpoints never: the line did not run
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
    this.element = h("section", { class: "pl-source", "aria-label": language.t("source") }, h("h3", {}, this.title), this.view);
    this.view.addEventListener("scroll", () => this.draw());
    this.lines.addEventListener("click", (event) => this.clicked(event));
    this.lines.addEventListener("contextmenu", (event) => this.clicked(event, true));
    new ResizeObserver(() => this.resized()).observe(this.view);
    this.height = 0;
    /** @type {Shown | null} */
    this.shown = null;
    this.drawn = "";
    /** @type {Line[]} */
    this.text = [];
    this.textOf = "";
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

  /** @param {Shown} what @param {boolean} [follow] whether to bring the current line into view */
  show(what, follow = true) {
    if (this.textOf !== what.text) {
      this.textOf = what.text;
      this.text = coloured(what.text, what.colours);
      this.lines.style.height = `${this.text.length * HEIGHT}px`;
    }
    this.shown = what;
    this.title.textContent = shown(what.title);
    if (follow) this.follow();
    this.draw(true);
  }

  follow() {
    if (!this.shown) return;
    const { clientHeight, scrollTop } = this.view;
    const top = (this.shown.current - 1) * HEIGHT;
    const margin = Math.min(MARGIN * HEIGHT, Math.max(0, clientHeight / 2 - HEIGHT));
    if (top < scrollTop + margin || top > scrollTop + clientHeight - HEIGHT - margin)
      this.view.scrollTop = Math.max(0, top - clientHeight * 0.4);
  }

  /** A lower pane must not lose the current line. */
  resized() {
    const { clientHeight } = this.view;
    if (clientHeight !== this.height) this.follow();
    this.height = clientHeight;
    this.draw(true);
  }

  draw(again = false) {
    if (!this.shown) return;
    const first = Math.max(0, Math.floor(this.view.scrollTop / HEIGHT) - 3);
    const last = Math.min(this.text.length, first + Math.ceil(this.view.clientHeight / HEIGHT) + 6);
    const key = `${first} ${last}`;
    if (!again && key === this.drawn) return;
    this.drawn = key;
    const rows = [];
    for (let at = first; at < last; at += 1) rows.push(this.row(at + 1));
    this.lines.replaceChildren(...rows);
  }

  /** @param {number} line */
  row(line) {
    const what = /** @type {Shown} */ (this.shown);
    const stop = what.breakpoints.get(line);
    const state = ["pl-line"];
    if (line === what.current) state.push("pl-current", `pl-at-${what.event}`);
    if (what.visited.has(line)) state.push("pl-visited");
    else if (what.reached.has(line)) state.push("pl-reached");
    const mark = stop ? (stop.never ? "○" : stop.condition ? "◆" : "●") : "";
    const label = stop?.never ? this.language.t("neverRan", { line }) : `${this.language.t("line")} ${line}`;
    const gutter = h(
      "span",
      { class: `pl-gutter${stop ? (stop.on ? " pl-stop" : " pl-stop pl-off") : ""}`, "data-line": line, title: stop?.condition ?? label },
      h("span", { class: "pl-mark", "aria-hidden": "true" }, line === what.current ? (mark || "▶") : mark),
      String(line),
    );
    const code = h("span", { class: "pl-text" });
    let room = LONGEST_LINE;
    for (const [kind, text] of this.text[line - 1]) {
      const said = shown(text.length > room ? `${text.slice(0, room)}…` : text);
      code.append(kind ? h("span", { class: `pl-${kind}` }, said) : said);
      room -= text.length;
      if (room <= 0) break;
    }
    const row = h("div", { class: state.join(" ") }, gutter, code, ...this.ghosts(line));
    if (line === what.current) row.setAttribute("aria-current", "step");
    row.style.transform = `translateY(${(line - 1) * HEIGHT}px)`;
    return row;
  }

  /** @param {number} line */
  ghosts(line) {
    const what = /** @type {Shown} */ (this.shown);
    return (what.ghosts.get(line) ?? []).map(({ text, kind, title }) => h("bdi", { class: `pl-ghost pl-ghost-${kind}`, title }, shown(text)));
  }
}

/**
 * The values beside lines: what each line of this call bound last, and on the current one what it is about to bind.
 * @param {import("./store.js").Store} store @param {import("./store.js").Moment} moment @param {boolean} hidden whether the latter is not to be seen yet
 */
export function ghostsAt(store, moment, hidden) {
  /** @type {Map<number, Ghost[]>} */
  const found = new Map();
  const { names, watches } = store.meta;
  /** @param {number} line @param {number} name @param {number} value @param {string} kind */
  const add = (line, name, value, kind) => {
    const all = found.get(line) ?? [];
    const headline = store.headline(moment.step, value);
    if (all.length < MOST_GHOSTS && line) all.push({ text: `${names[name]} ${shortText(headline)}`, kind, title: headline[1] });
    found.set(line, all);
  };
  const next = moment.event === "line" ? moment.bound.filter(([name]) => name !== 0 && !watches.includes(name)) : [];
  for (const [name, value] of moment.locals) {
    const line = moment.lines.get(name) ?? 0;
    if (!(line === moment.line && next.some(([one]) => one === name)) && !watches.includes(name)) add(line, name, value, "past");
  }
  if (!hidden) for (const [name, value] of next) if (value !== null) add(moment.line, name, value, "next");
  return found;
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
