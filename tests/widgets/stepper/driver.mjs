// What the tests call: functions of the views' modules, by lines of JSON.

import { createInterface } from "node:readline";

import { cost, journey, moved, sizesOf } from "../../../prefix_lab/widgets/flow/computing.js";
import { boxesOf } from "../../../prefix_lab/widgets/flow/drawing.js";
import { facts, rowsSaid } from "../../../prefix_lab/widgets/flow/flow.js";
import { Answers } from "../../../prefix_lab/widgets/stepper/answers.js";
import { compareValues } from "../../../prefix_lab/widgets/stepper/compare.js";
import { asPython, Condition, textOf, Unknown, wrongWith } from "../../../prefix_lab/widgets/stepper/condition.js";
import { coloured } from "../../../prefix_lab/widgets/stepper/source.js";
import { readStop, saidAt, timesOf } from "../../../prefix_lab/widgets/stepper/stops.js";
import { Store } from "../../../prefix_lab/widgets/stepper/store.js";
import { shown } from "../../../prefix_lab/widgets/stepper/text.js";

/** A page's pieces as a source; `count` is how often it was asked, and `most` for how many keys at once. */
class Packed {
  constructor(packed) {
    this.packed = packed;
    this.asked = [];
  }

  async get(keys) {
    this.asked.push(keys);
    return Object.fromEntries(
      keys.map((key) => {
        if (!Object.hasOwn(this.packed, key)) throw new Error(`no piece ${key}`);
        return [key, JSON.parse(this.packed[key])];
      }),
    );
  }

  ask() {
    throw new Error("nothing is to be asked");
  }
}

const MOVES = ["in", "over", "out", "end"].flatMap((move) => [false, true].map((back) => [move, back]));

/** Everything that a view can say of a step. */
async function at(store, step, skip) {
  await store.page(step);
  const moment = store.at(step);
  const line = (value) => (value === null ? null : store.headline(step, value));
  const told = {
    event: moment.event,
    file: store.meta.files[moment.file],
    function: moment.function,
    line: moment.line,
    frame: moment.frame,
    thread: moment.thread,
    locals: [...moment.locals].map(([name, value]) => [store.meta.names[name], line(value), moment.lines.get(name)]),
    bound: moment.bound.map(([name, value, flag]) => [store.meta.names[name], line(value), flag]),
    fresh: [...moment.fresh].map((name) => store.meta.names[name]),
    stack: store.stack(step).map((call) => [call.step, ...store.place(call.place), call.frame]),
    caller: store.caller(step),
  };
  told.moves = [];
  for (const skipped of [[], skip])
    for (const [move, back] of MOVES) told.moves.push(await store.destination(step, move, back, skipped));
  return told;
}

/** What a condition gives, as Python writes it; null where it has no answer. */
function answer(text, values) {
  try {
    return asPython(new Condition(text).worth(values));
  } catch (error) {
    if (error instanceof Unknown) return null;
    throw error;
  }
}

const CALLS = {
  async walk(packed, steps, skip) {
    const source = new Packed(packed);
    const { store } = new Answers((keys) => source.get(keys));
    await store.open();
    const found = [];
    for (const step of steps) found.push(await at(store, step, skip));
    return found;
  },

  async kept(packed, steps) {
    const source = new Packed(packed);
    const store = new Store(source);
    await store.open();
    for (const step of steps) await store.page(step);
    await Promise.all([store.piece("source/0"), store.piece("values/0"), store.piece("source/0")]);
    return { pages: [...store.pieces.keys()].filter((key) => key.startsWith("steps/")), asked: source.asked };
  },

  async refused(packed, key) {
    const store = new Store(new Packed(packed));
    const failures = [];
    for (let time = 0; time < 2; time += 1) await store.piece(key).catch((error) => failures.push(error.message));
    return failures;
  },

  async answers(packed, questions) {
    const source = new Packed(packed);
    const answers = new Answers((keys) => source.get(keys));
    const found = [];
    for (const question of questions) found.push(await answers.answer(question));
    return found;
  },

  typed: (texts, { file, function: called, names }) => texts.map((text) => readStop(text, file, called, names)),
  counted: (texts) => texts.map((text) => timesOf(text) && [1, 2, 3, 4, 5].filter(timesOf(text))),
  said: (texts, values) => texts.map((text) => saidAt(text, new Map(Object.entries(values)))),
  parsed: (texts) => Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, JSON.parse(text)])),
  wrong: (texts) => texts.map(wrongWith),
  conditions: (texts, values) => texts.map((text) => answer(text, new Map(Object.entries(values)))),
  read: (quoted) => quoted.map(textOf),
  shown: (texts) => texts.map(shown),
  compared: (name, mine, other) => compareValues(name, mine, other).verdict,
  flow: (data, chosen) => ({ steps: journey(data, chosen), facts: facts(data, chosen), rows: rowsSaid(data, chosen), cost: cost(data, chosen) }),
  moved(data, chosen, moves) {
    const met = moves.map(([name, value]) => (chosen = moved(data, chosen, name, value)));
    return met.map((one) => ({ ...one, hidden: sizesOf(data, one).hidden }));
  },
  boxes: (data, chosen) => Object.fromEntries(journey(data, chosen).map((step) => [step.key, boxesOf(step, data.colours)])),
  coloured: (text, colours) => coloured(text, colours),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, given] = JSON.parse(line);
  let said;
  try {
    said = { answer: (await CALLS[name](...given)) ?? null };
  } catch (error) {
    said = { error: `${error.stack ?? error}` };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
