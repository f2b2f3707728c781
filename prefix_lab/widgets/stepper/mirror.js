// Two steppers with one toolbar. The beginning and the end of each stage are gates, to which both come: a side that is
// there first waits for the other. Below them stands what both hold under one name, and whether it is equal.

import { Compared, MARKS, SIDES } from "./compare.js";
import { fullWindow, help, toolbar } from "./controls.js";
import { keepKeys, meant, oneByOne } from "./keys.js";
import { MOVES, REMEMBERED, StepperView, TRAVELS } from "./stepper.js";
import { stopping } from "./stops.js";
import { h, Language, shown } from "./text.js";

/** @typedef {"ours" | "theirs"} Side */
/** @typedef {{stage: string, ours: [number, number] | null, theirs: [number, number] | null, verdict: string, what: string}} Boundary */
/** @typedef {{ours: number, theirs: number, stage: string, end: boolean}} Gate where the two part it has no stage */

const ITS_OWN = ["breakHere", "stopAt", "stopWhen", "clear", "logged", "calls", "history", "find", "close"]; // what a key or button does on the side that was touched last

export class MirrorView {
  /**
   * @param {HTMLElement} host
   * @param {Record<string, import("./store.js").Store>} stores
   * @param {import("./stepper.js").Model} model with `steps`, `breakpoints` and `watches` by side, `labels` and `pairs`
   * @param {{said?: import("./text.js").Said, height: string}} options
   */
  constructor(host, stores, model, options) {
    this.stores = stores;
    this.model = model;
    this.language = new Language(options.said);
    /** @type {{boundaries: Boundary[], gates: Gate[], alike: number, parted: any}} */
    this.pairs = model.get("pairs");
    /** @type {string[]} */
    this.labels = model.get("labels").map(shown);
    /** @type {"both" | Side} what the toolbar moves */
    this.who = "both";
    /** @type {Side} the side that was moved last, to which the other is led */
    this.leader = "ours";
    /** @type {Side} the side that was touched last */
    this.touched = "ours";
    this.together = false; // while both are moved
    /** @type {Record<string, number>[]} */
    this.before = [];
    this.travel = oneByOne((does) => this.go(does));

    this.root = h("div", { class: "pl-root pl-mirror", tabindex: "-1", lang: this.language.code });
    this.root.style.setProperty("--pl-height", options.height);
    this.choice = h("div", { class: "pl-who", role: "group", "aria-label": this.t("whoMoves") });
    for (const one of /** @type {("both" | Side)[]} */ (["both", ...SIDES])) {
      const words = one === "both" ? this.t("both") : this.t("alone", { side: this.label(one) });
      this.choice.append(h("button", { type: "button", "data-who": one, title: `${this.t("whoMoves")}: ${words} (m)`, onclick: () => this.choose(one) }, words));
    }
    this.strip = h("div", { class: "pl-strip", role: "group", "aria-label": this.t("stages") }, ...inOrder(this.pairs.boundaries).map((one) => this.stageButtons(one)));
    if (this.pairs.parted) this.strip.append(h("button", { type: "button", class: "pl-pair pl-pair-different", onclick: () => this.goToParting() }, this.t("parted")));
    this.where = h("span", { class: "pl-place" });
    this.bring = h("button", { type: "button", class: "pl-bring", hidden: true, onclick: () => this.bringTogether() });
    this.news = h("span", { class: "pl-strip-news" });
    const says = h("p", { class: "pl-places", role: "status" }, this.where, " ", this.news);
    this.body = h("div", { class: "pl-sides" });
    this.views = SIDES.map((side) => this.sideOf(side, options.said));
    this.values = new Compared(this);
    this.body.append(this.values.element);
    this.root.append(h("div", { class: "pl-head" }, toolbar(this)), h("div", { class: "pl-row" }, this.strip, this.choice), h("div", { class: "pl-row" }, says, this.bring), this.body);
    this.root.addEventListener("keydown", (event) => this.key(event), true);
    keepKeys(this.root);
    host.append(this.root);
    this.choose("both");
  }

  /** @param {string} label @param {Record<string, string | number>} [values] */
  t(label, values) {
    return this.language.t(label, values);
  }

  /** @param {Side} side */
  label(side) {
    return this.labels[SIDES.indexOf(side)];
  }

  /** @param {Side} side */
  view(side) {
    return this.views[SIDES.indexOf(side)];
  }

  /** A stage's two buttons: to its beginning, and, with the verdict, to its end. @param {Boundary} one */
  stageButtons(one) {
    const verdict = this.t(one.verdict);
    return h(
      "span",
      { class: `pl-pair pl-pair-${one.verdict}`, "data-stage": one.stage },
      h("button", { type: "button", title: this.t("toBeginning", { stage: shown(one.stage) }), onclick: () => this.visit(one, 0) }, shown(one.stage)),
      h("button", { type: "button", class: "pl-verdict", title: this.t("toEnd", { stage: shown(one.stage), verdict }), "aria-label": `${shown(one.stage)}: ${verdict}`, onclick: () => this.visit(one, 1) }, MARKS[one.verdict]),
    );
  }

  /** A stepper, its own buttons hidden; its panes are opened by a button, and by whatever shows something in them. @param {Side} side @param {import("./text.js").Said} [said] */
  sideOf(side, said) {
    const host = h("section", { class: `pl-side-of pl-side-${side}`, "aria-label": this.label(side) });
    this.body.append(host);
    const view = new StepperView(host, this.stores[side], this.partOf(side), { said, height: "100%" });
    const title = this.t("panes", { side: this.label(side) });
    const open = (/** @type {boolean} */ on) => {
      host.classList.toggle("pl-open", on);
      panes.setAttribute("aria-expanded", String(on));
    };
    const panes = h("button", { type: "button", class: "pl-panes", title, "aria-label": title, "aria-expanded": "false", onclick: () => open(!host.classList.contains("pl-open")) }, "☰");
    view.root.querySelector(".pl-head")?.prepend(h("h3", {}, this.label(side)), panes);
    const showTab = view.showTab.bind(view);
    view.showTab = (name) => {
      open(true);
      showTab(name);
    };
    host.addEventListener("focusin", () => (this.touched = side));
    return view;
  }

  /** One side's part of what is shared. @param {Side} side @returns {import("./stepper.js").Model} */
  partOf(side) {
    const { model } = this;
    const names = /** @type {Record<string, string>} */ ({ step: "steps", breakpoints: "breakpoints", watches: "watches" });
    return {
      get: (name) => (name in names ? model.get(names[name])[side] : name === "skip" ? model.get(name) : null),
      set: (name, value) => {
        if (name === "skip") model.set(name, value);
        if (!(name in names)) return;
        if (name === "step" && !this.together) this.leader = side;
        model.set(names[name], { ...model.get(names[name]), [side]: value });
      },
      on: (name, changed) => (name in names || name === "skip") && model.on(names[name] ?? name, changed),
    };
  }

  async open() {
    await Promise.all(this.views.map((view) => view.open()));
    if (this.views.some((view) => view.step < 0)) return;
    for (const view of this.views) {
      const draw = view.draw.bind(view);
      view.draw = () => {
        draw();
        this.show();
      };
    }
    const different = this.pairs.boundaries.find((one) => one.verdict === "different");
    const led = SIDES.some((side) => this.model.get("steps")[side] > 0); // Python, or the address, has chosen a place
    const notes = new Set(SIDES.flatMap((side) => this.stores[side].meta.notes.map(shown)));
    for (const view of this.views) view.tell("");
    if (different && !led) await this.visit(different, 1);
    else this.show();
    if (notes.size) this.tell([...notes].join(" "));
  }

  /** @param {"both" | Side} who */
  choose(who) {
    this.who = who;
    for (const one of this.choice.children) one.setAttribute("aria-pressed", String(one.getAttribute("data-who") === who));
    if (who !== "both") this.touched = who;
  }

  /** Keys move both, wherever in the mirror they are pressed; those for one side reach it. @param {KeyboardEvent} event */
  key(event) {
    const does = meant(event);
    const target = /** @type {HTMLElement} */ (event.target);
    const inside = SIDES.some((side) => this.view(side).root.contains(target));
    if (target.closest(".pl-track, [role=tablist], [role=separator], dialog")) return;
    if (event.key === "m" && !event.ctrlKey && !event.metaKey && !event.altKey && !target.matches("input, textarea")) {
      const all = /** @type {("both" | Side)[]} */ (["both", ...SIDES]);
      this.choose(all[(all.indexOf(this.who) + 1) % all.length]);
    } else if (!does || (inside && ITS_OWN.includes(does))) return;
    else this.act(does);
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} does */
  async act(does) {
    if (ITS_OWN.includes(does)) return this.view(this.touched).act(does);
    if (does === "full") return fullWindow(this.root, () => this.close());
    if (does === "help") return help(this);
    if (this.who !== "both" && does !== "undo") return this.view(this.who).act(does);
    if (TRAVELS.includes(does)) return this.travel(does);
  }

  /** @param {string} does one of `TRAVELS` @returns {Promise<any>} false where there was no answer */
  async go(does) {
    if (does in MOVES) return this.move(...MOVES[does]);
    if (does === "first" || does === "last") return this.lead(Object.fromEntries(SIDES.map((side) => [side, does === "first" ? 0 : this.stores[side].meta.steps - 1])));
    if (does === "run" || does === "runBack") return this.run(does === "runBack");
    if (does === "undo") return this.undo();
    return this.toStage(does === "stageBefore");
  }

  close() {
    this.root.querySelector("dialog")?.remove();
    this.view(this.touched).source.view.focus();
  }

  /** Where both are. @returns {Record<Side, number>} */
  get steps() {
    return { ours: this.views[0].step, theirs: this.views[1].step };
  }

  /** Lead sides to steps; `undo` comes back. @param {Record<string, number>} there @param {boolean} [far] */
  async lead(there, far = true) {
    if (far) {
      this.before.push(this.steps);
      if (this.before.length > REMEMBERED) this.before.shift();
    }
    this.together = true;
    await Promise.all(SIDES.map((side) => there[side] !== undefined && this.view(side).goto(there[side])));
    this.together = false;
    this.show();
  }

  undo() {
    const there = this.before.pop();
    return there ? this.lead(there, false) : this.tell(this.t("noJump"));
  }

  /** How far a side has come at a step: steps while the two are alike, then gates. @param {Side} side @param {number | null} step @param {boolean} [back] */
  progress(side, step, back = false) {
    if (step === null) return back ? -1 : Infinity;
    return Math.min(step, this.pairs.alike) + this.pairs.gates.filter((gate) => gate[side] <= step).length;
  }

  /** The step of the other side that belongs to a step: the last moment that both come to at or before it. @param {Side} side @param {number} step */
  momentBeside(side, step) {
    if (step < this.pairs.alike) return step;
    const gate = this.pairs.gates.findLast((one) => one[side] <= step);
    if (gate) return gate[otherThan(side)];
    return Math.max(0, Math.min(this.pairs.alike, this.stores[otherThan(side)].meta.steps) - 1);
  }

  /** Move both; where one would come further than the other, it waits. @param {string} kind @param {boolean} back */
  async move(kind, back) {
    const there = await Promise.all(SIDES.map((side) => this.view(side).tried(this.stores[side].destination(this.steps[side], kind, back, this.model.get("skip")))));
    if (there.includes(undefined)) return false;
    if (there.every((one) => one === null)) {
      const ended = SIDES.every((side) => this.steps[side] === (back ? 0 : this.stores[side].meta.steps - 1));
      return this.tell(this.t(!ended ? "noneOutside" : back ? "atStart" : "atEnd"));
    }
    const [ours, theirs] = SIDES.map((side, at) => this.progress(side, /** @type {number | null} */ (there[at]), back));
    const waits = ours === theirs ? null : ours < theirs === back ? "ours" : "theirs";
    const moving = SIDES.filter((side) => side !== waits);
    await this.lead(Object.fromEntries(moving.map((side) => [side, /** @type {number} */ (there[SIDES.indexOf(side)])])), kind === "out");
    if (waits) this.tell(this.t("waits", { waits: this.label(waits), goes: this.label(moving[0]) }));
  }

  /** Sides that have breakpoints run to theirs; one that has none follows. @param {boolean} back */
  async run(back) {
    const running = SIDES.filter((side) => this.model.get("breakpoints")[side].some(stopping));
    const before = this.steps;
    if (!running.length) return this.tell(this.t("noneSet"));
    this.together = true;
    await Promise.all(running.map((side) => this.view(side).run(back)));
    this.together = false;
    const moved = running.filter((side) => this.steps[side] !== before[side]);
    if (!moved.length) return;
    this.before.push(before);
    if (running.length === 1) await this.lead({ [otherThan(running[0])]: this.momentBeside(running[0], this.steps[running[0]]) }, false);
    else this.show();
  }

  /** To the next beginning of a stage that both run through, or to where the two part. @param {boolean} back */
  toStage(back) {
    const { boundaries, parted } = this.pairs;
    const begins = inOrder(boundaries).flatMap((one) => (one.ours && one.theirs ? [{ ours: one.ours[0], theirs: one.theirs[0] }] : []));
    if (!begins.length && parted) begins.push({ ours: parted.ours, theirs: parted.theirs });
    const there = back ? begins.findLast((one) => one.ours < this.steps.ours) : begins.find((one) => one.ours > this.steps.ours);
    return there ? this.lead(there) : this.tell(this.t("noStage"));
  }

  /** @param {Boundary} one @param {0 | 1} end */
  async visit(one, end) {
    await this.lead(Object.fromEntries(SIDES.filter((side) => one[side]).map((side) => [side, /** @type {[number, number]} */ (one[side])[end]])));
    const said = { stage: shown(one.stage), verdict: this.t(one.verdict) };
    this.tell(one.what ? this.t("judged", { ...said, what: shown(one.what) }) : this.t("judgedAlone", said));
  }

  async goToParting() {
    const { parted } = this.pairs;
    await this.lead({ ours: parted.ours, theirs: parted.theirs });
    this.tell(`${this.t("parted")}: ${shown(parted.what)}`);
  }

  /** Lead the other side to the one that was moved last; from here on, both are moved again. */
  bringTogether() {
    this.choose("both");
    this.view(this.touched).source.view.focus(); // the button is about to go
    return this.lead({ [otherThan(this.leader)]: this.momentBeside(this.leader, this.steps[this.leader]) });
  }

  /** @param {string} text */
  tell(text) {
    this.news.replaceChildren(text);
  }

  /** Say where both are, and what is equal there. */
  show() {
    if (this.together || this.views.some((view) => view.step < 0)) return;
    this.tell("");
    const { ours, theirs } = this.steps;
    const at = this.pairs.boundaries.flatMap((one) => [0, 1].map((end) => ({ one, end }))).find(({ one, end }) => one.ours?.[end] === ours && one.theirs?.[end] === theirs);
    const [mine, other] = SIDES.map((side) => this.progress(side, this.steps[side]));
    const inside = this.pairs.boundaries.filter((one) => SIDES.every((side) => one[side] && one[side][0] <= this.steps[side] && this.steps[side] <= one[side][1]));
    const stage = at?.one.stage ?? inside.sort((one, another) => stepsOf(one) - stepsOf(another))[0]?.stage;
    const apart = !at && mine !== other;
    if (at) this.where.replaceChildren(this.t(at.end ? "bothEnd" : "bothBegin", { stage: shown(at.one.stage) }));
    else if (apart) this.where.replaceChildren(this.ahead(mine > other ? "ours" : "theirs"));
    else this.where.replaceChildren(stage ? this.t("bothIn", { stage: shown(stage) }) : this.t(this.outsideStages()));
    this.bring.toggleAttribute("hidden", !apart);
    this.bring.replaceChildren(this.t("bring", { side: this.label(otherThan(this.leader)) }));
    for (const one of this.strip.children) {
      if (stage && one.getAttribute("data-stage") === stage) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }
    this.values.show();
  }

  /** The label for a place that is in no stage. */
  outsideStages() {
    const { alike, boundaries, parted } = this.pairs;
    const { ours, theirs } = this.steps;
    if (ours < alike) return "sameStep";
    if (parted?.ours === ours && parted?.theirs === theirs) return "atParting";
    return boundaries.length ? "bothBetween" : "pastParting";
  }

  /** Which side is ahead, and of what. @param {Side} side */
  ahead(side) {
    const behind = otherThan(side);
    const words = { ahead: this.label(side), behind: this.label(behind) };
    const apart = this.steps[side] - this.steps[behind];
    if (this.steps[behind] < this.pairs.alike && this.steps[side] <= this.pairs.alike) return this.t("aheadBy", { ...words, count: apart });
    const gate = /** @type {Gate} */ (this.pairs.gates.find((one) => one[behind] > this.steps[behind]));
    if (!gate?.stage) return this.t("aheadParted", words);
    return this.t(gate.end ? "aheadEnd" : "aheadBegin", { ...words, stage: shown(gate.stage) });
  }
}

/** @param {Side} side @returns {Side} */
function otherThan(side) {
  return side === "ours" ? "theirs" : "ours";
}

/** As they begin. @param {Boundary[]} boundaries */
function inOrder(boundaries) {
  const begin = (/** @type {Boundary} */ one) => (one.ours ?? one.theirs)?.[0] ?? 0;
  return boundaries.toSorted((one, other) => begin(one) - begin(other));
}

/** @param {Boundary} one */
function stepsOf(one) {
  return one.ours ? one.ours[1] - one.ours[0] : 0;
}
