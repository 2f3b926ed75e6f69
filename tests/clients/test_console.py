#!/usr/bin/env python3
"""The console in a headless Chromium, driven over its debugging socket: the page loads without an
error, shows the streams and a view's live rows, a new event appears without a reload, a row tells its
story; reconciliations with what waits, versions, replays and completeness are there. Screenshots are kept
in build/test-logs."""
import base64
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

import _demo
from _demo import weirtest

LOGS = weirtest.ROOT / "build" / "test-logs"


class Browser:
    """One page; commands and events of Chromium's DevTools protocol over a WebSocket."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="weir-chromium-")
        self.errors, self.id, self.buffer = [], 0, b""
        self.log = open(os.path.join(self.profile, "log"), "wb")
        self.child = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
             "--no-proxy-server", "--window-size=1280,900", f"--user-data-dir={self.profile}", "--remote-debugging-port=0",
             "about:blank"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        port = None
        for _ in range(300):
            path = pathlib.Path(self.profile, "DevToolsActivePort")
            if path.exists() and path.read_text().strip():
                port = int(path.read_text().split()[0])
                break
            time.sleep(0.1)
        if port is None:
            raise weirtest.ServerError("chromium does not start: " + pathlib.Path(self.profile, "log").read_text()[-800:])
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        pages = json.load(opener.open(f"http://127.0.0.1:{port}/json", timeout=10))
        path = re.sub(r"^ws://[^/]+", "", [p for p in pages if p["type"] == "page"][0]["webSocketDebuggerUrl"])
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        self.buffer = self.buffer.split(b"\r\n\r\n", 1)[1]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.command(f"{domain}.enable")

    def exactly(self, n):
        while len(self.buffer) < n:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("chromium closed its socket")
            self.buffer += more
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def receive(self):
        data = b""
        while True:
            first, second = self.exactly(2)
            n = second & 127
            if n == 126:
                (n,) = struct.unpack("!H", self.exactly(2))
            elif n == 127:
                (n,) = struct.unpack("!Q", self.exactly(8))
            data += self.exactly(n)
            if first & 0x80:
                return json.loads(data)

    def command(self, method, **params):
        self.id += 1
        data = json.dumps({"id": self.id, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        head = b"\x81" + (bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data)))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))
        while True:
            message = self.receive()
            if message.get("id") == self.id:
                return message.get("result", {})
            self.event(message)

    def event(self, message):
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"].get("exception", {}).get("description"))[:300])
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"][:200] + " " + params["entry"].get("url", ""))

    def evaluate(self, script):
        return self.command("Runtime.evaluate", expression=script, returnByValue=True).get("result", {}).get("value")

    def wait(self, script, seconds=15):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.evaluate(script):
                return True
            time.sleep(0.1)
        return False

    def screenshot(self, name):
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / name).write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png").get("data", "")))

    def close(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)


def text_has(word):
    return f"document.body && document.body.innerText.includes({json.dumps(word)})"


def shows(checks, browser, base, path, what, *words):
    """The page at path shows all the words."""
    browser.command("Page.navigate", url=base + "/#/" + path)
    script = " && ".join(f"document.body.innerText.toLowerCase().includes({json.dumps(word.lower())})" for word in words)
    checks.true(what, browser.wait(script, 10), str(browser.evaluate("document.body.innerText"))[:2500])


def trust(checks, browser, server, base):
    """Reconciliations with what waits, versions and replays, completeness, and a story that sums up."""
    book = pathlib.Path(browser.profile, "book.csv")
    book.write_text("order_id,net_amount\n1,19.90\n2,0.10\n3,99.00\n77,4321.07\n")
    with server.pg() as pg:
        for sql in (
                "CREATE STREAM sales.booking (booking_id BIGINT, order_id BIGINT, net_amount NUMERIC(12,2), PRIMARY KEY (booking_id, order_id))",
                "CREATE MATERIALIZED VIEW sales.by_order WITH (refresh = 'immediate') AS SELECT order_id, sum(net_amount) AS net_amount "
                "FROM sales.order_placed GROUP BY order_id",
                f"CREATE RECONCILIATION sales.ledger ON sales.by_order AGAINST (connector = 'file', path = '{book}', format = 'csv') "
                "KEY (order_id) COMPARE (net_amount) SETTLE '0 seconds' ON MISMATCH CORRECT INTO sales.booking (booking_id = run, order_id = order_id, "
                "net_amount = adjustment) LIMIT 0 ROWS",
                "RECONCILE sales.ledger",
                "CREATE OR REPLACE MATERIALIZED VIEW sales.by_order WITH (refresh = 'immediate', lateness = '0') AS SELECT order_id, "
                "sum(2 * net_amount) AS net_amount FROM sales.order_placed GROUP BY order_id",
                "REPLAY INTO sales.revenue_1m (ALL)",
                "ADVANCE WATERMARK OF STREAM sales.order_placed TO '2026-01-05 12:00+00' EVENTS 5",
                "FLUSH"):
            pg.simple(sql)
        before = pg.query("SELECT now()::text")[0][0]
        # Of a window that is final now.
        server.ingest("sales.order_placed", [{"order_id": 78, "store_id": 8, "qty": 1, "net_amount": "11.50",
                                              "placed_at": "2026-01-05T09:31:40Z"}])
        pg.simple("FLUSH")
    shows(checks, browser, base, "reconciliation", "a list of reconciliations says what waits", "sales.ledger", "waits for a person",
          "order_id 3", "100.00", "99.00", "APPROVE RECONCILIATION sales.ledger RUN 1", "1 record appended to sales.booking")
    browser.screenshot("console-reconciliation.png")
    shows(checks, browser, base, "reconciliation/sales.ledger", "a reconciliation has its trend, findings and remedy", "run 1", "differing",
          "remedy of run 1: waiting", '"order_id":3')
    checks.true("its trend can be of a difference", browser.wait("!!document.querySelector('.chart .bar.bad') && "
                "[...document.querySelectorAll('.chart option')].some((o) => o.value === 'net_amount')"), "")
    browser.screenshot("console-trend.png")
    with server.pg() as pg:
        pg.simple("APPROVE RECONCILIATION sales.ledger")
    checks.true("who decided is shown", browser.wait(text_has("remedy of run 1: applied".capitalize()) + " && " + text_has("approved")),
                str(browser.evaluate("document.body.innerText"))[:2500])
    shows(checks, browser, base, "versions", "versions and replays are listed", "sales.by_order@2", "beside",
          "ALTER MATERIALIZED VIEW sales.by_order PROMOTE VERSION 2", "differs", "net_amount +", "sales.revenue_1m", "done")
    browser.screenshot("console-versions.png")
    shows(checks, browser, base, "completeness", "what is missing is told", "sales.order_placed", "sources sent", "how late events come")
    shows(checks, browser, base, "views/sales.by_order", "a view names its reconciliation and versions", "against the books: sales.ledger",
          "1 findings", "differences by day")
    browser.evaluate("[...document.querySelectorAll('button')].find((e) => e.textContent === 'Verify').click()")
    checks.true("a view is verified", browser.wait(text_has("records read")) and browser.evaluate(text_has("equal")),
                str(browser.evaluate("document.body.innerText"))[:400])
    shows(checks, browser, base, "views/sales.revenue_1m", "a corrected row is marked", "corrected", "windows: how final")
    browser.evaluate("""document.querySelector('details').open = true;
        [...document.querySelectorAll('td button')].find((e) => e.textContent === 'why' && /09:31/.test(e.dataset.row) && e.dataset.row.includes(',8,')).click()""")
    # 100.00 when it was final, +11.50 by a late event, 111.50 now.
    checks.true("the story sums up by cause", browser.wait("/when it was final\\s+1\\s+100\\.00?[\\s\\S]*late event\\s+1\\s+\\+1\\s+\\+11\\.50?"
                "[\\s\\S]*now\\s+2\\s+111\\.50?/.test(document.querySelector('.why')?.innerText ?? '')"),
                str(browser.evaluate("document.querySelector('.why')?.innerText"))[:1500])
    checks.true("windows are listed", browser.wait(text_has("rows corrected since")), str(browser.evaluate("document.body.innerText"))[:1500])
    browser.evaluate("document.querySelector('.why').dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))")
    checks.true("Escape closes the story", browser.wait("!document.querySelector('.why')"), "")
    browser.screenshot("console-trust.png")
    shows(checks, browser, base, "revisions", "the ledger is listed", "late event", "111.5")
    browser.evaluate("[...document.querySelectorAll('td button')].find((e) => /09:31/.test(e.dataset.key)).click()")
    checks.true("and each entry has its story", browser.wait("document.querySelector('.why')?.innerText.includes('when it was final')"),
                str(browser.evaluate("document.body.innerText"))[:1500])
    shows(checks, browser, base, "views/sales.revenue_1m", "the view again", "final until")
    # As it was before that late event, and back; an instant that is none is refused in place.
    show = """(text) => { document.querySelector('form input').value = text; document.querySelector('form button').click(); }"""
    revenue = "document.querySelector('.frame.tall tbody')?.innerText.includes('111.5')"
    checks.true("the present has it", browser.wait(revenue), "")
    browser.evaluate(f"({show})({json.dumps(before)})")
    checks.true("the view as it was", browser.wait(f"!({revenue}) && document.querySelector('.facts').innerText.includes('as the view was')"),
                str(browser.evaluate("document.body.innerText"))[:1500])
    browser.screenshot("console-as-of.png")
    browser.evaluate("document.querySelectorAll('form input')[1].value = '2026-01-04'; document.querySelector('form button').click()")
    checks.true("by the other clock: a stream without EFFECTIVE TIME counts whole", browser.wait(text_has("of what was effective by 2026-01-04")) and
                browser.wait(text_has("recomputed")), str(browser.evaluate("document.body.innerText"))[:1500])
    browser.evaluate(f"document.querySelectorAll('form input')[1].value = ''; ({show})('2001-01-01')")
    checks.true("an instant before its history is refused", browser.wait(text_has("goes back to")), str(browser.evaluate("document.body.innerText"))[:900])
    browser.errors[:] = [text for text in browser.errors if "400" not in text]
    browser.evaluate("[...document.querySelectorAll('form button')].at(-1).click()")
    checks.true("back to now", browser.wait(f"{revenue} && {text_has('live')}"), str(browser.evaluate("document.body.innerText"))[:900])


def main():
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        weirtest.skip("chromium is not installed")
    checks = weirtest.Checks()
    with _demo.serve() as server:
        _demo.fill(server)
        server.http("POST", "/v1/streams/sales.order_placed", '{"order_id": "broken"}')
        browser = Browser(program)
        try:
            base = f"http://127.0.0.1:{server.http_port}"
            browser.command("Page.navigate", url=base + "/")
            checks.true("the page names itself", browser.wait("document.title.toLowerCase().includes('weir')"),
                        browser.evaluate("document.title"))
            checks.true("streams are listed", browser.wait(text_has("order_placed")), browser.evaluate("document.body.innerText"))
            checks.true("views are listed", browser.wait(text_has("revenue_1m")), browser.evaluate("document.body.innerText"))
            browser.screenshot("console.png")
            opened = browser.evaluate("""(() => {
                const all = [...document.querySelectorAll('a, button, [role=tab], tr, li, option')];
                const hit = all.find((e) => e.textContent.includes('by_store') && e.children.length < 8);
                if (hit) hit.click();
                return !!hit; })()""")
            live = browser.wait(text_has("Graz"))
            if not live:
                browser.command("Page.navigate", url=base + "/#/views/sales.by_store")
                live = browser.wait(text_has("Graz"))
            checks.true("a view's rows are shown", live, (opened, str(browser.evaluate("document.body.innerText"))[:1500]))
            server.ingest("sales.order_placed", [{"order_id": 77, "store_id": 7, "qty": 1, "net_amount": "4321.07",
                                                  "placed_at": "2026-01-05T09:31:30Z"}])
            shown = "/4[,.\u202f\u00a0 ]?341[.,]07/.test(document.body.innerText)"
            checks.true("a new event shows without a reload", browser.wait(shown),
                        str(browser.evaluate("document.body.innerText"))[:1500])
            browser.screenshot("console-view.png")
            asked = browser.evaluate("""(() => {
                const hit = [...document.querySelectorAll('td button')].find((e) => e.textContent === 'why' && e.dataset.row.includes('7'));
                if (hit) hit.click();
                return !!hit; })()""")
            told = browser.wait("!!document.querySelector('.why .change') && document.querySelector('.why').innerText.includes('\"order_id\":77')")
            checks.true("a row tells why it is as it is", told, (asked, str(browser.evaluate("document.body.innerText"))[:2500]))
            browser.screenshot("console-why.png")
            trust(checks, browser, server, base)
            checks.equal("no errors in the browser", browser.errors, [])
        finally:
            browser.close()
    checks.end()


main()
