// A stepper that walks by itself, until somebody takes over.

const PACE = 2600; // milliseconds: as long as it takes to read a line and a shape

/**
 * Walk through chosen steps, one after the other and from the beginning again, while the stepper is in view. Who asks
 * the system for less motion presses the button; any key, click or touch in the stepper takes over.
 * @param {HTMLElement} host
 * @param {import("../prefix_lab/widgets/stepper/stepper.js").StepperView} view
 * @param {{steps: number[], said: string[], play: string, pause: string, yours: string}} tour
 * @param {(still: boolean) => void} keepStill whether the address stays as it is
 */
export function play(host, view, tour, keepStill) {
  const button = document.createElement("button");
  const caption = document.createElement("p");
  const bar = document.createElement("div");
  bar.className = "pl-player";
  button.type = "button";
  button.className = "pl-play";
  bar.append(button, caption);
  host.before(bar);
  const milestones = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".pl-milestones [data-from]"))];
  /** @type {any} */
  let timer = null;
  let at = Math.max(0, tour.steps.indexOf(view.step));
  let inView = true;
  const show = () => {
    caption.textContent = tour.said[at];
    const reached = milestones.filter((one) => Number(one.dataset.from) <= at);
    for (const one of milestones) one.toggleAttribute("data-now", one === reached.at(-1));
  };
  const next = async () => {
    if (!inView || document.hidden) return;
    at = (at + 1) % tour.steps.length;
    await view.goto(tour.steps[at]);
    show();
  };
  const playing = (/** @type {boolean} */ on) => {
    clearInterval(timer);
    timer = on ? setInterval(next, PACE) : null;
    keepStill(on);
    button.textContent = on ? tour.pause : tour.play;
    button.setAttribute("aria-pressed", String(on));
  };
  const takeOver = () => {
    if (timer === null) return keepStill(false);
    playing(false);
    caption.textContent = tour.yours;
  };
  button.onclick = () => playing(timer === null);
  for (const kind of ["pointerdown", "keydown"]) view.root.addEventListener(kind, takeOver, true);
  new IntersectionObserver(([entry]) => (inView = entry.isIntersecting)).observe(host);
  show();
  playing(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}
