// sqltext.c - files of SQL as one text, with the way back from a position to file, line and column.
//
// Invariants: between files stands a statement's end on a line of its own, so that no statement
// runs from one file into the next. Positions are counted in characters (not bytes), from 1, as the
// parser counts them. Entry points: cli_sql_add, cli_sql_error.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"

#define SQL_BYTES_MAX (64u << 20)

static base_rc add_file(cli_sql *sql, const char *path, base_error *err) {
    if (sql->nfiles > 0) base_buf_add_cstr(&sql->text, "\n;\n");
    size_t begin = sql->text.n;
    base_rc rc = plat_read_file(plat_os(), path, SQL_BYTES_MAX, &sql->text, err);
    if (rc != BASE_OK) return rc;
    base_str added = {sql->text.p + begin, sql->text.n - begin};
    if (base_str_starts(added, BASE_STR("\xef\xbb\xbf"))) memset(sql->text.p + begin, ' ', 3);
    size_t good = base_utf8_valid_prefix(added);
    if (good < added.n)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                         "%s: not UTF-8 at byte %zu", path, good);
    const char *zero = memchr(added.p, 0, added.n);
    if (zero != NULL)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX, "%s: a zero byte at byte %zu",
                         path, (size_t)(zero - added.p));
    sql->files = realloc(sql->files, (sql->nfiles + 1) * sizeof *sql->files);
    must(sql->files != NULL);
    sql->files[sql->nfiles++] = (cli_sql_file){strdup(path), begin, sql->text.n};
    return BASE_OK;
}

typedef struct dir_walk {
    cli_sql *sql;
    const char *path;
    size_t found;
    base_error *err;
} dir_walk;

static base_rc add_entry(void *arg, const plat_dir_entry *entry) {
    dir_walk *walk = arg;
    size_t n = strlen(entry->name);
    if (entry->is_dir || n < 5 || entry->name[0] == '.' || strcmp(entry->name + n - 4, ".sql") != 0)
        return BASE_OK;
    walk->found++;
    base_buf path = {0};
    base_buf_printf(&path, "%s/%s", walk->path, entry->name);
    base_rc rc = add_file(walk->sql, base_buf_cstr(&path), walk->err);
    base_buf_deinit(&path);
    return rc;
}

base_rc cli_sql_add(cli_sql *sql, const char *path, base_error *err) {
    plat *p = plat_os();
    bool exists, is_dir;
    base_rc rc = p->ops->exists(p, path, &exists, &is_dir, err);
    if (rc != BASE_OK) return rc;
    if (!exists) return base_fail(err, BASE_E_NOT_FOUND, NULL, "there is no file \"%s\"", path);
    if (!is_dir) return add_file(sql, path, err);
    dir_walk walk = {sql, path, 0, err};
    rc = p->ops->list_dir(p, path, add_entry, &walk, err);
    if (rc == BASE_OK && walk.found == 0)
        return base_fail(err, BASE_E_NOT_FOUND, NULL, "directory \"%s\" has no *.sql file", path);
    return rc;
}

void cli_sql_deinit(cli_sql *sql) {
    for (size_t i = 0; i < sql->nfiles; i++) free(sql->files[i].path);
    free(sql->files);
    base_buf_deinit(&sql->text);
}

// The byte at which character `position` (from 1) begins; text.n if it is behind the end.
static size_t byte_of(const cli_sql *sql, int32_t position) {
    size_t at = 0;
    for (int32_t c = 1; at < sql->text.n; at++) {
        if (((uint8_t)sql->text.p[at] & 0xc0) == 0x80) continue;
        if (c++ == position) break;
    }
    return at;
}

static const cli_sql_file *file_at(const cli_sql *sql, size_t byte) {
    const cli_sql_file *file = NULL;
    for (size_t i = 0; i < sql->nfiles; i++)
        if (sql->files[i].begin <= byte) file = &sql->files[i];
    return file;
}

static size_t line_begin(const cli_sql *sql, const cli_sql_file *file, size_t byte, size_t *line) {
    size_t begin = file->begin;
    *line = 1;
    for (size_t i = file->begin; i < byte && i < file->end; i++)
        if (sql->text.p[i] == '\n') begin = i + 1, ++*line;
    return begin;
}

static size_t characters(const char *p, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((uint8_t)p[i] & 0xc0) != 0x80;
    return count;
}

bool cli_sql_place(const cli_sql *sql, int32_t position, base_buf *out) {
    if (position <= 0 || sql->nfiles == 0) return false;
    size_t byte = byte_of(sql, position), line;
    const cli_sql_file *file = file_at(sql, byte);
    size_t begin = line_begin(sql, file, byte, &line);
    if (byte > file->end) byte = file->end;
    if (byte < begin) byte = begin;
    base_buf_printf(out, "%s:%zu:%zu", file->path, line,
                    1 + characters(sql->text.p + begin, byte - begin));
    return true;
}

bool cli_sql_place_line(const cli_sql *sql, size_t line, const char **path, size_t *file_line) {
    size_t at = 0;
    for (size_t l = 1; l < line; l++) {
        const char *end = memchr(sql->text.p + at, '\n', sql->text.n - at);
        if (end == NULL) return false;
        at = (size_t)(end - sql->text.p) + 1;
    }
    const cli_sql_file *file = file_at(sql, at);
    if (file == NULL) return false;
    *path = file->path;
    line_begin(sql, file, at, file_line);
    return true;
}

int cli_sql_error(const cli_sql *sql, const base_error *err) {
    base_buf place = {0};
    const char *message = err->message;
    int skip = 0; // engine_apply names the line of the whole text, if it knows no position
    size_t at_line = 0, file_line;
    const char *path;
    if (sscanf(message, "line %zu: %n", &at_line, &skip) == 1 && skip > 0) message += skip;
    if (!cli_sql_place(sql, err->position, &place)) {
        base_error plain = *err;
        if (skip > 0 && at_line > 0 && cli_sql_place_line(sql, at_line, &path, &file_line)) {
            memmove(plain.message, plain.message + skip, strlen(message) + 1);
            base_error_prefix(&plain, "%s:%zu", path, file_line);
        }
        base_buf_deinit(&place);
        return cli_error(&plain);
    }
    fprintf(stderr, "%s: error: %s (%s)\n", base_buf_cstr(&place), message, err->sqlstate);
    size_t byte = byte_of(sql, err->position), line;
    const cli_sql_file *file = file_at(sql, byte);
    size_t begin = line_begin(sql, file, byte, &line), end = begin;
    while (end < file->end && sql->text.p[end] != '\n') end++;
    if (end - begin <= 200 && byte >= begin && byte <= end) {
        fprintf(stderr, "  %.*s\n  ", (int)(end - begin), sql->text.p + begin);
        for (size_t i = begin; i < byte; i++) {
            if (((uint8_t)sql->text.p[i] & 0xc0) == 0x80) continue;
            fputc(sql->text.p[i] == '\t' ? '\t' : ' ', stderr);
        }
        fprintf(stderr, "^\n");
    }
    if (err->detail[0] != '\0') fprintf(stderr, "  detail: %s\n", err->detail);
    if (err->hint[0] != '\0') fprintf(stderr, "  hint: %s\n", err->hint);
    base_buf_deinit(&place);
    return CLI_FAILED;
}
