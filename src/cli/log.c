// log.c - `weir log`: looks into the log's files, beside a running server or without one; changes
// nothing. Entry point: cli_log.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"
#include "log/dump.h"

// DIR may be a data directory or the log's own directory.
static base_rc log_dir(const char *dir, base_buf *out, base_error *err) {
    plat *p = plat_os();
    bool exists, is_dir;
    base_buf_printf(out, "%s/log", dir);
    base_rc rc = p->ops->exists(p, base_buf_cstr(out), &exists, &is_dir, err);
    if (rc != BASE_OK) return rc;
    if (exists && is_dir) return BASE_OK;
    base_buf_clear(out);
    base_buf_add_cstr(out, dir);
    rc = p->ops->exists(p, base_buf_cstr(out), &exists, &is_dir, err);
    if (rc != BASE_OK || (exists && is_dir)) return rc;
    return base_fail(err, BASE_E_NOT_FOUND, NULL, "there is no directory \"%s\"", dir);
}

static base_rc emit_stdout(void *arg, base_str piece, base_error *err) {
    (void)arg;
    if (cli_interrupted) return base_fail(err, BASE_E_CANCELLED, NULL, "stopped");
    if (fwrite(piece.p, 1, piece.n, stdout) == piece.n) return BASE_OK;
    return base_fail(err, BASE_E_IO, NULL, "standard output could not be written");
}

static base_rc emit_nothing(void *arg, base_str piece, base_error *err) {
    (void)arg, (void)piece;
    if (cli_interrupted) return base_fail(err, BASE_E_CANCELLED, NULL, "stopped");
    return BASE_OK;
}

static int dump(int argc, char **argv) {
    log_dump_options o = {.partition = -1, .from = 0, .to = UINT64_MAX};
    bool json = false, raw = false, batches = false;
    uint64_t partition = UINT64_MAX;
    cli_option options[] = {
        {"partition", CLI_U64, &partition, "N", "this partition only", 0, LOG_PARTITIONS_MAX - 1},
        {"from", CLI_U64, &o.from, "OFFSET", "the first offset to print", 0, 0},
        {"to", CLI_U64, &o.to, "OFFSET", "the offset to stop before", 0, 0},
        {"verify", CLI_FLAG, &o.verify, NULL,
         "check every byte, also of what is not printed; exit code 1 if there is damage", 0, 0},
        {"json", CLI_FLAG, &json, NULL,
         "a JSON object a record: partition, offset, append_time, headers, payload", 0, 0},
        {"raw", CLI_FLAG, &raw, NULL, "payloads alone, a line each", 0, 0},
        {"batches", CLI_FLAG, &batches, NULL, "a line a batch, no records", 0, 0},
    };
    cli_usage usage = {
        .command = "weir log dump",
        .synopsis = "DIR STREAM [options]",
        .about = "Prints the records of a stream as they lie in the log. DIR is a data directory\n"
                 "(or the log directory in it); STREAM is schema.name. The quarantine of a stream\n"
                 "is the stream 'schema.name!quarantine'. Reads the files alone and changes\n"
                 "nothing: it may run beside the server. Damage is said and passed over.",
        .examples = "  weir log dump weir-data sales.order_placed --from 1000 --to 1010\n"
                    "  weir log dump weir-data 'sales.order_placed!quarantine' --json\n"
                    "  weir log dump weir-data sales.order_placed --batches --verify\n",
        .noptions = sizeof options / sizeof options[0],
        .options = options,
        .operands_min = 2,
        .operands_max = 2,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    if (json + raw + batches > 1)
        return cli_usage_error("weir log dump", "--json, --raw and --batches exclude each other");
    o.format = json ? LOG_DUMP_JSON : raw ? LOG_DUMP_RAW : batches ? LOG_DUMP_BATCH : LOG_DUMP_TEXT;
    if (partition != UINT64_MAX) o.partition = (int64_t)partition;
    o.stream = base_str_of(operands.items[1]);
    base_buf dir = {0};
    base_error err = {0};
    log_dump_stats stats = {0};
    base_rc rc = log_dir(operands.items[0], &dir, &err);
    if (rc == BASE_OK)
        rc = log_dump(plat_os(), base_buf_cstr(&dir), &o, emit_stdout, NULL, &stats, &err);
    base_buf_deinit(&dir);
    code = cli_flush_stdout(CLI_OK);
    if (rc != BASE_OK) return cli_error(&err);
    fprintf(stderr, "%s records, %s of payload in %s batches and %s segments%s\n",
            cli_number(stats.records), cli_bytes(stats.payload_bytes), cli_number(stats.batches),
            cli_number(stats.segments),
            stats.damaged > 0 ? ""
            : o.verify        ? ", no damage"
                              : "");
    if (stats.damaged > 0)
        return cli_fail("%llu damaged places", (unsigned long long)stats.damaged);
    return code;
}

// ---- list ---------------------------------------------------------------------------------------

typedef struct list_walk {
    base_error *err;
    const char *dir;
    bool verify;
    uint64_t damaged, streams;
} list_walk;

// The stream's name of its directory's: %xx stands for what a file name may not hold.
static void stream_name(const char *name, base_buf *out) {
    for (const char *p = name; *p != '\0'; p++) {
        unsigned byte;
        if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1) {
            base_buf_add_byte(out, (uint8_t)byte);
            p += 2;
        } else {
            base_buf_add_byte(out, (uint8_t)*p);
        }
    }
}

static base_rc list_entry(void *arg, const plat_dir_entry *entry) {
    list_walk *walk = arg;
    if (!entry->is_dir) return BASE_OK;
    plat *p = plat_os();
    base_buf path = {0}, name = {0};
    bool exists = false, is_dir;
    base_buf_printf(&path, "%s/%s/stream.json", walk->dir, entry->name);
    base_rc rc = p->ops->exists(p, base_buf_cstr(&path), &exists, &is_dir, walk->err);
    if (rc == BASE_OK && exists) {
        stream_name(entry->name, &name);
        log_dump_options o = {.stream = base_buf_str(&name),
                              .partition = -1,
                              .to = UINT64_MAX,
                              .verify = walk->verify,
                              .format = LOG_DUMP_BATCH};
        log_dump_stats stats = {0};
        rc = log_dump(p, walk->dir, &o, emit_nothing, NULL, &stats, walk->err);
        if (rc == BASE_OK) {
            printf("%-44s %15s %12s %9s %9s", base_buf_cstr(&name), cli_number(stats.records),
                   cli_bytes(stats.payload_bytes), cli_number(stats.batches),
                   cli_number(stats.segments));
            if (stats.damaged > 0)
                printf("  %llu damaged places", (unsigned long long)stats.damaged);
            printf("\n");
            walk->damaged += stats.damaged;
            walk->streams++;
        }
    }
    base_buf_deinit(&path);
    base_buf_deinit(&name);
    return rc;
}

static int list(int argc, char **argv) {
    list_walk walk = {0};
    cli_option options[] = {
        {"verify", CLI_FLAG, &walk.verify, NULL, "check every byte; exit code 1 on damage", 0, 0},
    };
    cli_usage usage = {
        .command = "weir log list",
        .synopsis = "DIR [options]",
        .about = "Lists the streams of a data directory's log: records, bytes of payload, batches\n"
                 "and segment files. A stream's quarantine is a stream of its own.",
        .examples = "  weir log list weir-data --verify\n",
        .noptions = 1,
        .options = options,
        .operands_min = 1,
        .operands_max = 1,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    base_buf dir = {0};
    base_error err = {0};
    walk.err = &err;
    base_rc rc = log_dir(operands.items[0], &dir, &err);
    if (rc == BASE_OK) {
        walk.dir = base_buf_cstr(&dir);
        printf("%-44s %15s %12s %9s %9s\n", "stream", "records", "payload", "batches", "segments");
        rc = plat_os()->ops->list_dir(plat_os(), walk.dir, list_entry, &walk, &err);
    }
    base_buf_deinit(&dir);
    code = cli_flush_stdout(CLI_OK);
    if (rc != BASE_OK) return cli_error(&err);
    if (walk.damaged > 0) return cli_fail("%llu damaged places", (unsigned long long)walk.damaged);
    return code;
}

int cli_log(int argc, char **argv) {
    cli_catch_interrupt();
    static const char *const names[] = {"dump", "list"};
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "dump") == 0) return dump(argc - 1, argv + 1);
    if (strcmp(name, "list") == 0) return list(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        printf("usage: weir log dump DIR STREAM [options]\n"
               "       weir log list DIR [options]\n\n"
               "Looks into the log of a data directory without a server, and beside one.\n"
               "weir log dump --help and weir log list --help say more.\n");
        return cli_flush_stdout(argc > 1 ? CLI_OK : CLI_USAGE);
    }
    const char *nearest = cli_nearest(name, 2, names);
    if (nearest != NULL)
        return cli_usage_error("weir log", "unknown command \"%s\"; did you mean %s?", name,
                               nearest);
    return cli_usage_error("weir log", "unknown command \"%s\"", name);
}
