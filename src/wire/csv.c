// csv.c - comma-separated values, record by record.
//
// Invariants: a record is taken whole or not at all (*at moves only then); a quote opens a quoted
// field only at the field's beginning, and elsewhere in an unquoted field it is data (as RFC 4180
// readers commonly have it); after a closing quote only a delimiter or the record's end may stand.
// Entry point: wire_csv_read.
#include "wire/csv.h"
#include "base/must.h"

#define FIELDS_FIRST 16

typedef struct fields {
    wire_csv_field *items;
    size_t n, most;
} fields;

static void add_field(fields *list, base_arena *arena, base_str text, bool quoted) {
    if (list->n == list->most) {
        size_t most = list->most == 0 ? FIELDS_FIRST : list->most * 2;
        wire_csv_field *more = base_arena_alloc(arena, most * sizeof *more);
        if (list->n > 0) memcpy(more, list->items, list->n * sizeof *more);
        list->items = more;
        list->most = most;
    }
    list->items[list->n++] = (wire_csv_field){text, quoted};
}

static size_t line_number(base_str text, size_t at) {
    size_t line = 1;
    for (const char *p = text.p, *e = text.p + at; (p = memchr(p, '\n', (size_t)(e - p))); p++) {
        line++;
    }
    return line;
}

static base_rc fail_at(base_str text, size_t at, const char *what, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                     "malformed CSV in line %zu: %s", line_number(text, at), what);
}

// The content of a quoted field without the doubling of its quotes.
static base_str undouble(base_arena *arena, base_str raw) {
    char *out = base_arena_alloc(arena, raw.n);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        out[n++] = raw.p[i];
        if (raw.p[i] == '"') i++;
    }
    return (base_str){out, n};
}

typedef enum field_end { FIELD_DELIMITER, FIELD_RECORD, FIELD_INCOMPLETE } field_end;

// What stands at p: a delimiter, a record's end (both are passed over), or neither (false).
static bool take_end(base_str text, bool last, char delimiter, size_t *p, field_end *end) {
    if (*p == text.n) {
        *end = last ? FIELD_RECORD : FIELD_INCOMPLETE;
        return true;
    }
    char c = text.p[*p];
    if (c == delimiter) {
        *end = FIELD_DELIMITER;
        ++*p;
        return true;
    }
    if (c == '\n') {
        *end = FIELD_RECORD;
        ++*p;
        return true;
    }
    if (c == '\r') {
        if (*p + 1 == text.n) {
            *end = last ? FIELD_RECORD : FIELD_INCOMPLETE;
            *p += last;
            return true;
        }
        if (text.p[*p + 1] == '\n') {
            *end = FIELD_RECORD;
            *p += 2;
            return true;
        }
    }
    return false;
}

static base_rc read_quoted(base_str text, bool last, char delimiter, size_t *p, base_arena *arena,
                           fields *list, field_end *end, base_error *err) {
    size_t open = *p, begin = open + 1, at = begin;
    bool doubled = false;
    for (;;) {
        const char *quote = memchr(text.p + at, '"', text.n - at);
        if (quote == NULL) {
            if (last) return fail_at(text, open, "a quoted field is not closed", err);
            *end = FIELD_INCOMPLETE;
            return BASE_OK;
        }
        at = (size_t)(quote - text.p) + 1;
        if (at == text.n && !last) { // it may be the first of two
            *end = FIELD_INCOMPLETE;
            return BASE_OK;
        }
        if (at == text.n || text.p[at] != '"') break;
        doubled = true;
        at++;
    }
    base_str content = {text.p + begin, at - 1 - begin};
    *p = at;
    if (!take_end(text, last, delimiter, p, end)) {
        return fail_at(text, at, "after a closing quote a delimiter is expected", err);
    }
    if (*end != FIELD_INCOMPLETE) {
        add_field(list, arena, doubled ? undouble(arena, content) : content, true);
    }
    return BASE_OK;
}

static void read_bare(base_str text, bool last, char delimiter, size_t *p, base_arena *arena,
                      fields *list, field_end *end) {
    size_t begin = *p, at = begin;
    for (;; at++) {
        while (at < text.n && text.p[at] != delimiter && text.p[at] != '\n' && text.p[at] != '\r') {
            at++;
        }
        *p = at;
        if (take_end(text, last, delimiter, p, end)) break; // not: a lone carriage return
    }
    if (*end != FIELD_INCOMPLETE) {
        add_field(list, arena, (base_str){text.p + begin, at - begin}, false);
    }
}

base_rc wire_csv_read(base_str text, bool last, char delimiter, size_t *at, base_arena *arena,
                      wire_csv_field **out, size_t *nfields, bool *end, bool *incomplete,
                      base_error *err) {
    must(*at <= text.n && delimiter != '"' && delimiter != '\n' && delimiter != '\r');
    *out = NULL;
    *nfields = 0;
    *end = *at == text.n && last;
    *incomplete = *at == text.n && !last;
    if (*at == text.n) return BASE_OK;
    fields list = {0};
    field_end field_end = FIELD_DELIMITER;
    size_t p = *at;
    while (field_end == FIELD_DELIMITER) {
        if (p < text.n && text.p[p] == '"') {
            base_rc rc = read_quoted(text, last, delimiter, &p, arena, &list, &field_end, err);
            if (rc != BASE_OK) return rc;
        } else {
            read_bare(text, last, delimiter, &p, arena, &list, &field_end);
        }
    }
    if (field_end == FIELD_INCOMPLETE) {
        *incomplete = true;
        return BASE_OK;
    }
    *at = p;
    *out = list.items;
    *nfields = list.n;
    return BASE_OK;
}

void wire_csv_write_field(base_buf *buf, base_str text, bool is_null, char delimiter) {
    if (is_null) return;
    bool quote = text.n == 0 || text.p[0] == ' ' || text.p[text.n - 1] == ' ' ||
                 base_str_eq(text, BASE_STR("\\."));
    for (size_t i = 0; i < text.n && !quote; i++) {
        char c = text.p[i];
        quote = c == '"' || c == delimiter || c == '\n' || c == '\r';
    }
    if (!quote) {
        base_buf_add_str(buf, text);
        return;
    }
    base_buf_reserve(buf, text.n + 2);
    base_buf_add_byte(buf, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"') base_buf_add_byte(buf, '"');
        base_buf_add_byte(buf, (uint8_t)text.p[i]);
    }
    base_buf_add_byte(buf, '"');
}
