/**
 * Icons, built node by node: 20 × 20, drawn with the text's colour, hidden from assistive technology.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Path data of each icon, stroked. */
const PATHS = {
  wire: ["M3 7.5A3.5 3.5 0 0 1 6.5 4h7A3.5 3.5 0 0 1 17 7.5v3a3.5 3.5 0 0 1-3.5 3.5H9l-3.8 3v-3.3A3.5 3.5 0 0 1 3 10.5Z", "M6 9h2l1.5-2 2 4 1-2H14"],
  send: ["M3.5 10 16.5 4l-4 12.5-3-5z", "m9.5 11.5 3-3"],
  templates: ["M3.5 5.5h13", "M3.5 10h8", "M3.5 14.5h5", "m13 12 1.2 2.3 2.3.4-1.7 1.7.4 2.3-2.2-1.1-2.2 1.1.4-2.3-1.7-1.7 2.3-.4z"],
  back: ["M12 4.5 6.5 10l5.5 5.5"],
  close: ["m5 5 10 10", "M15 5 5 15"],
  person: ["M10 10.2a3.1 3.1 0 1 0 0-6.2 3.1 3.1 0 0 0 0 6.2Z", "M4 16.5c.6-2.8 3-4.2 6-4.2s5.4 1.4 6 4.2"],
  bot: ["M4.5 8.5a2 2 0 0 1 2-2h7a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2z", "M10 6.5v-3", "M7.8 10.5v.8", "M12.2 10.5v.8", "M2.5 10v2.5", "M17.5 10v2.5"],
  end: ["M5.5 10h9", "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Z"],
  fault: ["M10 3.2 17.3 16H2.7z", "M10 8v3.6", "M10 13.7v.1"],
  help: ["M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Z", "M7.9 8.1c.2-1.2 1-1.8 2.2-1.8 1.3 0 2.1.7 2.1 1.8 0 1.5-2.1 1.6-2.1 3.1", "M10 13.7v.1"],
  leave: ["M8.5 3.5h-4v13h4", "M8.5 10h8", "m13.5 7 3 3-3 3"],
  find: ["M8.8 14.1a5.3 5.3 0 1 0 0-10.6 5.3 5.3 0 0 0 0 10.6Z", "m12.8 12.8 3.7 3.7"],
  transfer: ["M3.5 7h11", "m11.5 4 3 3-3 3", "M16.5 13h-11", "m8.5 16-3-3 3-3"],
  copy: ["M7.5 7.5h9v9h-9z", "M12.5 7.5v-4h-9v9h4"],
  check: ["m4.5 10.5 3.7 3.7 7.3-8"],
  down: ["M10 4v12", "m5.5 11.5 4.5 4.5 4.5-4.5"],
  image: ["M3.5 4.5h13v11h-13z", "m3.5 13 3.8-3.8 3.2 3.2 2-2 4 3.6", "M12.8 7.7v.1"],
  calendar: ["M4 5.5h12v11H4z", "M4 9h12", "M7.5 3.5v3", "M12.5 3.5v3"],
  file: ["M5.5 3.5h6l3.5 3.5v9.5h-9.5z", "M11.5 3.5V7H15"],
  download: ["M10 3.5v9", "m6 9 4 4 4-4", "M4 16.5h12"],
  reply: ["M8 5 3.5 9.5 8 14", "M3.5 9.5h7c3.5 0 5.5 2 6 5.5"],
  attach: ["m15.5 9.2-5.8 5.8a3.4 3.4 0 0 1-4.8-4.8l6.3-6.3a2.3 2.3 0 0 1 3.3 3.3l-6.2 6.2a1.1 1.1 0 0 1-1.6-1.6l5.3-5.3"],
  plus: ["M10 4v12", "M4 10h12"],
  up: ["M10 16V4", "m5.5 8.5 4.5-4.5 4.5 4.5"],
  lock: ["M5 9.5h10v7H5z", "M7 9.5V7a3 3 0 0 1 6 0v2.5"],
  pencil: ["m4 16 .8-3.4L13 4.4l2.6 2.6-8.2 8.2z", "m11.5 6 2.6 2.6"],
  trash: ["M4.5 6h11", "M8 6V4h4v2", "m6 6 .7 10.5h6.6L14 6"],
  link: ["M11.5 4.5h4v4", "m15.5 4.5-6 6", "M13.5 11.5v4h-9v-9h4"],
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * @param {IconName} name
 * @param {string} [className]
 */
export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", `icon ${className}`.trim());
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  for (const data of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", data);
    svg.append(path);
  }
  return svg;
}
