#!/usr/bin/env python3
"""Reading as of instants, where the answer turns on a detail: exactly at a step and just before it, before the first;
both clocks in one statement and over HTTP; how fresh an answer was then; prepared statements, portals and transactions
across SET and RESET; weir.why and other system objects in a session of the past; a view that is dropped and made again;
a history that is altered in the served file; a crash between.

    tests/fault/instants.py"""
import datetime
import json
import pathlib
import struct
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

SQL = """
CREATE SCHEMA t;
CREATE STREAM t.e (id BIGINT NOT NULL, k INT NOT NULL, v INT NOT NULL, booked DATE, PRIMARY KEY (id),
  EFFECTIVE TIME FOR booked);
CREATE MATERIALIZED VIEW t.total WITH (refresh = 'immediate') AS
  SELECT k, count(*) AS n, sum(v) AS v FROM t.e GROUP BY k;
CREATE MATERIALIZED VIEW t.slow WITH (refresh = '1 hour', freshness = '10 milliseconds') AS SELECT count(*) AS n FROM t.e;
CREATE MATERIALIZED VIEW t.over WITH (refresh = '1 hour') AS SELECT n, count(*) AS c FROM t.total GROUP BY n;
"""
MICROSECOND = datetime.timedelta(microseconds=1)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("+00", "+00:00"))


def fails(pg, sql):
    try:
        return pg.query(sql)
    except weirtest.PgError as error:
        return error.fields.get("C")


class Session:
    """Statements and portals by name."""

    def __init__(self, pg):
        self.pg = pg

    def parse(self, name, sql):
        self.pg.send(b"P", name.encode() + b"\0" + sql.encode() + b"\0\0\0")

    def bind(self, portal, name):
        self.pg.send(b"B", portal.encode() + b"\0" + name.encode() + b"\0" + struct.pack("!HHH", 0, 0, 0))
        self.pg.send(b"D", b"P" + portal.encode() + b"\0")

    def execute(self, portal, rows=0):
        self.pg.send(b"E", portal.encode() + b"\0" + struct.pack("!I", rows))

    def sync(self):
        self.pg.send(b"S")
        results = self.pg.collect()
        return [[None if v is None else v.decode() for v in row] for result in results for row in result.rows]

    def ask(self, name):
        self.bind("", name)
        self.execute("")
        return self.sync()


def standing(server, view, instant, more=""):
    answer = server.http("GET", f"/v1/views/{view}?as_of={urllib.parse.quote(str(instant))}{more}")
    return answer.json(), {k.lower(): v for k, v in answer.headers.items()}


def send(server, pg, *events, flush=True):
    server.ingest("t.e", [dict(zip(("id", "k", "v", "booked"), e)) for e in events])
    if flush:
        pg.simple("FLUSH")
    return moment(pg.value("SELECT now()"))


def steps(server, pg, checks):
    """Exactly at a step; just before it; before all."""
    known = []
    for i in range(6):
        send(server, pg, (100 + i, 9, 1, None))
        known.append((moment(pg.value("SELECT as_of FROM weir.views WHERE name = 'total'")), i + 1))
    for at, n in known:
        query = "SELECT n FROM weir.as_of('t.total', '{}') WHERE k = 9"
        checks.equal(f"at the step that made {n}", pg.query(query.format(at)), [[str(n)]])
        checks.equal(f"just before it: {n}", pg.query(query.format(at - MICROSECOND)), [[str(n - 1)]] if n > 1 else [])
    first = moment(pg.value("SELECT history_from FROM weir.views WHERE name = 'total'"))
    checks.equal("at the first step", pg.query(f"SELECT * FROM weir.as_of('t.total', '{first}')"), [])
    checks.equal("before it", fails(pg, f"SELECT * FROM weir.as_of('t.total', '{first - MICROSECOND}')"), "22023")


def both(server, pg, checks):
    then = send(server, pg, (1, 1, 10, "2026-01-01"), (2, 1, 20, "2026-01-03"))
    send(server, pg, (3, 2, 5, "2026-01-01"), (4, 1, 7, None))
    query = "SELECT k, n, v FROM weir.as_of('t.total', {}, {}) WHERE k < 9"
    at = f"'{then}'"
    for what, a, e, rows in (("now", "NULL", "NULL", [["1", "3", "37"], ["2", "1", "5"]]),
                             ("as of", at, "NULL", [["1", "2", "30"]]),
                             ("effective", "NULL", "'2026-01-02'", [["1", "2", "17"], ["2", "1", "5"]]),
                             ("both", at, "'2026-01-02'", [["1", "1", "10"]])):
        checks.equal(what, sorted(pg.query(query.format(a, e))), rows)
    pg.simple(f"SET weir.as_of = '{then}'")
    checks.equal("NULL is now, not the session's", len(pg.query(query.format("NULL", "NULL"))), 2)
    pg.simple("RESET weir.as_of")
    checks.equal("NULL is all that counts, not the session's", pg.query(
        query.format(at, "NULL")), [["1", "2", "30"]])
    body, _ = standing(server, "t.total", then, "&effective_as_of=2026-01-02&k=lt.9")
    checks.equal("GET on both clocks", [(r["k"], r["n"], r["_status"]) for r in body["rows"]], [(1, 1, "recomputed")])
    sql = {"sql": "SELECT k, n FROM t.total WHERE k < 9 ORDER BY 1", "effective_as_of": "2026-01-02"}
    checks.equal("POST by effective time", server.http("POST", "/v1/query", json.dumps(sql)).json()["rows"], [[1, 2], [2, 1]])
    sql["as_of"] = str(then)
    checks.equal("POST on both clocks", server.http("POST", "/v1/query", json.dumps(sql)).json()["rows"], [[1, 1]])
    for bad in ("effective_as_of=x", "as_of=2026-01-01T00:00:00Z" + "%20" * 50 + "x", "as_of=2026-01-01T00:00:00Z%00x"):
        checks.equal(f"GET ?{bad[:30]}", server.http("GET", f"/v1/views/t.total?{bad}").status, 400)
    return then


def fresh(server, pg, checks):
    """How far behind an answer was is known of then, too."""
    before = send(server, pg, (300, 8, 1, None))
    time.sleep(0.02)
    sent = moment(pg.value("SELECT now()"))
    send(server, pg, (301, 8, 1, None), flush=False)
    time.sleep(0.1)
    behind = moment(pg.value("SELECT now()"))
    pg.simple("FLUSH")
    after = moment(pg.value("SELECT now()"))
    most = (behind - sent).total_seconds() * 1000 + 1
    for view in ("t.slow", "t.over"):
        for instant, lagging in ((before, False), (behind, True), (after, False)):
            body, headers = standing(server, view, instant)
            lag = body["standing"]["lag_ms"]
            checks.true(f"lag of {view}, {lagging}", 99 < lag < most if lagging else lag == 0, f"{lag} of {most}")
            checks.equal(f"header of {view}", headers["weir-lag-ms"], str(lag))
            checks.equal(f"{view} fresh", body["standing"]["fresh"], view == "t.over" or not lagging)
            checks.equal(f"step of {view}", headers["weir-step"], str(body["standing"]["step"]))


def sessions(server, pg, checks, then):
    """Prepared statements, portals, transactions."""
    session = Session(pg)
    session.parse("one", "SELECT count(*) FROM t.total")
    session.sync()
    now, was = session.ask("one"), [["1"]]
    checks.true("more rows now", now != was, now)
    for _ in range(2):
        pg.simple(f"SET weir.as_of = '{then}'")
        checks.equal("prepared before SET", session.ask("one"), was)
        pg.simple("RESET weir.as_of")
        checks.equal("the same after RESET", session.ask("one"), now)
    pg.simple(f"SET weir.as_of = '{then}'")
    session.parse("two", "SELECT count(*) FROM t.total")
    session.sync()
    for word in ("RESET ALL", "DISCARD ALL", "SET weir.as_of = ''", "SET weir.as_of TO DEFAULT"):
        pg.simple(f"SET weir.as_of = '{then}'")
        pg.simple(word)
        if word == "DISCARD ALL":  # takes the statements with it
            session.parse("two", "SELECT count(*) FROM t.total")
            session.sync()
        checks.equal(f"after {word}", session.ask("two"), now)
    pg.simple(f"BEGIN; SET LOCAL weir.as_of = '{then}'")
    checks.equal("SET LOCAL", pg.query("SELECT count(*) FROM t.total"), was)
    pg.simple("ROLLBACK")
    checks.equal("ROLLBACK", pg.query("SELECT count(*) FROM t.total"), now)
    pg.simple(f"BEGIN; SET weir.as_of = '{then}'; ROLLBACK")
    checks.equal("SET is rolled back", pg.query("SELECT count(*) FROM t.total"), now)
    pg.simple(f"BEGIN; SAVEPOINT a; SET weir.as_of = '{then}'; ROLLBACK TO a")
    checks.equal("and to a savepoint", pg.query("SELECT count(*) FROM t.total"), now)
    pg.simple("COMMIT")
    pg.simple(f"BEGIN; SET weir.as_of = '{then}'; SAVEPOINT a; RESET weir.as_of; SAVEPOINT a; RELEASE a; ROLLBACK TO a")
    checks.equal("what was set before it stays", pg.query("SELECT count(*) FROM t.total"), was)
    pg.simple("ROLLBACK")
    pg.simple(f"SET LOCAL weir.as_of = '{then}'")
    checks.equal("SET LOCAL outside of a transaction", pg.query("SELECT count(*) FROM t.total"), now)
    # A portal is of the instant at which it was first executed.
    pg.simple(f"BEGIN; SET weir.as_of = '{then}'")
    session.parse("three", "SELECT k FROM t.total ORDER BY k")
    session.bind("p", "three")
    session.execute("p", 1)
    first = session.sync()
    pg.simple("RESET weir.as_of")
    session.execute("p", 100)
    checks.equal("the rest of a portal", first + session.sync(), [["1"]])
    pg.simple("COMMIT")


def system_objects(pg, checks, then):
    """They are of the present, also in a session of the past: what weir.why says does not depend on it."""
    queries = ("SELECT step, old, new, events FROM weir.why('t.total', '1')", "SELECT * FROM weir.lineage('t.total', '1')",
               "SELECT count(*) FROM weir.revision", "SELECT name, rows, history_from FROM weir.views ORDER BY 1",
               "SELECT view, step, as_of FROM weir.standing ORDER BY 1", "SELECT * FROM weir.as_of('t.total', NULL) ORDER BY 1")
    now = [fails(pg, q) for q in queries]
    for setting in (f"weir.as_of = '{then}'", "weir.effective_as_of = '2026-01-02'"):
        pg.simple(f"SET {setting}")
        for query, rows in zip(queries, now):
            if "NULL" in query and "effective" in setting:
                continue  # that is its business
            checks.equal(f"{setting}: {query}", fails(pg, query), rows)
        checks.equal(f"{setting}: VERIFY", pg.query("VERIFY t.total")[0][1], "equal")
        checks.equal(f"{setting}: writing", fails(pg, "INSERT INTO t.e VALUES (1000, 1, 1, NULL)"), "25006")
        pg.simple("RESET ALL")


def altered(server, pg, checks, then):
    """The view made again knows nothing of the one before it; a history comes and goes with the served file."""
    pg.simple("CREATE MATERIALIZED VIEW t.again WITH (refresh = 'immediate') AS SELECT count(*) AS n FROM t.e")
    old = send(server, pg, (400, 7, 1, None))
    n = pg.value("SELECT n FROM t.again")
    pg.simple("DROP MATERIALIZED VIEW t.again")
    checks.equal("dropped", fails(pg, f"SELECT * FROM weir.as_of('t.again', '{old}')"), "42P01")
    pg.simple("CREATE MATERIALIZED VIEW t.again WITH (refresh = 'immediate') AS SELECT count(*) + 1000 AS n FROM t.e")
    checks.equal("as of the one before", fails(pg, f"SELECT * FROM weir.as_of('t.again', '{old}')"), "22023")
    fresh_made = moment(pg.value("SELECT now()"))
    checks.equal("as of now", pg.query(f"SELECT n FROM weir.as_of('t.again', '{fresh_made}')"), [[str(int(n) + 1000)]])
    send(server, pg, (401, 7, 1, None))
    checks.equal("as of its beginning", pg.query(f"SELECT n FROM weir.as_of('t.again', '{fresh_made}')"), [[str(int(n) + 1000)]])
    # total: without a history, and with one again.
    path = pathlib.Path(server.sql_path)
    with_none = SQL.replace("t.total WITH (refresh = 'immediate')", "t.total WITH (refresh = 'immediate', history = '0')")
    path.write_text(with_none)


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    with weirtest.Server(sql=SQL) as server:
        with server.pg(timeout=60) as pg:
            then = both(server, pg, checks)
            fresh(server, pg, checks)
            sessions(server, pg, checks, then)
            system_objects(pg, checks, then)
        server.restart()
        with server.pg(timeout=60) as pg:
            steps(server, pg, checks)
            system_objects(pg, checks, then)
            altered(server, pg, checks, then)
            promoted(server, pg, checks)
        without_history(server, checks, then)
        server.stop()
        weirtest.verify(checks, "the directory", server.data)
        server.start()
    checks.end()


def promoted(server, pg, checks):
    """Before a promotion, rows are those that were shown; by effective time the query of now says nothing of them."""
    pg.simple("CREATE MATERIALIZED VIEW t.p WITH (refresh = 'immediate') AS SELECT k, count(*) AS n FROM t.e GROUP BY k")
    pg.simple("CREATE MATERIALIZED VIEW t.on_p WITH (refresh = 'immediate') AS SELECT sum(n) AS n FROM t.p")
    before = send(server, pg, (900, 5, 1, "2026-01-01"))
    query = "SELECT n FROM weir.as_of('t.p', {}, '2026-01-01') WHERE k = 5"
    checks.equal("both clocks", pg.query(query.format(f"'{before}'")), [["1"]])
    pg.simple("CREATE OR REPLACE MATERIALIZED VIEW t.p WITH (refresh = 'immediate') AS "
              "SELECT k, count(*) + 100 AS n FROM t.e GROUP BY k")
    until = time.monotonic() + 30
    while time.monotonic() < until and not isinstance(fails(pg, "ALTER MATERIALIZED VIEW t.p PROMOTE"), list):
        time.sleep(0.05)
    after = send(server, pg, (901, 5, 1, "2026-01-02"))
    for again in range(2):
        checks.equal("as shown before", pg.query(f"SELECT n FROM weir.as_of('t.p', '{before}') WHERE k = 5"), [["1"]])
        checks.equal("both clocks before", fails(pg, query.format(f"'{before}'")), "55000")
        checks.equal("and of what stands on it", fails(pg, f"SELECT * FROM weir.as_of('t.on_p', '{before}', 'infinity')"), "55000")
        checks.equal("both clocks after", pg.query(query.format(f"'{after}'")), [["101"]])
        checks.equal("by effective time now", pg.query(query.format("NULL")), [["101"]])
        if not again:  # a replay has the same query
            pg.simple("REPLAY INTO t.p (ALL)")
            last = send(server, pg, (902, 5, 1, "2026-01-02"))
            checks.equal("both clocks, before a replay", pg.query(query.format(f"'{after}'")), [["101"]])
            checks.equal("and after it", pg.query(query.format(f"'{last}'")), [["101"]])
        if not again:
            server.restart()
            pg = server.pg(timeout=60)
    pg.close()


def without_history(server, checks, then):
    with server.pg(timeout=60) as pg:
        checks.equal("a history that is there can be asked until the view changes",
                     pg.query(f"SELECT n FROM weir.as_of('t.total', '{then}') WHERE k = 1"), [["2"]])
        was = send(server, pg, (500, 1, 1, None))
        send(server, pg, (501, 1, 1, None))
        for i in range(400):  # what the log says of changes stays, and where the steps had read
            pg.simple(f"INSERT INTO t.e VALUES ({1000 + i}, 6, 1, NULL)")
        pg.simple("FLUSH")
        rows = pg.query("SELECT events FROM weir.why('t.total', '1') WHERE step IS NOT NULL")
        checks.equal("weir.why does not need a history", [len(json.loads(r[0])) for r in rows][-2:], [1, 1])
        checks.equal("a change ends it", fails(pg, f"SELECT * FROM weir.as_of('t.total', '{was}')"), "22023")
        checks.equal("before", fails(pg, f"SELECT * FROM weir.as_of('t.total', '{then}')"), "22023")
        last = moment(pg.value("SELECT now()"))
        checks.equal("since the last change it is there", pg.query(
            f"SELECT n FROM weir.as_of('t.total', '{last}') WHERE k = 1"), [["5"]])
        checks.equal("weir.views", pg.query("SELECT history::text FROM weir.views WHERE name = 'total'"), [["00:00:00"]])
        checks.equal("effective time does not need it", pg.query(
            f"SELECT n FROM weir.as_of('t.total', '{last}', '2026-01-01') WHERE k = 1"), [["4"]])
    pathlib.Path(server.sql_path).write_text(SQL)
    server.restart()
    with server.pg(timeout=60) as pg:
        begins = moment(pg.value("SELECT history_from FROM weir.views WHERE name = 'total'"))
        send(server, pg, (502, 1, 1, None))
        known = moment(pg.value("SELECT now()"))
        send(server, pg, (503, 1, 1, None))
        checks.equal("kept again", pg.query(f"SELECT n FROM weir.as_of('t.total', '{known}') WHERE k = 1"), [["6"]])
        checks.equal("from the last change without on", pg.query(
            f"SELECT n FROM weir.as_of('t.total', '{begins}') WHERE k = 1"), [["5"]])
        checks.equal("not before", fails(pg, f"SELECT * FROM weir.as_of('t.total', '{was}')"), "22023")


if __name__ == "__main__":
    main()
