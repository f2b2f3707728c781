// The pieces of a recording, as they come in: those that are asked for together come together, and few pages are kept.

/**
 * Where pieces come from: a kernel, or the page itself.
 * @typedef {object} Source
 * @property {(keys: string[]) => Promise<Record<string, any>>} get
 * @property {(question: Record<string, any>) => Promise<any>} ask
 * @property {(id: string, host: HTMLElement) => Promise<void>} [show] puts a widget into the page, where there is a kernel
 * @property {() => Record<string, any>} [opening] the pieces that are there from the start
 * @property {(step: number) => Promise<Record<string, any>>} [around] the pages that moves from a step lead to, where they come from afar
 */

const KEPT = 192; // pages
export const REST = 100; // milliseconds without a move, after which there is time for what nobody waits for

export class Pieces {
  /** @param {Source} source */
  constructor(source) {
    this.source = source;
    /** @type {any} */
    this.meta = null;
    /** @type {Map<string, any>} */
    this.pieces = new Map();
    /** @type {Map<string, Promise<any>>} */
    this.coming = new Map();
    /** @type {{key: string, done: (piece: any) => void, failed: (error: any) => void}[]} */
    this.queue = [];
    /** @type {Promise<any> | null} pages that moves lead to, on their way */
    this.nearby = null;
  }

  async open() {
    this.meta ??= await this.piece("opening");
    return this.meta;
  }

  /** A piece, at once or when it has come; those that are asked for together come together. @param {string} key */
  piece(key) {
    if (this.pieces.has(key)) return Promise.resolve(this.pieces.get(key));
    let coming = this.coming.get(key);
    if (!coming) {
      coming = new Promise((done, failed) => {
        if (!this.queue.length) queueMicrotask(() => this.send());
        this.queue.push({ key, done, failed });
      });
      this.coming.set(key, coming);
    }
    return coming;
  }

  async send() {
    const asked = this.queue;
    this.queue = [];
    try {
      const found = await this.source.get(asked.map((one) => one.key));
      for (const { key, done } of asked) {
        this.keep(key, found[key]);
        done(found[key]);
      }
    } catch (error) {
      for (const { failed } of asked) failed(error);
    }
    for (const { key } of asked) this.coming.delete(key);
  }

  /** @param {string} key @param {any} piece */
  keep(key, piece) {
    this.pieces.set(key, piece);
    const pages = [...this.pieces.keys()].filter((one) => one.startsWith("steps/"));
    for (const old of pages.slice(0, Math.max(0, pages.length - KEPT))) this.pieces.delete(old);
  }

  /** @param {number} step */
  pageKey(step) {
    return `steps/${Math.floor(step / this.meta.page)}`;
  }

  /** Whether everything about a step is here. @param {number} step */
  has(step) {
    return this.pieces.has(this.pageKey(step));
  }

  /** @param {number} step @returns {Promise<any>} */
  async page(step) {
    const key = this.pageKey(step);
    if (!this.pieces.has(key) && this.nearby) await this.nearby;
    const page = this.pieces.get(key);
    if (page) {
      this.pieces.delete(key); // the ones used last are kept longest
      this.pieces.set(key, page);
      return page;
    }
    return this.piece(key);
  }

  /** A step's page; where it has to be waited for, those that moves from there lead to come behind it. @param {number} step @returns {Promise<any>} */
  arrive(step) {
    const { source } = this;
    const page = this.page(step);
    if (source.around && !this.has(step) && !(this.pageKey(step) in (source.opening?.() ?? {}))) queueMicrotask(() => this.comeNear(step));
    return page;
  }

  /** @param {number} step */
  async comeNear(step) {
    const coming = this.source.around?.(step).catch(() => ({}));
    this.nearby = coming ?? null;
    for (const [key, page] of Object.entries((await coming) ?? {})) this.keep(key, page);
    if (this.nearby === coming) this.nearby = null;
  }

  /** @param {number} step @returns {any} a page that is here */
  here(step) {
    return this.pieces.get(this.pageKey(step));
  }
}

/** A piece that was packed for the way: base64 of deflated JSON. @param {string} packed @returns {Promise<any>} */
export async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

/** The kernel is busy, or gone. */
export class NoAnswer extends Error {}
