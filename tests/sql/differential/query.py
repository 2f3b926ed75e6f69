"""Random queries by a typed grammar.

A query is made of what the sources (relations, views) have. Where PostgreSQL leaves an answer open it is pinned: LIMIT
comes with an order over all output columns, functions of the order of rows with one over all columns."""
import calendar
import time

from .catalogue import ANY_TYPES
from .expressions import ORDERED
from .sources import Source, Sources
from .tree import Both, Node, expr, listing, optional, seq

# Times from which all times of the domains are hours away.
BOUNDS = [calendar.timegm(t) for t in ((2024, 2, 29, 6, 0, 0), (2024, 2, 29, 18, 0, 0), (2024, 2, 28, 12, 0, 0), (2024, 3, 15, 0, 0, 0), (2024, 1, 1, 0, 0, 0))]


class Generator(Sources):
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
        if level < 2 and self.maybe(0.06, "where.now"):
            found = [c for c in columns if c.type in ("timestamp", "timestamptz") and c.domain]
            if found:
                conditions.append(self.temporal(self.rng.choice(found)))
        for _ in range(self.rng.choice([0, 0, 0, 1, 1, 1, 2] if level == 0 else [0, 0, 0, 0, 1, 1])):
            conditions.append(self.predicate(columns, 2, level))
        if not conditions:
            return seq(), ()
        return optional(" WHERE ", listing(conditions, " AND "), features=("where",)), features

    def temporal(self, column):
        """A comparison with now() whose bound lies hours from each value of the column: it stays as it is while a world runs."""
        bound = self.rng.choice(BOUNDS)
        hours = round((time.time() - bound) / 3600)
        clock = "now()" if column.type == "timestamptz" else "LOCALTIMESTAMP"
        form = self.rng.choice(["{c} {o} {n} - interval '{h} hours'", "{n} - {c} {p} interval '{h} hours'", "{c} + interval '{h} hours' {o} {n}",
                                "NOT {c} {p} {n} - interval '{h} hours'"])
        compare = self.rng.choice([("<", ">"), (">", "<"), ("<=", ">="), (">=", "<=")])
        if form.startswith("NOT"):
            compare = compare[::-1]
        said = form.format(c=column, n=clock, h=hours, o=compare[0], p=compare[1])
        return expr("bool", f"({said})", features=("where.now",))

    def item_types(self, columns, wanted):
        if wanted is not None:
            return wanted
        return [self.some_type(columns) for _ in range(self.rng.choice([1, 2, 2, 3, 3, 4]))]

    def select(self, level, wanted, outer=(), plain=False, correlate=0.0):
        """A query whose columns are named c0, c1, ...; and their types. wanted: the types they must have."""
        if not plain and level < 2 and self.maybe(0.10 if level == 0 else 0.05, "query.with"):
            return self.with_query(level, wanted)
        if not plain and level == 0 and wanted is None and self.maybe(0.03, "window.emit"):
            made = self.emitted()
            if made is not None:
                return made
        if not plain and level < 2 and wanted is None and self.chance(0.03):
            made = self.top_of_groups(level) if self.maybe(0.6, "over.top") else self.distinct_on(level)
            if made is not None:
                return made
        if not plain and level < 2 and self.chance(0.13):
            found = self.set_operation(level, wanted)
            if found is not None:
                return found
        source = self.from_clause(level)
        columns = source.columns
        where, features = self.where(columns, level, outer, correlate)
        if self.maybe(0.42 if level == 0 else 0.25, "group.by"):
            items, tail = self.grouped(columns, wanted, level)
            if not outer and wanted is None and self.maybe(0.1, "group.ordinal"):
                tail = self.by_ordinals(items, tail)
        elif self.grammar.windows and wanted is None and self.chance(0.25):
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
        if level == 0 and wanted is None and self.chance(0.06):
            features = [*features, "select.unnamed"]
            select = listing(items)
            if not tail.features and self.chance(0.5):
                return Node("query", ["SELECT * FROM ", source.node, where, seq()], features=features), []
        body = ["SELECT ", distinct, select, " FROM ", source.node, where, tail]
        body.append(self.order(types, level, plain))
        return Node("query", body, features=features), types

    def order(self, types, level, plain):
        """ORDER BY over all columns, at times with LIMIT; below the top it always has LIMIT."""
        if "jsonb" in types or not self.maybe(0.12 if level == 0 else 0.05 if not plain else 0.03, "order.by"):
            return seq()
        ordinals = list(range(1, len(types) + 1))
        self.rng.shuffle(ordinals)
        keys = [f"{i}{self.rng.choice(['', ' DESC', ' ASC', ' NULLS FIRST', ' DESC NULLS LAST'])}" for i in ordinals]
        parts, names = [" ORDER BY ", ", ".join(keys)], ["order.by"]
        if level > 0 or self.chance(0.7):
            if self.maybe(0.08, "order.ties"):
                parts = [" ORDER BY ", ", ".join(keys[:1]), f" FETCH FIRST {self.rng.choice([1, 2, 4])} ROWS WITH TIES"]
                return optional(*parts, features=("order.limit", "order.ties"))
            if self.grammar.has("order.limit"):
                parts.append(f" LIMIT {self.rng.choice([1, 2, 3, 5, 5, 10, 10, 0])}" if self.chance(0.9) else " LIMIT ALL")
                names.append("order.limit")
            if self.maybe(0.3, "order.offset"):
                parts.append(f" OFFSET {self.rng.choice([0, 1, 1, 2, 5])}")
                names.append("order.offset")
            if len(names) == 1:
                return seq()
        return optional(*parts, features=names)

    def grouped(self, columns, wanted, level):
        keys = []
        for _ in range(self.rng.choice([0, 1, 1, 1, 2, 2, 3])):
            type = self.some_type(columns)
            key = self.expression(type, columns, 1 if self.chance(0.3) else 0)
            if not self.uses(key, columns):
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
            shown = [k for k in keys if self.chance(0.85)]
            if keys and self.maybe(0.3, "group.grouping"):
                shown.append(expr("int4", "grouping(", self.rng.choice(keys), ")", features=("group.grouping",)))
            items = shown + [a if self.chance(0.7) else self.over_aggregates(scope, a) for a in aggregates]
        if not items:
            items = [aggregates[0]]
        if wanted is None and keys and self.maybe(0.1, "over.grouped"):
            items.append(self.window_function(scope, grouped=True))
            features = ("over.grouped",)
        else:
            features = ()
        tail = []
        if keys:
            tail.append(self.group_by(keys))
        if self.maybe(0.2, "group.having"):
            tail.append(optional(" HAVING ", self.having(scope), features=("group.having",)))
        return items, seq(*tail, features=(*features, "group.by" if keys else "group.all"))

    def by_ordinals(self, items, tail):
        """The same with GROUP BY 1, c1 in place of the keys that are shown; None is left as it is."""
        clause = tail.parts[0] if tail.parts else None
        if clause is None or clause.parts[0] != " GROUP BY " or not isinstance(clause.parts[1], Node):
            return tail
        keys = [seq(str(items.index(k) + 1)) if k in items else k for k in clause.parts[1].parts]
        return seq(seq(" GROUP BY ", listing(keys)), *tail.parts[1:], features=(*tail.features, "group.ordinal"))

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
        return self.compare(usable) if self.chance(0.7) else self.predicate(scope, 2, 9)

    @staticmethod
    def leaves(node):
        found, stack = [], [node]
        while stack:
            n = stack.pop()
            if isinstance(n, Node):
                found.append(n)
                stack += n.parts
        return found

    def approximate(self, columns):
        """Whether an approximate aggregate is as near to the exact one as it says; PostgreSQL's text is true."""
        numbers = [c for c in columns if c.type in ("int4", "int8", "numeric") and len(c.parts) == 1]
        x = self.rng.choice([c for c in columns if c.type in ANY_TYPES and len(c.parts) == 1] or [None])
        if numbers and self.chance(0.5):
            fraction, near = self.rng.choice(["0", "0.5", "0.9", "1"]), self.rng.choice(["0.01", "0.1"])
            x = self.rng.choice(numbers)
            exact = f"percentile_disc({fraction}) WITHIN GROUP (ORDER BY {x})"
            given = self.rng.choice([f"approx_percentile({fraction}, {x}, {near})", f"approx_percentile({fraction}, {near}) WITHIN GROUP (ORDER BY {x})"])
            # Not abs(exact): of the least whole number there is none, and the row would fail.
            off = f"abs({given} - {exact}) <= {near}1 * abs(({exact})::float8)"
            said = f"(({given} IS NULL) = ({exact} IS NULL) AND coalesce({off}, true))"
        elif x is not None:
            said = f"(abs(approx_count_distinct({x}) - count(DISTINCT {x})) <= 1 + 0.03 * count(DISTINCT {x}))"
        else:
            return None
        return expr("bool", Both(said, "(count(*) >= 0)"), features=("aggregate.approximate",))

    def aggregate(self, columns):
        if self.maybe(0.03, "aggregate.approximate"):
            made = self.approximate(columns)
            if made is not None:
                return made
        types = {c.type for c in columns}
        for _ in range(8):
            production = self.rng.choice(self.grammar.aggregates)
            needs = [p[1] for p in production.places if not isinstance(p, str) and p[0] == "type" and p[1] != "="]
            if all(t in types for t in needs):
                break
        made = self.produce(production, self.some_type(columns), columns, 1)
        bare = not any(word in production.template for word in ("DISTINCT", "WITHIN", "FILTER", "::", "array_to_string"))
        if not bare or not self.maybe(0.15, "aggregate.filter"):
            return made
        return expr(made.type, made, " FILTER (WHERE ", self.expression("bool", columns, 1), ")", features=("aggregate.filter",))

    def over(self, columns):
        """Items of which some are window functions."""
        items = []
        for _ in range(self.rng.choice([1, 2])):
            items.append(self.leaf(self.some_type(columns), columns))
        # Of rows that are the same in all columns any is the first: two functions that see an order could disagree.
        items.append(self.window_function(columns))
        if self.chance(0.3):
            items.append(self.window_function(columns, peers=True))
        return items, seq(features=("over",))

    def window_function(self, columns, peers=False, grouped=False):
        more = {"total": lambda: self.window(columns, total=True), "ties": lambda: self.window(columns, ties=True),
                "frame": lambda: self.window(columns, total=True, frame=True), "any": lambda: self.window(columns),
                "range": lambda: self.range_window(columns)}
        usable = [p for p in self.grammar.windows if not peers or not (("type", "total") in p.places or ("type", "frame") in p.places)]
        if grouped:  # FILTER may not have aggregates
            usable = [p for p in usable if "FILTER" not in p.template]
        return self.produce(self.rng.choice(usable), self.some_type(columns), columns, 1, more)

    def window(self, columns, total=False, ties=False, frame=False):
        usable = [c for c in columns if c.type in ORDERED]
        parts = []
        if self.chance(0.7):
            parts.append(seq("PARTITION BY ", listing(self.rng.sample(usable, min(len(usable), self.rng.choice([1, 1, 2]))))))
        if total or ties or self.chance(0.4):
            keys = self.rng.sample(usable, min(len(usable), 1 if self.chance(0.7) else 2))
            if total:
                keys += [c for c in usable if c not in keys] + [seq(c, "::text") for c in columns if c.type == "jsonb"]
            parts.append(seq(" ORDER BY ", listing([seq(k, self.rng.choice(["", " DESC", " NULLS FIRST"])) for k in keys], least=len(keys))))
        if frame and self.chance(0.8):
            units = self.rng.choice([u for u in ("ROWS", "GROUPS") if self.grammar.has(f"over.{u.lower()}")] or ["ROWS"])
            start = self.rng.choice(["UNBOUNDED PRECEDING", "1 PRECEDING", "2 PRECEDING", "CURRENT ROW"])
            end = self.rng.choice(["CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING"])
            exclude = self.rng.choice(["", "", " EXCLUDE CURRENT ROW", " EXCLUDE TIES", " EXCLUDE GROUP"]) if self.grammar.has("over.exclude") else ""
            used = [f"over.{units.lower()}"] + (["over.exclude"] if exclude else [])
            parts.append(seq(f" {units} BETWEEN {start} AND {end}{exclude}", features=used))
        return seq("(", *parts, ")")

    def range_window(self, columns):
        """A frame by distances from the value that the order is by."""
        distances = {"int4": ["0", "1", "2", "10"], "int8": ["1", "3"], "int2": ["1"], "numeric": ["0.5", "2", "10"], "float8": ["0.5", "1"],
                     **dict.fromkeys(("date", "timestamp", "timestamptz"), ["interval '1 hour'", "interval '1 day'", "interval '1 month'"])}
        usable = [c for c in columns if c.type in distances]
        if not usable or not self.grammar.has("over.range"):
            return self.window(columns, ties=True)
        key = self.rng.choice(usable)
        far = distances[key.type]
        bounds = [*(f"{d} PRECEDING" for d in reversed(far)), "CURRENT ROW", *(f"{d} FOLLOWING" for d in far)]
        first, last = sorted(self.rng.choices(range(len(bounds)), k=2))
        start = "UNBOUNDED PRECEDING" if self.chance(0.15) else bounds[first]
        end = "UNBOUNDED FOLLOWING" if self.chance(0.15) else bounds[last]
        parts = []
        if self.chance(0.6):
            by = [c for c in columns if c.type in ORDERED]
            parts.append(seq("PARTITION BY ", self.rng.choice(by), " "))
        exclude = self.rng.choice(["", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"]) if self.grammar.has("over.exclude") else ""
        parts.append(seq("ORDER BY ", key, self.rng.choice(["", " DESC", " NULLS FIRST"])))
        return seq("(", *parts, f" RANGE BETWEEN {start} AND {end}{exclude})", features=("over.range",))

    def emitted(self):
        """Final rows alone: a view over windows of a stream without a key, whose watermark follows from its rows."""
        found = [s for s in self.sources if s.delay is not None]
        if not found:
            return None
        source, alias = self.rng.choice(found), self.alias()
        item = self.windowed(source, alias, ("tumble", "hop", "cumulate"), "at")
        if item is None:
            return None
        keys = [item.columns[-1]]
        usable = [c for c in item.columns[:-4] if c.type in ANY_TYPES]
        keys += self.rng.sample(usable, min(len(usable), self.rng.choice([0, 0, 1])))
        aggregates = [self.aggregate(item.columns) for _ in range(self.rng.choice([1, 2]))]
        items = keys + aggregates
        conditions, features = self.where(item.columns, 2)
        bound = f"(SELECT max(at) - interval '{source.delay}' FROM {source.name})"
        clause = f" HAVING {alias}.window_end <= {bound}"
        node = Node("query", ["SELECT ", listing([seq(v, f" AS c{i}") for i, v in enumerate(items)], least=len(items)), " FROM ", item.node, conditions,
                              " GROUP BY ", listing(keys, least=len(keys)), Both(" EMIT ON WINDOW CLOSE", clause), seq()],
                    features=("window.emit", "group.by", *features))
        return node, [v.type for v in items]

    def top_of_groups(self, level):
        """The first rows of each partition, in the form that planners know."""
        source = self.from_clause(level + 1)
        usable = [c for c in source.columns if c.type in ORDERED]
        items = self.rng.sample(source.columns, min(len(source.columns), self.rng.choice([1, 2, 3])))
        function = self.rng.choice(["row_number()", "rank()", "dense_rank()"])
        window = self.window(source.columns, total=function == "row_number()", ties=True)
        inner = self.alias()
        names = [f"c{i}" for i in range(len(items))]
        where, features = self.where(source.columns, level + 1)
        query = Node("query", ["SELECT ", listing([seq(v, f" AS {n}") for n, v in zip(names, items)]), f", {function} OVER ", window,
                               " AS r FROM ", source.node, where], features=features)
        outer = names + (["r"] if self.chance(0.5) else [])
        limit = self.rng.choice(["<= 1", "<= 2", "< 3", "= 1", "= 2", "BETWEEN 2 AND 3"])
        types = [c.type for c in items] + ["int8"] * (len(outer) > len(names))
        node = Node("query", ["SELECT ", ", ".join(f"{inner}.{n} AS c{i}" for i, n in enumerate(outer)), " FROM (", query, f") AS {inner} "
                              f"WHERE {inner}.r {limit}"], features=("over.top", "from.subselect"))
        return (node, types) if usable else None

    def distinct_on(self, level):
        if not self.grammar.has("select.distinct-on"):
            return None
        source = self.from_clause(level + 1)
        usable = [c for c in source.columns if c.type in ORDERED]
        if not usable:
            return None
        keys = self.rng.sample(usable, min(len(usable), self.rng.choice([1, 1, 2])))
        rest = [c for c in usable if c not in keys]
        rest += [f"{c}::text" for c in source.columns if c.type == "jsonb"]
        self.rng.shuffle(rest)
        items = self.rng.sample(source.columns, min(len(source.columns), self.rng.choice([1, 2, 3])))
        where, features = self.where(source.columns, level + 1)
        order = ", ".join(f"{k}{self.rng.choice(['', ' DESC', ' NULLS FIRST'])}" for k in keys + rest)
        # As it orders by columns that are not shown, its own order is not compared.
        return Node("query", ["SELECT DISTINCT ON (", ", ".join(str(k) for k in keys), ") ",
                              listing([seq(v, f" AS c{i}") for i, v in enumerate(items)]), " FROM ", source.node, where,
                              f" ORDER BY {order}", seq()], features=("select.distinct-on", *features)), [c.type for c in items]

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
        name = f"w{self.alias()}"
        if self.maybe(0.15, "query.recursive"):
            return self.recursive(level, wanted, name)
        query, types = self.select(level + 1, None)
        source = Source(name, [(f"c{i}", t) for i, t in enumerate(types)], 30)
        self.ctes.append(source)
        main, types = self.select(level + 1, wanted, plain=True)
        self.ctes.remove(source)
        return Node("query", [f"WITH {name} AS (", query, ") ", main], features=("query.with",)), types

    def recursive(self, level, wanted, name):
        """A walk over a relation's rows from one column to another of its type, or a counter."""
        start, types = self.select(level + 1, ["int4"], plain=True)
        step = self.rng.choice([f"SELECT {name}.c0 + {self.rng.choice([1, 3])} FROM {name} WHERE {name}.c0 < {self.rng.choice([5, 12])} "
                                f"AND {name}.c0 > -20", None])
        if step is None:
            source = self.rng.choice(self.sources)
            columns = [c for c in source.items("e") if c.type == "int4"]
            if len(columns) < 2:
                return self.select(level + 1, wanted, plain=True)
            a, b = self.rng.sample(columns, 2)
            step = f"SELECT {a} FROM {name} JOIN {source.name} AS e ON {b} = {name}.c0"
        source = Source(name, [("c0", types[0])], 30)
        self.ctes.append(source)
        main, types = self.select(level + 1, wanted, plain=True)
        self.ctes.remove(source)
        # UNION takes each row once, so that a walk in a circle ends.
        return Node("query", [f"WITH RECURSIVE {name} (c0) AS ((", start, f") UNION {step}) ", main], features=("query.recursive",)), types
