// Where to stop, or what to say in passing: the list of breakpoints and log points, and the lines that these say.

import { wrongWith } from "./condition.js";
import { boxFor, pane, whatIsKnown } from "./state.js";
import { placeOfStop, readStop, stopping, timesOf, wrongInLog } from "./stops.js";
import { h, shown, withCommas } from "./text.js";

/** @typedef {import("./stepper.js").StepperView} View */
/** @typedef {import("./stops.js").Stop} Stop */

const MOST_SAID = 200; // lines of log points that are listed

/** Under which one stop is found again. @param {Stop} stop */
function keyOfStop(stop) {
  return stop.line === undefined ? placeOfStop(stop) || `if ${stop.condition}` : `${stop.file}:${stop.line}`;
}

export class Breakpoints {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.list = h("ul", { class: "pl-breakpoints" });
    this.said = h("ol", { class: "pl-said", "aria-label": view.t("said") });
    const [form, problem] = boxFor(view.t("addStop"), view.t("addStop"), (text) => this.wrong(text), (text) => void this.add(text));
    this.input = /** @type {HTMLInputElement} */ (form.querySelector("input"));
    const hint = h("small", { class: "pl-hint pl-behind" }, view.t("behindStop"));
    this.element = pane(view.t("breakpoints"), "breakpoints", this.list, form, hint, problem, this.said);
    /** @type {Stop[] | null} */
    this.shown = null;
    /** @type {Set<string>} whose rare wishes are open */
    this.open = new Set();
  }

  /** @returns {Stop[]} */
  get all() {
    return this.view.model.get("breakpoints");
  }

  show() {
    const { view } = this;
    for (const row of this.said.querySelectorAll("[data-step]")) {
      if (Number(row.getAttribute("data-step")) === view.step) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
    }
    if (this.shown === this.all) return;
    this.shown = this.all;
    const focused = this.list.contains(document.activeElement) && document.activeElement;
    const place = focused && focused.getAttribute("data-place");
    this.list.replaceChildren(...this.all.map((one) => this.row(one)));
    if (place) this.box(place)?.focus({ preventScroll: true });
    if (!this.all.length) this.list.append(h("li", { class: "pl-hint" }, view.t("noBreakpoints")));
    this.showSaid();
  }

  /** What the log points say, all at once: a click leads there. */
  async showSaid() {
    const { view } = this;
    const logging = this.all.filter((one) => one.log && one.on !== false);
    const of = this.shown;
    /** @type {[number, string][]} */
    const rows = logging.length ? ((await view.tried(view.store.source.ask({ ask: "said", breakpoints: logging }))) ?? []) : [];
    if (of !== this.shown) return;
    const items = rows.slice(0, MOST_SAID).map(([step, text]) =>
      h("li", { "data-step": step, "aria-current": step === view.step ? "step" : null }, h("button", { onclick: () => view.jump(step) }, h("small", {}, view.t("stepAt", { step: withCommas(step) })), " ", h("bdi", {}, shown(text)))),
    );
    if (logging.length && !items.length) items.push(h("li", { class: "pl-hint" }, view.t("saysNothing")));
    if (rows.length > MOST_SAID) items.push(h("li", { class: "pl-hint" }, view.t("moreSaid", { count: withCommas(rows.length - MOST_SAID) })));
    this.said.replaceChildren(...items);
  }

  /** @param {Stop} one */
  row(one) {
    const { view } = this;
    const key = keyOfStop(one);
    const label = placeOfStop(one) || view.t("anywhere");
    const on = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", "aria-label": label, onchange: () => this.change(one, { on: on.checked }) }));
    on.checked = one.on !== false;
    const often = h("small", { class: "pl-hint" });
    view.tried(view.store.source.ask({ ask: "times", breakpoint: { ...one, on: true } })).then((/** @type {number | undefined} */ count) => {
      if (count === 0 && one.line !== undefined) often.append(view.t("never"));
      else if (count !== undefined && one.line === undefined && placeOfStop(one)) often.append(`${withCommas(count)}×`);
    });
    const problem = h("span", { class: "pl-problem", role: "alert" });
    const condition = this.wish(one, "condition", wrongWith, problem);
    const own = one.line !== undefined || !placeOfStop(one); // a line's condition is asked for at once, as are those alone
    const rare = h("div", { class: "pl-rare" }, own ? null : condition, this.wish(one, "hits", (text) => (timesOf(text) ? "" : view.t("noCount")), problem), this.wish(one, "log", wrongInLog, problem));
    const opened = Boolean(one.hits || one.log || (one.condition && !own) || this.open.has(key));
    rare.toggleAttribute("hidden", !opened);
    const unfold = () => {
      const now = rare.toggleAttribute("hidden") === false;
      more.setAttribute("aria-expanded", String(now));
      this.open[now ? "add" : "delete"](key);
    };
    const more = h("button", { class: "pl-remove pl-more-of", "aria-expanded": String(opened), "aria-label": view.t("moreOf", { place: label }), title: view.t("moreOfStop"), onclick: unfold }, "⋯");
    if (one.condition) {
      view.tried(view.store.unknown(one)).then((found) => {
        if (found && condition.value.trim() === one.condition) problem.textContent = whatIsKnown(view, found[0], found[1]);
      });
    }
    return h(
      "li",
      {},
      on,
      h("button", { class: "pl-name", title: shown(one.file ?? label), onclick: () => this.lookAt(one) }, one.log ? h("span", { class: "pl-mark" }, "◇ ") : null, shown(label)),
      often,
      own && condition,
      more,
      h("button", { class: "pl-remove", "aria-label": view.t("removeOne", { name: shown(label) }), onclick: () => this.change(one, null) }, "×"),
      rare,
      problem,
    );
  }

  /** A box for what a stop asks for besides its place. @param {Stop} one @param {"condition" | "hits" | "log"} field @param {(text: string) => string} check @param {HTMLElement} problem */
  wish(one, field, check, problem) {
    const { view } = this;
    const wrong = () => (problem.textContent = box.value.trim() && check(box.value.trim()));
    const take = () => {
      const text = box.value.trim();
      const nothing = field === "condition" && !text && !placeOfStop(one); // a stop anywhere is its condition alone
      if (!wrong() && text !== (one[field] ?? "")) this.change(one, nothing ? null : { [field]: text });
    };
    const box = /** @type {HTMLInputElement} */ (
      h("input", {
        type: "text",
        class: field === "condition" ? "pl-condition" : `pl-wish-${field}`,
        "data-place": field === "condition" ? keyOfStop(one) : `${keyOfStop(one)} ${field}`,
        placeholder: view.t(field),
        "aria-label": view.t(`${field}Of`, { place: placeOfStop(one) || view.t("anywhere") }),
        spellcheck: "false",
        onchange: take,
        oninput: wrong,
      })
    );
    box.value = one[field] ?? "";
    return box;
  }

  /** Show the line at which one stands, or its function. @param {Stop} one */
  lookAt({ file, line, function: called }) {
    const { store } = this.view;
    if (file !== undefined && line !== undefined) return this.view.lookAt(file, line);
    const [number] = called ? store.namedSo(called) : [];
    if (number !== undefined) return this.view.lookAt(store.meta.files[store.meta.functions[number][0]], store.meta.functions[number][2]);
  }

  /** The box for a condition. @param {string} place @returns {HTMLElement | null} */
  box(place) {
    return this.list.querySelector(`[data-place="${CSS.escape(place)}"]`);
  }

  /** Where breakpoints stand in a file. @param {string} file */
  stands(file) {
    const { store } = this.view;
    return this.view.tried(store.stands(store.meta.files.indexOf(file)));
  }

  /**
   * Set one where a line leads, or take it away, and bring its box for a condition into view.
   * @param {string} file @param {number} asked @param {boolean} [withCondition] whether to type one
   */
  async toggle(file, asked, withCondition = false) {
    const { view } = this;
    const stands = await this.stands(file);
    if (!stands) return;
    const line = stands.get(asked)?.[0] ?? asked;
    const there = this.all.find((one) => one.file === file && [line, asked].includes(one.line ?? 0));
    if (there && !withCondition) return this.change(there, null);
    if (!there) this.put({ file, line, condition: "", on: true });
    view.showTab("variables");
    if (!stands.has(asked)) view.tell(view.t("neverRan", { line }));
    else if (line !== asked) view.tell(view.t("standsAt", { line }));
    const box = this.box(`${file}:${there?.line ?? line}`);
    if (withCondition) box?.focus();
    box?.closest("li")?.scrollIntoView({ block: "nearest" });
  }

  /** The stop at a name of a function, if there is one. @param {string} called @param {string} name */
  ofName(called, name) {
    return this.all.find((one) => one.name === name && one.function === called);
  }

  /** Stop when a name's value changes, or no longer. @param {string} called its function @param {string} name */
  toggleName(called, name) {
    const there = this.ofName(called, name);
    if (there) return this.change(there, null);
    this.put({ name, function: called, on: true });
    this.view.tell(this.view.t("stopsWhen", { name: shown(name) }));
  }

  /** What is wrong with a place that was typed; empty where nothing is. @param {string} text */
  wrong(text) {
    const { view } = this;
    if (!text) return "";
    const one = this.typed(text);
    if (!one) return view.t("noPlace");
    const { meta } = view.store;
    const called = one.function ?? "";
    const stage = one.name === undefined && meta.stages.some((/** @type {any[]} */ [name]) => name === called);
    if (called && !stage && !view.store.namedSo(called).size) return view.t("noFunction", { name: shown(called) });
    if (one.name !== undefined && !meta.names.includes(one.name)) return view.t("neverHeld", { name: shown(one.name) });
    if (one.line !== undefined && !meta.files.includes(one.file)) return view.t("noFile", { name: shown(one.file ?? "") });
    if (one.hits && !timesOf(one.hits)) return view.t("noCount");
    return (one.condition && wrongWith(one.condition)) || (one.log && wrongInLog(one.log)) || "";
  }

  /** What a text means here. @param {string} text @returns {Stop | null} */
  typed(text) {
    const { view } = this;
    const { meta } = view.store;
    const moment = view.moment();
    const names = [...moment.locals.keys()].map((name) => meta.names[name]);
    const one = readStop(text, meta.files[moment.file], moment.function, names);
    if (one?.line === undefined) return one;
    const files = meta.files.filter((/** @type {string} */ file) => `/${file}`.endsWith(`/${one.file}`));
    return { ...one, file: files.includes(meta.files[moment.file]) ? meta.files[moment.file] : (files[0] ?? one.file) };
  }

  /** @param {string} text */
  async add(text) {
    const one = this.typed(text);
    if (!one) return;
    const stands = one.file === undefined ? null : await this.stands(one.file);
    const line = one.line === undefined ? undefined : (stands?.get(one.line)?.[0] ?? one.line);
    this.put({ ...one, ...(line === undefined ? {} : { line }), on: true });
  }

  /** Set one, instead of one at the same place. @param {Stop} one */
  put(one) {
    const { view } = this;
    view.model.set("breakpoints", [...this.all.filter((other) => keyOfStop(other) !== keyOfStop(one)), one]);
    view.draw();
  }

  /** @param {Stop} one @param {Partial<Stop> | null} change null takes it away */
  change(one, change) {
    const key = keyOfStop(one);
    const others = this.all.map((other) => (keyOfStop(other) === key ? change && { ...other, ...change } : other));
    this.view.model.set("breakpoints", others.filter(Boolean));
    this.view.draw();
  }

  clear() {
    this.view.model.set("breakpoints", []);
    this.view.draw();
    this.view.tell(this.view.t("cleared"));
  }

  /** Bring the box for one more into view, with this in it. @param {string} [text] */
  ask(text = "") {
    this.view.showTab("variables");
    this.input.value = text;
    this.input.focus();
    this.input.setSelectionRange(0, text.indexOf(" ") < 0 ? text.length : text.indexOf(" "));
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Bring the first line of the log points into view. */
  showLogged() {
    const { view } = this;
    const first = this.said.querySelector("button");
    if (!first) return view.tell(view.t(this.all.some((one) => !stopping(one) && one.on !== false) ? "saysNothing" : "noLog"));
    view.showTab("variables");
    first.focus();
  }
}
