"""A world: a schema, its history and queries, from one seed; and its run on both systems.

Each query is a view that is made before the first row, one that is made in the middle, and an ad hoc query; views over
other views are among the sources. After each phase of the history what weir gives is compared with what
PostgreSQL computes over the rows that are there then."""
import random
import shutil
import subprocess
import time

import weirtest

from . import departures, schema, tree
from .limits import STATEMENT_SECONDS, Watch, Weir, WORLD_SECONDS, WorldOver
from .query import Generator
from .sources import Source
from .tree import features, text

ROWS_MAX = 4000
REFRESH = ["immediate", "immediate", "1 second", "100 milliseconds", "10 milliseconds"]


def random_options(rng):
    """Of the server: how it divides its work must not be seen in what it gives."""
    options = []
    if rng.random() < 0.5:
        options += ["--cores", rng.choice(["1", "2", "4"])]
    if rng.random() < 0.5:
        options += ["--batch-rows", rng.choice(["1", "2", "3", "7", "64", "1000"])]
        options += ["--cache-mb", rng.choice(["1", "1", "16"]), "--journal-kb", rng.choice(["2", "8", "64", "1000"])]
    if rng.random() < 0.25:
        options += ["--step-mb", "1"]
    if rng.random() < 0.25:
        options += ["--keep-steps", rng.choice(["1", "10"])]
    return options


class Query:
    def __init__(self, number, node, types, views=True):
        self.number, self.node, self.types, self.views = number, node, types, views
        self.schema, self.refresh = "public", ("immediate", "1 second")
        self.middle = False  # the view "after" is made before the last phase rather than after it

    def sql(self, dialect):
        return text(self.node, dialect)

    @property
    def ad_hoc(self):
        """Whether it can be asked without a view."""
        return "window.emit" not in self.node.features

    def ordered(self):
        return "order.by" in self.node.parts[-1].features if hasattr(self.node.parts[-1], "features") else False


class World:
    """options: of the server, one list after the other with each of its starts."""

    def __init__(self, seed, relations, history, bases, queries, options, large=False):
        self.seed, self.relations, self.history = seed, relations, history
        self.bases, self.queries, self.options, self.large = bases, queries, options, large

    def but(self, **changes):
        fields = {n: getattr(self, n) for n in ("seed", "relations", "history", "bases", "queries", "options", "large")}
        return World(**{**fields, **changes})


def sources_of(relations, rows):
    found = []
    for r in relations:
        times = [(c.name, c.type) for c in r.columns if c.type in ("timestamp", "timestamptz") and not c.nullable]
        delay = r.watermark.split("'")[1] if r.watermark and not r.key else None
        found.append(Source(r.name, [(c.name, c.type) for c in r.columns], rows, {c.name: frozenset(c.domain) for c in r.columns}, times, delay))
    return found


def make(seed, grammar, count, ad_hoc_only):
    rng = random.Random(seed)
    large = rng.random() < 0.06
    relations = schema.random_schema(rng, large)
    history = schema.random_history(rng, relations, rng.choice([2, 3, 3, 4]), large)
    sources = sources_of(relations, 1000 if large else 40)
    bases, queries = [], []
    spaces = rng.choice([["public"], ["public", "f1"], ["public", "f1", "f2"]])

    def query(number, generator, base):
        node, types = generator.select(1 if base else 0, None, plain=base)
        # Columns without names of our own may have one name, which no view can have.
        made = Query(number, node, types, not features(node) & (ad_hoc_only | {"select.unnamed"}))
        made.schema = rng.choice(spaces)
        made.refresh = (rng.choice(REFRESH), rng.choice(REFRESH))
        made.middle = rng.random() < 0.5
        return made

    for i in range(rng.choice([0, 1, 2])):
        made = query(i, Generator(rng, grammar, sources), True)
        if made.views:
            bases.append(made)
    sources = sources + [Source(f"base{b.number}", [(f"c{i}", t) for i, t in enumerate(b.types)], 30) for b in bases]
    for i in range(count):
        queries.append(query(i, Generator(rng, grammar, sources), False))
    return World(seed, relations, history, bases, queries, [random_options(rng) for _ in range(rng.choice([1, 2, 2]))], large)


class Difference:
    def __init__(self, world, query, what, where, phase, detail, expected=None, oids=None):
        self.world, self.query, self.what, self.where, self.phase = world, query, what, where, phase
        self.detail, self.expected, self.oids = detail, expected, oids

    def kind(self):
        return self.what, self.where

    def __str__(self):
        return f"seed {self.world.seed} query {self.query.number if self.query else '-'}: {self.what}, {self.where}, phase {self.phase}, server {self.world.options}\n" \
               f"    {self.query.sql('weir') if self.query else ''}\n    {self.detail}"


class Answer:
    """Rows or an error."""

    def __init__(self, ask, sql):
        self.error, self.rows, self.oids, self.names = None, [], [], []
        try:
            result = ask(sql)[-1]
        except weirtest.PgError as error:
            self.error = error
            return
        self.oids, self.names = result.oids, result.columns
        self.rows = [tuple(None if v is None else v.decode() for v in row) for row in result.rows]


def in_order(rows):
    return sorted(rows, key=lambda row: [(v is not None, v or "") for v in row])


def same_rows(oids, a, b):
    if a == b:
        return True
    return len(a) == len(b) and all(weirtest.same_value(o, x, y) for r, s in zip(a, b) for o, x, y in zip(oids, r, s))


class Mirror:
    """The rows of the model in PostgreSQL, and its answers there; a relation is loaded again when it has changed."""

    def __init__(self, pg, world, name):
        self.pg, self.name, self.model = pg, name, schema.Model(world.relations)
        self.changed, self.answers = set(), {}
        pg.simple(f"DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")
        pg.simple(f"SET search_path = {name}")
        for relation in world.relations:
            pg.simple(relation.create("pg"))

    def apply(self, commit):
        self.changed.add(self.model.apply(commit))

    def load(self):
        self.changed.discard(None)
        if self.changed:
            self.answers = {}
        for name in sorted(self.changed):
            self.pg.simple(f"TRUNCATE {name}")
            rows = self.model.all(name)
            for at in range(0, len(rows), 200):
                self.pg.simple(self.model.relations[name].insert(rows[at:at + 200]))
        self.changed = set()

    def answer(self, query):
        if query not in self.answers:
            self.answers[query] = Answer(self.pg.query, query.sql("pg"))
        return self.answers[query]

    def forget(self):
        """All rows, as before the history."""
        self.changed = set(self.model.relations)
        self.model = schema.Model(list(self.model.relations.values()))
        self.load()

    def drop(self):
        self.pg.simple(f"DROP SCHEMA IF EXISTS {self.name} CASCADE")


class Run:
    """One world on both systems. differences: what was found; statistics go to `report`."""

    def __init__(self, world, pg, report, name="w", watch=None):
        self.world, self.report, self.watch = world, report, watch or Watch()
        self.differences, self.dropped = [], set()
        pg.watch = self.watch
        self.mirror = Mirror(pg, world, name)
        self.weir, self.starts = None, 0
        self.views = {}  # name of a view -> (query, "before" | "after")

    def differ(self, query, what, where, phase, detail):
        theirs = self.mirror.answers.get(query)
        expected, oids = (theirs.rows, theirs.oids) if theirs is not None else (None, None)
        self.differences.append(Difference(self.world, query, what, where, phase, detail, expected, oids))
        self.dropped.add(query)

    def run(self):
        server = weirtest.Server(args=self.world.options[0])
        self.weir = Weir(server, self.watch)
        try:
            self.weir.start()
            self.run_on_server()
            if self.weir.stop() != 0:
                self.differ(None, "crash", "stop", -1, "SIGTERM: the exit code is not 0")
        except WorldOver as over:
            self.world_over(over)
        except (OSError, weirtest.ServerError) as error:
            self.server_failed(error)
        finally:
            server.kill()
            shutil.rmtree(server.temp, ignore_errors=True)
            self.watch.until = time.monotonic() + STATEMENT_SECONDS
            self.mirror.drop()
        self.report.slow(self.world.seed, *self.watch.slowest)
        return self.differences

    def world_over(self, over):
        """Of no statement's fault; but weir may have been slow in many."""
        self.report.unfinished += 1
        if self.watch.seconds["weir"] > WORLD_SECONDS / 2:
            seconds, said = self.watch.slowest
            self.differ(None, "hang", "world", -1, f"{self.watch.seconds} s; the slowest took {seconds:.1f} s: {said[:1000]}\n"
                        f"at the end: {over}\n{self.weir.server.stacks()}")

    def server_failed(self, error):
        server, said = self.weir.server, f"{type(error).__name__}: {error}\nlast {self.watch.last[:2000]}"
        stacks = server.stacks()
        try:  # one that crashes may be about to end
            what = f"crash: exit code {server.child.wait(2)}"
        except subprocess.TimeoutExpired:
            what = "hang"
        self.differ(self.asked(), what.split(":")[0], "server", -1, f"{what}: {said}\n{server.log()[-1500:]}\n{stacks}")

    def asked(self):
        """The query of the last statement, if it was one."""
        sql = self.watch.last.removeprefix("weir: ")
        for query in self.world.queries:
            if query.sql("weir") in sql or any(name in sql.split() for name, (of, _) in self.views.items() if of is query):
                return query
        return None

    def run_on_server(self):
        world = self.world
        for relation in world.relations:
            self.weir.simple(relation.create("weir"))
        for space in {q.schema for q in world.queries + world.bases} - {"public"}:
            self.weir.simple(f"CREATE SCHEMA {space}")
        for base in world.bases:
            if not self.make_base(base):
                return
        if world.large:
            self.drop_large()
        for query in world.queries:
            if query not in self.dropped and self.usable(query) and query.views:
                self.make_view(query, "before", query.refresh[0], 0)
        for phase, commits in enumerate(world.history):
            last = phase == len(world.history) - 1
            if last:
                self.make_after(True, phase)
            for commit in commits:
                self.commit(commit)
            self.mirror.load()
            if last:
                self.make_after(False, phase)
            try:
                self.weir.simple("FLUSH")
            except weirtest.PgError as error:
                self.differ(None, "flush", "flow", phase, str(error))
                return
            self.compare(phase, last)

    def drop_large(self):
        """Leaves out, before weir has views of them, the queries that are too large at some time of the history."""
        for commits in self.world.history:
            for commit in commits:
                self.mirror.apply(commit)
            self.mirror.load()
            for query in self.world.queries:
                if query not in self.dropped and self.too_large(self.mirror.answer(query)):
                    self.report.too_large(query)
                    self.dropped.add(query)
        self.mirror.forget()

    @staticmethod
    def too_large(answer):
        return len(answer.rows) > ROWS_MAX or (answer.error is not None and answer.error.sqlstate == "57014")

    def usable(self, query):
        """Whether PostgreSQL takes the query; what it refuses both must refuse."""
        theirs = self.mirror.answer(query)
        if theirs.error is None or theirs.error.sqlstate[:2] not in ("42", "0A"):
            return True
        self.report.invalid(query, theirs.error)
        if theirs.error.sqlstate == "0A000":  # weir may well have what PostgreSQL has not
            self.dropped.add(query)
            return False
        ours = Answer(self.weir.simple, query.sql("weir"))
        if ours.error is None:
            self.differ(query, "accepted", "ad hoc", 0, f"PostgreSQL: {theirs.error}")
        self.dropped.add(query)
        return False

    def used(self, query):
        """The features of a query and of the views it reads."""
        found = set(features(query.node))
        for base in self.world.bases:
            if f"base{base.number} " in query.sql("weir"):
                found |= features(base.node)
        return found

    def columns(self, query):
        """What departures.of_rows wants to know of a query."""
        everywhere, items = tree.by_column(query.node)
        for base in self.world.bases:
            if f"base{base.number} " in query.sql("weir"):
                everywhere |= features(base.node)
        return departures.Columns(everywhere, items)

    def make_base(self, base):
        """A view that is a source for queries. Without it the world is of no use."""
        sql = base.sql("pg")
        pg = Answer(self.mirror.pg.simple, f"CREATE VIEW base{base.number} AS {sql}")
        if pg.error is None and base.middle and self.plain_view(base):
            return True
        if pg.error is None and self.make_view(base, "before", base.refresh[0], 0, f"base{base.number}"):
            return True
        if pg.error is not None:
            self.report.invalid(base, pg.error)
        return False

    def plain_view(self, base):
        """Every other source is a view without state of its own, if weir has such."""
        try:
            self.weir.simple(f"CREATE VIEW base{base.number} AS {base.sql('weir')}")
        except weirtest.PgError:
            return False
        return True

    def make_view(self, query, when, refresh, phase, name=None):
        name = name or f"{query.schema}.{when}{query.number}"
        try:
            self.weir.simple(f"CREATE MATERIALIZED VIEW {name} WITH (refresh = '{refresh}') AS {query.sql('weir')}")
        except weirtest.PgError as error:
            if error.sqlstate == "0A000":
                self.report.unsupported(query, error)
                self.dropped.add(query)
            elif not error.sqlstate.startswith("22"):
                self.differ(query, "refused", when, phase, str(error))
            return False
        self.views[name] = (query, when)
        return True

    def make_after(self, middle, phase):
        for query in self.world.queries:
            if query.views and query not in self.dropped and query.middle == middle:
                self.make_view(query, "after", query.refresh[1], phase)

    def commit(self, commit):
        self.mirror.apply(commit)
        if commit[0] == "insert":
            self.weir.simple(self.mirror.model.relations[commit[1]].insert(commit[2]))
        elif commit[0] == "ingest":
            relation = self.mirror.model.relations[commit[1]]
            answer = self.weir.ingest(commit[1], relation.records(commit[2], random.Random(len(commit[2]))).encode())
            if answer["quarantined"]:
                raise weirtest.ServerError(f"quarantined: {answer}")
        elif commit[0] == "flush":
            self.weir.simple("FLUSH")
        else:
            if commit[0] == "kill":
                self.weir.close()
                self.weir.server.kill()
            elif self.weir.stop() != 0:
                raise weirtest.ServerError("SIGTERM: the exit code is not 0")
            self.starts += 1
            self.weir.server.args = self.world.options[self.starts % len(self.world.options)]
            self.weir.start()

    def compare(self, phase, last):
        failing = []  # views from which weir leaves rows out: what reads them tells nothing
        for base in self.world.bases:
            self.compare_view(base, f"base{base.number}", "before", phase)
            if base in self.dropped:
                return
            if self.mirror.answer(base).error is not None or self.fails_ad_hoc(base):
                failing.append(f"base{base.number} ")
        for query in self.world.queries:
            if query in self.dropped or any(name in query.sql("weir") for name in failing):
                continue
            theirs = self.mirror.answer(query)
            if self.too_large(theirs) or (theirs.error is not None and theirs.error.sqlstate == "0A000"):
                self.report.too_large(query)
                self.dropped.add(query)
                continue
            if (last or query.number % 3 == phase) and query.ad_hoc:
                self.compare_ad_hoc(query, theirs, phase)
            for when in ("before", "after"):
                name = f"{query.schema}.{when}{query.number}"
                if name in self.views and query not in self.dropped:
                    self.compare_view(query, name, when, phase)
            if last:
                self.report.done(query, theirs)

    def compare_ad_hoc(self, query, theirs, phase):
        ours = Answer(self.weir.simple, query.sql("weir"))
        if ours.error is not None or theirs.error is not None:
            self.compare_errors(query, ours, theirs, phase)
        elif ours.oids != theirs.oids:
            self.differ(query, "types", "ad hoc", phase, f"{ours.oids}, PostgreSQL {theirs.oids}")
        elif ours.names != theirs.names:
            self.differ(query, "names", "ad hoc", phase, f"{ours.names}, PostgreSQL {theirs.names}")
        else:
            self.compare_rows(query, "ad hoc", phase, ours, theirs, query.ordered())

    def compare_errors(self, query, ours, theirs, phase):
        if departures.same_class(ours.error, theirs.error):
            self.report.same_error(query)
            return
        if ours.error is not None and ours.error.sqlstate == "0A000":
            self.report.unsupported(query, ours.error)
            self.dropped.add(query)
            return
        name = departures.of_error(ours.error, theirs.error, self.used(query))
        if name == "evaluation-order" and not self.fails_elsewhere(query, ours.error, theirs.error):
            name = "evaluation-order, unconfirmed"
        if name is not None:
            self.report.departure(name, query, f"weir {ours.error or 'gives rows'}, PostgreSQL {theirs.error or 'gives rows'}")
        else:
            self.differ(query, "error", "ad hoc", phase, f"{ours.error or f'{len(ours.rows)} rows'}\n    PostgreSQL "
                                                         f"{theirs.error or f'{len(theirs.rows)} rows'}")

    def fails_elsewhere(self, query, ours, theirs):
        """Whether the system that gives rows fails likewise on a part of the query, or on the query without its conditions:
        then it is only in the choice of what to evaluate that the two differ."""
        error, ask, dialect = (ours, self.mirror.pg.query, "pg") if ours is not None else (theirs, self.weir.simple, "weir")
        for _, node in tree.walk(query.node):
            if node.kind == "query":
                for part in (tree.without_options(node), node):
                    found = Answer(ask, tree.text(part, dialect)).error
                    if found is not None and found.sqlstate == error.sqlstate:
                        return True
        return False

    def compare_view(self, query, name, when, phase):
        theirs = self.mirror.answer(query)
        ours = Answer(self.weir.simple, f"SELECT * FROM {name}")
        if departures.same_class(ours.error, theirs.error):  # of a view without state
            self.report.same_error(query)
        elif ours.error is not None:
            self.differ(query, "error", when, phase, str(ours.error))
        elif theirs.error is not None:
            self.report.departure("failing-row", query)
        elif ours.oids != theirs.oids:
            self.differ(query, "types", when, phase, f"{ours.oids}, PostgreSQL {theirs.oids}")
        else:
            self.compare_rows(query, when, phase, ours, theirs, False)

    def fails_ad_hoc(self, query):
        """Whether weir fails on a row of the query that PostgreSQL does not evaluate."""
        if not query.ad_hoc:
            return False
        error = Answer(self.weir.simple, query.sql("weir")).error
        return error is not None and departures.of_error(error, None, self.used(query)) == "evaluation-order"

    def compare_rows(self, query, where, phase, ours, theirs, ordered):
        a, b = (ours.rows, theirs.rows) if ordered else (in_order(ours.rows), in_order(theirs.rows))
        self.report.compared += 1
        if same_rows(theirs.oids, a, b):
            return
        name = departures.of_rows(theirs.oids, ours.rows, theirs.rows, self.columns(query))
        if name is not None:
            self.report.departure(name, query, self.unlike(a, b))
            return
        if where != "ad hoc" and self.fails_ad_hoc(query):
            self.report.departure("evaluation-order", query)
            return
        self.differ(query, "rows", where, phase, self.unlike(a, b))

    @staticmethod
    def unlike(ours, theirs):
        """The rows that one has alone, as a text."""
        extra, missing = list(ours), []
        for row in theirs:
            if row in extra:
                extra.remove(row)
            else:
                missing.append(row)
        return (f"{len(ours)} rows, PostgreSQL {len(theirs)}; those that differ:\n"
                f"      weir       {extra[:8]}\n      PostgreSQL {missing[:8]}" + ("\n      in another order" if not extra + missing else ""))
