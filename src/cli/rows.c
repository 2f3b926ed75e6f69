// rows.c - batches of rows as an aligned table, CSV or NDJSON.
//
// Invariants: CSV and NDJSON are written as the rows come, in bounded memory; a table keeps at most
// `limit` rows to know how wide its columns are, and says how many more there are.
// Entry points: cli_rows_begin, cli_rows_add, cli_rows_end.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"
#include "col/codec.h"
#include "wire/csv.h"

#define CELL_CHARS_MAX 60 // of a table

bool cli_format_find(const char *name, cli_format *format) {
    static const char *const names[] = {"table", "csv", "ndjson"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *format = (cli_format)i;
        return true;
    }
    return false;
}

void cli_rows_begin(cli_rows *rows, FILE *to, cli_format format, const char *null_text,
                    uint64_t limit, uint32_t ncolumns, const char *const *names) {
    memset(rows, 0, sizeof *rows);
    rows->to = to;
    rows->format = format;
    rows->null_text = null_text;
    rows->limit = limit;
    rows->ncolumns = ncolumns;
    base_arena_init(&rows->arena, 1 << 14);
    rows->names = base_arena_array(&rows->arena, const char *, ncolumns + 1);
    for (uint32_t i = 0; i < ncolumns; i++)
        rows->names[i] = base_arena_strdup(&rows->arena, names[i]);
    if (format != CLI_FORMAT_CSV) return;
    for (uint32_t i = 0; i < ncolumns; i++) {
        if (i > 0) base_buf_add_byte(&rows->line, ',');
        wire_csv_write_field(&rows->line, base_str_of(names[i]), false, ',');
    }
    base_buf_add_byte(&rows->line, '\n');
    fwrite(rows->line.p, 1, rows->line.n, to);
}

static void add_csv(cli_rows *rows, const col_batch *batch, uint32_t row) {
    base_buf cell = {0};
    for (uint32_t c = 0; c < rows->ncolumns; c++) {
        if (c > 0) base_buf_add_byte(&rows->line, ',');
        if (col_is_null(&batch->cols[c], row)) {
            base_buf_add_cstr(&rows->line, rows->null_text);
            continue;
        }
        base_buf_clear(&cell);
        col_text_format(&batch->cols[c], row, 0, &cell);
        wire_csv_write_field(&rows->line, base_buf_str(&cell), false, ',');
    }
    base_buf_add_byte(&rows->line, '\n');
    base_buf_deinit(&cell);
}

static void add_json(cli_rows *rows, const col_batch *batch, uint32_t row) {
    base_buf_add_byte(&rows->line, '{');
    for (uint32_t c = 0; c < rows->ncolumns; c++) {
        if (c > 0) base_buf_add_byte(&rows->line, ',');
        base_buf_add_json_string(&rows->line, base_str_of(rows->names[c]));
        base_buf_add_byte(&rows->line, ':');
        if (col_is_null(&batch->cols[c], row))
            base_buf_add_cstr(&rows->line, "null");
        else
            col_json_format(&batch->cols[c], row, &rows->line);
    }
    base_buf_add_cstr(&rows->line, "}\n");
}

static void keep(cli_rows *rows, const col_batch *batch) {
    uint32_t n = batch->nrows;
    if (rows->limit > 0 && rows->nshown + n > rows->limit)
        n = (uint32_t)(rows->limit - rows->nshown);
    if (n == 0) return;
    rows->kept = realloc(rows->kept, (rows->nkept + 1) * sizeof *rows->kept);
    must(rows->kept != NULL);
    col_batch *part = col_batch_slice(&rows->arena, batch, 0, n);
    rows->kept[rows->nkept++] = col_batch_copy(&rows->arena, part);
    rows->nshown += n;
}

void cli_rows_add(cli_rows *rows, const col_batch *batch) {
    must(batch->ncols >= rows->ncolumns);
    rows->count += batch->nrows;
    if (rows->format == CLI_FORMAT_TABLE) {
        keep(rows, batch);
        return;
    }
    base_buf_clear(&rows->line);
    for (uint32_t row = 0; row < batch->nrows; row++) {
        if (rows->format == CLI_FORMAT_CSV)
            add_csv(rows, batch, row);
        else
            add_json(rows, batch, row);
    }
    fwrite(rows->line.p, 1, rows->line.n, rows->to);
}

// ---- tables -------------------------------------------------------------------------------------

// The cell as shown: control characters escaped, long texts cut. Returns its characters.
static size_t table_cell(const cli_rows *rows, const col_vec *vec, uint32_t row, base_buf *out) {
    base_buf text = {0};
    if (col_is_null(vec, row))
        base_buf_add_cstr(&text, rows->null_text);
    else
        col_text_format(vec, row, 0, &text);
    base_buf_clear(out);
    size_t chars = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        bool begins = (c & 0xc0) != 0x80;
        if (begins && chars >= CELL_CHARS_MAX) {
            base_buf_add_cstr(out, "…");
            chars++;
            break;
        }
        if (c < 0x20 || c == 0x7f) {
            base_buf_printf(out, "\\x%02x", c);
            chars += 4;
            continue;
        }
        base_buf_add_byte(out, c);
        chars += begins;
    }
    base_buf_deinit(&text);
    return chars;
}

static size_t text_chars(const char *text) {
    size_t n = 0;
    for (; *text != '\0'; text++) n += ((uint8_t)*text & 0xc0) != 0x80;
    return n;
}

static void add_padded(base_buf *line, const char *text, size_t n, size_t chars, size_t width,
                       bool right) {
    base_buf_add_byte(line, ' ');
    if (right) base_buf_printf(line, "%*s", (int)(width - chars), "");
    base_buf_add(line, text, n);
    if (!right) base_buf_printf(line, "%*s", (int)(width - chars), "");
    base_buf_add_byte(line, ' ');
}

static void end_line(cli_rows *rows) {
    base_buf *line = &rows->line;
    while (line->n > 0 && line->p[line->n - 1] == ' ') line->n--;
    base_buf_add_byte(line, '\n');
    fwrite(line->p, 1, line->n, rows->to);
    base_buf_clear(line);
}

static void print_table(cli_rows *rows) {
    size_t *width = calloc(rows->ncolumns + 1, sizeof *width);
    must(width != NULL);
    base_buf cell = {0}, *line = &rows->line;
    for (uint32_t c = 0; c < rows->ncolumns; c++) {
        width[c] = text_chars(rows->names[c]);
        for (size_t b = 0; b < rows->nkept; b++)
            for (uint32_t row = 0; row < rows->kept[b]->nrows; row++) {
                size_t chars = table_cell(rows, &rows->kept[b]->cols[c], row, &cell);
                if (chars > width[c]) width[c] = chars;
            }
    }
    base_buf_clear(line);
    for (uint32_t c = 0; c < rows->ncolumns; c++) {
        if (c > 0) base_buf_add_byte(line, '|');
        const char *name = rows->names[c];
        add_padded(line, name, strlen(name), text_chars(name), width[c], false);
    }
    end_line(rows);
    for (uint32_t c = 0; c < rows->ncolumns; c++) {
        if (c > 0) base_buf_add_byte(line, '+');
        for (size_t i = 0; i < width[c] + 2; i++) base_buf_add_byte(line, '-');
    }
    end_line(rows);
    for (size_t b = 0; b < rows->nkept; b++)
        for (uint32_t row = 0; row < rows->kept[b]->nrows; row++) {
            for (uint32_t c = 0; c < rows->ncolumns; c++) {
                const col_vec *vec = &rows->kept[b]->cols[c];
                if (c > 0) base_buf_add_byte(line, '|');
                size_t chars = table_cell(rows, vec, row, &cell);
                add_padded(line, cell.p, cell.n, chars, width[c],
                           col_kind_is_number(vec->type.kind));
            }
            end_line(rows);
        }
    if (rows->count > rows->nshown)
        fprintf(rows->to, "(%s rows, the first %zu shown)\n", cli_number(rows->count),
                rows->nshown);
    else
        fprintf(rows->to, "(%s row%s)\n", cli_number(rows->count), rows->count == 1 ? "" : "s");
    base_buf_deinit(&cell);
    free(width);
}

bool cli_rows_end(cli_rows *rows) {
    if (rows->format == CLI_FORMAT_TABLE) print_table(rows);
    bool good = ferror(rows->to) == 0;
    free(rows->kept);
    base_buf_deinit(&rows->line);
    base_arena_deinit(&rows->arena);
    return good;
}
