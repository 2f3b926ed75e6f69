"""Which features main has: each production, and each feature of structure, is tried on both systems before a run.

One that weir refuses with 0A000 or does not know (a function, a form of syntax: class 42) is reported as not supported
and not drawn; one that PostgreSQL refuses is a fault of the grammar. One that weir refuses in a
view only is drawn for ad hoc queries."""
import weirtest

from . import domains, sources

PROBE_TYPES = ["int2", "int4", "int8", "numeric", "float8", "float4", "text", "bool", "date", "time", "timestamp", "timestamptz",
               "interval", "uuid", "jsonb", "int4[]", "text[]"]

# A query over p (and p2, which has the same columns) for each; None: as PostgreSQL has no such thing.
STRUCTURE = {
    "where": "SELECT c_int4 AS x FROM p WHERE c_int4 > 0",
    "group.by": "SELECT c_int4 AS x, count(*) AS n FROM p GROUP BY c_int4",
    "group.having": "SELECT c_int4 AS x FROM p GROUP BY c_int4 HAVING count(*) > 1",
    "group.rollup": "SELECT c_int4 AS x, count(*) AS n FROM p GROUP BY ROLLUP (c_int4)",
    "group.cube": "SELECT c_int4 AS x, count(*) AS n FROM p GROUP BY CUBE (c_int4, c_text)",
    "group.sets": "SELECT c_int4 AS x, count(*) AS n FROM p GROUP BY GROUPING SETS ((c_int4), ())",
    "aggregate.filter": "SELECT count(*) FILTER (WHERE c_bool) AS n FROM p",
    "select.distinct": "SELECT DISTINCT c_int4 AS x FROM p",
    "order.by": "SELECT c_int4 AS x FROM p ORDER BY 1",
    "order.limit": "SELECT c_int4 AS x FROM p ORDER BY 1 LIMIT 1",
    "order.offset": "SELECT c_int4 AS x FROM p ORDER BY 1 OFFSET 1",
    "literal.null": "SELECT NULL::int AS x FROM p",
    "from.subselect": "SELECT s.x FROM (SELECT c_int4 AS x FROM p) AS s",
    "from.values": "SELECT v.a FROM (VALUES (1, 'a'), (2, NULL)) AS v (a, b)",
    "from.series": "SELECT g.n FROM generate_series(1, 3) AS g (n) JOIN p ON p.c_int4 = g.n",
    "from.unnest": "SELECT g.n FROM unnest(ARRAY[1, 2]) AS g (n) JOIN p ON p.c_int4 = g.n",
    "from.ordinality": "SELECT g.n, g.o FROM generate_series(1, 3) WITH ORDINALITY AS g (n, o)",
    "join.nested": "SELECT p.c_int4 AS x FROM p LEFT JOIN (p2 JOIN p AS p3 ON p3.c_int4 = p2.c_int4) ON p.c_int4 = p2.c_int4",
    "join.natural": "SELECT p.c_int4 AS x FROM p NATURAL JOIN p2",
    "over.grouped": "SELECT c_int4 AS x, sum(count(*)) OVER (ORDER BY c_int4) AS n FROM p GROUP BY c_int4",
    "over.top": "SELECT s.x FROM (SELECT c_int4 AS x, row_number() OVER (PARTITION BY c_text ORDER BY c_int4) AS r FROM p) AS s WHERE s.r <= 2",
    "select.distinct-on": "SELECT DISTINCT ON (c_int4) c_int4 AS x, c_text AS y FROM p ORDER BY c_int4, c_text",
    "from.lateral": "SELECT p.c_int4, s.x FROM p, LATERAL (SELECT p2.c_int4 AS x FROM p2 WHERE p2.c_int8 = p.c_int8) AS s",
    "query.with": "WITH w AS (SELECT c_int4 AS x FROM p) SELECT x FROM w",
    "join.inner": "SELECT p.c_int4 AS x FROM p JOIN p2 ON p.c_int4 = p2.c_int4",
    "join.left": "SELECT p.c_int4 AS x FROM p LEFT JOIN p2 ON p.c_int4 = p2.c_int4",
    "join.right": "SELECT p.c_int4 AS x FROM p RIGHT JOIN p2 ON p.c_int4 = p2.c_int4",
    "join.full": "SELECT p.c_int4 AS x FROM p FULL JOIN p2 ON p.c_int4 = p2.c_int4",
    "join.cross": "SELECT p.c_int4 AS x FROM p CROSS JOIN p2",
    "join.comma": "SELECT p.c_int4 AS x FROM p, p2",
    "join.using": "SELECT c_int4 AS x FROM p JOIN p2 USING (c_int4)",
    "join.null-safe": "SELECT p.c_int4 AS x FROM p JOIN p2 ON p.c_int4 IS NOT DISTINCT FROM p2.c_int4",
    "join.condition": "SELECT p.c_int4 AS x FROM p JOIN p2 ON p.c_int4 = p2.c_int4 AND p.c_int8 < p2.c_int8",
    "join.outer-condition": "SELECT p.c_int4 AS x FROM p LEFT JOIN p2 ON p.c_int4 = p2.c_int4 AND p.c_int8 < p2.c_int8 AND p.c_bool",
    "join.nonequi": "SELECT p.c_int4 AS x FROM p LEFT JOIN p2 ON p.c_int4 < p2.c_int4",
    "subquery.in": "SELECT c_int4 AS x FROM p WHERE c_int4 IN (SELECT c_int4 FROM p2)",
    "subquery.not-in": "SELECT c_int4 AS x FROM p WHERE c_int4 NOT IN (SELECT c_int4 FROM p2)",
    "subquery.exists": "SELECT c_int4 AS x FROM p WHERE EXISTS (SELECT 1 FROM p2)",
    "subquery.not-exists": "SELECT c_int4 AS x FROM p WHERE NOT EXISTS (SELECT 1 FROM p2 WHERE p2.c_int4 = p.c_int4)",
    "subquery.correlated": "SELECT c_int4 AS x FROM p WHERE EXISTS (SELECT 1 FROM p2 WHERE p2.c_int4 = p.c_int4)",
    "subquery.correlated-inequality": "SELECT c_int4 AS x FROM p WHERE EXISTS (SELECT 1 FROM p2 WHERE p2.c_int4 < p.c_int4)",
    "subquery.scalar": "SELECT c_int4 AS x FROM p WHERE c_int4 = (SELECT max(c_int4) FROM p2)",
    "subquery.select-list": "SELECT (SELECT max(c_int4) FROM p2 WHERE p2.c_int8 = p.c_int8) AS x FROM p",
    "subquery.row": "SELECT c_int4 AS x FROM p WHERE (c_int4, c_text) IN (SELECT c_int4, c_text FROM p2)",
    "group.ordinal": "SELECT c_int4 AS x, c_text AS y, count(*) AS n FROM p GROUP BY 1, c_text",
    "group.grouping": "SELECT c_int4 AS x, grouping(c_int4) AS g FROM p GROUP BY c_int4",
    "order.ties": "SELECT c_int4 AS x FROM p ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES",
    "query.recursive": "WITH RECURSIVE w (c0) AS (SELECT c_int4 FROM p UNION SELECT c0 + 1 FROM w WHERE c0 < 5) SELECT c0 AS x FROM w",
    "subquery.quantified": "SELECT c_int4 AS x FROM p WHERE c_int4 > ALL (SELECT c_int4 FROM p2)",
    "set.union": "(SELECT c_int4 AS x FROM p) UNION (SELECT c_int4 FROM p2)",
    "set.union-all": "(SELECT c_int4 AS x FROM p) UNION ALL (SELECT c_int4 FROM p2)",
    "set.intersect": "(SELECT c_int4 AS x FROM p) INTERSECT (SELECT c_int4 FROM p2)",
    "set.intersect-all": "(SELECT c_int4 AS x FROM p) INTERSECT ALL (SELECT c_int4 FROM p2)",
    "set.except": "(SELECT c_int4 AS x FROM p) EXCEPT (SELECT c_int4 FROM p2)",
    "set.except-all": "(SELECT c_int4 AS x FROM p) EXCEPT ALL (SELECT c_int4 FROM p2)",
    "over.rows": "SELECT sum(c_int4) OVER (ORDER BY c_int8 ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM p",
    "over.groups": "SELECT sum(c_int4) OVER (ORDER BY c_int8 GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM p",
    "over.exclude": "SELECT sum(c_int4) OVER (ORDER BY c_int8 ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS x FROM p",
    "window.tumble": None,
    "window.hop": None,
    "window.cumulate": None,
    "window.session": None,
    "window.emit": None,
    "join.asof": None,
    "aggregate.approximate": None,
    "where.now": "SELECT c_int4 AS x FROM p WHERE c_timestamptz > now() - interval '1 hour'",
    "over.range": "SELECT sum(c_int4) OVER (ORDER BY c_int8 RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM p",
    **{f"from.{name}": f"SELECT p.id AS x, f.v AS y FROM p, {call.format(f'p.c_{needs}'.replace('[]', '_array'))} AS f (v)"
       for name, (needs, _, call) in sources.FUNCTIONS.items()},
}
OWN_FORMS = {
    "window.tumble": "SELECT window_start AS x FROM TUMBLE(p, c_timestamp, INTERVAL '1 hour')",
    "window.hop": "SELECT window_start AS x FROM HOP(p, c_timestamp, INTERVAL '1 hour', INTERVAL '2 hours')",
    "window.cumulate": "SELECT window_start AS x FROM CUMULATE(p, c_timestamp, INTERVAL '1 hour', INTERVAL '2 hours')",
    "window.session": "SELECT window_start AS x FROM SESSION(p PARTITION BY c_int4, c_timestamp, INTERVAL '1 hour')",
    "window.emit": "SELECT window_end AS x, count(*) AS n FROM TUMBLE(p, c_timestamp, INTERVAL '1 hour') GROUP BY window_end",
    "join.asof": "SELECT p.c_int4 AS x FROM p ASOF LEFT JOIN p2 ON p.c_int4 = p2.c_int4 AND p.c_timestamp >= p2.c_timestamp",
    "aggregate.approximate": "SELECT approx_count_distinct(c_int4) AS x FROM p",
}


def of(type):
    return type.replace("[]", "_array")


def expression_of(production):
    """The production with its choices' first."""
    parts, made = [], []
    for place in production.places:
        if isinstance(place, str):
            parts.append(place)
        elif place[1] in ("@1", "@2"):
            parts.append(made[int(place[1][1]) - 1])
        elif place[0] == "choice":
            parts.append(place[1][0])
        else:
            parts.append(OF_KIND.get(place[1]) or f"c_{of(place[1])}")
            made.append(parts[-1])
    return "".join(parts)


OF_KIND = {"=": "c_int4", "<": "c_int4", "range": "(ORDER BY c_int8 RANGE 1 PRECEDING)", "any": "(PARTITION BY c_int4)", "total": "(ORDER BY c_int4)",
           "ties": "(ORDER BY c_int4)", "frame": "(ORDER BY c_int4, c_int8 ROWS 1 PRECEDING)"}


def probe_of(productions):
    """A query that uses each once."""
    return "SELECT " + ", ".join(f"{expression_of(p)} AS x{i}" for i, p in enumerate(productions)) + " FROM p"


class Probed:
    def __init__(self):
        self.productions, self.structure, self.ad_hoc_only = [], set(), set()
        self.unsupported, self.faults = {}, []


BATCH = 64


def probe(weir, pg, productions):
    found = Probed()
    columns = ", ".join(f"c_{of(t)} {domains.TYPES[t].declared[0].split('(')[0]}" for t in PROBE_TYPES)
    values = ", ".join(domains.in_values(t, domains.TYPES[t].small[1]) for t in PROBE_TYPES)
    for name in ("p", "p2"):
        for system in (weir, pg):
            system.simple(f"CREATE TABLE {name} (id INT NOT NULL, {columns}, PRIMARY KEY (id))")
            system.simple(f"INSERT INTO {name} VALUES (1, {values})")
    for group in ("scalar", "aggregate", "window"):
        some = [p for p in productions if p.group == group]
        for at in range(0, len(some), BATCH):
            probe_productions(found, weir, pg, some[at:at + BATCH])
    for name, sql in STRUCTURE.items():
        if try_one(found, weir, pg if sql is not None else None, name, sql or OWN_FORMS[name]):
            found.structure.add(name)
    return found


def probe_productions(found, weir, pg, some):
    """All at once; if that does not do, halves of them."""
    if len(some) == 1:
        if try_one(found, weir, pg, some[0].feature, probe_of(some)):
            found.productions += some
        return
    sql = probe_of(some)
    try:
        pg.simple(sql)
        weir.simple(sql)
        weir.simple(f"CREATE MATERIALIZED VIEW probe AS {sql}")
        weir.simple("DROP MATERIALIZED VIEW probe")
        found.productions += some
    except weirtest.PgError:
        half = len(some) // 2
        probe_productions(found, weir, pg, some[:half])
        probe_productions(found, weir, pg, some[half:])


def try_one(found, weir, pg, feature, sql):
    """Whether weir has the feature; pg is None where PostgreSQL has no such thing."""
    if pg is not None:
        try:
            pg.simple(sql)
        except weirtest.PgError as error:
            if not error.sqlstate.startswith(("22", "21")):
                found.faults.append(f"{feature}: {error}\n    {sql}")
                return False
    try:
        weir.simple(sql)
    except weirtest.PgError as error:
        if error.sqlstate[:2] in ("0A", "42"):
            found.unsupported[feature] = str(error)
            return False
    try:
        weir.simple(f"CREATE MATERIALIZED VIEW probe AS {sql}")
        weir.simple("DROP MATERIALIZED VIEW probe")
    except weirtest.PgError as error:
        if error.sqlstate == "0A000":
            found.ad_hoc_only.add(feature)
            found.unsupported[feature] = f"in a view: {error}"
    return True
