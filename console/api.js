// api.js - talks to weir: statements over POST /v1/query, a view's changes as server-sent events.
// Whoever asks gets rows as objects; a server that does not answer is told to listeners once it goes
// and once it is back.

const listeners = new Set();
let reachable = true;

export function onReachable(listener) {
  listeners.add(listener);
}

function setReachable(now) {
  if (now === reachable) return;
  reachable = now;
  for (const listener of listeners) listener(now);
}

export class StatementError extends Error {
  constructor(error, sql) {
    super(error.message);
    Object.assign(this, { sqlstate: error.sqlstate, position: error.position, hint: error.hint, detail: error.detail, sql });
  }
}

// {columns: [{name, type}], rows: [{...}], standing, row_count, truncated, tag, notices, elapsed_ms}
// past: {as_of, effective_as_of}, instants as text: what was shown then, of facts effective by then.
export async function query(sql, limit, past) {
  let response, body;
  try {
    response = await fetch("/v1/query", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sql, limit, ...past }),
      signal: AbortSignal.timeout(/^\s*(verify|reconcile)/i.test(sql) ? 310000 : 60000), // weir ends a statement at 300 s
    });
    body = await response.json();
  } catch (error) {
    setReachable(false);
    throw error;
  }
  setReachable(true);
  if (!response.ok) throw new StatementError(body.error ?? { message: `HTTP ${response.status}` }, sql);
  const names = body.columns.map((column) => column.name);
  body.cells = body.rows; // by place, for results with two columns of one name
  body.rows = body.cells.map((row) => Object.fromEntries(row.map((value, i) => [names[i], value])));
  return body;
}

export const quote = (name) => '"' + name.replaceAll('"', '""') + '"';
export const quoteName = (view) => view.split(".").map(quote).join(".");
export const literal = (text) => "'" + text.replaceAll("'", "''") + "'";

// Calls on.change({insert, delete, ...}), on.reset(), on.state("live" | "waiting" | "ended"). Returns
// a function that ends it.
export function follow(view, after, on) {
  const source = new EventSource(`/v1/views/${encodeURIComponent(view)}/changes?after=${after}`);
  source.onopen = () => on.state("live");
  source.addEventListener("change", (event) => on.change(JSON.parse(event.data)));
  source.addEventListener("snapshot", () => on.reset());
  source.addEventListener("reset", () => on.reset());
  source.onerror = () => on.state(source.readyState === EventSource.CLOSED ? "ended" : "waiting");
  return () => source.close();
}
