#!/usr/bin/env python3
"""Faults between a real PostgreSQL, whose rows writers change all the time, and weir, into which the same facts flow:
events that are lost, sent twice under another number, wrong, extra, and days late. Every one is found and none is
invented, in two runs of the reconciliation; then CORRECT makes weir agree with the book, over kill -9 between runs and at any
point of them: nothing is lost and nothing is appended twice, and the views equal the book.

    test_remedy.py [--long]"""
import datetime
import pathlib
import random
import subprocess
import sys
import threading
import time

from _servers import PostgresBook, Weir, weirtest

SETTLE = 3
SCHEMA = """
CREATE SCHEMA pay;
CREATE STREAM pay.fact (event BIGINT NOT NULL, id BIGINT NOT NULL, account INT NOT NULL, amount NUMERIC(12,2) NOT NULL CHECK (amount >= 0),
  at TIMESTAMPTZ NOT NULL, PRIMARY KEY (event), WATERMARK FOR at AS at - INTERVAL '1 hour') WITH (retractions = 'on', partitions = 3);
CREATE MATERIALIZED VIEW pay.by_account WITH (refresh = 'immediate') AS SELECT account, count(*) AS n, sum(amount) AS amount
  FROM pay.fact GROUP BY account;
CREATE MATERIALIZED VIEW pay.by_hour WITH (refresh = 'immediate') AS SELECT window_start AS hour, count(*) AS n, sum(amount) AS amount
  FROM TUMBLE(pay.fact, at, INTERVAL '1 hour') GROUP BY window_start;
"""
START = datetime.datetime(2026, 5, 1, tzinfo=datetime.timezone.utc)
LATE = datetime.timedelta(days=4)


def fact(i):
    """The i-th payment: a thousand an hour."""
    return dict(event=i, id=i, account=i % 17, amount=f"{i % 900}.{i % 100:02d}", at=(START + LATE + datetime.timedelta(seconds=3.6 * i)).isoformat())


class Writers:
    """Writes batches to the book and to weir, one after the other, in either order; injects faults when asked. What is done to the
    server (kill -9) is done between batches, so that each batch is carried over within the settling time."""

    def __init__(self, book, weir):
        self.book, self.weir = book, weir
        self.session = weirtest.Pg(book.dir, 5432, database="postgres")
        self.lock, self.stop, self.next, self.sent, self.slowest = threading.Lock(), threading.Event(), 0, 0, 0.0
        self.choose, self.error = random.Random(11), None
        self.thread = threading.Thread(target=self.work)

    def to_book(self, facts):
        self.session.query("INSERT INTO fact VALUES " + ", ".join(
            f"({f['id']}, {f['account']}, {f['amount']}, '{f['at']}')" for f in facts))

    def to_weir(self, facts):
        answer = self.weir.server.ingest("pay.fact", facts)
        self.sent += len(facts)
        return answer

    def batch(self, n):
        """New payments, and for some old ones another amount: the book is updated, weir's event taken back and sent anew."""
        facts = [fact(i) for i in range(self.next, self.next + n)]
        self.next += n
        changed = [dict(f, amount=f"{self.choose.randrange(900)}.50") for f in facts[:3]]
        ours = lambda: (self.to_weir(facts), self.to_weir([dict(_op="delete", event=f["event"]) for f in changed]), self.to_weir(changed))
        theirs = lambda: (self.to_book(facts), [self.session.query(f"UPDATE fact SET amount = {f['amount']} WHERE id = {f['id']}") for f in changed])
        begin = time.monotonic()
        for side in (ours, theirs) if self.choose.random() < 0.5 else (theirs, ours):
            side()
            time.sleep(self.choose.random() * 0.1)
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def work(self):
        try:
            while not self.stop.is_set():
                with self.lock:
                    self.batch(20)
                time.sleep(0.01)
        except Exception as error:  # a writer that ends would make the test pass for nothing
            self.error = error

    def inject(self, n):
        """n faults of each kind; the late events, which are sent at the end."""
        with self.lock:
            ids = iter(range(self.next, self.next + 5 * n))
            self.next += 5 * n
            faults = {kind: [next(ids) for _ in range(n)] for kind in ("lost", "twice", "wrong", "extra", "late")}
            facts = {kind: [fact(i) for i in numbers] for kind, numbers in faults.items()}
            for f in facts["late"]:
                f["at"] = (datetime.datetime.fromisoformat(f["at"]) - LATE).isoformat()
            for kind in ("lost", "twice", "wrong", "late"):
                self.to_book(facts[kind])
            self.to_weir(facts["twice"])
            self.to_weir([dict(f, event=f["event"] + 10**9) for f in facts["twice"]])
            self.to_weir([dict(f, amount=f"{float(f['amount']) + 1000:.2f}") for f in facts["wrong"]])
            self.to_weir(facts["extra"])
        return {kind: set(numbers) for kind, numbers in faults.items()}, facts["late"]

    def crash(self):
        with self.lock:
            self.weir.server.restart()
        self.weir.pg = self.weir.server.pg()


def found(weir, name):
    """kind -> ids, of the newest run."""
    out = {}
    for kind, key, *_ in weir.found(name):
        out.setdefault(kind, set()).add(int(key.split(":")[1].rstrip("}")))
    return out


def last(weir, name):
    return weir.sql("SELECT remedy, appended, retracted, refused, unresolved FROM weir.reconciliation_runs WHERE name = "
                    f"'{name}' ORDER BY run DESC LIMIT 1")[0]


def check_found(checks, weir, faults):
    weir.run("look")  # first seen: pending
    time.sleep(SETTLE + 0.5)
    counts, _ = weir.run("look")
    n = len(faults["lost"])
    checks.equal("missing, unexpected, differing, duplicate in the second run", counts[1:5], (2 * n, n, n, n))
    listed = {kind: ids for kind, ids in found(weir, "look").items() if not kind.startswith("pending")}
    checks.equal("exactly the injected faults are found", listed,
                 {"missing": faults["lost"] | faults["late"], "unexpected": faults["extra"], "differing": faults["wrong"],
                  "duplicate in stream": faults["twice"]})


def marks(data):
    """What shows each write to the log and to the catalogue."""
    found = []
    for part in ("log", "catalog"):
        for path in sorted(pathlib.Path(data, part).rglob("*")):
            stat = path.stat()
            found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return found


def reconcile_and_crash(weir, writers, writes):
    """RECONCILE in a session of its own, kill -9 after so many writes to the log and the catalogue: when the run, its plan or a part
    of its records is stored, or none."""
    session = weir.server.pg()

    def run():
        try:
            session.query("RECONCILE mend")
        except (OSError, EOFError, weirtest.PgError):
            pass  # the server is killed under it

    thread = threading.Thread(target=run)
    with writers.lock:
        before = marks(weir.server.data)
        thread.start()
        while thread.is_alive() and writes > 0:
            now = marks(weir.server.data)
            writes -= now != before
            before = now
        weir.server.kill()
        thread.join()
        weir.server.start()
    weir.pg = weir.server.pg()


def mend(checks, weir, writers, choose, crashes, what):
    """Runs until what was found is mended, with kill -9 during the first runs; then one that must be clean."""
    weir.run("mend")
    time.sleep(SETTLE + 0.5)
    writers.crash()
    begin = time.monotonic()
    for _ in range(crashes):
        reconcile_and_crash(weir, writers, choose.randrange(2, 7))
    weir.run("mend")
    counts, _ = weir.run("mend")
    checks.equal(f"{what}: a run after it is clean", counts[1:5], (0, 0, 0, 0))
    states = weir.sql("SELECT DISTINCT remedy FROM weir.reconciliation_runs WHERE name = 'mend' AND error IS NULL AND remedy NOT IN "
                      "('none', 'applied')")
    checks.equal(f"{what}: no remedy is left half done", states, [])
    return time.monotonic() - begin


def check_equal(checks, book, weir, what):
    weir.sql("FLUSH")
    for view, query in (("SELECT account, n, amount FROM pay.by_account", "SELECT account, count(*), sum(amount) FROM fact GROUP BY account"),
                        ("SELECT extract(epoch FROM hour)::bigint, n, amount FROM pay.by_hour",
                         "SELECT extract(epoch FROM date_trunc('hour', at))::bigint, count(*), sum(amount) FROM fact GROUP BY 1")):
        checks.equal(f"{what}: {view}", sorted(map(tuple, weir.sql(view))), sorted(map(tuple, book.sql(query))))


def check_once(checks, weir, writers):
    """Records in the log: those that were sent, and each action once."""
    # The actions of the last 20 runs are listed, the counts of a hundred.
    actions = int(weir.pg.value("SELECT sum(appended + retracted) FROM weir.reconciliation_runs"))
    listed = int(weir.pg.value("SELECT count(*) FROM weir.reconciliation_remedy WHERE action <> 'none'"))
    places = int(weir.pg.value("SELECT count(DISTINCT outcome) FROM weir.reconciliation_remedy WHERE action <> 'none'"))
    records = int(weir.pg.value("SELECT records FROM weir.streams WHERE schema = 'pay' AND name = 'fact'"))
    checks.equal("each action has a place of its own in the log", places, listed)
    checks.equal("the log has what was sent, and each action once", records, writers.sent + actions)
    return actions


def check_command(checks, book, weir):
    """`weir reconcile`, with no server: what waits is shown, then appended; and then nothing waits any more."""
    server = weir.server
    weir.make("ask", "STREAM pay.fact", book.against("SELECT id, account, amount, at FROM fact"),
              "KEY (id) COMPARE (amount) SETTLE '0 seconds' ON MISMATCH CORRECT SET (event = id) LIMIT 0 ROWS")
    book.sql("UPDATE fact SET amount = 7.77 WHERE id = 5")
    weir.run("ask")
    checks.equal("a run above its limit waits", last(weir, "ask"), ["waiting", "0", "0", "0", "0"])
    server.stop()
    weirtest.verify(checks, "at the end", server.data)

    def command(*words):
        return subprocess.run([weirtest.WEIR, "reconcile", *words], capture_output=True, text=True, timeout=60)

    refused = command("approve", server.data, "public.ask", "--run", "7")
    checks.true("another run than the one that waits", refused.returncode != 0 and "does not wait" in refused.stderr, refused.stderr)
    listed = command("list", server.data)
    checks.true("what waits is listed", listed.returncode == 0 and "public.ask:  run 1 at" in listed.stdout and
                "run 1 waits for you: 1 rows, limit 0" in listed.stdout, listed.stdout + listed.stderr)
    ran = command("run", server.data, "public.ask")
    checks.true("a run that finds something", ran.returncode == 1 and "1 differing" in ran.stdout and "waits for approval: 1 rows, limit 0" in ran.stdout,
                f"{ran.returncode} {ran.stdout}{ran.stderr}")
    checks.equal("a reconciliation that is not there", command("run", server.data, "public.nobody").returncode, 2)
    checks.equal("a directory that is not there", command("run", server.data + ".not").returncode, 2)
    checks.equal("no such verb", command("dance", server.data).returncode, 2)
    done = command("approve", server.data, "public.ask", "--run", "2")
    checks.true("what is appended is shown", done.returncode == 0 and '"amount":7.77' in done.stdout and "retract" in done.stdout,
                done.stdout + done.stderr)
    again = command("reject", server.data, "public.ask")
    checks.true("it is decided once", again.returncode != 0 and "applied" in again.stderr, again.stderr)
    clean = command("run", server.data, "public.ask")
    checks.true("a run that finds nothing", clean.returncode == 0 and "0 missing, 0 unexpected, 0 differing" in clean.stdout,
                f"{clean.returncode} {clean.stdout}{clean.stderr}")
    server.start()
    weir.pg = server.pg()
    checks.equal("it was applied", weir.sql("SELECT remedy, appended, retracted, refused, unresolved FROM weir.reconciliation_runs WHERE name = 'ask' AND run = 2"),
                 [["applied", "1", "1", "0", "0"]])
    checks.equal("and the next run is clean", weir.run("ask")[0][1:5], (0, 0, 0, 0))


def main():
    long = "--long" in sys.argv
    weirtest.need_weir()
    n, crashes = (1000, 12) if long else (40, 3)
    checks, choose = weirtest.Checks(), random.Random(7)
    with PostgresBook() as book, weirtest.Server() as server:
        weir = Weir(server)
        for statement in SCHEMA.split(";"):
            if statement.strip():
                weir.sql(statement)
        book.sql("CREATE TABLE fact (id bigint primary key, account int, amount numeric(12,2), at timestamptz)")
        against = book.against("SELECT id, account, amount, at FROM fact")
        clauses = f"KEY (id) COMPARE (amount, account) SETTLE '{SETTLE} seconds'"
        weir.make("look", "STREAM pay.fact", against, clauses)
        weir.make("mend", "STREAM pay.fact", against, clauses + " ON MISMATCH CORRECT SET (event = id) LIMIT 100 PERCENT")
        writers = Writers(book, weir)
        writers.thread.start()
        try:
            time.sleep(1)
            faults, late = writers.inject(n)
            check_found(checks, weir, faults)
            mend(checks, weir, writers, choose, crashes, "beside writers")
            writers.to_weir(late)  # they come at last, and are duplicates of what was filled in
            counts, _ = weir.run("look")
            checks.equal("late events come by themselves: nothing is wrong by that", counts[1:5], (0, 0, 0, 0))
        finally:
            writers.stop.set()
            writers.thread.join()
        if writers.error is not None:
            raise writers.error
        check_equal(checks, book, weir, "after the first faults")
        # Again, with all of it at rest.
        faults, late = writers.inject(n)
        mend(checks, weir, writers, choose, crashes, "at rest")
        check_equal(checks, book, weir, "after the second faults")
        counts, _ = weir.run("look")
        checks.equal("all agree", counts, (int(book.sql("SELECT count(*) FROM fact")[0][0]), 0, 0, 0, 0, 0))
        actions = check_once(checks, weir, writers)
        causes = weir.sql("SELECT DISTINCT cause FROM weir.revision WHERE view = 'pay.by_hour' AND cause LIKE '%reconciliation public.mend run%'")
        checks.true("the ledger names the reconciliation as a cause", causes)
        checks.true("a batch is carried over within the settling time", writers.slowest < SETTLE, f"{writers.slowest:.1f} s")
        resumed = server.log().count("goes on with the remedy of run")
        print(f"{writers.next} facts, {n} faults of each kind twice, {actions} actions, {2 * crashes + 2} kills, {resumed} of them amid a "
              f"remedy, slowest batch {writers.slowest:.2f} s")
        if long:
            checks.true("some of the kills came amid a remedy", resumed > 0)
        check_command(checks, book, weir)
    checks.end()


if __name__ == "__main__":
    main()
