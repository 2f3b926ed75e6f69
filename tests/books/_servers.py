"""Books for the tests of reconciliation: a real PostgreSQL and a real MariaDB, each private to the test, on a
Unix socket, ended by its own process id. `sql` runs statements, `against` gives the AGAINST clause of a query."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "sql"))
import weirtest  # noqa: E402
from postgres import Postgres  # noqa: E402


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class PostgresBook(Postgres):
    """User test needs no password, user clerk does: 'pa55word'."""
    connector, setup_statements = "postgres", 10

    def __enter__(self):
        super().__enter__()
        self.pg = weirtest.Pg(self.dir, 5432, database="postgres")
        self.sql("CREATE ROLE clerk LOGIN PASSWORD 'pa55word'; GRANT pg_read_all_data TO clerk")
        hba = pathlib.Path(self.dir, "data", "pg_hba.conf")
        hba.write_text("local all clerk scram-sha-256\nlocal all all trust\n")
        self.sql("SELECT pg_reload_conf()")
        return self

    def __exit__(self, *arguments):
        self.pg.close()
        super().__exit__(*arguments)

    def sql(self, text):
        return self.pg.query(text)

    def against(self, query, more="", user="test", password=None):
        conninfo = f"host={self.dir} port=5432 dbname=postgres user={user}"
        if password is not None:
            conninfo += f" password={password}"
        return f"(connector = 'postgres', conninfo = {quoted(conninfo)}, query = {quoted(query)}{more})"

    def kill_sessions(self):
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir'")

    sleep = "pg_sleep"


class MariadbBook:
    connector, setup_statements = "mariadb", 6

    def __init__(self):
        if not shutil.which("mariadbd") or not shutil.which("mariadb-install-db"):
            weirtest.skip("mariadb-server is not installed")
        self.dir = tempfile.mkdtemp(prefix="weir-maria-")
        self.child = self.certificate = None
        self.user = "root"
        if os.getuid() == 0:
            try:
                user = pwd.getpwnam("mysql")
            except KeyError:
                weirtest.skip("there is no user mysql")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.user = "mysql"
        else:
            self.user = pwd.getpwuid(os.getuid()).pw_name
        self.socket = os.path.join(self.dir, "socket")

    def __enter__(self):
        data = os.path.join(self.dir, "data")
        done = subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={self.user}",
                               "--auth-root-authentication-method=normal", "--skip-test-db"],
                              capture_output=True, text=True, cwd=self.dir)
        if done.returncode != 0:
            raise SystemExit(f"mariadb-install-db: {done.stdout[-2000:]} {done.stderr[-2000:]}")
        tls = []
        if shutil.which("openssl"):
            self.certificate = os.path.join(self.dir, "cert.pem")
            key = os.path.join(self.dir, "key.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost", "-days", "2", "-keyout", key, "-out", self.certificate],
                           check=True, capture_output=True)
            os.chmod(key, 0o644)  # a key of this test alone, for the server's user
            tls = [f"--ssl-cert={self.certificate}", f"--ssl-key={key}"]
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.child = subprocess.Popen(
                ["mariadbd", "--no-defaults", f"--datadir={data}", f"--user={self.user}", f"--socket={self.socket}",
                 "--skip-networking", "--innodb-flush-log-at-trx-commit=0", f"--pid-file={self.dir}/pid",
                 "--innodb-buffer-pool-size=64M", *tls], stdout=log, stderr=log, cwd=self.dir)
        until = time.monotonic() + 30
        while True:
            if subprocess.run([*self.client(), "-e", "SELECT 1"], capture_output=True).returncode == 0:
                break
            if time.monotonic() > until or self.child.poll() is not None:
                raise SystemExit("mariadb does not start: " + pathlib.Path(self.dir, "log").read_text()[-2000:])
            time.sleep(0.05)
        self.sql("CREATE DATABASE b CHARACTER SET utf8mb4")
        self.sql("CREATE USER clerk@localhost IDENTIFIED BY 'pa55word'; GRANT SELECT ON b.* TO clerk@localhost")
        return self

    def client(self, *more):
        return ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch", "--skip-column-names",
                "--default-character-set=utf8mb4", *more]

    def sql(self, text):
        done = subprocess.run([*self.client(), "b"] if "CREATE DATABASE" not in text else self.client(), input=text,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"mariadb: {done.stderr}\n{text[:500]}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def against(self, query, more="", user="root", password=None):
        secret = f", password = '{password}'" if password is not None else ""
        return (f"(connector = 'mariadb', socket = '{self.socket}', user = '{user}', database = 'b'{secret}, "
                f"query = {quoted(query)}{more})")

    def kill_sessions(self):
        for (number, *_rest) in self.sql("SELECT id FROM information_schema.processlist WHERE info LIKE '%AS q%' "
                                         "AND info NOT LIKE '%processlist%'"):
            self.sql(f"KILL {number}")

    sleep = "sleep"

    def __exit__(self, *_):
        if self.child is not None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Weir:
    """A server of weir and one session of it."""

    def __init__(self, server):
        self.server, self.pg = server, server.pg()

    def sql(self, text):
        return self.pg.query(text)

    def error(self, text):
        """SQLSTATE and message of a statement that must fail."""
        try:
            self.pg.query(text)
        except weirtest.PgError as error:
            return error.sqlstate, error.message
        return None, None

    def make(self, name, on, against, clauses):
        self.sql(f"DROP RECONCILIATION IF EXISTS {name}")
        self.sql(f"CREATE RECONCILIATION {name} ON {on} AGAINST {against} {clauses}")

    def run(self, name):
        """(matched, missing, unexpected, differing, duplicate, pending) of a run, and its other figures."""
        self.sql(f"RECONCILE {name}")
        row = self.sql("SELECT matched, missing, unexpected, differing, duplicate, pending, young, bytes_moved, statements "
                       f"FROM weir.reconciliation_runs WHERE name = {quoted(name)} ORDER BY run DESC LIMIT 1")[0]
        counts = [int(v) for v in row]
        return tuple(counts[:6]), dict(young=counts[6], bytes=counts[7], statements=counts[8])

    def found(self, name):
        return self.sql("SELECT kind, key, column_name, view_value, record_value FROM weir.reconciliation_result WHERE name = "
                        f"{quoted(name)} AND key IS NOT NULL AND run = (SELECT max(run) FROM weir.reconciliation_runs "
                        f"WHERE name = {quoted(name)}) ORDER BY key, column_name")
