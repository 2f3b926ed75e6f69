#!/usr/bin/env python3
"""Figures of a view that is behind: its own lag confirms no finding, however long the settling time has passed; once it has what came,
what is still wrong is confirmed. Of a view, of a view of a view in another flow, and of a view as the book."""
import os
import time

from _servers import Weir, quoted, weirtest

SETTLE = 0.3


def settled():
    time.sleep(SETTLE + 0.1)


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    with weirtest.Server() as server:
        weir = Weir(server)
        path = os.path.join(str(server.data), "book.csv")
        against = {"slow": f"(connector = 'file', path = {quoted(path)}, format = 'csv')",
                   "far": f"(connector = 'file', path = {quoted(path)}, format = 'csv')",
                   "quick": "(connector = 'view', view = 'public.slow')"}
        weir.sql("CREATE STREAM fa (id INT NOT NULL, v INT, PRIMARY KEY (id))")
        weir.sql("CREATE MATERIALIZED VIEW slow WITH (refresh = '1 hour') AS SELECT id, v FROM fa")
        weir.sql("CREATE MATERIALIZED VIEW far WITH (refresh = 'immediate') AS SELECT id, v FROM slow")
        weir.sql("CREATE MATERIALIZED VIEW quick WITH (refresh = 'immediate') AS SELECT id, v FROM fa")
        server.ingest("fa", [dict(id=1, v=1)])
        weir.sql("FLUSH")
        for view, book in against.items():
            weir.make("r_" + view, view, book, f"KEY (id) COMPARE (v) SETTLE '{int(SETTLE * 1000)} ms'")
        run = lambda view: weir.run("r_" + view)[0]
        with open(path, "w") as book:
            book.write("id,v\n1,1\n2,2\n")
        server.ingest("fa", [dict(id=2, v=2)])
        wait_for_quick(weir)
        for view in against:
            checks.equal(f"{view}: behind", run(view), (1, 0, 0, 0, 0, 1))
        settled()
        for view in against:
            checks.equal(f"{view}: behind still, so nothing is confirmed", run(view), (1, 0, 0, 0, 0, 1))
        weir.sql("FLUSH")
        for view in against:
            checks.equal(f"{view}: it has come", run(view), (2, 0, 0, 0, 0, 0))
        # What is missing for good, with all at rest.
        with open(path, "a") as book:
            book.write("3,3\n")
        views = ("slow", "far")
        for view in views:
            checks.equal(f"{view}: missing", run(view), (2, 0, 0, 0, 0, 1))
        settled()
        for view in views:
            checks.equal(f"{view}: missing and confirmed", run(view), (2, 1, 0, 0, 0, 0))
        # A restart does not make a view look behind.
        server.restart()
        weir = Weir(server)
        with open(path, "a") as book:
            book.write("4,4\n")
        for view in views:
            checks.equal(f"{view}: one more", weir.run("r_" + view)[0], (2, 1, 0, 0, 0, 1))
        settled()
        for view in views:
            checks.equal(f"{view}: both are confirmed", weir.run("r_" + view)[0], (2, 2, 0, 0, 0, 0))
    checks.end()


def wait_for_quick(weir):
    """The immediate view has the second row; the slow one, which is due an hour later, not."""
    end = time.monotonic() + 30
    while weir.sql("SELECT count(*) FROM quick") != [["2"]] and time.monotonic() < end:
        time.sleep(0.02)


if __name__ == "__main__":
    main()
