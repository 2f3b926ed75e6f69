// recon.js - reconciliations: whether weir agrees with the books and how that has gone, what waits for
// a person and what approving it would do; and one reconciliation with its runs and findings.
import { query, literal, quoteName } from "./api.js";
import { h, Table, chip, count, bytes, instant, interval, keyText, statement } from "./dom.js";
import { spark, runsChart } from "./chart.js";

const KINDS = ["matched", "missing", "unexpected", "differing", "duplicate"];
const RUNS = 60; // shown of a trend
const ACTIONS = 500; // shown of a remedy

const full = (row) => `${row.schema}.${row.name}`;
const link = (row) => h("a", { href: `#/reconciliation/${encodeURIComponent(full(row))}` }, full(row));
const findings = (row) => KINDS.slice(1).reduce((sum, kind) => sum + (row[kind] ?? 0), 0);
const number = (name, label) => ({ name, label: label ?? name, class: "number", cell: (row) => count(row[name]) });
const when = (name, label) => ({ label: label ?? name, cell: (row) => instant(row[name]), title: (row) => row[name] });
const figure = (name) => ({ label: name, class: "number", cell: (row) => (name !== "matched" && row[name] > 0 ? chip(count(row[name]), "bad") : count(row[name])) });

function verdict(row, waits) {
  if (row.error) return h("span", { class: "chip bad", title: row.error }, "failed");
  if (row.run === null) return chip("not run yet");
  if (waits) return chip("waits for a person", "wait");
  if (findings(row) > 0) return chip("differs", "bad");
  if (row.pending > 0) return chip("settling", "wait");
  return row.matched > 0 ? chip("agrees", "good") : chip("compared nothing", "wait");
}

// Name -> its last runs, oldest first, each with the rows found.
function trends(rows) {
  const all = new Map();
  for (const row of rows) {
    const runs = all.get(full(row)) ?? new Map();
    if (!runs.has(row.run)) runs.set(row.run, { ...row, found: row.error ? null : findings(row), sums: [] });
    if (row.column_name) runs.get(row.run).sums.push(row);
    all.set(full(row), runs);
  }
  return new Map([...all].map(([name, runs]) => [name, [...runs.values()].sort((a, b) => a.run - b.run).slice(-RUNS)]));
}

const resultColumns = [
  { label: "", cell: (row) => chip(row.kind, row.kind.startsWith("pending") ? "wait" : undefined) },
  { label: "key", class: "wrap", cell: (row) => keyText(row.key) }, { label: "column", cell: (row) => row.column_name ?? "–" },
  { label: "weir", class: "number", cell: (row) => row.view_value ?? "–" }, { label: "book", class: "number", cell: (row) => row.record_value ?? "–" },
  { label: "difference", class: "number", cell: (row) => row.difference ?? "–" }, { label: "standing", cell: (row) => (row.status ? chip(row.status) : "–") },
  { label: "why", class: "wrap", cell: (row) => row.reason ?? "–" }, when("first_seen", "first seen"),
];
const resultTable = (of) => new Table([...(of ? [{ label: "of", cell: link }] : []), ...resultColumns],
  { key: (row) => `${full(row)} ${row.kind} ${row.key} ${row.column_name}`, label: "What does not match", tall: true, empty: "All that was compared agrees." });

const outcome = (row) => row.outcome ?? (row.state === "waiting" ? "waits" : "–");
const actionTable = () => new Table([
  { label: "", cell: (row) => chip(row.action, row.action === "retract" ? "turn" : "good") }, { label: "because it is", cell: (row) => row.kind },
  { label: "key", class: "wrap", cell: (row) => keyText(row.key) }, { label: "into", cell: (row) => row.into_object ?? "–" },
  { label: "the record", class: "wide", cell: (row) => (row.record ? h("code", null, row.record) : "–") }, { label: "outcome", class: "wrap", cell: outcome },
], { key: (row) => `${full(row)} ${row.run} ${row.number}`, label: "Records of the remedy", tall: true, empty: "No action." });

// What approving run `run` would do, in words, and the statements for it.
function remedyCard(run, actions) {
  const tally = new Map();
  for (const row of actions) {
    const text = `${row.action === "retract" ? "taken back from" : row.action === "append" ? "appended to" : `${row.action}, of`} ${row.into_object ?? "nothing"}`;
    tally.set(text, (tally.get(text) ?? 0) + 1);
  }
  const many = actions.length >= ACTIONS;
  const does = [...tally].map(([text, n]) => `${many ? "at least " : ""}${count(n)} ${n === 1 ? "record" : "records"} ${text}`).join(", ");
  const name = quoteName(full(run)).replace(/"([a-z_][a-z0-9_]*)"/g, "$1");
  return h("div", { class: "card waits" },
    h("div", { class: "row" }, link(run), chip(`run ${run.run}`), h("span", null, `it waits: ${run.waits_for ?? "its limit"}`),
      h("span", { class: "quiet small" }, `found ${instant(run.as_of)}`)),
    h("p", null, h("b", null, "Approving compares once more, and of what is still found does this: "), does || "nothing",
      run.remedy_total ? `, ${run.remedy_total.toLocaleString("en", { maximumFractionDigits: 6 })} in absolute differences` : "", ". Every view and sink follows; final rows are corrected with the cause ",
      h("code", null, `reconciliation ${full(run)} run ${run.run}`), "."),
    h("div", { class: "row small" }, h("span", { class: "quiet" }, "In psql:"), statement(`APPROVE RECONCILIATION ${name} RUN ${run.run};`),
      statement(`REJECT RECONCILIATION ${name} RUN ${run.run};`)));
}

// The cards of runs that wait; made anew only when they differ, so that focus stays.
function waitingPanel() {
  const element = h("section", { "aria-label": "Waiting for a person" }), title = h("h2", null, "Waits for a person"), holder = h("div");
  let shown = "";
  element.hidden = true;
  element.append(title, holder);
  return { element, update(runs, actions) {
    const text = JSON.stringify([runs, actions]);
    element.hidden = runs.length === 0;
    if (text === shown) return;
    shown = text;
    holder.replaceChildren(...runs.map((run) => remedyCard(run, actions.filter((row) => full(row) === full(run) && row.run === run.run))));
  } };
}

const TREND = "SELECT * FROM weir.reconciliation_trend";
const WAITING = "SELECT * FROM weir.reconciliation_runs WHERE remedy = 'waiting'";

function list(root) {
  let trend = new Map(), waits = new Set();
  const table = new Table([
    { label: "reconciliation", cell: link }, { label: "", cell: (row) => verdict(row, waits.has(full(row))) },
    { label: "compares", class: "wrap", cell: (row) => `${row.view} with ${row.path ? row.path.split("/").pop() : row.connector}`, title: (row) => row.path },
    { label: "found, by run", class: "spark", cell: (row) => spark((trend.get(full(row)) ?? []).map((run) => run.found ?? 0)),
      title: (row) => (trend.get(full(row)) ?? []).map((run) => `run ${run.run}: ${run.error ? "failed" : run.found}`).join("\n") },
    ...KINDS.map(figure), when("as_of", "as of"),
  ], { key: full, label: "Reconciliations", empty: "No reconciliations: CREATE RECONCILIATION compares a view or a stream with the books." });
  const waiting = waitingPanel(), rows = resultTable(true);
  root.append(h("h1", null, "Reconciliation"),
    h("p", { class: "lead" }, "weir against the books, key by key, as of a stated instant. Missing: in the book only. Unexpected: in weir only. Pending: not confirmed yet."),
    table.element, waiting.element, h("h2", null, "What does not match, by each one's last run"), rows.element);
  return { every: 4000, async refresh() {
    const [all, found, runs, past] = await Promise.all([
      query("SELECT * FROM weir.reconciliations ORDER BY schema, name"),
      query("SELECT d.* FROM weir.reconciliation_result d JOIN weir.reconciliations r ON r.schema = d.schema AND r.name = d.name AND r.run = d.run WHERE d.key IS NOT NULL ORDER BY d.kind, d.schema, d.name, d.key LIMIT 500"),
      query(WAITING), query(`${TREND} ORDER BY started_at DESC LIMIT 5000`)]);
    const actions = runs.rows.length ? (await query(`SELECT * FROM weir.reconciliation_remedy WHERE state = 'waiting' ORDER BY schema, name, number LIMIT ${ACTIONS}`)).rows : [];
    trend = trends(past.rows);
    waits = new Set(runs.rows.map(full));
    table.update(all.rows);
    waiting.update(runs.rows, actions);
    rows.update(found.rows);
  } };
}

function one(root, name) {
  const is = `schema || '.' || name = ${literal(name)}`;
  const facts = h("div", { class: "facts" }), chart = h("section", { class: "chart", "aria-label": "Findings by run" });
  const pick = h("select", { "aria-label": "What the chart shows", onchange: () => draw() });
  const holder = h("div"), waiting = waitingPanel(), rows = resultTable(false), actions = actionTable();
  const note = h("span", { class: "small quiet", role: "status" });
  const button = h("button", { type: "button", async onclick() {
    button.disabled = true;
    note.textContent = "Asking the book …";
    try {
      await query(`RECONCILE ${quoteName(name)}`);
      note.textContent = "";
    } catch (error) {
      note.textContent = error.message;
    }
    button.disabled = false;
    await refresh().catch(() => {});
  } }, "Run now");
  const runs = new Table([
    number("run"), when("as_of", "as of"), { label: "", class: "wrap", cell: (row) => (row.error ? h("span", null, chip("failed"), ` ${row.error}`) : findings(row) ? chip("differs") : row.pending ? chip("settling", "wait") : chip("agrees", "good")) },
    ...KINDS.map(figure), number("pending"), { label: "remedy", cell: (row) => (row.remedy && row.remedy !== "none" ? chip(row.remedy) : "–"), title: (row) => row.waits_for },
    number("appended"), number("retracted", "taken back"), number("refused"), number("unresolved"),
    { label: "by", cell: (row) => row.decided_by ?? "–", title: (row) => row.decided_at }, { label: "moved", class: "number", cell: (row) => bytes(row.bytes_moved ?? 0) },
  ], { key: (row) => String(row.run), label: "Runs", tall: true, empty: "It has not run yet." });
  chart.append(h("div", { class: "row spread" }, h("span", { class: "row" }, pick, h("span", { class: "small quiet" }, `by run, the newest ${RUNS}`))), holder);
  root.append(h("div", { class: "row spread" }, h("h1", null, name), h("span", { class: "row" }, note, button)), facts, waiting.element, chart,
    h("h2", null, "What does not match"), rows.element, h("h2", null, "Runs"), runs.element);
  const remedyTitle = h("h2", null, "Remedy"), decisionsTitle = h("h2", null, "Decisions");
  const decisions = new Table([number("run"), { label: "", cell: (row) => chip(row.decision, row.decision === "rejected" ? "bad" : "good") }, { label: "by", cell: (row) => row.decided_by ?? "the limits" },
    when("at"), { label: "waited for", cell: (row) => row.waited_for ?? "–" }, number("keys"), number("records"), number("appended"), number("retracted", "taken back"), number("refused")],
  { key: (row) => `${row.run} ${row.decision} ${row.at}`, label: "Decisions", tall: true });
  root.append(remedyTitle, actions.element, decisionsTitle, decisions.element);
  let trend = [], shown = "";

  function draw() {
    const points = trend.map((run) => {
      const sum = run.sums.find((row) => row.column_name === pick.value);
      return { run: run.run, at: run.as_of ?? run.started_at, error: run.error, value: run.error ? 0 : pick.value ? Number(sum?.absolute_difference ?? 0) : run.found };
    });
    chart.hidden = points.length === 0;
    holder.replaceChildren(runsChart(points, Math.max(280, holder.clientWidth || 900)));
  }

  async function refresh() {
    const [all, past, made, found] = await Promise.all([query(`SELECT * FROM weir.reconciliations WHERE ${is}`),
      query(`${TREND} WHERE ${is} ORDER BY run DESC LIMIT 1000`), query(`SELECT * FROM weir.reconciliation_runs WHERE ${is} ORDER BY run DESC`),
      query(`SELECT d.* FROM weir.reconciliation_result d WHERE ${is} AND d.key IS NOT NULL AND d.run = (SELECT max(run) FROM weir.reconciliations WHERE ${is}) ORDER BY d.kind, d.key LIMIT 1000`)]);
    const decided = (await query(`SELECT * FROM weir.reconciliation_decisions WHERE ${is} ORDER BY at DESC LIMIT 200`)).rows;
    decisionsTitle.hidden = decisions.element.hidden = decided.length === 0;
    decisions.update(decided);
    const it = all.rows[0];
    if (!it) {
      facts.replaceChildren(h("span", null, "There is no such reconciliation now."));
      return;
    }
    const done = made.rows.filter((run) => run.remedy && run.remedy !== "none");
    const plan = done.length ? (await query(`SELECT * FROM weir.reconciliation_remedy WHERE ${is} AND run = ${done[0].run} ORDER BY number LIMIT ${ACTIONS}`)).rows : [];
    const waits = made.rows.filter((run) => run.remedy === "waiting"), fact = (label, value) => h("span", null, label + " ", h("b", null, value));
    facts.replaceChildren(verdict(it, waits.length > 0), fact("of", it.view), fact("book", it.path || it.connector), fact("key", it.key), fact("compares", it.compare || "keys only"),
      fact("every", interval(it.every)), fact("settles in", interval(it.settle)), fact("as of", instant(it.as_of)));
    waiting.update(waits, plan);
    rows.update(found.rows);
    runs.update(made.rows);
    remedyTitle.textContent = done.length ? `Remedy of run ${done[0].run}: ${done[0].remedy}` : "";
    remedyTitle.hidden = actions.element.hidden = done.length === 0;
    actions.update(plan);
    trend = trends(past.rows).get(name) ?? [];
    const columns = [...new Set(trend.flatMap((run) => run.sums.map((row) => row.column_name)))];
    if (pick.options.length !== columns.length + 1)
      pick.replaceChildren(h("option", { value: "" }, "findings"), ...columns.map((column) => h("option", { value: column }, `difference of ${column}`)));
    const text = JSON.stringify(trend);
    if (text !== shown) draw();
    shown = text;
  }
  return { every: 3000, refresh };
}

export const reconciliation = (root, name) => (name ? one(root, name) : list(root));
