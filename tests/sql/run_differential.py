#!/usr/bin/env python3
"""Random queries over random histories, PostgreSQL as the oracle.

    run_differential.py [--seed N] [--queries K] [--seconds S] [--jobs J] [--world W [--repeat R]] [--only Q] [--no-shrink] [--out DIR] [--verbose]

Each world has a schema, a history of changes and --per-world queries, all from its seed; the k-th world's seed is N + k. A
difference is cut down to little and written as a candidate .slt into DIR. --world W runs that seed alone, --only Q its
query Q. Statements, worlds, cuts and the run have limits of time (differential/limits.py): what is beyond them is a failure, with the
threads of the server. The grammar is in differential/catalogue.py, expressions.py, sources.py and query.py, what it leaves out in features.py, what may differ in
differential/departures.py."""
import argparse
import itertools
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import weirtest  # noqa: E402
from differential import catalogue, expressions, features, limits, shrink, team, world  # noqa: E402
from differential.report import Report  # noqa: E402
from postgres import Postgres  # noqa: E402

CUTS_MAX = 3  # of a world


def seed_of(said):
    return int(time.time() // 86400) * 10000 if said == "today" else int(said)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=seed_of, default=1, help="the first world's; 'today': other worlds each day")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0, help="begin no world after so long; those that run then end soon")
    parser.add_argument("--jobs", type=int, default=1, help="worlds at a time")
    parser.add_argument("--per-world", type=int, default=40)
    parser.add_argument("--world", type=int)
    parser.add_argument("--repeat", type=int, default=1, help="with --world: so many times, to meet a race")
    parser.add_argument("--only", type=int)
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=weirtest.ROOT / "build" / "test-logs" / "differential")
    parser.add_argument("--stop-after", type=int, default=10, help="differences")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


class Worker:
    """Runs worlds, one after the other; there is one in each process."""

    def __init__(self, postgres, probed, options, until, note):
        self.pg = limits.Oracle(lambda: weirtest.Pg(postgres.dir, 5432, database="postgres"))
        self.probed, self.options, self.note = probed, options, note
        self.end = until + limits.FINISH_SECONDS
        self.grammar = expressions.Grammar(probed.productions, probed.structure)

    def run(self, seed):
        """(report, a text for each difference, what cuts them down and gives their texts again, or None)"""
        made = world.make(seed, self.grammar, self.options.per_world, self.probed.ad_hoc_only)
        if self.options.only is not None:
            made = made.but(queries=[q for q in made.queries if q.number == self.options.only])
        report = Report()
        try:
            found = world.Run(made, self.pg, report, f"w{seed}", limits.Watch(self.end, note=self.note)).run()
        except limits.OracleFailed as error:
            return report, [f"FAILURE seed {seed}: {error}"], None
        texts = [f"DIFFERENCE {difference}\n    again: {self.again(difference)}" for difference in found]
        return report, texts, None if self.options.no_shrink or not found else lambda: self.cut(found, texts)

    def again(self, difference):
        only = f" --only {difference.query.number}" if difference.query else ""
        return f"tests/sql/run_differential.py --per-world {self.options.per_world} --world {difference.world.seed}{only}"

    def cut(self, found, texts):
        """The first of each kind: one fault is often seen by many queries of a world."""
        kinds, more = set(), []
        for difference, text in zip(found, texts):
            if difference.kind() not in kinds and len(kinds) < CUTS_MAX:
                path = shrink.shrink(difference, self.pg, self.options.out, self.end + limits.FINISH_SECONDS, self.note)
                text += f"\n    cut down: {path}"
            kinds.add(difference.kind())
            more.append(text)
        return more


def main():
    options = arguments()
    weirtest.need_weir()
    begin = time.monotonic()
    report, differences, seed = Report(), 0, options.seed
    with Postgres() as postgres:
        with weirtest.Server() as server, server.pg() as weir, weirtest.Pg(postgres.dir, 5432, database="postgres") as pg:
            probed = features.probe(weir, pg, catalogue.productions())
        print(f"{len(probed.productions)} productions, {len(probed.structure)} features of structure; "
              f"not supported {len(probed.unsupported)}", flush=True)
        seeds = [options.world] * options.repeat if options.world is not None else itertools.count(options.seed)
        until = time.monotonic() + options.seconds if options.seconds else float("inf")
        workers = team.Team(max(1, options.jobs), lambda note: Worker(postgres, probed, options, until, note).run,
                            until + 2 * limits.FINISH_SECONDS + team.GRACE_SECONDS)
        try:
            for done, mine, texts, failure in workers.results(seeds, until):
                seed = max(seed, done)
                texts = texts + ([failure] if failure else [])
                if mine is not None:
                    report.add(mine)
                differences += len(texts)
                for text in texts:
                    print(text, flush=True)
                if report.queries >= options.queries or differences >= options.stop_after:
                    break
        finally:
            workers.end()
    report.print(probed, options.verbose)
    print(f"worlds up to seed {seed}, {time.monotonic() - begin:.0f} s, {differences} differences")
    return 1 if differences or probed.faults or not report.compared else 0


if __name__ == "__main__":
    sys.exit(main())
