// lineage_rules.c - rules of lineage by operator, but for joins. Entry point: lineage_rewrite.

#include <string.h>

#include "base/must.h"
#include "plan/lineage_int.h"
#include "plan/match.h"

static const lineage_conds no_conds = {0};

static void add_all(lineage *l, lineage_conds *to, const lineage_conds *from) {
    for (uint32_t i = 0; i < from->n; i++) lineage_add(l, to, from->items[i]);
}

static plan_column *fresh_columns(lineage *l, plan_node *node, uint32_t n) {
    plan_column *columns = base_arena_array(l->arena, plan_column, n + 1);
    node->columns = columns;
    node->ncolumns = n;
    return columns;
}

// A node over one rewritten input which hands its input's columns on: all of them come first.
static plan_node *over_input(lineage *l, const plan_node *node, plan_node *input) {
    uint32_t nin = node->inputs[0]->ncolumns, more = node->ncolumns - nin;
    plan_node *copy = lineage_copy(l, node);
    plan_column *columns = fresh_columns(l, copy, input->ncolumns + more);
    memcpy(columns, input->columns, input->ncolumns * sizeof *columns);
    memcpy(columns + input->ncolumns, node->columns + nin, more * sizeof *columns);
    copy->inputs[0] = input;
    return copy;
}

// The same, and what it adds stands before the place again.
static plan_node *over_followed(lineage *l, const plan_node *node, plan_node *input,
                                bool followed) {
    uint32_t nin = node->inputs[0]->ncolumns;
    plan_node *copy = over_input(l, node, input);
    return followed ? lineage_place_last(l, copy, nin, node->ncolumns - nin) : copy;
}

// ---- scans --------------------------------------------------------------------------------------

static void name_place(plan_column *columns) {
    columns[0] = (plan_column){
        .name = "_partition", .type = col_type_of(COL_INT4), .not_null = true, .hidden = true};
    columns[1] = (plan_column){
        .name = "_offset", .type = col_type_of(COL_INT8), .not_null = true, .hidden = true};
    columns[2] = (plan_column){.name = "_ingested_at",
                               .type = col_type_of(COL_TIMESTAMPTZ),
                               .not_null = true,
                               .hidden = true};
}

// A table's rows do not know their places: here they do.
static const plan_object *with_place(lineage *l, const plan_object *object) {
    if (object->kind == PLAN_OBJECT_STREAM) return object;
    for (uint32_t i = 0; i < l->nplaced; i++)
        if (l->placed[i]->id == object->id) return l->placed[i];
    plan_object *copy = base_arena_new(l->arena, plan_object);
    *copy = *object;
    plan_column *columns =
        base_arena_array(l->arena, plan_column, object->ncolumns + LINEAGE_PLACE);
    memcpy(columns, object->columns, object->ncolumns * sizeof *columns);
    name_place(columns + object->ncolumns);
    copy->columns = columns;
    copy->ncolumns = object->ncolumns + LINEAGE_PLACE;
    if (l->nplaced == PLAN_LINEAGE_LEAVES_MAX)
        l->too_large = true;
    else
        l->placed[l->nplaced++] = copy;
    return copy;
}

static plan_node *scan_log(lineage *l, const plan_node *node, bool followed,
                           const lineage_conds *conds) {
    const plan_object *object = with_place(l, node->object);
    plan_node *scan = lineage_copy(l, node);
    scan->object = object;
    if (!followed) return lineage_filter(l, scan, conds);
    uint32_t n = node->ncolumns;
    uint32_t *indexes = base_arena_array(l->arena, uint32_t, n + LINEAGE_PLACE);
    memcpy(indexes, node->indexes, n * sizeof *indexes);
    plan_column place[LINEAGE_PLACE];
    name_place(place);
    plan_column *columns = fresh_columns(l, scan, n + LINEAGE_PLACE);
    memcpy(columns, node->columns, n * sizeof *columns);
    for (uint32_t i = 0; i < LINEAGE_PLACE; i++) {
        int32_t at = plan_column_find(object, place[i].name);
        must(at >= 0);
        indexes[n + i] = (uint32_t)at;
        columns[n + i] = place[i];
    }
    scan->indexes = indexes;
    return lineage_filter(l, scan, conds);
}

// What the view was made of, in its place.
static plan_node *scan_view(lineage *l, const plan_node *node, bool followed,
                            const lineage_conds *conds, const bool *needed) {
    const plan_node *plan = node->object->plan;
    uint32_t n = node->ncolumns, all = n + (followed ? LINEAGE_PLACE : 0);
    const plan_expr **map = base_arena_array(l->arena, const plan_expr *, n + 1);
    uint32_t *pick = base_arena_array(l->arena, uint32_t, all + 1);
    bool *needs = base_arena_array(l->arena, bool, plan->ncolumns + 1);
    for (uint32_t i = 0; i < n; i++) {
        bool system = node->indexes[i] >= plan->ncolumns;
        if (system) l->system_columns_of = node->object;
        pick[i] = system ? UINT32_MAX : node->indexes[i];
        map[i] = system ? plan_expr_null(l->arena, node->columns[i].type)
                        : lineage_col(l, plan, pick[i]);
        if (!system && (needed == NULL || needed[i])) needs[pick[i]] = true;
    }
    for (uint32_t i = n; i < all; i++) pick[i] = plan->ncolumns + i - n;
    lineage_conds inner = {0};
    for (uint32_t i = 0; i < conds->n; i++)
        lineage_add(l, &inner, plan_expr_substitute(l->arena, conds->items[i], map));
    plan_node *rows = lineage_rewrite(l, plan, followed, &inner, needs);
    return lineage_pick(l, rows, all, pick, node->columns);
}

static plan_node *rewrite_scan(lineage *l, const plan_node *node, bool followed,
                               const lineage_conds *conds, const bool *needed) {
    if (node->object->kind == PLAN_OBJECT_VIEW) return scan_view(l, node, followed, conds, needed);
    if (node->object->kind == PLAN_OBJECT_STREAM || node->object->kind == PLAN_OBJECT_TABLE)
        return scan_log(l, node, followed, conds);
    return lineage_filter(l, lineage_copy(l, node), conds);
}

// ---- one row in, one row out --------------------------------------------------------------------

static plan_node *rewrite_filter(lineage *l, const plan_node *node, bool followed,
                                 const lineage_conds *conds, const bool *needed) {
    lineage_conds all = {0};
    lineage_conjuncts(l, &all, node->predicate);
    add_all(l, &all, conds);
    bool *needs = lineage_needs(l, node->ncolumns, needed);
    lineage_need_all(needs, &all);
    return lineage_rewrite(l, node->inputs[0], followed, &all, needs);
}

// Expressions over a rewritten input; those that do not count are null. more: columns behind, as
// they stand.
static plan_node *expressions(lineage *l, const plan_node *input, uint32_t n,
                              const plan_expr *const *exprs, const plan_column *columns,
                              const bool *needed, uint32_t first_more, uint32_t nmore) {
    plan_node *node = lineage_node(l, PLAN_NODE_PROJECT, n + nmore, 1);
    plan_column *out = fresh_columns(l, node, n + nmore);
    node->inputs[0] = input;
    node->nexprs = n + nmore;
    node->exprs = base_arena_array(l->arena, const plan_expr *, n + nmore + 1);
    for (uint32_t i = 0; i < n + nmore; i++) {
        bool counts = i >= n || needed == NULL || needed[i];
        out[i] = i < n ? columns[i] : input->columns[first_more + i - n];
        if (!counts) out[i].not_null = false;
        node->exprs[i] = i >= n   ? lineage_col(l, input, first_more + i - n)
                         : counts ? exprs[i]
                                  : plan_expr_null(l->arena, columns[i].type);
    }
    return node;
}

static plan_node *rewrite_project(lineage *l, const plan_node *node, bool followed,
                                  const lineage_conds *conds, const bool *needed) {
    lineage_conds below = {0};
    uint32_t nin = node->inputs[0]->ncolumns;
    for (uint32_t i = 0; i < conds->n; i++)
        lineage_add(l, &below, plan_expr_substitute(l->arena, conds->items[i], node->exprs));
    lineage_imply_derived(l, node, conds, &below);
    bool *needs = base_arena_array(l->arena, bool, nin + 1);
    for (uint32_t i = 0; i < node->ncolumns; i++)
        if (!followed || needed == NULL || needed[i]) lineage_need(needs, node->exprs[i]);
    plan_node *input = lineage_rewrite(l, node->inputs[0], followed, &below, needs);
    return expressions(l, input, node->ncolumns, node->exprs, node->columns,
                       followed ? needed : NULL, nin, followed ? LINEAGE_PLACE : 0);
}

static plan_node *rewrite_temporal(lineage *l, const plan_node *node, bool followed,
                                   const lineage_conds *conds, const bool *needed) {
    bool *needs = lineage_needs(l, node->ncolumns, needed);
    for (uint32_t i = 0; i < node->nexprs; i++) lineage_need(needs, node->exprs[i]);
    return over_input(l, node, lineage_rewrite(l, node->inputs[0], followed, conds, needs));
}

// Rows that come when their window has closed are there: that it closed is not asked again.
static plan_node *rewrite_through(lineage *l, const plan_node *node, bool followed,
                                  const lineage_conds *conds, const bool *needed) {
    return lineage_rewrite(l, node->inputs[0], followed, conds, needed);
}

static bool uses_only(lineage *l, const plan_expr *expr, uint32_t ncolumns, uint32_t n,
                      const uint32_t *columns) {
    bool *used = base_arena_array(l->arena, bool, ncolumns + 1);
    plan_expr_columns(expr, used);
    for (uint32_t i = 0; i < n; i++) used[columns[i]] = false;
    return !lineage_any(used, 0, ncolumns);
}

// Conditions on whole partitions go below; others stay above.
static void split_partition(lineage *l, const plan_node *node, const lineage_conds *conds,
                            uint32_t n, const uint32_t *partition, lineage_conds *below,
                            lineage_conds *above) {
    for (uint32_t i = 0; i < conds->n; i++) {
        bool whole = uses_only(l, conds->items[i], node->ncolumns, n, partition);
        lineage_add(l, whole ? below : above, conds->items[i]);
    }
}

// Windows of time: a row comes once for each of its windows. A session's window also hangs on the
// other rows of its partition, which therefore all go in.
static plan_node *rewrite_window(lineage *l, const plan_node *node, bool followed,
                                 const lineage_conds *conds, const bool *needed) {
    uint32_t nin = node->inputs[0]->ncolumns;
    const plan_window *w = node->window;
    lineage_conds below = {0}, above = {0};
    if (node->kind == PLAN_NODE_SESSION)
        split_partition(l, node, conds, w->npartition, w->partition, &below, &above);
    else
        lineage_split(l, conds, 0, nin, &below, &above);
    if (node->kind == PLAN_NODE_WINDOW) lineage_imply_window(l, node, &above, &below);
    bool *needs = lineage_needs(l, node->ncolumns, needed);
    lineage_need_all(needs, &above);
    needs[node->time_column] = true;
    for (uint32_t k = 0; k < w->npartition; k++) needs[w->partition[k]] = true;
    plan_node *input = lineage_rewrite(l, node->inputs[0], followed, &below, needs);
    return lineage_filter(l, over_followed(l, node, input, followed), &above);
}

static plan_node *rewrite_expand(lineage *l, const plan_node *node, bool followed,
                                 const lineage_conds *conds, const bool *needed) {
    uint32_t nin = node->inputs[0]->ncolumns, nkeys = node->expand->nkeys;
    lineage_conds below = {0}, above = {0};
    for (uint32_t i = 0; i < conds->n; i++)
        lineage_add(l, lineage_within(conds->items[i], nkeys, nin) ? &below : &above,
                    conds->items[i]);
    bool *needs = lineage_needs(l, node->ncolumns, needed);
    lineage_need_all(needs, &above);
    plan_node *input = lineage_rewrite(l, node->inputs[0], followed, &below, needs);
    return lineage_filter(l, over_followed(l, node, input, followed), &above);
}

static plan_node *rewrite_table_func(lineage *l, const plan_node *node, bool followed,
                                     const lineage_conds *conds, const bool *needed) {
    uint32_t nin = node->inputs[0]->ncolumns, n = node->ncolumns;
    lineage_conds below = {0}, above = {0};
    lineage_split(l, conds, 0, nin, &below, &above);
    bool *needs = lineage_needs(l, n, needed);
    lineage_need_all(needs, &above);
    lineage_need(needs, node->predicate);
    for (uint32_t i = 0; i < node->nexprs; i++) lineage_need(needs, node->exprs[i]);
    plan_node *input = lineage_rewrite(l, node->inputs[0], followed, &below, needs);
    plan_node *copy = over_input(l, node, input);
    if (followed && node->predicate != NULL) {
        const plan_expr **map = base_arena_array(l->arena, const plan_expr *, n + 1);
        for (uint32_t i = 0; i < n; i++)
            map[i] = lineage_col(l, copy, i < nin ? i : i + LINEAGE_PLACE);
        copy->predicate = plan_expr_substitute(l->arena, node->predicate, map);
    }
    if (followed) copy = lineage_place_last(l, copy, nin, n - nin);
    return lineage_filter(l, copy, &above);
}

// ---- many rows in, one out ----------------------------------------------------------------------

// Conditions on group columns alone, as conditions on the rows of the groups. A group that is there
// without rows would be there whatever they are.
static void split_groups(lineage *l, const plan_node *node, const lineage_conds *conds,
                         lineage_conds *below, lineage_conds *above) {
    bool always = node->nexprs == 0;
    for (uint32_t s = 0; node->expand != NULL && s < node->expand->nsets; s++)
        always |= !plan_expand_keeps(node->expand, s);
    for (uint32_t i = 0; i < conds->n; i++) {
        const plan_expr *expr = conds->items[i];
        if (always || !lineage_within(expr, 0, node->nexprs))
            lineage_add(l, above, expr);
        else
            lineage_add(l, below, plan_expr_substitute(l->arena, expr, node->exprs));
    }
    if (!always) lineage_imply_derived(l, node, conds, below);
}

static bool has_emit(const plan_node *node) {
    bool found = node->kind == PLAN_NODE_EMIT;
    if (node->kind == PLAN_NODE_SCAN && node->object->kind == PLAN_OBJECT_VIEW)
        found = has_emit(node->object->plan);
    for (uint32_t i = 0; i < node->ninputs && !found; i++) found = has_emit(node->inputs[i]);
    return found;
}

// Values over rows that wait for their window to close are not those that are shown: of the one
// group that there is, they are not asked for.
static void drop_values(lineage *l, const plan_node *node, lineage_conds *above) {
    if (node->nexprs > 0 || node->expand != NULL || !has_emit(node->inputs[0])) return;
    uint32_t n = 0;
    for (uint32_t i = 0; i < above->n; i++)
        if (lineage_within(above->items[i], 0, 0)) above->items[n++] = above->items[i];
    l->whole |= n < above->n;
    above->n = n;
}

static plan_node *plain_aggregate(lineage *l, const plan_node *node, const lineage_conds *below,
                                  const lineage_conds *above) {
    plan_node *copy = lineage_copy(l, node);
    copy->inputs[0] = lineage_rewrite(l, node->inputs[0], false, below, NULL);
    return lineage_filter(l, copy, above);
}

// own: the node as it is, n of whose columns tell its rows from others; rows: what went in, with
// those columns first and the place behind.
static plan_node *with_rows_if(lineage *l, const plan_node *own, const plan_node *rows, uint32_t n,
                               const uint32_t *own_keys, const uint32_t *row_keys,
                               const lineage_conds *pairs) {
    uint32_t nown = own->ncolumns;
    plan_node *join = lineage_match(l, own, rows, n, own_keys, row_keys);
    join = lineage_filter(l, join, pairs);
    uint32_t *map = base_arena_array(l->arena, uint32_t, nown + LINEAGE_PLACE);
    for (uint32_t i = 0; i < nown; i++) map[i] = i;
    for (uint32_t i = 0; i < LINEAGE_PLACE; i++)
        map[nown + i] = nown + rows->ncolumns - LINEAGE_PLACE + i;
    return lineage_pick(l, join, nown + LINEAGE_PLACE, map, NULL);
}

static plan_node *with_rows(lineage *l, const plan_node *own, const plan_node *rows, uint32_t n,
                            const uint32_t *own_keys, const uint32_t *row_keys) {
    return with_rows_if(l, own, rows, n, own_keys, row_keys, &no_conds);
}

static const uint32_t *first_columns(lineage *l, uint32_t n) {
    uint32_t *columns = base_arena_array(l->arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) columns[i] = i;
    return columns;
}

// The rows of the group. Where a value of the aggregate is used, it comes by a join of the
// aggregate with its rows.
static plan_node *rewrite_aggregate(lineage *l, const plan_node *node, bool followed,
                                    const lineage_conds *conds, const bool *needed) {
    uint32_t n = node->nexprs, nin = node->inputs[0]->ncolumns;
    lineage_conds below = {0}, above = {0};
    split_groups(l, node, conds, &below, &above);
    if (!followed) return plain_aggregate(l, node, &below, &above);
    drop_values(l, node, &above);
    bool values = lineage_any(needed, n, node->ncolumns);
    for (uint32_t i = 0; i < above.n; i++) values |= !lineage_within(above.items[i], 0, n);
    bool *groups = lineage_needs(l, n, values ? NULL : needed);
    for (uint32_t i = 0; i < above.n && !values; i++) lineage_need(groups, above.items[i]);
    bool *needs = base_arena_array(l->arena, bool, nin + 1);
    for (uint32_t i = 0; i < n; i++)
        if (groups[i]) lineage_need(needs, node->exprs[i]);
    plan_node *input = lineage_rewrite(l, node->inputs[0], true, &below, needs);
    plan_node *rows =
        expressions(l, input, n, node->exprs, node->columns, groups, nin, LINEAGE_PLACE);
    if (values) {
        const uint32_t *keys = first_columns(l, n);
        return with_rows(l, plain_aggregate(l, node, &below, &above), rows, n, keys, keys);
    }
    uint32_t *map = base_arena_array(l->arena, uint32_t, node->ncolumns + LINEAGE_PLACE);
    for (uint32_t i = 0; i < node->ncolumns; i++) map[i] = i < n ? i : UINT32_MAX;
    for (uint32_t i = 0; i < LINEAGE_PLACE; i++) map[node->ncolumns + i] = n + i;
    plan_node *all = lineage_pick(l, rows, node->ncolumns + LINEAGE_PLACE, map, node->columns);
    return lineage_filter(l, all, &above);
}

// Each of the equal rows counts.
static plan_node *rewrite_distinct(lineage *l, const plan_node *node, bool followed,
                                   const lineage_conds *conds, const bool *needed) {
    if (followed) return lineage_rewrite(l, node->inputs[0], true, conds, needed);
    plan_node *copy = lineage_copy(l, node);
    copy->inputs[0] = lineage_rewrite(l, node->inputs[0], false, conds, NULL);
    return copy;
}

static plan_node *rewrite_union(lineage *l, const plan_node *node, bool followed,
                                const lineage_conds *conds, const bool *needed) {
    if (followed) return lineage_rewrite(l, node->inputs[lineage_step(l)], true, conds, needed);
    plan_node *copy = lineage_copy(l, node);
    for (uint32_t i = 0; i < node->ninputs; i++)
        copy->inputs[i] = lineage_rewrite(l, node->inputs[i], false, conds, NULL);
    return copy;
}

// Of INTERSECT the equal rows of both sides, of EXCEPT those of the left.
static plan_node *rewrite_setop(lineage *l, const plan_node *node, bool followed,
                                const lineage_conds *conds, const bool *needed) {
    (void)needed;
    uint32_t n = node->ncolumns, side = followed ? lineage_step(l) : 0;
    plan_node *rows = followed ? lineage_rewrite(l, node->inputs[side], true, conds, NULL) : NULL;
    plan_node *copy = lineage_copy(l, node);
    for (uint32_t i = 0; i < 2; i++)
        copy->inputs[i] = lineage_rewrite(l, node->inputs[i], false, conds, NULL);
    const uint32_t *keys = first_columns(l, n);
    return followed ? with_rows(l, copy, rows, n, keys, keys) : copy;
}

// ---- rows chosen or computed among others -------------------------------------------------------

// A head's rows are its input's: those that are equal in all columns.
static plan_node *rewrite_head(lineage *l, const plan_node *node, bool followed,
                               const lineage_conds *conds, const bool *needed) {
    uint32_t nin = node->inputs[0]->ncolumns;
    bool sorts = node->kind == PLAN_NODE_SORT;
    if (sorts && node->limit < 0 && node->offset == 0)
        return lineage_rewrite(l, node->inputs[0], followed, conds, needed);
    lineage_conds below = {0}, above = {0}, own = {0}, rest = {0};
    split_partition(l, node, conds, sorts ? 0 : node->npartition, node->partition, &below, &above);
    lineage_split(l, conds, 0, nin, &own, &rest);
    plan_node *rows = followed ? lineage_rewrite(l, node->inputs[0], true, &own, NULL) : NULL;
    plan_node *copy = lineage_copy(l, node);
    copy->inputs[0] = lineage_rewrite(l, node->inputs[0], false, &below, NULL);
    plan_node *head = lineage_filter(l, copy, &above);
    const uint32_t *keys = first_columns(l, nin);
    return followed ? with_rows(l, head, rows, nin, keys, keys) : head;
}

// Window functions: a row's results are made of its partition, or of what comes before in it.
static plan_node *rewrite_over(lineage *l, const plan_node *node, bool followed,
                               const lineage_conds *conds, const bool *needed) {
    (void)needed;
    uint32_t nin = node->inputs[0]->ncolumns, np = node->npartition;
    lineage_conds below = {0}, above = {0};
    split_partition(l, node, conds, np, node->partition, &below, &above);
    bool *partition = base_arena_array(l->arena, bool, nin + 1);
    for (uint32_t k = 0; k < np; k++) partition[node->partition[k]] = true;
    if (node->nsort > 0) partition[node->sort[0].column] = true;
    plan_node *rows =
        followed ? lineage_rewrite(l, node->inputs[0], true, &below, partition) : NULL;
    plan_node *copy = lineage_copy(l, node);
    copy->inputs[0] = lineage_rewrite(l, node->inputs[0], false, &below, NULL);
    plan_node *own = lineage_filter(l, copy, &above);
    if (!followed) return own;
    l->whole = true;
    lineage_conds pairs = {0};
    lineage_frame(l, node, own->ncolumns, &pairs);
    return with_rows_if(l, own, rows, np, node->partition, node->partition, &pairs);
}

// The output column that is partition column k as it stands; UINT32_MAX: none is.
static uint32_t match_partition(const plan_match *m, uint32_t ncolumns, uint32_t k) {
    for (uint32_t i = 0; i < ncolumns; i++) {
        const plan_expr *expr = m->outputs[i];
        if (expr->kind != PLAN_EXPR_COLUMN) continue;
        const plan_match_slot *slot = &m->slots[expr->index];
        bool stands = slot->kind == PLAN_MATCH_ROW || slot->kind == PLAN_MATCH_COLUMN;
        if (stands && slot->column == m->partition[k]) return i;
    }
    return UINT32_MAX;
}

// A pattern's match: all rows of its partition.
static plan_node *rewrite_match(lineage *l, const plan_node *node, bool followed,
                                const lineage_conds *conds, const bool *needed) {
    (void)needed;
    const plan_match *m = node->match;
    uint32_t nin = node->inputs[0]->ncolumns, n = 0;
    uint32_t *outer = base_arena_array(l->arena, uint32_t, m->npartition + 1);
    uint32_t *inner = base_arena_array(l->arena, uint32_t, m->npartition + 1);
    const plan_expr **map = base_arena_array(l->arena, const plan_expr *, node->ncolumns + 1);
    bool *partition = base_arena_array(l->arena, bool, nin + 1);
    for (uint32_t k = 0; k < m->npartition; k++) {
        uint32_t at = match_partition(m, node->ncolumns, k);
        if (at == UINT32_MAX) continue;
        outer[n] = at;
        inner[n++] = m->partition[k];
        partition[m->partition[k]] = true;
        for (uint32_t c = 0; c < node->ncolumns; c++)
            if (c == at) map[c] = lineage_col(l, node->inputs[0], m->partition[k]);
    }
    lineage_conds whole = {0}, below = {0}, above = {0};
    split_partition(l, node, conds, n, outer, &whole, &above);
    for (uint32_t c = 0; c < node->ncolumns; c++)
        if (map[c] == NULL) map[c] = plan_expr_null(l->arena, node->columns[c].type);
    for (uint32_t i = 0; i < whole.n; i++)
        lineage_add(l, &below, plan_expr_substitute(l->arena, whole.items[i], map));
    plan_node *rows =
        followed ? lineage_rewrite(l, node->inputs[0], true, &below, partition) : NULL;
    plan_node *copy = lineage_copy(l, node);
    copy->inputs[0] = lineage_rewrite(l, node->inputs[0], false, &below, NULL);
    plan_node *own = lineage_filter(l, copy, &above);
    if (!followed) return own;
    l->whole = true;
    return with_rows(l, own, rows, n, outer, inner);
}

// Which turn a row came from is not known: all rows of the input.
static plan_node *rewrite_recursive(lineage *l, const plan_node *node, bool followed,
                                    const lineage_conds *conds, const bool *needed) {
    (void)needed;
    uint32_t side = followed ? lineage_step(l) : 0;
    plan_node *rows = NULL;
    if (followed) {
        bool *none = base_arena_array(l->arena, bool, node->inputs[side]->ncolumns + 1);
        rows = lineage_rewrite(l, node->inputs[side], true, &no_conds, none);
    }
    plan_node *copy = lineage_copy(l, node);
    for (uint32_t i = 0; i < node->ninputs; i++)
        copy->inputs[i] = lineage_rewrite(l, node->inputs[i], false, &no_conds, NULL);
    plan_node *own = lineage_filter(l, copy, conds);
    if (!followed) return own;
    l->whole = true;
    return with_rows(l, own, rows, 0, NULL, NULL);
}

static plan_node *rewrite_values(lineage *l, const plan_node *node, bool followed,
                                 const lineage_conds *conds, const bool *needed) {
    (void)needed;
    must(!followed);
    return lineage_filter(l, lineage_copy(l, node), conds);
}

// ---- all ----------------------------------------------------------------------------------------

typedef plan_node *rule(lineage *l, const plan_node *node, bool followed,
                        const lineage_conds *conds, const bool *needed);

static rule *const rules[] = {
    [PLAN_NODE_SCAN] = rewrite_scan,
    [PLAN_NODE_VALUES] = rewrite_values,
    [PLAN_NODE_FILTER] = rewrite_filter,
    [PLAN_NODE_PROJECT] = rewrite_project,
    [PLAN_NODE_TEMPORAL] = rewrite_temporal,
    [PLAN_NODE_EMIT] = rewrite_through,
    [PLAN_NODE_WINDOW] = rewrite_window,
    [PLAN_NODE_SESSION] = rewrite_window,
    [PLAN_NODE_AGGREGATE] = rewrite_aggregate,
    [PLAN_NODE_JOIN] = lineage_join,
    [PLAN_NODE_ASOF] = lineage_asof,
    [PLAN_NODE_LOOKUP] = lineage_join,
    [PLAN_NODE_DISTINCT] = rewrite_distinct,
    [PLAN_NODE_UNION_ALL] = rewrite_union,
    [PLAN_NODE_MATCH] = rewrite_match,
    [PLAN_NODE_SETOP] = rewrite_setop,
    [PLAN_NODE_SORT] = rewrite_head,
    [PLAN_NODE_RECURSIVE] = rewrite_recursive,
    [PLAN_NODE_EXPAND] = rewrite_expand,
    [PLAN_NODE_OVER] = rewrite_over,
    [PLAN_NODE_TOP] = rewrite_head,
    [PLAN_NODE_TABLE_FUNC] = rewrite_table_func,
};

// Whether the node itself takes a step of the leaf's path; those with several inputs do.
static bool steps_itself(const plan_node *node) {
    return node->ninputs > 1 || node->kind == PLAN_NODE_RECURSIVE;
}

plan_node *lineage_rewrite(lineage *l, const plan_node *node, bool followed,
                           const lineage_conds *conds, const bool *needed) {
    if (l->too_large) { // whatever has the right columns
        plan_node *none =
            lineage_node(l, PLAN_NODE_VALUES, node->ncolumns + (followed ? LINEAGE_PLACE : 0), 0);
        memcpy((plan_column *)(uintptr_t)none->columns, node->columns,
               node->ncolumns * sizeof *node->columns);
        return none;
    }
    if (followed && node->ninputs == 1 && !steps_itself(node)) (void)lineage_step(l);
    must((size_t)node->kind < sizeof rules / sizeof *rules && rules[node->kind] != NULL);
    return rules[node->kind](l, node, followed, conds, needed);
}
