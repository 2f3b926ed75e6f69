// func_system.c - system information: what psql, drivers and BI tools ask of pg_catalog. Functions
// of the catalogue go through col_func_host (COL_FUNC_HOST); about objects that weir does not have
// (rules, triggers, partitions) they answer null, as PostgreSQL does for an oid it does not know.
// weir has no privileges a relation: whoever may log in may read, so has_*_privilege are true.
#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "col/array.h"
#include "col/func_host.h"
#include "col/func_text_int.h"

// The version whose behaviour clients may expect: they parse it.
#define PG_VERSION_TEXT "PostgreSQL 15.0"

// ---- values of the session ----

static base_rc fill_text(col_func_ctx *ctx, uint32_t n, col_vec *out, const char *text) {
    for (uint32_t i = 0; i < n; i++) {
        if (text == NULL) {
            col_vec_set_null(out, ctx->arena, i);
        } else if (!col_is_null(out, i)) {
            col_str(out)[i] = base_str_of(text);
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(version) {
    FUNC_UNUSED;
    return fill_text(ctx, n, out, PG_VERSION_TEXT " (weir " WEIR_VERSION ")");
}

FUNC_KERNEL(session_user) {
    FUNC_UNUSED;
    return fill_text(ctx, n, out, ctx->user);
}

FUNC_KERNEL(session_database) {
    FUNC_UNUSED;
    return fill_text(ctx, n, out, ctx->database);
}

FUNC_KERNEL(client_encoding) {
    FUNC_UNUSED;
    return fill_text(ctx, n, out, "UTF8");
}

FUNC_KERNEL(in_recovery) {
    FUNC_UNUSED;
    memset(out->data, 0, n);
    return BASE_OK;
}

// Objects that are all visible, and privileges that everybody has.
FUNC_KERNEL(always_true) {
    FUNC_UNUSED;
    memset(out->data, 1, n);
    return BASE_OK;
}

FUNC_KERNEL(always_false) {
    FUNC_UNUSED;
    memset(out->data, 0, n);
    return BASE_OK;
}

FUNC_KERNEL(empty_text) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_str(out)[i] = BASE_STR("");
    return BASE_OK;
}

FUNC_KERNEL(always_null) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_vec_set_null(out, ctx->arena, i);
    return BASE_OK;
}

FUNC_KERNEL(zero_oid) {
    FUNC_UNUSED;
    memset(out->data, 0, n * sizeof(uint32_t));
    return BASE_OK;
}

FUNC_KERNEL(zero_int8) {
    FUNC_UNUSED;
    memset(out->data, 0, n * sizeof(int64_t));
    return BASE_OK;
}

static base_rc need_host(const col_func_ctx *ctx) {
    if (ctx->host != NULL) return BASE_OK;
    return base_fail(ctx->err, BASE_E_UNSUPPORTED, NULL,
                     "functions of the system catalogue cannot be used here");
}

FUNC_KERNEL(current_schema) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    return fill_text(ctx, n, out, ((const col_func_host *)ctx->host)->schema);
}

FUNC_KERNEL(current_schemas) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const char *schema = ((const col_func_host *)ctx->host)->schema;
    col_vec names;
    col_vec_init(&names, ctx->arena, col_type_of(COL_NAME), 2);
    col_str(&names)[0] = BASE_STR("pg_catalog");
    col_str(&names)[1] = base_str_of(schema);
    FUNC_EACH(i) {
        col_str(out)[i] =
            col_array_make(ctx->arena, &names, col_u8(args[0])[i] ? 0 : 1, schema == NULL ? 1 : 2);
    }
    return BASE_OK;
}

FUNC_KERNEL(backend_pid) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < n; i++) {
        col_i32(out)[i] = ((const col_func_host *)ctx->host)->backend_pid;
    }
    return BASE_OK;
}

// ---- the catalogue ----

typedef bool (*host_text)(void *self, uint32_t oid, base_arena *arena, base_str *out);

static base_rc host_rows(col_func_ctx *ctx, uint32_t n, const col_vec *oids, col_vec *out,
                         host_text call, void *self) {
    FUNC_EACH(i) {
        base_str text;
        if (call(self, col_u32(oids)[i], ctx->arena, &text)) {
            col_str(out)[i] = text;
        } else {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

#define HOST_KERNEL(name, member)                                                                  \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_rc rc = need_host(ctx);                                                               \
        if (rc != BASE_OK) return rc;                                                              \
        const col_func_host *host = ctx->host;                                                     \
        return host_rows(ctx, n, args[0], out, host->member, host->self);                          \
    }
HOST_KERNEL(view_definition, view_definition)
HOST_KERNEL(index_definition, index_definition)
HOST_KERNEL(constraint_definition, constraint_definition)

// pg_get_indexdef(oid, column, pretty): column 0 is the whole.
FUNC_KERNEL(index_definition_column) {
    base_rc rc = index_definition(ctx, n, nargs, args, out);
    if (rc != BASE_OK) return rc;
    FUNC_EACH(i) {
        if (col_i32(args[1])[i] != 0) col_vec_set_null(out, ctx->arena, i);
    }
    return BASE_OK;
}

FUNC_KERNEL(user_by_id) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    FUNC_EACH(i) {
        uint32_t oid = col_u32(args[0])[i];
        if (!host->user_name(host->self, oid, ctx->arena, &col_str(out)[i])) {
            col_str(out)[i] =
                base_str_of(base_arena_printf(ctx->arena, "unknown (OID=%" PRIu32 ")", oid));
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(relation_visible) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    FUNC_EACH(i) {
        base_str schema, name;
        bool visible = false;
        if (host->relation_name(host->self, col_u32(args[0])[i], ctx->arena, &schema, &name,
                                &visible)) {
            col_u8(out)[i] = visible || (host->relation_listed != NULL &&
                                         host->relation_listed(host->self, col_u32(args[0])[i]));
        } else {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

// obj_description(oid [, catalogue]); without one the comment of a relation.
FUNC_KERNEL(object_comment) {
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    FUNC_EACH(i) {
        base_str catalogue = nargs > 1 ? col_str(args[1])[i] : BASE_STR("pg_class");
        if (!host->comment(host->self, col_u32(args[0])[i], catalogue, 0, ctx->arena,
                           &col_str(out)[i])) {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(column_comment) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    FUNC_EACH(i) {
        int32_t column = col_i32(args[1])[i];
        if (column <= 0 || !host->comment(host->self, col_u32(args[0])[i], BASE_STR("pg_class"),
                                          column, ctx->arena, &col_str(out)[i])) {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(relation_size) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    FUNC_EACH(i) {
        if (host->relation_bytes == NULL ||
            !host->relation_bytes(host->self, col_u32(args[0])[i], &col_i64(out)[i])) {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

// There is one database: all of it, whatever name is asked for.
FUNC_KERNEL(database_size) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    FUNC_EACH(i) {
        if (host->relation_bytes == NULL ||
            !host->relation_bytes(host->self, 0, &col_i64(out)[i])) {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

// to_regclass: null, not an error, for a name that is nowhere.
FUNC_KERNEL(to_regclass) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    base_error e;
    FUNC_EACH(i) {
        base_str schema, name;
        rc = func_split_name(col_str(args[0])[i], ctx->arena, &schema, &name, &e);
        if (rc == BASE_OK && !host->relation_oid(host->self, schema, name, &col_u32(out)[i])) {
            col_vec_set_null(out, ctx->arena, i);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

// Stored expressions are kept as text.
FUNC_KERNEL(expression_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_str(out)[i] = col_str(args[0])[i];
    return BASE_OK;
}

// ---- settings ----

FUNC_KERNEL(setting_get) {
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    base_error e;
    FUNC_EACH(i) {
        base_str name = col_str(args[0])[i];
        if (host->setting_get(host->self, name, ctx->arena, &col_str(out)[i])) continue;
        if (nargs > 1 && col_u8(args[1])[i]) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            FUNC_ROW_CALL(base_fail(&e, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                                    "unrecognized configuration parameter \"%.*s\"",
                                    (int)(name.n < 200 ? name.n : 200), name.p));
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(setting_set) {
    FUNC_UNUSED;
    base_rc rc = need_host(ctx);
    if (rc != BASE_OK) return rc;
    const col_func_host *host = ctx->host;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(host->setting_set(host->self, col_str(args[0])[i], col_str(args[1])[i],
                                        col_u8(args[2])[i] != 0, &e));
        col_str(out)[i] = col_str(args[1])[i];
    }
    return BASE_OK;
}

// ---- types and functions ----

// Types of PostgreSQL's own catalogue that no column here can have, but that clients name.
static const struct {
    uint32_t oid;
    const char *name;
} other_types[] = {
    {22, "int2vector"},
    {24, "regproc"},
    {27, "tid"},
    {28, "xid"},
    {29, "cid"},
    {30, "oidvector"},
    {114, "json"},
    {142, "xml"},
    {194, "pg_node_tree"},
    {199, "json[]"},
    {650, "cidr"},
    {790, "money"},
    {869, "inet"},
    {1033, "aclitem"},
    {1034, "aclitem[]"},
    {1042, "character"},
    {1266, "time with time zone"},
    {1560, "bit"},
    {2202, "regprocedure"},
    {2203, "regoper"},
    {2206, "regtype"},
    {2249, "record"},
    {2275, "cstring"},
    {2276, "\"any\""},
    {2277, "anyarray"},
    {2278, "void"},
    {2279, "trigger"},
    {2281, "internal"},
    {2283, "anyelement"},
    {2287, "record[]"},
    {3220, "pg_lsn"},
    {3614, "tsvector"},
    {4089, "regnamespace"},
    {4096, "regrole"},
};

static base_str type_text(col_func_ctx *ctx, uint32_t oid, bool has_typmod, int32_t typmod) {
    col_kind kind;
    if (oid == 0) return BASE_STR("-");
    if (col_kind_from_oid(oid, &kind)) {
        col_kind element = col_kind_element(kind);
        const char *name = col_kind_name(element);
        const char *brackets = element == kind ? "" : "[]";
        if (has_typmod && typmod >= 4 && element == COL_VARCHAR) {
            return base_str_of(
                base_arena_printf(ctx->arena, "%s(%d)%s", name, typmod - 4, brackets));
        }
        if (has_typmod && typmod >= 4 && element == COL_NUMERIC) {
            return base_str_of(base_arena_printf(ctx->arena, "%s(%d,%d)%s", name,
                                                 (typmod - 4) >> 16 & 0xffff,
                                                 (((typmod - 4) & 0x7ff) ^ 1024) - 1024, brackets));
        }
        return base_str_of(col_kind_name(kind));
    }
    for (size_t i = 0; i < sizeof other_types / sizeof other_types[0]; i++) {
        if (other_types[i].oid == oid) return base_str_of(other_types[i].name);
    }
    const col_func_host *host = ctx->host;
    base_str name;
    if (host != NULL && host->type_name(host->self, oid, ctx->arena, &name)) return name;
    return BASE_STR("???");
}

// format_type(oid, typmod): the typmod may be null.
FUNC_KERNEL(format_type) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) {
        if (col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        bool has_typmod = !col_is_null(args[1], i);
        col_str(out)[i] =
            type_text(ctx, col_u32(args[0])[i], has_typmod, has_typmod ? col_i32(args[1])[i] : -1);
    }
    return BASE_OK;
}

static const char *kind_text(col_kind kind) {
    return kind == COL_UNKNOWN ? "\"any\"" : col_kind_name(kind);
}

static const col_func *function_of(uint32_t oid) {
    if (oid < COL_FUNC_OID_FIRST || oid - COL_FUNC_OID_FIRST >= col_func_count()) return NULL;
    return col_func_at(oid - COL_FUNC_OID_FIRST);
}

FUNC_KERNEL(function_result) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        const col_func *func = function_of(col_u32(args[0])[i]);
        if (func == NULL) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_str(out)[i] =
                base_str_of(func->ret == COL_UNKNOWN ? "anyelement" : col_kind_name(func->ret));
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(function_arguments) {
    FUNC_UNUSED;
    base_buf buf = {0};
    FUNC_EACH(i) {
        const col_func *func = function_of(col_u32(args[0])[i]);
        if (func == NULL) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        base_buf_clear(&buf);
        for (uint32_t a = 0; a < func->nargs; a++) {
            bool last = a + 1 == func->nargs;
            base_buf_printf(&buf, "%s%s%s", a > 0 ? ", " : "",
                            last && (func->flags & COL_FUNC_VARIADIC) != 0 ? "VARIADIC " : "",
                            (func->flags & COL_FUNC_ANY_SAME) != 0 && func->args[a] == COL_UNKNOWN
                                ? "anyelement"
                                : kind_text(func->args[a]));
        }
        col_str(out)[i] = (base_str){base_arena_memdup(ctx->arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return BASE_OK;
}

// ---- names and text ----

FUNC_KERNEL(quote_ident) {
    FUNC_UNUSED;
    base_buf buf = {0};
    FUNC_EACH(i) {
        base_buf_clear(&buf);
        func_quote_ident(&buf, col_str(args[0])[i]);
        col_str(out)[i] = (base_str){base_arena_memdup(ctx->arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return BASE_OK;
}

void func_add_literal(base_buf *buf, base_str s) {
    if (s.n > 0 && memchr(s.p, '\\', s.n) != NULL) base_buf_add_byte(buf, 'E');
    base_buf_add_byte(buf, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') base_buf_add_byte(buf, (uint8_t)s.p[i]);
        base_buf_add_byte(buf, (uint8_t)s.p[i]);
    }
    base_buf_add_byte(buf, '\'');
}

static base_rc quote_rows(col_func_ctx *ctx, uint32_t n, const col_vec *from, col_vec *out) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf text = {0}, buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_buf_clear(&text);
        base_buf_clear(&buf);
        if (col_is_null(from, i)) {
            base_buf_add_cstr(&buf, "NULL");
        } else {
            func_add_text(&text, ctx, from, i);
            func_add_literal(&buf, base_buf_str(&text));
        }
        rc = func_put_text(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&text);
    base_buf_deinit(&buf);
    return rc;
}

FUNC_KERNEL(quote_literal) {
    FUNC_UNUSED;
    return quote_rows(ctx, n, args[0], out);
}

// to_regtype: null, not an error, for a name that is no type.
FUNC_KERNEL(to_regtype) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str name = base_str_trim(col_str(args[0])[i]);
        col_kind kind;
        uint32_t oid = 0;
        if (col_kind_from_name(name, &kind)) {
            col_type type = col_type_of(kind);
            oid = col_type_oid(&type);
        }
        for (size_t k = 0; k < sizeof other_types / sizeof other_types[0] && oid == 0; k++)
            if (base_str_eq_nocase(name, base_str_of(other_types[k].name)))
                oid = other_types[k].oid;
        col_u32(out)[i] = oid;
        if (oid == 0) col_vec_set_null(out, ctx->arena, i);
    }
    return BASE_OK;
}

// pg_typeof: the name, as regtype prints it.
FUNC_KERNEL(type_of_any) {
    FUNC_UNUSED;
    const char *name =
        args[0]->type.kind == COL_UNKNOWN ? "unknown" : col_kind_name(args[0]->type.kind);
    for (uint32_t i = 0; i < n; i++) col_str(out)[i] = base_str_of(name);
    return BASE_OK;
}

static const struct {
    int32_t id;
    const char *name;
} encodings[] = {{0, "SQL_ASCII"}, {6, "UTF8"}, {8, "LATIN1"}};

FUNC_KERNEL(encoding_to_char) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        col_str(out)[i] = BASE_STR("");
        for (size_t k = 0; k < sizeof encodings / sizeof encodings[0]; k++) {
            if (encodings[k].id == col_i32(args[0])[i]) {
                col_str(out)[i] = base_str_of(encodings[k].name);
            }
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(char_to_encoding) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        col_i32(out)[i] = -1;
        for (size_t k = 0; k < sizeof encodings / sizeof encodings[0]; k++) {
            if (base_str_eq_nocase(base_str_of(encodings[k].name), col_str(args[0])[i])) {
                col_i32(out)[i] = encodings[k].id;
            }
        }
    }
    return BASE_OK;
}

// Halves are rounded away from zero and a unit is used from ten of it, as PostgreSQL does.
FUNC_KERNEL(size_pretty) {
    FUNC_UNUSED;
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    FUNC_EACH(i) {
        int64_t size = col_i64(args[0])[i];
        uint64_t v = size < 0 ? 0 - (uint64_t)size : (uint64_t)size;
        size_t unit = 0;
        if (v >= 10 * 1024) {
            v >>= 9; // one more bit, to round by
            unit = 1;
            while (v >= 20 * 1024 - 1 && unit + 1 < sizeof units / sizeof units[0]) {
                v >>= 10;
                unit++;
            }
            v = (v + 1) / 2;
        }
        col_str(out)[i] = base_str_of(
            base_arena_printf(ctx->arena, "%s%" PRIu64 " %s", size < 0 ? "-" : "", v, units[unit]));
    }
    return BASE_OK;
}

#define S      COL_FUNC_STRICT
#define STABLE (COL_FUNC_STRICT | COL_FUNC_STABLE)
#define HOST   (COL_FUNC_STRICT | COL_FUNC_STABLE | COL_FUNC_HOST)
#define T      COL_TEXT
#define B      COL_BOOL
#define O      COL_OID
#define NAME   COL_NAME
#define I4     COL_INT4
#define PRIVILEGE(name)                                                                            \
    {name, 2, {T, T}, B, STABLE, always_true, NULL},                                               \
        {name, 2, {O, T}, B, STABLE, always_true, NULL},                                           \
        {name, 3, {NAME, T, T}, B, STABLE, always_true, NULL}, {                                   \
        name, 3, {NAME, O, T}, B, STABLE, always_true, NULL                                        \
    }
#define VISIBLE(name)                                                                              \
    { name, 1, {O}, B, STABLE, always_true, NULL }

static const col_func rows[] = {
    {"version", 0, {0}, T, STABLE, version, NULL},
    {"current_user", 0, {0}, NAME, STABLE, session_user, NULL},
    {"session_user", 0, {0}, NAME, STABLE, session_user, NULL},
    {"user", 0, {0}, NAME, STABLE, session_user, NULL},
    {"current_role", 0, {0}, NAME, STABLE, session_user, NULL},
    {"current_database", 0, {0}, NAME, STABLE, session_database, NULL},
    {"current_catalog", 0, {0}, NAME, STABLE, session_database, NULL},
    {"current_schema", 0, {0}, NAME, HOST, current_schema, NULL},
    {"current_schemas", 1, {B}, COL_ARRAY | COL_NAME, HOST, current_schemas, NULL},
    {"pg_backend_pid", 0, {0}, I4, HOST, backend_pid, NULL},
    {"pg_client_encoding", 0, {0}, NAME, STABLE, client_encoding, NULL},
    {"getdatabaseencoding", 0, {0}, NAME, STABLE, client_encoding, NULL},
    {"pg_is_in_recovery", 0, {0}, B, STABLE, in_recovery, NULL},
    {"pg_my_temp_schema", 0, {0}, O, STABLE, zero_oid, NULL},
    {"pg_is_other_temp_schema", 1, {O}, B, STABLE, always_false, NULL},
    {"row_security_active", 1, {O}, B, STABLE, always_false, NULL},
    {"pg_relation_is_publishable", 1, {COL_REGCLASS}, B, STABLE, always_false, NULL},
    {"pg_get_userbyid", 1, {O}, NAME, HOST, user_by_id, NULL},
    {"pg_table_is_visible", 1, {O}, B, HOST, relation_visible, NULL},
    VISIBLE("pg_type_is_visible"),
    VISIBLE("pg_function_is_visible"),
    VISIBLE("pg_operator_is_visible"),
    VISIBLE("pg_opclass_is_visible"),
    VISIBLE("pg_collation_is_visible"),
    VISIBLE("pg_conversion_is_visible"),
    VISIBLE("pg_opfamily_is_visible"),
    VISIBLE("pg_statistics_obj_is_visible"),
    VISIBLE("pg_ts_config_is_visible"),
    VISIBLE("pg_ts_dict_is_visible"),
    VISIBLE("pg_ts_parser_is_visible"),
    VISIBLE("pg_ts_template_is_visible"),
    {"format_type", 2, {O, I4}, T, COL_FUNC_STABLE, format_type, NULL},
    {"pg_get_expr", 2, {T, O}, T, STABLE, expression_text, NULL},
    {"pg_get_expr", 3, {T, O, B}, T, STABLE, expression_text, NULL},
    {"pg_get_viewdef", 1, {O}, T, HOST, view_definition, NULL},
    {"pg_get_viewdef", 2, {O, B}, T, HOST, view_definition, NULL},
    {"pg_get_viewdef", 2, {O, I4}, T, HOST, view_definition, NULL},
    {"pg_get_constraintdef", 1, {O}, T, HOST, constraint_definition, NULL},
    {"pg_get_constraintdef", 2, {O, B}, T, HOST, constraint_definition, NULL},
    {"pg_get_indexdef", 1, {O}, T, HOST, index_definition, NULL},
    {"pg_get_indexdef", 3, {O, I4, B}, T, HOST, index_definition_column, NULL},
    {"pg_get_function_sqlbody", 1, {O}, T, STABLE, always_null, NULL},
    {"pg_table_size", 1, {COL_REGCLASS}, COL_INT8, HOST, relation_size, NULL},
    {"pg_relation_size", 1, {COL_REGCLASS}, COL_INT8, HOST, relation_size, NULL},
    {"pg_total_relation_size", 1, {COL_REGCLASS}, COL_INT8, HOST, relation_size, NULL},
    {"pg_stat_get_numscans", 1, {O}, COL_INT8, STABLE, zero_int8, NULL},
    {"pg_database_size", 1, {NAME}, COL_INT8, HOST, database_size, NULL},
    {"pg_database_size", 1, {O}, COL_INT8, HOST, database_size, NULL},
    {"pg_typeof", 1, {COL_UNKNOWN}, T, 0, type_of_any, NULL},
    {"pg_get_ruledef", 1, {O}, T, STABLE, always_null, NULL},
    {"pg_get_ruledef", 2, {O, B}, T, STABLE, always_null, NULL},
    {"pg_get_triggerdef", 1, {O}, T, STABLE, always_null, NULL},
    {"pg_get_triggerdef", 2, {O, B}, T, STABLE, always_null, NULL},
    {"pg_get_partkeydef", 1, {O}, T, STABLE, always_null, NULL},
    {"pg_get_statisticsobjdef_columns", 1, {O}, T, STABLE, always_null, NULL},
    {"pg_get_serial_sequence", 2, {T, T}, T, STABLE, always_null, NULL},
    {"pg_tablespace_location", 1, {O}, T, STABLE, always_null, NULL},
    {"pg_get_function_result", 1, {O}, T, STABLE, function_result, NULL},
    {"pg_get_function_arguments", 1, {O}, T, STABLE, function_arguments, NULL},
    {"pg_get_function_identity_arguments", 1, {O}, T, STABLE, function_arguments, NULL},
    {"obj_description", 2, {O, NAME}, T, HOST, object_comment, NULL},
    {"obj_description", 1, {O}, T, HOST, object_comment, NULL},
    {"shobj_description", 2, {O, NAME}, T, HOST, object_comment, NULL},
    {"col_description", 2, {O, I4}, T, HOST, column_comment, NULL},
    {"to_regclass", 1, {T}, COL_REGCLASS, HOST, to_regclass, NULL},
    {"pg_advisory_unlock_all", 0, {0}, T, STABLE, empty_text, NULL}, // void; pools of clients call
                                                                     // it
    {"to_regtype", 1, {T}, O, S, to_regtype, NULL},
    {"current_setting", 1, {T}, T, HOST, setting_get, NULL},
    {"current_setting", 2, {T, B}, T, HOST, setting_get, NULL},
    {"set_config", 3, {T, T, B}, T, HOST, setting_set, NULL},
    PRIVILEGE("has_table_privilege"),
    PRIVILEGE("has_any_column_privilege"),
    PRIVILEGE("has_schema_privilege"),
    PRIVILEGE("has_database_privilege"),
    PRIVILEGE("has_function_privilege"),
    PRIVILEGE("has_type_privilege"),
    PRIVILEGE("has_sequence_privilege"),
    PRIVILEGE("pg_has_role"),
    {"quote_ident", 1, {T}, T, S, quote_ident, NULL},
    {"quote_literal", 1, {COL_UNKNOWN}, T, S, quote_literal, NULL},
    {"quote_nullable", 1, {COL_UNKNOWN}, T, 0, quote_literal, NULL},
    {"pg_encoding_to_char", 1, {I4}, NAME, STABLE, encoding_to_char, NULL},
    {"pg_char_to_encoding", 1, {NAME}, I4, STABLE, char_to_encoding, NULL},
    {"pg_size_pretty", 1, {COL_INT8}, T, S, size_pretty, NULL},
};
FUNC_TABLE(func_system_table, rows);
