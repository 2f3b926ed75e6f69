#!/usr/bin/env python3
"""MATCH_RECOGNIZE against a matcher of its own: random patterns, definitions and ways to skip over a
table that is updated and deleted from. Each pattern is a view made before the rows; after every step
the view, and the same query ad hoc, must have what the matcher below finds in the rows that are there.

    run_match_oracle.py [--seed N] [--rounds N] [--long]

The matcher tries ways in the order of the standard (ISO/IEC TR 19075-5, 4.14) with generators, knows
nothing of programs, memory or increments, and works from the first row each time."""
import argparse
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

VARIABLES = "abcd"
UNLIMITED = None


# ---- patterns: ("var", v) ("seq", [..]) ("alt", [..]) ("rep", p, least, most, greedy) ("hide", p) ("begin",) ("end",)

def render(p):
    kind = p[0]
    if kind == "var":
        return p[1]
    if kind == "begin":
        return "^"
    if kind == "end":
        return "$"
    if kind == "seq":
        return " ".join(render(q) for q in p[1]) or "()"
    if kind == "alt":
        return "(" + " | ".join(render(q) for q in p[1]) + ")"
    if kind == "hide":
        return "{- " + render(p[1]) + " -}"
    if kind == "permute":
        return "PERMUTE(" + ", ".join(render(q) for q in p[1]) + ")"
    _, q, least, most, greedy = p
    text = render(q) if q[0] == "var" else f"({render(q)})"
    text += {(0, UNLIMITED): "*", (1, UNLIMITED): "+", (0, 1): "?"}.get(
        (least, most), f"{{{least}}}" if least == most else f"{{{least},{'' if most is UNLIMITED else most}}}")
    return text + ("" if greedy else "?")


def random_pattern(rng, depth):
    choice = rng.random()
    if depth == 0 or choice < 0.35:
        return ("var", rng.choice(VARIABLES))
    if choice < 0.65:
        return ("seq", [random_pattern(rng, depth - 1) for _ in range(rng.randint(2, 3))])
    if choice < 0.75:
        return ("alt", [random_pattern(rng, depth - 1) for _ in range(rng.randint(2, 3))])
    if choice < 0.78:
        return ("hide", random_pattern(rng, depth - 1))
    if choice < 0.81:
        return ("permute", [random_pattern(rng, 0) for _ in range(rng.randint(2, 3))])
    if choice < 0.83:
        return rng.choice([("begin",), ("end",)])
    least, most = rng.choice([(0, UNLIMITED), (1, UNLIMITED), (0, 1), (2, 2), (1, 3), (0, 2), (2, UNLIMITED)])
    return ("rep", random_pattern(rng, depth - 1), least, most, rng.random() < 0.75)


def variables_of(p):
    if p[0] == "var":
        return {p[1]}
    parts = p[1] if p[0] in ("seq", "alt", "permute") else [p[1]] if p[0] in ("rep", "hide") else []
    return set().union(*(variables_of(q) for q in parts))


class Search:
    """Matches of one partition's rows: dicts with id, v, c and at, in order."""

    def __init__(self, rows, defined, within):
        self.rows, self.defined, self.within, self.steps = rows, defined, within, 0

    # Each way is (position, mapping, hidden): mapping a tuple of (position, variable).
    def ways(self, p, at, mapping, hidden, start):
        self.steps += 1
        if self.steps > 200000:
            raise TimeoutError
        kind = p[0]
        if kind == "var":
            if at < len(self.rows) and self.in_time(start, at):
                more = mapping + ((at, p[1]),)
                if self.defined[p[1]](self.rows, more):
                    yield at + 1, more, hidden
        elif kind == "begin":
            if at == 0:
                yield at, mapping, hidden
        elif kind == "end":
            if at == len(self.rows):
                yield at, mapping, hidden
        elif kind == "seq":
            yield from self.sequence(p[1], at, mapping, hidden, start)
        elif kind == "alt":
            for q in p[1]:
                yield from self.ways(q, at, mapping, hidden, start)
        elif kind == "permute":
            for order in permutations(len(p[1])):
                yield from self.sequence([p[1][i] for i in order], at, mapping, hidden, start)
        elif kind == "hide":
            for end, more, inside in self.ways(p[1], at, mapping, hidden, start):
                yield end, more, inside | frozenset(i for i, _ in more[len(mapping):])
        else:
            yield from self.repeat(p, 0, at, mapping, hidden, start)

    def sequence(self, parts, at, mapping, hidden, start):
        if not parts:
            yield at, mapping, hidden
            return
        for end, more, inside in self.ways(parts[0], at, mapping, hidden, start):
            yield from self.sequence(parts[1:], end, more, inside, start)

    def repeat(self, p, done, at, mapping, hidden, start):
        _, q, least, most, greedy = p

        def again():
            if most is not UNLIMITED and done >= most:
                return
            for end, more, inside in self.ways(q, at, mapping, hidden, start):
                # A round beyond the least count of an unlimited loop must take a row.
                if end == at and most is UNLIMITED and done >= least:
                    continue
                yield from self.repeat(p, done + 1, end, more, inside, start)

        def leave():
            if done >= least:
                yield at, mapping, hidden

        for part in ((again, leave) if greedy else (leave, again)):
            yield from part()

    def in_time(self, start, at):
        return self.within is None or self.rows[at]["at"] - self.rows[start]["at"] < self.within


def permutations(n, used=()):
    if len(used) == n:
        yield used
    for i in range(n):
        if i not in used:
            yield from permutations(n, used + (i,))


def matches(rows, pattern, defined, skip, within):
    """(start, mapping, hidden) of each match."""
    found, start = [], 0
    while start < len(rows):
        search = Search(rows, defined, within)
        way = next(search.ways(pattern, start, (), frozenset(), start), None)
        if way is None:
            start += 1
            continue
        end, mapping, hidden = way
        found.append((start, mapping, hidden))
        if not mapping or skip == "TO NEXT ROW":
            start += 1
        elif skip == "PAST LAST ROW":
            start = end
        else:
            places = [i for i, v in mapping if v == skip.split()[-1]]
            to = (places[0] if "FIRST" in skip else places[-1]) if places else None
            start = start + 1 if to is None or to == start else to
    return found


# ---- definitions: SQL, and the same of the rows and the mapping so far, the last of which is the row asked about

def last_of(rows, mapping, variable, field):
    for i, v in reversed(mapping):
        if variable is None or v == variable:
            return rows[i][field]
    return None


def less(a, b):
    return a is not None and b is not None and a < b


def random_definition(rng, v):
    k, other = rng.randint(1, 9), rng.choice(VARIABLES)
    return rng.choice([
        (f"c = '{v}'", lambda rows, m: rows[m[-1][0]]["c"] == v),
        (f"c IN ('{v}', 'x')", lambda rows, m: rows[m[-1][0]]["c"] in (v, "x")),
        (f"{v}.c <> '{other}'", lambda rows, m: rows[m[-1][0]]["c"] != other),
        (f"v > PREV({v}.v)", lambda rows, m: m[-1][0] > 0 and rows[m[-1][0]]["v"] > rows[m[-1][0] - 1]["v"]),
        (f"v < NEXT(v, 2)", lambda rows, m: m[-1][0] + 2 < len(rows) and rows[m[-1][0]]["v"] < rows[m[-1][0] + 2]["v"]),
        (f"v >= {k}", lambda rows, m: rows[m[-1][0]]["v"] >= k),
        (f"v > LAST({other}.v, {1 if other == v else 0})",
         lambda rows, m: less(last_of(rows, m[:-1] if other == v else m, other, "v"), rows[m[-1][0]]["v"])),
        (f"count({v}.*) <= {k % 3 + 1}", lambda rows, m: sum(x == v for _, x in m) <= k % 3 + 1),
        (f"sum(v) < {10 + k * 3}", lambda rows, m: sum(rows[i]["v"] for i, _ in m) < 10 + k * 3),
        ("v >= FIRST(v)", lambda rows, m: rows[m[-1][0]]["v"] >= rows[m[0][0]]["v"]),
    ])


MEASURES = "first(id) AS f, last(id) AS l, count(*) AS n, sum(a.v) AS s, last(b.id) AS b, first(c.v, 1) AS c1, " \
           "match_number() AS m, classifier() AS k, prev(first(id)) AS p0"
ALL_MEASURES = "classifier() AS k, match_number() AS m, sum(v) AS s, FINAL count(*) AS n, FINAL last(id) AS l, " \
               "max(b.v) AS b, FINAL classifier() AS fk"


def text(value):
    return None if value is None else str(value)


def one_rows(p, rows, found):
    for number, (start, mapping, _) in enumerate(found, 1):
        ids = [rows[i]["id"] for i, _ in mapping]
        of = {v: [rows[i] for i, x in mapping if x == v] for v in VARIABLES}
        before = mapping[0][0] - 1 if mapping else -1
        yield [p, ids[0] if ids else None, ids[-1] if ids else None, len(ids),
               sum(r["v"] for r in of["a"]) if of["a"] else None, of["b"][-1]["id"] if of["b"] else None,
               of["c"][1]["v"] if len(of["c"]) > 1 else None, number, mapping[-1][1] if mapping else None,
               rows[before]["id"] if before >= 0 else None]


def all_rows(p, rows, found, form):
    told, number = set(), 0
    for number, (start, mapping, hidden) in enumerate(found, 1):
        if not mapping:
            told.add(start)
            if form != "OMIT EMPTY MATCHES":
                yield [p, rows[start]["o"], None, number, None, 0, None, None, None, rows[start]["id"]]
        for n in range(1, len(mapping) + 1):
            i, v = mapping[n - 1]
            told.add(i)
            if i in hidden:
                continue
            bs = [rows[j]["v"] for j, x in mapping[:n] if x == "b"]
            yield [p, rows[i]["o"], v, number, sum(rows[j]["v"] for j, _ in mapping[:n]), len(mapping),
                   rows[mapping[-1][0]]["id"], max(bs) if bs else None, mapping[-1][1], rows[i]["id"]]
    if form == "WITH UNMATCHED ROWS":
        for i, row in enumerate(rows):
            if i not in told:
                yield [p, row["o"], None, None, None, 0, None, None, None, row["id"]]


class Case:
    def __init__(self, rng):
        self.pattern = random_pattern(rng, 3)
        self.define = {v: random_definition(rng, v) for v in VARIABLES}
        if rng.random() < 0.3:
            del self.define[rng.choice(VARIABLES)]
        used = sorted(variables_of(self.pattern))
        self.skip = rng.choice(["PAST LAST ROW"] * 3 + ["TO NEXT ROW"] +
                               [f"TO {w} {v}" for v in used[:1] for w in ("FIRST", "LAST")])
        self.within = rng.choice([None, None, 20])
        self.form = rng.choice(["ONE", "ONE", "SHOW EMPTY MATCHES", "OMIT EMPTY MATCHES", "WITH UNMATCHED ROWS"])
        self.names = used

    def sql(self):
        # Variables that the pattern does not have cannot be named.
        define = ", ".join(f"{v} AS {sql}" for v, (sql, _) in self.define.items() if v in self.names)
        one = self.form == "ONE"
        return (f"SELECT {'p, f, l, n, s, b, c1, m, k, p0' if one else 'p, o, k, m, s, n, l, b, fk, id'} FROM t "
                f"MATCH_RECOGNIZE (PARTITION BY p ORDER BY o, id MEASURES {MEASURES if one else ALL_MEASURES} "
                f"{'ONE ROW PER MATCH' if one else 'ALL ROWS PER MATCH ' + self.form} AFTER MATCH SKIP {self.skip} "
                f"PATTERN ({render(self.pattern)})" + (" WITHIN INTERVAL '20 seconds'" if self.within else "") +
                " SUBSET u = (" + ", ".join(self.names) + ")" + (f" DEFINE {define}" if define else "") + ") AS m")

    def usable(self):
        return all(v in self.names for v in "abc") and not any(
            f"{w}." in sql or f"({w}." in sql for v, (sql, _) in self.define.items() if v in self.names
            for w in VARIABLES if w not in self.names)

    def expected(self, table):
        defined = {v: self.define[v][1] if v in self.define else (lambda rows, m: True) for v in VARIABLES}
        rows = []
        for p in sorted({r["p"] for r in table.values()}):
            part = sorted((r for r in table.values() if r["p"] == p), key=lambda r: (r["o"], r["id"]))
            found = matches(part, self.pattern, defined, self.skip, self.within)
            rows += one_rows(p, part, found) if self.form == "ONE" else all_rows(p, part, found, self.form)
        return sorted(([text(v) for v in row] for row in rows), key=lambda row: [v or "" for v in row])


def random_row(rng, key, large, newest):
    o = rng.randint(0, 900 if large else 30)
    if newest is not None and rng.random() < 0.9:
        o = newest + rng.randint(0, 8)
    return {"id": key, "p": 0 if large else rng.randint(0, 2), "o": o, "v": rng.randint(1, 9),
            "c": rng.choice("aabbccx")}


def run(checks, rng, round_number, large):
    cases = []
    while len(cases) < (3 if large else 8):
        case = Case(rng)
        if case.usable():
            cases.append(case)
    with weirtest.Server(args=["--cache-mb", "1"] if rng.random() < 0.5 else []) as server:
        with server.pg() as pg:
            pg.simple("CREATE TABLE base (id INT PRIMARY KEY, p INT NOT NULL, o INT NOT NULL, v INT NOT NULL, c TEXT NOT NULL)")
            pg.simple("CREATE MATERIALIZED VIEW t AS SELECT id, p, TIMESTAMP '2020-01-01' + o * INTERVAL '1 second' AS o, "
                      "v, c FROM base")
            for i, case in enumerate(cases):
                pg.simple(f"CREATE MATERIALIZED VIEW m{i} WITH (refresh = 'immediate') AS {case.sql()}")
        table, keys = {}, 900 if large else 40
        in_order = large and rng.random() < 0.6  # rows come mostly in order after the first step
        for step in range(12 if in_order else 5):
            newest = max(r["o"] for r in table.values()) if in_order and step > 0 else None
            changes = {}
            for _ in range(rng.randint(200, 400) if large and step == 0 else rng.randint(1, 12)):
                key = rng.randint(1, keys)
                gone = key in table and rng.random() < 0.3
                if newest is not None and rng.random() < 0.8:
                    key, gone = keys + 100 * step + len(changes), False
                changes[key] = {"id": key, "_op": "delete"} if gone else random_row(rng, key, large, newest)
            for key, row in changes.items():
                if "_op" in row:
                    table.pop(key, None)
                else:
                    table[key] = {**row, "at": row["o"]}
            server.ingest("base", list(changes.values()))
            if step == 3:
                server.restart()
            with server.pg() as pg:
                pg.simple("FLUSH")
                for i, case in enumerate(cases):
                    try:
                        expected = case.expected({k: {**r, "o": stamp(r["o"])} for k, r in table.items()})
                    except TimeoutError:
                        continue  # too much for the matcher: another step may have fewer ways
                    for what, sql in (("view", f"SELECT * FROM m{i}"), ("ad hoc", case.sql())):
                        try:
                            actual = sorted((list(r) for r in pg.query(sql)), key=lambda row: [v or "" for v in row])
                        except weirtest.PgError as error:
                            # A skip that leads nowhere is an error ad hoc; a view reports it and goes on.
                            nowhere = what == "ad hoc" and "2201E" in str(error) and case.skip.startswith("TO ")
                            checks.true(f"round {round_number}, {what}: {case.sql()}", nowhere, str(error))
                            continue
                        checks.true(f"round {round_number}, step {step}, {what}: {case.sql()}", actual == expected,
                                    f"\n  weir    {actual[:12]}\n  matcher {expected[:12]}")


def stamp(seconds):
    return f"2020-01-01 {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    weirtest.need_weir()
    checks = weirtest.Checks()
    for number in range(200 if args.long else args.rounds):
        run(checks, random.Random(args.seed * 1000 + number), number, number % 3 == 2)
    checks.end()


if __name__ == "__main__":
    main()
