// scope.c - names of columns: which input column a reference means, and PostgreSQL's errors when it
// means none or several. Entry points: sql_bind_column_ref, sql_scope_find.
#include "sql/sql_int.h"

#include "base/must.h"

#define REF_PARTS_MAX 8
#define FUZZY_MAX     3 // edits, as PostgreSQL's MAX_FUZZY_DISTANCE

void sql_scope_add(sql_ctx *ctx, sql_scope *scope, sql_scope_column column) {
    if (scope->ncolumns == scope->columns_cap) {
        uint32_t cap = scope->columns_cap == 0 ? 16 : scope->columns_cap * 2;
        sql_scope_column *more = base_arena_array(ctx->arena, sql_scope_column, cap);
        if (scope->ncolumns > 0) memcpy(more, scope->columns, scope->ncolumns * sizeof *more);
        scope->columns = more;
        scope->columns_cap = cap;
    }
    scope->columns[scope->ncolumns++] = column;
}

uint32_t sql_scope_add_rel(sql_ctx *ctx, sql_scope *scope, sql_rel rel) {
    if (scope->nrels == scope->rels_cap) {
        uint32_t cap = scope->rels_cap == 0 ? 4 : scope->rels_cap * 2;
        sql_rel *more = base_arena_array(ctx->arena, sql_rel, cap);
        if (scope->nrels > 0) memcpy(more, scope->rels, scope->nrels * sizeof *more);
        scope->rels = more;
        scope->rels_cap = cap;
    }
    scope->rels[scope->nrels] = rel;
    return scope->nrels++;
}

static int32_t find_rel(const sql_scope *scope, const char *schema, const char *name) {
    for (uint32_t i = 0; i < scope->nrels; i++) {
        const sql_rel *rel = &scope->rels[i];
        if (strcmp(rel->name, name) != 0) continue;
        if (schema != NULL && (rel->schema == NULL || strcmp(rel->schema, schema) != 0)) continue;
        return (int32_t)i;
    }
    return -1;
}

// Levenshtein's distance, given up above FUZZY_MAX.
static uint32_t distance(const char *a, const char *b) {
    enum { LENGTH_MAX = 63 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LENGTH_MAX || m > LENGTH_MAX || (n > m ? n - m : m - n) > FUZZY_MAX)
        return FUZZY_MAX + 1;
    uint32_t row[LENGTH_MAX + 1];
    for (size_t j = 0; j <= m; j++) row[j] = (uint32_t)j;
    for (size_t i = 1; i <= n; i++) {
        uint32_t diagonal = row[0];
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= m; j++) {
            uint32_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            uint32_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < best ? change : best;
        }
    }
    return row[m];
}

// "Perhaps you meant ...": the nearest column, or two that are equally near.
static void hint_column(sql_binder *binder, const char *rel, const char *name) {
    const sql_scope_column *first = NULL, *second = NULL;
    uint32_t best = FUZZY_MAX + 1;
    const sql_scope *scope = &binder->scope;
    for (uint32_t i = 0; i < scope->ncolumns; i++) {
        const sql_scope_column *column = &scope->columns[i];
        if (column->hidden) continue;
        uint32_t d = distance(name, column->name);
        if (rel != NULL && column->rel < scope->nrels)
            d += distance(rel, scope->rels[column->rel].name);
        if (d > FUZZY_MAX || d > strlen(name) / 2 || d > best) continue;
        second = d == best ? column : NULL;
        if (d < best) first = column;
        best = d;
    }
    if (first == NULL) return;
    const char *first_rel = scope->rels[first->rel].name;
    if (second != NULL) {
        base_error_hint(binder->ctx->err,
                        "Perhaps you meant to reference the column \"%s.%s\" or the column "
                        "\"%s.%s\".",
                        first_rel, first->name, scope->rels[second->rel].name, second->name);
    } else {
        base_error_hint(binder->ctx->err, "Perhaps you meant to reference the column \"%s.%s\".",
                        first_rel, first->name);
    }
}

base_rc sql_scope_find(sql_binder *binder, const char *rel, const char *name, int32_t position,
                       const sql_scope_column **found) {
    const sql_scope *scope = &binder->scope;
    *found = NULL;
    for (uint32_t i = 0; i < scope->ncolumns; i++) {
        const sql_scope_column *column = &scope->columns[i];
        if (rel == NULL && column->merged_away) continue;
        if (rel != NULL && strcmp(scope->rels[column->rel].name, rel) != 0) continue;
        if (strcmp(column->name, name) != 0) continue;
        if (*found != NULL)
            return sql_fail(binder->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_AMBIGUOUS_COLUMN,
                            "column reference \"%s\" is ambiguous", name);
        *found = column;
    }
    return BASE_OK;
}

// ---- references ------------------------------------------------------------------------------

typedef struct ref {
    const char *parts[REF_PARTS_MAX];
    uint32_t n;
    int32_t position;
} ref;

static const plan_expr *column_expr(sql_binder *owner, const sql_scope_column *column,
                                    uint32_t levels, int32_t position) {
    if (levels > 0) return sql_outer_column(owner, column->index, column->column->type, position);
    plan_expr *expr = sql_expr(owner->ctx, PLAN_EXPR_COLUMN, column->column->type, 0, position);
    expr->index = column->index;
    return expr;
}

static base_rc field(sql_ctx *ctx, const plan_expr *row, const char *name, int32_t position,
                     const plan_expr **out) {
    if (row->type.kind != COL_STRUCT)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "column notation .%s applied to type %s, which is not a composite type",
                        name, sql_type_name(ctx, &row->type));
    for (uint32_t i = 0; i < row->type.nfields; i++) {
        if (strcmp(row->type.fields[i].name, name) != 0) continue;
        plan_expr *expr = sql_expr(ctx, PLAN_EXPR_FIELD, row->type.fields[i].type, 1, position);
        expr->index = i;
        expr->args[0] = row;
        *out = expr;
        return BASE_OK;
    }
    return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_COLUMN,
                    "column \"%s\" not found in data type %s", name,
                    sql_type_name(ctx, &row->type));
}

base_rc sql_bind_fields(sql_ctx *ctx, const plan_expr *row, uint32_t n, const char *const *names,
                        int32_t position, const plan_expr **out) {
    *out = row;
    for (uint32_t i = 0; i < n; i++) SQL_TRY(field(ctx, *out, names[i], position, out));
    return BASE_OK;
}

// Tries to read the parts as [schema.]rel.column.fields or column.fields in one scope. *used: how
// many parts name the column; 0: nothing matches.
static base_rc match(sql_binder *binder, const ref *r, const sql_scope_column **column,
                     uint32_t *used) {
    *used = 0;
    *column = NULL;
    if (r->n >= 3 && find_rel(&binder->scope, r->parts[0], r->parts[1]) >= 0) {
        SQL_TRY(sql_scope_find(binder, r->parts[1], r->parts[2], r->position, column));
        *used = 3;
    }
    if (*column == NULL && r->n >= 2 && find_rel(&binder->scope, NULL, r->parts[0]) >= 0) {
        SQL_TRY(sql_scope_find(binder, r->parts[0], r->parts[1], r->position, column));
        *used = 2;
    }
    if (*column != NULL) return BASE_OK;
    *used = 1;
    if (r->n == 1) {
        SQL_TRY(sql_scope_find(binder, NULL, r->parts[0], r->position, column));
        int32_t rel = *column == NULL ? find_rel(&binder->scope, NULL, r->parts[0]) : -1;
        // The row of a function that gives one value is that value.
        for (uint32_t i = 0; rel >= 0 && i < binder->scope.ncolumns; i++)
            if (binder->scope.rels[rel].scalar && binder->scope.columns[i].rel == (uint32_t)rel)
                *column = &binder->scope.columns[i];
        return BASE_OK;
    }
    // A name before a dot is a column's only if no table has it, and only a struct has fields.
    if (find_rel(&binder->scope, NULL, r->parts[0]) >= 0) return BASE_OK;
    SQL_TRY(sql_scope_find(binder, NULL, r->parts[0], r->position, column));
    if (*column != NULL && (*column)->column->type.kind != COL_STRUCT) *column = NULL;
    return BASE_OK;
}

static base_rc missing(sql_binder *binder, const ref *r) {
    sql_ctx *ctx = binder->ctx;
    const sql_scope *scope = &binder->scope;
    if (r->n == 1) {
        sql_fail(ctx, r->position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                 "column \"%s\" does not exist", r->parts[0]);
        hint_column(binder, NULL, r->parts[0]);
        return ctx->err->code;
    }
    uint32_t at = r->n >= 3 && find_rel(scope, r->parts[0], r->parts[1]) >= 0 ? 1 : 0;
    if (find_rel(scope, at == 1 ? r->parts[0] : NULL, r->parts[at]) >= 0) {
        sql_fail(ctx, r->position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                 "column %s.%s does not exist", r->parts[at], r->parts[at + 1]);
        hint_column(binder, r->parts[at], r->parts[at + 1]);
        return ctx->err->code;
    }
    const char *rel = r->n >= 3 ? r->parts[1] : r->parts[0];
    for (uint32_t i = 0; i < scope->nrels; i++) {
        if (scope->rels[i].table == NULL || strcmp(scope->rels[i].table, rel) != 0) continue;
        sql_fail(ctx, r->position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                 "invalid reference to FROM-clause entry for table \"%s\"", rel);
        base_error_hint(ctx->err, "Perhaps you meant to reference the table alias \"%s\".",
                        scope->rels[i].name);
        return ctx->err->code;
    }
    return sql_fail(ctx, r->position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                    "missing FROM-clause entry for table \"%s\"", rel);
}

// A row of a table as one value, by the table's name: null where an outer join made all of it null.
static base_rc whole_row(sql_binder *owner, const char *rel, uint32_t levels, int32_t position,
                         const plan_expr **out) {
    sql_ctx *ctx = owner->ctx;
    const sql_scope *scope = &owner->scope;
    sql_exprs items = {0};
    col_field *fields = base_arena_array(ctx->arena, col_field, scope->ncolumns);
    plan_expr *choice = NULL;
    const plan_expr *any = NULL;
    for (uint32_t i = 0; i < scope->ncolumns; i++) {
        const sql_scope_column *column = &scope->columns[i];
        if (column->hidden || strcmp(scope->rels[column->rel].name, rel) != 0) continue;
        fields[items.n] = (col_field){column->name, column->column->type};
        sql_exprs_add(ctx, &items, column_expr(owner, column, levels, position));
    }
    col_type type = {COL_STRUCT, 0, 0, (uint16_t)items.n, fields};
    plan_expr *row = sql_expr(ctx, PLAN_EXPR_ROW, type, items.n, position);
    plan_expr *some = sql_expr(ctx, PLAN_EXPR_OR, col_type_of(COL_BOOL), items.n, position);
    for (uint32_t i = 0; i < items.n; i++) {
        plan_expr *there = sql_expr(ctx, PLAN_EXPR_IS_NOT_NULL, col_type_of(COL_BOOL), 1, position);
        there->args[0] = row->args[i] = items.items[i];
        some->args[i] = any = there;
    }
    choice = sql_expr(ctx, PLAN_EXPR_CASE, type, 3, position);
    choice->args[0] = items.n == 1 ? any : some;
    choice->args[1] = row;
    choice->args[2] = plan_expr_null(ctx->arena, type);
    *out = items.n == 0 ? row : choice;
    return BASE_OK;
}

base_rc sql_bind_column_ref(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    ref r = {.position = sql_tree_position(binder->ctx, body)};
    bool star = false;
    for (const sql_tree *part = sql_get(body, "fields")->child; part != NULL; part = part->next) {
        if (r.n == REF_PARTS_MAX)
            return SQL_SYNTAX(binder->ctx, r.position, "improper qualified name");
        r.parts[r.n] = sql_string(part);
        star = r.parts[r.n] == NULL && part->next == NULL && r.n > 0; // t.*
        if (star) break;
        if (r.parts[r.n++] == NULL)
            return SQL_SYNTAX(binder->ctx, r.position,
                              "row expansion via \"*\" is not supported "
                              "here");
    }
    uint32_t levels = 0;
    for (sql_binder *at = binder; at != NULL && !star; at = at->outer, levels++) {
        const sql_scope_column *column;
        uint32_t used;
        SQL_TRY(match(at, &r, &column, &used));
        if (column == NULL) continue;
        const plan_expr *expr = column_expr(at, column, levels, r.position);
        return sql_bind_fields(binder->ctx, expr, r.n - used, r.parts + used, r.position, out);
    }
    levels = 0;
    for (sql_binder *at = binder; at != NULL && r.n == 1; at = at->outer, levels++)
        if (find_rel(&at->scope, NULL, r.parts[0]) >= 0)
            return whole_row(at, r.parts[0], levels, r.position, out);
    return missing(binder, &r);
}
