// why.js - the story of one row of a view: its values in order, and the events behind each change.

import { h, chip, count, instant } from "./dom.js";

const EVENTS = 20; // of a change, before one asks for more

function values(row, hidden) {
  return Object.entries(row ?? {}).filter(([name]) => !hidden.includes(name));
}

const plain = (value) => (value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));

// Name, value before struck out, value after.
function difference(change, hidden) {
  const shown = values(change.new ?? change.old, hidden);
  if (!change.new) return h("span", null, change.old ? "the row left" : "");
  return h("span", { class: "diff" }, shown.flatMap(([name, value]) => {
    const before = change.old?.[name], changed = change.old && JSON.stringify(before) !== JSON.stringify(value);
    return [h("span", { class: "quiet" }, name), changed ? h("s", null, plain(before)) : null, changed ? h("span", null, "→") : null, h("b", null, plain(value))];
  }));
}

function eventLine(event) {
  const again = event.duplicates?.length ? `, sent ${event.duplicates.length + 1} times` : "";
  return h("li", { class: "small" }, h("span", { class: "quiet" }, `${event.left ? "left: " : ""}${event.object} ${event.partition}:${event.offset}`),
    ` ${instant(event.event_time ?? event.appended_at)} `, h("code", null, JSON.stringify(event.event)), h("span", { class: "quiet" }, again));
}

function events(list) {
  if (list.length === 0) return null;
  const items = h("ul", { class: "events" }, list.slice(0, EVENTS).map(eventLine));
  if (list.length > EVENTS) {
    const more = h("button", { type: "button", onclick() {
      items.append(...list.slice(EVENTS).map(eventLine));
      more.remove();
    } }, `${count(list.length - EVENTS)} more`);
    return h("div", null, items, more);
  }
  return items;
}

function changeBlock(change, hidden) {
  return h("section", { class: "card change" },
    h("div", { class: "row small" }, chip(change.standing), h("span", null, change.at ? instant(change.at) : "before what is kept"),
      change.revision ? h("span", { class: "quiet" }, `revision ${change.revision}`) : null,
      change.step ? h("span", { class: "quiet" }, `step ${change.step}`) : null, change.cause ? h("b", null, change.cause) : null),
    h("div", null, difference(change, hidden)), events(change.events ?? []), change.note ? h("p", { class: "small quiet" }, change.note) : null);
}

// Shows the story of `row` in `holder`. keys: the names of the columns that identify it.
export async function showWhy(holder, view, keys, row) {
  const title = keys.map((name) => `${name} ${plain(row[name])}`).join(", ");
  const close = h("button", { type: "button", onclick: () => holder.replaceChildren() }, "Close");
  const head = h("div", { class: "row spread" }, h("h2", null, `Why ${title}?`), close), body = h("div", { "aria-live": "polite" }, "Reading the log …");
  holder.replaceChildren(h("section", { class: "why", "aria-label": "Why" }, head, body));
  holder.scrollIntoView({ block: "nearest" });
  const key = JSON.stringify(Object.fromEntries(keys.map((name) => [name, row[name]])));
  try {
    const response = await fetch(`/v1/views/${encodeURIComponent(view)}/why?key=${encodeURIComponent(key)}`, { signal: AbortSignal.timeout(300000) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error?.message ?? `HTTP ${response.status}`);
    body.replaceChildren(...answer.changes.map((change) => changeBlock(change, keys)));
    if (answer.changes.length === 0) body.replaceChildren(h("p", { class: "empty" }, "Nothing is known of this row any more."));
  } catch (error) {
    body.replaceChildren(h("p", { class: "empty" }, error.message));
  }
}
