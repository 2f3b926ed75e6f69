// recon_text.c - a text of rows as batches: CSV with a header, NDJSON, or one JSON array. Columns
// are found by name, others are ignored. Entry point: engine_text_book_read.
//
// Invariants: a text with one bad row is refused as a whole, with the line (of an array: the
// element) that is bad; the last batch may have been given by then, so nobody may act on rows
// before the end.

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/recon/recon_int.h"
#include "wire/csv.h"
#include "wire/json.h"

#define CHUNK_ROWS  8192u
#define COLUMNS_MAX 1600u

typedef struct reading {
    const engine_book_spec *spec;
    const char *name; // for messages
    uint32_t ncols;
    col_type *types;
    bool *has;
    base_arena *arena;  // of the whole
    base_arena scratch; // of one batch
    base_str text;
    engine_book_visit *visit;
    void *arg;
} reading;

static base_rc fail_in_file(const reading *f, uint64_t line, base_error *err) {
    if (line > 0)
        base_error_prefix(err, "%s line %llu", f->name, (unsigned long long)line);
    else
        base_error_prefix(err, "%s", f->name);
    return err->code;
}

static col_batch *new_part(reading *f) {
    base_arena_reset(&f->scratch);
    return col_batch_create(&f->scratch, f->ncols, f->types, CHUNK_ROWS);
}

// Columns that the text has not are null.
static base_rc give_part(reading *f, col_batch *part, const uint32_t *lines, base_error *err) {
    for (uint32_t i = 0; i < f->ncols; i++)
        for (uint32_t row = 0; !f->has[i] && row < part->nrows; row++)
            col_vec_set_null(&part->cols[i], &f->scratch, row);
    return f->visit(f->arg, part, lines, err);
}

// ---- CSV
// -------------------------------------------------------------------------------------------------

typedef struct csv_reading {
    reading *f;
    base_arena scratch; // of one record
    size_t at;
    size_t counted; // lines are counted up to here
    uint64_t line;
    size_t nfields;
    uint32_t *column_of; // field -> column, or UINT32_MAX
} csv_reading;

static base_rc next_record(csv_reading *c, wire_csv_field **fields, size_t *n, bool *end,
                           base_error *err) {
    const char *p = c->f->text.p;
    for (; c->counted < c->at; c->counted++)
        if (p[c->counted] == '\n') c->line++;
    base_arena_reset(&c->scratch);
    bool incomplete;
    base_rc rc =
        wire_csv_read(c->f->text, true, ',', &c->at, &c->scratch, fields, n, end, &incomplete, err);
    return rc == BASE_OK ? rc : fail_in_file(c->f, 0, err); // the message has the line
}

static base_rc match_field(csv_reading *c, size_t field, base_str name, bool *seen,
                           base_error *err) {
    reading *f = c->f;
    c->column_of[field] = UINT32_MAX;
    for (uint32_t i = 0; i < f->ncols; i++) {
        if (!base_str_eq(name, base_str_of(f->spec->fields[i].name))) continue;
        if (seen[i]) {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                      "the header names column \"%.*s\" twice", BASE_STR_ARG(name));
            return fail_in_file(f, c->line, err);
        }
        seen[i] = true;
        c->column_of[field] = i;
    }
    return BASE_OK;
}

static base_rc read_header(csv_reading *c, bool *end, base_error *err) {
    reading *f = c->f;
    if (base_str_starts(f->text, BASE_STR("\xef\xbb\xbf"))) c->at = 3;
    wire_csv_field *fields;
    size_t n;
    base_rc rc = next_record(c, &fields, &n, end, err);
    if (rc != BASE_OK) return rc;
    if (*end) {
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                  "is empty; a CSV file of record begins with a line of column names");
        return fail_in_file(f, 0, err);
    }
    if (n > COLUMNS_MAX) {
        base_fail(err, BASE_E_LIMIT, NULL, "%zu columns are more than %u", n, COLUMNS_MAX);
        return fail_in_file(f, c->line, err);
    }
    c->nfields = n;
    c->column_of = base_arena_array(f->arena, uint32_t, n + 1);
    bool *seen = base_arena_array(f->arena, bool, f->ncols);
    for (size_t i = 0; rc == BASE_OK && i < n; i++)
        rc = match_field(c, i, base_str_trim(fields[i].text), seen, err);
    for (uint32_t i = 0; rc == BASE_OK && i < f->ncols; i++) {
        f->has[i] = seen[i];
        if (seen[i] || !f->spec->fields[i].needed) continue;
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_COLUMN,
                  "the header has no column \"%s\"", f->spec->fields[i].name);
        rc = fail_in_file(f, c->line, err);
    }
    return rc;
}

static base_rc parse_record(csv_reading *c, const wire_csv_field *fields, col_batch *part,
                            uint32_t row, base_error *err) {
    reading *f = c->f;
    for (size_t i = 0; i < c->nfields; i++) {
        uint32_t column = c->column_of[i];
        if (column == UINT32_MAX) continue;
        col_vec *vec = &part->cols[column];
        base_str text = fields[i].text;
        if (text.n == 0 && !fields[i].quoted) {
            col_vec_set_null(vec, &f->scratch, row);
            continue;
        }
        base_rc rc = col_text_parse(text, 0, vec, row, &f->scratch, err);
        if (rc != BASE_OK) {
            base_error_prefix(err, "column \"%s\"", f->spec->fields[column].name);
            return fail_in_file(f, c->line, err);
        }
        if (!col_kind_is_string(vec->type.kind)) continue;
        // A field that held doubled quotes stands in scratch memory.
        base_str *cell = &col_str(vec)[row];
        if (cell->p < f->text.p || cell->p >= f->text.p + f->text.n)
            cell->p = base_arena_memdup(&f->scratch, cell->p, cell->n);
    }
    return BASE_OK;
}

static base_rc read_csv_rows(csv_reading *c, uint32_t *lines, base_error *err) {
    reading *f = c->f;
    col_batch *part = NULL;
    uint32_t n = 0;
    for (;;) {
        wire_csv_field *fields;
        size_t nfields;
        bool end;
        base_rc rc = next_record(c, &fields, &nfields, &end, err);
        if (rc != BASE_OK) return rc;
        if (n == CHUNK_ROWS || (end && n > 0)) {
            rc = give_part(f, col_batch_slice(&f->scratch, part, 0, n), lines, err);
            if (rc != BASE_OK) return rc;
            n = 0;
        }
        if (end) return BASE_OK;
        if (nfields == 1 && c->nfields > 1 && fields[0].text.n == 0) continue; // a blank line
        if (nfields != c->nfields) {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                      "%zu values, but the header has %zu columns", nfields, c->nfields);
            return fail_in_file(f, c->line, err);
        }
        if (n == 0) part = new_part(f);
        lines[n] = (uint32_t)c->line;
        rc = parse_record(c, fields, part, n, err);
        if (rc != BASE_OK) return rc;
        n++;
    }
}

static base_rc read_csv(reading *f, base_error *err) {
    csv_reading c = {.f = f, .line = 1};
    base_arena_init(&c.scratch, 4096);
    uint32_t *lines = malloc(CHUNK_ROWS * sizeof *lines);
    must(lines != NULL);
    bool end;
    base_rc rc = read_header(&c, &end, err);
    if (rc == BASE_OK) rc = read_csv_rows(&c, lines, err);
    free(lines);
    base_arena_deinit(&c.scratch);
    return rc;
}

// ---- NDJSON
// ----------------------------------------------------------------------------------------------

static bool is_blank(base_str line) {
    return base_str_trim(line).n == 0;
}

typedef struct json_lines {
    uint32_t *ends, *lines;
    uint32_t n, cap;
} json_lines;

// Each line that is not blank is a document, white space before it included.
static void cut_lines(base_str text, json_lines *out) {
    uint32_t line = 1;
    for (size_t at = 0; at < text.n; line++) {
        const char *newline = memchr(text.p + at, '\n', text.n - at);
        size_t end = newline == NULL ? text.n : (size_t)(newline - text.p);
        if (!is_blank((base_str){text.p + at, end - at})) {
            if (out->n == out->cap) {
                out->cap = out->cap == 0 ? 1024 : out->cap * 2;
                out->ends = realloc(out->ends, out->cap * sizeof *out->ends);
                out->lines = realloc(out->lines, out->cap * sizeof *out->lines);
                must(out->ends != NULL && out->lines != NULL);
            }
            out->ends[out->n] = (uint32_t)end;
            out->lines[out->n++] = line;
        }
        at = end + 1;
    }
}

static base_rc decode_lines(reading *f, wire_json_decoder *decoder, const json_lines *docs,
                            base_error *err) {
    for (uint32_t at = 0; at < docs->n; at += CHUNK_ROWS) {
        uint32_t n = docs->n - at < CHUNK_ROWS ? docs->n - at : CHUNK_ROWS;
        base_arena_reset(&f->scratch);
        col_batch *part;
        wire_json_fault *faults;
        uint32_t nfaults;
        wire_json_decode(decoder, f->text.p, f->text.n, docs->ends, at, n, &f->scratch, &part, NULL,
                         &faults, &nfaults);
        if (nfaults > 0) {
            base_fail(err, BASE_E_INVALID, faults[0].sqlstate, "%s", faults[0].message);
            return fail_in_file(f, docs->lines[at + faults[0].doc], err);
        }
        base_rc rc = give_part(f, part, docs->lines + at, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

// A field that is needed and that no object has is a name that is wrong: all of the book would be
// NULL. A name that JSON may write otherwise is not looked for.
static base_rc check_names(const reading *f, base_error *err) {
    for (uint32_t i = 0; i < f->ncols; i++) {
        const char *name = f->spec->fields[i].name;
        bool plain = f->spec->fields[i].needed;
        for (const char *p = name; *p != '\0'; p++)
            plain = plain && *p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\' && *p != '/';
        if (!plain) continue;
        char *quoted = base_arena_printf(f->arena, "\"%s\"", name);
        if (memmem(f->text.p, f->text.n, quoted, strlen(quoted)) != NULL) continue;
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_COLUMN, "no object has a field %s",
                  quoted);
        return fail_in_file(f, 0, err);
    }
    return BASE_OK;
}

static base_rc read_ndjson(reading *f, base_error *err) {
    wire_json_field *fields = base_arena_array(f->arena, wire_json_field, f->ncols);
    for (uint32_t i = 0; i < f->ncols; i++)
        fields[i] = (wire_json_field){f->spec->fields[i].name, f->types[i], .not_null = false};
    wire_json_decoder *decoder =
        wire_json_decoder_create(f->ncols, fields, WIRE_JSON_UNKNOWN_IGNORE);
    json_lines docs = {0};
    cut_lines(f->text, &docs);
    base_rc rc = decode_lines(f, decoder, &docs, err);
    if (rc == BASE_OK && docs.n > 0) rc = check_names(f, err);
    free(docs.ends);
    free(docs.lines);
    wire_json_decoder_destroy(decoder);
    return rc;
}

// ---- one JSON array
// -----------------------------------------------------------------------------

// As NDJSON, so that its elements are numbered instead of lines.
static base_rc read_array(reading *f, base_error *err) {
    base_str *docs;
    size_t n;
    bool truncated;
    wire_json_cut(f->text, f->arena, &docs, &n, &truncated);
    if (truncated) {
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT, "the JSON ends before its end");
        return fail_in_file(f, 0, err);
    }
    if (is_blank(f->text)) { // an empty book is []
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT, "there is no JSON");
        return fail_in_file(f, 0, err);
    }
    base_buf lines = {0};
    for (size_t i = 0; i < n; i++) {
        size_t begin = lines.n;
        base_buf_add_str(&lines, docs[i]);
        for (size_t at = begin; at < lines.n; at++) // between tokens: strings have none as such
            if (lines.p[at] == '\n' || lines.p[at] == '\r') lines.p[at] = ' ';
        base_buf_add_byte(&lines, '\n');
    }
    base_buf_reserve(&lines, WIRE_JSON_PADDING);
    memset(lines.p + lines.n, 0, WIRE_JSON_PADDING);
    f->text = base_buf_str(&lines);
    base_rc rc = read_ndjson(f, err);
    base_buf_deinit(&lines);
    return rc;
}

// ---- the whole
// -------------------------------------------------------------------------------------------

static base_rc parse(const engine_text_book *t, engine_book_visit *visit, void *arg,
                     base_error *err) {
    const engine_book_spec *spec = t->book.spec;
    const char *format = spec->reconciliation->format;
    if (t->text.n > UINT32_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "%s is larger than 4 GB", t->label);
    reading f = {.spec = spec,
                 .name = t->label,
                 .ncols = spec->nfields,
                 .has = t->book.has,
                 .arena = t->arena,
                 .text = base_buf_str(&t->text),
                 .visit = visit,
                 .arg = arg};
    base_arena_init(&f.scratch, 1 << 16);
    f.types = base_arena_array(f.arena, col_type, f.ncols + 1);
    for (uint32_t i = 0; i < f.ncols; i++) {
        f.types[i] = spec->fields[i].type;
        f.has[i] = true; // of JSON each object may have it or not
    }
    base_rc rc;
    if (strcmp(format, "csv") == 0)
        rc = read_csv(&f, err);
    else if (strcmp(format, "ndjson") == 0)
        rc = read_ndjson(&f, err);
    else if (strcmp(format, "json") == 0)
        rc = read_array(&f, err);
    else
        rc = base_fail(err, BASE_E_UNSUPPORTED, NULL,
                       "a book's text has format 'csv', 'ndjson' or 'json', not '%s'", format);
    base_arena_deinit(&f.scratch);
    return rc;
}

void engine_text_book_init(engine_text_book *t, const engine_book_ops *ops,
                           const engine_book_spec *spec, base_arena *arena, const char *name,
                           const char *label) {
    *t = (engine_text_book){.book = {.ops = ops, .spec = spec, .name = name}};
    t->label = label;
    t->arena = arena;
    t->book.has = base_arena_array(arena, bool, spec->nfields + 1);
}

void engine_text_book_finish(engine_text_book *t) {
    if (t->book.content_digest == 0)
        t->book.content_digest = base_hash64(t->text.p == NULL ? "" : t->text.p, t->text.n);
    base_buf_reserve(&t->text, WIRE_JSON_PADDING);
    memset(t->text.p + t->text.n, 0, WIRE_JSON_PADDING);
}

base_rc engine_text_book_read(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                              engine_book_visit *visit, void *arg, base_error *err) {
    must(nranges == 0);
    (void)ranges;
    return parse((engine_text_book *)book, visit, arg, err);
}

void engine_text_book_close(engine_book *book) {
    base_buf_deinit(&((engine_text_book *)book)->text);
}
