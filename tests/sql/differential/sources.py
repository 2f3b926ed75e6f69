"""Random items of FROM: relations, views, windows over time, sub-selects, lists of values, functions; and their joins."""
from . import domains
from .catalogue import ANY_TYPES
from .expressions import Expressions
from .tree import Both, Node, column, expr, listing, seq


ASOF_TYPES = ("timestamp", "timestamptz", "date", "int4", "int8", "numeric")

# Functions that give rows: the type of their argument, the types of their columns, the call.
FUNCTIONS = {
    "unnest-ints": ("int4[]", ["int4"], "unnest({})"),
    "unnest-texts": ("text[]", ["text"], "unnest({})"),
    "series-to": ("int4", ["int4"], "generate_series(1, {} % 4)"),
    "series-days": ("timestamp", ["timestamp"], "generate_series(timestamp '2024-02-27 00:00', least({}, '2024-03-05'), interval '1 day')"),
    "split": ("text", ["text"], "regexp_split_to_table({}, 'b+')"),
    "string-to-table": ("text", ["text"], "string_to_table({}, 'b')"),
    "each": ("jsonb", ["text", "jsonb"], "jsonb_each(CASE WHEN jsonb_typeof({0}) = 'object' THEN {0} ELSE '{{}}' END)"),
    "each-text": ("jsonb", ["text", "text"], "jsonb_each_text(CASE WHEN jsonb_typeof({0}) = 'object' THEN {0} END)"),
    "keys": ("jsonb", ["text"], "jsonb_object_keys(CASE WHEN jsonb_typeof({0}) = 'object' THEN {0} ELSE '{{}}' END)"),
    "elements": ("jsonb", ["jsonb"], "jsonb_array_elements(CASE WHEN jsonb_typeof({0}) = 'array' THEN {0} ELSE '[]' END)"),
    "elements-text": ("jsonb", ["text"], "jsonb_array_elements_text(CASE WHEN jsonb_typeof({0}) = 'array' THEN {0} ELSE '[7]' END)"),
}


class Source:
    """What can stand in FROM by its name: columns are (name, type), domains has values by name."""

    def __init__(self, name, columns, rows, domains=None, times=(), delay=None):
        self.name, self.columns, self.rows, self.domains, self.times = name, columns, rows, domains or {}, times
        self.delay = delay  # of the watermark of a stream without a key, behind the greatest "at"; None: has none

    def items(self, alias):
        return [column(t, f"{alias}.{n}", self.domains.get(n)) for n, t in self.columns]


class Item:
    """An item of FROM: its node, its columns as expressions, about how many rows it has."""

    def __init__(self, node, columns, rows, names=None):
        self.node, self.columns, self.rows, self.names = node, columns, rows, names or {}


class Sources(Expressions):
    # ---- FROM ----

    def from_item(self, level):
        if self.ctes and self.chance(0.5):
            source = self.rng.choice(self.ctes)
        else:
            if level < 2 and self.maybe(0.14, "from.subselect"):
                return self.derived(level)
            if self.maybe(0.03, "from.values"):
                return self.value_list()
            if self.maybe(0.03, "from.series"):
                return self.series()
            if level == 0 and self.maybe(0.05, "join.nested"):
                return self.nested(level)
            source = self.rng.choice(self.sources)
        alias = self.alias()
        if source.times and self.chance(0.3):
            found = self.windowed(source, alias)
            if found is not None:
                return found
        columns = source.items(alias)
        return Item(Node("from", [f"{source.name} AS {alias}"]), columns, source.rows, dict(source.columns))

    def windowed(self, source, alias, kinds=("tumble", "hop", "cumulate", "session"), time=None):
        kinds = [k for k in kinds if self.grammar.has(f"window.{k}")]
        if not kinds:
            return None
        kind = self.rng.choice(kinds)
        name, type = self.rng.choice([t for t in source.times if time in (None, t[0])])
        columns = source.items(alias)
        columns += [expr(type, f"{alias}.window_start"), expr(type, f"{alias}.window_end")] * 2
        origin = f"{domains.sql_name(type)} '1970-01-01 00:00:00{'+00' if type == 'timestamptz' else ''}'"
        if kind == "tumble":
            size = self.rng.choice(["1 hour", "1 day", "15 minutes", "7 days", "10 seconds"])
            call = f"TUMBLE({source.name}, {name}, INTERVAL '{size}')"
            if self.chance(0.2):
                call = f"TABLE(TUMBLE(TABLE {source.name}, DESCRIPTOR({name}), INTERVAL '{size}'))"
            start = f"date_bin(interval '{size}', {name}, {origin})"
            pg = (f"(SELECT *, {start} AS window_start, {start} + interval '{size}' AS window_end FROM {source.name}) AS {alias}")
        elif kind == "hop":
            slide, size = self.rng.choice([("1 hour", "2 hours"), ("30 minutes", "1 hour"), ("1 day", "3 days"), ("1 hour", "1 hour")])
            call = f"HOP({source.name}, {name}, INTERVAL '{slide}', INTERVAL '{size}')"
            last = f"date_bin(interval '{slide}', {name}, {origin})"
            pg = (f"(SELECT r.*, w AS window_start, w + interval '{size}' AS window_end FROM {source.name} AS r, "
                  f"generate_series({last} - interval '{size}' + interval '{slide}', {last}, interval '{slide}') AS w) AS {alias}")
        elif kind == "session":
            return self.session(source, alias, name, columns)
        else:
            step, size = self.rng.choice([("1 hour", "4 hours"), ("6 hours", "1 day"), ("15 minutes", "1 hour")])
            call = f"CUMULATE({source.name}, {name}, INTERVAL '{step}', INTERVAL '{size}')"
            start = f"date_bin(interval '{size}', {name}, {origin})"
            first = f"date_bin(interval '{step}', {name}, {origin}) + interval '{step}'"
            pg = (f"(SELECT r.*, {start} AS window_start, w AS window_end FROM {source.name} AS r, "
                  f"generate_series({first}, {start} + interval '{size}', interval '{step}') AS w) AS {alias}")
        node = Node("from", [Both(f"{call} AS {alias}", pg)], features=(f"window.{kind}",))
        return Item(node, columns, source.rows * (1 if kind == "tumble" else 3))

    def session(self, source, alias, time, columns):
        """Sessions; in PostgreSQL by counting the gaps before a row."""
        gap = self.rng.choice(["1 minute", "30 minutes", "1 hour", "5 hours", "1 day", "7 days"])
        names = [n for n, _ in source.columns]
        usable = [n for n, t in source.columns if t in ANY_TYPES and n != time]
        keys = self.rng.sample(usable, min(len(usable), self.rng.choice([0, 1, 1, 1, 2])))
        by = f"PARTITION BY {', '.join(keys)} " if keys else ""
        call = f"SESSION({source.name} {by}, {time}, INTERVAL '{gap}')".replace(" ,", ",")
        if self.chance(0.2):
            call = f"TABLE(SESSION(TABLE {source.name} {by}, DESCRIPTOR({time}), INTERVAL '{gap}'))".replace(" ,", ",")
        within = f"PARTITION BY {', '.join([*keys, 'gaps'])}"
        pg = (f"(SELECT {', '.join(names)}, min({time}) OVER ({within}) AS window_start, max({time}) OVER ({within}) + interval '{gap}' AS window_end "
              f"FROM (SELECT *, count(*) FILTER (WHERE apart) OVER ({by}ORDER BY {time}) AS gaps "
              f"FROM (SELECT *, {time} - lag({time}) OVER ({by}ORDER BY {time}) >= interval '{gap}' AS apart FROM {source.name}) AS g) AS g) AS {alias}")
        return Item(Node("from", [Both(f"{call} AS {alias}", pg)], features=("window.session",)), columns, source.rows)

    def asof(self, left):
        """Each row with the one right row of equal keys whose time is nearest. The right side has one column beside keys and time,
        so that what is used of it decides between rows of one time, in either system."""
        source = self.rng.choice(self.sources)
        inner, alias = self.alias(), self.alias()
        columns = [c for c in source.items(inner) if c.type in ASOF_TYPES or c.type in ANY_TYPES]
        times = [(a, b) for a, b in self.pairs(left.columns, columns) if a.type == b.type and a.type in ASOF_TYPES]
        if not times:
            return None
        a, b = self.rng.choice(times)
        keys = [(c, d) for c, d in self.pairs(left.columns, columns) if d is not b and c.type != "numeric"]
        keys = self.rng.sample(keys, min(len(keys), self.rng.choice([0, 1, 1, 1, 2])))
        more = self.rng.choice(columns)
        chosen = [d for _, d in keys] + [b, more]
        features = ["join.asof"]
        right = seq("(SELECT ", ", ".join(f"{c} AS c{i}" for i, c in enumerate(chosen)), f" FROM {source.name} AS {inner}) AS {alias}")
        compare = self.rng.choice([">=", ">=", ">", "<=", "<"])
        conditions = [f"{c} = {alias}.c{i}" for i, (c, _) in enumerate(keys)]
        match = f"{a} {compare} {alias}.c{len(keys)}"
        kind = self.rng.choice(["inner", "left"])
        word = {"inner": " ASOF JOIN ", "left": " ASOF LEFT JOIN "}[kind]
        on = conditions + [match]
        self.rng.shuffle(on)
        weir = f" ON {' AND '.join(on)}"
        if conditions and self.chance(0.2):
            weir = f" MATCH_CONDITION ({match}) ON {' AND '.join(conditions)}"
            word = {"inner": " ASOF INNER JOIN ", "left": " ASOF JOIN "}[kind]
        direction = "DESC NULLS LAST" if compare[0] == ">" else "ASC"
        end = (f" WHERE {' AND '.join(conditions + [match])} ORDER BY {alias}.c{len(keys)} {direction}, {alias}.c{len(keys) + 1} DESC NULLS FIRST "
               f"LIMIT 1) AS {alias} ON true")
        start = {"inner": " JOIN LATERAL (SELECT * FROM ", "left": " LEFT JOIN LATERAL (SELECT * FROM "}[kind]
        node = Node("from", [left.node, Both(word, start), right, Both(weir, end)], features=features)
        made = [expr(c.type, f"{alias}.c{i}") for i, c in enumerate(chosen)]
        return Item(node, left.columns + made, left.rows)

    def function(self, left):
        """A function of a row's columns that gives rows."""
        scope = [c for c in left.columns if len(c.parts) == 1]
        found = [(name, of) for name, of in FUNCTIONS.items() if self.grammar.has(f"from.{name}") and any(c.type == of[0] for c in scope)]
        if not found:
            return None
        name, (needs, gives, call) = self.rng.choice(found)
        alias = self.alias()
        names = "".join(f", v{i}" for i in range(len(gives)))[2:]
        call = call.format(self.rng.choice([c for c in scope if c.type == needs]))
        columns = [expr(t, f"{alias}.v{i}") for i, t in enumerate(gives)]
        if self.maybe(0.2, "from.ordinality"):
            call, names, columns = f"{call} WITH ORDINALITY", names + ", o", [*columns, expr("int8", f"{alias}.o")]
        word, end = self.rng.choice([(", ", ""), (" CROSS JOIN LATERAL ", ""), (" LEFT JOIN LATERAL ", " ON true"), (", LATERAL ", "")])
        node = Node("from", [left.node, f"{word}{call} AS {alias} ({names}){end}"], features=(f"from.{name}", "from.lateral"))
        return Item(node, left.columns + columns, left.rows * 2)

    def value_list(self):
        """VALUES as an item of FROM."""
        alias = self.alias()
        types = [self.rng.choice(["int4", "text", "date", "numeric", "bool"]) for _ in range(self.rng.choice([1, 2, 3]))]
        rows = []
        for i in range(self.rng.choice([1, 2, 4])):
            values = [self.rng.choice(domains.TYPES[t].small) if i == 0 or self.chance(0.85) else None for t in types]
            rows.append(seq("(", ", ".join(domains.literal(t, v) for t, v in zip(types, values)), ")"))
        names = [f"v{i}" for i in range(len(types))]
        node = Node("from", ["(VALUES ", listing(rows), f") AS {alias} ({', '.join(names)})"], features=("from.values",))
        return Item(node, [column(t, f"{alias}.{n}", None) for n, t in zip(names, types)], 4, dict(zip(names, types)))

    def series(self):
        """A function as an item of FROM."""
        alias = self.alias()
        calls = [("int4", "generate_series(0, 3)"), ("int4", "generate_series(5, -5, -3)"), ("int4", "generate_series(3, 1)"),
                 ("timestamp", "generate_series(timestamp '2024-02-28', timestamp '2024-03-02', interval '1 day')"),
                 ("int8", "generate_series(1::bigint, 4::bigint, 2::bigint)")]
        if self.grammar.has("from.unnest"):
            calls += [("int4", "unnest(ARRAY[1, 2, 2, NULL, 3])"), ("text", "unnest('{a,b,NULL,zebra}'::text[])")]
        type, call = self.rng.choice(calls)
        columns, names = [column(type, f"{alias}.n", None)], {"n": type}
        feature = "from.unnest" if call.startswith("unnest") else "from.series"
        if self.maybe(0.3, "from.ordinality"):
            node = Node("from", [f"{call} WITH ORDINALITY AS {alias} (n, o)"], features=(feature, "from.ordinality"))
            return Item(node, [*columns, column("int8", f"{alias}.o", None)], 4, {**names, "o": "int8"})
        return Item(Node("from", [f"{call} AS {alias} (n)"], features=(feature,)), columns, 4, names)

    def nested(self, level):
        """A join in parentheses."""
        inner = self.from_item(level + 1)
        joined = self.join(inner, level + 1)
        if joined is None or {"join.comma", "from.lateral"} & set(joined.node.features):
            return inner
        columns = [c for c in joined.columns if "." in c.parts[0]]
        return Item(Node("from", ["(", joined.node, ")"], features=("join.nested",)), columns, joined.rows)

    def derived(self, level):
        query, types = self.select(level + 1, None)
        alias = self.alias()
        columns = [expr(t, f"{alias}.c{i}") for i, t in enumerate(types)]
        lateral = seq("(", query, f") AS {alias}", features=("from.subselect",))
        return Item(Node("from", [lateral]), columns, 30, {f"c{i}": t for i, t in enumerate(types)})

    @staticmethod
    def pairs(left, right):
        """Columns that can be equal: of one type, and with values in common as far as that is known."""
        found = [(a, b) for a in left for b in right if a.type == b.type and a.type in ANY_TYPES and a.type != "bool"]
        meeting = [(a, b) for a, b in found if a.domain is None or b.domain is None or not a.domain.isdisjoint(b.domain)]
        return meeting or found

    def join(self, left, level):
        if level < 2 and self.maybe(0.06, "from.lateral"):
            return self.lateral(left, level)
        if self.maybe(0.07, "join.asof"):
            made = self.asof(left)
            if made is not None:
                return made
        if level < 2 and self.chance(0.05):
            made = self.function(left)
            if made is not None:
                return made
        right = self.from_item(level)
        # A column that USING has merged is named without its table: not beside another of that name.
        left = Item(left.node, [c for c in left.columns if "." in c.parts[0] or c.parts[0] not in right.names], left.rows, left.names)
        pairs = self.pairs(left.columns, right.columns)
        small = left.rows * right.rows <= 1500
        columns, rows = left.columns + right.columns, max(left.rows, right.rows) * 2
        if not pairs or self.maybe(0.06, "join.cross"):
            if not small:
                return None
            cross = left.rows * right.rows
            if self.chance(0.5):
                return Item(Node("from", [left.node, ", ", right.node], features=("join.comma",)), columns, cross)
            return Item(Node("from", [left.node, " CROSS JOIN ", right.node], features=("join.cross",)), columns, cross)
        kinds = [k for k in ("inner", "left", "right", "full") if self.grammar.has(f"join.{k}")]
        kind = self.rng.choice(kinds + ["inner", "left"])
        word = {"inner": " JOIN ", "left": " LEFT JOIN ", "right": " RIGHT JOIN ", "full": " FULL JOIN "}[kind]
        if self.maybe(0.1, "join.using"):
            shared = [n for n, t in left.names.items() if right.names and right.names.get(n) == t]
            if shared:
                name = self.rng.choice(shared)
                merged = expr(left.names[name], name)
                node = Node("from", [left.node, word, right.node, f" USING ({name})"], features=("join.using", f"join.{kind}"))
                return Item(node, [*columns, merged], rows)
        if self.maybe(0.04, "join.natural") and "join.nested" not in left.node.features:
            shared = set(left.names) & set(right.names)
            if shared and all(left.names[n] == right.names[n] for n in shared) and len(left.names) == len(left.columns):
                features = ("join.natural", f"join.{kind}")
                return Item(Node("from", [left.node, f" NATURAL{word}", right.node], features=features), columns, rows)
        conditions, features = [], [f"join.{kind}"]
        for a, b in self.rng.sample(pairs, min(len(pairs), 1 if self.chance(0.75) else 2)):
            if kind != "full" and self.maybe(0.05, "join.null-safe"):
                conditions.append(expr("bool", a, " IS NOT DISTINCT FROM ", b, features=("join.null-safe",)))
            elif self.chance(0.08):
                conditions.append(expr("bool", self.expression(a.type, left.columns, 1), " = ", self.expression(a.type, right.columns, 1)))
            else:
                conditions.append(expr("bool", *((a, " = ", b) if self.chance(0.5) else (b, " = ", a))))
        extra = "join.condition" if kind == "inner" else "join.outer-condition"
        if kind != "full" and self.maybe(0.15, extra):  # PostgreSQL has FULL JOIN by equalities only
            conditions.append(self.predicate(columns, 1, 9))
            features.append(extra)
        if small and kind != "full" and self.maybe(0.05, "join.nonequi"):
            conditions = [self.compare(columns)]
            features.append("join.nonequi")
        node = Node("from", [left.node, word, right.node, " ON ", listing(conditions, " AND ")], features=features)
        return Item(node, columns, rows)

    def lateral(self, left, level):
        query, types = self.select(level + 1, None, outer=left.columns, correlate=0.9)
        alias = self.alias()
        columns = left.columns + [expr(t, f"{alias}.c{i}") for i, t in enumerate(types)]
        word, end = (", LATERAL (", "") if self.chance(0.5) else (" LEFT JOIN LATERAL (", " ON true")
        return Item(Node("from", [left.node, word, query, f") AS {alias}{end}"], features=("from.lateral",)), columns, left.rows * 4)

    def from_clause(self, level):
        found = self.from_item(level)
        count = self.rng.choice([1, 1, 1, 2, 2, 3, 4] if level == 0 else [1, 1, 1, 2])
        for _ in range(count - 1):
            joined = self.join(found, level)
            if joined is None or joined.rows > 4000:
                break
            found = joined
            if {"join.comma", "from.lateral"} & set(found.node.features):
                break  # JOIN binds closer than a comma: its condition could not name what is left of it
        return found
