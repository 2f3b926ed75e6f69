#!/usr/bin/env python3
"""The PostgreSQL port under nonsense: random bytes, wrong lengths, broken and half messages, clients
that leave, many at once, slow readers. Each gets an error or is closed, and the service goes on."""
import os
import random
import socket
import struct
import threading
import time

import _demo
from _demo import weirtest


def talk(server, data, seconds=3, half=True):
    """What the server says until it closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.pg_port), 10) as raw:
        raw.settimeout(seconds)
        try:
            raw.sendall(data)
            if half:
                raw.shutdown(socket.SHUT_WR)
            while True:
                more = raw.recv(65536)
                if not more:
                    break
                answer += more
        except OSError:
            pass
    return answer


def startup(parameters=b"user\0test\0database\0weir\0\0"):
    return struct.pack("!II", len(parameters) + 8, 196608) + parameters


def message(kind, body=b"", length=None):
    return kind + struct.pack("!I", (len(body) + 4 if length is None else length) & 0xffffffff) + body


def alive(checks, server, what):
    try:
        with server.pg(timeout=20) as pg:
            checks.equal(f"alive after {what}", pg.value("SELECT count(*) FROM sales.order_placed"), "3")
    except (OSError, weirtest.PgError) as error:
        checks.true(f"alive after {what}", False, error)


def before_startup(checks, server, rng):
    for i in range(40):
        talk(server, rng.randbytes(rng.randrange(1, 3000)), 1)
    alive(checks, server, "random bytes")
    answer = talk(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 2)
    checks.true("HTTP on the PostgreSQL port is answered or closed", answer == b"" or answer[:1] == b"E", answer)
    for length in (0, 3, 7, 8, 2**31, 2**32 - 1, 100000):
        talk(server, struct.pack("!II", length, 196608), 1)
    alive(checks, server, "wrong lengths of the startup message")
    answer = talk(server, struct.pack("!II", 8, 80877103) + startup(), 2)
    checks.true("SSLRequest is answered with N", answer[:1] == b"N" and b"Z" in answer, answer[:20])
    answer = talk(server, struct.pack("!II", 9, 131072) + b"\0", 2)
    checks.true("protocol 2 is refused in words", b"E" == answer[:1] and b"rotocol" in answer, answer)
    talk(server, struct.pack("!IIII", 16, 80877102, 1, 2), 2)
    alive(checks, server, "a cancel of nobody")


def after_startup(checks, server, rng):
    for i in range(60):
        kind = bytes([rng.choice(b"QPBDECSHfdcFpXZ\0\xff")])
        body = rng.randbytes(rng.randrange(0, 200))
        length = rng.choice((None, None, 0, 3, 4, 2**31 - 1, 2**32 - 1, len(body) + 5))
        talk(server, startup() + message(kind, body, length) + message(b"S"), 1)
    alive(checks, server, "broken messages")
    answer = talk(server, startup() + message(b"Q", b"SELECT 1"), 2)  # no zero at the end
    checks.true("a query without its end", b"C08P01" in answer, answer[-200:])
    answer = talk(server, startup() + message(b"Q", b"SELECT '\xff\xfe'\0"), 2)
    checks.true("invalid UTF-8 has 22021", b"C22021" in answer, answer[-200:])
    answer = talk(server, startup() + message(b"B", b"\0nosuch\0\0\0\0\0\0\0") + message(b"S"), 2)
    checks.true("an unknown statement has 26000", b"C26000" in answer and answer.endswith(b"Z\0\0\0\5I"), answer[-200:])
    answer = talk(server, startup() + message(b"E", b"nosuch\0\0\0\0\0") + message(b"S"), 2)
    checks.true("an unknown portal has 34000", b"C34000" in answer, answer[-200:])
    deep = b"SELECT " + b"(" * 100000 + b"1" + b")" * 100000 + b"\0"
    answer = talk(server, startup() + message(b"Q", deep), 10)
    checks.true("deep nesting is an error", b"ERROR" in answer, answer[-200:])
    long = b"SELECT " + b"1+" * 50000 + b"1\0"
    answer = talk(server, startup() + message(b"Q", long), 20)
    checks.true("a long sum is answered", b"50001" in answer or b"ERROR" in answer, answer[-200:])
    answer = talk(server, startup() + message(b"Q", b"SELECT 1", 2**30), 3)
    checks.true("a message of 1 GB is refused", b"E" in answer, answer[-100:])
    alive(checks, server, "all that")


def many(checks, server):
    socks = []
    try:
        for _ in range(300):
            socks.append(socket.create_connection(("127.0.0.1", server.pg_port), 10))
        for s in socks:
            s.sendall(startup())
        time.sleep(0.3)
    except OSError:
        pass
    finally:
        for s in socks:
            s.close()
    time.sleep(0.3)
    alive(checks, server, "300 connections")
    faults = []

    def worker():
        try:
            for _ in range(20):
                with server.pg(timeout=30) as pg:
                    for _ in range(5):
                        if pg.value("SELECT sum(orders) FROM sales.by_store") != "3":
                            faults.append("wrong sum")
        except (OSError, weirtest.PgError) as error:
            faults.append(repr(error))
    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    checks.true("8 clients at once", not faults, faults[:3])


def slow_reader(checks, server):
    """A client that asks for much and does not read holds up nobody else."""
    raw = socket.create_connection(("127.0.0.1", server.pg_port), 10)
    raw.sendall(startup())
    for _ in range(200):
        raw.setblocking(False)
        try:
            raw.sendall(message(b"Q", b"SELECT n, n, n, n, n FROM sales.many\0"))
        except OSError:
            break
    raw.setblocking(True)
    time.sleep(0.5)
    begin = time.monotonic()
    alive(checks, server, "a slow reader")
    checks.true("and quickly", time.monotonic() - begin < 5)
    with open(f"/proc/{server.child.pid}/status", encoding="ascii") as status:
        rss = [int(line.split()[1]) for line in status if line.startswith("VmRSS")][0]
    checks.true("in little memory", rss < 1500000, f"{rss} kB")
    raw.close()


def main():
    checks = weirtest.Checks()
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    rng = random.Random(seed)
    with _demo.serve() as server:
        _demo.fill(server)
        before_startup(checks, server, rng)
        after_startup(checks, server, rng)
        many(checks, server)
        slow_reader(checks, server)
    checks.end()


main()
