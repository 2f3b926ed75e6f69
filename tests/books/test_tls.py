#!/usr/bin/env python3
"""PostgreSQL as the book by TLS: a certificate of a test's own authority, sslmode require and verify-full, passwords by
SCRAM (in conninfo, in a passfile, wrong, none), client certificates; and nothing that weir shows has the password."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time

from _servers import PostgresBook, Weir, quoted, weirtest

SECRET, WRONG = "h0rse-battery", "st4ple-wrong"


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def make_certificates(at):
    """Two authorities; of the first a server's certificate for localhost, and one of client 'clerk'."""
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-days", 2,
                "-keyout", at / f"{name}.key", "-out", at / f"{name}.crt")
    (at / "names").write_text("subjectAltName=DNS:localhost\n")
    for name, subject in (("server", "/CN=server"), ("client", "/CN=cert")):
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject, "-keyout",
                at / f"{name}.key", "-out", at / f"{name}.csr")
        more = ["-extfile", at / "names"] if name == "server" else []
        openssl("x509", "-req", "-in", at / f"{name}.csr", "-CA", at / "ca.crt", "-CAkey", at / "ca.key", "-CAcreateserial", "-days", 2,
                "-out", at / f"{name}.crt", *more)


def serve_tls(book, at):
    """The book's server again, on a port of loopback, where only TLS comes in."""
    owner = pwd.getpwnam("postgres") if os.getuid() == 0 else None
    data = pathlib.Path(book.dir, "data")
    for name in ("ca.crt", "server.crt", "server.key"):
        shutil.copy(at / name, data / name)
        os.chmod(data / name, 0o600)
        if owner is not None:
            os.chown(data / name, owner.pw_uid, owner.pw_gid)
    book.sql(f"SET password_encryption = 'scram-sha-256'; ALTER ROLE clerk PASSWORD '{SECRET}'; CREATE ROLE cert LOGIN")
    pathlib.Path(data, "pg_hba.conf").write_text("local all all trust\nhostssl all cert 127.0.0.1/32 cert\n"
                                                 "hostssl all all 127.0.0.1/32 scram-sha-256\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    book.pg.close()
    book.child.send_signal(2)
    book.child.wait(20)
    with open(os.path.join(book.dir, "log"), "ab") as log:
        book.child = subprocess.Popen(
            [*book.become, book.bin / "postgres", "-D", data, "-k", book.dir, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c",
             "fsync=off", "-c", "ssl=on", "-c", "ssl_ca_file=ca.crt", "-c", "log_connections=on"], stdout=log, stderr=log, cwd=book.dir)
    until = time.monotonic() + 30
    while True:
        try:
            book.pg = weirtest.Pg(book.dir, port, database="postgres")
            return port
        except (OSError, weirtest.PgError):
            if time.monotonic() > until or book.child.poll() is not None:
                raise SystemExit("postgres does not start: " + pathlib.Path(book.dir, "log").read_text()[-3000:]) from None
            time.sleep(0.05)


def everything(weir):
    """All that weir shows of its reconciliations."""
    weir.sql("SELECT 1")
    tables = ("reconciliations", "reconciliation_runs", "reconciliation_result", "reconciliation_trend", "reconciliation_remedy", "settings")
    texts = [str(weir.sql(f"SELECT * FROM weir.{table}")) for table in tables]
    texts += [str(weir.sql(text)) for text in ("SHOW RECONCILIATIONS", "SELECT * FROM pg_catalog.pg_class",
                                               "SELECT * FROM pg_catalog.pg_stat_activity", "EXPLAIN SELECT * FROM weir.reconciliations")]
    return "".join(texts) + weir.server.log() + weir.server.http("GET", "/metrics").text


def main():
    weirtest.need_weir()
    if not shutil.which("openssl"):
        weirtest.skip("openssl is not installed")
    checks = weirtest.Checks()
    with PostgresBook() as book, weirtest.Server() as server:
        weir, at = Weir(server), pathlib.Path(server.data)
        make_certificates(at)
        port = serve_tls(book, at)
        for path, mode in (("right.pass", 0o600), ("wrong.pass", 0o600), ("open.pass", 0o644)):
            (at / path).write_text(f"*:*:*:*:{WRONG if path == 'wrong.pass' else SECRET}\n")
            os.chmod(at / path, mode)
        os.chmod(at / "client.key", 0o600)
        weir.sql("CREATE STREAM fa (id INT NOT NULL, v INT, PRIMARY KEY (id))")
        server.ingest("fa", [dict(id=1, v=1)])
        query = "SELECT 1 AS id, ssl::int AS v FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ca, other = f"sslrootcert={at}/ca.crt", f"sslrootcert={at}/other.crt"
        password = f"password={SECRET}"
        client = f"user=cert sslcert={at}/client.crt sslkey={at}/client.key"
        cases = [  # conninfo; SQLSTATE, None: it is right, and encrypted
            (f"host=localhost sslmode=require {password}", None),
            (f"host=localhost sslmode=verify-full {ca} {password}", None),
            (f"host=localhost sslmode=verify-full {ca} {password} channel_binding=require", None),
            (f"host=127.0.0.1 sslmode=verify-ca {ca} {password}", None),
            (f"host=localhost sslmode=verify-full {ca} passfile={at}/right.pass", None),
            (f"host=localhost sslmode=verify-full {ca} {client}", None),
            (f"host=127.0.0.1 sslmode=verify-full {ca} {password}", "08006"),  # another name
            (f"host=localhost sslmode=verify-full {other} {password}", "08006"),
            (f"host=localhost sslmode=verify-full sslrootcert={at}/nowhere {password}", "08006"),
            (f"host=localhost sslmode=disable {password}", "08006"),
            (f"host=localhost sslmode=require password={WRONG}", "08006"),
            (f"host=localhost sslmode=require passfile={at}/wrong.pass", "08006"),
            (f"host=localhost sslmode=require passfile={at}/open.pass", "28P01"),  # readable by others: not used
            ("host=localhost sslmode=require", "28P01"),
            ("host=localhost sslmode=require user=cert", "08006"),
            (f"host=localhost sslmode=perhaps {password}", "08006"),
        ]
        environment = {k: v for k, v in os.environ.items() if k.startswith("PG")}
        if environment:
            print(f"note: {sorted(environment)} may change what libpq does")
        for text, wanted in cases:
            conninfo = f"user=clerk {text} port={port} dbname=postgres"
            weir.make("tl", "STREAM fa", f"(connector = 'postgres', conninfo = {quoted(conninfo)}, query = {quoted(query)})",
                      "KEY (id) COMPARE (v)")
            state, message = weir.error("RECONCILE tl")
            shown = text.replace(str(at), "").replace(SECRET, "...")
            checks.true(f"{shown}: {wanted}", state == wanted, f"{state}: {message}")
            if wanted is None:
                checks.equal(f"{shown}: encrypted", weir.sql("SELECT matched FROM weir.reconciliation_runs WHERE name = 'tl'"), [["1"]])
            seen = everything(weir) + str(message)
            checks.true(f"{shown}: no secret is shown", SECRET not in seen and WRONG not in seen,
                        [seen[max(0, seen.find(s) - 200):seen.find(s) + 30] for s in (SECRET, WRONG) if s in seen])
        # A statement that is wrong is told of without its secrets, as is a definition that is made twice.
        for statement in (f"CREATE RECONCILIATION tl ON STREAM fa AGAINST (connector = 'postgres', conninfo = '{password}', query = 'x') KEY (id)",
                          f"CREATE RECONCILIATION tb ON STREAM fa AGAINST (connector = 'postgres', conninfo = '{password}', quary = 'x') KEY (id)",
                          f"CREATE RECONCILIATION tb ON STREAM fa AGAINST (connector = 'mariadb', user = 'u', password = '{SECRET}' query = 'x') KEY (id)"):
            state, message = weir.error(statement)
            checks.true("a wrong definition", state is not None and SECRET not in message and SECRET not in server.log(), message)
        server.restart()
        weir.pg = server.pg()
        checks.true("after a restart", SECRET not in everything(weir))
    checks.end()


if __name__ == "__main__":
    main()
