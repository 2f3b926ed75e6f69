#!/usr/bin/python3
"""psycopg 3, unmodified (Debian's python3-psycopg): parameters, binary results, prepared statements,
server errors, COPY, cancelling, many rows."""
import datetime
import decimal
import sys

import _demo
from _demo import weirtest

try:
    import psycopg
    from psycopg.types.json import Json
except ImportError:
    weirtest.skip("python3-psycopg is not installed")


def values(checks, connection):
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        form = "binary" if binary else "text"
        row = cursor.execute("SELECT * FROM sales.all_types WHERE order_id = %s", (1,)).fetchone()
        utc = datetime.timezone.utc
        checks.equal(f"a row of all types ({form})", row[:3] + row[6:],
                     (1, 2, 2, True, 'a, "b"', datetime.datetime(2026, 1, 5, 9, 30, 10, tzinfo=utc), datetime.date(2026, 1, 5)))
        checks.equal(f"numeric is exact ({form})", row[3], decimal.Decimal("19.90"))
        checks.true(f"floats ({form})", abs(row[4] - 19.9) < 1e-5 and row[5] == 19.9, row[4:6])
        row = cursor.execute("SELECT note FROM sales.all_types AS x JOIN sales.order_placed AS o USING (order_id) "
                             "WHERE order_id = %s", (2,)).fetchone()
        checks.equal(f"NULL ({form})", row, (None,))
        rows = cursor.execute("SELECT store_id, revenue FROM sales.by_store WHERE revenue > %s AND name IS NOT NULL ORDER BY 1",
                              (decimal.Decimal("0.5"),)).fetchall()
        checks.equal(f"a numeric parameter ({form})", rows, [(7, decimal.Decimal("20.00"))])
        at = datetime.datetime(2026, 1, 5, 9, 31, tzinfo=datetime.timezone(datetime.timedelta(hours=0)))
        rows = cursor.execute("SELECT orders FROM sales.revenue_1m WHERE window_start >= %s", (at,)).fetchall()
        checks.equal(f"a time as a parameter ({form})", rows, [(1,)])
        rows = cursor.execute("SELECT order_id FROM sales.order_placed WHERE note = %s", ('a, "b"',)).fetchall()
        checks.equal(f"a text parameter ({form})", rows, [(1,)])
        row = cursor.execute("SELECT %s::int + 1, %s::text, %b::bytea, %s::jsonb, %s::uuid::text, %s::date, %s::bool",
                             (41, "ü", b"\0\xff", '{"a": [1, null]}', "00000000-0000-0000-0000-00000000000a",
                              datetime.date(1999, 12, 31), True)).fetchone()
        checks.equal(f"parameters come back ({form})", row, (42, "ü", b"\0\xff", {"a": [1, None]},
                                                             "00000000-0000-0000-0000-00000000000a", datetime.date(1999, 12, 31), True))


def statements(checks, connection):
    for i in range(12):  # from the fifth time on psycopg uses a named prepared statement
        row = connection.execute("SELECT sum(n) FROM sales.many WHERE n < %s", (i,)).fetchone()
        checks.equal("a prepared statement", row[0], decimal.Decimal(i * (i - 1) // 2) if i else None)
    rows = connection.execute("SELECT n FROM sales.many").fetchall()
    checks.equal("many rows", (len(rows), sum(r[0] for r in rows)), (20000, 199990000))
    cursor = connection.execute("INSERT INTO sales.store (store_id, name) VALUES (%s, %s)", (9, "Linz"))
    checks.equal("rowcount", cursor.rowcount, 1)
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO sales.store (store_id, name) VALUES (%s, %s)", [(i, f"s{i}") for i in range(10, 20)])
    connection.execute("FLUSH")
    checks.equal("executemany", connection.execute("SELECT count(*) FROM sales.store").fetchone()[0], 12)
    with connection.cursor().copy("COPY (SELECT store_id, name FROM sales.store WHERE store_id < 10 ORDER BY 1) TO STDOUT") as copy:
        checks.equal("COPY", b"".join(bytes(part) for part in copy), b"7\tGraz\n9\tLinz\n")
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int * 2", (i,)) for i in range(50)]
    checks.equal("pipeline", [c.fetchone()[0] for c in cursors], [2 * i for i in range(50)])
    rows = list(connection.cursor().stream("SELECT n FROM sales.many WHERE n < 100 ORDER BY n"))
    checks.equal("stream", len(rows), 100)


def errors(checks, connection):
    def fails(what, error, sql, params=None):
        try:
            connection.execute(sql, params)
            checks.true(what, False, "no error")
        except error as found:
            checks.true(what, True)
            return found
        except psycopg.Error as found:
            checks.true(what, False, repr(found))
        return None
    found = fails("UndefinedTable", psycopg.errors.UndefinedTable, "SELECT * FROM nowhere")
    checks.equal("its place", found and found.diag.statement_position, "15")
    fails("UndefinedColumn", psycopg.errors.UndefinedColumn, "SELECT nope FROM sales.by_store")
    fails("SyntaxError", psycopg.errors.SyntaxError, "SELEC 1")
    fails("DivisionByZero", psycopg.errors.DivisionByZero, "SELECT 1 / %s::int", (0,))
    fails("InvalidTextRepresentation", psycopg.errors.InvalidTextRepresentation, "SELECT %s::int", ("x",))
    fails("NumericValueOutOfRange", psycopg.errors.NumericValueOutOfRange, "SELECT 2147483647 + %s::int", (1,))
    fails("CheckViolation", psycopg.errors.CheckViolation,
          "INSERT INTO sales.order_placed (order_id, store_id, qty, net_amount, placed_at) VALUES (1, 1, -1, 1, '2026-01-01Z')")
    fails("NotNullViolation", psycopg.errors.NotNullViolation, "INSERT INTO sales.store (store_id, name) VALUES (1, NULL)")
    fails("FeatureNotSupported", psycopg.errors.FeatureNotSupported, "CREATE INDEX i ON sales.store (name)")
    checks.equal("the connection goes on", connection.execute("SELECT 1").fetchone(), (1,))


def parameters(checks, connection):
    for binary in ("t", "b"):
        row = connection.execute(f"SELECT %{binary} AS j", (Json({"a": [1]}),)).fetchone()
        checks.equal(f"json ({binary})", row, ({"a": [1]},))
        for numbers in ([7], [8, 7], [7, 70000], [7, 1 << 40], [None, 7], []):
            row = connection.execute(f"SELECT count(*) FROM sales.by_store WHERE store_id = ANY(%{binary})", (numbers,)).fetchone()
            checks.equal(f"= ANY of {numbers} ({binary})", row[0], sum(i in (7, 8) for i in numbers))
        rows = connection.execute(f"SELECT name FROM sales.store WHERE name = ANY(%{binary}) ORDER BY 1", (["Graz", 'a"b,', "Linz"],)).fetchall()
        checks.equal(f"= ANY of texts ({binary})", rows, [("Graz",), ("Linz",)])
        rows = connection.execute(f"SELECT store_id FROM sales.by_store WHERE store_id <> ALL(%{binary})", ([7, 9],)).fetchall()
        checks.equal(f"<> ALL ({binary})", rows, [(8,)])
    rows = connection.execute("SELECT order_id FROM sales.order_placed ORDER BY 1 LIMIT %s OFFSET %s", (1, 1)).fetchall()
    checks.equal("LIMIT and OFFSET", rows, [(2,)])
    described = []
    for sql in (b"SELECT 1 WHERE 1::bigint = ANY($1)", b"SELECT 1 WHERE 1 = ANY($1::int[])", b"SELECT 1 WHERE 'a' = ANY($1::text[])"):
        connection.pgconn.prepare(b"", sql)
        described.append(connection.pgconn.describe_prepared(b"").param_type(0))
    checks.equal("array parameters are described", described, [1016, 1007, 1009])
    row = connection.execute("SELECT relname FROM pg_class WHERE oid = %s::regclass", ("sales.by_store",)).fetchone()
    checks.equal("a relation's name", row, ("by_store",))
    rows = connection.execute("SELECT order_id FROM sales.order_placed ORDER BY 1 LIMIT %s", (None,)).fetchall()
    checks.equal("LIMIT of a null", len(rows), 3)


def settings(checks, connection):
    def show(name):
        return connection.execute(f"SHOW {name}").fetchone()[0]
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 1234")
        connection.execute("SET application_name = 'one'")
        checks.equal("SET LOCAL", show("statement_timeout"), "1234")
    checks.equal("SET LOCAL ends with its transaction", show("statement_timeout"), "0")
    checks.equal("SET does not", (show("application_name"), connection.info.parameter_status("application_name")), ("one", "one"))
    try:
        with connection.transaction():
            connection.execute("SET application_name = 'two'")
            connection.execute("SET search_path = sales")
            checks.equal("search_path", connection.execute("SELECT count(*) FROM by_store").fetchone(), (2,))
            raise ValueError
    except ValueError:
        pass
    checks.equal("a rollback takes SET back", (show("application_name"), show("search_path")), ("one", '"$user", public'))
    checks.equal("and the client is told", connection.info.parameter_status("application_name"), "one")
    connection.execute("SET search_path = sales")
    connection.execute("SELECT set_config('application_name', 'three', false)")
    checks.equal("set_config is told", connection.info.parameter_status("application_name"), "three")
    connection.execute("DISCARD ALL")
    checks.equal("DISCARD ALL", (show("application_name"), show("search_path"), show("TimeZone")), ("", '"$user", public', "+02:00"))
    connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")


def savepoints(checks, connection):
    with connection.transaction():
        checks.equal("before", connection.execute("SELECT 1").fetchone(), (1,))
        try:
            with connection.transaction():
                connection.execute("SELECT nope")
        except psycopg.errors.UndefinedColumn:
            pass
        checks.equal("after a savepoint", connection.execute("SELECT 2").fetchone(), (2,))
    notices = []
    connection.add_notice_handler(lambda found: notices.append(found.message_primary))
    connection.execute("BEGIN")
    connection.execute("INSERT INTO sales.store (store_id, name) VALUES (77, 'stays')")
    connection.execute("ROLLBACK")
    checks.true("a rollback of what was stored is warned of", notices and "does not undo" in notices[0], notices)
    for sql, error in (("SAVEPOINT a", psycopg.errors.NoActiveSqlTransaction), ("LISTEN a", psycopg.errors.FeatureNotSupported)):
        try:
            connection.execute(sql)
            checks.true(sql, False, "no error")
        except error:
            checks.true(sql, True)
    connection.execute("BEGIN")
    try:
        connection.execute("ROLLBACK TO nope")
        checks.true("an unknown savepoint", False, "no error")
    except psycopg.errors.InvalidSavepointSpecification:
        checks.true("an unknown savepoint", True)
    connection.execute("ROLLBACK")


def transactions(checks, server):
    with psycopg.connect(f"host=127.0.0.1 port={server.pg_port} user=test dbname=weir") as connection:
        checks.equal("a transaction", connection.execute("SELECT 1").fetchone(), (1,))
        try:
            connection.execute("SELECT nope")
        except psycopg.errors.UndefinedColumn:
            pass
        try:
            connection.execute("SELECT 1")
            checks.true("after an error only ROLLBACK", False)
        except psycopg.errors.InFailedSqlTransaction:
            checks.true("after an error only ROLLBACK", True)
        connection.rollback()
        checks.equal("after ROLLBACK", connection.execute("SELECT 2").fetchone(), (2,))


def cancelling(checks, connection):
    import threading
    threading.Timer(0.4, connection.cancel).start()
    try:
        connection.execute("SELECT count(*) FROM sales.many AS a JOIN sales.many AS b ON a.n + b.n > 0 WHERE a.n * b.n % 7 = 3")
        checks.true("cancel", False, "it ended")
    except psycopg.errors.QueryCanceled:
        checks.true("cancel", True)
    connection.execute("SET statement_timeout = 300")
    try:
        connection.execute("SELECT count(*) FROM sales.many AS a JOIN sales.many AS b ON a.n + b.n > 0 WHERE a.n * b.n % 7 = 3")
        checks.true("statement_timeout", False, "it ended")
    except psycopg.errors.QueryCanceled as found:
        checks.true("statement_timeout", "statement timeout" in str(found), found)


def main():
    checks = weirtest.Checks()
    with _demo.serve() as server:
        _demo.fill(server)
        with psycopg.connect(f"host=127.0.0.1 port={server.pg_port} user=test dbname=weir", autocommit=True) as connection:
            values(checks, connection)
            statements(checks, connection)
            errors(checks, connection)
            parameters(checks, connection)
        with psycopg.connect(f"host=127.0.0.1 port={server.pg_port} user=test dbname=weir options='-c TimeZone=+02:00'",
                             autocommit=True) as connection:
            settings(checks, connection)
            savepoints(checks, connection)
        transactions(checks, server)
        with psycopg.connect(f"host=127.0.0.1 port={server.pg_port} user=test dbname=weir", autocommit=True) as connection:
            cancelling(checks, connection)
    checks.end()


sys.path.insert(0, str(_demo.HERE))
main()
