// The stepper, or two of them side by side, in JupyterLab: pieces and answers come from the kernel.

import { SIDES } from "./compare.js";
import { Kernel, traits } from "./kernel.js";
import { focusWhenRun } from "./keys.js";
import { MirrorView } from "./mirror.js";
import { StepperView } from "./stepper.js";
import { Store } from "./store.js";

/** @type {WeakMap<object, Record<string, Store>>} views of one widget share what they know, of each recording */
const stores = new WeakMap();

/** @param {{model: any, el: HTMLElement}} place */
async function render({ model, el }) {
  const two = Boolean(model.get("pairs"));
  const known = stores.get(model) ?? (two ? Object.fromEntries(SIDES.map((side) => [side, new Store(new Kernel(model, () => model.get("opening")[side], side))])) : { "": new Store(new Kernel(model, () => model.get("opening"))) });
  stores.set(model, known);
  const shared = traits(model);
  const options = { said: model.get("said"), height: model.get("height") };
  const view = two ? new MirrorView(el, known, shared, options) : new StepperView(el, known[""], shared, options);
  await view.open();
  const first = view instanceof MirrorView ? view.views[0] : view;
  focusWhenRun(el, first.source.view, model.get("made"));
  if (model.get("tour")) first.tour.begin();
  return shared.close;
}

export default { render };
