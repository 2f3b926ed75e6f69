"""The grammar's productions of expressions, as data: a type and a template a line.

In a template {type} is an expression of that type, {=} one of any type, the same at each place, {<} one that has
min and max, {@1} what stands at the first of these places, {a|b} a choice of texts. The name of a production's feature is its template. Before a run each is tried on both systems:
one that weir refuses as not supported, or does not know, is left out and reported by name.

A line that begins with '!' may fail on some rows: it is drawn rarely, since a query that fails says little.
One that begins with '~' keeps a value's text as it is (a number with its zeros)."""
import re

SCALAR = r"""
# numbers
int4     {int4} + {int4}
int4     {int4} - {int4}
int4     {int4} * {2|3|-1|10}
!int4    {int4} * {int4}
int4     {int4} / {2|3|-2|7}
int4     {int4} / nullif({int4}, 0)
!int4    {int4} / {int4}
int4     {int4} % {2|3|-2|5}
int4     mod({int4}, {2|3|5})
int4     -{int4}
int4     +{int4}
int4     abs({int4})
int4     sign({int4})::int
int4     {int4} & {int4}
int4     {int4} | {int4}
int4     {int4} # {int4}
int4     ~{int4}
int4     {int4} << {1|2|3}
int4     {int4} >> {1|2|3}
int4     {int2} + {int4}
int2     {int2} + {int2}
int2     -{int2}
int2     {int2} % {2::smallint|3::smallint}
int4     gcd({int4}, {int4})
int8     lcm({int8}, {int8})
int8     {int8} + {int8}
int8     {int8} - {int4}
int8     {int4} + {int8}
int8     {int8} * {2|3|-1}
int8     {int8} / {2|3|-2}
int8     {int8} % {2|3|5}
int8     abs({int8})
int8     {int8} & {int8}
int8     {int8} >> {1|3}
!int8    {int8} / {int8}
numeric  {numeric} + {numeric}
numeric  {numeric} - {numeric}
numeric  {numeric} * {numeric}
numeric  {numeric} + {int4}
numeric  {int8} * {numeric}
numeric  {numeric} / {2|3|7|0.5|-4}
numeric  {numeric} / nullif({numeric}, 0)
numeric  {int4} / {2.0|3.0|7.5}
!numeric {numeric} / {numeric}
numeric  {numeric} % {2|3|0.7}
numeric  mod({numeric}, {2|3|1.5})
numeric  div({numeric}, {2|3|0.7})
numeric  -{numeric}
numeric  abs({numeric})
numeric  sign({numeric})
numeric  round({numeric})
numeric  round({numeric}, {0|1|3|-1})
numeric  trunc({numeric})
numeric  trunc({numeric}, {0|1|-1})
numeric  ceil({numeric})
numeric  floor({numeric})
numeric  power({numeric}, {2|3|0})
numeric  sqrt(abs({numeric}))
numeric  exp({0|1|0.5|-2}::numeric)
numeric  ln({2|10|0.5}::numeric)
numeric  log({2|10|100}::numeric)
int4     scale({numeric})
int4     min_scale({numeric})
numeric  trim_scale({numeric})
int4     width_bucket({numeric}, {0|-5}, {10|20}, {3|5})
int4     width_bucket({float8}, {0|-5}, {10|20}, {3|5})
float8   {float8} + {float8}
float8   {float8} * {float8}
float8   {float8} - {int4}
float8   {float8} / {2|-4}
float8   -{float8}
float8   abs({float8})
float8   sqrt(abs({float8}))
float8   floor({float8})
float8   ceil({float8})
float8   round({float8})
float8   trunc({float8})
float8   sign({float8})
float8   power({float8}, {2|3})
float8   cbrt({float8})
float8   degrees({float8})
float8   {float4} + {float8}
float4   {float4} + {float4}
float4   {float4} * {float4}
float4   abs({float4})
# text
text     {text} || {text}
text     {text} || {int4}
text     {numeric} || {text}
text     {text} || {date}
text     upper({text})
text     lower({text})
text     initcap({text})
text     left({text}, {0|1|2|-1})
text     right({text}, {0|1|2|-1})
text     substr({text}, {1|2|0|-1})
text     substr({text}, {1|2|0|-1}, {0|1|2|5})
text     substring({text} FROM {1|2})
text     substring({text} FROM {1|2} FOR {1|2})
text     substring({text} FROM {'[a-z]+'|'b(.)'|'^.'})
text     replace({text}, {'a'|'b'|''}, {text})
text     translate({text}, {'ab'|'abc'|' '}, {'xy'|''})
text     trim({text})
text     trim(BOTH {'a'|' a'} FROM {text})
text     ltrim({text}, {'a'|' '})
text     rtrim({text})
text     btrim({text}, {'ab'|''})
text     lpad({text}, {0|3|6})
text     lpad({text}, {2|5}, {'xy'|'-'|''})
text     rpad({text}, {0|3|6}, {'xy'|'-'})
text     repeat({text}, {0|1|2|-1})
text     reverse({text})
text     split_part({text}, {'b'|' '|'a'}, {1|2|-1})
text     concat({text}, {int4}, {bool})
text     concat({numeric}, {text})
text     concat_ws({','|'-'}, {text}, {text}, {int4})
text     md5({text})
text     chr({65|97|8364})
text     to_hex({int4})
text     to_hex({int8})
text     encode(convert_to({text}, 'UTF8'), {'hex'|'base64'|'escape'})
text     convert_from(convert_to({text}, 'UTF8'), 'UTF8')
text     quote_literal({text})
text     quote_ident({text})
text     quote_nullable({text})
text     format({'%s-%s'|'%I %L'|'%2$s %1$s'}, {text}, {text})
text     format({'[%5s]'|'[%-5s]'|'%s%%'}, {text})
text     regexp_replace({text}, {'[aeiou]'|'b+'|'(.)b'|'^a'}, {'x'|'<\1>'|'\\&'|''})
text     regexp_replace({text}, {'[a-c]'|'.'}, {'x'|''}, {'g'|'i'|'gi'})
text     regexp_replace({text}, {'a|b'|'.$'}, {'x'|''}, {1|2}, {1|2})
text     regexp_substr({text}, {'[a-z]+'|'b.'})
int4     regexp_count({text}, {'a'|'[a-z]'|'b+'})
int4     regexp_instr({text}, {'b'|'[a-z]+'|'c'})
bool     regexp_like({text}, {'a'|'^b'|'c$'})
text     overlay({text} PLACING {'xy'|''} FROM {1|2} FOR {0|1})
text     overlay({text} PLACING {'xy'|'z'} FROM {1|2})
text     unistr({'d\0061t'|'x'})
text     normalize({text})
text     {text} COLLATE "C"
int4     length({text})
int4     char_length({text})
int4     octet_length({text})
int4     bit_length({text})
int4     strpos({text}, {'a'|'b'|''})
int4     position({'b'|'c'} IN {text})
int4     ascii({text})
bool     starts_with({text}, {'a'|''|'ab'})
bool     {text} ^@ {'a'|'b'}
bool     {text} LIKE {'a%'|'%b%'|'_b%'|'%'|''|'a\%b%'}
bool     {text} NOT LIKE {'a%'|'%c'}
bool     {text} ILIKE {'A%'|'%B_'|'%é%'}
bool     {text} LIKE {'a!%b%'|'%!_c'} ESCAPE '!'
bool     {text} SIMILAR TO {'(a|b)%'|'_b'|'[a-c]+'}
bool     {text} ~ {'^a'|'b$'|'[0-9]+'|'a.c'|'^(a|b)+$'}
bool     {text} !~ {'a'|'^$'}
bool     {text} ~* {'^A'|'B$'}
bool     {text} !~* {'A'|'C$'}
text     to_char({int4}, {'999'|'FM999'|'S99'|'0000'|'9,999'|'RN'})
text     to_char({numeric}, {'999.99'|'FM990.0'|'9G999D99'|'SG99.9'|'000.0'|'99.9PR'|'9MI'})
text     to_char({int8}, {'99999'|'FM00'|'999th'})
text     to_char({timestamp}, {'YYYY-MM-DD HH24:MI:SS.US'|'Day DD Mon YYYY'|'IYYY-IW-ID'|'HH12:MI AM'|'FMMonth FMDDth'|'J Q WW DDD'|'YY,YYY MS SSSS'})
text     to_char({timestamptz}, {'YYYY-MM-DD HH24:MI'|'Dy, DD MON'|'OF TZ'})
text     to_char({interval}, {'HH24:MI:SS'|'DD HH'})
numeric  to_number({'12,454.8-'|'-34'|'1.5'}, {'99G999D9S'|'S99.9'})
date     to_date({'2024-02-29'|'2024-3-1'}, 'YYYY-MM-DD')
date     to_date({'29 Feb 2024'|'1 mar 2023'}, 'DD Mon YYYY')
timestamptz to_timestamp({'2024-02-29 12:34'|'2024-01-01 00:00'}, 'YYYY-MM-DD HH24:MI')
timestamptz to_timestamp({float8})
text     sha256(convert_to({text}, 'UTF8'))::text
text     encode(sha256(convert_to({text}, 'UTF8')), 'hex')
text     encode(sha512(convert_to({text}, 'UTF8')), 'base64')
# booleans and comparisons
bool     {bool} AND {bool}
bool     {bool} OR {bool}
bool     NOT {bool}
bool     {bool} IS TRUE
bool     {bool} IS NOT TRUE
bool     {bool} IS FALSE
bool     {bool} IS UNKNOWN
bool     {bool} IS NOT UNKNOWN
bool     {=} = {=}
bool     {=} <> {=}
bool     {=} < {=}
bool     {=} <= {=}
bool     {=} > {=}
bool     {=} >= {=}
bool     {=} IS NULL
bool     {=} IS NOT NULL
bool     {=} IS DISTINCT FROM {=}
bool     {=} IS NOT DISTINCT FROM {=}
bool     {=} BETWEEN {=} AND {=}
bool     {=} NOT BETWEEN {=} AND {=}
bool     {=} BETWEEN SYMMETRIC {=} AND {=}
bool     {=} IN ({=}, {=})
bool     {=} NOT IN ({=}, {=}, {=})
bool     {=} = ANY (ARRAY[{=}, {=}])
bool     {=} <> ALL (ARRAY[{=}, {=}])
bool     {=} > ANY (ARRAY[{=}, {=}])
bool     ({=}, {int4}) = ({=}, {int4})
bool     ({=}, {int4}) < ({=}, {int4})
bool     ({=}, {text}) IN (({=}, {text}), ({=}, {text}))
bool     {int4} = {int8}
bool     {int4} < {numeric}
bool     {int2} >= {int4}
bool     {int4} = {float8}
bool     {numeric} > {float8}
bool     {float4} < {float8}
bool     {date} < {timestamp}
bool     {date} = {timestamptz}
bool     {timestamp} >= {timestamptz}
bool     {int4}::bool
bool     isfinite({timestamp})
bool     num_nulls({int4}, {text}) = {0|1}
int4     num_nonnulls({int4}, {text}, {bool})
# conditionals
=        CASE WHEN {bool} THEN {=} ELSE {=} END
=        CASE WHEN {bool} THEN {=} WHEN {bool} THEN {=} END
=        CASE {int4} WHEN {0|1|2} THEN {=} WHEN 3 THEN {=} ELSE {=} END
=        CASE {text} WHEN {'a'|'b'} THEN {=} ELSE {=} END
=        coalesce({=}, {=})
=        coalesce({=}, {=}, {=})
=        nullif({=}, {=})
=        greatest({=}, {=})
=        least({=}, {=}, {=})
# casts
int4     {int8}::int
int4     round({numeric})::int
int4     {numeric}::int
int4     {bool}::int
int4     {int2}::int
int4     {float8}::int
!int4    {text}::int
int4     length({text})::int
int8     {int4}::bigint
int8     {numeric}::bigint
int2     {int4}::smallint
numeric  {int4}::numeric
numeric  {numeric}::numeric(10,1)
numeric  {numeric}::numeric(12,4)
numeric  {int8}::numeric(20,2)
numeric  {float8}::numeric
float8   {int4}::float8
float8   {numeric}::float8
float8   {float4}::float8
float4   {float8}::real
text     {int4}::text
text     {int8}::text
text     {bool}::text
text     {date}::text
text     {timestamp}::text
text     {timestamptz}::text
text     {interval}::text
text     {time}::text
text     {uuid}::text
text     {float8}::text
text     {jsonb}::text
text     {text}::varchar(2)::text
text     cast({text} AS char(3))::text
date     {timestamp}::date
date     {timestamptz}::date
time     {timestamp}::time
time     {interval}::time
timestamp {date}::timestamp
timestamp {timestamptz}::timestamp
timestamptz {timestamp}::timestamptz
timestamptz {date}::timestamptz
interval {time}::interval
# dates and times
date     {date} + {1|30|-7}
date     {date} - {1|365}
date     {date} + {int4}
int4     {date} - {date}
timestamp {date} + {time}
timestamp {date} + {interval}
timestamp {timestamp} + {interval}
timestamp {timestamp} - {interval}
timestamp {timestamp} + interval {'1 day'|'1 month'|'90 minutes'|'-1 year'}
timestamptz {timestamptz} + {interval}
timestamptz {timestamptz} - interval {'1 day'|'1 month'|'90 minutes'}
interval {timestamp} - {timestamp}
interval {timestamptz} - {timestamptz}
interval {interval} + {interval}
interval {interval} - {interval}
interval -{interval}
interval {interval} * {2|-1|0.5|1.5}
interval {interval} / {2|3}
time     {time} + {interval}
interval {time} - {time}
interval age({timestamp}, {timestamp})
interval justify_hours({interval})
interval justify_days({interval})
interval justify_interval({interval})
interval make_interval(days => {int4})
interval make_interval(0, {int4}, 0, 1)
interval date_trunc({'hour'|'day'|'month'}, {interval})
timestamp date_trunc({'second'|'minute'|'hour'|'day'|'week'|'month'|'quarter'|'year'|'decade'}, {timestamp})
timestamptz date_trunc({'hour'|'day'|'week'|'month'|'year'}, {timestamptz})
timestamptz date_trunc({'hour'|'day'|'month'}, {timestamptz}, {'UTC'|'Europe/Vienna'|'America/New_York'})
timestamp date_bin(interval {'15 minutes'|'1 hour'|'1 day'}, {timestamp}, timestamp '2024-01-01 00:05')
timestamptz date_bin(interval {'15 minutes'|'7 days'}, {timestamptz}, timestamptz '2000-01-01 00:00+00')
numeric  extract({year|month|day|hour|minute|second|dow|isodow|doy|week|quarter|epoch|isoyear|decade|century|millennium|microseconds|milliseconds|julian} FROM {timestamp})
numeric  extract({year|day|hour|epoch|dow|timezone} FROM {timestamptz})
numeric  extract({year|month|day|dow|week|epoch|julian} FROM {date})
numeric  extract({year|month|day|hour|epoch|second} FROM {interval})
numeric  extract({hour|minute|second|epoch} FROM {time})
float8   date_part({'year'|'hour'|'dow'|'epoch'}, {timestamp})
date     make_date({2023|2024}, {1|2|12}, {1|28})
timestamp make_timestamp({2023|2024}, {1|2}, {1|28}, {0|23}, {0|59}, {0|12.5})
time     make_time({0|23}, {0|59}, {0|59.5})
timestamptz {timestamp} AT TIME ZONE {'UTC'|'Europe/Vienna'|'America/New_York'|'+05:30'}
timestamp {timestamptz} AT TIME ZONE {'UTC'|'Europe/Vienna'|'America/New_York'|'+05:30'}
bool     ({timestamp}, {timestamp}) OVERLAPS ({timestamp}, interval '1 hour')
bool     {interval} > interval {'1 hour'|'1 month'}
bool     {timestamp} > timestamp {'2024-02-29 12:00'|'2024-03-01'}
bool     {date} >= date {'2024-02-29'|'2024-03-01'}
# jsonb
jsonb    {jsonb} -> {'a'|'b'|0|1|-1}
text     {jsonb} ->> {'a'|'b'|0|1}
jsonb    {jsonb} #> {'{a}'|'{a,1}'|'{b,a}'}
text     {jsonb} #>> {'{a}'|'{b,a}'}
bool     {jsonb} @> {'{"a": 1}'|'[1]'|'1'}
bool     {jsonb} ? {'a'|'b'}
bool     {jsonb} ?| {'{a,b}'|'{c}'}
bool     {jsonb} ?& {'{a,b}'|'{a}'}
text     jsonb_typeof({jsonb})
jsonb    to_jsonb({int4})
jsonb    to_jsonb({text}::text)
jsonb    to_jsonb({numeric})
jsonb    to_jsonb({timestamp})
jsonb    jsonb_build_object({'k'|'x'}, {=})
jsonb    jsonb_build_array({=}, {int4})
jsonb    jsonb_build_object('a', {int4}, 'b', {jsonb})
jsonb    {jsonb} || {'{"z": 1}'|'[7]'}
jsonb    {jsonb} - {'a'|'b'}
jsonb    jsonb_set({'{"a": 1}'|'{"a": [1, 2]}'}::jsonb, {'{a}'|'{b}'|'{a,0}'}, {jsonb})
jsonb    jsonb_strip_nulls({jsonb})
text     jsonb_pretty({jsonb})
jsonb    jsonb_extract_path({jsonb}, {'a'|'b'})
text     jsonb_extract_path_text({jsonb}, {'a'|'b'})
bool     jsonb_path_exists({jsonb}, {'$.a'|'$[*]'})
jsonb    jsonb_path_query_first({jsonb}, {'$.a'|'$[0]'})
bool     {jsonb} @? {'$.a'|'$[1]'}
# arrays
int4[]   ARRAY[{int4}, {int4}]
text[]   ARRAY[{text}, {text}]
int4     ({int4[]})[{1|2|3}]
text     ({text[]})[{1|2|0}]
int4[]   ({int4[]})[{1|2}:{2|3}]
int4     array_length({int4[]}, {1|2})
int4     array_upper({int4[]}, {1|2})
int4     array_lower({text[]}, {1|2})
int4     array_ndims({int4[]})
int4     cardinality({text[]})
int4     cardinality({int4[]})
text     array_to_string({int4[]}, {','|'-'})
text     array_to_string({text[]}, ',', '*')
int4     array_position({int4[]}, {int4})
int4     array_position({text[]}, {text})
int4[]   array_positions({int4[]}, {int4})
bool     {int4} = ANY ({int4[]})
bool     {text} = ANY ({text[]})
bool     {int4} < ALL ({int4[]})
bool     {text} <> ALL ({text[]})
bool     {int4[]} @> {int4[]}
bool     {int4[]} <@ {int4[]}
bool     {text[]} && {text[]}
bool     {int4[]} = {int4[]}
bool     {text[]} <> {text[]}
bool     {int4[]} < {int4[]}
bool     {int4[]} IS NULL
bool     {text[]} IS NOT DISTINCT FROM {text[]}
text     ARRAY[{=}, {=}]::text
text     {int4[]}::text
text     {text[]}::text
int4[]   {int4[]} || {int4}
int4[]   {int4} || {int4[]}
text[]   {text[]} || {text[]}
int4[]   array_append({int4[]}, {int4})
text[]   array_prepend({text}, {text[]})
int4[]   array_cat({int4[]}, {int4[]})
int4[]   array_remove({int4[]}, {int4})
text[]   array_replace({text[]}, {text}, {text})
text[]   string_to_array({text}, {'b'|' '|''})
int4[]   trim_array({int4[]}, {0|1})
text[]   regexp_split_to_array({text}, {'b+'|' '})
text[]   regexp_match({text}, {'(a)(b)?'|'[a-z]+'})
jsonb    to_jsonb({int4[]})
text[]   coalesce({text[]}, {text[]})
int4[]   CASE WHEN {bool} THEN {int4[]} ELSE {int4[]} END
text[]   {int4[]}::text[]
# rows and others
text     pg_typeof({int4})::text
text     pg_typeof({numeric})::text
text     pg_typeof({timestamptz})::text
"""

AGGREGATES = r"""
int8     count(*)
int8     count({=})
int8     count(DISTINCT {=})
int8     sum({int4})
int8     sum({int2})
int8     sum(DISTINCT {int4})
numeric  sum({int8})
numeric  sum({numeric})
numeric  sum(DISTINCT {numeric})
float8   sum({float8})
float4   sum({float4})
interval sum({interval})
numeric  avg({int4})
numeric  avg({int8})
numeric  avg({numeric})
numeric  avg(DISTINCT {int4})
float8   avg({float8})
interval avg({interval})
~=       min({<})
~=       max({<})
bool     bool_and({bool})
bool     bool_or({bool})
bool     every({bool})
numeric  stddev({numeric})
numeric  stddev_samp({int4})
numeric  stddev_pop({numeric})
numeric  variance({int4})
numeric  var_pop({int4})
numeric  var_samp({numeric})
int4     bit_and({int4})
int4     bit_or({int4})
int4     bit_xor({int4})
float8   corr({float8}, {float8})
float8   covar_pop({float8}, {float8})
float8   covar_samp({float8}, {float8})
float8   regr_slope({float8}, {float8})
float8   regr_intercept({float8}, {float8})
float8   regr_avgx({float8}, {float8})
int8     regr_count({float8}, {float8})
text     string_agg({text}, {','|''} ORDER BY {@1})
text     string_agg(DISTINCT {text}, {','|'-'})
int4[]   array_agg({int4} ORDER BY {@1})
text[]   array_agg({text} ORDER BY {@1} DESC NULLS LAST)
int4[]   array_agg(DISTINCT {int4})
text     array_agg({=} ORDER BY {int4}, {@1})::text
int8     count(DISTINCT {int4[]})
int8     count(DISTINCT ({int8}, {int4}))
jsonb    jsonb_object_agg({text}, {int4} ORDER BY {@1}, {@2}) FILTER (WHERE {@1} IS NOT NULL)
bool     bool_and({int4} > 0)
text     array_to_string(array_agg({int4} ORDER BY {@1} DESC), '-')
jsonb    jsonb_agg({int4} ORDER BY {@1})
jsonb    jsonb_agg({text} ORDER BY {@1} NULLS FIRST)
jsonb    jsonb_object_agg({int8}, {int4} ORDER BY {@1}, {@2}) FILTER (WHERE {@1} IS NOT NULL)
float8   percentile_cont({0.5|0.25|0.9}) WITHIN GROUP (ORDER BY {float8})
int4     percentile_disc({0.5|0.1|1}) WITHIN GROUP (ORDER BY {int4})
text     percentile_disc({0.5|0.1}) WITHIN GROUP (ORDER BY {text})
int4     mode() WITHIN GROUP (ORDER BY {int4})
text     mode() WITHIN GROUP (ORDER BY {text})
int8     rank({1|2}) WITHIN GROUP (ORDER BY {int4})
float8   percent_rank({1|2}) WITHIN GROUP (ORDER BY {int4})
"""

# OVER (...): {total} and {frame} have a total order, {ties} and {range} may have ties, {any} need not be ordered.
WINDOW = r"""
int8     row_number() OVER {total}
int8     rank() OVER {ties}
int8     dense_rank() OVER {ties}
float8   percent_rank() OVER {ties}
float8   cume_dist() OVER {ties}
int4     ntile({2|3}) OVER {total}
=        lag({=}) OVER {total}
=        lead({=}) OVER {total}
=        lag({=}, {1|2}, {=}) OVER {total}
=        first_value({=}) OVER {total}
=        last_value({=}) OVER {frame}
=        nth_value({=}, {1|2}) OVER {frame}
int8     count(*) OVER {any}
int8     count({=}) OVER {any}
int8     sum({int4}) OVER {any}
numeric  sum({numeric}) OVER {any}
numeric  avg({int4}) OVER {any}
~=       min({<}) OVER {any}
~=       max({<}) OVER {any}
int8     sum({int4}) OVER {frame}
numeric  sum({numeric}) OVER {frame}
~=       min({<}) OVER {frame}
~=       max({<}) OVER {frame}
int8     count(*) FILTER (WHERE {bool}) OVER {any}
bool     bool_or({bool}) OVER {any}
int4[]   array_agg({int4}) OVER {frame}
text     string_agg({text}, {','|''}) OVER {frame}
int8     count(*) FILTER (WHERE {bool}) OVER {frame}
numeric  avg({numeric}) OVER {frame}
numeric  var_pop({int4}) OVER {frame}
bool     bool_and({bool}) OVER {frame}
int8     count({=}) OVER {range}
int8     sum({int4}) OVER {range}
numeric  sum({numeric}) OVER {range}
numeric  avg({int4}) OVER {range}
~=       min({<}) OVER {range}
~=       max({<}) OVER {range}
"""

PLACE = re.compile(r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
ANY_TYPES = ["int4", "int8", "numeric", "text", "bool", "date", "timestamp", "timestamptz", "interval", "time", "uuid",
             "float8", "int2", "float4"]
GREATEST_TYPES = [t for t in ANY_TYPES if t not in ("bool", "uuid")]
KNOWN = set(ANY_TYPES) | {"jsonb", "int4[]", "text[]", "=", "<", "total", "ties", "frame", "any", "range", "@1", "@2"}


class Production:
    """places: the template cut into texts, ("type", t) and ("choice", [texts])."""

    def __init__(self, group, line):
        self.group = group
        self.fails = line.startswith("!")
        line = line.lstrip("!~")
        self.type, self.template = line.split(None, 1)
        self.feature = self.template
        self.places, at = [], 0
        for found in PLACE.finditer(self.template):
            inner = found.group(1)
            if inner in KNOWN:
                place = ("type", inner)
            else:
                place = ("choice", inner.split("|") if "(a|b)" not in inner and "a|b" not in inner else self.protected(inner))
            self.places += [self.template[at:found.start()], place]
            at = found.end()
        self.places.append(self.template[at:])

    @staticmethod
    def protected(inner):
        """Choices of quoted texts that have a bar within."""
        return re.findall(r"'(?:[^']|'')*'", inner)


def load(group, table):
    return [Production(group, line) for line in table.strip().splitlines() if line and not line.startswith("#")]


def productions():
    return load("scalar", SCALAR) + load("aggregate", AGGREGATES) + load("window", WINDOW)
