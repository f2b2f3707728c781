// The whole recording on one line: how deep the calls go, the stages as bands, and where the reader is.

import { h, shown, withCommas } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const BIG = 20; // a page key moves by this part of the whole
const LETTER = 7; // pixels of a band's label
const BAND = 18; // pixels of a band
const LABELLED = 40; // runs; of more, each has as much room as it has steps
const WIDTH = 1000; // pixels, until the real width is known

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
  }

  open() {
    const { meta } = this.view.store;
    this.track.setAttribute("aria-valuemax", String(Math.max(0, meta.steps - 1)));
    this.track.replaceChildren(profile(meta.depths), this.mark, this.cursor);
    new ResizeObserver(() => this.layOut()).observe(this.bands);
    this.layOut();
  }

  /** Give each band its place in the width that there is. */
  layOut() {
    const { meta } = this.view.store;
    const width = this.bands.clientWidth || WIDTH;
    const rows = placed(meta.stages, meta.steps, width);
    this.bands.style.height = `${BAND * (1 + Math.max(-1, ...rows.map((row) => row.level)))}px`;
    this.bands.replaceChildren(
      ...rows.map(({ name, sentence, first, left, right, level }) => {
        const label = `${shown(name)}, ${this.view.t("step")} ${withCommas(first)}`;
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
    this.cursor.style.left = `${(100 * (view.step + 0.5)) / meta.steps}%`;
    this.mark.hidden = view.marked === null;
    this.mark.style.left = `${(100 * ((view.marked ?? 0) + 0.5)) / meta.steps}%`;
    this.track.setAttribute("aria-valuenow", String(view.step));
    this.track.setAttribute("aria-valuetext", `${view.t("step")} ${withCommas(view.step)} ${view.t("of")} ${withCommas(meta.steps)}`);
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
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    this.view.goto(Math.min(this.view.store.meta.steps - 1, Math.floor(share * this.view.store.meta.steps)));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const part = Math.max(1, Math.round(this.view.store.meta.steps / BIG));
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: -part, PageDown: part }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const there = Math.min(this.view.store.meta.steps - 1, Math.max(0, this.view.step + by));
    this.view.goto(there);
  }
}

/** The depth of calls as a filled line. @param {number[]} depths */
function profile(depths) {
  const svg = document.createElementNS(SVG, "svg");
  const most = Math.max(1, ...depths);
  svg.setAttribute("viewBox", `0 0 ${Math.max(1, depths.length)} ${most + 1}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  const tops = depths.map((depth, at) => `L${at} ${most - depth} L${at + 1} ${most - depth}`).join(" ");
  path.setAttribute("d", `M0 ${most + 1} ${tops} L${depths.length} ${most + 1} Z`);
  svg.append(path);
  return svg;
}

/**
 * Each run of each stage with its left and right end in pixels, and a level where neither its band nor its label
 * covers another's.
 * @param {[name: string, sentence: string, runs: [number, number][]][]} stages @param {number} steps @param {number} width
 */
function placed(stages, steps, width) {
  const runs = stages.flatMap(([name, sentence, all]) =>
    all.map(([first, last]) => {
      const label = LETTER * name.length + 12;
      const left = Math.max(0, Math.min((width * first) / steps, width - label));
      return { name, sentence, first, left, right: Math.max((width * (last + 1)) / steps, left + 4), label: left + label, level: 0 };
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
