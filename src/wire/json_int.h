// json_int.h - what the files of the JSON codec share: the structural index, the decoder's shapes
// and the conversions of single values. Private to src/wire.
#ifndef WEIR_WIRE_JSON_INT_H
#define WEIR_WIRE_JSON_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The structural index of a text (simdjson's first stage): the positions of { } [ ] : , outside
// strings, of each string's opening quote, and of the first byte of every other scalar; the text is
// checked to be UTF-8 without raw control characters in strings.
#ifdef __cplusplus
extern "C" {
#endif
typedef struct wire_simd wire_simd;

typedef enum wire_simd_status {
    WIRE_SIMD_OK,
    WIRE_SIMD_EMPTY,    // nothing but white space
    WIRE_SIMD_UTF8,     // not UTF-8
    WIRE_SIMD_CONTROL,  // a raw control character inside a string
    WIRE_SIMD_UNCLOSED, // the last string is not closed
    WIRE_SIMD_TOO_BIG,  // 4 GB or more, or no memory for the index
} wire_simd_status;

// Entries after the last one hold UINT32_MAX, so that a walker may look ahead without a check.
#define WIRE_SIMD_SENTINELS 6

wire_simd *wire_simd_create(void); // NULL: out of memory
void wire_simd_destroy(wire_simd *simd);
// The index lives until the next call.
wire_simd_status wire_simd_index(wire_simd *simd, const char *text, size_t n,
                                 const uint32_t **positions, uint32_t *count);
// The double nearest to the number [p, e); false: out of the type's range or not a number.
bool wire_simd_double(const char *p, const char *e, double *out);
bool wire_simd_float(const char *p, const char *e, float *out);
#ifdef __cplusplus
}
#else

#include "wire/json.h"

typedef enum json_rc {
    JSON_OK,
    JSON_FAULT,  // a field broke its type: the walk's fault is filled
    JSON_BROKEN, // the text is not well-formed at the cursor
} json_rc;

struct json_shape;

// A declared field, ready to be written to.
typedef struct json_field {
    void *data; // of vec
    col_vec *vec;
    uint64_t named; // the shape's visit in which its name last stood
    uint64_t given; // the one in which it last got a value that is not null
    col_kind kind;
    bool not_null;
    int32_t top; // index of the outermost field that holds it
    struct json_shape *shape;
    uint64_t date_text; // the last date seen in the fixed layout, "YYYY-MM-DD"
    uint16_t date_text_tail;
    bool date_known;
    int64_t date_us; // its midnight
    col_type type;
    const char *name;
    const char *path;      // "address.city"
    const char *type_name; // "numeric(12,2)"
} json_field;

// A key as it stands in the text, quotes and all, with what followed it lately: the prediction that
// saves the look-up.
typedef struct json_slot {
    uint64_t key[2], mask[2]; // the first 16 raw bytes
    const char *raw;
    uint32_t raw_n;
    int32_t field;  // index in the shape, or JSON_SLOT_*
    uint32_t place; // of a declared field: among the fields of the object that had it last
    struct json_slot *next[2];
} json_slot;

#define JSON_SLOT_UNKNOWN (-1)
#define JSON_SLOT_OP      (-2)

// Where a document's wanted fields stood lately, by their place among its fields: what lies between
// them is stepped over without a look at its name. Documents that the edge has let pass only.
#define JSON_PATH_MAX     128
typedef struct json_path {
    uint32_t n;                      // up to the last wanted field; 0: no path
    uint32_t structurals;            // of the last such document
    json_slot *slots[JSON_PATH_MAX]; // NULL: not wanted
} json_path;

// The fields of an object: the document's or a struct's.
typedef struct json_shape {
    json_field *fields;
    uint32_t nfields;
    uint64_t visit;
    json_slot *slots; // declared, "_op", then unknown names that were met
    uint32_t nslots, slots_max;
    uint32_t *table; // open addressing by the name's hash: slot index + 1
    uint32_t table_mask;
    json_slot start;   // never matches; its next is the first key
    json_slot unknown; // stands for names that are not kept
    uint64_t op_named; // the visit in which "_op" last stood
} json_shape;

// A document being read.
typedef struct json_walk {
    const char *text;      // base of the positions
    const uint32_t *x;     // the next structural
    const uint32_t *x_end; // after the last one: there the sentinels begin
    uint32_t begin, end;
    uint32_t row;
    uint32_t depth;
    bool delete_row;
    bool op_known;
    wire_json_unknown unknown;
    base_arena *arena;
    wire_json_fault *fault;
} json_walk;

// Fills the fault: field may be NULL; at is a position in the document's text, NULL unknown.
json_rc json_fault(json_walk *walk, const json_field *field, const char *at, const char *sqlstate,
                   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
// "expected integer, found ...".
json_rc json_fault_type(json_walk *walk, const json_field *field, const char *v, const char *e);
// The value [v, e) shortened for a message.
const char *json_shorten(json_walk *walk, const char *v, const char *e);

// Conversions for which the fast paths of json.c do not serve. [v, e) is a scalar token.
json_rc json_put_slow(json_walk *walk, json_field *field, const char *v, const char *e);
json_rc json_put_string_slow(json_walk *walk, json_field *field, const char *v, const char *e);
json_rc json_put_jsonb(json_walk *walk, json_field *field, const char *v, const char *e);
json_rc json_put_array(json_walk *walk, json_field *field, const char *v, const char *e);
bool json_number_valid(const char *p, const char *e);
// The content of a string (between the quotes) without its escapes, in the arena.
base_rc json_unescape(const char *p, const char *e, base_arena *arena, base_str *out,
                      base_error *err);

#endif
#endif
