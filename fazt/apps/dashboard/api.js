// The admin API, as pages call it: JSON in and out, an error that says what was wrong, lists page by page.
//
//   await get("/sites", {limit: 50})            → the answer; null for 204
//   await post("/sites", {name: "blog"})        → the same, for put, patch and del
//   for await (const item of all("/sites")) …   → every item of a list
//   events(onEvent)                             → server-sent events until the returned function is called
//
// A failure throws ApiError {status, code, message, details}. A 401 tells the application that nobody is signed in.

export class ApiError extends Error {
  constructor(status, code, message, details = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

let onSignedOut = () => {};

export function whenSignedOut(listener) {
  onSignedOut = listener;
}

function address(path, params) {
  const wanted = Object.entries(params ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(wanted).toString();
  return `/api${path}${query ? `?${query}` : ""}`;
}

export async function request(method, path, { params, body, headers, signal } = {}) {
  const raw = body instanceof Blob || body instanceof ArrayBuffer || body instanceof Uint8Array;
  const fields = { "Fazt-Request": "1", ...headers };
  if (body !== undefined && !raw) fields["Content-Type"] = "application/json";
  if (raw && !fields["Content-Type"]) fields["Content-Type"] = "application/octet-stream";
  let response;
  try {
    response = await fetch(address(path, params), {
      method,
      headers: fields,
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The server does not answer. Is it running, and are you online?");
  }
  if (!response.ok) throw await failure(response, path);
  return response;
}

async function failure(response, path) {
  let told = {};
  try {
    told = (await response.json()).error ?? {};
  } catch {
    // not JSON: something between here and the server answered
  }
  const { code = "failed", message = `The server answered with status ${response.status}.`, ...details } = told;
  if (response.status === 401 && !path.startsWith("/session")) onSignedOut();
  return new ApiError(response.status, code, message, details);
}

async function asJson(method, path, options) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, params, options) => asJson("GET", path, { params, ...options });
export const post = (path, body, options) => asJson("POST", path, { body: body ?? {}, ...options });
export const put = (path, body, options) => asJson("PUT", path, { body, ...options });
export const patch = (path, body, options) => asJson("PATCH", path, { body, ...options });
export const del = (path, body, options) => asJson("DELETE", path, { body, ...options });

// What holds an edit to the state that was seen: patch(path, body, seen(link)). Else the server refuses it with 412.
export const seen = ({ revision }) => ({ headers: { "If-Match": `"${revision}"` } });

export async function* all(path, params) {
  let after = null;
  do {
    const page = await get(path, { limit: 500, ...params, after });
    yield* page.items;
    after = page.next;
  } while (after !== null);
}

export async function list(path, params) {
  const items = [];
  for await (const item of all(path, params)) items.push(item);
  return items;
}

// Only while the page is seen: a browser opens six connections to a host, and tabs behind others would use them all up.
export function events(onEvent) {
  let source = null;
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    source = new EventSource("/api/events");
    for (const kind of ["change", "traffic"]) source.addEventListener(kind, (event) => onEvent(kind, JSON.parse(event.data)));
  };
  const onVisibility = () => {
    close();
    if (document.hidden) return;
    open();
    onEvent("change", { kind: "all", key: "" }); // whatever happened meanwhile
  };
  if (!document.hidden) open();
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    close();
  };
}

// Lines of NDJSON as they come, for as long as the signal lets them; onOpen() once the server has begun to answer.
export async function* lines(path, params, signal, onOpen) {
  const response = await request("GET", path, { params, signal });
  onOpen?.();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const line of parts) if (line) yield JSON.parse(line);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

let known = null;

// Who is signed in: {state, user, server}. Asked once, and after each change of it.
export async function session({ fresh = false } = {}) {
  if (known === null || fresh) known = await get("/session");
  return known;
}

export function keepSession(answer) {
  known = answer;
}

export function whoIsHere() {
  return known;
}
