// recon_file.c - the file of record: CSV with a header, or NDJSON, plain or packed (.gz, .zst), to
// columns.
//
// A file that cannot be read as a whole is refused as a whole, with the line at fault: half a file
// of record would show differences that are none. Numbers to be compared are read without limits of
// precision and scale, so that 1.005 is not rounded into agreement with 1.01.
// Entry point: engine_recon_read.

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/recon_int.h"
#include "wire/csv.h"
#include "wire/inflate.h"

#define CHUNK_ROWS  8192u
#define INFLATE_IN  (256u << 10)
#define COLUMNS_MAX 1600u

const plan_column *engine_recon_column(const plan_object *r, uint32_t i) {
    return &r->from->columns[i < r->nrecon_key ? r->recon_key[i]
                                               : r->compare[i - r->nrecon_key].column];
}

col_type engine_recon_record_type(const plan_object *r, uint32_t i) {
    const plan_column *column = engine_recon_column(r, i);
    bool compared = i >= r->nrecon_key;
    switch (column->type.kind) {
    case COL_NUMERIC:
        return col_type_of(COL_NUMERIC);
    case COL_VARCHAR:
        return col_type_of(COL_VARCHAR);
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
        return compared ? col_type_of(COL_NUMERIC) : column->type;
    case COL_FLOAT4:
        return compared ? col_type_of(COL_FLOAT8) : column->type;
    default:
        return column->type;
    }
}

typedef struct reading {
    const plan_object *r;
    uint32_t ncols;
    col_type *types;
    base_arena *arena;
    uint64_t memory_limit;
    base_str text;
    uint32_t *lines;
    uint64_t nrows, lines_cap;
    size_t nparts, parts_cap;
    const col_batch **parts;
} reading;

static base_rc fail_in_file(const reading *f, uint64_t line, base_error *err) {
    if (line > 0)
        base_error_prefix(err, "file \"%s\" line %llu", f->r->path, (unsigned long long)line);
    else
        base_error_prefix(err, "file \"%s\"", f->r->path);
    return err->code;
}

// ---- bytes
// -----------------------------------------------------------------------------------------------

static bool has_suffix(const char *path, const char *suffix) {
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcmp(path + n - m, suffix) == 0;
}

static base_rc unpack(const plan_object *r, wire_coding coding, size_t limit, base_buf *buf,
                      base_error *err) {
    wire_inflate *inflate = wire_inflate_create(coding, limit);
    base_buf out = {0};
    base_rc rc = BASE_OK;
    for (size_t at = 0; rc == BASE_OK && at < buf->n; at += INFLATE_IN) {
        size_t n = buf->n - at < INFLATE_IN ? buf->n - at : INFLATE_IN;
        rc = wire_inflate_feed(inflate, (base_str){buf->p + at, n}, &out, err);
    }
    if (rc == BASE_OK) rc = wire_inflate_finish(inflate, err);
    wire_inflate_destroy(inflate);
    base_buf_deinit(buf);
    *buf = out;
    if (rc != BASE_OK) base_error_prefix(err, "file \"%s\"", r->path);
    return rc;
}

static base_rc read_text(engine *e, const plan_object *r, size_t limit, engine_recon_record *out,
                         base_error *err) {
    base_rc rc = plat_read_file(e->plat, r->path, limit, &out->text, err);
    if (rc != BASE_OK) return rc;
    out->file_bytes = out->text.n;
    out->digest = base_hash64(out->text.p, out->text.n);
    wire_coding coding = has_suffix(r->path, ".gz")    ? WIRE_CODING_GZIP
                         : has_suffix(r->path, ".zst") ? WIRE_CODING_ZSTD
                                                       : WIRE_CODING_NONE;
    if (coding != WIRE_CODING_NONE) rc = unpack(r, coding, limit, &out->text, err);
    base_buf_reserve(&out->text, WIRE_JSON_PADDING);
    memset(out->text.p + out->text.n, 0, WIRE_JSON_PADDING);
    return rc;
}

// ---- rows
// ------------------------------------------------------------------------------------------------

static base_rc add_part(reading *f, const col_batch *part, const uint32_t *lines, base_error *err) {
    if (f->nparts == f->parts_cap) {
        f->parts_cap = f->parts_cap == 0 ? 64 : f->parts_cap * 2;
        f->parts = realloc(f->parts, f->parts_cap * sizeof(col_batch *));
        must(f->parts != NULL);
    }
    if (f->nrows + part->nrows > f->lines_cap) {
        f->lines_cap = (f->nrows + part->nrows) * 2;
        f->lines = realloc(f->lines, f->lines_cap * sizeof *f->lines);
        must(f->lines != NULL);
    }
    if (part->nrows > 0) memcpy(f->lines + f->nrows, lines, part->nrows * sizeof *lines);
    f->nrows += part->nrows;
    f->parts[f->nparts++] = part;
    // The parts become one batch of the same size once more.
    if (f->text.n + 2 * f->arena->total_bytes > f->memory_limit || f->nrows > COL_BATCH_ROWS_MAX) {
        base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                  "its rows up to here take more than the %llu MB of memory that a query may have",
                  (unsigned long long)(f->memory_limit >> 20));
        return fail_in_file(f, lines[part->nrows - 1], err);
    }
    return BASE_OK;
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
        if (!base_str_eq(name, base_str_of(engine_recon_column(f->r, i)->name))) continue;
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
        if (seen[i]) continue;
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_COLUMN,
                  "the header has no column \"%s\"", engine_recon_column(f->r, i)->name);
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
            col_vec_set_null(vec, f->arena, row);
            continue;
        }
        base_rc rc = col_text_parse(text, 0, vec, row, f->arena, err);
        if (rc != BASE_OK) {
            base_error_prefix(err, "column \"%s\"", engine_recon_column(f->r, column)->name);
            return fail_in_file(f, c->line, err);
        }
        if (!col_kind_is_string(vec->type.kind)) continue;
        // A field that held doubled quotes stands in scratch memory.
        base_str *cell = &col_str(vec)[row];
        if (cell->p < f->text.p || cell->p >= f->text.p + f->text.n)
            cell->p = base_arena_memdup(f->arena, cell->p, cell->n);
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
            rc = add_part(f, col_batch_slice(f->arena, part, 0, n), lines, err);
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
        if (n == 0) part = col_batch_create(f->arena, f->ncols, f->types, CHUNK_ROWS);
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
        col_batch *part;
        wire_json_fault *faults;
        uint32_t nfaults;
        wire_json_decode(decoder, f->text.p, f->text.n, docs->ends, at, n, f->arena, &part, NULL,
                         &faults, &nfaults);
        if (nfaults > 0) {
            base_fail(err, BASE_E_INVALID, faults[0].sqlstate, "%s", faults[0].message);
            return fail_in_file(f, docs->lines[at + faults[0].doc], err);
        }
        base_rc rc = add_part(f, part, docs->lines + at, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc read_ndjson(reading *f, base_error *err) {
    wire_json_field *fields = base_arena_array(f->arena, wire_json_field, f->ncols);
    for (uint32_t i = 0; i < f->ncols; i++)
        fields[i] =
            (wire_json_field){engine_recon_column(f->r, i)->name, f->types[i], .not_null = false};
    wire_json_decoder *decoder =
        wire_json_decoder_create(f->ncols, fields, WIRE_JSON_UNKNOWN_IGNORE);
    json_lines docs = {0};
    cut_lines(f->text, &docs);
    base_rc rc = decode_lines(f, decoder, &docs, err);
    free(docs.ends);
    free(docs.lines);
    wire_json_decoder_destroy(decoder);
    return rc;
}

// ---- the whole
// -------------------------------------------------------------------------------------------

// Refuses a column twice in KEY and COMPARE: its values would go to one of them only.
static base_rc check_columns(const reading *f, base_error *err) {
    for (uint32_t i = 0; i < f->ncols; i++)
        for (uint32_t k = 0; k < i; k++)
            if (engine_recon_column(f->r, i) == engine_recon_column(f->r, k))
                return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                                 "reconciliation \"%s.%s\" names column \"%s\" twice", f->r->schema,
                                 f->r->name, engine_recon_column(f->r, i)->name);
    return BASE_OK;
}

base_rc engine_recon_read(engine *e, const plan_object *r, uint64_t memory_limit, base_arena *arena,
                          engine_recon_record *out, base_error *err) {
    memset(out, 0, sizeof *out);
    reading f = {.r = r, .arena = arena, .memory_limit = memory_limit};
    f.ncols = r->nrecon_key + r->ncompare;
    f.types = base_arena_array(arena, col_type, f.ncols + 1);
    for (uint32_t i = 0; i < f.ncols; i++) f.types[i] = engine_recon_record_type(r, i);
    base_rc rc = check_columns(&f, err);
    // Half for the text, half for its columns; offsets in the text are 32 bits.
    size_t limit = memory_limit / 2 < UINT32_MAX ? (size_t)(memory_limit / 2) : UINT32_MAX;
    if (rc == BASE_OK) rc = read_text(e, r, limit, out, err);
    if (rc != BASE_OK) return rc;
    f.text = base_buf_str(&out->text);
    if (strcmp(r->format, "csv") == 0)
        rc = read_csv(&f, err);
    else if (strcmp(r->format, "ndjson") == 0)
        rc = read_ndjson(&f, err);
    else
        rc = base_fail(err, BASE_E_UNSUPPORTED, NULL,
                       "a file of record has format 'csv' or 'ndjson', not '%s'", r->format);
    if (rc == BASE_OK) {
        out->batch = col_batch_concat(arena, f.ncols, f.types, f.nparts, f.parts);
        uint32_t *lines = base_arena_array(arena, uint32_t, f.nrows + 1);
        if (f.nrows > 0) memcpy(lines, f.lines, f.nrows * sizeof *lines);
        out->lines = lines;
    }
    free(f.parts);
    free(f.lines);
    return rc;
}
