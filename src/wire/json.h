// json.h - JSON events to columns, or to a cause: the contract check's decoder (simdjson behind the
// one C++ file, json_simd.cpp). The same decoder serves the edge (all columns, strict) and a step
// (only the columns that some view uses).
//
// A document is one JSON object. Fields are matched by name, case-sensitive; a field that is absent
// or null gives null. Numbers go to integer columns only if integral and in range; NUMERIC takes a
// number or a string, exactly; times take ISO 8601 strings; BYTEA takes "\\x..." or base64; UUID
// its text; INTERVAL its text; JSONB any value; STRUCT an object; TEXT takes a string (a number or
// boolean is a type error, not converted); BOOLEAN true/false. Strings are views into the document
// where they have no escapes: the document must outlive the batch. Threads: a decoder belongs to
// one thread at a time.
//
// An object that names a field twice is a fault (22030) in WIRE_JSON_UNKNOWN_FAULT; where fields
// are ignored, the last of two equal names wins. In WIRE_JSON_UNKNOWN_IGNORE the values of other
// fields are skipped by their brackets, without a look at what is between; in
// WIRE_JSON_UNKNOWN_FAULT everything is checked; in WIRE_JSON_UNKNOWN_CHECKED a document is read as
// far as its last wanted field, which is right for documents that a FAULT decoder has let pass, and
// for no others. Infinities and NaN of REAL and DOUBLE PRECISION are the strings "Infinity",
// "-Infinity", "NaN". The character NUL
// (\u0000) is a fault, as PostgreSQL's text cannot hold it (22P05).
#ifndef WEIR_WIRE_JSON_H
#define WEIR_WIRE_JSON_H

#include "col/batch.h"
#include "col/codec.h"

typedef struct wire_json_decoder wire_json_decoder;

typedef struct wire_json_field {
    const char *name;
    col_type type;
    bool not_null; // absent or null is a fault (23502), but not where "_op" is "delete"
} wire_json_field;

typedef enum wire_json_unknown {
    WIRE_JSON_UNKNOWN_FAULT,   // a field that is not declared is a fault (42703): the edge
    WIRE_JSON_UNKNOWN_IGNORE,  // it is skipped
    WIRE_JSON_UNKNOWN_CHECKED, // a step, which wants some columns of what the edge has let pass
} wire_json_unknown;

// Why a document was refused. message is owned by the arena given to decode.
typedef struct wire_json_fault {
    uint32_t doc;  // index in the call
    uint32_t byte; // position in the document where it was seen, from 0; UINT32_MAX unknown
    int32_t field; // index of the field, or -1
    const char *sqlstate;
    const char *message; // names the field and the value (shortened)
} wire_json_fault;

wire_json_decoder *wire_json_decoder_create(size_t nfields, const wire_json_field *fields,
                                            wire_json_unknown unknown);
void wire_json_decoder_destroy(wire_json_decoder *decoder);

#define WIRE_JSON_PADDING   64  // readable bytes that must follow the text
#define WIRE_JSON_DEPTH_MAX 128 // nesting

// Documents that stand in one text, separated by white space, ends[i] being the end of document i
// (as log_batch has them; begin(i) = ends[i-1] + 1). Decodes documents [first, first + n) of them
// to a batch of n rows; rows of refused documents are all null and listed in faults (*nfaults;
// ascending). op_delete: NULL, or n bytes: set to 1 where the object has "_op": "delete" ("_op" is
// then known; the other operations are "insert", "update" and "upsert"). A delete may leave out
// fields that are not_null: the caller checks that its key is there. text has text_bytes bytes plus
// WIRE_JSON_PADDING readable ones.
void wire_json_decode(wire_json_decoder *decoder, const char *text, size_t text_bytes,
                      const uint32_t *ends, uint32_t first, uint32_t n, base_arena *arena,
                      col_batch **out, uint8_t *op_delete, wire_json_fault **faults,
                      uint32_t *nfaults);

// Cuts the body of a request (one object, an array of objects, or NDJSON; any white space) into
// documents without decoding them: docs[i] is the exact text of record i. A body that is damaged in
// the middle still gives what can be told apart: for NDJSON each line stands alone (a bad line is a
// document too, which decode then refuses); in an array, the documents up to the damage, then one
// document that holds the rest. Never fails, but *truncated tells that the last document is cut
// off.
void wire_json_cut(base_str body, base_arena *arena, base_str **docs, size_t *ndocs,
                   bool *truncated);

// For benches, as the measure of what could be reached: simdjson itself (its On Demand interface
// over a stream of documents) reads three fields of each document of text, in the documents' order,
// to plain values and nothing more. Returns the number of documents that had them; *sum keeps the
// work from being left out by the compiler. text has WIRE_JSON_PADDING readable bytes after it.
uint64_t wire_json_scan(const char *text, size_t n, const char *integer, const char *number,
                        const char *string, double *sum);

// Encodes a row as a JSON object, names from fields; nulls are left out.
void wire_json_encode_row(size_t nfields, const wire_json_field *fields, const col_batch *batch,
                          uint32_t row, base_buf *buf);

#endif
