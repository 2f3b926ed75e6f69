"""Limits of time: of a statement, of a world and of a whole run; and connections that keep to them."""
import time

import weirtest

STATEMENT_SECONDS = 30  # of weir, for one statement, request or stop; beyond it weir hangs
CANCEL_SECONDS = 20     # weir's statement_timeout: what it can end by itself it must end by then
PATIENCE_SECONDS = 60   # of PostgreSQL, for anything but a query
ORACLE_SECONDS = 1      # of PostgreSQL, for a query; what takes longer is too large
WORLD_SECONDS = 150
CUT_SECONDS = 90        # for cutting a difference down
CUT_STATEMENT_SECONDS = 10
FINISH_SECONDS = 40     # for worlds that are under way when the time of the run is over


class WorldOver(Exception):
    """A world's time is over, while no statement was beyond its own."""


class OracleFailed(Exception):
    """PostgreSQL is not there, or does not answer."""


class Watch:
    """The time of a world. note: called with the server's process id and each statement before it is run, so that others know of it."""

    def __init__(self, until=None, statement=STATEMENT_SECONDS, note=None):
        self.statement, self.note = statement, note or (lambda pid, said: None)
        self.until = min(time.monotonic() + WORLD_SECONDS, until or float("inf"))
        self.seconds = {"weir": 0.0, "PostgreSQL": 0.0}
        self.slowest = (0.0, "")  # of weir
        self.last, self.pid = "", 0

    def left(self):
        return self.until - time.monotonic()

    def run(self, side, said, limit, act):
        """act(seconds), which raises TimeoutError beyond them."""
        left = self.left()
        if left <= 0:
            raise WorldOver(said)
        self.last = f"{side}: {said}"
        self.note(self.pid, self.last)
        begin = time.monotonic()
        try:
            return act(min(limit, left))
        except TimeoutError:
            if left < limit:
                raise WorldOver(said) from None
            raise TimeoutError(f"no answer after {limit} s: {said[:1500]}") from None
        finally:
            took = time.monotonic() - begin
            self.seconds[side] += took
            if side == "weir" and took > self.slowest[0]:
                self.slowest = took, said


class Weir:
    """weir's server: its statements and requests, each with a limit."""

    def __init__(self, server, watch):
        self.server, self.watch, self.connection = server, watch, None

    def connect(self):
        def act(seconds):
            self.connection = self.server.pg(timeout=seconds)
        self.watch.run("weir", "connect", self.watch.statement, act)
        self.simple(f"SET statement_timeout = {CANCEL_SECONDS * 1000}")

    def simple(self, sql):
        def act(seconds):
            self.connection.timeout = seconds
            self.connection.until = time.monotonic() + seconds
            return self.connection.simple(sql)
        return self.watch.run("weir", sql, self.watch.statement, act)

    def ingest(self, relation, records):
        return self.watch.run("weir", f"ingest {relation}", self.watch.statement,
                              lambda seconds: self.server.ingest(relation, records, timeout=seconds))

    def close(self):
        if self.connection is not None:
            self.connection.close()

    def start(self):
        self.watch.run("weir", "start", self.watch.statement, lambda _: self.server.start(timeout=STATEMENT_SECONDS))
        self.watch.pid = self.server.child.pid
        self.connect()

    def stop(self):
        """SIGTERM; the exit code."""
        self.close()
        return self.watch.run("weir", "stop", self.watch.statement, lambda _: self.server.stop(timeout=STATEMENT_SECONDS))


class Oracle:
    """A connection to PostgreSQL that is made again after it was lost."""

    def __init__(self, connect):
        self.connect, self.connection, self.watch = connect, None, Watch()

    def simple(self, sql, limit=PATIENCE_SECONDS):
        def act(seconds):
            if self.connection is None:
                self.connection = self.connect_again(seconds)
            self.connection.timeout = seconds
            self.connection.until = time.monotonic() + seconds
            return self.connection.simple(sql)
        try:
            return self.watch.run("PostgreSQL", sql, limit, act)
        except WorldOver:
            self.lose()
            raise
        except OSError as error:
            self.lose()
            raise OracleFailed(f"PostgreSQL: {type(error).__name__}: {error}: {sql[:300]}") from None

    def connect_again(self, seconds):
        """PostgreSQL may be about to start: it does so by itself when one of its processes was killed."""
        until = time.monotonic() + seconds
        while True:
            try:
                connection = self.connect()
                connection.simple("SET jit = off")
                return connection
            except (OSError, weirtest.PgError) as error:
                if time.monotonic() > until:
                    raise TimeoutError(str(error)) from None
                time.sleep(0.1)

    def query(self, sql):
        """Ended by PostgreSQL itself when it is too large."""
        self.simple(f"SET statement_timeout = {1000 * ORACLE_SECONDS}")
        try:
            return self.simple(sql)
        finally:
            if self.connection is not None:
                self.simple("RESET statement_timeout")

    def lose(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
