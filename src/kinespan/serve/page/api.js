// The server's API, which docs/page-api.md describes.

export class ApiError extends Error {
  // status 0: the server did not answer
  constructor(status, message, body = null) {
    super(message);
    Object.assign(this, { status, body });
  }
}

let author = "";

// The name under which changes are made from here.
export function setAuthor(name) {
  author = name;
}

async function request(method, path, { query = {}, body = undefined, as = "json" } = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  const headers = { "X-Author": encodeURIComponent(author) };
  const isFile = body instanceof Blob;
  if (body !== undefined && !isFile) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/api/${path}${search}`, { method, headers, body: body === undefined || isFile ? body : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "The server does not answer. Is kinespan still running in its window?");
  }
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new ApiError(response.status, answer.error ?? `The server answered ${response.status}.`, answer);
  }
  return as === "bytes" ? response.arrayBuffer() : as === "response" ? response : response.json();
}

export const getJson = (path, query) => request("GET", path, { query });
export const getBytes = (path, query) => request("GET", path, { query, as: "bytes" });
export const getResponse = (path, query) => request("GET", path, { query, as: "response" });
export const postJson = (path, body, query) => request("POST", path, { body, query });
export const putJson = (path, body, query) => request("PUT", path, { body, query });
export const putFile = (path, file) => request("PUT", path, { body: file });

// A link that downloads an answer.
export function linkTo(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  return `/api/${path}?${new URLSearchParams(given)}`;
}

// Calls handlers[event](data) for what the server tells, and handlers.lost / handlers.back as the connection goes and
// comes; returns a function that stops listening.
export function listen(handlers) {
  const source = new EventSource("/api/live");
  for (const name of ["change", "job", "recordings", "models"]) {
    source.addEventListener(name, (event) => handlers[name]?.(JSON.parse(event.data)));
  }
  let isLost = false;
  source.addEventListener("error", () => {
    if (!isLost) handlers.lost?.();
    isLost = true;
  });
  source.addEventListener("open", () => {
    if (isLost) handlers.back?.();
    isLost = false;
  });
  return () => source.close();
}
