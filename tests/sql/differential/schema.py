"""Random schemas and their change histories.

A history is a list of phases; at the end of each the views are compared. A phase is a list of commits:
  ("insert", relation, rows)   one INSERT
  ("ingest", relation, ops)    one request over HTTP: ("put", row) and ("delete", key) in any order
  ("kill",) | ("restart",)     of the server
  ("flush",)
`Model` says which rows a relation has after them: a stream keeps the first row of a key, a table the last."""
from . import domains


class Column:
    def __init__(self, name, type, declared, domain, nullable):
        self.name, self.type, self.declared, self.domain, self.nullable = name, type, declared, domain, nullable


class Relation:
    def __init__(self, name, is_table, columns, key, watermark):
        self.name, self.is_table, self.columns, self.key, self.watermark = name, is_table, columns, key, watermark

    def create(self, dialect):
        lines = [f"{c.name} {c.declared}{'' if c.nullable else ' NOT NULL'}" for c in self.columns]
        if self.key:
            lines.append(f"PRIMARY KEY ({', '.join(self.columns[i].name for i in self.key)})")
        kind = "TABLE"
        if dialect == "weir":
            kind = "TABLE" if self.is_table else "STREAM"
            if self.watermark:
                lines.append(self.watermark)
        return f"CREATE {kind} {self.name} ({', '.join(lines)})"

    def key_of(self, row):
        return tuple(row[i] for i in self.key)

    def insert(self, rows):
        values = ", ".join("(" + ", ".join(domains.in_values(c.type, v) for c, v in zip(self.columns, row)) + ")" for row in rows)
        return f"INSERT INTO {self.name} VALUES {values}"

    def records(self, ops, rng):
        lines = []
        for op, row in ops:
            if op == "put":
                fields = [(c.name, domains.as_json(c.type, v)) for c, v in zip(self.columns, row)
                          if v is not None or rng.random() < 0.5]
            else:
                keys = [self.columns[i] for i in self.key]
                fields = [("_op", '"delete"')] + [(c.name, domains.as_json(c.type, v)) for c, v in zip(keys, row)]
            lines.append("{" + ",".join(f'"{n}":{v}' for n, v in fields) + "}")
        return "\n".join(lines)


class Model:
    """The rows of each relation after a part of the history."""

    def __init__(self, relations):
        self.relations = {r.name: r for r in relations}
        self.rows = {r.name: ({} if r.key else []) for r in relations}

    def apply(self, commit):
        """The name of the relation that changed, or None."""
        if commit[0] not in ("insert", "ingest"):
            return None
        relation = self.relations[commit[1]]
        ops = [("put", row) for row in commit[2]] if commit[0] == "insert" else commit[2]
        rows = self.rows[relation.name]
        for op, row in ops:
            if not relation.key:
                rows.append(row)
            elif op == "delete":
                rows.pop(row, None)
            elif relation.is_table:
                rows[relation.key_of(row)] = row
            else:
                rows.setdefault(relation.key_of(row), row)
        return relation.name

    def all(self, name):
        rows = self.rows[name]
        return list(rows.values()) if isinstance(rows, dict) else rows


def wide_key(rng, column, large):
    """A key of one column must give more than a handful of rows."""
    if large:
        return domains.as_declared(domains.draw_domain(rng, column.type, True), column.declared)
    if column.type in ("text", "varchar"):
        more = [f"{c}{n}" for c in "abc" for n in range(10)]
    elif column.type == "date":
        more = [f"2024-02-{n:02}" for n in range(1, 30)]
    else:
        more = [str(n) for n in range(60)]
    return list(dict.fromkeys(column.domain + more[:rng.choice([8, 30, 60])]))


COMMON = ["int4", "int4", "int8", "numeric", "numeric", "text", "text", "bool", "timestamp", "timestamptz", "date"]
RARE = ["int2", "float8", "float4", "varchar", "interval", "time", "uuid", "jsonb", "int4[]", "text[]"]
KEYS = ["int4", "int8", "text", "date", "varchar", "int2"]


def random_schema(rng, large=False):
    shared = {}

    def domain(type, declared):
        """Mostly the same domain for all columns of a type."""
        if type not in shared or rng.random() < 0.2:
            shared[type] = domains.draw_domain(rng, type, large and rng.random() < 0.8)
        return domains.as_declared(shared[type], declared)

    def column(name, type, nullable):
        declared = rng.choice(domains.TYPES[type].declared)
        return Column(name, type, declared, domain(type, declared), nullable)

    relations = []
    # A few types are in each relation, so that joins find a partner.
    common = rng.sample(["int4", "int8", "text", "date", "numeric"], 2)
    for i in range(rng.randint(2, 5)):
        is_table = rng.random() < 0.55
        columns, key = [], []
        if is_table or rng.random() < 0.6:
            for k in range(1 if rng.random() < 0.75 else 2):
                columns.append(column(f"k{k}", rng.choice(KEYS if is_table else KEYS[:3]), False))
                key.append(k)
            if len(key) == 1:
                columns[0].domain = wide_key(rng, columns[0], large)
        types = [t for t in common if rng.random() < 0.85]
        types += [rng.choice(COMMON if rng.random() < 0.75 else RARE) for _ in range(rng.randint(1, 5))]
        for n, type in enumerate(types):
            columns.append(column(f"{'abcdefghij'[n]}{i}" if rng.random() < 0.7 else "abcdefghij"[n], type, rng.random() < 0.75))
        watermark = None
        if not is_table:
            columns.append(Column("at", rng.choice(["timestamp", "timestamptz"]), "", None, False))
            columns[-1].declared = domains.TYPES[columns[-1].type].declared[0]
            columns[-1].domain = domains.TYPES[columns[-1].type].wide
            if rng.random() < 0.6:
                watermark = f"WATERMARK FOR at AS at - INTERVAL '{rng.choice(['0 seconds', '10 minutes', '1 day'])}'"
        names = set()
        unique = []
        for c in columns:
            if c.name not in names:
                unique.append(c)
                names.add(c.name)
        rng_key = [unique.index(columns[k]) for k in key]
        relations.append(Relation(f"{'t' if is_table else 's'}{i}", is_table, unique, rng_key, watermark))
    return relations


def random_row(rng, relation):
    return tuple(None if c.nullable and rng.random() < 0.18 else rng.choice(c.domain) for c in relation.columns)


def random_history(rng, relations, phases, large=False):
    model = Model(relations)
    history = []
    for phase in range(phases):
        commits = []
        for relation in relations:
            if phase > 0 and rng.random() < 0.25:
                continue
            counts = [300, 1200] if large else [6, 15, 25, 40] if phase == 0 else [2, 6, 15, 25]
            rows = [random_row(rng, relation) for _ in range(rng.choice(counts))]
            lump = rng.choice([100, 2000] if large else [1, 3, 10, 100])
            while rows:
                n = rng.randint(1, lump)
                part, rows = rows[:n], rows[n:]
                if rng.random() < 0.5:
                    commits.append(("insert", relation.name, part))
                else:
                    commits.append(("ingest", relation.name, [("put", row) for row in part]))
        rng.shuffle(commits)
        commits = with_deletes(rng, model, commits)
        if rng.random() < 0.3:
            commits.insert(rng.randint(0, len(commits)), (rng.choice(["kill", "restart"]),))
        if rng.random() < 0.3:
            commits.insert(rng.randint(0, len(commits)), ("flush",))
        history.append(commits)
    return history


def with_deletes(rng, model, commits):
    """The commits with deletions of rows that are there, and at times of some that are not."""
    result = []
    for commit in commits:
        result.append(commit)
        model.apply(commit)
        relation = model.relations[commit[1]]
        if not relation.is_table or rng.random() > 0.2:
            continue
        ops = []
        for _ in range(rng.choice([1, 1, 3, 8])):
            keys = list(model.rows[relation.name])
            if keys and rng.random() < 0.9:
                ops.append(("delete", rng.choice(keys)))
            else:
                ops.append(("delete", relation.key_of(random_row(rng, relation))))
            if rng.random() < 0.2:
                ops.append(("put", random_row(rng, relation)))
        if rng.random() < 0.03:  # all that it has
            ops += [("delete", key) for key in list(model.rows[relation.name])]
        change = ("ingest", relation.name, ops)
        model.apply(change)
        result.append(change)
    return result
