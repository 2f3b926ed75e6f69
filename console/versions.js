// versions.js - versions of views beside one another, by how much they differ day by day, and replays
// with their progress. Promoting is a person's decision: the page shows the statements.
import { query, literal, quoteName } from "./api.js";
import { h, Table, chip, count, instant, keyText, statement } from "./dom.js";

const number = (name, label) => ({ name, label: label ?? name, class: "number", cell: (row) => count(row[name]) });
const full = (row) => `${row.schema}.${row.view}`;
const viewLink = (name) => h("a", { href: `#/views/${encodeURIComponent(name)}` }, name);

function differences(value) {
  const all = Object.entries(typeof value === "string" ? JSON.parse(value) : (value ?? {}));
  if (all.length === 0) return "–";
  return all.map(([name, by]) => `${name} ${by > 0 ? "+" : ""}${by.toLocaleString("en", { maximumFractionDigits: 6 })}`).join(", ");
}

export function dayTable() {
  return new Table([
    { label: "view", cell: (row) => viewLink(full(row)) }, number("version"), { label: "day", cell: (row) => row.day ?? "all" }, number("rows"),
    { label: "", cell: (row) => chip(row.verdict) }, number("changed"), number("added"), number("removed"),
    { label: "the version's less the view's", class: "wrap", cell: (row) => differences(row.difference) },
  ], { key: (row) => `${full(row)}@${row.version} ${row.day}`, label: "Differences by day", tall: true, empty: "No version stands beside a view." });
}

const progress = (row) => {
  if (row.status === "done") return h("span", null, count(row.records), " records");
  const bar = h("progress", { max: Math.max(row.total, 1), value: row.records, "aria-label": `replay ${row.replay}` });
  return h("span", null, bar, ` ${count(row.records)} of ${count(row.total)}`);
};

export function replayTable() {
  return new Table([
    number("replay"), { label: "into", cell: (row) => viewLink(row.version === null ? row.view : `${row.view}@${row.version}`) },
    { label: "selection", class: "wrap", cell: (row) => h("code", null, row.selection) }, { label: "", class: "wrap", cell: (row) => (row.error ? h("span", null, chip(row.status), ` ${row.error}`) : chip(row.status)) },
    { label: "read", cell: progress }, number("records_per_second", "records/s"), number("corrected"),
    { label: "started", cell: (row) => instant(row.started_at), title: (row) => row.started_at },
    { label: "finished", cell: (row) => instant(row.finished_at), title: (row) => row.finished_at },
  ], { key: (row) => String(row.replay), label: "Replays", tall: true, empty: "No replay yet: REPLAY INTO a view reads the log again." });
}

export function versionTable() {
  return new Table([
    { label: "view, read as", cell: (row) => viewLink(`${row.schema}.${row.name}`) }, number("version"), { label: "", cell: (row) => chip(row.status) },
    number("rows"),
    { label: "lacks", cell: (row) => (row.history_lost > 0 ? chip(`${count(row.history_lost)} records`, "wait") : "–") },
    { label: "in psql", cell: whatNext }, { label: "definition", class: "wide", cell: (row) => h("details", null, h("summary", null, "SQL"), h("pre", null, row.definition)) },
  ], { key: (row) => `${row.schema}.${row.name}`, label: "Versions", empty: "Every view has one version: CREATE OR REPLACE MATERIALIZED VIEW makes another beside it." });
}

function whatNext(row) {
  if (row.status === "serving") return "–";
  const name = quoteName(full(row)).replace(/"([a-z_][a-z0-9_]*)"/g, "$1");
  return statement(`ALTER MATERIALIZED VIEW ${name} ${row.status === "former" ? "ROLL BACK" : `PROMOTE VERSION ${row.version}${row.history_lost > 0 ? " FORCE" : ""}`};`);
}

// Only views that have more than one version, so that an ordinary one is not listed.
const VERSIONS = `SELECT v.* FROM weir.versions v JOIN (SELECT schema, view FROM weir.versions GROUP BY schema, view HAVING count(*) > 1) m
  ON m.schema = v.schema AND m.view = v.view`;

// The versions of one view, for its page: nothing is shown while it has one.
export function versionPanel(name) {
  const is = `v.schema || '.' || v.view = ${literal(name)}`;
  const table = versionTable(), days = dayTable(), rows = new Table([
    { label: "", cell: (row) => chip(row.change) }, { label: "key", class: "wrap", cell: (row) => keyText(row.key) }, number("version"),
    { label: "by", class: "wrap", cell: (row) => differences(row.difference) },
  ], { key: (row) => `${row.version} ${JSON.stringify(row.key)}`, label: "Rows that differ", tall: true, empty: "No row differs." });
  const element = h("section", { "aria-label": "Versions" }, h("h2", null, "Versions"), table.element, h("h2", null, "Differences by day"), days.element,
    h("h2", null, "Rows that differ, the first 100"), rows.element);
  element.hidden = true;
  return { element, async refresh() {
    const found = await query(`${VERSIONS} WHERE ${is} ORDER BY v.version DESC`);
    element.hidden = found.rows.length === 0;
    if (element.hidden) return;
    const [a, b] = await Promise.all([query(`SELECT * FROM weir.diff_by_day v WHERE ${is} ORDER BY v.version DESC, v.day DESC LIMIT 400`),
      query(`SELECT * FROM weir.diff v WHERE ${is} ORDER BY v.version DESC, v.day DESC LIMIT 100`)]);
    table.update(found.rows);
    days.update(a.rows);
    rows.update(b.rows);
  } };
}

export function versions(root) {
  const table = versionTable(), days = dayTable(), replays = replayTable();
  root.append(h("h1", null, "Versions and replays"),
    h("p", { class: "lead" }, "New logic stands beside the old until somebody promotes it. Both are computed from the same events, to the same place in the log."),
    table.element, h("h2", null, "Differences by day"), days.element, h("h2", null, "Replays"), replays.element);
  let asked = 0;
  return { every: 2000, async refresh() {
    const [a, b] = await Promise.all([query(`${VERSIONS} ORDER BY v.schema, v.view, v.version DESC`),
      query("SELECT * FROM weir.replays ORDER BY replay DESC LIMIT 100")]);
    table.update(a.rows);
    replays.update(b.rows);
    if (performance.now() - asked < 10000 && asked) return; // comparing costs reading both
    days.update(a.rows.length ? (await query("SELECT * FROM weir.diff_by_day v ORDER BY v.schema, v.view, v.version DESC, v.day DESC LIMIT 400")).rows : []);
    asked = performance.now();
  } };
}
