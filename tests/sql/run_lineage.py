#!/usr/bin/env python3
"""The rules of lineage against brute force: random small plans over small logs. For each row of a
view, with the events that weir.lineage names:

  - the query over those events alone gives the row again, as often as it is there;
  - without any one event that is not named the row stays as it is. Not asked of views in which rows
    keep others away from what is summed up or chosen (docs/sql.md: such a side is not followed); and
    neither of these where an event comes twice to such a view, by two scans or in several windows: it
    may make the row in one place and keep it away in another, once those that kept itself away are gone;
    nor where something is made of several rows of such a view: one that a LIMIT cut off may equal one that
    it kept, both are named then, and alone both would count.

Of stories: values follow each other, and the events that came and did not leave are those of the row.
Of logs with many duplicates, in which a story reads only what can matter, the events are those
that this program names.

    tests/sql/run_lineage.py [--seed N] [--plans N] [--long]"""
import argparse
import json
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import weirtest  # noqa: E402
from run_why import key_of, literal  # noqa: E402

SCHEMA = """
CREATE SCHEMA s;
CREATE STREAM s.a (id BIGINT NOT NULL, k TEXT, v INT, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), WATERMARK FOR at AS at) WITH (partitions = 2);
CREATE STREAM s.b (id BIGINT NOT NULL, k TEXT, v INT, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), WATERMARK FOR at AS at);
CREATE STREAM s.c (id BIGINT NOT NULL, k TEXT, v INT, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id)) WITH (retractions = 'on');
CREATE TABLE s.t (id BIGINT NOT NULL, k TEXT, v INT, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id));
"""
OBJECTS = "abct"
ROWS = 4  # of a view, looked at


class Plan:
    """A relation of columns k and v. {a} ... stand for the streams; calm: no row keeps another away;
    summed: v is made of several rows, so that a condition on it keeps rows away that a row less may let in;
    views: those it reads, in order."""

    def __init__(self, sql, calm=True, views=(), summed=False):
        self.sql, self.calm, self.views, self.summed = sql, calm, tuple(views), summed


class Maker:
    def __init__(self, rng):
        self.rng, self.views, self.aliases = rng, 0, 0

    def alias(self):
        self.aliases += 1
        return f"x{self.aliases}"

    def leaf(self):
        x = self.alias()
        where = self.rng.choice(["", "", f" WHERE {x}.v > 0", f" WHERE {x}.k IS NOT NULL", f" WHERE {x}.v % 2 = 0 OR {x}.k = 'p'"])
        return Plan(f"SELECT {x}.k, {x}.v FROM {{{self.rng.choice(OBJECTS)}}} {x}{where}")

    def timed(self):
        x, unit = self.alias(), self.rng.choice(["minute", "hour"])
        what = self.rng.choice(["count(*)", f"sum({x}.v)", f"max({x}.v)"])
        if self.rng.random() < 0.6:
            name = self.rng.choice(OBJECTS)
            window, by = self.rng.choice([(f"TUMBLE({{{name}}}, at, INTERVAL '1 minute')", "window_end"),
                                          (f"TUMBLE({{{name}}}, at, INTERVAL '1 hour', INTERVAL '61 seconds')", "window_start"),
                                          (f"HOP({{{name}}}, at, INTERVAL '30 seconds', INTERVAL '2 minutes')", "window_start"),
                                          (f"CUMULATE({{{name}}}, at, INTERVAL '1 minute', INTERVAL '3 minutes')", "window_start, window_end"),
                                          (f"SESSION({{{name}}} PARTITION BY k, at, INTERVAL '40 seconds')", "window_start, window_end, k"),
                                          (f"SESSION({{{name}}}, at, INTERVAL '20 seconds')", "window_start, window_end")])
            shown = " || ' ' || ".join(f"coalesce({x}.{column}::text, 'none')" for column in by.split(", "))
            grouped = ", ".join(f"{x}.{column}" for column in by.split(", "))
            return Plan(f"SELECT {shown} AS k, ({what})::int AS v FROM {window} {x} GROUP BY {grouped}", summed=True)
        return Plan(f"SELECT date_trunc('{unit}', {x}.at)::text AS k, ({what})::int AS v FROM {{{self.rng.choice(OBJECTS)}}} {x} "
                    f"GROUP BY date_trunc('{unit}', {x}.at)", summed=True)

    def asof(self):
        x, y = self.alias(), self.alias()
        left, right = self.rng.sample(OBJECTS, 2)
        kind, op = self.rng.choice(["ASOF JOIN", "ASOF LEFT JOIN"]), self.rng.choice([">=", ">", "<", "<="])
        # The row before the one that is chosen would be chosen without it, and rows that are not keep none away.
        return Plan(f"SELECT {x}.k, {y}.v FROM {{{left}}} {x} {kind} {{{right}}} {y} ON {x}.k = {y}.k AND {x}.at {op} {y}.at", False)

    def of(self, plan):
        """The plan as something to select from."""
        x = self.alias()
        return f"({plan.sql}) {x}", x

    def make(self, depth):
        if depth == 0:
            return self.rng.choices((self.leaf, self.timed, self.asof), (75, 17, 8))[0]()
        kind = self.rng.choice([self.grouped, self.grouped, self.joined, self.joined, self.either, self.either, self.united, self.united,
                                self.distinct, self.firsts, self.head, self.over, self.value, self.expression, self.latest])
        plan = kind(depth)
        if self.rng.random() < 0.15:
            self.views += 1
            return Plan(f"SELECT k, v FROM {{v{self.views}}} {self.alias()}", plan.calm, plan.views + ((self.views, plan.sql),),
                        plan.summed)
        return plan

    def two(self, depth):
        left, right = self.make(depth - 1), self.make(self.rng.randrange(depth))
        return left, right, left.views + right.views

    def grouped(self, depth):
        p = self.make(depth - 1)
        source, x = self.of(p)
        what = self.rng.choice(["count(*)", f"sum({x}.v)", f"min({x}.v)", f"count(DISTINCT {x}.v)", f"count({x}.v) FILTER (WHERE {x}.v > 1)"])
        having = self.rng.choice(["", "", " HAVING count(*) > 1", f" HAVING sum({x}.v) > 2"])
        # Groups that HAVING keeps away keep nothing away themselves, but a row less may let them in.
        return Plan(f"SELECT {x}.k, ({what})::int AS v FROM {source} GROUP BY {x}.k{having}", p.calm and not having, p.views, True)

    def joined(self, depth):
        left, right, views = self.two(depth)
        (a, x), (b, y) = self.of(left), self.of(right)
        join = self.rng.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        on = f"{x}.k = {y}.k" + (f" AND {x}.v < {y}.v" if join == "JOIN" and self.rng.random() < 0.3 else "")
        return Plan(f"SELECT coalesce({x}.k, {y}.k) AS k, coalesce({x}.v, 0) + coalesce({y}.v, 0) AS v FROM {a} {join} {b} ON {on}",
                    left.calm and right.calm and join == "JOIN" and not ("<" in on and (left.summed or right.summed)), views,
                    left.summed or right.summed)

    def either(self, depth):
        left, right, views = self.two(depth)
        (a, x), (b, y) = self.of(left), self.of(right)
        test = self.rng.choice([f"EXISTS (SELECT 1 FROM {b} WHERE {y}.k = {x}.k)", f"{x}.v IN (SELECT {y}.v FROM {b})",
                                f"NOT EXISTS (SELECT 1 FROM {b} WHERE {y}.k = {x}.k)",
                                f"{x}.v > 3 OR EXISTS (SELECT 1 FROM {b} WHERE {y}.k = {x}.k)"])
        return Plan(f"SELECT {x}.k, {x}.v FROM {a} WHERE {test}", left.calm and right.calm and "NOT" not in test and
                    not (".v" in test and (left.summed or right.summed)), views, left.summed)

    def united(self, depth):
        left, right, views = self.two(depth)
        op = self.rng.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL"])
        return Plan(f"({left.sql}) {op} ({right.sql})", left.calm and right.calm and "EXCEPT" not in op and
                    not ("INTERSECT" in op and (left.summed or right.summed)), views, left.summed or right.summed)

    def distinct(self, depth):
        p = self.make(depth - 1)
        source, x = self.of(p)
        return Plan(f"SELECT DISTINCT {x}.k, {x}.v FROM {source}", p.calm, p.views, p.summed)

    def firsts(self, depth):
        p = self.make(depth - 1)
        source, x = self.of(p)
        return Plan(f"SELECT DISTINCT ON ({x}.k) {x}.k, {x}.v FROM {source} ORDER BY {x}.k, {x}.v DESC NULLS LAST", False, p.views, p.summed)

    def head(self, depth):
        p = self.make(depth - 1)
        source, x = self.of(p)
        return Plan(f"SELECT {x}.k, {x}.v FROM {source} ORDER BY {x}.v, {x}.k LIMIT {self.rng.randint(1, 3)}", False, p.views, p.summed)

    def latest(self, depth):
        p = self.make(depth - 1)
        source, x = self.of(p)
        r = self.alias()
        return Plan(f"SELECT {r}.k, {r}.v FROM (SELECT {x}.k, {x}.v, row_number() OVER (PARTITION BY {x}.k ORDER BY {x}.v DESC) AS n "
                    f"FROM {source}) {r} WHERE {r}.n <= 2", False, p.views, p.summed)

    def over(self, depth):
        p = self.make(depth - 1)
        source, x = self.of(p)
        frame = self.rng.choice(["", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", " RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                                 " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                                 " ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING", " GROUPS BETWEEN CURRENT ROW AND CURRENT ROW"])
        order = self.rng.choice(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
        what, frames = self.rng.choice([(f"sum({x}.v)", True), ("count(*)", True), (f"first_value({x}.v)", True), (f"last_value({x}.v)", True),
                                        ("rank()", False), ("dense_rank()", False), (f"lag({x}.v)", False), (f"lead({x}.v, 2)", False),
                                        ("ntile(2)", False)])
        return Plan(f"SELECT {x}.k, ({what} OVER (PARTITION BY {x}.k ORDER BY {x}.v{order}{frame if frames else ''}))::int AS v FROM {source}",
                    p.calm, p.views, True)

    def value(self, depth):
        left, right, views = self.two(depth)
        (a, x), (b, y) = self.of(left), self.of(right)
        what = self.rng.choice([f"(SELECT max({y}.v) FROM {b})", f"(SELECT sum({y}.v)::int FROM {b} WHERE {y}.k = {x}.k)",
                                f"(SELECT count(*)::int FROM {b} WHERE {y}.v > {x}.v)"])
        return Plan(f"SELECT {x}.k, {what} AS v FROM {a}", left.calm and right.calm and not (">" in what and (left.summed or right.summed)), views, True)

    def expression(self, depth):
        p = self.make(depth - 1)
        source, x = self.of(p)
        how = self.rng.choice([f"upper({x}.k) AS k, -{x}.v AS v FROM {source} WHERE {x}.v IS NOT NULL",
                               f"{x}.k, CASE WHEN {x}.v > 1 THEN 1 ELSE 0 END AS v FROM {source}",
                               f"coalesce({x}.k, 'none') AS k, {x}.v FROM {source} WHERE coalesce({x}.v, 0) <> 2"])
        return Plan(f"SELECT {how}", p.calm and not (p.summed and "WHERE" in how), p.views, p.summed)


class World:
    """The logs, the same for all plans of a seed."""

    def __init__(self, server, pg, rng):
        self.pg = pg
        for name in OBJECTS:
            records, n = [], rng.randint(6, 12)
            for i in range(n):
                records.append({"id": i, "k": rng.choice(["p", "q", "r", None]), "v": rng.choice([None, -1, 0, 1, 2, 3, 4]),
                                "at": f"2024-05-01T1{rng.randint(0, 2)}:0{rng.randint(0, 2)}:{rng.randint(10, 59)}Z"})
            again = [dict(record) for record in rng.sample(records, 2)]
            if name in "ab":  # sent twice, the second time with other values: does not count
                for record in again:
                    record["v"], record["k"] = 4, "q"
            elif name == "t":  # changed
                for record in again:
                    record["v"] = rng.randint(-1, 4)
            else:  # taken back
                again = [{"_op": "delete", "id": record["id"]} for record in again]
            if name == "t":
                again.append({"_op": "delete", "id": rng.randrange(n)})
            for part in (records, again):
                facts = server.ingest(f"s.{name}", part)
                assert facts["accepted"] == len(part), facts
        pg.simple("FLUSH")
        self.ids = {name: [int(r[0]) for r in pg.query(f"SELECT id FROM s.{name} ORDER BY id")] for name in OBJECTS}

    def text(self, sql, views, of=None):
        """For a view: of None. For a query: over the ids that `of` has of each object."""
        for number, inner in reversed(views):
            sql = sql.replace(f"{{v{number}}}", f"s.v{number}" if of is None else f"({inner})")
        for name in OBJECTS:
            if of is None:
                sql = sql.replace(f"{{{name}}}", f"s.{name}")
                continue
            ids = ", ".join(map(str, of[name])) or "NULL"
            sql = sql.replace(f"{{{name}}}", f"(SELECT * FROM s.{name} WHERE id IN ({ids}))")
        return sql

    def rows(self, sql):
        found = {}
        for row in self.pg.query(sql):
            found[tuple(row)] = found.get(tuple(row), 0) + 1
        return found


def check_row(checks, world, what, plan, view, key, row, times, rows_without):
    named = {name: set() for name in OBJECTS}
    call = literal(json.dumps(key))
    for name, event, original in world.pg.query(f"SELECT object, event::text, original_offset FROM weir.lineage WHERE view = {literal(view)} "
                                                f"AND call = {call}"):
        if original is None:
            named[name[2:]].add(json.loads(event)["id"])
    whole = world.text(plan.sql, plan.views, {name: [name] for name in OBJECTS})  # objects by their names
    good = True
    once = all(whole.count(f"IN ({name})") < 2 for name in OBJECTS) and "HOP" not in whole and "CUMULATE" not in whole
    if plan.calm or once and not plan.summed:
        over_named = world.text(plan.sql, plan.views, {name: sorted(ids) for name, ids in named.items()})
        there = world.rows(over_named).get(row, 0)
        # What was not chosen among all may be chosen among these, and a sum may come to be the same.
        good = checks.true(f"{what}: {row} over {named} alone is there {times} times", there == times or not (plan.calm and not plan.summed) and there > times,
                           there)
    for name in OBJECTS if plan.calm else "":
        if f"{{{name}}}" not in plan.sql + "".join(inner for _, inner in plan.views):
            continue
        for without in world.ids[name]:
            if without in named[name]:
                continue
            if (name, without) not in rows_without:
                of = {other: [i for i in ids if (other, i) != (name, without)] for other, ids in world.ids.items()}
                rows_without[name, without] = world.rows(world.text(plan.sql, plan.views, of))
            there = rows_without[name, without].get(row, 0)
            # Another row's sum may come to be the same.
            good &= checks.true(f"{what}: {row} without {name} {without}, which is not among {named}, is there {times} times",
                                there == times or plan.summed and there > times, there)
    return good


def check_plan(checks, world, what, plan, rng):
    pg = world.pg
    created = []
    try:
        for number, inner in plan.views:
            views = [v for v in plan.views if v[0] < number]
            pg.simple(f"CREATE MATERIALIZED VIEW s.v{number} WITH (refresh = '{rng.choice(['immediate', '1 second'])}') AS {world.text(inner, views)}")
            created.append(f"s.v{number}")
        pg.simple(f"CREATE MATERIALIZED VIEW s.plan WITH (refresh = 'immediate') AS {world.text(plan.sql, plan.views)}")
        created.append("s.plan")
    except weirtest.PgError as error:
        for name in reversed(created):
            pg.simple(f"DROP MATERIALIZED VIEW {name}")
        if error.sqlstate not in ("0A000",):
            checks.true(f"{what} is a view", False, f"{error}: {plan.sql}")
        return 0
    pg.simple("FLUSH")
    columns = key_of(pg, "s", "plan")
    rows = sorted(world.rows("SELECT k, v FROM s.plan").items(), key=str)
    good, rows_without = True, {}
    for row, times in rng.sample(rows, min(len(rows), ROWS)):
        values = dict(zip(("k", "v"), row))
        key = {name: values[name] for name in columns}
        good &= check_row(checks, world, what, plan, "s.plan", key, row, times, rows_without)
    if not good:
        print(f"{what}: {plan.views} {plan.sql}")
    for name in reversed(created):
        pg.simple(f"DROP MATERIALIZED VIEW {name}")
    return len(rows)


# ---- stories

def check_story(checks, pg, what, view, key, row):
    """Values follow each other to what is shown; what came and did not leave is what makes the row now."""
    call, there, before = literal(json.dumps(key)), set(), None
    for standing, old, new, events, note in pg.query(f"SELECT standing, old::text, new::text, events::text, note FROM weir.why WHERE "
                                                     f"view = {literal(view)} AND call = {call}"):
        for event in json.loads(events):
            place = (event["object"], event["partition"], event["offset"])
            (there.discard if event.get("left") else there.add)(place)
        if standing == "unchanged":
            continue
        checks.equal(f"{what}: the value before", old, before)
        before = new
        checks.true(f"{what}: all is kept", note is None or "not kept" not in note, note)
    now = None if before is None else json.loads(before)
    checks.equal(f"{what}: ends with what is shown", now and tuple(None if now[c] is None else str(now[c]) for c in ("k", "v")), row)
    named = {(r[0], int(r[1]), int(r[2])) for r in pg.query(f"SELECT object, partition, log_offset FROM weir.lineage WHERE view = "
                                                            f"{literal(view)} AND call = {call} AND original_offset IS NULL")}
    checks.equal(f"{what}: what came and did not leave", there, named)


def check_stories(checks, seed, plans):
    rng = random.Random(seed)
    with weirtest.Server(SCHEMA) as server, server.pg(timeout=120) as pg:
        made = []
        while len(made) < plans:
            plan = Maker(rng).make(rng.randint(1, 2))
            if plan.views:
                continue
            sql = plan.sql
            for name in OBJECTS:
                sql = sql.replace(f"{{{name}}}", f"s.{name}")
            try:
                pg.simple(f"CREATE MATERIALIZED VIEW s.p{len(made)} WITH (refresh = 'immediate') AS {sql}")
                made.append(sql)
            except weirtest.PgError as error:
                checks.equal(f"story {seed}: {sql}", error.sqlstate, "0A000")
        World(server, pg, rng)
        for number, sql in enumerate(made):
            columns = key_of(pg, "s", f"p{number}")
            rows = sorted({tuple(row) for row in pg.query(f"SELECT k, v FROM s.p{number}")}, key=str)
            for row in rng.sample(rows, min(len(rows), 3)):
                values, failed = dict(zip(("k", "v"), row)), checks.failed
                check_story(checks, pg, f"story {seed} p{number} {row}", f"s.p{number}", {name: values[name] for name in columns}, row)
                if checks.failed > failed:
                    print(sql)


# ---- logs of which only what can matter is read

MANY = """
CREATE SCHEMA m;
CREATE STREAM m.e (id BIGINT NOT NULL, k TEXT, v INT, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), WATERMARK FOR at AS at)
  WITH (partitions = 3, compression = 'zstd');
CREATE MATERIALIZED VIEW m.sums WITH (refresh = 'immediate') AS SELECT window_start, k, sum(v) AS v FROM TUMBLE(m.e, at, INTERVAL '1 hour')
  GROUP BY window_start, k;
CREATE MATERIALIZED VIEW m.rows WITH (refresh = 'immediate') AS SELECT id, v FROM m.e WHERE v > 2;
"""


def check_many(checks, what, chunk, ids, rng):
    """Events that name a key again say other things, and so may lie outside of what the row's conditions
    let in. chunk: so many that the flow lists all of the duplicates of a step, or not."""
    with weirtest.Server(MANY) as server, server.pg(timeout=120) as pg:
        first, sent = {}, {}
        for _ in range(4):
            records = [{"id": rng.randrange(ids), "k": rng.choice("pqr") + 100 * "x", "v": rng.randint(0, 9),
                        "at": f"2024-01-0{rng.randint(1, 3)}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00Z"} for _ in range(chunk)]
            server.ingest("m.e", records)
            for record in records:
                first.setdefault(record["id"], record)
                sent[record["id"]] = sent.get(record["id"], 0) + 1
            pg.simple("FLUSH")
        duplicates, listed = sum(sent.values()) - len(sent), int(pg.value("SELECT count(*) FROM weir.duplicates"))
        checks.equal(f"{what}: the flow lists all duplicates", listed == duplicates, chunk < 1000)
        for start, k in rng.sample(pg.query("SELECT window_start, k FROM m.sums"), 15):
            rows = pg.query(f"SELECT event ->> 'id', original_offset FROM weir.lineage('m.sums', '{start}', '{k}')")
            wanted = sorted(i for i, record in first.items() if record["k"] == k and record["at"][:13].replace("T", " ") == start[:13])
            checks.equal(f"{what}: events of {start} {k[0]}", sorted(int(i) for i, original in rows if original is None), wanted)
            checks.equal(f"{what}: duplicates of {start} {k[0]}", len(rows), sum(sent[i] for i in wanted))
        for i, v in rng.sample(pg.query("SELECT id, v FROM m.rows"), 15):
            rows = pg.query(f"SELECT event ->> 'v', original_offset FROM weir.lineage('m.rows', {i})")
            checks.equal(f"{what}: row {i}", ([row[0] for row in rows if row[1] is None], len(rows)), ([v], sent[int(i)]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--plans", type=int)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    weirtest.need_weir()
    checks = weirtest.Checks()
    begin = time.monotonic()
    plans = options.plans or (2000 if options.long else 40)
    with weirtest.Server(SCHEMA) as server, server.pg(timeout=120) as pg:
        world = World(server, pg, random.Random(options.seed))
        rows = 0
        for number in range(plans):
            rng = random.Random(options.seed * 1_000_003 + number)
            plan = Maker(rng).make(rng.randint(1, 3))
            rows += check_plan(checks, world, f"seed {options.seed} plan {number}", plan, rng)
    for number in range(20 if options.long else 1):
        check_stories(checks, options.seed + number, 12)
    check_many(checks, "few duplicates", 400, 1200, random.Random(options.seed))
    check_many(checks, "many duplicates", 3000, 2000, random.Random(options.seed))
    print(f"{plans} plans, {rows} rows in {time.monotonic() - begin:.1f} s")
    checks.end()


if __name__ == "__main__":
    main()
