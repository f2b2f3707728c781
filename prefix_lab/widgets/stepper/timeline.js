// The whole recording on one line: how deep the calls go, the stages as bands, and where the reader is. What is stepped
// past takes no room on it.

import { h, shown, withCommas } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const BIG = 20; // a page key moves by this part of the whole
const LETTER = 7; // pixels of a band's label
const BAND = 18; // pixels of a band
const LABELLED = 40; // runs; of more, each has as much room as it has steps
const WIDTH = 1000; // pixels, until the real width is known

/** Equal ones: how deep the calls go, then a function and how many steps are in it, and so on. @typedef {[depth: number, ...inside: number[]][]} Stretches */

export class Timeline {
  /** @param {import("./stepper.js").StepperView} view */
  constructor(view) {
    this.view = view;
    this.cursor = h("div", { class: "pl-cursor" });
    this.mark = h("div", { class: "pl-marked", hidden: true });
    this.bands = h("div", { class: "pl-bands", role: "toolbar", "aria-label": view.t("stages") });
    this.track = h("div", { class: "pl-track", role: "slider", tabindex: "0", "aria-label": view.t("timeline"), "aria-valuemin": "0" });
    this.element = h("section", { class: "pl-timeline", "aria-label": view.t("timeline") }, this.bands, this.track);
    this.track.addEventListener("pointerdown", (event) => this.grab(event));
    this.track.addEventListener("pointermove", (event) => this.track.hasPointerCapture(event.pointerId) && this.drag(event));
    this.track.addEventListener("pointerup", () => (this.from = null));
    this.track.addEventListener("keydown", (event) => this.key(event));
    this.bands.addEventListener("keydown", (event) => this.walk(event));
    /** @type {string | null} what is marked */
    this.inside = null;
    /** @type {number | null} */
    this.from = null;
    /** @type {string[] | null} what is stepped past, as it is drawn */
    this.skipped = null;
    this.scale = new Scale([], 0, new Set());
  }

  open() {
    const { meta } = this.view.store;
    this.track.setAttribute("aria-valuemax", String(Math.max(0, meta.steps - 1)));
    new ResizeObserver(() => this.layOut()).observe(this.bands);
    this.measure();
  }

  /** Give each step its place: those that are stepped past have none. */
  measure() {
    const { store, model } = this.view;
    this.skipped = model.get("skip");
    this.scale = new Scale(store.meta.stretches, store.meta.steps, store.functionsOf(this.skipped ?? []));
    this.track.replaceChildren(profile(store.meta.stretches, this.scale.ends), this.mark, this.cursor);
    this.layOut();
  }

  /** Give each band its place in the width that there is. */
  layOut() {
    const { meta } = this.view.store;
    const width = this.bands.clientWidth || WIDTH;
    const rows = placed(meta.stages, this.scale, width);
    this.bands.style.height = `${BAND * (1 + Math.max(-1, ...rows.map((row) => row.level)))}px`;
    this.bands.replaceChildren(
      ...rows.map(({ name, sentence, first, left, right, level }) => {
        const label = this.view.t("stepIn", { stage: shown(name), step: withCommas(first) });
        const band = h("button", { type: "button", class: "pl-band", title: shown(sentence), "aria-label": label, "data-stage": name, "data-first": first, onclick: () => this.view.jump(first) }, shown(name));
        band.style.left = `${left}px`;
        band.style.width = `${right - left}px`;
        band.style.top = `${BAND * level}px`;
        return band;
      }),
    );
    this.inside = null;
    if (this.view.step >= 0) this.show();
  }

  show() {
    const { view } = this;
    const { meta } = view.store;
    if (this.skipped !== view.model.get("skip")) return this.measure();
    this.cursor.style.left = `${100 * this.scale.share(view.step + 0.5)}%`;
    this.mark.hidden = view.marked === null;
    this.mark.style.left = `${100 * this.scale.share((view.marked ?? 0) + 0.5)}%`;
    this.track.setAttribute("aria-valuenow", String(view.step));
    this.track.setAttribute("aria-valuetext", view.t("stepOf", { step: withCommas(view.step), all: withCommas(meta.steps) }));
    this.markStages(view.store.runsAt(view.step));
  }

  /** Mark the runs of stages that one stands in; the innermost is the current one. @param {[name: string, first: number][]} runs outermost first */
  markStages(runs) {
    const now = String(runs);
    if (this.inside === now) return;
    this.inside = now;
    const bands = /** @type {HTMLElement[]} */ ([...this.bands.children]);
    const inside = bands.filter((band) => runs.some(([name, first]) => band.dataset.stage === name && band.dataset.first === String(first)));
    const current = inside.find((band) => band.dataset.stage === runs.at(-1)?.[0]);
    const stop = inside.find((band) => band === document.activeElement) ?? current ?? bands[0];
    for (const band of bands) {
      band.toggleAttribute("data-now", inside.includes(band));
      if (band === current) band.setAttribute("aria-current", "step");
      else band.removeAttribute("aria-current");
      band.tabIndex = band === stop ? 0 : -1; // one stop for Tab; arrows lead to the others
    }
  }

  /** The arrow keys lead from stage to stage, Enter goes there. @param {KeyboardEvent} event */
  walk(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const bands = /** @type {HTMLElement[]} */ ([...this.bands.children]);
    const next = bands[bands.indexOf(/** @type {HTMLElement} */ (event.target)) + (by ?? 0)];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    if (!next) return;
    for (const band of bands) band.tabIndex = band === next ? 0 : -1;
    next.focus();
  }

  /** @param {PointerEvent} event */
  grab(event) {
    this.track.setPointerCapture(event.pointerId);
    this.from = this.view.step;
    this.view.remember();
    this.drag(event);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const { left, width } = this.track.getBoundingClientRect();
    this.view.goto(this.scale.step((event.clientX - left) / width), true);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { view, scale } = this;
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const part = { PageUp: -1 / BIG, PageDown: 1 / BIG }[event.key];
    if (!by && !part) return;
    event.preventDefault();
    event.stopPropagation();
    const there = scale.step(scale.share(view.step + 0.5) + (part ?? 0));
    if (by || there === view.step) return view.act((by ?? part ?? 0) < 0 ? "inBack" : "in");
    view.goto(there, true);
  }
}

/** Where steps lie along the line. */
class Scale {
  /** @param {Stretches} stretches @param {number} steps @param {Set<number>} skipped functions */
  constructor(stretches, steps, skipped) {
    /** The steps at which the stretches begin, and the one behind the last. */
    this.edges = [...stretches, null].map((_, at) => Math.floor((steps * at) / Math.max(1, stretches.length)));
    const walked = stretches.map(([, ...inside]) => inside.reduce((sum, count, at) => sum + (at % 2 && !skipped.has(inside[at - 1]) ? count : 0), 0));
    /** How many steps that are not stepped past are before each of these; where all are, how many steps. */
    this.ends = walked.some(Boolean) ? [0] : this.edges;
    if (walked.some(Boolean)) for (const count of walked) this.ends.push((this.ends.at(-1) ?? 0) + count);
  }

  /** How far along the line a step is, from 0 to 1. @param {number} step */
  share(step) {
    return led(step, this.edges, this.ends) / Math.max(1, this.ends.at(-1) ?? 1);
  }

  /** The step at a share of the line. @param {number} share */
  step(share) {
    const last = Math.max(0, (this.edges.at(-1) ?? 0) - 1);
    return Math.min(last, Math.max(0, Math.floor(led(share * (this.ends.at(-1) ?? 0), this.ends, this.edges))));
  }
}

/** Where a number lies between rising ones, carried over to as many others. @param {number} value @param {number[]} from @param {number[]} to */
function led(value, from, to) {
  const next = from.findIndex((edge) => edge > value);
  if (next < 1) return next ? (to.at(-1) ?? 0) : to[0];
  return to[next - 1] + ((value - from[next - 1]) / (from[next] - from[next - 1])) * (to[next] - to[next - 1]);
}

/** The depth of calls as a filled line. @param {Stretches} stretches @param {number[]} ends */
function profile(stretches, ends) {
  const svg = document.createElementNS(SVG, "svg");
  const most = stretches.reduce((deepest, [depth]) => Math.max(deepest, depth), 1);
  const width = Math.max(1, ends.at(-1) ?? 1);
  svg.setAttribute("viewBox", `0 0 ${width} ${most + 1}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  const tops = stretches.map(([depth], at) => `L${ends[at]} ${most - depth} L${ends[at + 1]} ${most - depth}`).join(" ");
  path.setAttribute("d", `M0 ${most + 1} ${tops} L${width} ${most + 1} Z`);
  svg.append(path);
  return svg;
}

/**
 * Each run of each stage with its left and right end in pixels, and a level where neither its band nor its label
 * covers another's.
 * @param {[name: string, sentence: string, runs: [number, number][]][]} stages @param {Scale} scale @param {number} width
 */
function placed(stages, scale, width) {
  const runs = stages.flatMap(([name, sentence, all]) =>
    all.map(([first, last]) => {
      const label = LETTER * name.length + 12;
      const left = Math.max(0, Math.min(width * scale.share(first), width - label));
      return { name, sentence, first, left, right: Math.max(width * scale.share(last + 1), left + 4), label: left + label, level: 0 };
    }),
  );
  runs.sort((one, other) => one.first - other.first || other.right - one.right);
  const end = (/** @type {{right: number, label: number}} */ run) => (runs.length > LABELLED ? run.right : Math.max(run.right, run.label));
  for (const [at, run] of runs.entries()) {
    const taken = new Set(runs.slice(0, at).filter((other) => end(other) > run.left).map((other) => other.level));
    while (taken.has(run.level)) run.level += 1;
  }
  return runs;
}
