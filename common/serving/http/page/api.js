// Talks to the routes under /v1; an error has the sentence of the problem (RFC 9457), its status and suggestions.

export class Problem extends Error {
  constructor(sentence, status = 0, suggestions = []) {
    super(sentence);
    this.status = status;
    this.suggestions = suggestions;
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(`v1/${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("the service does not answer; see whether it still runs, then try again");
  }
  const type = response.headers.get("content-type") ?? "";
  const body = type.includes("json") ? await response.json().catch(() => null) : null;
  if (response.ok && body !== null) return body;
  const sentence = body?.detail ?? `the service answered ${response.status} ${response.statusText}`.trim();
  throw new Problem(sentence, response.status, body?.suggestions ?? []);
}

function post(path, content, signal) {
  const headers = { "content-type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(content), signal });
}

export const models = () => request("models");
export const suggest = (typed, signal) => request(`items?${new URLSearchParams({ q: typed, limit: 8 })}`, { signal });
export const recommend = (content, signal) => post("recommend", content, signal);
export const similar = (item, model, k = 10) => request(`similar?${new URLSearchParams({ item: `id:${item}`, model, k })}`);
export const feedback = (content) => post("feedback", content);
