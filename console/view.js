// view.js - one view, live: its newest rows by query, then its changes as they are committed; and a
// chart of one measure. The query is asked again now and then, since standing (final, corrected)
// changes without an event, and when the stream of changes cannot be had.
import { showWhy } from "./why.js";
import { versionPanel } from "./versions.js";
import { windowPanel } from "./windows.js";
import { follow, query, quote, quoteName, literal } from "./api.js";
import { h, Table, chip, count, fractionDigits, instant, interval, isName, isNumber, isTime, show } from "./dom.js";
import { timeChart, categoryChart, legend } from "./chart.js";

const ROWS = 300, BARS = 120, AGAIN_MS = 3000, TRUST_MS = 9000;
const STANDING = ["_status", "_revision", "_updated_at"];

// The column to order by: the window's, else the newest time, else none.
function timeColumn(columns) {
  const times = columns.filter((column) => isTime(column.type));
  for (const name of ["window_start", "window_end", "day", "hour", "minute"]) {
    const found = times.find((column) => column.name === name);
    if (found) return found;
  }
  return times.find((column) => column.type === "date") ?? times.find((column) => /_at$/.test(column.name)) ?? times[0];
}

const isWindow = (column) => column && (/^(window_|day$|hour$|minute$)/.test(column.name) || column.type === "date");

function measures(columns) {
  const numbers = columns.filter((column) => isNumber(column.type) && !isName(column.name) && !/^(discount|version)$/.test(column.name));
  const first = numbers.findIndex((column) => /revenue|amount|margin|total|value/.test(column.name));
  if (first > 0) numbers.unshift(...numbers.splice(first, 1));
  return numbers;
}

// An instant that a person wrote: UTC unless it says a zone.
function withZone(text) {
  if (!text) return undefined;
  return /(z|[+-]\d\d(:?\d\d)?)$/i.test(text.slice(10)) ? text : `${text}${text.length > 10 ? "" : " 00:00"}+00`;
}

const aggregate = (name) => (/mean|avg|average/.test(name) ? "avg" : /(^|_)max/.test(name) ? "max" : /(^|_)min/.test(name) ? "min" : "sum");

export function viewPage(root, name) {
  const from = quoteName(name);
  const facts = h("div", { class: "facts" }), state = h("span", { class: "chip" }, "loading");
  const chartBox = h("section", { class: "chart", "aria-label": "Chart" }), holder = h("div"), why = h("div"), body = h("div");
  const pick = h("select", { "aria-label": "Measure", onchange: () => drawChart().catch(() => {}) }), chartTitle = h("span", { class: "small quiet" });
  const definition = h("pre"), more = h("p", { class: "small quiet" }), verdict = h("span", { class: "small", role: "status" });
  const windows = windowPanel(name), versions = versionPanel(name), books = h("div", { class: "facts" });
  const instantBox = (label, placeholder) => h("input", { type: "text", "aria-label": label, placeholder, size: "22" });
  const then = instantBox("As of", "YYYY-MM-DD hh:mm, UTC"), effective = instantBox("Effective by", "YYYY-MM-DD, all of the day");
  const back = h("button", { type: "button", class: "small", onclick: () => setPast(null) }, "Back to now");
  const form = h("form", { class: "row small", onsubmit(event) {
    event.preventDefault();
    setPast(then.value.trim() || effective.value.trim() ? { as_of: withZone(then.value.trim()), effective_as_of: effective.value.trim() || undefined } : null);
  } }, "as we saw it at", then, "of what was effective by", effective, h("button", { class: "small" }, "Show"), back);
  const refused = h("p", { class: "error", role: "alert" });
  back.hidden = refused.hidden = true;
  const verify = h("button", { type: "button", class: "small", title: "Computes it again from the log and compares", onclick: verifyNow }, "Verify");
  chartBox.hidden = true;
  chartBox.append(h("div", { class: "row spread" }, h("span", { class: "row" }, pick, chartTitle), legend()), holder);
  root.append(h("div", { class: "row spread" }, h("h1", null, name), h("span", { class: "row small" }, verdict, verify, state,
    h("a", { href: `/v1/views/${encodeURIComponent(name)}?format=csv`, download: `${name}.csv` }, "CSV"),
    h("a", { href: `/v1/views/${encodeURIComponent(name)}` }, "JSON"))), facts, books, form, h("div", null, refused), chartBox, why, body, more, windows.element, versions.element,
  h("details", null, h("summary", null, "Definition"), h("div", { class: "card" }, definition)));

  let columns = null, keys = [], time, rows = [], table, keyed, stopFollowing = null, lastQuery = 0, lastTrust = -Infinity, past = null, dirty = false, closed = false, painting = 0, lastWidth = 0;

  const key = (row) => JSON.stringify(columns.map((column) => row[column.name]));

  // Shows the view as it was, by either clock or both, or follows it again (null). The chart is of then too.
  async function setPast(wanted) {
    const was = past;
    past = wanted;
    refused.hidden = true;
    stopFollowing?.();
    stopFollowing = null;
    try {
      await load();
    } catch (error) {
      refused.textContent = error.message;
      refused.hidden = false;
      past = was;
      await load().catch(() => {});
    }
    back.hidden = !past;
    if (!past) then.value = effective.value = "";
  }

  async function verifyNow() {
    verify.disabled = true;
    verdict.textContent = "Computing it from the log …";
    try {
      const row = (await query(`VERIFY MATERIALIZED VIEW ${from}`)).rows[0];
      verdict.replaceChildren(chip(row.verdict), ` ${count(row.records)} records read, ${count(row.rows)} rows compared${row.reason ? `: ${row.reason}` : ""}`);
    } catch (error) {
      verdict.textContent = error.message;
    }
    verify.disabled = false;
  }

  // What else is known of its trust: reconciliations of it, its windows and versions.
  async function loadTrust() {
    const found = await query(`SELECT schema, name, run, error, as_of, missing + unexpected + differing + duplicate AS found FROM weir.reconciliations WHERE view = ${literal(name)} ORDER BY schema, name`);
    if (closed) return;
    books.hidden = found.rows.length === 0;
    books.replaceChildren(...found.rows.map((row) => h("span", null, "against the books: ",
      h("a", { href: `#/reconciliation/${encodeURIComponent(`${row.schema}.${row.name}`)}` }, `${row.schema}.${row.name}`), " ",
      row.error ? chip("failed") : row.run === null ? chip("not run yet") : row.found > 0 ? chip(`${count(row.found)} findings`, "bad") : chip("agrees", "good"),
      row.as_of ? ` as of ${instant(row.as_of)}` : "")));
    await Promise.all([windows.refresh(rows.some((row) => row._status && row._status !== "current")), versions.refresh()]);
  }

  function makeTable(all) {
    columns = all.filter((column) => !STANDING.includes(column.name));
    time = timeColumn(columns);
    const cells = columns.map((column) => ({ name: column.name, type: column.type,
      class: isNumber(column.type) ? "number" : column.type === "jsonb" || column.type.startsWith("struct") ? "wrap" : undefined,
      title: (row) => (row[column.name] === null ? "null" : isTime(column.type) ? String(row[column.name]) : ""),
      cell(row) { return isName(column.name) && row[column.name] !== null ? String(row[column.name]) : show(row[column.name], column.type, this.digits); } }));
    keyed = cells;
    table = new Table([...cells, { label: "standing", cell: (row) => (row._status ? chip(row._status) : chip("new")) },
      { label: "revision", class: "number", cell: (row) => count(row._revision) },
      { label: "updated", cell: (row) => instant(row._updated_at), title: (row) => row._updated_at },
      { label: "", cell: (row) => h("button", { type: "button", class: "small", "data-row": key(row), onclick: () => showWhy(why, name, keys, row) }, "why") }],
    { key, flash: true, tall: true, label: `Rows of ${name}`, empty: "The view has no rows now." });
    body.replaceChildren(table.element);
    for (const measure of measures(columns)) pick.append(h("option", { value: measure.name }, measure.name.replaceAll("_", " ")));
    pick.append(h("option", { value: "" }, "rows"));
  }

  function order(list) {
    if (time) list.sort((a, b) => (a[time.name] === b[time.name] ? 0 : (a[time.name] ?? "") < (b[time.name] ?? "") ? 1 : -1));
    return list.slice(0, ROWS);
  }

  function paint() {
    for (const cell of keyed) if (/^(numeric|real|double)/.test(cell.type)) cell.digits = Math.max(cell.digits ?? 0, fractionDigits(rows, cell.name));
    table.update(rows);
  }

  function paintSoon() { // at most once a frame, however many commits there are
    if (painting) return;
    painting = requestAnimationFrame(() => {
      painting = 0;
      if (!closed) paint();
    });
  }

  function apply(change) {
    if (!columns) return;
    const gone = new Map();
    for (const row of change.delete) gone.set(key(row), (gone.get(key(row)) ?? 0) + 1);
    rows = rows.filter((row) => {
      const n = gone.get(key(row)) ?? 0;
      if (n > 0) gone.set(key(row), n - 1);
      return n === 0;
    });
    for (const row of change.insert) rows.push({ ...row, _updated_at: change.at });
    rows = order(rows);
    dirty = true;
    paintSoon();
  }

  async function drawChart() {
    const measure = columns.find((column) => column.name === pick.value);
    const texts = columns.filter((column) => /^(text|character varying|name|date)/.test(column.type));
    const group = isWindow(time) ? time : (measure ? texts[0] : texts.at(-1)) ?? columns.find((column) => isName(column.name));
    if (!group || (rows.length === 0 && chartBox.hidden)) return;
    const how = measure ? aggregate(measure.name) : "count", windowed = isWindow(group);
    const result = await query(`SELECT ${quote(group.name)} AS t, ${how}(${measure ? quote(measure.name) : "*"}) AS v,
      max(CASE WHEN _status = 'provisional' THEN 1 ELSE 0 END) AS provisional,
      max(CASE WHEN _status = 'corrected' THEN 1 ELSE 0 END) AS corrected
      FROM ${from} GROUP BY ${quote(group.name)} ORDER BY ${windowed ? 1 : 2} DESC LIMIT ${windowed ? BARS : 16}`, undefined, past ?? undefined);
    if (closed) return;
    chartBox.hidden = false;
    const width = Math.max(280, holder.clientWidth || chartBox.clientWidth - 34), digits = fractionDigits(result.rows, "v");
    lastWidth = width;
    chartTitle.textContent = `${how} by ${group.name.replaceAll("_", " ")}${windowed ? `, newest ${result.rows.length}` : ""}`;
    chartBox.querySelector(".row > .row:last-child").style.visibility = windowed ? "" : "hidden";
    holder.replaceChildren(result.rows.length ? (windowed ? timeChart(result.rows, group.type, digits, width) : categoryChart(result.rows, digits, width)) : h("p", { class: "empty" }, "No rows to draw."));
  }

  function setFacts(view, standing) {
    const fact = (label, value) => h("span", null, label + " ", h("b", null, value));
    const parts = [fact("rows", count(view?.rows ?? rows.length)), fact("corrections", count(view?.corrections)),
      fact("as of", instant(standing?.as_of)), fact("watermark", instant(standing?.watermark)), view?.final_until ? fact("final until", instant(view.final_until)) : null, fact("lag", interval(view?.lag)),
      fact("refresh", view?.refresh === "immediate" ? "immediate" : interval(view?.refresh)), view?.lateness && view.lateness !== "00:00:00" ? fact("lateness", interval(view.lateness)) : null, view?.close ? fact("closes", view.close) : null,
      standing ? chip(standing.fresh ? "fresh" : "stale") : null];
    facts.replaceChildren(...parts.filter(Boolean));
  }

  function connect(step) {
    stopFollowing?.();
    stopFollowing = follow(name, step, {
      change: apply,
      reset() { dirty = true; lastQuery = 0; },
      state(now) {
        state.textContent = now === "live" ? "live" : now === "waiting" ? "reconnecting" : "polling";
        state.className = `chip ${now === "live" ? "good" : "wait"}`;
        if (now === "ended") { stopFollowing?.(); stopFollowing = null; }
      },
    });
  }

  async function load() {
    lastQuery = performance.now();
    dirty = false;
    if (!columns) {
      const shape = await query(`SELECT *, _status, _revision, _updated_at FROM ${from} LIMIT 0`).catch((error) => {
        state.textContent = "not there";
        throw error;
      });
      const found = await query(`SELECT column_name FROM weir.contracts WHERE schema || '.' || object = ${literal(name)} AND is_key ORDER BY position`);
      if (closed) return;
      keys = found.rows.map((row) => row.column_name);
      if (keys.length === 0) keys = shape.columns.map((column) => column.name).filter((column) => !STANDING.includes(column));
      makeTable(shape.columns);
    }
    const [result, view] = await Promise.all([
      query(`SELECT *, _status, _revision, _updated_at FROM ${from}${time ? ` ORDER BY ${quote(time.name)} DESC NULLS LAST` : ""} LIMIT ${ROWS}`, undefined, past ?? undefined),
      query(`SELECT v.*, s.final_until FROM weir.views v LEFT JOIN weir.standing s ON s.schema = v.schema AND s.view = v.name WHERE v.schema || '.' || v.name = ${literal(name)}`)]);
    if (closed) return;
    rows = result.rows;
    paint();
    setFacts(view.rows[0], result.standing);
    definition.textContent = view.rows[0]?.definition ?? "";
    more.textContent = (view.rows[0]?.rows ?? 0) > ROWS ? `The newest ${ROWS} of ${count(view.rows[0].rows)} rows are shown.` : "";
    if (past) {
      state.textContent = "not live";
      state.className = "chip turn";
      more.textContent = "";
      const fact = (label, value) => (value ? h("span", null, label + " ", h("b", null, value)) : null);
      facts.replaceChildren(...[fact("as the view was at", past.as_of), fact("of what was effective by", past.effective_as_of), fact("step", count(result.standing?.step)),
        fact("watermark", instant(result.standing?.watermark))].filter(Boolean));
    } else if (!stopFollowing) connect(result.standing?.step ?? 0);
    await drawChart();
    if (performance.now() - lastTrust > TRUST_MS) {
      lastTrust = performance.now();
      await loadTrust();
    }
  }

  const resize = new ResizeObserver(() => {
    if (columns && !chartBox.hidden && Math.abs(holder.clientWidth - lastWidth) > 20) drawChart().catch(() => {});
  });
  resize.observe(root);

  return {
    every: 1000,
    async refresh() {
      if (past) return; // the past stands still
      const age = performance.now() - lastQuery;
      if (!columns || (dirty && age > AGAIN_MS) || age > 3 * AGAIN_MS || (!stopFollowing && age > 2000)) await load();
    },
    reconnect() { // the server is back, perhaps with another step
      stopFollowing?.();
      stopFollowing = null;
      lastQuery = 0;
      dirty = true;
    },
    close() {
      closed = true;
      resize.disconnect();
      stopFollowing?.();
    },
  };
}
