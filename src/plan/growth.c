// growth.c - see growth.h. Each node's output has a growth, each of its columns a domain: how many
// different values it may come to have, in the same terms. What an operator keeps follows from its
// inputs' growth and the domains of what it groups by. A domain never exceeds the growth of the
// rows it is in, so behind a temporal filter all is bounded. Entry points: plan_growth_of,
// plan_only_grows.
#include "plan/growth.h"

#include "base/str.h"
#include "col/func.h"
#include "col/kernel.h"
#include "plan/agg.h"
#include "plan/over.h"
#include "plan/release.h"
#include "plan/session.h"

typedef struct viewed { // what a view that is read was found to be
    const plan_object *view;
    plan_growth rows;
    const plan_object *cause;
    const plan_growth *domains;
    struct viewed *next;
} viewed;

typedef struct growing {
    base_arena *arena;
    plan_state *states;
    plan_growth **domains; // of the columns of a node's output; NULL: not yet known
    viewed **views;
} growing;

static plan_growth worse(plan_growth a, plan_growth b) {
    return a > b ? a : b;
}
static plan_growth better(plan_growth a, plan_growth b) {
    return a < b ? a : b;
}

// ---- only growing ------------------------------------------------------------------------------

// Whether equal rows may be written differently: of those one is shown, and later another.
static bool has_spellings(const plan_node *node) {
    for (uint32_t c = 0; c < node->ncolumns; c++)
        if (!col_one_spelling(&node->columns[c].type)) return true;
    return false;
}

bool plan_only_grows(const plan_node *node, bool stored) {
    switch (node->kind) {
    case PLAN_NODE_SCAN: // without a store there is one step, in which tables give what is there
        return (node->object->kind == PLAN_OBJECT_STREAM && !node->object->retractable) || !stored;
    case PLAN_NODE_VALUES:
        return true;
    case PLAN_NODE_AGGREGATE:
    case PLAN_NODE_MATCH:
    case PLAN_NODE_TEMPORAL: // rows leave
    case PLAN_NODE_OVER:
    case PLAN_NODE_TOP:
    case PLAN_NODE_SESSION: // and change sessions
        return !stored;
    case PLAN_NODE_SORT:
        if (stored && (node->limit >= 0 || node->offset > 0)) return false;
        break;
    case PLAN_NODE_JOIN:
        if (stored && node->join != PLAN_JOIN_INNER && node->join != PLAN_JOIN_SEMI) return false;
        break;
    case PLAN_NODE_ASOF:
        if (stored) return false;
        break;
    case PLAN_NODE_LOOKUP: // whatever the right side does
        return plan_only_grows(node->inputs[0], stored);
    case PLAN_NODE_SETOP:
        if (stored && (node->set_op == PLAN_SET_EXCEPT || has_spellings(node))) return false;
        break;
    case PLAN_NODE_DISTINCT:
        if (stored && has_spellings(node)) return false;
        break;
    default:
        break;
    }
    for (uint32_t i = 0; i < node->ninputs; i++)
        if (!plan_only_grows(node->inputs[i], stored)) return false;
    return true;
}

bool plan_top_keeps_heads(const plan_node *top, bool stored) {
    return plan_only_grows(top->inputs[0], stored) && top->overs[0].id == PLAN_OVER_ROW_NUMBER &&
           top->limit <= PLAN_TOP_HEADS_MAX;
}

// ---- domains -----------------------------------------------------------------------------------

static bool is_moment(const plan_expr *expr) {
    return expr->type.kind == COL_TIMESTAMP || expr->type.kind == COL_TIMESTAMPTZ;
}

static bool is_cast(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_CALL && expr->nargs == 1 &&
           expr->func ==
               col_cast_find(expr->args[0]->type.kind, expr->type.kind, COL_CAST_EXPLICIT);
}

// A function of what each row has of its own may have fewer values; of a moment it is taken to cut
// time into pieces.
static plan_growth domain_of(const plan_expr *expr, const plan_growth *columns) {
    if (expr == NULL || expr->type.kind == COL_BOOL) return PLAN_GROWTH_NONE;
    if (expr->kind == PLAN_EXPR_COLUMN) return columns[expr->index];
    plan_growth growth = PLAN_GROWTH_NONE;
    bool calls = expr->kind == PLAN_EXPR_CALL;
    for (uint32_t i = 0; i < expr->nargs; i++) {
        const plan_expr *arg = expr->args[i];
        plan_growth domain = domain_of(arg, columns);
        if (calls && domain == PLAN_GROWTH_ROWS && is_moment(arg)) {
            if (!is_cast(expr) || !is_moment(expr)) domain = PLAN_GROWTH_WINDOWS;
        } else if (calls && domain == PLAN_GROWTH_ROWS && !is_cast(expr)) {
            domain = PLAN_GROWTH_KEYS;
        }
        growth = worse(growth, domain);
    }
    return growth;
}

static bool contains_all(uint32_t n, const uint32_t *columns, uint32_t nkey, const uint32_t *key) {
    for (uint32_t k = 0; k < nkey; k++) {
        uint32_t i = 0;
        while (i < n && columns[i] != key[k]) i++;
        if (i == n) return false;
    }
    return nkey > 0;
}

// How many different rows of these columns an input may come to have.
static plan_growth distinct_rows(const growing *g, const plan_node *input, uint32_t n,
                                 const uint32_t *columns) {
    plan_growth rows = g->states[input->id].rows, growth = PLAN_GROWTH_NONE;
    if (contains_all(n, columns, input->nkey, input->key)) return rows;
    for (uint32_t i = 0; i < n; i++) growth = worse(growth, g->domains[input->id][columns[i]]);
    return better(growth, rows);
}

// How many rows an operator keeps that keeps an input's rows with counts: equal ones are one.
static plan_growth counted_rows(const growing *g, const plan_node *input) {
    uint32_t *all = base_arena_array(g->arena, uint32_t, input->ncolumns + 1u);
    for (uint32_t i = 0; i < input->ncolumns; i++) all[i] = i;
    return distinct_rows(g, input, input->ncolumns, all);
}

// Joins keep a side that only grows row by row; of another equal rows meet.
static plan_growth kept_rows(const growing *g, const plan_node *side) {
    return plan_only_grows(side, true) ? g->states[side->id].rows : counted_rows(g, side);
}

static void set_domain(const growing *g, const plan_node *node, uint32_t column,
                       plan_growth domain) {
    g->domains[node->id][column] = better(domain, g->states[node->id].rows);
}

static void inherit(const growing *g, const plan_node *node, uint32_t from_column,
                    const plan_node *input) {
    for (uint32_t i = 0; i < input->ncolumns && from_column + i < node->ncolumns; i++)
        set_domain(g, node, from_column + i, g->domains[input->id][i]);
}

// ---- scans -------------------------------------------------------------------------------------

plan_growth plan_growth_of_keys(const plan_object *stream) {
    bool forgets = stream->dedup_horizon_us > 0 && stream->event_time >= 0;
    return forgets ? PLAN_GROWTH_WATERMARK : PLAN_GROWTH_ROWS;
}

const char *plan_growth_keys_hint(const plan_object *stream) {
    if (stream->retractable)
        return "What may be taken back (retractions = 'on') is kept: without that, WITH "
               "(dedup_horizon = '7 days') would let older keys be forgotten.";
    return stream->event_time < 0
               ? "With a WATERMARK and WITH (dedup_horizon = '7 days') older keys are forgotten."
               : "With WITH (dedup_horizon = '7 days') older keys are forgotten.";
}

static plan_growth stream_domain(const plan_object *stream, uint32_t column) {
    col_kind kind = stream->columns[column].type.kind;
    if (kind == COL_BOOL) return PLAN_GROWTH_NONE;
    if (stream->nkey == 1 && stream->key[0] == column) return PLAN_GROWTH_ROWS;
    if (kind == COL_TIMESTAMP || kind == COL_TIMESTAMPTZ) return PLAN_GROWTH_ROWS;
    return kind == COL_DATE ? PLAN_GROWTH_WINDOWS : PLAN_GROWTH_KEYS;
}

static const viewed *view_of(const growing *g, const plan_object *view) {
    for (const viewed *v = *g->views; v != NULL; v = v->next)
        if (v->view == view) return v;
    viewed *made = base_arena_new(g->arena, viewed);
    *made = (viewed){.view = view, .next = *g->views};
    *g->views = made; // views are not made of themselves
    return made;
}

static void analyse_plan(growing *g, const plan_node *plan);

static void analyse_view(const growing *g, const plan_object *object, viewed *view) {
    growing below = {.arena = g->arena, .views = g->views};
    analyse_plan(&below, object->plan);
    view->rows = below.states[object->plan->id].rows;
    view->cause = below.states[object->plan->id].cause;
    view->domains = below.domains[object->plan->id];
}

static void scan(growing *g, const plan_node *node, plan_state *state) {
    const plan_object *object = node->object;
    if (object->kind == PLAN_OBJECT_VIEW && object->plan != NULL) {
        viewed *view = (viewed *)(uintptr_t)view_of(g, object);
        if (view->domains == NULL) analyse_view(g, object, view);
        state->rows = view->rows;
        state->cause = view->cause;
        for (uint32_t i = 0; i < node->ncolumns; i++) {
            bool own = node->indexes[i] < object->plan->ncolumns;
            set_domain(g, node, i, own ? view->domains[node->indexes[i]] : view->rows);
        }
        return;
    }
    bool stream = object->kind == PLAN_OBJECT_STREAM;
    bool table = object->kind == PLAN_OBJECT_TABLE;
    state->rows = stream ? PLAN_GROWTH_ROWS : table ? PLAN_GROWTH_TABLE : PLAN_GROWTH_NONE;
    if (stream) state->cause = object;
    for (uint32_t i = 0; i < node->ncolumns; i++)
        set_domain(g, node, i,
                   stream ? stream_domain(object, node->indexes[i]) : PLAN_GROWTH_TABLE);
    if (table) {
        state->state = PLAN_GROWTH_TABLE;
        state->keeps = "a row for each key";
    }
    if (!stream || object->nkey == 0) return;
    if (object->retractable) {
        state->state = PLAN_GROWTH_ROWS;
        state->state_cause = object;
        state->keeps = "every event, for it may be taken back";
        state->hint = "Without WITH (retractions = 'on') only its business key is kept.";
        return;
    }
    state->state = plan_growth_of_keys(object);
    state->state_cause = object;
    state->keeps = state->state == PLAN_GROWTH_ROWS
                       ? "every business key, to tell duplicates"
                       : "business keys up to the horizon, to tell duplicates";
    if (state->state == PLAN_GROWTH_ROWS) state->hint = plan_growth_keys_hint(object);
}

// ---- operators ---------------------------------------------------------------------------------

#define TEMPORAL_HINT                                                                              \
    "A condition such as at > now() - INTERVAL '7 days' lets rows go as time passes."
const char plan_growth_hint[] = TEMPORAL_HINT;

static const char *list_columns(const growing *g, const char *before, uint32_t n,
                                const char *const *names, const char *after) {
    base_buf buf = {0};
    base_buf_add_cstr(&buf, before);
    for (uint32_t i = 0; i < n; i++)
        base_buf_printf(&buf, "%s%s", i > 0 ? ", " : "", names[i] == NULL ? "?" : names[i]);
    base_buf_add_cstr(&buf, after);
    const char *text = base_arena_strdup(g->arena, base_buf_cstr(&buf));
    base_buf_deinit(&buf);
    return text;
}

// What stands on all values of a group, with counts (flow/agg_set.h): NONE if it does not.
static plan_growth values_of(const growing *g, const plan_node *node, const plan_agg *agg) {
    const plan_node *input = node->inputs[0];
    plan_agg_id id = agg->def->id;
    if (id == PLAN_AGG_APPROX_COUNT_DISTINCT || id == PLAN_AGG_APPROX_PERCENTILE)
        return PLAN_GROWTH_NONE;
    bool extreme = id == PLAN_AGG_MIN || id == PLAN_AGG_MAX;
    bool kept = agg->def->form != PLAN_AGG_PLAIN ||
                (agg->distinct && agg->arg != NULL && !plan_agg_ignores_repeats(id)) ||
                (extreme && !plan_only_grows(input, true));
    if (!kept) return PLAN_GROWTH_NONE;
    plan_growth domain = domain_of(agg->arg, g->domains[input->id]);
    for (uint32_t i = 0; i < agg->nmore; i++)
        domain = worse(domain, domain_of(agg->more[i], g->domains[input->id]));
    return better(domain, g->states[input->id].rows);
}

static const char *values_text(const growing *g, const plan_node *node, const plan_agg *agg) {
    const char *name = agg->def->name;
    bool distinct = agg->distinct || agg->def->form == PLAN_AGG_PLAIN;
    base_buf buf = {0};
    base_buf_printf(&buf, "the %svalues of %s%s", distinct ? "distinct " : "", name,
                    node->nexprs > 0 ? " for each group" : "");
    const char *text = base_arena_strdup(g->arena, base_buf_cstr(&buf));
    base_buf_deinit(&buf);
    return text;
}

static const char *values_hint(const plan_agg *agg) {
    switch (agg->def->id) {
    case PLAN_AGG_COUNT:
        return "approx_count_distinct keeps a bounded state. " TEMPORAL_HINT;
    case PLAN_AGG_PERCENTILE_CONT:
    case PLAN_AGG_PERCENTILE_DISC:
        return "approx_percentile keeps a bounded state. " TEMPORAL_HINT;
    default:
        return TEMPORAL_HINT;
    }
}

// Sessions that are only grouped by are kept as where they begin and end; MIN and MAX of them keep
// one value.
static bool moves_sessions(growing *g, const plan_node *node) {
    const plan_node *session;
    uint32_t *columns = base_arena_array(g->arena, uint32_t, node->nexprs + 1u);
    if (!plan_session_moves(g->arena, node, &session, columns)) return false;
    plan_state *state = &g->states[session->id];
    state->state = better(state->rows, PLAN_GROWTH_WINDOWS);
    state->keeps = "where each session begins and ends";
    if (plan_growth_is_bounded(state->state)) state->hint = NULL;
    return true;
}

static void aggregate(growing *g, const plan_node *node, plan_state *state) {
    const plan_node *input = node->inputs[0];
    const plan_state *in = &g->states[input->id];
    uint32_t n = node->nexprs, ncolumns = 0;
    uint32_t *columns = base_arena_array(g->arena, uint32_t, n + 1u);
    const char **names = base_arena_array(g->arena, const char *, n + 1u);
    plan_growth groups = PLAN_GROWTH_NONE;
    for (uint32_t i = 0; i < n; i++) {
        groups = worse(groups, domain_of(node->exprs[i], g->domains[input->id]));
        names[i] = node->columns[i].name;
        if (node->exprs[i]->kind == PLAN_EXPR_COLUMN) columns[ncolumns++] = node->exprs[i]->index;
    }
    if (contains_all(ncolumns, columns, input->nkey, input->key)) groups = in->rows;
    state->rows = state->state = better(groups, in->rows);
    state->cause = state->state_cause = in->cause;
    uint32_t shown = node->expand == NULL ? n : node->expand->nkeys;
    state->keeps = n == 0 ? "one group" : list_columns(g, "a group for each (", shown, names, ")");
    if (!plan_growth_is_bounded(groups)) state->hint = TEMPORAL_HINT;
    plan_growth most = PLAN_GROWTH_NONE;
    bool moves = moves_sessions(g, node);
    for (uint32_t i = 0; i < node->naggs && !moves; i++) {
        plan_growth values = values_of(g, node, &node->aggs[i]);
        if (values <= most || values < PLAN_GROWTH_KEYS) continue;
        most = values;
        state->state = worse(state->rows, values);
        state->keeps = values_text(g, node, &node->aggs[i]);
        state->hint = values_hint(&node->aggs[i]);
    }
    for (uint32_t i = 0; i < n; i++)
        set_domain(g, node, i, domain_of(node->exprs[i], g->domains[input->id]));
    for (uint32_t i = n; i < node->ncolumns; i++) set_domain(g, node, i, state->rows);
}

// Left rows that can go are kept, too, for what they were given.
static void lookup(growing *g, const plan_node *node, plan_state *state) {
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    const plan_state *l = &g->states[left->id], *r = &g->states[right->id];
    bool forgets = plan_only_grows(left, true);
    plan_growth l_kept = forgets ? PLAN_GROWTH_NONE : kept_rows(g, left);
    plan_growth r_kept = kept_rows(g, right);
    state->rows = l->rows;
    state->cause = l->cause;
    state->state = worse(l_kept, r_kept);
    state->state_cause = l_kept > r_kept ? l->cause : r->cause;
    state->keeps = forgets           ? "the rows of the right side"
                   : l_kept > r_kept ? "what left rows were given"
                                     : "the rows of the right side and what left rows were given";
    if (!plan_growth_is_bounded(state->state)) state->hint = TEMPORAL_HINT;
    inherit(g, node, 0, left);
    inherit(g, node, left->ncolumns, right);
}

static void join(growing *g, const plan_node *node, plan_state *state) {
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    const plan_state *l = &g->states[left->id], *r = &g->states[right->id];
    bool pairs = node->join <= PLAN_JOIN_FULL;
    bool one_right = node->kind == PLAN_NODE_ASOF ||
                     contains_all(node->nequi, node->right_keys, right->nkey, right->key);
    bool one_left = node->kind == PLAN_NODE_JOIN &&
                    contains_all(node->nequi, node->left_keys, left->nkey, left->key);
    plan_growth rows = worse(l->rows, r->rows);
    if (!pairs || (one_right && node->join <= PLAN_JOIN_LEFT)) rows = better(rows, l->rows);
    if (pairs && one_left && (node->join == PLAN_JOIN_INNER || node->join == PLAN_JOIN_RIGHT))
        rows = better(rows, r->rows);
    state->rows = rows;
    state->cause = rows == l->rows && l->cause != NULL ? l->cause : r->cause;
    plan_growth l_kept = kept_rows(g, left), r_kept = kept_rows(g, right);
    plan_release release;
    bool releases = node->kind == PLAN_NODE_JOIN;
    if (releases && plan_join_release(node, 0, &release))
        l_kept = better(l_kept, PLAN_GROWTH_WATERMARK);
    if (releases && plan_join_release(node, 1, &release))
        r_kept = better(r_kept, PLAN_GROWTH_WATERMARK);
    state->state = worse(l_kept, r_kept);
    state->state_cause = l_kept >= r_kept && l->cause != NULL ? l->cause : r->cause;
    state->keeps = l_kept == r_kept  ? "the rows of both sides"
                   : l_kept > r_kept ? "the rows of the left side"
                                     : "the rows of the right side";
    if (!plan_growth_is_bounded(state->state)) state->hint = TEMPORAL_HINT;
    inherit(g, node, 0, left);
    if (pairs) inherit(g, node, left->ncolumns, right);
    if (node->join == PLAN_JOIN_MARK) set_domain(g, node, left->ncolumns, PLAN_GROWTH_NONE);
}

// Operators that keep the rows of their input: all of it.
static void keeps_input(growing *g, const plan_node *node, plan_state *state, const char *keeps) {
    const plan_state *in = &g->states[node->inputs[0]->id];
    state->state = counted_rows(g, node->inputs[0]);
    state->state_cause = in->cause;
    state->keeps = keeps;
    if (!plan_growth_is_bounded(state->state)) state->hint = TEMPORAL_HINT;
}

static void top(growing *g, const plan_node *node, plan_state *state) {
    const plan_node *input = node->inputs[0];
    plan_growth parts = distinct_rows(g, input, node->npartition, node->partition);
    bool heads = plan_top_keeps_heads(node, true);
    keeps_input(g, node, state, heads ? "the first rows of each partition" : "all rows in order");
    if (heads) state->state = parts;
    if (plan_growth_is_bounded(state->state)) state->hint = NULL;
    state->rows = parts;
    inherit(g, node, 0, input);
    if (node->with_rank) set_domain(g, node, node->ncolumns - 1, PLAN_GROWTH_NONE);
}

static void distinct(growing *g, const plan_node *node, plan_state *state) {
    const plan_node *input = node->inputs[0];
    state->rows = state->state = counted_rows(g, input);
    state->state_cause = state->cause;
    state->keeps = "the distinct rows";
    if (!plan_growth_is_bounded(state->state)) state->hint = TEMPORAL_HINT;
    inherit(g, node, 0, input);
}

static void setop(growing *g, const plan_node *node, plan_state *state) {
    const plan_state *l = &g->states[node->inputs[0]->id], *r = &g->states[node->inputs[1]->id];
    bool both = node->set_op == PLAN_SET_INTERSECT;
    state->rows = both ? better(l->rows, r->rows) : l->rows;
    plan_growth l_kept = counted_rows(g, node->inputs[0]),
                r_kept = counted_rows(g, node->inputs[1]);
    if (!node->set_all) state->rows = better(state->rows, l_kept);
    if (!node->set_all && both) state->rows = better(state->rows, r_kept);
    state->state = worse(l_kept, r_kept);
    state->state_cause = l_kept >= r_kept && l->cause != NULL ? l->cause : r->cause;
    state->keeps = "the distinct rows of both sides";
    if (!plan_growth_is_bounded(state->state)) state->hint = TEMPORAL_HINT;
    inherit(g, node, 0, node->inputs[0]);
}

static void temporal(growing *g, const plan_node *node, plan_state *state) {
    bool until = false;
    for (uint32_t i = 0; i < node->nexprs; i++) until |= node->bounds[i].until;
    if (until) state->rows = better(state->rows, PLAN_GROWTH_TIME);
    state->state = better(g->states[node->inputs[0]->id].rows, PLAN_GROWTH_TIME);
    state->keeps = until ? "rows until they leave" : "rows until they come";
    inherit(g, node, 0, node->inputs[0]);
}

// All inputs' columns side by side in one place each.
static void union_all(growing *g, const plan_node *node, plan_state *state) {
    for (uint32_t i = 0; i < node->ninputs; i++) {
        const plan_state *in = &g->states[node->inputs[i]->id];
        if (in->rows > state->rows || state->cause == NULL) state->cause = in->cause;
        state->rows = worse(state->rows, in->rows);
    }
    for (uint32_t c = 0; c < node->ncolumns; c++) {
        plan_growth domain = PLAN_GROWTH_NONE;
        for (uint32_t i = 0; i < node->ninputs; i++)
            domain = worse(domain, g->domains[node->inputs[i]->id][c]);
        set_domain(g, node, c, domain);
    }
}

// What adds columns to those of its input.
static void widen(growing *g, const plan_node *node, plan_growth added) {
    const plan_node *input = node->inputs[0];
    inherit(g, node, 0, input);
    for (uint32_t i = input->ncolumns; i < node->ncolumns; i++) set_domain(g, node, i, added);
}

static plan_growth arguments(const growing *g, const plan_node *node) {
    plan_growth growth = PLAN_GROWTH_NONE;
    for (uint32_t i = 0; i < node->nexprs; i++)
        growth = worse(growth, domain_of(node->exprs[i], g->domains[node->inputs[0]->id]));
    return growth;
}

static void operator_state(growing *g, const plan_node *node, plan_state *state) {
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        scan(g, node, state);
        return;
    case PLAN_NODE_VALUES:
        return;
    case PLAN_NODE_PROJECT:
        for (uint32_t i = 0; i < node->ncolumns; i++)
            set_domain(g, node, i, domain_of(node->exprs[i], g->domains[node->inputs[0]->id]));
        return;
    case PLAN_NODE_FILTER:
        inherit(g, node, 0, node->inputs[0]);
        return;
    case PLAN_NODE_TEMPORAL:
        temporal(g, node, state);
        return;
    case PLAN_NODE_EMIT:
        state->state = better(state->rows, PLAN_GROWTH_WATERMARK);
        state->keeps = "rows until their window closes";
        inherit(g, node, 0, node->inputs[0]);
        return;
    case PLAN_NODE_WINDOW:
        widen(g, node, PLAN_GROWTH_WINDOWS);
        return;
    case PLAN_NODE_SESSION:
        keeps_input(g, node, state, "all rows by time");
        widen(g, node, PLAN_GROWTH_WINDOWS);
        return;
    case PLAN_NODE_AGGREGATE:
        aggregate(g, node, state);
        return;
    case PLAN_NODE_LOOKUP:
        lookup(g, node, state);
        return;
    case PLAN_NODE_JOIN:
    case PLAN_NODE_ASOF:
        join(g, node, state);
        return;
    case PLAN_NODE_DISTINCT:
        distinct(g, node, state);
        return;
    case PLAN_NODE_UNION_ALL:
        union_all(g, node, state);
        return;
    case PLAN_NODE_MATCH:
        keeps_input(g, node, state, "all rows in order");
        for (uint32_t i = 0; i < node->ncolumns; i++) set_domain(g, node, i, state->rows);
        return;
    case PLAN_NODE_SETOP:
        setop(g, node, state);
        return;
    case PLAN_NODE_SORT:
        if (node->limit >= 0 || node->offset > 0) keeps_input(g, node, state, "all rows in order");
        if (node->limit >= 0) state->rows = PLAN_GROWTH_NONE;
        inherit(g, node, 0, node->inputs[0]);
        return;
    case PLAN_NODE_RECURSIVE: // of queries only
        for (uint32_t i = 0; i < node->ncolumns; i++) set_domain(g, node, i, state->rows);
        return;
    case PLAN_NODE_EXPAND:
        widen(g, node, PLAN_GROWTH_NONE);
        return;
    case PLAN_NODE_OVER:
        keeps_input(g, node, state, "all rows in order");
        widen(g, node, PLAN_GROWTH_ROWS);
        return;
    case PLAN_NODE_TOP:
        top(g, node, state);
        return;
    case PLAN_NODE_TABLE_FUNC:
        widen(g, node, arguments(g, node));
        return;
    }
}

static void analyse(growing *g, const plan_node *node) {
    if (g->domains[node->id] != NULL) return; // shared
    for (uint32_t i = 0; i < node->ninputs; i++) analyse(g, node->inputs[i]);
    g->domains[node->id] = base_arena_array(g->arena, plan_growth, node->ncolumns + 1u);
    plan_state *state = &g->states[node->id];
    if (node->ninputs > 0) { // unless it says otherwise
        const plan_state *in = &g->states[node->inputs[0]->id];
        state->rows = in->rows;
        state->cause = in->cause;
    }
    operator_state(g, node, state);
}

static void analyse_plan(growing *g, const plan_node *plan) {
    uint32_t n = plan_node_id_end(plan);
    g->states = base_arena_array(g->arena, plan_state, n);
    g->domains = base_arena_array(g->arena, plan_growth *, n);
    analyse(g, plan);
}

plan_states plan_growth_of(base_arena *arena, const plan_node *plan) {
    viewed *views = NULL;
    growing g = {.arena = arena, .views = &views};
    analyse_plan(&g, plan);
    return (plan_states){plan_node_id_end(plan), g.states};
}

const char *plan_growth_text(plan_growth growth) {
    static const char *const texts[] = {
        [PLAN_GROWTH_NONE] = "bounded",
        [PLAN_GROWTH_TABLE] = "bounded by tables",
        [PLAN_GROWTH_TIME] = "bounded by time",
        [PLAN_GROWTH_WATERMARK] = "bounded by the watermark",
        [PLAN_GROWTH_KEYS] = "grows with distinct values",
        [PLAN_GROWTH_WINDOWS] = "grows as time passes",
        [PLAN_GROWTH_ROWS] = "grows with each row",
    };
    return texts[growth];
}

void plan_state_print(const plan_state *state, base_buf *buf) {
    if (state->keeps == NULL) return;
    base_buf_printf(buf, "  [keeps %s: %s", state->keeps, plan_growth_text(state->state));
    bool grows = state->state == PLAN_GROWTH_KEYS || state->state == PLAN_GROWTH_ROWS;
    if (grows && state->state_cause != NULL)
        base_buf_printf(buf, " of %s.%s", state->state_cause->schema, state->state_cause->name);
    base_buf_add_byte(buf, ']');
}
