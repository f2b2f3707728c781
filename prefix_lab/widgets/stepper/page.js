// The stepper, or two of them side by side, in a page of its own: everything is in the page, packed, and nothing is asked
// of a network.

import { Answers } from "./answers.js";
import { unpacked } from "./pieces.js";
import { Store } from "./store.js";

/** The step that the address names, `#step=120`; null where it names none. @param {string} name */
function inAddress(name) {
  const said = new URLSearchParams(location.hash.slice(1)).get(name) ?? "";
  return /^\d{1,15}$/.test(said) ? Number(said) : null;
}

/**
 * Show what is in this page; `page.py` calls it.
 * @param {string[]} sides of a mirror; of a stepper one, which has no name
 * @param {(host: HTMLElement, stores: Record<string, Store>, model: any, options: {said: import("./text.js").Said, height: string}) => any} make
 */
export async function start(sides, make) {
  const read = (/** @type {string} */ id) => JSON.parse(/** @type {HTMLElement} */ (document.getElementById(id)).textContent ?? "null");
  /** @type {Record<string, string>} */
  const pieces = read("pieces");
  const settings = read("settings");
  const two = sides.length > 1;
  const source = (/** @type {string} */ side) => {
    const folder = two ? `${side}/` : "";
    const get = async (/** @type {string[]} */ keys) => Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await unpacked(pieces[folder + key])])));
    const answers = new Answers(get);
    return new Store({ get, ask: (question) => answers.answer(question) });
  };
  /** @returns {any} */
  const stepsInAddress = () => (two ? Object.fromEntries(sides.map((side) => [side, inAddress(side) ?? settings.steps[side]])) : (inAddress("step") ?? 0));
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
  const stores = Object.fromEntries(sides.map((side) => [side, source(side)]));
  const view = make(host, stores, model, { said: settings.said, height: "100%" });
  addEventListener("hashchange", () => {
    const there = stepsInAddress();
    const within = (/** @type {string} */ side, /** @type {number} */ step) => Math.min(step, Math.max(0, (stores[side].meta?.steps ?? 1) - 1));
    if (two) model.set("steps", Object.fromEntries(sides.map((side) => [side, within(side, there[side])])));
    else model.set("step", within(sides[0], there));
  });
  await view.open();
  (two ? view.views[0] : view).source.view.focus();
}
