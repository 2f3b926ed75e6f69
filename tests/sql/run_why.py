#!/usr/bin/env python3
"""After each of some .slt files: every view's first rows tell which events make them up. Whatever
operators the file has made views of, there are such events, each once and within its log, and the
row's story ends with what the view shows.

    tests/sql/run_why.py [FILE.slt...]"""
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import run_slt  # noqa: E402
import weirtest  # noqa: E402

FILES = ["asof", "joins", "match", "over", "lookup", "recursive", "temporal", "session", "setops", "subqueries", "top_heads",
         "emit", "first", "table_funcs"]
ROWS = 2
WITHOUT_EVENTS = {"constant"}  # a view of constants reads no log


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def key_of(pg, schema, view):
    columns = pg.query(f"SELECT column_name, is_key FROM weir.contracts WHERE schema = {literal(schema)} AND object = {literal(view)} "
                       f"ORDER BY position")
    keys = [name for name, is_key in columns if is_key == "t"]
    return keys or [name for name, _ in columns]


def check_row(checks, pg, what, view, key, shown, ends):
    rows = pg.query(f"SELECT object, partition, log_offset FROM weir.lineage WHERE view = {literal(view)} AND call = {literal(key)}")
    if view.split(".")[1] not in WITHOUT_EVENTS and '"n": 0' not in key:  # a count of no rows
        checks.true(f"{what}: events of {key}", len(rows) > 0, "none")
    checks.equal(f"{what}: each event once", len({tuple(row) for row in rows}), len(rows))
    checks.true(f"{what}: events are in their logs", all(int(row[2]) < ends[(row[0], row[1])] for row in rows), rows)
    story = pg.query(f"SELECT new::text FROM weir.why WHERE view = {literal(view)} AND call = {literal(key)} AND standing <> 'unchanged'")
    if view.split(".")[1] not in WITHOUT_EVENTS and story:
        checks.equal(f"{what}: the story of {key} ends with what is shown", json.loads(story[-1][0].replace("Z\"", "+00:00\"")), json.loads(shown))


def check_views(checks, runner, name):
    pg = runner.pg()
    pg.simple("FLUSH")
    pairs = lambda columns: ", ".join(f"{literal(c)}, {quote(c)}" for c in columns)  # noqa: E731
    ends = {}
    for schema, stream, partition, end in pg.query("SELECT schema, name, partition, max(log_end) FROM weir.partitions GROUP BY 1, 2, 3"):
        ends[(f"{schema}.{stream}", partition)] = int(end)
    asked = 0
    for schema, view in pg.query("SELECT schema, name FROM weir.views"):
        every = [row[0] for row in pg.query(f"SELECT column_name FROM weir.contracts WHERE schema = {literal(schema)} AND "
                                            f"object = {literal(view)} ORDER BY position")]
        rows = pg.query(f"SELECT jsonb_build_object({pairs(key_of(pg, schema, view))})::text, jsonb_build_object({pairs(every)})::text "
                        f"FROM {quote(schema)}.{quote(view)} LIMIT {ROWS}")
        for key, shown in rows:
            check_row(checks, pg, f"{name} {view}", f"{schema}.{view}", key, shown, ends)
            asked += 1
    return asked


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    asked, begin = 0, time.monotonic()
    for path in [pathlib.Path(f) for f in sys.argv[1:]] or [HERE / f"{name}.slt" for name in FILES]:
        with weirtest.Server() as server:
            runner = run_slt.Runner(server, "default")
            for record in run_slt.read_records(path):
                if not record.words or "default" in record.skip or record.only and "default" not in record.only:
                    continue
                if record.words[0] in ("query", "sleep"):
                    continue
                record.body = record.body.replace("__TEMP__", server.temp)
                runner.run(record, False)
            asked += check_views(checks, runner, path.stem)
            if runner.connection is not None:
                runner.connection.close()
    print(f"{asked} rows asked in {time.monotonic() - begin:.1f} s")
    checks.end()


if __name__ == "__main__":
    main()
