// The panes with the state of the program: variables, the calls around the step, watches, what steps go past.

import { asPython, Condition, NAMED, Unknown, wrongWith } from "./condition.js";
import { selfLast } from "./source.js";
import { h, renew, shown } from "./text.js";
import { headlineOf, insideOf, valueElement } from "./values.js";

/** @typedef {import("./stepper.js").StepperView} View */
/** @typedef {import("./store.js").Moment} Moment */

/** A pane with a heading. @param {string} title @param {string} kind @param {...Node} content */
export function pane(title, kind, ...content) {
  return h("section", { class: `pl-pane pl-pane-${kind}`, "aria-label": title }, h("h3", {}, title), ...content);
}

export class Variables {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.list = h("ul", { class: "pl-variables" });
    this.result = h("div", { class: "pl-result" });
    this.element = pane(view.t("variables"), "variables", this.result, this.list);
    /** @type {Set<string>} what is open, by function and name */
    this.open = new Set();
    /** @type {Map<number, HTMLElement>} pictures of tensors, by value */
    this.tensors = new Map();
    this.step = 0;
  }

  /** @param {Moment} moment @param {boolean} hidden whether the result is for the reader to find */
  show(moment, hidden) {
    const { view } = this;
    const names = view.store.meta.names;
    const watched = new Set(view.store.meta.watches);
    const known = selfLast([...moment.locals], names).filter(([name]) => !watched.has(name));
    const rows = [...known.filter(([name]) => moment.fresh.has(name)), ...known.filter(([name]) => !moment.fresh.has(name))];
    this.step = moment.step;
    renew(
      this.list,
      rows.length
        ? rows.map(([name, value]) => [`${moment.function} ${name} ${value} ${moment.fresh.has(name)} ${Boolean(view.breakpoints.ofName(moment.function, names[name]))}`, () => this.row(moment, names[name], name, value)])
        : [["none", () => h("li", { class: "pl-hint" }, view.t("none"))]],
    );
    // What has changed is seen. Not now: it would lay out what is not yet whole.
    if (moment.fresh.size) requestAnimationFrame(() => this.element.closest("[role=tabpanel]")?.scrollTo(0, 0));
    const said = moment.bound.find(([name]) => name === 0);
    this.result.replaceChildren();
    this.result.className = "pl-result";
    if (said && !hidden && said[1] !== null) {
      const label = { return: "returns", yield: "yields", exception: "raises" }[moment.event];
      this.result.classList.add(`pl-result-${moment.event}`);
      const value = valueElement(view.store.headline(moment.step, said[1]), view.colours);
      this.result.append(h("b", {}, label ? view.t(label) : ""), " ", value);
    }
    const { failure } = view.store.meta;
    if (failure?.step === moment.step) this.result.append(...failure.said.map((/** @type {string} */ one) => h("p", {}, shown(one))));
  }

  /** @param {Moment} moment @param {string} text @param {number} name @param {number} value */
  row(moment, text, name, value) {
    const { view } = this;
    const line = view.store.headline(moment.step, value);
    const key = `${moment.function} ${text}`;
    const history = h(
      "button",
      { class: "pl-name", title: view.t("historyOf", { name: shown(text) }), onclick: () => view.showHistory(this.step, name, text) },
      h("bdi", {}, shown(text)),
    );
    const maker = h(
      "button",
      { class: "pl-maker", title: view.t("goThere"), "aria-label": view.t("makerOf", { name: shown(text) }), onclick: () => view.goToMaker(value) },
      "↶",
    );
    const stops = Boolean(view.breakpoints.ofName(moment.function, text));
    const stop = h(
      "button",
      {
        class: "pl-stop-when",
        title: view.t("stopWhen", { name: shown(text) }),
        "aria-label": view.t("stopWhen", { name: shown(text) }),
        "aria-pressed": String(stops),
        onclick: () => view.breakpoints.toggleName(moment.function, text),
      },
      "●",
    );
    const row = h("li", { class: moment.fresh.has(name) ? "pl-variable pl-fresh" : "pl-variable", "data-name": text });
    const inside = line[2] || line[5];
    if (inside) {
      const opener = h(
        "button",
        { class: "pl-opener", "aria-expanded": "false", "aria-label": view.t("insideOf", { name: shown(text) }), onclick: () => this.toggle(key, row, value) },
        "▸",
      );
      row.append(opener);
    }
    row.append(history, " ", valueElement(line, view.colours), " ", maker, stop);
    if (inside && this.open.has(key)) this.unfold(row, value);
    return row;
  }

  /** @param {string} key @param {HTMLElement} row @param {number} value */
  toggle(key, row, value) {
    const inside = row.querySelector(":scope > .pl-inside");
    if (inside) {
      this.open.delete(key);
      inside.remove();
      row.querySelector(".pl-opener")?.setAttribute("aria-expanded", "false");
    } else {
      this.open.add(key);
      this.unfold(row, value);
    }
  }

  /** @param {HTMLElement} row @param {number} value */
  async unfold(row, value) {
    row.querySelector(".pl-opener")?.setAttribute("aria-expanded", "true");
    const whole = await this.view.tried(this.view.store.value(value));
    if (!whole || row.querySelector(":scope > .pl-inside")) return;
    const list = insideOf(whole, this.view.colours, this.view.t("noNumbers"));
    row.append(list);
    if (whole.facts?.numbers && this.view.store.source.show) list.prepend(this.tensor(value));
  }

  /** A tensor's numbers as a picture, made once: it stays what it is from step to step. @param {number} value */
  tensor(value) {
    const { view } = this;
    const known = this.tensors.get(value);
    if (known) return known;
    const row = h("li", { class: "pl-tensor" });
    this.tensors.set(value, row);
    const show = async () => view.store.source.show?.(await view.store.source.ask({ ask: "tensor", value }), row);
    requestAnimationFrame(() => view.tried(show())); // when the row is in the page
    return row;
  }
}

export class Stack {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.list = h("ol", { class: "pl-stack" });
    this.element = pane(view.t("stack"), "stack", this.list);
  }

  /** @param {import("./store.js").Call[]} calls @param {number} chosen */
  show(calls, chosen) {
    const { view } = this;
    const row = (/** @type {number} */ place, /** @type {number} */ index) => {
      const [, called, line] = view.store.place(place);
      const [file, name] = view.store.meta.functions[called];
      const where = `${view.store.meta.files[file].split("/").at(-1)}:${line}`;
      return h(
        "li",
        {},
        h(
          "button",
          { "aria-current": index === chosen ? "true" : null, title: shown(view.store.meta.files[file]), onclick: () => view.choose(index) },
          h("bdi", { class: "pl-name" }, shown(name)),
          " ",
          h("small", {}, shown(where)),
        ),
      );
    };
    renew(
      this.list,
      calls.map(({ place }, index) => [`${index} ${place} ${index === chosen}`, () => row(place, index)]),
    );
  }
}

/**
 * A box for one more of what a list has, and below it what is wrong with a text that is not taken.
 * @param {string} placeholder @param {string} label
 * @param {(text: string) => string} wrong a sentence, or nothing @param {(text: string) => void} take
 * @returns {HTMLElement[]}
 */
export function boxFor(placeholder, label, wrong, take) {
  const problem = h("p", { class: "pl-problem", role: "alert" });
  const input = /** @type {HTMLInputElement} */ (h("input", { type: "text", placeholder, "aria-label": label, spellcheck: "false" }));
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const text = input.value.trim();
    problem.textContent = wrong(text);
    if (!text || problem.textContent) return;
    input.value = "";
    take(text);
  };
  return [h("form", { onsubmit }, input), problem];
}

export class Watches {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.list = h("ul", { class: "pl-watches" });
    const box = boxFor(view.t("addWatch"), view.t("watches"), wrongWith, (text) => this.add(text));
    this.element = pane(view.t("watches"), "watches", this.list, ...box);
  }

  /** @param {string} text */
  add(text) {
    const { model } = this.view;
    if (!model.get("watches").includes(text)) model.set("watches", [...model.get("watches"), text]);
  }

  /** @param {Moment} moment */
  async show(moment) {
    const { view } = this;
    /** @type {HTMLElement[]} */
    const rows = [];
    for (const name of view.store.meta.watches) {
      const value = moment.locals.get(name);
      if (value !== undefined) rows.push(this.row(view.store.meta.names[name], valueElement(view.store.headline(moment.step, value), view.colours)));
    }
    for (const text of view.model.get("watches")) rows.push(this.row(text, h("span", {}, "…"), true));
    this.list.replaceChildren(...rows);
    if (!rows.length) this.list.append(h("li", { class: "pl-hint" }, view.t("noWatches")));
    for (const [at, text] of view.model.get("watches").entries()) {
      const found = await view.tried(this.worth(moment, text));
      const row = rows[rows.length - view.model.get("watches").length + at];
      row?.querySelector(".pl-watched")?.replaceChildren(found instanceof Node ? found : h("i", {}, view.t("notKnown")));
      if (found instanceof Unknown) row?.append(h("small", { class: "pl-hint" }, whatIsKnown(view, found.asked, found.known.slice(0, NAMED))));
    }
  }

  /** @param {string} text @param {Node} value @param {boolean} [own] whether the reader added it, and can take it away */
  row(text, value, own = false) {
    const { view } = this;
    const remove = () => view.model.set("watches", view.model.get("watches").filter((/** @type {string} */ one) => one !== text));
    return h(
      "li",
      {},
      h("bdi", { class: "pl-name" }, shown(text)),
      " ",
      h("span", { class: "pl-watched" }, value),
      own && h("button", { class: "pl-remove", "aria-label": view.t("removeOne", { name: shown(text) }), onclick: remove }, "×"),
    );
  }

  /** What an expression gives, or why it gives nothing. @param {Moment} moment @param {string} text @returns {Promise<HTMLElement | Unknown | null>} */
  async worth(moment, text) {
    const { store, colours } = this.view;
    try {
      const watch = new Condition(text);
      const named = new Map([...moment.locals.keys()].map((name) => [store.meta.names[name], undefined]));
      const values = await store.valuesOf(moment, watch.names);
      const why = watch.unknownOf(values.size === watch.names.size ? values : named);
      if (why) return why;
      const found = watch.worth(values);
      if (found && typeof found === "object" && !Array.isArray(found)) return valueElement(found.headline ?? headlineOf(found), colours);
      return h("bdi", { class: "pl-value" }, shown(asPython(found)));
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }
}

/** A sentence on what was asked for in vain, and what is known instead. @param {View} view @param {string} asked @param {string[]} known */
export function whatIsKnown(view, asked, known) {
  return asked ? view.t("unknown", { asked: shown(asked), known: known.map(shown).join(", ") || view.t("none") }) : view.t("noAnswer");
}

/** What steps go past: functions, files and folders. */
export class Skipping {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.list = h("ul", { class: "pl-skipping" });
    const wrong = (/** @type {string} */ name) => (!name || view.store.functionsOf([name]).size ? "" : view.t("skipsNothing", { name: shown(name) }));
    const box = boxFor(view.t("addSkip"), view.t("skipping"), wrong, (name) => this.names.includes(name) || this.toggle(name));
    this.element = pane(view.t("skipping"), "skipping", this.list, ...box);
    /** @type {string[] | null} */
    this.shown = null;
  }

  /** @returns {string[]} */
  get names() {
    return this.view.model.get("skip") ?? [];
  }

  /** @param {string} name */
  toggle(name) {
    const { view, names } = this;
    const without = names.filter((one) => one !== name);
    view.model.set("skip", without.length < names.length ? without : [...names, name]);
    view.tell(view.t(without.length < names.length ? "nowEntered" : "nowSkipped", { name: shown(name) }));
  }

  show() {
    if (this.shown === this.names) return;
    this.shown = this.names;
    const rows = this.names.map((name) => {
      const remove = h("button", { class: "pl-remove", "aria-label": this.view.t("removeOne", { name: shown(name) }), onclick: () => this.toggle(name) }, "×");
      return h("li", {}, h("bdi", { class: "pl-name" }, shown(name)), " ", remove);
    });
    this.list.replaceChildren(...rows);
    if (!rows.length) this.list.append(h("li", { class: "pl-hint" }, this.view.t("noSkip")));
  }
}
