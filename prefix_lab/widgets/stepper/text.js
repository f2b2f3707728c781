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
  keysAway: ["Click here for keys: n next line, p back, s into, ? all", "点击此处使用按键:n 下一行,p 返回,s 进入,? 全部"],
  keysHere: ["Keys: n next line, p back, s into, ? all, Esc out", "按键:n 下一行,p 返回,s 进入,? 全部,Esc 离开"],
  leave: ["Close; leave full window; back to the notebook", "关闭;退出全窗口;返回笔记本"],
  source: ["Source", "源代码"],
  stack: ["Calls around this step", "调用栈"],
  variables: ["Variables", "变量"],
  watches: ["Watches", "监视"],
  breakpoints: ["Breakpoints", "断点"],
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
  noStop: ["No breakpoint holds on this side.", "此方向没有命中的断点。"],
  noneSet: ["No breakpoint is set. Click beside a line's number.", "还没有断点。请点击行号旁边。"],
  atEnd: ["This is the last step.", "这是最后一步。"],
  atStart: ["This is the first step.", "这是第一步。"],
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

/** @param {number} number */
export function withCommas(number) {
  return number.toLocaleString("en-US");
}
