// func_json.c - jsonb operators and functions. A jsonb value is its canonical text; operators parse
// it into a scratch arena that is reset for each row, so a batch holds one tree at a time.
// Source: PostgreSQL 15, "JSON Functions and Operators".
#include <stdlib.h>

#include "base/must.h"
#include "col/codec.h"
#include "col/func_text_int.h"
#include "col/json_tree.h"

#define SCRATCH_BYTES 16384

static const col_json *array_item(const col_json *node, int64_t index) {
    if (node->kind != COL_JSON_ARRAY) return NULL;
    if (index < 0) index += node->n;
    return index >= 0 && index < node->n ? node->items[index] : NULL;
}

static bool is_scalar(const col_json *node) {
    return node->kind != COL_JSON_ARRAY && node->kind != COL_JSON_OBJECT;
}

// An integer as a path step writes it.
static bool step_index(base_str step, int64_t *index) {
    size_t i = step.n > 0 && step.p[0] == '-' ? 1 : 0;
    if (i == step.n || step.n - i > 9) return false;
    int64_t v = 0;
    for (; i < step.n; i++) {
        if (step.p[i] < '0' || step.p[i] > '9') return false;
        v = v * 10 + (step.p[i] - '0');
    }
    *index = step.p[0] == '-' ? -v : v;
    return true;
}

static const col_json *path_item(const col_json *node, const base_str *steps, size_t count) {
    for (size_t i = 0; i < count && node != NULL; i++) {
        int64_t index;
        if (steps[i].p == NULL) return NULL;
        if (node->kind == COL_JSON_OBJECT) {
            node = col_json_member(node, steps[i]);
        } else {
            node = step_index(steps[i], &index) ? array_item(node, index) : NULL;
        }
    }
    return node;
}

// Puts a node as jsonb, or as text (strings without quotes, null as SQL null); NULL is null.
static base_rc put_node(col_func_ctx *ctx, const col_json *node, bool as_text, col_vec *out,
                        uint32_t row, base_error *err) {
    if (node == NULL || (as_text && node->kind == COL_JSON_NULL)) {
        col_vec_set_null(out, ctx->arena, row);
        return BASE_OK;
    }
    base_str *to = &col_str(out)[row];
    if (as_text && node->kind == COL_JSON_STRING) {
        *to = (base_str){base_arena_memdup(ctx->arena, node->text.p, node->text.n), node->text.n};
        return BASE_OK;
    }
    base_rc rc = col_json_print(node, ctx->arena, to, err);
    // The print may borrow from the scratch tree (a scalar's text).
    if (rc == BASE_OK) to->p = base_arena_memdup(ctx->arena, to->p, to->n);
    return rc;
}

typedef enum get_by {
    GET_KEY,
    GET_INDEX,
    GET_PATH,
    GET_STEPS, // jsonb_extract_path(json, step, ...)
} get_by;

static void find_node(base_arena *scratch, const col_json *root, get_by by, uint32_t nargs,
                      const col_vec *const *args, uint32_t row, const col_json **found) {
    *found = NULL;
    if (by == GET_KEY) {
        if (root->kind == COL_JSON_OBJECT) *found = col_json_member(root, col_str(args[1])[row]);
        return;
    }
    if (by == GET_INDEX) {
        int32_t index = col_i32(args[1])[row]; // a lone scalar counts as an array of itself
        if (is_scalar(root)) {
            *found = index == 0 || index == -1 ? root : NULL;
        } else {
            *found = array_item(root, index);
        }
        return;
    }
    base_str *steps = NULL;
    size_t count = 0;
    if (by == GET_PATH) {
        func_text_items(args[1], row, scratch, &steps, &count);
    } else {
        count = nargs - 1;
        steps = base_arena_array(scratch, base_str, count + 1);
        for (size_t i = 0; i < count; i++) steps[i] = col_str(args[i + 1])[row];
    }
    *found = path_item(root, steps, count);
}

static base_rc get_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                        col_vec *out, get_by by, bool as_text) {
    base_arena scratch;
    base_arena_init(&scratch, SCRATCH_BYTES);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_arena_reset(&scratch);
        base_error e;
        col_json *root;
        const col_json *found = NULL;
        rc = col_json_parse(col_str(args[0])[i], &scratch, &root, &e);
        if (rc == BASE_OK) find_node(&scratch, root, by, nargs, args, i, &found);
        if (rc == BASE_OK) rc = put_node(ctx, found, as_text, out, i, &e);
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
    }
    base_arena_deinit(&scratch);
    return rc;
}

#define GET_KERNEL(name, by, as_text)                                                              \
    FUNC_KERNEL(name) {                                                                            \
        return get_rows(ctx, n, nargs, args, out, by, as_text);                                    \
    }
GET_KERNEL(get_key, GET_KEY, false)
GET_KERNEL(get_key_text, GET_KEY, true)
GET_KERNEL(get_index, GET_INDEX, false)
GET_KERNEL(get_index_text, GET_INDEX, true)
GET_KERNEL(get_path, GET_PATH, false)
GET_KERNEL(get_path_text, GET_PATH, true)
GET_KERNEL(get_steps, GET_STEPS, false)
GET_KERNEL(get_steps_text, GET_STEPS, true)

// The first byte of canonical text tells the type.
FUNC_KERNEL(typeof_jsonb) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str json = col_str(args[0])[i], name = BASE_STR("number");
        switch (json.n == 0 ? 'n' : json.p[0]) {
        case '{':
            name = BASE_STR("object");
            break;
        case '[':
            name = BASE_STR("array");
            break;
        case '"':
            name = BASE_STR("string");
            break;
        case 't':
        case 'f':
            name = BASE_STR("boolean");
            break;
        case 'n':
            name = BASE_STR("null");
            break;
        default:
            break;
        }
        col_str(out)[i] = name;
    }
    return BASE_OK;
}

// ---- predicates of two values ----

static bool contains(const col_json *a, const col_json *b, bool top);

static bool scalars_equal(const col_json *a, const col_json *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == COL_JSON_STRING) return base_str_eq(a->text, b->text);
    if (a->kind != COL_JSON_NUMBER) return true;
    base_decimal x, y;
    base_error ignored;
    if (base_decimal_parse(a->text, &x, &ignored) == BASE_OK &&
        base_decimal_parse(b->text, &y, &ignored) == BASE_OK) {
        return base_decimal_cmp(x, y) == 0;
    }
    return base_str_eq(a->text, b->text);
}

static bool array_has(const col_json *array, const col_json *item) {
    for (uint32_t i = 0; i < array->n; i++) {
        if (contains(array->items[i], item, false)) return true;
    }
    return false;
}

// a @> b. A top-level array also contains a scalar of its items.
static bool contains(const col_json *a, const col_json *b, bool top) {
    if (a->kind == COL_JSON_ARRAY && is_scalar(b)) return top && array_has(a, b);
    if (a->kind != b->kind) return false;
    if (a->kind == COL_JSON_ARRAY) {
        for (uint32_t i = 0; i < b->n; i++) {
            if (!array_has(a, b->items[i])) return false;
        }
        return true;
    }
    if (a->kind == COL_JSON_OBJECT) {
        for (uint32_t i = 0; i < b->n; i++) {
            const col_json *member = col_json_member(a, b->items[i]->key);
            if (member == NULL || !contains(member, b->items[i], false)) return false;
        }
        return true;
    }
    return scalars_equal(a, b);
}

// json ? key: a member, an item that is that string, or that string itself.
static bool has_key(const col_json *node, base_str key) {
    if (node->kind == COL_JSON_OBJECT) return col_json_member(node, key) != NULL;
    if (node->kind == COL_JSON_STRING) return base_str_eq(node->text, key);
    if (node->kind != COL_JSON_ARRAY) return false;
    for (uint32_t i = 0; i < node->n; i++) {
        if (node->items[i]->kind == COL_JSON_STRING && base_str_eq(node->items[i]->text, key)) {
            return true;
        }
    }
    return false;
}

typedef enum ask {
    ASK_CONTAINS,
    ASK_CONTAINED,
    ASK_KEY,
    ASK_ANY_KEY,
    ASK_ALL_KEYS,
} ask;

static base_rc answer(base_arena *scratch, ask what, const col_vec *const *args, uint32_t row,
                      uint8_t *to, base_error *err) {
    col_json *a, *b;
    base_str left = col_str(args[0])[row], right = col_str(args[1])[row];
    base_rc rc = col_json_parse(left, scratch, &a, err);
    if (rc != BASE_OK) return rc;
    if (what == ASK_CONTAINS || what == ASK_CONTAINED) {
        rc = col_json_parse(right, scratch, &b, err);
        if (rc == BASE_OK) *to = what == ASK_CONTAINS ? contains(a, b, true) : contains(b, a, true);
        return rc;
    }
    if (what == ASK_KEY) {
        *to = has_key(a, right);
        return BASE_OK;
    }
    base_str *keys;
    size_t count, found = 0, asked = 0;
    func_text_items(args[1], row, scratch, &keys, &count);
    for (size_t i = 0; i < count; i++) {
        if (keys[i].p == NULL) continue;
        asked++;
        found += has_key(a, keys[i]);
    }
    *to = what == ASK_ANY_KEY ? found > 0 : found == asked;
    return BASE_OK;
}

static base_rc ask_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                        ask what) {
    base_arena scratch;
    base_arena_init(&scratch, SCRATCH_BYTES);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_arena_reset(&scratch);
        base_error e;
        rc = answer(&scratch, what, args, i, &col_u8(out)[i], &e);
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
    }
    base_arena_deinit(&scratch);
    return rc;
}

#define ASK_KERNEL(name, what)                                                                     \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        return ask_rows(ctx, n, args, out, what);                                                  \
    }
ASK_KERNEL(contains_jsonb, ASK_CONTAINS)
ASK_KERNEL(contained_jsonb, ASK_CONTAINED)
ASK_KERNEL(exists_key, ASK_KEY)
ASK_KERNEL(exists_any_key, ASK_ANY_KEY)
ASK_KERNEL(exists_all_keys, ASK_ALL_KEYS)

FUNC_KERNEL(array_length_jsonb) {
    FUNC_UNUSED;
    base_arena scratch;
    base_arena_init(&scratch, SCRATCH_BYTES);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_arena_reset(&scratch);
        base_error e;
        col_json *root;
        rc = col_json_parse(col_str(args[0])[i], &scratch, &root, &e);
        if (rc == BASE_OK && root->kind != COL_JSON_ARRAY) {
            rc = base_fail(&e, BASE_E_INVALID, NULL, "cannot get array length of %s",
                           root->kind == COL_JSON_OBJECT ? "a non-array" : "a scalar");
        }
        if (rc == BASE_OK) {
            col_i32(out)[i] = (int32_t)root->n;
        } else {
            rc = func_row_error(ctx, out, i, &e);
        }
    }
    base_arena_deinit(&scratch);
    return rc;
}

// ---- making jsonb ----

// A value as JSON text; null as null. A timestamptz is in the session's zone, as in PostgreSQL.
static void add_json(base_buf *buf, const col_func_ctx *ctx, const col_vec *vec, uint32_t row) {
    if (col_is_null(vec, row)) {
        base_buf_add_cstr(buf, "null");
    } else if (vec->type.kind == COL_TIMESTAMPTZ) {
        char text[BASE_TIME_TEXT_MAX];
        size_t n = (size_t)base_timestamptz_format(col_i64(vec)[row], ctx->zone, text);
        char *space = memchr(text, ' ', n);
        if (space != NULL) *space = 'T';
        bool short_zone = n > 3 && (text[n - 3] == '+' || text[n - 3] == '-');
        base_buf_printf(buf, "\"%.*s%s\"", (int)n, text, short_zone ? ":00" : "");
    } else {
        col_json_format(vec, row, buf);
    }
}

static base_rc put_canonical(col_func_ctx *ctx, size_t *budget, base_buf *buf, col_vec *out,
                             uint32_t row) {
    base_error e;
    base_str *to = &col_str(out)[row];
    if (func_take_bytes(budget, buf->n, &e) != BASE_OK ||
        col_jsonb_canonical(base_buf_str(buf), ctx->arena, to, &e) != BASE_OK) {
        return func_row_error(ctx, out, row, &e);
    }
    to->p = base_arena_memdup(ctx->arena, to->p, to->n); // it may borrow from buf
    return BASE_OK;
}

FUNC_KERNEL(to_jsonb_any) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_buf_clear(&buf);
        add_json(&buf, ctx, args[0], i);
        rc = put_canonical(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

FUNC_KERNEL(build_array) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        base_buf_clear(&buf);
        base_buf_add_byte(&buf, '[');
        for (uint32_t a = 0; a < nargs; a++) {
            if (a > 0) base_buf_add_byte(&buf, ',');
            add_json(&buf, ctx, args[a], i);
        }
        base_buf_add_byte(&buf, ']');
        rc = put_canonical(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

static base_rc build_object_row(const col_func_ctx *ctx, base_buf *buf, base_buf *key,
                                uint32_t nargs, const col_vec *const *args, uint32_t row,
                                base_error *err) {
    if (nargs % 2 != 0) {
        base_rc rc =
            base_fail(err, BASE_E_INVALID, NULL, "argument list must have even number of elements");
        base_error_hint(err, "The arguments of jsonb_build_object() must consist of alternating "
                             "keys and values.");
        return rc;
    }
    base_buf_add_byte(buf, '{');
    for (uint32_t a = 0; a < nargs; a += 2) {
        if (col_is_null(args[a], row)) {
            return base_fail(err, BASE_E_INVALID, NULL, "argument %u: key must not be null", a + 1);
        }
        if (a > 0) base_buf_add_byte(buf, ',');
        base_buf_clear(key);
        func_add_text(key, ctx, args[a], row);
        col_json_quote(buf, base_buf_str(key));
        base_buf_add_byte(buf, ':');
        add_json(buf, ctx, args[a + 1], row);
    }
    base_buf_add_byte(buf, '}');
    return BASE_OK;
}

FUNC_KERNEL(build_object) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0}, key = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        base_buf_clear(&buf);
        rc = build_object_row(ctx, &buf, &key, nargs, args, i, &e);
        rc = rc == BASE_OK ? put_canonical(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    base_buf_deinit(&key);
    return rc;
}

// Members or items of canonical text without its brackets; a scalar counts as one item.
static base_str inside(base_str json, bool object) {
    if (!object && json.p[0] != '[') return json;
    return (base_str){json.p + 1, json.n - 2};
}

// Objects: the right one's members win. Otherwise arrays are joined, with scalars as one item.
FUNC_KERNEL(concat_jsonb) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_str a = col_str(args[0])[i], b = col_str(args[1])[i];
        bool object = a.n > 0 && b.n > 0 && a.p[0] == '{' && b.p[0] == '{';
        base_str left = inside(a, object), right = inside(b, object);
        base_buf_clear(&buf);
        base_buf_add_byte(&buf, object ? '{' : '[');
        base_buf_add_str(&buf, left);
        if (left.n > 0 && right.n > 0) base_buf_add_byte(&buf, ',');
        base_buf_add_str(&buf, right);
        base_buf_add_byte(&buf, object ? '}' : ']');
        rc = put_canonical(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

#define S COL_FUNC_STRICT
#define J COL_JSONB
#define T COL_TEXT

static const col_func rows[] = {
    {"->", 2, {J, T}, J, S, get_key, NULL},
    {"->>", 2, {J, T}, T, S, get_key_text, NULL},
    {"->", 2, {J, COL_INT4}, J, S, get_index, NULL},
    {"->>", 2, {J, COL_INT4}, T, S, get_index_text, NULL},
    {"#>", 2, {J, COL_TEXT_ARRAY}, J, S, get_path, NULL},
    {"#>>", 2, {J, COL_TEXT_ARRAY}, T, S, get_path_text, NULL},
    {"jsonb_extract_path", 2, {J, T}, J, S | COL_FUNC_VARIADIC, get_steps, NULL},
    {"jsonb_extract_path_text", 2, {J, T}, T, S | COL_FUNC_VARIADIC, get_steps_text, NULL},
    {"jsonb_typeof", 1, {J}, T, S, typeof_jsonb, NULL},
    {"jsonb_array_length", 1, {J}, COL_INT4, S, array_length_jsonb, NULL},
    {"@>", 2, {J, J}, COL_BOOL, S, contains_jsonb, NULL},
    {"<@", 2, {J, J}, COL_BOOL, S, contained_jsonb, NULL},
    {"?", 2, {J, T}, COL_BOOL, S, exists_key, NULL},
    {"?|", 2, {J, COL_TEXT_ARRAY}, COL_BOOL, S, exists_any_key, NULL},
    {"?&", 2, {J, COL_TEXT_ARRAY}, COL_BOOL, S, exists_all_keys, NULL},
    {"||", 2, {J, J}, J, S, concat_jsonb, NULL},
    {"to_jsonb", 1, {COL_UNKNOWN}, J, S, to_jsonb_any, NULL},
    {"jsonb_build_array", 1, {COL_UNKNOWN}, J, COL_FUNC_VARIADIC, build_array, NULL},
    {"jsonb_build_object", 2, {COL_UNKNOWN, COL_UNKNOWN}, J, COL_FUNC_VARIADIC, build_object, NULL},
    {"jsonb_build_array", 0, {0}, J, 0, build_array, NULL},
    {"jsonb_build_object", 0, {0}, J, 0, build_object, NULL},
    // There is no type json: these give and take jsonb.
    {"json_extract_path", 2, {J, T}, J, S | COL_FUNC_VARIADIC, get_steps, NULL},
    {"json_extract_path_text", 2, {J, T}, T, S | COL_FUNC_VARIADIC, get_steps_text, NULL},
    {"json_typeof", 1, {J}, T, S, typeof_jsonb, NULL},
    {"json_array_length", 1, {J}, COL_INT4, S, array_length_jsonb, NULL},
    {"to_json", 1, {COL_UNKNOWN}, J, S, to_jsonb_any, NULL},
    {"row_to_json", 1, {COL_STRUCT}, J, S, to_jsonb_any, NULL},
    {"array_to_json", 1, {COL_ARRAY}, J, S, to_jsonb_any, NULL},
    {"json_build_array", 1, {COL_UNKNOWN}, J, COL_FUNC_VARIADIC, build_array, NULL},
    {"json_build_object", 2, {COL_UNKNOWN, COL_UNKNOWN}, J, COL_FUNC_VARIADIC, build_object, NULL},
    {"json_build_array", 0, {0}, J, 0, build_array, NULL},
    {"json_build_object", 0, {0}, J, 0, build_object, NULL},
};
FUNC_TABLE(func_json_table, rows);
