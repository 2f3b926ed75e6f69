"""Cuts a difference down: fewer queries, commits, rows, columns, and a smaller query, as long as a run of what is left
shows the same difference; then writes it as an .slt file with PostgreSQL's answer.

Cuts are tried greedily, large ones first, until none helps or the time is over."""
import time

from . import world as worlds
from .expressions import constant
from .limits import CUT_SECONDS, CUT_STATEMENT_SECONDS, Watch
from .report import Report
from .schema import Relation
from .tree import simpler, size, text

LETTERS = {20: "I", 21: "I", 23: "I", 700: "R", 701: "R", 1700: "R", 16: "B", 25: "T", 1043: "T", 1042: "T",
           1082: "D", 1083: "D", 1114: "D", 1184: "D", 1186: "D"}


class Shrinker:
    def __init__(self, difference, pg, until, note):
        self.best, self.pg, self.note = difference, pg, note
        self.world = difference.world
        self.wanted = self.signature(difference)
        self.until = min(time.monotonic() + CUT_SECONDS, until)
        self.name = f"shrink{difference.world.seed}"

    @staticmethod
    def signature(difference):
        said = "" if difference.what in ("rows", "crash", "hang") else difference.detail.split(" at ")[0][:60]
        return difference.what, difference.where, said

    def over(self):
        return time.monotonic() > self.until

    def shows(self, world):
        """Whether the difference is there in this world too; then it is the one to go on with."""
        if self.over():
            return False
        try:
            found = worlds.Run(world, self.pg, Report(), self.name, Watch(self.until, CUT_STATEMENT_SECONDS, self.note)).run()
        except Exception:  # a cut that makes no sense: PostgreSQL refuses its statements
            return False
        for difference in found:
            if self.signature(difference) == self.wanted:
                self.best, self.world = difference, world
                return True
        return False

    def cut_list(self, items, make):
        """The fewest of the items with which make(items) shows the difference."""
        step = max(1, len(items) // 2)
        while step >= 1 and items and not self.over():
            at = 0
            while at < len(items):
                less = items[:at] + items[at + step:]
                if self.shows(make(less)):
                    items = less
                else:
                    at += step
            step //= 2
        return items

    def queries(self):
        query = self.best.query
        if query is not None and query in self.world.queries and self.shows(self.world.but(queries=[query])):
            return
        self.cut_list(list(self.world.queries), lambda less: self.world.but(queries=less))

    def bases(self):
        self.cut_list(list(self.world.bases), lambda less: self.world.but(bases=less))

    def history(self):
        if not self.shows(self.world.but(options=[[]])) and len(self.world.options) > 1:
            self.shows(self.world.but(options=self.world.options[:1]))
        if len(self.world.history) > 1:
            self.shows(self.world.but(history=[[c for phase in self.world.history for c in phase]]))
        for i in range(len(self.world.history)):
            def make(less, i=i):
                return self.world.but(history=[*self.world.history[:i], less, *self.world.history[i + 1:]])
            self.cut_list(list(self.world.history[i]), make)
        kept = [phase for phase in self.world.history if phase]
        if kept != self.world.history and kept:
            self.shows(self.world.but(history=kept))

    def rows(self):
        for i, phase in enumerate(self.world.history):
            for j, commit in enumerate(phase):
                if commit[0] in ("insert", "ingest") and len(commit[2]) > 1:
                    def make(less, i=i, j=j, commit=commit):
                        now = self.world.history[i]
                        changed = [*now[:j], (commit[0], commit[1], less), *now[j + 1:]]
                        return self.world.but(history=[*self.world.history[:i], changed, *self.world.history[i + 1:]])
                    self.cut_rows(list(commit[2]), make)

    def cut_rows(self, rows, make):
        step = max(1, len(rows) // 2)
        while step >= 1 and not self.over():
            at = 0
            while at < len(rows) and len(rows) > 1:
                less = rows[:at] + rows[at + step:]
                if less and self.shows(make(less)):
                    rows = less
                else:
                    at += step
            step //= 2

    def trees(self):
        """The query and the views it reads."""
        for group in ("queries", "bases"):
            for i in range(len(getattr(self.world, group))):
                going = True
                while going and not self.over():
                    going = self.tree_once(group, i)

    def tree_once(self, group, i):
        query = getattr(self.world, group)[i]
        before = size(query.node), len(text(query.node, "weir"))
        seen = set()
        for node in simpler(query.node, constant):
            written = text(node, "weir")
            if written in seen or (size(node), len(written)) >= before:
                continue
            seen.add(written)
            if self.over():
                return False
            changed = worlds.Query(query.number, node, query.types, query.views)
            changed.schema, changed.refresh, changed.middle = query.schema, query.refresh, query.middle
            all_of = list(getattr(self.world, group))
            all_of[i] = changed
            if self.shows(self.world.but(**{group: all_of})):
                return True
        return False

    def relations(self):
        self.cut_list(list(self.world.relations), lambda less: self.world.but(
            relations=less, history=[[c for c in phase if len(c) == 1 or c[1] in {r.name for r in less}] for phase in self.world.history]))
        for relation in list(self.world.relations):
            for column in list(relation.columns):
                if len([r for r in self.world.relations if r.name == relation.name][0].columns) > 1 and not self.over():
                    self.shows_without(relation.name, column.name)

    def shows_without(self, name, column):
        relation = next(r for r in self.world.relations if r.name == name)
        at = next((i for i, c in enumerate(relation.columns) if c.name == column), None)
        if at is None or at in relation.key:
            return
        key = [k - (k > at) for k in relation.key]
        watermark = None if column == "at" else relation.watermark
        less = Relation(name, relation.is_table, relation.columns[:at] + relation.columns[at + 1:], key, watermark)

        def row(r):
            return r[:at] + r[at + 1:]

        def commit(c):
            if len(c) == 1 or c[1] != name:
                return c
            if c[0] == "insert":
                return c[0], name, [row(r) for r in c[2]]
            return c[0], name, [(op, row(r) if op == "put" else r) for op, r in c[2]]
        history = [[commit(c) for c in phase] for phase in self.world.history]
        self.shows(self.world.but(relations=[less if r.name == name else r for r in self.world.relations], history=history))

    def run(self):
        self.queries()
        self.bases()
        self.history()
        self.rows()
        self.trees()
        self.relations()
        self.history()
        self.rows()
        self.trees()
        return self.best


def slt(difference):
    """The difference as records of sqllogictest."""
    world, query = difference.world, difference.query
    records = [f"# seed {world.seed}: {difference.what}, {difference.where}\n# " + difference.detail.replace("\n", "\n# ")]
    if world.options[0]:
        records.append("#!args " + " ".join(world.options[0]))
    for relation in world.relations:
        records.append("statement ok\n" + relation.create("weir"))
    for space in sorted({q.schema for q in world.queries + world.bases} - {"public"}):
        records.append(f"statement ok\nCREATE SCHEMA {space}")
    for base in world.bases:
        kind = "VIEW" if base.middle else "MATERIALIZED VIEW"
        records.append(f"statement ok\nCREATE {kind} base{base.number} AS {base.sql('weir')}")
    view = None
    if query is not None and difference.where in ("before", "after"):
        view = f"{query.schema}.{difference.where}{query.number}"
        refresh = query.refresh[difference.where == "after"]
        create = f"statement ok\nCREATE MATERIALIZED VIEW {view} WITH (refresh = '{refresh}') AS {query.sql('weir')}"
        if difference.where == "before":
            records.append(create)
    names, starts = {r.name: r for r in world.relations}, 0
    for phase in world.history:
        for commit in phase:
            if commit[0] == "insert":
                records.append("statement ok\n" + names[commit[1]].insert(commit[2]))
            elif commit[0] == "ingest":
                records.append(f"ingest {commit[1]}\n" + names[commit[1]].records(commit[2], worlds.random.Random(len(commit[2]))))
            elif commit[0] == "flush":
                records.append("flush")
            else:
                starts += 1
                options = world.options[starts % len(world.options)]
                records.append(" ".join([commit[0], *options]))
        records.append("flush")
    if view is not None and difference.where == "after":
        records += [create, "flush"]
    if query is not None:
        sql = f"SELECT * FROM {view}" if view else query.sql("weir")
        letters = "".join(LETTERS.get(oid, "?") for oid in difference.oids or [])
        rows = ["|".join(cell(v) for v in row) for row in difference.expected or []]
        sort = "" if view is None and query.ordered() else " rowsort"
        records.append(f"query {letters or '?'}{sort}\n{sql}\n----\n" + "\n".join(rows if not sort else sorted(rows)))
    return "\n\n".join(records) + "\n"


def cell(value):
    if value is None:
        return "NULL"
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("|", "\\|") if value else "(empty)"


def shrink(difference, pg, out, until=float("inf"), note=None):
    """The path of the candidate."""
    best = Shrinker(difference, pg, until, note).run()
    out.mkdir(parents=True, exist_ok=True)
    number = difference.query.number if difference.query else "x"
    path = out / f"seed{difference.world.seed}-{number}-{difference.what}.slt"
    path.write_text(slt(best))
    return path
