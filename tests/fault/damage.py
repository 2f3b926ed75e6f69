#!/usr/bin/env python3
"""Damage to files, a full disk, a taken port and a taken directory: a clear error that names the
place, never a crash, and nothing that was acknowledged is lost or changed silently."""
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
        checks.true(f"{name}: alive", server.alive(), server.log()[-1500:])
        print(f"  {name}: {'; '.join(outcome)[:300]}")
    except (OSError, weirtest.PgError) as error:
        checks.true(f"{name}: no crash", server.alive(), f"{error} {server.log()[-1500:]}")
    finally:
        server.kill()
        shutil.rmtree(server.temp, ignore_errors=True)


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
