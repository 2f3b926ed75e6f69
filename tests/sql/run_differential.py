#!/usr/bin/env python3
"""Random queries over random histories, PostgreSQL as the oracle.

    run_differential.py [--seed N] [--queries K] [--seconds S] [--world W] [--only Q] [--no-shrink] [--out DIR] [--verbose]

Each world has a schema, a history of changes and --per-world queries, all from its seed; the k-th world's seed is N + k. A
difference is cut down to little and written as a candidate .slt into DIR. --world W runs that seed alone, --only Q its
query Q. The grammar is in differential/catalogue.py, expressions.py, sources.py and query.py, what it leaves out in features.py, what may differ in
differential/departures.py."""
import argparse
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
    parser.add_argument("--per-world", type=int, default=40)
    parser.add_argument("--world", type=int)
    parser.add_argument("--only", type=int)
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=weirtest.ROOT / "build" / "test-logs" / "differential")
    parser.add_argument("--stop-after", type=int, default=10, help="differences")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def run_world(made, pg, report, options, differences):
    mine = Report()
    found = world.Run(made, pg, mine).run()
    report.add(mine)
    for difference in found:
        print(f"DIFFERENCE {difference}", flush=True)
        differences.append(difference)
        if not options.no_shrink:
            path = shrink.shrink(difference, pg, options.out)
            print(f"    cut down: {path}", flush=True)


def main():
    options = arguments()
    weirtest.need_weir()
    begin = time.monotonic()
    report, differences = Report(), []
    with Postgres() as postgres, weirtest.Pg(postgres.dir, 5432, database="postgres") as pg:
        with weirtest.Server() as server, server.pg() as weir:
            probed = features.probe(weir, pg, catalogue.productions())
        grammar = expressions.Grammar(probed.productions, probed.structure)
        print(f"{len(probed.productions)} productions, {len(probed.structure)} features of structure; "
              f"not supported {len(probed.unsupported)}", flush=True)
        seed = options.world if options.world is not None else options.seed
        while True:
            made = world.make(seed, grammar, options.per_world, probed.ad_hoc_only)
            if options.only is not None:
                made = made.but(queries=[q for q in made.queries if q.number == options.only])
            run_world(made, pg, report, options, differences)
            seed += 1
            if options.world is not None or report.queries >= options.queries or len(differences) >= options.stop_after or \
                    (options.seconds and time.monotonic() - begin > options.seconds):
                break
    report.print(probed, options.verbose)
    print(f"worlds up to seed {seed - 1}, {time.monotonic() - begin:.0f} s, {len(differences)} differences")
    return 1 if differences or probed.faults or not report.compared else 0


if __name__ == "__main__":
    sys.exit(main())
