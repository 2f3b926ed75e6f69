"""Random expressions: a column of the scope, a constant or a production of the catalogue, of a type that is asked for.
The scope is a list of expressions that are columns there (of FROM, or keys and aggregates of groups)."""
from . import domains
from .catalogue import ANY_TYPES, GREATEST_TYPES
from .tree import Node, expr


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
ORDERED = set(ANY_TYPES) | {"varchar", "int4[]", "text[]", "jsonb"}


def constant(type):
    """The simplest expression of a type."""
    base = {"varchar": "text"}.get(type, type)
    return expr(type, domains.literal(base, domains.TYPES[base].small[1])) if base in domains.TYPES else None


class Expressions:
    """What draws expressions; the rest of the grammar (sources.py, query.py) stands on it."""

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
        parts, made = [], []
        for place in production.places:
            if isinstance(place, str):
                parts.append(place)
            elif place[1] in ("@1", "@2"):
                parts.append(made[int(place[1][1]) - 1])
            elif place[0] == "choice":
                parts.append(self.rng.choice(place[1]))
            elif place[1] in ("total", "ties", "frame", "any", "range"):
                parts.append(more[place[1]]())
            else:
                wanted = place[1]
                if wanted in ("=", "<"):
                    same = same or self.some_type(scope)
                    if wanted == "<" and same not in GREATEST_TYPES:
                        same = "int4"
                    wanted = same
                made.append(self.expression(wanted, scope, depth - 1))
                if wanted == "text" and production.group != "scalar" and not made[-1].features and "'" in made[-1].parts[0]:
                    made[-1] = expr("text", made[-1], "::text")  # an aggregate of any type wants to know it
                parts.append(made[-1])
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
            if self.maybe(0.02, "subquery.row"):
                return self.row_in_subquery(scope, level)
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
        return made if self.uses(made, scope) else self.compare(scope)

    def uses(self, node, columns):
        return any(c in self.leaves(node) for c in columns)

    def compare(self, scope):
        """A plain comparison of a column that some rows pass."""
        columns = [c for c in scope if c.type in ANY_TYPES]
        if not columns:
            return self.expression("bool", scope, 1)
        one = self.rng.choice(columns)
        if one.domain and self.chance(0.7):
            other = expr(one.type, domains.literal("text" if one.type == "varchar" else one.type, self.rng.choice(sorted(one.domain))))
        else:
            other = self.leaf(one.type, [c for c in scope if c is not one])
        return expr("bool", "(", one, self.rng.choice([" <= ", " >= ", " <> ", " <> ", " <= ", " >= ", " > ", " < ", " = "]), other, ")")

    # ---- sub-queries in expressions ----

    def column_query(self, type, outer, level):
        return self.select(level + 1, [type], outer=outer, plain=True)[0]

    def in_subquery(self, scope, level):
        type = self.some_type(scope)
        word = " NOT IN (" if self.maybe(0.35, "subquery.not-in") else " IN ("
        feature = "subquery.not-in" if "NOT" in word else "subquery.in"
        return expr("bool", "(", self.expression(type, scope, 1), word, self.column_query(type, scope, level), "))",
                    features=(feature,))

    def row_in_subquery(self, scope, level):
        types = [self.some_type(scope), self.some_type(scope)]
        query, _ = self.select(level + 1, types, outer=scope, plain=True)
        return expr("bool", "((", self.leaf(types[0], scope), ", ", self.leaf(types[1], scope), self.rng.choice([") IN (", ") NOT IN ("]),
                    query, "))", features=("subquery.row",))

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
