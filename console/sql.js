// sql.js - the SQL box: one statement at a time, its rows, how fresh they are, or where it is wrong.
import { query, StatementError } from "./api.js";
import { h, Table, count, fractionDigits, instant, isName, isNumber, show } from "./dom.js";

const EXAMPLES = [
  ["Views", "SELECT schema, name, rows, corrections, lag, watermark, fresh\nFROM weir.views\nORDER BY schema, name"],
  ["Why a figure changed", "SELECT at, view, cause, old, new\nFROM weir.revision\nORDER BY at DESC\nLIMIT 20"],
  ["Causes in quarantine", "SELECT stream, cause, count(*)\nFROM weir.quarantine\nGROUP BY stream, cause\nORDER BY 3 DESC"],
  ["Against the books", "SELECT name, as_of, matched, missing, unexpected, differing\nFROM weir.reconciliations"],
  ["What waits for a person", "SELECT r.name, r.run, r.waits_for, m.action, m.kind, m.key, m.record\nFROM weir.reconciliation_runs r\nJOIN weir.reconciliation_remedy m ON m.schema = r.schema AND m.name = r.name AND m.run = r.run\nWHERE r.remedy = 'waiting'\nORDER BY r.name, m.number"],
  ["Versions, day by day", "SELECT view, version, day, verdict, changed, added, removed, difference\nFROM weir.diff_by_day\nORDER BY view, version, day"],
  ["Contracts", "SELECT object, column_name, type, not_null, time_role, comment\nFROM weir.contracts\nORDER BY schema, object, position"],
  ["Settings", "SELECT * FROM weir.settings"],
];
const LIMIT = 1000;
let kept = EXAMPLES[0][1]; // while the console is open

function place(error) { // the line at fault, with a mark under the position
  if (!(error.position > 0)) return "";
  const before = [...error.sql].slice(0, error.position - 1).join("");
  const line = before.split("\n").length - 1, column = before.length - (before.lastIndexOf("\n") + 1);
  return `line ${line + 1}: ${error.sql.split("\n")[line]}\n${" ".repeat(`line ${line + 1}: `.length + column)}^`;
}

export function sqlPage(root) {
  const box = h("textarea", { "aria-label": "SQL statement", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  const button = h("button", { class: "main", onclick: run }, "Run");
  const note = h("span", { class: "small quiet", role: "status" }, "Ctrl+Enter runs it. Reading, VERIFY, INSERT, DELETE, RECONCILE and FLUSH are taken here.");
  const out = h("div");
  box.value = kept;
  box.addEventListener("input", () => (kept = box.value));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  root.append(h("h1", null, "SQL"), h("p", { class: "lead" }, "PostgreSQL's SQL, over views, streams, tables and what weir knows of itself."), box,
    h("div", { class: "examples" }, EXAMPLES.map(([label, sql]) => h("button", { onclick() { box.value = kept = sql; run(); } }, label))),
    h("div", { class: "row" }, button, note), h("div", { style: "height:14px" }), out);

  async function run() {
    if (button.disabled || box.value.trim() === "") return;
    button.disabled = true;
    note.textContent = "Running.";
    try {
      showResult(await query(box.value, LIMIT));
    } catch (error) {
      note.textContent = "";
      const text = error instanceof StatementError ? `${error.message} (${error.sqlstate})` : "weir does not answer.";
      out.replaceChildren(h("div", { class: "error", role: "alert" }, text, error.hint ? h("div", null, "Hint: " + error.hint) : null,
        error.detail ? h("div", null, error.detail) : null, error.position > 0 ? h("pre", null, place(error)) : null));
    }
    button.disabled = false;
  }

  function showResult(result) {
    const rows = result.cells.map((cells, i) => ({ i, ...cells }));
    const table = new Table(result.columns.map((column, i) => {
      const digits = fractionDigits(rows, i), long = rows.some((row) => typeof row[i] === "object" ? row[i] !== null : String(row[i]).length > 60);
      return { label: column.name, class: isNumber(column.type) ? "number" : long ? "wrap" : undefined, cell: (row) => (isName(column.name) && row[i] !== null ? String(row[i]) : show(row[i], column.type, digits)), title: (row) => (row[i] === null ? "null" : "") };
    }), { key: (row) => String(row.i), label: "Result", tall: true, empty: "No rows." });
    table.update(rows);
    const standing = result.standing ? `, as of ${instant(result.standing.as_of)}${result.standing.fresh ? "" : ", stale"}` : "";
    note.textContent = result.columns.length ? `${count(result.row_count)} rows${result.truncated ? ` (the first ${LIMIT} of more)` : ""} in ${result.elapsed_ms.toFixed(1)} ms${standing}` : `${result.tag}, ${result.elapsed_ms.toFixed(1)} ms`;
    out.replaceChildren(...result.notices.map((text) => h("p", { class: "small quiet" }, text)), result.columns.length ? table.element : "");
  }

  return { every: 0, async refresh() { box.focus({ preventScroll: true }); } };
}
