// What a reader's browser keeps from one visit to the next: the panes and watches of each notebook, and that a tour was
// ended. Where it may keep nothing, as in a private window, nothing is kept and nothing is said.

/** @typedef {{tab?: string, share?: number, watches?: string[]}} Panes */

/** @param {string} key @returns {any} null where there is none */
export function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(`prefix_lab ${key}`) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} key @param {any} value */
export function keep(key, value) {
  try {
    localStorage.setItem(`prefix_lab ${key}`, JSON.stringify(value));
  } catch {} // there is no room, or no right
}

/** The name under which panes are kept: the notebook or page, and the recording. @param {any} meta the recording's opening */
function keyOf(meta) {
  const [, called] = meta.places[0];
  return `${decodeURI(location.pathname)} ${meta.title || meta.functions[called][1]}`;
}

/** Put panes and watches as they were left; what the cell asks to watch is watched, too. @param {import("./stepper.js").StepperView} view */
export function restorePanes(view) {
  /** @type {Panes} */
  const { tab, share, watches } = recall(keyOf(view.store.meta)) ?? {};
  if (tab === "calls") view.showTab(tab); // the other begins in front
  if (share) view.share(share);
  const asked = view.model.get("watches");
  const more = (watches ?? []).filter((one) => !asked.includes(one));
  if (more.length) view.model.set("watches", [...asked, ...more]);
}

/** @param {import("./stepper.js").StepperView} view @param {Panes} change */
export function keepPanes(view, change) {
  const { meta } = view.store;
  if (meta?.steps) keep(keyOf(meta), { ...recall(keyOf(meta)), ...change });
}
