// recon_sort.c - the external sort of recon_sort.h.
//
// An entry in memory and in a file is key length, value length (4 bytes each, the machine's order:
// the files live as long as the process), key, value. In memory, entries stand in one block in the
// order of adding, and beside it an array of their places with the first eight bytes of their keys,
// which decide most comparisons. Runs are merged through a heap of their first entries; equal keys
// come from the run that was written first. Entry points: recon_sorter_add, recon_sorter_next.

#include "engine/recon/recon_sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define RUNS_MAX     1024u
#define RUN_BUFFER   (64u << 10)
#define WRITE_BUFFER (1u << 20)
#define ENTRY_MAX    (64u << 20) // of one key with its value

typedef struct item {
    uint64_t prefix;
    uint64_t at; // in the block
} item;

typedef struct run {
    plat_file *file;
    char *path;
    uint64_t size, next; // bytes of the file, and read of it so far
    char *buf;
    size_t cap, begin, end;
    base_str key, value; // its first entry
    bool done;
} run;

struct recon_sorter {
    engine *engine;
    char label[32];
    uint64_t memory_bytes, count;
    char *block;
    size_t used, cap;
    item *items;
    size_t nitems, items_cap;
    uint32_t nruns;
    run *runs;
    size_t at;      // next of items, if there are no runs
    uint32_t *heap; // runs, the one with the least first entry on top
    uint32_t nheap;
    bool started;
};

// ---- scratch files ------------------------------------------------------------------------------

base_rc recon_scratch_open(engine *e, const char *label, plat_file **file, char **path,
                           base_error *err) {
    base_buf name = {0};
    base_buf_printf(&name, "%s/" RECON_SCRATCH, e->dir);
    base_rc rc = e->plat->ops->make_dir(e->plat, base_buf_cstr(&name), err);
    uint64_t number = atomic_fetch_add(&e->next_scratch, 1);
    base_buf_printf(&name, "/%s.%llu", label, (unsigned long long)number);
    if (rc == BASE_OK)
        rc = plat_open(e->plat, base_buf_cstr(&name),
                       PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE | PLAT_OPEN_TRUNCATE,
                       file, err);
    *path = rc == BASE_OK ? strdup(base_buf_cstr(&name)) : NULL;
    base_buf_deinit(&name);
    return rc;
}

void recon_scratch_close(engine *e, plat_file *file, char *path) {
    if (file == NULL) return;
    plat_close(file);
    base_error ignored; // what stays is removed when the engine opens
    (void)!e->plat->ops->remove(e->plat, path, &ignored);
    free(path);
}

void recon_scratch_clear(engine *e) {
    base_buf name = {0};
    base_buf_printf(&name, "%s/" RECON_SCRATCH, e->dir);
    bool exists = false, is_dir;
    base_error err;
    base_rc rc = e->plat->ops->exists(e->plat, base_buf_cstr(&name), &exists, &is_dir, &err);
    if (rc == BASE_OK && exists) rc = plat_remove_tree(e->plat, base_buf_cstr(&name), &err);
    if (rc != BASE_OK)
        engine_say(e, ENGINE_WARNING, "what is left of sorting cannot be removed: %s", err.message);
    base_buf_deinit(&name);
}

// ---- adding -------------------------------------------------------------------------------------

recon_sorter *recon_sorter_create(engine *e, const char *label, uint64_t memory_bytes) {
    recon_sorter *sorter = calloc(1, sizeof *sorter);
    must(sorter != NULL);
    sorter->engine = e;
    snprintf(sorter->label, sizeof sorter->label, "%s", label);
    sorter->memory_bytes = memory_bytes;
    return sorter;
}

static void close_run(recon_sorter *sorter, run *r) {
    recon_scratch_close(sorter->engine, r->file, r->path);
    free(r->buf);
}

void recon_sorter_destroy(recon_sorter *sorter) {
    if (sorter == NULL) return;
    for (uint32_t i = 0; i < sorter->nruns; i++) close_run(sorter, &sorter->runs[i]);
    free(sorter->runs);
    free(sorter->heap);
    free(sorter->items);
    free(sorter->block);
    free(sorter);
}

uint64_t recon_sorter_count(const recon_sorter *sorter) {
    return sorter->count;
}

static void entry_at(const char *p, base_str *key, base_str *value) {
    uint32_t sizes[2];
    memcpy(sizes, p, sizeof sizes);
    *key = (base_str){p + sizeof sizes, sizes[0]};
    *value = (base_str){key->p + key->n, sizes[1]};
}

static uint64_t prefix_of(base_str key) {
    uint8_t first[8] = {0};
    if (key.n > 0) memcpy(first, key.p, key.n < sizeof first ? key.n : sizeof first);
    uint64_t prefix = 0;
    for (size_t i = 0; i < sizeof first; i++) prefix = prefix << 8 | first[i];
    return prefix;
}

static int by_key(const void *a, const void *b, void *arg) {
    const item *x = a, *y = b;
    if (x->prefix != y->prefix) return x->prefix < y->prefix ? -1 : 1;
    const char *block = arg;
    base_str key_x, key_y, value;
    entry_at(block + x->at, &key_x, &value);
    entry_at(block + y->at, &key_y, &value);
    int c = base_str_cmp(key_x, key_y);
    return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

static void sort_items(recon_sorter *sorter) {
    if (sorter->nitems > 1)
        qsort_r(sorter->items, sorter->nitems, sizeof *sorter->items, by_key, sorter->block);
}

static base_rc write_run(recon_sorter *sorter, run *r, base_error *err) {
    base_buf out = {0};
    base_buf_reserve(&out, WRITE_BUFFER);
    base_rc rc = BASE_OK;
    for (size_t i = 0; rc == BASE_OK && i < sorter->nitems; i++) {
        const char *p = sorter->block + sorter->items[i].at;
        base_str key, value;
        entry_at(p, &key, &value);
        base_buf_add(&out, p, (size_t)(value.p + value.n - p));
        if (out.n < WRITE_BUFFER && i + 1 < sorter->nitems) continue;
        rc = plat_write_at(r->file, out.p, out.n, r->size, err);
        r->size += out.n;
        base_buf_clear(&out);
    }
    base_buf_deinit(&out);
    return rc;
}

static base_rc spill(recon_sorter *sorter, base_error *err) {
    if (sorter->nitems == 0) return BASE_OK;
    if (sorter->nruns == RUNS_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL,
                         "what is to be sorted is more than %u times the memory that it may have",
                         RUNS_MAX);
    sort_items(sorter);
    sorter->runs = realloc(sorter->runs, (sorter->nruns + 1) * sizeof *sorter->runs);
    must(sorter->runs != NULL);
    run *r = &sorter->runs[sorter->nruns];
    memset(r, 0, sizeof *r);
    base_rc rc = recon_scratch_open(sorter->engine, sorter->label, &r->file, &r->path, err);
    if (rc != BASE_OK) return rc;
    sorter->nruns++;
    rc = write_run(sorter, r, err);
    sorter->nitems = 0;
    sorter->used = 0;
    return rc;
}

base_rc recon_sorter_add(recon_sorter *sorter, base_str key, base_str value, base_error *err) {
    size_t n = 2 * sizeof(uint32_t) + key.n + value.n;
    if (n > ENTRY_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "a row of %zu bytes is too large to be compared",
                         n);
    if (sorter->used + n + (sorter->nitems + 1) * sizeof(item) > sorter->memory_bytes) {
        base_rc rc = spill(sorter, err);
        if (rc != BASE_OK) return rc;
    }
    if (sorter->used + n > sorter->cap) {
        sorter->cap =
            sorter->cap * 2 > sorter->used + n ? sorter->cap * 2 : sorter->used + n + 4096;
        sorter->block = realloc(sorter->block, sorter->cap);
        must(sorter->block != NULL);
    }
    if (sorter->nitems == sorter->items_cap) {
        sorter->items_cap = sorter->items_cap == 0 ? 1024 : sorter->items_cap * 2;
        sorter->items = realloc(sorter->items, sorter->items_cap * sizeof *sorter->items);
        must(sorter->items != NULL);
    }
    sorter->items[sorter->nitems++] = (item){prefix_of(key), sorter->used};
    uint32_t sizes[2] = {(uint32_t)key.n, (uint32_t)value.n};
    memcpy(sorter->block + sorter->used, sizes, sizeof sizes);
    sorter->used += sizeof sizes;
    if (key.n > 0) memcpy(sorter->block + sorter->used, key.p, key.n);
    if (value.n > 0) memcpy(sorter->block + sorter->used + key.n, value.p, value.n);
    sorter->used += key.n + value.n;
    sorter->count++;
    return BASE_OK;
}

// ---- reading ------------------------------------------------------------------------------------

// At least n bytes behind begin, or what the file still has.
static base_rc fill_run(run *r, size_t n, base_error *err) {
    if (r->end - r->begin >= n) return BASE_OK;
    memmove(r->buf, r->buf + r->begin, r->end - r->begin);
    r->end -= r->begin;
    r->begin = 0;
    if (n > r->cap) {
        r->cap = n;
        r->buf = realloc(r->buf, n);
        must(r->buf != NULL);
    }
    uint64_t left = r->size - r->next;
    size_t room = r->cap - r->end, wanted = left < room ? (size_t)left : room, got = 0;
    base_rc rc = plat_read_at(r->file, r->buf + r->end, wanted, r->next, &got, err);
    if (rc == BASE_OK && (got < wanted || r->end + got < n))
        rc = base_fail(err, BASE_E_CORRUPT, NULL, "file \"%s\" is shorter than it was written",
                       r->path);
    r->next += got;
    r->end += got;
    return rc;
}

static base_rc next_of_run(run *r, base_error *err) {
    r->done = r->begin == r->end && r->next == r->size;
    if (r->done) return BASE_OK;
    uint32_t sizes[2];
    base_rc rc = fill_run(r, sizeof sizes, err);
    if (rc != BASE_OK) return rc;
    memcpy(sizes, r->buf + r->begin, sizeof sizes);
    size_t n = sizeof sizes + (size_t)sizes[0] + sizes[1];
    rc = fill_run(r, n, err);
    if (rc != BASE_OK) return rc;
    entry_at(r->buf + r->begin, &r->key, &r->value);
    r->begin += n;
    return BASE_OK;
}

static bool run_less(const recon_sorter *sorter, uint32_t a, uint32_t b) {
    int c = base_str_cmp(sorter->runs[a].key, sorter->runs[b].key);
    return c != 0 ? c < 0 : a < b;
}

static void sift_down(recon_sorter *sorter, uint32_t at) {
    for (;;) {
        uint32_t least = at, child = 2 * at + 1;
        for (uint32_t i = child; i < child + 2 && i < sorter->nheap; i++)
            if (run_less(sorter, sorter->heap[i], sorter->heap[least])) least = i;
        if (least == at) return;
        uint32_t swapped = sorter->heap[at];
        sorter->heap[at] = sorter->heap[least];
        sorter->heap[least] = swapped;
        at = least;
    }
}

base_rc recon_sorter_finish(recon_sorter *sorter, base_error *err) {
    if (sorter->nruns == 0) {
        sort_items(sorter);
        return BASE_OK;
    }
    base_rc rc = spill(sorter, err);
    free(sorter->block);
    free(sorter->items);
    sorter->block = NULL;
    sorter->items = NULL;
    sorter->heap = calloc(sorter->nruns, sizeof *sorter->heap);
    must(sorter->heap != NULL);
    for (uint32_t i = 0; rc == BASE_OK && i < sorter->nruns; i++) {
        run *r = &sorter->runs[i];
        r->cap = RUN_BUFFER;
        r->buf = malloc(r->cap);
        must(r->buf != NULL);
        rc = next_of_run(r, err);
        if (rc == BASE_OK && !r->done) sorter->heap[sorter->nheap++] = i;
    }
    for (uint32_t i = sorter->nheap / 2; rc == BASE_OK && i-- > 0;) sift_down(sorter, i);
    return rc;
}

base_rc recon_sorter_next(recon_sorter *sorter, base_str *key, base_str *value, bool *end,
                          base_error *err) {
    if (sorter->nruns == 0) {
        *end = sorter->at == sorter->nitems;
        if (!*end) entry_at(sorter->block + sorter->items[sorter->at++].at, key, value);
        return BASE_OK;
    }
    // The entry on top has been given out by the call before, and is borrowed until this one.
    if (sorter->started && sorter->nheap > 0) {
        run *r = &sorter->runs[sorter->heap[0]];
        base_rc rc = next_of_run(r, err);
        if (rc != BASE_OK) return rc;
        if (r->done) sorter->heap[0] = sorter->heap[--sorter->nheap];
        sift_down(sorter, 0);
    }
    sorter->started = true;
    *end = sorter->nheap == 0;
    if (*end) return BASE_OK;
    const run *r = &sorter->runs[sorter->heap[0]];
    *key = r->key;
    *value = r->value;
    return BASE_OK;
}
