// The page: what is said and set goes to the service, and its lists come back.
import * as api from "./api.js";
import { combobox } from "./combobox.js";
import { $, count, element, icon, name } from "./elements.js";
import { markSame, showAgreement, showLists, showWaiting } from "./lists.js";
import { openSimilar, prepareSimilar } from "./similar.js";
import { MOST_PLAYS, SLIDERS, fromHash, give, learn, nameOf, play, question, state, take, toHash } from "./state.js";

const FIRST = ["popularity", "als", "sasrec", "two_tower", "hybrid_listnet"]; // shown at first, where they are trained
const WAIT = 90; // milliseconds after the last move of a slider
const TYPING = 300; // milliseconds after the last digit of a number
const SEEN = 500; // milliseconds that lists stand until they count as shown
const AGAIN = 2000; // milliseconds until models that are being loaded are asked for again

let about = { models: [] };
let requestId = null;
let asked = new AbortController();
let timer = 0;
let unseen = null; // what is shown and has not been told
let seenTimer = 0;
let whys = new Map(); // explained lists of models that explain only when they are asked

const session = (() => {
  const made = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const kept = sessionStorage.getItem("session") ?? made();
    sessionStorage.setItem("session", kept);
    return kept;
  } catch {
    return made(); // a browser that keeps nothing
  }
})();

const label = (model) => (model.includes(",") ? `one list of ${model.split(",").map(label).join(" and ")}` : labelOf(model));
const labelOf = (model) => about.models.find((one) => one.name === model)?.label ?? model.replaceAll("_", " ");
const available = () => about.models.filter((one) => one.available).map((one) => one.name);
const said = (sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1) + (/[.!?]$/.test(sentence) ? "" : ".");

const actions = {
  label,
  models: () => about.models,
  similar: (item, model) => openSimilar(item, model, actions),
  rate(item, kind) {
    learn(item);
    give(item.item_id, kind === "like" ? "likes" : "dislikes");
    actions.tell(item.item_id, kind);
    $("similar").close();
    changed();
  },
  why(model) {
    const ask = () => api.recommend({ ...question(session), models: [model], why: true }).then((answer) => ({ ...answer.lists[0], late: true }));
    if (!whys.has(model)) whys.set(model, ask().catch((error) => showNote("why", error.message)));
    return whys.get(model);
  },
  async tell(item, kind) {
    tellSeen();
    try {
      await api.feedback({ session, item, kind, ...(requestId && { request_id: requestId }) });
      showNote("kept", null);
    } catch (error) {
      showNote("kept", error.message); // lists come all the same
    }
  },
};

/** Once for every answer, without a word where it is not kept: nobody has asked for it. */
function tellSeen() {
  clearTimeout(seenTimer);
  if (unseen) api.feedback({ session, kind: "impression", ...unseen }).catch(() => {});
  unseen = null;
}

function shown(found) {
  const items = [...new Set(found.map((item) => item.item_id))];
  unseen = items.length && requestId ? { items, request_id: requestId } : null;
  seenTimer = setTimeout(tellSeen, SEEN);
}

function showNote(kind, sentence) {
  $("notes").querySelector(`[data-kind="${kind}"]`)?.remove();
  if (sentence) $("notes").append(element("p", { class: "note", "data-kind": kind }, said(sentence)));
}

function showProblem(error) {
  const place = $("problem");
  place.hidden = !error;
  if (!error) return place.replaceChildren();
  const suggested = error.suggestions.map((item) => element("li", {}, element("button", { type: "button", class: "chip", onclick: () => actions.rate(item, "like") }, name(item.name))));
  const again = element("button", { type: "button", class: "plain", onclick: start }, "Try again");
  place.replaceChildren(said(error.message), " ", again, ...(suggested.length ? [element("ul", { class: "names" }, ...suggested)] : []));
}

function showProfile() {
  for (const list of ["likes", "dislikes"]) {
    const word = list === "likes" ? "like" : "dislike";
    const other = word === "like" ? "dislike" : "like";
    const shown = JSON.stringify(state[list].map((id) => [id, nameOf(id)]));
    if ($(list).dataset.shown === shown) continue; // whoever types a number there goes on typing
    $(list).dataset.shown = shown;
    const rows = state[list].map((id) => element("li", {}, name(nameOf(id)), ...(word === "like" && about.has_plays ? [playsOf(id)] : []),
      icon(other, `${other === "like" ? "Like" : "Dislike"} ${nameOf(id)} instead`, () => actions.rate({ item_id: id }, other)),
      icon("close", `No longer ${word} ${nameOf(id)}`, () => forget(id))));
    $(list).replaceChildren(...rows);
  }
  if (state.likes.length) $("popular").hidden = true;
}

/** The small field for how often an item was played; it may stay empty. */
function playsOf(id) {
  const title = `How often you played ${nameOf(id)}, a whole number up to ${count(MOST_PLAYS, "play")}; it may stay empty`;
  const field = element("input", { type: "number", class: "plays", min: 1, max: MOST_PLAYS, step: 1, inputmode: "numeric", placeholder: "plays", "aria-label": `Plays of ${nameOf(id)}`, title, value: state.plays[id] });
  field.addEventListener("input", () => {
    play(id, field.validity.valid ? field.valueAsNumber : NaN);
    field.setAttribute("aria-invalid", String(!field.validity.valid));
    changed(TYPING);
  });
  return field;
}

function forget(id) {
  take(id);
  actions.tell(id, "withdraw");
  changed();
  $("name").focus();
}

function showModels() {
  const chips = about.models.map((model) => {
    const on = state.models.includes(model.name);
    return element("button", { type: "button", class: "chip", "aria-pressed": String(on), disabled: !model.available, title: model.reason, "data-model": model.name, onclick: () => toggle(model.name) }, model.label);
  });
  $("models").replaceChildren(...chips);
}

function toggle(model) {
  const on = state.models.includes(model);
  if (on && state.models.length === 1 && !about.experiment?.length) return;
  state.models = available().filter((one) => (one === model ? !on : state.models.includes(one)));
  changed();
  $("models").querySelector(`[data-model="${model}"]`).focus();
}

function showSettings() {
  for (const id of SLIDERS) {
    $(id).value = state[id];
    document.querySelector(`output[for="${id}"]`).value = state[id] ? state[id].toFixed(2) : "off";
    $(id).setAttribute("aria-valuetext", state[id] ? state[id].toFixed(2) : "off");
  }
  $("k").value = state.k;
  $("explicit").checked = state.explicit;
  $("when").value = state.when;
}

/** After every change: the address, what is shown of the state, and new lists. */
function changed(wait = 0) {
  history.replaceState(null, "", toHash());
  showProfile();
  showModels();
  showSettings();
  $("lists").setAttribute("aria-busy", "true");
  asked.abort(); // an answer to what was set before comes too late
  clearTimeout(timer);
  clearTimeout(seenTimer); // lists that a slider ran past were not seen
  unseen = null;
  timer = setTimeout(refresh, wait);
}

async function refresh() {
  asked = new AbortController();
  whys = new Map();
  const empty = !state.likes.length;
  const lists = $("lists");
  if (!lists.querySelector(".list") && !empty) showWaiting(lists, state.models.length ? state.models.map(label) : ["…"]);
  try {
    const answer = await api.recommend(question(session), asked.signal);
    requestId = answer.request_id ?? null;
    for (const item of [...(answer.resolved ?? []), ...answer.lists.flatMap((list) => list.items)]) learn(item);
    showProfile();
    showProblem(null);
    showNote("notes", (answer.notes ?? []).join("; ") || null);
    shown(empty ? showEmpty(answer.lists[0]) : showAnswer(answer.lists));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof api.Problem)) throw error;
    showProblem(error);
    $("agreement").hidden = true;
    lists.replaceChildren();
  }
  lists.setAttribute("aria-busy", "false");
}

function showAnswer(found) {
  showAgreement($("agreement"), found, label);
  showLists($("lists"), found, actions);
  $("status").textContent = `${count(found.length, "list")} for ${state.likes.map(nameOf).join(", ")}`;
  return found.flatMap((list) => list.items);
}

/** Before anything is liked: what many listen to, to begin with. */
function showEmpty(popular) {
  $("agreement").hidden = true;
  const many = element("p", { class: "legend" }, `Name something that you like, and ${state.models.length ? `${count(state.models.length, "model")} will answer side by side` : "a list will follow"}.`);
  $("lists").replaceChildren(many);
  const first = (popular?.items ?? []).slice(0, 8);
  const rows = first.map((item) => element("li", {}, element("button", { type: "button", class: "chip", title: nameOf(item.item_id), onclick: () => actions.rate(item, "like") }, name(item.name))));
  $("popular").querySelector("ul").replaceChildren(...rows);
  $("popular").hidden = !rows.length;
  $("status").textContent = "";
  return first;
}

function readAddress() {
  const trained = available();
  const first = FIRST.filter((one) => trained.includes(one));
  const limits = Object.fromEntries(SLIDERS.map((id) => [id, Number($(id).max)]));
  const usual = first.length > 1 ? first : trained.slice(0, 5);
  fromHash(location.hash, trained, about.experiment?.length ? [] : usual, limits);
  if (about.has_features === false) state.diversity = 0;
  if (!about.has_plays) state.plays = Object.create(null);
  delete $("likes").dataset.shown; // numbers may be others
}

async function start() {
  showProblem(null);
  try {
    about = await api.models();
  } catch (error) {
    return showProblem(error);
  }
  $("facts").replaceChildren(element("b", {}, about.dataset), " / ", element("b", {}, about.protocol ?? about.models[0]?.protocol ?? ""));
  document.title = `Encore: ${about.dataset}`;
  $("explicit-label").hidden = !about.has_explicit;
  $("when-label").hidden = !about.models.some((model) => model.knows_time);
  $("diversity").disabled = about.has_features === false;
  if ($("diversity").disabled) $("diversity").title = "the data say nothing of the items that could differ";
  readAddress();
  showModels();
  if (!available().length) {
    $("lists").replaceChildren(element("p", { class: "legend" }, "No model can be asked yet; this page looks again by itself."));
    return setTimeout(start, AGAIN);
  }
  const away = about.models.filter((model) => !model.available).map((model) => `${model.label}: ${model.reason}`);
  showNote("models", away.join("; ") || null);
  changed();
  document.documentElement.dataset.ready = "yes";
}

function prepareSettings() {
  for (const id of SLIDERS) $(id).addEventListener("input", () => { state[id] = Number($(id).value); changed(WAIT); });
  $("k").addEventListener("change", () => { state.k = Number($("k").value); changed(); });
  $("explicit").addEventListener("change", () => { state.explicit = $("explicit").checked; changed(); });
  $("when").addEventListener("change", () => { state.when = $("when").value; changed(); });
  $("reset").addEventListener("click", () => { for (const id of SLIDERS) state[id] = 0; state.explicit = false; state.when = ""; changed(); });
  $("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href).then(() => "Copied", () => "Copy the address").then((text) => { $("copy").textContent = text; });
    setTimeout(() => { $("copy").textContent = "Copy link"; }, 2000);
  });
}

function prepareTheme() {
  const use = (theme) => { theme ? document.documentElement.dataset.theme = theme : delete document.documentElement.dataset.theme; };
  try { $("theme").value = localStorage.getItem("theme") ?? ""; } catch { /* a browser that keeps nothing */ }
  use($("theme").value);
  $("theme").addEventListener("change", () => {
    use($("theme").value);
    try { localStorage.setItem("theme", $("theme").value); } catch { /* the same */ }
  });
}

const lists = $("lists");
const itemAt = (event) => event.target.closest?.(".item")?.dataset.item ?? null;
for (const kind of ["mouseover", "focusin"]) lists.addEventListener(kind, (event) => markSame(lists, itemAt(event)));
for (const kind of ["mouseleave", "focusout"]) lists.addEventListener(kind, () => markSame(lists, null));
window.addEventListener("hashchange", () => { readAddress(); changed(); });
combobox((item) => { learn(item); give(item.item_id, "likes"); actions.tell(item.item_id, "like"); changed(); });
prepareTheme();
prepareSettings();
prepareSimilar();
start();
