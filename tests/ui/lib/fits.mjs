// What does not fit, told by the page itself: scripts for its own window.

/** What is cut off: by its own box, or by the edge of the page. */
export const CUT = `
  const found = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) found.push("the page is " + document.documentElement.scrollWidth + " wide");
  for (const element of document.querySelectorAll("#app *:not(svg *)")) {
    // Where there is little room, a bank that answers is its name or a dot, with all words for screen readers.
    if (element.closest(".hush, .unsaid, .skip, .quiet, svg, .stage, .toast") || !element.checkVisibility()) continue;
    const box = element.getBoundingClientRect();
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const name = () => element.tagName.toLowerCase() + "." + element.className + " " + JSON.stringify(element.textContent.trim().slice(0, 40));
    if (own && (box.right > width + 1 || box.left < -1)) found.push(name() + " ends at " + box.right);
    const style = getComputedStyle(element);
    const clips = [style.overflowX, style.overflowY].some((value) => value === "hidden" || value === "clip");
    if (own && clips && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)) found.push(name() + " is cut");
    if (element.matches("button, input, select, a") && !element.closest(".code") && Math.min(box.width, box.height) < 24) found.push(name() + " is small");
  }
  return found;`;

/**
 * The same on each of `devices`, `[name, width, height, insets, keyboard]`, one after the other in the frame that the
 * page is in; and what bars, corners and cut-outs cover there, what lies under something else, and what the on-screen
 * keyboard hides from whoever types. Asynchronous.
 */
export const UNFIT = `
  const [devices, done] = arguments;
  const frame = window.frameElement;
  const root = document.documentElement;
  const cut = () => { ${CUT} };
  const drawn = () => new Promise((ready) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(ready, 20))), 20));
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".hush, .unsaid, .skip, .toast, [aria-hidden='true']");
  const name = (element) => element.dataset.testid ?? element.tagName.toLowerCase() + " " + JSON.stringify(element.textContent.trim().slice(0, 30));
  const controls = () => [...document.querySelectorAll("#app :is(button, input, select, a, summary)")].filter(shown);
  const texts = () => [...document.querySelectorAll("#app *:not(svg *)")].filter((element) => shown(element) && [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  const size = async (width, height) => {
    [frame.style.width, frame.style.height] = [width + "px", height + "px"];
    await drawn();
  };
  const covered = (element) => {
    element.scrollIntoView({ block: "center" });
    const box = element.getBoundingClientRect();
    const over = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return !over || !(element.contains(over) || over.contains(element) || over.closest("label") === element.closest("label"));
  };
  const under = (width, height, inset) => {
    const found = [];
    const all = [...new Set([...controls(), ...texts()])];
    const scrolled = [root, ...document.querySelectorAll("#app *")].filter((element) => element === root || /auto|scroll/.test(getComputedStyle(element).overflowY));
    for (const element of scrolled) element.scrollTop = 0;
    for (const element of all) {
      const box = element.getBoundingClientRect();
      if (box.left < inset.left - 1 || box.right > width - inset.right + 1) found.push(name(element) + " is at the side");
      if (box.top < inset.top - 1) found.push(name(element) + " is under the top");
    }
    for (const element of scrolled) element.scrollTop = element.scrollHeight;
    for (const element of all) {
      if (element.getBoundingClientRect().bottom > height - inset.bottom + 1) found.push(name(element) + " is under the bottom");
    }
    return found;
  };
  const typing = async (width, height, keyboard) => {
    const found = [];
    const inputs = controls().filter((element) => element.matches("input") && !element.disabled);
    if (!inputs.length) return found;
    await size(width, height - keyboard);
    for (const input of inputs) {
      input.focus();
      await drawn();
      if (covered(input)) found.push(name(input) + " is covered while typing");
    }
    for (const control of controls()) {
      if (!control.disabled && covered(control)) found.push(name(control) + " is out of reach while typing");
    }
    return found;
  };
  const look = async () => {
    const found = [];
    for (const [device, width, height, insets, keyboard] of devices) {
      const inset = { top: 0, right: 0, bottom: 0, left: 0, ...insets };
      for (const [side, px] of Object.entries(inset)) root.style.setProperty("--inset-" + side, px + "px");
      await size(width, height);
      const here = [...cut(), ...under(width, height, inset)];
      for (const control of controls()) if (covered(control)) here.push(name(control) + " is covered");
      if (keyboard) here.push(...await typing(width, height, keyboard));
      found.push(...here.map((what) => device + ": " + what));
    }
    return found;
  };
  look().then(done, (error) => done([String(error)]));`;
