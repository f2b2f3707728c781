// The stepper in a page of its own: everything is in the page, packed, and nothing is asked of a network.

import { Answers } from "./answers.js";
import { unpacked } from "./pieces.js";
import { StepperView } from "./stepper.js";
import { Store } from "./store.js";

/** The step that the address names, `#step=120`; 0 where it names none. */
function stepInAddress() {
  const said = new URLSearchParams(location.hash.slice(1)).get("step") ?? "";
  return /^\d{1,15}$/.test(said) ? Number(said) : 0;
}

async function start() {
  const read = (/** @type {string} */ id) => JSON.parse(/** @type {HTMLElement} */ (document.getElementById(id)).textContent ?? "null");
  /** @type {Record<string, string>} */
  const pieces = read("pieces");
  const settings = read("settings");
  const get = async (/** @type {string[]} */ keys) => Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await unpacked(pieces[key])])));
  const answers = new Answers(get);
  /** @type {Record<string, any>} */
  const values = { step: stepInAddress(), breakpoints: settings.breakpoints, watches: settings.watches, skip: settings.skip, question: null };
  /** @type {[string, () => void][]} */
  const listeners = [];
  const model = {
    get: (/** @type {string} */ name) => values[name],
    set: (/** @type {string} */ name, /** @type {any} */ value) => {
      values[name] = value;
      if (name === "step") history.replaceState(null, "", `#step=${value}`);
      for (const [one, changed] of listeners) if (one === name) changed();
    },
    on: (/** @type {string} */ name, /** @type {() => void} */ changed) => void listeners.push([name, changed]),
  };
  const host = /** @type {HTMLElement} */ (document.getElementById("stepper"));
  const view = new StepperView(host, new Store({ get, ask: (question) => answers.answer(question) }), model, { language: settings.language, height: "100%" });
  addEventListener("hashchange", () => {
    model.set("step", Math.min(stepInAddress(), Math.max(0, (view.store.meta?.steps ?? 1) - 1)));
  });
  await view.open();
  view.source?.view.focus();
}

start();
