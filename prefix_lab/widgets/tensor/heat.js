// A heat map whose cells are met with the pointer or the arrow keys; Python says what is in the one that is met.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @param {{model: any, el: HTMLElement}} place */
function render({ model, el }) {
  const stage = document.createElement("div");
  const frame = document.createElement("div");
  const said = document.createElement("p");
  stage.className = "prefix-lab-heat";
  frame.className = "prefix-lab-heat-cell";
  stage.tabIndex = 0;
  stage.setAttribute("role", "group");
  said.setAttribute("role", "status");
  el.style.overflowX = "auto";
  el.append(said, stage);

  const draw = () => {
    stage.innerHTML = model.get("picture");
    const { maxWidth, minWidth } = /** @type {SVGElement} */ (stage.querySelector("svg")).style;
    Object.assign(stage.style, { maxWidth, minWidth });
    stage.append(frame);
    stage.setAttribute("aria-label", model.get("hint"));
    mark();
  };
  const mark = () => {
    /** @type {number[]} */
    const [row, column] = model.get("cell");
    const [rows, columns] = model.get("size");
    const [left, top, width, height] = model.get("place");
    frame.hidden = row === undefined;
    Object.assign(frame.style, {
      left: `${100 * (left + (width * column) / columns)}%`,
      top: `${100 * (top + (height * row) / rows)}%`,
      width: `${(100 * width) / columns}%`,
      height: `${(100 * height) / rows}%`,
    });
    frame.classList.toggle("prefix-lab-held", model.get("held"));
    said.textContent = model.get("said") || model.get("hint");
  };
  const go = (/** @type {number} */ row, /** @type {number} */ column) => {
    const [rows, columns] = model.get("size");
    const cell = [Math.min(Math.max(row, 0), rows - 1), Math.min(Math.max(column, 0), columns - 1)];
    if (String(cell) === String(model.get("cell"))) return;
    model.set("cell", cell);
    model.save_changes();
  };

  stage.addEventListener("pointermove", (event) => {
    const box = stage.getBoundingClientRect();
    const [left, top, width, height] = model.get("place");
    const [rows, columns] = model.get("size");
    const x = ((event.clientX - box.left) / box.width - left) / width;
    const y = ((event.clientY - box.top) / box.height - top) / height;
    if (x >= 0 && x < 1 && y >= 0 && y < 1 && !model.get("held")) go(Math.floor(y * rows), Math.floor(x * columns));
  });
  stage.addEventListener("click", () => {
    model.set("held", model.get("cell").length > 0 && !model.get("held"));
    model.save_changes();
  });
  stage.addEventListener("keydown", (event) => {
    const step = /** @type {Record<string, number[]>} */ (STEPS)[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [row, column] = model.get("cell");
    if (row === undefined) go(0, 0);
    else go(row + step[0], column + step[1]);
  });

  for (const name of ["picture", "place", "size"]) model.on(`change:${name}`, draw);
  for (const name of ["cell", "said", "held"]) model.on(`change:${name}`, mark);
  draw();
}

export default { render };
