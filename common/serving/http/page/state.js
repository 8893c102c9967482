// What somebody has said and set, and the part of the address behind # that reproduces it.

export const SLIDERS = ["diversity", "novelty", "unpopularity"];

export const MOST_PLAYS = 1000000;

export const state = { likes: [], dislikes: [], plays: Object.create(null), models: [], k: 10, diversity: 0, novelty: 0, unpopularity: 0, explicit: false, when: "" };

/** Names of items by id, as far as they are known. */
const names = new Map();

export function learn(item) {
  if (item.name) names.set(item.item_id, item.artist && item.artist !== item.name ? `${item.name} - ${item.artist}` : item.name);
}

export const nameOf = (id) => names.get(id) ?? id;

/** Likes (or dislikes) an item in place of what was said of it before. */
export function give(id, list) {
  take(id);
  state[list].push(id);
}

export function take(id) {
  for (const list of ["likes", "dislikes"]) state[list] = state[list].filter((one) => one !== id);
  delete state.plays[id];
}

const isCount = (number) => Number.isInteger(number) && number >= 1 && number <= MOST_PLAYS;

/** How often a liked item was played; nothing is known of it where that is no whole number from 1 to MOST_PLAYS. */
export function play(id, number) {
  if (isCount(number)) state.plays[id] = number;
  else delete state.plays[id];
}

export function toHash() {
  const query = new URLSearchParams();
  for (const id of state.likes) query.append("like", id);
  for (const id of state.dislikes) query.append("dislike", id);
  for (const id of state.likes) if (state.plays[id]) query.append("plays", `${state.plays[id]}:${id}`);
  if (state.models.length) query.set("models", state.models.join(","));
  if (state.k !== 10) query.set("k", state.k);
  for (const name of SLIDERS) if (state[name] > 0) query.set(name, state[name]);
  if (state.explicit) query.set("explicit", "no");
  if (state.when) query.set("when", state.when);
  return `#${query}`;
}

/** Takes over what the address says; of what makes no sense the default stays. */
export function fromHash(hash, known, defaults, limits) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const unique = (name) => [...new Set(query.getAll(name))].filter((id) => id !== "").slice(0, 1000);
  state.likes = unique("like");
  state.dislikes = unique("dislike").filter((id) => !state.likes.includes(id));
  state.plays = Object.create(null);
  for (const [, number, id] of query.getAll("plays").map((text) => text.match(/^(\d+):(.+)$/s) ?? [])) if (state.likes.includes(id)) play(id, Number(number));
  const chosen = (query.get("models") ?? "").split(",").filter((name) => known.includes(name));
  state.models = query.has("models") && chosen.length ? chosen : defaults;
  state.k = [5, 10, 20].find((k) => k === Number(query.get("k"))) ?? 10;
  for (const name of SLIDERS) {
    const value = Number(query.get(name) ?? 0);
    state[name] = value >= 0 && value <= limits[name] ? value : 0;
  }
  state.explicit = query.get("explicit") === "no";
  state.when = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(query.get("when") ?? "") ? query.get("when") : "";
}

/** The body of /v1/recommend. */
export function question(session) {
  const items = (ids) => ids.map((item) => ({ item }));
  const rerank = Object.fromEntries(SLIDERS.map((name) => [name, state[name]]));
  const when = state.when ? new Date(state.when).toISOString() : null;
  const models = state.models.length ? state.models : null; // null: every model, or the interleaved list of an experiment
  const likes = state.likes.map((item) => (state.plays[item] ? { item, plays: state.plays[item] } : { item }));
  const asked = { likes, dislikes: items(state.dislikes), k: state.k, models, rerank };
  return { ...asked, exclude_explicit: state.explicit, when, session };
}
