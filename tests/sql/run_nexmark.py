#!/usr/bin/env python3
"""Nexmark's queries q0 to q22 against PostgreSQL over the same events, in order, out of order within 4
seconds of event time, and with late events besides.

Each query is a view made before the events (which come in parts, with a kill -9 in between), and a
view made after them; both must have PostgreSQL's rows. PostgreSQL runs the same text, with windows
written out as sub-selects. Of bids that tie for a place among the ten highest (q19) either engine may
take which it likes: places, prices and that each row is a bid are compared there.

    run_nexmark.py [--events N] [--seed N] [--queries q0,q4] [--long]"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run_oracle  # noqa: E402
import weirtest  # noqa: E402

ARRIVALS = {"in order": [], "out of order": ["--disorder-ms", "4000"],
            "late": ["--disorder-ms", "4000", "--late", "20", "--late-ms", "30000"]}
PARTS = 8
BID = ("auction", "bidder", "price", "channel", "url", "date_time", "extra")
TYPES = {"BIGINT": "bigint", "TEXT": "text", "TIMESTAMP": "timestamp"}

# Windows begin at multiples of their size since 1970.
TUMBLE = ("(SELECT *, date_bin({2}, {1}, '1970-01-01Z') AS window_start, "
          "date_bin({2}, {1}, '1970-01-01Z') + {2} AS window_end FROM {0}) AS t")
HOP = ("(SELECT r.*, w AS window_start, w + {3} AS window_end FROM {0} r, LATERAL generate_series("
       "date_bin({2}, {1}, '1970-01-01Z') - {3} + {2}, date_bin({2}, {1}, '1970-01-01Z'), {2}) w) AS t")
SESSIONS = """SELECT bidder, count(*) AS bid_count, min(date_time) AS starttime,
max(date_time) + INTERVAL '10 seconds' AS endtime FROM (
  SELECT bidder, date_time, sum(new) OVER (PARTITION BY bidder ORDER BY date_time) AS session FROM (
    SELECT bidder, date_time, (lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time) + INTERVAL '10 seconds'
      <= date_time IS NOT FALSE)::int AS new FROM nexmark.bid) a) b
GROUP BY bidder, session"""


def translate(name, sql):
    if name == "q11":
        return SESSIONS
    sql = re.sub(r"TUMBLE\(([\w.]+), (\w+), (INTERVAL '[^']*')\)", lambda m: TUMBLE.format(*m.groups()), sql)
    sql = re.sub(r"HOP\(([\w.]+), (\w+), (INTERVAL '[^']*'), (INTERVAL '[^']*')\)",
                 lambda m: HOP.format(*m.groups()), sql)
    # The side input is there before the bids, and stays as it is.
    sql = sql.replace(" FOR SYSTEM_TIME AS OF PROCTIME()", "")
    # * is the events' own columns; here there is one more.
    sql = sql.replace("SELECT *, ROW_NUMBER()", f"SELECT {', '.join(BID)}, ROW_NUMBER()")
    return sql


def read_statements(path):
    ddl, queries = [], {}
    for statement in path.read_text().split(";\n"):
        statement = re.sub(r"^(--.*\n)+", "", statement.strip())
        found = re.match(r"CREATE MATERIALIZED VIEW nexmark\.(q\d+) AS (.*)", statement, re.S)
        if found:
            queries[found.group(1)] = found.group(2)
        elif statement:
            ddl.append(statement)
    return ddl, queries


def postgres_table(statement):
    """The columns of a CREATE STREAM or TABLE, and the statement for PostgreSQL."""
    name = re.match(r"CREATE (?:STREAM|TABLE) ([\w.]+)", statement).group(1)
    columns = re.findall(r"(\w+) (BIGINT|TEXT|TIMESTAMP)\b", statement)
    fields = ", ".join(f"{c} {TYPES[t]}" for c, t in columns)
    return name, columns, f"CREATE TABLE {name} ({fields}, n bigint)"


def load(pg, postgres, name, columns, path):
    """The file's lines as rows, read by PostgreSQL's own JSON; n is the line, from 0."""
    copy = pathlib.Path(postgres.dir) / "lines"
    shutil.copy(path, copy)
    copy.chmod(0o644)
    pg.simple("CREATE TEMP TABLE line (line text, n bigserial)")
    # Characters that no line of JSON has, so that COPY takes lines as they are.
    pg.simple(f"COPY line (line) FROM '{copy}' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')")
    fields = ", ".join(f"(line::json->>'{c}')::{TYPES[t]}" for c, t in columns)
    names = ", ".join(c for c, _ in columns)
    pg.simple(f"INSERT INTO {name} ({names}, n) SELECT {fields}, n - 1 FROM line")
    pg.simple("DROP TABLE line")


class Arrival:
    """One order of events in weir and in PostgreSQL."""

    def __init__(self, checks, postgres, number, title, options, args):
        self.checks, self.title, self.args = checks, title, args
        self.postgres, self.database = postgres, f"nexmark{number}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-nexmark-"))
        subprocess.run([weirtest.WEIR, "bench", "nexmark", "--write", self.dir, "--events", str(args.events), "--seed",
                        str(args.seed), "--per-second", "200", *options], check=True, stdout=subprocess.DEVNULL)
        self.ddl, queries = read_statements(self.dir / "nexmark.sql")
        wanted = args.queries.split(",") if args.queries else queries
        self.queries = {name: sql for name, sql in queries.items() if name in wanted}
        self.made = {}

    def make_views(self, pg, schema):
        for name, sql in self.queries.items():
            try:
                pg.simple(f"CREATE MATERIALIZED VIEW {schema}.{name} WITH (refresh = '1 second') AS {sql}")
                self.made.setdefault(name, []).append(schema)
            except weirtest.PgError as error:
                self.checks.true(f"{self.title}: {name}", False, str(error))

    def feed(self, server):
        lines = {s: (self.dir / f"{s}.ndjson").read_text().splitlines() for s in ("person", "auction", "bid")}
        server.ingest("nexmark.side_input", (self.dir / "side_input.ndjson").read_text())
        for part in range(PARTS):
            for stream, all_lines in lines.items():
                begin, end = (len(all_lines) * p // PARTS for p in (part, part + 1))
                server.ingest(f"nexmark.{stream}", "\n".join(all_lines[begin:end]))
            if part == PARTS // 2:
                server.restart()
            else:
                with server.pg() as pg:
                    pg.simple("FLUSH")

    def fill_postgres(self, weir, pg):
        pg.simple("CREATE SCHEMA nexmark")
        for statement in self.ddl:
            if not statement.startswith(("CREATE STREAM", "CREATE TABLE")):
                continue
            name, columns, sql = postgres_table(statement)
            pg.simple(sql)
            load(pg, self.postgres, name, columns, self.dir / f"{name.split('.')[1]}.ndjson")
        # When an event was taken in is weir's to say: a time a portion of offsets, which are places in the file.
        pg.simple("CREATE TABLE portion (first bigint, last bigint, at timestamptz)")
        for row in weir.query("SELECT _ingested_at, count(*), min(_offset), max(_offset) FROM nexmark.bid GROUP BY 1"):
            self.checks.equal(f"{self.title}: a portion is without gaps", int(row[1]), int(row[3]) - int(row[2]) + 1)
            pg.simple(f"INSERT INTO portion VALUES ({row[2]}, {row[3]}, '{row[0]}')")
        pg.simple("ALTER TABLE nexmark.bid RENAME TO numbered")
        pg.simple("CREATE VIEW nexmark.bid AS SELECT " + ", ".join(BID) + ", at AS _ingested_at FROM nexmark.numbered "
                  "JOIN portion ON n BETWEEN first AND last")

    def compare(self, weir, pg):
        for name, sql in self.queries.items():
            oids, expected = run_oracle.rows_of(pg, translate(name, sql))
            expected.sort(key=run_oracle.order)
            self.checks.true(f"{self.title}: {name} has rows", len(expected) > 0)
            for schema in self.made.get(name, []):
                found, actual = run_oracle.rows_of(weir, f"SELECT * FROM {schema}.{name}")
                actual.sort(key=run_oracle.order)
                self.checks.equal(f"{self.title}: {name}: types", found, oids)
                if name == "q19":
                    self.compare_places(pg, f"{self.title}: {schema}.{name}", actual, expected)
                elif run_oracle.same(oids, actual, expected):
                    self.checks.true("", True)
                else:
                    run_oracle.show(self.checks, f"{self.title}: {schema}.{name}", sql, actual, expected)

    def compare_places(self, pg, what, actual, expected):
        def places(rows):
            return sorted((row[0], row[2], row[7]) for row in rows)

        self.checks.equal(f"{what}: places", places(actual), places(expected))
        bids = {tuple(row) for row in run_oracle.rows_of(pg, "SELECT " + ", ".join(BID) + " FROM nexmark.bid")[1]}
        rows = [tuple(row[:7]) for row in actual]
        self.checks.true(f"{what}: each is a bid, once", len(set(rows)) == len(rows) and set(rows) <= bids)

    def run(self):
        try:
            with weirtest.Pg(self.postgres.dir, 5432, database="postgres") as admin:
                admin.simple(f"CREATE DATABASE {self.database}")
            with weirtest.Server() as server, weirtest.Pg(self.postgres.dir, 5432, database=self.database) as pg:
                with server.pg() as weir:
                    for statement in self.ddl:
                        weir.simple(statement)
                    weir.simple("CREATE SCHEMA after")
                    self.make_views(weir, "nexmark")
                self.feed(server)
                with server.pg() as weir:
                    self.make_views(weir, "after")
                    weir.simple("FLUSH")
                    self.fill_postgres(weir, pg)
                    self.compare(weir, pg)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries")
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    if args.long:
        args.events = max(args.events, 100000)
    weirtest.need_weir()
    checks = weirtest.Checks()
    with run_oracle.Postgres() as postgres:
        for number, (title, options) in enumerate(ARRIVALS.items()):
            Arrival(checks, postgres, number, title, options, args).run()
    checks.end()


if __name__ == "__main__":
    main()
