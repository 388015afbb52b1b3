// Small things that every part of the page needs.

export const $ = (id) => document.getElementById(id);

/** An element with its class, its attributes and what is inside. */
export function make(tag, { text, inside = [], ...attributes } = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...inside.filter(Boolean));
  return element;
}

/** Options of a choice; keeps what is chosen where it is still there. */
export function fill(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, text })));
  select.value = options.some(([value]) => value === chosen) ? chosen : (options[0]?.[0] ?? "");
}

/** Arrow keys go through the children of a list or of tabs; one of them is reached by Tab. */
export function rove(box, selector, keys = ["ArrowUp", "ArrowDown"]) {
  box.addEventListener("keydown", (event) => {
    const all = [...box.querySelectorAll(selector)];
    const here = all.indexOf(document.activeElement);
    const to = { [keys[0]]: here - 1, [keys[1]]: here + 1, Home: 0, End: all.length - 1 }[event.key];
    if (here < 0 || to === undefined) return;
    event.preventDefault();
    const next = all[Math.min(Math.max(to, 0), all.length - 1)];
    for (const each of all) each.tabIndex = each === next ? 0 : -1;
    next.focus();
  });
}
