// bind_grouping.c - GROUP BY with sets: GROUPING SETS, ROLLUP, CUBE, (), mixed with plain
// expressions, and the function GROUPING. Every item of GROUP BY stands for a list of sets; the
// query groups by each combination of one set of each item. A set is a mask of group expressions.
//
// The plan: the group expressions are projected beside the aggregates' arguments, EXPAND makes a
// row for each set of each row, with null where an expression is not of the set, and the aggregate
// groups by them, by the number of the set, and by what each GROUPING call is in the set.
// Entry points: sql_bind_grouping_sets, sql_bind_grouping_func, sql_expand.
#include "sql/sql_int.h"

#include "base/must.h"

#define GROUPING_ARGS_MAX 31u
#define CUBE_MAX          12u

typedef struct set_list {
    uint32_t n, cap;
    uint64_t *masks;
} set_list;

typedef struct group_reader {
    sql_ctx *ctx;
    sql_group_item bind;
    void *self;
} group_reader;

static base_rc add_set(sql_ctx *ctx, set_list *list, uint64_t mask) {
    if (list->n == PLAN_EXPAND_SETS_MAX)
        return sql_fail(ctx, 0, BASE_E_LIMIT, "54001",
                        "too many grouping sets present (maximum %u)", PLAN_EXPAND_SETS_MAX);
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 8 : list->cap * 2;
        uint64_t *masks = base_arena_array(ctx->arena, uint64_t, cap);
        if (list->n > 0) memcpy(masks, list->masks, list->n * sizeof *masks);
        list->masks = masks;
        list->cap = cap;
    }
    list->masks[list->n++] = mask;
    return BASE_OK;
}

// (a, b): several expressions in one place; ROW(a, b) is one.
static bool is_list(const sql_tree *item) {
    if (!sql_is(item, "RowExpr")) return false;
    const char *format = sql_get_text(sql_body(item), "row_format");
    return format != NULL && strcmp(format, "COERCE_IMPLICIT_CAST") == 0;
}

// What an expression, or several in parentheses, add to a set.
static base_rc bind_element(group_reader *r, const sql_tree *item, uint64_t *mask) {
    *mask = 0;
    if (is_list(item)) {
        const sql_tree *args = sql_get(sql_body(item), "args");
        for (const sql_tree *arg = args->child; arg != NULL; arg = arg->next) {
            uint64_t own;
            SQL_TRY(bind_element(r, arg, &own));
            *mask |= own;
        }
        return BASE_OK;
    }
    uint32_t index;
    SQL_TRY(r->bind(r->self, item, &index));
    if (index >= PLAN_EXPAND_KEYS_MAX)
        return sql_fail(r->ctx, 0, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                        "a query with grouping sets can group by at most %u expressions",
                        PLAN_EXPAND_KEYS_MAX);
    *mask = (uint64_t)1 << index;
    return BASE_OK;
}

static base_rc read_rollup(group_reader *r, const sql_tree *content, set_list *out) {
    uint64_t masks[PLAN_EXPAND_KEYS_MAX], all = 0;
    uint32_t n = 0;
    for (const sql_tree *item = content->child; item != NULL; item = item->next) {
        if (n == PLAN_EXPAND_KEYS_MAX)
            return sql_fail(r->ctx, 0, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                            "ROLLUP is limited to %u elements", PLAN_EXPAND_KEYS_MAX);
        SQL_TRY(bind_element(r, item, &masks[n]));
        all |= masks[n++];
    }
    for (uint32_t last = n + 1; last-- > 0;) {
        all = 0;
        for (uint32_t i = 0; i < last; i++) all |= masks[i];
        SQL_TRY(add_set(r->ctx, out, all));
    }
    return BASE_OK;
}

static base_rc read_cube(group_reader *r, const sql_tree *content, int32_t position,
                         set_list *out) {
    uint64_t masks[CUBE_MAX];
    uint32_t n = 0;
    for (const sql_tree *item = content->child; item != NULL; item = item->next) {
        if (n == CUBE_MAX)
            return sql_fail(r->ctx, position, BASE_E_LIMIT, "54011",
                            "CUBE is limited to %u elements", CUBE_MAX);
        SQL_TRY(bind_element(r, item, &masks[n++]));
    }
    for (uint32_t chosen = 0; chosen < 1u << n; chosen++) {
        uint64_t set = 0;
        for (uint32_t i = 0; i < n; i++) set |= chosen >> i & 1 ? 0 : masks[i];
        SQL_TRY(add_set(r->ctx, out, set));
    }
    return BASE_OK;
}

// The sets that one item stands for.
static base_rc read_item(group_reader *r, const sql_tree *item, set_list *out) {
    if (!sql_is(item, "GroupingSet")) {
        uint64_t mask;
        SQL_TRY(bind_element(r, item, &mask));
        return add_set(r->ctx, out, mask);
    }
    const sql_tree *body = sql_body(item), *content = sql_get(body, "content");
    const char *kind = sql_get_text(body, "kind");
    int32_t position = sql_tree_position(r->ctx, body);
    if (kind == NULL || strcmp(kind, "GROUPING_SET_EMPTY") == 0) return add_set(r->ctx, out, 0);
    must(content != NULL);
    if (strcmp(kind, "GROUPING_SET_ROLLUP") == 0) return read_rollup(r, content, out);
    if (strcmp(kind, "GROUPING_SET_CUBE") == 0) return read_cube(r, content, position, out);
    SQL_TRY(sql_enter(r->ctx, position));
    for (const sql_tree *inner = content->child; inner != NULL; inner = inner->next)
        SQL_TRY(read_item(r, inner, out));
    sql_leave(r->ctx);
    return BASE_OK;
}

static void drop_repeated(set_list *list) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < n && !seen; k++) seen = list->masks[k] == list->masks[i];
        if (!seen) list->masks[n++] = list->masks[i];
    }
    list->n = n;
}

base_rc sql_bind_grouping_sets(sql_ctx *ctx, const sql_tree *select, sql_group_item bind,
                               void *self, sql_grouping_sets **out) {
    const sql_tree *list = sql_get(select, "groupClause");
    group_reader r = {ctx, bind, self};
    set_list all = {0};
    bool sets = false;
    *out = NULL;
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL; item = item->next)
        sets |= sql_is(item, "GroupingSet");
    if (!sets) {
        for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
             item = item->next) {
            const sql_tree *first = is_list(item) ? sql_get(sql_body(item), "args")->child : item;
            for (const sql_tree *one = first; one != NULL; one = one == item ? NULL : one->next) {
                uint32_t index;
                SQL_TRY(bind(self, one, &index));
                if (one == item) break;
            }
        }
        return BASE_OK;
    }
    SQL_TRY(add_set(ctx, &all, 0));
    for (const sql_tree *item = list->child; item != NULL; item = item->next) {
        set_list own = {0}, both = {0};
        SQL_TRY(read_item(&r, item, &own));
        for (uint32_t i = 0; i < all.n; i++)
            for (uint32_t k = 0; k < own.n; k++)
                SQL_TRY(add_set(ctx, &both, all.masks[i] | own.masks[k]));
        all = both;
    }
    if (sql_get_bool(select, "groupDistinct")) drop_repeated(&all);
    *out = base_arena_new(ctx->arena, sql_grouping_sets);
    **out = (sql_grouping_sets){all.n, all.masks};
    return BASE_OK;
}

// ---- GROUPING --------------------------------------------------------------------------------

base_rc sql_bind_grouping_func(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const sql_tree *args = sql_get(body, "args");
    if (!binder->aggs_allowed || binder->in_agg)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_GROUPING,
                        "grouping operations are not allowed in %s",
                        binder->in_agg          ? "aggregate functions"
                        : binder->place == NULL ? "this place"
                                                : binder->place);
    if (sql_tree_count(args) > GROUPING_ARGS_MAX)
        return sql_fail(ctx, position, BASE_E_LIMIT, "54023",
                        "GROUPING must have fewer than %u arguments", GROUPING_ARGS_MAX + 1);
    sql_grouping_call *call = base_arena_new(ctx->arena, sql_grouping_call);
    call->position = position;
    for (const sql_tree *arg = args->child; arg != NULL; arg = arg->next) {
        const plan_expr *expr;
        SQL_TRY(sql_bind_expr(binder, arg, &expr));
        SQL_TRY(sql_settle(ctx, &expr));
        sql_exprs_add(ctx, &call->args, expr);
    }
    sql_grouping_call **end = &binder->groupings;
    uint32_t number = 0;
    for (; *end != NULL; end = &(*end)->next) number++;
    *end = call;
    plan_expr *marker = sql_expr(ctx, PLAN_EXPR_COLUMN, col_type_of(COL_INT4), 0, position);
    marker->index = SQL_GROUPING_BASE + number;
    *out = marker;
    return BASE_OK;
}

// The bits of a GROUPING call in each set: 1 where the argument is not of it.
static base_rc grouping_values(sql_ctx *ctx, const sql_grouping_call *call, const sql_exprs *group,
                               const sql_grouping_sets *sets, uint32_t stride, int32_t *out) {
    for (uint32_t a = 0; a < call->args.n; a++) {
        uint32_t k = 0;
        while (k < group->n && !plan_expr_equal(group->items[k], call->args.items[a])) k++;
        if (k == group->n)
            return sql_fail(ctx, call->position, BASE_E_INVALID, BASE_SQLSTATE_GROUPING,
                            "arguments to GROUPING must be grouping expressions of the associated "
                            "query level");
        for (uint32_t s = 0; s < sets->n; s++)
            out[s * stride] = out[s * stride] << 1 | (int32_t)(~sets->masks[s] >> k & 1);
    }
    return BASE_OK;
}

// ---- the plan --------------------------------------------------------------------------------

uint32_t sql_expand_constants(const sql_binder *binder) {
    uint32_t n = 0;
    for (const sql_grouping_call *call = binder->groupings; call != NULL; call = call->next) n++;
    return binder->grouping_sets == NULL && n == 0 ? 0 : n + 1;
}

base_rc sql_expand(sql_binder *binder, const sql_exprs *group, const plan_node *input,
                   plan_node **out) {
    sql_ctx *ctx = binder->ctx;
    const sql_grouping_sets plain = {1, &(uint64_t){UINT64_MAX}};
    const sql_grouping_sets *sets = binder->grouping_sets == NULL ? &plain : binder->grouping_sets;
    plan_expand *expand = base_arena_new(ctx->arena, plan_expand);
    uint32_t nkeys = group->n, n = sql_expand_constants(binder), c = 1;
    *expand = (plan_expand){.nsets = sets->n, .nkeys = nkeys, .nconstants = n};
    uint8_t *kept = base_arena_array(ctx->arena, uint8_t, (size_t)sets->n * nkeys);
    int32_t *constants = base_arena_array(ctx->arena, int32_t, (size_t)sets->n * n);
    for (uint32_t s = 0; s < sets->n; s++) {
        for (uint32_t k = 0; k < nkeys; k++)
            kept[s * nkeys + k] = k >= 64 || (sets->masks[s] >> k & 1) != 0;
        constants[s * n] = (int32_t)s;
    }
    for (const sql_grouping_call *call = binder->groupings; call != NULL; call = call->next, c++)
        SQL_TRY(grouping_values(ctx, call, group, sets, n, constants + c));
    expand->kept = kept;
    expand->constants = constants;
    plan_node *node = sql_node(ctx, PLAN_NODE_EXPAND, input->ncolumns + n, 1, input, NULL);
    memcpy(sql_columns(node), input->columns, input->ncolumns * sizeof *input->columns);
    for (c = 0; c < n; c++)
        sql_columns(node)[input->ncolumns + c] = (plan_column){
            .name = c == 0 ? "grouping_set" : "grouping", .type = col_type_of(COL_INT4)};
    node->expand = expand;
    *out = node;
    return BASE_OK;
}
