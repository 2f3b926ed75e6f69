// cast_regclass.c - regclass in and out, and SQL identifiers: quoting and splitting names. A
// regclass is an oid; its text form needs the catalogue, through col_func_host.
#include <inttypes.h>

#include "col/cast_int.h"
#include "col/func_host.h"

// PostgreSQL's reserved and column-name keywords that are likely as names: they need quotes.
static const char *const keywords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "between",
    "bigint",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
};

static bool needs_quotes(base_str name) {
    if (name.n == 0 || !((name.p[0] >= 'a' && name.p[0] <= 'z') || name.p[0] == '_')) return true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return true;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (base_str_eq(base_str_of(keywords[i]), name)) return true;
    }
    return false;
}

void func_quote_ident(base_buf *buf, base_str name) {
    if (!needs_quotes(name)) {
        base_buf_add_str(buf, name);
        return;
    }
    base_buf_add_byte(buf, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"') base_buf_add_byte(buf, '"');
        base_buf_add_byte(buf, (uint8_t)name.p[i]);
    }
    base_buf_add_byte(buf, '"');
}

// One identifier at *at.
static bool split_part(base_str text, size_t *at, base_arena *arena, base_str *part) {
    char *to = base_arena_alloc(arena, text.n + 1);
    size_t n = 0, i = *at;
    if (i < text.n && text.p[i] == '"') {
        for (i++; i < text.n; i++) {
            if (text.p[i] == '"') {
                if (i + 1 == text.n || text.p[i + 1] != '"') break;
                i++;
            }
            to[n++] = text.p[i];
        }
        if (i >= text.n) return false;
        i++;
    } else {
        for (; i < text.n && text.p[i] != '.' && text.p[i] != '"'; i++) {
            char c = text.p[i];
            to[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
    }
    *at = i;
    *part = (base_str){to, n};
    return n > 0;
}

base_rc func_split_name(base_str text, base_arena *arena, base_str *schema, base_str *name,
                        base_error *err) {
    base_str s = base_str_trim(text);
    size_t at = 0;
    *schema = (base_str){"", 0};
    bool good = split_part(s, &at, arena, name);
    if (good && at < s.n && s.p[at] == '.') {
        *schema = *name;
        at++;
        good = split_part(s, &at, arena, name);
    }
    if (good && at == s.n) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, "42602", "invalid name syntax");
}

base_str func_regclass_name(const col_func_ctx *ctx, uint32_t oid) {
    const col_func_host *host = ctx->host;
    base_str schema, name;
    bool visible = false;
    if (oid == 0) return BASE_STR("-");
    if (host == NULL ||
        !host->relation_name(host->self, oid, ctx->arena, &schema, &name, &visible)) {
        return base_str_of(base_arena_printf(ctx->arena, "%" PRIu32, oid));
    }
    base_buf buf = {0};
    if (!visible) {
        func_quote_ident(&buf, schema);
        base_buf_add_byte(&buf, '.');
    }
    func_quote_ident(&buf, name);
    base_str out = {base_arena_memdup(ctx->arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return out;
}

static base_rc find_relation(const col_func_ctx *ctx, base_str text, uint32_t *oid,
                             base_error *err) {
    if (base_str_eq(text, BASE_STR("-"))) {
        *oid = 0;
        return BASE_OK;
    }
    uint64_t number = 0;
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9' &&
           number <= UINT32_MAX) {
        number = number * 10 + (uint64_t)(text.p[digits++] - '0');
    }
    if (digits == text.n && digits > 0 && number <= UINT32_MAX) {
        *oid = (uint32_t)number;
        return BASE_OK;
    }
    const col_func_host *host = ctx->host;
    if (host == NULL) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "no catalogue to look a relation up in here");
    }
    base_str schema, name;
    base_rc rc = func_split_name(text, ctx->arena, &schema, &name, err);
    if (rc != BASE_OK) return rc;
    if (host->relation_oid(host->self, schema, name, oid)) return BASE_OK;
    return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                     "relation \"%.*s\" does not exist", (int)(text.n < 200 ? text.n : 200),
                     text.p);
}

CAST_DECLARE(cast_text_regclass) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(find_relation(ctx, col_str(args[0])[i], &col_u32(out)[i], &e));
    return BASE_OK;
}

CAST_DECLARE(cast_regclass_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_str(out)[i] = func_regclass_name(ctx, col_u32(args[0])[i]);
    return BASE_OK;
}
