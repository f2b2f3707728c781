// Text on the page: labels in English and Chinese, elements made without markup, and values that cannot disturb a line.

/** @type {Record<string, [string, string]>} label → English, Chinese */
const LABELS = {
  stepper: ["Stepper", "单步调试器"],
  first: ["First step", "第一步"],
  last: ["Last step", "最后一步"],
  in: ["Step in", "步入"],
  inBack: ["Step in, backwards", "向后步入"],
  over: ["Step over", "步过"],
  overBack: ["Step over, backwards", "向后步过"],
  out: ["Step out", "步出"],
  outBack: ["Step out, backwards: to the call", "向后步出:回到调用处"],
  run: ["Run to the next breakpoint", "运行到下一个断点"],
  runBack: ["Run back to the breakpoint before", "反向运行到上一个断点"],
  undo: ["Undo the last jump", "撤销上次跳转"],
  nextStage: ["Next stage", "下一阶段"],
  stageBefore: ["Stage before", "上一阶段"],
  breakHere: ["Set or take away a breakpoint at this line", "在此行设置或取消断点"],
  full: ["Full window", "全窗口"],
  help: ["Help: all keys", "帮助:所有按键"],
  close: ["Close", "关闭"],
  keysAway: ["Click here for keys: n next, p back, s into, ? all", "点击此处使用按键:n 下一行,p 返回,s 进入,? 全部"],
  keysHere: ["Keys: n next, p back, s into, ? all, Esc out", "按键:n 下一行,p 返回,s 进入,? 全部,Esc 离开"],
  leave: ["Close; leave full window; back to the notebook", "关闭;退出全窗口;返回笔记本"],
  source: ["Source", "源代码"],
  stack: ["Calls around this step", "调用栈"],
  variables: ["Variables", "变量"],
  watches: ["Watches", "监视"],
  breakpoints: ["Breakpoints", "断点"],
  skipping: ["Stepped past", "跳过的代码"],
  skipHere: ["Step past this function from now on, or into it again", "今后跳过此函数,或不再跳过"],
  addSkip: ["Add a function, file or folder/", "添加函数、文件或文件夹/"],
  noSkip: ["Steps go into every function.", "步入所有函数。"],
  nowSkipped: ["Steps go past {name} from now on.", "今后的步骤将跳过 {name}。"],
  nowEntered: ["Steps go into {name} again.", "今后的步骤会再次进入 {name}。"],
  skipsNothing: ["No function, file or folder of this recording is called {name}.", "这个录制中没有名为 {name} 的函数、文件或文件夹。"],
  mark: ["Mark this step, to ask later what has changed since", "标记此步,以便之后查看变化"],
  since: ["What has changed between the mark and here", "从标记到此处发生的变化"],
  marked: ["Step {step} is marked: = lists what has changed since.", "已标记第 {step} 步:按 = 列出此后的变化。"],
  noMark: ["No step is marked: m marks the one where you stand.", "还没有标记:按 m 标记当前步骤。"],
  changedBetween: ["Changed between step {first} and step {last}", "第 {first} 步与第 {last} 步之间的变化"],
  changedIn: ["In {name}", "在 {name} 中"],
  unchanged: ["No name has another value.", "没有名称的值发生变化。"],
  stages: ["Stages of the walk", "流程的各个阶段"],
  timeline: ["Timeline", "时间线"],
  calls: ["All calls", "调用树"],
  search: ["Search", "搜索"],
  history: ["History", "历史"],
  searchFor: ["Search lines, functions and values", "搜索代码行、函数和值"],
  addWatch: ["Add: x.shape[0]", "添加:x.shape[0]"],
  condition: ["Condition, such as i == 5", "条件,例如 i == 5"],
  remove: ["Remove", "删除"],
  none: ["none", "无"],
  noBreakpoints: ["Click beside a line's number to stop there.", "点击行号旁边即可设置断点。"],
  noWatches: ["An expression to keep in view at every step.", "每一步都显示的表达式。"],
  step: ["Step", "步骤"],
  of: ["of", "/"],
  returns: ["returns", "返回"],
  yields: ["yields", "产出"],
  raises: ["raises", "抛出"],
  gives: ["gives", "得到"],
  reads: ["reads", "用到"],
  given: ["given", "传入"],
  deleted: ["deleted", "已删除"],
  notKnown: ["not known here", "此处未知"],
  noSource: ["The text of this file was not recorded.", "没有记录此文件的文本。"],
  standsAt: ["Set at line {line}, which is where it can stop.", "断点设在第 {line} 行,即可以停下的位置。"],
  neverRan: ["Line {line} never ran in this recording, so nothing stops there.", "第 {line} 行在这个录制中从未运行,不会在此停下。"],
  never: ["never ran", "从未运行"],
  unknown: ["{asked} was not recorded here. Known: {known}.", "此处没有记录 {asked}。已知:{known}。"],
  noAnswer: ["This has no answer here.", "此处无法得出结果。"],
  noStop: ["No breakpoint is reached in this direction.", "此方向没有命中的断点。"],
  noneSet: ["No breakpoint is set. Click beside a line's number.", "还没有断点。请点击行号旁边。"],
  atEnd: ["This is the last step.", "这是最后一步。"],
  atStart: ["This is the first step.", "这是第一步。"],
  noJump: ["No jump to undo.", "没有可撤销的跳转。"],
  noneOutside: ["No recorded step is outside this call on that side.", "此方向上,这次调用之外没有记录的步骤。"],
  goesOn: ["Stage {stage} goes on here: what it called has returned.", "阶段 {stage} 在此继续:它调用的部分已返回。"],
  noStage: ["No stage begins in this direction.", "此方向没有阶段开始。"],
  nothing: ["Nothing was found.", "没有找到。"],
  empty: ["This recording has no steps.", "这个录制没有步骤。"],
  noKernel: [
    "The kernel does not answer: it is busy with a cell, or was restarted. When it is free, go on; after a restart run the cell again.",
    "内核没有回应:它正忙,或已重启。空闲后可继续;重启后请重新运行该单元格。",
  ],
  failed: ["Go to the error", "转到出错处"],
  times: ["times", "次"],
  question: ["Your turn", "轮到你了"],
  check: ["Check", "检查"],
  goThere: ["Go to the step that made it", "转到产生它的步骤"],
  showHistory: ["History of", "历史:"],
  parts: ["Show what is inside", "展开"],
  noNumbers: [
    'Its numbers were not kept. record(…, keep="small") keeps them of tensors with up to 64, keep="statistics" the least, greatest and mean of every tensor.',
    '没有保留它的数值。record(…, keep="small") 会保留不超过 64 个数的张量的数值,keep="statistics" 会保留每个张量的最小值、最大值和平均值。',
  ],
  equal: ["equal", "相等"],
  different: ["different", "不同"],
  shapesOnly: ["shapes equal", "形状相等"],
  only: ["only one side", "仅一侧"],
  noValue: ["no value to compare", "没有可比较的值"],
  stage: ["Stage", "阶段"],
  moreButtons: ["More buttons", "更多按钮"],
  tour: ["Tour of the stepper", "单步调试器导览"],
  tourAt: ["Tour of the stepper: {at} of {all}", "单步调试器导览:{at}/{all}"],
  tourNext: ["Next", "下一个"],
  tourEnd: ["End the tour", "结束导览"],
  tourDone: ["Done", "完成"],
  tourMove: [
    "All of this has already run, so you can walk through it in both directions and break nothing. “over” runs a line, “in” follows it into what it calls, “out” leaves; with ◀ they go back.",
    "这里的一切都已运行过,您可以前后走动,不会弄坏任何东西。“步过”运行一行,“步入”进入它调用的函数,“步出”离开;带 ◀ 的向后走。",
  ],
  tourSource: [
    "The marked line is the one that runs next. Under it stands what it gives and what it reads, each shape with its axes by name. Click beside a line's number to stop there.",
    "标出的一行是接下来要运行的。下面写着它得到什么、用到什么,形状的每个轴都有名字。点击行号旁边即可设置断点。",
  ],
  tourState: [
    "Every name with its value at this step. What has just changed stands first. A click on a name shows all values it had; ▸ shows what is inside.",
    "此刻的每个名字及其值,刚刚变化的排在最前。点击名字可查看它有过的所有值;▸ 展开内部。",
  ],
  tourTime: [
    "The whole run on one line: click to jump, drag to run through it. On a wide screen the bands above it are the stages of the walk. Press ? for all keys.",
    "整个运行都在这条线上:点击可跳转,拖动可快速浏览。屏幕够宽时,上面的色带是各个阶段。按 ? 查看所有按键。",
  ],
  more: ["more", "更多"],
  line: ["Line", "行"],
  tabs: ["Find", "查找"],
  parted: ["Where the two part", "分歧处"],
  whoMoves: ["What buttons and keys move", "按钮和按键移动哪一侧"],
  both: ["both", "两侧"],
  alone: ["{side} alone", "仅 {side}"],
  toBeginning: ["Both to the beginning of {stage}", "两侧到 {stage} 的开头"],
  toEnd: ["Both to the end of {stage}: {verdict}", "两侧到 {stage} 的结尾:{verdict}"],
  panes: ["Show or hide the panes of {side}: variables, calls, search, history", "显示或隐藏 {side} 的面板:变量、调用、搜索、历史"],
  bothBegin: ["Both begin {stage}.", "两侧都在 {stage} 的开头。"],
  bothEnd: ["Both end {stage}.", "两侧都在 {stage} 的结尾。"],
  bothIn: ["Both are in {stage}.", "两侧都在 {stage} 中。"],
  bothBetween: ["Both are between stages.", "两侧都在阶段之间。"],
  atParting: ["Here the two part.", "两侧在此分歧。"],
  pastParting: ["Both are past where they part.", "两侧都已过分歧处。"],
  sameStep: ["Both are at the same step.", "两侧在同一步。"],
  aheadBegin: ["{ahead} is ahead: {behind} has not begun {stage}.", "{ahead} 在前:{behind} 尚未开始 {stage}。"],
  aheadEnd: ["{ahead} is ahead: {behind} has not ended {stage}.", "{ahead} 在前:{behind} 尚未结束 {stage}。"],
  aheadBy: ["{ahead} is ahead by this many steps: {count}.", "{ahead} 领先 {count} 步。"],
  aheadParted: ["{ahead} is ahead: {behind} has not come to where the two part.", "{ahead} 在前:{behind} 尚未到达分歧处。"],
  bring: ["Together again: move {side}", "重新会合:移动 {side}"],
  waits: ["{waits} waits until {goes} has come as far.", "{waits} 等待 {goes} 走到同一处。"],
  compared: ["Values here", "此处的值"],
  comparedHere: ["Held by both here: {equal} equal, {different} different, {shapes} of equal shape", "此处两侧都有:{equal} 个相等,{different} 个不同,{shapes} 个形状相等"],
  nothingShared: ["No name is held by both here.", "此处两侧没有共同的名字。"],
  otherNumbers: ["other numbers", "数值不同"],
  result: ["the result", "结果"],
};

/** @type {Record<string, string>} the words on buttons */
const CHINESE = { in: "步入", over: "步过", out: "步出", stage: "阶段", undo: "撤销", break: "断点", search: "搜索", full: "全窗" };

/** The page's language: "en" or "zh". */
export class Language {
  /** @param {string} code */
  constructor(code) {
    this.column = code.startsWith("zh") ? 1 : 0;
  }

  /** A text, with what belongs where it has a name in braces. @param {string} label @param {Record<string, string | number>} [values] */
  t(label, values = {}) {
    return LABELS[label][this.column].replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
  }

  /** A button's word, its arrow kept. @param {string} word */
  word(word) {
    return this.column ? word.replace(/[a-z]+/, (one) => CHINESE[one]) : word;
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
