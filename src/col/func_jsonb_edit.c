// func_jsonb_edit.c - functions that make a changed jsonb: removing, setting, inserting, stripping
// nulls, pretty printing, objects of arrays. A change copies the nodes on its way only; the rest is
// shared with the parsed tree. Source: PostgreSQL 15 documentation, 9.16.1.
#include <stdlib.h>

#include "base/must.h"
#include "col/codec.h"
#include "col/func_text_int.h"
#include "col/json_tree.h"

#define SCRATCH_BYTES 16384

typedef enum edit_op {
    EDIT_DELETE,
    EDIT_REPLACE, // what is there
    EDIT_CREATE,  // or add it
    EDIT_BEFORE,
    EDIT_AFTER,
} edit_op;

typedef struct edit {
    base_arena *arena;
    const base_str *steps;
    size_t count;
    edit_op op;
    const col_json *value;
    base_error *err;
} edit;

static base_rc bad(base_error *err, const char *text) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER, "%s", text);
}

static bool is_scalar(const col_json *node) {
    return node->kind != COL_JSON_ARRAY && node->kind != COL_JSON_OBJECT;
}

// A copy with room for one more item.
static col_json *copy_container(base_arena *arena, const col_json *node) {
    col_json *copy = base_arena_new(arena, col_json);
    *copy = *node;
    copy->items = base_arena_array(arena, col_json *, (size_t)node->n + 1);
    if (node->n > 0) memcpy(copy->items, node->items, node->n * sizeof *copy->items);
    return copy;
}

static col_json *with_key(base_arena *arena, const col_json *value, base_str key) {
    col_json *copy = base_arena_new(arena, col_json);
    *copy = *value;
    copy->key = key;
    return copy;
}

static void remove_item(col_json *node, uint32_t at) {
    memmove(node->items + at, node->items + at + 1, (node->n - at - 1) * sizeof *node->items);
    node->n--;
}

static void insert_item(col_json *node, uint32_t at, col_json *item) {
    memmove(node->items + at + 1, node->items + at, (node->n - at) * sizeof *node->items);
    node->items[at] = item;
    node->n++;
}

static int key_order(base_str a, base_str b) {
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return a.n == 0 ? 0 : memcmp(a.p, b.p, a.n);
}

static base_rc edit_at(const edit *e, const col_json *node, size_t level, const col_json **to);

static base_rc edit_object(const edit *e, const col_json *node, size_t level, const col_json **to) {
    base_str key = e->steps[level];
    bool last = level + 1 == e->count;
    uint32_t at = 0;
    while (at < node->n && key_order(node->items[at]->key, key) < 0) at++;
    bool there = at < node->n && key_order(node->items[at]->key, key) == 0;
    if (!there && (!last || e->op == EDIT_DELETE || e->op == EDIT_REPLACE)) return BASE_OK;
    if (there && last && (e->op == EDIT_BEFORE || e->op == EDIT_AFTER)) {
        base_rc rc = bad(e->err, "cannot replace existing key");
        base_error_hint(e->err, "Try using the function jsonb_set to replace key value.");
        return rc;
    }
    col_json *copy = copy_container(e->arena, node);
    *to = copy;
    if (last) {
        if (e->op == EDIT_DELETE) {
            remove_item(copy, at);
        } else if (there) {
            copy->items[at] = with_key(e->arena, e->value, node->items[at]->key);
        } else {
            insert_item(copy, at, with_key(e->arena, e->value, key));
        }
        return BASE_OK;
    }
    const col_json *inner = node->items[at];
    base_rc rc = edit_at(e, inner, level + 1, &inner);
    copy->items[at] = with_key(e->arena, inner, node->items[at]->key);
    return rc;
}

static base_rc array_step(const edit *e, size_t level, int64_t *index) {
    base_str step = e->steps[level];
    char text[32], *end;
    if (step.n > 0 && step.n < sizeof text) {
        memcpy(text, step.p, step.n);
        text[step.n] = '\0';
        *index = strtoll(text, &end, 10);
        if (*end == '\0' && end != text && *index >= INT32_MIN && *index <= INT32_MAX) {
            return BASE_OK;
        }
    }
    return base_fail(e->err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                     "path element at position %zu is not an integer: \"%.*s\"", level + 1,
                     (int)(step.n < 64 ? step.n : 64), step.p);
}

static base_rc edit_array(const edit *e, const col_json *node, size_t level, const col_json **to) {
    int64_t index, n = node->n;
    base_rc rc = array_step(e, level, &index);
    if (rc != BASE_OK) return rc;
    bool last = level + 1 == e->count, adds = e->op >= EDIT_CREATE;
    if (index < 0) index += n;
    if (index < 0 || index >= n) { // beyond an end: what adds does so there
        if (!last || !adds) return BASE_OK;
        col_json *copy = copy_container(e->arena, node);
        insert_item(copy, index < 0 ? 0 : (uint32_t)n, with_key(e->arena, e->value, BASE_STR("")));
        *to = copy;
        return BASE_OK;
    }
    uint32_t at = (uint32_t)index;
    col_json *copy = copy_container(e->arena, node);
    *to = copy;
    if (!last) {
        const col_json *inner = node->items[at];
        rc = edit_at(e, inner, level + 1, &inner);
        copy->items[at] = with_key(e->arena, inner, BASE_STR(""));
        return rc;
    }
    if (e->op == EDIT_DELETE) {
        remove_item(copy, at);
        return BASE_OK;
    }
    col_json *value = with_key(e->arena, e->value, BASE_STR(""));
    if (e->op == EDIT_BEFORE || e->op == EDIT_AFTER) {
        insert_item(copy, e->op == EDIT_AFTER ? at + 1 : at, value);
    } else {
        copy->items[at] = value;
    }
    return BASE_OK;
}

static base_rc edit_at(const edit *e, const col_json *node, size_t level, const col_json **to) {
    *to = node;
    if (is_scalar(node)) return BASE_OK;
    if (e->steps[level].p == NULL) {
        return base_fail(e->err, BASE_E_INVALID, "22004", "path element at position %zu is null",
                         level + 1);
    }
    return node->kind == COL_JSON_OBJECT ? edit_object(e, node, level, to)
                                         : edit_array(e, node, level, to);
}

static base_rc edit_path(const edit *e, const col_json *root, const col_json **to) {
    *to = root;
    if (is_scalar(root)) {
        return bad(e->err, e->op == EDIT_DELETE ? "cannot delete path in scalar"
                                                : "cannot set path in scalar");
    }
    if (root->n == 0 && (e->op == EDIT_DELETE || e->op == EDIT_REPLACE)) return BASE_OK;
    return e->count == 0 ? BASE_OK : edit_at(e, root, 0, to);
}

// ---- rows ----

// A function of one row: *to NULL is null.
typedef base_rc (*edit_row)(base_arena *scratch, const col_json *root, uint32_t nargs,
                            const col_vec *const *args, uint32_t row, const col_json **to,
                            base_error *err);

static base_rc edit_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                         col_vec *out, edit_row call) {
    base_arena scratch;
    base_arena_init(&scratch, SCRATCH_BYTES);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        if (col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        base_error e;
        col_json *root;
        const col_json *to = NULL;
        base_str text = {0};
        base_arena_reset(&scratch);
        rc = col_json_parse(col_str(args[0])[i], &scratch, &root, &e);
        if (rc == BASE_OK) rc = call(&scratch, root, nargs, args, i, &to, &e);
        if (rc == BASE_OK && to != NULL) rc = col_json_print(to, &scratch, &text, &e);
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
        } else if (to == NULL) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_str(out)[i] = (base_str){base_arena_memdup(ctx->arena, text.p, text.n), text.n};
        }
    }
    base_arena_deinit(&scratch);
    return rc;
}

#define EDIT_KERNEL(name)                                                                          \
    FUNC_KERNEL(name) {                                                                            \
        return edit_rows(ctx, n, nargs, args, out, name##_row);                                    \
    }
#define EDIT_ROW(name)                                                                             \
    static base_rc name##_row(base_arena *scratch, const col_json *root, uint32_t nargs,           \
                              const col_vec *const *args, uint32_t row, const col_json **to,       \
                              base_error *err)
#define EDIT_UNUSED ((void)scratch, (void)nargs, (void)args, (void)row, (void)err)

static base_rc edit_by(base_arena *scratch, const col_json *root, const col_vec *path, uint32_t row,
                       edit_op op, const col_vec *value, const col_json **to, base_error *err) {
    edit e = {.arena = scratch, .op = op, .err = err};
    base_str *steps;
    func_text_items(path, row, scratch, &steps, &e.count);
    e.steps = steps;
    if (value != NULL) {
        col_json *node;
        base_rc rc = col_json_parse(col_str(value)[row], scratch, &node, err);
        if (rc != BASE_OK) return rc;
        e.value = node;
    }
    return edit_path(&e, root, to);
}

// jsonb_set(target, path, value [, create])
EDIT_ROW(set_path) {
    bool create = nargs < 4 || col_u8(args[3])[row] != 0;
    return edit_by(scratch, root, args[1], row, create ? EDIT_CREATE : EDIT_REPLACE, args[2], to,
                   err);
}
EDIT_KERNEL(set_path)

// jsonb_insert(target, path, value [, after])
EDIT_ROW(insert_path) {
    bool after = nargs > 3 && col_u8(args[3])[row] != 0;
    return edit_by(scratch, root, args[1], row, after ? EDIT_AFTER : EDIT_BEFORE, args[2], to, err);
}
EDIT_KERNEL(insert_path)

EDIT_ROW(delete_path) {
    EDIT_UNUSED;
    return edit_by(scratch, root, args[1], row, EDIT_DELETE, NULL, to, err);
}
EDIT_KERNEL(delete_path)

// jsonb_set_lax(target, path, value [, create [, treatment of null]])
EDIT_ROW(set_path_lax) {
    *to = NULL;
    if (col_is_null(args[1], row) || (nargs > 3 && col_is_null(args[3], row))) return BASE_OK;
    if (nargs > 4 && col_is_null(args[4], row)) {
        return bad(err, "null_value_treatment must be \"delete_key\", \"return_target\", "
                        "\"use_json_null\", or \"raise_exception\"");
    }
    if (!col_is_null(args[2], row)) {
        return set_path_row(scratch, root, nargs < 4 ? nargs : 4, args, row, to, err);
    }
    base_str treatment = nargs > 4 ? col_str(args[4])[row] : BASE_STR("use_json_null");
    if (base_str_eq(treatment, BASE_STR("raise_exception"))) {
        base_rc rc = base_fail(err, BASE_E_INVALID, "22004", "JSON value must not be null");
        base_error_detail(err, "Exception was raised because null_value_treatment is "
                               "\"raise_exception\".");
        return rc;
    }
    if (base_str_eq(treatment, BASE_STR("return_target"))) {
        *to = root;
        return BASE_OK;
    }
    if (base_str_eq(treatment, BASE_STR("delete_key"))) {
        return delete_path_row(scratch, root, nargs, args, row, to, err);
    }
    if (!base_str_eq(treatment, BASE_STR("use_json_null"))) {
        return bad(err, "null_value_treatment must be \"delete_key\", \"return_target\", "
                        "\"use_json_null\", or \"raise_exception\"");
    }
    col_json null_node = {.kind = COL_JSON_NULL, .text = BASE_STR("null")};
    bool create = nargs < 4 || col_u8(args[3])[row] != 0;
    edit e = {.arena = scratch, .op = create ? EDIT_CREATE : EDIT_REPLACE, .err = err};
    base_str *steps;
    func_text_items(args[1], row, scratch, &steps, &e.count);
    e.steps = steps;
    e.value = with_key(scratch, &null_node, BASE_STR(""));
    return edit_path(&e, root, to);
}
EDIT_KERNEL(set_path_lax)

// ---- minus ----

static const col_json *without_key(base_arena *scratch, const col_json *root, base_str key) {
    col_json *copy = copy_container(scratch, root);
    copy->n = 0;
    for (uint32_t i = 0; i < root->n; i++) {
        col_json *item = root->items[i];
        bool drop = root->kind == COL_JSON_OBJECT
                        ? base_str_eq(item->key, key)
                        : item->kind == COL_JSON_STRING && base_str_eq(item->text, key);
        if (!drop) copy->items[copy->n++] = item;
    }
    return copy;
}

EDIT_ROW(minus_key) {
    EDIT_UNUSED;
    if (is_scalar(root)) return bad(err, "cannot delete from scalar");
    *to = without_key(scratch, root, col_str(args[1])[row]);
    return BASE_OK;
}
EDIT_KERNEL(minus_key)

EDIT_ROW(minus_keys) {
    EDIT_UNUSED;
    if (is_scalar(root)) return bad(err, "cannot delete from scalar");
    base_str *keys;
    size_t count;
    func_text_items(args[1], row, scratch, &keys, &count);
    *to = root;
    for (size_t i = 0; i < count; i++) {
        if (keys[i].p != NULL) *to = without_key(scratch, *to, keys[i]);
    }
    return BASE_OK;
}
EDIT_KERNEL(minus_keys)

EDIT_ROW(minus_index) {
    EDIT_UNUSED;
    if (is_scalar(root)) return bad(err, "cannot delete from scalar");
    if (root->kind == COL_JSON_OBJECT) {
        return bad(err, "cannot delete from object using integer index");
    }
    int64_t index = col_i32(args[1])[row];
    if (index < 0) index += root->n;
    *to = root;
    if (index < 0 || index >= root->n) return BASE_OK;
    col_json *copy = copy_container(scratch, root);
    remove_item(copy, (uint32_t)index);
    *to = copy;
    return BASE_OK;
}
EDIT_KERNEL(minus_index)

// ---- nulls ----

static const col_json *strip(base_arena *scratch, const col_json *node) {
    if (is_scalar(node)) return node;
    col_json *copy = copy_container(scratch, node);
    copy->n = 0;
    for (uint32_t i = 0; i < node->n; i++) {
        const col_json *item = node->items[i];
        if (node->kind == COL_JSON_OBJECT && item->kind == COL_JSON_NULL) continue;
        copy->items[copy->n++] = with_key(scratch, strip(scratch, item), item->key);
    }
    return copy;
}

EDIT_ROW(strip_nulls) {
    EDIT_UNUSED;
    *to = strip(scratch, root);
    return BASE_OK;
}
EDIT_KERNEL(strip_nulls)

// ---- pretty ----

static void indent(base_buf *buf, int level) {
    base_buf_add_byte(buf, '\n');
    for (int i = 0; i < level; i++) base_buf_add_cstr(buf, "    ");
}

static base_rc pretty(base_buf *buf, base_arena *scratch, const col_json *node, int level,
                      base_error *err) {
    if (is_scalar(node)) {
        base_str text;
        base_rc rc = col_json_print(node, scratch, &text, err);
        if (rc == BASE_OK) base_buf_add_str(buf, text);
        return rc;
    }
    bool object = node->kind == COL_JSON_OBJECT;
    base_buf_add_byte(buf, object ? '{' : '[');
    for (uint32_t i = 0; i < node->n; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        indent(buf, level + 1);
        if (object) {
            col_json_quote(buf, node->items[i]->key);
            base_buf_add_cstr(buf, ": ");
        }
        base_rc rc = pretty(buf, scratch, node->items[i], level + 1, err);
        if (rc != BASE_OK) return rc;
        if (buf->n > FUNC_VALUE_BYTES_MAX) {
            return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "requested length too large");
        }
    }
    indent(buf, level);
    base_buf_add_byte(buf, object ? '}' : ']');
    return BASE_OK;
}

FUNC_KERNEL(pretty_jsonb) {
    FUNC_UNUSED;
    base_arena scratch;
    base_arena_init(&scratch, SCRATCH_BYTES);
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_error e;
        col_json *root;
        base_arena_reset(&scratch);
        base_buf_clear(&buf);
        rc = col_json_parse(col_str(args[0])[i], &scratch, &root, &e);
        if (rc == BASE_OK) rc = pretty(&buf, &scratch, root, 0, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    base_arena_deinit(&scratch);
    return rc;
}

// ---- objects of arrays ----

// keys[i * key_step] with values[i * value_step].
static base_rc object_of(col_func_ctx *ctx, const base_str *keys, const base_str *values,
                         size_t count, size_t step, base_buf *buf, base_str *to, base_error *err) {
    base_buf_clear(buf);
    base_buf_add_byte(buf, '{');
    for (size_t i = 0; i < count; i++) {
        base_str key = keys[i * step], value = values[i * step];
        if (key.p == NULL) {
            return base_fail(err, BASE_E_INVALID, "22004", "null value not allowed for object key");
        }
        if (i > 0) base_buf_add_byte(buf, ',');
        col_json_quote(buf, key);
        base_buf_add_byte(buf, ':');
        if (value.p == NULL) {
            base_buf_add_cstr(buf, "null");
        } else {
            col_json_quote(buf, value);
        }
    }
    base_buf_add_byte(buf, '}');
    base_rc rc = col_jsonb_canonical(base_buf_str(buf), ctx->arena, to, err);
    // The canonical text may share bytes with its input, which the next row overwrites.
    if (rc == BASE_OK) to->p = base_arena_memdup(ctx->arena, to->p, to->n);
    return rc;
}

FUNC_KERNEL(object_arrays) {
    base_arena scratch;
    base_arena_init(&scratch, SCRATCH_BYTES);
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_error e;
        base_str *keys, *values;
        size_t count, nvalues;
        base_arena_reset(&scratch);
        func_text_items(args[0], i, &scratch, &keys, &count);
        if (nargs == 1) {
            rc = count % 2 != 0
                     ? base_fail(&e, BASE_E_INVALID, "2202E",
                                 "array must have even number of elements")
                     : object_of(ctx, keys, keys + 1, count / 2, 2, &buf, &col_str(out)[i], &e);
        } else {
            func_text_items(args[1], i, &scratch, &values, &nvalues);
            rc = count != nvalues
                     ? base_fail(&e, BASE_E_INVALID, "2202E", "mismatched array dimensions")
                     : object_of(ctx, keys, values, count, 1, &buf, &col_str(out)[i], &e);
        }
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    base_arena_deinit(&scratch);
    return rc;
}

#define S  COL_FUNC_STRICT
#define J  COL_JSONB
#define T  COL_TEXT
#define TA COL_TEXT_ARRAY
#define B  COL_BOOL

static const col_func rows[] = {
    {"-", 2, {J, T}, J, S, minus_key, NULL},
    {"-", 2, {J, COL_INT4}, J, S, minus_index, NULL},
    {"-", 2, {J, TA}, J, S, minus_keys, NULL},
    {"#-", 2, {J, TA}, J, S, delete_path, NULL},
    {"jsonb_delete_path", 2, {J, TA}, J, S, delete_path, NULL},
    {"jsonb_set", 3, {J, TA, J}, J, S, set_path, NULL},
    {"jsonb_set", 4, {J, TA, J, B}, J, S, set_path, NULL},
    {"jsonb_set_lax", 3, {J, TA, J}, J, 0, set_path_lax, NULL},
    {"jsonb_set_lax", 4, {J, TA, J, B}, J, 0, set_path_lax, NULL},
    {"jsonb_set_lax", 5, {J, TA, J, B, T}, J, 0, set_path_lax, NULL},
    {"jsonb_insert", 3, {J, TA, J}, J, S, insert_path, NULL},
    {"jsonb_insert", 4, {J, TA, J, B}, J, S, insert_path, NULL},
    {"jsonb_strip_nulls", 1, {J}, J, S, strip_nulls, NULL},
    {"jsonb_pretty", 1, {J}, T, S, pretty_jsonb, NULL},
    {"jsonb_object", 1, {TA}, J, S, object_arrays, NULL},
    {"jsonb_object", 2, {TA, TA}, J, S, object_arrays, NULL},
    {"json_strip_nulls", 1, {J}, J, S, strip_nulls, NULL},
    {"json_object", 1, {TA}, J, S, object_arrays, NULL},
    {"json_object", 2, {TA, TA}, J, S, object_arrays, NULL},
};
FUNC_TABLE(func_jsonb_edit_table, rows);
