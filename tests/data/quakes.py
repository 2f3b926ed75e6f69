#!/usr/bin/env python3
"""The earthquake feed over HTTP in the order of its updates: real event time against real arrival,
delays to 29 days. Counts and maxima by event day and by hour and network equal the oracle with every
row applied, and the late rows are counted as the oracle has them, for each delay of the watermark."""
import csv
import decimal
import io
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import weirtest  # noqa: E402

DATA = weirtest.ROOT.parent / "shared" / "data" / "usgs_quakes_2021_06"
RENAMED = {"magType": "mag_type", "horizontalError": "horizontal_error", "depthError": "depth_error",
           "magError": "mag_error", "magNst": "mag_nst", "locationSource": "location_source", "magSource": "mag_source"}
TEXTS = {"time", "magType", "net", "id", "updated", "place", "type", "status", "locationSource", "magSource", "gap",
         "mag", "magError"}


def read_records():
    text = subprocess.run(["zstd", "-dcq", DATA / "quakes_by_updated.csv.zst"], capture_output=True, check=True).stdout
    records = []
    for row in csv.DictReader(io.StringIO(text.decode())):
        record = {}
        for name, value in row.items():
            if value == "":
                record[RENAMED.get(name, name)] = None
            elif name in TEXTS:
                record[RENAMED.get(name, name)] = value
            else:
                record[RENAMED.get(name, name)] = float(value) if "." in value or "e" in value else int(value)
        records.append(record)
    return records


def oracle(name):
    with open(DATA / "oracle" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    return None if text in (None, "") else decimal.Decimal(text)


def schema(delays):
    sql = (HERE / "quakes.sql").read_text()
    for delay in delays:
        sql += (f"\nCREATE STREAM quakes.late_{delay} (id TEXT NOT NULL, time TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), "
                f"WATERMARK FOR time AS time - INTERVAL '{delay} seconds');\n"
                f"CREATE MATERIALIZED VIEW quakes.late_{delay}_n AS SELECT count(*) AS n FROM quakes.late_{delay};\n")
    return sql


def send(server, stream, records, step=1000):
    accepted = 0
    for at in range(0, len(records), step):
        facts = server.ingest(stream, records[at:at + step])
        accepted += facts["accepted"]
    return accepted


def check_views(checks, pg):
    days = {r[0]: tuple(map(number, r[1:])) for r in
            pg.query("SELECT day, n, max_mag, n_ge_4_5, reviewed FROM quakes.by_event_day")}
    wanted = {r["day"]: tuple(number(r[c]) for c in ("n", "max_mag", "n_ge_4_5", "reviewed"))
              for r in oracle("by_event_day.csv")}
    checks.equal("by_event_day", days, wanted)
    hours = {(r[0].replace(" ", "T").replace("+00", "Z"), r[1]): tuple(map(number, r[2:])) for r in
             pg.query("SELECT hour, net, n, max_mag FROM quakes.by_event_hour_net")}
    wanted = {(r["hour"], r["net"]): (number(r["n"]), number(r["max_mag"])) for r in oracle("by_event_hour_net.csv")}
    checks.equal("by_event_hour_net", hours, wanted)
    total = oracle("totals.csv")[0]
    row = pg.query("SELECT n, reviewed, mag_null, max_mag FROM quakes.totals")[0]
    checks.equal("totals", [number(v) for v in row], [number(total[c]) for c in ("n", "reviewed", "mag_null", "max_mag")])


def main():
    if not DATA.is_dir():
        weirtest.skip("the data set ../shared/data/usgs_quakes_2021_06 is not there")
    weirtest.need_weir()
    checks = weirtest.Checks()
    records = read_records()
    late = {int(r["watermark_delay_s"]): int(r["late_rows"]) for r in oracle("late_rows_updated_order.csv")}
    with weirtest.Server(schema(late)) as server:
        accepted = 0
        for at in range(0, len(records), 2000):  # steps in between: a correction is of what a commit had shown as final
            accepted += send(server, "quakes.quake", records[at:at + 2000])
            with server.pg() as pg:
                pg.simple("FLUSH")
        checks.equal("accepted", accepted, len(records))
        times = [{"id": r["id"], "time": r["time"]} for r in records]
        for delay in late:
            send(server, f"quakes.late_{delay}", times, 4000)
        with server.pg(timeout=120) as pg:
            pg.simple("FLUSH")
            check_views(checks, pg)
            found = {int(r[0].split("_")[1]): int(r[1]) for r in
                     pg.query("SELECT name, late FROM weir.streams WHERE name LIKE 'late%'")}
            checks.equal("late rows by delay of the watermark", found, late)
            for delay in late:
                checks.equal(f"rows applied, delay {delay} s", pg.value(f"SELECT n FROM quakes.late_{delay}_n"), str(len(records)))
            row = pg.query("SELECT accepted, duplicates, quarantined, late FROM weir.streams WHERE name = 'quake'")[0]
            checks.equal("accounts", row, [str(len(records)), "0", "0", str(late[300])])
            corrected = int(pg.value("SELECT count(*) FROM quakes.by_event_hour_net WHERE _status = 'corrected'"))
            ledger = int(pg.value("SELECT count(*) FROM weir.revisions WHERE view = 'quakes.by_event_hour_net'"))
            checks.true("late rows are corrections in the ledger", 0 < corrected <= ledger, (corrected, ledger))
        print(f"{len(records)} rows, late by delay: {found}; {corrected} rows corrected, {ledger} revisions")
    checks.end()


if __name__ == "__main__":
    main()
