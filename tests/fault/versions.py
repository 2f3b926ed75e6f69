#!/usr/bin/env python3
"""A logic fix rolled out as a version, under load: readers never see a half state, a sink gets only differences,
roll-back works, and kill -9 at any moment leaves one version or the other.

    tests/fault/versions.py [--seed N] [--rounds N]

In version 1 every row has v = n; in version 2 v = 2 n where k is even. Pollers over the PostgreSQL protocol ask for
all rows at once: each answer must be wholly of one version, and so must the total, a view on the view. At the end the changes
that a file sink got, applied one after the other, are the view; and the step of each promotion changed rows of even k only."""
import argparse
import json
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

KEYS = 200
SQL = """
CREATE SCHEMA t;
CREATE STREAM t.e (id BIGINT NOT NULL, k INT NOT NULL, PRIMARY KEY (id)) WITH (partitions = 2);
CREATE MATERIALIZED VIEW t.v WITH (refresh = 'immediate') AS SELECT k, count(*) AS n, sum(1) AS v FROM t.e GROUP BY k;
CREATE MATERIALIZED VIEW t.total WITH (refresh = 'immediate') AS
  SELECT sum(n) AS n, sum(v) AS v, sum(n) FILTER (WHERE k % 2 = 0) AS even FROM t.v;
"""
VERSION = """CREATE OR REPLACE MATERIALIZED VIEW t.v WITH (refresh = 'immediate') AS
SELECT k, count(*) AS n, sum(CASE WHEN k % 2 = 0 THEN 2 ELSE 1 END) AS v FROM t.e GROUP BY k"""


def version_of(rows):
    """1 or 2; 0 where the rows do not tell; None: a half state."""
    kinds = {1 if v == n else 2 if v == 2 * n else None for k, n, v in rows if k % 2 == 0}
    if any(v != n for k, n, v in rows if k % 2 == 1) or None in kinds or len(kinds) > 1:
        return None
    return kinds.pop() if kinds else 0


class Thread(threading.Thread):
    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.stopping, self.fault = server, False, None

    def run(self):
        while not self.stopping and not self.fault:
            try:
                self.work()
            except (OSError, ConnectionError, weirtest.PgError):
                time.sleep(0.01)  # it is being started again


class Writer(Thread):
    def __init__(self, server, rng):
        super().__init__(server)
        self.rng, self.next = rng, 0

    def work(self):
        rows = "\n".join(f'{{"id":{self.next + i},"k":{self.rng.randrange(KEYS)}}}' for i in range(50))
        self.server.ingest("t.e", rows.encode())
        self.next += 50
        time.sleep(0.002)


class Poller(Thread):
    def __init__(self, server):
        super().__init__(server)
        self.seen, self.answers = {}, 0

    def work(self):
        with self.server.pg(timeout=20) as pg:
            while not self.stopping and not self.fault:
                rows = [tuple(map(int, row)) for row in pg.query("SELECT k, n, v FROM t.v")]
                total = [int(x or 0) for x in (pg.query("SELECT n, v, even FROM t.total") or [[0, 0, 0]])[0]]
                found = version_of(rows)
                if found is None:
                    self.fault = f"a half state: {rows[:20]}"
                if total[1] not in (total[0], total[0] + total[2]):
                    self.fault = f"a half total: {total}"
                self.seen[found] = self.seen.get(found, 0) + 1
                self.answers += 1


def served(pg):
    rows = pg.query("SELECT version FROM weir.versions WHERE status = 'serving'")
    return int(rows[0][0]) if rows else 1


def rounds(checks, server, options, rng):
    kills = 0
    for number in range(options.rounds):
        time.sleep(rng.uniform(0.05, 0.3))
        with server.pg(timeout=60) as pg:
            if not pg.query("SELECT 1 FROM weir.versions WHERE status <> 'serving'"):
                pg.simple(VERSION)
            before = served(pg)
        killer = None
        if number % 2 == 1:  # in the middle of it
            killer = threading.Timer(rng.uniform(0, 0.05), server.child.kill)
            killer.start()
        try:
            with server.pg(timeout=60) as pg:
                pg.simple("ALTER MATERIALIZED VIEW t.v PROMOTE")
            done = True
        except (OSError, ConnectionError, weirtest.PgError) as error:
            done = False
            checks.true(f"round {number}: fails by the kill only", killer is not None, error)
        if killer is not None:
            killer.join()
            server.child.wait()
            server.kill()
            server.start()
            kills += 1
        with server.pg(timeout=60) as pg:
            after = served(pg)
            checks.true(f"round {number}: promoted, or not if it was killed", after != before or not done, (before, after))
            rows = [tuple(map(int, row)) for row in pg.query("SELECT k, n, v FROM t.v")]
            checks.equal(f"round {number}: the rows are of the version that is served", version_of(rows), after)
    return kills


def replay(path):
    """The view as the sink's changes make it, and of each step the keys that changed."""
    view, steps = {}, {}
    for line in path.read_text().splitlines():
        change = json.loads(line)
        row = change["row"]
        steps.setdefault(change["step"], []).append(change)
        if change["op"] == "delete":
            view.pop(row["k"], None)
        else:
            view[row["k"]] = (row["n"], row["v"])
    return view, steps


def check_sink(checks, server, path, rows):
    for _ in range(200):
        view, steps = replay(path)
        if view == {k: (n, v) for k, n, v in rows}:
            break
        time.sleep(0.1)
    checks.equal("the sink's changes make the view", view, {k: (n, v) for k, n, v in rows})
    # A promotion's step changes v and leaves n; steps of events change n.
    swaps = [[c for c in step] for step in steps.values()
             if all(c["op"] == "update" and c["before"]["n"] == c["row"]["n"] for c in step)]
    checks.true("promotions reached the sink", len(swaps) >= 2, len(swaps))
    for changes in swaps:
        checks.true("only differences", all(c["row"]["k"] % 2 == 0 for c in changes), changes[:3])
        checks.equal("each row once", len({c["row"]["k"] for c in changes}), len(changes))
    return len(swaps)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    weirtest.need_weir()
    print(f"seed {options.seed}")
    rng = random.Random(options.seed)
    checks = weirtest.Checks()
    with weirtest.Server(SQL, args=["--journal-kb", "64"]) as server:
        path = pathlib.Path(server.temp, "v.ndjson")
        with server.pg() as pg:
            pg.simple(f"CREATE SINK t.v_file FROM t.v WITH (connector = 'file', path = '{path}')")
        threads = [Writer(server, random.Random(rng.random())), Poller(server), Poller(server)]
        for thread in threads:
            thread.start()
        kills = rounds(checks, server, options, rng)
        with server.pg(timeout=60) as pg:
            before = served(pg)
            pg.simple("ALTER MATERIALIZED VIEW t.v ROLL BACK")
            checks.equal("rolled back", served(pg), 3 - before)
        time.sleep(0.2)
        for thread in threads:
            thread.stopping = True
        for thread in threads:
            thread.join(60)
            checks.true("no thread has a fault", not thread.is_alive() and not thread.fault, thread.fault)
        for poller in threads[1:]:
            checks.true("both versions were seen", poller.seen.get(1) and poller.seen.get(2), poller.seen)
        with server.pg(timeout=60) as pg:
            pg.simple("FLUSH")
            rows = [tuple(map(int, row)) for row in pg.query("SELECT k, n, v FROM t.v")]
            for row in pg.query("VERIFY ALL"):
                checks.equal(f"verified: {row[0]}", row[1], "equal")
        swaps = check_sink(checks, server, path, rows)
        print(f"{options.rounds} promotions with {kills} kills, {swaps} seen by the sink, {threads[0].next} events, "
              f"{sum(p.answers for p in threads[1:])} answers")
    checks.end()


if __name__ == "__main__":
    main()
