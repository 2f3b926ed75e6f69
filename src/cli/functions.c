// functions.c - weir functions: writes docs/functions.md from the catalogue of functions and the
// words of functions_doc.c. Fails, and says what to add or take away, if one has what the other has
// not. tools/check-functions compares the page with what this writes.
#include "cli/functions.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"
#include "col/func.h"
#include "col/set.h"
#include "plan/agg.h"
#include "sql/sql.h"

static const char head[] =
    "# Functions\n\n"
    "Written by `weir functions`; do not edit. All scalar functions, operators, functions in FROM, "
    "aggregates\n"
    "and window functions, with the types that they take and give. They do what PostgreSQL 15's "
    "do, with its\n"
    "errors; `tests/sql/run_function_oracle.py` compares them, and [postgresql.md](postgresql.md) "
    "lists where\n"
    "answers differ. Arguments are found by PostgreSQL's rules: an integer is taken where a "
    "numeric is asked.\n"
    "`any` is every type, `anyarray` an array of every type, `...` more of the last. CASE, "
    "COALESCE, NULLIF, IN,\n"
    "BETWEEN, IS DISTINCT FROM, AND, OR, NOT and casts are [SQL](sql.md), not functions.\n";

static const char tail[] =
    "\n## Not there\n\n"
    "`normalize`, `IS NORMALIZED`, `setseed`, `timeofday`, `to_ascii`, the `jsonpath` type and its "
    "`.datetime()`,\n"
    "the `json` type (functions named json_... give jsonb), ranges, geometry, text search, XML, "
    "network addresses,\n"
    "bit strings, sequences, large objects, advisory locks, arrays of more than one dimension, "
    "VARIADIC of an\n"
    "array that is not written out, but for concat, concat_ws, jsonb_extract_path and "
    "jsonb_extract_path_text.\n"
    "Encodings other than UTF8, LATIN1, LATIN9, WIN1252 and SQL_ASCII are refused by name.\n";

static bool is_word(const char *name) {
    return (name[0] >= 'a' && name[0] <= 'z') || name[0] == '_';
}

// Asked by clients about the catalogue, or made by the binder of other forms.
static bool is_inner(const col_func *func) {
    static const char *const names[] = {
        "is distinct from", "is not distinct from", "row", "array[]", "[]", "[:]", "single row"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(func->name, names[i]) == 0) return true;
    return false;
}

static bool is_system(const char *name) {
    static const char *const names[] = {"current_catalog",
                                        "current_database",
                                        "current_role",
                                        "current_schema",
                                        "current_schemas",
                                        "current_setting",
                                        "current_user",
                                        "session_user",
                                        "user",
                                        "version",
                                        "format_type",
                                        "obj_description",
                                        "shobj_description",
                                        "col_description",
                                        "set_config",
                                        "getdatabaseencoding",
                                        "to_regclass",
                                        "to_regtype",
                                        "row_security_active"};
    if (strncmp(name, "pg_", 3) == 0 || strncmp(name, "has_", 4) == 0) return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static const char *kind_name(col_kind kind) {
    switch (kind) {
    case COL_UNKNOWN:
        return "any";
    case COL_ARRAY:
        return "anyarray";
    case COL_STRUCT:
        return "row";
    case COL_TIMESTAMP:
        return "timestamp";
    case COL_TIMESTAMPTZ:
        return "timestamptz";
    case COL_TIME:
        return "time";
    case COL_FLOAT8:
        return "float8";
    case COL_FLOAT4:
        return "float4";
    default:
        return col_kind_name(kind);
    }
}

static void add_signature(base_buf *buf, const col_func *func, const char *ret) {
    if (buf->n > 0) base_buf_add_cstr(buf, "; ");
    base_buf_add_byte(buf, '(');
    for (uint32_t i = 0; i < func->nargs; i++)
        base_buf_printf(buf, "%s%s", i > 0 ? ", " : "", kind_name(func->args[i]));
    if (func->flags & COL_FUNC_VARIADIC) base_buf_add_cstr(buf, ", ...");
    base_buf_printf(buf, ") → %s", ret);
}

// All signatures of a name; 0: there is no such function.
static size_t signatures(const char *name, base_buf *buf) {
    const col_func *const *funcs;
    const col_func *sets[32];
    size_t n = col_func_find(base_str_of(name), &funcs);
    base_buf_clear(buf);
    for (size_t i = 0; i < n; i++) add_signature(buf, funcs[i], kind_name(funcs[i]->ret));
    size_t n_sets = col_set_find(base_str_of(name), sets, sizeof sets / sizeof sets[0]);
    for (size_t i = 0; i < n_sets; i++) {
        const col_set_func *set = col_set_of(sets[i]);
        char ret[64];
        snprintf(ret, sizeof ret, "rows of %s",
                 set->ncols == 1 ? kind_name(set->cols[0].kind) : "key, value");
        add_signature(buf, sets[i], ret);
    }
    return n + n_sets;
}

static size_t aggregate_signatures(const char *name, base_buf *buf) {
    const plan_agg_def *defs;
    size_t n = plan_agg_find(base_str_of(name), &defs);
    base_buf_clear(buf);
    for (size_t i = 0; i < n; i++) {
        bool within = defs[i].form == PLAN_AGG_ORDERED_SET || defs[i].form == PLAN_AGG_HYPOTHETICAL;
        if (within) {
            base_buf_add_cstr(buf, i > 0 ? "" : "WITHIN GROUP (ORDER BY ...)");
            continue;
        }
        base_buf_printf(buf, "%s(%s%s%s) → %s", i > 0 ? "; " : "",
                        defs[i].nargs == 0 ? "*" : kind_name(defs[i].arg),
                        defs[i].nargs == 2 ? ", " : "",
                        defs[i].nargs == 2 ? kind_name(defs[i].arg2) : "", kind_name(defs[i].ret));
    }
    return n;
}

static void print_cell(const char *text) {
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '|') putchar('\\');
        putchar(*p);
    }
}

typedef enum section {
    SECTION_SCALAR,
    SECTION_AGGREGATE,
    SECTION_WINDOW,
} section;

static bool is_window_function(const char *name) {
    const char *found;
    for (size_t i = 0; (found = sql_window_function_at(i)) != NULL; i++)
        if (strcmp(found, name) == 0) return true;
    return false;
}

static bool print_row(section where, const cli_function_words_row *row, base_buf *buf) {
    size_t n = where == SECTION_SCALAR      ? signatures(row->name, buf)
               : where == SECTION_AGGREGATE ? aggregate_signatures(row->name, buf)
                                            : is_window_function(row->name);
    if (n == 0) {
        fprintf(stderr, "there is no function \"%s\": take its words out of functions_doc.c\n",
                row->name);
        return false;
    }
    printf("| `");
    print_cell(row->name);
    printf("` | ");
    print_cell(row->text);
    if (where != SECTION_WINDOW) {
        printf(" | ");
        print_cell(base_buf_cstr(buf));
    }
    printf(" |\n");
    return true;
}

static bool has_words(const char *name) {
    for (size_t i = 0; i < cli_function_words_count; i++)
        if (cli_function_words[i].name != NULL && strcmp(cli_function_words[i].name, name) == 0)
            return true;
    return false;
}

static bool all_have_words(void) {
    bool all = true;
    for (size_t i = 0; i < col_func_count(); i++) {
        const col_func *func = col_func_at(i);
        if (is_inner(func) || is_system(func->name) || has_words(func->name)) continue;
        fprintf(stderr, "function \"%s\" has no words in functions_doc.c\n", func->name);
        all = false;
    }
    const plan_agg_def *agg;
    for (size_t i = 0; (agg = plan_agg_at(i)) != NULL; i++) {
        if (has_words(agg->name)) continue;
        fprintf(stderr, "aggregate \"%s\" has no words in functions_doc.c\n", agg->name);
        all = false;
    }
    const char *window;
    for (size_t i = 0; (window = sql_window_function_at(i)) != NULL; i++) {
        if (has_words(window)) continue;
        fprintf(stderr, "window function \"%s\" has no words in functions_doc.c\n", window);
        all = false;
    }
    return all;
}

// Names only: what psql and drivers ask the catalogue.
static void print_system(void) {
    printf("\n## What clients ask\n\n");
    const char *last = "";
    size_t width = 0;
    for (size_t i = 0; i < col_func_count(); i++) {
        const char *name = col_func_at(i)->name;
        if (!is_word(name) || !is_system(name) || strcmp(name, last) == 0) continue;
        printf("%s`%s`", last[0] == '\0' ? "" : width > 100 ? ",\n" : ", ", name);
        width = width > 100 ? strlen(name) : width + strlen(name) + 4;
        last = name;
    }
    printf("\n");
}

int cli_functions(int argc, char **argv) {
    if (argc > 1) {
        bool help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
        if (!help) return cli_usage_error("weir functions", "unknown argument \"%s\"", argv[1]);
        printf("usage: weir functions\n\nPrints docs/functions.md: all functions of SQL, by "
               "sections.\n");
        return cli_flush_stdout(CLI_OK);
    }
    base_buf buf = {0};
    bool good = all_have_words();
    section where = SECTION_SCALAR;
    fputs(head, stdout);
    for (size_t i = 0; i < cli_function_words_count && good; i++) {
        const cli_function_words_row *row = &cli_function_words[i];
        if (row->name != NULL) {
            good = print_row(where, row, &buf);
            continue;
        }
        where = strcmp(row->text, "Aggregates") == 0         ? SECTION_AGGREGATE
                : strcmp(row->text, "Window functions") == 0 ? SECTION_WINDOW
                                                             : SECTION_SCALAR;
        printf("\n## %s\n\n", row->text);
        printf(where == SECTION_WINDOW ? "| function | gives |\n|---|---|\n"
                                       : "| function | gives | types |\n|---|---|---|\n");
    }
    print_system();
    fputs(tail, stdout);
    base_buf_deinit(&buf);
    return cli_flush_stdout(good ? CLI_OK : CLI_FAILED);
}
