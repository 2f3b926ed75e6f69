// flow_world_over.h - random windows for flow_world.h. Where the order leaves rows alike that are
// not equal, only such functions are chosen as do not look at the order of peers. Included there.
#ifndef WEIR_TESTS_FLOW_WORLD_OVER_H
#define WEIR_TESTS_FLOW_WORLD_OVER_H

static const plan_expr *gen_interval(world *w, int64_t us) {
    col_vec *one = base_arena_new(&w->arena, col_vec);
    col_vec_init(one, &w->arena, col_type_of(COL_INTERVAL), 1);
    col_interval(one)[0] = (base_interval){us, 0, 0};
    return plan_expr_const(&w->arena, one);
}

static const plan_expr *gen_offset(world *w, const plan_node *node, const plan_frame *frame) {
    if (frame->mode != PLAN_FRAME_RANGE) return m_int(&w->arena, COL_INT8, below(w, 4));
    switch (node->columns[node->sort[0].column].type.kind) {
    case COL_NUMERIC:
        return m_int(&w->arena, COL_NUMERIC, below(w, 2));
    case COL_TIMESTAMPTZ:
        return gen_interval(w, (int64_t)below(w, 30) * 1000000);
    default:
        return m_int(&w->arena, COL_INT8, below(w, 3));
    }
}

static bool takes_offset(const plan_node *node) {
    if (node->nsort != 1) return false;
    col_kind kind = node->columns[node->sort[0].column].type.kind;
    return kind == COL_INT4 || kind == COL_INT8 || kind == COL_NUMERIC || kind == COL_TIMESTAMPTZ;
}

static plan_frame gen_frame(world *w, const plan_node *node, bool unique) {
    plan_frame frame = {.mode = PLAN_FRAME_RANGE, .end = PLAN_BOUND_CURRENT};
    if (below(w, 4) == 0) return frame;
    frame.mode = unique && below(w, 2) ? PLAN_FRAME_ROWS
                 : below(w, 2)         ? PLAN_FRAME_GROUPS
                                       : PLAN_FRAME_RANGE;
    bool offsets = frame.mode != PLAN_FRAME_RANGE || takes_offset(node);
    do {
        frame.start = below(w, 4);
        frame.end = 1 + below(w, 4);
        if (!offsets && frame.start != PLAN_BOUND_UNBOUNDED_PRECEDING)
            frame.start = PLAN_BOUND_CURRENT;
        if (!offsets && frame.end != PLAN_BOUND_UNBOUNDED_FOLLOWING) frame.end = PLAN_BOUND_CURRENT;
    } while (frame.start > frame.end);
    if (frame.start == PLAN_BOUND_PRECEDING || frame.start == PLAN_BOUND_FOLLOWING)
        frame.start_offset = gen_offset(w, node, &frame);
    if (frame.end == PLAN_BOUND_PRECEDING || frame.end == PLAN_BOUND_FOLLOWING)
        frame.end_offset = gen_offset(w, node, &frame);
    if (below(w, 4) == 0)
        frame.exclude = unique ? below(w, 4) : below(w, 2) * (uint32_t)PLAN_EXCLUDE_GROUP;
    return frame;
}

static bool gen_over_aggregate(world *w, const plan_node *input, plan_over *over) {
    static const char *const names[] = {"count", "count", "sum",      "avg",
                                        "min",   "max",   "bool_and", "bool_or"};
    uint32_t which = below(w, 8);
    const plan_expr *arg = NULL;
    if (which != 0) arg = m_column(&w->arena, input, below(w, input->ncolumns));
    if (which == 3 && arg->type.kind == COL_NUMERIC && arg->type.precision == 0) return false;
    if (!m_agg_make(names[which], arg, &over->agg)) return false;
    int flag = pick_column(w, input, COL_BOOL);
    if (flag >= 0 && below(w, 4) == 0)
        over->agg.filter = m_column(&w->arena, input, (uint32_t)flag);
    over->type = over->agg.type;
    over->name = names[which];
    return true;
}

// A function by its number; false: it does not fit here.
static bool gen_over_func(world *w, const plan_node *input, const plan_node *node, bool unique,
                          bool shares, plan_over *over) {
    static const struct {
        const char *name;
        col_kind type; // UNKNOWN: that of the value
        bool any_order;
    } kinds[] = {
        [PLAN_OVER_AGGREGATE] = {"agg", COL_UNKNOWN, true},
        [PLAN_OVER_ROW_NUMBER] = {"row_number", COL_INT8, false},
        [PLAN_OVER_RANK] = {"rank", COL_INT8, true},
        [PLAN_OVER_DENSE_RANK] = {"dense_rank", COL_INT8, true},
        [PLAN_OVER_PERCENT_RANK] = {"percent_rank", COL_FLOAT8, true},
        [PLAN_OVER_CUME_DIST] = {"cume_dist", COL_FLOAT8, true},
        [PLAN_OVER_NTILE] = {"ntile", COL_INT4, false},
        [PLAN_OVER_LAG] = {"lag", COL_UNKNOWN, false},
        [PLAN_OVER_LEAD] = {"lead", COL_UNKNOWN, false},
        [PLAN_OVER_FIRST_VALUE] = {"first_value", COL_UNKNOWN, false},
        [PLAN_OVER_LAST_VALUE] = {"last_value", COL_UNKNOWN, false},
        [PLAN_OVER_NTH_VALUE] = {"nth_value", COL_UNKNOWN, false},
    };
    plan_over_id id = below(w, 3) == 0 ? PLAN_OVER_AGGREGATE : below(w, 12);
    if (!unique && !kinds[id].any_order) return false;
    if (kinds[id].type == COL_FLOAT8 && !shares) return false;
    *over = (plan_over){.id = id, .name = kinds[id].name, .frame = gen_frame(w, node, unique)};
    if (id == PLAN_OVER_AGGREGATE) return gen_over_aggregate(w, input, over);
    over->type = col_type_of(kinds[id].type);
    if (kinds[id].type == COL_UNKNOWN) {
        over->args[over->nargs++] = m_column(&w->arena, input, below(w, input->ncolumns));
        over->type = over->args[0]->type;
    }
    if (id == PLAN_OVER_NTILE)
        over->args[over->nargs++] = m_int(&w->arena, COL_INT4, 1 + below(w, 4));
    if (id == PLAN_OVER_NTH_VALUE)
        over->args[over->nargs++] = m_int(&w->arena, COL_INT4, 1 + below(w, 4));
    if ((id == PLAN_OVER_LAG || id == PLAN_OVER_LEAD) && below(w, 2)) {
        int column = pick_column(w, input, COL_INT4);
        over->args[over->nargs++] = column >= 0 && below(w, 3) == 0
                                        ? m_column(&w->arena, input, (uint32_t)column)
                                        : m_int(&w->arena, COL_INT4, (int64_t)below(w, 5) - 1);
        if (below(w, 2)) over->args[over->nargs++] = over->args[0];
    }
    return true;
}

static void gen_order(world *w, const plan_node *input, plan_node *node, bool unique) {
    uint32_t n = unique ? input->ncolumns : below(w, 4) == 0 ? 0 : 1;
    plan_sort_key *keys = base_arena_array(&w->arena, plan_sort_key, n + 1u);
    uint32_t first = below(w, input->ncolumns);
    for (uint32_t i = 0; i < n; i++)
        keys[i] =
            (plan_sort_key){(first + i) % input->ncolumns, below(w, 2) != 0, below(w, 2) != 0};
    node->nsort = n;
    node->sort = keys;
    uint32_t npartition = below(w, 3);
    uint32_t *partition = base_arena_array(&w->arena, uint32_t, 2);
    for (uint32_t i = 0; i < npartition; i++) partition[i] = below(w, input->ncolumns);
    node->npartition = npartition;
    node->partition = partition;
}

static const plan_node *gen_over(world *w, const plan_node *input, bool shares) {
    bool unique = below(w, 2) != 0;
    uint32_t wanted = 1 + below(w, 3), n = 0;
    plan_node *node =
        m_plan(&w->arena, PLAN_NODE_OVER, &w->next_id, input->ncolumns + wanted, 1, &input);
    for (uint32_t i = 0; i < input->ncolumns; i++) m_type(node, i, input->columns[i].type);
    gen_order(w, input, node, unique);
    plan_over *overs = base_arena_array(&w->arena, plan_over, wanted);
    while (n < wanted) n += gen_over_func(w, input, node, unique, shares, &overs[n]);
    for (uint32_t i = 0; i < n; i++) m_type(node, input->ncolumns + i, overs[i].type);
    node->nover = n;
    node->overs = overs;
    return node;
}

// The first rows of each partition.
static const plan_node *gen_top(world *w, const plan_node *input) {
    static const plan_over_id ranks[] = {PLAN_OVER_ROW_NUMBER, PLAN_OVER_RANK,
                                         PLAN_OVER_DENSE_RANK};
    bool unique = below(w, 2) != 0, shown = below(w, 2) != 0;
    plan_node *node =
        m_plan(&w->arena, PLAN_NODE_TOP, &w->next_id, input->ncolumns + shown, 1, &input);
    for (uint32_t i = 0; i < input->ncolumns; i++) m_type(node, i, input->columns[i].type);
    gen_order(w, input, node, unique);
    plan_over *over = base_arena_array(&w->arena, plan_over, 1);
    *over = (plan_over){.id = ranks[unique ? below(w, 3) : 1 + below(w, 2)],
                        .name = "rank",
                        .type = col_type_of(COL_INT8)};
    if (shown) m_type(node, input->ncolumns, over->type);
    node->nover = 1;
    node->overs = over;
    node->with_rank = shown;
    node->limit = below(w, 5);
    return node;
}

#endif
