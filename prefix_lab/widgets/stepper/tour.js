// The tour of a stepper: four bubbles, each beside what it speaks of. It begins by itself where a lesson asks for it,
// until a reader has ended it once; the help begins it at any time.

import { keep, recall } from "./remembered.js";
import { h } from "./text.js";

const ENDED = "tour ended";
const APART = 8; // pixels between a bubble and what it speaks of
/** @type {[label: string, selector: string][]} */
const STOPS = [
  ["tourMove", ".pl-toolbar"],
  ["tourSource", ".pl-source"],
  ["tourState", ".pl-side"],
  ["tourTime", ".pl-timeline"],
];

export class Tour {
  /** @param {import("./stepper.js").StepperView} view */
  constructor(view) {
    this.view = view;
    /** @type {HTMLElement | null} */
    this.bubble = null;
    /** @type {Element | null} */
    this.about = null;
    new ResizeObserver(() => this.place()).observe(view.root);
  }

  /** Begin, unless the reader has seen enough of it before. The focus comes along only if it is in the stepper. */
  begin() {
    if (!recall(ENDED)) this.show(0, this.view.root.contains(document.activeElement));
  }

  /** @param {number} at @param {boolean} [focus] */
  show(at, focus = true) {
    const { view } = this;
    const [label, selector] = STOPS[at];
    const last = at === STOPS.length - 1;
    const next = h("button", { type: "button", class: "pl-tour-next", onclick: () => (last ? this.end() : this.show(at + 1)) }, view.t(last ? "tourDone" : "tourNext"));
    const end = last ? null : h("button", { type: "button", onclick: () => this.end() }, view.t("tourEnd"));
    const where = view.t("tourAt", { at: at + 1, all: STOPS.length });
    const bubble = h("div", { class: "pl-bubble", role: "dialog", "aria-label": where }, h("small", {}, where), h("p", { role: "status" }, view.t(label)), h("div", {}, next, end));
    view.root.append(bubble);
    if (focus) next.focus({ preventScroll: true }); // before the bubble before it goes, and the focus with it
    this.clear();
    this.bubble = bubble;
    this.about = view.root.querySelector(selector);
    this.about?.classList.add("pl-toured");
    this.place();
  }

  /** Below what it speaks of, or above it, or else upon it. */
  place() {
    const { bubble, about } = this;
    if (!bubble || !about) return;
    const root = this.view.root.getBoundingClientRect();
    const its = about.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = bubble;
    const below = its.bottom + APART + offsetHeight < root.bottom;
    const above = its.top - APART - offsetHeight > root.top;
    const top = below ? its.bottom + APART : above ? its.top - APART - offsetHeight : its.bottom - APART - offsetHeight;
    const left = Math.min(its.left + APART, root.right - APART - offsetWidth);
    bubble.style.top = `${top - root.top}px`;
    bubble.style.left = `${Math.max(APART, left - root.left)}px`;
  }

  clear() {
    this.bubble?.remove();
    this.about?.classList.remove("pl-toured");
    this.bubble = this.about = null;
  }

  /** The reader has seen it, or has enough of it: it does not begin by itself again. */
  end() {
    this.view.source.view.focus();
    this.clear();
    keep(ENDED, true);
  }
}
