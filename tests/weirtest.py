"""What the tests of the running server share: a server on free ports of the loopback, a small client
of PostgreSQL's protocol (text and binary results), HTTP, and checks that count.

Only the standard library. A Server is always ended by its own process id, also after a failure."""
import atexit
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import stacks

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR_BIN", str(ROOT / "build" / "release" / "weir"))
SKIP = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def need_weir():
    if not os.access(WEIR, os.X_OK):
        skip(f"{WEIR} is not built")


# ---- checks ---------------------------------------------------------------------------------------


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def equal(self, what, actual, expected):
        if actual == expected:
            self.passed += 1
            return True
        self.failed += 1
        print(f"FAILED {what}:\n  is       {str(actual)[:2000]!s}\n  expected {str(expected)[:2000]!s}", flush=True)
        return False

    def true(self, what, condition, detail=""):
        if condition:
            self.passed += 1
            return True
        self.failed += 1
        print(f"FAILED {what} {str(detail)[:2000]}", flush=True)
        return False

    def end(self):
        print(f"{self.passed} checks passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def verify(checks, what, data):
    """The views of a data directory that no server has open are what its log says."""
    done = subprocess.run([WEIR, "verify", data], capture_output=True, text=True, timeout=120)
    checks.true(f"{what}: weir verify", done.returncode == 0 and ": equal" in done.stdout, done.stdout + done.stderr)


def verify_served(checks, what, pg):
    """The same of a running server, over a connection to it."""
    rows = pg.query("VERIFY ALL")
    checks.equal(f"{what}: VERIFY ALL", [row for row in rows if row[1] not in ("equal", "partial", "not verifiable")], [])


# ---- the server -----------------------------------------------------------------------------------


class ServerError(Exception):
    pass


_live = []


def _end_all():
    for server in list(_live):
        server.kill()


atexit.register(_end_all)


def _on_term(_number, _frame):
    sys.exit(143)


signal.signal(signal.SIGTERM, _on_term)


class Server:
    """One weir process on a data directory; start, kill and start again as often as you like."""

    def __init__(self, sql=None, data=None, args=(), env=None):
        self.temp = tempfile.mkdtemp(prefix="weir-test-")
        self.data = data or os.path.join(self.temp, "data")
        self.sql_path = None
        if sql is not None and ("\n" in sql or ";" in sql):
            self.sql_path = os.path.join(self.temp, "wanted.sql")
            pathlib.Path(self.sql_path).write_text(sql)
        elif sql is not None:
            self.sql_path = sql
        self.args, self.env = list(args), env or {}
        self.child, self.pg_port, self.http_port = None, 0, 0
        self.log_path = os.path.join(self.temp, "server.log")
        self.ready_seconds = 0.0

    def start(self, timeout=60):
        ready = os.path.join(self.temp, "ready")
        if os.path.exists(ready):
            os.unlink(ready)
        argv = [WEIR, "serve", *([self.sql_path] if self.sql_path else []), "--data", self.data, "--pg-port",
                str(self.pg_port), "--http-port", str(self.http_port), "--ready-file", ready, *self.args]
        begin = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env={**os.environ, **self.env})
        _live.append(self)
        while not os.path.exists(ready):
            if self.child.poll() is not None:
                _live.remove(self)
                raise ServerError(f"weir ended with {self.child.returncode}:\n{self.log()[-3000:]}")
            if time.monotonic() - begin > timeout:
                said = self.stacks()
                self.kill()
                raise ServerError(f"weir is not ready after {timeout} s:\n{self.log()[-3000:]}\n{said}")
            time.sleep(0.003)
        self.ready_seconds = time.monotonic() - begin
        facts = dict(line.split("=", 1) for line in pathlib.Path(ready).read_text().split())
        # The same ports after a restart, so that clients can try again.
        self.pg_port, self.http_port = int(facts["pg_port"]), int(facts["http_port"])
        return self

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def stacks(self):
        """What the server's threads do."""
        return stacks.of_process(self.child.pid) if self.alive() else f"the server has ended with {self.child and self.child.returncode}"

    def kill(self):
        """kill -9, as a crash does."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        if self in _live:
            _live.remove(self)

    def stop(self, timeout=60):
        """SIGTERM; the exit code."""
        self.child.terminate()
        try:
            code = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            said = self.stacks()
            self.kill()
            raise ServerError(f"weir does not stop in {timeout} s:\n{self.log()[-2000:]}\n{said}") from None
        if self in _live:
            _live.remove(self)
        return code

    def restart(self):
        self.kill()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        died = self.child is not None and self.child.poll() is not None
        if (kind is not None and kind is not SystemExit) or died:
            sys.stdout.write(f"---- the server's log (exit {self.child.returncode}) ----\n{self.log()[-6000:]}\n")
        code = 0
        if not died and kind is None:
            code = self.stop()  # a clean stop is part of each test; sanitizers report here
        self.kill()
        log = self.log()
        shutil.rmtree(self.temp, ignore_errors=True)
        if died and kind is None:
            raise ServerError("the server ended by itself")
        if code != 0 or "Sanitizer" in log:
            raise ServerError(f"the server stopped with exit code {code}:\n{log[-6000:]}")

    def pg(self, **options):
        return Pg("127.0.0.1", self.pg_port, **options)

    def http(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read())
        finally:
            connection.close()

    def ingest(self, stream, records, **options):
        """records: text, or a list of objects that become NDJSON. The answer must be 200."""
        if not isinstance(records, (str, bytes)):
            records = "\n".join(json.dumps(r) for r in records)
        answer = self.http("POST", f"/v1/streams/{stream}", records, **options)
        if answer.status != 200:
            raise ServerError(f"ingest: HTTP {answer.status} {answer.text[:500]}")
        return answer.json()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        return json.loads(self.body)


# ---- PostgreSQL's protocol -------------------------------------------------------------------------


class PgError(Exception):
    """fields: by PostgreSQL's letters: S severity, C SQLSTATE, M message, D detail, H hint, P position."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('C')}: {fields.get('M')}" + (f" at {fields['P']}" if "P" in fields else ""))
        self.fields = fields
        self.sqlstate, self.message = fields.get("C"), fields.get("M")
        self.position = int(fields.get("P", 0))


class Result:
    def __init__(self):
        self.columns, self.oids, self.formats, self.rows = [], [], [], []
        self.tag, self.notices, self.copied = None, [], b""


class Pg:
    """timeout: seconds for each read; `until`, if it is set: the time of time.monotonic() when all reads end."""

    def __init__(self, host, port, user="test", database="weir", timeout=60, **parameters):
        self.timeout, self.until = timeout, None
        if host.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(f"{host}/.s.PGSQL.{port}")
        else:
            self.socket = socket.create_connection((host, port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = (host, port)
        self.buffer = b""
        self.parameters, self.key, self.status = {}, None, "I"
        pairs = {"user": user, "database": database, **parameters}
        body = b"".join(f"{k}\0{v}\0".encode() for k, v in pairs.items()) + b"\0"
        self.socket.sendall(struct.pack("!II", len(body) + 8, 196608) + body)
        error = None
        while True:
            kind, message = self.receive()
            if kind == b"E":
                error = PgError(self.fields(message))
                raise error
            if kind == b"S":
                name, value = message.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == b"K":
                self.key = struct.unpack("!II", message)
            elif kind == b"R" and struct.unpack("!I", message[:4])[0] != 0:
                raise PgError({"C": "28000", "M": "the server wants a password"})
            elif kind == b"Z":
                self.status = message.decode()
                return

    def close(self):
        try:
            self.socket.sendall(b"X\0\0\0\4")
        except OSError:
            pass
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read_exactly(self, n):
        while len(self.buffer) < n:
            if self.until is not None:
                self.socket.settimeout(min(self.timeout, max(0.001, self.until - time.monotonic())))
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def receive(self):
        head = self.read_exactly(5)
        return head[:1], self.read_exactly(struct.unpack("!I", head[1:])[0] - 4)

    def send(self, kind, body=b""):
        self.socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    @staticmethod
    def fields(message):
        fields = {}
        for part in message.split(b"\0"):
            if part:
                fields[chr(part[0])] = part[1:].decode(errors="replace")
        return fields

    def collect(self):
        """Messages up to ReadyForQuery as results; the first error is raised after it."""
        results, current, error, notices = [], Result(), None, []
        while True:
            kind, message = self.receive()
            if kind == b"T":
                current = Result()
                at, (n,) = 2, struct.unpack("!H", message[:2])
                for _ in range(n):
                    end = message.index(b"\0", at)
                    current.columns.append(message[at:end].decode())
                    _table, _column, oid, _size, _mod, form = struct.unpack("!IHIhiH", message[end + 1:end + 19])
                    current.oids.append(oid)
                    current.formats.append(form)
                    at = end + 19
            elif kind == b"D":
                row, at = [], 2
                for _ in range(struct.unpack("!H", message[:2])[0]):
                    (n,) = struct.unpack("!i", message[at:at + 4])
                    at += 4
                    row.append(None if n < 0 else message[at:at + n])
                    at += max(n, 0)
                current.rows.append(row)
            elif kind in (b"C", b"I", b"s"):
                current.tag = message[:-1].decode() if kind == b"C" else ("" if kind == b"I" else "suspended")
                results.append(current)
                current = Result()
            elif kind == b"d":
                current.copied += message
            elif kind == b"E":
                error = error or PgError(self.fields(message))
            elif kind == b"N":
                notices.append(self.fields(message))
            elif kind == b"S":
                name, value = message.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == b"Z":
                self.status = message.decode()
                for result in results:
                    result.notices = notices
                if error is not None:
                    error.results = results
                    raise error
                return results

    def simple(self, sql):
        self.send(b"Q", sql.encode() + b"\0")
        return self.collect()

    def query(self, sql):
        """Rows as lists of texts (None for NULL) of the last result."""
        results = self.simple(sql)
        return [[None if v is None else v.decode() for v in row] for row in results[-1].rows] if results else []

    def value(self, sql):
        return self.query(sql)[0][0]

    def extended(self, sql, params=(), oids=(), binary=False):
        """Parse, Describe, Bind (text parameters), Execute, Sync."""
        body = b"\0" + sql.encode() + b"\0" + struct.pack(f"!H{len(oids)}I", len(oids), *oids)
        self.send(b"P", body)
        bind = b"\0\0" + struct.pack("!HH", 0, len(params))
        for value in params:
            data = None if value is None else str(value).encode()
            bind += struct.pack("!i", -1) if data is None else struct.pack("!i", len(data)) + data
        bind += struct.pack("!HH", 1, 1 if binary else 0)
        self.send(b"B", bind)
        self.send(b"D", b"P\0")
        self.send(b"E", b"\0" + struct.pack("!I", 0))
        self.send(b"S")
        results = self.collect()
        return results[-1] if results else Result()

    def cancel(self):
        with socket.create_connection(self.address, 10) as other:
            other.sendall(struct.pack("!IIII", 16, 80877102, *self.key))


# ---- binary values, as the text that PostgreSQL would give ---------------------------------------

_DAY = 86400 * 1000000


def _time_text(us):
    text = f"{us // 3600000000:02}:{us // 60000000 % 60:02}:{us // 1000000 % 60:02}"
    fraction = us % 1000000
    return text + (f".{fraction:06}".rstrip("0") if fraction else "")


def _date_text(days):
    """Days since 2000-01-01, proleptic Gregorian (after the usual civil-from-days method)."""
    z = days + 10957 + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    day, month = doy - (153 * mp + 2) // 5 + 1, mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    if year <= 0:
        return f"{1 - year:04}-{month:02}-{day:02} BC"
    return f"{year:04}-{month:02}-{day:02}"


def _stamp_text(data, zone):
    (us,) = struct.unpack("!q", data)
    if us in (2**63 - 1, -2**63):
        return "infinity" if us > 0 else "-infinity"
    date, bc = _date_text(us // _DAY), ""
    if date.endswith(" BC"):
        date, bc = date[:-3], " BC"
    return f"{date} {_time_text(us % _DAY)}{zone}{bc}"


def _numeric_text(data):
    ndigits, weight, sign, scale = struct.unpack("!HhHH", data[:8])
    if sign == 0xC000:
        return "NaN"
    digits = struct.unpack(f"!{ndigits}H", data[8:])
    whole = "".join(f"{digits[i] if i < ndigits else 0:04}" for i in range(weight + 1)) or "0"
    fraction = "".join(f"{digits[i] if 0 <= i < ndigits else 0:04}" for i in range(weight + 1, weight + 2 + scale // 4 + 1))
    text = (whole.lstrip("0") or "0") + ("." + fraction[:scale].ljust(scale, "0") if scale else "")
    return ("-" if sign == 0x4000 else "") + text


def _interval_text(data):
    us, days, months = struct.unpack("!qii", data)
    parts = []
    negative_before = False

    def add(n, unit):
        nonlocal negative_before
        if n:
            plus = "+" if negative_before and n > 0 else ""
            parts.append(f"{plus}{n} {unit}{'' if n == 1 else 's'}")
            negative_before = n < 0
    years = abs(months) // 12 * (1 if months >= 0 else -1)
    add(years, "year")
    add(months - years * 12, "mon")
    add(days, "day")
    if us or not parts:
        sign = "-" if us < 0 else "+" if negative_before else ""
        parts.append(sign + _time_text(abs(us)))
    return " ".join(parts)


def _uuid_text(data):
    h = data.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


BINARY = {
    16: lambda d: "t" if d == b"\1" else "f",
    17: lambda d: "\\x" + d.hex(),
    20: lambda d: str(struct.unpack("!q", d)[0]),
    21: lambda d: str(struct.unpack("!h", d)[0]),
    23: lambda d: str(struct.unpack("!i", d)[0]),
    26: lambda d: str(struct.unpack("!I", d)[0]),
    700: lambda d: repr(struct.unpack("!f", d)[0]),
    701: lambda d: repr(struct.unpack("!d", d)[0]),
    1082: lambda d: _date_text(struct.unpack("!i", d)[0]),
    1083: lambda d: _time_text(struct.unpack("!q", d)[0]),
    1114: lambda d: _stamp_text(d, ""),
    1184: lambda d: _stamp_text(d, "+00"),
    1186: _interval_text,
    1700: _numeric_text,
    2950: _uuid_text,
    3802: lambda d: d[1:].decode(),
}


ARRAYS = {1000, 1001, 1002, 1003, 1005, 1007, 1009, 1015, 1016, 1021, 1022, 1028, 1115, 1182, 1183, 1185, 1187,
          1231, 2210, 2951, 3807}


def _array_text(data):
    """One dimension, as PostgreSQL's array_out writes it."""
    dimensions, _, element = struct.unpack("!iiI", data[:12])
    if dimensions == 0:
        return "{}"
    (n,), at, items = struct.unpack("!i", data[12:16]), 20, []
    for _ in range(n):
        (length,) = struct.unpack("!i", data[at:at + 4])
        at += 4
        if length < 0:
            items.append("NULL")
            continue
        text = binary_text(element, data[at:at + length])
        at += length
        if text == "" or text.lower() == "null" or any(c in '{},"\\ \t\n\r\v\f' for c in text):
            text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        items.append(text)
    return "{" + ",".join(items) + "}"


def binary_text(oid, data):
    if data is None:
        return None
    if oid in ARRAYS:
        return _array_text(data)
    return BINARY[oid](data) if oid in BINARY else data.decode(errors="replace")


def same_value(oid, a, b):
    """Floats are compared as numbers, all else as text."""
    if a == b:
        return True
    if a is None or b is None or oid not in (700, 701):
        return False
    x, y = float(a), float(b)
    if oid == 700:
        x, y = (struct.unpack("!f", struct.pack("!f", v))[0] for v in (x, y))
    return x == y or (x != x and y != y)
