#!/usr/bin/env python3
"""Scalar functions, operators and casts against a real PostgreSQL, with random and edge arguments.

    run_function_oracle.py [--seed N] [--rounds N] [--only WORD] [--show N]

The signatures are PostgreSQL's own (pg_proc, pg_operator, pg_cast) over the types that weir has. For
each, arguments are drawn from pools of edge values by type, and by name where a function wants a
pattern, a format, a zone or a path. Each call runs alone on both sides: the value or the SQLSTATE
must agree. The calls that succeed run again as one query over a VALUES list, as a batch of rows.
Departures that are meant are in the tables below and in docs/postgresql.md, by name."""
import argparse
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import weirtest  # noqa: E402
from run_oracle import Postgres  # noqa: E402

TYPES = {16: "boolean", 17: "bytea", 19: "name", 20: "bigint", 21: "smallint", 23: "integer", 25: "text", 700: "real",
         701: "double precision", 1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp",
         1184: "timestamptz", 1186: "interval", 1700: "numeric", 2950: "uuid", 3802: "jsonb", 4072: "jsonpath",
         1009: "text[]", 1007: "integer[]"}

TEXTS = ["", " ", "a", "abc", "ABC", "Hello World", "  padded  ", "aaa", "abcabcabc", "naïve Ünïcödé", "日本語テキスト",
         "a,b,,c", "x1y22z333", "foo.bar_baz-qux", "it's \"quoted\"", "back\\slash", "line1\nline2\n", "tab\there", "%_",
         "ß straße", "ÀÉÎ", "😀 smile", "O'Reilly", "null", "123", "-1.5", "true", "2024-02-29", "aAbBcC", "foobarbequebaz",
         "\u00a0nbsp", "hello@example.com", "http://a.b/c?channel_id=xyz&u=1"]
PATTERNS = ["a", "", "b+", "[a-z]+", "(a)(b)?", "(?:a|ab)(c|bcd)", "^a", "c$", "\\d+", "\\w+", "\\s", "[^a-z]", "a|b|c", "(a*)*", "x*",
            "(a|b)*c", ".", "..", "(.)(.)", "(.*)b(.*)", "(.*?)b(.*)", "a.*c", "a.*?c", "(a+|b+)?", "[[:alpha:]]+", "[[:upper:]]", "(?i)ABC",
            "\\mfoo", "bar\\M", "\\y", "\\Y", "(?=b)", "(?!b).", "(?<=a)b", "(?<!a)b", "(.)\\1", "(a)|b", "((a)(b))", "[", "(", ")", "*", "a**", "a{2}",
            "a{2,}", "a{1,2}?", "{", "\\", "\\q", "[b-a]", "[[:foo:]]", "a{3,2}", "é", "[é-ï]", "(?i)ÜN", "\\A.", ".\\Z", "(?n)^l.*$", "(?x) a b # c",
            "***=a.c", "foo(o(.))?", "(\\w)(\\w*)", "o..", "(a?)*?b", "(a{0,2}?)(a*)", "\\1", "(b[^b]+)(b[^b]+)", "(?:&|\\?|^)channel_id=([^&]*)", "[-a]", "[]a]",
            "[a\\]]", "[\\w.]+@", "(x|)+", "(^|b)c", "\\u0061", "\\x61", "(a(b)?)+", "(a|ab)(bc|c)?", "(?:(a)|b)*", "x(?=1)y|x1", "[\\D]+", "[[=a=]]", "[[.-.]]"]
LIKES = ["", "%", "_", "a%", "%a", "%b%", "a_c", "ABC", "\\%", "%\\", "_%_", "%é%", "__", "%\\_%", "a%b%c%", "%(b|c)%", "[a-c]+", "#%", "%#\"o_b#\"%"]
NUMBERS = ["0", "1", "-1", "2", "3", "7", "10", "12", "100", "0.5", "-0.5", "1.5", "2.5", "-2.5", "0.1", "0.001", "123.456", "-123.456",
           "99999.99999", "1000000", "0.00", "1.10", "3.14159265358979", "1e-10", "12345678901234567890", "0.000000000001", "42", "-7.25", "1.0000", "150", "5.55"]
FLOATS = ["0", "-0", "1", "-1", "0.5", "-0.5", "1.5", "2.5", "-2.5", "3.25", "1e300", "-1e300", "1e-300", "NaN", "Infinity", "-Infinity", "0.1", "100.7", "1e10", "45", "60", "90",
          "123456.789", "4503599627370497.5", "1e-320"]
TIMESTAMPS = ["2024-02-29 12:34:56.789012", "2000-01-01 00:00:00", "1970-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2023-03-26 02:30:00", "2023-10-29 02:30:00",
              "0044-03-15 10:00:00 BC", "0001-01-01 00:00:00", "9999-12-31 00:00:00", "infinity", "-infinity", "2021-01-03 05:06:07", "2020-12-31 00:00:00", "2024-12-30 18:00:00",
              "1900-03-01 01:02:03.5", "294276-12-31 23:59:59.999999", "4714-11-24 00:00:00 BC", "2024-03-31 08:00:00"]
INTERVALS = ["0", "1 day", "-1 day", "1 mon", "1 year 2 mons 3 days 04:05:06.789", "-1 year -2 mons +3 days -04:05:06", "36:00:00", "100 days", "1 hour", "15 minutes", "5 seconds",
             "0.000001 seconds", "13 mons", "-30 days", "1 week", "-00:00:01", "24:00:00", "90 minutes", "1 mon -1 hour", "-5 years 3 mons", "1000000 hours"]
JSONS = ["null", "true", "false", "0", "1.50", "-12", '"text"', '""', "[]", "{}", "[1, 2, 3]", '{"a": 1}', '{"a": {"b": [1, 2, {"c": null}]}, "d": "x"}', '["a", "b", null]',
         '[{"a": 1, "b": 2}, {"a": 3}]', '{"a": null, "b": [null], "c": {"d": null}}', '{"k": "v", "n": 1e3}', "[[1, 2], [3, [4]]]", '{"": 1}', '{"é": "ü"}', "1e5", '{"a": [1, 2, 3], "b": "foo"}',
         '{"x": "2024-02-29", "y": 5}', '"3.7"', '[1, "1", true, null, 1.0]']
PATHS = ["$", "$.a", "$.a.b[*]", "$[*]", "$[0]", "$[last]", "$.*", "$.a ? (@ > 1)", "$[*] ? (@ > 1)", "strict $.a", "lax $.a.b.c", "$.a == 1", "$[*].a", "$.**", "$.**{1 to 2}", "$.size()",
         "$[*].type()", "$.a.double()", "$.keyvalue()", "$[*] ? (@ like_regex \"^a\")", "$.d starts with \"x\"", "exists($.a)", "$[0 to 1]", "$[1 to last]", "-$.a", "$[0] + 3", "$.a[*] ? (@ >= 2)",
         "$.a * 2", "$ ? (exists(@.a))", "$[*] ? (@.a == 1 && @.b > 1)", "$.n.ceiling()", "$[*].floor()", "$.abs()", "strict $[5]", "$[*] ? (!(@ == 1))", "($.a == 1) is unknown", "$.x.datetime()",
         "$.**.c", "\"lit\"", "1 + 2", "$.a / 0", "$[\"a\"]", "$.", "strict $.zzz", "$.a[last - 1]"]
POOLS = {
    16: ["true", "false"],
    17: ["\\x", "\\x00", "\\x616263", "\\xff00ff", "\\xdeadbeef0123", "\\x61625c63", "\\xc3a9", "\\x80"],
    19: ["UTF8", "LATIN1", "abc", "utf-8"],
    20: ["0", "1", "-1", "2", "10", "12", "-12", "1000", "9223372036854775807", "-9223372036854775808", "4294967296", "123456789012", "63", "64"],
    21: ["0", "1", "-1", "2", "7", "100", "32767", "-32768", "15", "16", "31"],
    23: ["0", "1", "-1", "2", "3", "4", "5", "7", "-3", "10", "16", "31", "32", "64", "100", "2147483647", "-2147483648", "12"],
    25: TEXTS, 1043: TEXTS,
    700: [v for v in FLOATS if "300" not in v and "320" not in v] + ["1e30", "1e-30"],
    701: FLOATS,
    1082: ["2024-02-29", "2000-01-01", "1970-01-01", "1999-12-31", "2023-03-26", "0044-03-15 BC", "infinity", "-infinity", "2021-01-03", "9999-12-31", "5874897-12-31", "4714-11-24 BC"],
    1083: ["00:00:00", "12:34:56.789012", "23:59:59.999999", "24:00:00", "01:00:00", "06:30:00"],
    1114: TIMESTAMPS,
    1184: [f"{t}+00" if "infinity" not in t and "BC" not in t else t for t in TIMESTAMPS],
    1186: INTERVALS,
    1700: NUMBERS,
    2950: ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    3802: JSONS, 4072: PATHS,
    1009: ["{}", "{a}", "{a,b}", "{a,b,0}", "{0}", "{NULL,a}", "{b,1}", "{a,b,2,c}", "{-1}", "{d}"],
    1007: ["{}", "{1,2,3}", "{NULL,1}"],
}
FIELDS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium", "epoch", "dow", "isodow", "doy",
          "isoyear", "julian", "timezone", "timezone_hour", "timezone_m", "nonsense", "YEAR", "mon", "m"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "+02", "-05:30", "EST", "Nowhere/City", "Australia/Lord_Howe", "europe/berlin", "CET", "PST8PDT", "UTC+3", "EST5EDT", "utc", "MSK", "EDT"]
TIME_FORMATS = ["YYYY-MM-DD HH24:MI:SS", "Day, DD Month YYYY", "FMDay, FMDD FMMonth", "DY Dy dy MON Mon mon", "IYYY-IW-ID IDDD", "Q WW W D DDD J", "HH12:MI:SS.MS US AM", "a.m. P.M. BC b.c. AD",
                "Y,YYY YYY YY Y", "RM rm FMRM", "SSSS SSSSS", "TZ tz TZH:TZM OF", "CC", "FF1 FF2 FF3 FF4 FF5 FF6", "\"text\" YYYY \"q\\\"x\"", "DDth DDTH FMDDth", "YYYYMMDD", "", "YYYYth",
                "FMHH24:FMMI", "month MONTH", "HH:MI", "DD/MM/YY", "IY I IYY", "YYYY-MM-DD\"T\"HH24:MI:SS"]
NUMBER_FORMATS = ["999", "9,999.99", "000.00", "FM999.99", "S999", "999S", "999PR", "MI999", "999MI", "SG99", "L999", "$999", "RN", "FMRN", "9.99EEEE", "999V99", "0999", "99th", "B999", "PL99", "9G999D99", "FM0000.00",
                  "999,999,999", ".99", "9.", "TM", "9 9 9", "\"n\"99", "FM9999999.999999", "00", "999TH"]
INPUTS = ["2024-02-29", "2024-13-01", "29/02/24", "20240229", "Thursday, 29 February 2024", "29 Feb 2024 14:05:06", "2024-02-30", "05 Dec 2000", "2024-W09-4", "12:34:56 PM", "1999-366", "-44-03-15", "2024 60", "99", "  2024-01-02  ", "abc", "XII",
          "1,234.56", "-12", "$99", "12-", "<12>", "+5", "0.001", "XIV", "2451545"]
ENCODINGS = ["hex", "base64", "escape", "HEX", "nope"]
FLAGS = ["", "g", "i", "gi", "n", "x", "q", "z", "gn", "c", "s", "w", "p", "1"]
BYNAME = [  # (name, argument, nargs or 0, pool): patterns and the like
    (r"^(~|!~|~\*|!~\*)$", 1, 0, PATTERNS), (r"^(~~|!~~|~~\*|!~~\*|like_escape|similar_.*)$", 1, 0, LIKES), (r"^regexp_", 1, 0, PATTERNS),
    (r"^regexp_replace$", 2, 0, ["", "X", "[\\1]", "<\\&>", "\\2-\\1", "\\\\", "\\x", "日"]), (r"^regexp_(replace)$", 3, 4, FLAGS), (r"^regexp_(match|like|split_to_array)$", 2, 3, FLAGS),
    (r"^regexp_count$", 3, 4, FLAGS), (r"^regexp_(replace|instr)$", 5, 0, FLAGS), (r"^regexp_substr$", 4, 0, FLAGS), (r"^substring$", 1, 2, PATTERNS), (r"^substring$", 1, 3, LIKES), (r"^substring$", 2, 3, ["#", "\\", ""]),
    (r"^(date_part|extract|date_trunc)$", 0, 0, FIELDS), (r"^date_trunc$", 2, 0, ZONES), (r"^timezone$", 0, 0, ZONES), (r"^make_timestamptz$", 6, 0, ZONES),
    (r"^encode$", 1, 0, ENCODINGS), (r"^decode$", 1, 0, ENCODINGS), (r"^decode$", 0, 0, ["", "616263", "YWJj", "abc\\\\d", "zz", "YW", "\\x41", "6", "YWJj\nYQ==", "\\101"]), (r"^(to_date|to_timestamp|to_number)$", 0, 2, INPUTS),
    (r"^(to_date|to_timestamp)$", 1, 2, TIME_FORMATS + ["YYYY-MM-DD", "DD Mon YYYY HH24:MI:SS", "Day, DD Month YYYY", "DD/MM/YY", "YYYY-\"W\"IW-ID", "YYYY-DDD", "HH12:MI:SS PM", "J", "YYYY DDD", "FXYYYY-MM-DD"]), (r"^to_number$", 1, 0, NUMBER_FORMATS),
    (r"^normalize$|^is_normalized$", 1, 0, ["NFC", "NFD", "NFKC", "NFKD", "nfc", "x"]), (r"^format$", 0, 0, ["Hello %s", "%I", "%L", "%%", "%1$s %1$s", "%10s|", "%-10s|", "%s %s", "%", "%x", "%2$s"]),
    (r"^(convert|convert_from|convert_to)$", 1, 0, ["UTF8", "utf-8", "LATIN1", "nope"]), (r"^split_part$", 1, 0, [",", "b", "", "abc", "."]), (r"^(strpos|position|starts_with|\^@)$", 1, 0, ["a", "", "b", "日", "lo"]),
    (r"^unistr$", 0, 0, ["d\\0061t\\+000061", "\\u0061", "\\U00000061", "\\\\", "\\00", "\\d83d\\de00", "\\d83d"]), (r"^(lpad|rpad|repeat)$", 1, 0, ["0", "1", "5", "-1", "10", "20"]),
    (r"^string_to_array$", 1, 0, [",", "", "b"]), (r"^(\?)$", 1, 0, ["a", "b", "", "text", "x"]), (r"^jsonb_(extract_path|extract_path_text)$", 1, 0, ["{a}", "{a,b}", "{0}"]), (r"^(->|->>|-)$", 1, 0, ["a", "b", "d", "", "é"]),
    (r"^(pg_size_bytes)$", 0, 0, ["1 kB", "1.5 GB", "10", "-3MB", "abc", "1 TB", ""]), (r"^(make_)", 0, 0, ["2024", "0", "-44", "1", "12", "23", "10000"]), (r"^(make_)", 1, 0, ["1", "2", "12", "13", "0", "59"]), (r"^(make_)", 2, 0, ["1", "29", "31", "0", "59.5", "60"]),
    (r"^make_timestamp", 3, 0, ["0", "12", "23", "24", "-1"]), (r"^make_timestamp", 4, 0, ["0", "59", "60"]), (r"^make_timestamp", 5, 0, ["0", "59.999999", "60", "12.5", "61"]), (r"^factorial$", 0, 0, ["0", "1", "5", "20", "33", "-1"]),
    (r"^(<<|>>)$", 1, 0, ["0", "1", "4", "31", "63"]), (r"^(get|set)_(bit|byte)$", 1, 0, ["0", "1", "5", "7", "8", "-1", "100"]), (r"^set_(bit|byte)$", 2, 0, ["0", "1", "65", "2", "255"]),
    (r"^parse_ident$", 0, 0, ["a.b", '"A".b', "a..b", "1a", "", "Foo . Bar", "a.b c"]),
]
BYTYPE = [(r"^to_char$", 1, {1700: NUMBER_FORMATS, 20: NUMBER_FORMATS, 23: NUMBER_FORMATS, 700: NUMBER_FORMATS, 701: NUMBER_FORMATS, 1114: TIME_FORMATS, 1184: TIME_FORMATS, 1186: TIME_FORMATS})]
# Not functions of SQL that anyone calls: support of types, indexes and the system.
IGNORED = re.compile(r"^(pg_|bt|hash|txid|lo_|has_|inet|ts_|json_|xml|int[248]|float[48]|numeric_|numeric$|date_(cmp|eq|ne|lt|le|gt|ge|mi|pl|in|out|larger|smaller|send|sortsupport)|time_|timestamp|timetz|"
                     r"interval_|text_|texteq|textne|textlen|textcat|textlike|textnlike|textic|textreg|textan|textsend|text$|anytext|bytea|bool|uuid_|jsonb_(eq|ne|lt|le|gt|ge|cmp|hash|concat|contain|delete|exists|send|array_element|object_field|recv|out|in|path_exists_opr|path_match_opr)|name|"
                     r"bpchar|array_|row_|record_|cash|oid|query_|schema_|table_|database_|cursor_|range|multi|brin|gin|gist|spg|current_|binary_|inter|like$|not(like)|ilike|nlike|iclike|in_range|varchar|char|nextval|setval|"
                     r"currval|last|dsi|dtoi|to_reg|col_desc|obj_|ri_|RI_|.*range_subdiff|datetime_pl|integer_pl|mul_d_interval|dcbrt|dexp|dlog|dpow|dround|dsqrt|dtrunc|loread|lowrite|getpgusername|anyarray|textlt|textgt|"
                     r"jsonpath_|similar_escape|to_ascii|version|now$|random|setseed|clock_|statement_|transaction_|timeofday|gen_random|session_user|set_config|getdatabase|age$|array|day|isfinite$|setweight|tsvector|ltrim|inetnot|plaintsquery|to_ts|bit$|date$|.*_tz$|"
                     r"starts_with_support|text_starts|textgename|timedate_pl|like_escape|unknown|cstring|textout|euc|circle|box|path|point|poly|lseg|line|area|slope|money|macaddr|network|host|abbrev|float|oct|timezone$|convert$|overlaps$)")
ALWAYS = {"age", "isfinite", "timezone", "ltrim", "array_length", "overlaps", "convert", "numeric_inc", "date"}
SESSION_ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "<+05:45>-05:45"]
class Call:
    """One call on both sides: SQLSTATEs (None: it succeeds) and values or messages."""

    def __init__(self, signature, values, text, zone, ours, actual, state, expected):
        self.name, self.oids, self.kind = signature.name, signature.oids, signature.kind
        self.values, self.text, self.zone = values, text, zone
        self.ours, self.actual, self.state, self.expected = ours, actual, state, expected


class Departure:
    def __init__(self, name, holds):
        self.name, self.holds = name, holds


COMPARISONS = {"<", "<=", "=", "<>", ">=", ">"}
TIMES = {1082, 1114, 1184}
# Calls whose results are meant to differ, by the names that docs/postgresql.md has.
DEPARTURES = [
    Departure("numeric-limit", lambda c: 1700 in c.oids + [oid_of(c)] and c.expected is not None and bool(re.search(r"NaN|[Ii]nfinity", c.expected))),
    # PostgreSQL before 15.20 keeps all of the text.
    Departure("all-but-the-most", lambda c: c.name == "right" and "'-2147483648'" in c.text),
    Departure("jsonpath-datetime", lambda c: ".datetime()" in c.text and c.ours == "0A000"),
    Departure("nan-pattern", lambda c: c.name == "to_char" and c.oids[0] in (700, 701) and bool(re.search(r"NaN|Infinity", c.text))),
    # A date beyond timestamps, or a timestamp whose instant in a zone is beyond them, is an error where it meets one.
    Departure("far-times", lambda c: c.name == "date_trunc" and "294276" in c.text and c.ours == "22008"),
    Departure("zone-in-time", lambda c: c.kind == "cast" and c.name == "time" and (c.ours, c.state) == ("22007", "22023")),
    Departure("null-and-path", lambda c: 4072 in c.oids and "CAST(NULL" in c.text and c.state == "42601" and c.actual is None),
    Departure("far-times", lambda c: c.name in COMPARISONS and len(c.oids) == 2 and c.oids[0] != c.oids[1] and set(c.oids) <= TIMES and c.ours == "22008"),
    Departure("encodings", lambda c: c.ours == "0A000" and "encoding" in (c.actual or "")),
    # A back reference to a group of a constraint, which matches nothing: PostgreSQL misses some matches.
    Departure("empty-back-reference", lambda c: bool(re.search(r"\\\\[1-9]", c.text) and re.search(r"\((\\\\[mMyY]|\^|\$|\(\?)", c.text))),
    Departure("interval-overflow", lambda c: c.ours == "22008" and c.state is None and (c.name, c.oids) in (("-", [1184, 1184]), ("-", [1114, 1114])) or
              c.name == "make_interval" and c.ours == "22008"),
]
NOT_THERE = {"is_normalized(text, text)", 'pg_catalog."normalize"(text, text)'}  # signatures of PostgreSQL that weir does not have; docs/functions.md says so


def oid_of(call):
    return 1700 if call.name in ("extract", "numeric") or call.kind == "field" else 0


def random_pattern(rng, depth=0):
    """Over few letters, so that much of it matches; with groups, both preferences, back references, lookaround."""
    part = ""
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        if kind < 0.5 or depth > 2:
            atom = rng.choice(["a", "b", "c", ".", "[ab]", "[^a]", "\\w", "x"])
        elif kind < 0.75:
            atom = f"({random_pattern(rng, depth + 1)})"
        elif kind < 0.88:
            atom = f"(?:{random_pattern(rng, depth + 1)}|{random_pattern(rng, depth + 1)})"
        elif kind < 0.93:
            part += rng.choice(["^", "$", "\\m", "\\M", "\\y"])
            continue
        elif kind < 0.97:
            part += rng.choice(["(?=", "(?!", "(?<=", "(?<!"]) + rng.choice("abc.") + ")"
            continue
        else:
            atom = "\\1"
        part += atom + rng.choice(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}"])
    return part


def literal(rng, oid, value):
    if value is None:
        return f"CAST(NULL AS {TYPES[oid]})"
    quoted = value.replace("'", "''")
    if "\\" in value or "\n" in value or "\t" in value:
        quoted = "E'" + quoted.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") + "'"
    else:
        quoted = f"'{quoted}'"
    return f"CAST({quoted} AS {TYPES[oid]})"


def pool(name, i, oids):
    for pattern, arg, by in BYTYPE:
        if arg == i and re.search(pattern, name) and oids[0] in by:
            return by[oids[0]]
    for pattern, arg, nargs, values in BYNAME:
        if arg == i and (nargs == 0 or nargs == len(oids)) and re.search(pattern, name):
            if oids[i] in (25, 1043) or (oids[i] in (20, 21, 23, 701, 19, 1700) and all(re.fullmatch(r"-?[\d.]+", v) for v in values) and
                                         (oids[i] in (701, 1700) or all("." not in v for v in values))) or (oids[i] == 19 and values[0] == "UTF8"):
                return values
    if name in ("parse_ident", "unistr") and oids[i] == 25:
        pass
    return POOLS[oids[i]]


class Signature:
    def __init__(self, name, oids, kind):
        self.name, self.oids, self.kind = name, oids, kind

    def text(self, args):
        if self.kind == "prefix":
            return f"{self.name} {args[0]}"
        if self.kind == "infix":
            return f"{args[0]} {self.name} {args[1]}"
        if self.kind == "cast":
            return f"CAST({args[0]} AS {self.name})"
        if self.kind == "extract":
            return f"EXTRACT({args[0]} FROM {args[1]})"
        return f"{self.name}({', '.join(args)})"

    def title(self):
        return self.text([TYPES[o] for o in self.oids])

    def is_zoned(self):
        """Whether the session's time zone matters."""
        times = {1082, 1083, 1114, 1184} & set(self.oids)
        return 1184 in times or (self.kind == "cast" and (times or "timestamptz" in self.name)) or self.name in ("make_timestamptz", "to_timestamp")

    def draw(self, rng):
        values = []
        for i, oid in enumerate(self.oids):
            if re.match(r"^(regexp_|~|~\*|!~)", self.name) and rng.random() < 0.6 and i < 2:
                values.append(random_pattern(rng) if i == 1 else "".join(rng.choice("aabbcd \n" if self.oids[0] == 19 else "aabbcdé \n") for _ in range(rng.randint(0, 9))))
                continue
            values.append(None if rng.random() < 0.03 else rng.choice(pool(self.name, i, self.oids)))
        return values


def signatures(pg):
    known = ",".join(str(o) for o in TYPES)
    found = []
    for row in pg.simple(f"SELECT proname, array_to_string(proargtypes::oid[], ',') FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' "
                         f"AND NOT proretset AND provariadic = 0 AND provolatile <> 'v' AND pronargs > 0 AND prorettype IN ({known}) AND prorettype NOT IN (4072) AND NOT EXISTS (SELECT 1 FROM unnest(proargtypes::oid[]) a(t) "
                         f"WHERE t NOT IN ({known})) ORDER BY 1, 2")[0].rows:
        name, args = row[0].decode(), [int(v) for v in row[1].decode().split(",")]
        if name not in ALWAYS and (IGNORED.match(name) and name not in ("regexp_match",)):
            continue
        if name in ("position", "overlay", "normalize", "is_normalized", "substring", "extract") and name in ("extract",):
            continue
        found.append(Signature(f'pg_catalog."{name}"' if name in ("position", "overlay", "normalize", "overlaps", "substring") else name, args, "call"))
    for row in pg.simple(f"SELECT oprname, oprleft, oprright FROM pg_operator WHERE oprright IN ({known}) AND (oprleft = 0 OR oprleft IN ({known})) AND oprname !~ '^(~[<>]|[*<>]~|<->|@@@|\\*[<>=])' "
                         f"AND oprresult IN ({known}) AND NOT (oprname IN ('~<~','~<=~','~>=~','~>~')) AND NOT (oprname = '@@' AND oprleft = 25) ORDER BY 1, 2, 3")[0].rows:
        left, right = int(row[1]), int(row[2])
        found.append(Signature(row[0].decode(), [right] if left == 0 else [left, right], "prefix" if left == 0 else "infix"))
    for row in pg.simple(f"SELECT castsource, casttarget FROM pg_cast WHERE castsource IN ({known}) AND casttarget IN ({known}) AND castsource <> casttarget ORDER BY 1, 2")[0].rows:
        found.append(Signature(TYPES[int(row[1])], [int(row[0])], "cast"))
    for target in TYPES:
        if target not in (19, 1043, 4072):
            found.append(Signature(TYPES[target], [25], "cast"))
        if target not in (25, 4072):
            found.append(Signature("text", [target], "cast"))
    for oid in (1082, 1083, 1114, 1184, 1186):
        for field in FIELDS:
            if field not in ("nonsense", "m", "timezone_m", "mon", "YEAR"):
                found.append(Signature(field, [oid], "field"))
    return found


def run_one(pg, sql):
    """(SQLSTATE or None, oid, value)"""
    try:
        result = pg.simple(sql)[-1]
    except weirtest.PgError as error:
        return error.sqlstate, 0, error.message
    except ConnectionError:
        print(f"the server ended at: {sql}")
        raise
    value = result.rows[0][0]
    return None, result.oids[0], None if value is None else value.decode()


def close(oid, a, b):
    if weirtest.same_value(oid, a, b):
        return True
    if oid in (700, 701) and a is not None and b is not None:
        x, y = float(a), float(b)
        return x == x and y == y and abs(x - y) <= abs(y) * 1e-15
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--only", default="")
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--missing", action="store_true", help="also list functions that weir does not have")
    options = parser.parse_args()
    weirtest.need_weir()
    checks = weirtest.Checks()
    rng = random.Random(options.seed)
    missing, departed = [], {}
    with Postgres() as postgres, weirtest.Server() as server, server.pg() as weir, weirtest.Pg(postgres.dir, 5432, database="postgres") as pg:
        found = [s for s in signatures(pg) if not options.only or re.search(options.only, s.name)]
        for zone in SESSION_ZONES:
            for connection in (weir, pg):
                connection.simple(f"SET timezone = '{zone}'")
            for signature in found:
                if zone == "UTC" or signature.is_zoned():
                    test_signature(checks, signature, rng, options, weir, pg, missing, zone, departed)
    if options.missing:
        print("\n".join(sorted(set(missing))))
        print(f"{len(set(missing))} signatures are missing")
    unexpected = {m.split("  [")[0] for m in missing} - NOT_THERE
    checks.true("signatures that are missing", not unexpected, unexpected)
    print("departures: " + (", ".join(f"{name} {n}" for name, n in sorted(departed.items())) or "none"))
    checks.end()


def test_signature(checks, signature, rng, options, weir, pg, missing, zone, departed):
    shown, batch = 0, []
    for _ in range(options.rounds if zone == "UTC" else options.rounds // 2):
        values = signature.draw(rng)
        args = [literal(rng, o, v) for o, v in zip(signature.oids, values)]
        text = f"EXTRACT({signature.name} FROM {args[0]})" if signature.kind == "field" else signature.text(args)
        sql = f"SELECT {text}"
        state, oid, expected = run_one(pg, sql)
        ours, our_oid, actual = run_one(weir, sql.replace(" AS jsonpath)", " AS text)"))
        call = Call(signature, values, text, zone, ours, actual, state, expected)
        if ours in ("42883", "42725", "42704") and state != ours or (ours == "0A000" and actual.startswith("function ") and actual.endswith("is not supported")):
            missing.append(f"{signature.title()}  [{ours}]")
            return
        if oid == 1700 and expected is not None and len(expected.strip("-").replace(".", "")) > 38:
            continue  # NUMERIC has 38 digits
        if oid == 3802 and expected is not None and '"id"' in expected:
            continue  # the ids of .keyvalue()
        same = ours == state and (state is not None or (our_oid == oid and close(oid, actual, expected)))
        if same:
            checks.true("", True)
            if state is None and signature.kind not in ("field",):
                batch.append((args, oid, expected))
            continue
        name = next((d.name for d in DEPARTURES if d.holds(call)), None)
        if name is not None:
            departed[name] = departed.get(name, 0) + 1
            continue
        if shown < options.show:
            checks.true(signature.title(), False, f"\n  {text} in {zone}\n    weir       {ours or ''} {our_oid} {actual!r}\n    PostgreSQL {state or ''} {oid} {expected!r}")
        else:
            checks.failed += 1
        shown += 1
    if len(batch) > 1 and shown == 0:
        run_batch(checks, signature, batch, weir)


def run_batch(checks, signature, batch, weir):
    names = [f"c{i}" for i in range(len(signature.oids))]
    rows = ", ".join(f"({n}, {', '.join(args)})" for n, (args, _, _) in enumerate(batch))
    sql = f"SELECT {signature.text(names)} FROM (VALUES {rows}) AS v(n, {', '.join(names)}) ORDER BY n".replace(" AS jsonpath)", " AS text)")
    try:
        result = weir.simple(sql)[-1]
    except weirtest.PgError as error:
        checks.true(signature.title() + " as a batch", False, f"{error}\n  {sql}")
        return
    for (args, oid, expected), row in zip(batch, result.rows):
        actual = None if row[0] is None else row[0].decode()
        if not close(oid, actual, expected):
            checks.true(signature.title() + " as a batch", False, f"\n  {args}\n    weir       {actual!r}\n    PostgreSQL {expected!r}\n  {sql}")
            return
    checks.true("", True)


main()
