#!/usr/bin/env python3
"""Why did this figure change? Invoice lines with cancellations that count when the sale was made, and
lines that come late, make corrections of hours that were final. For random rows weir.why names exactly
the events that this program names, from what it sent and where the log put it alone; every value on
the way is the sum of the events before it; and for every row, the first final value and the ledger's
changes come to the value that is shown. The server is killed with kill -9 in between.

On made-up lines always; on the first lines of the Online Retail data where that is there.

    tests/data/why.py [--seed N] [--rows N] [--lines N] [--long]"""
import argparse
import csv
import datetime
import decimal
import json
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import weirtest  # noqa: E402

DATA = weirtest.ROOT.parent / "shared" / "data" / "online_retail"
HOUR = datetime.timedelta(hours=1)
LATENESS = datetime.timedelta(minutes=30)
SCHEMA = """
CREATE SCHEMA shop;
CREATE STREAM shop.line (seq BIGINT NOT NULL, country TEXT NOT NULL, quantity INT NOT NULL, price NUMERIC(12,3) NOT NULL,
  at TIMESTAMPTZ NOT NULL, PRIMARY KEY (seq), WATERMARK FOR at AS at - INTERVAL '5 minutes') WITH (partitions = 2);
CREATE MATERIALIZED VIEW shop.hourly WITH (refresh = 'immediate', lateness = '30 minutes') AS
  SELECT window_start, country, count(*) AS lines, sum(quantity) AS units, sum(quantity * price) AS revenue
  FROM TUMBLE(shop.line, at, INTERVAL '1 hour') GROUP BY window_start, country;
CREATE MATERIALIZED VIEW shop.busy WITH (refresh = '100 milliseconds', lateness = '30 minutes') AS
  SELECT window_start, count(*) AS countries, sum(revenue) AS revenue FROM shop.hourly GROUP BY window_start;
"""


def made_up(n, rng):
    at = datetime.datetime(2024, 3, 1, 8)
    for seq in range(1, n + 1):
        at += datetime.timedelta(seconds=rng.choice((0, 1, 5, 20, 60)))
        country = rng.choice(("Norway", "France", "Spain", "Iceland's", 'The "Low" Countries'))
        yield {"seq": seq, "country": country, "quantity": rng.randint(1, 40), "price": f"{rng.randint(1, 99999) / 1000:.3f}",
               "at": at, "sale": (country, rng.randrange(50))}


def retail(n):
    unpack = subprocess.Popen(["zstd", "-dcq", DATA / "online_retail.csv.zst"], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    for row in csv.reader(unpack.stdout):
        if row[0] == "seq":
            continue
        if int(row[0]) > n:
            break
        yield {"seq": int(row[0]), "country": row[8], "quantity": int(row[4]), "price": row[6],
               "at": datetime.datetime.fromisoformat(row[5]), "sale": (row[7], row[2], abs(int(row[4])))}
    unpack.kill()
    unpack.wait()


def in_order_of_arrival(lines, rng):
    """A cancellation counts when the sale was made; one line in fifty comes up to 3,000 lines late."""
    sales, places = {}, []
    for place, line in enumerate(lines):
        if line["quantity"] < 0 and line["sale"] in sales:
            line["at"] = sales.pop(line["sale"])
        elif line["quantity"] > 0:
            sales[line["sale"]] = line["at"]
        places.append((place + (rng.randint(1, 3000) if rng.random() < 0.02 else 0), place, line))
    places.sort(key=lambda item: item[:2])
    return [line for _, _, line in places]


def cancel_some(lines, rng):
    for line in lines:
        yield line
        if rng.random() < 0.05:
            yield {**line, "seq": line["seq"] + 10_000_000, "quantity": -line["quantity"]}


class World:
    """What was sent, chunk by chunk, and where the log put it."""

    def __init__(self, lines, chunk):
        self.chunks = [lines[i:i + chunk] for i in range(0, len(lines), chunk)]
        self.by_seq = {line["seq"]: line for line in lines}
        self.chunk_of, self.final_before = {}, []
        self.rows, self.hours = {}, {}
        watermark = datetime.datetime.min
        for number, lines in enumerate(self.chunks):
            self.final_before.append(watermark)
            for line in lines:
                self.chunk_of[line["seq"]] = number
                start = line["at"].replace(minute=0, second=0)
                self.rows.setdefault((start, line["country"]), []).append(line["seq"])
                self.hours.setdefault(start, []).append(line["seq"])

    def watermarks(self, place_of):
        """The watermark before each chunk: the least of both partitions'."""
        least = {0: datetime.datetime.min, 1: datetime.datetime.min}
        for number, lines in enumerate(self.chunks):
            self.final_before[number] = min(least.values())
            for line in lines:
                partition = place_of[line["seq"]][0]
                least[partition] = max(least[partition], line["at"] - datetime.timedelta(minutes=5))

    def value(self, seqs):
        lines = [self.by_seq[seq] for seq in seqs]
        return (len(lines), sum(line["quantity"] for line in lines),
                sum(line["quantity"] * decimal.Decimal(line["price"]) for line in lines))


def send(server, lines, killed=False):
    records = [{**{k: line[k] for k in ("seq", "country", "quantity", "price")}, "at": line["at"].isoformat() + "Z"} for line in lines]
    facts = server.ingest("shop.line", records)
    assert facts["accepted"] == len(records), facts
    if killed:  # acknowledged, and perhaps not in any step
        server.kill()
        server.start()
    with server.pg(timeout=120) as pg:
        pg.simple("FLUSH")


def feed(server, world, rng, kills):
    again = []
    for number, lines in enumerate(world.chunks):
        send(server, lines, number in kills)
        if rng.random() < 0.2:  # sent twice: only the first counts
            twice = rng.sample(lines, min(3, len(lines)))
            again += [line["seq"] for line in twice]
            send(server, twice)
    return again


def stamp(start):
    return start.strftime("%Y-%m-%d %H:%M:%S+00")


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def figures(row):
    return None if row is None else (row["lines"], row["units"], decimal.Decimal(str(row["revenue"])))


def story(pg, key):
    rows = pg.query(f"SELECT step, standing, revision, cause, old::text, new::text, events::text, note FROM "
                    f"weir.why('shop.hourly', {literal(stamp(key[0]))}, {literal(key[1])})")
    parse = lambda text: None if text is None else json.loads(text, parse_float=decimal.Decimal)  # noqa: E731
    return [dict(zip(("step", "standing", "revision", "cause", "old", "new", "events", "note"),
                     (*row[:4], parse(row[4]), parse(row[5]), parse(row[6]), row[7]))) for row in rows]


def check_row(checks, world, key, changes, seq_at):
    what = f"why {key[0]} {key[1]}"
    wanted = world.rows[key]
    named, before, revision = [], None, 0
    for change in changes:
        events = [seq_at[(e["partition"], e["offset"])] for e in change["events"]]
        named += events
        if change["standing"] == "unchanged":
            checks.equal(f"{what}: events without effect", world.value(named), before)
            continue
        checks.equal(f"{what}: old value", figures(change["old"]), before)
        if change["standing"] == "final" and not events and change["old"] == change["new"]:
            continue
        revision += 1
        before = figures(change["new"])
        checks.equal(f"{what}: revision", change["revision"], str(revision))
        checks.equal(f"{what}: value after {len(named)} events", before, world.value(named))
        first = min(world.chunk_of[seq] for seq in events)
        checks.equal(f"{what}: events of one step come from one chunk", max(world.chunk_of[seq] for seq in events), first)
        final = key[0] + HOUR + LATENESS <= world.final_before[first]
        if final:
            checks.equal(f"{what}: standing", (change["standing"], change["cause"]), ("corrected", "late event"))
        for event in change["events"]:
            line = world.by_seq[event["event"]["seq"]]
            checks.equal(f"{what}: the event", (event["object"], event["event"]["country"], event["event"]["quantity"]),
                         ("shop.line", line["country"], line["quantity"]))
    checks.equal(f"{what}: events", sorted(named), sorted(wanted))
    return {e["event"]["seq"] for c in changes for e in c["events"] if "duplicates" in e}


def check_ledger(checks, world, pg):
    """Of every row: the first final value and the changes of the ledger come to what is shown."""
    shown = {(r[0], r[1]): (int(r[2]), int(r[3]), decimal.Decimal(r[4])) for r in
             pg.query("SELECT window_start, country, lines, units, revenue FROM shop.hourly")}
    checks.equal("rows", {(k[0], k[1]): v for k, v in shown.items()},
                 {(stamp(key[0])[:-3] + "+00", key[1]): world.value(seqs) for key, seqs in world.rows.items()})
    ledger = {}
    for key, old, new in pg.query("SELECT key::text, old::text, new::text FROM weir.revision WHERE view = 'shop.hourly' ORDER BY step"):
        parse = lambda text: figures(None if text is None else json.loads(text, parse_float=decimal.Decimal))  # noqa: E731
        key = json.loads(key)
        ledger.setdefault((key["window_start"].replace("T", " ").replace("Z", "+00"), key["country"]), []).append((parse(old), parse(new)))
    nothing = (0, 0, decimal.Decimal(0))
    for key, changes in ledger.items():
        total = changes[0][0] or nothing
        for old, new in changes:
            checks.equal(f"ledger {key}: goes on from the value before", old or nothing, total)
            total = tuple(a + b - c for a, b, c in zip(total, new or nothing, old or nothing))
        checks.equal(f"ledger {key}: comes to what is shown", total, shown.get(key, nothing))
    corrected = {(r[0], r[1]) for r in pg.query("SELECT window_start, country FROM shop.hourly WHERE _status = 'corrected'")}
    checks.equal("corrected rows are those of the ledger", corrected, set(ledger))
    return ledger


def run(checks, name, lines, chunk, sample, rng):
    world = World(lines, chunk)
    begin = time.monotonic()
    with weirtest.Server(SCHEMA) as server:
        middle = len(world.chunks) // 2
        again = feed(server, world, rng, {middle, len(world.chunks) - 2})
        with server.pg(timeout=300) as pg:
            pg.simple("FLUSH")
            places = pg.query("SELECT seq, _partition, _offset FROM shop.line")
            place_of = {int(r[0]): (int(r[1]), int(r[2])) for r in places}
            seq_at = {place: seq for seq, place in place_of.items()}
            world.watermarks(place_of)
            ledger = check_ledger(checks, world, pg)
            changed = sorted(key for key in world.rows if (stamp(key[0]), key[1]) in ledger)
            checks.true(f"{name}: rows that changed after they were final", len(changed) >= 10, len(changed))
            chosen = rng.sample(changed, min(sample, len(changed)))
            fed = time.monotonic()
            duplicates = set()
            for key in chosen:
                duplicates |= check_row(checks, world, key, story(pg, key), seq_at)
            asked = time.monotonic()
            mine = {seq for key in chosen for seq in world.rows[key] if seq in set(again)}
            checks.equal(f"{name}: duplicates are told with their originals", duplicates, mine)
            for start in rng.sample(sorted(world.hours), 3):  # through a view of another flow
                rows = pg.query(f"SELECT partition, log_offset FROM weir.lineage('shop.busy', {literal(stamp(start))}) "
                                f"WHERE original_offset IS NULL")
                checks.equal(f"{name}: lineage of {start}", sorted(seq_at[(int(r[0]), int(r[1]))] for r in rows),
                             sorted(world.hours[start]))
        print(f"{name}: {len(lines)} lines in {len(world.chunks)} chunks in {fed - begin:.1f} s, {len(changed)} rows changed after "
              f"they were final, {sum(map(len, ledger.values()))} revisions; {len(chosen)} stories in {asked - fed:.1f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--lines", type=int)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    weirtest.need_weir()
    checks = weirtest.Checks()
    rng = random.Random(options.seed)
    sample = options.rows or (1000 if options.long else 25)
    lines = in_order_of_arrival(list(cancel_some(list(made_up(4000, rng)), rng)), rng)
    run(checks, "made-up lines", lines, 200, min(sample, 100), rng)
    if DATA.is_dir():
        most = options.lines or (541_909 if options.long else 30_000)
        run(checks, "Online Retail", in_order_of_arrival(list(retail(most)), rng), max(most // 60, 500), sample, rng)
    else:
        print("skipped: Online Retail, whose data set ../shared/data/online_retail is not there")
    checks.end()


if __name__ == "__main__":
    main()
