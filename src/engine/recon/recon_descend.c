// recon_descend.c - where two sets of keys differ, without moving them: digests of ranges are
// compared, and only ranges that differ are cut into smaller ones, until they are small enough to
// be read. (Anti-entropy by a tree of digests: Merkle 1987; range-based set reconciliation: Meyer
// 2023. Here one side is a database that is asked by SQL, so a level of the tree is one statement
// over all ranges that still differ, and nothing of the tree is kept.)
//
// Ranges are cut where weir's own keys lie, so that each has about as many of them; where weir has
// next to none, into equal widths. Positions that are the key's own values (an index serves each
// level) go down in small steps, which moves least; positions that are hashes cost the book a pass
// over its rows a level, and go down in large ones.
//
// Invariants: the ranges of a level are disjoint and ascend; each level's are strictly smaller than
// those that they come of; a row of either side is in exactly one range that agreed or was read.
// Entry point: recon_take_stream.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/recon/canon.h"
#include "engine/recon/recon_int.h"

#define LEAF_ROWS       64u    // a range with so few is read
#define ROWS_FOR_A_PASS 30000u // read rather than asked for by another pass over the book
#define LEVELS_MAX      70u
#define RANGES_KEPT_MAX (1u << 20) // beyond, all that differ are read

// At most; fewer where ranges would come below a leaf's rows.
static const struct {
    uint32_t first, next;
} fanouts[] = {{4096, 64}, {256, 16}}; // by hash, by value

static uint32_t fanout_of(uint64_t rows, uint32_t most) {
    uint64_t wanted = rows / LEAF_ROWS + 1;
    return wanted < 2 ? 2 : wanted < most ? (uint32_t)wanted : most;
}

typedef struct node {
    engine_book_range range;
    recon_span span; // weir's entries in it
    uint64_t book_rows;
} node;

typedef struct nodes {
    node *items;
    uint32_t n, cap;
} nodes;

typedef struct descent {
    engine_recon *x;
    const recon_entries *entries;
    int64_t settled_us;
    nodes level, next, leaves;
} descent;

static void add_node(nodes *list, node item) {
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 256 : list->cap * 2;
        list->items = realloc(list->items, list->cap * sizeof *list->items);
        must(list->items != NULL);
    }
    list->items[list->n++] = item;
}

// The first entry of the span whose position is not below pos.
static uint64_t lower_bound(const recon_entries *entries, recon_span span, int64_t pos) {
    uint64_t lo = span.from, hi = span.to;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (entries->items[mid].pos < pos)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

// Cuts a range into at most `fanout` and adds them to the list.
static void cut(descent *d, const node *of, uint32_t fanout, nodes *list) {
    uint64_t n = of->span.to - of->span.from;
    bool by_width = n < fanout * 2ull;
    uint64_t width = (uint64_t)of->range.to - (uint64_t)of->range.from;
    int64_t from = of->range.from;
    uint64_t entry = of->span.from;
    for (uint32_t i = 1; i <= fanout; i++) {
        // The first position of the range after this one; the last ends where the whole does.
        bool last = i == fanout;
        int64_t next = 0;
        if (!last && by_width) {
            uint64_t step = width / fanout;
            if (step == 0) step = 1;
            if (step > width / i) { // past the end
                last = true;
            } else {
                next = (int64_t)((uint64_t)of->range.from + step * i);
            }
        } else if (!last) {
            next = d->entries->items[of->span.from + n * i / fanout].pos;
        }
        if (!last && next <= from) continue; // one position takes more than its share
        node item = {.range = {from, last ? of->range.to : next - 1}};
        uint64_t end =
            last ? of->span.to : lower_bound(d->entries, (recon_span){entry, of->span.to}, next);
        item.span = (recon_span){entry, end};
        add_node(list, item);
        if (last) return;
        from = next;
        entry = end;
    }
}

// weir's side of a range: what counts, is compared and is old enough. *single: no key is there
// twice. If one is, the range is read even if the book has it twice too: it is a finding.
static engine_book_digest digest_of(const descent *d, recon_span span, bool *single) {
    engine_book_digest out = {0};
    const recon_entry *last = NULL;
    *single = true;
    for (uint64_t i = span.from; i < span.to; i++) {
        const recon_entry *e = &d->entries->items[i];
        if ((e->place & 1) == 0 || (e->place & 2) != 0) continue;
        *single = *single && (last == NULL || last->pos != e->pos || last->key2 != e->key2);
        last = e;
        out.rows++;
        out.sum += e->sum;
    }
    return out;
}

static void count_young(descent *d, recon_span span) {
    for (uint64_t i = span.from; i < span.to; i++)
        if ((d->entries->items[i].place & 3) == 3) d->x->run->young++;
}

static bool is_leaf(const node *item) {
    uint64_t n = item->span.to - item->span.from;
    return (n <= LEAF_ROWS && item->book_rows <= LEAF_ROWS) || item->range.from == item->range.to;
}

// Those of `level` that differ: small ones to leaves, the others stay in `level`.
static base_rc compare_level(descent *d, uint64_t *differing_rows, base_error *err) {
    engine_book *book = d->x->book;
    uint32_t most = ENGINE_BOOK_RANGES_MAX, kept = 0;
    engine_book_range *asked = malloc(most * sizeof *asked);
    engine_book_digest *theirs = malloc(most * sizeof *theirs);
    must(asked != NULL && theirs != NULL);
    *differing_rows = 0;
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; rc == BASE_OK && at < d->level.n; at += most) {
        uint32_t n = d->level.n - at < most ? d->level.n - at : most;
        for (uint32_t i = 0; i < n; i++) asked[i] = d->level.items[at + i].range;
        memset(theirs, 0, n * sizeof *theirs);
        rc = book->ops->digest(book, n, asked, d->settled_us, theirs, err);
        for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
            node item = d->level.items[at + i];
            bool single;
            engine_book_digest ours = digest_of(d, item.span, &single);
            item.book_rows = theirs[i].rows;
            if (single && ours.rows == theirs[i].rows && ours.sum == theirs[i].sum) {
                d->x->run->matched += ours.rows;
                d->x->run->view_rows += ours.rows;
                d->x->run->record_rows += ours.rows;
                count_young(d, item.span);
            } else if (is_leaf(&item)) {
                add_node(&d->leaves, item);
            } else {
                *differing_rows += theirs[i].rows;
                d->level.items[kept++] = item;
            }
        }
    }
    if (rc == BASE_OK) d->level.n = kept;
    free(asked);
    free(theirs);
    return rc;
}

static base_rc descend(descent *d, base_error *err) {
    bool by_value = d->x->book->by_value;
    node all = {.range = {INT64_MIN, INT64_MAX}, .span = {0, d->entries->n}};
    if (!by_value) all.range = (engine_book_range){0, (1ll << 60) - 1};
    cut(d, &all, fanout_of(d->entries->n, fanouts[by_value].first), &d->level);
    for (uint32_t depth = 0; d->level.n > 0; depth++) {
        uint64_t differing;
        base_rc rc = compare_level(d, &differing, err);
        if (rc != BASE_OK) return rc;
        uint64_t rows = d->x->run->record_rows + differing;
        // Where most rows are in ranges that differ, more digests would move more than the rows;
        // and where a level is a pass over the book, a few rows too many are cheaper.
        bool read_all = depth + 1 == LEVELS_MAX || d->leaves.n + d->level.n > RANGES_KEPT_MAX ||
                        (depth > 0 && differing > rows / 2) ||
                        (!by_value && differing <= ROWS_FOR_A_PASS);
        d->next.n = 0;
        for (uint32_t i = 0; i < d->level.n; i++) {
            const node *item = &d->level.items[i];
            uint64_t n = item->span.to - item->span.from;
            if (n < item->book_rows) n = item->book_rows;
            if (read_all)
                add_node(&d->leaves, *item);
            else
                cut(d, item, fanout_of(n, fanouts[by_value].next), &d->next);
        }
        nodes done = d->level;
        d->level = d->next;
        d->next = done;
    }
    return BASE_OK;
}

static int by_range(const void *a, const void *b) {
    const node *x = a, *y = b;
    return (x->range.from > y->range.from) - (x->range.from < y->range.from);
}

// Both sides' rows of the leaves.
static base_rc read_leaves(descent *d, recon_side *weir, recon_side *book, base_error *err) {
    uint32_t n = d->leaves.n, most = ENGINE_BOOK_RANGES_MAX;
    if (n > 0) qsort(d->leaves.items, n, sizeof *d->leaves.items, by_range);
    engine_book_range *ranges = malloc((n + 1) * sizeof *ranges);
    recon_span *spans = malloc((n + 1) * sizeof *spans);
    must(ranges != NULL && spans != NULL);
    for (uint32_t i = 0; i < n; i++) {
        ranges[i] = d->leaves.items[i].range;
        spans[i] = d->leaves.items[i].span;
    }
    base_rc rc = n == 0 ? BASE_OK : recon_take_events(d->x, d->entries, n, spans, weir, err);
    for (uint32_t at = 0; rc == BASE_OK && at < n; at += most)
        rc = recon_take_book(d->x, book, n - at < most ? n - at : most, ranges + at, err);
    free(ranges);
    free(spans);
    return rc;
}

// Whether equal digests say that rows agree: all that is compared has a canonical text, and none
// has a tolerance.
static bool can_digest(const engine_recon *x) {
    if (!x->book->digests) return false;
    for (uint32_t i = 0; i < x->r->nrecon_key + x->r->ncompare; i++)
        if (!engine_canon_has(engine_recon_column(x->r, i)->type.kind)) return false;
    for (uint32_t i = 0; i < x->r->ncompare; i++)
        if (base_decimal_sign(x->r->compare[i].tolerance) != 0) return false;
    return true;
}

base_rc recon_take_stream(engine_recon *x, recon_side *weir, recon_side *book, base_error *err) {
    recon_entries entries;
    bool digests = can_digest(x);
    base_rc rc = recon_entries_make(x, digests && x->book->by_value, &entries, err);
    if (rc != BASE_OK) return rc;
    if (digests) {
        descent d = {.x = x, .entries = &entries};
        d.settled_us = x->r->settle_column >= 0 ? x->settled_us : INT64_MAX;
        rc = descend(&d, err);
        if (rc == BASE_OK) rc = read_leaves(&d, weir, book, err);
        free(d.level.items);
        free(d.next.items);
        free(d.leaves.items);
    } else {
        recon_span all = {0, entries.n};
        rc = recon_take_events(x, &entries, 1, &all, weir, err);
        if (rc == BASE_OK) rc = recon_take_book(x, book, 0, NULL, err);
    }
    recon_entries_close(&entries);
    return rc;
}
