"""Workers: processes that run worlds, under supervision.

Each limits itself (limits.py). Here is the second line: one that is beyond its deadline, or was killed (out of memory),
is a failure with its seed, its last statement and the threads of its server; its server is ended by its process id, and
another worker takes its place. Nothing waits without end."""
import multiprocessing
import multiprocessing.connection
import os
import signal
import time

import stacks
import weirtest

from .limits import CUT_SECONDS, STATEMENT_SECONDS, WORLD_SECONDS

GRACE_SECONDS = 2 * STATEMENT_SECONDS + 30  # a start and a stop of a server, and its stacks
NOTE_BYTES = 4000
FORK = multiprocessing.get_context("fork")


class Member:
    """A worker: its process, what it works at, when it must be done."""

    def __init__(self, make):
        self.pipe, theirs = FORK.Pipe()
        self.note = FORK.RawArray("c", NOTE_BYTES)
        self.process = FORK.Process(target=serve, args=(make, theirs, self.note), daemon=True)
        self.process.start()
        theirs.close()
        self.seed, self.until, self.found = None, 0.0, None

    def give(self, seed):
        self.seed, self.found = seed, None
        self.until = time.monotonic() + WORLD_SECONDS + GRACE_SECONDS
        self.pipe.send(seed)

    def take(self):
        """(report, texts) of its world when it is done, otherwise None. EOFError: it has died."""
        kind, *rest = self.pipe.recv()
        if kind == "done":
            return rest
        # Differences are found, and now they are cut down.
        self.found = rest
        self.until = time.monotonic() + len(rest[1]) * (CUT_SECONDS + GRACE_SECONDS)
        return None

    def failure(self, what):
        """Ends the worker and its server; a text that says where they were."""
        pid, _, last = self.note.value.decode(errors="replace").partition(" ")
        threads = stacks.of_process(int(pid)) if pid and is_weir(int(pid)) else "no server"
        self.end()
        return f"FAILURE seed {self.seed}: the worker {what}, exit code {self.process.exitcode}\n    last {last}\n{threads}"

    def end(self):
        """SIGTERM lets it end its server; then by force."""
        self.process.terminate()
        self.process.join(5)
        self.process.kill()
        self.process.join(5)
        pid = int(self.note.value.split()[0]) if self.note.value else 0
        if pid and is_weir(pid):
            os.kill(pid, signal.SIGKILL)
        self.pipe.close()


def is_weir(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe").split(" (")[0] == os.path.realpath(weirtest.WEIR)
    except OSError:
        return False


def serve(make, pipe, note):
    """A worker's life. make(note) gives what runs a seed: (report, texts, cut), where cut(), if there is one, gives the texts again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def write(pid, said):
        note.value = f"{pid} {said}".encode()[:NOTE_BYTES - 1]
    try:
        run = make(write)
        parent = os.getppid()
        while True:
            while not pipe.poll(5):
                if os.getppid() != parent:  # it was killed
                    return
            report, texts, cut = run(pipe.recv())
            if cut is not None:
                pipe.send(("found", report, texts))
                texts = cut()
            pipe.send(("done", report, texts))
    except (EOFError, BrokenPipeError):
        pass
    finally:
        weirtest._end_all()


class Team:
    """end: the time when all must be done, whatever they are at."""

    def __init__(self, size, make, end):
        self.make, self.end_of_all = make, end
        self.members = [Member(make) for _ in range(size)]

    def results(self, seeds, until):
        """(seed, report, texts, failure) of each world as it is done. No world begins after `until`."""
        seeds = iter(seeds)
        while True:
            for member in self.members:
                if member.seed is None and time.monotonic() < until:
                    seed = next(seeds, None)
                    if seed is not None:
                        member.give(seed)
            busy = [m for m in self.members if m.seed is not None]
            if not busy:
                return
            left = min(self.end_of_all, *(m.until for m in busy)) - time.monotonic()
            ready = multiprocessing.connection.wait([m.pipe for m in busy], min(3600.0, max(0.0, left)))
            for member in busy:
                result = None
                if member.pipe in ready:
                    try:
                        result = member.take()
                    except (EOFError, ConnectionError):
                        result = self.replace(member, "has died")
                elif time.monotonic() > min(member.until, self.end_of_all):
                    result = self.replace(member, "is beyond its time")
                if result is not None:
                    seed, member.seed = member.seed, None
                    yield (seed, *result, None) if len(result) == 2 else (seed, *result)

    def replace(self, member, what):
        """(report or None, texts, failure); another takes the member's place."""
        failure = member.failure(what)
        self.members[self.members.index(member)] = Member(self.make)
        return (*(member.found or (None, [])), failure)

    def end(self):
        for member in self.members:
            member.process.terminate()
        for member in self.members:
            member.end()
