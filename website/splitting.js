// What is asked for, as searching.py splits what is found: Sphinx's search takes this function where there is one.

var splitQuery = (/** @type {string} */ query) =>
  query
    .split(/[^\p{Letter}\p{Number}_]+/gu)
    .flatMap((part) => part.split(/([\u4e00-\u9fff]+)/))
    .flatMap((part) => {
      const signs = [...part];
      return /^[\u4e00-\u9fff]{2,}$/.test(part) ? signs.slice(1).map((sign, at) => signs[at] + sign) : [part];
    })
    .filter(Boolean);
