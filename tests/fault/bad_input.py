#!/usr/bin/env python3
"""Bad input in every place that takes input: each gets an error that names the place, the service
goes on, and nothing that was acknowledged is lost.

    tests/fault/bad_input.py [--only CASE,...] [--list] [--seed N]

Bodies over HTTP, values of each type, garbage and slow clients on both ports, SQL, files for
`weir run`, damaged segments of the log, damaged stores, a full disk (a small file system in a mount
namespace of its own; needs root), and starts that cannot work."""
import argparse
import contextlib
import gzip
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

TYPES_SQL = """
CREATE SCHEMA t;
CREATE STREAM t.every (id BIGINT NOT NULL, b BOOLEAN, i2 SMALLINT, i4 INT, i8 BIGINT, n NUMERIC(10,2), f4 REAL,
  f8 DOUBLE PRECISION, s TEXT, v VARCHAR(5), raw BYTEA, d DATE, tm TIME, ts TIMESTAMP, tz TIMESTAMPTZ, iv INTERVAL,
  u UUID, j JSONB, positive INT CHECK (positive > 0), PRIMARY KEY (id));
CREATE STREAM t.plain (v BIGINT NOT NULL);
CREATE MATERIALIZED VIEW t.n WITH (refresh = 'immediate') AS SELECT count(*) AS n FROM t.every;
CREATE MATERIALIZED VIEW t.p WITH (refresh = 'immediate') AS SELECT count(*) AS n, sum(v) AS s FROM t.plain;
"""


class Acked:
    """Sends events and knows what was acknowledged."""

    def __init__(self, server, checks):
        self.server, self.checks, self.n = server, checks, 0

    def good(self, n=1):
        lines = "\n".join('{"v":1}' for _ in range(n))
        self.server.ingest("t.plain", lines)
        self.n += n

    def still(self, what):
        """The service goes on: it takes an event, shows all of them, and is healthy."""
        try:
            self.good()
            with self.server.pg(timeout=30) as pg:
                pg.simple("FLUSH")
                self.checks.equal(f"after {what}: each acknowledged event is there", pg.value("SELECT n FROM t.p"), str(self.n))
            self.checks.equal(f"after {what}: healthy", self.server.http("GET", "/healthz").status, 200)
        except (OSError, http.client.HTTPException, weirtest.PgError, weirtest.ServerError) as error:
            self.checks.true(f"after {what}: the service goes on", False, repr(error))
            if not self.server.alive():
                raise


def names(checks, what, text, *parts):
    """The message has each part in it (any case)."""
    text = text if isinstance(text, str) else text.decode(errors="replace")
    missing = [p for p in parts if p.lower() not in text.lower()]
    return checks.true(f"{what}: names {', '.join(parts)}", not missing, text[-600:])


def http_error(checks, what, answer, status, *parts):
    wanted = status if isinstance(status, tuple) else (status,)
    if not checks.true(f"{what}: HTTP {wanted}", answer.status in wanted, f"{answer.status} {answer.text[:300]}"):
        return
    names(checks, what, answer.text, *parts)
    with contextlib.suppress(ValueError):
        checks.true(f"{what}: has an SQLSTATE", len(answer.json()["error"]["sqlstate"]) == 5, answer.text[:200])


# ---- bodies over HTTP ------------------------------------------------------------------------------

BROKEN_JSON = [
    ('{"v":1', "unclosed object"), ("{", "one brace"), ("}", "a closing brace"), ("nonsense", "a word"), ("12", "a number"),
    ('"text"', "a string"), ("null", "null"), ('{"v":1}}', "a brace too many"), ('{"v" 1}', "no colon"),
    ('{"v":}', "no value"), ("{v:1}", "no quotes"), ("{'v':1}", "wrong quotes"), ('{"v":1,}', "a comma too many"),
    ('{"v":01}', "a leading zero"), ('{"v":+1}', "a plus"), ('{"v":1.}', "a bare point"), ('{"v":.5}', "no digit"),
    ('{"v":NaN}', "NaN"), ('{"v":Infinity}', "Infinity"), ('{"v":tru}', "half a word"), ('{"v":"\x01"}', "a control character"),
    ('{"v":"a', "an open string"), ('{"v":"\\x41"}', "an unknown escape"), ('{"v":"\\u12"}', "half an escape"),
    ('{"v":"\\ud800"}', "half a surrogate pair"), ('{"v":1e999}', "a huge exponent"), ("\ufeff\ufeff{}", "two byte order marks"),
    ("[[1]]", "an array in an array"), ("{}", "a missing required column"), ('{"v":null}', "null in a required column"),
    ("[" * 100000, "100,000 brackets"), ('{"v":' * 100000, "100,000 objects"),
    ('{"v":' + "[" * 5000 + "]" * 5000 + "}", "deep nesting"), ("\0\0\0\0", "zeros"), ("{\0}", "a zero inside"),
]


def refused(checks, server, what, body, headers=None, stream="t.plain", sqlstate=None):
    """Nothing of it is accepted: either the request fails in words, or its records are quarantined."""
    answer = server.http("POST", f"/v1/streams/{stream}", body, headers)
    if answer.status == 200:
        facts = answer.json()
        checks.true(f"{what}: nothing is accepted, all is quarantined", facts["accepted"] == 0 and facts["quarantined"] > 0, facts)
        checks.true(f"{what}: says why", facts["errors"] and all(len(e["message"]) > 5 and len(e["sqlstate"]) == 5
                                                                   for e in facts["errors"]), facts)
        if sqlstate:
            checks.equal(f"{what}: SQLSTATE", facts["errors"][0]["sqlstate"], sqlstate)
    else:
        http_error(checks, what, answer, (400, 413))
    return answer


def case_json(checks, server, acked, rng):
    acked.good(5)
    for body, what in BROKEN_JSON:
        refused(checks, server, what, body.encode("utf-8", "surrogatepass"))
    for body, what in ((b'{"v":"\xff\xfe"}', "invalid UTF-8"), (b'{"\xc0\xaf":1,"v":1}', "invalid UTF-8 in a name"),
                       (b'{"v":"\xed\xa0\x80"}', "an encoded surrogate"), (b"\xff" * 1000, "bytes of 255"),
                       (rng.randbytes(5000), "random bytes")):
        refused(checks, server, what, body)
    acked.still("broken JSON")
    http_error(checks, "gzip that is not announced",
               server.http("POST", "/v1/streams/t.plain", b"\x1f\x8b\x08" + b"x" * 50), 415)
    # A bad record does not hold up its neighbours, whatever it is.
    for body, what in BROKEN_JSON:
        if "\n" in body or len(body) > 1000 or body.startswith("[") or body in ("12", "null", '"text"'):
            continue
        answer = server.http("POST", "/v1/streams/t.plain", f'{{"v":1}}\n{body}\n{{"v":1}}\n'.encode("utf-8", "surrogatepass"))
        if checks.equal(f"neighbours of {what}: HTTP", answer.status, 200):
            facts = answer.json()
            acked.n += facts["accepted"]
            checks.true(f"neighbours of {what}: accepted, it is quarantined",
                        1 <= facts["accepted"] <= 2 and facts["quarantined"] >= 1, facts)
            checks.true(f"{what}: the record is named by its number", facts["errors"][0]["record"] == 1, facts)
    acked.still("mixed requests")
    with server.pg() as pg:
        rows = pg.query("SELECT cause, raw FROM weir.quarantine WHERE stream = 't.plain' LIMIT 1000")
        checks.true("quarantine lists causes and bytes", len(rows) > 40 and all(c for c, _ in rows), rows[:2])


def case_coding(checks, server, acked, rng):
    lines = "\n".join('{"v":1}' for _ in range(2000)).encode()
    whole = gzip.compress(lines)
    gz = {"Content-Encoding": "gzip"}
    for cut in (0, 1, 5, 10, 11, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        http_error(checks, f"gzip cut after {cut} bytes", server.http("POST", "/v1/streams/t.plain", whole[:cut], gz), 400)
    http_error(checks, "truncated gzip", server.http("POST", "/v1/streams/t.plain", whole[:-9], gz), 400, "gzip")
    for _ in range(30):
        at = rng.randrange(len(whole))
        bad = bytearray(whole)
        bad[at] ^= 1 << rng.randrange(8)
        answer = server.http("POST", "/v1/streams/t.plain", bytes(bad), gz)
        if answer.status == 200:  # a bit of the header that carries nothing: time, system, name
            checks.true(f"gzip with a flipped bit at {at} is as good as before", answer.json()["accepted"] == 2000 and at < 10, at)
            acked.n += answer.json()["accepted"]
        else:
            http_error(checks, f"gzip with a flipped bit at {at}", answer, 400)
    http_error(checks, "garbage as gzip", server.http("POST", "/v1/streams/t.plain", rng.randbytes(3000), gz), 400, "gzip")
    http_error(checks, "JSON as gzip", server.http("POST", "/v1/streams/t.plain", lines, gz), 400, "gzip")
    http_error(checks, "gzip and garbage behind", server.http("POST", "/v1/streams/t.plain", whole + b"garbage", gz), 400, "gzip")
    http_error(checks, "deflate", server.http("POST", "/v1/streams/t.plain", zlib.compress(lines), {"Content-Encoding": "deflate"}),
               415, "deflate")
    http_error(checks, "a coding of nonsense", server.http("POST", "/v1/streams/t.plain", lines, {"Content-Encoding": "x" * 3000}), 415)
    zstd = {"Content-Encoding": "zstd"}
    http_error(checks, "garbage as zstd", server.http("POST", "/v1/streams/t.plain", rng.randbytes(3000), zstd), 400, "zstd")
    if shutil.which("zstd"):
        packed = subprocess.run(["zstd", "-q", "-c", "--check"], input=lines, capture_output=True, check=True, timeout=20).stdout
        for cut in (0, 3, len(packed) // 2, len(packed) - 1):
            http_error(checks, f"zstd cut after {cut} bytes", server.http("POST", "/v1/streams/t.plain", packed[:cut], zstd), 400)
        for _ in range(15):
            bad = bytearray(packed)
            at = rng.randrange(6, len(packed))  # 5 is the size of the window
            bad[at] ^= 1 << rng.randrange(8)
            answer = server.http("POST", "/v1/streams/t.plain", bytes(bad), zstd)
            if answer.status == 200:  # a bit that carries nothing: the frame's checksum vouches for the content
                checks.true(f"zstd with a flipped bit at {at} is as good as before", answer.json()["accepted"] == 2000, at)
                acked.n += answer.json()["accepted"]
            else:
                http_error(checks, f"zstd with a flipped bit at {at}", answer, 400)
    # A bomb: 256 MB of blanks in 256 KB.
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    part = b" " * (1 << 20)
    bomb = b"".join(squeeze.compress(part) for _ in range(256)) + squeeze.flush()
    begin = time.monotonic()
    http_error(checks, "a gzip bomb", server.http("POST", "/v1/streams/t.plain", bomb, gz), 413)
    checks.true("a gzip bomb: soon refused", time.monotonic() - begin < 20)
    checks.true("a gzip bomb: in bounded memory", rss_kb(server) < 1500000, rss_kb(server))
    acked.still("broken codings")


def rss_kb(server):
    with open(f"/proc/{server.child.pid}/status", encoding="ascii") as status:
        return [int(line.split()[1]) for line in status if line.startswith("VmRSS")][0]


def case_large(checks, server, acked, rng):
    """100 MB in one line: too large for a request; just below the limit: too large for a record."""
    try:
        http_error(checks, "a line of 100 MB", server.http("POST", "/v1/streams/t.plain", b'{"v":"' + b"x" * 100_000_000 + b'"}'),
                   413, "bytes")
    except (BrokenPipeError, ConnectionResetError) as error:
        checks.true("a line of 100 MB has an answer", False, error)
    answer = server.http("POST", "/v1/streams/t.plain", b'{"v":1,"s":"' + b"x" * 60_000_000 + b'"}')
    http_error(checks, "a record of 60 MB", answer, (400, 413), "record 0", "bytes")
    answer = server.http("POST", "/v1/streams/t.plain", b'{"v":1}\n{"v":1,"s":"' + b"x" * 20_000_000 + b'"}\n{"v":1}')
    http_error(checks, "a record of 20 MB among others", answer, (400, 413), "record 1", "bytes")
    squeeze = gzip.compress(b'{"v":"' + b"x" * 100_000_000 + b'"}', 1)
    http_error(checks, "100 MB in gzip", server.http("POST", "/v1/streams/t.plain", squeeze, {"Content-Encoding": "gzip"}), 413)

    def parts():
        for _ in range(100):
            yield b"x" * 1_000_000
    try:
        answer = server.http("POST", "/v1/streams/t.plain", parts())  # chunked, its length not announced
        http_error(checks, "100 MB in chunks", answer, 413)
    except (BrokenPipeError, ConnectionResetError):
        checks.true("100 MB in chunks is cut off", True)
    answer = server.http("POST", "/v1/query", json.dumps({"sql": "SELECT '" + "x" * 70_000_000 + "'"}))
    http_error(checks, "a query of 70 MB", answer, (400, 413))
    acked.still("too large bodies")


BAD_VALUES = {
    "id": [None, '"x"', "1.5", "9223372036854775808", "-9223372036854775809", "true", "[]", "{}", '""', "1e400"],
    "b": ['"maybe"', "7", "[]", "{}", "1.5", '""'],
    "i2": ["32768", "-32769", '"x"', "1.5", "[]", "true", '"99999999999999999999"'],
    "i4": ["2147483648", "-2147483649", '"1x"', "1.5", "{}", "1e10"],
    "i8": ["9223372036854775808", "1e19", '"--1"', "0.1", "[1]"],
    "n": ["100000000", "1e8", '"1,5"', '"x"', "[]", "true", "99999999.995", "1e1000", "1" + "0" * 50],
    "f4": ["1e39", '"x"', "[]", "-1e39", "true"],
    "f8": ["1e309", '"x"', "{}", "true", '"1e400"'],
    "s": ['"\\u0000"', '"a\\u0000b"'],
    "v": ['"abcdef"', '"\\u0000"'],
    "raw": ['"\\\\xzz"', '"\\\\x1"', "[1]"],
    "d": ['"2021-02-29"', '"2021-13-01"', '"x"', '"99999999-01-01"', "[]", '"5874898-01-01"', '""', "true"],
    "tm": ['"25:00"', '"12:60:01"', '"x"', "[]", '""'],
    "ts": ['"2021-01-32 00:00"', '"294277-01-01 00:00:00"', '"4714-11-23 00:00:00 BC"', '"x"', "{}", '"2021-01-01 24:30"'],
    "tz": ['"2021-01-01T00:00:00+99:00"', '"300000-01-01T00:00:00Z"', '"2021-01-01 Nowhere/Land"', '"x"', "[]"],
    "iv": ['"1 parsec"', '"x"', '"99999999999 years"', "[]"],
    "u": ['"x"', '"00000000-0000-0000-0000-00000000000g"', '"00000000-0000-0000-0000-0000000000000"', "5", "{}"],
    "j": ['"\\u0000"', '{"a":"\\u0000"}'],
    "positive": ["0", "-1"],
}


def case_types(checks, server, acked, rng):
    good = ('{"id":%d,"b":true,"i2":1,"i4":1,"i8":1,"n":1.25,"f4":1.5,"f8":1.5,"s":"x","v":"abcde","raw":"\\\\x00ff",'
            '"d":"2020-02-29","tm":"23:59:59","ts":"2021-01-01 00:00:00","tz":"2021-01-01T00:00:00Z","iv":"1 day",'
            '"u":"00000000-0000-0000-0000-000000000001","j":{"a":[1]},"positive":1}')
    checks.equal("a good record", server.ingest("t.every", good % 1)["accepted"], 1)
    number = 1000
    for column, values in BAD_VALUES.items():
        for value in values:
            number += 1
            shown = f"{column} = {value}"[:60]
            if column == "id":
                body = "{}" if value is None else f'{{"id":{value}}}'
            else:
                body = f'{{"id":{number},"{column}":{value}}}'
            facts = server.ingest("t.every", body)
            if not checks.true(f"{shown}: quarantined", facts["accepted"] == 0 and facts["quarantined"] == 1, facts):
                continue
            error = facts["errors"][0]
            checks.true(f"{shown}: SQLSTATE of data or constraint", error["sqlstate"][:2] in ("22", "23"), error)
            names(checks, shown, error["message"], column if column != "positive" else "check")
    answer = server.ingest("t.every", '{"id":5000,"nosuch":1}')
    checks.true("an unknown column: quarantined or its policy says so", answer["quarantined"] == 1 or answer["accepted"] == 1, answer)
    if answer["quarantined"]:
        names(checks, "an unknown column", answer["errors"][0]["message"], "nosuch")
    answer = server.ingest("t.every", '{"id":6000,"i4":1,"i4":2}')
    checks.equal("a duplicate key: one record, in one place", answer["accepted"] + answer["quarantined"], 1)
    if answer["quarantined"]:
        names(checks, "a duplicate key", answer["errors"][0]["message"], "i4")
    with server.pg() as pg:
        fields = {r[0] for r in pg.query("SELECT DISTINCT field FROM weir.quarantine WHERE stream = 't.every'")}
        checks.true("quarantine names the fields", {c for c in BAD_VALUES if c != "positive"} <= fields,
                    sorted(set(BAD_VALUES) - fields))
        for column in ("i2", "d", "u", "n", "tz", "iv", "b"):
            value = BAD_VALUES[column][0].strip('"')
            try:
                pg.simple(f"INSERT INTO t.every (id, {column}) VALUES ({number + 1}, '{value}')")
                checks.true(f"INSERT of a bad {column} fails", False)
            except weirtest.PgError as error:
                checks.true(f"INSERT of a bad {column}: SQLSTATE", error.sqlstate[:2] in ("22", "23"), error)
    for name, status in (("t.nosuch", 404), ("nosuch", 404), ("t.p", 400), ("..%2f..%2fetc", 404), ("%00", 404), ("x" * 5000, (404, 414)),
                         ("t.plain%2f..", 404), ('t."plain', 404)):
        http_error(checks, f"stream {name[:40]}", server.http("POST", f"/v1/streams/{name}", '{"v":1}'), status)
    acked.still("bad values")


# ---- the ports --------------------------------------------------------------------------------------


def talk(port, data, seconds=2, half=True):
    """What the server says until it closes the connection, or None if it kept it open."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
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


def case_http_port(checks, server, acked, rng):
    port = server.http_port
    for _ in range(40):
        talk(port, rng.randbytes(rng.randrange(1, 4000)), 1)
    acked.still("random bytes on the HTTP port")
    post = b"POST /v1/streams/t.plain HTTP/1.1\r\nHost: x\r\n"
    requests = {
        "a word": b"HELLO\r\n\r\n", "no version": b"GET /\r\n\r\n", "version 9": b"GET / HTTP/9.9\r\n\r\n",
        "an unknown method": b"BREW /v1/streams/t.plain HTTP/1.1\r\nHost: x\r\n\r\n",
        "two lengths": post + b"Content-Length: 7\r\nContent-Length: 90\r\n\r\n" + b'{"v":1}',
        "a length and chunks": post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n",
        "a negative length": post + b"Content-Length: -1\r\n\r\n", "a length of letters": post + b"Content-Length: abc\r\n\r\n",
        "a huge length": post + b"Content-Length: 99999999999999999999999\r\n\r\n",
        "1 TB announced": post + b"Content-Length: 1000000000000\r\n\r\n",
        "a bad chunk": post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "a huge chunk": post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "an unknown transfer coding": post + b"Transfer-Encoding: xyz\r\n\r\n",
        "a folded header": post + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", "a space before the colon": post + b"Content-Length : 5\r\n\r\n",
        "a zero in a header": post + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
        "a header of 1 MB": post + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n",
        "100,000 headers": post + b"X: y\r\n" * 100_000 + b"\r\n", "a URL of 1 MB": b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500),
        "PostgreSQL on it": struct.pack("!II", 30, 196608) + b"user\0x\0database\0y\0\0",
        "10,000 lines": b"\r\n" * 10_000, "a bare cookie": b"GET /v1/views/t.p?%zz=%&=&&&x=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    }
    for what, data in requests.items():
        answer = talk(port, data, 1, half=b"{" not in data)
        checks.true(f"HTTP: {what}: is answered or closed, never with 500", b" 500 " not in answer[:20], answer[:200])
        if b"200 OK" in answer[:20] and data.startswith(b"POST") and b'"accepted":' in answer:
            acked.n += json.loads(answer.split(b"\r\n\r\n", 1)[1].split(b"\n")[0])["accepted"]
    for what in ("a header of 1 MB", "a negative length", "a length of letters", "1 TB announced", "two lengths", "a length and chunks"):
        answer = talk(port, requests[what], 1, half=False)
        checks.true(f"HTTP: {what}: 4xx", answer[:9] in (b"HTTP/1.1 ", b"HTTP/1.0 ") and answer[9:10] == b"4", answer[:200])
    acked.still("broken HTTP")
    socks = []
    for i in range(60):  # half-open and slow ones, left as they are
        s = socket.create_connection(("127.0.0.1", port), 10)
        s.sendall((b"", b"P", post, post + b"Content-Length: 1000000\r\n\r\n{", b"GET /v1/views/t.p/changes HTTP/1.1\r\nHost: x\r\n\r\n")[i % 5])
        socks.append(s)
    begin = time.monotonic()
    acked.still("60 half-open HTTP clients")
    checks.true("half-open HTTP clients hold up nobody", time.monotonic() - begin < 10, time.monotonic() - begin)
    for s in socks:
        s.close()
    for path, status in (("/v1/views/t.nosuch", 404), ("/v1/views/t.p?nosuch=1", 400), ("/v1/views/t.p?n=abc", 400),
                         ("/v1/views/t.p?limit=-1", 400), ("/v1/views/t.p?limit=1e99", 400), ("/v1/views/t.p?n=like.1", 400),
                         ("/v1/views/t.p?order=nosuch", 400), ("/v1/views/t.p?select=nosuch", 400), ("/v1/views/t.p?format=xml", 400),
                         ("/v1/views/t.p/changes?after=abc", 400), ("/../../etc/passwd", 404), ("/%2e%2e/%2e%2e/etc/passwd", 404)):
        http_error(checks, path, server.http("GET", path), status)
    names(checks, "an unknown column of a view", server.http("GET", "/v1/views/t.p?nosuch=1").text, "nosuch")
    for body in ("", "{", "[]", '{"sql":5}', '{"sql":""}', '{"nosql":"x"}', '{"sql":"SELECT 1; SELECT 2"}', '{"sql":"SELEC 1"}', "\xff"):
        http_error(checks, f"query {body}", server.http("POST", "/v1/query", body.encode("latin-1")), 400)
    acked.still("wrong HTTP requests")


def startup(parameters=b"user\0test\0database\0weir\0\0"):
    return struct.pack("!II", len(parameters) + 8, 196608) + parameters


def message(kind, body=b"", length=None):
    return kind + struct.pack("!I", (len(body) + 4 if length is None else length) & 0xffffffff) + body


def case_pg_port(checks, server, acked, rng):
    port = server.pg_port
    for _ in range(30):
        talk(port, rng.randbytes(rng.randrange(1, 3000)), 1)
        talk(port, startup() + rng.randbytes(rng.randrange(1, 3000)), 1)
    acked.still("random bytes on the PostgreSQL port")
    for length in (0, 1, 4, 7, 10_001, 2**31 - 1, 2**31, 2**32 - 1):
        answer = talk(port, struct.pack("!II", length, 196608) + b"x" * 100, 1)
        checks.true(f"a startup message of {length} bytes: error or closed", answer[:1] in (b"", b"E"), answer[:100])
    for what, data in {"no zero at the end": b"user\0x\0data", "no user": b"\0", "a name without a value": b"user\0\0",
                       "20,000 parameters": b"user\0x\0" + b"a\0b\0" * 20_000 + b"\0", "invalid UTF-8": b"user\0\xff\xfe\0\0"}.items():
        answer = talk(port, startup(data) + message(b"X"), 1)
        checks.true(f"startup with {what}: an answer", answer[:1] in (b"", b"E", b"R"), answer[:100])
    for length in (0, 3, 2**31 - 1, 2**31, 2**32 - 1, 1 << 30):
        for kind in b"QPBDECSHdfcpX":
            answer = talk(port, startup() + message(bytes([kind]), b"x" * 20, length), 1)
            if kind == ord("Q"):
                checks.true(f"a query of {length} bytes: error 08P01 or 54000", b"C08P01" in answer or b"C54000" in answer, answer[-120:])
    acked.still("huge length words")
    bind = b"\0\0" + struct.pack("!HH", 65535, 65535)
    for body in (bind, b"\0\0" + struct.pack("!HHi", 0, 1, -5), b"\0\0" + struct.pack("!HHi", 0, 1, 2**31 - 1), b"\0", b""):
        answer = talk(port, startup() + message(b"P", b"\0SELECT $1::int\0\0\0") + message(b"B", body) + message(b"S"), 1)
        checks.true("a broken Bind: 08P01", b"C08P01" in answer, answer[-150:])
    for value, oid, form in ((b"abc", 23, 1), (b"", 20, 1), (b"\xff" * 3, 1700, 1), (b"\xff" * 100, 1114, 1), (b"\0\0", 2950, 1),
                             (b"xyz", 23, 0), (b"\xff", 25, 0), (b"a\0b", 25, 0), (b"9" * 100, 20, 0), (b"\7{}", 3802, 1)):
        send = message(b"P", b"\0SELECT $1\0" + struct.pack("!HI", 1, oid))
        send += message(b"B", b"\0\0" + struct.pack("!HHH", 1, form, 1) + struct.pack("!i", len(value)) + value + b"\0\0")
        answer = talk(port, startup() + send + message(b"E", b"\0\0\0\0\0") + message(b"S"), 1)
        checks.true(f"a bad parameter of type {oid}, format {form}: an error of class 22", b"C22" in answer or b"C08P01" in answer, answer[-200:])
    socks = []
    for i in range(60):
        s = socket.create_connection(("127.0.0.1", port), 10)
        s.sendall((b"", b"\0", startup()[:20], startup(), startup() + b"Q\0\0\1\0SELECT")[i % 5])
        socks.append(s)
    begin = time.monotonic()
    acked.still("60 half-open PostgreSQL clients")
    checks.true("half-open PostgreSQL clients hold up nobody", time.monotonic() - begin < 10)
    slow = socket.create_connection(("127.0.0.1", port), 10)
    for byte in startup()[:25]:
        slow.sendall(bytes([byte]))
    for s in [*socks, slow]:
        s.close()
    acked.still("slow clients")


# ---- SQL ---------------------------------------------------------------------------------------------


def case_sql(checks, server, acked, rng):
    cases = [
        ("SELEC 1", "42601", "SELEC"), ("SELECT 1 FROM", "42601", "end of input"), ("SELECT 'open", "42601", "unterminated"),
        ('SELECT "open', "42601", "unterminated"), ("SELECT $x$ open", "42601", "unterminated"), ("SELECT /* open", "42601", "unterminated"),
        ("SELECT (1", "42601", "end of input"), ("SELECT 1)", "42601", ")"), ("SELECT E'\\xff'", "22021", ""), ("SELECT U&'\\d800'", "42601", ""),
        ("SELECT nosuch FROM t.p", "42703", "nosuch"), ("SELECT * FROM t.nosuch", "42P01", "nosuch"), ("SELECT nosuch(1)", "42883", "nosuch"),
        ("SELECT 1/0", "22012", "zero"), ("SELECT 2147483647::int + 1", "22003", "range"), ("SELECT 'x'::int", "22P02", "x"),
        ("SELECT '2021-02-30'::date", "22008", "2021-02-30"), ("SELECT 1::nosuch", "42704", "nosuch"),
        ("SELECT 99999999999999999999999999999999999999999::bigint", "22003", "overflow"), ("SELECT sum(sum(n)) FROM t.p", "42803", ""),
        ("SELECT n, count(*) FROM t.p", "42803", "n"), ("CREATE STREAM t.bad (a NOSUCH)", "42704", "nosuch"),
        ("CREATE STREAM t.bad (a INT, a INT)", "42701", "a"), ("CREATE STREAM t.bad (a INT", "42601", ""), ("CREATE STREAM nosuch.bad (a INT)", "3F000", "nosuch"),
        ("CREATE STREAM t.plain (a INT)", "42P07", "plain"), ("DROP VIEW t.nosuch", None, "nosuch"), ("DROP STREAM t.plain", "2BP01", "t.p"),
        ("CREATE MATERIALIZED VIEW t.bad AS SELECT nosuch FROM t.plain", "42703", "nosuch"),
        ("CREATE MATERIALIZED VIEW t.bad WITH (refresh = 'soon') AS SELECT 1 AS a FROM t.plain", None, "soon"),
        ("CREATE MATERIALIZED VIEW t.bad WITH (nosuch = 1) AS SELECT 1 AS a FROM t.plain", None, "nosuch"),
        ("CREATE SINK t.bad FROM t.p WITH (connector = 'nosuch')", None, "nosuch"), ("INSERT INTO t.plain VALUES ('x')", "22P02", "x"),
        ("INSERT INTO t.plain VALUES (NULL)", "23502", "v"), ("INSERT INTO t.plain (nosuch) VALUES (1)", "42703", "nosuch"),
        ("INSERT INTO t.plain VALUES (1, 2)", "42601", ""), ("SET nosuch_thing = 1", None, "nosuch_thing"), ("EXECUTE nosuch", None, "EXECUTE"),
        ("UPDATE t.plain SET v = 1", None, ""), ("DELETE FROM t.p", None, ""), ("\\d", "42601", "\\"), ("SELECT * FROM t.p LIMIT -1", "2201W", ""),
    ]
    with server.pg(timeout=60) as pg:
        for sql, sqlstate, part in cases:
            try:
                pg.simple(sql)
                checks.true(f"{sql}: fails", False)
            except weirtest.PgError as error:
                if sqlstate:
                    checks.equal(f"{sql}: SQLSTATE ({error.message})", error.sqlstate, sqlstate)
                names(checks, sql, error.message + " " + error.fields.get("D", ""), *([part] if part else []))
                if error.sqlstate == "42601" and "P" not in error.fields:
                    checks.true(f"{sql}: has a position", False, error)
            checks.equal(f"after {sql}: the session goes on", pg.value("SELECT 1"), "1")
    heavy = {
        "5 MB of parentheses": "SELECT " + "(" * 2_500_000 + "1" + ")" * 2_500_000, "5 MB of open parentheses": "SELECT " + "(" * 5_000_000,
        "200,000 NOT": "SELECT " + "NOT " * 200_000 + "true", "100,000 minus signs": "SELECT " + "- " * 100_000 + "1",
        "100,000 CASE": "SELECT " + "CASE WHEN true THEN " * 50_000 + "1" + " END" * 50_000, "2,000 sub-selects":
        "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "t.p" + ") x" * 2_000, "100,000 AND": "SELECT " + "true AND " * 100_000 + "true",
        "a list of 300,000": "SELECT 1 WHERE 1 IN (" + ",".join("1" * 1 for _ in range(300_000)) + ")", "20,000 columns":
        "SELECT " + ",".join("1" for _ in range(20_000)), "brackets": "SELECT " + "[" * 1_000_000, "dots": "SELECT a" + ".a" * 500_000,
        "5,000 functions": "SELECT " + "abs(" * 5_000 + "1" + ")" * 5_000, "5,000 casts": "SELECT 1" + "::int" * 5_000,
        "100,000 semicolons": ";" * 100_000, "50,000 || ": "SELECT 'a'" + "||'a'" * 50_000, "10,000 UNION": " UNION ALL ".join(["SELECT 1"] * 10_000),
        "a filter of 50,000 OR": "SELECT n FROM t.p WHERE " + " OR ".join(f"n = {i}" for i in range(50_000)),
        "a stream of 10,000 columns": "CREATE STREAM t.wide (" + ",".join(f"c{i} INT" for i in range(10_000)) + ")",
    }
    for what, sql in heavy.items():
        begin = time.monotonic()
        try:
            with server.pg(timeout=60) as pg:
                try:
                    pg.simple(sql)
                    checks.true(f"{what}: answered", True)
                except weirtest.PgError as error:
                    checks.true(f"{what}: an error of limits or syntax", error.sqlstate[:2] in ("54", "42", "0A", "53", "22"), error)
                checks.equal(f"after {what}: the session goes on", pg.value("SELECT 1"), "1")
        except OSError as error:
            checks.true(f"{what}: an answer within its time", False, repr(error))
        seconds = time.monotonic() - begin
        checks.true(f"{what}: soon", seconds < 40, seconds)
        if not server.alive():
            raise weirtest.ServerError(f"{what}: the server ended")
    with server.pg() as pg:
        with contextlib.suppress(weirtest.PgError):
            pg.simple("DROP STREAM t.wide")
    acked.still("broken SQL")


SHARED = [("json", case_json), ("coding", case_coding), ("large", case_large), ("types", case_types), ("http", case_http_port),
          ("pg", case_pg_port), ("sql", case_sql)]


# ---- weir run and the command line -------------------------------------------------------------------

RUN_SQL = """CREATE SCHEMA t;
CREATE STREAM t.plain (v BIGINT NOT NULL, s TEXT);
CREATE MATERIALIZED VIEW t.p AS SELECT count(*) AS n, sum(v) AS s FROM t.plain;
"""


def command(*argv, timeout=60):
    done = subprocess.run([weirtest.WEIR, *map(str, argv)], capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def case_run(checks, rng):
    with tempfile.TemporaryDirectory(prefix="weir-bad-") as temp:
        folder = pathlib.Path(temp)
        sql = folder / "wanted.sql"
        sql.write_text(RUN_SQL)

        def run(name, data, *more):
            path = folder / name
            path.write_bytes(data)
            return command("run", sql, "--input", f"t.plain={path}", "--until-end", *more)
        good = b"v,s\n1,a\n2,b\n"
        code, out, err = run("good.csv", good)
        checks.true("a good CSV file", code == 0 and "3" in out, (code, out, err))
        files = {
            "garbage.csv": rng.randbytes(5000), "zeros.csv": b"\0" * 1000, "empty.csv": b"", "quote.csv": b'v,s\n1,"open\n2,b\n3,c\n',
            "columns.csv": b"v,s\n1,a,b,c\n2\n", "nosuch.csv": b"v,nosuch\n1,2\n", "twice.csv": b"v,v\n1,2\n", "utf8.csv": b"v,s\n1,\xff\xfe\n",
            "bad.csv": b"v,s\nx,1\n9223372036854775808,2\n", "cut.csv.gz": gzip.compress(good * 1000)[:-9],
            "garbage.csv.gz": rng.randbytes(500), "garbage.csv.zst": rng.randbytes(500), "cut.ndjson": b'{"v":1',
            "long.ndjson": b'{"v":1,"s":"' + b"x" * 100_000_000 + b'"}\n{"v":1}\n', "garbage.ndjson": rng.randbytes(5000),
            "deep.ndjson": b"[" * 1_000_000,
        }
        for name, data in files.items():
            code, out, err = run(name, data)
            checks.true(f"run {name}: ends by itself", code in (0, 1, 2), (code, err[-300:]))
            if name not in ("empty.csv",):
                checks.true(f"run {name}: says what is wrong", code != 0 or "quarantin" in err + out, (code, out[-300:], err[-300:]))
                names(checks, f"run {name}", err + out, name if code != 0 else "quarantin")
        for argv, parts in (
                (("run", sql, "--input", f"t.plain={folder}/absent.csv", "--until-end"), ("absent.csv",)),
                (("run", sql, "--input", f"t.nosuch={folder}/good.csv", "--until-end"), ("nosuch",)),
                (("run", sql, "--input", "nonsense", "--until-end"), ("nonsense",)),
                (("run", folder / "absent.sql", "--until-end"), ("absent.sql",)), (("check", folder / "absent.sql"), ("absent.sql",)),
                (("serve", folder / "absent.sql", "--data", folder / "d"), ("absent.sql",)), (("serve", "--pg-port", "x"), ("pg-port", "x")),
                (("serve", "--pg-port", "70000"), ("pg-port",)), (("serve", "--nosuch"), ("nosuch",)), (("nosuch",), ("nosuch",)),
                (("log", "dump", folder / "absent", "t.plain"), ("absent",)), (("serve", sql, "--data", sql), ("wanted.sql",)),
                (("serve", "--host", "999.1.1.1", "--data", folder / "d2"), ("999.1.1.1",))):
            code, out, err = command(*argv, timeout=30)
            checks.true(f"weir {' '.join(map(str, argv))[:60]}: fails", code in (1, 2), (code, err[-300:]))
            names(checks, f"weir {' '.join(map(str, argv))[:60]}", err, *parts)
        for text, part in (("SELEC 1;", "SELEC"), ("CREATE SCHEMA t; CREATE STREAM t.a (v NOSUCH);", "nosuch"), ("SELECT 'open", "unterminated"),
                           ("\0\0\0", "wrong.sql"), ("\xff\xfe;", "wrong.sql"), ("(" * 5_000_000, "wrong.sql")):
            wrong = folder / "wrong.sql"
            wrong.write_bytes(text.encode("latin-1"))
            code, out, err = command("check", wrong)
            checks.true(f"check of {text[:30]!r}: fails", code in (1, 2), (code, out[-200:], err[-200:]))
            names(checks, f"check of {text[:30]!r}", out + err, part, "wrong.sql")


def case_start(checks, rng):
    """Starts that cannot work say why; a server at work is not disturbed."""
    with weirtest.Server(TYPES_SQL) as server:
        acked = Acked(server, checks)
        acked.good(3)
        code, _, err = command("serve", "--data", server.data, "--pg-port", "0", "--http-port", "0", "--for", "5", timeout=30)
        checks.true("a second process on the data directory: fails", code not in (0, None), (code, err))
        names(checks, "a second process on the data directory", err, "lock", server.data, "another process")
        for flag, port in (("--pg-port", server.pg_port), ("--http-port", server.http_port)):
            other = "--http-port" if flag == "--pg-port" else "--pg-port"
            code, _, err = command("serve", "--data", os.path.join(server.temp, "other"), flag, port, other, "0", "--for", "5", timeout=30)
            checks.true(f"{flag} in use: fails", code not in (0, None), (code, err))
            names(checks, f"{flag} in use", err, str(port), "in use")
        acked.still("starts beside it")
    with tempfile.TemporaryDirectory(prefix="weir-bad-") as temp:
        folder = pathlib.Path(temp)
        (folder / "file").write_text("x")
        for data, part in ((folder / "file", "file"), (folder / "file" / "below", "file"), ("/proc/nosuch/x", "/proc/nosuch"), ("/dev/null", "/dev/null")):
            code, _, err = command("serve", "--data", data, "--pg-port", "0", "--http-port", "0", "--for", "3", timeout=30)
            checks.true(f"data directory {data}: fails", code in (1, 2), (code, err))
            names(checks, f"data directory {data}", err, part)
        if os.geteuid() == 0 and shutil.which("setpriv"):
            os.chmod(folder, 0o755)
            for mode, name in ((0o000, "unreadable"), (0o555, "unwritable")):
                path = folder / name
                path.mkdir()
                os.chown(path, 65534, 65534)
                os.chmod(path, mode)
                done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", weirtest.WEIR, "serve", "--data", path,
                                       "--pg-port", "0", "--http-port", "0", "--for", "3"], capture_output=True, timeout=30, check=False)
                err = done.stderr.decode(errors="replace")
                if "failed to execute" in err:
                    print(f"(skipped: {name} directory: another user may not run {weirtest.WEIR})")
                    continue
                checks.true(f"{name} data directory: fails", done.returncode in (1, 2), (done.returncode, err))
                names(checks, f"{name} data directory", err, str(path), "permission")
        else:
            print("(skipped: unreadable directory: needs root and setpriv)")


# ---- damaged files -------------------------------------------------------------------------------------

DAMAGE_SQL = """
CREATE SCHEMA t; CREATE SCHEMA o;
CREATE STREAM t.e (id BIGINT NOT NULL, k INT NOT NULL, s TEXT, PRIMARY KEY (id));
CREATE STREAM o.plain (v BIGINT NOT NULL);
CREATE MATERIALIZED VIEW t.by WITH (refresh = 'immediate') AS SELECT k, count(*) AS n, sum(id) AS s, max(s) AS m FROM t.e GROUP BY k;
CREATE MATERIALIZED VIEW o.p WITH (refresh = 'immediate') AS SELECT count(*) AS n, sum(v) AS s FROM o.plain;
"""
GROUPS = 1500


def fill(server, first, n, requests=20):
    for r in range(requests):
        server.ingest("t.e", [{"id": first + r * n + i, "k": (first + r * n + i) % GROUPS, "s": f"text {first + r * n + i}"} for i in range(n)])


def answer_of(server):
    with server.pg(timeout=60) as pg:
        pg.simple("FLUSH")
        return pg.query("SELECT k, n, s, m FROM t.by ORDER BY k")


class Template:
    """A data directory that is filled once and copied for each damage. It was ended by kill -9."""

    def __init__(self, clean):
        self.temp = tempfile.mkdtemp(prefix="weir-bad-")
        self.data = os.path.join(self.temp, "data")
        with weirtest.Server(DAMAGE_SQL, data=self.data) as server:
            server.ingest("o.plain", '{"v":1}\n{"v":2}')
            fill(server, 0, 300)
            self.expected = answer_of(server)
            if clean:
                server.stop()
                server.start()  # leaves with its files as a clean stop left them

    @contextlib.contextmanager
    def copy(self, damage):
        folder = tempfile.mkdtemp(prefix="weir-bad-")
        data = os.path.join(folder, "data")
        shutil.copytree(self.data, data)
        try:
            damage(pathlib.Path(data))
            server = weirtest.Server(DAMAGE_SQL, data=data)
            try:
                yield server
            finally:
                server.kill()
                shutil.rmtree(server.temp, ignore_errors=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def segment_of(data, stream="t.e"):
    found = sorted(p for p in (data / "log").rglob("*.seg") if stream in str(p) and "quarantine" not in str(p))
    return found[-1]


def used_bytes(path):
    return len(path.read_bytes().rstrip(b"\0"))


def flip(path, at, n=8):
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(n)
        file.seek(at)
        file.write(bytes(b ^ 0xa5 for b in old))


def try_start(server):
    try:
        server.start(timeout=30)
        return None
    except weirtest.ServerError as error:
        return str(error)


def others_go_on(checks, what, server, n=3):
    server.ingest("o.plain", '{"v":3}')
    deadline = time.monotonic() + 10
    with server.pg() as pg:
        while pg.value("SELECT n FROM o.p") != str(n) and time.monotonic() < deadline:
            time.sleep(0.05)
        checks.equal(f"{what}: the other flow goes on", pg.value("SELECT n FROM o.p"), str(n))
        with contextlib.suppress(weirtest.PgError):
            pg.simple("SELECT count(*) FROM t.e")


def forget_flow(data):
    for path in (data / "flow").glob("t@*"):
        shutil.rmtree(path)


def case_log(checks, rng):
    template = Template(False)
    try:
        size = used_bytes(segment_of(pathlib.Path(template.data)))

        def damaged_middle(data, forget=False):
            flip(segment_of(data), size // 2)
            if forget:
                forget_flow(data)
        with template.copy(damaged_middle) as server:
            error = try_start(server)
            if checks.equal("a flipped byte that no flow reads again: starts", error, None):
                fill(server, 10**6, 10, 1)
                checks.equal("a flipped byte that no flow reads again: the view is whole", sum(int(r[1]) for r in answer_of(server)), 6010)
                others_go_on(checks, "a flipped byte in the log", server)
                code, out, err = command("log", "dump", server.data, "t.e", "--verify", "--batches")
                checks.equal("log dump --verify finds it", code, 1)
                names(checks, "log dump --verify", out + err, segment_of(pathlib.Path(server.data)).name)
        with template.copy(lambda data: damaged_middle(data, True)) as server:
            error = try_start(server)
            name = segment_of(pathlib.Path(server.data)).name
            if checks.equal("a flipped byte that a flow must read: starts", error, None):
                deadline = time.monotonic() + 10
                while server.http("GET", "/healthz").text == "ok\n" and time.monotonic() < deadline:
                    time.sleep(0.05)
                health = server.http("GET", "/healthz")
                checks.equal("a flipped byte that a flow must read: degraded", (health.status, health.text[:9]), (200, "degraded\n"))
                names(checks, "a flipped byte that a flow must read", health.text, name, "byte", "t@immediate")
                names(checks, "its log", server.log(), name, "byte")
                others_go_on(checks, "a damaged log segment", server)
                checks.equal("a damaged segment: appends go on", server.ingest("t.e", '{"id":-5,"k":1,"s":"x"}')["accepted"], 1)
                with server.pg() as pg:
                    error = pg.value("SELECT error FROM weir.flows WHERE error IS NOT NULL AND error <> ''")
                    names(checks, "weir.flows.error", error, name, "byte")
                    try:
                        pg.simple("FLUSH")
                        checks.true("FLUSH fails", False)
                    except weirtest.PgError as error:
                        names(checks, "FLUSH", error.message, name)

        def tail(data):
            flip(segment_of(data), size - 40)
        with template.copy(tail) as server:
            error = try_start(server)
            if error is None:
                # What the index knows to have been durable is checked by who reads it, not at the start.
                if "damaged" not in server.log() and "torn" not in server.log():
                    checks.equal("a damaged tail: the start or a dump says so", command("log", "dump", server.data, "t.e", "--verify", "--batches")[0], 1)
                # What is appended now must not hide behind offsets that the flow has read before.
                try:
                    fill(server, 10**6, 10, 1)
                    rows = answer_of(server)
                    checks.true("a damaged tail: new events are counted", sum(int(r[1]) for r in rows) >= 6010, sum(int(r[1]) for r in rows))
                except weirtest.PgError as problem:
                    names(checks, "a damaged tail: the flow says so", problem.message, "t.e")
                others_go_on(checks, "a damaged tail", server)
            else:
                names(checks, "a damaged tail: no start", error, "segment", ".seg")
        for what, damage in (("a damaged header", lambda data: flip(segment_of(data), 4)),
                             ("a zeroed header", lambda data: flip_zero(segment_of(data), 0, 64)),
                             ("a file cut within its header", lambda data: os.truncate(segment_of(data), 10)),
                             ("an empty file", lambda data: os.truncate(segment_of(data), 0)),
                             ("a file cut in the middle", lambda data: os.truncate(segment_of(data), size // 2)),
                             ("a file of garbage", lambda data: segment_of(data).write_bytes(rng.randbytes(size))),
                             ("a missing file", lambda data: segment_of(data).unlink()),
                             ("a damaged stream.json", lambda data: flip(segment_of(data).parent.parent / "stream.json", 40))):
            with template.copy(damage) as server:
                error = try_start(server)
                if error is not None:
                    names(checks, f"{what}: no start", error, "t.e")
                    checks.true(f"{what}: says what to do", "hint" in error.lower() or "restore" in error.lower(), error[-500:])
                    checks.true(f"{what}: ended in words, not by a signal", "ended with -" not in error, error[-300:])
                else:
                    names(checks, f"{what}: said", server.log(), "t.e")
                    others_go_on(checks, what, server)
                    try:
                        fill(server, 10**6, 10, 1)
                        rows = answer_of(server)
                        checks.true(f"{what}: new events are counted, no old one is lost from the view",
                                    sum(int(r[1]) for r in rows) == 6010, sum(int(r[1]) for r in rows))
                    except (weirtest.PgError, weirtest.ServerError) as problem:
                        names(checks, f"{what}: the flow says so", str(problem), "t.e")
                    checks.true(f"{what}: alive", server.alive())
        for what, damage in (("a deleted index", lambda data: [p.unlink() for p in (data / "log").rglob("*.idx")]),
                             ("an index of garbage", lambda data: [p.write_bytes(rng.randbytes(999)) for p in (data / "log").rglob("*.idx")]),
                             ("empty indexes", lambda data: [os.truncate(p, 0) for p in (data / "log").rglob("*.idx")]),
                             ("a deleted index and no flow", lambda data: ([p.unlink() for p in (data / "log").rglob("*.idx")], forget_flow(data)))):
            with template.copy(damage) as server:
                checks.equal(f"{what}: starts", try_start(server), None)
                checks.equal(f"{what}: all is there", answer_of(server), template.expected)
                others_go_on(checks, what, server)
        for i in range(6):  # anywhere: never a crash, never a wrong number without a word
            at = rng.randrange(size)
            with template.copy(lambda data, at=at: (flip(segment_of(data), at, 1), forget_flow(data))) as server:
                error = try_start(server)
                if error is not None:
                    names(checks, f"a byte flipped at {at}: no start", error, "t.e")
                    continue
                try:
                    checks.true(f"a byte flipped at {at}: whole or said", answer_of(server) == template.expected or "t.e" in server.log(), at)
                except weirtest.PgError as problem:
                    names(checks, f"a byte flipped at {at}", problem.message, ".seg")
                others_go_on(checks, f"a byte flipped at {at}", server)
    finally:
        shutil.rmtree(template.temp, ignore_errors=True)


def flip_zero(path, at, n):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"\0" * n)


def store_file(data, which):
    return data / "catalog" / "data.mdb" if which == "catalog" else next((data / "flow").glob("t@*")) / "data.mdb"


def case_store(checks, rng):
    template = Template(True)
    try:
        for which in ("flow", "catalog"):
            base = pathlib.Path(template.data)
            path = store_file(base, which)
            size = path.stat().st_size
            pages = [i for i in range(size // 4096) if path.read_bytes()[i * 4096:(i + 1) * 4096].strip(b"\0")]
            leaf = [i for i in pages if i > 1]
            damages = [("both headers flipped", lambda f: (flip(f, 16), flip(f, 4096 + 16))), ("cut to half", lambda f: os.truncate(f, f.stat().st_size // 2)),
                       ("cut to 100 bytes", lambda f: os.truncate(f, 100)), ("of garbage", lambda f: f.write_bytes(rng.randbytes(20000))),
                       ("all pages zero", lambda f: flip_zero(f, 8192, f.stat().st_size - 8192)),
                       ("all page heads flipped", lambda f: [flip(f, i * 4096 + 8, 4) for i in leaf]),
                       ("all rows flipped", lambda f: [flip(f, i * 4096 + 3000, 200) for i in leaf])]
            for page in rng.sample(leaf, min(4, len(leaf))):
                damages.append((f"with page {page} zero", lambda f, page=page: flip_zero(f, page * 4096, 4096)))
                damages.append((f"with page {page} flipped", lambda f, page=page: flip(f, page * 4096 + rng.randrange(4000), 16)))
            for what, damage in damages:
                what = f"the {which}'s store {what}"
                with template.copy(lambda data, d=damage: d(store_file(data, which))) as server:
                    error = try_start(server)
                    said = error if error is not None else server.log()
                    place = "catalog" if which == "catalog" else "flow/t@immediate"
                    if error is None:
                        others_go_on(checks, what, server)
                        try:
                            rows = answer_of(server)
                            if checks.equal(f"{what}: starts, and the view is whole", rows == template.expected, True):
                                continue  # an unused page
                        except (weirtest.PgError, ConnectionError) as problem:
                            said += str(problem)
                    names(checks, what, said, place)
                    checks.true(f"{what}: ended in words, not by a signal", "ended with -" not in said, said[-400:])
                    checks.true(f"{what}: says what to do", "move" in said or "restore" in said, said[-400:])
                    if which == "flow":
                        checks.equal(f"{what}: its flow fails alone", error, None)
                    server.kill()
                    # The remedy as docs/operations.md has it.
                    if which == "flow":
                        os.rename(store_file(pathlib.Path(server.data), which).parent, os.path.join(server.temp, "moved"))
                    else:
                        os.rename(os.path.join(server.data, "catalog"), os.path.join(server.temp, "moved"))
                        os.rename(os.path.join(server.data, "flow"), os.path.join(server.temp, "moved-flow"))
                    if checks.equal(f"{what}: the remedy: starts", try_start(server), None):
                        checks.true(f"{what}: the remedy: the view is as it was", answer_of(server) == template.expected, answer_of(server)[:3])
                        others_go_on(checks, f"{what}: the remedy", server, 3 if error is not None else 4)
    finally:
        shutil.rmtree(template.temp, ignore_errors=True)


def case_files(checks, rng):
    """Each file of a data directory in turn: garbage, empty, a directory, gone, not to be read."""
    template = Template(True)
    try:
        with template.copy(lambda data: None) as server:
            server.start()
            server.ingest("t.e", "nonsense")  # for the quarantine's files
            server.stop()
            shutil.rmtree(template.data)
            shutil.copytree(server.data, template.data)
        files = sorted(p.relative_to(template.data) for p in pathlib.Path(template.data).rglob("*") if p.is_file() and p.stat().st_size < 1 << 26)
        checks.true("there are files", len(files) > 8, files)
        for file in files:
            for what, damage in (("garbage", lambda p: p.write_bytes(rng.randbytes(3000))), ("empty", lambda p: os.truncate(p, 0)),
                                 ("a directory", lambda p: (p.unlink(), p.mkdir())), ("gone", lambda p: p.unlink()),
                                 ("a loop of links", lambda p: (p.unlink(), p.symlink_to(p)))):
                if file.name == "lock.mdb" and what in ("garbage",):
                    continue  # LMDB's locks are shared memory: other processes are trusted with them
                what = f"{file} is {what}"
                with template.copy(lambda data, f=file, d=damage: d(data / f)) as server:
                    error = try_start(server)
                    if error is not None:
                        checks.true(f"{what}: ended in words", "ended with -" not in error and "error" in error, error[-400:])
                        if str(file) == "catalog/data.mdb" and "another catalogue" in error:
                            shutil.rmtree(os.path.join(server.data, "flow"))
                            checks.equal(f"{what}: the flows moved away: starts", try_start(server), None)
                            checks.true(f"{what}: the flows moved away: the view is whole", answer_of(server) == template.expected)
                            continue
                        names(checks, what, error, file.parent.name if file.name == "lock.mdb" else file.parts[min(1, len(file.parts) - 1)])
                        continue
                    try:
                        rows = answer_of(server)
                        checks.true(f"{what}: the view is whole, or it was said", rows == template.expected
                                    or file.parts[-2] in server.log() or file.parts[1] in server.log(), server.log()[-500:])
                    except weirtest.PgError as problem:
                        names(checks, what, problem.message, file.parts[1])
                    others_go_on(checks, what, server) if "o.plain" not in str(file) and "o@" not in str(file) else None
                    checks.true(f"{what}: alive", server.alive())
    finally:
        shutil.rmtree(template.temp, ignore_errors=True)


# ---- a full disk -------------------------------------------------------------------------------------

FULL_SQL = TYPES_SQL + """CREATE MATERIALIZED VIEW t.big WITH (refresh = 'immediate') AS
  SELECT id, count(*) AS n, max(length(s)) AS m FROM t.every GROUP BY id;
"""


def full_disk(checks, rng, folder):
    """In a file system of a few megabytes at folder."""
    data, ballast = os.path.join(folder, "data"), os.path.join(folder, "ballast")

    def fill_up():
        with contextlib.suppress(OSError), open(ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 512):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size) == size:
                        pass

    def post(stream, body):
        try:
            return server.http("POST", f"/v1/streams/{stream}", body)
        except OSError as error:
            return weirtest.Answer(0, {}, repr(error).encode())
    with weirtest.Server(FULL_SQL, data=data) as server:
        acked, number = Acked(server, checks), 0
        acked.good(3)
        for turn in range(3):
            fill_up()
            refused_at = None
            for _ in range(3000):  # until it is refused: what was allocated ahead is used first
                number += 1
                body = json.dumps({"id": number, "s": rng.randbytes(20000).hex()})
                answer = post("t.every", body)
                if answer.status != 200:
                    refused_at = answer
                    break
            if not checks.true(f"turn {turn}: writes are refused at last", refused_at is not None):
                break
            http_error(checks, f"turn {turn}: a full disk", refused_at, 507, "t.every", "53100", "space")
            with server.pg(timeout=20) as pg:
                checks.true(f"turn {turn}: reading goes on", int(pg.value("SELECT n FROM t.p")) <= acked.n)
                checks.true(f"turn {turn}: queries go on", len(pg.query("SELECT stream, cause FROM weir.quarantine LIMIT 5")) >= 0)
                try:
                    pg.simple("INSERT INTO t.every (id, s) VALUES (999999, repeat('x', 3000000))")
                    checks.true(f"turn {turn}: INSERT is refused", False)
                except weirtest.PgError as error:
                    checks.equal(f"turn {turn}: INSERT has 53100", error.sqlstate, "53100")
                try:
                    pg.simple(f"CREATE STREAM t.more{turn} (a INT)")
                except weirtest.PgError as error:
                    checks.equal(f"turn {turn}: CREATE STREAM has 53100", error.sqlstate, "53100")
            answer = post("t.plain", "nonsense\n" * 200000)
            checks.true(f"turn {turn}: quarantine is refused", answer.status == 507, (answer.status, answer.text[:200]))
            checks.true(f"turn {turn}: alive", server.alive())
            if turn == 1:  # a crash and a start while the disk is full
                server.kill()
                error = try_start(server)
                if error is not None:
                    names(checks, "a start on a full disk: no start", error, "space", data)
                    os.unlink(ballast)
                    server.start()
            if os.path.exists(ballast):
                os.unlink(ballast)
            deadline = time.monotonic() + 30
            answer = post("t.every", json.dumps({"id": number, "s": "again"}))
            while answer.status != 200 and time.monotonic() < deadline:
                time.sleep(0.2)
                answer = post("t.every", json.dumps({"id": number, "s": "again"}))
            checks.equal(f"turn {turn}: with room again, writes go on without a restart {answer.text[:200]}", answer.status, 200)
            healthy = server.http("GET", "/healthz")
            while healthy.text != "ok\n" and time.monotonic() < deadline:
                time.sleep(0.2)
                healthy = server.http("GET", "/healthz")
            checks.equal(f"turn {turn}: the flows recover by themselves", healthy.text, "ok\n")
            with server.pg(timeout=60) as pg:
                try:
                    pg.simple("FLUSH")
                    count, distinct = pg.query("SELECT count(*), sum(n) FROM t.big WHERE id <= %d" % number)[0]
                    checks.equal(f"turn {turn}: nothing acknowledged is lost", count, str(number))
                    checks.equal(f"turn {turn}: nothing is counted twice", distinct, str(number))
                except weirtest.PgError as error:
                    checks.true(f"turn {turn}: FLUSH", False, error)
            acked.still(f"turn {turn} of a full disk")


def case_disk(checks, rng):
    if os.environ.get("WEIR_BAD_INPUT_DISK"):
        full_disk(checks, rng, os.environ["WEIR_BAD_INPUT_DISK"])
        return
    folder = tempfile.mkdtemp(prefix="weir-disk-")
    try:
        if os.geteuid() != 0 or not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
            print("(skipped: disk: a mount namespace needs root)")
            return
        for kind, mount in (("tmpfs", f"mount -t tmpfs -o size=48m none {folder}"),
                            ("ext4", f"truncate -s 64m {folder}.img && mkfs.ext4 -q -m 0 {folder}.img && mount -o loop {folder}.img {folder}")):
            script = f"mount --make-rprivate / && {mount} || exit 77; exec \"$@\""
            done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", sys.executable, os.path.abspath(__file__), "--only", "disk", "--seed",
                                   str(rng.randrange(10**6))], timeout=200, check=False, capture_output=True,
                                  env={**os.environ, "WEIR_BAD_INPUT_DISK": folder})
            text = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
            if done.returncode == 77:
                print(f"(skipped: disk: no {kind} can be mounted here: {text.strip()[-100:]})")
                continue
            if not checks.equal(f"a full {kind}", done.returncode, 0):
                print(text[-6000:])
    finally:
        with contextlib.suppress(OSError):
            os.unlink(folder + ".img")
        shutil.rmtree(folder, ignore_errors=True)


OWN = [("run", case_run), ("start", case_start), ("log", case_log), ("store", case_store), ("files", case_files), ("disk", case_disk)]


def guarded(checks, name, function, *arguments):
    begin = time.monotonic()
    try:
        function(*arguments)
    except Exception:  # one case that breaks does not hide the others
        checks.true(f"case {name} comes to its end", False, traceback.format_exc()[-2000:])
    print(f"case {name}: {time.monotonic() - begin:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--long", action="store_true", help="accepted, there is no longer run")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.list:
        print("\n".join(name for name, _ in [*SHARED, *OWN]))
        return
    wanted = set(filter(None, options.only.split(","))) or {name for name, _ in [*SHARED, *OWN]}
    weirtest.need_weir()
    print(f"seed {options.seed}")
    checks = weirtest.Checks()
    shared = [(name, function) for name, function in SHARED if name in wanted]
    if shared:
        with weirtest.Server(TYPES_SQL) as server:
            acked = Acked(server, checks)
            for name, function in shared:
                guarded(checks, name, function, checks, server, acked, random.Random(f"{options.seed} {name}"))
                if not server.alive():
                    print(f"---- the server ended in {name} ----\n{server.log()[-3000:]}")
                    server.start()
            total = acked.n
            with contextlib.suppress(weirtest.PgError, OSError):
                server.restart()
                with server.pg(timeout=60) as pg:
                    pg.simple("FLUSH")
                    checks.equal("after a kill at the end: each acknowledged event is there", pg.value("SELECT n FROM t.p"), str(total))
                    weirtest.verify_served(checks, "at the end", pg)
    for name, function in OWN:
        if name in wanted:
            guarded(checks, name, function, checks, random.Random(f"{options.seed} {name}"))
    checks.end()


if __name__ == "__main__":
    main()
