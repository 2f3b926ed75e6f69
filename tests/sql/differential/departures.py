"""Where weir departs from PostgreSQL on purpose, by name. docs/postgresql.md has the same list for readers; a
difference that one of these explains is counted under its name and is no failure."""
import collections
import decimal
import re

import weirtest

NAMES = {
    "failing-row": "a row that an expression of a view fails on is left out of the view",
    "evaluation-order": "which of several expressions fails first, or fails at all, is not defined by SQL",
    "equal-spelling": "of equal values that are written differently (1.0 and 1.00, 1 day and 24:00:00) PostgreSQL shows the one of "
                      "a group that comes first",
    "float-order": "sums of float8 and what stands on them depend on the order of rows in their last digits",
    "numeric-math": "roots, powers, logarithms and exponentials of NUMERIC are right to 17 digits",
    "numeric-limit": "NUMERIC has 38 digits",
    "memory": "a query of weir has a limit of memory; PostgreSQL may not look at a part of it that no row needs",
}

# What gives out one of several equal values, or the first of equal rows.
_CHOOSE = ("group.", "set.union", "set.intersect", "set.except", "select.distinct", "order.limit", "order.offset", "over.", "min(", "max(",
           "mode(", "percentile_disc(", "DISTINCT", "join.using", "join.natural", "query.recursive", "array_agg", "greatest(", "least(",
           "window.session")

# With these a system may leave a part of a query that no row needs, or begin with either part; PostgreSQL also folds
# what constants decide (anything + NULL) before it looks at a row.
_ORDERS = ("join.", "from.", "set.", "subquery.", "query.", "group.having", "order.limit", "window.", "over.", "literal.null", "CASE",
           "nullif", "coalesce", "{bool} AND", "{bool} OR")


PAIRS_MAX = 500  # rows that are looked at one by one
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


def _plain_row(oids, row):
    return [_plain(oid, value) for oid, value in zip(oids, row)]


_LONG = re.compile(r"(\.\d{38})\d+")  # a number with more decimals than weir has
_SUMS = ("corr(", "covar_", "regr_", "sum({float", "avg({float", "stddev", "var_", "variance")
_SLOPES = ("regr_", "corr(")
_MATH = ("power({numeric", "sqrt(abs({numeric", "exp(", "ln(", "log(", "stddev")
# What gives out one of several equal values, or the first of equal rows.
_CHOOSE = ("group.", "set.union", "set.intersect", "set.except", "select.distinct", "order.limit", "order.offset", "over.", "min(", "max(",
           "mode(", "percentile_disc(", "DISTINCT", "join.using", "join.natural", "query.recursive", "array_agg", "greatest(", "least(",
           "window.session")


def _close(a, b, relative):
    if a is None or b is None:
        return a == b
    x, y = float(a), float(b)
    return x == y or (x != x and y != y) or abs(x - y) <= relative * max(abs(x), abs(y)) + relative / 1000


class Columns:
    """The features of each output column, as far as they are told apart: what FROM, WITH and set operations have stands in all."""

    def __init__(self, everywhere, columns):
        self.everywhere, self.columns = everywhere, columns

    def uses(self, column, prefixes):
        found = self.everywhere | (self.columns[column] if column < len(self.columns) else set())
        return any(f.startswith(prefixes) for f in found)

    def any(self, prefixes):
        return any(f.startswith(prefixes) for found in (self.everywhere, *self.columns) for f in found)

    def all(self):
        return self.everywhere.union(*self.columns)


def _cell(columns, at, oid, ours, theirs):
    """The name of the departure that explains two values in one place; None if there is none."""
    if ours is None or theirs is None:
        # Rounding decides whether equal floats have a variance of 0, and so whether there is a slope at all.
        return "float-order" if oid == 701 and columns.uses(at, _SLOPES) else None
    if oid in (700, 701) and columns.uses(at, _SUMS) and _close(ours, theirs, 1e-5 if oid == 700 else 1e-9):
        return "float-order"
    if oid in (25, 1700) and _LONG.sub(r"\1", ours) == _LONG.sub(r"\1", theirs):
        return "numeric-limit"
    if oid == 1700 and columns.uses(at, _MATH) and decimal.Decimal(ours) != decimal.Decimal(theirs) and _close(ours, theirs, 1e-15):
        return "numeric-math"
    if _plain(oid, ours) == _plain(oid, theirs) and (columns.any(_CHOOSE) or any("DISTINCT" in f for f in columns.all())):
        return "equal-spelling"
    return None


def _row(columns, oids, ours, theirs):
    """The names that explain a pair of rows; None if they do not."""
    names = set()
    for at, (oid, x, y) in enumerate(zip(oids, ours, theirs)):
        if x != y:
            name = _cell(columns, at, oid, x, y)
            if name is None:
                return None
            names.add(name)
    return names


def of_rows(oids, ours, theirs, columns):
    """The name of the departure that explains different rows, or None: each row that one has alone must have a partner in the
    other from which it differs by what departures allow in the places where it differs."""
    if len(ours) != len(theirs):
        return None
    a, b = collections.Counter(ours), collections.Counter(theirs)
    left, right = list((a - b).elements()), list((b - a).elements())
    if len(left) > PAIRS_MAX:
        return None
    if not left and not right and all(_plain_row(oids, x) == _plain_row(oids, y) for x, y in zip(ours, theirs)):
        return "equal-spelling"  # rows that ORDER BY takes for equal, in another order
    names = set()
    for row in left:
        for other in right:
            found = _row(columns, oids, row, other)
            if found is not None:
                names |= found
                right.remove(other)
                break
        else:
            return None
    return "+".join(sorted(names)) or None


def of_error(ours, theirs, used):
    """The name of the departure that explains that one system fails on a query and the other gives rows, or fails
    otherwise. Each is the error or None; used: the query's features."""
    if ours is not None and ours.sqlstate == "22003" and "38" in ours.message:
        return "numeric-limit"
    if ours is not None and ours.sqlstate == "53200":
        return "memory"
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
