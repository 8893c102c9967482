// Makes elements. Every text goes in as text, never as HTML, and names keep their own direction of writing.

export const $ = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...inside);
  return made;
}

export const name = (text) => element("bdi", {}, text);

const PATHS = {
  like: "M12 20s-7.5-4.6-9-9.3C2 7.3 4.300 5 7 5c2.100 0 3.900 1.200 5 3 1.100-1.800 2.900-3 5-3 2.700 0 5 2.300 4 5.700C19.500 15.400 12 20 12 20z",
  dislike: "M5.600 5.600l12.800 12.800M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z",
  close: "M6 6l12 12M18 6L6 18",
};

/** A button that is a picture with a name for screen readers. */
export function icon(kind, label, onclick) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[kind]);
  svg.append(path);
  return element("button", { type: "button", class: `icon ${kind}`, "aria-label": label, title: label, onclick }, svg);
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
