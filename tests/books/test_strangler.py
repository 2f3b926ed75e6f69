#!/usr/bin/env python3
"""The old batch report beside the new view, day by day: a reconciliation of figures against the report's table in PostgreSQL, of the
days that are over, a verdict a day (the query of docs/sql.md), a version of the view against the same report, and the change-over."""
import datetime
import pathlib
import re

from _servers import PostgresBook, Weir, weirtest

DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "sql.md"
DAYS, STORES = 5, 3


def verdicts_query():
    """As the documentation has it, for this test's names."""
    found = re.search(r"```sql\n(-- a verdict a day\n.*?)```", DOCS.read_text(), re.S)
    assert found, "docs/sql.md has lost its query"
    return found.group(1)


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = [today - datetime.timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    orders = [dict(id=i, store=i % STORES, net=f"{i}.50", placed_at=f"{days[i % DAYS]}T10:00:00Z") for i in range(90)]
    with PostgresBook() as book, weirtest.Server() as server:
        weir = Weir(server)
        weir.sql("CREATE SCHEMA sales; CREATE STREAM sales.orders (id INT NOT NULL, store INT NOT NULL, net NUMERIC(12,2) NOT NULL, placed_at "
                 "TIMESTAMPTZ NOT NULL, PRIMARY KEY (id));")
        weir.sql("CREATE MATERIALIZED VIEW sales.revenue_1d WITH (refresh = 'immediate') AS SELECT placed_at::date AS day, store, sum(net) AS revenue "
                 "FROM sales.orders GROUP BY 1, 2")
        server.ingest("sales.orders", orders)
        weir.sql("FLUSH")
        # The batch job has written what is over, with two faults, under other names and types.
        book.sql("CREATE SCHEMA legacy; CREATE TABLE legacy.report (business_day timestamp, store_no numeric(6,0), revenue numeric(14,4))")
        sums = {}
        for o in orders:
            key = (o["placed_at"][:10], o["store"])
            sums[key] = sums.get(key, 0) + float(o["net"])
        values = ", ".join(f"('{day}', {store}, {net:.4f})" for (day, store), net in sums.items() if day != str(today))
        book.sql(f"INSERT INTO legacy.report VALUES {values}")
        book.sql(f"UPDATE legacy.report SET revenue = revenue + 1 WHERE business_day = '{days[1]}' AND store_no = 1")
        book.sql(f"DELETE FROM legacy.report WHERE business_day = '{days[2]}' AND store_no = 2")
        against = book.against("SELECT business_day AS day, store_no AS store, revenue FROM legacy.report")
        clauses = "KEY (day, store) COMPARE (revenue) WHERE day < current_date EVERY DAY AT '06:30 Europe/Berlin'"
        weir.make("sales.legacy", "sales.revenue_1d", against, clauses)
        weir.sql("RECONCILE sales.legacy")
        counts = "SELECT matched, missing, unexpected, differing FROM weir.reconciliation_runs WHERE name = '{}' ORDER BY run DESC LIMIT 1"
        checks.equal("days that are over", weir.sql(counts.format("legacy")), [["10", "0", "1", "1"]])
        query = verdicts_query()
        expected = [[str(day), "3", "agrees"] for day in days[:-1]]
        expected[1][2] = expected[2][2] = "1 of 3 differ"
        checks.equal("a verdict a day", weir.sql(query), expected)
        found = weir.sql("SELECT kind, view_value, record_value, difference FROM weir.reconciliation_result WHERE key IS NOT NULL ORDER BY key")
        checks.equal("in the digits of each side", found, [["differing", "234.00", "235.0000", "-1.0000"], ["unexpected", found[1][1], None, None]])
        # A missing figure counts for its day too, though the view has no such row.
        book.sql(f"INSERT INTO legacy.report VALUES ('{days[0]}', 99, 7)")
        weir.sql("RECONCILE sales.legacy")
        expected[0] = [str(days[0]), "4", "1 of 4 differ"]
        checks.equal("a verdict of a day with a missing figure", weir.sql(query), expected)
        # The report is mended; the next version of the view is held against it, too.
        book.sql(f"DELETE FROM legacy.report WHERE store_no = 99; UPDATE legacy.report SET revenue = revenue - 1 WHERE business_day = '{days[1]}' AND "
                 f"store_no = 1; INSERT INTO legacy.report VALUES ('{days[2]}', 2, {sums[(str(days[2]), 2)]})")
        weir.sql("CREATE OR REPLACE MATERIALIZED VIEW sales.revenue_1d WITH (refresh = 'immediate') AS SELECT placed_at::date AS day, store, "
                 "sum(net) FILTER (WHERE id <> 6) AS revenue FROM sales.orders GROUP BY 1, 2")
        weir.sql("FLUSH")
        weir.make("sales.next", 'sales."revenue_1d@2"', against, clauses)
        for name, wanted in (("legacy", ["12", "0", "0", "0"]), ("next", ["11", "0", "0", "1"])):
            weir.sql(f"RECONCILE sales.{name}")
            checks.equal(f"{name}", weir.sql(counts.format(name)), [wanted])
        checks.equal("every day agrees", {row[2] for row in weir.sql(query)}, {"agrees"})
        # A reconciliation of the version goes first, on whichever side: its name is to change.
        weir.make("sales.other", "sales.revenue_1d", "(connector = 'view', view = 'sales.revenue_1d@2')", "KEY (day, store) COMPARE (revenue)")
        for name in ("next", "other"):
            state, message = weir.error("ALTER MATERIALIZED VIEW sales.revenue_1d PROMOTE")
            checks.true(f"{name} stands on the version", state == "2BP01" and "sales." in message, f"{state}: {message}")
            weir.sql(f"DROP RECONCILIATION sales.{name}")
        weir.sql("ALTER MATERIALIZED VIEW sales.revenue_1d PROMOTE")
        weir.sql("RECONCILE sales.legacy")
        checks.equal("the reconciliation stands on what is the view now", weir.sql(counts.format("legacy")), [["11", "0", "0", "1"]])
        # An empty report (the batch has not run): a finding a figure, and no verdict is kind.
        book.sql("DELETE FROM legacy.report")
        weir.sql("RECONCILE sales.legacy")
        checks.equal("an empty report", weir.sql(counts.format("legacy")), [["0", "0", "12", "0"]])
        checks.equal("no day agrees", {row[2] for row in weir.sql(query)}, {"3 of 3 differ"})
        server.restart()
        weir = Weir(server)
        checks.equal("after a restart", {row[2] for row in weir.sql(query)}, {"3 of 3 differ"})
        weir.sql("RECONCILE sales.legacy")
    checks.end()


if __name__ == "__main__":
    main()
