// The server's API, which docs/page-api.md describes.

export class ApiError extends Error {
  // status 0: the server did not answer
  constructor(status, message, body = null) {
    super(message);
    Object.assign(this, { status, body });
  }
}

export const NO_ANSWER = "The server does not answer. Is kinespan still running in its window?";
let author = "";

// The name under which changes are made from here.
export function setAuthor(name) {
  author = name;
}

async function request(method, path, { query = {}, body = undefined, as = "json" } = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  const headers = { "X-Author": encodeURIComponent(author) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const response = await answered(fetch(`/api/${path}${search}`, options));
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new ApiError(response.status, answer.error ?? `The server answered ${response.status}.`, answer);
  }
  if (as === "response") return response;
  return answered(as === "bytes" ? response.arrayBuffer() : response.json());
}

// A server that ends may do so before an answer or within it.
function answered(promise) {
  return promise.catch(() => {
    throw new ApiError(0, NO_ANSWER);
  });
}

export const getJson = (path, query) => request("GET", path, { query });
export const getBytes = (path, query) => request("GET", path, { query, as: "bytes" });
export const getResponse = (path, query) => request("GET", path, { query, as: "response" });
export const postJson = (path, body, query) => request("POST", path, { body, query });
export const putJson = (path, body, query) => request("PUT", path, { body, query });

// Sends a file; onprogress(bytes) tells how much of it is sent.
export function putFile(path, file, onprogress) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest(); // fetch does not tell how far it is
    sending.open("PUT", `/api/${path}`);
    sending.setRequestHeader("X-Author", encodeURIComponent(author));
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.responseType = "json";
    sending.upload.addEventListener("progress", ({ loaded }) => onprogress(loaded));
    sending.addEventListener("error", () => reject(new ApiError(0, NO_ANSWER)));
    sending.addEventListener("load", () => {
      if (sending.status < 300) resolve(sending.response);
      else reject(new ApiError(sending.status, sending.response?.error ?? `The server answered ${sending.status}.`,
        sending.response));
    });
    sending.send(file);
  });
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
