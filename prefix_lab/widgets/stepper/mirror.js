// Two steppers side by side. The stages lead both to the moments that belong together.

import { Kernel, traits } from "./kernel.js";
import { StepperView } from "./stepper.js";
import { Store } from "./store.js";
import { h, Language, shown } from "./text.js";

/** @typedef {{stage: string, ours: [number, number] | null, theirs: [number, number] | null, verdict: string, what: string}} Boundary */

const MARKS = /** @type {Record<string, string>} */ ({ equal: "=", shapesOnly: "~", different: "≠", only: "·", noValue: "·" });
/** @type {("ours" | "theirs")[]} */
const SIDES = ["ours", "theirs"];

/** @type {WeakMap<object, Record<string, Store>>} */
const known = new WeakMap();

/** One side's part of what is shared. @param {ReturnType<typeof traits>} shared @param {string} side @returns {import("./stepper.js").Model} */
function partOf(shared, side) {
  const names = /** @type {Record<string, string>} */ ({ step: "steps", breakpoints: "breakpoints", watches: "watches" });
  return {
    get: (name) => (name in names ? shared.get(names[name])[side] : null),
    set: (name, value) => name in names && shared.set(names[name], { ...shared.get(names[name]), [side]: value }),
    on: (name, changed) => name in names && shared.on(names[name], changed),
  };
}

/** @param {{model: any, el: HTMLElement}} place */
async function render({ model, el }) {
  const language = new Language(model.get("language"));
  const shared = traits(model);
  const stores = known.get(model) ?? Object.fromEntries(SIDES.map((side) => [side, new Store(new Kernel(model, () => model.get("opening")[side], side))]));
  known.set(model, stores);
  const root = h("div", { class: "pl-mirror", "data-lm-suppress-shortcuts": "true", lang: model.get("language") });
  root.style.setProperty("--pl-height", model.get("height"));
  const strip = h("div", { class: "pl-strip", role: "toolbar", "aria-label": language.t("stage") });
  const news = h("p", { class: "pl-strip-news", role: "status" });
  const sides = h("div", { class: "pl-sides" });
  root.append(strip, news, sides);
  el.append(root);
  const labels = model.get("labels");
  const views = SIDES.map((side, at) => {
    const host = h("section", { class: "pl-side-of", "aria-label": shown(labels[at]) }, h("h3", {}, shown(labels[at])));
    sides.append(host);
    return new StepperView(host, stores[side], partOf(shared, side), { language: model.get("language"), height: "100%", narrow: true });
  });
  await Promise.all(views.map((view) => view.open()));

  /** @param {Record<string, number>} there */
  const goBoth = (there) => SIDES.forEach((side, at) => there[side] !== undefined && views[at].jump(there[side]));

  /** @param {Boundary} one @param {0 | 1} end */
  const visit = (one, end) => {
    goBoth(Object.fromEntries(SIDES.filter((side) => one[side]).map((side) => [side, /** @type {[number, number]} */ (one[side])[end]])));
    news.replaceChildren(`${language.t("stage")} ${shown(one.stage)}: ${language.t(one.verdict)}${one.what ? `. ${shown(one.what)}` : ""}`);
  };

  const { boundaries, parted } = model.get("pairs");
  for (const one of /** @type {Boundary[]} */ (boundaries)) {
    const verdict = language.t(one.verdict);
    strip.append(
      h(
        "span",
        { class: `pl-pair pl-pair-${one.verdict}` },
        h("button", { type: "button", title: `${language.t("stage")} ${shown(one.stage)}`, onclick: () => visit(one, 0) }, shown(one.stage)),
        h("button", { type: "button", class: "pl-verdict", title: verdict, "aria-label": `${shown(one.stage)}: ${verdict}`, onclick: () => visit(one, 1) }, `${MARKS[one.verdict]} ${verdict}`),
      ),
    );
  }
  const different = /** @type {Boundary[]} */ (boundaries).find((one) => one.verdict === "different");
  const led = SIDES.some((side) => model.get("steps")[side] > 0); // Python has chosen a place
  if (different && !led) visit(different, 1);
  if (parted) {
    const show = () => {
      goBoth(parted);
      news.replaceChildren(`${language.t("parted")}: ${shown(parted.what)}`);
    };
    strip.append(h("button", { type: "button", class: "pl-pair pl-pair-different", onclick: show }, language.t("parted")));
  }
  return shared.close;
}

export default { render };
