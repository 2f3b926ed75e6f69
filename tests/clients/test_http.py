#!/usr/bin/env python3
"""HTTP with curl and raw sockets: events in every form, views and filters, live changes that are taken
up again, and bad input of every kind: a clear answer, and the service goes on."""
import gzip
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import _demo
from _demo import weirtest

PATH = "/v1/streams/sales.order_placed"


def order(i, **other):
    return {"order_id": i, "store_id": 7, "qty": 1, "net_amount": "1.00", "placed_at": "2026-01-05T09:40:00Z", **other}


class Curl:
    def __init__(self, server):
        self.server = server

    def __call__(self, path, *args, stdin=None, timeout=60):
        argv = ["curl", "-sS", "--max-time", str(timeout - 5), "-w", "\n%{http_code}", *args,
                f"http://127.0.0.1:{self.server.http_port}{path}"]
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout)
        body, _, code = done.stdout.rpartition(b"\n")
        return int(code or 0), body.decode(errors="replace")


def events_in(checks, curl):
    def post(what, body, accepted, quarantined, *args):
        code, text = curl(PATH, "--data-binary", "@-", *args, stdin=body)
        facts = json.loads(text) if code == 200 else {}
        checks.equal(what, (code, facts.get("accepted"), facts.get("quarantined")), (200, accepted, quarantined))
        return facts
    post("one object", json.dumps(order(10)).encode(), 1, 0)
    post("an array", json.dumps([order(11), order(12)]).encode(), 2, 0, "-H", "Content-Type: application/json")
    lines = "\n".join(json.dumps(order(i)) for i in range(13, 16)).encode()
    post("NDJSON", lines, 3, 0, "-H", "Content-Type: application/x-ndjson")
    post("gzip", gzip.compress(lines.replace(b'_id": 1', b'_id": 2')), 3, 0, "-H", "Content-Encoding: gzip")
    if shutil.which("zstd"):
        packed = subprocess.run(["zstd", "-qc"], input=lines.replace(b'_id": 1', b'_id": 3'), capture_output=True, check=True)
        post("zstd", packed.stdout, 3, 0, "-H", "Content-Encoding: zstd")
    chunked = "\n".join(json.dumps(order(i)) for i in range(1000, 9000)).encode()
    post("chunked transfer", chunked, 8000, 0, "-H", "Transfer-Encoding: chunked")
    facts = post("a bad one among good ones", json.dumps(order(40)).encode() + b'\n{"order_id": "x"}\n{broken\n' +
                 json.dumps(order(41)).encode(), 2, 2)
    checks.equal("the faults are named", [e["record"] for e in facts["errors"]], [1, 2])
    facts = post("CHECK", json.dumps(order(42, qty=0)).encode(), 0, 1)
    checks.equal("its SQLSTATE", facts["errors"][0]["sqlstate"], "23514")
    facts = post("NOT NULL", json.dumps(order(43, qty=None)).encode(), 0, 1)
    checks.equal("its SQLSTATE", facts["errors"][0]["sqlstate"], "23502")
    facts = post("an unknown column", json.dumps(order(44, colour="red")).encode(), 0, 1)
    checks.true("it is named", "colour" in facts["errors"][0]["message"], facts)
    facts = post("overflow of a number", json.dumps(order(45, net_amount="12345678901.00")).encode(), 0, 1)
    checks.equal("its SQLSTATE", facts["errors"][0]["sqlstate"], "22003")
    facts = post("overflow of an integer", json.dumps(order(2**70)).encode(), 0, 1)
    facts = post("a wrong time", json.dumps(order(46, placed_at="2026-13-45")).encode(), 0, 1)
    checks.true("its SQLSTATE", facts["errors"][0]["sqlstate"] in ("22007", "22008"), facts)
    facts = post("invalid UTF-8", json.dumps(order(47, note="X")).encode().replace(b"X", b"\xff\xfe"), 0, 1)
    facts = post("an array that is cut off", b"[" + json.dumps(order(49)).encode(), 1, 0)
    checks.true("the answer warns", "ends before" in facts.get("warning", ""), facts)
    # Not with a '[' first: that begins an array, which does not end with the line.
    facts = post("garbage", b"?" + os.urandom(2000).replace(b"\n", b" ") + b"\n" + json.dumps(order(48)).encode(), 1, 1)


def refused(checks, curl, server):
    def refuse(what, path, want, *args, stdin=None):
        code, text = curl(path, *args, stdin=stdin)
        try:
            message = json.loads(text)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = ""
        checks.true(what, code == want and len(message) > 5, (code, text[:300]))
    refuse("an unknown stream", "/v1/streams/sales.nothing", 404, "--data-binary", "{}")
    refuse("an unknown path", "/v2/else", 404)
    refuse("a wrong method", PATH, 405, "-X", "DELETE")
    refuse("an empty body", PATH, 400, "--data-binary", "")
    refuse("truncated gzip", PATH, 400, "--data-binary", "@-", "-H", "Content-Encoding: gzip",
           stdin=gzip.compress(json.dumps(order(50)).encode() * 50)[:-12])
    refuse("gzip that does not say so", PATH, 415, "--data-binary", "@-", stdin=gzip.compress(b"{}"))
    refuse("no gzip at all", PATH, 400, "--data-binary", "@-", "-H", "Content-Encoding: gzip", stdin=b"plain text")
    refuse("an unknown coding", PATH, 415, "--data-binary", "{}", "-H", "Content-Encoding: br")
    refuse("a wrong content type", PATH, 415, "--data-binary", "a,b", "-H", "Content-Type: text/csv")
    bomb = gzip.compress(b" " * (300 << 20), 9)
    refuse("a gzip bomb", PATH, 413, "--data-binary", "@-", "-H", "Content-Encoding: gzip", stdin=bomb)
    line = b'{"order_id": 1, "note": "' + b"x" * (100 << 20) + b'"}'
    code, text = curl(PATH, "--data-binary", "@-", "-H", "Expect:", stdin=line)
    checks.true("a line of 100 MB", code in (413, 0), (code, text[:200]))
    with socket.create_connection(("127.0.0.1", server.http_port), 10) as raw:
        raw.sendall(b"POST /v1/streams/sales.order_placed HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"order_id\"")
    refuse("a filter on an unknown column", "/v1/views/sales.by_store?nope=1", 400)
    refuse("a filter of a wrong type", "/v1/views/sales.by_store?store_id=seven", 400)
    refuse("an unknown view", "/v1/views/sales.nothing", 404)
    for path, words in (("sales.nothing", ('no view \\"sales.nothing\\"', "weir.views")), ("sales.store", ("is a table", "/v1/query")),
                        ("sales.nothing/changes", ("sales.nothing",)), ("sales.store/changes", ("is a table",)),
                        ("sales.revenue_1m?window_start=gt.2026-01-05T00:00:00+01:00", ("%2B",))):
        text = curl("/v1/views/" + path)[1]
        for word in words:
            checks.true(f"{path} says {word}", word in text, text)
    refuse("a wrong limit", "/v1/views/sales.by_store?limit=-1", 400)
    refuse("changes of an unknown view", "/v1/views/sales.nothing/changes", 404)
    for data in (os.urandom(3000), b"GET\0/", b"\x16\x03\x01\x02\x00" + os.urandom(500), b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20000):
        with socket.create_connection(("127.0.0.1", server.http_port), 10) as raw:
            raw.settimeout(5)
            try:
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass
            except OSError:
                pass
    code, text = curl("/console/..%2f..%2f..%2fetc/passwd")
    checks.true("no way out of the console's folder", "root:" not in text, text[:100])
    code, text = curl("/lib/../../../etc/passwd", "--path-as-is")
    checks.true("no way out of the libraries' folder", "root:" not in text, text[:100])
    checks.equal("alive after all that", curl("/healthz")[0], 200)


def views_out(checks, curl):
    code, text = curl("/v1/views/sales.by_store?order=store_id")
    body = json.loads(text)
    checks.equal("JSON", (code, body["view"], [r["store_id"] for r in body["rows"]]), (200, "sales.by_store", [7, 8]))
    checks.true("standing", body["standing"].get("step", 0) > 0 and "_status" in body["rows"][0], body)
    for query, want in (("store_id=8", [8]), ("store_id=ge.8", [8]), ("store_id=lt.8", [7]), ("store_id=ne.7", [8]),
                        ("order=store_id.desc&limit=1", [8]), ("order=store_id&offset=1", [8]), ("name=Graz", [7]),
                        ("name=is.null", [8]), ("store_id=gt.0&store_id=le.7", [7])):
        code, text = curl(f"/v1/views/sales.by_store?{query}")
        checks.equal(f"?{query}", [r["store_id"] for r in json.loads(text)["rows"]], want)
    code, text = curl("/v1/views/sales.by_store?format=csv&select=store_id,name,orders&store_id=8")
    checks.equal("CSV", text, "store_id,name,orders\r\n8,,1\r\n")
    code, text = curl("/v1/views/sales.by_store?select=store_id&store_id=8", "-H", "Accept: text/csv", "-D", "-")
    checks.true("headers of standing", re.search(r"(?im)^weir-as-of: \d{4}-", text) and "Weir-Fresh" in text, text)
    code, text = curl("/v1/query", "--data-binary", '{"sql": "SELECT count(*) AS n FROM sales.order_placed WHERE order_id < 4"}')
    checks.equal("a query", (code, json.loads(text).get("rows")), (200, [[3]]))
    code, text = curl("/v1/query", "--data-binary", '{"sql": "SELECT nope"}')
    error = json.loads(text)["error"]
    checks.equal("a query's error", (code, error["sqlstate"], error["position"]), (400, "42703", 8))
    code, text = curl("/v1/query", "--data-binary", '{"sql": "DROP STREAM sales.order_placed CASCADE"}')
    checks.equal("no DDL over HTTP", (code, json.loads(text)["error"]["sqlstate"]), (400, "25006"))
    code, text = curl("/metrics")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    bad = [line for line in lines if not re.match(r'^[a-z_:][a-z0-9_:]*(\{[^}]*\})? [-+0-9.eEInfNa]+$', line)]
    checks.true("metrics are Prometheus text", code == 200 and len(lines) > 10 and not bad, bad[:3])
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    checks.equal("a TYPE once a metric", len(names), len(set(names)))
    code, text = curl("/healthz")
    checks.equal("healthz", code, 200)


class Events(threading.Thread):
    """Server-sent events as they come: (id, event, data)."""

    def __init__(self, server, path, last=None):
        super().__init__(daemon=True)
        self.events, self.lock, self.head = [], threading.Lock(), b""
        self.socket = socket.create_connection(("127.0.0.1", server.http_port), 15)
        resume = f"Last-Event-ID: {last}\r\n" if last is not None else ""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{resume}\r\n".encode())
        self.start()

    def run(self):
        data = b""
        try:
            while True:
                more = self.socket.recv(65536)
                if not more:
                    return
                data += more
                text = re.sub(rb"\r\n[0-9a-f]+\r\n", b"", data)  # chunk heads inside of events
                with self.lock:
                    self.head = data[:300]
                    self.events = [self.parse(e) for e in text.split(b"\n\n") if b"data: " in e]
        except OSError:
            pass

    @staticmethod
    def parse(text):
        field = {"id": None, "event": None, "data": ""}
        for line in text.decode(errors="replace").splitlines():
            name, _, value = line.partition(": ")
            if name in field:
                field[name] = value
        try:
            field["data"] = json.loads(field["data"])
        except ValueError:
            pass
        return field

    def wait(self, condition, seconds=10):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self.lock:
                if condition(self.events):
                    return list(self.events)
            time.sleep(0.01)
        with self.lock:
            return list(self.events)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def changes(checks, server):
    path = "/v1/views/sales.revenue_1m/changes"

    def inserted(events):
        return [r for e in events if e["event"] == "change" for r in e["data"]["insert"]]
    first = Events(server, path)
    events = first.wait(lambda e: any(x["event"] == "snapshot" for x in e))
    checks.true("changes begin with a snapshot", events and events[0]["event"] == "snapshot" and events[0]["data"]["rows"],
                (first.head, events[:1]))
    server.ingest("sales.order_placed", [order(100, placed_at="2026-01-05T10:00:00Z", store_id=50)])
    events = first.wait(lambda e: len(inserted(e)) >= 1)
    rows = inserted(events)
    checks.true("a change arrives", rows and rows[0]["store_id"] == 50 and rows[0]["orders"] == 1, events[-1:])
    last = events[-1]["id"]
    first.close()
    server.ingest("sales.order_placed", [order(101, placed_at="2026-01-05T10:00:01Z", store_id=50)])
    server.restart()  # the changes outlive a crash too
    server.ingest("sales.order_placed", [order(102, placed_at="2026-01-05T10:00:02Z", store_id=50)])
    second = Events(server, path, last)
    events = second.wait(lambda e: any(r["orders"] == 3 for r in inserted(e)))
    found = [r["orders"] for r in inserted(events)]
    checks.true("taken up again after the last id", events and events[0]["event"] == "change" and found[-1] == 3 and 1 not in found,
                events)
    deleted = [r["orders"] for e in events if e["event"] == "change" for r in e["data"]["delete"]]
    checks.true("what left is told", deleted and deleted[0] == 1, events)
    second.close()
    third = Events(server, path + "?after=999999")
    events = third.wait(lambda e: len(e) >= 2, 5)
    checks.equal("an id that never was: reset and a snapshot", [e["event"] for e in events[:2]], ["reset", "snapshot"])
    third.close()


def stopping(checks):
    """SIGTERM while many clients send: the process ends well, and all that it acknowledged is there."""
    for _ in range(3):
        accepted, over = [0] * 6, threading.Event()
        with _demo.serve() as server:
            def send(n):
                i = n * 1000000
                while not over.is_set():
                    body = "\n".join(json.dumps({"n": i + j}) for j in range(5))
                    try:
                        answer = server.http("POST", "/v1/streams/sales.many", body, timeout=10)
                    except (OSError, http.client.HTTPException):
                        return
                    if answer.status == 200:
                        accepted[n] += answer.json()["accepted"]
                        i += 5
            threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            checks.equal("SIGTERM under load", server.stop(), 0)
            over.set()
            for thread in threads:
                thread.join()
            server.start()
            with server.pg() as pg:
                n = int(pg.value("SELECT count(*) FROM sales.many"))
            checks.true("all that was acknowledged is there", n >= sum(accepted) > 0, (n, sum(accepted)))


def main():
    if shutil.which("curl") is None:
        weirtest.skip("curl is not installed")
    checks = weirtest.Checks()
    with _demo.serve() as server:
        _demo.fill(server)
        curl = Curl(server)
        views_out(checks, curl)
        events_in(checks, curl)
        refused(checks, curl, server)
        changes(checks, server)
        with server.pg() as pg:
            pg.simple("FLUSH")
            checks.equal("quarantine lists them", pg.value("SELECT count(*) FROM weir.quarantine"), "10")
            checks.equal("with their causes", pg.value("SELECT count(*) FROM weir.quarantine WHERE cause IS NULL OR sqlstate IS NULL"), "0")
    stopping(checks)
    checks.end()


main()
