#!/usr/bin/env python3
"""Runs sqllogictest files against a weir of its own over PostgreSQL's protocol.

    run_slt.py [--mode default|tiny|kill|cores] [--write] FILE.slt...

Records are separated by blank lines; '#' begins a comment line.

    statement ok                      a statement that must succeed
    statement tag INSERT 0 2          ... with this command tag
    statement error 42703 [@N] [text] must fail with this SQLSTATE, at this character, saying this
    query TYPES [nosort|rowsort] [simple]
                                      rows follow the line ----, a row a line, values separated by '|'
                                      TYPES: a letter a column: I whole number, R other number,
                                      T text, B boolean, D date and time, ? anything
    ingest STREAM [accepted N] [quarantined N]
                                      lines of JSON that follow are POSTed over HTTP
    flush                             wait until all that was ingested is visible
    restart | kill [OPTION...]        SIGTERM or kill -9, then a new start on the same directory, with these options of the server
    skipif MODE | onlyif MODE         for the record that follows
    sleep SECONDS
    file NAME                         writes the lines that follow to __TEMP__/NAME
    cat NAME                          its lines, until a limit of time, are those after ----; times
                                      in them read <time>, steps <n>

__TEMP__ in a record is a directory of this run. Every query runs three times: simple protocol, extended with text and with binary results; the
three must say the same. Mode tiny: batches of 1 row, caches of 1 MB, journals of 2 KB; kill: the server is killed with
kill -9 and started again after every statement and ingest, each time with another number of cores; cores: four cores
divide whatever can be divided. --write puts the present results in."""
import argparse
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402

MODES = {"default": [], "tiny": ["--batch-rows", "1", "--cache-mb", "1", "--step-mb", "1",
                                   "--journal-kb", "2"],
         "kill": ["--batch-rows", "3", "--journal-kb", "8", "--part-rows", "1"],
         "cores": ["--cores", "4", "--part-rows", "1"]}
LETTERS = {"I": {20, 21, 23, 26}, "R": {700, 701, 1700}, "B": {16}, "T": {25, 1043, 1042, 18, 19},
           "D": {1082, 1083, 1114, 1184, 1186}}


class Record:
    def __init__(self, path, first, lines):
        self.path, self.first, self.lines = path, first, lines
        self.only, self.skip = [], []
        i = 0
        while i < len(lines) and (lines[i].startswith("#") or lines[i].startswith(("skipif ", "onlyif "))):
            if lines[i].startswith("skipif "):
                self.skip.append(lines[i].split()[1])
            elif lines[i].startswith("onlyif "):
                self.only.append(lines[i].split()[1])
            i += 1
        self.head_at = i
        self.words = lines[i].split() if i < len(lines) else []
        body = lines[i + 1:]
        self.expected = None
        if "----" in body:
            at = body.index("----")
            self.expected, body = body[at + 1:], body[:at]
        self.body = "\n".join(body)

    def place(self):
        return f"{self.path.name}:{self.first + self.head_at}"


def read_records(path):
    records, lines, first = [], [], 1
    for number, line in enumerate([*path.read_text().split("\n"), ""], 1):
        if line.strip() == "":
            if lines:
                records.append(Record(path, first, lines))
            lines = []
        else:
            if not lines:
                first = number
            lines.append(line)
    return records


class Failure(Exception):
    pass


class Runner:
    def __init__(self, server, mode):
        self.server, self.mode, self.connection = server, mode, None
        self.args, self.kills = server.args, 0

    def pg(self):
        if self.connection is None:
            self.connection = self.server.pg()
        return self.connection

    def again(self, kill):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        if kill:
            self.server.kill()
            self.kills += 1
            self.server.args = [*self.args, "--cores", str(1 + self.kills % 3)]
        elif self.server.stop() != 0:
            raise Failure("SIGTERM: exit code is not 0")
        self.server.start()

    def after_step(self):
        if self.mode == "kill":
            self.again(True)

    def statement(self, record):
        want = record.words[1]
        try:
            results = self.pg().simple(record.body)
        except weirtest.PgError as error:
            if want != "error":
                raise Failure(f"fails: {error} {error.fields.get('D', '')} {error.fields.get('H', '')}") from None
            self.check_error(record, error)
            return
        if want == "error":
            raise Failure(f"succeeds, but should fail with {record.words[2:]}")
        if want == "tag" and results[-1].tag != " ".join(record.words[2:]):
            raise Failure(f"tag is {results[-1].tag}")

    @staticmethod
    def check_error(record, error):
        words = record.words[2:]
        if words and error.sqlstate != words[0]:
            raise Failure(f"fails with {error}, expected {words[0]}")
        words = words[1:]
        if words and words[0].startswith("@"):
            if error.position != int(words[0][1:]):
                raise Failure(f"fails with {error}: position {error.position}, expected {words[0][1:]}")
            words = words[1:]
        if words and " ".join(words) not in error.message + " " + error.fields.get("D", ""):
            raise Failure(f"fails with {error}, which does not say: {' '.join(words)}")

    @staticmethod
    def text(value):
        if value is None:
            return "NULL"
        if value == "":
            return "(empty)"
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace("|", "\\|")

    def query(self, record, write):
        types = record.words[1]
        sort = "rowsort" in record.words
        try:
            simple = self.pg().simple(record.body)[-1]
            if "simple" not in record.words:
                text = self.pg().extended(record.body)
                binary = self.pg().extended(record.body, binary=True)
        except weirtest.PgError as error:
            raise Failure(f"fails: {error} {error.fields.get('D', '')} {error.fields.get('H', '')}") from None
        rows = [[None if v is None else v.decode() for v in row] for row in simple.rows]
        if "simple" not in record.words:
            self.compare_formats(simple, text, binary, rows, sort)
        lines = ["|".join(self.text(v) for v in row) for row in rows]
        if sort:
            lines.sort()
        if len(types) != len(simple.oids):
            raise Failure(f"{len(simple.oids)} columns, expected {len(types)} ({types})")
        for letter, oid, name in zip(types, simple.oids, simple.columns):
            if letter != "?" and oid not in LETTERS[letter]:
                raise Failure(f"column {name} has type {oid}, expected {letter}")
        if write:
            at = record.lines.index("----") if "----" in record.lines else len(record.lines)
            record.lines = [*record.lines[:at], "----", *lines]
        elif lines != (record.expected or []):
            raise Failure("rows are\n    " + "\n    ".join(lines) + "\n  expected\n    " +
                          "\n    ".join(record.expected or []))

    @staticmethod
    def compare_formats(simple, text, binary, rows, sort):
        other = [[None if v is None else v.decode() for v in row] for row in text.rows]
        third = [[weirtest.binary_text(oid, v) for oid, v in zip(binary.oids, row)] for row in binary.rows]
        if text.oids != simple.oids or binary.oids != simple.oids:
            raise Failure(f"types differ: simple {simple.oids}, extended {text.oids}, binary {binary.oids}")

        def order(row):
            return [(v is not None, v or "") for v in row]
        sets = [rows, other, third]
        if sort:
            sets = [sorted(s, key=order) for s in sets]
        for name, found in (("extended text", sets[1]), ("binary", sets[2])):
            same = len(found) == len(sets[0]) and all(
                weirtest.same_value(oid, a, b) for x, y in zip(sets[0], found) for oid, a, b in zip(simple.oids, x, y))
            if not same:
                raise Failure(f"{name} results differ from the simple protocol's:\n    {sets[0][:20]}\n    {found[:20]}")

    def ingest(self, record):
        words = record.words
        answer = self.server.http("POST", f"/v1/streams/{words[1]}", record.body.encode())
        if answer.status != 200:
            raise Failure(f"HTTP {answer.status}: {answer.text}")
        facts = answer.json()
        for name in ("accepted", "quarantined"):
            if name in words and facts[name] != int(words[words.index(name) + 1]):
                raise Failure(f"{name} is {facts[name]}: {answer.text}")
        if "quarantined" not in words and facts["quarantined"]:
            raise Failure(f"quarantined: {answer.text}")

    def cat(self, record, write):
        path = pathlib.Path(self.server.temp, record.words[1])
        until = time.monotonic() + (2 if write else 15)
        while True:
            text = (path.read_text() if path.exists() else "").replace(str(self.server.temp), "__TEMP__")
            lines = [re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>", line) for line in text.splitlines()]
            lines = [re.sub(r'"step":\d+', '"step":<n>', re.sub(r'"id":"([^"]*)-\d+-(\d+)"', r'"id":"\1-<n>-\2"', line))
                     for line in lines]
            if time.monotonic() > until or (not write and lines == (record.expected or [])):
                break
            time.sleep(0.05)
        if write:
            at = record.lines.index("----") if "----" in record.lines else len(record.lines)
            record.lines = [*record.lines[:at], "----", *lines]
        elif lines != (record.expected or []):
            raise Failure("the file has\n    " + "\n    ".join(lines) + "\n  expected\n    " +
                          "\n    ".join(record.expected or []))

    def run(self, record, write):
        word = record.words[0]
        if word == "statement":
            self.statement(record)
            if record.words[1] != "error":
                self.after_step()
        elif word == "query":
            self.query(record, write)
        elif word == "ingest":
            self.ingest(record)
            self.after_step()
        elif word == "flush":
            self.pg().simple("FLUSH")
        elif word in ("restart", "kill"):
            if len(record.words) > 1:
                self.server.args = [*MODES[self.mode], *record.words[1:]]
            self.again(word == "kill")
        elif word == "sleep":
            time.sleep(float(record.words[1]))
        elif word == "file":
            pathlib.Path(self.server.temp, record.words[1]).write_text(record.body + "\n")
        elif word == "cat":
            self.cat(record, write)
        else:
            raise Failure(f"unknown directive {word}")


def verify(runner):
    """Whatever a file did: its views are what the log says."""
    try:
        rows = runner.pg().query("VERIFY ALL")
    except weirtest.ServerError as error:
        return [f"VERIFY ALL: {error}"]
    return [f"VERIFY ALL: {row}" for row in rows if row[1] not in ("equal", "partial", "not verifiable")]


def run_file(path, mode, write):
    records = read_records(path)
    passed, failed = 0, 0
    extra = []
    for record in records:
        for line in record.lines:
            found = re.match(r"#!args (.*)", line)
            if found:
                extra += found.group(1).split()
    server = weirtest.Server(args=[*MODES[mode], *extra])
    with server:
        runner = Runner(server, mode)
        for record in records:
            if not record.words or mode in record.skip or (record.only and mode not in record.only):
                continue
            record.body = record.body.replace("__TEMP__", server.temp)
            try:
                runner.run(record, write)
                passed += 1
            except Failure as failure:
                failed += 1
                print(f"FAILED {record.place()} [{mode}] {failure}\n  {record.body[:400]}", flush=True)
            except (ConnectionError, OSError, weirtest.ServerError) as error:
                failed += 1
                print(f"FAILED {record.place()} [{mode}] {type(error).__name__}: {error}\n  {record.body[:400]}")
                if runner.connection is not None:
                    runner.connection.socket.close()
                    runner.connection = None
                if not server.alive():
                    print(server.log()[-3000:])
                    print("the server died; starting it again")
                    server.kill()
                    server.start()
        if server.alive():
            for fault in verify(runner):
                failed += 1
                print(f"FAILED {path.name} [{mode}] at the end: {fault}", flush=True)
        if runner.connection is not None:
            runner.connection.close()
    if write:
        path.write_text("\n\n".join("\n".join(r.lines) for r in records) + "\n")
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="default", choices=MODES)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    weirtest.need_weir()
    passed = failed = 0
    for path in options.files:
        p, f = run_file(path, options.mode, options.write)
        passed, failed = passed + p, failed + f
    print(f"{passed} records passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
