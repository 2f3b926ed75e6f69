#!/usr/bin/env python3
"""The Online Retail lines over HTTP into a running weir, four times: in their own order, shuffled
within bounds, with 5% of the records sent twice, and with kill -9 at random moments under a client
that tries again. Each time revenue and units by day and by country, and the totals, equal the oracle
exactly, and every record is accounted for: in a view, a duplicate, or in quarantine.

    tests/data/retail.py [--seed N] [--long] [VARIATION...]"""
import argparse
import csv
import decimal
import http.client
import json
import pathlib
import random
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import weirtest  # noqa: E402

DATA = weirtest.ROOT.parent / "shared" / "data" / "online_retail"
BATCH = 5000
STREAM = "retail.line"


def read_lines():
    """The records as NDJSON lines. NULL is what is empty."""
    unpack = subprocess.Popen(["zstd", "-dcq", DATA / "online_retail.csv.zst"], stdout=subprocess.PIPE, text=True,
                              encoding="utf-8", errors="strict")
    lines = []
    dumps = json.dumps
    for row in csv.reader(unpack.stdout):
        if row[0] == "seq":
            continue
        lines.append(f'{{"seq":{row[0]},"invoice_no":{dumps(row[1])},"stock_code":{dumps(row[2])},'
                     f'"description":{dumps(row[3]) if row[3] else "null"},"quantity":{row[4]},'
                     f'"invoice_date":"{row[5]}","unit_price":"{row[6]}",'
                     f'"customer_id":{dumps(row[7]) if row[7] else "null"},"country":{dumps(row[8])}}}')
    if unpack.wait() != 0:
        raise SystemExit("zstd fails")
    return lines


def shuffled(lines, rng, bound=20000):
    """No record moves by more than bound places."""
    keys = sorted((i + rng.random() * bound, i) for i in range(len(lines)))
    return [lines[i] for _, i in keys]


def twice(lines, rng):
    """5% of the records once more, up to 50,000 places later."""
    again = [(i + rng.random() * 50000, i) for i in range(len(lines)) if rng.random() < 0.05]
    keys = sorted([(float(i), i) for i in range(len(lines))] + again)
    return [lines[i] for _, i in keys], len(again)


class Sender:
    """A client that tries a request again until it is answered with 200."""

    def __init__(self, server):
        self.server, self.connection = server, None
        self.accepted = self.quarantined = self.retries = self.requests = 0

    def send(self, body):
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=60)
                self.connection.request("POST", f"/v1/streams/{STREAM}", body)
                answer = self.connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    break
                if answer.status not in (429, 500, 503):
                    raise weirtest.ServerError(f"HTTP {answer.status}: {text[:300]!r}")
            except (OSError, http.client.HTTPException):
                if self.connection is not None:
                    self.connection.close()
                self.connection = None
            if time.monotonic() > deadline:
                raise weirtest.ServerError("no answer for 60 s")
            self.retries += 1
            time.sleep(0.02)
        facts = json.loads(text)
        self.requests += 1
        self.accepted += facts["accepted"]
        self.quarantined += facts["quarantined"]


class Killer:
    """kill -9 and a new start. The moments follow the load, not the clock, so that a fast machine is
    killed as often as a slow one: at random requests, and a random while after each has begun, which
    hits the server before, within and after its work on it."""

    def __init__(self, server, rng, requests, wanted=8):
        self.server, self.rng = server, rng
        self.at = set(rng.sample(range(requests), min(wanted, requests)))
        self.seconds, self.failure, self.thread = [], None, None

    def before(self, request):
        """To be called before each request, by the thread that sends it."""
        self.join()
        if request in self.at:
            self.thread = threading.Thread(target=self._kill, args=(self.rng.uniform(0, 0.012),), daemon=True)
            self.thread.start()

    def _kill(self, pause):
        time.sleep(pause)
        try:
            self.server.restart()
            self.seconds.append(self.server.ready_seconds)
        except weirtest.ServerError as error:
            self.failure = str(error)

    def join(self):
        """Until the last kill's start is over, so that no kill is left out."""
        if self.thread is not None:
            self.thread.join(70)
            self.thread = None
        if self.failure is not None:
            raise weirtest.ServerError(self.failure)


def oracle(name):
    with open(DATA / "oracle" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    return decimal.Decimal(text)


def check_figures(checks, server, name):
    with server.pg() as pg:
        days = {row[0]: tuple(map(number, row[1:])) for row in
                pg.query("SELECT day, n_rows, revenue, qty, cancel_rows FROM retail.by_day")}
        wanted = {row["day"]: tuple(number(row[c]) for c in ("n_rows", "revenue", "qty", "cancel_rows"))
                  for row in oracle("by_day.csv")}
        checks.equal(f"{name}: by_day", days, wanted)
        countries = {row[0]: tuple(map(number, row[1:])) for row in
                     pg.query("SELECT country, n_rows, revenue FROM retail.by_country")}
        wanted = {row["country"]: (number(row["n_rows"]), number(row["revenue"])) for row in oracle("by_country.csv")}
        checks.equal(f"{name}: by_country", countries, wanted)
        units = pg.value("SELECT sum(qty) FROM retail.by_country")
        stock = {row[0]: tuple(map(number, row[1:])) for row in
                 pg.query("SELECT stock, n_rows, net_qty, revenue FROM retail.by_stock")}
        wanted = {row["stock"]: tuple(number(row[c]) for c in ("n_rows", "net_qty", "revenue"))
                  for row in oracle("by_stock.csv")}
        checks.equal(f"{name}: by_stock", stock, wanted)
        total = oracle("totals.csv")[0]
        columns = ("n_rows", "revenue", "qty", "rows_without_customer", "cancel_rows", "negative_qty_rows")
        row = pg.query(f"SELECT {', '.join(columns)} FROM retail.totals")[0]
        checks.equal(f"{name}: totals", [number(v) for v in row], [number(total[c]) for c in columns])
        checks.equal(f"{name}: units over the countries", number(units), number(total["qty"]))


def units_by_country(lines):
    """The oracle has revenue by country; units come from the file itself."""
    units = {}
    for line in lines:
        record = json.loads(line)
        units[record["country"]] = units.get(record["country"], 0) + record["quantity"]
    return units


def run(checks, name, records, n, sent_bad, rng, with_kills, units):
    """records: as sent; n: distinct good ones; sent_bad: how many of them break the contract."""
    begin = time.monotonic()
    with weirtest.Server(str(HERE / "retail.sql")) as server:
        sender = Sender(server)
        step = 2000 if with_kills else BATCH
        starts = range(0, len(records), step)
        killer = Killer(server, rng, len(starts)) if with_kills else None
        for request, at in enumerate(starts):
            if killer is not None:
                killer.before(request)
            sender.send(("\n".join(records[at:at + step]) + "\n").encode())
        if killer is not None:
            killer.join()
        kills = killer.seconds if killer is not None else []
        loaded = time.monotonic() - begin
        with server.pg(timeout=200) as pg:
            pg.simple("FLUSH")
        seen = time.monotonic() - begin
        check_figures(checks, server, name)
        with server.pg() as pg:
            found = {row[0]: int(row[1]) for row in pg.query("SELECT country, qty FROM retail.by_country")}
            checks.equal(f"{name}: units by country", found, units)
            row = pg.query("SELECT accepted, duplicates, quarantined FROM weir.streams WHERE name = 'line'")[0]
            accepted, duplicates, quarantined = map(int, row)
            in_view = int(pg.value("SELECT n_rows FROM retail.totals"))
            listed = int(pg.value("SELECT count(*) FROM weir.quarantine"))
        # Every record of the log: in the views or a duplicate. Every record sent: in the log or in quarantine.
        checks.equal(f"{name}: accepted = in views + duplicates", accepted, in_view + duplicates)
        checks.equal(f"{name}: rows in the views", in_view, n)
        checks.equal(f"{name}: quarantine lists what it counts", listed, quarantined)
        if sender.retries == 0:
            checks.equal(f"{name}: accepted", (accepted, sender.accepted), (len(records) - sent_bad,) * 2)
            checks.equal(f"{name}: quarantined", (quarantined, sender.quarantined), (sent_bad, sent_bad))
        else:  # a request that was logged and not answered is sent again
            checks.true(f"{name}: nothing acknowledged is lost", accepted >= sender.accepted == len(records) - sent_bad,
                        (accepted, sender.accepted))
            checks.true(f"{name}: quarantine keeps all", quarantined >= sender.quarantined == sent_bad)
        if with_kills:
            checks.equal(f"{name}: kills", len(kills), len(killer.at))
            checks.true(f"{name}: a request was cut off", sender.retries > 0)
        note = f", {len(kills)} kills, slowest restart {max(kills) * 1000:.0f} ms, {sender.retries} retries" if kills else ""
        print(f"{name}: {len(records)} records sent in {loaded:.1f} s, visible after {seen:.1f} s; {accepted} accepted = "
              f"{in_view} in views + {duplicates} duplicates; {quarantined} in quarantine{note}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("variations", nargs="*", default=[])
    options = parser.parse_args()
    if not DATA.is_dir():
        weirtest.skip("the data set ../shared/data/online_retail is not there")
    weirtest.need_weir()
    rng = random.Random(options.seed)
    checks = weirtest.Checks()
    lines = read_lines()
    units = units_by_country(lines)
    wanted = options.variations or ["order", "shuffled", "twice", "kills"]
    if "order" in wanted:
        run(checks, "order", lines, len(lines), 0, rng, False, units)
    if "shuffled" in wanted:
        run(checks, "shuffled", shuffled(lines, rng), len(lines), 0, rng, False, units)
    if "twice" in wanted:
        records, again = twice(lines, rng)
        print(f"twice: {again} records are sent twice")
        run(checks, "twice", records, len(lines), 0, rng, False, units)
    for i in range(3 if options.long else 1):
        if "kills" not in wanted:
            break
        records, bad = [], 0
        for line in shuffled(lines, rng):
            records.append(line)
            if rng.random() < 0.0001:  # records that break their contract, between the good ones
                records.append(line.replace('"quantity":', '"quantity":"many",  "x":') if rng.random() < 0.5 else line[:-9])
                bad += 1
        run(checks, "kills" if i == 0 else f"kills {i + 1}", records, len(lines), bad, rng, True, units)
    checks.end()


if __name__ == "__main__":
    main()
