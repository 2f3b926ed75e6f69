#!/usr/bin/env python3
"""Damage to files, a full disk, a taken port and a taken directory: a clear error that names the
place, never a crash, and nothing that was acknowledged is lost or changed silently. A damaged store
of a flow stops that flow alone, and its remedies give the right numbers again."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

SQL = """
CREATE STREAM e (id BIGINT NOT NULL, v BIGINT, f TEXT, PRIMARY KEY (id));
CREATE MATERIALIZED VIEW w WITH (refresh = 'immediate') AS SELECT count(*) AS n, sum(v) AS s FROM e;
CREATE MATERIALIZED VIEW groups WITH (refresh = '1 second') AS SELECT id % 500 AS g, count(*) AS n FROM e GROUP BY 1;
CREATE MATERIALIZED VIEW over WITH (refresh = '2 seconds') AS SELECT n + s AS both FROM w;
"""
EXPECTED = [["6000", "6000"]]


def filled(directory):
    """A directory with 6,000 events, left by kill -9."""
    server = weirtest.Server(SQL, data=directory)
    server.start()
    for part in range(6):
        server.ingest("e", [{"id": part * 1000 + i, "v": 1, "f": f"{i:x}" * 50} for i in range(1000)])
    with server.pg() as pg:
        pg.simple("FLUSH")
        assert pg.query("SELECT * FROM w") == EXPECTED
    server.kill()
    shutil.rmtree(server.temp, ignore_errors=True)


def used_bytes(path):
    data = path.read_bytes()
    return len(data.rstrip(b"\0"))


def flip(path, at, n=16):
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(n)
        file.seek(at)
        file.write(bytes(b ^ 0x5a for b in old))


def look(checks, name, data, damaged):
    """Starts on damaged files. Either a refusal that names the file, or right numbers, or an error of the query."""
    server = weirtest.Server(None, data=data)
    try:
        try:
            server.start()
        except weirtest.ServerError:
            code, log = server.child.returncode, server.log()
            checks.true(f"{name}: refuses, does not crash", code is not None and 0 < code < 128, (code, log[-800:]))
            checks.true(f"{name}: names the place", damaged.name in log or str(damaged.parent.name) in log, log[-800:])
            checks.true(f"{name}: a flow's store stops its flow alone", not name.startswith("flow store"), log[-800:])
            last = [line for line in log.splitlines() if "error" in line]
            print(f"  {name}: refused: {last[-1][:160] if last else log[-160:]}")
            return
        outcome = []
        with server.pg(timeout=20) as pg:
            try:  # views that are computed again
                pg.simple("FLUSH")
            except weirtest.PgError as error:
                outcome.append(f"FLUSH: {error}")
            try:
                rows = pg.query("SELECT * FROM w")
                outcome.append(f"view {rows}")
                checks.equal(f"{name}: the view's numbers are right", rows, EXPECTED)
            except weirtest.PgError as error:
                outcome.append(f"view: {error}")
                checks.true(f"{name}: an error, with its code", error.sqlstate in ("XX001", "XX000", "58030", "55000") or (
                    name == "catalogue: empty" and error.sqlstate == "42P01"), error)
            if name == "catalogue: empty":  # a new one: objects are to be made again, as the documents say
                return
            try:
                rows = pg.query("SELECT count(*), sum(v) FROM e")
                outcome.append(f"stream {rows}")
                lost = "acknowledged records were lost from the log" in server.log()
                if name in ("segment empty", "segment gone"):  # the views keep them, and it is said
                    checks.true(f"{name}: is told", lost and rows == [["0", None]], (lost, rows))
                else:
                    checks.equal(f"{name}: the stream's numbers are right", rows, EXPECTED)
            except weirtest.PgError as error:
                outcome.append(f"stream: {error}")
                checks.true(f"{name}: an error, with its code", error.sqlstate in ("XX001", "XX000", "58030", "55000"), error)
            checks.equal(f"{name}: the service goes on", pg.value("SELECT 1"), "1")
            if name.startswith("flow store"):
                alone(checks, name, server, pg, outcome[-2].startswith("view: "))
        checks.true(f"{name}: alive", server.alive(), server.log()[-1500:])
        print(f"  {name}: {'; '.join(outcome)[:300]}")
    except (OSError, weirtest.PgError) as error:
        checks.true(f"{name}: no crash", server.alive(), f"{error} {server.log()[-1500:]}")
    finally:
        server.kill()
        shutil.rmtree(server.temp, ignore_errors=True)


def error_of(pg, sql):
    try:
        return None, pg.query(sql)
    except weirtest.PgError as error:
        return error, None


def alone(checks, name, server, pg, failed):
    """Flow public@immediate has failed: the others are right, it says why, and the remedy helps."""
    checks.equal(f"{name}: the other flow is right", pg.query("SELECT count(*), sum(n) FROM groups"), [["500", "6000"]])
    checks.equal(f"{name}: weir.flows names it", pg.query("SELECT name FROM weir.flows WHERE error IS NOT NULL"),
                 [["public@immediate"]] if failed else [])
    health, metrics = server.http("GET", "/healthz"), server.http("GET", "/metrics").text
    checks.equal(f"{name}: health", (health.status, health.text.split("\n")[0]), (200, "degraded" if failed else "ok"))
    checks.true(f"{name}: metrics", f'weir_flow_failing{{flow="public@immediate"}} {int(failed)}\n' in metrics)
    if not failed:
        return
    error = error_of(pg, "SELECT * FROM w")[0]
    checks.true(f"{name}: the error names store and remedy", error is not None and error.sqlstate == "XX001"
                and "/flow/public@immediate" in str(error) and 'REBUILD FLOW "public@immediate"' in error.fields.get("H", ""),
                error and error.fields)
    answer = server.http("GET", "/v1/views/w")
    checks.true(f"{name}: so over HTTP", answer.status == 500 and "/flow/public@immediate" in answer.text, answer.text)
    checks.equal(f"{name}: events are taken", server.ingest("e", [{"id": 6000, "v": 1}])["accepted"], 1)
    pg.simple('REBUILD FLOW "public@immediate"')
    right_again(checks, name, server, pg, 6001)
    aside = list(pathlib.Path(server.data, "flow").glob("public@immediate.damaged-*"))
    checks.equal(f"{name}: the damaged store is kept", len(aside), 1)


def right_again(checks, name, server, pg, n):
    pg.simple("FLUSH")
    checks.equal(f"{name}: right again", pg.query("SELECT * FROM w"), [[str(n), str(n)]])
    checks.equal(f"{name}: so what stands on it", pg.query("SELECT * FROM over"), [[str(2 * n)]])
    checks.equal(f"{name}: so the other flow", pg.value("SELECT sum(n) FROM groups"), str(n))
    checks.equal(f"{name}: healthy", server.http("GET", "/healthz").text, "ok\n")
    weirtest.verify_served(checks, name, pg)


def remedies(checks, good, temp, rng):
    """A directory moved away, before the start and while the server runs; a file of SQL and a DROP meanwhile; a mark."""
    copy, store = pathlib.Path(temp, "copy"), pathlib.Path(temp, "copy", "flow", "public@immediate")
    subprocess.run(["cp", "-a", "--sparse=always", good, copy], check=True)
    (store / "data.mdb").write_bytes(rng.randbytes(400000))
    os.rename(store, str(store) + ".away")
    with weirtest.Server(None, data=str(copy)) as server, server.pg(timeout=30) as pg:
        right_again(checks, "moved away while stopped", server, pg, 6000)
    (store / "data.mdb").write_bytes(rng.randbytes(400000))
    more = SQL + "CREATE MATERIALIZED VIEW late WITH (refresh = 'immediate') AS SELECT max(id) AS m FROM e;\n"
    with weirtest.Server(more, data=str(copy)) as server, server.pg(timeout=30) as pg:
        log = server.log()
        checks.true("a file applied on a failed flow", "unchanged materialized view public.w" in log
                    and "created materialized view public.late" in log, log[-1500:])
        error = error_of(pg, "SELECT * FROM late")[0]
        checks.true("a view made in a failed flow waits", error is not None and error.sqlstate == "XX001", error)
        error = error_of(pg, "DROP MATERIALIZED VIEW w")[0]
        checks.true("DROP says what stands on the view", error is not None and error.sqlstate == "2BP01", error)
        pg.simple("DROP MATERIALIZED VIEW late")
        pg.simple("CREATE MATERIALIZED VIEW late WITH (refresh = 'immediate') AS SELECT min(id) AS m FROM e")
        os.rename(store, str(store) + ".away2")
        until = time.monotonic() + 20
        while error_of(pg, "SELECT * FROM w")[0] is not None and time.monotonic() < until:
            time.sleep(0.05)
        right_again(checks, "moved away while it runs", server, pg, 6000)
        checks.equal("the view that waited", pg.query("SELECT * FROM late"), [["0"]])
    mark = copy / "flow" / "public@1s" / "damaged"  # as a fault leaves it: all of the store is tested, and it is whole
    mark.write_text("weir: error: ...")
    with weirtest.Server(None, data=str(copy)) as server, server.pg(timeout=30) as pg:
        right_again(checks, "a mark on a store that is whole", server, pg, 6000)
        checks.true("the mark is gone", not mark.exists())
    shutil.rmtree(copy)


def live_harm(kind, file, rng):
    pages = file.stat().st_size // 4096
    if kind == "cut":
        os.truncate(file, pages // 2 * 4096)
        return
    if kind == "rows of a page":
        flip(file, rng.randrange(2, pages) * 4096 + 2048, 1024)
        return
    first, count = (0, 2) if kind == "header pages" else (2, pages - 2) if kind == "all pages" else (rng.randrange(2, pages), 1)
    with open(file, "r+b") as data:
        data.seek(first * 4096)
        data.write(rng.randbytes(count * 4096))


def live(checks, good, temp, rng):
    """Pages that change, and a file that is cut, under a running server: an error, or an end that names the place and
    a start that serves. Which of the two a page of garbage gives is LMDB's."""
    ends = 0
    kinds = ("cut", "header pages", "all pages", "a page", "a page", "a page", "rows of a page", "rows of a page")
    for kind in kinds:
        copy = pathlib.Path(temp, "copy")
        subprocess.run(["cp", "-a", "--sparse=always", good, copy], check=True)
        server = weirtest.Server(None, data=str(copy)).start()
        name = f"{kind} under a running server"
        try:
            live_harm(kind, copy / "flow" / "public@immediate" / "data.mdb", rng)
            acked, events = False, [{"id": 6000 + i, "v": 1} for i in range(500)]
            events += [{"id": i, "v": 7} for i in rng.sample(range(6000), 300)]  # known ones
            try:
                server.ingest("e", events)
                acked = True
                with server.pg(timeout=20) as pg:
                    error_of(pg, "FLUSH")
                    error, rows = error_of(pg, "SELECT * FROM w")
                    checks.true(f"{name}: no wrong number", error is not None or rows in (EXPECTED, [["6500", "6500"]]),
                                (error, rows))
            except (OSError, weirtest.PgError):
                time.sleep(0.2)  # what is left of the end
            if not server.alive():
                ends += 1
                checks.true(f"{name}: never without a cut file", kind != "cut", server.log()[-800:])
                server.start()
            with server.pg(timeout=30) as pg:
                error_of(pg, "FLUSH")
                n = int(pg.value("SELECT sum(n) FROM groups"))
                checks.true(f"{name}: the other flow is right", n == 6500 or (n == 6000 and not acked), (n, acked))
                pg.simple('REBUILD FLOW "public@immediate"')
                right_again(checks, name, server, pg, n)
        except (OSError, weirtest.PgError, weirtest.ServerError) as error:
            checks.true(f"{name}: goes on", False, f"{error} {server.log()[-1500:]}")
        finally:
            server.kill()
            shutil.rmtree(server.temp, ignore_errors=True)
            shutil.rmtree(copy, ignore_errors=True)
    print(f"  under a running server: {ends} of {len(kinds)} ended the process")


def damages(data, rng):
    """(name, file, damage): each is done to a fresh copy."""
    segment = next((data / "log" / "public.e" / "0").glob("*.seg"))
    index = next((data / "log" / "public.e" / "0").glob("*.idx"))
    catalog = data / "catalog" / "data.mdb"
    flow = data / "flow" / "public@immediate" / "data.mdb"
    used = used_bytes(segment)
    yield "segment header", segment, lambda f: flip(f, 0)
    yield "segment, first batch", segment, lambda f: flip(f, 70)
    yield "segment, in the middle", segment, lambda f: flip(f, used // 2)
    yield "segment, its end", segment, lambda f: flip(f, used - 20)
    yield "segment cut in the middle", segment, lambda f: os.truncate(f, used // 2)
    yield "segment empty", segment, lambda f: os.truncate(f, 0)
    yield "segment gone", segment, os.unlink
    yield "index damaged", index, lambda f: flip(f, 20)
    yield "index gone", index, os.unlink
    yield "stream.json damaged", data / "log" / "public.e" / "stream.json", lambda f: f.write_text("{")
    journal = flow.with_name("journal.0")
    used = used_bytes(journal)
    yield "journal: its first record", journal, lambda f: flip(f, 0)
    yield "journal: in the middle", journal, lambda f: flip(f, used // 2)
    yield "journal: its last record", journal, lambda f: flip(f, used - 30)
    yield "journal: empty", journal, lambda f: os.truncate(f, 0)
    yield "journal: gone", journal, os.unlink
    yield "journal: garbage", journal, lambda f: f.write_bytes(rng.randbytes(f.stat().st_size))
    for name, file in (("catalogue", catalog), ("flow store", flow)):
        yield f"{name}: meta pages", file, lambda f: flip(f, 0, 8192)
        yield f"{name}: cut", file, lambda f: os.truncate(f, 10000)
        yield f"{name}: empty", file, lambda f: os.truncate(f, 0)
        pages = file.stat().st_size // 4096
        for page in sorted(rng.sample(range(2, pages), min(6, pages - 2))):
            yield f"{name}: page {page}", file, lambda f, p=page: flip(f, p * 4096, 64)
        yield f"{name}: garbage", file, lambda f: f.write_bytes(rng.randbytes(f.stat().st_size))


def damage(checks, rng):
    with tempfile.TemporaryDirectory(prefix="weir-damage-") as temp:
        good = pathlib.Path(temp, "good")
        filled(str(good))
        for name, file, harm in damages(good, rng):
            copy = pathlib.Path(temp, "copy")
            subprocess.run(["cp", "-a", "--sparse=always", good, copy], check=True)
            place = copy / file.relative_to(good)
            harm(place)
            look(checks, name, str(copy), place)
            shutil.rmtree(copy)
        remedies(checks, good, temp, rng)
        live(checks, good, temp, rng)


def flush(pg, seconds=40):
    """A flow that found no room tries again after a pause; meanwhile FLUSH says so."""
    until = time.monotonic() + seconds
    while True:
        try:
            pg.simple("FLUSH")
            return
        except weirtest.PgError as error:
            if error.sqlstate != "53100" or time.monotonic() > until:
                raise
            time.sleep(0.2)


def taken(checks):
    with weirtest.Server("CREATE STREAM e (id INT);") as server:
        second = subprocess.run([weirtest.WEIR, "serve", "--data", server.data, "--pg-port", "0", "--http-port", "0"],
                                capture_output=True, text=True, timeout=20)
        checks.true("a directory in use is refused, and who has it is said",
                    second.returncode not in (0, None) and second.returncode > 0 and str(server.child.pid) in second.stderr,
                    (second.returncode, second.stderr))
        with tempfile.TemporaryDirectory() as temp:
            for option, port in (("--pg-port", server.pg_port), ("--http-port", server.http_port)):
                other = "--http-port" if option == "--pg-port" else "--pg-port"
                third = subprocess.run([weirtest.WEIR, "serve", "--data", temp + "/d", option, str(port), other, "0"],
                                       capture_output=True, text=True, timeout=20)
                checks.true(f"{option} in use is refused, and named", third.returncode > 0 and str(port) in third.stderr,
                            (third.returncode, third.stderr))


def full_disk(checks):
    """A disk of 48 MB that fills, and has room again."""
    mount = tempfile.mkdtemp(prefix="weir-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", mount], capture_output=True).returncode != 0:
        os.rmdir(mount)
        print("  full disk: left out, a tmpfs cannot be mounted here")
        return
    try:
        room = pathlib.Path(mount, "room")
        room.write_bytes(b"x" * (20 << 20))
        with weirtest.Server(SQL, data=mount + "/data") as server:
            acked, refused = 0, None
            for part in range(400):
                body = "\n".join(f'{{"id":{part * 500 + i},"v":1,"f":"{"y" * 400}"}}' for i in range(500))
                answer = server.http("POST", "/v1/streams/e", body)
                if answer.status != 200:
                    refused = answer
                    break
                acked += answer.json()["accepted"]
            checks.true("a full disk refuses with 507", refused is not None and refused.status == 507,
                        (refused and (refused.status, refused.text)))
            print(f"  full disk after {acked} events: {refused.text.strip()[:200] if refused else None}")
            with server.pg(timeout=30) as pg:
                n = pg.query("SELECT n FROM w")
                checks.true("reads go on", n and int(n[0][0]) <= acked, n)
            room.unlink()
            answer = server.http("POST", "/v1/streams/e", '{"id":1000000,"v":1}')
            for _ in range(50):
                if answer.status == 200:
                    break
                time.sleep(0.2)
                answer = server.http("POST", "/v1/streams/e", '{"id":1000000,"v":1}')
            checks.equal("with room again it takes events", answer.status, 200)
            with server.pg(timeout=60) as pg:
                flush(pg)
                n = int(pg.value("SELECT n FROM w"))
            checks.true("all that was acknowledged is counted once", acked + 1 <= n <= acked + 501, (n, acked))
            server.restart()
            with server.pg(timeout=60) as pg:
                flush(pg)
                checks.equal("also after kill -9", int(pg.value("SELECT n FROM w")), n)
    finally:
        subprocess.run(["umount", mount], capture_output=True)
        shutil.rmtree(mount, ignore_errors=True)


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    seed = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    taken(checks)
    full_disk(checks)
    damage(checks, random.Random(seed))
    checks.end()


main()
