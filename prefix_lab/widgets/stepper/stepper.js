// The stepper: source, state and timeline of one recording, and all moves. It draws what the model says, so that two
// views of one stepper, and the Python side, always agree.

import { Breakpoints } from "./breakpoints.js";
import { choose, fullWindow, help, splitter, tabs, toolbar } from "./controls.js";
import { Calls, History, Search } from "./finder.js";
import { focusAlone, keepKeys, KEYS, meant, oneByOne, stays } from "./keys.js";
import { NoAnswer, REST } from "./pieces.js";
import { Question } from "./question.js";
import { keepPanes, restorePanes } from "./remembered.js";
import { ghostsAt, SourcePane } from "./source.js";
import { Skipping, Stack, Variables, Watches, whatIsKnown } from "./state.js";
import { placeOfStop, stopping } from "./stops.js";
import { h, Language, shown, withCommas } from "./text.js";
import { Timeline } from "./timeline.js";
import { Tour } from "./tour.js";

/**
 * What is shared with other views and with Python: `step`, `breakpoints`, `watches`, `skip`, `question`.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {(name: string, changed: () => void) => void} on
 */

export const REMEMBERED = 200; // jumps
export const MOVES = /** @type {Record<string, [string, boolean]>} */ (Object.fromEntries(KEYS.filter(({ by }) => by).map(({ does, by, back = false }) => [does, [by, back]])));

export const TRAVELS = KEYS.filter(({ by, travels }) => by || travels).map(({ does }) => does);

export class StepperView {
  /**
   * @param {HTMLElement} host
   * @param {import("./store.js").Store} store
   * @param {Model} model
   * @param {{said?: import("./text.js").Said, height?: string}} [options]
   */
  constructor(host, store, model, options = {}) {
    this.host = host;
    this.store = store;
    this.model = model;
    this.language = new Language(options.said);
    this.step = -1;
    this.chosen = 0;
    /** @type {number[]} */
    this.before = [];
    this.turn = 0;
    /** @type {any} a timer */
    this.rests = null;
    /** @type {number | null} the step since when changes are asked for */
    this.marked = null;
    /** @type {Record<string, string>} */
    this.colours = {};
    /** @type {(percent: number) => void} how much of the width the source has */
    this.share = () => {};
    this.travel = oneByOne((does) => this.go(does));
    this.root = h("div", { class: "pl-root", tabindex: "-1", lang: this.language.code });
    this.root.style.setProperty("--pl-height", options.height ?? "600px");
    this.variables = new Variables(this);
    this.stack = new Stack(this);
    this.watches = new Watches(this);
    this.breakpoints = new Breakpoints(this);
    this.skipping = new Skipping(this);
    this.calls = new Calls(this);
    this.search = new Search(this);
    this.history = new History(this);
    this.timeline = new Timeline(this);
    this.source = new SourcePane(this.language, {
      toggle: (line) => this.breakpoints.toggle(this.file, line),
      condition: (line) => this.breakpoints.toggle(this.file, line, true),
    });
    this.where = h("p", { class: "pl-where" });
    this.stage = h("p", { class: "pl-stage" });
    this.news = h("p", { class: "pl-news", role: "status", "aria-live": "polite" });
    this.question = new Question(this);
    const state = h("div", { class: "pl-state" }, this.variables.element, this.stack.element, this.watches.element, this.breakpoints.element, this.skipping.element);
    this.side = tabs(this, { variables: state, calls: this.calls.element, search: this.search.element, history: this.history.element });
    this.body = h("div", { class: "pl-body" }, this.source.element, splitter(this), this.side);
    this.failed = h("button", { type: "button", class: "pl-failed", hidden: true, onclick: () => this.jump(this.store.meta.failure.step) });
    const head = h("div", { class: "pl-head" }, toolbar(this), this.failed, this.where);
    this.root.append(head, this.stage, this.question.element, this.body, this.timeline.element, this.news);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("fullscreenchange", () => document.fullscreenElement || this.source.view.focus());
    keepKeys(this.root);
    this.tour = new Tour(this);
    host.append(this.root);
  }

  /** @param {string} label @param {Record<string, string | number>} [values] */
  t(label, values) {
    return this.language.t(label, values);
  }

  /** The name of the file whose source is shown. */
  get file() {
    return this.source.shown?.title ?? "";
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
    for (const name of ["step", "breakpoints", "watches", "skip", "question"]) this.model.on(name, () => this.changed(name));
    restorePanes(this);
    this.timeline.open();
    this.stage.toggleAttribute("hidden", !meta.stages.length);
    if (meta.failure) {
      this.failed.hidden = false;
      this.failed.replaceChildren(this.t("failed", { error: shown(meta.failure.text) }));
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

  /** @param {string} name */
  showTab(name) {
    choose(this.side, name);
    if (name === "variables" || name === "calls") keepPanes(this, { tab: name }); // the others are empty at first
    if (name === "calls") this.calls.show();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!stays(event)) return;
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
    if (TRAVELS.includes(does)) return this.travel(does);
    if (does === "mark") return this.mark();
    if (does === "since") return this.since();
    if (does === "skipHere") return this.skipping.toggle(this.store.at(this.step).function);
    if (does === "breakHere") return this.breakpoints.toggle(this.file, this.source.shown?.current ?? 0);
    if (does === "stopAt") return this.breakpoints.ask();
    if (does === "stopWhen" || does === "history") return this.aboutName(does);
    if (does === "clear") return this.breakpoints.clear();
    if (does === "logged") return this.breakpoints.showLogged();
    if (does === "calls") return this.showTab("calls");
    if (does === "find") {
      this.showTab("search");
      return this.search.input.focus();
    }
    if (does === "full") return fullWindow(this.root, () => this.source.view.focus());
    if (does === "help") {
      this.close();
      return help(this);
    }
    if (does === "close") return this.close();
  }

  /** What the keys do that are for a name: the one that has the focus, or, until another is chosen, the first one. @param {string} does */
  aboutName(does) {
    const focused = document.activeElement?.closest(".pl-variable[data-name]");
    const row = focused ?? this.variables.list.querySelector("[data-name]");
    const text = row?.getAttribute("data-name") ?? "";
    const moment = this.moment();
    if (does === "history") {
      const name = this.store.meta.names.indexOf(text);
      return name < 0 ? this.tell(this.t("none")) : this.showHistory(moment.step, name, text);
    }
    if (focused) return this.breakpoints.toggleName(moment.function, text);
    return this.breakpoints.ask(`${text} changes`);
  }

  /** What is at the frame that is looked at. */
  moment() {
    return this.store.at(this.store.stack(this.step)[this.chosen].step);
  }

  /** @param {string} does one of `TRAVELS` @returns {Promise<any>} false where there was no answer */
  async go(does) {
    if (does in MOVES) return this.move(...MOVES[does]);
    if (does === "first" || does === "last") return this.jump(does === "first" ? 0 : this.store.meta.steps - 1);
    if (does === "run" || does === "runBack") return this.run(does === "runBack");
    if (does === "undo") return this.undo();
    return this.toStage(does === "stageBefore");
  }

  /** @param {string} kind @param {boolean} back */
  async move(kind, back) {
    const there = await this.tried(this.store.destination(this.step, kind, back, this.model.get("skip") ?? []));
    if (there === undefined) return false;
    if (there === null) {
      if (kind === "end") return this.tell(this.t(back ? "callBegins" : "callEnds"));
      const end = this.step === (back ? 0 : this.store.meta.steps - 1);
      return this.tell(this.t(!end ? "noneOutside" : back ? "atStart" : "atEnd"));
    }
    if (kind === "out" || kind === "end") this.remember();
    return this.goto(there);
  }

  /** @param {boolean} back */
  async run(back) {
    const breakpoints = this.model.get("breakpoints").filter(stopping);
    if (!breakpoints.length) return this.tell(this.t("noneSet"));
    const there = await this.tried(this.store.source.ask({ ask: "stop", step: this.step, breakpoints, back }));
    if (there === undefined) return false;
    if (there === null) return this.tell(`${this.t("noStop")} ${await this.unknownIn(breakpoints)}`);
    const [step, which] = there;
    await this.jump(step);
    if (this.step === step) this.tell(this.t("stoppedAt", { place: shown(placeOfStop(breakpoints[which]) || breakpoints[which].condition) }));
  }

  /** What the first of the conditions that ask for it asks for in vain, in a sentence. @param {any[]} breakpoints */
  async unknownIn(breakpoints) {
    for (const one of breakpoints) {
      const found = one.condition && (await this.tried(this.store.unknown(one)));
      if (found) return whatIsKnown(this, found[0], found[1]);
    }
    return "";
  }

  /** @param {boolean} back */
  async toStage(back) {
    const there = this.store.stageBeside(this.step, back);
    if (there === undefined) return this.tell(this.t("noStage"));
    await this.jump(there);
    const [name, first] = this.store.runsAt(there).at(-1) ?? ["", there];
    if (first !== there && this.step === there) this.tell(this.t("stageGoesOn", { stage: name }));
  }

  /** Note where one stands, for `since`. */
  mark() {
    this.marked = this.step;
    this.timeline.show();
    this.tell(this.t("marked", { step: withCommas(this.step) }));
  }

  /** List what has changed between the mark and here. */
  since() {
    if (this.marked === null) return this.tell(this.t("noMark"));
    this.showTab("history");
    return this.history.since(this.marked, this.step);
  }

  remember() {
    this.before.push(this.step);
    if (this.before.length > REMEMBERED) this.before.shift();
  }

  undo() {
    const there = this.before.pop();
    return there === undefined ? this.tell(this.t("noJump")) : this.goto(there);
  }

  /** Go far: `undo` comes back here. @param {number} step @returns {Promise<any>} */
  jump(step) {
    if (step !== this.step) this.remember();
    return this.goto(step);
  }

  /** Stand at a step. The last one that was asked for wins. @param {number} step @param {boolean} [about] or near it: not at one that is stepped past */
  async goto(step, about = false) {
    const turn = (this.turn += 1);
    if (!this.store.has(step) && this.store.nearby) await this.store.nearby; // it may be among what is on its way; and while that comes, a drag asks for nothing
    if (turn !== this.turn) return;
    if (!this.store.has(step) && (await this.tried(this.store.arrive(step))) === undefined) return false;
    if (turn !== this.turn) return;
    if (about) step = this.store.walkedNear(step, this.model.get("skip") ?? []);
    this.step = step;
    this.chosen = 0;
    if (this.model.get("step") !== step) this.model.set("step", step);
    this.draw();
    clearTimeout(this.rests);
    this.rests = setTimeout(() => this.store.ahead(step).catch(() => null), REST);
  }

  /** Look at another frame of the stack, without moving. @param {number} index */
  async choose(index) {
    const calls = this.store.stack(this.step);
    if ((await this.tried(this.store.page(calls[index].step))) === undefined) return;
    this.chosen = index;
    this.draw();
  }

  draw() {
    const focused = this.root.contains(document.activeElement);
    this.news.replaceChildren(); // what was said is of what was there before
    const calls = this.store.stack(this.step);
    const moment = this.moment();
    const { meta } = this.store;
    this.variables.show(moment, this.question.hides(moment.step));
    this.stack.show(calls, this.chosen);
    this.watches.show(moment);
    this.breakpoints.show();
    this.skipping.show();
    this.timeline.show();
    this.drawSource(moment, true);
    const happens = { call: "isCalled", resume: "goesOn", return: "returns", yield: "yields", exception: "raises" }[moment.event];
    const event = happens ? ` · ${this.t(happens)}` : "";
    const thread = meta.threads.length > 1 ? ` · ${moment.thread}` : "";
    this.where.replaceChildren(`${this.t("stepOf", { step: withCommas(this.step), all: withCommas(meta.steps) })} · ${shown(moment.function)}:${moment.line}${event}${shown(thread)}`);
    const now = this.store.stagesAt(this.step).at(-1);
    const sentence = meta.stages.find((/** @type {any[]} */ [name]) => name === now)?.[1] ?? "";
    this.stage.replaceChildren(...(now ? [h("b", {}, this.t("stage", { stage: shown(now) })), ` ${shown(sentence)}`] : []));
    this.question.show();
    if (focused && !this.root.contains(document.activeElement)) this.source.view.focus({ preventScroll: true }); // its row was drawn anew
  }

  /** @param {import("./store.js").Moment} moment @param {boolean} follow */
  async drawSource(moment, follow) {
    const key = `source/${moment.file}`;
    const { pieces } = this.store;
    const turn = this.turn;
    if (!pieces.has(key) && this.source.shown) this.source.show({ ...this.source.shown, current: 0, ghosts: new Map() }, false);
    const found = pieces.has(key) ? pieces.get(key) : await this.tried(this.store.piece(key));
    if (found === undefined || turn !== this.turn) return;
    const [text, colours] = found[0] ? found : [`# ${this.t("noSource")}`, ""];
    const { meta } = this.store;
    const file = meta.files[moment.file];
    const stands = await this.store.stands(moment.file);
    const breakpoints = new Map(
      this.model
        .get("breakpoints")
        .filter((/** @type {any} */ one) => one.file === file)
        .map((/** @type {any} */ one) => [stands.get(one.line)?.[0] ?? one.line, { on: one.on !== false, condition: one.condition, log: one.log, never: !stands.has(one.line) }]),
    );
    const inFile = (/** @type {number[]} */ [, called]) => meta.functions[called][0] === moment.file;
    const reached = new Set(meta.places.filter(inFile).map((/** @type {number[]} */ [, , line]) => line));
    this.source.read(text, colours);
    const ghosts = ghostsAt(this.store, moment, this.question.hides(moment.step), this.source);
    this.source.show(
      { file: moment.file, title: file, text, colours, current: moment.line, event: moment.event, visited: moment.visited, reached, ghosts, breakpoints },
      follow,
    );
  }

  /** Something that another view, or Python, has changed. @param {string} name */
  changed(name) {
    if (name === "watches") keepPanes(this, { watches: this.model.get("watches") });
    if (name === "step") {
      const step = this.model.get("step");
      if (step !== this.step) this.goto(step);
    } else if (this.step >= 0) this.draw();
  }

  /** Show a line of a file without moving. @param {string} file @param {number} line */
  async lookAt(file, line) {
    const number = this.store.meta.files.indexOf(file);
    if (number < 0) return;
    const calls = this.store.stack(this.step);
    await this.drawSource({ ...this.store.at(calls[this.chosen].step), file: number, line, visited: new Set(), locals: new Map(), bound: [] }, true);
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

  /** What Esc does: away with the help, or with the tour; else out of the full window; else to the source; else back to the cell where the notebook is. */
  close() {
    const dialog = this.root.querySelector("dialog");
    dialog?.remove();
    if (!dialog && this.tour.bubble) return this.tour.end();
    if (!dialog && document.fullscreenElement) return document.exitFullscreen();
    const cell = /** @type {HTMLElement | null | undefined} */ (this.root.closest(".jp-Notebook")?.querySelector(".jp-Cell.jp-mod-active"));
    if (dialog || !cell || document.activeElement !== this.source.view) focusAlone(this.source.view);
    else cell.focus({ preventScroll: true });
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
