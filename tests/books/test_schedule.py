#!/usr/bin/env python3
"""Remedies beside each other, over kill -9, and as metrics tell of them. The book is an HTTP server of the test's own, which can
be made to hang: a scheduled run that the crash has cut short is run again at the next start, once; two reconciliations that find
the same fact missing append it once; APPROVE twice at a time does one thing."""
import http.server
import json
import threading
import time

from _servers import weirtest


class Book:
    """GET answers `rows`; while `held` is set, it waits."""

    def __init__(self, rows):
        self.rows, self.asked, self.go = rows, 0, threading.Event()
        self.go.set()
        book = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                book.asked += 1
                book.go.wait(30)
                body = json.dumps(book.rows).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # it was killed meanwhile

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def against(self):
        return f"AGAINST (connector = 'http', url = 'http://127.0.0.1:{self.server.server_address[1]}/', format = 'json')"

    def wait_asked(self, n):
        until = time.monotonic() + 30
        while self.asked < n and time.monotonic() < until:
            time.sleep(0.02)
        return self.asked >= n


def at_once(server, *statements):
    """Each in a session of its own; what it fails with, or None."""
    out = [None] * len(statements)

    def run(i):
        try:
            with server.pg() as pg:
                pg.query(statements[i])
        except weirtest.PgError as error:
            out[i] = str(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(statements))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


def metrics(server):
    return dict(line.rsplit(" ", 1) for line in server.http("GET", "/metrics").text.splitlines() if line.startswith("weir_reconciliation"))


def check_cut_short(checks, server, book):
    pg = server.pg()
    pg.query(f"CREATE RECONCILIATION daily ON STREAM fact {book.against()} KEY (id) COMPARE (net) EVERY '1 day'")
    checks.true("a new one runs", book.wait_asked(1))
    until = time.monotonic() + 20
    while pg.value("SELECT count(*) FROM weir.reconciliation_runs WHERE name = 'daily'") != "1" and time.monotonic() < until:
        time.sleep(0.05)
    server.restart()
    time.sleep(2.2)
    checks.equal("one that ended is not run again", book.asked, 1)
    pg = server.pg()
    pg.query("DROP RECONCILIATION daily")
    book.go.clear()
    pg.query(f"CREATE RECONCILIATION daily ON STREAM fact {book.against()} KEY (id) COMPARE (net) EVERY '1 day'")
    checks.true("it has begun", book.wait_asked(2))
    server.kill()
    server.start()
    checks.true("one that was cut short is run again", book.wait_asked(3))
    server.kill()
    server.start()
    time.sleep(2.2)
    checks.equal("but not at each start", book.asked, 3)
    book.go.set()
    pg = server.pg()
    checks.equal("RECONCILE runs it", pg.query("RECONCILE daily")[0][:5], ["1", "2", "0", "0", "0"])
    pg.query("DROP RECONCILIATION daily")


def check_beside(checks, server, book):
    """Each key has one of its own, so the contract does not see that the two are one fact."""
    pg = server.pg()
    for name, offset in (("a", 1000), ("b", 2000)):
        pg.query(f"CREATE RECONCILIATION {name} ON STREAM sent {book.against()} KEY (id) COMPARE (net) SETTLE '0 seconds' "
                 f"ON MISMATCH CORRECT SET (event = id + {offset}) LIMIT 100 PERCENT")
    for number in range(10, 14):
        book.rows.append({"id": number, "net": number})
        checks.equal("two at once", at_once(server, "RECONCILE a", "RECONCILE b"), [None, None])
        checks.equal("append a fact once", pg.query(f"SELECT count(*) FROM sent WHERE id = {number}"), [["1"]])


def check_decisions(checks, server, book):
    pg = server.pg()
    pg.query(f"CREATE RECONCILIATION ask ON STREAM sent {book.against()} KEY (id) COMPARE (net) SETTLE '0 seconds' "
             "ON MISMATCH CORRECT SET (event = id + 3000) LIMIT 0 ROWS")
    book.rows.append({"id": 50, "net": 50})
    pg.query("RECONCILE ask")
    told = metrics(server)
    one = '{reconciliation="public.ask"}'
    checks.equal("metrics tell what waits", [told.get(f"weir_reconciliation_remedy_{k}{one}") for k in ("waiting", "waiting_keys", "unfinished")],
                 ["1", "1", "0"])
    checks.true("and how long the run took", float(told[f"weir_reconciliation_run_seconds{one}"]) > 0)
    server.kill()  # while it waits
    server.start()
    errors = at_once(server, *["APPROVE RECONCILIATION ask"] * 4)
    checks.equal("one of four approvals is it", sorted(e is None for e in errors), [False, False, False, True])
    checks.true("the others say so", all("applied" in e for e in errors if e), errors)
    pg = server.pg()
    checks.equal("it is appended once", pg.query("SELECT count(*) FROM sent WHERE id = 50"), [["1"]])
    checks.equal("and told once", pg.query("SELECT decision, decided_by FROM weir.reconciliation_decisions WHERE name = 'ask' ORDER BY at"),
                 [["approved", "test"], ["applied", "test"]])
    told = metrics(server)
    count = lambda family, key, value: told.get(f'weir_reconciliation_{family}_total{{reconciliation="public.ask",{key}="{value}"}}')
    checks.equal("nothing waits any more", told[f"weir_reconciliation_remedy_waiting{one}"], "0")
    checks.equal("counters since the start", [count("remedies", "state", s) for s in ("waiting", "approved", "applied", "rejected")] +
                 [count("actions", "action", a) for a in ("appended", "retracted", "refused")], ["0", "1", "1", "0", "1", "0", "0"])


def check_schedule_metrics(checks, server, book):
    pg = server.pg()
    pg.query(f"CREATE RECONCILIATION hourly ON STREAM fact {book.against()} KEY (id) EVERY '1 hour'")
    one = '{reconciliation="public.hourly"}'
    until = time.monotonic() + 20
    while f"weir_reconciliation_run_seconds{one}" not in metrics(server) and time.monotonic() < until:
        time.sleep(0.05)
    told = metrics(server)
    due = float(told[f"weir_reconciliation_due_timestamp_seconds{one}"]) - float(told[f"weir_reconciliation_started_timestamp_seconds{one}"])
    checks.true("an hour after the last run it is due again", 3590 < due < 3601, due)
    checks.true("one that acts on nothing has no remedy", f"weir_reconciliation_remedy_waiting{one}" not in told)
    book.rows = "no rows"
    try:
        pg.query("RECONCILE hourly")
        checks.true("a book that is no table fails", False)
    except weirtest.PgError:
        pass
    checks.equal("a run that failed is counted", metrics(server)[f"weir_reconciliation_failed_runs_total{one}"], "1")


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    book = Book([{"id": 1, "net": 10}, {"id": 2, "net": 20}])
    with weirtest.Server() as server:
        pg = server.pg()
        pg.query("CREATE STREAM fact (id INT NOT NULL, net INT, PRIMARY KEY (id))")
        pg.query("CREATE STREAM sent (event INT NOT NULL, id INT NOT NULL, net INT, PRIMARY KEY (event)) WITH (retractions = 'on')")
        for stream in ("fact", "sent"):
            server.ingest(stream, [dict(event=i, id=i, net=10 * i) if stream == "sent" else dict(id=i, net=10 * i) for i in (1, 2)])
        check_cut_short(checks, server, book)
        check_beside(checks, server, book)
        check_decisions(checks, server, book)
        check_schedule_metrics(checks, server, book)
    checks.end()


if __name__ == "__main__":
    main()
