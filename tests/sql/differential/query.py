"""Random queries by a typed grammar.

A query is made of what the sources (relations, views) have: an expression of a type is a column of that type, a
constant or a production of the catalogue. Where PostgreSQL leaves an answer open it is pinned: LIMIT comes with an
order over all output columns, functions of the order of rows with one over all columns."""
from . import domains
from .catalogue import ANY_TYPES, GREATEST_TYPES
from .tree import Both, Node, expr, listing, optional, seq


class Source:
    """What can stand in FROM by its name: columns are (name, type)."""

    def __init__(self, name, columns, rows, domains=None, times=()):
        self.name, self.columns, self.rows, self.domains, self.times = name, columns, rows, domains or {}, times


class Item:
    """An item of FROM: its node, its columns as expressions, about how many rows it has."""

    def __init__(self, node, columns, rows, names=None):
        self.node, self.columns, self.rows, self.names = node, columns, rows, names or {}


class Grammar:
    """What may be drawn: productions by result type, and names of features of structure that are on."""

    def __init__(self, productions, structure):
        self.structure = structure
        self.scalars, self.aggregates, self.windows = {}, [], []
        for p in productions:
            if p.group == "aggregate":
                self.aggregates.append(p)
            elif p.group == "window":
                self.windows.append(p)
            else:
                self.scalars.setdefault(p.type, []).append(p)

    def has(self, feature):
        return feature in self.structure


COMMON_TYPES = ["int4", "int8", "numeric", "text", "bool", "date", "timestamp"]
ORDERED = set(ANY_TYPES) | {"varchar", "jsonb"}


def constant(type):
    """The simplest expression of a type."""
    base = {"varchar": "text"}.get(type, type)
    return expr(type, domains.literal(base, domains.TYPES[base].small[1])) if base in domains.TYPES else None


class Generator:
    def __init__(self, rng, grammar, sources):
        self.rng, self.grammar, self.sources = rng, grammar, sources
        self.aliases = 0
        self.ctes = []

    def chance(self, p):
        return self.rng.random() < p

    def maybe(self, p, feature):
        return self.rng.random() < p and self.grammar.has(feature)

    def alias(self):
        self.aliases += 1
        return f"q{self.aliases}"

    # ---- expressions ----

    def leaf(self, type, scope):
        if type == "text" and self.chance(0.3):
            found = [c for c in scope if c.type in ("text", "varchar")]
        else:
            found = [c for c in scope if c.type == type]
        if found and self.chance(0.85):
            return self.rng.choice(found)
        if self.chance(0.04):
            return expr(type, domains.literal(type, None), features=("literal.null",))
        kind = domains.TYPES[type]
        return expr(type, domains.literal(type, self.rng.choice(kind.small if self.chance(0.6) else kind.wide)))

    def some_type(self, scope):
        found = [c.type for c in scope if c.type in ANY_TYPES]
        return self.rng.choice(found) if found and self.chance(0.9) else self.rng.choice(COMMON_TYPES)

    def expression(self, type, scope, depth):
        if type == "varchar":
            type = "text"
        if depth <= 0 or self.chance(0.45):
            return self.leaf(type, scope)
        usable = self.grammar.scalars.get(type, [])
        if type in ANY_TYPES and self.chance(0.25):
            usable = self.grammar.scalars.get("=", usable)
        if not usable:
            return self.leaf(type, scope)
        production = self.rng.choice(usable)
        if production.fails and not self.chance(0.1):
            return self.leaf(type, scope)
        return self.produce(production, type, scope, depth)

    def produce(self, production, type, scope, depth, more=()):
        same = type if production.type == "=" else None
        parts = []
        for place in production.places:
            if isinstance(place, str):
                parts.append(place)
            elif place[0] == "choice":
                parts.append(self.rng.choice(place[1]))
            elif place[1] in ("total", "ties", "frame", "any"):
                parts.append(more[place[1]]())
            else:
                wanted = place[1]
                if wanted in ("=", "<"):
                    same = same or self.some_type(scope)
                    if wanted == "<" and same not in GREATEST_TYPES:
                        same = "int4"
                    wanted = same
                parts.append(self.expression(wanted, scope, depth - 1))
        result = same if production.type == "=" else production.type
        bare = production.template[0].isalpha() and production.template.endswith(")") and production.template.count("(") == 1
        if not bare and production.group == "scalar":
            parts = ["(", *parts, ")"]
        return expr(result, *parts, features=(production.feature,))

    def predicate(self, scope, depth, level):
        """A condition; at times with a sub-query."""
        roll = self.rng.random()
        if level < 2:
            if roll < 0.07 and self.grammar.has("subquery.in"):
                return self.in_subquery(scope, level)
            if roll < 0.15 and self.grammar.has("subquery.exists"):
                return self.exists(scope, level)
            if roll < 0.20 and self.grammar.has("subquery.scalar"):
                type = self.some_type(scope)
                return expr("bool", "(", self.expression(type, scope, 1), self.rng.choice([" = ", " < ", " >= ", " <> "]),
                            self.scalar_subquery(type, scope, level), ")")
            if roll < 0.23 and self.grammar.has("subquery.quantified"):
                type = self.some_type(scope)
                query = self.column_query(type, scope, level)
                return expr("bool", "(", self.expression(type, scope, 1), self.rng.choice([" = ANY ", " > ALL ", " < ANY ", " <> ALL "]),
                            "(", query, "))", features=("subquery.quantified",))
        if roll > 0.55:
            return self.compare(scope)
        made = self.expression("bool", scope, depth)
        return made if made.features or self.chance(0.3) else self.compare(scope)

    def compare(self, scope):
        """A plain comparison of a column that some rows pass."""
        columns = [c for c in scope if c.type in ANY_TYPES]
        if not columns:
            return self.expression("bool", scope, 1)
        column = self.rng.choice(columns)
        other = self.leaf(column.type, [c for c in scope if c is not column])
        return expr("bool", "(", column, self.rng.choice([" <= ", " >= ", " <> ", " <> ", " <= ", " >= ", " > ", " < ", " = "]), other, ")")

    # ---- sub-queries in expressions ----

    def column_query(self, type, outer, level):
        return self.select(level + 1, [type], outer=outer, plain=True)[0]

    def in_subquery(self, scope, level):
        type = self.some_type(scope)
        word = " NOT IN (" if self.maybe(0.35, "subquery.not-in") else " IN ("
        feature = "subquery.not-in" if "NOT" in word else "subquery.in"
        return expr("bool", "(", self.expression(type, scope, 1), word, self.column_query(type, scope, level), "))",
                    features=(feature,))

    def exists(self, scope, level):
        word, feature = ("NOT EXISTS (", "subquery.not-exists") if self.maybe(0.4, "subquery.not-exists") else ("EXISTS (", "subquery.exists")
        query, _ = self.select(level + 1, ["int4"], outer=scope, plain=True, correlate=0.8)
        return expr("bool", word, query, ")", features=(feature,))

    def scalar_subquery(self, type, scope, level):
        """A sub-select of one row: an aggregate without groups."""
        found = [p for p in self.grammar.aggregates if p.type == type or (p.type == "=" and type in GREATEST_TYPES)]
        if not found:
            return self.leaf(type, scope)
        item = self.from_item(level + 1)
        production = self.rng.choice(found)
        value = self.produce(production, type, item.columns, 1)
        where, features = self.where(item.columns, level + 1, outer=scope, correlate=0.5)
        return expr(type, "(", Node("query", ["SELECT ", value, " FROM ", item.node, where], features=features), ")",
                    features=("subquery.scalar",))

    # ---- FROM ----

    def from_item(self, level):
        if self.ctes and self.chance(0.5):
            source = self.rng.choice(self.ctes)
        else:
            if level < 2 and self.maybe(0.14, "from.subselect"):
                return self.derived(level)
            source = self.rng.choice(self.sources)
        alias = self.alias()
        if source.times and self.chance(0.3):
            found = self.windowed(source, alias)
            if found is not None:
                return found
        columns = [expr(t, f"{alias}.{n}") for n, t in source.columns]
        return Item(Node("from", [f"{source.name} AS {alias}"]), columns, source.rows, dict(source.columns))

    def windowed(self, source, alias):
        kinds = [k for k in ("tumble", "hop", "cumulate") if self.grammar.has(f"window.{k}")]
        if not kinds:
            return None
        kind = self.rng.choice(kinds)
        column, type = self.rng.choice(source.times)
        columns = [expr(t, f"{alias}.{n}") for n, t in source.columns]
        columns += [expr(type, f"{alias}.window_start"), expr(type, f"{alias}.window_end")] * 2
        origin = f"{domains.sql_name(type)} '1970-01-01 00:00:00{'+00' if type == 'timestamptz' else ''}'"
        if kind == "tumble":
            size = self.rng.choice(["1 hour", "1 day", "15 minutes", "7 days", "10 seconds"])
            call = f"TUMBLE({source.name}, {column}, INTERVAL '{size}')"
            if self.chance(0.2):
                call = f"TABLE(TUMBLE(TABLE {source.name}, DESCRIPTOR({column}), INTERVAL '{size}'))"
            start = f"date_bin(interval '{size}', {column}, {origin})"
            pg = (f"(SELECT *, {start} AS window_start, {start} + interval '{size}' AS window_end FROM {source.name}) AS {alias}")
        elif kind == "hop":
            slide, size = self.rng.choice([("1 hour", "2 hours"), ("30 minutes", "1 hour"), ("1 day", "3 days"), ("1 hour", "1 hour")])
            call = f"HOP({source.name}, {column}, INTERVAL '{slide}', INTERVAL '{size}')"
            last = f"date_bin(interval '{slide}', {column}, {origin})"
            pg = (f"(SELECT r.*, w AS window_start, w + interval '{size}' AS window_end FROM {source.name} AS r, "
                  f"generate_series({last} - interval '{size}' + interval '{slide}', {last}, interval '{slide}') AS w) AS {alias}")
        else:
            step, size = self.rng.choice([("1 hour", "4 hours"), ("6 hours", "1 day"), ("15 minutes", "1 hour")])
            call = f"CUMULATE({source.name}, {column}, INTERVAL '{step}', INTERVAL '{size}')"
            start = f"date_bin(interval '{size}', {column}, {origin})"
            first = f"date_bin(interval '{step}', {column}, {origin}) + interval '{step}'"
            pg = (f"(SELECT r.*, {start} AS window_start, w AS window_end FROM {source.name} AS r, "
                  f"generate_series({first}, {start} + interval '{size}', interval '{step}') AS w) AS {alias}")
        node = Node("from", [Both(f"{call} AS {alias}", pg)], features=(f"window.{kind}",))
        return Item(node, columns, source.rows * (1 if kind == "tumble" else 3))

    def derived(self, level):
        query, types = self.select(level + 1, None)
        alias = self.alias()
        columns = [expr(t, f"{alias}.c{i}") for i, t in enumerate(types)]
        lateral = seq("(", query, f") AS {alias}", features=("from.subselect",))
        return Item(Node("from", [lateral]), columns, 30, {f"c{i}": t for i, t in enumerate(types)})

    def pairs(self, left, right):
        return [(a, b) for a in left for b in right if a.type == b.type and a.type in ANY_TYPES and a.type != "bool"]

    def join(self, left, level):
        if level < 2 and self.maybe(0.06, "from.lateral"):
            return self.lateral(left, level)
        right = self.from_item(level)
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
        conditions, features = [], [f"join.{kind}"]
        for a, b in self.rng.sample(pairs, min(len(pairs), 1 if self.chance(0.75) else 2)):
            if self.maybe(0.05, "join.null-safe"):
                conditions.append(expr("bool", a, " IS NOT DISTINCT FROM ", b, features=("join.null-safe",)))
            elif self.chance(0.08):
                conditions.append(expr("bool", self.expression(a.type, left.columns, 1), " = ", self.expression(a.type, right.columns, 1)))
            else:
                conditions.append(expr("bool", *((a, " = ", b) if self.chance(0.5) else (b, " = ", a))))
        extra = "join.condition" if kind == "inner" else "join.outer-condition"
        if self.maybe(0.15, extra):
            conditions.append(self.expression("bool", columns, 1))
            features.append(extra)
        if small and self.maybe(0.05, "join.nonequi"):
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

    # ---- SELECT ----

    def where(self, columns, level, outer=(), correlate=0.0):
        conditions, features = [], []
        pairs = self.pairs(columns, outer) if outer else []
        if pairs and correlate and self.grammar.has("subquery.correlated") and self.chance(correlate):
            for a, b in self.rng.sample(pairs, min(len(pairs), 1 if self.chance(0.8) else 2)):
                if self.maybe(0.12, "subquery.correlated-inequality"):
                    conditions.append(expr("bool", a, self.rng.choice([" < ", " >= ", " <> "]), b,
                                           features=("subquery.correlated-inequality",)))
                else:
                    conditions.append(expr("bool", a, " = ", b))
            features.append("subquery.correlated")
        for _ in range(self.rng.choice([0, 0, 0, 1, 1, 1, 2])):
            conditions.append(self.predicate(columns, 2, level))
        if not conditions:
            return seq(), ()
        return optional(" WHERE ", listing(conditions, " AND "), features=("where",)), features

    def item_types(self, columns, wanted):
        if wanted is not None:
            return wanted
        return [self.some_type(columns) for _ in range(self.rng.choice([1, 2, 2, 3, 3, 4]))]

    def select(self, level, wanted, outer=(), plain=False, correlate=0.0):
        """A query whose columns are named c0, c1, ...; and their types. wanted: the types they must have."""
        if not plain and level < 2 and self.maybe(0.10 if level == 0 else 0.05, "query.with"):
            return self.with_query(level, wanted)
        if not plain and level < 2 and self.chance(0.13):
            found = self.set_operation(level, wanted)
            if found is not None:
                return found
        source = self.from_clause(level)
        columns = source.columns
        where, features = self.where(columns, level, outer, correlate)
        if self.maybe(0.42 if level == 0 else 0.25, "group.by"):
            items, tail = self.grouped(columns, wanted, level)
        elif self.grammar.windows and wanted is None and self.chance(0.16):
            items, tail = self.over(columns)
        else:
            items, tail = [], seq()
            for type in self.item_types(columns, wanted):
                value = self.expression(type, columns, 2)
                if level < 2 and self.maybe(0.04, "subquery.select-list"):
                    value = self.scalar_subquery(type, columns, level)
                items.append(value)
        types = [v.type for v in items]
        distinct = ""
        if self.maybe(0.1, "select.distinct") and "json" not in types:
            distinct = optional("DISTINCT ", features=("select.distinct",))
        select = listing([seq(v, f" AS c{i}") for i, v in enumerate(items)])
        body = ["SELECT ", distinct, select, " FROM ", source.node, where, tail]
        body.append(self.order(types, level, plain))
        return Node("query", body, features=features), types

    def order(self, types, level, plain):
        """ORDER BY over all columns, at times with LIMIT; below the top it always has LIMIT."""
        if not self.maybe(0.12 if level == 0 else 0.05 if not plain else 0.03, "order.by"):
            return seq()
        ordinals = list(range(1, len(types) + 1))
        self.rng.shuffle(ordinals)
        keys = [f"{i}{self.rng.choice(['', ' DESC', ' ASC', ' NULLS FIRST', ' DESC NULLS LAST'])}" for i in ordinals]
        parts, names = [" ORDER BY ", ", ".join(keys)], ["order.by"]
        if level > 0 or self.chance(0.7):
            if self.grammar.has("order.limit"):
                parts.append(f" LIMIT {self.rng.choice([0, 1, 2, 3, 5, 10])}" if self.chance(0.9) else " LIMIT ALL")
                names.append("order.limit")
            if self.maybe(0.3, "order.offset"):
                parts.append(f" OFFSET {self.rng.choice([0, 1, 2, 5])}")
                names.append("order.offset")
            if len(names) == 1:
                return seq()
        return optional(*parts, features=names)

    def grouped(self, columns, wanted, level):
        keys = []
        for _ in range(self.rng.choice([0, 1, 1, 1, 2, 2, 3])):
            type = self.some_type(columns)
            key = self.expression(type, columns, 1 if self.chance(0.3) else 0)
            if not any(c in self.leaves(key) for c in columns):
                candidates = [c for c in columns if c.type in ANY_TYPES]
                if not candidates:
                    continue
                key = self.rng.choice(candidates)
            keys.append(key)
        aggregates = [self.aggregate(columns) for _ in range(self.rng.choice([1, 1, 2, 3]))]
        scope = keys + aggregates
        if wanted is not None:
            items = [self.expression(t, scope, 1) for t in wanted]
        else:
            items = [k for k in keys if self.chance(0.85)] + [a if self.chance(0.7) else self.over_aggregates(scope, a) for a in aggregates]
        if not items:
            items = [aggregates[0]]
        tail = []
        if keys:
            tail.append(self.group_by(keys))
        if self.maybe(0.2, "group.having"):
            tail.append(optional(" HAVING ", self.having(scope), features=("group.having",)))
        return items, seq(*tail, features=("group.by",) if keys else ("group.all",))

    def group_by(self, keys):
        if len(keys) >= 1:
            for kind, form in (("rollup", "ROLLUP ("), ("cube", "CUBE ("), ("sets", None)):
                if self.maybe(0.05, f"group.{kind}"):
                    if form:
                        return seq(" GROUP BY ", form, listing(keys), ")", features=(f"group.{kind}",))
                    return seq(" GROUP BY GROUPING SETS (", listing([seq("(", k, ")") for k in keys]), ", ())",
                               features=("group.sets",))
        return seq(" GROUP BY ", listing(keys))

    def over_aggregates(self, scope, aggregate):
        return self.expression(aggregate.type, scope, 2)

    def having(self, scope):
        usable = [c for c in scope if c.type in ANY_TYPES]
        return self.compare(usable) if self.chance(0.7) else self.expression("bool", scope, 2)

    @staticmethod
    def leaves(node):
        found, stack = [], [node]
        while stack:
            n = stack.pop()
            if isinstance(n, Node):
                found.append(n)
                stack += n.parts
        return found

    def aggregate(self, columns):
        types = {c.type for c in columns}
        for _ in range(8):
            production = self.rng.choice(self.grammar.aggregates)
            needs = [p[1] for p in production.places if not isinstance(p, str) and p[0] == "type" and p[1] != "="]
            if all(t in types for t in needs):
                break
        made = self.produce(production, self.some_type(columns), columns, 1)
        if "DISTINCT" in production.template or "WITHIN" in production.template or not self.maybe(0.15, "aggregate.filter"):
            return made
        return expr(made.type, made, " FILTER (WHERE ", self.expression("bool", columns, 1), ")", features=("aggregate.filter",))

    def over(self, columns):
        """Items of which some are window functions."""
        items = []
        for _ in range(self.rng.choice([1, 2])):
            items.append(self.leaf(self.some_type(columns), columns))
        more = {"total": lambda: self.window(columns, total=True), "ties": lambda: self.window(columns, ties=True),
                "frame": lambda: self.window(columns, total=True, frame=True), "any": lambda: self.window(columns)}
        for _ in range(self.rng.choice([1, 1, 2])):
            production = self.rng.choice(self.grammar.windows)
            items.append(self.produce(production, self.some_type(columns), columns, 1, more))
        return items, seq(features=("over",))

    def window(self, columns, total=False, ties=False, frame=False):
        usable = [c for c in columns if c.type in ORDERED]
        parts = []
        if self.chance(0.7):
            parts.append(seq("PARTITION BY ", listing(self.rng.sample(usable, min(len(usable), self.rng.choice([1, 1, 2]))))))
        if total or ties or self.chance(0.4):
            keys = self.rng.sample(usable, min(len(usable), 1 if self.chance(0.7) else 2))
            if total:
                keys += [c for c in usable if c not in keys]
            parts.append(seq(" ORDER BY ", ", ".join(f"{k}{self.rng.choice(['', ' DESC', ' NULLS FIRST'])}" for k in keys)))
        if frame and self.chance(0.8):
            units = self.rng.choice([u for u in ("ROWS", "GROUPS") if self.grammar.has(f"over.{u.lower()}")] or ["ROWS"])
            start = self.rng.choice(["UNBOUNDED PRECEDING", "1 PRECEDING", "2 PRECEDING", "CURRENT ROW"])
            end = self.rng.choice(["CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING"])
            exclude = self.rng.choice(["", "", " EXCLUDE CURRENT ROW", " EXCLUDE TIES"]) if self.grammar.has("over.exclude") else ""
            parts.append(f" {units} BETWEEN {start} AND {end}{exclude}")
        return seq("(", *parts, ")")

    # ---- several SELECTs ----

    def set_operation(self, level, wanted):
        kinds = [k for k in ("union", "union all", "intersect", "except", "intersect all", "except all")
                 if self.grammar.has("set." + k.replace(" ", "-"))]
        if not kinds:
            return None
        kind = self.rng.choice(kinds)
        left, types = self.select(level + 1, wanted)
        right, _ = self.select(level + 1, types, plain=True)
        parts = ["(", left, f") {kind.upper()} (", right, ")"]
        if level < 1 and self.chance(0.2):
            kind = self.rng.choice(kinds)
            parts += [f" {kind.upper()} (", self.select(level + 1, types, plain=True)[0], ")"]
        parts.append(self.order(types, level, False))
        return Node("query", parts, features=("set." + kind.replace(" ", "-"),)), types

    def with_query(self, level, wanted):
        query, types = self.select(level + 1, None)
        name = f"w{self.alias()}"
        source = Source(name, [(f"c{i}", t) for i, t in enumerate(types)], 30)
        self.ctes.append(source)
        main, types = self.select(level + 1, wanted, plain=True)
        self.ctes.remove(source)
        return Node("query", [f"WITH {name} AS (", query, ") ", main], features=("query.with",)), types
