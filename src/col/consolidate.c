// consolidate.c - the normal form of a Z-set: each row once, no weight 0. Rule: group by all
// columns, add the weights up, keep the first row of each group whose sum is not 0, in order of
// appearance.
#include "base/must.h"
#include "col/kernel.h"

col_batch *col_consolidate(base_arena *arena, const col_batch *batch) {
    uint32_t n = batch->nrows;
    if (n == 0) return col_batch_with_weights(arena, batch, NULL);
    uint32_t *keys = base_arena_alloc(arena, 4 * (size_t)batch->ncols);
    for (uint32_t i = 0; i < batch->ncols; i++) keys[i] = i;
    uint32_t *group_of = base_arena_alloc(arena, 4 * (size_t)n);
    uint32_t *first_row, ngroups;
    col_group(arena, batch, batch->ncols, keys, group_of, &first_row, &ngroups);
    int64_t *sums = base_arena_array(arena, int64_t, ngroups);
    for (uint32_t i = 0; i < n; i++) {
        sums[group_of[i]] = (int64_t)((uint64_t)sums[group_of[i]] + (uint64_t)col_weight(batch, i));
    }
    uint32_t kept = 0;
    bool all_one = true;
    for (uint32_t g = 0; g < ngroups; g++) {
        if (sums[g] == 0) continue;
        all_one &= sums[g] == 1;
        first_row[kept] = first_row[g];
        sums[kept++] = sums[g];
    }
    const int64_t *weights = all_one ? NULL : sums;
    if (kept == n) return col_batch_with_weights(arena, batch, weights);
    // The weights are the sums, not those of the first rows: gather the columns alone.
    col_batch *columns = col_batch_with_weights(arena, batch, NULL);
    return col_batch_with_weights(arena, col_batch_gather(arena, columns, first_row, kept),
                                  weights);
}
