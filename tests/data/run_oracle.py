#!/usr/bin/env python3
"""Runs the two real data sets through `weir run` and compares every view with its oracle.

usage: run_oracle.py WEIR DATA_DIR [retail|quakes]

DATA_DIR holds online_retail/ and usgs_quakes_2021_06/. A view is compared with the oracle file of
its name: rows by key, values exactly (numbers as decimals, times as instants), in the columns that
both have. Exit code 1 on any difference; a data set that is not there is skipped by name.
"""
import csv
import datetime
import decimal
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SETS = {
    "retail": ("online_retail", "online_retail.csv.zst", "retail.line", {
        "totals": [], "by_day": ["day"], "by_hour": ["hour"], "by_country": ["country"],
        "by_stock": ["stock"]}),
    "quakes": ("usgs_quakes_2021_06", "quakes_by_updated.csv.zst", "quakes.quake", {
        "totals": [], "by_event_day": ["day"], "by_event_hour_net": ["hour", "net"]}),
}
STAMP = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00)?$")


def value(text):
    """Equal values compare equal however they are written."""
    if text == "":
        return None
    stamp = STAMP.match(text)
    if stamp:
        day, clock, fraction, _ = stamp.groups()
        micros = int(((fraction or ".0")[1:] + "000000")[:6])
        return datetime.datetime.fromisoformat(f"{day}T{clock}").replace(microsecond=micros)
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        return text


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def compare(name, keys, got, wanted):
    columns = [c for c in wanted[0] if c in got[0]]
    if len(columns) <= len(keys):
        return [f"{name}: no columns in common"]
    faults = []
    key_of = lambda row: tuple(value(row[k]) for k in keys)
    mine = {key_of(row): row for row in got}
    if len(mine) != len(got):
        faults.append(f"{name}: {len(got) - len(mine)} rows with a key twice")
    if len(got) != len(wanted):
        faults.append(f"{name}: {len(got)} rows, the oracle has {len(wanted)}")
    for row in wanted:
        other = mine.get(key_of(row))
        if other is None:
            faults.append(f"{name}: no row {key_of(row)}")
            continue
        for column in columns:
            if value(row[column]) != value(other[column]):
                faults.append(f"{name} {key_of(row)}: {column} is {other[column]!r}, "
                              f"the oracle has {row[column]!r}")
    if not faults:
        print(f"  {name}: {len(wanted)} rows equal in {', '.join(columns)}")
    return faults


def run(weir, data, which):
    folder, file, stream, views = SETS[which]
    source = data / folder
    if not source.is_dir():
        print(f"{which}: skipped: {source} is not there")
        return []
    with tempfile.TemporaryDirectory(prefix="weir-oracle-") as out:
        command = [weir, "run", str(HERE / f"{which}.sql"), "--input", f"{stream}={source / file}",
                   "--until-end", "--strict"]
        for view in views:
            command += ["--output", f"{which}.{view}={out}/{view}.csv"]
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        print(f"{which}: {time.monotonic() - begin:.1f} s")
        if done.returncode != 0:
            return [f"{which}: weir run failed ({done.returncode}): {done.stderr[-2000:]}"]
        faults = []
        for view, keys in views.items():
            faults += compare(f"{which}.{view}", keys, read(f"{out}/{view}.csv"),
                              read(source / "oracle" / f"{view}.csv"))
        return faults


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    faults = []
    for which in sys.argv[3:] or SETS:
        faults += run(sys.argv[1], pathlib.Path(sys.argv[2]), which)
    for fault in faults[:20]:
        print(fault)
    if len(faults) > 20:
        print(f"and {len(faults) - 20} more")
    print(f"oracle: {len(faults)} differences")
    return 1 if faults else 0


sys.exit(main())
