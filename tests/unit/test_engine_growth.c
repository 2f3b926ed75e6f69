// test_engine_growth.c - what plan/growth.h says of operators against what they come to keep: views
// over a stream and tables, whose state is measured as the stream grows, first by rows with values
// that were there before, then by rows with new ones.
#include "engine_rig.h"

enum { ROWS = 120, OPERATORS_MAX = 100 };

static const char *const views[] = {
    "SELECT count(*) AS n, sum(k) AS s, max(k) AS m FROM e",
    "SELECT ok, count(*) AS n, avg(k) AS a FROM e GROUP BY ok",
    "SELECT k, count(*) AS n FROM e GROUP BY k",
    "SELECT id, count(*) AS n FROM e GROUP BY id",
    "SELECT ok, count(DISTINCT k) AS n FROM e GROUP BY ok",
    "SELECT ok, count(DISTINCT id) AS n FROM e GROUP BY ok",
    "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY k) AS p FROM e",
    "SELECT string_agg(s, ',') AS l FROM e",
    "SELECT e.id, d.name FROM e JOIN d ON d.k = e.k",
    "SELECT d.name, x.n FROM d JOIN (SELECT k, count(*) AS n FROM e GROUP BY k) AS x ON d.k = x.k",
    "SELECT d.name FROM d WHERE EXISTS (SELECT 1 FROM e WHERE e.k = d.k)",
    "SELECT DISTINCT k, s FROM e",
    "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM e",
    ("SELECT * FROM (SELECT id, k, row_number() OVER (PARTITION BY k ORDER BY id DESC) AS n FROM "
     "e) "
     "AS t WHERE n <= 2"),
    "SELECT k FROM e EXCEPT SELECT k FROM d",
    "SELECT k FROM e ORDER BY k DESC LIMIT 3",
    "SELECT id, k FROM e ORDER BY id DESC LIMIT 3",
    "SELECT name, count(*) AS n FROM d GROUP BY name",
    "SELECT k, s, count(*) AS n FROM e GROUP BY ROLLUP (k, s)",
};

typedef struct figures {
    uint32_t n;
    char names[OPERATORS_MAX][32];
    char growth[OPERATORS_MAX][48];
    long rows[OPERATORS_MAX];
} figures;

static void measure(rig *b, figures *f) {
    static char copy[1 << 16];
    snprintf(copy, sizeof copy, "%s",
             ask(b, "SELECT view || '.' || node || ' ' || operator, growth, state_rows FROM "
                    "weir.operators WHERE growth IS NOT NULL AND operator <> 'scan' ORDER BY 1"));
    f->n = 0;
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        must(f->n < OPERATORS_MAX);
        must(sscanf(line, "%31[^|]|%47[^|]|%ld", f->names[f->n], f->growth[f->n], &f->rows[f->n]) ==
             3);
        f->n++;
    }
}

static uint32_t next_id;

// Rows of new ids; values of k and s are among ten from `from` on.
static void feed(rig *b, uint32_t from) {
    base_buf rows = {0};
    for (uint32_t i = 0; i < ROWS; i++, next_id++) {
        uint32_t v = from + next_id % 10;
        base_buf_printf(&rows, "{\"id\": %u, \"k\": %u, \"s\": \"v%u\", \"ok\": %s}\n", next_id, v,
                        v, next_id / 10 % 2 ? "true" : "false");
    }
    ingest(b, "e", base_buf_cstr(&rows));
    base_buf_deinit(&rows);
    flush(b);
}

static bool is(const figures *f, uint32_t i, const char *growth) {
    return strcmp(f->growth[i], growth) == 0;
}

TEST(state_grows_as_said) {
    rig b;
    REQUIRE(rig_start(&b));
    ask(&b, "CREATE STREAM e (id INT NOT NULL, k INT, s TEXT, ok BOOLEAN, PRIMARY KEY (id))");
    ask(&b, "CREATE TABLE d (k INT NOT NULL, name TEXT, PRIMARY KEY (k))");
    for (uint32_t k = 0; k < 20; k += 2) {
        char sql[100];
        snprintf(sql, sizeof sql, "INSERT INTO d VALUES (%u, 'n%u')", k, k % 4);
        ask(&b, sql);
    }
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        char sql[500];
        snprintf(sql, sizeof sql, "CREATE MATERIALIZED VIEW v%02zu AS %s", v, views[v]);
        EXPECT_EQ_STR(ask(&b, sql), "CREATE MATERIALIZED VIEW");
    }
    static figures before, same, new;
    feed(&b, 0);
    measure(&b, &before);
    feed(&b, 0);
    measure(&b, &same);
    feed(&b, 100);
    measure(&b, &new);
    REQUIRE(before.n == same.n && before.n == new.n &&before.n >= sizeof views / sizeof *views);
    for (uint32_t i = 0; i < before.n; i++) {
        long by_rows = same.rows[i] - before.rows[i], by_values = new.rows[i] - same.rows[i];
        bool each = is(&before, i, "grows with each row");
        bool values = is(&before, i, "grows with distinct values");
        // Joins keep blocks of rows, which are merged now and then.
        if (strstr(before.names[i], " join") != NULL) {
            EXPECT(!each || (by_rows > 0 && by_values > 0));
            continue;
        }
        bool good =
            each ? by_rows >= ROWS && by_values >= ROWS
                 : by_rows == 0 && (values ? by_values > 0 && by_values < ROWS : by_values == 0);
        if (!good)
            fprintf(stderr, "%s %s: %ld rows, +%ld by rows, +%ld by values\n", before.names[i],
                    before.growth[i], before.rows[i], by_rows, by_values);
        EXPECT(good);
    }
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(state_grows_as_said))
