// option.c - command line options: tables of options in, values or one clear line out.
//
// Invariants: every option of a command stands in its help; a wrong option names the nearest one;
// a number outside its range is refused, never clamped. Entry point: cli_parse.

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"

#define NAME_MAX_CHARS 64

// Edit distance with transpositions (Damerau's restricted form); names are short.
static size_t distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    if (n > NAME_MAX_CHARS || m > NAME_MAX_CHARS) return NAME_MAX_CHARS;
    size_t row[3][NAME_MAX_CHARS + 1];
    for (size_t j = 0; j <= m; j++) row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *two = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best) best = before[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && two[j - 2] + 1 < best) best = two[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *cli_nearest(const char *text, size_t n, const char *const *names) {
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(text, names[i]);
        bool begins = strlen(text) >= 3 && strncmp(names[i], text, strlen(text)) == 0;
        if (begins) d = 1;
        if (d < least && d <= 1 + strlen(names[i]) / 3) least = d, best = names[i];
    }
    return best;
}

int cli_usage_error(const char *command, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "%s: ", command);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, " (see %s --help)\n", command);
    va_end(args);
    return CLI_USAGE;
}

// ---- help ---------------------------------------------------------------------------------------

#define HELP_COLUMN 26

static void print_option(const cli_option *option) {
    if (option->kind == CLI_SECTION) {
        printf("\n%s:\n", option->help);
        return;
    }
    int width = printf("  --%s%s%s", option->name, option->value == NULL ? "" : " ",
                       option->value == NULL ? "" : option->value);
    for (const char *line = option->help; line != NULL;) {
        const char *end = strchr(line, '\n');
        int n = end == NULL ? (int)strlen(line) : (int)(end - line);
        if (width >= HELP_COLUMN) printf("\n"), width = 0;
        printf("%*s%.*s\n", HELP_COLUMN - width, "", n, line);
        width = 0;
        line = end == NULL ? NULL : end + 1;
    }
}

static void print_help(const cli_usage *usage) {
    printf("usage: %s %s\n\n%s\n", usage->command, usage->synopsis, usage->about);
    if (usage->noptions > 0 && usage->options[0].kind != CLI_SECTION) printf("\nOptions:\n");
    for (size_t i = 0; i < usage->noptions; i++) print_option(&usage->options[i]);
    cli_option help = {"help", CLI_FLAG, NULL, NULL, "this text", 0, 0};
    print_option(&help);
    if (usage->examples != NULL) printf("\nExamples:\n%s", usage->examples);
}

// ---- values -------------------------------------------------------------------------------------

static bool read_number(const char *text, uint64_t *out) {
    if (text[0] < '0' || text[0] > '9') return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0') return false;
    *out = v;
    return true;
}

static int set_number(const cli_usage *usage, const cli_option *option, const char *text) {
    uint64_t v, max = option->max;
    if (option->kind == CLI_MIB && (max == 0 || max > UINT64_MAX >> 20)) max = UINT64_MAX >> 20;
    if (option->kind == CLI_U32 && max == 0) max = UINT32_MAX;
    if (max == 0) max = UINT64_MAX;
    if (!read_number(text, &v))
        return cli_usage_error(usage->command, "--%s takes a number, not \"%s\"", option->name,
                               text);
    if (v < option->min || v > max) {
        if (option->max == 0 && v < option->min)
            return cli_usage_error(usage->command, "--%s %s: must be at least %llu", option->name,
                                   text, (unsigned long long)option->min);
        return cli_usage_error(usage->command, "--%s %s: must be from %llu to %llu", option->name,
                               text, (unsigned long long)option->min, (unsigned long long)max);
    }
    if (option->kind == CLI_U32)
        *(uint32_t *)option->to = (uint32_t)v;
    else
        *(uint64_t *)option->to = option->kind == CLI_MIB ? v << 20 : v;
    return CLI_GO;
}

static int set_value(const cli_usage *usage, const cli_option *option, const char *text) {
    switch (option->kind) {
    case CLI_TEXT:
        *(const char **)option->to = text;
        return CLI_GO;
    case CLI_LIST: {
        cli_list *list = option->to;
        if (list->n == CLI_LIST_MAX)
            return cli_usage_error(usage->command, "--%s is given more than %d times", option->name,
                                   CLI_LIST_MAX);
        list->items[list->n++] = text;
        return CLI_GO;
    }
    default:
        return set_number(usage, option, text);
    }
}

static int unknown_option(const cli_usage *usage, const char *name) {
    const char *names[128];
    size_t n = 0;
    names[n++] = "help";
    for (size_t i = 0; i < usage->noptions && n < 128; i++)
        if (usage->options[i].kind != CLI_SECTION) names[n++] = usage->options[i].name;
    const char *nearest = cli_nearest(name, n, names);
    if (nearest == NULL) return cli_usage_error(usage->command, "unknown option --%s", name);
    return cli_usage_error(usage->command, "unknown option --%s; did you mean --%s?", name,
                           nearest);
}

// One option at argv[*i], without its dashes in `text`.
static int take_option(const cli_usage *usage, const char *text, int argc, char **argv, int *i) {
    const char *equals = strchr(text, '=');
    size_t n = equals == NULL ? strlen(text) : (size_t)(equals - text);
    for (size_t k = 0; k < usage->noptions; k++) {
        const cli_option *option = &usage->options[k];
        if (option->kind == CLI_SECTION || strlen(option->name) != n ||
            memcmp(option->name, text, n) != 0)
            continue;
        if (option->kind == CLI_FLAG) {
            if (equals != NULL)
                return cli_usage_error(usage->command, "--%s takes no value", option->name);
            *(bool *)option->to = true;
            return CLI_GO;
        }
        if (equals != NULL) return set_value(usage, option, equals + 1);
        if (*i + 1 >= argc)
            return cli_usage_error(usage->command, "--%s needs a value (%s)", option->name,
                                   option->value);
        return set_value(usage, option, argv[++*i]);
    }
    char name[NAME_MAX_CHARS + 1];
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    return unknown_option(usage, name);
}

int cli_parse(const cli_usage *usage, int argc, char **argv, cli_list *operands) {
    operands->n = 0;
    bool options_over = false;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (!options_over && strcmp(text, "--") == 0) {
            options_over = true;
        } else if (!options_over && (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)) {
            print_help(usage);
            return cli_flush_stdout(CLI_OK);
        } else if (!options_over && strncmp(text, "--", 2) == 0) {
            int code = take_option(usage, text + 2, argc, argv, &i);
            if (code != CLI_GO) return code;
        } else if (!options_over && text[0] == '-' && text[1] != '\0') {
            return cli_usage_error(usage->command, "unknown option %s", text);
        } else if (operands->n == usage->operands_max || operands->n == CLI_LIST_MAX) {
            return cli_usage_error(usage->command, "unexpected argument \"%s\"", text);
        } else {
            operands->items[operands->n++] = text;
        }
    }
    if (operands->n < usage->operands_min)
        return cli_usage_error(usage->command, "too few arguments: usage: %s %s", usage->command,
                               usage->synopsis);
    return CLI_GO;
}
