// windows.js - how complete and how final figures are: the windows of a view, what sources said they
// sent, gaps in their numbering, and how long the watermark waits beside how late events come.
import { query, literal } from "./api.js";
import { h, Table, chip, count, instant, interval } from "./dom.js";

const WINDOWS = 200;
const number = (name, label) => ({ name, label: label ?? name, class: "number", cell: (row) => count(row[name]) });
const when = (name, label) => ({ label: label ?? name, cell: (row) => instant(row[name]), title: (row) => row[name] });
const bad = (name, label) => ({ label: label ?? name, class: "number", cell: (row) => (row[name] > 0 ? chip(count(row[name]), "bad") : count(row[name])) });
const full = (row) => `${row.schema}.${row.name}`;
const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(value > 0 && value < 0.001 ? 3 : 1)} %`);

// The windows of one view, for its page: nothing is shown of a view without windows.
export function windowPanel(name) {
  const [schema, view] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
  const lead = h("p", { class: "small quiet" });
  const table = new Table([when("window_start", "window"), when("window_end", "until"), { label: "", cell: (row) => chip(row.status) },
    when("final_at", "final when the watermark passes"), number("rows"), { label: "rows corrected since", class: "number", cell: (row) => (row.corrected > 0 ? chip(count(row.corrected), "turn") : "0") },
    bad("missing", "numbers missing")],
  { key: (row) => `${row.window_start} ${row.window_end}`, label: "Windows", tall: true, empty: "No windows." });
  const details = h("details", null, h("summary", null, "Windows: how final and how complete"), lead, table.element);
  const element = h("div", null, details);
  element.hidden = true;
  let known = false, asked = 0;
  async function fill() {
    asked = performance.now();
    const found = await query(`SELECT * FROM weir.window_completeness WHERE schema = ${literal(schema)} AND view = ${literal(view)} ORDER BY window_end DESC LIMIT ${WINDOWS}`);
    const open = found.rows.filter((row) => row.status !== "final").length, gaps = found.rows.filter((row) => row.missing > 0).length;
    lead.textContent = `Of the newest ${count(found.rows.length)} windows ${count(open)} are open, ${count(found.rows.filter((row) => row.corrected > 0).length)} have rows corrected after they were final` +
      `${found.rows.some((row) => row.missing !== null) ? `, ${count(gaps)} may lack events (missing numbers)` : ""}.`;
    table.update(found.rows);
  }
  details.addEventListener("toggle", () => details.open && fill().catch((error) => (lead.textContent = error.message)));
  return { element, async refresh(windowed) {
    element.hidden = !windowed && !known;
    known ||= windowed;
    if (details.open && performance.now() - asked > 8000) await fill(); // it reads the view
  } };
}

export function completeness(root) {
  const expected = new Table([{ label: "stream", cell: full }, { label: "partition", cell: (row) => row.partition ?? "all" }, number("expected", "sources sent"), number("seen"),
    bad("missing"), bad("unexpected"), when("heartbeat_to", "up to"), when("heartbeat_at", "said at"), { label: "flow", cell: (row) => row.flow }],
  { key: (row) => `${row.flow} ${full(row)} ${row.partition}`, label: "Seen against expected", empty: "No source has said how many events it sent: ADVANCE WATERMARK … EVENTS n." });
  const sequences = new Table([{ label: "stream", cell: full }, { label: "producer", cell: (row) => row.producer ?? "–" }, number("first"), number("last"), number("seen"),
    number("again"), bad("missing"), number("gaps"), when("last_event", "last event"), { label: "flow", cell: (row) => row.flow }],
  { key: (row) => `${row.flow} ${full(row)} ${row.producer}`, label: "Producers", tall: true, empty: "No stream has a SEQUENCE (producer, number)." });
  const gaps = new Table([{ label: "stream", cell: full }, { label: "producer", cell: (row) => row.producer ?? "–" },
    { label: "numbers", class: "number", cell: (row) => (row.first_missing === row.last_missing ? String(row.first_missing) : `${row.first_missing}–${row.last_missing}`) },
    bad("missing"), when("event_before", "after"), when("event_after", "before")],
  { key: (row) => `${full(row)} ${row.producer} ${row.first_missing}`, label: "Gaps", tall: true, empty: "No number is missing." });
  const waits = new Table([{ label: "flow", cell: (row) => row.flow }, { label: "stream", cell: full }, number("partition"), number("events"), number("late"),
    { label: "share", class: "number", cell: (row) => share(row.late_share) }, { label: "watermark waits", class: "number", cell: (row) => interval(row.delay) },
    ...["p50", "p90", "p99", "p999", "p9999"].map((p) => ({ label: `${p.length > 3 ? `${p.slice(1, 3)}.${p.slice(3)}` : p.slice(1)} %`, class: "number", cell: (row) => interval(row[`disorder_${p}`]) })),
    { label: "latest", class: "number", cell: (row) => interval(row.disorder_most) }],
  { key: (row) => `${row.flow} ${full(row)} ${row.partition}`, label: "Lateness", tall: true, empty: "No flow reads a stream with a watermark yet." });
  const hours = new Table([{ label: "stream", cell: full }, when("hour_start", "hour"), { label: "", cell: (row) => chip(row.status) }, { label: "basis", cell: (row) => row.basis, title: (row) => row.method },
    number("seen"), number("expected"), bad("missing"), bad("unexpected"), number("rests_on", "rests on"), { label: "flow", cell: (row) => row.flow }],
  { key: (row) => `${row.flow} ${full(row)} ${row.hour_start}`, label: "By the hour", tall: true, empty: "Nothing to go by yet." });
  root.append(h("h1", null, "Completeness"), h("p", { class: "lead" },
    "Is anything missing, and does the watermark wait long enough? A window's own state is on its view's page; weir.advise_watermark('stream') says what delay would do."),
  h("h2", null, "Seen against expected"), expected.element, h("h2", null, "By the hour"), hours.element, h("h2", null, "Numbers of producers"), sequences.element, h("h2", null, "Gaps"), gaps.element,
  h("h2", null, "How late events come"),
  h("p", { class: "lead" }, "So much behind the newest event were 50 to 99.99 % of them. What the watermark does not wait for is late: applied, and a correction where a row was final."), waits.element);
  return { every: 4000, async refresh() {
    const [a, b, c, d, e] = await Promise.all([query("SELECT * FROM weir.expected_events ORDER BY schema, name, flow, partition"),
      query("SELECT * FROM weir.sequences ORDER BY missing DESC, schema, name, producer, flow LIMIT 200"),
      query("SELECT DISTINCT schema, name, producer, first_missing, last_missing, missing, event_before, event_after FROM weir.sequence_gaps ORDER BY event_after DESC LIMIT 200"),
      query("SELECT * FROM weir.completeness ORDER BY schema, name, flow, partition"),
      query("SELECT * FROM weir.expected_by_hour ORDER BY hour_start DESC, schema, name, flow LIMIT 200")]);
    expected.update(a.rows);
    sequences.update(b.rows);
    gaps.update(c.rows);
    waits.update(d.rows);
    hours.update(e.rows);
  } };
}
