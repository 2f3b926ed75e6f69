// array_text.c - arrays as PostgreSQL's text and as JSON. The text is {item,item,...}: an item is
// quoted, or bare without white space around it; NULL, bare and in any case, is null; a backslash
// takes the next character as it is. Entry points: col_array_parse(), col_array_format().
#include "base/must.h"
#include "col/array_int.h"
#include "col/codec.h"
#include "col/col_int.h"

#define SHOWN_MAX 200

static base_rc malformed(base_str text, base_error *err) {
    return base_fail(
        err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT, "malformed array literal: \"%.*s\"",
        (int)base_utf8_valid_prefix((base_str){text.p, text.n < SHOWN_MAX ? text.n : SHOWN_MAX}),
        text.p);
}

static base_rc too_many_dimensions(base_error *err) {
    return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                     "arrays of more than one dimension are not supported");
}

// As PostgreSQL's array_isspace.
static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// ---- text to array

typedef struct scanner {
    base_str text; // for errors
    const char *p, *end;
    base_arena *arena;
    base_error *err;
} scanner;

static void skip_space(scanner *s) {
    while (s->p < s->end && is_space(*s->p)) s->p++;
}

// [low:high]= before the braces: only what says nothing new. *expected: UINT32_MAX if not given.
static base_rc scan_bounds(scanner *s, uint32_t *expected) {
    *expected = UINT32_MAX;
    if (s->p == s->end || *s->p != '[') return BASE_OK;
    int64_t bounds[2] = {1, 0};
    s->p++;
    for (int side = 0; side < 2; side++) {
        bool negative = s->p < s->end && *s->p == '-';
        if (negative) s->p++;
        const char *digits = s->p;
        int64_t v = 0;
        for (; s->p < s->end && *s->p >= '0' && *s->p <= '9' && v < UINT32_MAX; s->p++) {
            v = v * 10 + (*s->p - '0');
        }
        if (s->p == digits || s->p == s->end) return malformed(s->text, s->err);
        bounds[side] = negative ? -v : v;
        if (side == 0 && *s->p == ':') {
            s->p++;
        } else if (*s->p == ']') { // [high] alone
            if (side == 0) bounds[1] = bounds[0];
            if (side == 0) bounds[0] = 1;
            break;
        } else {
            return malformed(s->text, s->err);
        }
    }
    s->p++;
    if (s->p < s->end && *s->p == '[') return too_many_dimensions(s->err);
    skip_space(s);
    if (s->p == s->end || *s->p != '=') return malformed(s->text, s->err);
    s->p++;
    skip_space(s);
    if (bounds[0] != 1) {
        return base_fail(s->err, BASE_E_UNSUPPORTED, NULL,
                         "arrays with a lower bound other than 1 are not supported");
    }
    if (bounds[1] < 1 || bounds[1] > INT32_MAX) return malformed(s->text, s->err);
    *expected = (uint32_t)bounds[1];
    return BASE_OK;
}

// "..." at p; leaves p behind it.
static base_rc scan_quoted(scanner *s, base_str *item) {
    const char *begin = ++s->p;
    while (s->p < s->end && *s->p != '"' && *s->p != '\\') s->p++;
    *item = (base_str){begin, (size_t)(s->p - begin)};
    if (s->p < s->end && *s->p == '\\') {
        char *copy = base_arena_alloc_aligned(s->arena, (size_t)(s->end - begin), 1);
        size_t n = 0;
        for (s->p = begin; s->p < s->end && *s->p != '"'; s->p++) {
            if (*s->p == '\\' && ++s->p == s->end) return malformed(s->text, s->err);
            copy[n++] = *s->p;
        }
        *item = (base_str){copy, n};
    }
    if (s->p == s->end) return malformed(s->text, s->err);
    s->p++;
    return BASE_OK;
}

// A bare item; null: p is NULL.
static base_rc scan_bare(scanner *s, base_str *item) {
    const char *begin = s->p;
    bool escaped = false;
    char *copy = NULL;
    size_t n = 0, keep = 0; // keep: what trimming of white space at the end may not take
    for (; s->p < s->end && *s->p != ',' && *s->p != '}'; s->p++) {
        if (*s->p == '"' || *s->p == '{') return malformed(s->text, s->err);
        bool escape = *s->p == '\\';
        if (escape && !escaped) {
            copy = base_arena_alloc_aligned(s->arena, (size_t)(s->end - begin), 1);
            memcpy(copy, begin, n);
            escaped = true;
        }
        if (escape && ++s->p == s->end) return malformed(s->text, s->err);
        if (copy != NULL) copy[n] = *s->p;
        n++;
        if (escape || !is_space(*s->p)) keep = n;
    }
    if (keep == 0) return malformed(s->text, s->err);
    *item = (base_str){escaped ? copy : begin, keep};
    if (!escaped && base_str_eq_nocase(*item, BASE_STR("null"))) item->p = NULL;
    return BASE_OK;
}

// The items between the braces; *items has room for all.
static base_rc scan_items(scanner *s, base_str *items, uint32_t *n) {
    *n = 0;
    if (s->p == s->end || *s->p != '{') return malformed(s->text, s->err);
    s->p++;
    skip_space(s);
    bool empty = s->p < s->end && *s->p == '}';
    while (!empty) {
        skip_space(s);
        if (s->p == s->end) return malformed(s->text, s->err);
        if (*s->p == '{') return too_many_dimensions(s->err);
        base_rc rc = *s->p == '"' ? scan_quoted(s, &items[*n]) : scan_bare(s, &items[*n]);
        if (rc != BASE_OK) return rc;
        ++*n;
        skip_space(s);
        if (s->p == s->end || (*s->p != ',' && *s->p != '}')) return malformed(s->text, s->err);
        if (*s->p == '}') break;
        s->p++;
    }
    s->p++;
    skip_space(s);
    return s->p == s->end ? BASE_OK : malformed(s->text, s->err);
}

base_rc col_array_parse(base_str text, const base_zone *zone, col_vec *vec, uint32_t row,
                        base_arena *arena, base_error *err) {
    scanner s = {text, text.p, text.p + text.n, arena, err};
    size_t commas = 0;
    uint32_t expected, n;
    for (size_t i = 0; i < text.n; i++) commas += text.p[i] == ',';
    if (commas >= COL_BATCH_ROWS_MAX) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "an array has more than %u elements", COL_BATCH_ROWS_MAX);
    }
    base_str *items = base_arena_array(arena, base_str, commas + 1);
    skip_space(&s);
    base_rc rc = scan_bounds(&s, &expected);
    if (rc == BASE_OK) rc = scan_items(&s, items, &n);
    if (rc != BASE_OK) return rc;
    if (expected != UINT32_MAX && n != expected) return malformed(text, err);
    col_vec elements;
    col_vec_init(&elements, arena, col_type_element(&vec->type), n);
    for (uint32_t i = 0; i < n; i++) {
        if (items[i].p == NULL) {
            col_vec_set_null(&elements, arena, i);
            continue;
        }
        rc = col_text_parse(items[i], zone, &elements, i, arena, err);
        if (rc != BASE_OK) return rc;
    }
    col_str(vec)[row] = col_array_make(arena, &elements, 0, n);
    return BASE_OK;
}

// ---- array to text

// As PostgreSQL's array_out decides.
static bool needs_quotes(base_str item) {
    if (item.n == 0 || base_str_eq_nocase(item, BASE_STR("null"))) return true;
    for (size_t i = 0; i < item.n; i++) {
        char c = item.p[i];
        if (c == '{' || c == '}' || c == ',' || c == '"' || c == '\\' || is_space(c)) return true;
    }
    return false;
}

// Puts what stands in buf from `begin` on between quotes.
static void quote(base_buf *buf, size_t begin, base_buf *spare) {
    base_buf_clear(spare);
    base_buf_add(spare, buf->p + begin, buf->n - begin);
    buf->n = begin;
    base_buf_add_byte(buf, '"');
    for (size_t i = 0; i < spare->n; i++) {
        char c = spare->p[i];
        if (c == '"' || c == '\\') base_buf_add_byte(buf, '\\');
        base_buf_add_byte(buf, (uint8_t)c);
    }
    base_buf_add_byte(buf, '"');
}

void col_array_format(const col_vec *vec, uint32_t row, const base_zone *zone, base_buf *buf) {
    base_arena scratch;
    base_buf spare = {0};
    base_arena_init(&scratch, 1024);
    col_array_reader reader;
    col_array_reader_init(&reader, vec, row, &scratch);
    base_buf_add_byte(buf, '{');
    for (bool first = true; col_array_reader_next(&reader); first = false) {
        if (!first) base_buf_add_byte(buf, ',');
        if (reader.null != 0) {
            base_buf_add_cstr(buf, "NULL");
            continue;
        }
        size_t begin = buf->n;
        col_text_format(&reader.cell, 0, zone, buf);
        if (needs_quotes((base_str){buf->p + begin, buf->n - begin})) quote(buf, begin, &spare);
    }
    base_buf_add_byte(buf, '}');
    base_buf_deinit(&spare);
    base_arena_deinit(&scratch);
}

// ---- JSON to array

static const char *json_word(col_json_kind kind) {
    static const char *const words[] = {"null",     "false",    "true",     "a number",
                                        "a string", "an array", "an object"};
    return words[kind];
}

// Whether a value of the kind may be written so; as for a column of the contract.
static bool json_fits(col_kind kind, col_json_kind json) {
    if (kind == COL_BOOL) return json == COL_JSON_TRUE || json == COL_JSON_FALSE;
    if (kind == COL_NUMERIC || kind == COL_FLOAT4 || kind == COL_FLOAT8)
        return json == COL_JSON_NUMBER || json == COL_JSON_STRING;
    if (kind == COL_OID || kind == COL_REGCLASS || col_kind_is_number(kind))
        return json == COL_JSON_NUMBER;
    return kind == COL_JSONB || json == COL_JSON_STRING;
}

static base_rc element_of_json(const col_json *node, col_vec *vec, uint32_t row, base_arena *arena,
                               base_error *err) {
    if (node->kind == COL_JSON_NULL) {
        col_vec_set_null(vec, arena, row);
        return BASE_OK;
    }
    if (!json_fits(vec->type.kind, node->kind)) {
        if (node->kind == COL_JSON_ARRAY) return too_many_dimensions(err);
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT, "expected %s, found %s",
                         col_kind_name(vec->type.kind), json_word(node->kind));
    }
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    switch (node->kind) {
    case COL_JSON_TRUE:
    case COL_JSON_FALSE:
        if (vec->type.kind == COL_JSONB) break;
        col_u8(vec)[row] = node->kind == COL_JSON_TRUE;
        return BASE_OK;
    default:
        if (vec->type.kind == COL_JSONB) break;
        return col_text_parse(node->text, 0, vec, row, arena, err);
    }
    return col_json_print(node, arena, &col_str(vec)[row], err);
}

base_rc col_array_of_json(const col_json *node, col_vec *vec, uint32_t row, base_arena *arena,
                          base_error *err) {
    must(node->kind == COL_JSON_ARRAY);
    col_vec elements;
    col_vec_init(&elements, arena, col_type_element(&vec->type), node->n);
    for (uint32_t i = 0; i < node->n; i++) {
        base_rc rc = element_of_json(node->items[i], &elements, i, arena, err);
        if (rc != BASE_OK) {
            base_error_prefix(err, "element %u", i + 1);
            return rc;
        }
    }
    col_str(vec)[row] = col_array_make(arena, &elements, 0, node->n);
    return BASE_OK;
}

base_rc col_array_parse_json(base_str json, col_vec *vec, uint32_t row, base_arena *arena,
                             base_error *err) {
    col_json *node = NULL;
    base_rc rc = col_json_parse(json, arena, &node, err);
    if (rc != BASE_OK) return rc;
    if (node->kind != COL_JSON_ARRAY) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                         "expected an array, found %s", json_word(node->kind));
    }
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    return col_array_of_json(node, vec, row, arena, err);
}
