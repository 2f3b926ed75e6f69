// consolidate.c - the normal form of a Z-set: each row once, no weight 0. Rule: group by all
// columns and, where equal rows may differ (spelling.c), their tags, add the weights up, keep the
// first row of each group whose sum is not 0, in order of appearance.
#include "base/must.h"
#include "col/kernel.h"

// The batch with its tags as one more column, if there are any that differ.
static const col_batch *with_tags(base_arena *arena, const col_batch *batch, const uint32_t *all) {
    const col_vec *tags = col_tags(arena, batch, batch->ncols, all, NULL);
    if (tags == NULL) return batch;
    const int64_t *tag = tags->data;
    bool differ = false;
    for (uint32_t i = 1; i < batch->nrows; i++) differ |= tag[i] != tag[0];
    if (!differ) return batch;
    col_batch *tagged = base_arena_new(arena, col_batch);
    *tagged = (col_batch){batch->ncols + 1, batch->nrows,
                          base_arena_array(arena, col_vec, batch->ncols + 1u), NULL};
    memcpy(tagged->cols, batch->cols, sizeof(col_vec) * batch->ncols);
    tagged->cols[batch->ncols] = *tags;
    return tagged;
}

col_batch *col_consolidate(base_arena *arena, const col_batch *batch) {
    uint32_t n = batch->nrows;
    if (n == 0) return col_batch_with_weights(arena, batch, NULL);
    uint32_t *keys = base_arena_alloc(arena, 4 * (size_t)(batch->ncols + 1));
    for (uint32_t i = 0; i <= batch->ncols; i++) keys[i] = i;
    uint32_t *group_of = base_arena_alloc(arena, 4 * (size_t)n);
    uint32_t *first_row, ngroups;
    const col_batch *told = with_tags(arena, batch, keys);
    col_group(arena, told, told->ncols, keys, group_of, &first_row, &ngroups);
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
