// run.h - what the files of `weir run` share: inputs (run_input.c, run_csv.c) and the feeding of
// an engine without threads (run.c). Internal to src/cli.
#ifndef WEIR_CLI_RUN_H
#define WEIR_CLI_RUN_H

#include "cli/cli.h"
#include "wire/csv.h"
#include "wire/inflate.h"

#define RUN_CHUNK_BYTES (8u << 20) // of records given to the engine at once
#define RUN_FAULTS_MAX  5          // told one by one

typedef struct run_fault {
    uint64_t line;
    char sqlstate[6];
    char message[300];
} run_fault;

typedef struct run_input {
    const char *stream; // schema.name
    const char *path;   // "-": standard input
    bool csv;
    char delimiter;
    wire_coding coding;
    const plan_object *object;

    FILE *file;
    wire_inflate *inflate;
    uint64_t file_bytes, read_bytes; // as stored; file_bytes 0: unknown
    bool eof;
    base_buf text;    // decoded, not yet fed
    uint64_t line;    // of the first byte of text, from 1
    bool skip_line;   // within a line that is too long: drop it up to its end
    base_arena arena; // of a chunk
    char source[256]; // for quarantine: "file.csv from line 17"

    // CSV
    uint32_t nfields;     // of the header
    int32_t *columns;     // of the object, for each field; -1: not wanted
    base_str *keys;       // "\"name\":" for each field
    base_buf body;        // records as NDJSON
    uint64_t *body_lines; // line of each record of body
    uint64_t nbody, body_cap;

    uint64_t accepted, quarantined;
    size_t nfaults;
    run_fault faults[RUN_FAULTS_MAX];
} run_input;

// "stream=path": the format and the compression are told by the name. Returns CLI_GO or CLI_USAGE.
int run_input_parse(const char *text, const char *format, char delimiter, run_input *input);
BASE_MUST_USE base_rc run_input_open(run_input *input, engine *e, base_error *err);
void run_input_close(run_input *input);
// Reads and ingests about one chunk. *end: nothing is left. *fed: bytes of records given.
BASE_MUST_USE base_rc run_input_feed(run_input *input, engine *e, bool *end, uint64_t *fed,
                                     base_error *err);
void run_input_fault(run_input *input, uint64_t line, const char *sqlstate, const char *message);
// Fills input->text up to `want` bytes or the end of the file.
BASE_MUST_USE base_rc run_input_fill(run_input *input, size_t want, base_error *err);
void run_input_consume(run_input *input, size_t n); // from the front of text; counts lines

// run_csv.c
BASE_MUST_USE base_rc run_csv_header(run_input *input, base_error *err);
BASE_MUST_USE base_rc run_csv_feed(run_input *input, engine *e, bool *end, uint64_t *fed,
                                   base_error *err);
// A CSV field as a JSON value of the type.
void run_csv_value(const col_type *type, base_str text, base_arena *arena, base_buf *out);

#endif
