// A kernel as a source of pieces: questions go over the wire with a number, and their answers come back with the same.

import { NoAnswer, unpacked } from "./pieces.js";

const PATIENCE = 8000; // milliseconds until a kernel that says nothing is called silent

export class Kernel {
  /**
   * @param {any} model the widget's
   * @param {() => Record<string, any>} opening the pieces that came with the widget
   * @param {string} [side] which of several recordings is meant
   */
  constructor(model, opening, side) {
    this.model = model;
    this.opening = opening;
    this.side = side;
    this.count = 0;
    /** @type {Map<string, {done: (answer: any) => void, failed: (error: Error) => void, timer: any}>} */
    this.waiting = new Map();
    model.on("msg:custom", (/** @type {any} */ message) => this.heard(message));
  }

  /** @param {Record<string, any>} question @returns {Promise<any>} */
  send(question) {
    return new Promise((done, failed) => {
      const number = `${this.side ?? ""}${(this.count += 1)}`;
      const forget = () => {
        clearTimeout(timer);
        this.waiting.delete(number);
        failed(new NoAnswer());
      };
      const timer = setTimeout(forget, PATIENCE);
      this.waiting.set(number, { done, failed, timer });
      try {
        this.model.send({ number, side: this.side, ...question });
      } catch {
        forget(); // the notebook has no kernel
      }
    });
  }

  /** @param {any} message */
  heard(message) {
    const one = this.waiting.get(message.number);
    if (!one) return;
    this.waiting.delete(message.number);
    clearTimeout(one.timer);
    if (message.error) one.failed(new Error(message.error));
    else one.done(message.answer);
  }

  /** @param {string[]} keys @returns {Promise<Record<string, any>>} */
  async get(keys) {
    const opening = this.opening();
    const here = Object.fromEntries(keys.filter((key) => key in opening).map((key) => [key, opening[key]]));
    const others = keys.filter((key) => !(key in opening));
    const found = others.length ? { ...here, ...(await this.send({ get: others })) } : here;
    for (const [key, piece] of Object.entries(found)) if (piece.packed) found[key] = await unpacked(piece.packed);
    return found;
  }

  /**
   * A widget of the kernel's, put into a place of the page: of ipywidgets' view the element alone would not live.
   * @param {string} id @param {HTMLElement} host
   */
  async show(id, host) {
    const { widget_manager: manager } = this.model;
    const view = await manager.create_view(await manager.get_model(id));
    view.luminoWidget.constructor.attach(view.luminoWidget, host);
  }

  /** A step's page, and those that moves from there lead to. @param {number} step @returns {Promise<Record<string, any>>} */
  around(step) {
    return this.send({ around: step });
  }

  /** @param {Record<string, any>} question */
  ask(question) {
    return this.send({ question });
  }
}

/**
 * What views share with Python, as traits of the widget; what is listened to ends with the view.
 * @param {any} model
 */
export function traits(model) {
  /** @type {[string, () => void][]} */
  const listeners = [];
  return {
    get: (/** @type {string} */ name) => model.get(name),
    set: (/** @type {string} */ name, /** @type {any} */ value) => {
      model.set(name, value);
      model.save_changes();
    },
    on: (/** @type {string} */ name, /** @type {() => void} */ changed) => {
      model.on(`change:${name}`, changed);
      listeners.push([`change:${name}`, changed]);
    },
    close: () => listeners.forEach(([name, changed]) => model.off(name, changed)),
  };
}
