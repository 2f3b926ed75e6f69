// pages.js - the lists that are asked for again and again: overview, streams, flows, views, quarantine,
// revisions. Their tables of views and streams are also used elsewhere.
import { query } from "./api.js";
import { h, Table, chip, count, rate, bytes, instant, interval, jsonValue, keyText } from "./dom.js";
import { spark } from "./chart.js";
import { showWhy } from "./why.js";

// Rates are measured here, from one look to the next, and kept while the page is open.
const RATES_KEPT = 60;
const history = new Map(); // stream -> {accepted, at, rates}

function measure(rows) {
  const now = performance.now();
  for (const row of rows) {
    const name = `${row.schema}.${row.name}`;
    const last = history.get(name);
    if (!last) {
      history.set(name, { accepted: row.accepted, at: now, rates: [] });
      continue;
    }
    const seconds = (now - last.at) / 1000;
    if (seconds < 0.8) continue;
    last.rates.push(Math.max(0, (row.accepted - last.accepted) / seconds));
    if (last.rates.length > RATES_KEPT) last.rates.shift();
    last.accepted = row.accepted;
    last.at = now;
  }
}

function rateOf(row) {
  const rates = history.get(`${row.schema}.${row.name}`)?.rates ?? [];
  const recent = rates.slice(-5);
  const mean = recent.reduce((sum, value) => sum + value, 0) / Math.max(recent.length, 1);
  // Of a slow stream the first looks see nothing yet, which is not a rate of 0.
  return mean === 0 && rates.length < 3 ? null : mean;
}

const STREAMS = `SELECT * FROM (
  SELECT schema, name, 'stream' AS kind, owner, version, accepted, quarantined, duplicates, late, bytes, watermark, newest_event, comment FROM weir.streams
  UNION ALL
  SELECT schema, name, 'table' AS kind, owner, version, accepted, quarantined, duplicates, late, bytes, watermark, newest_event, comment FROM weir.tables
) AS s ORDER BY kind, schema, name`;
const VIEWS = "SELECT * FROM weir.views ORDER BY schema, name";
const FLOWS = "SELECT * FROM weir.flows ORDER BY name";

const BOOKS = `SELECT count(*) AS n, count(*) FILTER (WHERE error IS NOT NULL) AS failed,
  count(*) FILTER (WHERE error IS NULL AND run IS NOT NULL AND missing + unexpected + differing + duplicate = 0 AND matched > 0) AS agree FROM weir.reconciliations`;
const WAITS = "SELECT count(*) AS n FROM weir.reconciliation_runs WHERE remedy = 'waiting'";

const fullName = (row) => h("span", null, h("span", { class: "quiet" }, row.schema + "."), row.name);
const viewLink = (row) => h("a", { href: `#/views/${encodeURIComponent(`${row.schema}.${row.name}`)}` }, `${row.schema}.${row.name}`);
const atMost = (value) => (value === null ? "–" : "≤ " + interval(value));
const freshness = (row) => chip(row.fresh ? "fresh" : "stale");
const number = (name, label) => ({ name, label, class: "number", cell: (row) => count(row[name]) });
const when = (name, label) => ({ name, label, cell: (row) => instant(row[name]), title: (row) => row[name] });
const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);
const nameKey = (row) => `${row.kind ?? ""}${row.schema}.${row.name}`;

function streamTable(all) {
  const rates = [
    { label: "rate", class: "number", cell: (row) => rate(rateOf(row)) },
    { label: "last minutes", class: "spark", cell: (row) => spark(history.get(`${row.schema}.${row.name}`)?.rates ?? []) },
  ];
  const columns = [{ label: "stream", cell: fullName, title: (row) => row.comment }, ...rates, number("accepted"),
    number("quarantined"), number("duplicates"), number("late"), when("watermark", "watermark")];
  if (all)
    columns.splice(1, 0, { label: "kind", cell: (row) => row.kind }, { label: "owner", cell: (row) => row.owner ?? "–" }),
    columns.push({ label: "log", class: "number", cell: (row) => bytes(row.bytes) });
  return new Table(columns, { key: nameKey, label: "Streams and tables", empty: "No streams yet: CREATE STREAM makes one." });
}

function viewTable() {
  return new Table([
    { label: "view", cell: viewLink, title: (row) => row.comment },
    number("rows"), number("corrections"),
    { label: "refresh", cell: (row) => (row.refresh === "immediate" ? row.refresh : interval(row.refresh)) },
    { label: "lateness", cell: (row) => (row.lateness === "00:00:00" ? "–" : interval(row.lateness)) },
    { label: "lag", class: "number", cell: (row) => interval(row.lag) },
    { label: "", cell: freshness },
    when("watermark", "watermark"),
  ], { key: nameKey, label: "Views", empty: "No views yet: CREATE MATERIALIZED VIEW makes one." });
}

function flowTable() {
  return new Table([
    { label: "flow", cell: (row) => h("b", null, row.name) },
    number("views"), number("rows_in", "rows in"), number("steps"),
    { label: "lag", class: "number", cell: (row) => interval(row.lag) },
    { label: "step p50", class: "number", cell: (row) => atMost(row.step_p50) },
    { label: "step p99", class: "number", cell: (row) => atMost(row.step_p99) },
    { label: "commit", class: "number", cell: (row) => interval(row.commit_mean) },
    when("last_commit", "last commit"),
    { label: "state", class: "wrap", cell: (row) => (row.error ? chip(row.error, "bad") : row.failures > 0 ? chip(`${row.failures} failures`, "wait") : chip("runs", "good")) },
  ], { key: (row) => row.name, label: "Flows", empty: "No flows yet: views make them." });
}

function card(name) {
  const value = h("div", { class: "value" }, "–"), note = h("div", { class: "note" });
  return { element: h("div", { class: "card" }, h("div", { class: "name" }, name), value, note),
    set(text, more) { value.textContent = text; note.textContent = more ?? ""; } };
}

export function overview(root) {
  const cards = ["Events a second", "Accepted", "In quarantine", "Duplicates", "Late", "Views fresh", "Books agree", "To approve"].map(card);
  const streamsTable = streamTable(false), viewsTable = viewTable(), flowsTable = flowTable();
  root.append(h("h1", null, "Overview"), h("p", { class: "lead" }, "What comes in, what is made of it, and how far it is to be trusted. Times are UTC."),
    h("div", { class: "cards" }, cards.map((item) => item.element)),
    h("h2", null, "Views"), viewsTable.element, h("h2", null, "Streams"), streamsTable.element, h("h2", null, "Flows"), flowsTable.element);
  let looks = 0;
  return { get every() { return looks < 4 ? 1000 : 2000; }, async refresh() {
    looks++;
    const [logs, made, running, books, waits] = await Promise.all([query(STREAMS), query(VIEWS), query(FLOWS), query(BOOKS), query(WAITS)]);
    measure(logs.rows);
    const rates = logs.rows.map(rateOf).filter((value) => value !== null);
    const accepted = sum(logs.rows, "accepted"), bad = sum(logs.rows, "quarantined");
    const fresh = made.rows.filter((row) => row.fresh).length;
    cards[0].set(rates.length ? rate(rates.reduce((a, b) => a + b, 0)) : "–", `of ${logs.rows.length} streams`);
    cards[1].set(count(accepted), bytes(sum(logs.rows, "bytes")) + " of log");
    cards[2].set(count(bad), accepted ? ((100 * bad) / (accepted + bad)).toFixed(2) + "% of all" : "");
    cards[3].set(count(sum(logs.rows, "duplicates")), "counted once");
    cards[4].set(count(sum(logs.rows, "late")), "all applied");
    cards[5].set(`${fresh} of ${made.rows.length}`, `${count(sum(made.rows, "corrections"))} corrections`);
    const b = books.rows[0];
    cards[6].set(b.n ? `${b.agree} of ${b.n}` : "–", b.n ? (b.failed ? `${b.failed} failed` : "in the last run") : "not compared");
    cards[7].set(count(waits.rows[0].n), waits.rows[0].n === 1 ? "remedy waits" : "remedies wait");
    streamsTable.update(logs.rows.filter((row) => row.kind === "stream"));
    viewsTable.update(made.rows);
    flowsTable.update(running.rows);
  } };
}

export function streams(root) {
  const table = streamTable(true);
  const contract = new Table([
    { label: "of", cell: (row) => `${row.schema}.${row.object}` },
    { label: "column", cell: (row) => h("b", null, row.column_name) },
    { name: "type", label: "type", class: "wrap" },
    { label: "rule", cell: (row) => [row.is_key ? "key" : "", row.not_null ? "not null" : ""].filter(Boolean).join(", ") || "–" },
    { label: "role", cell: (row) => row.time_role ?? "–" },
    { name: "comment", label: "meaning", class: "wrap" },
  ], { key: (row) => `${row.schema}.${row.object}.${row.column_name}`, label: "Contracts", tall: true, empty: "No contracts yet." });
  root.append(h("h1", null, "Streams and tables"),
    h("p", { class: "lead" }, "Late: behind the watermark when it came. Quarantined: broke its contract. Duplicates: the same business key again."),
    table.element, h("h2", null, "Contracts"), contract.element);
  let looked = false;
  return { every: 1500, async refresh() {
    const result = await query(STREAMS);
    measure(result.rows);
    table.update(result.rows);
    if (looked) return;
    contract.update((await query("SELECT * FROM weir.contracts WHERE kind IN ('stream', 'table') ORDER BY schema, object, position")).rows);
    looked = true;
  } };
}

export function flows(root) {
  const table = flowTable();
  const parts = new Table([
    { label: "flow", cell: (row) => row.flow }, { label: "reads", cell: fullName }, number("partition"), number("cursor"),
    number("log_end", "log end"), number("lag", "records behind"), when("watermark", "watermark"), number("late"), number("duplicates"),
  ], { key: (row) => `${row.flow} ${row.schema}.${row.name} ${row.partition}`, label: "Partitions", empty: "No flow reads anything yet." });
  const sinks = new Table([
    { label: "sink", cell: fullName }, { label: "of", cell: (row) => row.view ?? row.reconciliation }, { label: "connector", cell: (row) => row.connector },
    { label: "status", cell: (row) => row.status }, number("delivered"), number("failed"), number("behind_rows", "rows behind"),
    number("step"), number("view_step", "view's step"),
    { label: "last error", class: "wrap", cell: (row) => row.last_error ?? "–" },
  ], { key: nameKey, label: "Sinks", empty: "No sinks: CREATE SINK sends a view's changes on." });
  root.append(h("h1", null, "Flows"),
    h("p", { class: "lead" }, "The views of one schema with one refresh run together, and show the same instant. A flow that fails harms no other."),
    table.element, h("h2", null, "How far they have read"), parts.element, h("h2", null, "Sinks"), sinks.element);
  return { every: 1500, async refresh() {
    const [a, b, c] = await Promise.all([query(FLOWS), query("SELECT * FROM weir.partitions ORDER BY flow, schema, name, partition"),
      query("SELECT * FROM weir.sinks ORDER BY schema, name")]);
    table.update(a.rows);
    parts.update(b.rows);
    sinks.update(c.rows);
  } };
}

export function views(root) {
  const table = viewTable();
  root.append(h("h1", null, "Views"), h("p", { class: "lead" }, "Kept current as events arrive. Choose one to see it live."), table.element);
  return { every: 1500, async refresh() {
    table.update((await query(VIEWS)).rows);
  } };
}

export function quarantine(root) {
  const causes = new Table([
    number("n", "records"), { label: "stream", cell: (row) => row.stream ?? row.flow ?? "–" },
    { name: "cause", label: "cause", class: "wide" }, { label: "SQLSTATE", class: "mono", cell: (row) => row.sqlstate ?? "–" },
    when("last", "last"),
  ], { key: (row) => `${row.stream} ${row.sqlstate} ${row.cause}`, label: "Causes", empty: "Nothing is in quarantine: every record kept its contract." });
  const table = new Table([
    when("received_at", "received"), { label: "stream", cell: (row) => row.stream ?? row.flow ?? "–" },
    { name: "cause", label: "cause", class: "wrap" }, { label: "as it came", class: "wide", cell: (row) => h("code", null, row.raw ?? "–") },
    { label: "from", cell: (row) => row.source ?? "–" },
  ], { key: (row) => row.id, label: "Records in quarantine", tall: true, flash: true, empty: "No records." });
  root.append(h("h1", null, "Quarantine"),
    h("p", { class: "lead" }, "Records that broke their contract: kept byte for byte with the cause, and in no view."),
    h("h2", null, "Causes"), causes.element, h("h2", null, "Newest 200"), table.element);
  return { every: 4000, async refresh() {
    const [a, b] = await Promise.all([
      query("SELECT stream, flow, sqlstate, cause, count(*) AS n, max(received_at) AS last FROM weir.quarantine GROUP BY stream, flow, sqlstate, cause ORDER BY 5 DESC LIMIT 50"),
      query("SELECT * FROM weir.quarantine ORDER BY received_at DESC LIMIT 200"),
    ]);
    causes.update(a.rows);
    table.update(b.rows);
  } };
}

// The columns that differ between two rows, old struck out.
function change(row) {
  const before = row.old ? JSON.parse(row.old) : null, after = row.new ? JSON.parse(row.new) : null;
  if (!before || !after) return h("span", null, before ? "row left: " : "row came: ", keyText(row.old ?? row.new));
  const names = Object.keys(after).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return h("span", { class: "diff" }, names.flatMap((name) => [h("span", { class: "quiet" }, name), h("s", null, jsonValue(before[name])), h("span", null, "→"), h("b", null, jsonValue(after[name]))]));
}

function unchanged(row) {
  if (!row.old || !row.new) return "–";
  const before = JSON.parse(row.old), after = JSON.parse(row.new);
  return Object.keys(after).filter((name) => JSON.stringify(before[name]) === JSON.stringify(after[name])).map((name) => `${name} ${jsonValue(after[name])}`).join(", ");
}

// The story of the row with a key, as weir writes keys.
function askWhy(holder, view, key) {
  const row = JSON.parse(key);
  return showWhy(holder, view, Object.keys(row), row);
}

export function revisions(root) {
  const why = h("div");
  const table = new Table([
    when("at", "at"), { label: "view", cell: (row) => h("a", { href: `#/views/${encodeURIComponent(row.view)}` }, row.view) },
    { label: "cause", cell: (row) => chip(row.cause, "turn") }, { label: "row", class: "wrap", cell: unchanged },
    { label: "what changed", class: "wrap", cell: change }, number("revision"),
    { label: "", cell: (row) => h("button", { type: "button", class: "small", "data-key": row.key, onclick: () => askWhy(why, row.view, row.key) }, "why") },
  ], { key: (row) => `${row.flow} ${row.view} ${row.step} ${row.revision} ${row.old} ${row.new}`, label: "Revisions", flash: true,
    empty: "No final figure has changed." });
  root.append(h("h1", null, "Revisions"), h("p", { class: "lead" }, "The ledger: every change to a figure that was final, and why."), why, table.element);
  return { every: 3000, async refresh() {
    table.update((await query("SELECT view, key::text, revision, at, cause, old::text, new::text, step, flow FROM weir.revision ORDER BY at DESC, step DESC LIMIT 200")).rows);
  } };
}
