// chart.js - sparklines and bar charts as SVG.
import { h, s, compact, instant, show } from "./dom.js";

export function spark(values) {
  const width = 104, height = 26, max = Math.max(...values, 1e-9);
  const step = width / Math.max(values.length - 1, 1);
  const points = values.map((value, i) => `${(i * step).toFixed(1)} ${(height - 2 - (value / max) * (height - 5)).toFixed(1)}`);
  return s("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    points.length > 1 ? s("path", { d: "M" + points.join("L") }) : "");
}

function niceStep(span, wanted) {
  const raw = span / wanted, power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= raw);
}

// points: [{label, value, kind, title}], oldest first. kind: "", "soft", "turn".
export function bars(points, width) {
  const height = 220, left = 58, bottom = 24, top = 8;
  const values = points.map((point) => point.value);
  const high = Math.max(...values, 0), low = Math.min(...values, 0);
  const step = niceStep(high - low || 1, 4);
  const max = Math.ceil(high / step) * step || step, min = Math.floor(low / step) * step;
  const y = (value) => top + (height - top - bottom) * (1 - (value - min) / (max - min));
  const slot = (width - left) / Math.max(points.length, 1);
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label":
    `Bar chart of ${points.length} values, ${compact(Math.min(...values))} to ${compact(Math.max(...values))}` });
  for (let value = min; value <= max + step / 2; value += step) {
    svg.append(s("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }));
    svg.append(s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, compact(Number(value.toPrecision(12)))));
  }
  const every = Math.ceil(points.length / Math.max(1, Math.floor((width - left) / 110)));
  points.forEach((point, i) => {
    const x = left + i * slot, wide = slot > 24 ? Math.min(slot * 0.7, 84) : Math.max(slot - Math.min(2, slot * 0.2), 0.6);
    const bar = s("rect", { class: `bar ${point.kind}`, x: x + (slot - wide) / 2, width: wide,
      y: Math.min(y(point.value), y(0)), height: Math.max(Math.abs(y(point.value) - y(0)), 0.8), rx: slot > 8 ? 2 : 0 });
    bar.append(s("title", {}, point.title));
    svg.append(bar);
    if (i % every === 0)
      svg.append(s("text", { x: x + slot / 2, y: height - 6, "text-anchor": i === 0 && slot < 60 ? "start" : "middle" }, point.label));
  });
  return svg;
}

// rows of {t, v, provisional, corrected}, newest first, as view.js asks for them.
export function timeChart(rows, type, digits, width) {
  const days = rows.every((row) => /T00:00:00Z$/.test(row.t));
  const label = (t) => (days ? t.slice(0, 10) : type === "date" ? t : instant(t).replace(/:\d\d$/, "").replace(/^\d{4}-/, ""));
  return bars(rows.filter((row) => row.v !== null).map((row) => ({
    label: label(String(row.t)), value: Number(row.v),
    kind: row.corrected ? "turn" : row.provisional ? "soft" : "",
    title: `${row.t}\n${show(Number(row.v), "numeric", digits)}${row.provisional ? ", provisional" : row.corrected ? ", corrected" : ""}`,
  })).reverse(), width);
}

export function categoryChart(rows, digits, width) {
  return bars(rows.filter((row) => row.v !== null).map((row) => ({
    label: String(row.t ?? "–").slice(0, Math.max(4, Math.floor((width - 58) / rows.length / 7))), value: Number(row.v), kind: "",
    title: `${row.t}\n${show(Number(row.v), "numeric", digits)}`,
  })), width);
}

// What a reconciliation found, run by run: [{run, at, value, error}], oldest first.
export function runsChart(points, width) {
  return bars(points.map((point) => ({ label: `run ${point.run}`, value: point.value, kind: point.error ? "soft" : point.value > 0 ? "bad" : "",
    title: `run ${point.run}, ${instant(point.at)}\n${point.error ?? show(point.value, "numeric")}` })), width);
}

export const legend = () => h("span", { class: "row" },
  h("span", { class: "key" }, h("i"), "final"),
  h("span", { class: "key" }, h("i", { class: "soft" }), "provisional"),
  h("span", { class: "key" }, h("i", { class: "turn" }), "corrected"));
