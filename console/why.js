// why.js - the story of one row, for somebody who has to answer for the figure: what it was when it
// became final, what it is now, how much each cause has changed it, and each change with its events.
import { h, chip, count, instant, keyText, jsonValue } from "./dom.js";

const EVENTS = 20; // of a change, before one asks for more

const values = (row, hidden) => Object.entries(row ?? {}).filter(([name]) => !hidden.includes(name));
const plain = (value) => (value === null || value === undefined ? "–" : jsonValue(value));

// Differences of decimals, exact as far as both have at most 15 digits.
function places(value) {
  return (String(value).split(".")[1] ?? "").length;
}
function minus(a, b) {
  const digits = Math.max(places(a), places(b));
  return Number((Number(a ?? 0) - Number(b ?? 0)).toFixed(Math.min(digits, 12)));
}
const signed = (value, digits) => (value > 0 ? "+" : value < 0 ? "−" : "±") + decimal(Math.abs(value), digits ?? places(value));
const decimal = (value, digits) => (typeof value === "number" ? value.toLocaleString("en", { minimumFractionDigits: Math.min(digits, 12), maximumFractionDigits: Math.min(digits, 12) }) : plain(value));

// ---- what each cause has done ----

// Changes of a final row, by cause: how often, and the sum of the differences of each number.
function byCause(changes, names) {
  const causes = new Map();
  for (const change of changes) {
    if (!change.cause) continue;
    const kept = causes.get(change.cause) ?? { n: 0, sums: Object.fromEntries(names.map((name) => [name, 0])) };
    kept.n++;
    for (const name of names) kept.sums[name] = minus(kept.sums[name], -minus(change.new?.[name] ?? 0, change.old?.[name] ?? 0));
    causes.set(change.cause, kept);
  }
  return causes;
}

function numbers(changes, hidden) {
  const names = new Set();
  for (const change of changes)
    for (const row of [change.old, change.new]) for (const [name, value] of values(row, hidden)) if (typeof value === "number") names.add(name);
  return [...names];
}

// "It was final at 1,149.43; late events +38.30; reconciliation … −5.00; it is 1,182.73 now."
function summary(changes, hidden) {
  const first = changes.find((change) => change.cause && (change.old || change.new)), last = changes.at(-1);
  if (!first) return h("p", null, last?.standing === "final" ? "It has not changed since it became final." : "It has not been corrected.");
  const names = numbers(changes, hidden), causes = byCause(changes, names);
  const digits = Object.fromEntries(names.map((name) => [name, Math.max(...changes.flatMap((change) => [change.old, change.new]).map((row) => places(row?.[name] ?? 0)))]));
  const row = (label, n, cells, strong) => h("tr", null, h(strong ? "th" : "td", strong ? { scope: "row" } : null, label), h("td", { class: "number" }, n), cells.map((text) => h("td", { class: "number" }, strong ? h("b", null, text) : text)));
  const body = h("tbody", null,
    row(`when it was final${first.old ? "" : ": not there"}`, "", names.map((name) => decimal(first.old?.[name], digits[name])), true),
    [...causes].map(([cause, kept]) => row(cause, count(kept.n), names.map((name) => (kept.sums[name] === 0 ? "–" : signed(kept.sums[name], digits[name]))))),
    row(last.new ? "now" : "now: gone", "", names.map((name) => decimal(last.new?.[name], digits[name])), true));
  return h("div", { class: "frame fit" }, h("table", { "aria-label": "What changed it" },
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "cause"), h("th", { scope: "col", class: "number" }, "changes"), names.map((name) => h("th", { scope: "col", class: "number" }, name)))), body));
}

// ---- the changes ----

// A line a column: name, before struck out, after, by how much.
function difference(change, hidden) {
  if (!change.new) return h("p", null, change.old ? `The row left: ${keyText(Object.fromEntries(values(change.old, hidden)))}` : "");
  const lines = values(change.new, hidden).map(([name, value]) => {
    const before = change.old?.[name], changed = change.old && JSON.stringify(before) !== JSON.stringify(value);
    const by = changed && typeof before === "number" && typeof value === "number" ? `(${signed(minus(value, before))})` : "";
    return [h("span", { class: "quiet" }, name), changed ? h("s", null, plain(before)) : h("span"), changed ? h("span", null, "→") : h("span"), h("b", null, plain(value)), h("span", { class: "quiet" }, by)];
  });
  return h("span", { class: "diff five" }, lines.flat());
}

function delay(event) { // how long after it happened it came
  const ms = Date.parse(event.appended_at) - Date.parse(event.event_time);
  if (!(ms >= 60000)) return "";
  const minutes = Math.round(ms / 60000);
  return minutes < 120 ? `came ${minutes} min after` : minutes < 2880 ? `came ${Math.round(minutes / 60)} h after` : `came ${Math.round(minutes / 1440)} days after`;
}

function eventRow(event) {
  const notes = [event.left ? "no longer counts" : "", delay(event), event.duplicates?.length ? `sent ${event.duplicates.length + 1} times, counted once` : ""].filter(Boolean);
  return h("tr", null, h("td", { title: `partition ${event.partition}, offset ${event.offset}` }, h("span", { class: "quiet" }, `${event.object} ${event.partition}:${event.offset}`)),
    h("td", { title: event.event_time ?? event.appended_at }, instant(event.event_time ?? event.appended_at)),
    h("td", { class: "wide" }, h("code", null, JSON.stringify(event.event))), h("td", { class: "wrap" }, notes.join("; ") || "–"));
}

function events(list) {
  if (list.length === 0) return null;
  const body = h("tbody", null, list.slice(0, EVENTS).map(eventRow));
  const table = h("div", { class: "frame events", tabindex: "0", role: "region", "aria-label": "Events behind it" }, h("table", null, h("thead", null,
    h("tr", null, ["event", "happened", "what it says", ""].map((label) => h("th", { scope: "col" }, label)))), body));
  const title = h("p", { class: "small quiet" }, `${count(list.length)} ${list.length === 1 ? "event" : "events"} behind it`);
  if (list.length <= EVENTS) return [title, table];
  const more = h("button", { type: "button", class: "small", onclick() {
    body.append(...list.slice(EVENTS).map(eventRow));
    more.remove();
  } }, `${count(list.length - EVENTS)} more`);
  return [title, table, more];
}

function changeBlock(change, hidden) {
  return h("section", { class: "card change" },
    h("div", { class: "row small" }, chip(change.standing), h("span", { title: change.at }, change.at ? instant(change.at) : "before what is kept"),
      change.cause ? h("b", null, change.cause) : null, change.revision ? h("span", { class: "quiet" }, `revision ${change.revision}`) : null,
      change.step ? h("span", { class: "quiet" }, `step ${change.step}`) : null),
    h("div", null, difference(change, hidden)), events(change.events ?? []), change.note ? h("p", { class: "small quiet" }, change.note) : null);
}

// Shows the story of `row` in `holder`. keys: the names of the columns that identify it.
export async function showWhy(holder, view, keys, row) {
  const asked = document.activeElement;
  const title = h("h2", { tabindex: "-1" }, `Why ${keyText(Object.fromEntries(keys.map((name) => [name, row[name]])))}?`);
  const close = h("button", { type: "button", onclick() {
    holder.replaceChildren();
    if (asked?.isConnected) asked.focus();
  } }, "Close");
  const body = h("div", { "aria-live": "polite" }, "Reading the log …");
  const section = h("section", { class: "why", "aria-label": "Why" }, h("div", { class: "row spread" }, title, close), body);
  section.addEventListener("keydown", (event) => event.key === "Escape" && close.click());
  holder.replaceChildren(section);
  holder.scrollIntoView({ block: "nearest" });
  title.focus({ preventScroll: true });
  const key = JSON.stringify(Object.fromEntries(keys.map((name) => [name, row[name]])));
  try {
    const response = await fetch(`/v1/views/${encodeURIComponent(view)}/why?key=${encodeURIComponent(key)}`, { signal: AbortSignal.timeout(300000) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error?.message ?? `HTTP ${response.status}`);
    if (!section.isConnected) return;
    if (answer.changes.length === 0) body.replaceChildren(h("p", { class: "empty" }, "Nothing is known of this row any more."));
    else body.replaceChildren(summary(answer.changes, keys), ...answer.changes.toReversed().map((change) => changeBlock(change, keys)));
  } catch (error) {
    body.replaceChildren(h("p", { class: "empty" }, error.message));
  }
}
