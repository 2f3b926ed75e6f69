#!/usr/bin/env python3
"""Replays while events flow: kill -9 in the middle, and they go on where they were; the result is that of a replay
that nobody disturbed, and the view is what the log says. The catalogue may change meanwhile: what the replay does not
stand on does not matter to it, and a DROP of what it does stand on ends it.

    tests/fault/replay.py [--seed N] [--events N]"""
import argparse
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

DAYS = 30
SQL = """
CREATE SCHEMA t;
CREATE STREAM t.e (id BIGINT NOT NULL, k INT NOT NULL, v INT NOT NULL, at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '1 hour') WITH (partitions = 2);
CREATE MATERIALIZED VIEW t.v WITH (refresh = 'immediate') AS
  SELECT window_start, k, count(*) AS n, sum(v) AS v FROM TUMBLE(t.e, at, INTERVAL '1 hour') GROUP BY window_start, k;
CREATE STREAM t.other (id BIGINT NOT NULL, PRIMARY KEY (id));
CREATE MATERIALIZED VIEW t.others WITH (refresh = 'immediate') AS SELECT count(*) AS n FROM t.other;
CREATE MATERIALIZED VIEW t.total WITH (refresh = 'immediate') AS SELECT sum(n) AS n, sum(v) AS v FROM t.v;
"""


class Load:
    def __init__(self, server, rng, per_day):
        self.server, self.rng, self.per_day = server, rng, per_day
        self.next, self.stopping, self.fault = 0, False, None

    def rows(self, n):
        out = []
        for _ in range(n):
            second = self.next * 86400 // self.per_day
            day, second = divmod(second, 86400)
            out.append(f'{{"id":{self.next},"k":{self.rng.randrange(20)},"v":{self.rng.randrange(100)},'
                       f'"at":"2026-01-{1 + day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"}}')
            self.next += 1
        return "\n".join(out).encode()

    def fill(self):
        while self.next < DAYS * self.per_day:
            self.server.ingest("t.e", self.rows(min(2000, DAYS * self.per_day - self.next)))

    def live(self):
        while not self.stopping:
            try:
                self.server.ingest("t.e", self.rows(20))
            except OSError:
                pass  # it is being started again; what was lost is as if it had not been sent
            time.sleep(0.005)


def replays(pg):
    return {int(r[0]): r[1:] for r in pg.query("SELECT replay, status, records, total, error FROM weir.replays")}


def wait_for(server, number, seconds=90):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with server.pg(timeout=60) as pg:
            found = replays(pg).get(number)
        if found and found[0] != "running":
            return found
        time.sleep(0.05)
    return found


def killed_in_the_middle(checks, server, statement, number, rng):
    """The records that were read before the kill, and how the replay ended."""
    with server.pg(timeout=60) as pg:
        pg.simple(statement)
    read = 0
    until = time.monotonic() + 30
    while read == 0 and time.monotonic() < until:
        with server.pg(timeout=60) as pg:
            found = replays(pg)[number]
        read = int(found[1])
        if found[0] != "running":
            break
    time.sleep(rng.uniform(0, 0.2))
    with server.pg(timeout=60) as pg:
        checks.equal(f"{statement}: it runs when it is killed", replays(pg)[number][0], "running")
    left = pathlib.Path(server.data, "shadow", f"verify.{number}")  # as a kill amid a VERIFY leaves one
    left.mkdir()
    left.joinpath("data.mdb").write_bytes(b"x" * 5000)
    server.kill()
    server.start()
    checks.true("what is left of a verification goes", not left.exists())
    with server.pg(timeout=60) as pg:
        found = replays(pg)[number]
    checks.true(f"{statement}: it goes on", found[0] in ("running", "done"), found)
    return read, wait_for(server, number)


def killed_anywhere(checks, server, options, rng, number):
    """At full speed, killed at any moment: while the log is read, while rows go into the flow's store, or after."""
    for i in range(options.kills):
        with server.pg(timeout=60) as pg:
            pg.simple("REPLAY INTO t.v VERSION (ALL)")
        time.sleep(rng.uniform(0, 0.4))
        server.kill()
        server.start()
        checks.equal("killed anywhere, it ends well", wait_for(server, number + i)[0], "done")
        with server.pg(timeout=60) as pg:
            pg.simple("FLUSH")
            version = pg.value(f"SELECT version FROM weir.replays WHERE replay = {number + i}")
            differing = pg.query(f"SELECT * FROM weir.diff WHERE version = {version}")
            checks.equal("killed anywhere, the version is the view", differing, [])
            pg.simple(f"ALTER MATERIALIZED VIEW t.v DROP VERSION {version}")


def catalogue_changes(checks, server, options, number):
    """Slow replays beside changes of the catalogue."""
    with server.pg(timeout=60) as pg:
        pg.simple(f"REPLAY INTO t.v (ALL) WITH (rate = {options.events // 2})")
        pg.simple("COMMENT ON MATERIALIZED VIEW t.v IS 'by hour and key'")
        pg.simple("COMMENT ON COLUMN t.e.k IS 'the key'")
        pg.simple("CREATE MATERIALIZED VIEW t.beside WITH (refresh = 'immediate') AS SELECT k, max(v) AS v FROM t.e GROUP BY k")
        pg.simple("DROP MATERIALIZED VIEW t.beside")
    found = wait_for(server, number)
    checks.equal("changes beside a replay do not end it", (found[0], found[3]), ("done", None))
    with server.pg(timeout=60) as pg:
        comment = "SELECT obj_description('t.v'::regclass, 'pg_class')"
        checks.equal("and stay", pg.value(comment), "by hour and key")
    server.ingest("t.other", "\n".join(f'{{"id":{i}}}' for i in range(20000)).encode())
    with server.pg(timeout=60) as pg:
        pg.simple("FLUSH")
        pg.simple("REPLAY INTO t.others VERSION (ALL) WITH (rate = 100)")
        pg.simple("DROP STREAM t.other CASCADE")  # waits for the replay to let it go
    found = wait_for(server, number + 1)
    checks.equal("a replay ends with the stream that it reads", found[0], "failed")


def versions_at_once(checks, server, options, number):
    """A version that is made while another is: each has a number of its own."""
    made = "SELECT window_start, k, count(*) AS n, sum(v) + 1 AS v FROM TUMBLE(t.e, at, INTERVAL '1 hour') GROUP BY window_start, k"
    with server.pg(timeout=60) as pg:
        pg.simple(f"REPLAY INTO t.v VERSION (PARTITION 0) WITH (rate = {options.events // 2})")
        pg.simple(f"CREATE OR REPLACE MATERIALIZED VIEW t.v WITH (refresh = 'immediate') AS {made}")
    checks.equal("a version beside another ends well", wait_for(server, number)[0], "done")
    with server.pg(timeout=60) as pg:
        names = [r[0] for r in pg.query("SELECT name FROM weir.versions WHERE status = 'beside'")]
        checks.equal("two versions have two names", (len(names), len(set(names))), (2, 2))
        replayed = pg.value(f"SELECT version FROM weir.replays WHERE replay = {number}")
        checks.true("the replay says which is its own", f"v@{replayed}" in names, (replayed, names))
        checks.equal("a version of a selection is not wrong", pg.query(f'VERIFY t."v@{replayed}"')[0][1], "partial")
        for name in names:
            pg.simple(f"ALTER MATERIALIZED VIEW t.v DROP VERSION {name.split('@')[1]}")


def run(checks, server, options, rng):
    load = Load(server, rng, options.events // DAYS)
    load.fill()
    with server.pg(timeout=60) as pg:
        pg.simple("FLUSH")
    # The selection's day stands still; live events come after the days that were filled.
    thread = threading.Thread(target=load.live, daemon=True)
    load.per_day *= 100000
    load.next = DAYS * load.per_day + 1
    thread.start()
    rate = options.events // 3
    day = "FROM '2026-01-10' TO '2026-01-11'"
    _, found = killed_in_the_middle(checks, server, f"REPLAY INTO t.v VERSION ({day}) WITH (rate = {rate})", 1, rng)
    checks.equal("a day, killed in the middle, ends well", found[0], "done")
    with server.pg(timeout=60) as pg:
        pg.simple(f"REPLAY INTO t.v VERSION ({day})")
    checks.equal("a day, undisturbed, ends well", wait_for(server, 2)[0], "done")
    with server.pg(timeout=60) as pg:
        where = "WHERE window_start >= '2026-01-10' AND window_start < '2026-01-11' ORDER BY 1, 2"
        rows = [pg.query(f'SELECT * FROM t."{name}" {where}') for name in ("v@2", "v@3", "v")]
        checks.true("the day has rows", len(rows[0]) > 100, len(rows[0]))
        checks.equal("killed and undisturbed are the same", rows[0], rows[1])
        checks.equal("and what the view shows of the day", rows[0], rows[2])
        before = pg.value("SELECT count(*) FROM t.\"v@2\" WHERE window_start < '2026-01-10'")
        checks.equal("nothing of other days", before, "0")
        pg.simple("ALTER MATERIALIZED VIEW t.v DROP VERSION 2")
        pg.simple("ALTER MATERIALIZED VIEW t.v DROP VERSION 3")
    _, found = killed_in_the_middle(checks, server, f"REPLAY INTO t.v (ALL) WITH (rate = {rate})", 3, rng)
    checks.equal("into the view, killed in the middle, ends well", found[0], "done")
    with server.pg(timeout=60) as pg:
        checks.equal("a view that was right is not corrected",
                     pg.value("SELECT corrected FROM weir.replays WHERE replay = 3"), "0")
        pg.simple("REPLAY INTO t.v (ALL) WITH (rate = 10)")
        pg.simple("CANCEL REPLAY 4")
    checks.equal("cancelled", wait_for(server, 4)[0], "cancelled")
    catalogue_changes(checks, server, options, 5)
    versions_at_once(checks, server, options, 7)
    killed_anywhere(checks, server, options, rng, 8)
    load.stopping = True
    thread.join(30)
    with server.pg(timeout=60) as pg:
        pg.simple("FLUSH")
        for row in pg.query("VERIFY ALL"):
            checks.equal(f"verified: {row[0]}", row[1], "equal")
        checks.equal("no version is left", pg.query("SELECT name FROM weir.versions"), [])
        kinds = pg.query("SELECT replay, selection, status, records, records_per_second FROM weir.replays")
    print("\n".join(" ".join(str(x) for x in row) for row in kinds))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--events", type=int, default=60000)
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    weirtest.need_weir()
    print(f"seed {options.seed}")
    checks = weirtest.Checks()
    with weirtest.Server(SQL, args=["--journal-kb", "256"]) as server:
        run(checks, server, options, random.Random(options.seed))
        shadows = pathlib.Path(server.data, "shadow")
        left = [p.name for p in shadows.iterdir()] if shadows.exists() else []
        checks.equal("no shadow is left", left, [])
    checks.end()


if __name__ == "__main__":
    main()
