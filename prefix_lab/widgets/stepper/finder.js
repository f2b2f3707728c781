// What is found: all calls as a tree, a search, the history of a name.

import { h, shown, withCommas } from "./text.js";
import { valueElement } from "./values.js";

/** @typedef {import("./stepper.js").StepperView} View */

const PAUSE = 250; // milliseconds without a key

export class Calls {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.element = h("div", { class: "pl-calls" });
    this.filled = false;
  }

  async show() {
    if (this.filled) return;
    this.filled = true;
    const root = await this.entry(0);
    if (root) this.element.replaceChildren(await this.inner(root));
    else this.filled = false;
  }

  /** @param {number} number */
  async entry(number) {
    const size = this.view.store.meta.callsPage;
    const page = await this.view.tried(this.view.store.piece(`calls/${Math.floor(number / size)}`));
    return page?.[number % size];
  }

  /** The calls that an entry made. @param {any[]} entry */
  async inner(entry) {
    const [, , , , , , , first, count] = entry;
    const list = h("ul", {});
    for (let at = first; at < first + count; at += 1) {
      const one = await this.entry(at);
      if (one) list.append(this.row(one));
    }
    return list;
  }

  /** @param {any[]} entry */
  row(entry) {
    const { view } = this;
    const [name, line, file, step, count, milliseconds, steps, , inside] = entry;
    const where = `${view.store.meta.files[file].split("/").at(-1)}:${line}`;
    const said = [count > 1 ? `${withCommas(count)}×` : "", view.t(steps === 1 ? "oneStep" : "manySteps", { count: withCommas(steps) }), milliseconds ? `${milliseconds} ms` : ""];
    const button = h("button", { onclick: () => view.jump(step), title: shown(where) }, h("bdi", { class: "pl-name" }, shown(name)), " ", h("small", {}, said.filter(Boolean).join(", ")));
    if (!inside) return h("li", {}, button);
    const row = h("li", {});
    /** @type {HTMLElement | null} */
    let list = null;
    const toggle = async () => {
      const open = opener.getAttribute("aria-expanded") !== "true";
      opener.setAttribute("aria-expanded", String(open));
      if (open && !list) row.append((list = await this.inner(entry)));
      list?.toggleAttribute("hidden", opener.getAttribute("aria-expanded") !== "true");
    };
    const opener = h("button", { class: "pl-opener", "aria-expanded": "false", "aria-label": view.t("insideOf", { name: shown(name) }), onclick: toggle }, "▸");
    row.append(opener, button);
    return row;
  }
}

export class Search {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.input = /** @type {HTMLInputElement} */ (h("input", { type: "search", placeholder: view.t("searchFor"), "aria-label": view.t("searchFor"), spellcheck: "false" }));
    this.list = h("ul", { class: "pl-found" });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.search();
    };
    const form = h("form", { role: "search", onsubmit: submit }, this.input);
    this.element = h("div", {}, form, this.list);
    this.input.addEventListener("input", () => this.typed());
    /** @type {any} */
    this.waiting = null;
    this.asked = "";
  }

  /** What was found is of another text now: it goes at once, and the new text is looked for when the typing pauses. */
  typed() {
    clearTimeout(this.waiting);
    const text = this.input.value.trim();
    if (text === this.asked) return;
    this.asked = "";
    this.list.replaceChildren();
    if (text) this.waiting = setTimeout(() => this.search(), PAUSE);
  }

  async search() {
    clearTimeout(this.waiting);
    const { view } = this;
    const text = this.input.value.trim();
    if (!text) return this.list.replaceChildren();
    if (text === this.asked) return;
    this.asked = text;
    const rows = await view.tried(view.store.source.ask({ ask: "search", text }));
    if (this.asked !== text) return; // it has been typed on
    if (!rows) {
      this.asked = "";
      return;
    }
    const found = rows.map((/** @type {any[]} */ [kind, step, count, text]) =>
      h(
        "li",
        { class: `pl-found-${kind}` },
        h("button", { onclick: () => view.jump(step) }, h("bdi", {}, shown(text)), " ", h("small", {}, view.t(count > 1 ? "foundOften" : "stepAt", { step: withCommas(step), count: withCommas(count) }))),
      ),
    );
    this.list.replaceChildren(...found);
    if (!found.length) this.list.append(h("li", { class: "pl-hint" }, view.t("nothing")));
  }
}

export class History {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.element = h("div", { class: "pl-history" }, h("p", { class: "pl-hint" }, view.t("nothing")));
  }

  /** The names with other values at two steps. @param {number} mark @param {number} step */
  async since(mark, step) {
    const { view } = this;
    const rows = await view.tried(view.store.source.ask({ ask: "changed", since: mark, step }));
    if (!rows) return;
    const written = (/** @type {any[]} */ value) => valueElement(value, view.colours);
    /** @type {HTMLElement[]} */
    const items = [];
    let of = "";
    for (const [called, name, before, now] of rows) {
      if (called !== of) items.push(h("li", { class: "pl-changed-in" }, h("small", {}, view.t("changedIn", { name: shown((of = called)) }))));
      const inPlace = before?.[4] != null && before[4] === now?.[4];
      const was = before ? [inPlace ? "≈" : written(before), inPlace ? " " : " → "] : [];
      items.push(h("li", {}, h("bdi", { class: "pl-name" }, shown(name)), " ", ...was, now ? written(now) : h("i", {}, view.t("deleted"))));
    }
    const [first, last] = [Math.min(mark, step), Math.max(mark, step)];
    const title = h("h4", {}, view.t("changedBetween", { first: withCommas(first), last: withCommas(last) }));
    const back = h("button", { onclick: () => view.jump(mark) }, view.t("stepAt", { step: withCommas(mark) }));
    this.element.replaceChildren(title, back, items.length ? h("ul", {}, ...items) : h("p", { class: "pl-hint" }, view.t("unchanged")));
  }

  /** @param {number} step @param {number} name @param {string} text */
  async show(step, name, text) {
    const { view } = this;
    const rows = await view.tried(view.store.source.ask({ ask: "history", step, name }));
    if (!rows) return;
    const items = rows.map((/** @type {any[]} */ [at, , value]) =>
      h(
        "li",
        { "aria-current": at === view.step ? "step" : null },
        h("button", { onclick: () => view.jump(at) }, view.t("stepAt", { step: withCommas(at) })),
        " ",
        value ? valueElement(value, view.colours) : h("i", {}, view.t("deleted")),
      ),
    );
    const [before, after] = view.t("historyOf").split("{name}");
    this.element.replaceChildren(h("h4", {}, before, h("bdi", {}, shown(text)), after), h("ol", {}, ...items));
    if (!items.length) this.element.append(h("p", { class: "pl-hint" }, view.t("nothing")));
  }
}
