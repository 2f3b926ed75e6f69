#!/usr/bin/env python3
"""What `weir advise watermark` and weir.advise_watermark say of the Online Retail lines, shuffled within bounds and in
three partitions, against a computation in Python from the same log: delays, records on time, windows that would have
been corrected, under each delay and under the watermark as it was, whose corrections a real view has counted too.

    tests/data/advise.py [--seed N] [--long]"""
import argparse
import csv
import datetime
import itertools
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import retail  # noqa: E402
import weirtest  # noqa: E402

US = 1000000
HOUR = 3600 * US
DELAY = 2 * HOUR
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
TARGETS = [("50 %", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("99.99 %", 0.9999), ("all", 1)]

SQL = """
CREATE STREAM line (seq BIGINT NOT NULL, quantity INT, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (seq),
  WATERMARK FOR at AS at - INTERVAL '2 hours') WITH (partitions = 3, idle_timeout = '1 day');
CREATE MATERIALIZED VIEW hours WITH (refresh = '2 seconds', lateness = '30 minutes') AS
  SELECT window_start, sum(quantity) AS n FROM TUMBLE(line, at, INTERVAL '1 hour') GROUP BY window_start;
CREATE MATERIALIZED VIEW days WITH (refresh = '2 seconds', close = '06:00 Europe/Berlin') AS
  SELECT date_trunc('day', at, 'Europe/Berlin') AS day, sum(quantity) AS n FROM line GROUP BY 1;
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM line;
"""


def read_lines(most):
    """(seq, quantity, time) of the first lines."""
    unpack = subprocess.Popen(["zstd", "-dcq", retail.DATA / "online_retail.csv.zst"], stdout=subprocess.PIPE, text=True,
                              encoding="utf-8")
    rows = itertools.islice(csv.DictReader(unpack.stdout), most)
    lines = [{"seq": int(r["seq"]), "quantity": int(r["Quantity"]), "at": r["InvoiceDate"].replace(" ", "T") + "Z"}
             for r in rows]
    unpack.stdout.close()
    unpack.wait()
    return lines


def us_of(moment):
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def berlin(us):
    return (EPOCH + datetime.timedelta(microseconds=us)).astimezone(BERLIN)


def windows(us):
    """(view, end, final at) of a record; the days of the data set have no hour that is skipped or twice at 06:00."""
    end = us - us % HOUR + HOUR
    yield "hours", end, end + HOUR // 2
    day = berlin(us).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) + datetime.timedelta(days=1)
    end = us_of(day.replace(tzinfo=BERLIN))
    yield "days", end, us_of(day.replace(hour=6, tzinfo=BERLIN))


def compute(rows):
    """rows: (partition, us) in the order of reading."""
    greatest, watermark, disorder, late = {}, {}, {}, {}
    most, corrected = {}, set()
    for p, us in rows:
        seen = min(greatest.values(), default=None)
        mark = min(watermark.values(), default=None)
        behind = max(0, greatest.get(p, us) - us)
        disorder.setdefault(p, []).append(behind)
        late[p] = late.get(p, 0) + (p in watermark and us < watermark[p])
        greatest[p] = max(greatest.get(p, us), us)
        watermark[p] = greatest[p] - DELAY
        for view, end, final in windows(us):
            most.setdefault((view, end), -math.inf)
            if seen is not None:
                most[view, end] = max(most[view, end], seen - final)
                if mark >= final:
                    corrected.add((view, end))
    out = {}
    for p in [None] + (sorted(disorder) if len(disorder) > 1 else []):
        values = sorted(sum(disorder.values(), []) if p is None else disorder[p])
        n = len(values)
        for name, share in TARGETS:
            delay = values[math.ceil(share * n) - 1]
            on_time = sum(v <= delay for v in values)
            fixed = sum(m >= delay for m in most.values()) if p is None else None
            out[p, name] = (delay, n, on_time, len(most) if p is None else None, fixed)
        n_late = sum(late.values()) if p is None else late[p]
        out[p, "present"] = (DELAY, n, n - n_late, len(most) if p is None else None,
                             len(corrected) if p is None else None)
    return out


def told(server):
    out = {}
    with server.pg() as pg:
        rows = pg.query("SELECT partition, target, round(delay_seconds * 1000000)::bigint, records, on_time, windows, corrected, "
                        "exact, ddl FROM weir.advise_watermark('line')")
    for p, target, delay, records, on_time, nwindows, corrected, exact, ddl in rows:
        number = [None if v is None else int(v) for v in (p, delay, records, on_time, nwindows, corrected)]
        out[number[0], target] = tuple(number[1:])
        assert exact == "t", "not exact"
        assert (ddl is None) == (p is not None or target == "present"), ddl
    return out


def advise(where, stream):
    return subprocess.run([weirtest.WEIR, "advise", "watermark", where, stream], capture_output=True, text=True, timeout=120)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    weirtest.need_weir()
    if not retail.DATA.exists():
        weirtest.skip("the data set is not there")
    checks = weirtest.Checks()
    lines = read_lines(None if options.long else 30000)
    rng = random.Random(options.seed)
    lines = retail.shuffled(lines, rng, 2000)
    temp = tempfile.TemporaryDirectory(prefix="weir-test-")
    data = temp.name + "/data"
    with weirtest.Server(sql=SQL, data=data) as server:
        for i in range(0, len(lines), 1000):
            server.ingest("line", lines[i:i + 1000])
        with server.pg() as pg:
            pg.query("FLUSH")
            log = pg.query("SELECT _partition, (extract(epoch FROM at) * 1000000)::bigint, _ingested_at, _offset FROM line "
                           "ORDER BY _ingested_at, _partition, _offset")
        wanted = compute([(int(p), int(us)) for p, us, _, _ in log])
        answer = told(server)
        checks.equal("targets", sorted(map(str, answer)), sorted(map(str, wanted)))
        for key, value in wanted.items():
            checks.equal(f"partition {key[0]}, {key[1]}", answer.get(key), value)
        with server.pg() as pg:
            text = pg.value("SELECT ddl FROM weir.advise_watermark('line') WHERE target = 'all'")
            checks.true("the clause can be used", re.fullmatch(r"WATERMARK FOR at AS at - INTERVAL '[^']+'", text), text)
            pg.query(f"CREATE STREAM again (at TIMESTAMPTZ NOT NULL, {text})")
            for bad in ("'nowhere'", "'days'", "", "'a', 'b'", "NULL"):
                try:
                    pg.query(f"SELECT * FROM weir.advise_watermark({bad})")
                    checks.true(f"argument {bad} is refused", False)
                except weirtest.PgError:
                    pass
            empty = pg.query("SELECT * FROM weir.advise_watermark('again')")
            checks.equal("an empty stream", empty, [])
        url = f"postgres://test@127.0.0.1:{server.pg_port}/weir"
        served = advise(url, "public.line")
        checks.equal("exit code with a server", served.returncode, 0)
        for stream, said in (("none", "42P01"), ("again", "no records"), ("x' OR 'y", "42P01")):
            run = advise(url, stream)
            checks.true(f"{stream} of a server: {said}", run.returncode == 1 and said in run.stderr, run.stderr)
    run = advise(url, "line")
    checks.true("no server", run.returncode == 1 and run.stderr != "" and run.stdout == "", run.stderr)
    run = advise(data, "line")
    checks.equal("a server says the same as the directory", served.stdout, run.stdout)
    checks.equal("exit code", run.returncode, 0)
    for _, clause in re.findall(r"^  (50 %|99 %|all) +(WATERMARK .*)$", run.stdout, re.M):
        checks.true("clause", clause.startswith("WATERMARK FOR at AS at - INTERVAL "), clause)
    lines_out = re.findall(r"^  (all|\d+) +([\d.]+ %|all|present) +(.*?) +(\d+) +(\d+) +[\d.]+%(?: +(\d+)/(\d+))? *$", run.stdout, re.M)
    printed = {(None if p == "all" else int(p), target): (int(on), int(late)) for p, target, _, on, late, _, _ in lines_out}
    checks.equal("what is printed", printed, {k: (v[2], v[1] - v[2]) for k, v in wanted.items()})
    run = advise(data, "none")
    checks.equal("exit code of no stream", run.returncode, 1)
    checks.end()


if __name__ == "__main__":
    main()
