// The keys: a debugger's function keys, letters as in vim and pdb, capitals for the same way backwards. As in the
// terminal's replay.

import { N_ } from "./text.js";

/**
 * `word` is what its button says, `group` begins a new group of buttons; one without a word has no button. Those that
 * are `main` stand on a phone, too, where the others wait behind one button.
 * @typedef {{keys: string[], does: string, label: string, word?: string, group?: boolean, main?: boolean}} Key
 */

/** @type {Key[]} in the order of the toolbar and of the help */
export const KEYS = [
  { keys: ["g", "Home"], does: "first", label: "first", word: "|◀" },
  { keys: ["C", "Shift+F5"], does: "runBack", label: "runBack", word: "◀◀" },
  { keys: ["O", "H"], does: "outBack", label: "outBack", word: N_("◀ out"), group: true },
  { keys: ["N", "p", "k", "Shift+F10"], does: "overBack", label: "overBack", word: N_("◀ over"), main: true },
  { keys: ["S", "ArrowLeft"], does: "inBack", label: "inBack", word: N_("◀ in") },
  { keys: ["s", "l", "ArrowRight", "F11"], does: "in", label: "in", word: N_("in ▶"), main: true, group: true },
  { keys: ["n", "j", "F10"], does: "over", label: "over", word: N_("over ▶"), main: true },
  { keys: ["o", "h", "Shift+F11"], does: "out", label: "out", word: N_("out ▶"), main: true },
  { keys: ["c", "F5"], does: "run", label: "run", word: "▶▶", group: true },
  { keys: ["G", "End"], does: "last", label: "last", word: "▶|" },
  { keys: ["["], does: "stageBefore", label: "stageBefore", word: N_("◀ stage"), group: true },
  { keys: ["]"], does: "nextStage", label: "nextStage", word: N_("stage ▶") },
  { keys: ["u"], does: "undo", label: "undo", word: N_("undo"), group: true },
  { keys: ["m"], does: "mark", label: "mark" },
  { keys: ["="], does: "since", label: "since" },
  { keys: ["x"], does: "skipHere", label: "skipHere" },
  { keys: ["b", "F9"], does: "breakHere", label: "breakHere", word: N_("break") },
  { keys: ["/"], does: "find", label: "search", word: N_("search") },
  { keys: ["f"], does: "full", label: "full", word: N_("full") },
  { keys: ["?", "F1"], does: "help", label: "help", word: "?" },
  { keys: ["Escape"], does: "close", label: "leave" },
];

const SHOWN = /** @type {Record<string, string>} */ ({ ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" });

/** A key as people say it. @param {string} key */
export function said(key) {
  return SHOWN[key] ?? key;
}

/** What an event's key does; null where it is for somebody else. @param {KeyboardEvent} event @returns {string | null} */
export function meant(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.matches("input, textarea, select") && event.key !== "Escape") return null;
  const pressed = event.shiftKey && /^F\d/.test(event.key) ? `Shift+${event.key}` : event.key;
  return KEYS.find(({ keys }) => keys.includes(pressed))?.does ?? null;
}

/**
 * Moves one after another: a key that is pressed before the last one has arrived begins where that leads. Where one gets
 * no answer, which is `false`, those that wait are given up.
 * @param {(does: string) => Promise<any>} go
 */
export function oneByOne(go) {
  /** @type {string[]} */
  const asked = [];
  return async (/** @type {string} */ does) => {
    asked.push(does);
    if (asked.length > 1) return;
    let went;
    try {
      while (asked.length && went !== false) {
        went = await go(asked[0]);
        asked.shift();
      }
    } finally {
      asked.length = 0;
    }
  };
}

/** Whether a key stays here: with Ctrl, Alt or Meta it is the notebook's, as Shift+Enter is. @param {KeyboardEvent} event */
export function stays(event) {
  return !(event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter"));
}

/**
 * JupyterLab hears every key before what has the focus does, and takes a plain `b` for a new cell. It leaves alone what
 * bears this attribute, so an element bears it for the keys that stay. And where the focus moves within the element,
 * JupyterLab does not hear of it: the cell that Shift+Enter runs stays the one that it was. But for a box that is
 * clicked: of what it has not heard of, JupyterLab takes the focus away.
 * @param {HTMLElement} root
 */
export function keepKeys(root) {
  const decide = (/** @type {KeyboardEvent} */ event) => void root.toggleAttribute("data-lm-suppress-shortcuts", stays(event));
  let pressed = false;
  root.addEventListener("pointerdown", () => (pressed = true), true);
  addEventListener("pointerup", () => (pressed = false), true);
  root.addEventListener("focusin", (event) => {
    addEventListener("keydown", decide, true);
    const target = /** @type {Element} */ (event.target);
    const inside = root.contains(/** @type {Node | null} */ (event.relatedTarget));
    const clicked = pressed && target.matches("input, textarea");
    if ((inside && !clicked) || target.closest("dialog")) event.stopPropagation();
  });
  root.addEventListener("focusout", () => removeEventListener("keydown", decide, true));
}

/** Focus what is inside a view, and JupyterLab does not hear of it. @param {HTMLElement} wanted */
export function focusAlone(wanted) {
  const root = wanted.closest(".pl-root");
  const alone = (/** @type {Event} */ event) => event.stopPropagation();
  root?.addEventListener("focusin", alone);
  wanted.focus({ preventScroll: true });
  root?.removeEventListener("focusin", alone);
}

/**
 * Take the focus when the reader has just run this cell: not when the notebook was opened, not when many cells run, not
 * while they write or are elsewhere. The cell that JupyterLab has gone on to stays the one that Shift+Enter runs.
 * @param {HTMLElement} host where a view is @param {HTMLElement} wanted what takes the focus @param {number} made when the widget was made, in milliseconds
 */
export function focusWhenRun(host, wanted, made) {
  const cell = host.closest(".jp-Cell");
  const active = document.querySelector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell.jp-mod-active");
  const near = cell && (active === cell || active?.previousElementSibling === cell);
  const busy = document.activeElement?.matches(":read-write");
  if (!near || busy || made < performance.timeOrigin) return;
  focusAlone(wanted);
  const room = host.closest(".jp-WindowedPanel-outer")?.clientHeight ?? innerHeight;
  host.scrollIntoView({ block: host.offsetHeight < room ? "nearest" : "start" }); // JupyterLab has gone on to the next cell
}
