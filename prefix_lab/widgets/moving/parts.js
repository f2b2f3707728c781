// What the widgets that move without a kernel share: elements, texts with values in them, controls, and a model of
// their own for a page that has no kernel.

const DRAWN = new Set(["svg", "g", "rect", "path", "line", "text", "title", "desc"]);

/**
 * An element of HTML or of a picture. Attributes named on… are listeners; children are elements or text, never markup.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string | null | false)} children
 * @returns {any}
 */
export function make(tag, attributes = {}, ...children) {
  const element = DRAWN.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(.../** @type {(Node | string)[]} */ (children.filter((one) => one !== null && one !== false)));
  return element;
}

/** A text with its values where it has names in braces. @param {string} text @param {Record<string, any>} values */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
}

const COMMAS = new Intl.NumberFormat("en-US");

/** `1,234`. @param {number} number */
export function commas(number) {
  return COMMAS.format(number);
}

/** `(2, 3)`, and `(2,)` as Python writes it. @param {readonly (number | string)[]} items */
export function tuple(items) {
  return `(${items.join(", ")}${items.length === 1 ? "," : ""})`;
}

/**
 * @typedef {{row: HTMLElement, show: (value: any, far?: number) => void, off: (disabled: boolean) => void}} Control
 * a labelled row, and how it is put where the setting is
 */

/**
 * A whole number from `least` on: a box to type it in, and a slider that becomes longer for what is beyond `far`.
 * @param {{name: string, said: string, slider: string, least: number, far: number, most: number}} what
 * @param {(value: number) => void} changed
 * @returns {Control & {named: (name: string) => void}}
 */
export function number({ name, said, slider, least, far, most }, changed) {
  const take = (/** @type {any} */ event) => {
    const value = Math.round(Number(event.target.value));
    changed(Math.min(Math.max(Number.isFinite(value) ? value : least, least), most));
  };
  const enter = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey) return;
    event.stopPropagation(); // a notebook would keep the box from hearing it
    take(event);
  };
  const box = make("input", { type: "number", min: least, max: most, onchange: take, onkeydown: enter });
  const drag = make("input", { type: "range", min: least, max: far, oninput: take });
  const label = make("span");
  const row = make("div", { class: "pm-control", title: said }, make("label", {}, label, box), drag);
  const named = (/** @type {string} */ now) => {
    label.textContent = now;
    drag.setAttribute("aria-label", fill(slider, { name: now }));
  };
  named(name);
  const show = (/** @type {number} */ value, /** @type {number} */ reach = far) => {
    drag.max = String(Math.max(reach, value));
    drag.value = box.value = String(value);
  };
  return { row, show, named, off: (disabled) => void (drag.disabled = box.disabled = disabled) };
}

/**
 * A menu. @param {{name: string, said?: string}} what
 * @param {(value: string) => void} changed
 * @returns {Control & {offer: (options: [value: string, label: string][]) => void}}
 */
export function choice({ name, said = "" }, changed) {
  const menu = make("select", { "aria-label": name, onchange: (/** @type {any} */ event) => changed(event.target.value) });
  const row = make("div", { class: "pm-control", title: said }, make("label", {}, make("span", {}, name), menu));
  const offer = (/** @type {[string, string][]} */ options) => {
    if (JSON.stringify(options) === menu.dataset.offered) return;
    menu.dataset.offered = JSON.stringify(options);
    menu.replaceChildren(...options.map(([value, label]) => make("option", { value }, label)));
  };
  return { row, offer, show: (value) => void (menu.value = String(value)), off: (disabled) => void (menu.disabled = disabled) };
}

/** A box to tick. @param {{name: string}} what @param {(value: boolean) => void} changed @returns {Control} */
export function tick({ name }, changed) {
  const box = make("input", { type: "checkbox", onchange: (/** @type {any} */ event) => changed(event.target.checked) });
  const row = make("div", { class: "pm-control" }, make("label", { class: "pm-tick" }, box, make("span", {}, name)));
  return { row, show: (value) => void (box.checked = value), off: (disabled) => void (box.disabled = disabled) };
}

/**
 * Keys pressed inside belong to its controls, and are no shortcuts of JupyterLab's, which hears them first; but Escape and
 * those with Ctrl, Alt, or Shift and Enter are still.
 * @param {HTMLElement} root
 */
export function keepsKeys(root) {
  const decide = (/** @type {KeyboardEvent} */ event) => {
    const theirs = event.key === "Escape" || event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
    const target = /** @type {Element} */ (event.target); // itself: a shortcut for what has the focus matches it first
    target.toggleAttribute("data-lm-suppress-shortcuts", !theirs);
  };
  root.addEventListener("focusin", () => addEventListener("keydown", decide, true));
  root.addEventListener("focusout", () => removeEventListener("keydown", decide, true));
}

/**
 * Draw now, whenever the model says something else, and whenever the element's size matters; how to leave it again.
 * @param {any} model @param {HTMLElement} element @param {() => boolean} matters asked when the size has changed
 * @param {() => void} draw
 */
export function keepDrawn(model, element, matters, draw) {
  const watch = new ResizeObserver(() => matters() && draw());
  watch.observe(element);
  const changes = ["change:data", "change:chosen"];
  for (const name of changes) model.on(name, draw);
  draw();
  return () => {
    watch.disconnect();
    for (const name of changes) model.off(name, draw);
  };
}

/**
 * What a widget's view asks of its model, without a kernel: the state stays in the page.
 * @param {Record<string, any>} state
 */
export function withoutKernel(state) {
  const values = { ...state };
  /** @type {[string, () => void][]} */
  let listeners = [];
  return {
    get: (/** @type {string} */ name) => values[name],
    set: (/** @type {string} */ name, /** @type {any} */ value) => {
      values[name] = value;
      for (const [one, changed] of listeners) if (one === `change:${name}`) changed();
    },
    on: (/** @type {string} */ name, /** @type {() => void} */ changed) => void listeners.push([name, changed]),
    off: (/** @type {string} */ name, /** @type {() => void} */ changed) => {
      listeners = listeners.filter(([one, two]) => one !== name || two !== changed);
    },
    save_changes: () => {},
  };
}
