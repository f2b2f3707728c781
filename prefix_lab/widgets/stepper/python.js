// Python's words in colours: each line of a text as pairs of a kind and a piece of it.

const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda nonlocal not or pass raise return try while with yield match case").split(" "),
);
const PART =
  /(#.*)|((?:[rbfuRBFU]{0,2})("""|'''))|([rbfuRBFU]{0,2}(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?))|(@[\w.]+)|([\p{L}_][\p{L}\p{N}_]*)|((?:0[xXbBoO][\da-fA-F_]+)|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)|(\s+|.)/gu;

/** @typedef {[kind: string, text: string][]} Line */

/**
 * The lines of a text. A text in three quotes goes over several of them.
 * @param {string} text
 * @returns {Line[]}
 */
export function coloured(text) {
  let open = "";
  return text.split("\n").map((line) => {
    /** @type {Line} */
    const parts = [];
    let at = 0;
    if (open) {
      const end = line.indexOf(open);
      if (end < 0) return [["string", line]];
      at = end + 3;
      parts.push(["string", line.slice(0, at)]);
      open = "";
    }
    PART.lastIndex = at;
    let before = "";
    for (let found = PART.exec(line); found; found = PART.exec(line)) {
      const [all, comment, opening, quotes, string, decorator, word, number] = found;
      if (opening) {
        const end = line.indexOf(quotes, PART.lastIndex);
        const stop = end < 0 ? line.length : end + 3;
        parts.push(["string", line.slice(found.index, stop)]);
        if (end < 0) {
          open = quotes;
          break;
        }
        PART.lastIndex = stop;
        continue;
      }
      const kind = comment
        ? "comment"
        : string
          ? "string"
          : decorator
            ? "decorator"
            : number
              ? "number"
              : word
                ? KEYWORDS.has(word)
                  ? "keyword"
                  : before === "def" || before === "class"
                    ? "definition"
                    : ""
                : "";
      if (word) before = word;
      else if (all.trim()) before = "";
      const last = parts.at(-1);
      if (last && last[0] === kind) last[1] += all;
      else parts.push([kind, all]);
      if (PART.lastIndex >= line.length) break;
    }
    return parts;
  });
}
