"""Books that hang: one that accepts a connection and never says a word, one that answers half and falls silent, one
that is cut off amid an answer. They hold up nothing else: other reconciliations by schedule, views, clients; a run can be
cancelled, ends when its client hangs up, and the server stops at once."""
import os
import select
import socket
import threading
import time

from _servers import Weir, quoted, weirtest

PATIENCE = 30  # seconds: far beyond what is measured, far below the timeouts of the books, which are ten minutes


class Gate:
    """A port on loopback that passes on to a Unix socket, or to nothing. After `limit` bytes of answer it passes on no more
    ("freeze") or closes both ("cut")."""

    def __init__(self, target=None, limit=None, then="freeze"):
        self.target, self.limit, self.then = target, limit, then
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open, self.reached = [], threading.Event()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(client)
            if self.target is None:
                self.reached.set()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            self.open.append(server)
            threading.Thread(target=self.pass_on, args=(client, server), daemon=True).start()

    def pass_on(self, client, server):
        passed = 0
        try:
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        client.close()
                        server.close()
                        return
                    if end is client:
                        server.sendall(data)
                        continue
                    passed += len(data)
                    if self.limit is not None and passed > self.limit:
                        client.sendall(data[:len(data) // 2])
                        self.reached.set()
                        if self.then == "freeze":
                            return
                        client.close()
                        server.close()
                        return
                    client.sendall(data)
        except (OSError, ValueError):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for end in self.open:
            end.close()


def until(condition):
    """The first true value of the condition, or the last one, after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def runs(weir, name):
    return weir.sql(f"SELECT error FROM weir.reconciliation_runs WHERE name = {quoted(name)} ORDER BY run DESC")


def silent(port):
    """Clauses AGAINST a port where nobody says a word; connect_timeout=0 is libpq's word for no limit."""
    return {"postgres": f"(connector = 'postgres', query = 'SELECT 1 AS id', conninfo = 'host=127.0.0.1 port={port} user=u "
                        "connect_timeout=0 sslmode=disable')",
            "postgres_tls": f"(connector = 'postgres', query = 'SELECT 1 AS id', conninfo = 'host=127.0.0.1 port={port} user=u')",
            "mariadb": f"(connector = 'mariadb', host = '127.0.0.1', port = {port}, user = 'u', query = 'SELECT 1 AS id')",
            "http": f"(connector = 'http', url = 'http://127.0.0.1:{port}/x', format = 'json', timeout = '10 minutes')"}


def stopped_in_time(checks, what, server):
    begin = time.monotonic()
    server.stop(timeout=2 * PATIENCE)
    checks.true(f"{what}: the server stops", time.monotonic() - begin < PATIENCE, f"{time.monotonic() - begin:.1f} s")
    server.start()


def check_silent(checks):
    with Gate() as gate, weirtest.Server() as server:
        weir = Weir(server)
        weir.sql("CREATE STREAM fa (id INT NOT NULL, PRIMARY KEY (id)); CREATE STREAM fb (id INT NOT NULL)")
        weir.sql("CREATE MATERIALIZED VIEW n WITH (refresh = 'immediate') AS SELECT count(*) AS n FROM fa")
        path = os.path.join(str(server.data), "book.csv")
        with open(path, "w") as book:
            book.write("id\n1\n")
        # By the order of their making: the silent ones come first.
        for name, against in silent(gate.port).items():
            if name != "postgres_tls":
                weir.make(name, "STREAM fb", against, "KEY (id) EVERY '1 second'")
        checks.true("a silent book is reached", gate.reached.wait(PATIENCE))
        weir.make("well", "STREAM fa", f"(connector = 'file', path = {quoted(path)}, format = 'csv')", "KEY (id) EVERY '1 second'")
        checks.true("another reconciliation runs by its schedule", until(lambda: len(runs(weir, "well")) >= 2))
        server.ingest("fa", [dict(id=1)])
        weir.sql("FLUSH")
        checks.equal("views move on", weir.sql("SELECT n FROM n"), [["1"]])
        for name, against in silent(gate.port).items():
            weir.make("mine", "STREAM fb", against, "KEY (id)")
            # A statement that is cancelled; then one whose client hangs up.
            canceller = threading.Timer(0.1, weir.pg.cancel)
            canceller.start()
            state, message = weir.error("RECONCILE mine")
            canceller.join()
            checks.true(f"{name}: cancelled", state == "57014", f"{state}: {message}")
            other = server.pg()
            other.socket.sendall(b"Q" + (4 + 15).to_bytes(4, "big") + b"RECONCILE mine\0")
            time.sleep(0.1)
            other.socket.close()
            checks.true(f"{name}: a run ends when its client hangs up", until(lambda: len(runs(weir, "mine")) >= 2))
            weir.sql("DROP RECONCILIATION mine")
            weir.sql("SET statement_timeout = '100ms'")
            weir.make("mine", "STREAM fb", against, "KEY (id)")
            state, message = weir.error("RECONCILE mine")
            checks.true(f"{name}: out of the statement's time", state == "57014", f"{state}: {message}")
            weir.sql("SET statement_timeout = 0")
        stopped_in_time(checks, "silent books", server)


def check_half(checks, book):
    """A book that answers half of a query."""
    what = book.connector
    target = os.path.join(book.dir, ".s.PGSQL.5432") if what == "postgres" else book.socket
    if what == "postgres":
        book.sql("CREATE TABLE big AS SELECT i AS id, repeat('x', 100) AS v FROM generate_series(1, 20000) AS i")
    else:
        book.sql("CREATE TABLE big AS SELECT seq AS id, repeat('x', 100) AS v FROM seq_1_to_20000")

    def against(gate, more="", query="SELECT id, v, 1.5e0 AS w FROM big"):
        if what == "postgres":
            return (f"(connector = 'postgres', query = {quoted(query)}{more}, conninfo = 'host=127.0.0.1 port={gate.port} user=test "
                    "dbname=postgres')")
        return (f"(connector = 'mariadb', query = {quoted(query)}{more}, host = '127.0.0.1', port = {gate.port}, user = 'root', "
                "database = 'b')")

    with weirtest.Server() as server:
        weir = Weir(server)
        weir.sql("CREATE STREAM fa (id INT NOT NULL, v TEXT, w DOUBLE PRECISION, PRIMARY KEY (id))")
        clauses = "KEY (id) COMPARE (v, w)"
        with Gate(target) as gate:
            weir.make("far", "STREAM fa", against(gate), clauses)
            checks.equal(f"{what}: through an open gate", weir.run("far")[0], (0, 20000, 0, 0, 0, 0))
        with Gate(target, 1000000, "cut") as gate:
            weir.make("far", "STREAM fa", against(gate), clauses)
            state, message = weir.error("RECONCILE far")
            checks.true(f"{what}: cut off amid an answer", state == "08006", f"{state}: {message}")
        with Gate(target, 1000000) as gate:
            weir.make("far", "STREAM fa", against(gate, ", timeout = '1 second'"), clauses)
            state, message = weir.error("RECONCILE far")
            checks.true(f"{what}: half an answer, then the timeout", state in ("57014", "08006"), f"{state}: {message}")
            checks.equal(f"{what}: a run that failed has found nothing", weir.sql(
                "SELECT matched, missing, unexpected FROM weir.reconciliation_runs WHERE name = 'far'"), [["0", "0", "0"]])
        with Gate(target, 1000000) as gate:
            weir.make("far", "STREAM fa", against(gate), clauses)
            canceller = threading.Thread(target=lambda: (gate.reached.wait(PATIENCE), time.sleep(0.2), weir.pg.cancel()))
            canceller.start()
            state, message = weir.error("RECONCILE far")
            canceller.join()
            checks.true(f"{what}: half an answer, cancelled", state == "57014", f"{state}: {message}")
        with Gate(target, 1000000) as gate:
            weir.make("far", "STREAM fa", against(gate), clauses + " EVERY '1 second'")
            checks.true(f"{what}: half an answer by schedule", gate.reached.wait(PATIENCE))
            stopped_in_time(checks, f"{what}: half an answer", server)


def check_given_up(checks, book):
    """What is given up, PostgreSQL does not work on either. (MariaDB only notices when it has something to say, or by its
    max_statement_time.)"""
    with weirtest.Server() as server:
        weir = Weir(server)
        weir.sql("CREATE STREAM fa (id INT NOT NULL, PRIMARY KEY (id))")
        weir.make("far", "STREAM fa", book.against("SELECT id FROM big WHERE pg_sleep(100) IS NOT NULL"), "KEY (id)")
        canceller = threading.Timer(0.5, weir.pg.cancel)
        canceller.start()
        state, message = weir.error("RECONCILE far")
        canceller.join()
        checks.true("a slow query, cancelled", state == "57014", f"{state}: {message}")
        sessions = lambda: book.sql("SELECT pid, state FROM pg_stat_activity WHERE application_name = 'weir'")
        checks.true("it is not worked on any more", until(lambda: not sessions()), str(sessions()))
