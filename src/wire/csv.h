// csv.h - comma-separated values (RFC 4180, with a free delimiter), as COPY's CSV reads and writes
// them: quotes, doubled quotes, quoted newlines, CRLF. Threads: a reader belongs to one thread.
#ifndef WEIR_WIRE_CSV_H
#define WEIR_WIRE_CSV_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

typedef struct wire_csv_field {
    base_str text;
    bool quoted; // an unquoted empty field is null
} wire_csv_field;

// A NUL or bytes that are not UTF-8 are passed on; col_text_parse refuses them. After *incomplete
// the record is read again from its beginning: a caller whose buffer does not hold it doubles the
// buffer. An empty line is a record of one null field.

// Reads one record from text at *at. Fields are borrowed from text, or from the arena when they
// held doubled quotes. *end: nothing more. *incomplete: the record's end is not in text (more must
// be read, unless last is true: then an unclosed quote is an error, 22P04, naming the line).
BASE_MUST_USE base_rc wire_csv_read(base_str text, bool last, char delimiter, size_t *at,
                                    base_arena *arena, wire_csv_field **fields, size_t *nfields,
                                    bool *end, bool *incomplete, base_error *err);
void wire_csv_write_field(base_buf *buf, base_str text, bool is_null,
                          char delimiter); // quotes if needed

#endif
