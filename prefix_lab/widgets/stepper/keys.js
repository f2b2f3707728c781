// The keys. What each does stands in debugger/moves.py, for the terminal's replay as well.

/**
 * `says` is a text of the catalogue, `word` what its button says, and one without a word has no button; `group` begins a
 * new group of buttons. Those that are `main` stand on a phone, too, where the others wait behind one button. `by` is a
 * move of the store's, and `back` says that it goes backwards; `travels` is any other that leads to another step.
 * @typedef {{keys: string[], does: string, says: string, word?: string, by?: string, back?: boolean, travels?: boolean, group?: boolean, main?: boolean}} Key
 */

/** @type {Key[]} in the order of the toolbar and of the help; page.py puts them in */
export const KEYS = [];

/** @type {Record<string, string>} keys as people say them; from there, too */
export const SHOWN = {};

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
