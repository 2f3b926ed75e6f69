#!/usr/bin/env python3
"""Figures that do not agree, explained by exactly the events that do not (EXPLAIN BY), against a file and over
HTTP, so that no database is needed; and the HTTP book's ways to fail."""
import http.server
import json
import os
import threading
import time

from _servers import Weir, weirtest

ORDERS = [dict(order_id=4700 + i, store=7 + i % 2, net=f"{10 + i}.90", placed_at=f"2026-05-0{3 + i // 8}T10:00:00Z") for i in range(16)]


class Books:
    """What the endpoint answers: by path."""

    def __init__(self):
        self.answers, self.seen = {}, []
        books = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                books.seen.append(dict(self.headers))
                status, body, seconds = books.answers.get(self.path.split("?")[0], (404, b"no", 0))
                time.sleep(seconds)
                if status == 0:  # the very bytes
                    self.wfile.write(body)
                    self.close_connection = True
                    return
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the client has given up

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, path, rows, status=200, seconds=0):
        body = rows if isinstance(rows, bytes) else json.dumps(rows, indent=1).encode()
        self.answers[path] = (status, body, seconds)

    def against(self, path, more=""):
        return f"(connector = 'http', url = '{self.url}{path}'{more})"


def figures(orders):
    sums = {}
    for o in orders:
        key = (o["store"], o["placed_at"][:10])
        sums[key] = sums.get(key, 0) + round(float(o["net"]) * 100)
    return [dict(store=s, day=d, revenue=f"{v / 100:.2f}") for (s, d), v in sums.items()]


def check_explain(checks, weir, books):
    weir.sql("CREATE STREAM orders (order_id BIGINT NOT NULL, store INT NOT NULL, net NUMERIC(12,2) NOT NULL, placed_at TIMESTAMPTZ NOT NULL, "
             "PRIMARY KEY (order_id)); CREATE TABLE stores (store INT NOT NULL, region TEXT, PRIMARY KEY (store));")
    weir.sql("CREATE MATERIALIZED VIEW daily AS SELECT store, placed_at::date AS day, sum(net) AS revenue FROM orders GROUP BY 1, 2")
    weir.sql("CREATE MATERIALIZED VIEW regions AS SELECT region, sum(revenue) AS revenue FROM daily JOIN stores USING (store) GROUP BY region")
    weir.server.ingest("stores", [dict(store=7, region="north"), dict(store=8, region="south")])
    book = [dict(o) for o in ORDERS]
    ours = [dict(o) for o in ORDERS if o["order_id"] != 4702]  # lost
    ours[0]["net"] = "99.00"  # wrong
    ours[-1]["store"] = 7  # in the wrong store: two figures are wrong
    ours.append(dict(order_id=9999, store=8, net="1.00", placed_at="2026-05-03T23:59:59Z"))  # extra
    weir.server.ingest("orders", ours)
    weir.sql("FLUSH")
    books.put("/orders", book)
    books.put("/daily", figures(book))
    north = sum(round(float(o["net"]) * 100) for o in book if o["store"] == 7) / 100
    south = sum(round(float(o["net"]) * 100) for o in book if o["store"] == 8) / 100
    books.put("/regions", [dict(region="north", revenue=f"{north:.2f}"), dict(region="south", revenue=f"{south:.2f}")])
    weir.make("events", "STREAM orders", books.against("/orders"), "KEY (order_id) COMPARE (net, store, placed_at)")
    weir.make("figures", "daily", books.against("/daily"), "KEY (store, day) COMPARE (revenue) EXPLAIN BY events")
    checks.equal("figures that differ", weir.run("figures")[0], (0, 0, 0, 4, 0, 0))
    reasons = dict(weir.sql("SELECT key, reason FROM weir.reconciliation_result WHERE name = 'figures' AND key IS NOT NULL"))
    moved = "order_id 4715 differs (store 7, in the book 8)"
    checks.equal("and exactly why", reasons, {
        '{"store":7,"day":"2026-05-03"}': "order_id 4700 differs (net 99.00, in the book 10.90); "
                                          "order_id 4702 is missing (net 12.90, store 7, placed_at 2026-05-03 10:00:00+00)",
        '{"store":7,"day":"2026-05-04"}': moved,
        '{"store":8,"day":"2026-05-04"}': moved,
        '{"store":8,"day":"2026-05-03"}': "order_id 9999 is not in the book (net 1.00, store 8, placed_at 2026-05-03 23:59:59+00)"})
    checks.equal("the companion's run is stored too", weir.sql("SELECT missing, unexpected, differing FROM weir.reconciliation_runs WHERE "
                                                              "name = 'events'"), [["1", "1", "2"]])
    weir.make("traced", "daily", books.against("/daily"), "KEY (store, day) COMPARE (revenue) EXPLAIN EVENTS")
    checks.equal("with the events of weir's side", weir.run("traced")[0], (0, 0, 0, 4, 0, 0))
    places = {o["order_id"]: weir.sql(f"SELECT _partition, _offset FROM orders WHERE order_id = {o['order_id']}")[0] for o in ours}
    traced = dict(weir.sql("SELECT key, events FROM weir.reconciliation_result WHERE name = 'traced' AND key IS NOT NULL"))
    for key, text in traced.items():
        figure = json.loads(key)
        wanted = {"orders " + "/".join(places[o["order_id"]]) for o in ours if (o["store"], o["placed_at"][:10]) == (figure["store"], figure["day"])}
        checks.equal(f"the events of {key}", set((text or "").split(", ")), wanted)
    # Through a view of a view and a join.
    weir.make("far", "regions", books.against("/regions"), "KEY (region) COMPARE (revenue) EXPLAIN BY events")
    checks.equal("figures of a view of a view", weir.run("far")[0], (0, 0, 0, 2, 0, 0))
    far = dict(weir.sql("SELECT key, reason FROM weir.reconciliation_result WHERE name = 'far' AND key IS NOT NULL"))
    checks.true("are explained too", "4702" in far['{"region":"north"}'] and "4715" in far['{"region":"north"}']
                and "4715" in far['{"region":"south"}'] and "9999" in far['{"region":"south"}'] and "4702" not in far['{"region":"south"}'], far)
    # A companion that fails, and one that finds nothing.
    books.put("/orders", b"no", status=500)
    checks.equal("a companion that fails does not fail the run", weir.run("figures")[0], (0, 0, 0, 4, 0, 0))
    reasons = weir.sql("SELECT DISTINCT reason FROM weir.reconciliation_result WHERE name = 'figures' AND key IS NOT NULL AND run = 2")
    checks.equal("but is named", reasons, [[f"its events could not be compared: {books.url}/orders answered 500"]])
    books.put("/orders", [{k: v for k, v in o.items()} for o in ours])
    weir.run("figures")
    reasons = weir.sql("SELECT DISTINCT reason FROM weir.reconciliation_result WHERE name = 'figures' AND key IS NOT NULL AND run = 3")
    checks.equal("no event is to blame", reasons, [['no event that "events" found belongs to it']])
    state, _ = weir.error("DROP RECONCILIATION events")
    checks.equal("a companion is not dropped from under", state, "2BP01")
    for text, wanted in (("EXPLAIN BY nothing", "42704"), ("EXPLAIN BY figures", "42704"), ("SETTLE '0'", "22023"),
                         ("SETTLE '1 hour' BY revenue", "42804")):
        state, message = weir.error(f"CREATE RECONCILIATION bad ON daily AGAINST {books.against('/daily')} KEY (store) COMPARE (revenue) {text}")
        checks.true(f"refused: {text}", state == wanted, f"{state} {message}")


def check_http(checks, weir, books):
    rows = [dict(store=s, n=s) for s in range(5)]
    weir.sql("CREATE STREAM n (store INT NOT NULL, n INT, PRIMARY KEY (store))")
    weir.server.ingest("n", rows)
    secret = ", headers = 'Authorization: Bearer s3cret'"
    forms = [("/json", "", rows), ("/lines", ", format = 'ndjson'", "\n".join(json.dumps(r) for r in rows).encode()),
             ("/csv", ", format = 'csv'", b"n,store\r\n" + b"".join(b"%d,%d\r\n" % (r["n"], r["store"]) for r in rows)),
             ("/empty", "", [])]
    for path, more, body in forms:
        books.put(path, body)
        weir.make("h", "STREAM n", books.against(path + "?token=t0ken", more + secret), "KEY (store) COMPARE (n)")
        checks.equal(f"HTTP {path}", weir.run("h")[0], (5, 0, 0, 0, 0, 0) if body else (0, 0, 5, 0, 0, 0))
    checks.equal("the header was sent", books.seen[-1].get("Authorization"), "Bearer s3cret")
    books.put("/slow", rows, seconds=3)
    books.put("/large", b'{"store":1}\n' * 200000)
    books.put("/broken", b'[{"store":1,"n":1},{"store":')
    books.put("/wrong", [dict(store="one", n=1)])
    cases = [("/slow", ", timeout = '200 milliseconds'", "57014"), ("/large", ", format = 'ndjson', max_size = '1 MB'", "54000"),
             ("/broken", "", "22P02"), ("/wrong", "", "22P02"), ("/nothing", "", "08006"), ("/moved", "", "08006"), ("/down", "", "08006"),
             ("/blank", "", "22P02"), ("/blank", ", format = 'csv'", "42703"), ("/page", "", "22P02"), ("/error", "", "42703"),
             ("/renamed", "", "42703"), ("/cut", ", format = 'ndjson'", "08006"), ("/short", ", format = 'ndjson'", "08006"),
             ("/nonsense", "", "08006")]
    books.put("/moved", b"", status=302)
    books.put("/down", b"[]", status=503)
    books.put("/blank", b" \n")  # an empty book says so: []
    books.put("/page", b"<html>Please log in</html>")
    books.put("/error", dict(error="no such report"))
    books.put("/renamed", [dict(store=r["store"], number=r["n"]) for r in rows])
    head = b"HTTP/1.1 200 OK\r\n"
    line = b'{"store":1,"n":1}\n'
    books.put("/chunked", head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for r in rows for part in (json.dumps(r).encode()[:5], json.dumps(r).encode()[5:] + b"\n"))
        + b"0\r\n\r\n", status=0)
    books.put("/cut", head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(line), line), status=0)
    books.put("/short", head + b"Content-Length: 1000\r\n\r\n" + line, status=0)
    books.put("/nonsense", b"SSH-2.0-OpenSSH\r\n", status=0)
    weir.make("h", "STREAM n", books.against("/chunked", ", format = 'ndjson'"), "KEY (store) COMPARE (n)")
    checks.equal("HTTP /chunked", weir.run("h")[0], (5, 0, 0, 0, 0, 0))
    for path, more, wanted in cases:
        weir.make("h", "STREAM n", books.against(path + "?token=t0ken", more + secret), "KEY (store) COMPARE (n)")
        state, message = weir.error("RECONCILE h")
        checks.true(f"HTTP {path}: its SQLSTATE", state == wanted, f"{state} {message}")
        shown = str(weir.sql("SELECT * FROM weir.reconciliation_runs WHERE name = 'h'")) + str(weir.sql("SELECT * FROM weir.reconciliations"))
        checks.true(f"HTTP {path}: the run is in the history, no secret is", message in shown.replace('\\\\"', '"').replace("\\'", "'") and "s3cret" not in shown
                    and "t0ken" not in shown, shown)


def check_file(checks, weir):
    """A path that is no file does not keep a run waiting."""
    pipe = os.path.join(str(weir.server.data), "pipe.csv")
    os.mkfifo(pipe)
    for path in (pipe, str(weir.server.data), "/nowhere/at/all.csv"):
        weir.make("f", "STREAM n", f"(connector = 'file', path = '{path}', format = 'csv')", "KEY (store)")
        state, message = weir.error("RECONCILE f")
        checks.true(f"{os.path.basename(path)}: refused", state is not None and path in message, f"{state}: {message}")
    with open(os.path.join(str(weir.server.data), "latin1.csv"), "wb") as file:
        file.write("store,n,remark\n1,1,\u00e9\n".encode("latin-1"))
    weir.sql("CREATE STREAM remarks (store INT NOT NULL, remark TEXT, PRIMARY KEY (store))")
    weir.make("f", "STREAM remarks", f"(connector = 'file', path = '{weir.server.data}/latin1.csv', format = 'csv')", "KEY (store) COMPARE (remark)")
    state, message = weir.error("RECONCILE f")
    checks.true("a text that is no UTF-8 is refused with its line", state in ("22021", "22P02") and "line 2" in message, f"{state}: {message}")


def check_metrics(checks, weir):
    lines = {}
    for line in weir.server.http("GET", "/metrics").text.splitlines():
        if line.startswith("weir_reconciliation"):
            name, value = line.rsplit(" ", 1)
            lines[name] = float(value)
    wanted = {"failed": 1, "runs_total": 1, "missing": 0}
    checks.equal("metrics of a run that failed", {k: lines.get(f'weir_reconciliation_{k}{{reconciliation="public.h"}}') for k in wanted}, wanted)
    wanted = {"failed": 0, "runs_total": 1, "differing": 1, "matched": 2, "pending": 0}
    checks.equal("and of one that did not", {k: lines.get(f'weir_reconciliation_{k}{{reconciliation="public.v"}}') for k in wanted}, wanted)
    began = lines['weir_reconciliation_started_timestamp_seconds{reconciliation="public.v"}']
    checks.true("when it began", 0 <= time.time() - began < 3600, began)


def check_view(checks, weir):
    weir.sql("CREATE STREAM d (id INT NOT NULL, k INT, v NUMERIC(10,2), PRIMARY KEY (id));"
             "CREATE MATERIALIZED VIEW one AS SELECT k, sum(v) AS v FROM d GROUP BY k;")
    weir.sql("CREATE MATERIALIZED VIEW two AS SELECT k, sum(v)::float8 AS v FROM d WHERE id <> 3 GROUP BY k")
    weir.server.ingest("d", [dict(id=i, k=i % 3, v="1.25") for i in range(9)])
    weir.sql("FLUSH")
    weir.make("v", "one", "(connector = 'view', view = 'two')", "KEY (k) COMPARE (v)")
    checks.equal("two views", weir.run("v")[0], (2, 0, 0, 1, 0, 0))
    checks.equal("and what differs", weir.found("v"), [["differing", '{"k":0}', "v", "3.75", "2.5"]])
    # A view against the next version of it.
    weir.sql("CREATE OR REPLACE MATERIALIZED VIEW one AS SELECT k, sum(v) AS v FROM d WHERE id <> 4 GROUP BY k")
    weir.make("ver", "one", "(connector = 'view', view = 'public.one@2')", "KEY (k) COMPARE (v)")
    checks.equal("a version as the book", (weir.run("ver")[0], weir.found("ver")),
                 ((2, 0, 0, 1, 0, 0), [["differing", '{"k":1}', "v", "3.75", "2.50"]]))
    state, _ = weir.error("DROP MATERIALIZED VIEW two")
    checks.equal("the book is not dropped from under", state, "2BP01")


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    books = Books()
    with weirtest.Server() as server:
        weir = Weir(server)
        check_http(checks, weir, books)
        check_file(checks, weir)
        check_view(checks, weir)
        check_metrics(checks, weir)
        weir.make("v", "one", "(connector = 'view', view = 'two')", "KEY (k) COMPARE (v) SETTLE '1 hour'")
        notices = [n["M"] for n in weir.pg.simple("RECONCILE v")[-1].notices]
        checks.equal("what is pending is said", notices, ["1 key does not agree yet: pending until seen again after the settling time"])
        check_explain(checks, weir, books)
    checks.end()


if __name__ == "__main__":
    main()
