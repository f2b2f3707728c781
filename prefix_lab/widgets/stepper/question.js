// The question that `predict` asks before a line runs, and what is said to the answer.

import { h, shown } from "./text.js";

export class Question {
  /** @param {import("./stepper.js").StepperView} view */
  constructor(view) {
    this.view = view;
    this.element = h("div", { class: "pl-question", hidden: true });
    this.drawn = "";
  }

  /** Whether a step's answer is not to be seen yet. @param {number} step */
  hides(step) {
    const question = this.view.model.get("question");
    return Boolean(question && !question.done && question.step === step);
  }

  show() {
    const { view } = this;
    const question = view.model.get("question");
    const asked = question && question.step === view.step;
    this.element.toggleAttribute("hidden", !asked);
    const key = JSON.stringify(question);
    if (!asked || this.drawn === key) return;
    this.drawn = key;
    const text = shown(question.text);
    const input = /** @type {HTMLInputElement} */ (h("input", { type: "text", "aria-label": text, placeholder: "(…, …)", spellcheck: "false", autocomplete: "off" }));
    input.value = question.given ?? "";
    const answer = (/** @type {Record<string, any>} */ said) => view.model.set("answer", { ...said, turn: Date.now() });
    const check = (/** @type {Event} */ event) => {
      event.preventDefault();
      answer({ text: input.value });
    };
    const offer = question.offer && h("button", { type: "button", onclick: () => answer({ show: true }) }, shown(question.offer));
    this.element.replaceChildren(
      h("div", { class: "pl-question-asked" }, h("b", {}, view.t("question")), h("span", {}, shown(question.before))),
      h("pre", { class: "pl-question-code" }, shown(question.code)),
      h("p", {}, text),
      h("form", { onsubmit: check }, input, h("button", { type: "submit" }, view.t("check")), offer),
      h("p", { class: question.done ? "pl-right" : "pl-wrong", role: "status" }, shown(question.said ?? "")),
      h("small", {}, shown(question.score ?? "")),
    );
  }
}
