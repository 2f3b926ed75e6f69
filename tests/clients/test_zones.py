#!/usr/bin/env python3
"""Time zones of a session, by name: at the start and with SET, in literals, parameters, answers and
functions of a session; and that no session's zone gets into what is stored."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402


def settings(checks, server):
    with server.pg(TimeZone="europe/berlin") as pg:
        checks.equal("the start gives the zone", pg.parameters["TimeZone"], "Europe/Berlin")
        checks.equal("and SHOW shows it", pg.value("SHOW TIME ZONE"), "Europe/Berlin")
        for value, shown in (("'Asia/Tokyo'", "Asia/Tokyo"), ("2", "<+02>-02"), ("-3.5", "<-03:30>+03:30"), ("'+02:00'", "+02:00"),
                             ("INTERVAL '02:30' HOUR TO MINUTE", "<+02:30>-02:30"), ("'utc'", "UTC"), ("'UTC+3'", "UTC+3"),
                             ("LOCAL", "Europe/Berlin"), ("'EST5EDT'", "EST5EDT"), ("DEFAULT", "Europe/Berlin")):
            pg.simple(f"SET TIME ZONE {value}")
            checks.equal(f"SET TIME ZONE {value}", pg.value("SHOW timezone"), shown)
            checks.equal("the client is told", pg.parameters["TimeZone"], shown)
        for value in ("MSK", "Mars/Olympus", "", "170", "../../etc/passwd"):
            try:
                pg.simple(f"SET timezone = '{value}'")
                state = None
            except weirtest.PgError as error:
                state = error.sqlstate
            checks.equal(f"SET timezone = '{value}' is refused", state, "22023")
        pg.simple("BEGIN; SET LOCAL timezone = 'America/New_York'")
        checks.equal("within the transaction", pg.value("SELECT TIMESTAMPTZ '2024-07-01 12:00Z'"), "2024-07-01 08:00:00-04")
        pg.simple("COMMIT")
        checks.equal("and after it", pg.value("SELECT TIMESTAMPTZ '2024-07-01 12:00Z'"), "2024-07-01 14:00:00+02")


def values(checks, server):
    with server.pg(TimeZone="Europe/Berlin") as pg:
        result = pg.extended("SELECT $1, extract(hour FROM $1), $1::date", ("2024-03-31 02:30",), (1184,))
        checks.equal("a parameter is local time", result.rows[0], [b"2024-03-31 03:30:00+02", b"3", b"2024-03-31"])
        checks.equal("COPY writes local time", pg.simple("COPY (SELECT TIMESTAMPTZ '2024-01-01 00:00Z') TO STDOUT")[0].copied,
                     b"2024-01-01 01:00:00+01\n")
        checks.equal("arrays, too", pg.value("SELECT ARRAY[TIMESTAMPTZ '2024-01-01 00:00Z']"), '{"2024-01-01 01:00:00+01"}')


def stored(checks, server):
    """Views, checks and defaults run in UTC, whoever made them, also after a restart."""
    with server.pg(TimeZone="America/New_York") as pg:
        pg.simple("""CREATE STREAM e (id INT NOT NULL, at TIMESTAMPTZ, made TIMESTAMPTZ DEFAULT '2024-01-01 00:00',
                       CHECK (at >= '2024-01-01 00:00'), PRIMARY KEY (id), WATERMARK FOR at AS at)""")
        pg.simple("""CREATE MATERIALIZED VIEW days WITH (refresh = 'immediate') AS
                       SELECT date_trunc('day', at) AS day, at::date AS d, count(*) AS n FROM e WHERE at < '2024-01-03 00:00'
                       GROUP BY 1, 2""")
        pg.simple("""CREATE MATERIALIZED VIEW texts WITH (refresh = 'immediate') AS
                       SELECT id, at::text AS t, to_char(at, 'YYYY-MM-DD HH24 TZ') AS c FROM e""")
        pg.simple("INSERT INTO e (id, at) VALUES (1, '2024-01-01 22:00'), (2, '2024-01-01 04:00Z'), (3, '2024-01-02 19:00')")
        pg.simple("FLUSH")
    for turn in ("at once", "after a restart"):
        with server.pg() as pg:
            checks.equal(f"days are those of UTC {turn}", pg.simple("SELECT day, d, n FROM days ORDER BY day")[-1].rows,
                         [[b"2024-01-01 00:00:00+00", b"2024-01-01", b"1"], [b"2024-01-02 00:00:00+00", b"2024-01-02", b"1"]])
            checks.equal(f"texts are those of UTC {turn}", pg.simple("SELECT t, c FROM texts WHERE id = 1")[-1].rows,
                         [[b"2024-01-02 03:00:00+00", b"2024-01-02 03 UTC"]])
            checks.equal(f"a default is in UTC {turn}", pg.value("SELECT made FROM e WHERE id = 1"), "2024-01-01 00:00:00+00")
        with server.pg(TimeZone="America/New_York") as pg:
            checks.equal(f"a query of the session {turn}", pg.simple("SELECT at::date, count(*) FROM e GROUP BY 1 ORDER BY 1")[-1].rows,
                         [[b"2023-12-31", b"1"], [b"2024-01-01", b"1"], [b"2024-01-02", b"1"]])
            checks.equal(f"rows of a view are shown in its zone {turn}", pg.value("SELECT day FROM days ORDER BY day LIMIT 1"),
                         "2023-12-31 19:00:00-05")
        server.restart()


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    with weirtest.Server() as server:
        settings(checks, server)
        values(checks, server)
        stored(checks, server)
    checks.end()


main()
