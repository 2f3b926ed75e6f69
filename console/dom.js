// dom.js - elements, formats of values, and a table that changes in place: rows are kept by key, and
// only cells whose text differs are touched, so that focus, scrolling and selection stay.

// h("td", {class: "number", onclick: f}, "text", element, ...)
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function s(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes ?? {}))
    if (value !== undefined) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ---- values ----

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));
export const compact = (n) => (Math.abs(n) < 10000 ? whole.format(n) : short.format(n));

export function rate(n) {
  if (n === null || n === undefined) return "–";
  return (n >= 100 ? whole.format(Math.round(n)) : n.toFixed(1)) + "/s";
}

export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return (i === 0 ? n : n.toFixed(1)) + " " + units[i];
}

// "2026-11-21T02:20:00.123Z": the time alone if it is today, in UTC, as all times here.
export function instant(text) {
  if (!text) return "–";
  const [date, rest] = text.split("T");
  const clock = (rest ?? "").slice(0, 8);
  return date === new Date().toISOString().slice(0, 10) ? clock : `${date} ${clock}`;
}

// An interval as PostgreSQL writes it, "1 day 02:03:04.5", shortened.
export function interval(text) {
  if (text === null || text === undefined) return "–";
  const found = /^(-?)(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  if (!found) return text.replace(/ 00:00:00$/, "");
  const seconds = Number(found[2]) * 3600 + Number(found[3]) * 60 + Number(found[4]);
  const sign = found[1];
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return sign + Math.round(seconds * 1e6) + " µs";
  if (seconds < 1) return sign + (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0) + " ms";
  if (seconds < 120) return sign + Number(seconds.toFixed(1)) + " s";
  if (seconds < 7200) return sign + Math.round(seconds / 60) + " min";
  return sign + Number((seconds / 3600).toFixed(1)) + " h";
}

export const isNumber = (type) => /^(smallint|integer|bigint|numeric|real|double precision)/.test(type);
export const isTime = (type) => /^(timestamp|date)/.test(type);

// Numbers that are names: they are not grouped by thousands.
export const isName = (column) => /(^|_)(id|no|seq|offset|year|port)$/.test(column);

// The text of a value of a type. digits: of the fractions in its column.
export function show(value, type, digits) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") {
    if (/^(numeric|real|double)/.test(type))
      return value.toLocaleString("en", { minimumFractionDigits: digits ?? 0, maximumFractionDigits: digits ?? 6 });
    return whole.format(value);
  }
  if (typeof value === "object") return JSON.stringify(value);
  if (type.startsWith("timestamp")) return instant(value);
  return String(value);
}

// How many places after the point the values of a column have, 2 to 6, or 0 if all are whole.
export function fractionDigits(rows, name) {
  let digits = 0;
  for (const row of rows) {
    if (typeof row[name] !== "number" || Number.isInteger(row[name])) continue;
    digits = Math.max(digits, (String(row[name]).split(".")[1] ?? "").length);
  }
  return digits === 0 ? 0 : Math.min(6, Math.max(2, digits));
}

// A value of a row that came as JSON.
export function jsonValue(value) {
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return value.replace("T", " ").replace(/(\.\d+)?Z$/, "");
  if (typeof value === "number" && !Number.isInteger(value)) return value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 });
  return value !== null && typeof value === "object" ? JSON.stringify(value) : String(value ?? "null");
}

// A key or row as weir writes it, {"store_id":5,"day":"2026-11-19"} or that object, for people.
export function keyText(json) {
  if (json === null || json === undefined) return "–";
  try {
    return Object.entries(typeof json === "string" ? JSON.parse(json) : json).map(([name, value]) => `${name} ${jsonValue(value)}`).join(", ");
  } catch {
    return String(json);
  }
}

// A statement for psql, with a button that copies it. (The console changes nothing that a person has to decide.)
export function statement(sql) {
  const button = h("button", { type: "button", class: "small", async onclick() {
    try {
      await navigator.clipboard.writeText(sql);
      button.textContent = "Copied";
    } catch { // no clipboard without a secure origin: the text is selected for the keyboard
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  } }, "Copy");
  const text = h("code", null, sql);
  return h("span", { class: "row statement" }, text, button);
}

const chips = { final: "good", provisional: "wait", corrected: "turn", matched: "good", missing: "bad",
  unexpected: "bad", differing: "bad", duplicate: "bad", fresh: "good", stale: "bad", waiting: "wait", applied: "good", done: "good",
  running: "wait", failed: "bad", serving: "good", beside: "wait", equal: "good", equals: "good", differs: "bad", removed: "bad", unresolved: "bad" };
export const chip = (text, kind) => h("span", { class: `chip ${kind ?? chips[text] ?? ""}` }, text ?? "–");

// ---- a table ----

// columns: [{name, label, type, class, cell(row) -> text or node, title(row)}]; key(row) -> text.
export class Table {
  constructor(columns, options = {}) {
    this.columns = columns;
    this.key = options.key ?? ((row) => JSON.stringify(row));
    this.flash = options.flash ?? false;
    this.rows = new Map();
    this.body = h("tbody");
    this.table = h("table", { "aria-label": options.label },
      h("thead", null, h("tr", null, columns.map((column) =>
        h("th", { scope: "col", class: column.class?.replace("wrap", "").replace("wide", "") }, column.label ?? column.name)))),
      this.body);
    this.none = h("p", { class: "empty" }, options.empty ?? "Nothing yet.");
    this.none.hidden = true;
    this.element = h("div", { class: `frame ${options.tall ? "tall" : ""}`, tabindex: "0", role: "region",
      "aria-label": options.label }, this.table, this.none);
  }

  update(rows) {
    const first = this.rows.size === 0;
    const seen = new Map();
    let at = this.body.firstElementChild;
    for (const row of rows) {
      let key = this.key(row);
      while (seen.has(key)) key += "+";
      let kept = this.rows.get(key);
      if (!kept) {
        kept = { element: h("tr", this.flash && !first ? { class: "new" } : null), texts: [] };
        for (const column of this.columns) kept.element.append(h("td", { class: column.class }));
      }
      seen.set(key, kept);
      this.columns.forEach((column, i) => this.cell(kept, i, column, row));
      if (kept.element === at) at = at.nextElementSibling;
      else this.body.insertBefore(kept.element, at);
    }
    for (const [key, kept] of this.rows) if (!seen.has(key)) kept.element.remove();
    this.rows = seen;
    this.none.hidden = rows.length > 0;
    this.table.hidden = rows.length === 0;
  }

  cell(kept, i, column, row) {
    const value = column.cell ? column.cell(row) : show(row[column.name], column.type ?? "text", column.digits);
    const text = value instanceof Node ? value.outerHTML : value;
    if (kept.texts[i] === text) return;
    kept.texts[i] = text;
    const cell = kept.element.children[i];
    cell.replaceChildren(value);
    if (column.title) cell.title = column.title(row) ?? "";
  }
}
