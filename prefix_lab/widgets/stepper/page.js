// The stepper, or two of them side by side, in a page of its own: everything is in the page, packed, and nothing is asked
// of a network.

import { Answers } from "./answers.js";
import { SIDES } from "./compare.js";
import { MirrorView } from "./mirror.js";
import { unpacked } from "./pieces.js";
import { StepperView } from "./stepper.js";
import { Store } from "./store.js";

/** The step that the address names, `#step=120`; null where it names none. @param {string} name */
function inAddress(name) {
  const said = new URLSearchParams(location.hash.slice(1)).get(name) ?? "";
  return /^\d{1,15}$/.test(said) ? Number(said) : null;
}

async function start() {
  const read = (/** @type {string} */ id) => JSON.parse(/** @type {HTMLElement} */ (document.getElementById(id)).textContent ?? "null");
  /** @type {Record<string, string>} */
  const pieces = read("pieces");
  const settings = read("settings");
  const two = Boolean(settings.pairs);
  const source = (/** @type {string} */ side) => {
    const get = async (/** @type {string[]} */ keys) => Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await unpacked(pieces[side + key])])));
    const answers = new Answers(get);
    return new Store({ get, ask: (question) => answers.answer(question) });
  };
  /** @returns {any} */
  const stepsInAddress = () => (two ? Object.fromEntries(SIDES.map((side) => [side, inAddress(side) ?? settings.steps[side]])) : (inAddress("step") ?? 0));
  /** @type {Record<string, any>} */
  const values = { ...settings, [two ? "steps" : "step"]: stepsInAddress(), question: null };
  /** @type {[string, () => void][]} */
  const listeners = [];
  const model = {
    get: (/** @type {string} */ name) => values[name],
    set: (/** @type {string} */ name, /** @type {any} */ value) => {
      values[name] = value;
      if (name === "step") history.replaceState(null, "", `#step=${value}`);
      if (name === "steps") history.replaceState(null, "", `#${new URLSearchParams(value)}`);
      for (const [one, changed] of listeners) if (one === name) changed();
    },
    on: (/** @type {string} */ name, /** @type {() => void} */ changed) => void listeners.push([name, changed]),
  };
  const host = /** @type {HTMLElement} */ (document.getElementById("stepper"));
  const options = { language: settings.language, height: "100%" };
  const view = two ? new MirrorView(host, Object.fromEntries(SIDES.map((side) => [side, source(`${side}/`)])), model, options) : new StepperView(host, source(""), model, options);
  const within = (/** @type {Store} */ store, /** @type {number} */ step) => Math.min(step, Math.max(0, (store.meta?.steps ?? 1) - 1));
  addEventListener("hashchange", () => {
    const there = stepsInAddress();
    if (view instanceof MirrorView) model.set("steps", Object.fromEntries(SIDES.map((side) => [side, within(view.stores[side], there[side])])));
    else model.set("step", within(view.store, there));
  });
  await view.open();
  (view instanceof MirrorView ? view.views[0] : view).source.view.focus();
}

start();
