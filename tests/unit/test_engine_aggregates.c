// test_engine_aggregates.c - random aggregates over random changes: a materialized view with any of
// the aggregates, with DISTINCT, FILTER, ORDER BY, plain groups or grouping sets, must show after
// each step what its query gives over the rows that are there (which the oracle's files compare
// with PostgreSQL). Rows are put in, replaced and deleted; steps are of one row or many; batches of
// one row, caches of nothing, restarts. A failure prints the seed: test_engine_aggregates seed=N.
#include "base/random.h"
#include "engine_rig.h"

enum { VIEWS = 5, IDS = 40, STEPS = 12, LARGE_IDS = 4000, LARGE_STEPS = 16 };

static const char *const aggregates[] = {
    "count(*)",
    "count(s)",
    "count(DISTINCT n)",
    "count(DISTINCT s)",
    "sum(i)",
    "sum(b)",
    "sum(n)",
    "sum(f)",
    "sum(w)",
    "sum(DISTINCT i)",
    "sum(DISTINCT n)",
    "avg(i)",
    "avg(n)",
    "avg(f)",
    "avg(w)",
    "avg(DISTINCT n)",
    "min(i)",
    "max(b)",
    "min(n)",
    "max(f)",
    "max(s)",
    "min(s)",
    "min(d)",
    "max(w)",
    "min(ARRAY[i, 1])",
    "bool_and(o)",
    "bool_or(o)",
    "every(DISTINCT o)",
    "bit_and(i)",
    "bit_or(b)",
    "bit_xor(i)",
    "bit_xor(DISTINCT i)",
    "var_pop(i)",
    "var_samp(n)",
    "stddev(b)",
    "stddev_pop(f)",
    "variance(DISTINCT i)",
    "stddev_samp(DISTINCT f)",
    "regr_count(f, x)",
    "regr_sxx(f, x)",
    "regr_sxy(f, x)",
    "regr_slope(f, x)",
    "regr_intercept(f, x)",
    "regr_r2(f, x)",
    "covar_pop(f, x)",
    "covar_samp(x, f)",
    "corr(f, x)",
    "string_agg(s, ',')",
    "string_agg(DISTINCT s, '-')",
    "string_agg(s, s ORDER BY i DESC, n)",
    "array_agg(i)",
    "array_agg(n ORDER BY n DESC NULLS LAST, id)",
    "array_agg(DISTINCT s)",
    "array_agg(d ORDER BY f NULLS FIRST)",
    "jsonb_agg(i ORDER BY b)",
    "jsonb_agg(DISTINCT n)",
    "jsonb_object_agg(id, s)",
    "jsonb_object_agg(coalesce(s, ''), i ORDER BY id)",
    "mode() WITHIN GROUP (ORDER BY i)",
    "mode() WITHIN GROUP (ORDER BY s DESC)",
    "mode() WITHIN GROUP (ORDER BY n)",
    "percentile_cont(0.3) WITHIN GROUP (ORDER BY f)",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY w)",
    "percentile_cont(ARRAY[0.25, 0.5, NULL, 1]) WITHIN GROUP (ORDER BY i)",
    "percentile_disc(0.5) WITHIN GROUP (ORDER BY s DESC)",
    "percentile_disc(0.9) WITHIN GROUP (ORDER BY n)",
    "percentile_disc(ARRAY[0, 0.4, 1]) WITHIN GROUP (ORDER BY d)",
    "rank(2) WITHIN GROUP (ORDER BY i)",
    "dense_rank(2, 'b') WITHIN GROUP (ORDER BY i DESC, s)",
    "percent_rank(1.0) WITHIN GROUP (ORDER BY n)",
    "cume_dist('c') WITHIN GROUP (ORDER BY s NULLS FIRST)",
    "approx_count_distinct(s)",
    "approx_count_distinct(n)",
    "approx_percentile(0.5, f)",
    "approx_percentile(ARRAY[0.1, 0.9], i)",
};

static const char *const filters[] = {
    "", "", "", " FILTER (WHERE i > 1)", " FILTER (WHERE o)", " FILTER (WHERE s <> 'b')"};

// As window functions: those that are made of all values of a frame, and some others.
static const char *const windowed[] = {
    "string_agg(s, ',')",
    "string_agg(s, h)",
    "array_agg(i)",
    "array_agg(n)",
    "jsonb_agg(s)",
    "jsonb_object_agg(id, i)",
    "approx_count_distinct(s)",
    "approx_percentile(0.5, f)",
    "approx_percentile(ARRAY[0, 1], i)",
    "stddev(b)",
    "bool_and(o)",
    "regr_slope(f, x)",
    "bit_xor(i)",
    "max(s)",
};

static const char *const frames[] = {
    "",
    " ROWS 2 PRECEDING",
    " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING",
    " ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW",
    " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES",
    " RANGE BETWEEN 5 PRECEDING AND 1 FOLLOWING",
    " GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING",
};

static const char *const groups[][2] = {
    // what is selected, what is grouped by
    {"", ""},
    {"", "GROUP BY ()"},
    {"g, ", "GROUP BY g"},
    {"g, h, ", "GROUP BY g, h"},
    {"g % 2 AS parity, ", "GROUP BY g % 2"},
    {"h, ", "GROUP BY h HAVING count(*) > 1"},
    {"g, h, grouping(g, h) AS level, ", "GROUP BY ROLLUP (g, h)"},
    {"g, h, o, grouping(o, g, h) AS level, ", "GROUP BY CUBE (g, h, o)"},
    {"g, h, ", "GROUP BY GROUPING SETS ((g), (h), ())"},
    {"g, h, ", "GROUP BY GROUPING SETS ((g, h), (g), (g), (), ())"},
    {"g, h, o, ", "GROUP BY g, ROLLUP (h, o) HAVING grouping(o) = 1"},
};

static const char *const sources[] = {
    "t",
    "t",
    "t WHERE i <> 2",
    "e",
    "(SELECT t.*, u.v FROM t LEFT JOIN u ON u.id = t.g) AS j",
    "(SELECT DISTINCT ON (g, h) * FROM t ORDER BY g, h, id) AS j"};

typedef struct world {
    rig b;
    base_random random;
    char queries[VIEWS][4096];
    base_buf text;
    uint64_t seed;
} world;

static uint32_t below(world *w, uint32_t n) {
    return (uint32_t)base_random_below(&w->random, n);
}

static const char *pick(world *w, const char *const *of, size_t n) {
    return of[below(w, (uint32_t)n)];
}
#define PICK(w, of) pick(w, of, sizeof of / sizeof *of)

static void make_query(world *w, char *query, size_t size) {
    uint32_t by = below(w, sizeof groups / sizeof *groups), n = 1 + below(w, 6);
    if (below(w, 4) == 0) {
        size_t at = (size_t)snprintf(query, size, "SELECT id");
        for (uint32_t i = 0; i < 1 + n / 2; i++)
            at += (size_t)snprintf(query + at, size - at,
                                   ", %s%s OVER (PARTITION BY g ORDER BY id%s) AS a%u",
                                   PICK(w, windowed), PICK(w, filters), PICK(w, frames), i);
        snprintf(query + at, size - at, " FROM %s", PICK(w, sources));
        return;
    }
    size_t at = (size_t)snprintf(query, size, "SELECT %s", groups[by][0]);
    for (uint32_t i = 0; i < n; i++)
        at += (size_t)snprintf(query + at, size - at, "%s%s%s AS a%u", i > 0 ? ", " : "",
                               PICK(w, aggregates), PICK(w, filters), i);
    snprintf(query + at, size - at, " FROM %s %s", PICK(w, sources), groups[by][1]);
}

// A row as JSON; values are few, so that they meet, and floats are sums of few powers of two, so
// that sums of them are exact.
static void add_row(world *w, uint32_t id, base_buf *out) {
    static const char *const numbers[] = {"1", "1.0", "1.00", "2.5", "-3", "2.50", "null"};
    static const char *const texts[] = {"\"a\"", "\"b\"", "\"b \"", "\"ccc\"", "\"\"", "null"};
    static const char *const spans[] = {"\"1 hour\"", "\"2 days\"", "\"1 month\"", "\"-10 min\"",
                                        "null"};
    static const char *const days[] = {"\"2024-02-29\"", "\"2024-03-01\"", "\"1999-12-31\"",
                                       "null"};
    static const char *const truths[] = {"true", "false", "null"};
    static const char *const halves[] = {"0.5", "-2.25", "3", "0", "1024.125", "null"};
    base_buf_printf(out, "{\"id\": %u, \"g\": %u, \"h\": %s, ", id, below(w, 3), PICK(w, texts));
    if (below(w, 6) > 0) base_buf_printf(out, "\"i\": %d, ", (int)below(w, 6) - 1);
    base_buf_printf(out, "\"b\": %d, \"n\": %s, \"f\": %s, \"x\": %s, \"s\": %s, \"o\": %s, ",
                    (int)(below(w, 4) * 1000000007u), PICK(w, numbers), PICK(w, halves),
                    PICK(w, halves), PICK(w, texts), PICK(w, truths));
    base_buf_printf(out, "\"d\": %s, \"w\": %s}\n", PICK(w, days), PICK(w, spans));
}

// Of a group with thousands of different values, some of them long and alike in their beginning.
static void add_large_row(world *w, uint32_t id, base_buf *out) {
    static char alike[300];
    memset(alike, 'x', sizeof alike - 1);
    bool few = below(w, 4) == 0; // some values are there more often
    uint32_t v = few ? below(w, 50) * 37 : below(w, 100000);
    base_buf_printf(out, "{\"id\": %u, \"g\": %u, \"i\": %u, \"f\": %u.25, \"n\": %u.%s, ", id,
                    below(w, 20) == 0, v, v, v / 3, below(w, 2) ? "5" : "25");
    base_buf_printf(out, "\"o\": %s, \"s\": \"%s%u\"}\n", below(w, 3) ? "true" : "false",
                    below(w, 3) ? "" : alike, v / 7);
}

static void change_large(world *w, bool grows) {
    static const uint32_t sizes[] = {1, 2, 30, 700, 2500};
    uint32_t n = sizes[below(w, 5)];
    base_buf rows = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = below(w, LARGE_IDS);
        if (below(w, 10) < (grows ? 1u : 8u)) {
            base_buf_printf(&rows, "{\"_op\": \"delete\", \"id\": %u}\n", id);
        } else {
            add_large_row(w, id, &rows);
        }
    }
    ingest(&w->b, "t", base_buf_cstr(&rows));
    base_buf_deinit(&rows);
}

static uint32_t next_event; // ids of the stream's

static void change(world *w) {
    base_buf rows = {0}, events = {0};
    uint32_t n = below(w, 3) == 0 ? 1 + below(w, 60) : 1 + below(w, 3);
    bool emptying = below(w, 8) == 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = below(w, IDS);
        if (emptying || below(w, 3) == 0) {
            base_buf_printf(&rows, "{\"_op\": \"delete\", \"id\": %u}\n", id);
        } else {
            add_row(w, id, &rows);
        }
    }
    for (uint32_t id = 0; id < IDS && emptying && below(w, 2); id++)
        base_buf_printf(&rows, "{\"_op\": \"delete\", \"id\": %u}\n", id);
    for (uint32_t i = below(w, 4); i > 0; i--) add_row(w, next_event++, &events);
    ingest(&w->b, "t", base_buf_cstr(&rows));
    if (events.n > 0) ingest(&w->b, "e", base_buf_cstr(&events));
    if (below(w, 3) == 0) {
        char u[64];
        snprintf(u, sizeof u, "{\"id\": %u, \"v\": %u}", below(w, 3), below(w, 9));
        ingest(&w->b, "u", u);
    }
    base_buf_deinit(&rows);
    base_buf_deinit(&events);
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The answer's lines in order, in memory of the caller's.
static char *sorted(const char *answer) {
    size_t n = 0, length = strlen(answer);
    char *copy = strdup(answer), *out = malloc(length + 2), *save = NULL;
    char **lines = malloc(sizeof *lines * (length + 1));
    must(copy != NULL && out != NULL && lines != NULL);
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, compare_lines);
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, length + 2 - at, "%s\n", lines[i]);
    out[at] = '\0';
    free(copy);
    free(lines);
    return out;
}

static bool check_views(world *w, uint32_t step) {
    bool good = true;
    for (uint32_t v = 0; v < VIEWS && good; v++) {
        char select[64];
        snprintf(select, sizeof select, "SELECT * FROM v%u", v);
        char *kept = sorted(ask(&w->b, select)), *anew = sorted(ask(&w->b, w->queries[v]));
        good = strcmp(kept, anew) == 0 && strncmp(kept, "ERROR", 5) != 0;
        if (!good)
            fprintf(stderr, "seed %llu, step %u: %s\nkept:\n%sanew:\n%s",
                    (unsigned long long)w->seed, step, w->queries[v], kept, anew);
        free(kept);
        free(anew);
    }
    return good;
}

static const char *const large_queries[VIEWS] = {
    "SELECT g, percentile_cont(ARRAY[0, 0.25, 0.5, 0.999, 1]) WITHIN GROUP (ORDER BY f) AS p, "
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY f) FILTER (WHERE o) AS q, count(DISTINCT f) AS d, "
    "min(f) AS m FROM t GROUP BY g",
    "SELECT mode() WITHIN GROUP (ORDER BY i) AS m, mode() WITHIN GROUP (ORDER BY i DESC) AS n, "
    "percentile_disc(0.3) WITHIN GROUP (ORDER BY i DESC) FILTER (WHERE NOT o) AS p FROM t",
    "SELECT g, percentile_disc(ARRAY[0.1, 0.6]) WITHIN GROUP (ORDER BY s) AS p, mode() WITHIN "
    "GROUP (ORDER BY s) AS m FROM t GROUP BY g",
    "SELECT percentile_disc(0.7) WITHIN GROUP (ORDER BY n) AS p, mode() WITHIN GROUP (ORDER BY n) "
    "AS m FROM t",
    "SELECT g, approx_percentile(0.9, f) AS a, approx_count_distinct(i) AS d, rank(777) WITHIN "
    "GROUP "
    "(ORDER BY i) AS r, sum(DISTINCT i) AS s FROM t GROUP BY ROLLUP (g)",
};

static bool begin(world *w, bool large) {
    if (!rig_start(&w->b)) return false;
    if (below(w, 2) == 0) {
        w->b.config.batch_rows = 1;
        w->b.config.cache_bytes = 1;
        if (!rig_reopen(&w->b)) return false;
    }
    static const char columns[] =
        "id INT NOT NULL, g INT, h TEXT, i INT, b BIGINT, n NUMERIC, f DOUBLE PRECISION, "
        "x DOUBLE PRECISION, s TEXT, o BOOLEAN, d DATE, w INTERVAL, PRIMARY KEY (id)";
    char sql[5000];
    snprintf(sql, sizeof sql, "CREATE TABLE t (%s)", columns);
    ask(&w->b, sql);
    snprintf(sql, sizeof sql, "CREATE STREAM e (%s)", columns);
    ask(&w->b, sql);
    ask(&w->b, "CREATE TABLE u (id INT NOT NULL, v INT, PRIMARY KEY (id))");
    for (uint32_t v = 0; v < VIEWS; v++) {
        if (v == VIEWS / 2 && !large) change(w); // some are given a history
        if (large) {
            snprintf(w->queries[v], sizeof w->queries[v], "%s", large_queries[v]);
        } else {
            make_query(w, w->queries[v], sizeof w->queries[v]);
        }
        snprintf(sql, sizeof sql, "CREATE MATERIALIZED VIEW v%u WITH (refresh = 'immediate') AS %s",
                 v, w->queries[v]);
        const char *said = ask(&w->b, sql);
        if (strncmp(said, "ERROR", 5) != 0) continue;
        fprintf(stderr, "%s\n%s\n", sql, said);
        return false;
    }
    return true;
}

static bool run_seed(uint64_t seed, bool large) {
    world *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->seed = seed;
    base_random_seed(&w->random, seed);
    bool good = begin(w, large);
    uint32_t nsteps = large ? LARGE_STEPS : STEPS;
    for (uint32_t step = 0; step < nsteps && good; step++) {
        if (large) {
            change_large(w, step < LARGE_STEPS / 2);
        } else {
            change(w);
        }
        if (below(w, 5) == 0) good = rig_reopen(&w->b);
        if (good) flush(&w->b);
        good = good && check_views(w, step);
    }
    rig_stop(&w->b);
    free(w);
    return good;
}

int main(int argc, char **argv) {
    uint64_t seed = 1, runs = 60, failures = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "seed=", 5) == 0) {
            seed = strtoull(argv[i] + 5, NULL, 10);
            runs = 1;
        }
        if (strncmp(argv[i], "runs=", 5) == 0) runs = strtoull(argv[i] + 5, NULL, 10);
    }
    for (uint64_t i = seed; i < seed + runs && failures < 3; i++) {
        failures += !run_seed(i, false);
        if (i % 10 == 0) failures += !run_seed(i, true);
    }
    printf("%llu seeds from %llu, %llu failures\n", (unsigned long long)runs,
           (unsigned long long)seed, (unsigned long long)failures);
    return failures == 0 && test_failures == 0 ? 0 : 1;
}
