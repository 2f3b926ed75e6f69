#!/usr/bin/env python3
"""Views as of earlier instants against a real PostgreSQL table that kept every version of every row: events, late
corrections, updates and deletions of a table come in, the server is killed and started again in between, and random
questions (one row, a whole view; over both protocols) are asked of random instants, also on both clocks: what was known
at an instant of what counted by its business-effective day.

After each batch PostgreSQL computes the views' figures by itself and what weir shows must be that; what is shown then,
with status, revision and time of change, is the version that later questions are answered by.

    tests/fault/as_of.py [--seed N] [--batches N] [--questions N]"""
import argparse
import hashlib
import json
import pathlib
import random
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "sql"))
import postgres  # noqa: E402
import weirtest  # noqa: E402

SQL = """
CREATE SCHEMA t;
CREATE STREAM t.e (id BIGINT NOT NULL, k INT NOT NULL, v INT NOT NULL, at TIMESTAMPTZ NOT NULL, booked DATE,
  PRIMARY KEY (id), EFFECTIVE TIME FOR booked, WATERMARK FOR at AS at - INTERVAL '10 minutes') WITH (partitions = 2);
CREATE TABLE t.p (k INT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (k));
CREATE MATERIALIZED VIEW t.total WITH (refresh = 'immediate') AS
  SELECT k, count(*) AS n, sum(v) AS v FROM t.e GROUP BY k;
CREATE MATERIALIZED VIEW t.hourly WITH (refresh = 'immediate') AS
  SELECT window_start, k, count(*) AS n, sum(v) AS v FROM TUMBLE(t.e, at, INTERVAL '1 hour') GROUP BY window_start, k;
CREATE MATERIALIZED VIEW t.raw WITH (refresh = 'immediate') AS SELECT id, k, v FROM t.e WHERE v % 2 = 0;
CREATE MATERIALIZED VIEW t.named WITH (refresh = 'immediate') AS
  SELECT e.id, p.name, e.v FROM t.e e JOIN t.p p ON e.k = p.k WHERE e.v > 40;
CREATE MATERIALIZED VIEW t.bags WITH (refresh = 'immediate') AS SELECT p.name FROM t.e e JOIN t.p p ON e.k = p.k;
CREATE MATERIALIZED VIEW t.rollup WITH (refresh = '100 milliseconds') AS SELECT n, count(*) AS c FROM t.total GROUP BY n;
CREATE MATERIALIZED VIEW t.brief WITH (refresh = 'immediate', history = '1 second') AS SELECT k, max(v) AS v FROM t.e GROUP BY k;
"""
TABLES = """
CREATE TABLE e (id BIGINT PRIMARY KEY, k INT, v INT, at TIMESTAMPTZ, booked DATE, seen INT);
CREATE TABLE p (k INT PRIMARY KEY, name TEXT);
CREATE TABLE version (view TEXT, since INT, until INT, row TEXT);
CREATE INDEX ON version (view, since)
"""
# A view's own columns, and its query in PostgreSQL. Its rows are compared as texts.
VIEWS = {
    "total": ("k, n, v", "SELECT k, count(*) AS n, sum(v) AS v FROM e GROUP BY k"),
    "hourly": ("window_start, k, n, v",
               "SELECT date_trunc('hour', at) AS window_start, k, count(*) AS n, sum(v) AS v FROM e GROUP BY 1, 2"),
    "raw": ("id, k, v", "SELECT id, k, v FROM e WHERE v % 2 = 0"),
    "named": ("id, name, v", "SELECT e.id, p.name, e.v FROM e JOIN p ON e.k = p.k WHERE e.v > 40"),
    "bags": ("name", "SELECT p.name FROM e JOIN p ON e.k = p.k"),
    "rollup": ("n, c", "SELECT n, count(*) AS c FROM (SELECT count(*) AS n FROM e GROUP BY k) x GROUP BY n"),
}
STANDING = "_status, _revision, _updated_at"


def text(row):
    return "|".join("NULL" if v is None else v for v in row)


def quoted(value):
    return "NULL" if value is None else f"'{value}'"


def digest(rows):
    return hashlib.md5("\n".join(sorted(rows)).encode()).hexdigest()


class World:
    def __init__(self, checks, server, oracle, rng):
        self.checks, self.server, self.oracle, self.rng = checks, server, oracle, rng
        self.next_id, self.hour = 0, 0.0
        self.instants = []  # of each version: from when to when it was shown
        self.open = {view: {} for view in VIEWS}

    def now(self, pg):
        return int(pg.value("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))

    def send(self, pg):
        rng, events = self.rng, []
        for _ in range(rng.randrange(1, 25)):
            back = rng.choice([0, 0, 0, 0.1, 0.5, 3, 20])
            second = max(0, int((self.hour - back * rng.random()) * 3600))
            day, second = divmod(second, 86400)
            at = f"2026-01-{1 + day % 28:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
            booked = None if rng.random() < 0.1 else f"2026-01-{rng.randrange(1, 29):02}"
            events.append({"id": self.next_id, "k": rng.randrange(12), "v": rng.randrange(60), "at": at, "booked": booked})
            self.next_id += 1
        self.hour += rng.random()
        self.server.ingest("t.e", events)
        self.oracle.simple("INSERT INTO e VALUES " + ", ".join(
            f"({e['id']}, {e['k']}, {e['v']}, '{e['at']}', {quoted(e['booked'])}, {len(self.instants)})" for e in events))
        for _ in range(rng.randrange(3)):
            k = rng.randrange(12)
            if rng.random() < 0.3:
                pg.simple(f"DELETE FROM t.p WHERE k = {k}")
                self.oracle.simple(f"DELETE FROM p WHERE k = {k}")
            else:
                name = rng.choice("abcd")
                pg.simple(f"INSERT INTO t.p VALUES ({k}, '{name}')")
                self.oracle.simple(f"INSERT INTO p VALUES ({k}, '{name}') ON CONFLICT (k) DO UPDATE SET name = excluded.name")

    def keep(self, pg):
        """The version that is shown now."""
        number = len(self.instants)
        since = self.now(pg)
        for view, (columns, query) in VIEWS.items():
            rows = [text(r) for r in pg.query(f"SELECT {columns}, {STANDING} FROM t.{view}")]
            figures = [text(r) for r in self.oracle.query(f"SELECT {columns} FROM ({query}) x")]
            self.checks.equal(f"{view} of version {number}", sorted(r.rsplit("|", 3)[0] for r in rows), sorted(figures))
            there, was = {}, self.open[view]
            for row in rows:  # the same row may be there many times
                there[row] = there.get(row, 0) + 1
            if there != was:
                gone = [(r, n) for r, n in was.items() if there.get(r) != n]
                new = [(r, n) for r, n in there.items() if was.get(r) != n]
                for row, _ in gone:
                    self.oracle.simple(f"UPDATE version SET until = {number} WHERE view = '{view}' AND until IS NULL "
                                       f"AND row = '{row}'")
                for row, n in new:
                    self.oracle.simple(f"INSERT INTO version SELECT '{view}', {number}, NULL, '{row}' "
                                       f"FROM generate_series(1, {n})")
                self.open[view] = there
        self.instants.append((since, self.now(pg)))

    def stamp(self, us):
        seconds, us = divmod(us, 1000000)
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) + f".{us:06}+00"

    def pick(self):
        number = self.rng.randrange(len(self.instants))
        since, until = self.instants[number]
        return number, self.stamp(self.rng.randint(since, until))

    def known(self, view, number):
        return [r[0] for r in self.oracle.query(
            f"SELECT row FROM version WHERE view = '{view}' AND since <= {number} AND (until IS NULL OR until > {number})")]

    def ask(self, pg):
        """One question; whether the answers are equal, and what was asked."""
        rng = self.rng
        view = rng.choice(list(VIEWS))
        columns = VIEWS[view][0]
        number, instant = self.pick()
        expected = self.known(view, number)
        kind = rng.random()
        if kind < 0.1:
            path = f"/v1/views/t.{view}?format=csv&select={columns.replace(' ', '')},_status,_revision&as_of={urllib.parse.quote(instant)}"
            answer = self.server.http("GET", path)
            lines = answer.text.split("\n")[1:-1] if answer.status == 200 else [answer.text]
            found = [line.strip().replace(",", "|") for line in lines]
            if view == "hourly":  # another form of times
                found, expected = [len(found)], [len(expected)]
            else:
                expected = [r.rsplit("|", 1)[0] for r in expected]
            return sorted(found) == sorted(expected), f"GET {path}: {answer.status} {found[:3]} {expected[:3]}"
        by_call = rng.random() < 0.3
        pg.simple("RESET weir.as_of" if by_call else f"SET weir.as_of = '{instant}'")
        condition = ""
        if kind < 0.6 and view in ("total", "hourly", "raw", "named"):
            column = {"total": 0, "hourly": 1, "raw": 0, "named": 0}[view]
            name = columns.split(", ")[column]
            value = str(rng.randrange(self.next_id if name == "id" else 12))
            condition = f" WHERE {name} = {value}"
            expected = [r for r in expected if r.split("|")[column] == value]
        query = f"SELECT {columns}, {STANDING} FROM " + (
            f"weir.as_of('t.{view}', '{instant}')" if by_call else f"t.{view}") + condition
        found = [text(r) for r in pg.query(query)]
        return digest(found) == digest(expected), f"{query} as of {instant} (version {number}): {sorted(found)[:4]} {sorted(expected)[:4]}"


    def ask_both(self, pg):
        """A question on both clocks: what we knew at an instant of what counted on a day."""
        rng = self.rng
        view = rng.choice(["total", "hourly", "raw", "rollup"])
        columns, query = VIEWS[view]
        number, instant = self.pick()
        day = f"2026-01-{rng.randrange(1, 29):02}"
        known = f"(SELECT * FROM e WHERE seen <= {number} AND (booked IS NULL OR booked <= '{day}')) e"
        expected = [text(r) for r in self.oracle.query(f"SELECT {columns} FROM ({query.replace('FROM e', 'FROM ' + known)}) x")]
        present = rng.random() < 0.2 and number == len(self.instants) - 1
        if present:
            instant = "present"
        # A day, or an instant in it: dates are effective from their beginning.
        effective = f"'{day}{rng.choice(['', ' 00:00:00+00', ' 17:30:00+00'])}'"
        if rng.random() < 0.5:  # both in one statement
            source = f"weir.as_of('t.{view}', {'NULL' if present else quoted(instant)}, {effective})"
            found = [text(r) for r in pg.query(f"SELECT {columns} FROM {source}")]
        else:
            pg.simple("RESET weir.as_of" if present else f"SET weir.as_of = '{instant}'")
            pg.simple(f"SET weir.effective_as_of = {effective}")
            found = [text(r) for r in pg.query(f"SELECT {columns} FROM t.{view}")]
            pg.simple("RESET weir.effective_as_of")
        return digest(found) == digest(expected), (
            f"{view} of {day} as of {instant} (version {number}): {sorted(found)[:4]} {sorted(expected)[:4]}")


def ask_many(world, checks, what, n):
    wrong, first = 0, ""
    with world.server.pg(timeout=60) as pg:
        for _ in range(n):
            same, asked = world.ask(pg) if world.rng.random() < 0.7 else world.ask_both(pg)
            if not same:
                wrong, first = wrong + 1, first or asked
    checks.equal(f"{what}: wrong answers of {n}", (wrong, first), (0, ""))


def fails(pg, sql, state, part):
    try:
        pg.simple(sql)
    except weirtest.PgError as error:
        return (error.fields.get("C"), part in error.fields.get("M", "")) == (state, True) or str(error.fields)
    return "it was taken"


def other_questions(world, checks):
    """Errors, streams, joins of flows, writes, prepared statements, transactions."""
    server, rng = world.server, world.rng
    with server.pg(timeout=60) as pg:
        for value in ("soon", "infinity", "2026-13-01"):
            checks.equal(f"as of {value}", fails(pg, f"SET weir.as_of = '{value}'", "22023", "invalid value"), True)
        checks.equal("the future", fails(pg, "SET weir.as_of = '2999-01-01'", "22023", "in the future"), True)
        pg.simple("SET weir.as_of = '2001-01-01'")
        checks.equal("before all", fails(pg, "SELECT * FROM t.total", "22023", "goes back to"), True)
        pg.simple("RESET weir.as_of")
        for _ in range(20):
            number, instant = world.pick()
            pg.simple(f"SET weir.as_of = '{instant}'")
            n = sum(int(r.split("|")[1]) for r in world.known("total", number))
            checks.equal(f"records of the stream as of version {number}", int(pg.value("SELECT count(*) FROM t.e")), n)
            joined = pg.value("SELECT count(*) FROM t.total a JOIN t.rollup b ON a.n = b.n")
            checks.equal(f"views of two flows as of version {number}", int(joined), len(world.known("total", number)))
            for sql in ("INSERT INTO t.p VALUES (1, 'x')", "DELETE FROM t.p WHERE k = 1", "CREATE SCHEMA later"):
                checks.equal(f"{sql} in the past", fails(pg, sql, "25006", "weir.as_of is set"), True)
        number, instant = world.pick()
        pg.simple(f"BEGIN; SET LOCAL weir.as_of = '{instant}'")
        checks.equal("in a transaction", len(pg.query("SELECT * FROM t.raw")), len(world.known("raw", number)))
        pg.simple("COMMIT")
        pg.simple("RESET weir.as_of")
        checks.equal("the present again", len(pg.query("SELECT * FROM t.raw")), len(world.known("raw", len(world.instants) - 1)))
        # Two instants in one query, with the present.
        other, then = world.pick()
        rows = pg.query(f"SELECT (SELECT count(*) FROM weir.as_of('t.raw', '{instant}')), (SELECT count(*) FROM "
                        f"weir.as_of('t.raw', '{then}')), (SELECT count(*) FROM t.raw)")
        expected = [len(world.known("raw", n)) for n in (number, other, len(world.instants) - 1)]
        checks.equal("two instants and the present", [int(v) for v in rows[0]], expected)
        answer = server.http("POST", "/v1/query", json.dumps({"sql": "SELECT count(*) FROM t.raw", "as_of": instant}))
        checks.equal("POST /v1/query", answer.json()["rows"][0][0], len(world.known("raw", number)))
        checks.equal("GET before all", server.http("GET", "/v1/views/t.total?as_of=2001-01-01").status, 400)
        rows = pg.query("SELECT history::text, history_from IS NOT NULL FROM weir.views WHERE name = 'brief'")
        checks.equal("weir.views", [text(r) for r in rows], ["00:00:01|t"])


def trimmed(world, checks):
    """A short history ends; from where it begins it can be asked."""
    with world.server.pg(timeout=60) as pg:
        first = world.stamp(world.instants[0][0])
        until = time.monotonic() + 30
        gone = None
        while gone is not True and time.monotonic() < until:
            time.sleep(0.3)
            world.send(pg)
            pg.simple("FLUSH")
            world.keep(pg)
            pg.simple(f"SET weir.as_of = '{first}'")
            gone = fails(pg, "SELECT * FROM t.brief", "22023", "goes back to")
            pg.simple("RESET weir.as_of")
        checks.equal("the history of t.brief ends", gone, True)
        begins = pg.value("SELECT history_from FROM weir.views WHERE name = 'brief'")
        pg.simple(f"SET weir.as_of = '{begins}'")
        checks.true("it can be asked from where it begins", len(pg.query("SELECT * FROM t.brief")) > 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--questions", type=int, default=600)
    args = parser.parse_args()
    weirtest.need_weir()
    checks, rng = weirtest.Checks(), random.Random(args.seed)
    with postgres.Postgres() as cluster, weirtest.Pg(cluster.dir, 5432, database="postgres", timeout=60) as oracle:
        for statement in TABLES.split(";"):
            oracle.simple(statement)
        with weirtest.Server(sql=SQL) as server:
            world = World(checks, server, oracle, rng)
            for number in range(args.batches):
                with server.pg(timeout=60) as pg:
                    world.send(pg)
                    pg.simple("FLUSH")
                    world.keep(pg)
                if rng.random() < 0.1:
                    server.restart()
            ask_many(world, checks, "before a crash", args.questions // 2)
            other_questions(world, checks)
            server.restart()
            ask_many(world, checks, "after a crash", args.questions - args.questions // 2)
            trimmed(world, checks)
            ask_many(world, checks, "after trimming", args.questions // 10)
            server.stop()
            weirtest.verify(checks, "the directory", server.data)
            server.start()
    checks.end()


if __name__ == "__main__":
    main()
