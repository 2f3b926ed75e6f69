#!/usr/bin/env python3
"""PostgreSQL as the oracle: the same rows and the same queries in weir and in a real PostgreSQL.

    run_oracle.py FILE.sql...

A file has CREATE STREAM/TABLE, INSERT and SELECT statements. In PostgreSQL a STREAM is a TABLE,
options and WATERMARK are left out, a row whose key is there is left (STREAM) or replaced (TABLE), and
windows (TUMBLE, HOP, CUMULATE) are sub-selects with date_bin,
generate_series and date_trunc, an ASOF JOIN is a LATERAL sub-select with LIMIT 1. Each SELECT runs in weir ad hoc and, unless it has
a comment -- adhoc before it, as a materialized view that was made before the first INSERT and as one
made at the end. All must give PostgreSQL's rows; with ORDER BY in its order (ad hoc), else as a bag.
A line "\\ir FILE" stands for that file, named relative to the one it is in, as in psql.
PostgreSQL runs in a private cluster on a Unix socket, as an unprivileged user."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402
from postgres import Postgres  # noqa: E402


def split(path):
    """(statement, has "-- adhoc" before it)"""
    found, current, adhoc = [], [], False
    for line in path.read_text().splitlines():
        if line.startswith("\\ir "):
            found += split(path.parent / line.split()[1])
            continue
        if line.strip().startswith("--"):
            adhoc = adhoc or line.strip() == "-- adhoc"
            continue
        if not line.strip() and not current:
            continue
        current.append(line)
        if line.rstrip().endswith(";"):
            found.append(("\n".join(current).rstrip().rstrip(";"), adhoc))
            current, adhoc = [], False
    return found


class Translation:
    """Statements of weir as statements of PostgreSQL."""

    def __init__(self):
        self.keys, self.columns, self.is_table = {}, {}, {}

    def create(self, sql):
        kind, name = re.match(r"CREATE (STREAM|TABLE) (\w+)", sql).groups()
        key = re.search(r"PRIMARY KEY \(([^)]*)\)", sql)
        self.is_table[name] = kind == "TABLE"
        self.keys[name] = [k.strip() for k in key.group(1).split(",")] if key else []
        self.columns[name] = [m for m in re.findall(r"[(,]\s*(\w+) [A-Z]", sql.split("(", 1)[0] + "(" + sql.split("(", 1)[1])
                              if m not in ("PRIMARY", "WATERMARK", "CHECK")]
        sql = re.sub(r",\s*WATERMARK FOR \w+ AS [^,)]*(?=[,)])", "", sql)
        sql = re.sub(r"\)\s*WITH \(.*\)$", ")", sql, flags=re.S)
        return sql.replace("CREATE STREAM", "CREATE TABLE")

    def insert(self, sql):
        name = re.match(r"INSERT INTO (\w+)", sql).group(1)
        if not self.keys[name]:
            return [sql]
        keys = ", ".join(self.keys[name])
        if not self.is_table[name]:
            return [f"{sql} ON CONFLICT ({keys}) DO NOTHING"]
        sets = ", ".join(f"{c} = excluded.{c}" for c in self.columns[name] if c not in self.keys[name])
        return [f"{sql} ON CONFLICT ({keys}) DO UPDATE SET {sets}"]

    INTERVAL = r"(INTERVAL '[^']*')"
    EPOCH = "'1970-01-01'"

    @classmethod
    def select(cls, sql):
        """TUMBLE, HOP, CUMULATE and SESSION as sub-selects."""
        i, zone = cls.INTERVAL, r"('\w+/\w+')"
        # Calendar windows: the unit is that of the interval.
        def calendar(m):
            table, column, size, where = m.group(1), m.group(2), m.group(3), m.group(4)
            offset = m.group(5) or "INTERVAL '0'"
            unit = re.search(r"'1 (\w+)'", size).group(1)
            local = f"date_trunc('{unit}', ({column} AT TIME ZONE {where}) - {offset}) + {offset}"
            return (f"(SELECT *, ({local}) AT TIME ZONE {where} AS window_start, "
                    f"({local} + {size}) AT TIME ZONE {where} AS window_end FROM {table}) AS {table}")
        sql = re.sub(rf"TUMBLE\((\w+), (\w+), {i}, {zone}(?:, {i})?\)", calendar, sql)
        sql = re.sub(r"TUMBLE\((\w+), (\w+), (INTERVAL '1 (?:month|year)')\)",
                     lambda m: f"(SELECT *, date_trunc('{m.group(3)[12:-1]}', {m.group(2)}) AS window_start FROM {m.group(1)}) AS {m.group(1)}", sql)
        sql = re.sub(rf"TUMBLE\((\w+), (\w+), {i}\)(?! AS)",
                     r"(SELECT *, date_bin(\3, \2, '2000-01-01') AS window_start, "
                     r"date_bin(\3, \2, '2000-01-01') + \3 AS window_end FROM \1) AS \1", sql)
        # Each window that holds the row: those that start in the last `size`, by slides back from the row's own.
        sql = re.sub(rf"HOP\((\w+), (\w+), {i}, {i}\)",
                     rf"(SELECT \1.*, window_start, window_start + \4 AS window_end FROM \1 LEFT JOIN LATERAL generate_series("
                     rf"date_bin(\3, \2 - \4, {cls.EPOCH}), \2, \3) AS window_start "
                     rf"ON window_start + \4 > \2 WHERE \2 IS NULL OR window_start IS NOT NULL) AS \1", sql)
        sql = re.sub(rf"CUMULATE\((\w+), (\w+), {i}, {i}\)",
                     rf"(SELECT \1.*, date_bin(\4, \2, {cls.EPOCH}) AS window_start, window_end FROM \1, LATERAL generate_series("
                     rf"date_bin(\4, \2, {cls.EPOCH}) + \3, date_bin(\4, \2, {cls.EPOCH}) + \4, \3) AS window_end WHERE window_end > \2) AS \1", sql)
        # Sessions: a running sum of the rows that come a gap or more after the one before.
        starts = r"CASE WHEN \3 - lag(\3) OVER w < \4 THEN 0 ELSE 1 END"
        sql = re.sub(rf"SESSION\((\w+) PARTITION BY (\w+), (\w+), {i}\)",
                     rf"(SELECT id, k, v, at, loc, booked, CASE WHEN \3 IS NOT NULL THEN min(\3) OVER s END AS window_start, "
                     rf"CASE WHEN \3 IS NOT NULL THEN max(\3) OVER s + \4 END AS window_end FROM "
                     rf"(SELECT *, sum(n) OVER w AS number FROM (SELECT *, {starts} AS n FROM \1 WINDOW w AS (PARTITION BY \2 ORDER BY \3, id)) AS a "
                     rf"WINDOW w AS (PARTITION BY \2 ORDER BY \3, id)) AS b WINDOW s AS (PARTITION BY \2, number)) AS \1", sql)
        # The nearest row; of several at one time the greatest, column by column.
        def nearest(m):
            left, table, alias, keys, time, op, column = m.groups()
            way = "DESC" if op.startswith(">") else "ASC"
            return (f"{left or ''}JOIN LATERAL (SELECT * FROM {table} AS {alias} WHERE {keys} AND {time} {op} {column} "
                    f"ORDER BY {column} {way}, {alias} DESC LIMIT 1) AS {alias} ON true")
        sql = re.sub(r"ASOF (LEFT )?JOIN (\w+) AS (\w+) ON (.*?) AND (\w+\.\w+) (>=|<=|>|<) (\w+\.\w+)", nearest, sql)
        return sql


def rows_of(pg, sql):
    result = pg.simple(sql)[-1]
    return result.oids, [[None if v is None else v.decode() for v in row] for row in result.rows]


def order(row):
    return [(v is not None, v or "") for v in row]


def same(oids, a, b):
    return len(a) == len(b) and all(weirtest.same_value(o, x, y) for r, s in zip(a, b) for o, x, y in zip(oids, r, s))


def show(checks, what, sql, actual, expected):
    ours = [row for row in actual if row not in expected]
    theirs = [row for row in expected if row not in actual]
    checks.true(what, False, f"\n  {sql}\n  {len(actual)} rows, PostgreSQL {len(expected)}; those that differ:"
                             f"\n  weir       {ours[:10]}\n  PostgreSQL {theirs[:10]}")


def run_file(checks, postgres, number, path):
    statements = split(path)
    translation = Translation()
    with weirtest.Pg(postgres.dir, 5432, database="postgres") as admin:
        admin.simple(f"CREATE DATABASE t{number}")
    with weirtest.Server() as server, server.pg() as weir, weirtest.Pg(postgres.dir, 5432, database=f"t{number}") as pg:
        selects = []
        for sql, adhoc in statements:
            if sql.startswith("CREATE"):
                weir.simple(sql)
                pg.simple(translation.create(sql))
            elif sql.startswith(("SELECT", "WITH")):
                selects.append((sql, adhoc))
        for i, (sql, adhoc) in enumerate(selects):
            if not adhoc:
                weir.simple(f"CREATE MATERIALIZED VIEW before_{i} WITH (refresh = 'immediate') AS {sql}")
        for sql, _ in statements:
            if sql.startswith("INSERT"):
                weir.simple(sql)
                for statement in translation.insert(sql):
                    pg.simple(statement)
        for i, (sql, adhoc) in enumerate(selects):
            if not adhoc:
                weir.simple(f"CREATE MATERIALIZED VIEW after_{i} WITH (refresh = '1 second') AS {sql}")
        weir.simple("FLUSH")
        for i, (sql, adhoc) in enumerate(selects):
            oids, expected = rows_of(pg, translation.select(sql))
            ordered = "ORDER BY" in sql.rsplit(")", 1)[-1]
            try:
                found, actual = rows_of(weir, sql)
            except weirtest.PgError as error:
                checks.true(f"{path.name} query {i + 1}", False, f"{error}\n  {sql}")
                continue
            if found != oids:
                checks.true(f"{path.name} query {i + 1}: types", False, f"{found}, PostgreSQL {oids}\n  {sql}")
                continue
            if not ordered:
                actual.sort(key=order)
                expected.sort(key=order)
            if same(oids, actual, expected):
                checks.true("", True)
            else:
                show(checks, f"{path.name} query {i + 1} ad hoc", sql, actual, expected)
            if adhoc:
                continue
            expected.sort(key=order)
            for view in (f"before_{i}", f"after_{i}"):
                _, actual = rows_of(weir, f"SELECT * FROM {view}")
                actual.sort(key=order)
                if same(oids, actual, expected):
                    checks.true("", True)
                else:
                    show(checks, f"{path.name} query {i + 1} as view {view}", sql, actual, expected)
    return len(selects)


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    with Postgres() as postgres:
        for number, path in enumerate(map(pathlib.Path, sys.argv[1:])):
            n = run_file(checks, postgres, number, path)
            print(f"{path.name}: {n} queries", flush=True)
    checks.end()


if __name__ == "__main__":
    main()
