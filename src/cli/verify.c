// verify.c - `weir verify`: whether the views of a data directory show what its log says. The
// directory is opened as a server would, without taking a step. Entry point: cli_verify.

#include <string.h>

#include "cli/cli.h"
#include "plat/plat.h"

typedef struct options {
    uint32_t cores, batch_rows;
    bool state_digest, quiet;
} options;

typedef struct names {
    const plan_object *views[4096];
    uint32_t n;
} names;

static void add_view(void *arg, const plan_object *object) {
    names *n = arg;
    if (object->kind == PLAN_OBJECT_VIEW && n->n < 4096) n->views[n->n++] = object;
}

static void print_result(const plan_object *view, const engine_verify_result *r, const options *o) {
    printf("%s.%s: %s", view->schema, view->name, engine_verdict_name(r->verdict));
    if (r->verdict != ENGINE_VERIFY_NOT_POSSIBLE) {
        printf(", %llu rows at step %llu, from %llu records in %.3f s, digest %s",
               (unsigned long long)r->rows, (unsigned long long)r->step,
               (unsigned long long)r->records, (double)r->us / 1e6, r->digest_from_log);
        if (r->close > 0)
            printf(", %llu keys differ in the last digits of floating-point sums only",
                   (unsigned long long)r->close);
        if (o->state_digest) printf(", state %s", r->state_digest);
    }
    printf("\n");
    if (r->reason[0] != 0) printf("  %s\n", r->reason);
    if (r->missing + r->unexpected + r->differing == 0) return;
    printf(
        "  served digest %s; %llu keys differ, %llu are served without cause, %llu are missing\n",
        r->digest, (unsigned long long)r->differing, (unsigned long long)r->unexpected,
        (unsigned long long)r->missing);
    for (uint32_t i = 0; !o->quiet && i < r->nlisted; i++)
        printf("  %s\n    served:   %s\n    from log: %s\n", r->listed[i].key,
               r->listed[i].served != NULL ? r->listed[i].served : "(no row)",
               r->listed[i].from_log != NULL ? r->listed[i].from_log : "(no row)");
    uint64_t n = r->missing + r->unexpected + r->differing;
    if (!o->quiet && n > r->nlisted)
        printf("  and %llu more\n", (unsigned long long)(n - r->nlisted));
}

// wanted: the directory, then views.
static int verify_all(engine *e, const cli_list *wanted, const options *o) {
    names all = {.n = 0};
    if (wanted->n == 1) engine_objects(e, add_view, &all);
    for (size_t i = 1; i < wanted->n; i++) {
        const plan_object *view = engine_find(e, base_str_of(wanted->items[i]));
        if (view == NULL || view->kind != PLAN_OBJECT_VIEW) {
            fprintf(stderr, "weir verify: there is no materialized view \"%s\"\n",
                    wanted->items[i]);
            return CLI_FAILED;
        }
        all.views[all.n++] = view;
    }
    uint32_t bad = 0;
    for (uint32_t i = 0; i < all.n; i++) {
        base_arena arena;
        base_arena_init(&arena, 1 << 14);
        engine_verify_result result;
        base_error err = {0};
        if (engine_verify(e, all.views[i], &arena, NULL, &result, &err) != BASE_OK) {
            printf("%s.%s: failed\n  %s\n", all.views[i]->schema, all.views[i]->name, err.message);
            if (err.hint[0] != 0) printf("  %s\n", err.hint);
            bad++;
        } else {
            print_result(all.views[i], &result, o);
            bad += result.verdict == ENGINE_VERIFY_DIFFERS;
        }
        base_arena_deinit(&arena);
    }
    if (bad > 0) fprintf(stderr, "%u of %u views are not what the log says\n", bad, all.n);
    return cli_flush_stdout(bad == 0 ? CLI_OK : CLI_FAILED);
}

base_rc cli_engine_open(const engine_config *config, engine **out, base_error *err) {
    bool exists = false, is_dir = false;
    plat *plat = plat_os();
    base_rc rc = plat->ops->exists(plat, config->dir, &exists, &is_dir, err);
    if (rc == BASE_OK && !is_dir)
        rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "there is no directory \"%s\"", config->dir);
    return rc == BASE_OK ? engine_open(plat, config, out, err) : rc;
}

int cli_verify(int argc, char **argv) {
    options o = {.cores = 0};
    cli_option list[] = {
        {"cores", CLI_U32, &o.cores, "N", "processors to use; 0: one", 0, 64},
        {"batch-rows", CLI_U32, &o.batch_rows, "N", "rows of a batch; 0: the default", 0, 1 << 20},
        {"state-digest", CLI_FLAG, &o.state_digest, NULL,
         "also the digest of the recomputed store: rows, operators, cursors", 0, 0},
        {"quiet", CLI_FLAG, &o.quiet, NULL, "do not list the keys that differ", 0, 0},
    };
    cli_usage usage = {
        .command = "weir verify",
        .synopsis = "DIR [VIEW...] [options]",
        .about =
            "Recomputes materialized views (all, unless some are named) from the log, up to the\n"
            "positions that each stands at, and compares digests and rows with what is kept. No\n"
            "server may have the directory open; with one, ask it: VERIFY MATERIALIZED VIEW v.\n"
            "Exit code 1 if a view differs or cannot be read.",
        .examples = "  weir verify /var/lib/weir\n"
                    "  weir verify /var/lib/weir sales.revenue_1m\n",
        .noptions = sizeof list / sizeof *list,
        .options = list,
        .operands_min = 1,
        .operands_max = CLI_LIST_MAX,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    const char *dir = operands.items[0];
    base_error err = {0};
    engine_config config = {
        .dir = dir, .cores = o.cores, .batch_rows = o.batch_rows, .message = cli_quiet_message};
    engine *e;
    base_rc rc = cli_engine_open(&config, &e, &err);
    if (rc != BASE_OK) return cli_error(&err);
    code = verify_all(e, &operands, &o);
    engine_close(e);
    return code;
}
