/**
 * Building and updating nodes: no markup strings, and nothing is written that has not changed, so that focus, caret,
 * selection and scroll places survive every update.
 */

/** @typedef {Node | string | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | undefined>} Attributes `true` is the bare attribute, `false` none. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  for (const child of children) if (child !== undefined && child !== false) node.append(child);
  return node;
}

/** @param {Element} node @param {string} name @param {string | number | boolean | undefined} value */
export function setAttribute(node, name, value) {
  if (value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {HTMLElement} node @param {boolean} isShown */
export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/**
 * A button that cannot be used now keeps its place in the tab order; its listener is not called.
 *
 * @param {HTMLElement} node @param {boolean} isEnabled
 */
export function enable(node, isEnabled) {
  setAttribute(node, "aria-disabled", isEnabled ? undefined : "true");
}

/**
 * @param {HTMLElement} node
 * @param {(event: MouseEvent) => void} act Not called while the node is `aria-disabled`.
 */
export function onPress(node, act) {
  node.addEventListener("click", (event) => {
    if (node.getAttribute("aria-disabled") === "true") event.preventDefault();
    else act(event);
  });
}

/**
 * Make a parent's children follow a list of keyed items. The gone are removed first, so that those that stay are
 * rarely moved (moving a node takes its focus away).
 *
 * @template Item
 * @template {Element} Child
 * @param {Element} parent Has no other children.
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => Child} create
 * @param {(child: Child, item: Item) => void} [update] Called for new children too.
 */
export function syncChildren(parent, items, keyOf, create, update) {
  const known = /** @type {Map<string, Child>} */ (keyed.get(parent) ?? new Map());
  const wanted = new Set(items.map(keyOf));
  for (const [key, child] of known) if (!wanted.has(key)) child.remove();
  /** @type {Map<string, Child>} */
  const next = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = known.get(key) ?? create(item);
    next.set(key, child);
    update?.(child, item);
    if (place === child) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  keyed.set(parent, next);
}

/** @type {WeakMap<Element, Map<string, Element>>} */
const keyed = new WeakMap();
