// The field with suggestions: ARIA 1.2 combobox, by keyboard, mouse and touch.
import * as api from "./api.js";
import { $, count, element, name } from "./elements.js";

const WAIT = 120; // milliseconds after the last letter

export function combobox(choose) {
  const input = $("name");
  const list = $("suggestions");
  let items = [];
  let active = -1;
  let timer = 0;
  let asked = new AbortController();

  function show(place) {
    active = place;
    [...list.children].forEach((option, n) => option.setAttribute("aria-selected", String(n === place)));
    if (place >= 0) {
      input.setAttribute("aria-activedescendant", list.children[place].id);
      list.children[place].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function open(found, otherwise) {
    items = found;
    const rows = found.map((item, n) => {
      const about = item.artist && item.artist !== item.name ? [element("small", {}, name(item.artist))] : [];
      const row = { role: "option", id: `option-${n}`, "aria-selected": "false", onclick: () => pick(item) };
      return element("li", row, element("span", {}, name(item.name), ...about), element("small", {}, count(item.listeners, "listener")));
    });
    list.replaceChildren(...(rows.length || !otherwise ? rows : [element("li", { class: "said" }, otherwise)]));
    list.hidden = !list.children.length;
    input.setAttribute("aria-expanded", String(rows.length > 0));
    show(rows.length ? 0 : -1);
  }

  function close() {
    clearTimeout(timer);
    asked.abort();
    open([]);
  }

  function pick(item) {
    input.value = "";
    close();
    choose(item);
    input.focus();
  }

  async function look() {
    asked.abort();
    asked = new AbortController();
    const typed = input.value.trim();
    if (!typed) return open([]);
    try {
      const found = (await api.suggest(typed, asked.signal)).items;
      open(found, `nothing is called “${typed}”; check the spelling`);
    } catch (error) {
      if (error.name !== "AbortError") open([], error.message);
    }
  }

  async function enter() {
    clearTimeout(timer);
    if (active < 0) await look();
    if (active >= 0) pick(items[active]);
  }

  const step = (by) => items.length && show((active + by + items.length) % items.length);
  const keys = { ArrowDown: () => (list.hidden ? look() : step(1)), ArrowUp: () => step(-1), Enter: enter };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    show(-1);
    timer = setTimeout(look, WAIT);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      if (list.hidden) input.value = "";
      close();
    } else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  input.addEventListener("blur", close);
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
}
