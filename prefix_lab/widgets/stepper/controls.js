// What stands around the panes: buttons, tabs, what shares the width, and the help.

import { KEYS, said } from "./keys.js";
import { keepPanes } from "./remembered.js";
import { h } from "./text.js";

/** @typedef {import("./stepper.js").StepperView} View */

/** What is moved by buttons and keys. @typedef {{language: import("./text.js").Language, root: HTMLElement, t: (label: string) => string, act: (does: string) => any, close: () => void, tour?: import("./tour.js").Tour}} Moved */

/** The buttons, one for each thing that a key does. @param {Moved} view */
export function toolbar(view) {
  const buttons = KEYS.filter(({ word }) => word).map(({ does, says, keys, word, group, main }) =>
    h(
      "button",
      {
        type: "button",
        class: [group && "pl-group", main && "pl-main"].filter(Boolean).join(" "),
        "data-does": does,
        "aria-label": view.language.say(says),
        title: `${view.language.say(says)} (${keys.map(said).join(", ")})`,
        onclick: () => view.act(does),
      },
      view.language.say(word ?? ""),
    ),
  );
  const unfold = () => more.setAttribute("aria-expanded", String(bar.classList.toggle("pl-all")));
  const more = h("button", { type: "button", class: "pl-more", "aria-label": view.t("moreButtons"), "aria-expanded": "false", onclick: unfold }, "⋯");
  const bar = h("div", { class: "pl-toolbar", role: "toolbar", "aria-label": view.t("stepper") }, ...buttons, more);
  return bar;
}

/** The side with a tab for each panel. @param {View} view @param {Record<string, HTMLElement>} panels */
export function tabs(view, panels) {
  const names = Object.keys(panels);
  const buttons = names.map((name) => h("button", { type: "button", role: "tab", "data-tab": name, onclick: () => view.showTab(name) }, view.t(name)));
  const list = h("div", { role: "tablist", class: "pl-tabs", "aria-label": view.t("tabs") }, ...buttons);
  list.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.stopPropagation();
    const at = buttons.findIndex((one) => one.getAttribute("aria-selected") === "true");
    const next = (at + by + buttons.length) % buttons.length;
    view.showTab(names[next]);
    buttons[next].focus();
  });
  const all = names.map((name) => h("div", { role: "tabpanel", class: "pl-panel", "data-panel": name, "aria-label": view.t(name), tabindex: "0" }, panels[name]));
  const side = h("div", { class: "pl-side" }, list, ...all);
  choose(side, names[0]);
  return side;
}

/** Show one panel of the side. @param {HTMLElement} side @param {string} name */
export function choose(side, name) {
  for (const one of side.querySelectorAll("[role=tab]")) {
    const chosen = one.getAttribute("data-tab") === name;
    one.setAttribute("aria-selected", String(chosen));
    one.setAttribute("tabindex", chosen ? "0" : "-1");
  }
  for (const one of side.querySelectorAll("[role=tabpanel]")) one.toggleAttribute("hidden", one.getAttribute("data-panel") !== name);
}

/** What shares the width between source and state; the reader moves it. @param {View} view */
export function splitter(view) {
  const label = `${view.t("source")} | ${view.t("variables")}`;
  const split = h("div", { class: "pl-split", role: "separator", "aria-orientation": "vertical", "aria-label": label, tabindex: "0" });
  /** @param {number} share */
  const set = (share) => {
    const now = Math.round(Math.min(85, Math.max(25, share)));
    view.root.style.setProperty("--pl-share", `${now}%`);
    split.setAttribute("aria-valuenow", String(now));
  };
  let share = 62;
  view.share = (percent) => set((share = percent));
  view.share(share);
  const moved = () => keepPanes(view, { share });
  split.addEventListener("pointerdown", (event) => split.setPointerCapture(event.pointerId));
  split.addEventListener("pointerup", moved);
  split.addEventListener("pointermove", (event) => {
    if (!split.hasPointerCapture(event.pointerId)) return;
    const { left, width } = view.body.getBoundingClientRect();
    set((share = (100 * (event.clientX - left)) / width));
  });
  split.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -4, ArrowRight: 4 }[event.key];
    if (!by) return;
    event.stopPropagation();
    set((share += by));
    moved();
  });
  return split;
}

/**
 * Fill the window with an element, or leave it, by the browser's means or, where it has none, by the page's. Esc leaves
 * it wherever the focus is.
 * @param {HTMLElement} root @param {() => void} focus brings the focus back
 */
export async function fullWindow(root, focus) {
  if (document.fullscreenElement) return document.exitFullscreen();
  try {
    if (!root.classList.contains("pl-fixed")) return await root.requestFullscreen();
  } catch {} // a browser that has none, or a page that may not
  const fixed = root.classList.toggle("pl-fixed");
  focus();
  const leave = (/** @type {KeyboardEvent} */ event) => {
    const still = root.classList.contains("pl-fixed");
    if (still && (event.key !== "Escape" || root.querySelector("dialog, .pl-bubble"))) return;
    removeEventListener("keydown", leave, true);
    if (!still) return;
    event.stopPropagation();
    root.classList.remove("pl-fixed");
    focus();
  };
  if (fixed) addEventListener("keydown", leave, true);
}

/** All keys and what they do. @param {Moved} view */
export function help(view) {
  const rows = KEYS.map(({ keys, says }) => h("tr", {}, h("td", {}, ...keys.flatMap((key, at) => [at ? " " : null, h("kbd", {}, said(key))])), h("td", {}, view.language.say(says))));
  const begin = () => {
    view.close();
    view.tour?.show(0);
  };
  const tour = view.tour && h("button", { onclick: begin }, view.t("tour"));
  const dialog = /** @type {HTMLDialogElement} */ (
    h("dialog", { class: "pl-help", "aria-label": view.t("help") }, h("h3", {}, view.t("help")), h("table", {}, h("tbody", {}, ...rows)), h("button", { onclick: () => view.close() }, view.t("close")), tour)
  );
  view.root.append(dialog);
  dialog.showModal();
}
