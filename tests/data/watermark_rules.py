#!/usr/bin/env python3
"""Watermarks that are changed while events flow and the server is killed: each flow's watermark and count of late
records, and those of a view that is made at the end, against a computation in Python from the log and from what
weir.watermark_rules says of the offsets; then VERIFY ALL.

    tests/data/watermark_rules.py [--seed N] [--long]"""
import argparse
import datetime
import pathlib
import random
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

PARTITIONS = 3
SQL = f"""
CREATE STREAM s (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '30 s')
  WITH (partitions = {PARTITIONS}, idle_timeout = '1 day');
CREATE MATERIALIZED VIEW now AS SELECT window_start, count(*) AS n FROM TUMBLE(s, at, INTERVAL '1 minute') GROUP BY window_start;
CREATE MATERIALIZED VIEW slow WITH (refresh = '300 ms') AS
  SELECT window_start, count(*) AS n FROM TUMBLE(s, at, INTERVAL '1 minute') GROUP BY window_start;
"""
EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def produce(server, seed, lock, stop, sent):
    rng = random.Random(seed)
    number = 0
    while not stop.is_set():
        rows = []
        for _ in range(rng.randint(1, 40)):
            number += 1
            at = EPOCH + datetime.timedelta(seconds=number * 0.5 - rng.expovariate(1 / 20))
            rows.append({"id": number, "at": at.isoformat()})
        with lock:
            server.ingest("s", rows)
        sent[0] = number


def expected(pg):
    """By partition: its watermark in seconds and how many records were late, from the log."""
    rules = {}
    for partition, offset, clause in pg.query(
            "SELECT partition, from_offset, watermark FROM weir.watermark_rules ORDER BY rule, partition"):
        delay = int(re.search(r"'(\d+) s'", clause)[1])
        rules.setdefault(int(partition), []).append((int(offset), delay))
    out = {p: [None, 0] for p in range(PARTITIONS)}
    for partition, offset, us in pg.query(
            "SELECT _partition, _offset, (extract(epoch FROM at) * 1000000)::bigint FROM s ORDER BY 1, 2"):
        one = out[int(partition)]
        delay = [d for begin, d in rules[int(partition)] if begin <= int(offset)][-1]
        us = int(us)
        one[1] += one[0] is not None and us < one[0]
        one[0] = us - delay * 1000000 if one[0] is None else max(one[0], us - delay * 1000000)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    weirtest.need_weir()
    checks = weirtest.Checks()
    rng = random.Random(options.seed)
    rounds = 60 if options.long else 12
    with weirtest.Server(SQL, args=["--cores", "2"]) as server:
        lock, stop, sent = threading.Lock(), threading.Event(), [0]
        producer = threading.Thread(target=produce, args=(server, options.seed, lock, stop, sent))
        producer.start()
        try:
            altered = 0
            for i in range(rounds):
                time.sleep(rng.uniform(0.01, 0.1))
                if i % 5 == 4:
                    server.sql_path = None  # the file would change the watermark back
                    with lock:  # not within a request: duplicates are late, too, and not to be seen in the stream
                        server.restart()
                with server.pg() as pg:
                    pg.simple(f"ALTER STREAM s ALTER WATERMARK FOR at AS at - INTERVAL '{rng.randint(0, 60)} s'")
                    altered += 1
        finally:
            stop.set()
            producer.join()
        with server.pg() as pg:
            pg.simple("CREATE MATERIALIZED VIEW later WITH (refresh = '400 ms') AS SELECT window_start, count(*) AS n "
                      "FROM TUMBLE(s, at, INTERVAL '1 minute') GROUP BY window_start")
            pg.simple("FLUSH")
            rules = int(pg.value("SELECT count(DISTINCT rule) FROM weir.watermark_rules"))
            checks.true("watermarks were changed", 2 <= rules <= altered + 1, rules)
            want = expected(pg)
            for flow, partition, us, late in pg.query(
                    "SELECT flow, partition, (extract(epoch FROM watermark) * 1000000)::bigint, late FROM weir.partitions "
                    "WHERE name = 's'"):
                checks.equal(f"{flow}, partition {partition}: watermark and late", [int(us), int(late)],
                             want[int(partition)])
            checks.true("some were late", sum(late for _, late in want.values()) > 0)
            weirtest.verify_served(checks, "after all", pg)
    print(f"{sent[0]} events, {rules} watermarks")
    checks.end()


if __name__ == "__main__":
    main()
