#!/usr/bin/env python3
"""kill -9 at random moments under load: no event that was acknowledged is lost, none is counted twice.

    tests/fault/kill9.py [--kills N] [--seed N] [--long]

Four clients post numbered events, each tries again until it is answered. One stream has a business
key: its view counts each event once. One has none: there a request that was logged but not answered
is there twice, so its count is at least what was acknowledged and at most what was sent. After each
start, what was acknowledged before the kill must be in the views. --long: 100 kills, and the time
from start to serving with a log of 1 GB."""
import argparse
import base64
import http.client
import json
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

SQL = """
CREATE SCHEMA t;
CREATE STREAM t.keyed (id BIGINT NOT NULL, client INT NOT NULL, v BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, filler TEXT,
  PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '1 second') WITH (partitions = 2);
CREATE STREAM t.plain (client INT NOT NULL, v BIGINT NOT NULL);
CREATE MATERIALIZED VIEW t.keyed_now WITH (refresh = 'immediate') AS
  SELECT client, count(*) AS n, sum(v) AS s, min(id) AS least, max(id) AS most FROM t.keyed GROUP BY client;
CREATE MATERIALIZED VIEW t.keyed_window WITH (refresh = '200 milliseconds') AS
  SELECT window_start, count(*) AS n, sum(v) AS s FROM TUMBLE(t.keyed, at, INTERVAL '1 second') GROUP BY window_start;
CREATE MATERIALIZED VIEW t.over AS SELECT sum(n) AS n, sum(s) AS s FROM t.keyed_now;
CREATE MATERIALIZED VIEW t.plain_now WITH (refresh = 'immediate') AS SELECT count(*) AS n, sum(v) AS s FROM t.plain;
"""
CLIENTS = 4
JOURNAL = ["--journal-kb", "64"]  # so that kills meet checkpoints, too


class Client(threading.Thread):
    def __init__(self, number, server, seed):
        super().__init__(daemon=True)
        self.number, self.server, self.rng = number, server, random.Random(seed)
        self.lock = threading.Lock()
        self.acked_n = self.acked_sum = self.next = 0
        self.plain_acked = self.plain_sent = self.retries = 0
        self.stopping, self.fault, self.connection = False, None, None

    def post(self, stream, body):
        """True if it is acknowledged."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=20)
            self.connection.request("POST", f"/v1/streams/{stream}", body)
            answer = self.connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                facts = json.loads(text)
                if facts["quarantined"]:
                    self.fault = f"quarantined: {text[:300]!r}"
                return True
            if answer.status in (400, 404, 413, 415):
                self.fault = f"HTTP {answer.status}: {text[:300]!r}"
        except (OSError, http.client.HTTPException):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            time.sleep(0.005)
        return False

    def until_acked(self, stream, body, tries):
        while not self.fault:
            tries[0] += 1
            if self.post(stream, body):
                return True
            self.retries += 1
        return False

    def run(self):
        while not self.stopping and not self.fault:
            n = self.rng.choice((1, 1, 10, 100))
            rows = [{"id": self.number * 10**9 + self.next + i, "client": self.number, "v": self.rng.randrange(1000),
                     "at": f"2026-01-01T00:{self.rng.randrange(60):02}:{self.rng.randrange(60):02}Z"} for i in range(n)]
            if not self.until_acked("t.keyed", "\n".join(map(json.dumps, rows)), [0]):
                return
            with self.lock:
                self.next += n
                self.acked_n += n
                self.acked_sum += sum(r["v"] for r in rows)
            tries = [0]
            if self.rng.random() < 0.3 and self.until_acked("t.plain", f'{{"client":{self.number},"v":1}}', tries):
                with self.lock:
                    self.plain_acked += 1
            with self.lock:
                self.plain_sent += tries[0]


def look(pg):
    pg.simple("FLUSH")
    keyed = {int(r[0]): (int(r[1]), int(r[2])) for r in pg.query("SELECT client, n, s FROM t.keyed_now")}
    window = pg.query("SELECT sum(n), sum(s) FROM t.keyed_window")[0]
    over = pg.query("SELECT n, s FROM t.over")
    plain = pg.query("SELECT n FROM t.plain_now")
    return keyed, [int(v or 0) for v in window], [int(v or 0) for v in over[0]] if over else [0, 0], \
        int(plain[0][0]) if plain else 0


def storm(checks, options, rng):
    ready = []
    with weirtest.Server(SQL, args=JOURNAL) as server:
        clients = [Client(i, server, rng.random()) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        for kill in range(options.kills):
            time.sleep(rng.uniform(0.02, 0.5))
            before = []
            for client in clients:
                with client.lock:
                    before.append((client.acked_n, client.plain_acked))
            server.kill()
            server.start()
            ready.append(server.ready_seconds)
            with server.pg(timeout=60) as pg:
                keyed, _, _, plain = look(pg)
            for client, (n, _) in zip(clients, before):
                checks.true(f"kill {kill}: client {client.number} lost nothing", keyed.get(client.number, (0, 0))[0] >= n,
                            (keyed, n))
            checks.true(f"kill {kill}: plain lost nothing", plain >= sum(p for _, p in before), (plain, before))
        for client in clients:
            client.stopping = True
        for client in clients:
            client.join(60)
            checks.true(f"client {client.number} ended well", not client.is_alive() and not client.fault, client.fault)
        with server.pg(timeout=60) as pg:
            keyed, window, over, plain = look(pg)
            accepted, duplicates = map(int, pg.query(
                "SELECT accepted, duplicates FROM weir.streams WHERE name = 'keyed'")[0])
        checks.equal("each event once, by client", keyed, {c.number: (c.acked_n, c.acked_sum) for c in clients if c.acked_n})
        total = [sum(c.acked_n for c in clients), sum(c.acked_sum for c in clients)]
        checks.equal("each event once, by window", window, total)
        checks.equal("each event once, view on a view", over, total)
        checks.equal("accepted = once + duplicates", accepted, total[0] + duplicates)
        least, most = sum(c.plain_acked for c in clients), sum(c.plain_sent for c in clients)
        checks.true("without a key: acknowledged <= counted <= sent", least <= plain <= most, (least, plain, most))
        server.kill()
        weirtest.verify(checks, "after the last kill", server.data)
        server.start()
        print(f"{options.kills} kills: {total[0]} events, {duplicates} duplicates recognised, "
              f"{sum(c.retries for c in clients)} retries; start to serving: median {sorted(ready)[len(ready) // 2] * 1000:.0f} ms, "
              f"slowest {max(ready) * 1000:.0f} ms")


ROWS = 720000


def cut(text, i):
    at = i * 7919 % (len(text) - 1900)
    return text[at:at + 1900]


def big_log(checks):
    """Start to serving with a log of 1 GB, after kill -9."""
    filler = base64.b64encode(os.urandom(1 << 20)).decode()  # hardly compressible, as the log compresses
    with weirtest.Server(SQL, args=JOURNAL) as server:
        batch = 4000
        for at in range(0, ROWS, batch):
            rows = "\n".join(f'{{"id":{at + i},"client":1,"v":1,"at":"2026-01-01T00:00:00Z","filler":"{cut(filler, at + i)}"}}'
                             for i in range(batch))
            server.ingest("t.keyed", rows.encode())
        with server.pg(timeout=300) as pg:
            pg.simple("FLUSH")
            size = int(pg.value("SELECT bytes FROM weir.streams WHERE name = 'keyed'"))
        if size < 10**9:
            print(f"(the log compresses to {size / 1e9:.2f} GB)")
        slowest = 0.0
        for _ in range(5):
            server.kill()
            server.start()
            slowest = max(slowest, server.ready_seconds)
            with server.pg(timeout=60) as pg:
                checks.equal("rows after the restart", pg.value("SELECT sum(n) FROM t.keyed_now"), str(ROWS))
        checks.true("serving in under a second", slowest < 1.0, slowest)
        files = sum(f.stat().st_size for f in pathlib.Path(server.data).rglob("*") if f.is_file())
        print(f"log {size / 1e9:.2f} GB, files {files / 1e9:.2f} GB, slowest start to serving {slowest * 1000:.0f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    options.kills = options.kills or (100 if options.long else 10)
    weirtest.need_weir()
    print(f"seed {options.seed}")
    checks = weirtest.Checks()
    storm(checks, options, random.Random(options.seed))
    if options.long:
        big_log(checks)
    checks.end()


if __name__ == "__main__":
    main()
