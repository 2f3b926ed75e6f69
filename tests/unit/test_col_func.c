// test_col_func.c - scalar functions, operators and casts against what PostgreSQL gives for the
// same calls (col_func_cases.h), and what has no counterpart there: the tolerant mode, nulls,
// contexts of casts, the host table, limits.
#include "test.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/codec.h"
#include "col/func.h"
#include "col/func_host.h"

typedef struct func_arg {
    const char *type;
    const char *text; // NULL: null
} func_arg;

typedef struct func_case {
    const char *name;
    const char *zone; // NULL: UTC
    uint32_t nargs;
    func_arg args[8];
    const char *result; // NULL: null, if there is no error
    const char *type;
    const char *error; // "SQLSTATE message"
} func_case;

#include "col_func_cases.h"

static base_arena arena;
static base_error err;

// "numeric(5,2)", "varchar(3)", "text[]".
static bool type_of(const char *text, col_type *type) {
    *type = col_type_of(COL_UNKNOWN);
    int precision = 0, scale = 0;
    const char *open = strchr(text, '(');
    size_t length = open == NULL ? strlen(text) : (size_t)(open - text);
    if (!col_kind_from_name((base_str){text, length}, &type->kind)) return false;
    if (open != NULL && sscanf(open, "(%d,%d)", &precision, &scale) >= 1) {
        type->precision = (int16_t)precision;
        type->scale = (int16_t)scale;
    }
    return true;
}

static const base_zone *zone_of(const func_case *c) {
    const base_zone *zone = NULL;
    if (c->zone != NULL) must(base_zone_find(base_str_of(c->zone), &zone, NULL) == BASE_OK);
    return zone;
}

static bool make_arg(const func_arg *arg, const base_zone *zone, col_vec *vec, uint32_t n) {
    col_type type;
    if (!type_of(arg->type, &type)) return false;
    col_vec_init(vec, &arena, type, n);
    for (uint32_t i = 0; i < n; i++) {
        if (arg->text == NULL) {
            col_vec_set_null(vec, &arena, i);
        } else if (col_text_parse(base_str_of(arg->text), zone, vec, i, &arena, &err) != BASE_OK) {
            return false;
        }
    }
    return true;
}

// The function whose argument kinds are the given ones (COL_UNKNOWN stands for any), by preference
// without "any".
static const col_func *find_exact(const char *name, uint32_t nargs, const col_vec *const *args) {
    const col_func *const *found;
    size_t count = col_func_find(base_str_of(name), &found);
    const col_func *best = NULL;
    int best_any = 0;
    for (size_t f = 0; f < count; f++) {
        const col_func *func = found[f];
        bool variadic = (func->flags & COL_FUNC_VARIADIC) != 0;
        if (variadic ? nargs < func->nargs : nargs != func->nargs) continue;
        bool fits = true;
        int any = variadic;
        for (uint32_t a = 0; a < nargs && fits; a++) {
            col_kind kind = func->args[a < func->nargs ? a : func->nargs - 1u];
            if (kind == COL_UNKNOWN || kind == COL_ARRAY) any++;
            fits = kind == COL_UNKNOWN || kind == args[a]->type.kind ||
                   (kind == COL_ARRAY && col_kind_is_array(args[a]->type.kind));
        }
        if (fits && (best == NULL || any < best_any)) {
            best = func;
            best_any = any;
        }
    }
    return best;
}

static void union_nulls(col_vec *out, uint32_t n, uint32_t nargs, const col_vec *const *args) {
    for (uint32_t a = 0; a < nargs; a++) {
        for (uint32_t i = 0; i < n; i++) {
            if (col_is_null(args[a], i)) col_vec_set_null(out, &arena, i);
        }
    }
}

// Integers promote where a function takes a wider kind only: as the binder would, one step.
static const col_func *resolve(const func_case *c, const col_vec *const *args) {
    if (strncmp(c->name, "cast:", 5) == 0) {
        col_type to;
        if (!type_of(c->name + 5, &to)) return NULL;
        return col_cast_find(args[0]->type.kind, to.kind, COL_CAST_EXPLICIT);
    }
    return find_exact(c->name, c->nargs, args);
}

static void fail_case(const func_case *c, const char *what, const char *actual,
                      const char *expected) {
    fprintf(stderr, "%s(", c->name);
    for (uint32_t a = 0; a < c->nargs; a++) {
        fprintf(stderr, "%s%s %s", a > 0 ? ", " : "", c->args[a].type,
                c->args[a].text == NULL ? "null" : c->args[a].text);
    }
    fprintf(stderr, "): %s is \"%s\", expected \"%s\"\n", what, actual, expected);
    test_failures++;
}

static void check_result(const func_case *c, const col_vec *out, uint32_t row) {
    if (c->error != NULL) {
        fail_case(c, "result", "no error", c->error);
        return;
    }
    col_type type;
    if (type_of(c->type, &type) && type.kind != out->type.kind) {
        fail_case(c, "type", col_kind_name(out->type.kind), c->type);
    }
    if (col_is_null(out, row)) {
        if (c->result != NULL) fail_case(c, "result", "null", c->result);
        return;
    }
    base_buf buf = {0};
    col_text_format(out, row, zone_of(c), &buf);
    if (c->result == NULL || strcmp(base_buf_cstr(&buf), c->result) != 0) {
        fail_case(c, "result", base_buf_cstr(&buf), c->result == NULL ? "null" : c->result);
    }
    base_buf_deinit(&buf);
}

static void check_error(const func_case *c) {
    char text[600];
    snprintf(text, sizeof text, "%s %s", err.sqlstate, err.message);
    if (c->error == NULL) {
        fail_case(c, "error", text, c->result == NULL ? "null" : c->result);
    } else if (strcmp(text, c->error) != 0) {
        fail_case(c, "error", text, c->error);
    }
}

static void run_case(const func_case *c, uint32_t n, bool tolerant) {
    col_vec vecs[8];
    const col_vec *args[8];
    base_error_clear(&err);
    for (uint32_t a = 0; a < c->nargs; a++) {
        args[a] = &vecs[a];
        if (!make_arg(&c->args[a], zone_of(c), &vecs[a], n)) {
            fail_case(c, "argument", c->args[a].text, "a value");
            return;
        }
    }
    const col_func *func = resolve(c, args);
    if (func == NULL) {
        fail_case(c, "function", "none", "one");
        return;
    }
    col_kind any = args[0]->type.kind;
    if (func->nargs > 0 && func->args[0] == COL_ARRAY) any = col_kind_element(any);
    col_type type = col_type_of(func->ret == COL_UNKNOWN ? any
                                : func->ret == COL_ARRAY ? col_kind_array_of(any)
                                                         : func->ret);
    if (strncmp(c->name, "cast:", 5) == 0) type_of(c->name + 5, &type);
    col_vec out;
    col_vec_init(&out, &arena, type, n);
    if ((func->flags & COL_FUNC_STRICT) != 0) union_nulls(&out, n, c->nargs, args);
    uint8_t *failed = base_arena_zalloc(&arena, n);
    col_func_ctx ctx = {.arena = &arena,
                        .err = &err,
                        .zone = zone_of(c),
                        .user = "someone",
                        .database = "weir",
                        .failed = tolerant ? failed : NULL};
    base_rc rc = func->kernel(&ctx, n, c->nargs, args, &out);
    if (tolerant) {
        if (rc != BASE_OK) {
            fail_case(c, "tolerant call", err.message, "no failure");
            return;
        }
        for (uint32_t i = 0; i < n; i++) {
            if ((failed[i] != 0) != (c->error != NULL) || (failed[i] && !col_is_null(&out, i))) {
                fail_case(c, "row", failed[i] ? "failed" : "good", "the other");
                return;
            }
        }
    }
    if (rc != BASE_OK || (tolerant && failed[0])) {
        check_error(c);
        return;
    }
    for (uint32_t i = 0; i < n; i++) check_result(c, &out, i);
}

static void run_all(uint32_t n, bool tolerant) {
    base_arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_case(&cases[i], n, tolerant);
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
}

TEST(as_postgresql) {
    run_all(1, false);
}

// The same calls, three rows each, in tolerant mode: failures are marked and the call goes on.
TEST(as_postgresql_tolerant) {
    run_all(3, true);
}

TEST(find) {
    const col_func *const *found;
    EXPECT(col_func_find(BASE_STR("LOWER"), &found) == 1);
    EXPECT_EQ_STR(found[0]->name, "lower");
    EXPECT(col_func_find(BASE_STR("no_such_function"), &found) == 0);
    EXPECT(col_func_find(BASE_STR(""), &found) == 0);
    char longer[200];
    memset(longer, 'a', sizeof longer);
    EXPECT(col_func_find((base_str){longer, sizeof longer}, &found) == 0);
    for (size_t i = 0; i < col_func_count(); i++) {
        const col_func *func = col_func_at(i);
        EXPECT(func->kernel != NULL && func->nargs <= COL_FUNC_ARGS_MAX);
        size_t count = col_func_find(base_str_of(func->name), &found);
        bool listed = false;
        for (size_t k = 0; k < count; k++) {
            listed |= found[k] == func;
            // Two functions of the same arguments could not be told apart.
            bool same = found[k] != func && found[k]->nargs == func->nargs &&
                        memcmp(found[k]->args, func->args, sizeof func->args) == 0;
            if (same) fprintf(stderr, "twice: %s\n", func->name);
            EXPECT(!same);
        }
        EXPECT(listed);
        if ((func->flags & COL_FUNC_VARIADIC) != 0) EXPECT(func->nargs > 0);
    }
}

TEST(cast_contexts) {
    EXPECT(col_cast_find(COL_INT4, COL_INT8, COL_CAST_IMPLICIT) != NULL);
    EXPECT(col_cast_find(COL_INT8, COL_INT4, COL_CAST_IMPLICIT) == NULL);
    EXPECT(col_cast_find(COL_INT8, COL_INT4, COL_CAST_ASSIGNMENT) != NULL);
    EXPECT(col_cast_find(COL_TEXT, COL_INT4, COL_CAST_ASSIGNMENT) == NULL);
    EXPECT(col_cast_find(COL_TEXT, COL_INT4, COL_CAST_EXPLICIT) != NULL);
    EXPECT(col_cast_find(COL_UNKNOWN, COL_DATE, COL_CAST_IMPLICIT) != NULL);
    EXPECT(col_cast_find(COL_INT4, COL_TEXT, COL_CAST_IMPLICIT) == NULL);
    EXPECT(col_cast_find(COL_INT4, COL_TEXT, COL_CAST_ASSIGNMENT) != NULL);
    EXPECT(col_cast_find(COL_VARCHAR, COL_TEXT, COL_CAST_IMPLICIT) != NULL);
    EXPECT(col_cast_find(COL_DATE, COL_TIMESTAMP, COL_CAST_IMPLICIT) != NULL);
    EXPECT(col_cast_find(COL_TIMESTAMP, COL_DATE, COL_CAST_IMPLICIT) == NULL);
    EXPECT(col_cast_find(COL_DATE, COL_INT4, COL_CAST_EXPLICIT) == NULL);
    EXPECT(col_cast_find(COL_BOOL, COL_INT8, COL_CAST_EXPLICIT) == NULL);
    EXPECT(col_cast_find(COL_UUID, COL_BYTEA, COL_CAST_EXPLICIT) == NULL);
    EXPECT(col_cast_find(COL_NUMERIC, COL_NUMERIC, COL_CAST_IMPLICIT) != NULL);
}

// Storing in VARCHAR(n) may cut spaces only; CAST cuts anything (in the table of cases).
TEST(varchar_assignment) {
    base_arena_init(&arena, 4096);
    col_vec in, out;
    const col_vec *args[] = {&in};
    col_type type = {COL_VARCHAR, 3, 0, 0, NULL};
    const col_func *cast = col_cast_find(COL_TEXT, COL_VARCHAR, COL_CAST_ASSIGNMENT);
    col_vec_init(&in, &arena, col_type_of(COL_TEXT), 1);
    col_vec_init(&out, &arena, type, 1);
    col_func_ctx ctx = {.arena = &arena, .err = &err};
    base_error_clear(&err);
    col_str(&in)[0] = BASE_STR("abc  ");
    REQUIRE_OK(cast->kernel(&ctx, 1, 1, args, &out));
    EXPECT(base_str_eq(col_str(&out)[0], BASE_STR("abc")));
    col_str(&in)[0] = BASE_STR("abcd");
    EXPECT(cast->kernel(&ctx, 1, 1, args, &out) != BASE_OK);
    EXPECT_EQ_STR(err.sqlstate, BASE_SQLSTATE_STRING_TRUNCATION);
    base_arena_deinit(&arena);
}

// A row that is null is never the cause of a failure; the others are.
TEST(null_rows) {
    base_arena_init(&arena, 4096);
    col_vec a, b, out;
    const col_vec *args[] = {&a, &b};
    col_vec_init(&a, &arena, col_type_of(COL_INT4), 3);
    col_vec_init(&b, &arena, col_type_of(COL_INT4), 3);
    for (int i = 0; i < 3; i++) col_i32(&a)[i] = INT32_MAX;
    col_i32(&b)[0] = 0;
    col_i32(&b)[1] = 1;
    col_i32(&b)[2] = -1;
    col_vec_set_null(&b, &arena, 1);
    const col_func *plus = find_exact("+", 2, args), *divide = find_exact("/", 2, args);
    REQUIRE(plus != NULL && divide != NULL);
    col_func_ctx ctx = {.arena = &arena, .err = &err};
    col_vec_init(&out, &arena, col_type_of(COL_INT4), 3);
    union_nulls(&out, 3, 2, args);
    base_error_clear(&err);
    REQUIRE_OK(plus->kernel(&ctx, 3, 2, args, &out));
    EXPECT_EQ_INT(col_i32(&out)[0], INT32_MAX);
    EXPECT_EQ_INT(col_i32(&out)[2], INT32_MAX - 1);
    EXPECT(divide->kernel(&ctx, 3, 2, args, &out) == BASE_E_INVALID);
    EXPECT_EQ_STR(err.sqlstate, BASE_SQLSTATE_DIVISION_BY_ZERO);
    uint8_t failed[3] = {0};
    ctx.failed = failed;
    base_error_clear(&err);
    REQUIRE(divide->kernel(&ctx, 3, 2, args, &out) == BASE_OK);
    EXPECT(failed[0] && !failed[1] && !failed[2] && col_is_null(&out, 0));
    EXPECT_EQ_INT(col_i32(&out)[2], -INT32_MAX);
    EXPECT_EQ_STR(err.message, "division by zero");
    base_arena_deinit(&arena);
}

// ---- the host ----

static bool host_relation_oid(void *self, base_str schema, base_str name, uint32_t *oid) {
    (void)self;
    *oid = 42;
    return (schema.n == 0 || base_str_eq(schema, BASE_STR("sales"))) &&
           base_str_eq(name, BASE_STR("Order Placed"));
}

static bool host_relation_name(void *self, uint32_t oid, base_arena *into, base_str *schema,
                               base_str *name, bool *visible) {
    (void)self;
    (void)into;
    *schema = BASE_STR("sales");
    *name = BASE_STR("Order Placed");
    *visible = false;
    return oid == 42;
}

static bool host_text(void *self, uint32_t oid, base_arena *into, base_str *out) {
    (void)self;
    *out = base_str_of(base_arena_strdup(into, "text of 42"));
    return oid == 42;
}

static bool host_comment(void *self, uint32_t oid, base_str catalogue, int32_t column,
                         base_arena *into, base_str *out) {
    (void)self;
    *out = base_str_of(base_arena_printf(into, "%.*s %d", BASE_STR_ARG(catalogue), column));
    return oid == 42;
}

static bool host_setting_get(void *self, base_str name, base_arena *into, base_str *out) {
    (void)self;
    (void)into;
    *out = BASE_STR("UTC");
    return base_str_eq_nocase(name, BASE_STR("timezone"));
}

static base_rc host_setting_set(void *self, base_str name, base_str value, bool is_local,
                                base_error *error) {
    (void)self;
    (void)value;
    (void)is_local;
    if (base_str_eq(name, BASE_STR("timezone"))) return BASE_OK;
    return base_fail(error, BASE_E_NOT_FOUND, NULL, "no such setting");
}

static const col_func_host host = {
    .relation_oid = host_relation_oid,
    .relation_name = host_relation_name,
    .type_name = host_text,
    .user_name = host_text,
    .view_definition = host_text,
    .index_definition = host_text,
    .constraint_definition = host_text,
    .comment = host_comment,
    .setting_get = host_setting_get,
    .setting_set = host_setting_set,
    .schema = "public",
    .backend_pid = 7,
};

// Evaluates name(args) with the host; the text, "null" or the error's SQLSTATE.
static const char *with_host(const char *name, const col_func_host *table, uint32_t nargs,
                             const func_arg *list) {
    col_vec vecs[8], out;
    const col_vec *args[8];
    base_error_clear(&err);
    for (uint32_t a = 0; a < nargs; a++) {
        args[a] = &vecs[a];
        if (!make_arg(&list[a], 0, &vecs[a], 1)) return "bad argument";
    }
    const func_case c = {.name = name, .nargs = nargs};
    const col_func *func = resolve(&c, args);
    if (func == NULL) return "no function";
    col_vec_init(&out, &arena, col_type_of(func->ret), 1);
    if ((func->flags & COL_FUNC_STRICT) != 0) union_nulls(&out, 1, nargs, args);
    col_func_ctx ctx = {.arena = &arena,
                        .err = &err,
                        .now_us = 634567 * BASE_US_PER_SECOND,
                        .user = "ada",
                        .database = "weir",
                        .host = (void *)(uintptr_t)table};
    if (func->kernel(&ctx, 1, nargs, args, &out) != BASE_OK) return err.sqlstate;
    if (col_is_null(&out, 0)) return "null";
    base_buf buf = {0};
    col_text_format(&out, 0, 0, &buf);
    const char *text = base_arena_memdup(&arena, buf.p, buf.n);
    base_buf_deinit(&buf);
    return text;
}

#define HOST(name, ...)                                                                            \
    with_host(name, &host, sizeof((func_arg[]){__VA_ARGS__}) / sizeof(func_arg),                   \
              (func_arg[]){__VA_ARGS__})

TEST(host) {
    base_arena_init(&arena, 4096);
    EXPECT_EQ_STR(HOST("cast:regclass", {"text", "sales.\"Order Placed\""}), "42");
    EXPECT_EQ_STR(HOST("cast:regclass", {"text", "17"}), "17");
    EXPECT_EQ_STR(HOST("cast:regclass", {"text", "nowhere"}), "42P01");
    EXPECT_EQ_STR(HOST("cast:regclass", {"text", "a.\"b"}), "42602");
    EXPECT_EQ_STR(HOST("cast:text", {"regclass", "42"}), "sales.\"Order Placed\"");
    EXPECT_EQ_STR(HOST("cast:text", {"regclass", "43"}), "43");
    EXPECT_EQ_STR(HOST("to_regclass", {"text", "nowhere"}), "null");
    EXPECT_EQ_STR(HOST("to_regclass", {"text", "\"Order Placed\""}), "42");
    EXPECT_EQ_STR(HOST("pg_table_is_visible", {"oid", "42"}), "f");
    EXPECT_EQ_STR(HOST("pg_table_is_visible", {"oid", "43"}), "null");
    EXPECT_EQ_STR(HOST("pg_get_viewdef", {"oid", "42"}, {"bool", "t"}), "text of 42");
    EXPECT_EQ_STR(HOST("pg_get_viewdef", {"oid", "43"}), "null");
    EXPECT_EQ_STR(HOST("pg_get_userbyid", {"oid", "42"}), "text of 42");
    EXPECT_EQ_STR(HOST("pg_get_userbyid", {"oid", "9"}), "unknown (OID=9)");
    EXPECT_EQ_STR(HOST("obj_description", {"oid", "42"}, {"name", "pg_type"}), "pg_type 0");
    EXPECT_EQ_STR(HOST("col_description", {"oid", "42"}, {"int4", "3"}), "pg_class 3");
    EXPECT_EQ_STR(HOST("current_setting", {"text", "TimeZone"}), "UTC");
    EXPECT_EQ_STR(HOST("current_setting", {"text", "x"}), "42704");
    EXPECT_EQ_STR(HOST("current_setting", {"text", "x"}, {"bool", "t"}), "null");
    EXPECT_EQ_STR(HOST("set_config", {"text", "timezone"}, {"text", "UTC"}, {"bool", "f"}), "UTC");
    EXPECT_EQ_STR(HOST("current_schemas", {"bool", "t"}), "{pg_catalog,public}");
    EXPECT_EQ_STR(with_host("current_schema", &host, 0, NULL), "public");
    EXPECT_EQ_STR(with_host("current_schema", NULL, 0, NULL), "0A000");
    EXPECT_EQ_STR(with_host("current_user", NULL, 0, NULL), "ada");
    EXPECT_EQ_STR(with_host("current_database", NULL, 0, NULL), "weir");
    EXPECT_EQ_STR(with_host("pg_backend_pid", &host, 0, NULL), "7");
    EXPECT_EQ_STR(with_host("now", NULL, 0, NULL), "2000-01-08 08:16:07+00");
    EXPECT_EQ_STR(with_host("current_date", NULL, 0, NULL), "2000-01-08");
    char oid[16];
    for (size_t i = 0; i < col_func_count(); i++) {
        const col_func *func = col_func_at(i);
        if (strcmp(func->name, "lpad") != 0 || func->nargs != 3) continue;
        snprintf(oid, sizeof oid, "%u", (unsigned)(COL_FUNC_OID_FIRST + i));
    }
    EXPECT_EQ_STR(HOST("pg_get_function_arguments", {"oid", oid}), "text, integer, text");
    EXPECT_EQ_STR(HOST("pg_get_function_result", {"oid", oid}), "text");
    base_arena_deinit(&arena);
}

// What weir refuses though PostgreSQL does not, with a message that says so.
TEST(limits) {
    base_arena_init(&arena, 4096);
    char deep[400];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    EXPECT_EQ_STR(HOST("~", {"text", "a"}, {"text", deep}), "54000");
    EXPECT_EQ_STR(HOST("~", {"text", "a"}, {"text", "((a{200}){200}){200}"}), "2201B");
    EXPECT_EQ_STR(HOST("repeat", {"text", "abc"}, {"int4", "2000000000"}), "54000");
    EXPECT_EQ_STR(HOST("cast:numeric", {"float8", "NaN"}), "0A000");
    base_arena_deinit(&arena);
}

TEST_MAIN(TEST_ENTRY(as_postgresql), TEST_ENTRY(as_postgresql_tolerant), TEST_ENTRY(find),
          TEST_ENTRY(cast_contexts), TEST_ENTRY(varchar_assignment), TEST_ENTRY(null_rows),
          TEST_ENTRY(host), TEST_ENTRY(limits))
