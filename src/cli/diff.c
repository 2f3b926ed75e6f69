// diff.c - `weir diff`: how the versions of a view differ from it, in a data directory that no
// server has open: a verdict a day, then the rows. Entry point: cli_diff.

#include <string.h>

#include "cli/cli.h"
#include "col/codec.h"

static base_rc print_query(engine_session *session, const char *sql, bool *any, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_result result;
    base_rc rc = engine_run_sql(session, base_str_of(sql), &arena, &result, err);
    base_buf line = {0};
    for (uint32_t row = 0; rc == BASE_OK && row < result.rows->nrows; row++) {
        *any = true;
        base_buf_clear(&line);
        for (uint32_t i = 0; i < result.ncolumns; i++) {
            if (i > 0) base_buf_add_cstr(&line, "  ");
            if (col_is_null(&result.rows->cols[i], row))
                base_buf_add_byte(&line, '-');
            else
                col_text_format(&result.rows->cols[i], row, 0, &line);
        }
        printf("%s\n", base_buf_cstr(&line));
    }
    base_buf_deinit(&line);
    base_arena_deinit(&arena);
    return rc;
}

static base_rc diff(engine *e, const plan_object *view, uint32_t rows, bool *differs,
                    base_error *err) {
    engine_session session;
    engine_session_init(&session, e);
    base_buf sql = {0};
    bool any = false;
    base_buf_printf(
        &sql,
        "SELECT 'version ' || version || ':', day, verdict, rows || ' rows,', changed || "
        "' changed,', added || ' added,', removed || ' removed', difference FROM "
        "weir.diff_by_day WHERE schema = '%s' AND view = '%s' ORDER BY version, day",
        view->schema, view->name);
    base_rc rc = print_query(&session, base_buf_cstr(&sql), &any, err);
    if (rc == BASE_OK && !any) printf("%s.%s has no version beside it\n", view->schema, view->name);
    base_buf_clear(&sql);
    base_buf_printf(&sql,
                    "SELECT 'version ' || version || ':', change, key, difference, old, new FROM "
                    "weir.diff WHERE schema = '%s' AND view = '%s' ORDER BY version, key LIMIT %u",
                    view->schema, view->name, rows);
    if (rc == BASE_OK) rc = print_query(&session, base_buf_cstr(&sql), differs, err);
    base_buf_deinit(&sql);
    return rc;
}

int cli_diff(int argc, char **argv) {
    uint32_t rows = 100;
    cli_option options[] = {
        {"rows", CLI_U32, &rows, "N", "rows to print at most, 100 unless given", 1, 100000},
    };
    cli_usage usage = {
        .command = "weir diff",
        .synopsis = "DIR VIEW [options]",
        .about = "Says how the versions of a materialized view, made by CREATE OR REPLACE, differ\n"
                 "from it: a verdict for each day with the differences of its numbers, then the\n"
                 "rows. No server may have the directory open; with one, ask it: SELECT * FROM\n"
                 "weir.diff_by_day, weir.diff. Exit code 1 if a row differs.",
        .examples = "  weir diff /var/lib/weir sales.revenue_1m\n",
        .noptions = 1,
        .options = options,
        .operands_min = 2,
        .operands_max = 2,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    engine_config config = {.dir = operands.items[0], .message = cli_quiet_message};
    engine *e;
    base_error err = {0};
    base_rc rc = cli_engine_open(&config, &e, &err);
    if (rc != BASE_OK) return cli_error(&err);
    const plan_object *view = engine_find(e, base_str_of(operands.items[1]));
    bool differs = false;
    if (view == NULL || view->kind != PLAN_OBJECT_VIEW)
        rc = base_fail(&err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                       "there is no materialized view \"%s\"", operands.items[1]);
    if (rc == BASE_OK) rc = diff(e, view, rows, &differs, &err);
    engine_close(e);
    if (rc != BASE_OK) return cli_error(&err);
    return cli_flush_stdout(differs ? CLI_FAILED : CLI_OK);
}
