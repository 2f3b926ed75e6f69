// Tests of src/sql beyond the golden plans: splitting, positions, parameters, what the analysis of
// contracts and views says, limits, threads.
#include <pthread.h>

#include "sql_fixture.h"

static const char setup[] =
    "CREATE SCHEMA sales;"
    "CREATE STREAM sales.orders (id BIGINT, store INT NOT NULL, amount NUMERIC(12,2), at "
    "TIMESTAMPTZ"
    " NOT NULL, note TEXT DEFAULT 'none', PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '5 "
    "seconds') WITH (owner = 'om', version = 3, retention = '10 GB', partitions = 4, "
    "dedup_horizon = '2 days', idle_timeout = '30 seconds');"
    "CREATE TABLE sales.store (store INT PRIMARY KEY, region VARCHAR(20));"
    "CREATE MATERIALIZED VIEW sales.per_minute WITH (refresh = 'immediate', lateness = '1 hour') "
    "AS "
    "SELECT window_end, store, sum(amount) AS total FROM TUMBLE(sales.orders, at, INTERVAL '1 "
    "minute') GROUP BY window_end, store;";

static bool begin(fixture *f) {
    fixture_init(f);
    return fixture_run(f, setup);
}

static base_rc bind(fixture *f, const char *text) {
    return fixture_bind(f, base_str_of(text));
}

#define EXPECT_BINDS(f, text)                                                                      \
    do {                                                                                           \
        if (bind(f, text) != BASE_OK) {                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (f)->err.message);                  \
            test_failures++;                                                                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define EXPECT_FAILS(f, text, state, at)                                                           \
    do {                                                                                           \
        EXPECT(bind(f, text) != BASE_OK);                                                          \
        EXPECT_EQ_STR((f)->err.sqlstate, state);                                                   \
        EXPECT_EQ_INT((f)->err.position, at);                                                      \
    } while (0)

TEST(split) {
    base_arena arena;
    base_arena_init(&arena, 4096);
    base_error err;
    size_t n;
    base_str *s;
    const char *text = "SELECT ';', \";\", $$;$$, $a$ $$;$a$, E'\\';' -- ;\n; /* ; /* ; */ */ ; "
                       "SELECT 2 ;;  -- end";
    REQUIRE_OK(sql_split(&arena, base_str_of(text), &n, &s, &err));
    EXPECT_EQ_INT(n, 2);
    EXPECT(n == 2 && base_str_eq(base_str_trim(s[1]), BASE_STR("SELECT 2")));
    REQUIRE_OK(sql_split(&arena, BASE_STR(" -- nothing\n"), &n, &s, &err));
    EXPECT_EQ_INT(n, 0);
    REQUIRE_OK(sql_split(&arena, BASE_STR("SELECT 'open; SELECT 1"), &n, &s, &err));
    EXPECT_EQ_INT(n, 1);
    EXPECT(sql_split(&arena, BASE_STR("SELECT '\xff'"), &n, &s, &err) != BASE_OK);
    EXPECT_EQ_STR(err.sqlstate, "22021");
    base_arena_deinit(&arena);
}

TEST(positions_count_characters) {
    fixture f;
    REQUIRE(begin(&f));
    EXPECT_FAILS(&f, "SELECT 'd\xc3\xa9j\xc3\xa0', nope FROM sales.store", "42703", 16);
    EXPECT_FAILS(&f, "SELECT '\xc3\xa9' frm x y", "42601", 16);
    EXPECT_FAILS(&f, "CREATE STREAM sales.s (\xc3\xa9 INT, b INT CHECK (b > nope))", "42703", 48);
    EXPECT_FAILS(&f, "CREATE STREAM sales.s (a INT, b INT CHECK (b >))", "42601", 47);
    EXPECT_FAILS(&f, "CREATE MATERIALIZED VIEW sales.v AS SELECT nope FROM sales.store", "42703",
                 44);
    EXPECT_FAILS(&f, "EXPLAIN SELECT nope FROM sales.store", "42703", 16);
    // In a script, positions go on from what stands before.
    sql_statement *statement;
    EXPECT(sql_bind(&f.arena, &f.session, BASE_STR("SELECT nope"), 100, 0, NULL, &statement,
                    &f.err) != BASE_OK);
    EXPECT_EQ_INT(f.err.position, 108);
    fixture_deinit(&f);
}

TEST(contract) {
    fixture f;
    REQUIRE(begin(&f));
    const plan_object *s = fixture_find(&f, "sales", "orders");
    REQUIRE(s != NULL);
    EXPECT_EQ_INT(s->ncolumns, 9);
    EXPECT(s->columns[5].hidden && strcmp(s->columns[5].name, "_offset") == 0);
    EXPECT_EQ_INT(s->columns[7].type.kind, COL_TIMESTAMPTZ);
    EXPECT_EQ_INT(s->nkey, 1);
    EXPECT(s->columns[0].not_null); // a key is
    EXPECT_EQ_INT(s->event_time, 3);
    EXPECT_EQ_INT(s->columns[3].time_role, PLAN_TIME_EVENT);
    EXPECT_EQ_INT(s->effective_time, -1);
    EXPECT_EQ_STR(s->owner, "om");
    EXPECT_EQ_INT(s->version, 3);
    EXPECT_EQ_INT(s->partitions, 4);
    EXPECT_EQ_INT((int64_t)s->retention_bytes, 10ll << 30);
    EXPECT_EQ_INT(s->retention_us, 0);
    EXPECT_EQ_INT(s->dedup_horizon_us, 2 * BASE_US_PER_DAY);
    EXPECT_EQ_INT(s->idle_timeout_us, 30 * BASE_US_PER_SECOND);
    EXPECT(s->columns[4].default_value != NULL);
    EXPECT_EQ_STR(plan_option_get(s, "retention"), "10 GB");
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT, a TEXT)", "42701", 31);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a NOPE)", "42704", 26);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a NUMERIC(39,2))", "22023", 34);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (_offset INT)", "42701", 24);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT, PRIMARY KEY (b))", "42703", 43);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT, WATERMARK FOR a AS a)", "42804", 45);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT CHECK (now() > '2020-01-01'))", "0A000", 37);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT CHECK (count(*) > 1))", "42803", 37);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT DEFAULT 'x')", "22P02", 38);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT) WITH (retention = '1 month')", "22023", 37);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT) WITH (partitions = 0)", "22023", 37);
    EXPECT_FAILS(&f, "CREATE TABLE sales.x (a INT)", "42P16", 0);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a INT UNIQUE)", "0A000", 30);
    EXPECT_FAILS(&f, "CREATE STREAM sales.x (a STRUCT<b INT>[])", "0A000", 26);
    EXPECT_BINDS(&f, "CREATE STREAM IF NOT EXISTS plain (a INT DEFAULT NULL);");
    EXPECT(f.statement->if_not_exists);
    EXPECT_EQ_STR(f.statement->schema, "public");
    fixture_deinit(&f);
}

TEST(view) {
    fixture f;
    REQUIRE(begin(&f));
    const plan_object *v = fixture_find(&f, "sales", "per_minute");
    REQUIRE(v != NULL);
    EXPECT_EQ_INT(v->refresh_us, 0);
    EXPECT_EQ_INT(v->lateness_us, BASE_US_PER_HOUR);
    EXPECT_EQ_INT(v->window_column, 0);
    EXPECT_EQ_INT(v->columns[0].time_role, PLAN_TIME_WINDOW_END);
    EXPECT_EQ_INT(v->columns[0].window->size.n, BASE_US_PER_MINUTE);
    EXPECT_EQ_INT(v->nview_key, 2);
    EXPECT_EQ_INT(v->ncolumns, 6);
    EXPECT_EQ_INT(v->plan->ncolumns, 3);
    EXPECT_EQ_INT(v->plan->id, 0);
    EXPECT_BINDS(&f, "CREATE MATERIALIZED VIEW sales.w AS SELECT id, amount FROM sales.orders");
    // A finite horizon: a key may come again, so it identifies no row.
    EXPECT_EQ_INT(f.statement->object->nview_key, 0);
    EXPECT_EQ_INT(f.statement->object->refresh_us, BASE_US_PER_SECOND);
    EXPECT_EQ_INT(f.statement->object->window_column, -1);
    fixture_deinit(&f);
}

TEST(parameters) {
    fixture f;
    REQUIRE(begin(&f));
    EXPECT_BINDS(&f, "INSERT INTO sales.orders (store, at, amount) VALUES ($1, $2, $3 + 1)");
    EXPECT_EQ_INT(f.statement->nparams, 3);
    EXPECT_EQ_INT(f.statement->params[0].kind, COL_INT4);
    EXPECT_EQ_INT(f.statement->params[1].kind, COL_TIMESTAMPTZ);
    EXPECT_EQ_INT(f.statement->params[2].kind, COL_INT4);
    EXPECT_EQ_INT(f.statement->ntarget_columns, 3);
    EXPECT_EQ_INT(f.statement->target_columns[1], 3);
    EXPECT_BINDS(&f, "SELECT $2, $1::date, region FROM sales.store WHERE region = $3");
    EXPECT_EQ_INT(f.statement->params[0].kind, COL_DATE);
    EXPECT_EQ_INT(f.statement->params[1].kind, COL_TEXT);
    EXPECT_EQ_INT(f.statement->params[2].kind, COL_TEXT);
    base_error err;
    col_type given[2] = {col_type_of(COL_INT8), col_type_of(COL_UNKNOWN)};
    sql_statement *s;
    REQUIRE_OK(sql_bind(&f.arena, &f.session, BASE_STR("SELECT $1 + 1 FROM sales.store LIMIT $2"),
                        0, 2, given, &s, &err));
    EXPECT_EQ_INT(s->plan->columns[0].type.kind, COL_INT8);
    EXPECT_EQ_INT(s->params[1].kind, COL_INT8);
    col_type types[2] = {s->params[0], s->params[1]};
    col_batch *values = col_batch_create(&f.arena, 2, types, 1);
    col_i64(&values->cols[0])[0] = 41;
    col_i64(&values->cols[1])[0] = 7;
    const plan_node *plan = plan_node_bind_params(&f.arena, s->plan, values);
    base_buf buf = {0};
    plan_node_print(plan, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "Sort limit 7\n  Project (41 + 1) AS ?column?\n    Scan "
                                       "sales.store (store)\n");
    base_buf_deinit(&buf);
    fixture_deinit(&f);
}

TEST(small_statements) {
    fixture f;
    REQUIRE(begin(&f));
    static const struct {
        const char *text;
        sql_kind kind;
        const char *name, *value, *tag;
    } cases[] = {
        {"SET search_path TO a, 'b'", SQL_SET, "search_path", "a, b", "SET"},
        {"set application_name = 'x';", SQL_SET, "application_name", "x", "SET"},
        {"SET x = -5", SQL_SET, "x", "-5", "SET"},
        {"RESET ALL", SQL_RESET, NULL, NULL, "RESET"},
        {"RESET timezone", SQL_RESET, "timezone", NULL, "RESET"},
        {"SHOW streams", SQL_SHOW, "streams", NULL, "SHOW"},
        {"SHOW TRANSACTION ISOLATION LEVEL", SQL_SHOW, "transaction_isolation", NULL, "SHOW"},
        {"START TRANSACTION READ ONLY", SQL_BEGIN, NULL, NULL, "BEGIN"},
        {"END", SQL_COMMIT, NULL, NULL, "COMMIT"},
        {"ABORT", SQL_ROLLBACK, NULL, NULL, "ROLLBACK"},
        {"DEALLOCATE p", SQL_DEALLOCATE, "p", NULL, "DEALLOCATE"},
        {"DROP STREAM IF EXISTS sales.x CASCADE", SQL_DROP, "x", NULL, "DROP STREAM"},
        {"DROP SCHEMA sales", SQL_DROP_SCHEMA, "sales", NULL, "DROP SCHEMA"},
        {"COMMENT ON STREAM sales.orders IS NULL", SQL_COMMENT, "orders", NULL, "COMMENT"},
        {"COMMENT ON COLUMN sales.orders.id IS 'it''s'", SQL_COMMENT, "orders", "it's", "COMMENT"},
        {"-- nothing", SQL_EMPTY, NULL, NULL, ""},
        {";", SQL_EMPTY, NULL, NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_BINDS(&f, cases[i].text);
        EXPECT_EQ_INT(f.statement->kind, cases[i].kind);
        EXPECT_EQ_STR(sql_command_tag(f.statement), cases[i].tag);
        EXPECT_EQ_STR(f.statement->name == NULL ? "" : f.statement->name,
                      cases[i].name == NULL ? "" : cases[i].name);
        EXPECT_EQ_STR(f.statement->value == NULL ? "" : f.statement->value,
                      cases[i].value == NULL ? "" : cases[i].value);
    }
    EXPECT_BINDS(&f, "COPY (SELECT 1) TO STDOUT CSV HEADER DELIMITER ';' NULL 'nil'");
    EXPECT(f.statement->copy.csv && f.statement->copy.header);
    EXPECT_EQ_INT(f.statement->copy.delimiter, ';');
    EXPECT_EQ_STR(f.statement->copy.null_text, "nil");
    EXPECT_BINDS(&f, "COPY sales.store (region) TO STDOUT");
    EXPECT(!f.statement->copy.csv && f.statement->copy.delimiter == '\t');
    EXPECT_EQ_INT(f.statement->plan->ncolumns, 1);
    EXPECT_FAILS(&f, "COPY sales.store FROM STDIN", "0A000", 1);
    EXPECT_FAILS(&f, "DROP INDEX x", "0A000", 6);
    fixture_deinit(&f);
}

TEST(folding) {
    fixture f;
    REQUIRE(begin(&f));
    EXPECT_BINDS(&f, "SELECT 1 + 2, upper('a'), 1 / 0, now()");
    const plan_node *plan = f.statement->plan;
    EXPECT_EQ_INT(plan->exprs[0]->kind, PLAN_EXPR_CONST);
    EXPECT_EQ_INT(plan->exprs[1]->kind, PLAN_EXPR_CONST);
    EXPECT_EQ_INT(plan->exprs[2]->kind, PLAN_EXPR_CALL); // fails when it runs, not before
    EXPECT_EQ_INT(plan->exprs[3]->kind, PLAN_EXPR_CALL); // changes
    fixture_deinit(&f);
}

// head, n times unit, tail.
static char *repeated(const char *head, const char *unit, size_t n, const char *tail) {
    base_buf buf = {0};
    base_buf_add_cstr(&buf, head);
    for (size_t i = 0; i < n; i++) base_buf_add_cstr(&buf, unit);
    base_buf_add_cstr(&buf, tail);
    base_buf_cstr(&buf);
    return buf.p;
}

TEST(limits) {
    fixture f;
    REQUIRE(begin(&f));
    static const struct {
        const char *head, *unit, *tail;
        size_t n;
    } deep[] = {
        {"SELECT ", "(", "1", 100000},       {"SELECT 1", "+1", "", 200000},
        {"SELECT ", "NOT ", "true", 100000}, {"SELECT ", "- ", "x", 100000},
        {"SELECT 1", "::int", "", 100000},   {"SELECT 1", " UNION ALL SELECT 1", "", 50000},
        {"SELECT a", ".a", "", 100000},      {"SELECT ", "(SELECT ", "1", 5000},
        {"SELECT x", "[1]", "", 100000},     {"SELECT ", "CASE WHEN true THEN ", "1", 50000},
        {"SELECT ", "f(", "1", 100000},      {"SELECT * FROM t", " JOIN t ON true", "", 50000},
        {"SELECT * FROM ", "(", "t", 50000}, {"SELECT true", " AND true", "", 100000},
    };
    for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) {
        char *text = repeated(deep[i].head, deep[i].unit, deep[i].n, deep[i].tail);
        EXPECT(bind(&f, text) != BASE_OK);
        EXPECT_EQ_STR(f.err.sqlstate, "54001");
        free(text);
        base_error_clear(&f.err);
    }
    EXPECT_FAILS(&f, "EXPLAIN EXPLAIN SELECT 1", "42601", 9);
    // Forms that use an operand twice, nested, and WITH queries that use each other twice.
    char *wide = repeated("SELECT ", "(", 60, "1");
    for (int i = 0; i < 60; i++) {
        char *longer = repeated(wide, " BETWEEN 0 AND 1)::int", 1, "");
        free(wide);
        wide = longer;
    }
    EXPECT(bind(&f, wide) == BASE_OK || strcmp(f.err.sqlstate, "54001") == 0);
    free(wide);
    wide = repeated("SELECT ", "GREATEST(1, ", 40, "store");
    char *closed = repeated(wide, ")", 40, " FROM sales.store");
    EXPECT(bind(&f, closed) != BASE_OK);
    EXPECT_EQ_STR(f.err.sqlstate, "54001");
    free(wide);
    free(closed);
    base_buf with = {0};
    base_buf_add_cstr(&with, "WITH w0 AS (SELECT 1)");
    for (int i = 1; i < 40; i++)
        base_buf_printf(&with, ", w%d AS (SELECT 1 FROM w%d a, w%d b)", i, i - 1, i - 1);
    base_buf_add_cstr(&with, " SELECT * FROM w39");
    EXPECT(bind(&f, base_buf_cstr(&with)) != BASE_OK);
    EXPECT_EQ_STR(f.err.sqlstate, "54001");
    base_buf_clear(&with);
    for (int i = 0; i < 40; i++) base_buf_add_cstr(&with, "SELECT a + a AS a FROM (");
    base_buf_add_cstr(&with, "SELECT store AS a FROM sales.store");
    for (int i = 0; i < 40; i++) base_buf_printf(&with, ") t%d", i);
    base_buf_add_cstr(&with, " WHERE a > 1");
    EXPECT_EQ_INT(bind(&f, base_buf_cstr(&with)), BASE_OK);
    base_buf_deinit(&with);
    // Ordinary long statements go through.
    char *text = repeated("SELECT 1 WHERE true", " AND 1 < 2", 1000, "");
    EXPECT_EQ_INT(bind(&f, text), BASE_OK);
    free(text);
    text = repeated("INSERT INTO sales.store VALUES (0, 'x')", ", (1, 'some region')", 20000, "");
    EXPECT_EQ_INT(bind(&f, text), BASE_OK);
    EXPECT(f.statement != NULL && f.statement->plan->nexprs == 40002);
    free(text);
    text = repeated("SELECT '", "x", 5 << 20, "'");
    EXPECT(bind(&f, text) != BASE_OK);
    EXPECT_EQ_STR(f.err.sqlstate, "54000");
    free(text);
    EXPECT(fixture_bind(&f, (base_str){"SELECT 1\0 2", 11}) != BASE_OK);
    EXPECT(fixture_bind(&f, BASE_STR("SELECT '\xff'")) != BASE_OK);
    EXPECT_EQ_STR(f.err.sqlstate, "22021");
    fixture_deinit(&f);
}

static void *bind_often(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        fixture f;
        fixture_init(&f);
        bool ok = fixture_run(&f, setup) &&
                  bind(&f, "SELECT store, count(*) FROM sales.orders GROUP BY 1") == BASE_OK &&
                  bind(&f, "SELECT nope FROM sales.orders") != BASE_OK &&
                  bind(&f, "SELECT syntax error here") != BASE_OK;
        fixture_deinit(&f);
        if (!ok) return (void *)1;
    }
    return NULL;
}

TEST(threads) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) REQUIRE(pthread_create(&threads[i], NULL, bind_often, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        EXPECT(failed == NULL);
    }
}

TEST_MAIN(TEST_ENTRY(split), TEST_ENTRY(positions_count_characters), TEST_ENTRY(contract),
          TEST_ENTRY(view), TEST_ENTRY(parameters), TEST_ENTRY(small_statements),
          TEST_ENTRY(folding), TEST_ENTRY(limits), TEST_ENTRY(threads))
