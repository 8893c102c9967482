// The panel of items like one.
import * as api from "./api.js";
import { $, element, icon, name } from "./elements.js";
import { learn } from "./state.js";

let shown = null;
let asked = 0;

async function fill(actions) {
  const place = $("similar-items");
  const own = ++asked;
  place.setAttribute("aria-busy", "true");
  $("similar-basis").textContent = "…";
  try {
    const found = await api.similar(shown.item_id, $("similar-model").value);
    if (own !== asked) return;
    found.items.forEach(learn);
    $("similar-basis").textContent = found.basis;
    place.replaceChildren(...found.items.map((item) => row(item, actions)));
  } catch (error) {
    if (own !== asked) return;
    $("similar-basis").textContent = error.message;
    place.replaceChildren();
  } finally {
    place.setAttribute("aria-busy", "false");
  }
}

function row(item, actions) {
  const about = item.artist && item.artist !== item.name ? item.artist : (item.tags ?? []).slice(0, 3).join(", ");
  const share = element("span", { class: "share", "aria-hidden": "true" }, element("i"));
  share.firstChild.style.width = `${Math.round(100 * (item.share ?? 0))}%`;
  const open = element("button", { type: "button", class: "name", title: "what is like it", onclick: () => openSimilar(item, $("similar-model").value, actions) }, name(item.name));
  return element(
    "li", { class: "item", "data-item": item.item_id },
    element("span", { class: "rank" }, `${item.rank}`),
    element("div", { class: "title" }, open),
    element("div", { class: "about" }, element("div", { class: "short" }, name(about)), share),
    element("div", { class: "actions" }, icon("like", `Like ${item.name}`, () => actions.rate(item, "like")), icon("dislike", `Dislike ${item.name}`, () => actions.rate(item, "dislike"))),
  );
}

/** Opens the panel, or fills it anew; a model that knows no similarity gives way to the first that does. */
export function openSimilar(item, model, actions) {
  shown = item;
  $("similar-title").replaceChildren("Like ", name(item.name));
  const known = actions.models().filter((one) => one.available && one.knows_similarity !== false);
  const chosen = (known.find((one) => one.name === model) ?? known[0])?.name;
  $("similar-model").replaceChildren(...known.map((one) => new Option(one.label, one.name, false, one.name === chosen)));
  $("similar-model").onchange = () => fill(actions);
  if (!$("similar").open) $("similar").showModal();
  fill(actions);
}

export function prepareSimilar() {
  const dialog = $("similar");
  $("similar-close").replaceWith(icon("close", "Close", () => dialog.close()));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
