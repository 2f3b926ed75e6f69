// Fuzz target: any bytes as SQL text. They are split, each statement is bound against a small
// catalogue, and what binds is printed. Nothing may crash; a failure must have a SQLSTATE and a
// message.
#include <stddef.h>

#include "../unit/sql_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char setup[] =
    "CREATE STREAM s (id BIGINT, k INT NOT NULL, n NUMERIC(12,2), at TIMESTAMPTZ NOT NULL, "
    "t TEXT, r STRUCT<a INT, b STRUCT<c TEXT>>, PRIMARY KEY (id), WATERMARK FOR at AS at);"
    "CREATE TABLE d (k INT PRIMARY KEY, v TEXT, j JSONB, u UUID, x DOUBLE PRECISION);"
    "CREATE MATERIALIZED VIEW v AS SELECT window_start, k, sum(n) AS total FROM TUMBLE(s, at, "
    "INTERVAL '1 minute') GROUP BY window_start, k;";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fixture base;
    static bool ready;
    if (!ready) {
        fixture_init(&base);
        must(fixture_run(&base, setup));
        ready = true;
    }
    if (size > 65536) return 0;
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_error err = {0};
    size_t n;
    base_str *statements, text = {(const char *)data, size};
    if (sql_split(&arena, text, &n, &statements, &err) == BASE_OK) {
        for (size_t i = 0; i < n && i < 16; i++) {
            sql_statement *statement;
            err = (base_error){0};
            if (sql_bind(&arena, &base.session, statements[i], 0, 0, NULL, &statement, &err) !=
                BASE_OK) {
                must(err.code != BASE_E_INTERNAL && err.sqlstate[0] != '\0' &&
                     err.message[0] != '\0' && err.position >= 0);
                continue;
            }
            base_buf buf = {0};
            if (statement->plan != NULL) plan_node_print(statement->plan, &buf);
            if (statement->object != NULL && statement->object->plan != NULL)
                plan_node_print(statement->object->plan, &buf);
            must(sql_command_tag(statement) != NULL);
            base_buf_deinit(&buf);
        }
    }
    base_arena_deinit(&arena);
    return 0;
}
