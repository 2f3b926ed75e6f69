"""Where weir departs from PostgreSQL on purpose, by name. docs/postgresql.md has the same list for readers; a
difference that one of these explains is counted under its name and is no failure."""
import decimal
import re

import weirtest

NAMES = {
    "failing-row": "a row that an expression of a view fails on is left out of the view",
    "evaluation-order": "which of several expressions fails first, or fails at all, is not defined by SQL",
    "equal-spelling": "of equal values that are written differently (1.0 and 1.00, 1 day and 24:00:00) a group shows any one",
    "float-order": "sums of float8 and what stands on them depend on the order of rows in their last digits",
    "numeric-math": "roots, powers, logarithms and exponentials of NUMERIC are right to 17 digits",
    "jsonb-order": "JSONB is ordered by its text; no query of the grammar orders by it",
    "numeric-limit": "NUMERIC has 38 digits",
}

# With these a system may leave a part of a query that no row needs, or begin with either part; PostgreSQL also folds
# what constants decide (anything + NULL) before it looks at a row.
_ORDERS = ("join.", "from.", "set.", "subquery.", "query.", "group.having", "order.limit", "window.", "over.", "literal.null", "CASE",
           "nullif", "coalesce", "{bool} AND", "{bool} OR")


_UNITS = {"year": 360 * 86400, "mon": 30 * 86400, "day": 86400}


def _seconds(text):
    """An interval as PostgreSQL compares it."""
    words, total = text.split(), decimal.Decimal(0)
    while words:
        word = words.pop(0)
        if ":" in word:
            h, m, s = word.lstrip("+-").split(":")
            clock = int(h) * 3600 + int(m) * 60 + decimal.Decimal(s)
            total += -clock if word.startswith("-") else clock
        else:
            total += int(word) * _UNITS[words.pop(0).rstrip("s")]
    return total


def _plain(oid, value):
    """One spelling for all equal values."""
    if value is None or oid not in (1700, 701, 700, 1186):
        return value
    if oid == 1186:
        return str(_seconds(value))
    try:
        number = decimal.Decimal(value)
    except decimal.InvalidOperation:
        return value
    return "0" if number == 0 else str(number.normalize())


def _sorted(rows):
    return sorted(rows, key=lambda row: [(v is not None, v or "") for v in row])


_LONG = re.compile(r"(\.\d{38})\d+")  # a number with more decimals than weir has
_SUMS = ("corr(", "covar_", "regr_", "sum({float", "avg({float", "stddev", "var_", "variance")
_MATH = ("power({numeric", "sqrt(abs({numeric", "exp(", "ln(", "log(", "stddev")


def _close(a, b, relative):
    if a == b:
        return True
    if a is None or b is None:
        return False
    x, y = float(a), float(b)
    return abs(x - y) <= relative * max(abs(x), abs(y)) + relative / 1000


def _close_rows(oids, ours, theirs, loose, relative):
    """Whether the rows differ in the last digits of columns of the loose types alone."""
    def key(row):
        return [(v is not None, v or "") for o, v in zip(oids, row) if o not in loose] + \
               [(v is not None, float(v or 0)) for o, v in zip(oids, row) if o in loose]
    return all(_close(x, y, 1e-5 if o == 700 else relative) if o in loose else x == y
               for r, s in zip(sorted(ours, key=key), sorted(theirs, key=key)) for o, x, y in zip(oids, r, s))


def of_rows(oids, ours, theirs, used):
    """The name of the departure that explains different rows, or None. used: the query's features."""
    if len(ours) == len(theirs):
        # Rounding decides whether equal floats have a variance of 0, and so whether there is a slope at all.
        if any(f.startswith(("regr_", "corr(")) for f in used):
            a, b = ([tuple(v for o, v in zip(oids, row) if o != 701) for row in rows] for rows in (ours, theirs))
            if _sorted(a) == _sorted(b):
                return "float-order"
        if any(f.startswith(_SUMS) for f in used) and _close_rows(oids, ours, theirs, (700, 701), 1e-9):
            return "float-order"
        a, b = ([tuple(v if v is None else _LONG.sub(r"\1", v) for v in row) for row in rows] for rows in (ours, theirs))
        if _sorted(a) == _sorted(b):
            return "numeric-limit"
        if any(f.startswith(_MATH) for f in used) and _close_rows(oids, ours, theirs, (1700,), 1e-15):
            return "numeric-math"
    if len(ours) == len(theirs):
        a, b = ([tuple(_plain(o, v) for o, v in zip(oids, row)) for row in rows] for rows in (ours, theirs))
        if _sorted(a) == _sorted(b):
            return "equal-spelling"
    return None


def of_error(ours, theirs, used):
    """The name of the departure that explains that one system fails on a query and the other gives rows, or fails
    otherwise. Each is the error or None; used: the query's features."""
    if ours is not None and ours.sqlstate == "22003" and "38" in ours.message:
        return "numeric-limit"
    if ours is not None and theirs is not None and ours.sqlstate[:2] == "22" and ours.sqlstate != "22023" and theirs.sqlstate[:2] in ("22", "21"):
        return "evaluation-order"
    if ours is not None and ours.sqlstate == "22023":
        return None  # an argument that one of the two does not know is no matter of rows
    if (ours is None or ours.sqlstate[:2] == "22") and (theirs is None or theirs.sqlstate[:2] == "22") and \
            any(f.startswith(_ORDERS) for f in used):
        return "evaluation-order"
    return None


def same_class(ours, theirs):
    return isinstance(ours, weirtest.PgError) and isinstance(theirs, weirtest.PgError) and ours.sqlstate[:2] == theirs.sqlstate[:2]
