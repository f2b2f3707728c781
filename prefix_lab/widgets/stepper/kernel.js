// A kernel as a source of pieces: questions go over the wire with a number, and their answers come back with the same.

import { NoAnswer, REST, unpacked } from "./pieces.js";

const PATIENCE = 8000; // milliseconds until a kernel that says nothing is called silent
const MOVING = ["step", "steps"]; // the traits that every move sets

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

  /** The pages that moves from a step lead to. @param {number} step @returns {Promise<Record<string, any>>} */
  around(step) {
    return this.send({ around: step });
  }

  /** @param {Record<string, any>} question */
  ask(question) {
    return this.send({ question });
  }
}

/**
 * What views share with Python, as traits of the widget; what is listened to ends with the view. Moves that follow one
 * another closely are told once, when the reader rests: Jupyter's server answers each message with three, and while
 * these are on their way, what is asked next can wait for 40 ms (Nagle's algorithm, and TCP's delayed acknowledgement).
 * @param {any} model
 */
export function traits(model) {
  /** @type {[string, () => void][]} */
  const listeners = [];
  /** @type {Map<string, any>} what Python has not heard of yet */
  const untold = new Map();
  /** @type {any} */
  let timer;
  const listen = (/** @type {string} */ name, /** @type {() => void} */ changed) => {
    model.on(`change:${name}`, changed);
    listeners.push([`change:${name}`, changed]);
  };
  const tell = () => {
    clearTimeout(timer);
    if (!untold.size) return;
    for (const [name, value] of [...untold]) {
      untold.delete(name);
      model.set(name, value);
    }
    model.save_changes();
  };
  for (const name of MOVING) listen(name, () => untold.delete(name)); // Python, or another view, has moved since
  return {
    get: (/** @type {string} */ name) => untold.get(name) ?? model.get(name),
    set: (/** @type {string} */ name, /** @type {any} */ value) => {
      untold.set(name, value);
      clearTimeout(timer);
      if (MOVING.includes(name)) timer = setTimeout(tell, REST);
      else tell();
    },
    on: listen,
    close: () => {
      tell();
      listeners.forEach(([name, changed]) => model.off(name, changed));
    },
  };
}
