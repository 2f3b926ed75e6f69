// array.h - array values: base_str cells of array kinds, taken apart and put together. An array has
// one dimension and the lower bound 1; elements may be null. The bytes are canonical: equal arrays
// of one kind with equal elements are told equal by them, and PostgreSQL's order of arrays
// (element by element, nulls last, then the shorter first) is theirs (array.c says how).
#ifndef WEIR_COL_ARRAY_H
#define WEIR_COL_ARRAY_H

#include "col/batch.h"

// Reads one array from its first to its last element.
typedef struct col_array_reader {
    col_vec cell; // of one row: the element read last; strings borrowed from the array or the arena
    base_str bytes;
    size_t at;
    base_arena *arena;
    bool exact;
    uint8_t null;
    _Alignas(16) char data[32];
} col_array_reader;
void col_array_reader_init(col_array_reader *reader, const col_vec *arrays, uint32_t row,
                           base_arena *arena);        // the cell is not null
bool col_array_reader_next(col_array_reader *reader); // false: there is no more

uint32_t col_array_length(const col_vec *arrays, uint32_t row); // number of elements; not null

// All elements of all rows in one vector: those of row i are [offsets[i], offsets[i + 1]). A null
// array has none.
typedef struct col_lists {
    col_vec elements;
    uint32_t *offsets; // rows + 1
} col_lists;
void col_array_flatten(base_arena *arena, const col_vec *arrays, col_lists *out);
// The reverse, into out[0..n) (of the array kind of the elements); rows that are null stay null.
void col_array_pack(base_arena *arena, const col_vec *elements, const uint32_t *offsets,
                    col_vec *out);
// The array of elements [begin, end).
base_str col_array_make(base_arena *arena, const col_vec *elements, uint32_t begin, uint32_t end);

// Puts arrays together element by element; init with zeros, and deinit.
typedef struct col_array_writer {
    base_buf keys, cells;
    col_kind element;
    uint32_t n; // elements so far
} col_array_writer;
void col_array_writer_begin(col_array_writer *writer, col_kind element);
void col_array_writer_add(col_array_writer *writer, const col_vec *vec, uint32_t row);
// The elements that are still to come from a reader of the same kind.
void col_array_writer_rest(col_array_writer *writer, col_array_reader *reader);
size_t col_array_writer_bytes(const col_array_writer *writer); // of the array as it stands
base_str col_array_writer_end(col_array_writer *writer, base_arena *arena);
void col_array_writer_deinit(col_array_writer *writer);

// Whether the bytes, which come from outside, are what col_array_make gives for some elements.
bool col_array_valid(const col_vec *arrays, uint32_t row, base_arena *arena);
// An array from the bytes of its order only (col_array_key): numbers have their least scale, and so
// on, as col_key_decode gives them. False: they are none.
bool col_array_from_key(base_str key, col_vec *out, uint32_t row, base_arena *arena);

// PostgreSQL's text of arrays: {1,NULL,"b c"}. 22P02; 0A000 for further dimensions and bounds.
BASE_MUST_USE base_rc col_array_parse(base_str text, const base_zone *zone, col_vec *vec,
                                      uint32_t row, base_arena *arena, base_error *err);
void col_array_format(const col_vec *vec, uint32_t row, const base_zone *zone, base_buf *buf);
// A JSON array, whose elements are as strict as a contract: numbers for numbers, strings for text.
BASE_MUST_USE base_rc col_array_parse_json(base_str json, col_vec *vec, uint32_t row,
                                           base_arena *arena, base_error *err);

#endif
