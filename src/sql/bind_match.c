// bind_match.c - MATCH_RECOGNIZE to a plan node. Names in MEASURES and DEFINE are columns of the
// input, plain or of a variable ("a.price"); FIRST, LAST, PREV, NEXT, CLASSIFIER, MATCH_NUMBER and
// aggregates are calls. What depends on the rows matched so far becomes a slot of the match
// (plan/match.h); what is left of the expression is over slots.
//
// While an expression is bound, a column is numbered (variable + 1) * columns + column, 0 standing
// for any row, and a slot SLOT_BASE + its number. Entry points: sql_bind_match, sql_match_call.
#include "sql/match_int.h"

#include "base/must.h"

#define SLOT_BASE   (1u << 27)
#define SLOTS_MAX   10000u
#define OFFSET_MAX  100000
#define COLUMNS_MAX (SLOT_BASE / (PLAN_MATCH_VARIABLES_MAX * 2 + 2))

struct sql_matching {
    sql_ctx *ctx;
    const sql_match_clause *clause;
    const plan_node *input;
    sql_match_names names;
    uint32_t nslots, slots_cap;
    plan_match_slot *slots;
    bool in_define;
    bool final; // under FINAL
};
typedef struct sql_matching matching;

base_rc sql_match_variable(sql_ctx *ctx, sql_match_names *names, const char *name, int32_t position,
                           uint32_t *number) {
    for (uint32_t i = 0; i < names->n; i++) {
        if (strcmp(names->names[i], name) != 0) continue;
        *number = i;
        return BASE_OK;
    }
    if (names->n == PLAN_MATCH_VARIABLES_MAX)
        return sql_fail(ctx, position, BASE_E_LIMIT, "54001",
                        "a pattern may have at most %u variables", PLAN_MATCH_VARIABLES_MAX);
    *number = names->n;
    names->names[names->n++] = name;
    return BASE_OK;
}

static bool find_set(const sql_match_names *names, const char *name, uint64_t *set) {
    for (uint32_t i = 0; i < names->n; i++)
        if (strcmp(names->names[i], name) == 0) {
            *set = 1ull << i;
            return true;
        }
    for (uint32_t i = 0; i < names->nsubsets; i++)
        if (strcmp(names->subset_names[i], name) == 0) {
            *set = names->subsets[i];
            return true;
        }
    return false;
}

// The set of a number in an encoded column: 0 is any row, then variables, then subsets.
static uint64_t set_of(const sql_match_names *names, uint32_t number) {
    if (number == 0) return 0;
    return number <= names->n ? 1ull << (number - 1) : names->subsets[number - 1 - names->n];
}

static uint32_t add_slot(matching *m, plan_match_slot slot) {
    for (uint32_t i = 0; i < m->nslots; i++) {
        const plan_match_slot *s = &m->slots[i];
        if (s->kind != slot.kind || s->variables != slot.variables || s->first != slot.first ||
            s->final != slot.final || s->nth != slot.nth || s->physical != slot.physical ||
            s->column != slot.column || s->agg != NULL || slot.agg != NULL)
            continue;
        return i;
    }
    if (m->nslots == m->slots_cap) {
        uint32_t cap = m->slots_cap == 0 ? 16 : m->slots_cap * 2;
        plan_match_slot *more = base_arena_array(m->ctx->arena, plan_match_slot, cap);
        if (m->nslots > 0) memcpy(more, m->slots, m->nslots * sizeof *more);
        m->slots = more;
        m->slots_cap = cap;
    }
    m->slots[m->nslots] = slot;
    return m->nslots++;
}

static const plan_expr *slot_expr(matching *m, plan_match_slot slot, int32_t position) {
    plan_expr *expr = sql_expr(m->ctx, PLAN_EXPR_COLUMN, slot.type, 0, position);
    expr->index = SLOT_BASE + add_slot(m, slot);
    return expr;
}

// ---- rewriting of leaves ---------------------------------------------------------------------

typedef struct rewriting {
    matching *m;
    bool navigates, is_logical, first; // the call that is applied
    uint32_t nth;
    int32_t physical;
    bool any;       // a column was met
    uint64_t set;   // of the columns met
    bool different; // of several variables
    bool refused;
} rewriting;

static plan_match_slot column_slot(matching *m, const plan_expr *leaf) {
    uint32_t n = m->input->ncolumns;
    return (plan_match_slot){.kind = PLAN_MATCH_COLUMN,
                             .type = leaf->type,
                             .variables = set_of(&m->names, leaf->index / n),
                             .column = leaf->index % n,
                             .final = m->final};
}

static void note_set(rewriting *r, uint64_t set) {
    if (r->any && r->set != set) r->different = true;
    r->any = true;
    r->set = set;
}

// As it stands in the end: a column by the number of its slot.
static const plan_expr *settled_leaf(matching *m, const plan_expr *leaf) {
    plan_expr *column = base_arena_new(m->ctx->arena, plan_expr);
    *column = *leaf;
    column->index =
        leaf->index >= SLOT_BASE ? leaf->index - SLOT_BASE : add_slot(m, column_slot(m, leaf));
    return column;
}

// A column or slot under FIRST, LAST, PREV, NEXT.
static const plan_expr *rewrite_leaf(rewriting *r, const plan_expr *leaf) {
    plan_match_slot slot;
    if (!r->navigates) return settled_leaf(r->m, leaf);
    if (leaf->index >= SLOT_BASE) {
        slot = r->m->slots[leaf->index - SLOT_BASE];
        // PREV and NEXT go around FIRST and LAST, not the other way.
        if (slot.kind != PLAN_MATCH_COLUMN || r->is_logical || slot.physical != 0) {
            r->refused = true;
            return leaf;
        }
    } else {
        slot = column_slot(r->m, leaf);
    }
    note_set(r, slot.variables);
    if (r->is_logical) {
        slot.first = r->first;
        slot.nth = r->nth;
    } else {
        slot.physical += r->physical;
    }
    return slot_expr(r->m, slot, leaf->position);
}

static const plan_expr *rewrite(rewriting *r, const plan_expr *expr) {
    if (expr->kind == PLAN_EXPR_COLUMN) return rewrite_leaf(r, expr);
    if (expr->nargs == 0) return expr;
    plan_expr *copy = base_arena_new(r->m->ctx->arena, plan_expr);
    *copy = *expr;
    copy->args = base_arena_array(r->m->ctx->arena, const plan_expr *, expr->nargs);
    for (uint32_t i = 0; i < expr->nargs; i++) copy->args[i] = rewrite(r, expr->args[i]);
    return copy;
}

// Columns of an aggregate's argument -> of the input; they must be of one variable.
static const plan_expr *input_columns(rewriting *r, const plan_expr *expr) {
    if (expr == NULL) return NULL;
    plan_expr *copy = base_arena_new(r->m->ctx->arena, plan_expr);
    *copy = *expr;
    if (expr->kind == PLAN_EXPR_COLUMN) {
        if (expr->index >= SLOT_BASE) {
            r->refused = true;
            return expr;
        }
        note_set(r, column_slot(r->m, expr).variables);
        copy->index = expr->index % r->m->input->ncolumns;
    }
    copy->args = base_arena_array(r->m->ctx->arena, const plan_expr *, expr->nargs);
    for (uint32_t i = 0; i < expr->nargs; i++) copy->args[i] = input_columns(r, expr->args[i]);
    return copy;
}

// What has been bound, over slots alone.
static const plan_expr *over_slots(matching *m, const plan_expr *expr) {
    rewriting r = {.m = m};
    return rewrite(&r, expr);
}

// ---- calls -----------------------------------------------------------------------------------

static base_rc take_offset(sql_binder *binder, const sql_tree *arg, int64_t *offset) {
    sql_ctx *ctx = binder->ctx;
    sql_binder constants = {.ctx = ctx, .place = "an offset"};
    const plan_expr *expr;
    SQL_TRY(sql_bind_expr(&constants, arg, &expr));
    SQL_TRY(sql_coerce(ctx, expr, col_type_of(COL_INT8), COL_CAST_IMPLICIT, &expr));
    bool ok = expr->kind == PLAN_EXPR_CONST && !sql_const_is_null(expr);
    if (ok) *offset = col_i64(expr->constant)[0];
    if (!ok || *offset < 0 || *offset > OFFSET_MAX)
        return sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "an offset of rows must be a constant from 0 to %d", OFFSET_MAX);
    return BASE_OK;
}

static base_rc bind_navigation(sql_binder *binder, const char *name, const sql_tree *body,
                               const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const sql_tree *args = sql_get(body, "args");
    uint32_t nargs = sql_tree_count(args);
    if (nargs < 1 || nargs > 2)
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_FUNCTION,
                        "%s takes a value and, optionally, an offset", name);
    bool physical = strcmp(name, "prev") == 0 || strcmp(name, "next") == 0;
    rewriting r = {.m = binder->matching,
                   .navigates = true,
                   .is_logical = !physical,
                   .first = strcmp(name, "first") == 0};
    int64_t offset = physical ? 1 : 0;
    const plan_expr *value;
    SQL_TRY(sql_bind_expr(binder, args->child, &value));
    if (nargs == 2) SQL_TRY(take_offset(binder, args->child->next, &offset));
    r.nth = physical ? 0 : (uint32_t)offset;
    r.physical = (int32_t)(strcmp(name, "prev") == 0 ? -offset : offset);
    *out = rewrite(&r, value);
    if (r.refused)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                        "%s cannot be applied here: PREV and NEXT may stand around FIRST and LAST, "
                        "and nothing else may be nested",
                        name);
    if (!r.any || r.different)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                        "the argument of %s must use columns of one pattern variable", name);
    return BASE_OK;
}

// count(a.*)
static bool is_star(matching *m, const char *name, const sql_tree *body, uint64_t *set) {
    const sql_tree *args = sql_get(body, "args");
    if (strcmp(name, "count") != 0 || sql_tree_count(args) != 1) return false;
    if (!sql_is(args->child, "ColumnRef")) return false;
    const sql_tree *fields = sql_get(sql_body(args->child), "fields");
    if (sql_tree_count(fields) != 2 || !sql_is(fields->child->next, "A_Star")) return false;
    const char *variable = sql_string(fields->child);
    return variable != NULL && find_set(&m->names, variable, set);
}

static base_rc bind_aggregate(sql_binder *binder, const char *name, const sql_tree *body,
                              const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    matching *m = binder->matching;
    int32_t position = sql_tree_position(ctx, body);
    plan_agg *agg = base_arena_new(ctx->arena, plan_agg);
    rewriting r = {.m = m};
    uint64_t star;
    if (is_star(m, name, body, &star)) {
        size_t n = plan_agg_find(BASE_STR("count"), &agg->def);
        while (n > 0 && agg->def->nargs != 0) agg->def++, n--;
        must(n > 0);
        agg->type = col_type_of(COL_INT8);
        r.set = star;
    } else {
        sql_binder inner = *binder;
        inner.matching = NULL;
        inner.aggs_allowed = true;
        inner.in_agg = false;
        inner.naggs = inner.aggs_cap = 0;
        inner.aggs = NULL;
        const plan_expr *marker;
        SQL_TRY(sql_bind_agg_call(&inner, name, body, &marker));
        must(inner.naggs == 1);
        *agg = inner.aggs[0].agg;
        agg->arg = input_columns(&r, agg->arg);
        agg->filter = input_columns(&r, agg->filter);
    }
    if (r.different || r.refused)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                        "the argument of %s must use columns of one pattern variable", name);
    if (agg->distinct || agg->nmore > 0 || agg->nsort > 0)
        return sql_unsupported(ctx, position,
                               "DISTINCT, ORDER BY and more than one argument in an aggregate of "
                               "MATCH_RECOGNIZE are not supported");
    *out = slot_expr(m,
                     (plan_match_slot){.kind = PLAN_MATCH_AGGREGATE,
                                       .type = agg->type,
                                       .variables = r.set,
                                       .final = m->final,
                                       .agg = agg},
                     position);
    return BASE_OK;
}

base_rc sql_match_call(sql_binder *binder, const char *schema, const char *name,
                       const sql_tree *body, bool *is_call, const plan_expr **out) {
    matching *m = binder->matching;
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    bool was_final = m->final;
    *is_call = true;
    if (schema != NULL && (strcmp(schema, "final") == 0 || strcmp(schema, "running") == 0)) {
        m->final = strcmp(schema, "final") == 0;
        if (m->final && m->in_define)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                            "FINAL cannot be used in DEFINE: the match is not complete there");
    } else if (schema != NULL) {
        *is_call = false;
        return BASE_OK;
    }
    base_rc rc = BASE_OK;
    plan_match_slot slot = {.final = m->final};
    if (strcmp(name, "first") == 0 || strcmp(name, "last") == 0 || strcmp(name, "prev") == 0 ||
        strcmp(name, "next") == 0) {
        rc = bind_navigation(binder, name, body, out);
    } else if (strcmp(name, "classifier") == 0 && sql_get(body, "args") == NULL) {
        slot.kind = PLAN_MATCH_CLASSIFIER;
        slot.type = col_type_of(COL_TEXT);
        *out = slot_expr(m, slot, position);
    } else if (strcmp(name, "match_number") == 0 && sql_get(body, "args") == NULL) {
        slot.kind = PLAN_MATCH_NUMBER;
        slot.type = col_type_of(COL_INT8);
        *out = slot_expr(m, slot, position);
    } else if (sql_agg_exists(name) && sql_get(body, "over") == NULL) {
        rc = bind_aggregate(binder, name, body, out);
    } else {
        *is_call = false;
    }
    m->final = was_final;
    return rc;
}

// ---- the clause ------------------------------------------------------------------------------

// The scope of expressions: the input's columns, and again under each variable's name.
static void add_scope(matching *m, sql_scope *scope) {
    sql_ctx *ctx = m->ctx;
    uint32_t n = m->input->ncolumns, sets = m->names.n + m->names.nsubsets;
    for (uint32_t s = 0; s <= sets; s++) {
        const char *name = s == 0            ? "match_recognize"
                           : s <= m->names.n ? m->names.names[s - 1]
                                             : m->names.subset_names[s - 1 - m->names.n];
        uint32_t rel = sql_scope_add_rel(ctx, scope, (sql_rel){.name = name});
        for (uint32_t i = 0; i < n; i++)
            sql_scope_add(ctx, scope,
                          (sql_scope_column){.rel = rel,
                                             .index = s * n + i,
                                             .column = &m->input->columns[i],
                                             .name = m->input->columns[i].name,
                                             .hidden = m->input->columns[i].hidden,
                                             .merged_away = s > 0});
    }
}

// FINAL f(x) and RUNNING f(x) become final.f(x): the parser knows no such words.
static char *qualify(sql_ctx *ctx, base_str text) {
    char *copy = base_arena_memdup(ctx->arena, text.p, text.n);
    size_t at = 0;
    sql_token last = {0};
    for (;;) {
        sql_token token = sql_token_next(text, &at, NULL);
        if (token.kind == SQL_TOKEN_END || token.kind == SQL_TOKEN_UNENDED) return copy;
        bool word = last.kind == SQL_TOKEN_WORD && token.kind == SQL_TOKEN_WORD &&
                    (base_str_eq_nocase(last.text, BASE_STR("final")) ||
                     base_str_eq_nocase(last.text, BASE_STR("running")));
        if (word) copy[last.offset + last.text.n] = '.';
        last = token;
    }
}

static base_rc parse_expr(sql_ctx *ctx, const sql_match_text *text, const sql_tree **out) {
    return sql_parse_expr_text(ctx, base_str_of(qualify(ctx, text->text)), text->offset, out);
}

static bool has_sub_query(const sql_tree *tree) {
    for (const sql_tree *item = tree == NULL ? NULL : tree->child; item != NULL; item = item->next)
        if ((item->name != NULL && strcmp(item->name, "SubLink") == 0) || has_sub_query(item))
            return true;
    return false;
}

static base_rc bind_value(matching *m, const sql_match_text *text, const char *place,
                          bool condition, const plan_expr **out) {
    sql_ctx *ctx = m->ctx;
    const sql_tree *tree;
    SQL_TRY(parse_expr(ctx, text, &tree));
    if (has_sub_query(tree))
        return sql_unsupported(ctx, sql_text_position(ctx, text->offset),
                               "sub-queries in MATCH_RECOGNIZE are not supported");
    sql_binder binder = {.ctx = ctx, .place = place, .matching = m};
    add_scope(m, &binder.scope);
    if (condition) {
        SQL_TRY(sql_bind_condition(&binder, tree, place, out));
    } else {
        SQL_TRY(sql_bind_expr(&binder, tree, out));
        SQL_TRY(sql_settle(ctx, out));
    }
    *out = over_slots(m, *out);
    return BASE_OK;
}

static base_rc column_named(matching *m, const sql_match_text *text, const char *what,
                            uint32_t *column) {
    sql_ctx *ctx = m->ctx;
    int32_t position = sql_text_position(ctx, text->offset);
    size_t at = 0;
    sql_token name = sql_token_next(text->text, &at, ctx->arena);
    sql_token end = sql_token_next(text->text, &at, ctx->arena);
    if ((name.kind != SQL_TOKEN_WORD && name.kind != SQL_TOKEN_QUOTED) ||
        end.kind != SQL_TOKEN_END) {
        sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                 "%s in MATCH_RECOGNIZE takes names of columns", what);
        base_error_hint(ctx->err, "Compute the value in a sub-select: (SELECT ...) "
                                  "MATCH_RECOGNIZE (...).");
        return ctx->err->code;
    }
    for (uint32_t i = 0; i < m->input->ncolumns; i++)
        if (strcmp(m->input->columns[i].name, name.value) == 0) {
            *column = i;
            return BASE_OK;
        }
    return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                    "column \"%s\" does not exist", name.value);
}

static base_rc bind_partition(matching *m, plan_match *match) {
    const sql_match_texts *list = &m->clause->partition;
    uint32_t *columns = base_arena_array(m->ctx->arena, uint32_t, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++)
        SQL_TRY(column_named(m, &list->items[i], "PARTITION BY", &columns[i]));
    match->npartition = list->n;
    match->partition = columns;
    return BASE_OK;
}

// name [ASC | DESC] [NULLS FIRST | LAST]
static base_rc bind_order(matching *m, plan_match *match) {
    sql_ctx *ctx = m->ctx;
    const sql_match_texts *list = &m->clause->order;
    plan_sort_key *keys = base_arena_array(ctx->arena, plan_sort_key, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++) {
        sql_match_text name = list->items[i];
        size_t at = 0, end = 0;
        sql_token token = sql_token_next(name.text, &at, ctx->arena);
        end = at;
        bool nulls_given = false;
        for (;;) {
            token = sql_token_next(name.text, &at, ctx->arena);
            if (token.kind != SQL_TOKEN_WORD) break;
            if (strcmp(token.value, "desc") == 0) keys[i].descending = true;
            if (strcmp(token.value, "first") == 0) keys[i].nulls_first = nulls_given = true;
            if (strcmp(token.value, "last") == 0) nulls_given = true;
            if (strcmp(token.value, "asc") != 0 && strcmp(token.value, "desc") != 0 &&
                strcmp(token.value, "nulls") != 0 && strcmp(token.value, "first") != 0 &&
                strcmp(token.value, "last") != 0)
                break;
        }
        if (!nulls_given) keys[i].nulls_first = keys[i].descending;
        if (token.kind == SQL_TOKEN_END) name.text.n = end;
        SQL_TRY(column_named(m, &name, "ORDER BY", &keys[i].column));
    }
    match->norder = list->n;
    match->order = keys;
    return BASE_OK;
}

static base_rc bind_subsets(matching *m) {
    sql_ctx *ctx = m->ctx;
    const sql_match_texts *list = &m->clause->subsets;
    for (uint32_t i = 0; i < list->n; i++) {
        int32_t position = sql_text_position(ctx, list->items[i].offset);
        uint64_t set = 0, one;
        if (find_set(&m->names, list->items[i].name, &one))
            return sql_fail(ctx, position, BASE_E_INVALID, "42712",
                            "\"%s\" is a pattern variable already", list->items[i].name);
        size_t at = 0;
        for (;;) {
            sql_token token = sql_token_next(list->items[i].text, &at, ctx->arena);
            if (token.kind == SQL_TOKEN_END) break;
            if (token.kind != SQL_TOKEN_WORD && token.kind != SQL_TOKEN_QUOTED) continue;
            if (!find_set(&m->names, token.value, &one))
                return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                                "\"%s\" is no variable of the pattern", token.value);
            set |= one;
        }
        if (m->names.nsubsets == PLAN_MATCH_VARIABLES_MAX)
            return sql_fail(ctx, position, BASE_E_LIMIT, "54001", "too many SUBSETs");
        m->names.subset_names[m->names.nsubsets] = list->items[i].name;
        m->names.subsets[m->names.nsubsets++] = set;
    }
    return BASE_OK;
}

static base_rc bind_define(matching *m, plan_match *match) {
    sql_ctx *ctx = m->ctx;
    const plan_expr **define = base_arena_array(ctx->arena, const plan_expr *, m->names.n + 1);
    m->in_define = true;
    for (uint32_t i = 0; i < m->clause->define.n; i++) {
        const sql_match_text *text = &m->clause->define.items[i];
        uint32_t v = 0;
        while (v < m->names.n && strcmp(m->names.names[v], text->name) != 0) v++;
        if (v == m->names.n)
            return sql_fail(ctx, sql_text_position(ctx, text->offset), BASE_E_NOT_FOUND,
                            BASE_SQLSTATE_UNDEFINED_OBJECT, "\"%s\" is no variable of the pattern",
                            text->name);
        if (define[v] != NULL)
            return sql_fail(ctx, sql_text_position(ctx, text->offset), BASE_E_INVALID, "42712",
                            "\"%s\" is defined twice", text->name);
        SQL_TRY(bind_value(m, text, "DEFINE", true, &define[v]));
    }
    m->in_define = false;
    match->define = define;
    return BASE_OK;
}

static base_rc bind_skip(matching *m, plan_match *match) {
    match->skip = m->clause->skip;
    if (m->clause->skip_name == NULL) return BASE_OK;
    if (find_set(&m->names, m->clause->skip_name, &match->skip_variables)) return BASE_OK;
    return sql_fail(m->ctx, m->clause->skip_position, BASE_E_NOT_FOUND,
                    BASE_SQLSTATE_UNDEFINED_OBJECT, "\"%s\" is no variable of the pattern",
                    m->clause->skip_name);
}

static base_rc check_within(const matching *m, const plan_match *match) {
    if (match->within_us == 0) return BASE_OK;
    col_kind kind =
        match->norder == 0 ? COL_UNKNOWN : m->input->columns[match->order[0].column].type.kind;
    if (kind == COL_TIMESTAMP || kind == COL_TIMESTAMPTZ) return BASE_OK;
    return sql_fail(m->ctx, sql_text_position(m->ctx, m->clause->begin), BASE_E_INVALID,
                    BASE_SQLSTATE_DATATYPE_MISMATCH,
                    "WITHIN needs ORDER BY to begin with a column of type timestamp");
}

// ---- output ----------------------------------------------------------------------------------

typedef struct outputs {
    sql_exprs exprs;
    const char *names[SQL_COLUMNS_MAX];
} outputs;

static base_rc add_output(matching *m, outputs *out, const plan_expr *expr, const char *name) {
    if (out->exprs.n == SQL_COLUMNS_MAX)
        return sql_fail(m->ctx, 0, BASE_E_LIMIT, "54011",
                        "MATCH_RECOGNIZE can give at most %u columns", SQL_COLUMNS_MAX);
    out->names[out->exprs.n] = name;
    sql_exprs_add(m->ctx, &out->exprs, expr);
    return BASE_OK;
}

static base_rc add_row_column(matching *m, outputs *out, uint32_t column) {
    col_type type = m->input->columns[column].type;
    uint32_t slot =
        add_slot(m, (plan_match_slot){.kind = PLAN_MATCH_ROW, .type = type, .column = column});
    return add_output(m, out, plan_expr_column(m->ctx->arena, slot, type),
                      m->input->columns[column].name);
}

// ONE ROW: partition columns, measures. ALL ROWS: partition and order columns, measures, the rest.
static base_rc bind_outputs(matching *m, plan_match *match, outputs *out) {
    bool all = m->clause->rows != PLAN_MATCH_ONE_ROW;
    bool *done = base_arena_array(m->ctx->arena, bool, m->input->ncolumns + 1);
    for (uint32_t i = 0; i < match->npartition; i++) {
        if (done[match->partition[i]]) continue;
        done[match->partition[i]] = true;
        SQL_TRY(add_row_column(m, out, match->partition[i]));
    }
    for (uint32_t i = 0; all && i < match->norder; i++) {
        if (done[match->order[i].column]) continue;
        done[match->order[i].column] = true;
        SQL_TRY(add_row_column(m, out, match->order[i].column));
    }
    for (uint32_t i = 0; i < m->clause->measures.n; i++) {
        const plan_expr *value;
        SQL_TRY(bind_value(m, &m->clause->measures.items[i], "MEASURES", false, &value));
        SQL_TRY(add_output(m, out, value, m->clause->measures.items[i].name));
    }
    for (uint32_t i = 0; all && i < m->input->ncolumns; i++)
        if (!done[i] && !m->input->columns[i].hidden) SQL_TRY(add_row_column(m, out, i));
    if (out->exprs.n == 0)
        return SQL_SYNTAX(m->ctx, sql_text_position(m->ctx, m->clause->begin),
                          "MATCH_RECOGNIZE gives no column: add MEASURES or PARTITION BY");
    return BASE_OK;
}

static base_rc bind_parts(matching *m, plan_match *match, outputs *out) {
    SQL_TRY(bind_partition(m, match));
    SQL_TRY(bind_order(m, match));
    SQL_TRY(sql_match_compile(m->ctx, &m->clause->pattern, &m->names, match));
    SQL_TRY(bind_subsets(m));
    SQL_TRY(bind_define(m, match));
    SQL_TRY(bind_skip(m, match));
    match->rows = m->clause->rows;
    match->within_us = m->clause->within_us;
    SQL_TRY(check_within(m, match));
    SQL_TRY(bind_outputs(m, match, out));
    match->nvariables = m->names.n;
    const char **names = base_arena_array(m->ctx->arena, const char *, m->names.n + 1);
    for (uint32_t i = 0; i < m->names.n; i++) names[i] = m->names.names[i];
    match->variables = names;
    if (m->nslots > SLOTS_MAX)
        return sql_fail(m->ctx, 0, BASE_E_LIMIT, "54001", "MATCH_RECOGNIZE is too complex");
    match->nslots = m->nslots;
    match->slots = m->slots;
    return BASE_OK;
}

base_rc sql_bind_match(sql_ctx *ctx, sql_match_clause *clause, const plan_node *input,
                       plan_node **out) {
    int64_t delta = ctx->delta;
    SQL_TRY(sql_match_read(ctx, clause));
    if (input->ncolumns == 0 || input->ncolumns > COLUMNS_MAX)
        return sql_fail(ctx, sql_text_position(ctx, clause->begin), BASE_E_LIMIT, "54011",
                        "MATCH_RECOGNIZE over %u columns", input->ncolumns);
    matching m = {.ctx = ctx, .clause = clause, .input = input};
    plan_match *match = base_arena_new(ctx->arena, plan_match);
    outputs *columns = base_arena_new(ctx->arena, outputs);
    SQL_TRY(bind_parts(&m, match, columns));
    match->outputs = columns->exprs.items;
    plan_node *node = sql_node(ctx, PLAN_NODE_MATCH, columns->exprs.n, 1, input, NULL);
    for (uint32_t i = 0; i < columns->exprs.n; i++)
        sql_columns(node)[i] =
            (plan_column){.name = columns->names[i], .type = columns->exprs.items[i]->type};
    node->match = match;
    *out = node;
    ctx->delta = delta; // positions of what stands around the clause
    return BASE_OK;
}

const char *sql_match_name(const sql_match_clause *clause) {
    return clause->alias != NULL ? clause->alias : "match_recognize";
}
