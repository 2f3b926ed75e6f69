#!/usr/bin/env python3
"""Reconciliation with a real book, once with PostgreSQL and once with MariaDB: that both sides mean the same by a
value of each type, that what differs is found and nothing else, that keys meet whatever the collation, and that a
book that fails leaves a run with its error and harms nothing.

    test_books.py [postgres | mariadb] [--long]"""
import random
import sys
import threading
import time

from _hang import check_given_up, check_half
from _servers import MariadbBook, PostgresBook, Weir, quoted, weirtest

# (weir's type, type in PostgreSQL, type in MariaDB, pairs (JSON for weir, SQL literal); the last pair is another value
# than the one before it.
TYPES = [
    ("SMALLINT", "numeric(8,2)", "decimal(8,2)", [(7, "7.00"), (-32768, "-32768"), (0, "0.00"), (100, "100")]),
    ("INT", "smallint", "smallint", [(7, "7"), (-5, "-5")]),
    ("BIGINT", "bigint", "bigint", [(9223372036854775807, "9223372036854775807"), (-9223372036854775808, "-9223372036854775808"), (-1, "-1")]),
    ("BIGINT", "text", None, [(12, "'12'"), (-9, "'-9.0'")]),
    ("BIGINT", None, "bigint unsigned", [(12, "12"), (9, "9")]),
    ("INT", None, "int(6) unsigned zerofill", [(12, "12"), (9, "9")]),
    ("NUMERIC(20,6)", "numeric", "decimal(30,10)", [("1.0", "1.00"), ("-0.50", "-0.5"), ("0", "0.000"), ("100", "100.0"),
                                                   ("12345678901234.123456", "12345678901234.123456"), ("0.000001", "0.000001")]),
    ("NUMERIC(12,2)", "integer", "integer", [("5.00", "5"), ("-10", "-10")]),
    ("BOOLEAN", "boolean", "boolean", [(True, "true"), (False, "false")]),
    ("TEXT", "varchar(40)", "varchar(40)", [("a", "'a'"), ("", "''"), ("é€𝄞", "'é€𝄞'"), ("a ", "'a '"), ("~", "'~'"),
                                           ("1:a,~", "'1:a,~'"), ("it's", "'it''s'"), ("A", "'A'")]),
    ("TEXT", "char(6)", "char(6)", [("ab", "'ab'"), ("abcdef", "'abcdef'")]),
    ("TEXT", None, "varchar(40) character set latin1", [("é", "'é'"), ("x", "'x'")]),
    ("VARCHAR(10)", "text", "text", [("abc", "'abc'"), ("ünï", "'ünï'")]),
    ("DATE", "date", None, [("infinity", "'infinity'"), ("-infinity", "'-infinity'"), ("9999-12-31", "'9999-12-31'"), ("1999-12-31", "'1999-12-31'")]),
    ("TIMESTAMPTZ", "timestamptz", None, [("infinity", "'infinity'"), ("-infinity", "'-infinity'"), ("2026-05-03T10:00:00Z", "'2026-05-03 10:00+00'")]),
    ("DATE", "date", "date", [("2026-05-03", "'2026-05-03'"), ("1999-12-31", "'1999-12-31'"), ("2000-01-01", "'2000-01-01'")]),
    ("TIMESTAMP", "timestamp", "datetime(6)", [("2026-05-03T10:00:00.123456", "'2026-05-03 10:00:00.123456'"),
                                              ("1969-07-20T20:17:40", "'1969-07-20 20:17:40'")]),
    ("TIMESTAMPTZ", "timestamptz", None, [("2026-05-03T10:00:00Z", "'2026-05-03 12:00:00+02'"),
                                          ("2026-05-03T10:00:00.5+05:30", "'2026-05-03 04:30:00.5+00'")]),
    ("TIMESTAMPTZ", "timestamp", "timestamp(6)", [("2026-05-03T10:00:00Z", "'2026-05-03 10:00:00'"),
                                                 ("2026-05-03T10:00:00.000001Z", "'2026-05-03 10:00:00.000001'")]),
    ("TIME", "time", "time(6)", [("10:00:00", "'10:00:00'"), ("23:59:59.999999", "'23:59:59.999999'")]),
    ("UUID", "uuid", "uuid", [("123e4567-e89b-12d3-a456-426614174000", "'123E4567-E89B-12D3-A456-426614174000'"),
                             ("00000000-0000-0000-0000-000000000001", "'00000000-0000-0000-0000-000000000001'")]),
    ("UUID", "text", "char(36)", [("123e4567-e89b-12d3-a456-426614174000", "'123e4567-e89b-12d3-a456-426614174000'"),
                                 ("00000000-0000-0000-0000-000000000001", "'00000000-0000-0000-0000-000000000001'")]),
    # No canonical text: read and compared.
    ("DOUBLE PRECISION", "double precision", "double", [(0.1, "0.1"), (1e100, "1e100")]),
    ("BYTEA", "bytea", None, [("\\x00ff41", "'\\x00ff41'"), ("\\x", "''"), ("\\x5c", "'\\x5c'")]),
    ("BYTEA", None, "varbinary(20)", [("\\x00ff41", "X'00ff41'"), ("\\x", "''"), ("\\x5c", "X'5c'")]),
]
NOT_DIGESTED = {"DOUBLE PRECISION", "BYTEA"}


def check_types(checks, book, weir):
    for number, (ours, pg, maria, pairs) in enumerate(TYPES):
        theirs = pg if book.connector == "postgres" else maria
        if theirs is None:
            continue
        what = f"{book.connector}: {ours} against {theirs}"
        weir.sql(f"CREATE STREAM ty{number} (id BIGINT NOT NULL, v {ours}, PRIMARY KEY (id))")
        book.sql(f"CREATE TABLE ty{number} (id bigint primary key, v {theirs})")
        weir.server.ingest(f"ty{number}", [dict(id=i, v=v) for i, (v, _) in enumerate(pairs)] + [dict(id=99)])
        values = ", ".join(f"({i}, {literal})" for i, (_, literal) in enumerate(pairs))
        book.sql(f"INSERT INTO ty{number} VALUES {values}, (99, NULL)")
        weir.make("ty", f"STREAM ty{number}", book.against(f"SELECT * FROM ty{number}"), "KEY (id) COMPARE (v)")
        counts, run = weir.run("ty")
        checks.equal(what, counts, (len(pairs) + 1, 0, 0, 0, 0, 0))
        # Equal by their digests alone: no row was read.
        if ours not in NOT_DIGESTED:
            checks.equal(f"{what}: statements", run["statements"], book.setup_statements)
        book.sql(f"UPDATE ty{number} SET v = {pairs[-1][1]} WHERE id = {len(pairs) - 2}")
        checks.equal(f"{what}: another value", weir.run("ty")[0], (len(pairs), 0, 0, 1, 0, 0))
        book.sql(f"UPDATE ty{number} SET v = NULL WHERE id = {len(pairs) - 2}")
        checks.equal(f"{what}: no value", weir.run("ty")[0], (len(pairs), 0, 0, 1, 0, 0))
        # As a key.
        if ours in NOT_DIGESTED:
            continue
        weir.sql(f"CREATE STREAM tk{number} (id BIGINT NOT NULL, v {ours}, PRIMARY KEY (id))")
        weir.server.ingest(f"tk{number}", [dict(id=i, v=v) for i, (v, _) in enumerate(pairs)])
        book.sql(f"CREATE TABLE tk{number} (id bigint, v {theirs})")
        book.sql(f"INSERT INTO tk{number} VALUES " + ", ".join(f"({i}, {literal})" for i, (_, literal) in enumerate(pairs)))
        weir.make("tk", f"STREAM tk{number}", book.against(f"SELECT * FROM tk{number}"), "KEY (v) COMPARE (id)")
        counts, run = weir.run("tk")
        checks.equal(f"{what} as a key", (counts, run["statements"]), ((len(pairs), 0, 0, 0, 0, 0), book.setup_statements))


def check_null_keys(checks, book, weir):
    """A key that is NULL is a key like others, by digests of values (an integer), of hashes (a text), and reading all."""
    for number, (ours, compare) in enumerate((("BIGINT", "v"), ("BIGINT", "v TOLERANCE 0.001"), ("TEXT", "v"))):
        what = f"{book.connector}: NULL as a key of {ours}, COMPARE ({compare})"
        weir.sql(f"CREATE STREAM nu{number} (id INT NOT NULL, k {ours}, v INT, PRIMARY KEY (id))")
        book.sql(f"CREATE TABLE nu{number} (id int primary key, k {'bigint' if ours == 'BIGINT' else 'varchar(30)'}, v int)")
        least = -9223372036854775808  # the position of NULL
        rows = [(i, i * 3, i) for i in range(1, 20001)] + [(20001, least, 1)]
        as_key = lambda k: k if ours == "BIGINT" else str(k)
        weir.server.ingest(f"nu{number}", [dict(id=i, k=as_key(k), v=v) for i, k, v in rows])
        book.sql(f"INSERT INTO nu{number} VALUES " + ", ".join(f"({i}, {quoted(str(k))}, {v})" for i, k, v in rows))
        weir.make("nu", f"STREAM nu{number}", book.against(f"SELECT k, v FROM nu{number}"), f"KEY (k) COMPARE ({compare})")
        run = lambda: weir.run("nu")[0]
        n = len(rows)
        checks.equal(f"{what}: none", run(), (n, 0, 0, 0, 0, 0))
        book.sql(f"INSERT INTO nu{number} VALUES (0, NULL, 7)")
        checks.equal(f"{what}: the book's alone", run(), (n, 1, 0, 0, 0, 0))
        checks.equal(f"{what}: it is told of", [row[:2] for row in weir.found("nu")], [["missing", '{"k":null}']])
        weir.server.ingest(f"nu{number}", [dict(id=0, v=7)])
        checks.equal(f"{what}: on both sides", run(), (n + 1, 0, 0, 0, 0, 0))
        book.sql(f"UPDATE nu{number} SET v = 8 WHERE k IS NULL")
        checks.equal(f"{what}: another value", run(), (n, 0, 0, 1, 0, 0))
        # Differences all over, so that many ranges are asked for with it.
        book.sql(f"UPDATE nu{number} SET v = v + 1 WHERE id % 100 = 0 AND k IS NOT NULL")
        checks.equal(f"{what}: among others", run(), (n - 200, 0, 0, 201, 0, 0))
        book.sql(f"DELETE FROM nu{number} WHERE k IS NULL")
        checks.equal(f"{what}: weir's alone", run(), (n - 200, 0, 1, 200, 0, 0))
        book.sql(f"INSERT INTO nu{number} VALUES (-1, NULL, 7), (-2, NULL, 7)")
        checks.equal(f"{what}: twice in the book", run(), (n - 200, 0, 0, 200, 1, 0))


def check_not_finite(checks, book, weir):
    """PostgreSQL: what has no tolerance; -0 is 0, as a value and as a key; days without an end."""
    weir.sql("CREATE STREAM fl (id INT NOT NULL, v DOUBLE PRECISION, day DATE, PRIMARY KEY (id))")
    book.sql("CREATE TABLE fl (id int primary key, v double precision, day date)")
    pairs = [("1", "'Infinity'", False), ("'Infinity'", "'Infinity'", True), ("'NaN'", "'NaN'", True), ("'-Infinity'", "'Infinity'", False),
             ("'Infinity'", "5", False), ("'NaN'", "1", False), ("0", "'-0'", True), ("100", "101", True), ("'1e308'", "'NaN'", False)]
    for i, (ours, theirs, _) in enumerate(pairs):
        weir.sql(f"INSERT INTO fl VALUES ({i}, {ours}, 'infinity')")
        book.sql(f"INSERT INTO fl VALUES ({i}, {theirs}, 'infinity')")
    agree = sum(same for *_, same in pairs)
    weir.make("fin", "STREAM fl", book.against("SELECT * FROM fl"), "KEY (id) COMPARE (v TOLERANCE 1 PERCENT)")
    checks.equal("what is not finite agrees with itself", weir.run("fin")[0], (agree, 0, 0, len(pairs) - agree, 0, 0))
    weir.make("fin", "STREAM fl", book.against("SELECT * FROM fl WHERE id IN (1, 2, 6)"), "KEY (v) WHERE id IN (1, 2, 6)")
    checks.equal("such keys meet", weir.run("fin")[0], (3, 0, 0, 0, 0, 0))
    weir.make("fin", "STREAM fl", book.against("SELECT * FROM fl"), "KEY (id) SETTLE '1 day' BY day")
    checks.equal("no end is not settled", (weir.run("fin")[0], weir.run("fin")[1]["young"]), ((0, 0, 0, 0, 0, 0), len(pairs)))
    book.sql("UPDATE fl SET day = '-infinity'")
    checks.equal("on one side neither", (weir.run("fin")[0], weir.run("fin")[1]["young"]), ((0, 0, 0, 0, 0, 0), len(pairs)))
    weir.sql("DROP RECONCILIATION fin")


def check_collation(checks, book, weir):
    """Figures whose keys sort otherwise in the book, by case, accents and NULLs."""
    keys = ["b", "A", "a", "Ä", "z", "ä", "B", "", "10", "9", "a b", "a-b", "ab"]
    weir.sql("CREATE STREAM words (id INT NOT NULL, word TEXT, n INT, PRIMARY KEY (id));"
             "CREATE MATERIALIZED VIEW by_word AS SELECT word, sum(n) AS n FROM words GROUP BY word; ")
    weir.server.ingest("words", [dict(id=i, word=k, n=i) for i, k in enumerate(keys)] + [dict(id=99, n=5)])
    weir.sql("FLUSH")
    collation = 'COLLATE "und-x-icu"' if book.connector == "postgres" else "COLLATE utf8mb4_general_ci"
    book.sql(f"CREATE TABLE words (word varchar(20) {collation}, n int)")
    rows = ", ".join(f"({quoted(k)}, {i})" for i, k in enumerate(keys))
    book.sql(f"INSERT INTO words VALUES {rows}, (NULL, 5)")
    weir.make("w", "by_word", book.against("SELECT word, n FROM words ORDER BY word"), "KEY (word) COMPARE (n)")
    checks.equal(f"{book.connector}: keys of another collation", weir.run("w")[0], (len(keys) + 1, 0, 0, 0, 0, 0))


def check_composite(checks, book, weir):
    """A key of several columns; in PostgreSQL also a database that is not in UTF-8."""
    weir.sql("CREATE STREAM lines (id INT NOT NULL, name TEXT NOT NULL, day DATE NOT NULL, part INT NOT NULL, v TEXT, PRIMARY KEY (id))")
    rows = [(f"ö{i % 50}", f"2026-0{1 + i % 9}-01", i // 450, f"é{i}") for i in range(2700)]
    weir.server.ingest("lines", [dict(id=i, name=n, day=d, part=p, v=v) for i, (n, d, p, v) in enumerate(rows)])
    create = "CREATE TABLE orderlines (name varchar(20), day date, part int, v varchar(20))"
    values = ", ".join(f"('{n}', '{d}', {p}, '{v}')" for n, d, p, v in rows)
    books = [book.against("SELECT part, v, name, day FROM orderlines")]
    book.sql(create)
    book.sql(f"INSERT INTO orderlines VALUES {values}")
    if book.connector == "postgres":
        book.sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        with weirtest.Pg(book.dir, 5432, database="latin", client_encoding="UTF8") as latin:
            latin.query(create)
            latin.query(f"INSERT INTO orderlines VALUES {values}")
        books.append(books[0].replace("dbname=postgres", "dbname=latin"))
    for number, against in enumerate(books):
        weir.make("li", "STREAM lines", against, "KEY (name, day, part) COMPARE (v)")
        counts, run = weir.run("li")
        checks.equal(f"{book.connector}: a key of three columns ({number})", (counts, run["statements"]), ((2700, 0, 0, 0, 0, 0), book.setup_statements))
    book.sql("DELETE FROM orderlines WHERE name = 'ö7' AND day = '2026-04-01' AND part = 0")
    weir.make("li", "STREAM lines", books[0], "KEY (name, day, part) COMPARE (v)")
    gone = sum(n == "ö7" and d == "2026-04-01" and p == 0 for n, d, p, _ in rows)
    checks.equal("and one that is gone", (gone, weir.run("li")[0]), (1, (2699, 0, 1, 0, 0, 0)))


def check_tolerance(checks, book, weir):
    weir.sql("CREATE STREAM sales (id INT NOT NULL, store INT, net NUMERIC(12,2), PRIMARY KEY (id));"
             "CREATE MATERIALIZED VIEW by_store AS SELECT store, sum(net) AS net FROM sales GROUP BY store; ")
    weir.server.ingest("sales", [dict(id=i, store=i, net="1000.00") for i in range(4)])
    weir.sql("FLUSH")
    book.sql("CREATE TABLE stores (store int, net numeric(14,4))")
    book.sql("INSERT INTO stores VALUES (0, 1000), (1, 1000.99), (2, 1001.01), (3, 998.9)")
    against = book.against("SELECT * FROM stores")
    for tolerance, differing in (("", 3), ("TOLERANCE 1", 2), ("TOLERANCE 0.1 PERCENT", 2), ("TOLERANCE 0.11 PERCENT", 1),
                                 ("TOLERANCE 0.2 PERCENT", 0)):
        weir.make("tol", "by_store", against, f"KEY (store) COMPARE (net {tolerance})")
        checks.equal(f"{book.connector}: figures with {tolerance or 'no tolerance'}", weir.run("tol")[0],
                     (4 - differing, 0, 0, differing, 0, 0))
    checks.equal("how a relative tolerance is shown", weir.sql("SELECT compare FROM weir.reconciliations WHERE name = 'tol'"),
                 [["net TOLERANCE 0.2 PERCENT"]])


def insert(book, table, rows):
    for at in range(0, len(rows), 5000):
        book.sql(f"INSERT INTO {table} VALUES " + ", ".join(rows[at:at + 5000]))


def check_faults(checks, book, weir, n, faults):
    """Faults of each kind among many keys, integer and text; every one found, none invented."""
    choose = random.Random(5)
    for kind, column, literal in (("BIGINT", "bigint", str), ("TEXT", "varchar(20)", lambda k: f"'k{k}'")):
        name = f"f{kind.lower()}"
        weir.sql(f"CREATE STREAM {name} (event INT NOT NULL, k {kind} NOT NULL, amount NUMERIC(12,2), PRIMARY KEY (event))")
        book.sql(f"CREATE TABLE {name} (k {column}, amount numeric(12,2))")
        book.sql(f"CREATE INDEX {name}_k ON {name} (k)")
        keys = choose.sample(range(n * 3), n)
        chosen = choose.sample(keys, 4 * faults)
        lost, twice, wrong, extra = (set(chosen[i * faults:(i + 1) * faults]) for i in range(4))
        events, rows = [], []
        for k in keys:
            if k not in lost:
                amount = k if k not in wrong else k + 1
                events += [dict(k=k if kind == "BIGINT" else f"k{k}", amount=f"{amount}.10")] * (2 if k in twice else 1)
            if k not in extra:
                rows.append(f"({literal(k)}, {k}.1)")
        insert(book, name, rows)
        weir.server.ingest(name, [dict(event=i, **e) for i, e in enumerate(events)])
        weir.server.ingest(name, [dict(event=i, **e) for i, e in enumerate(events[:100])])  # sent again: dropped
        weir.make("f", f"STREAM {name}", book.against(f"SELECT k, amount FROM {name}"), "KEY (k) COMPARE (amount)")
        counts, run = weir.run("f")
        checks.equal(f"{book.connector}: faults among {n} keys of {kind}", counts,
                     (n - 4 * faults, faults, faults, faults, faults, 0))
        listed = {}
        for found, key, *_ in weir.found("f"):
            listed.setdefault(found, set()).add(int(key.split(":")[1].strip('}"k')))
        checks.equal(f"{book.connector}: and exactly these ({kind})", listed,
                     {"missing": lost, "duplicate in stream": twice, "differing": wrong, "unexpected": extra})
        places = weir.sql("SELECT count(*) FROM weir.reconciliation_result WHERE name = 'f' AND kind = 'duplicate in stream' "
                          "AND events LIKE '%/%, %/%'")
        checks.equal("the events of duplicates have their places", places, [[str(faults)]])
        print(f"{book.connector}, {n} keys of {kind}, {4 * faults} faults: {run['bytes']} bytes, {run['statements']} statements")


def check_settling(checks, book, weir):
    weir.sql("CREATE STREAM st (id INT NOT NULL, v INT, at TIMESTAMPTZ, PRIMARY KEY (id))")
    stamp = "timestamptz" if book.connector == "postgres" else "timestamp(6)"
    now = "now()" if book.connector == "postgres" else "utc_timestamp(6)"
    book.sql(f"CREATE TABLE st (id int primary key, v int, at {stamp})")
    weir.server.ingest("st", [dict(id=1, v=1, at="2026-01-01T00:00:00Z"), dict(id=2, v=2, at="2026-01-01T00:00:00Z")])
    book.sql("INSERT INTO st VALUES (1, 1, '2026-01-01 00:00:00'), (3, 3, '2026-01-01 00:00:00')")
    weir.make("s", "STREAM st", book.against("SELECT * FROM st"), "KEY (id) COMPARE (v) SETTLE '1 second'")
    checks.equal(f"{book.connector}: seen once is pending", weir.run("s")[0], (1, 0, 0, 0, 0, 2))
    kinds = weir.sql("SELECT DISTINCT kind FROM weir.reconciliation_result WHERE name = 's' AND key IS NOT NULL ORDER BY 1")
    checks.equal("and listed as such", kinds, [["pending missing"], ["pending unexpected"]])
    weir.make("s1", "STREAM st", book.against("SELECT * FROM st"), "KEY (id) COMPARE (v) SETTLE '1 hour'")
    weir.run("s1")
    checks.equal("too early to be confirmed", weir.run("s1")[0], (1, 0, 0, 0, 0, 2))
    weir.server.ingest("st", [dict(id=3, v=3)])  # comes late
    weir.server.ingest("st", [dict(id=4, v=4)])
    weir.server.restart()
    weir.pg = weir.server.pg()
    time.sleep(1.1)
    checks.equal("one confirmed, one gone, one new", weir.run("s")[0], (2, 0, 1, 0, 0, 1))
    book.sql("DELETE FROM st WHERE id = 1")
    checks.equal("another one", weir.run("s")[0], (1, 0, 1, 0, 0, 2))
    time.sleep(1.1)
    checks.equal("all confirmed", weir.run("s")[0], (1, 0, 3, 0, 0, 0))
    # By age: what is young on either side is not judged.
    book.sql("DELETE FROM st")
    book.sql(f"INSERT INTO st VALUES (1, 1, '2026-01-01 00:00:00'), (2, 9, {now}), (7, 7, {now}), (8, 8, '2026-01-01 00:00:00')")
    weir.make("s", "STREAM st", book.against("SELECT * FROM st"), "KEY (id) COMPARE (v) SETTLE '1 hour' BY at")
    counts, run = weir.run("s")
    checks.equal(f"{book.connector}: young rows are not judged", (counts, run["young"]), ((1, 0, 0, 0, 0, 3), 2))


def check_writers(checks, book, weir, seconds):
    """Writers that commit to both sides while runs go on: nothing is invented."""
    weir.sql("CREATE STREAM live (id INT NOT NULL, v INT, PRIMARY KEY (id))")
    book.sql("CREATE TABLE live (id int primary key, v int)")
    weir.make("livr", "STREAM live", book.against("SELECT id, v FROM live"), "KEY (id) COMPARE (v) SETTLE '2 seconds'")
    stop, written, lags = threading.Event(), [], []

    def write():
        choose, i = random.Random(3), 0
        session = weirtest.Pg(book.dir, 5432, database="postgres") if book.connector == "postgres" else None
        while not stop.is_set():
            rows = range(i, i + 50)
            i += 50
            ours = lambda: weir.server.ingest("live", [dict(id=k, v=k) for k in rows])
            insert_rows = "INSERT INTO live VALUES " + ", ".join(f"({k}, {k})" for k in rows)
            theirs = lambda: session.query(insert_rows) if session else book.sql(insert_rows)
            first, second = (ours, theirs) if choose.random() < 0.5 else (theirs, ours)
            begin = time.monotonic()
            first()
            time.sleep(choose.random() * 0.2)
            second()
            lags.append(time.monotonic() - begin)
            written.append(i)

    writer = threading.Thread(target=write)
    writer.start()
    invented = pending = runs = 0
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            counts, _ = weir.run("livr")
            invented += sum(counts[1:5])
            pending += counts[5]
            runs += 1
    finally:
        stop.set()
        writer.join()
    # The promise is about facts that are carried over within the settling time.
    if max(lags) < 2:
        checks.equal(f"{book.connector}: findings invented by {runs} runs beside a writer", invented, 0)
    else:
        print(f"{book.connector}: this machine is too slow to say anything: a fact took {max(lags):.1f} s")
    checks.true("the runs did meet the writer at work", pending > 0, f"{runs} runs")
    checks.equal("and at the end all agree", weir.run("livr")[0], (written[-1], 0, 0, 0, 0, 0))


def check_failures(checks, book, weir):
    weir.sql("CREATE STREAM fa (id INT NOT NULL, v INT, PRIMARY KEY (id))")
    book.sql("CREATE TABLE fa (id int primary key, v int, w varchar(10))")
    book.sql("INSERT INTO fa VALUES (1, 1, 'x')")
    weir.server.ingest("fa", [dict(id=1, v=1)])
    slow = f"SELECT id, v FROM fa WHERE {book.sleep}(30) IS NOT NULL"
    what = book.connector
    cases = [
        ("wrong password", book.against("SELECT * FROM fa", user="clerk", password="h0rse"), "28P01|28000|08006"),
        ("query error", book.against("SELECT * FROM nothing"), "42P01|42S02"),
        ("syntax error", book.against("SELEKT 1"), "42601|42000"),
        ("column missing", book.against("SELECT id FROM fa"), "42703"),
        ("column twice", book.against("SELECT id, v, v FROM fa"), "42703|42S21"),
        ("type mismatch", book.against("SELECT id, w AS v FROM fa"), "22P02|42804"),
        ("timeout", book.against(slow, ", timeout = '300 milliseconds'"), "57014"),
        ("writing", book.against("UPDATE fa SET v = 2 RETURNING id, v"), "42601|42000"),
        ("two statements", book.against("SELECT id, v FROM fa; DELETE FROM fa"), "42601|42000"),
    ]
    for name, against, states in cases:
        weir.make("far", "STREAM fa", against, "KEY (id) COMPARE (v)")
        state, message = weir.error("RECONCILE far")
        checks.true(f"{what}, {name}: its SQLSTATE", state in states.split("|"), f"{state}: {message}")
        run = weir.sql("SELECT error, matched, missing FROM weir.reconciliation_runs WHERE name = 'far'")
        checks.equal(f"{what}, {name}: the run is in the history", run, [[message, "0", "0"]])
        checks.true(f"{what}, {name}: no password is shown", "h0rse" not in str(weir.sql("SELECT * FROM weir.reconciliations"))
                    + str(run) + message)
    # The server goes away in the middle of a run.
    weir.make("far", "STREAM fa", book.against(slow), "KEY (id) COMPARE (v)")
    killer = threading.Timer(1, book.kill_sessions)
    killer.start()
    state, message = weir.error("RECONCILE far")
    killer.join()
    checks.true(f"{what}, gone in mid-run", state in ("57P01", "08006", "57014"), f"{state}: {message}")
    checks.equal("its run is in the history", weir.sql("SELECT error FROM weir.reconciliation_runs WHERE name = 'far'"), [[message]])
    # A statement that is out of time, or cancelled.
    weir.sql("SET statement_timeout = '300ms'")
    state, message = weir.error("RECONCILE far")
    checks.true(f"{what}, statement_timeout", state == "57014", f"{state}: {message}")
    weir.sql("SET statement_timeout = 0")
    canceller = threading.Timer(0.5, weir.pg.cancel)
    canceller.start()
    state, message = weir.error("RECONCILE far")
    canceller.join()
    checks.true(f"{what}, cancelled", state == "57014", f"{state}: {message}")
    # And nothing of all this harms: the next one is whole.
    weir.make("far", "STREAM fa", book.against("SELECT * FROM fa -- all", user="clerk", password="pa55word"), "KEY (id) COMPARE (v)")
    checks.equal(f"{what}: the next run", weir.run("far")[0], (1, 0, 0, 0, 0, 0))
    everything = "".join(str(weir.sql(f"SELECT * FROM weir.{t}")) for t in ("reconciliations", "reconciliation_runs", "views", "settings"))
    checks.true("the password is in no listing", "pa55word" not in everything and "pa55word" not in weir.server.log())


def check_tls(checks, book, weir):
    """MariaDB: whether the session is encrypted is what the book's query says."""
    if book.certificate is None:
        print("mariadb: no openssl, TLS is not tested")
        return
    weir.sql("CREATE STREAM tls (id INT NOT NULL, v INT, PRIMARY KEY (id))")
    weir.server.ingest("tls", [dict(id=1, v=1)])
    query = "SELECT 1 AS id, variable_value <> '' AS v FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'"
    cases = (("", 0), (", tls = 'off'", 0), (", tls = 'on'", 1), (f", tls = 'verify', tls_ca = '{book.certificate}', host = 'localhost'", 1))
    for options, encrypted in cases:
        weir.make("tl", "STREAM tls", book.against(query, options), "KEY (id) COMPARE (v)")
        checks.equal(f"mariadb{options}", weir.run("tl")[0], (encrypted, 0, 0, 1 - encrypted, 0, 0))
    for options, wanted in ((", tls = 'verify'", "08006"), (", tls = 'perhaps'", "22023")):
        weir.make("tl", "STREAM tls", book.against(query, options), "KEY (id) COMPARE (v)")
        state, message = weir.error("RECONCILE tl")
        checks.true(f"mariadb{options}: refused", state == wanted, f"{state}: {message}")


def check_conninfo(checks, weir):
    weir.make("ci", "STREAM fa", "(connector = 'postgres', conninfo = 'host=x pa55word', query = 'SELECT 1')", "KEY (id)")
    state, message = weir.error("RECONCILE ci")
    checks.true("a conninfo that is none is not quoted", state == "22023" and "pa55word" not in message, message)
    weir.make("ci", "STREAM fa", "(connector = 'postgres', conninfo = 'host=127.0.0.1 port=1 password=pa55word', query = 'SELECT 1')",
              "KEY (id)")
    state, message = weir.error("RECONCILE ci")
    checks.true("a server that is not there", state == "08006" and "pa55word" not in message, f"{state} {message}")


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")] or ["postgres", "mariadb"]
    long = "--long" in sys.argv
    weirtest.need_weir()
    checks = weirtest.Checks()
    for name in names:
        with {"postgres": PostgresBook, "mariadb": MariadbBook}[name]() as book, weirtest.Server() as server:
            weir = Weir(server)
            check_types(checks, book, weir)
            check_null_keys(checks, book, weir)
            if name == "postgres":
                check_not_finite(checks, book, weir)
            check_collation(checks, book, weir)
            check_composite(checks, book, weir)
            check_tolerance(checks, book, weir)
            check_faults(checks, book, weir, 200000 if long else 12000, 1000 if long else 40)
            check_settling(checks, book, weir)
            check_failures(checks, book, weir)
            if name == "postgres":
                check_conninfo(checks, weir)
            else:
                check_tls(checks, book, weir)
            check_writers(checks, book, weir, 60 if long else 4)
            check_half(checks, book)
            if name == "postgres":
                check_given_up(checks, book)
            # The server stops while a run waits for the book: it does not wait with it (the limit of Server.stop).
            weir.make("stop", "STREAM fa", book.against(f"SELECT id, v FROM fa WHERE {book.sleep}(200) IS NOT NULL"),
                      "KEY (id) COMPARE (v) EVERY '1 second'")
            time.sleep(1.5)
    checks.end()


if __name__ == "__main__":
    main()
