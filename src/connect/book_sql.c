// book_sql.c - see book_sql.h. Entry points: connect_sql_rows, connect_sql_digest,
// connect_rows_add.

#include "connect/book_sql.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/must.h"
#include "col/codec.h"
#include "engine/recon/canon.h"

#define BATCH_ROWS 8192u
#define OR_RANGES  64u // of positions by value; more are joined

// ---- names and texts ----------------------------------------------------------------------------

const char *connect_sql_query(base_arena *arena, const char *query) {
    size_t n = strlen(query);
    while (n > 0 && strchr("; \t\r\n", query[n - 1]) != NULL) n--;
    return base_arena_memdup(arena, query, n);
}

static void add_column(const connect_book_sql *sql, uint32_t field, base_buf *out) {
    char quote = sql->dialect == CONNECT_POSTGRES ? '"' : '`';
    base_buf_add_cstr(out, "q.");
    base_buf_add_byte(out, (uint8_t)quote);
    for (const char *p = sql->spec->fields[field].name; *p != '\0'; p++) {
        if (*p == quote) base_buf_add_byte(out, (uint8_t)quote);
        base_buf_add_byte(out, (uint8_t)*p);
    }
    base_buf_add_byte(out, (uint8_t)quote);
}

// "before column after": parts of an expression around the column.
static void around(const connect_book_sql *sql, uint32_t field, base_buf *out, const char *before,
                   const char *after) {
    base_buf_add_cstr(out, before);
    add_column(sql, field, out);
    base_buf_add_cstr(out, after);
}

// A number's least digits as text.
static void add_number(const connect_book_sql *sql, uint32_t field, base_buf *out) {
    bool integer = sql->classes[field] == CONNECT_SQL_INTEGER;
    if (sql->dialect == CONNECT_POSTGRES)
        around(sql, field, out, integer ? "(" : "trim_scale((",
               integer ? ")::text" : ")::numeric)::text");
    else if (integer)
        around(sql, field, out, "CAST(", " + 0 AS CHAR)");
    else
        around(sql, field, out, "TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(CAST(",
               " AS DECIMAL(65,30)) AS CHAR)))");
}

static void add_text(const connect_book_sql *sql, uint32_t field, base_buf *out) {
    if (sql->dialect == CONNECT_POSTGRES)
        around(sql, field, out, "(", ")::text");
    else
        around(sql, field, out, "CONVERT(", " USING utf8mb4)");
}

static void add_boolean(const connect_book_sql *sql, uint32_t field, base_buf *out) {
    bool pg = sql->dialect == CONNECT_POSTGRES;
    around(sql, field, out, "CASE WHEN ",
           pg ? "::boolean THEN 't' WHEN NOT " : " THEN 't' WHEN NOT ");
    add_column(sql, field, out);
    base_buf_add_cstr(out, pg ? "::boolean THEN 'f' END" : " THEN 'f' END");
}

// ---- canonical text (engine/recon/canon.h)
// ------------------------------------------------------------

static void canon_instant(const connect_book_sql *sql, uint32_t field, const char *type,
                          base_buf *out) {
    if (sql->dialect == CONNECT_MARIADB) {
        around(sql, field, out, "CAST(TIMESTAMPDIFF(MICROSECOND, '2000-01-01 00:00:00', ",
               ") AS CHAR)");
        return;
    }
    base_buf_add_cstr(out, "CASE WHEN isfinite((");
    add_column(sql, field, out);
    base_buf_printf(out, ")::%s) THEN ((extract(epoch FROM (", type);
    add_column(sql, field, out);
    base_buf_printf(out, ")::%s) * 1000000)::bigint - 946684800000000)::text ELSE ", type);
    add_column(sql, field, out);
    base_buf_add_cstr(out, "::text END");
}

static void canon_cell(const connect_book_sql *sql, uint32_t field, base_buf *out) {
    bool pg = sql->dialect == CONNECT_POSTGRES;
    switch (sql->spec->fields[field].type.kind) {
    case COL_BOOL:
        add_boolean(sql, field, out);
        return;
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_NUMERIC:
        add_number(sql, field, out);
        return;
    case COL_DATE:
        if (pg) {
            around(sql, field, out, "CASE WHEN isfinite((", ")::date) THEN ((");
            add_column(sql, field, out);
            base_buf_add_cstr(out, ")::date - date '2000-01-01')::text ELSE (");
            add_column(sql, field, out);
            base_buf_add_cstr(out, ")::date::text END");
        } else {
            around(sql, field, out, "CAST(DATEDIFF(", ", '2000-01-01') AS CHAR)");
        }
        return;
    case COL_TIME:
        around(sql, field, out, pg ? "((extract(epoch FROM (" : "CAST(CAST(TIME_TO_SEC(",
               pg ? ")::time) * 1000000)::bigint)::text" : ") * 1000000 AS SIGNED) AS CHAR)");
        return;
    case COL_TIMESTAMP:
        canon_instant(sql, field, "timestamp", out);
        return;
    case COL_TIMESTAMPTZ:
        canon_instant(sql, field, "timestamptz", out);
        return;
    case COL_UUID:
        around(sql, field, out, pg ? "(" : "LOWER(CAST(", pg ? ")::uuid::text" : " AS CHAR))");
        return;
    default:
        base_buf_add_cstr(out, pg ? "length(" : "CONCAT(CHAR_LENGTH(");
        add_text(sql, field, out);
        base_buf_add_cstr(out, pg ? ") || ':' || " : "), ':', ");
        add_text(sql, field, out);
        if (!pg) base_buf_add_byte(out, ')');
    }
}

// The first 60 bits of the MD5 of the canonical text of fields [0, n), as an integer.
static void add_digest(const connect_book_sql *sql, uint32_t n, base_buf *out) {
    bool pg = sql->dialect == CONNECT_POSTGRES;
    const char *before = !pg            ? "CAST(CONV(SUBSTR(MD5(CONCAT_WS(','"
                         : sql->is_utf8 ? "('x' || substr(md5("
                                        : "('x' || substr(md5(convert_to(";
    base_buf_add_cstr(out, before);
    for (uint32_t i = 0; i < n; i++) {
        base_buf_add_cstr(out, pg ? (i > 0 ? " || ',' || " : "") : ", ");
        base_buf_add_cstr(out, "coalesce(");
        canon_cell(sql, i, out);
        base_buf_add_cstr(out, ", '~')");
    }
    base_buf_add_cstr(out, !pg            ? ")), 1, 15), 16, 10) AS SIGNED)"
                           : sql->is_utf8 ? "), 1, 15))::bit(60)::bigint"
                                          : ", 'UTF8')), 1, 15))::bit(60)::bigint");
}

bool connect_sql_can_digest(connect_book_sql *sql) {
    const engine_book_spec *spec = sql->spec;
    for (uint32_t i = 0; i < spec->nkey + spec->ncompare; i++)
        if (!engine_canon_has(spec->fields[i].type.kind)) return false;
    col_kind kind = spec->fields[0].type.kind;
    sql->by_value = spec->nkey == 1 && (kind == COL_INT2 || kind == COL_INT4 || kind == COL_INT8) &&
                    sql->classes[0] == CONNECT_SQL_INTEGER;
    return true;
}

// ---- conditions ---------------------------------------------------------------------------------

// An integer literal; the least one cannot be written as the negative of one.
static void add_i64(base_buf *out, int64_t v) {
    if (v == INT64_MIN)
        base_buf_add_cstr(out, "(-9223372036854775807 - 1)");
    else
        base_buf_printf(out, "%" PRId64, v);
}

static void add_position(const connect_book_sql *sql, base_buf *out) {
    if (!sql->by_value) {
        add_digest(sql, sql->spec->nkey, out);
        return;
    }
    around(sql, 0, out, "coalesce(", ", ");
    add_i64(out, INT64_MIN);
    base_buf_add_byte(out, ')');
}

// The number of bounds that are not above the position; `at` names the position.
static void add_bucket(const connect_book_sql *sql, const char *at, uint32_t n,
                       const int64_t *bounds, base_buf *out) {
    bool pg = sql->dialect == CONNECT_POSTGRES;
    base_buf_printf(out, pg ? "width_bucket((%s)::bigint, '{" : "INTERVAL(%s", at);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 || !pg) base_buf_add_cstr(out, pg ? "," : ", ");
        if (pg)
            base_buf_printf(out, "%" PRId64, bounds[i]);
        else
            add_i64(out, bounds[i]);
    }
    base_buf_add_cstr(out, pg ? "}'::bigint[])" : ")");
}

// Ranges that touch each other as one. Returns how many.
static uint32_t join_ranges(uint32_t n, const engine_book_range *ranges, engine_book_range *out) {
    uint32_t joined = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (joined > 0 && out[joined - 1].to != INT64_MAX &&
            out[joined - 1].to + 1 == ranges[i].from)
            out[joined - 1].to = ranges[i].to;
        else
            out[joined++] = ranges[i];
    }
    return joined;
}

// By value: an index may serve it.
static void between(const connect_book_sql *sql, uint32_t n, const engine_book_range *ranges,
                    base_buf *out) {
    base_buf_add_byte(out, '(');
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) base_buf_add_cstr(out, " OR ");
        if (ranges[i].from == INT64_MIN) around(sql, 0, out, "", " IS NULL OR ");
        add_column(sql, 0, out);
        base_buf_add_cstr(out, " BETWEEN ");
        add_i64(out, ranges[i].from);
        base_buf_add_cstr(out, " AND ");
        add_i64(out, ranges[i].to);
    }
    base_buf_add_byte(out, ')');
}

// The same for many: PostgreSQL then looks each up in the index.
static void join_many(const connect_book_sql *sql, uint32_t n, const engine_book_range *ranges,
                      base_buf *out) {
    base_buf_add_cstr(out, " JOIN unnest('{");
    for (uint32_t i = 0; i < n; i++)
        base_buf_printf(out, "%s%" PRId64, i > 0 ? "," : "", ranges[i].from);
    base_buf_add_cstr(out, "}'::bigint[], '{");
    for (uint32_t i = 0; i < n; i++)
        base_buf_printf(out, "%s%" PRId64, i > 0 ? "," : "", ranges[i].to);
    around(sql, 0, out, "}'::bigint[]) AS r(a, b) ON ", " BETWEEN r.a AND r.b");
}

// By hash: a row is inside if an odd number of ends lie at or below it.
static void inside(const connect_book_sql *sql, uint32_t n, const engine_book_range *ranges,
                   base_buf *out) {
    int64_t *ends = malloc(2 * n * sizeof *ends);
    must(ends != NULL);
    for (uint32_t i = 0; i < n; i++) {
        ends[2 * i] = ranges[i].from;
        ends[2 * i + 1] = ranges[i].to + 1; // positions of hashes are below 2^60
    }
    base_buf at = {0};
    add_position(sql, &at);
    base_buf_add_byte(out, '(');
    add_bucket(sql, base_buf_cstr(&at), 2 * n, ends, out);
    base_buf_add_cstr(out, " & 1) = 1");
    base_buf_deinit(&at);
    free(ends);
}

// Appends a condition, after the word or to a join; nothing if the ranges are all there is.
static void add_ranges(const connect_book_sql *sql, uint32_t nranges,
                       const engine_book_range *ranges, const char *word, base_buf *out) {
    if (nranges == 0) return;
    engine_book_range *joined = malloc(nranges * sizeof *joined);
    must(joined != NULL);
    uint32_t n = join_ranges(nranges, ranges, joined);
    bool all = n == 1 && (sql->by_value ? joined[0].from == INT64_MIN && joined[0].to == INT64_MAX
                                        : joined[0].from == 0 && joined[0].to == (1ll << 60) - 1);
    bool nulls = joined[0].from == INT64_MIN; // the join would not find them
    if (!all && sql->by_value && sql->dialect == CONNECT_POSTGRES && n > OR_RANGES && !nulls) {
        join_many(sql, n, joined, out);
    } else if (!all) {
        base_buf_add_cstr(out, word);
        if (sql->by_value)
            between(sql, n, joined, out);
        else
            inside(sql, n, joined, out);
    }
    free(joined);
}

// Rows that are old enough; NULL is.
static void add_settled(const connect_book_sql *sql, int64_t settled_us, base_buf *out) {
    if (settled_us == INT64_MAX || sql->spec->settle_field < 0) return;
    uint32_t field = (uint32_t)sql->spec->settle_field;
    char text[BASE_TIME_TEXT_MAX];
    base_timestamp_format(settled_us, text);
    around(sql, field, out, "(", " IS NULL OR ");
    add_column(sql, field, out);
    col_kind kind = sql->spec->fields[field].type.kind;
    if (sql->dialect == CONNECT_MARIADB)
        base_buf_printf(out, " <= '%s')", text);
    else if (kind == COL_TIMESTAMPTZ)
        base_buf_printf(out, "::timestamptz <= timestamptz '%s+00')", text);
    else // of a date: midnight is not later, just if the day is not; not all dates are instants
        base_buf_printf(out, "::%s <= timestamp '%s'%s)", kind == COL_DATE ? "date" : "timestamp",
                        text, kind == COL_DATE ? "::date" : "");
}

// ---- statements ---------------------------------------------------------------------------------

static void add_from(const connect_book_sql *sql, base_buf *out) {
    base_buf_printf(out, " FROM (%s\n) AS q", sql->query);
}

base_rc connect_sql_note_column(connect_book_sql *sql, engine_book *book, uint32_t i,
                                unsigned times, connect_sql_class found, uint32_t *nhas,
                                base_error *err) {
    const engine_book_field *field = &book->spec->fields[i];
    book->has[i] = times == 1;
    if (times != 1 && field->needed)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                         "book %s: the query gives %s column \"%s\"", book->name,
                         times == 0 ? "no" : "more than one", field->name);
    if (times != 1) return BASE_OK;
    sql->classes[i] = found;
    ++*nhas;
    return BASE_OK;
}

void connect_sql_describe(const connect_book_sql *sql, base_buf *out) {
    base_buf_add_cstr(out, "SELECT *");
    add_from(sql, out);
    base_buf_add_cstr(out, " LIMIT 0");
}

static void add_cell(const connect_book_sql *sql, uint32_t field, base_buf *out) {
    bool pg = sql->dialect == CONNECT_POSTGRES;
    switch (sql->spec->fields[field].type.kind) {
    case COL_BOOL:
        add_boolean(sql, field, out);
        return;
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
        add_number(sql, field, out);
        return;
    case COL_NUMERIC: // as the book shows it: 121.00; MariaDB's types do not tell what it is
        if (pg && sql->classes[field] != CONNECT_SQL_INTEGER)
            around(sql, field, out, "(", ")::numeric::text");
        else
            add_number(sql, field, out);
        return;
    case COL_BYTEA:
        if (pg)
            add_text(sql, field, out);
        else // in the form of a bytea, whatever the bytes are; CHAR(92) is a backslash
            around(sql, field, out, "CONCAT(CHAR(92), 'x', HEX(", "))");
        return;
    case COL_FLOAT4:
    case COL_FLOAT8:
        around(sql, field, out, pg ? "(" : "CAST(", pg ? ")::float8::text" : " + 0e0 AS CHAR)");
        return;
    case COL_DATE:
        around(sql, field, out, pg ? "(" : "DATE_FORMAT(", pg ? ")::date::text" : ", '%Y-%m-%d')");
        return;
    case COL_TIMESTAMP:
        around(sql, field, out, pg ? "(" : "DATE_FORMAT(",
               pg ? ")::timestamp::text" : ", '%Y-%m-%d %H:%i:%s.%f')");
        return;
    case COL_TIMESTAMPTZ:
        around(sql, field, out, pg ? "(" : "DATE_FORMAT(",
               pg ? ")::timestamptz::text" : ", '%Y-%m-%d %H:%i:%s.%f+00')");
        return;
    default:
        add_text(sql, field, out);
    }
}

void connect_sql_rows(const connect_book_sql *sql, uint32_t nranges,
                      const engine_book_range *ranges, base_buf *out) {
    const char *before = "SELECT ";
    for (uint32_t i = 0; i < sql->spec->nfields; i++) {
        if (!sql->has[i]) continue;
        base_buf_add_cstr(out, before);
        add_cell(sql, i, out);
        before = ", ";
    }
    add_from(sql, out);
    add_ranges(sql, nranges, ranges, " WHERE ", out);
}

void connect_sql_digest(const connect_book_sql *sql, uint32_t nranges,
                        const engine_book_range *ranges, int64_t settled_us, base_buf *out) {
    int64_t *bounds = malloc((nranges + 1) * sizeof *bounds);
    must(bounds != NULL);
    for (uint32_t i = 0; i < nranges; i++) bounds[i] = ranges[i].from;
    base_buf_add_cstr(out, "SELECT ");
    add_bucket(sql, "d.p", nranges, bounds, out);
    base_buf_add_cstr(out, " AS b, count(*), sum(d.h) FROM (SELECT ");
    add_position(sql, out);
    base_buf_add_cstr(out, " AS p, ");
    add_digest(sql, sql->spec->nkey + sql->spec->ncompare, out);
    base_buf_add_cstr(out, " AS h");
    add_from(sql, out);
    size_t before = out->n;
    add_ranges(sql, nranges, ranges, " WHERE ", out);
    bool settles = settled_us != INT64_MAX && sql->spec->settle_field >= 0;
    if (settles) base_buf_add_cstr(out, out->n == before ? " WHERE " : " AND ");
    add_settled(sql, settled_us, out);
    base_buf_add_cstr(out, ") AS d GROUP BY 1");
    free(bounds);
}

bool connect_sql_digest_row(const char *range, const char *rows, const char *sum, uint32_t nranges,
                            engine_book_digest *out) {
    if (range == NULL || rows == NULL || sum == NULL) return false;
    char *end;
    long long number = strtoll(range, &end, 10);
    if (*end != '\0' || number < 1 || number > (long long)nranges) return false;
    engine_book_digest d = {.rows = strtoull(rows, &end, 10)};
    if (*end != '\0') return false;
    size_t digits = strspn(sum, "0123456789");
    if (digits == 0 || digits > 38 || sum[digits] != '\0') return false;
    for (size_t i = 0; i < digits; i++) d.sum = d.sum * 10 + (unsigned)(sum[i] - '0');
    out[number - 1] = d;
    return true;
}

// ---- rows as batches ----------------------------------------------------------------------------

void connect_rows_begin(connect_rows *rows, const engine_book_spec *spec, const char *name,
                        const bool *has, engine_book_visit *visit, void *arg) {
    *rows = (connect_rows){.spec = spec, .name = name, .has = has, .visit = visit, .arg = arg};
    base_arena_init(&rows->arena, 1 << 16);
}

void connect_rows_end(connect_rows *rows) {
    base_arena_deinit(&rows->arena);
}

static void new_batch(connect_rows *rows) {
    base_arena_reset(&rows->arena);
    uint32_t n = rows->spec->nfields;
    col_type *types = base_arena_array(&rows->arena, col_type, n + 1);
    for (uint32_t i = 0; i < n; i++) types[i] = rows->spec->fields[i].type;
    rows->batch = col_batch_create(&rows->arena, n, types, BATCH_ROWS);
    rows->n = 0;
}

base_rc connect_rows_add(connect_rows *rows, const base_str *cells, base_error *err) {
    if (rows->batch == NULL) new_batch(rows);
    for (uint32_t i = 0, k = 0; i < rows->spec->nfields; i++) {
        col_vec *vec = &rows->batch->cols[i];
        base_str cell = rows->has[i] ? cells[k++] : (base_str){NULL, 0};
        if (cell.p == NULL) {
            col_vec_set_null(vec, &rows->arena, rows->n);
            continue;
        }
        base_str kept = {base_arena_memdup(&rows->arena, cell.p, cell.n), cell.n};
        base_rc rc = col_text_parse(kept, NULL, vec, rows->n, &rows->arena, err);
        if (rc != BASE_OK) {
            base_error_prefix(err, "%s, column \"%s\"", rows->name, rows->spec->fields[i].name);
            return rc;
        }
    }
    return ++rows->n == BATCH_ROWS ? connect_rows_flush(rows, err) : BASE_OK;
}

base_rc connect_rows_flush(connect_rows *rows, base_error *err) {
    if (rows->batch == NULL || rows->n == 0) return BASE_OK;
    const col_batch *batch = col_batch_slice(&rows->arena, rows->batch, 0, rows->n);
    rows->batch = NULL;
    return rows->visit(rows->arg, batch, NULL, err);
}

int64_t connect_timeout_ms(const plan_object *reconciliation, int64_t otherwise_ms) {
    const char *text = plan_option_get(reconciliation, "timeout");
    base_interval interval;
    base_error ignored; // it was checked when the reconciliation was made
    int64_t us;
    if (text == NULL || base_interval_parse(base_str_of(text), &interval, &ignored) != BASE_OK ||
        base_interval_total_us(&interval, &us, &ignored) != BASE_OK || us <= 0)
        return otherwise_ms;
    return us / 1000 > 0 ? us / 1000 : 1;
}
