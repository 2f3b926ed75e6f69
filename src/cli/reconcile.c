// reconcile.c - `weir reconcile approve | reject`: decides about what a run of a reconciliation
// would do, in a data directory that no server has open. What it is, is printed first. With a
// server, the statements APPROVE and REJECT RECONCILIATION do the same. Entry point: cli_reconcile.

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "col/codec.h"

static base_rc print_rows(engine_session *session, const char *sql, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_result result;
    base_rc rc = engine_run_sql(session, base_str_of(sql), &arena, &result, err);
    base_buf line = {0};
    for (uint32_t row = 0; rc == BASE_OK && row < result.rows->nrows; row++) {
        base_buf_clear(&line);
        for (uint32_t i = 0; i < result.ncolumns; i++) {
            if (col_is_null(&result.rows->cols[i], row)) continue;
            if (line.n > 0) base_buf_add_cstr(&line, "  ");
            col_text_format(&result.rows->cols[i], row, NULL, &line);
        }
        printf("%s\n", base_buf_cstr(&line));
    }
    base_buf_deinit(&line);
    base_arena_deinit(&arena);
    return rc;
}

static base_rc decide(engine *e, const plan_object *r, bool approve, uint32_t run,
                      base_error *err) {
    engine_session session;
    engine_session_init(&session, e);
    const char *user = getenv("USER");
    if (user != NULL && *user != '\0') session.user = user;
    base_buf sql = {0};
    base_buf_printf(&sql,
                    "SELECT action, kind, key, coalesce(record, ''), outcome FROM "
                    "weir.reconciliation_remedy WHERE schema = '%s' AND name = '%s' AND "
                    "state IN ('waiting', 'rejected') AND run = "
                    "(SELECT max(run) FROM weir.reconciliation_runs WHERE schema = '%s' AND "
                    "name = '%s' AND remedy IS NOT NULL) ORDER BY number",
                    r->schema, r->name, r->schema, r->name);
    base_rc rc = print_rows(&session, base_buf_cstr(&sql), err);
    base_buf_clear(&sql);
    base_buf_printf(&sql, "%s RECONCILIATION \"%s\".\"%s\"", approve ? "APPROVE" : "REJECT",
                    r->schema, r->name);
    if (run > 0) base_buf_printf(&sql, " RUN %u", run);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_result result;
    if (rc == BASE_OK) rc = engine_run_sql(&session, base_buf_str(&sql), &arena, &result, err);
    if (rc == BASE_OK) printf("%s\n", result.tag);
    base_arena_deinit(&arena);
    base_buf_deinit(&sql);
    return rc;
}

static base_rc decide_named(engine *e, const char *name, bool approve, uint32_t run,
                            base_error *err) {
    const plan_object *r = engine_find(e, base_str_of(name));
    if (r == NULL || r->kind != PLAN_OBJECT_RECONCILIATION)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                         "there is no reconciliation \"%s\"", name);
    return decide(e, r, approve, run, err);
}

int cli_reconcile(int argc, char **argv) {
    uint32_t run = 0;
    cli_option options[] = {
        {"run", CLI_U32, &run, "N", "the run that must be the waiting one, else any", 1,
         UINT32_MAX},
    };
    cli_usage usage = {
        .command = "weir reconcile",
        .synopsis = "approve|reject DIR NAME [options]",
        .about =
            "Prints what a run of a reconciliation that is above its limits would append, and\n"
            "appends it or leaves it. No server may have the directory open; with one, give\n"
            "it the statement APPROVE or REJECT RECONCILIATION name [RUN n], and see\n"
            "weir.reconciliation_remedy.",
        .examples = "  weir reconcile approve /var/lib/weir sales.daily_vs_book --run 12\n",
        .noptions = 1,
        .options = options,
        .operands_min = 3,
        .operands_max = 3,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    bool approve = strcmp(operands.items[0], "approve") == 0;
    if (!approve && strcmp(operands.items[0], "reject") != 0)
        return cli_fail("\"%s\" is neither approve nor reject", operands.items[0]);
    engine_config config = {.dir = operands.items[1], .message = cli_quiet_message};
    engine *e;
    base_error err = {0};
    base_rc rc = cli_engine_open(&config, &e, &err);
    if (rc != BASE_OK) return cli_error(&err);
    rc = decide_named(e, operands.items[2], approve, run, &err);
    engine_close(e);
    if (rc != BASE_OK) return cli_error(&err);
    return cli_flush_stdout(CLI_OK);
}
