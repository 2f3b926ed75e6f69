"""A private cluster of a real PostgreSQL for tests that have it as their oracle: on a Unix socket, as an
unprivileged user, in a directory of its own that is removed at the end. Text sorts by bytes, the time
zone is UTC. Without an installed PostgreSQL the test is skipped."""
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402


class Postgres:
    def __init__(self):
        places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not places:
            weirtest.skip("postgresql is not installed")
        self.bin = places[-1].parent
        self.dir = tempfile.mkdtemp(prefix="weir-oracle-")
        self.child = None
        self.become = []
        if os.getuid() == 0:
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                weirtest.skip("there is no user postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def __enter__(self):
        data = os.path.join(self.dir, "data")
        done = subprocess.run([*self.become, self.bin / "initdb", "-D", data, "-A", "trust", "-U", "test", "--no-sync",
                               "--encoding=UTF8", "--lc-collate=C", "--lc-ctype=C.UTF-8"], capture_output=True, text=True, cwd=self.dir)
        if done.returncode != 0:
            raise SystemExit(f"initdb: {done.stderr}")
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.child = subprocess.Popen([*self.become, self.bin / "postgres", "-D", data, "-k", self.dir, "-p", "5432", "-c",
                                           "listen_addresses=", "-c", "fsync=off", "-c", "timezone=UTC"],
                                          stdout=log, stderr=log, cwd=self.dir)
        until = time.monotonic() + 30
        while True:
            try:
                weirtest.Pg(self.dir, 5432, database="postgres").close()
                return self
            except (OSError, weirtest.PgError):
                if time.monotonic() > until or self.child.poll() is not None:
                    raise SystemExit("postgres does not start: " + pathlib.Path(self.dir, "log").read_text()) from None
                time.sleep(0.05)

    def __exit__(self, *_):
        if self.child is not None:
            self.child.send_signal(2)  # fast shutdown
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
