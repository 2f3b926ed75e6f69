"""Types, their values and how a value is written: as SQL, as JSON.

A value is its text, as PostgreSQL prints it, or None. Columns draw from small domains that tables share,
so that joins meet, groups have several rows and ties happen. Floats are sums of few powers of two: their sums
are exact in any order. In some domains values are equal and written differently (1, 1.0, 1.00): rows keep them apart."""
import json


class Type:
    def __init__(self, oid, declared, small, wide, edge, quoted=True):
        self.oid, self.declared = oid, declared  # declared: the forms a column may have
        self.small, self.wide, self.edge = small, wide, edge
        self.quoted = quoted


_STAMPS = ["2024-02-28 23:59:59.999999", "2024-02-29 00:00:00", "2024-02-29 12:30:00", "2024-02-29 12:34:56.789",
           "2024-03-01 00:00:00", "2024-03-01 00:59:59", "2024-03-01 01:00:00", "2024-03-31 01:30:00"]
_EDGE_STAMPS = ["1999-12-31 23:59:59.5", "1970-01-01 00:00:00", "1969-12-31 23:59:59.999999", "2100-01-01 00:00:00"]

TYPES = {
    "int2": Type(21, ["SMALLINT"], ["0", "1", "2", "3"], [str(i) for i in range(-5, 20)], ["32767", "-32768"], False),
    "int4": Type(23, ["INT", "INTEGER"], ["0", "1", "2", "3"], [str(i) for i in range(-10, 40)],
                 ["2147483647", "-2147483648", "1000000"], False),
    "int8": Type(20, ["BIGINT"], ["0", "1", "2", "3"], [str(i) for i in range(-10, 40)],
                 ["9223372036854775807", "-9223372036854775808", "4294967296"], False),
    "numeric": Type(1700, ["NUMERIC(8,2)", "NUMERIC(14,4)", "NUMERIC", "DECIMAL(6,1)", "NUMERIC(5)"],
                    ["0", "1", "2.5", "-1"], ["0", "1", "10", "100", "-3", "2.5", "-7.5", "0.1", "19.9", "99.5"],
                    ["9999", "-9999", "0.5", "-0.5"], False),
    "float8": Type(701, ["DOUBLE PRECISION"], ["0", "1", "-1", "0.5"], ["0", "1", "2.5", "-0.25", "100", "1024.125", "-3.5"],
                   ["1e+10", "-0.0078125", "Infinity", "NaN"], False),
    "float4": Type(700, ["REAL"], ["0", "1", "-1", "0.5"], ["0", "1", "2.5", "-0.25", "100", "-3.5"], ["1e+10", "0.0078125"], False),
    "text": Type(25, ["TEXT"], ["a", "b", "c"],
                 ["a", "b", "ab", "abc", "A", "Bc", "x y", "zebra", "10", "-3", "hello world", "aaa"],
                 ["", " ", "it's", "Ünïcode", "日本", "a%b_c", "\\", " padded ", "Z\tz"]),
    "varchar": Type(1043, ["VARCHAR", "VARCHAR(12)"], ["a", "b", "c"], ["a", "b", "ab", "abc", "A", "Bc", "zebra"], ["", "é", " b "]),
    "bool": Type(16, ["BOOLEAN"], ["t", "f"], ["t", "f"], ["t", "f"]),
    "date": Type(1082, ["DATE"], ["2024-02-28", "2024-02-29", "2024-03-01"],
                 ["2024-01-01", "2024-01-31", "2024-02-28", "2024-02-29", "2024-03-01", "2024-12-30", "2023-12-31"],
                 ["1970-01-01", "1999-12-31", "0001-01-01", "9999-12-31"]),
    "time": Type(1083, ["TIME"], ["00:00:00", "12:30:00", "23:59:59"], ["00:00:00", "01:02:03.5", "12:30:00", "23:59:59.999999"],
                 ["00:00:00.000001"]),
    "timestamp": Type(1114, ["TIMESTAMP"], _STAMPS[1:5], _STAMPS, _EDGE_STAMPS),
    "timestamptz": Type(1184, ["TIMESTAMPTZ"], [s + "+00" for s in _STAMPS[1:5]], [s + "+00" for s in _STAMPS],
                        [s + "+00" for s in _EDGE_STAMPS]),
    "interval": Type(1186, ["INTERVAL"], ["00:00:00", "01:00:00", "1 day"],
                     ["00:00:00", "01:00:00", "1 day", "25:00:00", "1 mon", "31 days", "-00:30:00", "1 year 2 mons 3 days 04:05:06"],
                     ["-1 days +02:03:00", "00:00:00.000001"]),
    "uuid": Type(2950, ["UUID"], ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
                 ["00000000-0000-0000-0000-000000000001", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
                 ["00000000-0000-0000-0000-000000000000"]),
    "jsonb": Type(3802, ["JSONB"], ['{"a": 1}', '[1, 2]', '"a"'],
                  ['{"a": 1, "b": "x"}', '{"a": null}', '[1, 2, 3]', '{"b": {"a": 2}}', '1', '"a"', 'true', '[]', '{}'],
                  ['false', '1.5', '{"a": [1, {"b": 2}]}']),
    "int4[]": Type(1007, ["INT[]"], ["{1,2}", "{}", "{3}"], ["{1,2}", "{2,1}", "{}", "{NULL}", "{1,NULL,3}", "{3,3,3}"], ["{2147483647}"]),
    "text[]": Type(1009, ["TEXT[]"], ["{a,b}", "{}", "{c}"], ["{a,b}", "{b}", "{}", "{NULL,a}", "{zebra,ab,a}"], ['{"x y",""}']),
}
SQL_NAMES = {"int2": "smallint", "int4": "int", "int8": "bigint", "float8": "double precision", "float4": "real",
             "bool": "boolean", "varchar": "text"}


def sql_name(type):
    return SQL_NAMES.get(type, type)


def scaled(text, declared):
    """A number's text as a column declared so prints it."""
    if not declared.startswith(("NUMERIC", "DECIMAL")) or "(" not in declared:
        return text
    digits = declared[declared.index("(") + 1:-1].split(",")
    scale = int(digits[1]) if len(digits) > 1 else 0
    whole, _, fraction = text.partition(".")
    if len(fraction) > scale:
        fraction = ""
    return whole + ("." + fraction.ljust(scale, "0") if scale else "")


_MANY = {"int4": [str(n) for n in range(700)], "int8": [str(n) for n in range(0, 1400, 2)], "text": [f"t{n}" for n in range(700)],
         "numeric": [f"{n}.5" for n in range(500)], "date": [f"2024-{m:02}-{d:02}" for m in range(1, 13) for d in range(1, 29)],
         "varchar": [f"t{n}" for n in range(300)]}


_TWINS = {"interval": {"1 day": ["24:00:00"], "1 mon": ["30 days", "29 days 24:00:00"], "31 days": ["1 mon 1 day"],
                       "01:00:00": ["-1 days +25:00:00"]}}


def _twins(type, value):
    """The same value, written otherwise."""
    if type == "numeric":
        return [value + "0", value + "00"] if "." in value else [value + ".0", value + ".00"]
    if type.startswith("float"):
        return ["-0"] if value == "0" else []
    return _TWINS.get(type, {}).get(value, [])


def draw_domain(rng, type, many=False):
    """Values that a column may take; many: so many that a join of large relations stays small."""
    kind = TYPES[type]
    if many and type in _MANY:
        return list(_MANY[type])
    values = list(kind.small) if rng.random() < 0.5 else rng.sample(kind.wide, min(len(kind.wide), rng.randint(3, 12)))
    if rng.random() < 0.15:
        values += rng.sample(kind.edge, min(len(kind.edge), 2))
    if rng.random() < 0.3:
        values += [twin for value in values for twin in _twins(type, value)]
    return values


def as_declared(values, declared):
    return list(dict.fromkeys(scaled(value, declared) for value in values))


def literal(type, value):
    """SQL of a value where the type must be known."""
    if value is None:
        return f"NULL::{sql_name(type)}"
    if type == "int4":
        return f"({value})" if value.startswith("-") else value
    if type == "bool":
        return "true" if value == "t" else "false"
    if type == "numeric" and "." in value:
        return f"({value})" if value.startswith("-") else value
    if type == "text" or type == "varchar":
        return quote(value)
    return f"{quote(value)}::{sql_name(type)}"


def quote(value):
    return "'" + value.replace("'", "''") + "'"


def in_values(type, value):
    """SQL of a value in VALUES, where the column says what type it has."""
    if value is None:
        return "NULL"
    plain = not TYPES[type].quoted and not type.startswith("float") and value.lstrip("-").replace(".", "").isdigit()
    return value if plain else quote(value)


def as_json(type, value):
    """The value as an ingested record has it."""
    if value is None:
        return "null"
    if type == "bool":
        return "true" if value == "t" else "false"
    if type == "jsonb":
        return value
    if type.endswith("[]"):
        words = [w.strip('"') for w in value[1:-1].split(",")] if value != "{}" else []
        return "[" + ",".join(as_json(type[:-2], None if w == "NULL" else w) for w in words) + "]"
    if value == "-0":
        return "-0.0"
    if not TYPES[type].quoted and value.lstrip("-").replace(".", "").replace("e", "").replace("+", "").replace("-", "").isdigit():
        return value
    return json.dumps(value, ensure_ascii=False)
