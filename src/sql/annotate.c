// annotate.c - what is known of a plan's output once its shape stands: ids in preorder, which
// columns are never null, what they mean to time, and which columns are unique. Entry point:
// sql_annotate.
#include "plan/match.h"
#include "sql/sql_int.h"

#include "base/must.h"
#include "plan/agg.h"
#include "plan/over.h"

static void inherit(plan_column *to, const plan_column *from) {
    to->not_null = from->not_null;
    to->time_role = from->time_role;
    to->window = from->window;
    to->hidden = false;
    to->default_value = NULL;
}

static void set_key(sql_ctx *ctx, plan_node *node, uint32_t n, const uint32_t *columns) {
    uint32_t *key = base_arena_array(ctx->arena, uint32_t, n);
    if (n > 0) memcpy(key, columns, n * sizeof *key);
    node->nkey = n;
    node->key = key;
}

bool sql_never_null(const plan_expr *expr, const plan_node *input) {
    switch (expr->kind) {
    case PLAN_EXPR_COLUMN:
        return input->columns[expr->index].not_null;
    case PLAN_EXPR_CONST:
        return !col_is_null(expr->constant, 0);
    case PLAN_EXPR_IS_NULL:
    case PLAN_EXPR_IS_NOT_NULL:
    case PLAN_EXPR_IS_TRUE:
    case PLAN_EXPR_IS_DISTINCT:
        return true;
    default:
        return false;
    }
}

static void annotate_scan(sql_ctx *ctx, plan_node *node) {
    const plan_object *object = node->object;
    bool is_view = object->kind == PLAN_OBJECT_VIEW;
    uint32_t n = is_view ? object->nview_key : object->nkey, found = 0;
    const uint32_t *key = is_view ? object->view_key : object->key;
    // A stream's repeats are recognised within its horizon only; with one, its key may repeat.
    if (object->kind == PLAN_OBJECT_STREAM && object->dedup_horizon_us != 0) n = 0;
    uint32_t *columns = base_arena_array(ctx->arena, uint32_t, n);
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        const plan_column *source = &object->columns[node->indexes[i]];
        inherit(&sql_columns(node)[i], source);
        sql_columns(node)[i].comment = source->comment;
        if (is_view && source->hidden) node->system_columns = true;
    }
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < node->ncolumns; i++)
            if (node->indexes[i] == key[k]) {
                columns[found++] = i;
                break;
            }
    set_key(ctx, node, found == n ? n : 0, columns);
}

static void annotate_values(sql_ctx *ctx, plan_node *node) {
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        bool not_null = true;
        for (uint32_t k = i; k < node->nexprs; k += node->ncolumns)
            not_null &= sql_never_null(node->exprs[k], node);
        inherit(&sql_columns(node)[i], &(plan_column){.not_null = not_null});
    }
    set_key(ctx, node, 0, NULL);
}

static void annotate_same(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    for (uint32_t i = 0; i < node->ncolumns; i++)
        inherit(&sql_columns(node)[i], &input->columns[i]);
    set_key(ctx, node, input->nkey, input->key);
}

static void annotate_project(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    uint32_t found = 0, *key = base_arena_array(ctx->arena, uint32_t, input->nkey);
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        const plan_expr *expr = node->exprs[i];
        plan_column computed = {.not_null = sql_never_null(expr, input)};
        sql_window_role(ctx, expr, input, &computed);
        inherit(&sql_columns(node)[i],
                expr->kind == PLAN_EXPR_COLUMN ? &input->columns[expr->index] : &computed);
    }
    for (uint32_t k = 0; k < input->nkey; k++)
        for (uint32_t i = 0; i < node->ncolumns; i++)
            if (node->exprs[i]->kind == PLAN_EXPR_COLUMN &&
                node->exprs[i]->index == input->key[k]) {
                key[found++] = i;
                break;
            }
    set_key(ctx, node, found == input->nkey ? found : 0, key);
}

// The start of a session does not say when it ends.
static plan_time_role role_of(const plan_node *node, plan_time_role role) {
    bool session = node->kind == PLAN_NODE_SESSION;
    return session && role == PLAN_TIME_WINDOW_START ? PLAN_TIME_NONE : role;
}

static void annotate_window(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    uint32_t n = input->ncolumns;
    for (uint32_t i = 0; i < n; i++) inherit(&sql_columns(node)[i], &input->columns[i]);
    bool not_null = input->columns[node->time_column].not_null;
    static const plan_time_role roles[PLAN_WINDOW_COLUMNS] = {PLAN_TIME_WINDOW_START,
                                                              PLAN_TIME_WINDOW_END, PLAN_TIME_NONE};
    for (uint32_t i = 0; i < PLAN_WINDOW_COLUMNS; i++)
        inherit(&sql_columns(node)[n + i], &(plan_column){.not_null = not_null,
                                                          .time_role = role_of(node, roles[i]),
                                                          .window = node->window});
    // With more than one window a row, its start (CUMULATE: its end) is part of what tells rows
    // apart; both where a zone's calendar may leave a day out, and two windows begin at once.
    const plan_window *w = node->window;
    uint32_t nkey = 0, *key = base_arena_array(ctx->arena, uint32_t, input->nkey + 2);
    for (; nkey < input->nkey; nkey++) key[nkey] = input->key[nkey];
    if (nkey > 0 && w->form == PLAN_WINDOW_HOP) key[nkey++] = n;
    if (nkey > 0 &&
        (w->form == PLAN_WINDOW_CUMULATE || (w->form == PLAN_WINDOW_HOP && w->zone != NULL)))
        key[nkey++] = n + 1;
    set_key(ctx, node, nkey, key);
}

static void annotate_aggregate(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    uint32_t *key = base_arena_array(ctx->arena, uint32_t, node->nexprs);
    for (uint32_t i = 0; i < node->nexprs; i++) {
        const plan_expr *expr = node->exprs[i];
        plan_column computed = {.not_null = sql_never_null(expr, input)};
        sql_window_role(ctx, expr, input, &computed);
        inherit(&sql_columns(node)[i],
                expr->kind == PLAN_EXPR_COLUMN ? &input->columns[expr->index] : &computed);
        key[i] = i;
    }
    for (uint32_t i = 0; i < node->naggs; i++) {
        plan_agg_id id = node->aggs[i].def->id;
        bool counts = id == PLAN_AGG_COUNT || id == PLAN_AGG_COUNT_STAR ||
                      id == PLAN_AGG_REGR_COUNT || id == PLAN_AGG_APPROX_COUNT_DISTINCT ||
                      node->aggs[i].def->form == PLAN_AGG_HYPOTHETICAL;
        inherit(&sql_columns(node)[node->nexprs + i], &(plan_column){.not_null = counts});
    }
    set_key(ctx, node, node->nexprs, key);
}

static bool contains_all(uint32_t n, const uint32_t *columns, uint32_t nkey, const uint32_t *key) {
    if (nkey == 0) return false;
    for (uint32_t k = 0; k < nkey; k++) {
        uint32_t i = 0;
        while (i < n && columns[i] != key[k]) i++;
        if (i == n) return false;
    }
    return true;
}

static bool key_has_value(const plan_node *node) {
    for (uint32_t i = 0; i < node->nkey; i++)
        if (node->columns[node->key[i]].not_null) return true;
    return false;
}

static void annotate_join(sql_ctx *ctx, plan_node *node) {
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    bool pairs = node->join <= PLAN_JOIN_FULL;
    bool left_nulls = node->join == PLAN_JOIN_RIGHT || node->join == PLAN_JOIN_FULL;
    bool right_nulls = node->join == PLAN_JOIN_LEFT || node->join == PLAN_JOIN_FULL;
    for (uint32_t i = 0; i < left->ncolumns; i++)
        inherit(&sql_columns(node)[i],
                left_nulls ? &(plan_column){.not_null = false} : &left->columns[i]);
    for (uint32_t i = 0; pairs && i < right->ncolumns; i++)
        inherit(&sql_columns(node)[left->ncolumns + i],
                right_nulls ? &(plan_column){.not_null = false} : &right->columns[i]);
    if (!pairs) {
        if (node->join == PLAN_JOIN_MARK)
            inherit(&sql_columns(node)[left->ncolumns],
                    &(plan_column){.not_null = node->mark == NULL});
        set_key(ctx, node, left->nkey, left->key);
        return;
    }
    uint32_t n = 0, *key = base_arena_array(ctx->arena, uint32_t, left->nkey + right->nkey);
    // At most one match a left row: the left key stays unique; likewise the other way.
    bool one_right = contains_all(node->nequi, node->right_keys, right->nkey, right->key);
    bool one_left = contains_all(node->nequi, node->left_keys, left->nkey, left->key);
    // Rows without a match have nulls for the other side's key, which do not tell them apart.
    bool left_alone = one_right && !left_nulls, right_alone = one_left && !right_nulls;
    bool both = left->nkey > 0 && right->nkey > 0;
    // FULL: a left and a right row without a match must not both have nothing but nulls.
    if (left_nulls && right_nulls) both &= key_has_value(left) || key_has_value(right);
    if ((left_alone && left->nkey > 0) || (both && !right_alone)) {
        for (uint32_t i = 0; i < left->nkey; i++) key[n++] = left->key[i];
    }
    if ((right_alone && n == 0 && right->nkey > 0) || (both && !left_alone)) {
        for (uint32_t i = 0; i < right->nkey; i++) key[n++] = left->ncolumns + right->key[i];
    }
    set_key(ctx, node, n, key);
}

// One row at most for each left row.
static void annotate_asof(sql_ctx *ctx, plan_node *node) {
    annotate_join(ctx, node);
    set_key(ctx, node, node->inputs[0]->nkey, node->inputs[0]->key);
}

static void annotate_distinct(sql_ctx *ctx, plan_node *node) {
    annotate_same(ctx, node);
    if (node->nkey > 0) return;
    uint32_t *key = base_arena_array(ctx->arena, uint32_t, node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++) key[i] = i;
    set_key(ctx, node, node->ncolumns, key);
}

static void annotate_union(sql_ctx *ctx, plan_node *node) {
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        const plan_column *a = &node->inputs[0]->columns[i], *b = &node->inputs[1]->columns[i];
        plan_column both = {.not_null = a->not_null && b->not_null};
        if (a->time_role == b->time_role && plan_window_equal(a->window, b->window)) {
            both.time_role = a->time_role;
            both.window = a->window;
        }
        inherit(&sql_columns(node)[i], &both);
    }
    set_key(ctx, node, 0, NULL);
}

static void annotate_expand(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    const plan_expand *expand = node->expand;
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        bool always = true;
        for (uint32_t s = 0; i < expand->nkeys && s < expand->nsets; s++)
            always &= expand->kept[s * expand->nkeys + i] != 0;
        const plan_column null = {.not_null = false}, constant = {.not_null = true};
        inherit(&sql_columns(node)[i], !always               ? &null
                                       : i < input->ncolumns ? &input->columns[i]
                                                             : &constant);
    }
    set_key(ctx, node, 0, NULL);
}

static void annotate_match(sql_ctx *ctx, plan_node *node) {
    const plan_match *match = node->match;
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        const plan_expr *expr = match->outputs[i];
        plan_column column = {0};
        if (expr->kind == PLAN_EXPR_COLUMN && match->slots[expr->index].kind == PLAN_MATCH_ROW)
            column.not_null = node->inputs[0]->columns[match->slots[expr->index].column].not_null;
        inherit(&sql_columns(node)[i], &column);
    }
    set_key(ctx, node, 0, NULL);
}

// Rows are the left side's.
static void annotate_setop(sql_ctx *ctx, plan_node *node) {
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    bool both = node->set_op == PLAN_SET_INTERSECT;
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        inherit(&sql_columns(node)[i], &left->columns[i]);
        if (both && right->columns[i].not_null) sql_columns(node)[i].not_null = true;
    }
    const plan_node *keyed = left->nkey == 0 && both ? right : left;
    set_key(ctx, node, keyed->nkey, keyed->key);
    if (keyed->nkey > 0 || node->set_all) return;
    uint32_t *key = base_arena_array(ctx->arena, uint32_t, node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++) key[i] = i;
    set_key(ctx, node, node->ncolumns, key);
}

static bool never_null_over(const plan_over *over) {
    switch (over->id) {
    case PLAN_OVER_AGGREGATE:
        return over->agg.def->id == PLAN_AGG_COUNT || over->agg.def->id == PLAN_AGG_COUNT_STAR;
    case PLAN_OVER_ROW_NUMBER:
    case PLAN_OVER_RANK:
    case PLAN_OVER_DENSE_RANK:
    case PLAN_OVER_PERCENT_RANK:
    case PLAN_OVER_CUME_DIST:
        return true;
    default:
        return false;
    }
}

// A row's number tells it in its partition.
static void annotate_over(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    uint32_t nin = input->ncolumns, *key = base_arena_array(ctx->arena, uint32_t, nin + 1u);
    for (uint32_t i = 0; i < nin; i++) inherit(&sql_columns(node)[i], &input->columns[i]);
    for (uint32_t i = nin; i < node->ncolumns; i++)
        inherit(&sql_columns(node)[i],
                &(plan_column){.not_null = never_null_over(&node->overs[i - nin])});
    set_key(ctx, node, input->nkey, input->key);
    bool numbers = node->overs[0].id == PLAN_OVER_ROW_NUMBER;
    bool one = node->kind == PLAN_NODE_TOP && numbers && node->limit <= 1;
    uint32_t n = node->npartition;
    if (n > nin) return;
    if (n > 0) memcpy(key, node->partition, n * sizeof *key);
    if (one && n > 0) {
        set_key(ctx, node, n, key);
    } else if (numbers && input->nkey == 0 && node->ncolumns > nin) {
        key[n] = nin;
        set_key(ctx, node, n + 1, key);
    }
}

static void annotate_recursive(sql_ctx *ctx, plan_node *node) {
    for (uint32_t i = 0; i < node->ncolumns; i++)
        inherit(&sql_columns(node)[i], &(plan_column){.not_null = false});
    set_key(ctx, node, 0, NULL);
}

static void annotate_table_func(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    uint32_t n = input->ncolumns, *key = base_arena_array(ctx->arena, uint32_t, input->nkey + 1);
    for (uint32_t i = 0; i < n; i++) inherit(&sql_columns(node)[i], &input->columns[i]);
    for (uint32_t i = n; i < node->ncolumns; i++)
        inherit(&sql_columns(node)[i], &(plan_column){.not_null = false});
    // The rows of one input row are told apart by their number, if they have one.
    bool numbered = input->nkey > 0 && node->ordinality;
    for (uint32_t k = 0; k < input->nkey; k++) key[k] = input->key[k];
    key[input->nkey] = node->ncolumns - 1;
    set_key(ctx, node, numbered ? input->nkey + 1 : 0, key);
}

static void (*const annotators[])(sql_ctx *, plan_node *) = {
    [PLAN_NODE_SCAN] = annotate_scan,
    [PLAN_NODE_VALUES] = annotate_values,
    [PLAN_NODE_FILTER] = annotate_same,
    [PLAN_NODE_PROJECT] = annotate_project,
    [PLAN_NODE_WINDOW] = annotate_window,
    [PLAN_NODE_AGGREGATE] = annotate_aggregate,
    [PLAN_NODE_JOIN] = annotate_join,
    [PLAN_NODE_ASOF] = annotate_asof,
    [PLAN_NODE_LOOKUP] = annotate_asof,
    [PLAN_NODE_DISTINCT] = annotate_distinct,
    [PLAN_NODE_UNION_ALL] = annotate_union,
    [PLAN_NODE_SORT] = annotate_same,
    [PLAN_NODE_MATCH] = annotate_match,
    [PLAN_NODE_SETOP] = annotate_setop,
    [PLAN_NODE_RECURSIVE] = annotate_recursive,
    [PLAN_NODE_TEMPORAL] = annotate_same,
    [PLAN_NODE_EMIT] = annotate_same,
    [PLAN_NODE_OVER] = annotate_over,
    [PLAN_NODE_TOP] = annotate_over,
    [PLAN_NODE_TABLE_FUNC] = annotate_table_func,
    [PLAN_NODE_SESSION] = annotate_window,
    [PLAN_NODE_EXPAND] = annotate_expand,
};

static plan_node *annotate(sql_ctx *ctx, const plan_node *node, uint32_t *next_id) {
    plan_node *copy = sql_node(ctx, node->kind, node->ncolumns, node->ninputs, NULL, NULL);
    const plan_node **inputs = copy->inputs;
    plan_column *columns = sql_columns(copy);
    *copy = *node;
    copy->inputs = inputs;
    copy->columns = columns;
    if (node->ncolumns > 0) memcpy(columns, node->columns, node->ncolumns * sizeof *columns);
    copy->id = (*next_id)++;
    for (uint32_t i = 0; i < node->ninputs; i++)
        inputs[i] = annotate(ctx, node->inputs[i], next_id);
    annotators[copy->kind](ctx, copy);
    return copy;
}

plan_node *sql_annotate(sql_ctx *ctx, const plan_node *node) {
    uint32_t next_id = 0;
    return annotate(ctx, node, &next_id);
}
