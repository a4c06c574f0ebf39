// The server's routes as functions. A session is a cookie, which the browser sends by itself, and a
// key, which only pages of this very origin can read.

const KEY = "opencoder-session";

/** Take the key that the one-time address has led to, and hide it from view and history. */
export function takeSession() {
  const match = /^#session=([\w-]+)$/.exec(location.hash);
  if (match) {
    localStorage.setItem(KEY, match[1]);
    history.replaceState(null, "", location.pathname);
  }
}

/** What a route that fails throws; `gone` is whether what was asked for is not there any more. */
export class RouteError extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
    this.gone = status === 404;
  }
}

export const state = () => ask("GET", "state");
export const conversations = (search) =>
  ask("GET", `conversations?search=${encodeURIComponent(search)}`).then((got) => got.conversations);
export const conversation = (id) => ask("GET", `conversations/${id}`);
export const change = (id, changes) => ask("PATCH", `conversations/${id}`, changes);
export const remove = (id) => ask("DELETE", `conversations/${id}`, {});
export const exported = (id, format) => ask("GET", `conversations/${id}/export?format=${format}`);
export const forget = (id, message) => ask("DELETE", `conversations/${id}/messages/${message}`, {});
export const count = (question) => ask("POST", "count", question);
export const begin = (turn) => ask("POST", "turns", turn);
export const stop = (turn) => ask("POST", `turns/${turn}/stop`, {});
export const library = () => ask("GET", "library");
export const keepFolder = (folder) => ask("POST", "folders", folder);
export const removeFolder = (id) => ask("DELETE", `folders/${id}`, {});
export const keepPrompt = (prompt) => ask("POST", "prompts", prompt);
export const removePrompt = (id) => ask("DELETE", `prompts/${id}`, {});
export const archive = () => ask("GET", "archive");
export const takeIn = (text) => ask("POST", "archive", text);

/** Hear the events of a turn behind `after` characters; returns when the connection ends. */
export async function follow(turn, after, heard, signal) {
  const response = await request("GET", `turns/${turn}/events`, undefined, {
    signal,
    headers: { "Last-Event-ID": String(after) },
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").find((line) => line.startsWith("data: "));
      if (data) heard(JSON.parse(data.slice(6)));
    }
  }
}

async function ask(method, path, body) {
  return (await request(method, path, body)).json();
}

async function request(method, path, body, { signal, headers = {} } = {}) {
  const response = await fetch(`api/${path}`, {
    method,
    signal,
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    headers: {
      "Content-Type": "application/json",
      "X-OpenCoder-Session": localStorage.getItem(KEY) ?? "",
      ...headers,
    },
  });
  if (response.ok) return response;
  const error = await response.json().then((got) => got.error, () => ({}));
  throw new RouteError(response.status, error.message ?? `the server said ${response.status}`, error.code);
}
