"""The server and the events that the tests of the clients share."""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import weirtest  # noqa: E402

ORDERS = [
    {"order_id": 1, "store_id": 7, "qty": 2, "net_amount": "19.90", "placed_at": "2026-01-05T09:30:10Z", "note": "a, \"b\""},
    {"order_id": 2, "store_id": 7, "qty": 1, "net_amount": "0.10", "placed_at": "2026-01-05T09:30:50Z", "note": None},
    {"order_id": 3, "store_id": 8, "qty": 5, "net_amount": "100.00", "placed_at": "2026-01-05T09:31:00Z", "note": "zwölf"},
]


def serve(**options):
    weirtest.need_weir()
    return weirtest.Server(str(HERE / "demo.sql"), **options)


def fill(server):
    server.ingest("sales.order_placed", ORDERS)
    server.ingest("sales.store", [{"store_id": 7, "name": "Graz"}])
    server.ingest("sales.many", "\n".join(json.dumps({"n": i}) for i in range(20000)))
    with server.pg() as pg:
        pg.simple("FLUSH")
