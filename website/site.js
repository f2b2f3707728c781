// The site's pages: each place of a stepper is filled when it comes into view, and the address keeps where one stands in
// it. A page from the disk may load scripts and nothing else, so a recording is a script that calls `prefixLab`.

import { modelOf, storeOf } from "../prefix_lab/widgets/stepper/page.js";
import { MirrorView } from "../prefix_lab/widgets/stepper/mirror.js";
import { StepperView } from "../prefix_lab/widgets/stepper/stepper.js";
import { Language, N_ } from "../prefix_lab/widgets/stepper/text.js";
import { answered } from "./answering.js";
import { play } from "./play.js";

/** What furo says to a screen reader alone, in English alone: in the reader's language, by what it stands at. */
const TO_A_SCREEN_READER = {
  ".theme-toggle": N_("Light, dark, or as the system has it"),
  "#__navigation": N_("Open or close the list of pages"),
  "#__toc": N_("Open or close what is on this page"),
};

/** Of a stepper the recordings and settings, of a widget that computes in the page its module and state. @typedef {{recordings: Record<string, string>, settings: Record<string, any>, module?: string, state?: any}} Live */

/** @type {Map<string, {come: Promise<any>, done: (packed: any) => void}>} */
const recordings = new Map();

/** The packed pieces of a recording, which its script brings. @param {string} name @param {string} folder @returns {Promise<Record<string, string>>} */
function recording(name, folder) {
  let known = recordings.get(name);
  if (!known) {
    /** @type {(packed: any) => void} */
    let done = () => {};
    const come = new Promise((resolve, reject) => {
      done = resolve;
      const script = document.createElement("script");
      script.src = `${folder}${name}.js`;
      script.onerror = () => reject(new Error(script.src));
      document.head.append(script);
    });
    recordings.set(name, (known = { come, done }));
  }
  return known.come;
}

/** The place that the address names, `#at=s1&step=120`. */
function inAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const number = (/** @type {string} */ name) => (/^\d{1,15}$/.test(said.get(name) ?? "") ? Number(said.get(name)) : null);
  return { at: said.get("at"), step: number("step"), ours: number("ours"), theirs: number("theirs") };
}

/** Lead a view to what the address says. @param {Place} place */
function follow(place) {
  const { step, ours, theirs } = inAddress();
  const { view, model } = place;
  if (!view || !model) return;
  const last = (/** @type {any} */ one) => Math.max(0, (one.store.meta?.steps ?? 1) - 1);
  if (view instanceof MirrorView) {
    if (ours !== null && theirs !== null) model.set("steps", { ours: Math.min(ours, last(view.views[0])), theirs: Math.min(theirs, last(view.views[1])) });
  } else if (step !== null) model.set("step", Math.min(step, last(view)));
}

class Place {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    /** @type {StepperView | MirrorView | null} */
    this.view = null;
    /** @type {import("../prefix_lab/widgets/stepper/stepper.js").Model | null} */
    this.model = null;
    /** @type {Promise<void> | null} */
    this.filled = null;
  }

  /** @param {string} folder where recordings are @param {import("../prefix_lab/widgets/stepper/text.js").Said} said */
  fill(folder, said) {
    return (this.filled ??= this.open(folder, said));
  }

  /** @param {string} folder @param {import("../prefix_lab/widgets/stepper/text.js").Said} said */
  async open(folder, said) {
    /** @type {Live} */
    const { recordings: names, settings, module, state } = JSON.parse(this.host.dataset.live ?? "{}");
    if (module) return this.move(module, state, folder);
    const sides = Object.keys(names);
    const packed = await Promise.all(sides.map((side) => recording(names[side], folder)));
    const stores = Object.fromEntries(sides.map((side, at) => [side, storeOf(packed[at])]));
    const { answers, play: tour, ...values } = settings;
    let quiet = true;
    const model = modelOf(values, (name, value) => {
      if (name === "answer" && answers) model.set("question", answered(values.question, value, answers));
      if (quiet || (name !== "step" && name !== "steps")) return;
      const steps = name === "step" ? { step: value } : value;
      history.replaceState(null, "", `#${new URLSearchParams({ at: this.host.id, ...steps })}`);
    });
    const stage = document.createElement("div");
    stage.className = "pl-stage-of";
    this.host.append(stage);
    const small = matchMedia("(max-width: 600px)").matches; // what a phone lacks in width, it has in height
    const options = { said, height: small ? `max(${values.height}, 92svh)` : values.height };
    const view = sides.length > 1 ? new MirrorView(stage, stores, model, options) : new StepperView(stage, stores[""], model, options);
    if (inAddress().at === this.host.id && view instanceof StepperView) values.step = inAddress().step ?? values.step;
    await view.open();
    this.host.classList.add("pl-alive");
    this.view = view;
    this.model = model;
    if (inAddress().at === this.host.id) follow(this);
    else if (tour && view instanceof StepperView) play(this.host, view, tour, (/** @type {boolean} */ still) => (quiet = still));
    if (!tour || inAddress().at === this.host.id) quiet = false;
  }

  /** A widget that computes in the page. @param {string} module @param {any} state @param {string} folder */
  async move(module, state, folder) {
    const style = document.createElement("link");
    Object.assign(style, { rel: "stylesheet", href: `${folder}${module}.css` });
    document.head.append(style);
    const { mount } = /** @type {any} */ (await recording(module, folder));
    const stage = document.createElement("div");
    stage.className = "pl-stage-of";
    this.host.append(stage);
    mount(stage, state);
    this.host.classList.add("pl-alive");
  }
}

/** Called once a page, with the folder of recordings as the page sees it. @param {string} folder @param {import("../prefix_lab/widgets/stepper/text.js").Said} said */
export function begin(folder, said) {
  const places = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".pl-site"))].map((host) => new Place(host));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) places.find((one) => one.host === entry.target)?.fill(folder, said);
    },
    { rootMargin: "300px" },
  );
  const named = () => places.find((one) => one.host.id === inAddress().at);
  const toNamed = async () => {
    const place = named();
    if (!place) return;
    place.host.scrollIntoView({ block: "start" });
    // What is filled above it moves it, so that comes first.
    await Promise.all(places.slice(0, places.indexOf(place) + 1).map((one) => one.fill(folder, said)));
    follow(place);
    place.host.scrollIntoView({ block: "start" });
  };
  for (const place of places) seen.observe(place.host);
  // What furo and myst-nb leave out: the level of a heading, and a way to scroll by keys.
  for (const one of document.querySelectorAll(".caption[role=heading]")) one.setAttribute("aria-level", "2");
  for (const one of document.querySelectorAll("article .highlight pre, .table-wrapper, .text_html, .text_html [style*=overflow-x]")) one.setAttribute("tabindex", "0");
  const language = new Language(said);
  for (const [at, text] of Object.entries(TO_A_SCREEN_READER)) {
    for (const one of document.querySelectorAll(at)) one.setAttribute("aria-label", language.say(text));
  }
  for (const one of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll(".pl-language"))) {
    if (document.getElementById("search-results")) one.href += location.search;
  }
  addEventListener("hashchange", toNamed);
  toNamed();
}

/** @param {string} name @param {Record<string, string>} packed */
export function arrived(name, packed) {
  recordings.get(name)?.done(packed);
}
