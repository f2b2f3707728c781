// Text on the page: labels, in the reader's language, elements made without markup, and values that cannot disturb a line.

/** Marks a text that is shown: it is in the catalogue. What is marked is one text in quotes. @param {string} text */
export function N_(text) {
  return text;
}

/** @type {Record<string, string>} */
const LABELS = {
  stepper: N_("Stepper"),
  help: N_("Help: all keys"),
  close: N_("Close"),
  keysAway: N_("Click here for keys: n next, p back, s into, ? all"),
  keysHere: N_("Keys: n next, p back, s into, ? all, Esc out"),
  source: N_("Source"),
  stack: N_("Calls around this step"),
  variables: N_("Variables"),
  watches: N_("Watches"),
  breakpoints: N_("Breakpoints"),
  skipping: N_("Stepped past"),
  addSkip: N_("Add a function, file or folder/"),
  noSkip: N_("Steps go into every function."),
  nowSkipped: N_("Steps go past {name} from now on."),
  nowEntered: N_("Steps go into {name} again."),
  skipsNothing: N_("No function, file or folder of this recording is called {name}."),
  marked: N_("Step {step} is marked: = lists what has changed since."),
  noMark: N_("No step is marked: m marks the one where you stand."),
  changedBetween: N_("Changed between step {first} and step {last}"),
  changedIn: N_("In {name}"),
  unchanged: N_("No name has another value."),
  stages: N_("Stages of the walk"),
  timeline: N_("Timeline"),
  calls: N_("All calls"),
  search: N_("Search"),
  history: N_("History"),
  searchFor: N_("Search lines, functions and values"),
  addWatch: N_("Add: x.shape[0]"),
  condition: N_("Condition, such as i == 5"),
  none: N_("none"),
  noBreakpoints: N_("Click beside a line's number to stop there, or on ● beside a variable to stop when its value changes."),
  addStop: N_("Stop at: encode, forward, file.py:30, x changes, raises"),
  behindStop: N_("Behind it, if you like: if i == 5, hit 3, log x is {x}"),
  hits: N_("At which time, such as 3 or % 3"),
  hitsOf: N_("At which time, such as 3 or % 3: {place}"),
  log: N_("Say this, and do not stop: x is {x}"),
  logOf: N_("Say this, and do not stop: {place}"),
  moreOf: N_("When to stop there, or what to say instead: {place}"),
  moreOfStop: N_("When to stop there, or what to say instead"),
  anywhere: N_("anywhere"),
  stopWhen: N_("Stop when its value changes: {name}"),
  stopsWhen: N_("▶▶ runs to where {name} changes, ◀◀ back to the change before."),
  stoppedAt: N_("Stopped at {place}."),
  said: N_("What the log points say"),
  saysNothing: N_("No log point is reached."),
  moreSaid: N_("… and {count} more"),
  noLog: N_("No log point is set: behind ⋯ of a breakpoint stands what it says."),
  cleared: N_("No breakpoint is set now."),
  noPlace: N_("Type a stage, a function, file.py:30, x changes, raises, or i == 5."),
  noFunction: N_("No function or stage of this recording is called {name}."),
  neverHeld: N_("{name} never had a value in this recording."),
  noFile: N_("No file of this recording is called {name}."),
  noCount: N_("Type a count, such as 3, >= 3 or % 3."),
  callBegins: N_("This call begins here."),
  callEnds: N_("This call ends here."),
  noWatches: N_("An expression to keep in view at every step."),
  stepAt: N_("Step {step}"),
  stepOf: N_("Step {step} of {all}"),
  stepIn: N_("{stage}, step {step}"),
  foundOften: N_("Step {step}, {count} times"),
  oneStep: N_("{count} step"),
  manySteps: N_("{count} steps"),
  line: N_("Line {line}"),
  stage: N_("Stage {stage}"),
  failed: N_("Go to the error: {error}"),
  historyOf: N_("History of {name}"),
  insideOf: N_("Show what is inside: {name}"),
  makerOf: N_("Go to the step that made it: {name}"),
  removeOne: N_("Remove: {name}"),
  conditionOf: N_("Condition, such as i == 5: {place}"),
  isCalled: N_("is called"),
  goesOn: N_("goes on after its yield"),
  returns: N_("returns"),
  yields: N_("yields"),
  raises: N_("raises"),
  gives: N_("gives"),
  reads: N_("reads"),
  given: N_("given"),
  deleted: N_("deleted"),
  notKnown: N_("not known here"),
  noSource: N_("The text of this file was not recorded."),
  standsAt: N_("Set at line {line}, which is where it can stop."),
  neverRan: N_("Line {line} never ran in this recording, so nothing stops there."),
  never: N_("never ran"),
  unknown: N_("{asked} was not recorded here. Known: {known}."),
  noAnswer: N_("This has no answer here."),
  noStop: N_("No breakpoint is reached in this direction."),
  noneSet: N_("No breakpoint is set. Click beside a line's number."),
  atEnd: N_("This is the last step."),
  atStart: N_("This is the first step."),
  noJump: N_("No jump to undo."),
  noneOutside: N_("No recorded step is outside this call on that side."),
  stageGoesOn: N_("Stage {stage} goes on here: what it called has returned."),
  noStage: N_("No stage begins in this direction."),
  nothing: N_("Nothing was found."),
  empty: N_("This recording has no steps."),
  noKernel: N_("The kernel does not answer: it is busy with a cell, or was restarted. When it is free, go on; after a restart run the cell again."),
  question: N_("Your turn"),
  check: N_("Check"),
  goThere: N_("Go to the step that made it"),
  noNumbers: N_("Its numbers were not kept. record(…, keep=\"small\") keeps them of tensors with up to 64, keep=\"statistics\" the least, greatest and mean of every tensor."),
  judged: N_("{stage}: {verdict}. Compared: {what}."),
  judgedAlone: N_("{stage}: {verdict}."),
  equal: N_("equal"),
  different: N_("different"),
  shapesOnly: N_("shapes equal"),
  only: N_("only one side"),
  noValue: N_("no value to compare"),
  moreButtons: N_("More buttons"),
  tour: N_("Tour of the stepper"),
  tourAt: N_("Tour of the stepper: {at} of {all}"),
  tourNext: N_("Next"),
  tourEnd: N_("End the tour"),
  tourDone: N_("Done"),
  tourMove: N_("All of this has already run, so you can walk through it in both directions and break nothing. “over” runs a line, “in” follows it into what it calls, “out” leaves; with ◀ they go back."),
  tourSource: N_("The marked line is the one that runs next. Under it stands what it gives and what it reads, each shape with its axes by name. Click beside a line's number to stop there."),
  tourState: N_("Every name with its value at this step. What has just changed stands first. A click on a name shows all values it had; ▸ shows what is inside, ● stops where its value changes."),
  tourTime: N_("The whole run on one line: click to jump, drag to run through it. On a wide screen the bands above it are the stages of the walk. Press ? for all keys."),
  more: N_("more"),
  tabs: N_("Find"),
  parted: N_("Where the two part"),
  whoMoves: N_("What buttons and keys move"),
  both: N_("both"),
  alone: N_("{side} alone"),
  toBeginning: N_("Both to the beginning of {stage}"),
  toEnd: N_("Both to the end of {stage}: {verdict}"),
  panes: N_("Show or hide the panes of {side}: variables, calls, search, history"),
  bothBegin: N_("Both begin {stage}."),
  bothEnd: N_("Both end {stage}."),
  bothIn: N_("Both are in {stage}."),
  bothBetween: N_("Both are between stages."),
  atParting: N_("Here the two part."),
  pastParting: N_("Both are past where they part."),
  sameStep: N_("Both are at the same step."),
  aheadBegin: N_("{ahead} is ahead: {behind} has not begun {stage}."),
  aheadEnd: N_("{ahead} is ahead: {behind} has not ended {stage}."),
  aheadBy: N_("{ahead} is ahead by this many steps: {count}."),
  aheadParted: N_("{ahead} is ahead: {behind} has not come to where the two part."),
  bring: N_("Together again: move {side}"),
  waits: N_("{waits} waits until {goes} has come as far."),
  compared: N_("Values here"),
  comparedHere: N_("Held by both here: {equal} equal, {different} different, {shapes} of equal shape"),
  nothingShared: N_("No name is held by both here."),
  otherNumbers: N_("other numbers"),
  result: N_("the result"),
};

/** What Python hands over of the catalogue: the language's code, and English → translation. @typedef {{code: string, texts: Record<string, string>}} Said */

/** The page's language. */
export class Language {
  /** @param {Said} [said] of English nothing need be said */
  constructor(said) {
    this.code = said?.code ?? "en";
    this.texts = said?.texts ?? {};
  }

  /** A text by its label, with what belongs where it has a name in braces. @param {string} label @param {Record<string, string | number>} [values] */
  t(label, values = {}) {
    return this.say(LABELS[label]).replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
  }

  /** A text that `N_` marks, as it is. @param {string} text */
  say(text) {
    return this.texts[text] ?? text;
  }
}

/**
 * An element. Attributes named on… are listeners, `class` and others are set as text; children are elements or text,
 * never markup.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(.../** @type {(Node | string)[]} */ (children.filter((one) => one != null && one !== false)));
  return element;
}

/** @type {WeakMap<HTMLElement, Map<string, HTMLElement>>} the children that `renew` gave */
const renewed = new WeakMap();

/**
 * Give an element these children, each under a key of its own. One whose key was there before stays as it is: from step
 * to step little changes, and what is not touched is not laid out or painted anew.
 * @param {HTMLElement} parent @param {[key: string, make: () => HTMLElement][]} children
 */
export function renew(parent, children) {
  const before = renewed.get(parent);
  const now = new Map(children.map(([key, make]) => [key, before?.get(key) ?? make()]));
  renewed.set(parent, now);
  const wanted = new Set(/** @type {Iterable<Node>} */ (now.values()));
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  let at = parent.firstChild;
  for (const child of now.values()) {
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
}

/**
 * A text that stays on its line and in its order: control characters are drawn, and those that turn the direction of
 * what follows are spelled.
 * @param {string} text
 */
export function shown(text) {
  return text
    .replace(/[\u0000-\u001f]/g, (sign) => String.fromCharCode(0x2400 + sign.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udfff](?![\udc00-\udfff])(?<![\ud800-\udbff][\udc00-\udfff])/g, spelled);
}

/** @param {string} sign */
function spelled(sign) {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

const COMMAS = new Intl.NumberFormat("en-US"); // made once: it takes longer than a number

/** @param {number} number */
export function withCommas(number) {
  return COMMAS.format(number);
}
