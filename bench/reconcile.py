#!/usr/bin/env python3
"""What it costs to find a few differences among many keys: a reconciliation ON STREAM against a database by digests of
ranges, and the same one reading every key (a TOLERANCE makes it read), on the same data, one after the other.

    reconcile.py [--keys 10000000] [--differences 10] [--key bigint | text] [--book postgres | mariadb]

Both servers and this script share the machine. Times are of the RECONCILE statement; bytes and statements are those
of weir.reconciliation_runs."""
import argparse
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "books"))
from _servers import MariadbBook, PostgresBook, Weir, weirtest  # noqa: E402

CHUNK = 200000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=10000000)
    parser.add_argument("--differences", type=int, default=10)
    parser.add_argument("--key", choices=("bigint", "text"), default="bigint")
    parser.add_argument("--book", choices=("postgres", "mariadb"), default="postgres")
    options = parser.parse_args()
    n = options.keys
    text = options.key == "text"
    weirtest.need_weir()
    maria = options.book == "mariadb"
    with (MariadbBook if maria else PostgresBook)() as book, weirtest.Server() as server:
        weir = Weir(server)
        weir.sql(f"CREATE STREAM orders (order_id {options.key} NOT NULL, store INT NOT NULL, amount NUMERIC(12,2) NOT NULL, "
                 "PRIMARY KEY (order_id))")
        begin = time.monotonic()
        for at in range(1, n + 1, CHUNK):
            quote = '"o' if text else ""
            end = '"' if text else ""
            server.ingest("orders", "\n".join(f'{{"order_id":{quote}{i}{end},"store":{i % 500},"amount":{i % 90000 / 100:.2f}}}'
                                              for i in range(at, min(at + CHUNK, n + 1))), timeout=600)
        print(f"weir has {n} events after {time.monotonic() - begin:.1f} s", flush=True)
        begin = time.monotonic()
        if maria:
            key = "concat('o', seq)" if text else "seq"
            book.sql(f"CREATE TABLE orders (order_id {'varchar(20)' if text else 'bigint'} PRIMARY KEY, store int, amount decimal(12,2)) "
                     f"AS SELECT {key} AS order_id, seq % 500 AS store, (seq % 90000) / 100 AS amount FROM seq_1_to_{n}")
        else:
            book.pg.timeout = 3600
            book.pg.socket.settimeout(3600)
            key = "'o' || i" if text else "i"
            book.sql(f"CREATE TABLE orders AS SELECT ({key})::{options.key} AS order_id, (i % 500)::int AS store, "
                     f"((i % 90000)::numeric / 100)::numeric(12,2) AS amount FROM generate_series(1, {n}) AS i")
            book.sql("ALTER TABLE orders ADD PRIMARY KEY (order_id)")
            book.sql("VACUUM ANALYZE orders")
        print(f"{options.book} has them after {time.monotonic() - begin:.1f} s", flush=True)
        chosen = random.Random(11).sample(range(1, n), options.differences)
        for kind, i in enumerate(chosen):
            where = f"WHERE order_id = '{'o' if text else ''}{i}'"
            book.sql(f"DELETE FROM orders {where}" if kind % 2 else f"UPDATE orders SET amount = amount + 0.01 {where}")
        expected = (n - len(chosen), 0, len(chosen) // 2, (len(chosen) + 1) // 2, 0, 0)
        figures = []
        for name, compare in (("by digests", "store, amount"), ("every key", "store, amount TOLERANCE 0.001"),
                              ("by digests again", "store, amount")):
            weir.pg.timeout = 3600
            weir.pg.socket.settimeout(3600)
            weir.make("r", "STREAM orders", book.against("SELECT order_id, store, amount FROM orders"),
                      f"KEY (order_id) COMPARE ({compare})")
            begin = time.monotonic()
            counts, run = weir.run("r")
            seconds = time.monotonic() - begin
            right = "as expected" if counts == expected else f"NOT as expected: {counts}, expected {expected}"
            print(f"{name:18} {seconds:8.1f} s  {run['bytes']:>13} bytes  {run['statements']:>4} statements  {right}", flush=True)
            figures.append(run["bytes"])
        print(f"bytes moved: 1 to {figures[1] / figures[0]:.0f}")


if __name__ == "__main__":
    main()
