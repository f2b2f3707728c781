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

/** What asks nothing of anybody: the pieces are here, packed, and answers come from them. @param {Record<string, string>} packed @param {string} [folder] */
export function storeOf(packed, folder = "") {
  const get = async (/** @type {string[]} */ keys) => Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await unpacked(packed[folder + key])])));
  const answers = new Answers(get);
  return new Store({ get, ask: (question) => answers.answer(question) });
}

/**
 * What a view shares where there is no Python. @param {Record<string, any>} values
 * @param {(name: string, value: any) => void} told of each change
 * @returns {import("./stepper.js").Model}
 */
export function modelOf(values, told) {
  /** @type {[string, () => void][]} */
  const listeners = [];
  return {
    get: (name) => values[name],
    set: (name, value) => {
      values[name] = value;
      told(name, value);
      for (const [one, changed] of listeners) if (one === name) changed();
    },
    on: (name, changed) => void listeners.push([name, changed]),
  };
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
  /** @returns {any} */
  const stepsInAddress = () => (two ? Object.fromEntries(sides.map((side) => [side, inAddress(side) ?? settings.steps[side]])) : (inAddress("step") ?? 0));
  const values = { ...settings, [two ? "steps" : "step"]: stepsInAddress(), question: null };
  const model = modelOf(values, (name, value) => {
    if (name === "step") history.replaceState(null, "", `#step=${value}`);
    if (name === "steps") history.replaceState(null, "", `#${new URLSearchParams(value)}`);
  });
  const host = /** @type {HTMLElement} */ (document.getElementById("stepper"));
  const stores = Object.fromEntries(sides.map((side) => [side, storeOf(pieces, two ? `${side}/` : "")]));
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
