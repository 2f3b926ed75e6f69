#!/usr/bin/env python3
"""Random events and retractions of a stream WITH (retractions = 'on'), and views of all kinds over it
against PostgreSQL over the events that are left.

Which are left is said by a model: the first event of a key counts until it is taken back, then
another may come. Twins, second retractions and retractions of what never came are among the records,
and are counted. Each view is made before the events, and once more when half of them are there;
between parts the server is killed, restarted or the flow rebuilt; the stream itself is asked too.

    run_retractions.py [--records N] [--seed N] [--rounds N] [--long]"""
import argparse
import collections
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import weirtest  # noqa: E402
from postgres import Postgres  # noqa: E402

PARTS = 8
STREAM = """CREATE SCHEMA IF NOT EXISTS {0};
CREATE STREAM {0}.sale (id INT NOT NULL, shop INT NOT NULL, kind TEXT, amount NUMERIC(10,2) NOT NULL, at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '1 hour') WITH (retractions = 'on', partitions = '{1}');
CREATE TABLE {0}.shop (shop INT NOT NULL, city TEXT, PRIMARY KEY (shop))"""
TUMBLE = "TUMBLE(sale, at, INTERVAL '1 hour')"
BINNED = "(SELECT *, date_bin('1 hour', at, '2000-01-01Z') AS window_start FROM sale) AS t"
VIEWS = {
    "kept": "SELECT id, amount FROM sale WHERE amount > 30",
    "sums": "SELECT shop, count(*) AS n, sum(amount) AS total, min(amount) AS least, max(at) AS last FROM sale GROUP BY shop",
    "kinds": "SELECT DISTINCT kind FROM sale",
    "shops": "SELECT kind, count(DISTINCT shop) AS n, string_agg(id::text, ',' ORDER BY id) AS ids FROM sale GROUP BY kind",
    "hours": "SELECT window_start, shop, sum(amount) AS total, max(amount) AS most FROM {window} GROUP BY window_start, shop",
    "best": "SELECT id, amount FROM sale ORDER BY amount DESC, id LIMIT 7",
    "ranked": "SELECT shop, id, r FROM (SELECT shop, id, row_number() OVER (PARTITION BY shop ORDER BY amount, id) AS r FROM sale) q WHERE r <= 3",
    "running": "SELECT id, sum(amount) OVER (PARTITION BY shop ORDER BY at, id) AS total FROM sale",
    "pairs": "SELECT a.id AS a, b.id AS b FROM sale a JOIN sale b ON a.shop = b.shop AND a.kind = b.kind AND a.id < b.id",
    "near": "SELECT a.id AS a, b.id AS b FROM sale a JOIN sale b ON a.shop = b.shop AND a.at BETWEEN b.at - INTERVAL '10 minutes' AND b.at",
    "cities": "SELECT s.id, c.city FROM sale s LEFT JOIN shop c ON c.shop = s.shop",
    "unsold": "SELECT c.shop FROM shop c WHERE NOT EXISTS (SELECT 1 FROM sale s WHERE s.shop = c.shop AND s.amount > 40)",
    "above": "SELECT id FROM sale s WHERE amount > (SELECT avg(amount) FROM sale t WHERE t.shop = s.shop)",
    "only": "SELECT shop FROM sale WHERE kind = 'a' EXCEPT SELECT shop FROM sale WHERE kind = 'b'",
    "middle": "SELECT shop, percentile_disc(0.5) WITHIN GROUP (ORDER BY amount) AS m FROM sale GROUP BY shop",
    "upon": "SELECT n, count(*) AS shops FROM (SELECT shop, count(*) AS n FROM sale GROUP BY shop) q GROUP BY n",
}
SERVERS = [[], ["--batch-rows", "1", "--journal-kb", "2", "--cache-mb", "1"], ["--cores", "3", "--part-rows", "1"]]


class Model:
    """What the records mean, one after the other within a key."""

    def __init__(self):
        self.live, self.known = {}, set()
        self.repeats = self.unmatched = 0

    def take(self, record):
        key = record["id"]
        if record.get("_op") == "delete":
            if key in self.live:
                del self.live[key]
            elif key in self.known:
                self.repeats += 1
            else:
                self.unmatched += 1
        elif key in self.live:
            self.repeats += 1
        else:
            self.live[key] = record
            self.known.add(key)


class Round:
    def __init__(self, checks, pg, number, args):
        self.checks, self.pg, self.number, self.args = checks, pg, number, args
        self.random = random.Random(args.seed * 1000 + number)
        self.model = Model()
        self.schema = f"r{number}"

    def record(self):
        r = self.random
        key = r.randrange(self.args.records // 2)
        if r.random() < 0.3:
            return {"_op": "delete", "id": key}
        if r.random() < 0.2 and self.model.live:
            key = r.choice(list(self.model.live))
            if r.random() < 0.7:
                return {"_op": "delete", "id": key}
        minute = r.randrange(60 * 24)
        return {"id": key, "shop": r.randrange(12), "kind": r.choice(["a", "b", "c", None]), "amount": f"{r.randrange(1, 60)}.{r.randrange(100):02}",
                "at": f"2026-03-{r.randrange(1, 4):02}T{minute // 60:02}:{minute % 60:02}:00Z"}

    def part(self, server):
        records = []
        for _ in range(self.args.records // PARTS):
            records.append(self.record())
            self.model.take(records[-1])
        while records:
            n = self.random.choice([1, 3, 50, 400])
            server.ingest(f"{self.schema}.sale", records[:n])
            del records[:n]

    def make_views(self, weir, prefix):
        for i, (name, query) in enumerate(VIEWS.items()):
            refresh = ["immediate", "200 milliseconds"][i % 2]
            weir.simple(f"SET search_path = {self.schema}")
            weir.simple(f"CREATE MATERIALIZED VIEW {self.schema}.{prefix}_{name} WITH (refresh = '{refresh}') AS {query.format(window=TUMBLE)}")

    def fill_postgres(self):
        self.pg.simple(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE; CREATE SCHEMA {self.schema}; SET search_path = {self.schema};"
                       "CREATE TABLE sale (id int, shop int, kind text, amount numeric(10,2), at timestamptz);"
                       "CREATE TABLE shop (shop int, city text); INSERT INTO shop SELECT s, 'city ' || s FROM generate_series(0, 13, 2) s")
        rows = json.dumps(list(self.model.live.values())).replace("'", "''")
        self.pg.simple(f"INSERT INTO sale SELECT * FROM json_to_recordset('{rows}') AS r(id int, shop int, kind text, amount numeric(10,2), at timestamptz)")

    def rows(self, connection, query):
        return collections.Counter(map(tuple, connection.query(query)))

    def compare(self, weir, prefixes, when):
        weir.simple("FLUSH")
        self.fill_postgres()
        for name, query in VIEWS.items():
            wanted = self.rows(self.pg, query.format(window=BINNED))
            for prefix in prefixes:
                got = self.rows(weir, f"SELECT * FROM {self.schema}.{prefix}_{name}")
                self.checks.true(f"round {self.number}, {when}: {prefix}_{name}", got == wanted,
                                 f"too many {list((got - wanted).items())[:5]}, missing {list((wanted - got).items())[:5]}")
            weir.simple(f"SET search_path = {self.schema}")
            got = self.rows(weir, query.format(window=TUMBLE))
            self.checks.true(f"round {self.number}, {when}: {name}, asked", got == wanted,
                             f"too many {list((got - wanted).items())[:5]}, missing {list((wanted - got).items())[:5]}")

    def compare_counts(self, weir):
        flow = f"{self.schema}@immediate"
        unmatched = weir.value(f"SELECT count(*) FROM weir.quarantine WHERE stage = 'step' AND flow = '{flow}' AND sqlstate = '02000'")
        self.checks.equal(f"round {self.number}: retractions of what never came", int(unmatched), self.model.unmatched)
        # The flow was rebuilt from the log: it has met each record once.
        repeats = weir.value(f"SELECT count(*) FROM weir.duplicates WHERE flow = '{flow}'")
        if self.model.repeats < 1000:  # of a step no more are named one by one
            self.checks.equal(f"round {self.number}: twins and second retractions", int(repeats), self.model.repeats)

    def disturb(self, server):
        what = self.random.choice(["kill", "restart", "rebuild", "nothing"])
        if what == "kill":
            server.restart()
        elif what == "restart":
            server.stop()
            server.start()
        elif what == "rebuild":
            with server.pg() as weir:
                weir.simple(f'REBUILD FLOW "{self.schema}@immediate"')

    def delete_some(self, server, weir):
        """DELETE by a condition, as a user does, over either protocol."""
        shop = self.random.randrange(12)
        gone = [key for key, record in self.model.live.items() if record["shop"] == shop]
        sql = f"DELETE FROM {self.schema}.sale WHERE shop = {shop}"
        tag = weir.simple(sql)[0].tag if self.number % 2 else server.http("POST", "/v1/query", json.dumps({"sql": sql})).json()["tag"]
        self.checks.equal(f"round {self.number}: DELETE", tag, f"DELETE {len(gone)}")
        for key in gone:
            del self.model.live[key]

    def run(self):
        with weirtest.Server(args=SERVERS[self.number % len(SERVERS)]) as server:
            with server.pg() as weir:
                weir.simple(STREAM.format(self.schema, self.random.choice([1, 3])))
                weir.simple(f"INSERT INTO {self.schema}.shop SELECT s, 'city ' || s FROM generate_series(0, 13, 2) AS g(s)")
                self.make_views(weir, "v")
            for part in range(PARTS):
                self.part(server)
                if part == PARTS // 2:
                    with server.pg() as weir:
                        weir.simple("FLUSH")
                        self.make_views(weir, "late")
                        self.compare(weir, ["v", "late"], "half way")
                        self.delete_some(server, weir)
                self.disturb(server)
            with server.pg() as weir:
                self.compare(weir, ["v", "late"], "at the end")
                weir.simple(f'REBUILD FLOW "{self.schema}@immediate"')
                self.compare(weir, ["v", "late"], "rebuilt")
                self.compare_counts(weir)
                weirtest.verify_served(self.checks, f"round {self.number}", weir)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    if args.long:
        args.records, args.rounds = max(args.records, 5000), max(args.rounds, 12)
    weirtest.need_weir()
    checks = weirtest.Checks()
    with Postgres() as postgres:
        pg = weirtest.Pg(postgres.dir, 5432, database="postgres")
        for number in range(args.rounds):
            Round(checks, pg, number, args).run()
        pg.close()
    checks.end()


if __name__ == "__main__":
    main()
