// bind_asof.c - joins that go by time. ASOF JOIN: of the condition's parts the equalities between
// the sides become keys, the one inequality says which row is the match, and what is about one side
// alone is a condition on it. t FOR SYSTEM_TIME AS OF x: the rows of t are versions, each in force
// from its time on; it is the ASOF JOIN with x >= that time. With PROCTIME() for x: a look-up.
// Entry point: sql_bind_timed_join.
#include "sql/join_int.h"
#include "sql/subquery.h"

#include "base/must.h"

static base_rc refuse(sql_ctx *ctx, const plan_expr *expr, int32_t position, const char *what) {
    if (expr != NULL && expr->position != 0) position = expr->position;
    sql_fail(ctx, position, BASE_E_UNSUPPORTED, "0A000", "%s", what);
    base_error_hint(ctx->err, "The condition of an ASOF JOIN is made of equalities between its "
                              "sides and one of >=, >, <= and < between their times.");
    return ctx->err->code;
}

static base_rc refuse_versions(sql_ctx *ctx, int32_t position, const char *what, const char *hint) {
    sql_fail(ctx, position, BASE_E_UNSUPPORTED, "0A000", "%s", what);
    base_error_hint(ctx->err, "%s", hint);
    return ctx->err->code;
}

bool sql_can_order(col_kind kind) {
    switch (kind) {
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_FLOAT4:
    case COL_FLOAT8:
    case COL_NUMERIC:
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        return true;
    default:
        return false;
    }
}

// left.t op right.t, either way round.
static base_rc take_inequality(sql_ctx *ctx, const plan_expr *expr, uint32_t nleft, uint32_t n,
                               sql_asof_parts *parts, bool *taken) {
    static const char *const names[] = {">=", ">", "<=", "<"};
    static const plan_asof swapped[] = {PLAN_ASOF_LE, PLAN_ASOF_LT, PLAN_ASOF_GE, PLAN_ASOF_GT};
    *taken = false;
    if (expr->kind != PLAN_EXPR_CALL || expr->nargs != 2) return BASE_OK;
    uint32_t op = 0;
    while (op < 4 && strcmp(expr->func->name, names[op]) != 0) op++;
    if (op == 4) return BASE_OK;
    for (int side = 0; side < 2; side++) {
        const plan_expr *pair[2] = {expr->args[side], expr->args[1 - side]};
        if (!sql_within(pair[0], 0, nleft) || !sql_within(pair[1], nleft, n)) continue;
        if (!sql_uses_columns(pair[0]) || !sql_uses_columns(pair[1])) continue;
        if (parts->inequality != NULL)
            return refuse(ctx, expr, 0, "an ASOF JOIN takes one inequality between its sides");
        col_type type = pair[0]->type;
        if (pair[0]->type.kind != pair[1]->type.kind)
            SQL_TRY(sql_common_type(ctx, "ASOF JOIN", 2, pair, &type));
        if (!sql_can_order(type.kind))
            return refuse(ctx, expr, 0, "the times of an ASOF JOIN must be times or numbers");
        parts->left_time = pair[0];
        parts->right_time = plan_expr_shift(ctx->arena, pair[1], -(int32_t)nleft);
        parts->asof = side == 0 ? (plan_asof)op : swapped[op];
        parts->inequality = expr;
        *taken = true;
    }
    return BASE_OK;
}

static base_rc sort_parts(sql_ctx *ctx, plan_join_kind kind, const sql_exprs *all, uint32_t nleft,
                          uint32_t n, sql_asof_parts *parts) {
    for (uint32_t i = 0; i < all->n; i++) {
        const plan_expr *expr = all->items[i], *a, *b;
        bool null_safe, taken;
        if (sql_is_true(expr)) continue;
        if (sql_within(expr, nleft, n)) {
            sql_exprs_add(ctx, &parts->right, plan_expr_shift(ctx->arena, expr, -(int32_t)nleft));
            continue;
        }
        if (sql_within(expr, 0, nleft) && kind == PLAN_JOIN_INNER) {
            sql_exprs_add(ctx, &parts->left, expr);
            continue;
        }
        if (sql_equi_sides(ctx, expr, nleft, n, &a, &b, &null_safe) && !null_safe) {
            sql_exprs_add(ctx, &parts->left_keys, a);
            sql_exprs_add(ctx, &parts->right_keys, b);
            continue;
        }
        taken = false;
        if (!parts->lookup) SQL_TRY(take_inequality(ctx, expr, nleft, n, parts, &taken));
        if (!taken && parts->lookup)
            return refuse_versions(ctx, expr->position,
                                   "this condition of a join AS OF PROCTIME() is not supported",
                                   "It takes equalities between its sides and conditions on the "
                                   "right side; of an inner join others may stand in WHERE.");
        if (!taken) return refuse(ctx, expr, 0, "this condition of an ASOF JOIN is not supported");
    }
    return BASE_OK;
}

// What the parts make: the sides with their conditions and with columns for keys and times. Without
// times: a look-up.
plan_node *sql_make_asof(sql_ctx *ctx, plan_join_kind kind, const plan_node *left,
                         const plan_node *right, const sql_asof_parts *parts) {
    sql_exprs added[2] = {{0}, {0}};
    const plan_node *join = sql_node_join(ctx, PLAN_JOIN_INNER, left, right, NULL); // its columns
    plan_node *sides[2] = {sql_with_filter(ctx, sql_node_copy(ctx, left), &parts->left),
                           sql_with_filter(ctx, sql_node_copy(ctx, right), &parts->right)};
    uint32_t nkeys = parts->left_keys.n;
    uint32_t *left_keys = base_arena_array(ctx->arena, uint32_t, nkeys);
    uint32_t *right_keys = base_arena_array(ctx->arena, uint32_t, nkeys);
    for (uint32_t i = 0; i < nkeys; i++) {
        left_keys[i] = sql_key_column(ctx, sides[0], &added[0], parts->left_keys.items[i]);
        right_keys[i] = sql_key_column(ctx, sides[1], &added[1], parts->right_keys.items[i]);
    }
    bool timed = parts->left_time != NULL;
    uint32_t times[2] = {0, 0};
    if (timed) times[0] = sql_key_column(ctx, sides[0], &added[0], parts->left_time);
    if (timed) times[1] = sql_key_column(ctx, sides[1], &added[1], parts->right_time);
    uint32_t nties = parts->ties.n;
    plan_sort_key *sort = base_arena_array(ctx->arena, plan_sort_key, nties);
    for (uint32_t i = 0; i < nties; i++)
        sort[i] = (plan_sort_key){
            .column = sql_key_column(ctx, sides[1], &added[1], parts->ties.items[i]),
            .descending = parts->descending[i],
            .nulls_first = parts->descending[i]};
    for (int s = 0; s < 2; s++) sides[s] = sql_project_more(ctx, sides[s], &added[s]);
    plan_node *node = sql_node_join(ctx, kind, sides[0], sides[1], NULL);
    node->kind = timed ? PLAN_NODE_ASOF : PLAN_NODE_LOOKUP;
    node->asof = parts->asof;
    node->nequi = nkeys;
    node->left_keys = left_keys;
    node->right_keys = right_keys;
    node->nsort = nties;
    node->sort = sort;
    node->left_time = times[0];
    node->right_time = times[1];
    bool same = added[0].n + added[1].n == 0;
    return same ? node : sql_project_old(ctx, node, join, added[0].n);
}

// ---- FOR SYSTEM_TIME AS OF ------------------------------------------------------------------

// The column that says from when a row of it is in force: the effective time of its contract, else
// the event time.
static base_rc version_column(sql_ctx *ctx, const plan_node *node, int32_t position,
                              uint32_t *column) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        bool effective = node->kind == PLAN_NODE_SCAN &&
                         (int64_t)node->indexes[i] == node->object->effective_time;
        bool event = node->columns[i].time_role == PLAN_TIME_EVENT;
        if (!effective && !event) continue;
        if (effective || found == 0) *column = i;
        found++;
        if (effective) return BASE_OK;
    }
    if (found == 1) return BASE_OK;
    return refuse_versions(ctx, position,
                           found == 0 ? "FOR SYSTEM_TIME AS OF needs a table whose rows have a "
                                        "time: it has no EFFECTIVE TIME and no WATERMARK"
                                      : "FOR SYSTEM_TIME AS OF needs a table whose rows have one "
                                        "time: it has more",
                           "ASOF JOIN ... ON ... AND a.time >= b.time names the column.");
}

// Of what is one row for each value of the keys, no earlier version is kept.
static bool has_one_row(const plan_node *right, const sql_asof_parts *parts) {
    for (uint32_t k = 0; k < right->nkey; k++) {
        bool fixed = false;
        for (uint32_t i = 0; i < parts->right_keys.n && !fixed; i++) {
            const plan_expr *key = parts->right_keys.items[i];
            fixed = key->kind == PLAN_EXPR_COLUMN && key->index == right->key[k];
        }
        if (!fixed) return false;
    }
    return right->nkey > 0;
}

static base_rc bind_part(sql_binder *names, sql_join_part part, const char *place, bool condition,
                         const plan_expr **out) {
    sql_ctx *ctx = names->ctx;
    int64_t delta = ctx->delta;
    const sql_tree *tree;
    base_str text = {ctx->text.p + part.begin, part.end - part.begin};
    SQL_TRY(sql_parse_expr_text(ctx, text, part.begin, &tree));
    names->place = place;
    if (condition)
        SQL_TRY(sql_bind_condition(names, tree, place, out));
    else
        SQL_TRY(sql_bind_expr(names, tree, out));
    ctx->delta = delta; // positions of what stands around it
    return BASE_OK;
}

// x >= the right side's time, over both.
static base_rc version_condition(sql_binder *names, sql_join_part part, const plan_node *left,
                                 const plan_node *right, const plan_expr **out) {
    sql_ctx *ctx = names->ctx;
    int32_t position = sql_text_position(ctx, part.begin);
    const plan_expr *time;
    SQL_TRY(bind_part(names, part, "FOR SYSTEM_TIME AS OF", false, &time));
    if (!sql_within(time, 0, left->ncolumns) || !sql_uses_columns(time))
        return sql_fail(ctx, position, BASE_E_INVALID, "42P10",
                        "FOR SYSTEM_TIME AS OF needs a time of the left side");
    uint32_t column = 0;
    SQL_TRY(version_column(ctx, right, position, &column));
    const plan_expr *version =
        plan_expr_column(ctx->arena, left->ncolumns + column, right->columns[column].type);
    return sql_operator(ctx, ">=", time, version, position, out);
}

// ---- FOR SYSTEM_TIME AS OF PROCTIME() -------------------------------------------------------

static bool is_proctime(const sql_ctx *ctx, sql_join_part part) {
    static const char *const texts[] = {"proctime", "(", ")"};
    base_str text = {ctx->text.p + part.begin, part.end - part.begin};
    size_t at = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sql_token token = sql_token_next(text, &at, NULL);
        if (!base_str_eq_nocase(token.text, base_str_of(texts[i]))) return false;
    }
    return true;
}

static base_rc bind_lookup(sql_ctx *ctx, plan_join_kind kind, const plan_node *left,
                           const plan_node *right, const plan_expr *condition, int32_t position,
                           plan_node **out) {
    sql_asof_parts parts = {.lookup = true};
    sql_exprs all = {0}, none = {0};
    sql_conjuncts(ctx, condition, &all);
    SQL_TRY(sort_parts(ctx, kind, &all, left->ncolumns, left->ncolumns + right->ncolumns, &parts));
    const plan_node *known = sql_annotate(ctx, sql_push_filters(ctx, right, &none));
    if (parts.left_keys.n == 0 || !has_one_row(known, &parts))
        return refuse_versions(ctx, position,
                               "FOR SYSTEM_TIME AS OF PROCTIME() looks rows up by their key: the "
                               "condition must have equalities with all of its columns",
                               "Without the clause it is a join that later changes of either side "
                               "change.");
    *out = sql_make_asof(ctx, kind, left, right, &parts);
    return BASE_OK;
}

base_rc sql_bind_timed_join(sql_binder *names, const sql_join_text *text, plan_join_kind *kind,
                            const plan_node *left, const plan_node *right,
                            const plan_expr *condition, plan_node **out) {
    sql_ctx *ctx = names->ctx;
    int32_t position = sql_text_position(ctx, (size_t)(text->place - ctx->text.p));
    bool versions = text->time.end > 0;
    const plan_expr *more = NULL;
    if (text->match.end > 0) {
        SQL_TRY(bind_part(names, text->match, "MATCH_CONDITION", true, &more));
        if (*kind == PLAN_JOIN_INNER && !text->inner) *kind = PLAN_JOIN_LEFT; // Snowflake's
    }
    if (*kind != PLAN_JOIN_INNER && *kind != PLAN_JOIN_LEFT)
        return refuse(ctx, NULL, position, "a join as of a time must be INNER or LEFT");
    if (versions && text->asof)
        return refuse(ctx, NULL, position, "FOR SYSTEM_TIME is of joins without ASOF");
    if (condition != NULL && sql_has_subquery(condition))
        return refuse(ctx, NULL, position, "sub-queries in a join as of a time are not supported");
    if (versions && is_proctime(ctx, text->time))
        return bind_lookup(ctx, *kind, left, right, condition, position, out);
    const plan_node *known = versions ? sql_annotate(ctx, right) : right;
    if (versions) {
        SQL_TRY(version_condition(names, text->time, left, known, &more));
    }
    condition = sql_and(ctx, condition, more);
    if (more != NULL && sql_has_subquery(more))
        return refuse(ctx, NULL, position, "sub-queries in a join as of a time are not supported");
    sql_asof_parts parts = {0};
    sql_exprs all = {0};
    sql_conjuncts(ctx, condition, &all);
    SQL_TRY(sort_parts(ctx, *kind, &all, left->ncolumns, left->ncolumns + right->ncolumns, &parts));
    if (parts.inequality == NULL)
        return refuse(ctx, NULL, position, "an ASOF JOIN needs an inequality between its sides");
    if (versions && has_one_row(known, &parts))
        return refuse_versions(
            ctx, position,
            "FOR SYSTEM_TIME AS OF needs the versions of a row: of this table only "
            "the present one is kept",
            "Make the time a part of its primary key, or keep the versions in a stream.");
    *out = sql_make_asof(ctx, *kind, left, right, &parts);
    return BASE_OK;
}
