// reference.c - what the views should be, computed the plain way: every record of the log is read
// by a parser of our own, duplicates and upserts are settled in the order of the log, and each view
// is a loop over rows. Money is whole hundredths. Nothing of the engine is used but the log's
// reader.
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- records ------------------------------------------------------------------------------------

// The text of a field's value, quotes and all; n 0: absent. Our records are flat and have no
// escapes.
static base_str field_text(base_str record, const char *field) {
    char name[32];
    int n = snprintf(name, sizeof name, "\"%s\":", field);
    const char *at = memmem(record.p, record.n, name, (size_t)n);
    if (at == NULL) return (base_str){NULL, 0};
    at += n;
    const char *end = record.p + record.n, *to = at;
    if (to < end && *to == '"') {
        to++;
        while (to < end && *to != '"') to++;
        if (to < end) to++;
    } else {
        while (to < end && *to != ',' && *to != '}') to++;
    }
    return (base_str){at, (size_t)(to - at)};
}

int64_t reference_number(base_str record, const char *field, bool *found) {
    base_str text = field_text(record, field);
    char copy[40];
    *found = text.n > 0 && text.n < sizeof copy;
    if (!*found) return 0;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return strtoll(copy, NULL, 10);
}

static const char *field_string(world *w, base_str record, const char *field) {
    base_str text = field_text(record, field);
    if (text.n < 2) return NULL;
    return base_arena_memdup(&w->reference, text.p + 1, text.n - 2);
}

static int64_t field_cents(base_str record) {
    base_str text = field_text(record, "amount");
    bool negative = text.n > 0 && text.p[0] == '-';
    int64_t cents = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= '0' && text.p[i] <= '9') cents = cents * 10 + (text.p[i] - '0');
    return negative ? -cents : cents;
}

static int64_t field_time(base_str record) {
    base_str text = field_text(record, "at");
    int day = 0, hour = 0, minute = 0, second = 0, ms = 0;
    char copy[40];
    if (text.n == 0 || text.n >= sizeof copy) return 0;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    sscanf(copy,
           "\"2021-06-%d"
           "T%d:%d:%d.%d",
           &day, &hour, &minute, &second, &ms);
    int64_t seconds = (((7822ll + day - 1) * 24 + hour) * 60 + minute) * 60 + second;
    return (seconds * 1000 + ms) * 1000;
}

static void add_record(world *w, ref_stream *s, base_str record) {
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 256 : s->cap * 2;
        s->events = realloc(s->events, s->cap * sizeof *s->events);
        must(s->events != NULL);
    }
    bool found;
    s->events[s->n++] = (ref_event){
        .id = reference_number(record, "id", &found),
        .n = reference_number(record, "n", &found),
        .k = reference_number(record, "k", &found),
        .qty = reference_number(record, "qty", &found),
        .cents = field_cents(record),
        .at_us = field_time(record),
        .note = field_string(w, record, "note"),
        .name = field_string(w, record, "name"),
        .region = field_string(w, record, "region"),
        .deletes = base_str_eq(field_text(record, "_op"), BASE_STR("\"delete\"")),
    };
}

void reference_read(world *w, log_stream *log, uint32_t stream) {
    ref_stream *s = &w->streams[stream];
    base_error err = {0};
    s->n = 0;
    for (uint32_t p = 0; p < log_stream_partitions(log); p++) {
        log_reader *reader;
        if (log_reader_open(log, p, 0, &reader, &err) != BASE_OK)
            world_fail(w, "reading the log: %s", err.message);
        uint64_t expected = 0;
        for (;;) {
            log_batch batch;
            bool end;
            if (log_reader_next(reader, &batch, &end, &err) != BASE_OK)
                world_fail(w, "reading the log: %s", err.message);
            if (end) break;
            if (batch.base_offset != expected) world_fail(w, "the log has a gap");
            expected += batch.count;
            for (uint32_t i = 0; i < batch.count; i++)
                add_record(w, s, log_batch_record(&batch, i));
        }
        if (expected != log_end(log, p)) world_fail(w, "the log ends before its end");
        log_reader_close(reader);
    }
}

static int by_id(const void *a, const void *b) {
    const ref_event *x = *(const ref_event *const *)a, *y = *(const ref_event *const *)b;
    int64_t p = x->id, q = y->id;
    if (p != q) return p < q ? -1 : 1;
    return x < y ? -1 : x > y; // the order of the log
}

// The first of each id counts (streams), or the last of each k unless it deletes (dim).
void reference_settle(world *w, uint32_t stream) {
    ref_stream *s = &w->streams[stream];
    if (s->live_cap < s->n) {
        s->live_cap = s->n;
        s->live = realloc(s->live, s->live_cap * sizeof *s->live);
        must(s->live != NULL);
    }
    s->nlive = 0;
    if (!w->has_key[stream]) {
        for (uint32_t i = 0; i < s->n; i++) s->live[s->nlive++] = s->events[i];
        return;
    }
    const ref_event **order = base_arena_alloc(&w->reference, (s->n + 1) * sizeof *order);
    for (uint32_t i = 0; i < s->n; i++) {
        if (stream == SIM_DIM) s->events[i].id = s->events[i].k;
        order[i] = &s->events[i];
    }
    qsort(order, s->n, sizeof *order, by_id);
    for (uint32_t i = 0; i < s->n; i++) {
        bool first = i == 0 || order[i - 1]->id != order[i]->id;
        bool last = i + 1 == s->n || order[i + 1]->id != order[i]->id;
        if (stream == SIM_DIM ? last && !order[i]->deletes : first) s->live[s->nlive++] = *order[i];
    }
}

// ---- tables -------------------------------------------------------------------------------------

static ref_cell *add_row(world *w, ref_table *t) {
    if (t->nrows == t->cap) {
        uint32_t cap = t->cap == 0 ? 64 : t->cap * 2;
        ref_cell(*rows)[REF_COLUMNS_MAX] = base_arena_zalloc(&w->reference, cap * sizeof *rows);
        if (t->nrows > 0) memcpy(rows, t->rows, t->nrows * sizeof *rows);
        t->rows = rows;
        t->cap = cap;
    }
    return t->rows[t->nrows++];
}

static void columns(ref_table *t, const char *kinds) {
    t->ncols = (uint32_t)strlen(kinds);
    for (uint32_t i = 0; i < t->ncols; i++)
        t->kinds[i] = kinds[i] == 'i'   ? REF_INT
                      : kinds[i] == 'c' ? REF_CENTS
                      : kinds[i] == 's' ? REF_TEXT
                                        : REF_TIME;
}

static ref_cell number(int64_t i) {
    return (ref_cell){false, i, NULL};
}

static ref_cell text(const char *s) {
    return (ref_cell){s == NULL, 0, s};
}

static bool same(const ref_cell *a, const ref_cell *b) {
    if (a->null || b->null) return a->null == b->null;
    if (a->s != NULL) return strcmp(a->s, b->s) == 0;
    return a->i == b->i;
}

// The row of the group whose first nkeys cells are these; a new one has nulls after them.
static ref_cell *group(world *w, ref_table *t, uint32_t nkeys, const ref_cell *keys) {
    for (uint32_t r = 0; r < t->nrows; r++) {
        uint32_t i = 0;
        while (i < nkeys && same(&t->rows[r][i], &keys[i])) i++;
        if (i == nkeys) return t->rows[r];
    }
    ref_cell *row = add_row(w, t);
    for (uint32_t i = 0; i < REF_COLUMNS_MAX; i++)
        row[i] = i < nkeys ? keys[i] : (ref_cell){true, 0, NULL};
    return row;
}

static void sum(ref_cell *to, int64_t i) {
    *to = number((to->null ? 0 : to->i) + i);
}

static void least(ref_cell *to, int64_t i) {
    if (to->null || i < to->i) *to = number(i);
}

static void most(ref_cell *to, int64_t i) {
    if (to->null || i > to->i) *to = number(i);
}

static void zero(ref_cell *to) {
    if (to->null) *to = number(0);
}

// ---- views --------------------------------------------------------------------------------------

static int64_t minute_of(int64_t us) {
    return us - us % 60000000; // our times are after 2000
}

static const ref_event *dim_of(world *w, int64_t k) {
    const ref_stream *dim = &w->streams[SIM_DIM];
    for (uint32_t i = 0; i < dim->nlive; i++)
        if (dim->live[i].k == k) return &dim->live[i];
    return NULL;
}

static void add_totals(world *w, const ref_event *e, ref_table *t) {
    ref_cell key = number(e->k), *g = group(w, t, 1, &key);
    sum(&g[1], 1);
    sum(&g[2], e->cents);
    least(&g[3], e->cents);
    most(&g[4], e->qty);
    zero(&g[5]);
    if (e->note != NULL) sum(&g[5], 1);
    if (e->qty > 5) sum(&g[6], e->qty);
}

static void add_tumble(world *w, const ref_event *e, ref_table *t) {
    ref_cell keys[] = {number(minute_of(e->at_us)), number(e->k)}, *g = group(w, t, 2, keys);
    sum(&g[2], 1);
    sum(&g[3], e->cents);
    least(&g[4], e->qty);
    most(&g[5], e->at_us);
}

static void add_simple(world *w, view_kind kind, const ref_event *e, ref_table *t) {
    const ref_event *d = dim_of(w, e->k);
    ref_cell keys[2] = {number(e->k), number(e->qty)}, *g;
    switch (kind) {
    case VIEW_TOTALS:
        add_totals(w, e, t);
        break;
    case VIEW_TUMBLE:
        add_tumble(w, e, t);
        break;
    case VIEW_FILTER:
        if (e->qty <= 2) break;
        g = add_row(w, t);
        g[0] = number(e->id), g[1] = number(e->k), g[2] = number(e->cents * e->qty);
        break;
    case VIEW_JOIN:
        if (d == NULL) break;
        keys[0] = text(d->region);
        g = group(w, t, 1, keys);
        sum(&g[1], 1);
        sum(&g[2], e->cents);
        break;
    case VIEW_LEFT_JOIN:
        g = add_row(w, t);
        g[0] = number(e->n), g[1] = number(e->cents), g[2] = text(d == NULL ? NULL : d->name);
        break;
    case VIEW_DISTINCT:
        group(w, t, 2, keys);
        break;
    case VIEW_HAVING:
        g = group(w, t, 1, keys);
        sum(&g[1], 1);
        sum(&g[2], e->qty);
        break;
    case VIEW_GLOBAL:
        sum(&t->rows[0][0], 1);
        sum(&t->rows[0][1], e->cents);
        g = &t->rows[0][2];
        if (e->note != NULL && (g->null || strcmp(e->note, g->s) > 0)) *g = text(e->note);
        break;
    case VIEW_TUMBLE_JOIN:
        if (d == NULL) break;
        keys[0] = number(minute_of(e->at_us)), keys[1] = text(d->region);
        sum(&group(w, t, 2, keys)[2], e->cents);
        break;
    case VIEW_SUBSELECT:
        sum(&group(w, t, 1, keys)[1], e->cents);
        break; // finished later
    case VIEW_FAILING:
        if (e->qty == 5) break; // division by zero: the row goes to quarantine
        g = add_row(w, t);
        g[0] = number(e->n), g[1] = number(100 / (e->qty - 5));
        break;
    default:
        must(false);
    }
}

static void finish_subselect(world *w, ref_table *t) {
    ref_table out = {0};
    for (uint32_t r = 0; r < t->nrows; r++) {
        const ref_event *d = dim_of(w, t->rows[r][0].i);
        if (d == NULL) continue;
        ref_cell key = text(d->region);
        most(&group(w, &out, 1, &key)[1], t->rows[r][1].i);
    }
    *t = out;
}

static void finish_having(ref_table *t) {
    uint32_t n = 0;
    for (uint32_t r = 0; r < t->nrows; r++)
        if (t->rows[r][2].i > 12) memmove(t->rows[n++], t->rows[r], sizeof t->rows[r]);
    t->nrows = n;
}

static void dim_view(world *w, ref_table *t) {
    const ref_stream *dim = &w->streams[SIM_DIM];
    for (uint32_t i = 0; i < dim->nlive; i++) {
        const ref_event *d = &dim->live[i];
        ref_cell key = text(d->region), *g = group(w, t, 1, &key);
        sum(&g[1], 1);
        if (g[2].null || strcmp(d->name, g[2].s) < 0) g[2] = text(d->name);
        most(&g[3], d->k);
    }
}

static void over_view(world *w, view_kind kind, const ref_table *below, ref_table *t) {
    for (uint32_t r = 0; r < below->nrows; r++) {
        const ref_cell *b = below->rows[r];
        ref_cell *g;
        switch (kind) {
        case VIEW_OVER_TOTALS:
            g = group(w, t, 1, &b[1]);
            sum(&g[1], 1);
            sum(&g[2], b[2].i);
            most(&g[3], b[4].i);
            break;
        case VIEW_OVER_TUMBLE:
            g = group(w, t, 1, &b[0]);
            sum(&g[1], b[2].i);
            sum(&g[2], b[3].i);
            most(&g[3], b[3].i);
            break;
        default:
            if (b[2].i <= 2000) break;
            g = group(w, t, 1, &b[1]);
            sum(&g[1], b[2].i);
            sum(&g[2], 1);
            break;
        }
    }
}

void reference_view(world *w, const sim_view *view, ref_table *out) {
    static const char *const kinds[VIEW_KINDS] = {"iicciii", "tiicit", "iic",  "sic",  "ics",
                                                  "ii",      "ii",     "sisi", "ics",  "tsc",
                                                  "sc",      "ii",     "iici", "ticc", "ici"};
    memset(out, 0, sizeof *out);
    if (view->over >= 0) {
        ref_table below;
        reference_view(w, &w->views[view->over], &below);
        over_view(w, view->kind, &below, out);
    } else if (view->kind == VIEW_DIM) {
        dim_view(w, out);
    } else {
        if (view->kind == VIEW_GLOBAL) {
            ref_cell *row = add_row(w, out);
            row[0] = number(0), row[1].null = row[2].null = true;
        }
        const ref_stream *s = &w->streams[view->stream];
        for (uint32_t i = 0; i < s->nlive; i++) add_simple(w, view->kind, &s->live[i], out);
    }
    if (view->kind == VIEW_SUBSELECT) finish_subselect(w, out);
    if (view->kind == VIEW_HAVING) finish_having(out);
    columns(out, kinds[view->kind]);
}
