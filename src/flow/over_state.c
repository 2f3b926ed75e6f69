// over_state.c - running states of window functions: how many rows and groups of peers there have
// been, the accumulators of running aggregates, the first value. As marks of a partition they are a
// disk format: a version, rows, groups, then a function each what it has.
// Entry points: over_state_encode, over_state_decode.
#include "flow/over.h"

#define STATE_VERSION 1

void over_state_init(const over_plan *plan, base_arena *arena, over_state *state) {
    *state = (over_state){.blocks = base_arena_zalloc(arena, plan->blocks_size + 1u),
                          .firsts = base_arena_array(arena, col_vec, plan->nfuncs)};
}

static bool has_block(const over_func *func) {
    return func->def->id == PLAN_OVER_AGGREGATE &&
           func->def->frame.start == PLAN_BOUND_UNBOUNDED_PRECEDING;
}

static bool has_first(const over_func *func) {
    return func->def->id == PLAN_OVER_FIRST_VALUE;
}

void over_state_copy_func(const over_plan *plan, uint32_t i, over_state *to, const char *block,
                          const col_vec *first, base_arena *arena) {
    const over_func *func = &plan->funcs[i];
    if (block != NULL) memcpy(to->blocks + func->block_at, block, func->block_size);
    if (first != NULL && first->n > 0) {
        const uint32_t zero = 0;
        to->firsts[i] = *col_vec_gather(arena, first, &zero, 1);
    }
}

bool over_state_storable(const over_plan *plan) {
    for (uint32_t i = 0; i < plan->nfuncs; i++) {
        const over_func *func = &plan->funcs[i];
        if (has_block(func) && over_is_list(&func->spec)) return false;
    }
    return true;
}

static bool blocks_equal(const over_func *func, const over_state *a, const over_state *b) {
    char *x = a->blocks + func->block_at, *y = b->blocks + func->block_at;
    if (!func->spec.string) return memcmp(x, y, func->block_size) == 0;
    if (memcmp(x, y, sizeof(int64_t)) != 0) return false;
    bool has = acc_has(&func->spec, x);
    if (has != acc_has(&func->spec, y)) return false;
    return !has || base_str_eq(*acc_string(&func->spec, x), *acc_string(&func->spec, y));
}

bool over_state_equal(const over_plan *plan, const over_state *a, const over_state *b) {
    if (a->rows != b->rows || a->groups != b->groups) return false;
    for (uint32_t i = 0; i < plan->nfuncs; i++) {
        const over_func *func = &plan->funcs[i];
        if (has_block(func) && !blocks_equal(func, a, b)) return false;
        if (!has_first(func)) continue;
        if (a->firsts[i].n != b->firsts[i].n) return false;
        if (a->firsts[i].n > 0 && !col_cells_same(&a->firsts[i], 0, &b->firsts[i], 0)) return false;
    }
    return true;
}

void over_state_encode(const over_plan *plan, const over_state *state, base_buf *buf) {
    base_buf_add_byte(buf, STATE_VERSION);
    base_buf_add_u64le(buf, (uint64_t)state->rows);
    base_buf_add_u64le(buf, (uint64_t)state->groups);
    for (uint32_t i = 0; i < plan->nfuncs; i++) {
        const over_func *func = &plan->funcs[i];
        if (has_block(func)) {
            char *block = state->blocks + func->block_at;
            size_t begin = buf->n;
            base_buf_add(buf, block, func->block_size);
            if (func->spec.string && acc_has(&func->spec, block)) {
                base_str s = *acc_string(&func->spec, block);
                memset(buf->p + begin + func->spec.offset, 0, sizeof s); // no addresses on disk
                base_buf_add_u32le(buf, (uint32_t)s.n);
                base_buf_add_str(buf, s);
            }
        }
        if (has_first(func)) {
            base_buf_add_byte(buf, state->firsts[i].n > 0);
            if (state->firsts[i].n > 0) col_cell_encode(buf, &state->firsts[i], 0);
        }
    }
}

static base_rc corrupt(base_error *err) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "a stored state of a window does not fit");
}

static base_rc decode_block(const over_func *func, base_str bytes, size_t *at, base_arena *arena,
                            char *block, base_error *err) {
    if (bytes.n - *at < func->block_size) return corrupt(err);
    memcpy(block, bytes.p + *at, func->block_size);
    *at += func->block_size;
    if (!func->spec.string || !acc_has(&func->spec, block)) return BASE_OK;
    uint32_t n;
    if (bytes.n - *at < sizeof n) return corrupt(err);
    memcpy(&n, bytes.p + *at, sizeof n);
    *at += sizeof n;
    if (bytes.n - *at < n) return corrupt(err);
    *acc_string(&func->spec, block) = (base_str){base_arena_memdup(arena, bytes.p + *at, n), n};
    *at += n;
    return BASE_OK;
}

base_rc over_state_decode(const over_plan *plan, base_str bytes, base_arena *arena,
                          over_state *state, base_error *err) {
    over_state_init(plan, arena, state);
    if (bytes.n == 0) return BASE_OK; // the start of the partition
    size_t at = 1 + 2 * sizeof(int64_t);
    if (bytes.n < at || bytes.p[0] != STATE_VERSION) return corrupt(err);
    memcpy(&state->rows, bytes.p + 1, sizeof state->rows);
    memcpy(&state->groups, bytes.p + 1 + sizeof(int64_t), sizeof state->groups);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < plan->nfuncs && rc == BASE_OK; i++) {
        const over_func *func = &plan->funcs[i];
        if (has_block(func)) {
            rc = decode_block(func, bytes, &at, arena, state->blocks + func->block_at, err);
        }
        if (rc != BASE_OK || !has_first(func)) continue;
        if (at == bytes.n) return corrupt(err);
        if (bytes.p[at++] == 0) continue;
        col_vec_init(&state->firsts[i], arena, func->def->type, 1);
        rc = col_cell_decode(bytes, &at, &state->firsts[i], 0, arena, err);
    }
    return rc;
}
