// reconcile.c - `weir reconcile list | run | approve | reject`: the reconciliations of a data
// directory that no server has open. With a server, the statements RECONCILE, APPROVE and REJECT do
// the same, and weir.reconciliations lists. Entry point: cli_reconcile.
//
// Exit codes, for cron and monitors, as of grep and diff: 0 both sides agree (or it was done), 1
// something was found, 2 it could not be done.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"
#include "col/codec.h"
#include "connect/connect.h"

enum { AGREES = 0, DIFFERS = 1, TROUBLE = 2 };

#define FINDINGS_SHOWN "20"

typedef struct work {
    engine *engine;
    engine_session session;
    base_buf sql;
} work;

// ---- statements ---------------------------------------------------------------------------------

static void add_quoted(base_buf *sql, char quote, const char *text) {
    base_buf_add_byte(sql, (uint8_t)quote);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == quote) base_buf_add_byte(sql, (uint8_t)quote);
        base_buf_add_byte(sql, (uint8_t)*p);
    }
    base_buf_add_byte(sql, (uint8_t)quote);
}

static void add_where(base_buf *sql, const plan_object *r) {
    base_buf_add_cstr(sql, " WHERE schema = ");
    add_quoted(sql, '\'', r->schema);
    base_buf_add_cstr(sql, " AND name = ");
    add_quoted(sql, '\'', r->name);
}

// Runs w->sql and prints its rows, a line each, cells without null.
static base_rc print_rows(work *w, const char *indent, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_result result;
    base_rc rc = engine_run_sql(&w->session, base_buf_str(&w->sql), &arena, &result, err);
    base_buf line = {0};
    for (uint32_t row = 0; rc == BASE_OK && row < result.rows->nrows; row++) {
        base_buf_clear(&line);
        for (uint32_t i = 0; i < result.ncolumns; i++) {
            if (col_is_null(&result.rows->cols[i], row)) continue;
            if (line.n > 0) base_buf_add_cstr(&line, "  ");
            col_text_format(&result.rows->cols[i], row, NULL, &line);
        }
        printf("%s%s\n", indent, base_buf_cstr(&line));
    }
    base_buf_deinit(&line);
    base_arena_deinit(&arena);
    return rc;
}

// ---- list ---------------------------------------------------------------------------------------

static base_rc list_all(work *w, base_error *err) {
    base_buf_clear(&w->sql);
    base_buf_add_cstr(
        &w->sql,
        "SELECT r.schema || '.' || r.name || ':', coalesce('run ' || r.run || ' at ' || "
        "r.started_at, 'has not run'), 'failed: ' || r.error, CASE WHEN r.error IS NULL THEN "
        "r.matched || ' match, ' || r.missing || ' missing, ' || r.unexpected || ' unexpected, ' "
        "|| r.differing || ' differing, ' || r.duplicate || ' duplicate' END, CASE WHEN r.pending "
        "> 0 THEN r.pending || ' pending' END, (SELECT max('run ' || p.run || ' waits for you: ' "
        "|| p.waits_for) FROM weir.reconciliation_runs AS p WHERE p.schema = r.schema AND p.name "
        "= r.name AND p.remedy = 'waiting') FROM weir.reconciliations AS r ORDER BY r.schema, "
        "r.name");
    return print_rows(w, "", err);
}

// ---- run ----------------------------------------------------------------------------------------

static int run_one(work *w, const plan_object *r, base_error *err) {
    engine_reconcile_result result = {0};
    if (engine_reconcile_for(&w->session, r, &result, err) != BASE_OK) {
        base_error_prefix(err, "reconciliation %s.%s", r->schema, r->name);
        cli_error(err);
        return TROUBLE;
    }
    printf("%s.%s: run %llu: %llu match, %llu missing, %llu unexpected, %llu differing, %llu "
           "duplicate, %llu pending\n",
           r->schema, r->name, (unsigned long long)result.run, (unsigned long long)result.matched,
           (unsigned long long)result.missing, (unsigned long long)result.unexpected,
           (unsigned long long)result.differing, (unsigned long long)result.duplicate,
           (unsigned long long)result.pending);
    base_buf_clear(&w->sql);
    base_buf_add_cstr(&w->sql, "SELECT kind, key, column_name, view_value, record_value, reason "
                               "FROM weir.reconciliation_result");
    add_where(&w->sql, r);
    base_buf_printf(&w->sql, " AND run = %llu AND key IS NOT NULL LIMIT " FINDINGS_SHOWN,
                    (unsigned long long)result.run);
    base_rc rc = print_rows(w, "  ", err);
    base_buf_clear(&w->sql);
    base_buf_add_cstr(
        &w->sql,
        "SELECT CASE WHEN remedy = 'waiting' THEN 'waits for approval: ' || waits_for ELSE "
        "'remedy ' || remedy || ': ' || appended || ' appended, ' || retracted || "
        "' taken back, ' || refused || ' refused, ' || unresolved || ' unresolved' END "
        "FROM weir.reconciliation_runs");
    add_where(&w->sql, r);
    base_buf_printf(&w->sql, " AND run = %llu AND remedy IS NOT NULL",
                    (unsigned long long)result.run);
    if (rc == BASE_OK) rc = print_rows(w, "  ", err);
    if (rc != BASE_OK) {
        cli_error(err);
        return TROUBLE;
    }
    return result.missing + result.unexpected + result.differing + result.duplicate > 0 ? DIFFERS
                                                                                        : AGREES;
}

typedef struct chosen {
    const plan_object **items;
    size_t n;
} chosen;

static void add_chosen(chosen *c, const plan_object *r) {
    c->items = realloc(c->items, (c->n + 1) * sizeof(plan_object *));
    must(c->items != NULL);
    c->items[c->n++] = r;
}

static void visit(void *arg, const plan_object *object) {
    if (object->kind == PLAN_OBJECT_RECONCILIATION) add_chosen(arg, object);
}

static const plan_object *find(work *w, const char *name, base_error *err) {
    const plan_object *r = engine_find(w->engine, base_str_of(name));
    if (r != NULL && r->kind == PLAN_OBJECT_RECONCILIATION) return r;
    base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
              "there is no reconciliation \"%s\"", name);
    base_error_hint(err, "weir reconcile list DIR names them.");
    return NULL;
}

// Each is run, whatever becomes of the others; the worst says how it was.
static int run_named(work *w, size_t n, const char *const *names) {
    chosen c = {0};
    int worst = AGREES;
    base_error err = {0};
    // Views as of what the log has.
    if (engine_flush(w->engine, 0, NULL, &err) != BASE_OK) return cli_error(&err), TROUBLE;
    if (n == 0) engine_objects(w->engine, visit, &c);
    for (size_t i = 0; i < n; i++) {
        const plan_object *r = find(w, names[i], &err);
        if (r != NULL) {
            add_chosen(&c, r);
        } else {
            cli_error(&err);
            worst = TROUBLE;
        }
    }
    for (size_t i = 0; i < c.n; i++) {
        base_error one = {0};
        int code = run_one(w, c.items[i], &one);
        if (code > worst) worst = code;
    }
    free(c.items);
    return worst;
}

// ---- approve, reject ----------------------------------------------------------------------------

static base_rc decide(work *w, const plan_object *r, bool approve, uint32_t run, base_error *err) {
    base_buf_clear(&w->sql);
    base_buf_add_cstr(&w->sql, "SELECT action, kind, key, coalesce(record, ''), outcome FROM "
                               "weir.reconciliation_remedy");
    add_where(&w->sql, r);
    base_buf_add_cstr(&w->sql, " AND state IN ('waiting', 'rejected') AND run = (SELECT max(run) "
                               "FROM weir.reconciliation_runs");
    add_where(&w->sql, r);
    base_buf_add_cstr(&w->sql, " AND remedy IS NOT NULL) ORDER BY number");
    base_rc rc = print_rows(w, "", err);
    base_buf_clear(&w->sql);
    base_buf_add_cstr(&w->sql, approve ? "APPROVE RECONCILIATION " : "REJECT RECONCILIATION ");
    add_quoted(&w->sql, '"', r->schema);
    base_buf_add_byte(&w->sql, '.');
    add_quoted(&w->sql, '"', r->name);
    if (run > 0) base_buf_printf(&w->sql, " RUN %u", run);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_result result;
    if (rc == BASE_OK)
        rc = engine_run_sql(&w->session, base_buf_str(&w->sql), &arena, &result, err);
    base_arena_deinit(&arena);
    if (rc != BASE_OK) return rc;
    printf("%s\n", result.tag);
    base_buf_clear(&w->sql);
    base_buf_add_cstr(&w->sql, "SELECT 'run ' || run || ' ' || remedy || ':', appended || "
                               "' appended, ' || retracted || ' taken back, ' || refused || "
                               "' refused' FROM weir.reconciliation_runs");
    add_where(&w->sql, r);
    base_buf_add_cstr(&w->sql, " AND decided_at IS NOT NULL ORDER BY run DESC LIMIT 1");
    return print_rows(w, "", err);
}

// ---- the command --------------------------------------------------------------------------------

static int work_on(work *w, const cli_list *operands, uint32_t run) {
    const char *verb = operands->items[0];
    base_error err = {0};
    base_rc rc = BASE_OK;
    if (strcmp(verb, "run") == 0) return run_named(w, operands->n - 2, operands->items + 2);
    if (strcmp(verb, "list") == 0) {
        rc = list_all(w, &err);
    } else {
        const plan_object *r = find(w, operands->items[2], &err);
        rc = r == NULL ? err.code : decide(w, r, strcmp(verb, "approve") == 0, run, &err);
    }
    return rc == BASE_OK ? AGREES : (cli_error(&err), TROUBLE);
}

static int open_and_work(const char *dir, const cli_list *operands, uint32_t run) {
    engine_config config = {.dir = dir, .message = cli_quiet_message};
    work w = {0};
    connect_hub *hub = NULL;
    base_error err = {0};
    base_rc rc = cli_engine_open(&config, &w.engine, &err);
    if (rc != BASE_OK) return cli_error(&err), TROUBLE;
    rc = connect_open(w.engine, &hub, &err); // it knows the books; no sink delivers
    int code = TROUBLE;
    if (rc == BASE_OK) {
        engine_session_init(&w.session, w.engine);
        const char *user = getenv("USER");
        if (user == NULL || *user == '\0') user = getenv("LOGNAME"); // cron has this one
        if (user != NULL && *user != '\0') w.session.user = user;
        code = work_on(&w, operands, run);
        connect_stop(hub);
    } else {
        cli_error(&err);
    }
    base_buf_deinit(&w.sql);
    engine_close(w.engine);
    return cli_flush_stdout(code) == code ? code : TROUBLE;
}

int cli_reconcile(int argc, char **argv) {
    uint32_t run = 0;
    cli_option options[] = {
        {"run", CLI_U32, &run, "N",
         "of approve and reject: the run that must be the waiting one,\n"
         "else the newest",
         1, UINT32_MAX},
    };
    cli_usage usage = {
        .command = "weir reconcile",
        .synopsis = "list DIR | run DIR [NAME...] | approve|reject DIR NAME [--run N]",
        .about =
            "list: each reconciliation with its last run, and what waits for a person.\n"
            "run: compares now (all, unless some are named), lists what was found, and does what\n"
            "ON MISMATCH says, within the limits.\n"
            "approve, reject: prints what a run that is above its limits would append, and\n"
            "appends what of it is still so, or leaves it.\n"
            "No server may have the directory open; with one, give it the statements RECONCILE,\n"
            "APPROVE and REJECT RECONCILIATION, and see weir.reconciliations.\n"
            "Exit code 0 if both sides agree or it was done, 1 if a run found something (also if\n"
            "it has put it right), 2 if something could not be done.",
        .examples = "  weir reconcile run /var/lib/weir sales.daily_vs_book || mail -s books ops\n"
                    "  weir reconcile approve /var/lib/weir sales.daily_vs_book --run 12\n",
        .noptions = 1,
        .options = options,
        .operands_min = 2,
        .operands_max = CLI_LIST_MAX,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    static const char *const verbs[] = {"list", "run", "approve", "reject"};
    size_t verb = 0;
    while (verb < 4 && strcmp(operands.items[0], verbs[verb]) != 0) verb++;
    if (verb == 4)
        return cli_usage_error("weir reconcile", "\"%s\" is none of list, run, approve, reject",
                               operands.items[0]);
    if (verb != 1 && operands.n != (verb == 0 ? 2u : 3u))
        return cli_usage_error("weir reconcile", "%s wants a directory%s", verbs[verb],
                               verb == 0 ? "" : " and the name of one reconciliation");
    if (run > 0 && verb < 2)
        return cli_usage_error("weir reconcile", "--run is of approve and reject");
    return open_and_work(operands.items[1], &operands, run);
}
