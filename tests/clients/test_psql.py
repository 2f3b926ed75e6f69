#!/usr/bin/env python3
"""psql, unmodified: its backslash commands, \\copy, errors with their place, cancelling."""
import os
import shutil
import signal
import subprocess
import time

import _demo
from _demo import weirtest


class Psql:
    def __init__(self, server):
        self.server = server

    def __call__(self, *commands, args=(), timeout=30):
        argv = ["psql", "-X", "-h", "127.0.0.1", "-p", str(self.server.pg_port), "-U", "test", "-d", "weir", "-v", "ON_ERROR_STOP=1"]
        for command in commands:
            argv += ["-c", command]
        done = subprocess.run([*argv, *args], capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "PAGER": "cat", "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout, done.stderr


def describe(checks, psql):
    listings = {
        "\\dn": ["sales", "weir"],
        "\\dt sales.*": ["order_placed", "store"],
        "\\dm sales.*": ["revenue_1m", "by_store"],
        "\\d sales.order_placed": ["order_id", "bigint", "not null", "numeric(12,2)", "timestamp with time zone"],
        "\\d+ sales.order_placed": ["EUR, excluding tax"],
        "\\d sales.revenue_1m": ["window_start", "revenue", "numeric"],
        "\\d+ sales.by_store": ["orders", "bigint"],
        "\\d": [],
        "\\dv": [],
        "\\dv weir.*": ["quarantine"],
        "\\dt": [],
        "\\dm": [],
        "\\d sales.*": ["revenue_1m", "order_placed"],
        "\\l": ["weir"],
        "\\du": [],
        "\\di": [],
        "\\df": [],
        "\\dT": [],
        "\\dp sales.*": None,  # needs ARRAY(SELECT ...), and there are no privileges to list yet
        "\\sf nothing": None,
        "\\conninfo": ["weir"],
    }
    for command, words in listings.items():
        code, out, err = psql(command)
        if words is None:
            checks.true(f"{command} succeeds or fails in words", "server closed" not in err and (code == 0 or err), err)
            continue
        checks.true(f"{command} succeeds", code == 0 and "ERROR" not in err, err)
        for word in words:
            checks.true(f"{command} shows {word}", word in out, out)


def select(checks, psql, server):
    code, out, err = psql("SELECT store_id, orders, revenue FROM sales.by_store ORDER BY store_id", args=["-At"])
    checks.equal("select", (code, out), (0, "7|2|20.00\n8|1|100.00\n"))
    code, out, err = psql("SELECT 1; SELECT 'two' AS t; SELECT NULL AS n", args=["-At", "-P", "null=NULL"])
    checks.equal("three statements at once", (code, out), (0, "1\ntwo\nNULL\n"))
    path = os.path.join(server.temp, "out.csv")
    code, out, err = psql(f"\\copy (SELECT order_id, note FROM sales.order_placed ORDER BY order_id) TO '{path}' WITH (FORMAT csv, HEADER)")
    with open(path, encoding="utf-8") as file:
        checks.equal("\\copy out as CSV", (code, out, file.read()),
                     (0, "COPY 3\n", 'order_id,note\n1,"a, ""b"""\n2,\n3,zwölf\n'))
    code, out, err = psql("COPY (SELECT order_id, note FROM sales.order_placed ORDER BY order_id) TO STDOUT")
    checks.equal("COPY as text", out, '1\ta, "b"\n2\t\\N\n3\tzwölf\n')
    code, out, err = psql("INSERT INTO sales.store VALUES (9, 'Linz')")
    checks.equal("INSERT", (code, out), (0, "INSERT 0 1\n"))
    code, out, err = psql("\\timing on", "SELECT count(*) FROM sales.many")
    checks.true("\\timing", code == 0 and "20000" in out and "Time:" in out, out + err)
    code, out, err = psql("BEGIN; SELECT 1; COMMIT", args=["-At"])
    checks.true("a transaction block", code == 0 and "1" in out, out + err)
    code, out, err = psql("\\set ON_ERROR_STOP off", "\\set ON_ERROR_ROLLBACK on", "BEGIN", "SELECT nope", "SELECT 42", "COMMIT", args=["-At"])
    checks.true("ON_ERROR_ROLLBACK", "42\nCOMMIT" in out and "nope" in err, out + err)
    code, out, err = psql("\\x", "SELECT n FROM sales.many WHERE n = 7")
    checks.true("\\x", code == 0 and "n | 7" in out, out + err)


def errors(checks, psql):
    code, out, err = psql("SELECT nope FROM sales.by_store", args=["-v", "VERBOSITY=verbose"])
    checks.true("an unknown column has SQLSTATE and place", code != 0 and "42703" in err and "\n               ^" in err, err)
    code, out, err = psql("SELECT * FORM sales.by_store", args=["-v", "VERBOSITY=verbose"])
    checks.true("a syntax error has SQLSTATE and place", "42601" in err and "^" in err and 'near "FORM"' in err, err)
    code, out, err = psql("SELECT 1/0", args=["-v", "VERBOSITY=verbose"])
    checks.true("division by zero", "22012" in err, err)
    code, out, err = psql("INSERT INTO sales.order_placed (order_id, store_id, qty, net_amount, placed_at) "
                          "VALUES (99, 1, 0, 1, '2026-01-05 09:00:00Z')", args=["-v", "VERBOSITY=verbose"])
    checks.true("a broken CHECK", "23514" in err, err)
    code, out, err = psql("SELECT '\\xZZ'::bytea")
    checks.true("a wrong literal", code != 0 and "ERROR" in err, err)
    for sql, words in (("DROP STREAM order_placed", 'There is a stream "sales.order_placed"'),
                       ("CREATE OR REPLACE MATERIALIZED VIEW sales.by_store AS SELECT 1 AS one", "Make a view of another name beside it"),
                       ("DROP SINK IF EXISTS nothing", "NOTICE:  does not exist, skipping"),
                       ("CREATE SCHEMA IF NOT EXISTS sales", "NOTICE:  already exists, skipping"),
                       ("ALTER TABLE sales.store ADD COLUMN x INT", "SIGHUP")):
        code, out, err = psql(sql)
        checks.true(f"{sql} says what to do", words in err, err)
    code, out, err = psql("SELECT 1")
    checks.true("the server goes on", code == 0, err)


def cancel(checks, server):
    """Ctrl-C in psql while a query runs."""
    slow = "SELECT count(*) FROM sales.many AS a JOIN sales.many AS b ON a.n + b.n > 0 WHERE a.n * b.n % 7 = 3"
    begin = time.monotonic()
    child = subprocess.Popen(["psql", "-X", "-h", "127.0.0.1", "-p", str(server.pg_port), "-U", "test", "-d", "weir", "-c", slow],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.4)  # under way, and not yet at its limit of memory, which ends it too
    running = child.poll() is None
    child.send_signal(signal.SIGINT)
    try:
        _, err = child.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        child.kill()
        _, err = child.communicate()
        err += " (no end after SIGINT)"
    checks.true("cancel", running and "canceling statement due to user request" in err, (running, err, time.monotonic() - begin))
    with server.pg() as pg:
        pg.send(b"Q", slow.encode() + b"\0")
        time.sleep(0.3)
        pg.cancel()
        try:
            pg.collect()
            checks.true("CancelRequest", False, "the query ended before it was cancelled")
        except weirtest.PgError as error:
            checks.equal("CancelRequest", error.sqlstate, "57014")
        checks.equal("the connection goes on", pg.value("SELECT 1"), "1")


def main():
    if shutil.which("psql") is None:
        weirtest.skip("psql is not installed")
    checks = weirtest.Checks()
    with _demo.serve() as server:
        _demo.fill(server)
        psql = Psql(server)
        select(checks, psql, server)
        describe(checks, psql)
        errors(checks, psql)
        cancel(checks, server)
    checks.end()


main()
