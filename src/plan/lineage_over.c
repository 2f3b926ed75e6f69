// lineage_over.c - which rows of its partition a row of OVER does not hang on: those after it in
// the order, where all functions look back, or those before it, where all look ahead. Told by the
// first column of the order alone, and not of rows whose value is null: what is left in may be too
// much. Entry point: lineage_frame.

#include "plan/lineage_int.h"
#include "plan/over.h"

static bool looks_back(const plan_over *over) {
    plan_reach reach = plan_over_reach(over);
    switch (over->id) {
    case PLAN_OVER_ROW_NUMBER:
    case PLAN_OVER_RANK:
    case PLAN_OVER_DENSE_RANK:
        return true;
    case PLAN_OVER_LAG:
    case PLAN_OVER_LEAD:
        return reach.unit == PLAN_REACH_ROWS && reach.context_after == 0;
    case PLAN_OVER_AGGREGATE:
    case PLAN_OVER_FIRST_VALUE:
    case PLAN_OVER_LAST_VALUE:
    case PLAN_OVER_NTH_VALUE:
        return over->frame.end <= PLAN_BOUND_CURRENT;
    default:
        return false;
    }
}

static bool looks_ahead(const plan_over *over) {
    plan_reach reach = plan_over_reach(over);
    switch (over->id) {
    case PLAN_OVER_LAG:
    case PLAN_OVER_LEAD:
        return reach.unit == PLAN_REACH_ROWS && reach.context_before == 0;
    case PLAN_OVER_AGGREGATE:
    case PLAN_OVER_FIRST_VALUE:
    case PLAN_OVER_LAST_VALUE:
    case PLAN_OVER_NTH_VALUE:
        return over->frame.start >= PLAN_BOUND_CURRENT;
    default:
        return false;
    }
}

// Types whose order is that of their comparisons.
static bool is_plain(col_kind kind) {
    return kind == COL_INT2 || kind == COL_INT4 || kind == COL_INT8 || kind == COL_NUMERIC ||
           kind == COL_DATE || kind == COL_TIMESTAMP || kind == COL_TIMESTAMPTZ;
}

static const plan_expr *one_of(lineage *l, plan_expr_kind kind, const plan_expr *arg) {
    plan_expr *expr = base_arena_new(l->arena, plan_expr);
    *expr = (plan_expr){.kind = kind,
                        .type = col_type_of(COL_BOOL),
                        .nargs = 1,
                        .args = base_arena_array(l->arena, const plan_expr *, 1)};
    expr->args[0] = arg;
    return expr;
}

void lineage_frame(lineage *l, const plan_node *node, uint32_t rows, lineage_conds *out) {
    if (node->nsort == 0) return;
    bool back = true, ahead = true;
    for (uint32_t i = 0; i < node->nover; i++) {
        back = back && looks_back(&node->overs[i]);
        ahead = ahead && looks_ahead(&node->overs[i]);
    }
    const plan_sort_key *key = &node->sort[0];
    col_type type = node->inputs[0]->columns[key->column].type;
    if (!is_plain(type.kind) || (!back && !ahead)) return;
    const plan_expr *own = plan_expr_column(l->arena, key->column, type);
    const plan_expr *other = plan_expr_column(l->arena, rows + key->column, type);
    // Both: it hangs on its peers alone.
    for (uint32_t i = 0; i < 2; i++) {
        if (i == 0 ? !back : !ahead) continue;
        const char *beyond = (i == 0) == key->descending ? "<" : ">";
        const plan_expr *is_beyond = lineage_compare(l, beyond, other, own);
        if (is_beyond == NULL) continue;
        lineage_add(l, out, one_of(l, PLAN_EXPR_NOT, one_of(l, PLAN_EXPR_IS_TRUE, is_beyond)));
    }
}
