// The stepper: source, state and timeline of one recording, and all moves. It draws what the model says, so that two
// views of one stepper, and the Python side, always agree.

import { Calls, History, Search } from "./finder.js";
import { KEYS, meant, said } from "./keys.js";
import { SourcePane } from "./source.js";
import { Breakpoints, Stack, Variables, Watches } from "./state.js";
import { h, Language, shown, withCommas } from "./text.js";
import { Timeline } from "./timeline.js";
import { shortText } from "./values.js";

/**
 * What is shared with other views and with Python: `step`, `breakpoints`, `watches`, `question`.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {(name: string, changed: () => void) => void} on
 */

const REMEMBERED = 200; // jumps
const MOVES = /** @type {Record<string, [string, boolean]>} */ ({
  in: ["in", false],
  inBack: ["in", true],
  over: ["over", false],
  overBack: ["over", true],
  out: ["out", false],
  outBack: ["out", true],
});
const GHOST_FIRST = 3; // values beside a line

export class StepperView {
  /**
   * @param {HTMLElement} host
   * @param {import("./store.js").Store} store
   * @param {Model} model
   * @param {{language?: string, height?: string, narrow?: boolean}} [options] narrow: source above the state
   */
  constructor(host, store, model, options = {}) {
    this.host = host;
    this.store = store;
    this.model = model;
    this.language = new Language(options.language ?? "en");
    this.step = -1;
    this.chosen = 0;
    /** @type {number[]} */
    this.before = [];
    this.turn = 0;
    /** @type {Record<string, string>} */
    this.colours = {};
    this.root = h("div", { class: options.narrow ? "pl-root pl-narrow" : "pl-root", "data-lm-suppress-shortcuts": "true", lang: options.language ?? "en" });
    this.root.style.setProperty("--pl-height", options.height ?? "600px");
    this.variables = new Variables(this);
    this.stack = new Stack(this);
    this.watches = new Watches(this);
    this.breakpoints = new Breakpoints(this);
    this.calls = new Calls(this);
    this.search = new Search(this);
    this.history = new History(this);
    this.timeline = new Timeline(this);
    this.source = new SourcePane(this.language, {
      toggle: (line) => this.toggleBreakpoint(line),
      condition: (line) => this.toggleBreakpoint(line, true),
    });
    this.where = h("p", { class: "pl-where" });
    this.stage = h("p", { class: "pl-stage" });
    this.news = h("p", { class: "pl-news", role: "status", "aria-live": "polite" });
    this.questionBar = h("div", { class: "pl-question", hidden: true });
    this.side = this.tabs();
    this.body = h("div", { class: "pl-body" }, this.source.element, this.splitter(), this.side);
    this.failed = h("button", { type: "button", class: "pl-failed", hidden: true, onclick: () => this.jump(this.store.meta.failure.step) });
    const head = h("div", { class: "pl-head" }, this.toolbar(), this.failed, this.where);
    this.root.append(head, this.stage, this.questionBar, this.body, this.timeline.element, this.news);
    this.root.addEventListener("keydown", (event) => this.key(event));
    host.append(this.root);
  }

  /** @param {string} label */
  t(label) {
    return this.language.t(label);
  }

  /** Show the recording; until then, the panes are empty. */
  async open() {
    const meta = await this.tried(this.store.open());
    if (!meta) return;
    this.colours = meta.colours ?? {};
    if (!meta.steps) {
      this.tell(this.t("empty"));
      return;
    }
    for (const name of ["step", "breakpoints", "watches", "question"]) this.model.on(name, () => this.changed(name));
    this.timeline.open();
    this.stage.toggleAttribute("hidden", !meta.stages.length);
    if (meta.failure) {
      this.failed.hidden = false;
      this.failed.replaceChildren(`${this.t("failed")}: ${shown(meta.failure.text)}`);
    }
    await this.goto(Math.min(this.model.get("step"), meta.steps - 1));
    if (this.step < 0) {
      // Opened without its kernel, somewhere else than it began: what came with the widget can still be shown.
      const key = [...Object.keys(this.store.source.opening?.() ?? {})].find((one) => one.startsWith("steps/"));
      if (key) await this.goto(Number(key.split("/")[1]) * meta.page);
      this.tell(this.t("noKernel"));
    }
    for (const note of meta.notes) this.tell(note);
  }

  toolbar() {
    const buttons = KEYS.filter(({ word }) => word).map(({ does, label, keys, word, group }) =>
      h(
        "button",
        {
          type: "button",
          class: group ? "pl-group" : null,
          "data-does": does,
          "aria-label": this.t(label),
          title: `${this.t(label)} (${keys.map(said).join(", ")})`,
          onclick: () => this.act(does),
        },
        this.language.word(word ?? ""),
      ),
    );
    return h("div", { class: "pl-toolbar", role: "toolbar", "aria-label": this.t("stepper") }, ...buttons);
  }

  tabs() {
    const state = h("div", { class: "pl-state" }, this.variables.element, this.stack.element, this.watches.element, this.breakpoints.element);
    /** @type {[string, HTMLElement][]} */
    const all = [
      ["variables", state],
      ["calls", this.calls.element],
      ["search", this.search.element],
      ["history", this.history.element],
    ];
    const buttons = all.map(([name]) => h("button", { type: "button", role: "tab", "data-tab": name, onclick: () => this.showTab(name) }, this.t(name)));
    const panels = all.map(([name, element]) => h("div", { role: "tabpanel", class: "pl-panel", "data-panel": name, "aria-label": this.t(name), tabindex: "0" }, element));
    const list = h("div", { role: "tablist", class: "pl-tabs", "aria-label": this.t("tabs") }, ...buttons);
    list.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.stopPropagation();
      const at = buttons.findIndex((one) => one.getAttribute("aria-selected") === "true");
      const next = buttons[(at + by + buttons.length) % buttons.length];
      this.showTab(/** @type {string} */ (next.getAttribute("data-tab")));
      next.focus();
    });
    const side = h("div", { class: "pl-side" }, list, ...panels);
    choose(side, "variables");
    return side;
  }

  /** @param {string} name */
  showTab(name) {
    choose(this.side, name);
    if (name === "calls") this.calls.show();
  }

  /** What shares the width between source and state; the reader moves it. */
  splitter() {
    const label = `${this.t("source")} | ${this.t("variables")}`;
    const split = h("div", { class: "pl-split", role: "separator", "aria-orientation": "vertical", "aria-label": label, tabindex: "0" });
    /** @param {number} share */
    const set = (share) => {
      const now = Math.round(Math.min(85, Math.max(25, share)));
      this.root.style.setProperty("--pl-share", `${now}%`);
      split.setAttribute("aria-valuenow", String(now));
    };
    let share = 62;
    set(share);
    split.addEventListener("pointerdown", (event) => split.setPointerCapture(event.pointerId));
    split.addEventListener("pointermove", (event) => {
      if (!split.hasPointerCapture(event.pointerId)) return;
      const { left, width } = this.body.getBoundingClientRect();
      set((share = (100 * (event.clientX - left)) / width));
    });
    split.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -4, ArrowRight: 4 }[event.key];
      if (!by) return;
      event.stopPropagation();
      set((share += by));
    });
    return split;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    event.stopPropagation(); // the notebook around has keys of its own
    const form = event.key === "Enter" && /** @type {Partial<HTMLInputElement>} */ (event.target).form;
    const does = meant(event);
    if (!does && !form) return;
    event.preventDefault();
    if (form) form.requestSubmit();
    else if (does) this.act(does);
  }

  /** @param {string} does */
  async act(does) {
    if (!this.store.meta?.steps) return;
    if (does in MOVES) return this.move(...MOVES[does]);
    if (does === "first" || does === "last") return this.jump(does === "first" ? 0 : this.store.meta.steps - 1);
    if (does === "run" || does === "runBack") return this.run(does === "runBack");
    if (does === "nextStage" || does === "stageBefore") return this.toStage(does === "stageBefore");
    if (does === "undo") return this.undo();
    if (does === "breakHere") return this.toggleBreakpoint(this.source.shown?.current ?? 0);
    if (does === "find") {
      this.showTab("search");
      return this.search.input.focus();
    }
    if (does === "full") return this.full();
    if (does === "help") return this.help();
    if (does === "close") return this.close();
  }

  /** @param {string} kind @param {boolean} back */
  async move(kind, back) {
    const there = await this.tried(this.store.destination(this.step, kind, back));
    if (there === undefined) return;
    if (there === null) return this.tell(this.t(back ? "atStart" : "atEnd"));
    if (kind === "out") this.remember();
    await this.goto(there);
  }

  /** @param {boolean} back */
  async run(back) {
    const breakpoints = this.model.get("breakpoints").filter((/** @type {any} */ one) => one.on !== false);
    if (!breakpoints.length) return this.tell(this.t("noneSet"));
    const there = await this.tried(this.store.source.ask({ ask: "stop", step: this.step, breakpoints, back }));
    if (there === undefined) return;
    if (there === null) return this.tell(this.t("noStop"));
    await this.jump(there);
  }

  /** @param {boolean} back */
  toStage(back) {
    const starts = this.store.meta.stages.flatMap((/** @type {any[]} */ [, , runs]) => runs.map((/** @type {number[]} */ run) => run[0]));
    starts.sort((/** @type {number} */ one, /** @type {number} */ other) => one - other);
    const there = back ? starts.filter((/** @type {number} */ one) => one < this.step).at(-1) : starts.find((/** @type {number} */ one) => one > this.step);
    if (there === undefined) return this.tell(this.t(back ? "atStart" : "atEnd"));
    return this.jump(there);
  }

  /** The names of the stages around the current step, outermost first. @returns {string[]} */
  stagesNow() {
    /** @type {[string, number][]} */
    const found = [];
    for (const [name, , runs] of this.store.meta.stages)
      for (const [first, last] of runs) if (first <= this.step && this.step <= last) found.push([name, first]);
    return found.sort(([, one], [, other]) => one - other).map(([name]) => name);
  }

  remember() {
    this.before.push(this.step);
    if (this.before.length > REMEMBERED) this.before.shift();
  }

  undo() {
    const there = this.before.pop();
    return there === undefined ? this.tell(this.t("nothing")) : this.goto(there);
  }

  /** Go far: `undo` comes back here. @param {number} step */
  jump(step) {
    if (step !== this.step) this.remember();
    return this.goto(step);
  }

  /** Stand at a step. The last one that was asked for wins. @param {number} step */
  async goto(step) {
    const turn = (this.turn += 1);
    if (!this.store.has(step) && (await this.tried(this.store.page(step))) === undefined) return;
    if (turn !== this.turn) return;
    this.step = step;
    this.chosen = 0;
    this.news.replaceChildren();
    if (this.model.get("step") !== step) this.model.set("step", step);
    this.draw();
    this.store.ahead(step).catch(() => null);
  }

  /** Look at another frame of the stack, without moving. @param {number} index */
  async choose(index) {
    const calls = this.store.stack(this.step);
    if ((await this.tried(this.store.page(calls[index].step))) === undefined) return;
    this.chosen = index;
    this.draw();
  }

  draw() {
    const calls = this.store.stack(this.step);
    const stop = this.store.stop(calls[this.chosen].step);
    const { meta } = this.store;
    this.variables.show(stop, Boolean(this.hidden(stop)));
    this.stack.show(calls, this.chosen);
    this.watches.show(stop);
    this.breakpoints.show();
    this.timeline.show();
    this.drawSource(stop, true);
    const event = stop.event === "line" ? "" : ` · ${stop.event}`;
    const thread = meta.threads.length > 1 ? ` · ${stop.thread}` : "";
    this.where.replaceChildren(`${this.t("step")} ${withCommas(this.step)} ${this.t("of")} ${withCommas(meta.steps)} · ${shown(stop.function)}:${stop.line}${event}${shown(thread)}`);
    const now = this.stagesNow().at(-1);
    const sentence = meta.stages.find((/** @type {any[]} */ [name]) => name === now)?.[1] ?? "";
    this.stage.replaceChildren(...(now ? [h("b", {}, `${this.t("stage")} ${shown(now)}`), ` ${shown(sentence)}`] : []));
    this.drawQuestion();
  }

  /** @param {import("./store.js").Stop} stop @param {boolean} follow */
  async drawSource(stop, follow) {
    const key = `source/${stop.file}`;
    const { pieces } = this.store;
    const turn = this.turn;
    if (!pieces.has(key) && this.source.shown) this.source.show({ ...this.source.shown, current: 0, ghosts: new Map() }, false);
    const found = pieces.has(key) ? pieces.get(key) : await this.tried(this.store.piece(key));
    if (found === undefined || turn !== this.turn) return;
    const [text, colours] = found[0] ? found : [`# ${this.t("noSource")}`, ""];
    const { meta } = this.store;
    const file = meta.files[stop.file];
    const breakpoints = new Map(this.model.get("breakpoints").filter((/** @type {any} */ one) => one.file === file).map((/** @type {any} */ one) => [one.line, { on: one.on !== false, condition: one.condition }]));
    const inFile = (/** @type {number[]} */ [, called]) => meta.functions[called][0] === stop.file;
    const reached = new Set(meta.places.filter(inFile).map((/** @type {number[]} */ [, , line]) => line));
    this.source.show(
      { file: stop.file, title: file, text, colours, current: stop.line, event: stop.event, visited: stop.visited, reached, ghosts: this.ghosts(stop), breakpoints },
      follow,
    );
  }

  /** The values beside lines: what each line of this call bound last, and on the current one what it is about to bind. */
  ghosts(/** @type {import("./store.js").Stop} */ stop) {
    /** @type {Map<number, import("./source.js").Ghost[]>} */
    const found = new Map();
    const { names, watches } = this.store.meta;
    /** @param {number} line @param {number} name @param {number} value @param {string} kind */
    const add = (line, name, value, kind) => {
      const all = found.get(line) ?? [];
      const headline = this.store.headline(stop.step, value);
      if (all.length < GHOST_FIRST && line) all.push({ text: `${name ? names[name] : "→"} ${shortText(headline)}`, kind, title: headline[1] });
      found.set(line, all);
    };
    const now = stop.bound.filter(([name]) => name !== 0 && !watches.includes(name));
    for (const [name, value] of stop.locals) {
      const line = stop.lines.get(name) ?? 0;
      if (!(line === stop.line && stop.event === "line" && now.some(([one]) => one === name)) && !watches.includes(name)) add(line, name, value, "past");
    }
    if (stop.event === "line" && !this.hidden(stop)) for (const [name, value] of now) if (value !== null) add(stop.line, name, value, "next");
    return found;
  }

  /** The question that waits at this step, if its answer is not to be seen yet. @param {import("./store.js").Stop} stop */
  hidden(stop) {
    const question = this.model.get("question");
    return question && !question.done && question.step === stop.step ? question : null;
  }

  drawQuestion() {
    const bar = this.questionBar;
    const question = this.model.get("question");
    const asked = question && question.step === this.step;
    bar.toggleAttribute("hidden", !asked);
    if (!asked) return;
    const key = JSON.stringify(question);
    if (bar.dataset.key === key) return;
    bar.dataset.key = key;
    const input = /** @type {HTMLInputElement} */ (h("input", { type: "text", "aria-label": shown(question.text), placeholder: "(…, …)", spellcheck: "false", autocomplete: "off" }));
    input.value = question.given ?? "";
    const answer = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.model.set("answer", { text: input.value, turn: Date.now() });
    };
    bar.replaceChildren(
      h("b", {}, this.t("question")),
      h("p", {}, shown(question.text)),
      h("form", { onsubmit: answer }, input, h("button", { type: "submit" }, this.t("check"))),
      h("p", { class: question.done ? "pl-right" : "pl-wrong", role: "status" }, shown(question.said ?? "")),
      h("small", {}, shown(question.score ?? "")),
    );
  }

  /** Something that another view, or Python, has changed. @param {string} name */
  changed(name) {
    if (name === "step") {
      const step = this.model.get("step");
      if (step !== this.step) this.goto(step);
    } else if (this.step >= 0) this.draw();
  }

  /** @param {number} line @param {boolean} [withCondition] */
  toggleBreakpoint(line, withCondition = false) {
    if (!this.source.shown) return;
    const file = this.source.shown.title;
    /** @type {any[]} */
    const all = this.model.get("breakpoints");
    const there = all.find((one) => one.file === file && one.line === line);
    if (there && !withCondition) this.changeBreakpoint(there, null);
    else if (!there) this.model.set("breakpoints", [...all, { file, line, condition: "", on: true }]);
    if (withCondition) {
      this.showTab("variables");
      this.draw();
      /** @type {HTMLElement | undefined | null} */ (this.root.querySelector(`[data-place="${CSS.escape(`${file}:${line}`)}"]`))?.focus();
    } else this.draw();
  }

  /** @param {any} one @param {any} change */
  changeBreakpoint(one, change) {
    /** @type {any[]} */
    const all = this.model.get("breakpoints");
    const others = all.map((other) => (other.file === one.file && other.line === one.line ? change && { ...other, ...change } : other));
    this.model.set("breakpoints", others.filter(Boolean));
    this.draw();
  }

  /** Show a line of a file without moving. @param {string} file @param {number} line */
  async lookAt(file, line) {
    const number = this.store.meta.files.indexOf(file);
    if (number < 0) return;
    const calls = this.store.stack(this.step);
    await this.drawSource({ ...this.store.stop(calls[this.chosen].step), file: number, line, visited: new Set(), locals: new Map(), bound: [] }, true);
  }

  /** @param {number} step @param {number} name @param {string} text */
  showHistory(step, name, text) {
    this.showTab("history");
    return this.history.show(step, name, text);
  }

  /** @param {number} value */
  async goToMaker(value) {
    const there = await this.tried(this.store.source.ask({ ask: "made", value }));
    if (typeof there === "number") await this.jump(there);
  }

  full() {
    if (document.fullscreenElement) return document.exitFullscreen();
    return this.root.requestFullscreen?.().catch(() => this.root.classList.toggle("pl-fixed"));
  }

  help() {
    this.close();
    const rows = KEYS.map(({ keys, label }) => h("tr", {}, h("td", {}, ...keys.flatMap((key, at) => [at ? " " : null, h("kbd", {}, said(key))])), h("td", {}, this.t(label))));
    const dialog = /** @type {HTMLDialogElement} */ (
      h("dialog", { class: "pl-help", "aria-label": this.t("help") }, h("h3", {}, this.t("help")), h("table", {}, h("tbody", {}, ...rows)), h("button", { onclick: () => this.close() }, this.t("close")))
    );
    this.root.append(dialog);
    dialog.showModal();
  }

  close() {
    const dialog = this.root.querySelector("dialog");
    dialog?.remove();
    this.source.view.focus();
  }

  /** @param {string} text */
  tell(text) {
    this.news.replaceChildren(shown(text));
  }

  /** What a promise gives, or undefined, with the reason on the page. @template T @param {Promise<T>} promise @returns {Promise<T | undefined>} */
  async tried(promise) {
    try {
      return await promise;
    } catch (error) {
      const said = error instanceof NoAnswer ? this.t("noKernel") : String(/** @type {Error} */ (error).message ?? error);
      this.tell(said);
      return undefined;
    }
  }
}

/** Show one panel of the side. @param {HTMLElement} side @param {string} name */
function choose(side, name) {
  for (const one of side.querySelectorAll("[role=tab]")) {
    const chosen = one.getAttribute("data-tab") === name;
    one.setAttribute("aria-selected", String(chosen));
    one.setAttribute("tabindex", chosen ? "0" : "-1");
  }
  for (const one of side.querySelectorAll("[role=tabpanel]")) one.toggleAttribute("hidden", one.getAttribute("data-panel") !== name);
}

/** The kernel is busy, or gone. */
export class NoAnswer extends Error {}
