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
    COL_UNKNOWN = 0,      // an untyped literal or parameter, before the binder has resolved it
    COL_BOOL = 1,         // uint8_t, 0 or 1
    COL_INT2 = 2,         // int16_t
    COL_INT4 = 3,         // int32_t
    COL_INT8 = 4,         // int64_t
    COL_FLOAT4 = 5,       // float
    COL_FLOAT8 = 6,       // double
    COL_NUMERIC = 7,      // base_decimal
    COL_TEXT = 8,         // base_str, UTF-8
    COL_VARCHAR = 9,      // base_str, UTF-8, at most `precision` characters (0: no limit)
    COL_BYTEA = 10,       // base_str
    COL_DATE = 11,        // int32_t, days since 2000-01-01
    COL_TIME = 12,        // int64_t, microseconds
    COL_TIMESTAMP = 13,   // int64_t, microseconds since 2000-01-01
    COL_TIMESTAMPTZ = 14, // int64_t, microseconds since 2000-01-01 UTC
    COL_INTERVAL = 15,    // base_interval
    COL_UUID = 16,        // 16 bytes, as printed
    COL_JSONB = 17,       // base_str: canonical text as PostgreSQL's jsonb prints it
    COL_STRUCT = 18,      // a vector a field in children; own data is unused
    COL_OID = 19,         // uint32_t
    COL_NAME = 20,        // base_str; as TEXT, for pg_catalog
    COL_CHAR = 21,        // uint8_t; PostgreSQL's "char", for pg_catalog
    COL_REGCLASS = 22,    // uint32_t, as OID
    COL_TEXT_ARRAY = 23,  // base_str: PostgreSQL's array text, e.g. {a,"b c"}; for pg_catalog
    COL_KIND_COUNT
} col_kind;

struct col_field;

typedef struct col_type {
    col_kind kind;
    // NUMERIC: 1..38, 0 unconstrained. VARCHAR: characters, 0 unlimited. TEXT_ARRAY of a parameter:
    // the integer kind that its elements are the text of, 0 text.
    int16_t precision;
    int16_t scale;    // NUMERIC with a precision: 0..precision
    uint16_t nfields; // STRUCT
    const struct col_field *fields;
} col_type;

typedef struct col_field {
    const char *name;
    col_type type;
} col_field;

static inline col_type col_type_of(col_kind kind) {
    return (col_type){kind, 0, 0, 0, NULL};
}
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
