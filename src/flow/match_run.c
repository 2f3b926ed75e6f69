// match_run.c - finding matches by backtracking over the pattern's program, and their output.
//
// Invariants:
//  - Ways are tried in the order of the program, so the first that reaches DONE is the preferred
//    match (ISO/IEC TR 19075-5, 4.14). A way that failed is left by the trail: branches that are
//    still open, and values to put back.
//  - `seen` is the furthest position that any attempt has asked about, n standing for the end of
//    the rows: what lies behind it cannot have changed what was found before it.
//  - A search that takes more than STEPS_MAX steps from one row is given up and reported: the row
//    begins no match.
// Entry points: match_plan_create, match_run, match_output.
#include "flow/match_run.h"

#define STEPS_MAX  (1u << 24)
#define NO_ROW     UINT32_MAX
#define MEMO_BYTES (64u << 20)

// ------------------------------------------------------------------------------------ plan

static bool is_simple(const plan_match *match, uint32_t v, const bool *used) {
    for (uint32_t s = 0; s < match->nslots; s++) {
        const plan_match_slot *slot = &match->slots[s];
        if (!used[s]) continue;
        if (slot->kind == PLAN_MATCH_ROW) continue;
        if (slot->kind != PLAN_MATCH_COLUMN || slot->first || slot->nth > 0) return false;
        if (slot->variables != 0 && (slot->variables & 1ull << v) == 0) return false;
    }
    return true;
}

static bool shows_numbers(base_arena *arena, const plan_node *node) {
    const plan_match *match = node->match;
    bool *used = base_arena_array(arena, bool, match->nslots + 1u);
    for (uint32_t i = 0; i < node->ncolumns; i++) flow_mark_columns(match->outputs[i], used);
    for (uint32_t v = 0; v < match->nvariables; v++)
        if (match->define[v] != NULL) flow_mark_columns(match->define[v], used);
    for (uint32_t s = 0; s < match->nslots; s++)
        if (used[s] && match->slots[s].kind == PLAN_MATCH_NUMBER) return true;
    return false;
}

base_rc match_plan_create(flow_op *op, const plan_node *node, match_plan **out, base_error *err) {
    base_arena *arena = &op->graph->arena;
    const plan_match *match = node->match;
    match_plan *plan = base_arena_new(arena, match_plan);
    uint32_t nslots = match->nslots;
    *plan = (match_plan){.match = match, .op = op, .ncolumns = node->ncolumns, .memo = true};
    col_type *types = base_arena_array(arena, col_type, nslots + 1u);
    plan->accs = base_arena_array(arena, acc_spec, nslots + 1u);
    for (uint32_t s = 0; s < nslots; s++) {
        const plan_match_slot *slot = &match->slots[s];
        types[s] = slot->type;
        if (slot->physical < 0 && (uint32_t)-slot->physical > plan->lookback)
            plan->lookback = (uint32_t)-slot->physical;
        if (slot->physical > 0 && (uint32_t)slot->physical > plan->lookahead)
            plan->lookahead = (uint32_t)slot->physical;
        if (slot->kind != PLAN_MATCH_AGGREGATE) continue;
        // A match only grows while it is looked for.
        base_rc rc = acc_spec_init(&plan->accs[s], slot->agg, true, err);
        if (rc != BASE_OK) return rc;
        if (plan->accs[s].feed != ACC_FEED_ROWS || plan->accs[s].nargs > 1)
            return base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
                             "aggregate \"%s\" in MATCH_RECOGNIZE is not supported",
                             slot->agg->def->name);
        plan->accs[s].offset = sizeof(int64_t);
    }
    plan->slot_types = types;
    plan->simple = base_arena_array(arena, bool, match->nvariables + 1u);
    plan->used_by = base_arena_array(arena, bool, (size_t)match->nvariables *nslots + 1u);
    for (uint32_t v = 0; v < match->nvariables; v++) {
        bool *used = plan->used_by + (size_t)v * nslots;
        if (match->define[v] != NULL) flow_mark_columns(match->define[v], used);
        plan->simple[v] = match->define[v] == NULL || is_simple(match, v, used);
        plan->memo &= plan->simple[v];
    }
    plan->numbers = shows_numbers(arena, node);
    if (match->nloops > 0) {
        // A round that must take a row makes a way depend on where the round began.
        for (uint32_t i = 0; i < match->nops; i++)
            plan->memo &= match->ops[i].kind != PLAN_MATCH_OP_ROUND;
    }
    *out = plan;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ a run

typedef enum trail_kind { TRAIL_BRANCH, TRAIL_LOOP, TRAIL_HIDDEN } trail_kind;

typedef struct trail_entry {
    trail_kind kind;
    uint32_t a;        // BRANCH: op; LOOP: its number
    uint32_t position; // BRANCH: row to go on with; LOOP: value to put back; HIDDEN: depth
} trail_entry;

typedef struct match_search {
    const match_plan *plan;
    const plan_match *match;
    flow_ctx *ctx;
    const match_input *input;
    base_error *err;
    base_arena scratch; // of conditions evaluated a row at a time
    uint8_t **holds;    // by variable: a byte a position, for simple conditions; NULL: any row
    const int64_t *times;
    int64_t number; // of the match being looked for

    // The rows mapped so far: position start + i is mapped to variable[i].
    uint32_t start, nmapped;
    uint8_t *variable;
    bool *hidden;
    uint32_t *before; // the row mapped to the same variable before it, as a position
    uint32_t first[PLAN_MATCH_VARIABLES_MAX], last[PLAN_MATCH_VARIABLES_MAX];
    uint32_t hide; // depth of {- -}
    uint32_t *loops;

    uint32_t ntrail, trail_cap;
    trail_entry *trail;
    uint32_t seen, steps;
    uint8_t *memo;                  // a bit an op and position
    uint32_t memo_first, memo_last; // positions that may have bits

    // Output: for each slot where its value comes from.
    uint32_t nout, out_cap;
    uint32_t **sources;     // by slot of kind ROW or COLUMN: row of batch or COL_NO_ROW
    uint32_t *classifiers;  // variable, or NO_ROW
    uint32_t *finals;       // and of the last row, for FINAL
    int64_t *numbers;       // 0: null
    col_vec **aggregates;   // by slot
    const col_vec **values; // by slot: arguments of aggregates over batch
    const col_vec **filters;
    uint8_t **failed; // rows of batch for which they could not be computed; NULL: none
    char **blocks;

    uint32_t nplaces, places_cap;
    match_place *places;
    bool any_failed;
} run;

static void see(run *r, uint32_t position) {
    uint32_t n = r->input->n, to = position >= n ? n : position;
    // What a condition may look ahead at counts as asked about, too.
    to = to + r->plan->lookahead < n ? to + r->plan->lookahead : (r->plan->lookahead > 0 ? n : to);
    if (to > r->seen) r->seen = to;
}

// ------------------------------------------------------------------------------------ mapping

static void clear_mapping(run *r, uint32_t start) {
    r->start = start;
    r->nmapped = r->hide = 0;
    for (uint32_t v = 0; v < r->match->nvariables; v++) r->first[v] = r->last[v] = NO_ROW;
}

static void map_row(run *r, uint32_t v) {
    uint32_t position = r->start + r->nmapped;
    r->variable[r->nmapped] = (uint8_t)v;
    r->hidden[r->nmapped] = r->hide > 0;
    r->before[r->nmapped++] = r->last[v];
    r->last[v] = position;
    if (r->first[v] == NO_ROW) r->first[v] = position;
}

static void unmap_to(run *r, uint32_t position) {
    while (r->start + r->nmapped > position) {
        uint32_t v = r->variable[--r->nmapped];
        r->last[v] = r->before[r->nmapped];
        if (r->last[v] == NO_ROW) r->first[v] = NO_ROW;
    }
}

static bool is_in(const run *r, uint32_t i, uint64_t set) {
    return set == 0 || (set & 1ull << r->variable[i]) != 0;
}

// The position that a slot means, among the first n mapped rows; NO_ROW: none.
static uint32_t find_row(const run *r, const plan_match_slot *slot, uint32_t n) {
    uint32_t left = slot->nth;
    if (slot->first) {
        for (uint32_t i = 0; i < n; i++)
            if (is_in(r, i, slot->variables) && left-- == 0) return r->start + i;
        return NO_ROW;
    }
    if (n == r->nmapped && slot->variables != 0 && (slot->variables & (slot->variables - 1)) == 0) {
        uint32_t at = r->last[__builtin_ctzll(slot->variables)];
        for (; at != NO_ROW && left > 0; left--) at = r->before[at - r->start];
        return at;
    }
    for (uint32_t i = n; i-- > 0;)
        if (is_in(r, i, slot->variables) && left-- == 0) return r->start + i;
    return NO_ROW;
}

// The row of batch at `physical` rows after a position, COL_NO_ROW outside of the partition.
static uint32_t batch_row(const run *r, uint32_t position, int32_t physical) {
    if (position == NO_ROW) return COL_NO_ROW;
    int64_t at = (int64_t)position + physical;
    return at < 0 || at >= r->input->n ? COL_NO_ROW : r->input->rows[at];
}

// ------------------------------------------------------------------------------------ aggregates

static bool takes_row(const run *r, uint32_t s, uint32_t i) {
    if (!is_in(r, i, r->match->slots[s].variables)) return false;
    const col_vec *filter = r->filters[s];
    uint32_t row = r->input->rows[r->start + i];
    if (r->failed[s] != NULL && r->failed[s][row]) return false;
    return filter == NULL || (!col_is_null(filter, row) && col_u8(filter)[row] != 0);
}

static base_rc add_row(run *r, uint32_t s, uint32_t i, base_arena *arena) {
    if (!takes_row(r, s, i)) return BASE_OK;
    static const uint32_t group = 0;
    const acc_spec *spec = &r->plan->accs[s];
    acc_update_weights(r->blocks[s], 0, &group, 1, NULL);
    if (r->values[s] == NULL) return BASE_OK;
    uint32_t row = r->input->rows[r->start + i];
    const col_vec *one = col_vec_gather(arena, r->values[s], &row, 1);
    return acc_update(spec, r->blocks[s], 0, &group, one, NULL, arena, r->err);
}

static void clear_block(run *r, uint32_t s) {
    memset(r->blocks[s], 0, r->plan->accs[s].offset + r->plan->accs[s].size);
}

// ------------------------------------------------------------------------------------ conditions

// Values of the slots that variable v's condition uses, for its row being the last one mapped.
static base_rc slot_values(run *r, uint32_t v, base_arena *arena, col_batch *out) {
    const plan_match *match = r->match;
    const bool *used = r->plan->used_by + (size_t)v * match->nslots;
    *out =
        (col_batch){match->nslots, 1, base_arena_array(arena, col_vec, match->nslots + 1u), NULL};
    for (uint32_t s = 0; s < match->nslots; s++) {
        const plan_match_slot *slot = &match->slots[s];
        col_vec *vec = &out->cols[s];
        if (!used[s]) continue;
        if (slot->kind == PLAN_MATCH_COLUMN || slot->kind == PLAN_MATCH_ROW) {
            uint32_t at = slot->kind == PLAN_MATCH_ROW ? r->start + r->nmapped - 1
                                                       : find_row(r, slot, r->nmapped);
            uint32_t row = batch_row(r, at, slot->physical);
            *vec = *col_vec_gather_outer(arena, &r->input->batch->cols[slot->column], &row, 1);
            continue;
        }
        col_vec_init(vec, arena, slot->type, 1);
        if (slot->kind == PLAN_MATCH_NUMBER) {
            col_i64(vec)[0] = r->number;
        } else if (slot->kind == PLAN_MATCH_CLASSIFIER) {
            col_str(vec)[0] = base_str_of(match->variables[v]);
        } else {
            clear_block(r, s);
            base_rc rc = BASE_OK;
            for (uint32_t i = 0; i < r->nmapped && rc == BASE_OK; i++) rc = add_row(r, s, i, arena);
            if (rc == BASE_OK)
                rc = acc_result(&r->plan->accs[s], r->blocks[s], vec, 0, arena, r->err);
            if (rc != BASE_OK) return rc;
        }
    }
    return BASE_OK;
}

static void report(run *r, uint32_t position, const base_error *failure) {
    const flow_hooks *hooks = r->ctx->hooks;
    r->any_failed = true;
    if (!r->input->reports || hooks == NULL || hooks->row_failed == NULL) return;
    hooks->row_failed(hooks->self, r->plan->op->node_id, r->input->batch, r->input->rows[position],
                      failure);
}

static bool is_tolerant(const run *r) {
    return r->ctx->hooks != NULL && r->ctx->hooks->row_failed != NULL;
}

// Whether the row that was just mapped to v may be. A condition that fails to be computed is
// reported and does not hold; in an ad-hoc query it is the query's error.
static base_rc evaluate(run *r, uint32_t v, bool *holds) {
    base_error own;
    base_error_clear(&own);
    base_arena_reset(&r->scratch);
    col_batch slots;
    base_rc rc = slot_values(r, v, &r->scratch, &slots);
    const col_vec *value;
    if (rc == BASE_OK) {
        col_func_ctx func;
        flow_func_ctx(&func, r->ctx, &own);
        func.arena = &r->scratch;
        rc = plan_eval(r->match->define[v], &slots, &func, &value);
    } else {
        own = *r->err;
    }
    *holds = rc == BASE_OK && !col_is_null(value, 0) && col_u8(value)[0] != 0;
    if (rc == BASE_OK) return BASE_OK;
    if (!is_tolerant(r)) {
        *r->err = own;
        return rc;
    }
    report(r, r->start + r->nmapped - 1, &own);
    return BASE_OK;
}

// Simple conditions for all positions at once.
static base_rc evaluate_all(run *r, uint32_t v) {
    const plan_match *match = r->match;
    base_arena *arena = r->ctx->arena;
    uint32_t n = r->input->n;
    const bool *used = r->plan->used_by + (size_t)v * match->nslots;
    col_batch slots = {match->nslots, n, base_arena_array(arena, col_vec, match->nslots + 1u),
                       NULL};
    uint32_t *sel = base_arena_alloc(arena, sizeof *sel * (n + 1u));
    for (uint32_t s = 0; s < match->nslots; s++) {
        const plan_match_slot *slot = &match->slots[s];
        if (!used[s]) continue;
        for (uint32_t i = 0; i < n; i++) sel[i] = batch_row(r, i, slot->physical);
        slots.cols[s] = *col_vec_gather_outer(arena, &r->input->batch->cols[slot->column], sel, n);
    }
    base_error first;
    base_error_clear(&first);
    col_func_ctx func;
    flow_func_ctx(&func, r->ctx, is_tolerant(r) ? &first : r->err);
    if (is_tolerant(r)) func.failed = base_arena_zalloc(arena, n + 1u);
    const col_vec *value;
    base_rc rc = plan_eval(match->define[v], &slots, &func, &value);
    if (rc != BASE_OK) {
        if (is_tolerant(r)) *r->err = first;
        return rc;
    }
    uint8_t *holds = base_arena_alloc(arena, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        bool failed = func.failed != NULL && func.failed[i];
        holds[i] = !failed && !col_is_null(value, i) && col_u8(value)[i] != 0;
        if (failed && i >= r->input->from) report(r, i, &first);
    }
    r->holds[v] = holds;
    return BASE_OK;
}

static bool in_time(const run *r, uint32_t position) {
    int64_t span;
    if (r->times == NULL) return true;
    return !__builtin_sub_overflow(r->times[position], r->times[r->start], &span) &&
           (span < 0 ? -span : span) < r->match->within_us;
}

// Maps the next row to v if it may be.
static base_rc take_row(run *r, uint32_t v, uint32_t position, bool *taken) {
    *taken = false;
    see(r, position);
    if (position == r->input->n || !in_time(r, position)) return BASE_OK;
    if (r->plan->simple[v] && r->holds[v] != NULL && !r->holds[v][position]) return BASE_OK;
    map_row(r, v);
    *taken = true;
    if (r->plan->simple[v]) return BASE_OK;
    base_rc rc = evaluate(r, v, taken);
    if (!*taken) unmap_to(r, position);
    return rc;
}

// ------------------------------------------------------------------------------------ the search

static void push_trail(run *r, trail_kind kind, uint32_t a, uint32_t position) {
    if (r->ntrail == r->trail_cap) {
        uint32_t cap = r->trail_cap == 0 ? 64 : r->trail_cap * 2;
        trail_entry *more = base_arena_alloc(r->ctx->arena, sizeof *more * cap);
        if (r->ntrail > 0) memcpy(more, r->trail, sizeof *more * r->ntrail);
        r->trail = more;
        r->trail_cap = cap;
    }
    r->trail[r->ntrail++] = (trail_entry){kind, a, position};
}

// Back to the last branch that is open: false if there is none.
static bool go_back(run *r, uint32_t *op, uint32_t *position) {
    while (r->ntrail > 0) {
        trail_entry entry = r->trail[--r->ntrail];
        if (entry.kind == TRAIL_LOOP) {
            r->loops[entry.a] = entry.position;
        } else if (entry.kind == TRAIL_HIDDEN) {
            r->hide = entry.position;
        } else {
            unmap_to(r, entry.position);
            *op = entry.a;
            *position = entry.position;
            return true;
        }
    }
    return false;
}

// Whether this op was come to at this position before; notes that it was.
static bool been_here(run *r, uint32_t op, uint32_t position) {
    if (r->memo == NULL) return false;
    size_t bit = (size_t)position * r->match->nops + op;
    uint8_t mask = (uint8_t)(1u << (bit & 7));
    bool been = (r->memo[bit >> 3] & mask) != 0;
    if (position < r->memo_first) r->memo_first = position;
    if (position > r->memo_last) r->memo_last = position;
    r->memo[bit >> 3] |= mask;
    return been;
}

static base_rc give_up(run *r, bool *found) {
    base_error failure;
    base_fail(&failure, BASE_E_LIMIT, "54000",
              "the pattern takes more than %u steps from this row: it begins no match", STEPS_MAX);
    *found = false;
    if (is_tolerant(r)) {
        report(r, r->start, &failure);
        return BASE_OK;
    }
    *r->err = failure;
    return failure.code;
}

// The preferred match that begins at start.
static base_rc find_match(run *r, uint32_t start, bool *found) {
    const plan_match *match = r->match;
    clear_mapping(r, start);
    r->ntrail = r->steps = 0;
    uint32_t pc = 0, at = start;
    for (;;) {
        const plan_match_op *op = &match->ops[pc];
        bool ok = true;
        if (++r->steps > STEPS_MAX) return give_up(r, found);
        switch (op->kind) {
        case PLAN_MATCH_OP_ROW: {
            ok = !been_here(r, pc, at);
            base_rc rc = ok ? take_row(r, op->a, at, &ok) : BASE_OK;
            if (rc != BASE_OK) return rc;
            at += ok;
            pc++;
            break;
        }
        case PLAN_MATCH_OP_SPLIT:
            push_trail(r, TRAIL_BRANCH, op->b, at);
            pc = op->a;
            break;
        case PLAN_MATCH_OP_JUMP:
            pc = op->a;
            break;
        case PLAN_MATCH_OP_BEGIN:
            ok = at == 0 && r->input->at_start;
            pc++;
            break;
        case PLAN_MATCH_OP_END:
            see(r, at);
            ok = at == r->input->n;
            pc++;
            break;
        case PLAN_MATCH_OP_ENTER:
            push_trail(r, TRAIL_LOOP, op->a, r->loops[op->a]);
            r->loops[op->a] = at;
            pc++;
            break;
        case PLAN_MATCH_OP_ROUND:
            ok = r->loops[op->a] != at;
            pc++;
            break;
        case PLAN_MATCH_OP_HIDE:
        case PLAN_MATCH_OP_SHOW:
            push_trail(r, TRAIL_HIDDEN, 0, r->hide);
            r->hide = op->kind == PLAN_MATCH_OP_HIDE ? r->hide + 1 : r->hide - 1;
            pc++;
            break;
        case PLAN_MATCH_OP_DONE:
            *found = true;
            return BASE_OK;
        }
        if (!ok && !go_back(r, &pc, &at)) {
            *found = false;
            return BASE_OK;
        }
    }
}

// ------------------------------------------------------------------------------------ output

static void *grown(base_arena *arena, const void *old, size_t width, uint32_t n, uint32_t cap) {
    void *more = base_arena_alloc(arena, width * cap);
    if (n > 0) memcpy(more, old, width * n);
    return more;
}

static void reserve_output(run *r) {
    if (r->nout < r->out_cap) return;
    base_arena *arena = r->ctx->arena;
    uint32_t cap = r->out_cap == 0 ? 64 : r->out_cap * 2;
    for (uint32_t s = 0; s < r->match->nslots; s++) {
        const plan_match_slot *slot = &r->match->slots[s];
        if (slot->kind == PLAN_MATCH_AGGREGATE) {
            col_vec *vec = base_arena_new(arena, col_vec);
            col_vec_init(vec, arena, slot->type, cap);
            for (uint32_t i = 0; i < r->nout; i++)
                col_vec_copy_cell(vec, i, r->aggregates[s], i, arena);
            r->aggregates[s] = vec;
        } else if (slot->kind != PLAN_MATCH_CLASSIFIER && slot->kind != PLAN_MATCH_NUMBER) {
            r->sources[s] = grown(arena, r->sources[s], sizeof(uint32_t), r->nout, cap);
        }
    }
    r->classifiers = grown(arena, r->classifiers, sizeof(uint32_t), r->nout, cap);
    r->finals = grown(arena, r->finals, sizeof(uint32_t), r->nout, cap);
    r->numbers = grown(arena, r->numbers, sizeof(int64_t), r->nout, cap);
    r->out_cap = cap;
}

// A row of output: as of the first n rows of a match of `length` rows; n 0: none of them (an empty
// match, or a row in no match). own: the position of the output's own row.
static base_rc add_output(run *r, uint32_t own, uint32_t n, uint32_t length, int64_t number) {
    const plan_match *match = r->match;
    base_arena *arena = r->ctx->arena;
    reserve_output(r);
    uint32_t at = r->nout++;
    for (uint32_t s = 0; s < match->nslots; s++) {
        const plan_match_slot *slot = &match->slots[s];
        uint32_t upto = slot->final && n > 0 ? length : n;
        if (slot->kind == PLAN_MATCH_ROW) {
            r->sources[s][at] = r->input->rows[own];
        } else if (slot->kind == PLAN_MATCH_COLUMN) {
            r->sources[s][at] = batch_row(r, find_row(r, slot, upto), slot->physical);
        } else if (slot->kind == PLAN_MATCH_AGGREGATE) {
            base_rc rc =
                acc_result(&r->plan->accs[s], r->blocks[s], r->aggregates[s], at, arena, r->err);
            if (rc != BASE_OK) return rc;
        }
    }
    r->classifiers[at] = n == 0 ? NO_ROW : r->variable[n - 1];
    r->finals[at] = n == 0 ? NO_ROW : r->variable[length - 1];
    r->numbers[at] = number;
    return BASE_OK;
}

// Aggregates of slots that are final (or not) over the rows [from, to) of the match.
static base_rc add_rows(run *r, bool final, uint32_t from, uint32_t to) {
    for (uint32_t s = 0; s < r->match->nslots; s++) {
        const plan_match_slot *slot = &r->match->slots[s];
        if (slot->kind != PLAN_MATCH_AGGREGATE || slot->final != final) continue;
        for (uint32_t i = from; i < to; i++) {
            base_rc rc = add_row(r, s, i, r->ctx->arena);
            if (rc != BASE_OK) return rc;
        }
    }
    return BASE_OK;
}

static void clear_blocks(run *r) {
    for (uint32_t s = 0; s < r->match->nslots; s++)
        if (r->match->slots[s].kind == PLAN_MATCH_AGGREGATE) clear_block(r, s);
}

static base_rc output_match(run *r) {
    uint32_t n = r->nmapped;
    plan_match_rows rows = r->match->rows;
    clear_blocks(r);
    if (n == 0) {
        if (rows == PLAN_MATCH_ALL_OMIT_EMPTY) return BASE_OK;
        return add_output(r, r->start, 0, 0, r->number);
    }
    base_rc rc = add_rows(r, true, 0, n);
    if (rc == BASE_OK && rows == PLAN_MATCH_ONE_ROW) {
        rc = add_rows(r, false, 0, n);
        return rc == BASE_OK ? add_output(r, r->start, n, n, r->number) : rc;
    }
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        rc = add_rows(r, false, i, i + 1);
        if (rc == BASE_OK && !r->hidden[i]) rc = add_output(r, r->start + i, i + 1, n, r->number);
    }
    return rc;
}

static base_rc output_unmatched(run *r, uint32_t position) {
    if (r->match->rows != PLAN_MATCH_ALL_UNMATCHED) return BASE_OK;
    clear_mapping(r, position);
    clear_blocks(r);
    return add_output(r, position, 0, 0, 0);
}

static void classifier_column(run *r, const plan_match_slot *slot, col_vec *vec) {
    const uint32_t *from = slot->final ? r->finals : r->classifiers;
    col_vec_init(vec, r->ctx->arena, slot->type, r->nout);
    for (uint32_t i = 0; i < r->nout; i++) {
        if (from[i] == NO_ROW)
            col_vec_set_null(vec, r->ctx->arena, i);
        else
            col_str(vec)[i] = base_str_of(r->match->variables[from[i]]);
    }
}

static void number_column(run *r, const plan_match_slot *slot, col_vec *vec) {
    col_vec_init(vec, r->ctx->arena, slot->type, r->nout);
    if (slot->type.kind != COL_INT8) return; // a slot that nothing uses
    for (uint32_t i = 0; i < r->nout; i++) {
        col_i64(vec)[i] = r->numbers[i];
        if (r->numbers[i] == 0) col_vec_set_null(vec, r->ctx->arena, i);
    }
}

// ------------------------------------------------------------------------------------ the scan

// Where the search goes on after a match; false: the match says "at its own first row", which would
// never end.
static bool next_start(run *r, uint32_t *start) {
    const plan_match *match = r->match;
    uint32_t after = r->start + r->nmapped;
    *start = r->nmapped == 0 ? r->start + 1 : after;
    if (r->nmapped == 0 || match->skip == PLAN_MATCH_SKIP_PAST_LAST) return true;
    if (match->skip == PLAN_MATCH_SKIP_TO_NEXT) {
        *start = r->start + 1;
        return true;
    }
    plan_match_slot slot = {.variables = match->skip_variables,
                            .first = match->skip == PLAN_MATCH_SKIP_TO_FIRST};
    uint32_t at = find_row(r, &slot, r->nmapped);
    if (at == NO_ROW || at == r->start) {
        *start = r->start + 1;
        return false;
    }
    *start = at;
    return true;
}

static base_rc skip_failed(run *r, uint32_t position) {
    base_error failure;
    base_fail(&failure, BASE_E_INVALID, "2201E",
              "AFTER MATCH SKIP leads to the first row of the match, or to no row of it");
    if (is_tolerant(r)) {
        report(r, position, &failure);
        return BASE_OK;
    }
    *r->err = failure;
    return failure.code;
}

// A place may come while partial matches are still looked for behind it: where their time is
// limited, they are settled by the first row that is too late for them.
static void note_place(run *r, uint32_t next) {
    if (next == 0 || r->seen >= r->input->n) return;
    if (r->nplaces == r->places_cap) {
        uint32_t cap = r->places_cap == 0 ? 16 : r->places_cap * 2;
        r->places = grown(r->ctx->arena, r->places, sizeof *r->places, r->nplaces, cap);
        r->places_cap = cap;
    }
    uint32_t seen = r->seen >= next ? r->seen : next - 1;
    r->places[r->nplaces++] = (match_place){next - 1, seen, r->nout, r->number - 1};
}

// Forgets where ways have failed: of the rows that have been come to since it last did.
static void clear_memo(run *r) {
    if (r->memo == NULL || r->memo_first > r->memo_last) return;
    size_t begin = (size_t)r->memo_first * r->match->nops / 8;
    size_t end = ((size_t)(r->memo_last + 1) * r->match->nops + 7) / 8;
    memset(r->memo + begin, 0, end - begin);
    r->memo_first = NO_ROW;
    r->memo_last = 0;
}

static base_rc scan(run *r) {
    base_rc rc = BASE_OK;
    uint32_t start = r->input->from,
             covered = start; // rows before `covered` are in a match or told
    while (rc == BASE_OK && start < r->input->n) {
        rc = flow_poll(r->plan->op->graph, r->ctx, r->err);
        bool found = false;
        // Where one start has failed another fails too; but not with the time counted from it.
        if (r->times != NULL) clear_memo(r);
        if (rc == BASE_OK) rc = find_match(r, start, &found);
        if (rc != BASE_OK) return rc;
        uint32_t next = start + 1;
        if (found) {
            clear_memo(r);
            rc = output_match(r);
            uint32_t end = r->start + r->nmapped;
            bool ok = next_start(r, &next);
            if (end > covered) covered = end;
            r->number++;
            if (rc == BASE_OK && !ok) rc = skip_failed(r, start);
        }
        for (; rc == BASE_OK && covered < next; covered++)
            if (!found) rc = output_unmatched(r, covered);
        start = next;
        // A row that is in a match from before the place is not to be told as in none from there.
        if (covered <= start || r->match->rows != PLAN_MATCH_ALL_UNMATCHED) note_place(r, start);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ entry

static base_rc prepare_aggregate(run *r, uint32_t s, const plan_agg *agg) {
    const col_batch *batch = r->input->batch;
    base_error first;
    base_error_clear(&first);
    col_func_ctx func;
    flow_func_ctx(&func, r->ctx, is_tolerant(r) ? &first : r->err);
    if (is_tolerant(r)) func.failed = base_arena_zalloc(r->ctx->arena, batch->nrows + 1u);
    base_rc rc = BASE_OK;
    if (agg->arg != NULL) rc = plan_eval(agg->arg, batch, &func, &r->values[s]);
    if (rc == BASE_OK && agg->filter != NULL)
        rc = plan_eval(agg->filter, batch, &func, &r->filters[s]);
    if (rc != BASE_OK) {
        if (is_tolerant(r)) *r->err = first;
        return rc;
    }
    r->failed[s] = first.code != BASE_OK ? func.failed : NULL;
    for (uint32_t i = r->input->from; r->failed[s] != NULL && i < r->input->n; i++)
        if (r->failed[s][r->input->rows[i]]) report(r, i, &first);
    return BASE_OK;
}

static base_rc prepare_aggregates(run *r) {
    const plan_match *match = r->match;
    base_arena *arena = r->ctx->arena;
    r->values = base_arena_array(arena, const col_vec *, match->nslots + 1u);
    r->filters = base_arena_array(arena, const col_vec *, match->nslots + 1u);
    r->failed = base_arena_array(arena, uint8_t *, match->nslots + 1u);
    r->blocks = base_arena_array(arena, char *, match->nslots + 1u);
    for (uint32_t s = 0; s < match->nslots; s++) {
        const plan_match_slot *slot = &match->slots[s];
        if (slot->kind != PLAN_MATCH_AGGREGATE) continue;
        r->blocks[s] = base_arena_zalloc(arena, r->plan->accs[s].offset + r->plan->accs[s].size);
        base_rc rc = prepare_aggregate(r, s, slot->agg);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static void prepare_times(run *r) {
    if (r->match->within_us == 0) return;
    const col_vec *column = &r->input->batch->cols[r->match->order[0].column];
    int64_t *times = base_arena_alloc(r->ctx->arena, sizeof *times * (r->input->n + 1u));
    for (uint32_t i = 0; i < r->input->n; i++) {
        uint32_t row = r->input->rows[i];
        times[i] = col_is_null(column, row) ? INT64_MAX : col_i64(column)[row];
    }
    r->times = times;
}

static base_rc prepare(run *r) {
    const plan_match *match = r->match;
    base_arena *arena = r->ctx->arena;
    uint32_t n = r->input->n;
    r->variable = base_arena_alloc(arena, n + 1u);
    r->hidden = base_arena_array(arena, bool, n + 1u);
    r->before = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    r->loops = base_arena_array(arena, uint32_t, match->nloops + 1u);
    r->sources = base_arena_array(arena, uint32_t *, match->nslots + 1u);
    r->aggregates = base_arena_array(arena, col_vec *, match->nslots + 1u);
    r->holds = base_arena_array(arena, uint8_t *, match->nvariables + 1u);
    size_t memo_bytes = ((size_t)(n + 1) * match->nops + 7) / 8;
    if (r->plan->memo && memo_bytes <= MEMO_BYTES) r->memo = base_arena_zalloc(arena, memo_bytes);
    prepare_times(r);
    base_rc rc = prepare_aggregates(r);
    for (uint32_t v = 0; v < match->nvariables && rc == BASE_OK; v++)
        if (r->plan->simple[v] && match->define[v] != NULL) rc = evaluate_all(r, v);
    return rc;
}

base_rc match_output(const match_found *found, uint32_t nout, const col_batch **out,
                     base_error *err) {
    run *r = found->search;
    must(nout <= found->nout);
    *out = NULL;
    if (nout == 0) return BASE_OK;
    const plan_match *match = r->match;
    base_arena *arena = r->ctx->arena;
    r->nout = nout;
    r->err = err;
    col_batch *slots = base_arena_new(arena, col_batch);
    *slots = (col_batch){match->nslots, r->nout,
                         base_arena_array(arena, col_vec, match->nslots + 1u), NULL};
    for (uint32_t s = 0; s < match->nslots; s++) {
        const plan_match_slot *slot = &match->slots[s];
        col_vec *vec = &slots->cols[s];
        if (slot->kind == PLAN_MATCH_CLASSIFIER) {
            classifier_column(r, slot, vec);
        } else if (slot->kind == PLAN_MATCH_NUMBER) {
            number_column(r, slot, vec);
        } else if (slot->kind == PLAN_MATCH_AGGREGATE) {
            *vec = *r->aggregates[s];
            vec->n = r->nout;
        } else {
            *vec = *col_vec_gather_outer(arena, &r->input->batch->cols[slot->column], r->sources[s],
                                         r->nout);
        }
    }
    flow_ctx quiet = *r->ctx;
    flow_hooks hooks = {0};
    if (r->ctx->hooks != NULL) hooks = *r->ctx->hooks;
    if (r->ctx->hooks != NULL) quiet.hooks = &hooks;
    const col_batch *rows;
    const col_vec **columns = base_arena_array(arena, const col_vec *, r->plan->ncolumns + 1u);
    base_rc rc = flow_eval(r->plan->op, r->input->reports ? r->ctx : &quiet, slots,
                           r->plan->ncolumns, match->outputs, NULL, &rows, columns, r->err);
    if (rc != BASE_OK) return rc;
    col_batch *result = base_arena_new(arena, col_batch);
    *result = (col_batch){r->plan->ncolumns, rows->nrows,
                          base_arena_array(arena, col_vec, r->plan->ncolumns + 1u), NULL};
    for (uint32_t i = 0; i < r->plan->ncolumns; i++) result->cols[i] = *columns[i];
    *out = result;
    return BASE_OK;
}

base_rc match_run(const match_plan *plan, flow_ctx *ctx, const match_input *input, match_found *out,
                  base_error *err) {
    run *r = base_arena_new(ctx->arena, run);
    *r = (run){.plan = plan,
               .match = plan->match,
               .ctx = ctx,
               .input = input,
               .err = err,
               .number = input->matched + 1,
               .seen = input->seen,
               .memo_first = NO_ROW};
    *out = (match_found){0};
    if (input->n == 0) return BASE_OK;
    base_arena_init(&r->scratch, 4096);
    base_rc rc = prepare(r);
    if (rc == BASE_OK) rc = scan(r);
    base_arena_deinit(&r->scratch);
    *out = (match_found){r->nout, r->nplaces, r->places, r->any_failed, r};
    return rc;
}
