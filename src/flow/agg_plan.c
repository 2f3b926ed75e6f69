// agg_plan.c - what an aggregate operator evaluates and keeps: expressions once each (slots), the
// vectors that accumulators are fed with (views), and the sets of values that aggregates share.
//
// Every aggregate passes over what its filter leaves out: a view is null there, a set has a count a
// filter. An argument that may fail is evaluated only where the filter holds: it becomes CASE WHEN
// filter THEN argument END. Entry point: agg_plan.
#include "flow/agg_int.h"

// ------------------------------------------------------------------------------------ slots

static uint32_t slot_of(agg_op *agg, const plan_expr *expr) {
    const plan_expr **slots = agg->exprs + agg->nkeys;
    for (uint32_t i = 0; i < agg->nslots; i++) {
        if (plan_expr_equal(slots[i], expr)) return i;
    }
    slots[agg->nslots] = expr;
    return agg->nslots++;
}

static bool cannot_fail(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_COLUMN || expr->kind == PLAN_EXPR_CONST;
}

static const plan_expr *guarded(base_arena *arena, const plan_expr *expr, const plan_expr *filter) {
    if (filter == NULL || cannot_fail(expr)) return expr;
    plan_expr *choice = base_arena_new(arena, plan_expr);
    *choice = (plan_expr){.kind = PLAN_EXPR_CASE,
                          .type = expr->type,
                          .nargs = 3,
                          .args = base_arena_array(arena, const plan_expr *, 3),
                          .position = filter->position};
    choice->args[0] = filter;
    choice->args[1] = expr;
    choice->args[2] = plan_expr_null(arena, expr->type);
    return choice;
}

static uint32_t mask_of(agg_op *agg, const plan_expr *filter) {
    if (filter == NULL) return AGG_NONE;
    uint32_t slot = slot_of(agg, filter);
    agg->is_mask[slot] = true;
    return slot;
}

// ------------------------------------------------------------------------------------ views

static uint32_t find_view(agg_op *agg, const agg_view *view) {
    for (uint32_t i = 0; i < agg->nviews; i++) {
        if (memcmp(&agg->views[i], view, sizeof *view) == 0) return i;
    }
    agg->views[agg->nviews] = *view;
    return agg->nviews++;
}

static void plan_view(agg_op *agg, uint32_t s) {
    const plan_agg *a = agg->uses[s].agg;
    base_arena *arena = &agg->op.graph->arena;
    agg->view_of[s] = AGG_NONE;
    if (agg->specs[s].kind == ACC_WEIGHT) return;
    agg_view view = {.nargs = a->arg == NULL ? 0 : agg->specs[s].nargs,
                     .slots = {AGG_NONE, AGG_NONE},
                     .mask = mask_of(agg, a->filter)};
    for (uint32_t i = 0; i < view.nargs; i++) {
        view.slots[i] = slot_of(agg, guarded(arena, i == 0 ? a->arg : a->more[i - 1], a->filter));
    }
    agg->view_of[s] = find_view(agg, &view);
}

// ------------------------------------------------------------------------------------ sets

static const plan_expr *expr_of(const plan_agg *a, uint32_t i) {
    return i == 0 ? a->arg : a->more[i - 1];
}

static uint32_t column_of(agg_set *set, agg_op *agg, const plan_expr *expr) {
    uint32_t slot = slot_of(agg, expr);
    for (uint32_t c = 0; c < set->nslots; c++) {
        if (set->slots[c] == slot) return c;
    }
    set->slots[set->nslots] = slot;
    set->types[set->nslots] = expr->type;
    set->order[set->nslots] = (col_sort_key){.col = set->nslots};
    return set->nslots++;
}

static uint32_t value_args(const plan_agg *a, const acc_spec *spec) {
    if (a->def->form == PLAN_AGG_HYPOTHETICAL) return 0;
    if (a->def->form == PLAN_AGG_ORDERED_SET) return 1;
    return spec->kind == ACC_EXTREME ? 1 : a->def->nargs;
}

static void add_strict(agg_set *set, const acc_spec *spec, const agg_use *use) {
    if (spec->id == PLAN_AGG_JSONB_AGG || spec->id == PLAN_AGG_JSONB_OBJECT_AGG ||
        spec->id == PLAN_AGG_ARRAY_AGG) {
        return;
    }
    uint32_t n = spec->id == PLAN_AGG_STRING_AGG ? 1 : use->nargs;
    for (uint32_t i = 0; i < n; i++) {
        if (use->args[i] != AGG_NONE) set->strict[set->nstrict++] = set->slots[use->args[i]];
    }
}

// What approximate aggregates keep in place of the values.
static void plan_coding(agg_set *set, const acc_spec *spec, const plan_agg *a) {
    if (spec->id == PLAN_AGG_APPROX_COUNT_DISTINCT) {
        set->coding = AGG_MARKS;
    } else if (spec->id == PLAN_AGG_APPROX_PERCENTILE) {
        set->coding = AGG_BUCKETS;
        set->error = agg_whole_error(a);
    } else {
        return;
    }
    must(set->nslots == 1);
    set->types[0] = col_type_of(COL_INT4);
}

static void describe_set(agg_op *agg, uint32_t s, agg_set *set) {
    base_arena *arena = &agg->op.graph->arena;
    const acc_spec *spec = &agg->specs[s];
    agg_use *use = &agg->uses[s];
    const plan_agg *a = use->agg;
    uint32_t most = a->nsort + AGG_ARGS_MAX + 1u;
    *set = (agg_set){.slots = base_arena_array(arena, uint32_t, most),
                     .order = base_arena_array(arena, col_sort_key, most),
                     .types = base_arena_array(arena, col_type, most),
                     .filters = base_arena_array(arena, uint32_t, agg->nspecs + 1u)};
    bool ordered = spec->feed == ACC_FEED_WHOLE && spec->id >= PLAN_AGG_STRING_AGG;
    for (uint32_t k = 0; ordered && k < a->nsort; k++) {
        uint32_t before = set->nslots;
        uint32_t c = column_of(set, agg, guarded(arena, expr_of(a, a->sort[k].expr), a->filter));
        // A hypothetical row is compared key by key, so each key needs its own place.
        if (c < before) {
            if (a->def->form != PLAN_AGG_HYPOTHETICAL) continue;
            set->slots[before] = set->slots[c];
            set->types[before] = set->types[c];
            c = set->nslots++;
        }
        set->order[c] = (col_sort_key){c, a->sort[k].descending, a->sort[k].nulls_first};
    }
    use->nargs = value_args(a, spec);
    for (uint32_t i = 0; i < use->nargs; i++) {
        const plan_expr *expr = expr_of(a, i);
        use->args[i] = AGG_NONE;
        if (i > 0 && expr->kind == PLAN_EXPR_CONST) {
            use->constants[i] = expr->constant;
        } else {
            use->args[i] = column_of(set, agg, guarded(arena, expr, a->filter));
        }
    }
    add_strict(set, spec, use);
    plan_coding(set, spec, a);
    set->ncols = set->nslots;
    set->cells = spec->feed != ACC_FEED_DISTINCT;
    set->single = spec->feed == ACC_FEED_EXTREME;
    for (uint32_t c = 0; c < set->nslots && set->cells; c++) {
        set->tagged |= !col_one_spelling(&set->types[c]);
    }
    if (!set->tagged) return;
    set->types[set->ncols] = col_type_of(COL_INT8);
    set->order[set->ncols] = (col_sort_key){.col = set->ncols};
    set->ncols++;
}

static bool same_values(const agg_set *a, const agg_set *b) {
    bool same = a->coding == b->coding && a->error == b->error;
    same = same && a->nslots == b->nslots && a->tagged == b->tagged && a->nstrict == b->nstrict &&
           memcmp(a->slots, b->slots, sizeof *a->slots * a->nslots) == 0 &&
           memcmp(a->strict, b->strict, sizeof *a->strict * a->nstrict) == 0;
    for (uint32_t c = 0; c < a->nslots && same; c++) {
        same = a->order[c].descending == b->order[c].descending &&
               a->order[c].nulls_first == b->order[c].nulls_first;
    }
    return same;
}

// The filter's number in the set, added if it may be; AGG_NONE: it may not.
static uint32_t filter_in(agg_set *set, uint32_t filter, bool single) {
    for (uint32_t f = 0; f < set->nfilters; f++) {
        if (set->filters[f] != filter) continue;
        return single && set->nfilters > 1 ? AGG_NONE : f;
    }
    if (set->nfilters > 0 && (set->single || single)) return AGG_NONE;
    set->filters[set->nfilters] = filter;
    return set->nfilters++;
}

static void plan_set(agg_op *agg, uint32_t s) {
    agg_set wanted;
    agg_use *use = &agg->uses[s];
    agg->view_of[s] = AGG_NONE;
    describe_set(agg, s, &wanted);
    uint32_t filter = mask_of(agg, use->agg->filter);
    for (uint32_t i = 0; i < agg->nsets; i++) {
        agg_set *set = &agg->sets[i];
        if (!same_values(set, &wanted)) continue;
        uint32_t f = filter_in(set, filter, wanted.single);
        if (f == AGG_NONE) continue;
        set->cells |= wanted.cells;
        set->single |= wanted.single;
        use->set = i;
        use->filter = f;
        return;
    }
    agg_set *set = &agg->sets[agg->nsets];
    *set = wanted;
    set->number = agg->nsets;
    use->set = agg->nsets++;
    use->filter = filter_in(set, filter, wanted.single);
}

// Sets of which no list is made: those of percentiles and mode.
static void plan_ranks(agg_op *agg) {
    for (uint32_t i = 0; i < agg->nsets; i++) {
        bool any = false, all = true;
        for (uint32_t s = 0; s < agg->nspecs; s++) {
            if (agg->uses[s].set != i || agg->specs[s].feed != ACC_FEED_WHOLE) continue;
            any = true;
            all &= agg_rank_serves(agg->specs[s].id);
        }
        agg->sets[i].ranked = any && all;
    }
}

// ------------------------------------------------------------------------------------ entry

static uint32_t most_slots(const plan_node *node) {
    uint32_t n = 0;
    for (uint32_t s = 0; s < node->naggs; s++) n += 2 + node->aggs[s].nmore;
    return n;
}

base_rc agg_plan(agg_op *agg, const plan_node *node, bool append_only, base_error *err) {
    base_arena *arena = &agg->op.graph->arena;
    uint32_t n = agg->nspecs, nslots = most_slots(node);
    agg->exprs = base_arena_array(arena, const plan_expr *, agg->nkeys + nslots + 1u);
    agg->is_mask = base_arena_array(arena, bool, nslots + 1u);
    agg->specs = base_arena_array(arena, acc_spec, n + 1u);
    agg->uses = base_arena_array(arena, agg_use, n + 1u);
    agg->view_of = base_arena_array(arena, uint32_t, n + 1u);
    agg->views = base_arena_array(arena, agg_view, n + 1u);
    agg->sets = base_arena_array(arena, agg_set, n + 1u);
    for (uint32_t k = 0; k < agg->nkeys; k++) agg->exprs[k] = node->exprs[k];
    size_t stride = sizeof(int64_t);
    for (uint32_t s = 0; s < n; s++) {
        acc_spec *spec = &agg->specs[s];
        base_rc rc = acc_spec_init(spec, &node->aggs[s], append_only, err);
        if (rc != BASE_OK) return rc;
        spec->offset = (uint32_t)stride;
        stride += spec->size;
        agg->uses[s] =
            (agg_use){.agg = &node->aggs[s], .set = AGG_NONE, .distinct = node->aggs[s].distinct};
        if (spec->feed == ACC_FEED_WHOLE) rc = agg_whole_init(&agg->uses[s], spec, arena, err);
        if (rc != BASE_OK) return rc;
        if (spec->feed == ACC_FEED_ROWS) {
            plan_view(agg, s);
        } else {
            plan_set(agg, s);
        }
    }
    plan_ranks(agg);
    for (uint32_t i = 0; i < agg->nsets; i++) agg_set_init(&agg->sets[i], arena);
    agg->stride = (stride + 7) & ~(size_t)7;
    return BASE_OK;
}
