// The stepper in JupyterLab: pieces and answers come from the kernel.

import { Kernel, traits } from "./kernel.js";
import { focusWhenRun } from "./keys.js";
import { StepperView } from "./stepper.js";
import { Store } from "./store.js";

/** @type {WeakMap<object, Store>} views of one stepper share what they know */
const stores = new WeakMap();

/** @param {{model: any, el: HTMLElement}} place */
async function render({ model, el }) {
  const store = stores.get(model) ?? new Store(new Kernel(model, () => model.get("opening")));
  stores.set(model, store);
  const shared = traits(model);
  const view = new StepperView(el, store, shared, { language: model.get("language"), height: model.get("height") });
  await view.open();
  focusWhenRun(el, view.source.view, model.get("made"));
  return shared.close;
}

export default { render };
