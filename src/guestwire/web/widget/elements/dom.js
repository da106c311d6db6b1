/** The few DOM verbs that all elements use. Each writes only what changed, so focus, caret and selection survive. */

/** @typedef {Record<string, string | boolean | number | undefined>} Attributes true is "", false and undefined are absent. */

/**
 * Make an element with attributes and children; strings become text.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/**
 * @param {Element} element
 * @param {Attributes} attributes
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    const wanted = value === undefined || value === false ? null : value === true ? "" : String(value);
    if (element.getAttribute(name) === wanted) continue;
    if (wanted === null) element.removeAttribute(name);
    else element.setAttribute(name, wanted);
  }
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A request to the host element; it stays inside our shadow root.
 *
 * @param {EventTarget} from
 * @param {string} type
 * @param {unknown} [detail]
 * @returns {boolean} Whether it was granted.
 */
export function request(from, type, detail) {
  return from.dispatchEvent(new CustomEvent(type, { bubbles: true, cancelable: true, detail }));
}

/**
 * Register an element, unless the name is taken.
 *
 * @param {CustomElementConstructor} element
 * @param {string} tag
 * @param {CustomElementRegistry} registry
 */
export function register(element, tag, registry) {
  if (!registry.get(tag)) registry.define(tag, element);
}

const SVG = "http://www.w3.org/2000/svg";

/** Line drawings on a 24 × 24 grid. */
const ICONS = {
  send: "M12 19V5M5.5 11.5 12 5l6.5 6.5",
  down: "M12 5v14M5.5 12.5 12 19l6.5-6.5",
  wire: "M5 15.5c0-7 14-1.5 14-7M5 15.5a1.75 1.75 0 1 0 0 3.5 1.75 1.75 0 1 0 0-3.5ZM19 5a1.75 1.75 0 1 0 0 3.5 1.75 1.75 0 1 0 0-3.5Z",
  bot: "M8 8h8a2.5 2.5 0 0 1 2.5 2.5v4A2.5 2.5 0 0 1 16 17H8a2.5 2.5 0 0 1-2.5-2.5v-4A2.5 2.5 0 0 1 8 8ZM12 8V5M9.5 12.25v.5M14.5 12.25v.5",
  check: "M5 12.5 10 17.5 19 7",
  close: "M6 6l12 12M18 6 6 18",
  file: "M13.5 3.5H7A1.5 1.5 0 0 0 5.5 5v14A1.5 1.5 0 0 0 7 20.5h10a1.5 1.5 0 0 0 1.5-1.5V8.5ZM13.5 3.5v5h5",
  clip: "M19.5 11.5l-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l7.9-7.9a3.1 3.1 0 0 1 4.4 4.4l-7.8 7.8a1.55 1.55 0 0 1-2.2-2.2l7-7",
  more: "M12 5.5h.01M12 12h.01M12 18.5h.01",
  alert: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17ZM12 8v4.5M12 15.75h.01",
};

/**
 * @param {keyof typeof ICONS} name
 * @returns {SVGSVGElement} Decoration: hidden from screen readers.
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  // Without its style sheet it would be as wide as the page.
  const size = { width: 20, height: 20, viewBox: "0 0 24 24" };
  setAttributes(svg, { ...size, class: `icon icon-${name}`, "aria-hidden": "true", focusable: "false" });
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
