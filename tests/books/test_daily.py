#!/usr/bin/env python3
"""Reconciliations by the calendar: EVERY DAY AT a time of a zone's day runs then, and not before."""
import datetime
import time
import zoneinfo

from _servers import Weir, weirtest

ZONES = {"berlin": "Europe/Berlin", "tokyo": "Asia/Tokyo", "utc": None}


def runs(weir, name):
    return int(weir.sql(f"SELECT count(*) FROM weir.reconciliation_runs WHERE name = '{name}'")[0][0])


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    with weirtest.Server() as server:
        weir = Weir(server)
        weir.sql("CREATE STREAM s (id INT NOT NULL, PRIMARY KEY (id))")
        made = "CREATE RECONCILIATION {} ON w AGAINST (connector = 'view', view = 'public.wbook') KEY (id) COMPARE ({}) EVERY DAY AT '{}'"
        weir.sql("CREATE MATERIALIZED VIEW w WITH (refresh = 'immediate') AS SELECT id, id AS n FROM s")
        weir.sql("CREATE MATERIALIZED VIEW wbook WITH (refresh = 'immediate') AS SELECT id, id AS n FROM s")
        for wrong, says in (("25:00", "a time of day"), ("06:30 Nowhere/Atall", "not recognized"), ("soon", "a time of day")):
            try:
                weir.sql(made.format("wrong", "n", wrong))
                checks.true(f"'{wrong}' is refused", False)
            except weirtest.PgError as error:
                checks.true(f"'{wrong}' is refused", says in str(error), str(error))
        now = datetime.datetime.now(datetime.timezone.utc)
        at = (now + datetime.timedelta(seconds=5)).replace(microsecond=0)
        later = now + datetime.timedelta(hours=2)
        for name, zone in ZONES.items():
            info = zoneinfo.ZoneInfo(zone) if zone else datetime.timezone.utc
            weir.sql(made.format(name, "n", f"{at.astimezone(info):%H:%M:%S}" + (f" {zone}" if zone else "")))
            weir.sql(made.format(name + "_later", "n", f"{later.astimezone(info):%H:%M:%S}" + (f" {zone}" if zone else "")))
        early = [runs(weir, name) for name in ZONES]
        if datetime.datetime.now(datetime.timezone.utc) < at:
            checks.equal("runs before the time of day", early, [0, 0, 0])
        until = time.monotonic() + 40
        while any(runs(weir, name) == 0 for name in ZONES) and time.monotonic() < until:
            time.sleep(0.2)
        checks.true("the runs come when it is time", datetime.datetime.now(datetime.timezone.utc) >= at)
        time.sleep(2.5)
        checks.equal("each has run once", [runs(weir, name) for name in ZONES], [1, 1, 1])
        checks.equal("those of a later hour have not", [runs(weir, name + "_later") for name in ZONES], [0, 0, 0])
        server.restart()
        time.sleep(2.5)
        weir = Weir(server)
        checks.equal("a restart does not repeat it", [runs(weir, name) for name in ZONES], [1, 1, 1])
    checks.end()


if __name__ == "__main__":
    main()
