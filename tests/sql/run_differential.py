#!/usr/bin/env python3
"""Random queries over random histories, PostgreSQL as the oracle.

    run_differential.py [--seed N] [--queries K] [--seconds S] [--jobs J] [--world W] [--only Q] [--no-shrink] [--out DIR] [--verbose]

Each world has a schema, a history of changes and --per-world queries, all from its seed; the k-th world's seed is N + k. A
difference is cut down to little and written as a candidate .slt into DIR. --world W runs that seed alone, --only Q its
query Q. The grammar is in differential/catalogue.py, expressions.py, sources.py and query.py, what it leaves out in features.py, what may differ in
differential/departures.py."""
import argparse
import collections
import itertools
import multiprocessing
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import weirtest  # noqa: E402
from differential import catalogue, expressions, features, shrink, world  # noqa: E402
from differential.report import Report  # noqa: E402
from postgres import Postgres  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0, help="end after so long")
    parser.add_argument("--jobs", type=int, default=1, help="worlds at a time")
    parser.add_argument("--per-world", type=int, default=40)
    parser.add_argument("--world", type=int)
    parser.add_argument("--only", type=int)
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=weirtest.ROOT / "build" / "test-logs" / "differential")
    parser.add_argument("--stop-after", type=int, default=10, help="differences")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


class Worker:
    """Runs worlds, one after the other; there is one in each process."""

    def __init__(self, postgres, probed, options):
        self.pg = weirtest.Pg(postgres.dir, 5432, database="postgres")
        self.probed, self.options = probed, options
        self.grammar = expressions.Grammar(probed.productions, probed.structure)

    def run(self, seed):
        """(report, a text for each difference)"""
        made = world.make(seed, self.grammar, self.options.per_world, self.probed.ad_hoc_only)
        if self.options.only is not None:
            made = made.but(queries=[q for q in made.queries if q.number == self.options.only])
        report, texts = Report(), []
        for difference in world.Run(made, self.pg, report, f"w{seed}").run():
            text = f"DIFFERENCE {difference}"
            if not self.options.no_shrink:
                text += f"\n    cut down: {shrink.shrink(difference, self.pg, self.options.out)}"
            texts.append(text)
        return report, texts


_worker = None


def _start(*arguments_of_worker):
    global _worker
    _worker = Worker(*arguments_of_worker)


def _run(seed):
    return seed, *_worker.run(seed)


def results(postgres, probed, options):
    """(seed, report, differences) of each world, as they are done."""
    if options.world is not None:
        _start(postgres, probed, options)
        yield _run(options.world)
        return
    if options.jobs <= 1:
        _start(postgres, probed, options)
        yield from map(_run, itertools.count(options.seed))
        return
    with multiprocessing.get_context("fork").Pool(options.jobs, _start, (postgres, probed, options)) as pool:
        seeds = itertools.count(options.seed)
        waiting = collections.deque(pool.apply_async(_run, (next(seeds),)) for _ in range(options.jobs + 1))
        while True:
            yield waiting.popleft().get()
            waiting.append(pool.apply_async(_run, (next(seeds),)))


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
        for seed, mine, texts in results(postgres, probed, options):
            report.add(mine)
            differences += len(texts)
            for text in texts:
                print(text, flush=True)
            if report.queries >= options.queries or differences >= options.stop_after or \
                    (options.seconds and time.monotonic() - begin > options.seconds):
                break
    report.print(probed, options.verbose)
    print(f"worlds up to seed {seed}, {time.monotonic() - begin:.0f} s, {differences} differences")
    return 1 if differences or probed.faults or not report.compared else 0


if __name__ == "__main__":
    sys.exit(main())
