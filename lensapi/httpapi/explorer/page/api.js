// api.js: requests to the server the page came from. Errors of the API become ApiError with the server's own sentence; a server that cannot be reached is
// noticed here, for the whole page, and asked for until it is back.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// Gone means that no answer came at all.
export class Gone extends ApiError {
  constructor() {
    super(0, "gone", "the server does not answer");
  }
}

const watchers = [];
let reachable = true;

// onReachable calls f(true or false) when the server goes or comes back.
export const onReachable = (f) => watchers.push(f);

function mark(now) {
  if (now === reachable) return;
  reachable = now;
  for (const f of watchers) f(now);
  if (!now) ask(500);
}

// ask looks whether the server is back, ever less often.
function ask(wait) {
  setTimeout(async () => {
    if (reachable) return;
    if (!(await ping())) ask(Math.min(wait * 1.5, 5000));
  }, wait);
}

// ping asks once, and tells whether the server is there.
export async function ping() {
  try {
    mark((await fetch("/healthz", { cache: "no-store" })).ok);
  } catch {
    mark(false);
  }
  return reachable;
}

// request returns the response of a request that went well.
async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (err) {
    if (err.name === "AbortError") throw err;
    mark(false);
    throw new Gone();
  }
  mark(true);
  if (!response.ok) throw await failure(response);
  return response;
}

async function failure(response) {
  let error = { code: "internal", message: `the server answered ${response.status}` };
  try {
    error = (await response.json()).error ?? error;
  } catch { /* not JSON: the status has to do */ }
  if (response.status === 429) error.message += ` (try again in ${response.headers.get("Retry-After") ?? "a few"} s)`;
  return new ApiError(response.status, error.code, error.message);
}

const query = (q) => {
  const s = new URLSearchParams(Object.entries(q ?? {}).filter(([, v]) => v !== null && v !== undefined && v !== "")).toString();
  return s && "?" + s;
};

const posted = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// read returns the JSON of a response and about how many bytes it took; a body that breaks off is a server that went away.
async function read(response) {
  let text;
  try {
    text = await response.text();
  } catch (err) {
    if (err.name === "AbortError") throw err;
    mark(false);
    throw new Gone();
  }
  return { value: JSON.parse(text), bytes: text.length };
}

export const get = async (path, q, signal) => (await read(await request(path + query(q), { signal }))).value;
export const sized = async (path, q, signal) => read(await request(path + query(q), { signal }));
export const post = async (path, body, signal) => (await read(await request(path, { ...posted(body), signal }))).value;
export const remove = async (path) => (await read(await request(path, { method: "DELETE" }))).value;
export const file = async (path, q) => (await request(path + query(q))).blob();

// events reads a streamed answer, one JSON object a line, and calls each(event, data). It ends with the event done, else it throws.
export async function events(path, { q, body, signal, each }) {
  const response = await request(path + query(q), {
    ...(body ? posted(body) : {}),
    headers: { Accept: "application/x-ndjson", ...(body ? { "Content-Type": "application/json" } : {}) },
    signal,
  });
  let finished = false;
  const take = (line) => {
    if (line === "" || line.startsWith(":")) return;
    const { event, data } = JSON.parse(line);
    if (event === "error") throw new ApiError(200, data.error.code, data.error.message);
    finished ||= event === "done";
    each(event, data);
  };
  try {
    await eachLine(response.body, take);
  } catch (err) {
    if (err instanceof ApiError || err.name === "AbortError") throw err;
    if (err instanceof SyntaxError) throw new ApiError(200, "internal", "the server's answer was not understood");
    await ping();
    throw new Gone();
  }
  if (!finished) {
    await ping();
    throw new ApiError(200, "cut", "the answer was cut off before its end");
  }
}

async function eachLine(stream, take) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    lines.forEach(take);
    if (done) return;
  }
}
