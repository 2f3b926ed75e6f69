// type.h - the types of SQL values, their storage, names and PostgreSQL identities.
// A col_type is a small value, copied freely; the fields of a struct type are owned by whoever made
// the type (an arena) and outlive its copies.
#ifndef WEIR_COL_TYPE_H
#define WEIR_COL_TYPE_H

#include "base/arena.h"
#include "base/calendar.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/str.h"

// The numbers are part of disk formats: never reuse one.
typedef enum col_kind {
    COL_UNKNOWN = 0,       // an untyped literal or parameter, before the binder has resolved it
    COL_BOOL = 1,          // uint8_t, 0 or 1
    COL_INT2 = 2,          // int16_t
    COL_INT4 = 3,          // int32_t
    COL_INT8 = 4,          // int64_t
    COL_FLOAT4 = 5,        // float
    COL_FLOAT8 = 6,        // double
    COL_NUMERIC = 7,       // base_decimal
    COL_TEXT = 8,          // base_str, UTF-8
    COL_VARCHAR = 9,       // base_str, UTF-8, at most `precision` characters (0: no limit)
    COL_BYTEA = 10,        // base_str
    COL_DATE = 11,         // int32_t, days since 2000-01-01
    COL_TIME = 12,         // int64_t, microseconds
    COL_TIMESTAMP = 13,    // int64_t, microseconds since 2000-01-01
    COL_TIMESTAMPTZ = 14,  // int64_t, microseconds since 2000-01-01 UTC
    COL_INTERVAL = 15,     // base_interval
    COL_UUID = 16,         // 16 bytes, as printed
    COL_JSONB = 17,        // base_str: canonical text as PostgreSQL's jsonb prints it
    COL_STRUCT = 18,       // a vector a field in children; own data is unused
    COL_OID = 19,          // uint32_t
    COL_NAME = 20,         // base_str; as TEXT, for pg_catalog
    COL_CHAR = 21,         // uint8_t; PostgreSQL's "char", for pg_catalog
    COL_REGCLASS = 22,     // uint32_t, as OID
    COL_SCALAR_COUNT = 23, // kinds below are of one value
    // COL_ARRAY | k is an array of kind k, with one dimension and the lower bound 1; a base_str
    // (array.h). Precision and scale are its elements'. COL_ARRAY alone: "anyarray", in signatures.
    COL_ARRAY = 32,
    COL_TEXT_ARRAY = COL_ARRAY | COL_TEXT, // the one that code names often
    COL_KIND_COUNT = 64
} col_kind;

struct col_field;

typedef struct col_type {
    col_kind kind;
    int16_t precision; // NUMERIC: 1..38, 0 unconstrained. VARCHAR: characters, 0 unlimited.
    int16_t scale;     // NUMERIC with a precision: 0..precision
    uint16_t nfields;  // STRUCT
    const struct col_field *fields;
} col_type;

typedef struct col_field {
    const char *name;
    col_type type;
} col_field;

static inline col_type col_type_of(col_kind kind) {
    return (col_type){kind, 0, 0, 0, NULL};
}
static inline bool col_kind_is_array(col_kind kind) {
    return ((unsigned)kind & COL_ARRAY) != 0;
}
static inline col_kind col_kind_element(col_kind array) {
    return (col_kind)((unsigned)array & ~(unsigned)COL_ARRAY);
}
static inline col_kind col_kind_array_of(col_kind element) {
    return (col_kind)((unsigned)element | COL_ARRAY);
}
static inline col_type col_type_element(const col_type *array) {
    return (col_type){col_kind_element(array->kind), array->precision, array->scale, 0, NULL};
}
static inline col_type col_type_array_of(const col_type *element) {
    return (col_type){col_kind_array_of(element->kind), element->precision, element->scale, 0,
                      NULL};
}
bool col_kind_exists(col_kind kind);    // whether values of it may be stored
bool col_kind_has_array(col_kind kind); // whether there are arrays of it
size_t col_kind_width(col_kind kind);   // bytes a row in data; STRUCT and UNKNOWN: 0
bool col_kind_is_string(col_kind kind); // stored as base_str
bool col_kind_is_number(col_kind kind); // INT2..NUMERIC
bool col_type_eq(const col_type *a, const col_type *b); // with precision, scale and fields
const char *col_kind_name(col_kind kind); // PostgreSQL's format_type: "integer", "text", ...
void col_type_format(const col_type *type, base_buf *buf); // "numeric(12,2)", "STRUCT<a integer>"
uint32_t col_type_oid(const col_type *type);      // pg_type.oid; STRUCT shows as jsonb (3802)
int16_t col_type_pg_size(const col_type *type);   // pg_type.typlen; -1: varying
int32_t col_type_pg_typmod(const col_type *type); // pg_attribute.atttypmod; -1: none
bool col_kind_from_oid(uint32_t oid, col_kind *kind);
// By PostgreSQL's names and their aliases ("int8", "bigint", "timestamp with time zone",
// "varchar").
bool col_kind_from_name(base_str name, col_kind *kind);
col_type col_type_copy(base_arena *arena, const col_type *type); // deep

#endif
