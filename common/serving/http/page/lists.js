// Several models' lists side by side: each item's reasons, and where the lists agree and differ.
import { count, element, icon, name } from "./elements.js";
import { state } from "./state.js";

const MOST_NAMED = 6;
const number = (value) => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));
const signed = (value) => (value > 0 ? "+" : "") + number(value).replace("-", "−");
const percent = (value) => `${Math.round(100 * value)}%`;

/** One reason's number in words: shares in percent, listeners counted, the rest as what it adds to the score. */
function amount(reason, list, shared = false) {
  if (shared || (reason.kind === "part" && list.in_shares)) return percent(reason.value);
  if (reason.name.startsWith("listeners")) return number(reason.value);
  return reason.kind === "part" && reason.name === "popularity" ? "" : signed(reason.value);
}

/** The line under a name: the liked items that speak for it, else the strongest part, else what it is. */
function inShort(item, list) {
  const liked = item.reasons.filter((reason) => reason.kind === "item");
  if (liked.length) return liked.flatMap((reason, n) => [n ? ", " : "", name(reason.name)]);
  const part = item.reasons[0];
  if (part?.name.startsWith("listeners")) return [`${number(Math.round(part.value))} ${part.name}`];
  if (part && list.in_shares === false && part.name === "popularity") return ["by popularity alone"];
  return part ? [`${part.name} ${amount(part, list)}`] : [(item.tags ?? []).slice(0, 2).join(", ")];
}

/** Where models are interleaved, nothing may tell which of them gave an item: its reasons would. */
const blind = (list) => (list.model.includes(",") ? { ...list, items: list.items.map((item) => ({ ...item, reasons: [], share: null })), blind: true, basis: null, shared_reasons: [] } : list);

function inFull(item, list, actions) {
  const rows = item.reasons.map((reason) => element("tr", {}, element("td", {}, name(reason.name)), element("td", {}, amount(reason, list))));
  const terms = item.reasons.filter((reason) => list.terms?.[reason.name]).map((reason) => element("p", { class: "legend" }, `${reason.name}: ${list.terms[reason.name]}`));
  const about = [(item.tags ?? []).join(", "), count(item.listeners, "listener")].filter(Boolean).join(" · ");
  const shared = list.shared_reasons?.length ? "the same reasons as the whole list" : "no reasons for this item alone";
  const drawn = "the list is drawn from several models, so reasons are not shown";
  const nothing = list.blind ? drawn : list.basis ? shared : "working out the reasons…";
  const table = element("table", { class: "reasons" }, element("tbody", {}, ...rows));
  return [
    rows.length ? table : element("p", { class: "legend" }, nothing),
    ...terms,
    ...(list.late ? [element("p", { class: "legend" }, `why: ${list.basis}`)] : []),
    element("p", { class: "legend" }, about),
    element("button", { type: "button", class: "plain", onclick: () => actions.similar(item, list.model) }, "Similar items"),
  ];
}

function row(item, list, votes, lists, actions) {
  const of = actions.label(list.model);
  const more = element("div", { class: "more", hidden: true });
  const open = element("button", { type: "button", class: "name", "aria-expanded": "false", title: "why, and what is like it" }, name(item.name));
  const why = element("div", { class: "short why" });
  const say = (one, of) => {
    why.replaceChildren(...inShort(one, of));
    why.title = why.textContent;
    more.replaceChildren(...inFull(one, of, actions));
  };
  say(item, list);
  open.addEventListener("click", async () => {
    more.hidden = !more.hidden;
    open.setAttribute("aria-expanded", String(!more.hidden));
    if (more.hidden) return;
    actions.tell(item.item_id, "click");
    if (list.basis || list.blind) return;
    const explained = await actions.why(list.model); // reasons that take long come when they are asked for
    const one = explained?.items.find((other) => other.item_id === item.item_id);
    say(one ?? item, explained ?? { ...list, basis: "no reasons came" });
  });
  const who = item.artist && item.artist !== item.name ? [element("div", { class: "short" }, name(item.artist))] : [];
  const found = lists > 1 && votes > 1 ? [element("b", { class: "votes", title: `in ${votes} of ${lists} lists` }, `${votes}`, element("span", { class: "hidden" }, ` of ${lists} lists`))] : [];
  const share = element("span", { class: "share", "aria-hidden": "true", hidden: item.share === null }, element("i"));
  share.firstChild.style.width = percent(item.share ?? 0);
  return element(
    "li", { class: "item", "data-item": item.item_id },
    element("span", { class: "rank" }, `${item.rank}`),
    element("div", { class: "title" }, open, ...found),
    element("div", { class: "about" }, ...who, why, share),
    element("div", { class: "actions" },
      icon("like", `Like ${item.name}, from ${of}`, () => actions.rate(item, "like")),
      icon("dislike", `Dislike ${item.name}, from ${of}`, () => actions.rate(item, "dislike"))),
    more,
  );
}

function card(list, votes, lists, actions) {
  const title = element("h2", {}, name(actions.label(list.model)));
  const shared = (list.shared_reasons ?? []).map((reason) => `${reason.name} ${amount(reason, list, true)}`).join(", ");
  const below = [shared && `looked at: ${shared}`, list.basis && `why: ${list.basis}`].filter(Boolean);
  return element(
    "article", { class: "card list", "data-model": list.model, "aria-label": actions.label(list.model) },
    title,
    ...(list.note ? [element("p", { class: "note" }, list.note)] : []),
    element("ol", { class: "items" }, ...list.items.map((item) => row(item, list, votes.get(item.item_id), lists, actions))),
    ...(list.items.length ? [] : [element("p", { class: "legend" }, "nothing is left to recommend")]),
    ...(below.length ? [element("details", {}, element("summary", {}, "What the reasons are"), ...below.map((text) => element("p", { class: "legend" }, text)))] : []),
  );
}

/** In how many lists each item is. */
export function votesOf(lists) {
  const votes = new Map();
  for (const list of lists) for (const item of list.items) votes.set(item.item_id, (votes.get(item.item_id) ?? 0) + 1);
  return votes;
}

/** The control that has the focus, by its place in its list: after a like another item stands there. */
function focused(place) {
  const item = document.activeElement.closest(".item");
  if (!item || !place.contains(item)) return null;
  const kind = ["like", "dislike"].find((one) => document.activeElement.classList.contains(one)) ?? "name";
  return `[data-model="${item.closest(".list").dataset.model}"] .item:nth-child(${[...item.parentElement.children].indexOf(item) + 1}) .${kind}`;
}

export function showLists(place, found, actions) {
  const lists = found.map(blind);
  const votes = votesOf(lists);
  const focus = focused(place);
  place.replaceChildren(...lists.map((list) => card(list, votes, lists.length, actions)));
  if (focus) place.querySelector(focus)?.focus({ preventScroll: true });
}

/** Empty lists of the right number, while the first answer is awaited. */
export function showWaiting(place, labels) {
  place.replaceChildren(...labels.map((label) => element("article", { class: "card list waiting", "aria-hidden": "true" }, element("h2", {}, label))));
}

/** Marks one item in all lists, or none. */
export function markSame(place, id) {
  for (const one of place.querySelectorAll(".item")) one.classList.toggle("same", id !== null && one.dataset.item === id);
}

function agreed(lists, votes) {
  const names = new Map(lists.flatMap((list) => list.items.map((item) => [item.item_id, item.name])));
  const most = Math.max(0, ...votes.values());
  if (most < 2) return ["No two lists have an item in common."];
  const agreed = [...votes].filter(([, found]) => found === most).map(([id]) => names.get(id));
  const alone = [...votes.values()].filter((found) => found === 1).length;
  const listed = agreed.slice(0, MOST_NAMED).flatMap((text, n) => [n ? ", " : "", name(text)]);
  const more = agreed.length > MOST_NAMED ? [` and ${agreed.length - MOST_NAMED} more`] : [];
  const all = lists.length === 2 ? "both lists" : `all ${lists.length} lists`;
  const where = most === lists.length ? all : `${most} of ${lists.length} lists, none in more`;
  return [element("b", {}, `In ${where}: `), ...listed, ...more, `. ${alone} of ${votes.size} items are in one list alone.`];
}

function table(lists, label) {
  const sets = lists.map((list) => new Set(list.items.map((item) => item.item_id)));
  const head = lists.map((list, n) => element("th", { scope: "col", title: label(list.model) }, `${n + 1}`));
  const rows = lists.map((list, n) => {
    const cells = sets.map((other) => {
      const both = [...other].filter((id) => sets[n].has(id)).length;
      const cell = element("td", {}, `${both}`);
      cell.style.setProperty("--part", both / Math.max(1, state.k));
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row" }, `${n + 1} `, name(label(list.model))), ...cells);
  });
  const titles = element("thead", {}, element("tr", {}, element("td"), ...head));
  return element("table", { class: "common" }, element("caption", { class: "hidden" }, "Items that each two lists have in common"), titles, element("tbody", {}, ...rows));
}

/** Which items all lists have, how many are in one alone, and a table of what each two have in common. */
export function showAgreement(place, lists, label) {
  place.hidden = lists.length < 2;
  if (place.hidden) return place.replaceChildren();
  const wasOpen = place.querySelector("details")?.open ?? false;
  const legend = element("p", { class: "legend" }, element("b", { class: "votes" }, "3"), " three of these lists have the item. Point at an item to see it in all lists; press its name for the reasons.");
  const pairs = element("details", { open: wasOpen }, element("summary", {}, "Items in common"), element("div", { class: "scroll", tabindex: "0" }, table(lists, label)));
  place.replaceChildren(element("p", {}, ...agreed(lists, votesOf(lists))), legend, pairs);
}
