// group.c - grouping by hash: rows to group numbers in order of first appearance.
//
// Method: hash all rows (hash.c), find groups in a flat table by the 64-bit hash alone, then verify
// a column at a time that each row equals the first row of its group. With 64-bit hashes the check
// finds a difference practically never; if it does, the batch is grouped again with full
// comparison. One key of integers without nulls needs no check, its hash being a bijection. The
// table starts small and doubles, so it stays in cache when groups are few. Invariants: slots is a
// power of two and at most half full; a slot with group 0 is free. Entry point: col_group().
#include "base/must.h"
#include "col/col_int.h"
#include "col/kernel.h"

#define FIRST_SLOTS 1024u

typedef struct slot {
    uint64_t hash;
    uint32_t group; // number + 1; 0: free
    uint32_t reserved;
} slot;

typedef struct table {
    base_arena *arena;
    slot *slots;
    uint32_t mask;
    uint32_t ngroups;
    uint32_t room; // of first_row
    uint32_t *first_row;
} table;

static void table_init(table *t, base_arena *arena, uint32_t nslots) {
    *t = (table){.arena = arena, .mask = nslots - 1, .room = nslots / 2};
    t->slots = base_arena_array(arena, slot, nslots);
    t->first_row = base_arena_alloc(arena, 4 * (size_t)t->room);
}

static void table_double(table *t) {
    uint32_t old_n = t->mask + 1;
    must(old_n <= UINT32_MAX / 2);
    slot *old = t->slots;
    t->slots = base_arena_array(t->arena, slot, (size_t)old_n * 2);
    t->mask = old_n * 2 - 1;
    for (uint32_t i = 0; i < old_n; i++) {
        if (old[i].group == 0) continue;
        uint32_t at = (uint32_t)old[i].hash & t->mask;
        while (t->slots[at].group != 0) at = (at + 1) & t->mask;
        t->slots[at] = old[i];
    }
    uint32_t *first_row = base_arena_alloc(t->arena, 4 * (size_t)t->room * 2);
    memcpy(first_row, t->first_row, 4 * (size_t)t->room);
    t->first_row = first_row;
    t->room *= 2;
}

static uint32_t table_add(table *t, uint32_t at, uint64_t hash, uint32_t row) {
    uint32_t group = t->ngroups++;
    t->first_row[group] = row;
    t->slots[at] = (slot){hash, group + 1, 0};
    if (t->ngroups == t->room) table_double(t);
    return group;
}

// Groups by hash alone.
static void group_by_hash(table *t, const uint64_t *hashes, uint32_t n, uint32_t *group_of) {
    for (uint32_t i = 0; i < n; i++) {
        uint64_t hash = hashes[i];
        uint32_t at = (uint32_t)hash & t->mask;
        for (;;) {
            const slot *s = &t->slots[at];
            if (s->group == 0) {
                group_of[i] = table_add(t, at, hash, i);
                break;
            }
            if (s->hash == hash) {
                group_of[i] = s->group - 1;
                break;
            }
            at = (at + 1) & t->mask;
        }
    }
}

static void group_by_rows(table *t, const col_batch *batch, uint32_t nkeys, const uint32_t *keys,
                          const uint64_t *hashes, uint32_t *group_of) {
    for (uint32_t i = 0; i < batch->nrows; i++) {
        uint64_t hash = hashes[i];
        uint32_t at = (uint32_t)hash & t->mask;
        for (;;) {
            const slot *s = &t->slots[at];
            if (s->group == 0) {
                group_of[i] = table_add(t, at, hash, i);
                break;
            }
            if (s->hash == hash &&
                col_rows_equal(batch, i, batch, t->first_row[s->group - 1], nkeys, keys, keys)) {
                group_of[i] = s->group - 1;
                break;
            }
            at = (at + 1) & t->mask;
        }
    }
}

#define VERIFY_LOOP(cell, differs)                                                                 \
    {                                                                                              \
        const cell *restrict in = vec->data;                                                       \
        bool bad = false;                                                                          \
        if (vec->nulls == NULL) {                                                                  \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                uint32_t f = first_row[group_of[i]];                                               \
                bad |= (differs);                                                                  \
            }                                                                                      \
        } else {                                                                                   \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                uint32_t f = first_row[group_of[i]];                                               \
                bad |= vec->nulls[i] != vec->nulls[f] || (vec->nulls[i] == 0 && (differs));        \
            }                                                                                      \
        }                                                                                          \
        return !bad;                                                                               \
    }

static inline bool decimals_equal(const base_decimal *a, const base_decimal *b) {
    if (a->scale == b->scale) return a->lo == b->lo && a->hi == b->hi;
    return base_decimal_cmp(*a, *b) == 0;
}

// Whether every row has in vec the value of its group's first row.
static bool verify(const col_vec *vec, uint32_t n, const uint32_t *restrict group_of,
                   const uint32_t *restrict first_row) {
    switch (col_storage_of(vec)) {
    case COL_ST_NONE:
        return true;
    case COL_ST_U8:
        VERIFY_LOOP(uint8_t, in[i] != in[f])
    case COL_ST_I16:
        VERIFY_LOOP(int16_t, in[i] != in[f])
    case COL_ST_I32:
    case COL_ST_U32:
        VERIFY_LOOP(uint32_t, in[i] != in[f])
    case COL_ST_I64:
        VERIFY_LOOP(int64_t, in[i] != in[f])
    case COL_ST_F32:
        VERIFY_LOOP(float, col_f32_bits(in[i]) != col_f32_bits(in[f]))
    case COL_ST_F64:
        VERIFY_LOOP(double, col_f64_bits(in[i]) != col_f64_bits(in[f]))
    case COL_ST_DEC:
        VERIFY_LOOP(base_decimal, !decimals_equal(&in[i], &in[f]))
    case COL_ST_STR:
        VERIFY_LOOP(base_str, !base_str_eq(in[i], in[f]))
    default:
        for (uint32_t i = 0; i < n; i++) {
            if (!col_cells_equal(vec, i, vec, first_row[group_of[i]])) return false;
        }
        return true;
    }
}

// Whether equal hashes mean equal rows.
static bool hash_is_exact(const col_batch *batch, uint32_t nkeys, const uint32_t *keys) {
    if (nkeys != 1 || batch->cols[keys[0]].nulls != NULL) return nkeys == 0;
    switch (col_storage_of(&batch->cols[keys[0]])) {
    case COL_ST_U8:
    case COL_ST_I16:
    case COL_ST_I32:
    case COL_ST_U32:
    case COL_ST_I64:
        return true;
    default:
        return false;
    }
}

void col_group(base_arena *arena, const col_batch *batch, uint32_t nkeys, const uint32_t *keys,
               uint32_t *group_of, uint32_t **first_row, uint32_t *ngroups) {
    uint32_t n = batch->nrows;
    must(n <= 1u << 30);
    uint64_t *hashes = base_arena_alloc(arena, 8 * (size_t)n);
    col_hash(batch, nkeys, keys, hashes);
    // No more slots to begin with than twice the rows need.
    uint32_t nslots = 16;
    while (nslots < FIRST_SLOTS && nslots / 2 <= n) nslots *= 2;
    table t;
    table_init(&t, arena, nslots);
    group_by_hash(&t, hashes, n, group_of);
    bool good = true;
    if (!hash_is_exact(batch, nkeys, keys)) {
        for (uint32_t k = 0; good && k < nkeys; k++) {
            good = verify(&batch->cols[keys[k]], n, group_of, t.first_row);
        }
    }
    if (!good) {
        table_init(&t, arena, nslots);
        group_by_rows(&t, batch, nkeys, keys, hashes, group_of);
    }
    *first_row = t.first_row;
    *ngroups = t.ngroups;
}
