// app.js - the console: pages by the address's hash, one at a time. A page is a function (root, rest
// of the address) -> {every: ms, refresh(): Promise, close()}; it is refreshed while it is seen.
import { onReachable, StatementError } from "./api.js";
import { h } from "./dom.js";
import { overview, streams, flows, views, quarantine, revisions } from "./pages.js";
import { reconciliation } from "./recon.js";
import { versions } from "./versions.js";
import { viewPage } from "./view.js";
import { completeness } from "./windows.js";
import { sqlPage } from "./sql.js";

const pages = [
  ["", "Overview", overview],
  ["streams", "Streams", streams],
  ["flows", "Flows", flows],
  ["views", "Views", (root, rest) => (rest ? viewPage(root, rest) : views(root))],
  ["quarantine", "Quarantine", quarantine],
  ["reconciliation", "Reconciliation", reconciliation],
  ["completeness", "Completeness", completeness],
  ["versions", "Versions", versions],
  ["revisions", "Revisions", revisions],
  ["sql", "SQL", sqlPage],
];

const main = document.getElementById("main");
const banner = document.getElementById("banner");
const pulse = document.getElementById("pulse");
const nav = document.getElementById("nav");
let current = null;
let timer = 0;

for (const [path, label] of pages) nav.append(h("a", { href: `#/${path}`, "data-path": path }, label));

function setPulse(up) {
  pulse.textContent = up ? "live" : "no answer";
  pulse.className = up ? "pulse" : "pulse off";
  banner.hidden = up;
  if (!up) banner.textContent = "weir does not answer. These figures are the last ones; trying again every two seconds.";
}

function showFailure(error) {
  if (!(error instanceof StatementError)) return; // the banner says it
  const text = h("div", { class: "error", role: "alert" }, `weir refused what this page asks for: ${error.message}`);
  main.querySelector(".error")?.remove();
  main.prepend(text);
}

async function tick(page) {
  clearTimeout(timer);
  if (page !== current) return;
  let wait = page.every;
  if (!document.hidden) {
    try {
      await page.refresh();
      if (page === current) main.querySelector(":scope > .error")?.remove();
    } catch (error) {
      if (page === current) showFailure(error);
      if (!(error instanceof StatementError)) wait = 2000;
    }
  }
  if (page === current && wait > 0) timer = setTimeout(() => tick(page), wait);
}

function open() {
  const [path, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const [, label, make] = pages.find((page) => page[0] === path) ?? pages[0];
  current?.close?.();
  clearTimeout(timer);
  for (const link of nav.children) {
    const here = link.dataset.path === path;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (here) link.scrollIntoView({ block: "nearest", inline: "center" });
  }
  document.title = `${rest.join("/") || label} – weir console`;
  main.replaceChildren();
  scrollTo(0, 0);
  current = make(main, rest.join("/"));
  tick(current);
}

onReachable((up) => {
  setPulse(up);
  if (up) current?.reconnect?.();
});
document.addEventListener("visibilitychange", () => !document.hidden && current && tick(current));
addEventListener("hashchange", () => {
  open();
  main.focus({ preventScroll: true });
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
setPulse(true);
open();
