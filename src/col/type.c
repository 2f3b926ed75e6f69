// type.c - see type.h. One table says all that is known of a kind; a new kind is a row of it (and a
// storage class in col_int.h if it is stored in a new way). Entry point: kinds[].
#include "col/type.h"

#include <stdio.h>

#include "base/must.h"
#include "col/col_int.h"

typedef struct kind_info {
    const char *name; // as PostgreSQL's format_type
    uint8_t width;
    int16_t pg_size;
    uint32_t oid;
    const char *array_name; // NULL: there are no arrays of it
    uint32_t array_oid;
} kind_info;

static const kind_info kinds[COL_SCALAR_COUNT] = {
    [COL_UNKNOWN] = {"unknown", 0, -2, 705, "anyarray", 2277},
    [COL_BOOL] = {"boolean", 1, 1, 16, "boolean[]", 1000},
    [COL_INT2] = {"smallint", 2, 2, 21, "smallint[]", 1005},
    [COL_INT4] = {"integer", 4, 4, 23, "integer[]", 1007},
    [COL_INT8] = {"bigint", 8, 8, 20, "bigint[]", 1016},
    [COL_FLOAT4] = {"real", 4, 4, 700, "real[]", 1021},
    [COL_FLOAT8] = {"double precision", 8, 8, 701, "double precision[]", 1022},
    [COL_NUMERIC] = {"numeric", sizeof(base_decimal), -1, 1700, "numeric[]", 1231},
    [COL_TEXT] = {"text", sizeof(base_str), -1, 25, "text[]", 1009},
    [COL_VARCHAR] = {"character varying", sizeof(base_str), -1, 1043, "character varying[]", 1015},
    [COL_BYTEA] = {"bytea", sizeof(base_str), -1, 17, "bytea[]", 1001},
    [COL_DATE] = {"date", 4, 4, 1082, "date[]", 1182},
    [COL_TIME] = {"time without time zone", 8, 8, 1083, "time without time zone[]", 1183},
    [COL_TIMESTAMP] = {"timestamp without time zone", 8, 8, 1114, "timestamp without time zone[]",
                       1115},
    [COL_TIMESTAMPTZ] = {"timestamp with time zone", 8, 8, 1184, "timestamp with time zone[]",
                         1185},
    [COL_INTERVAL] = {"interval", sizeof(base_interval), 16, 1186, "interval[]", 1187},
    [COL_UUID] = {"uuid", 16, 16, 2950, "uuid[]", 2951},
    [COL_JSONB] = {"jsonb", sizeof(base_str), -1, 3802, "jsonb[]", 3807},
    [COL_STRUCT] = {"struct", 0, -1, 3802, NULL, 0},
    [COL_OID] = {"oid", 4, 4, 26, "oid[]", 1028},
    [COL_NAME] = {"name", sizeof(base_str), 64, 19, "name[]", 1003},
    [COL_CHAR] = {"\"char\"", 1, 1, 18, "\"char\"[]", 1002},
    [COL_REGCLASS] = {"regclass", 4, 4, 2205, "regclass[]", 2210},
};

// Arrays of kinds whose ordered keys are exact are compared as the bytes they are (array.h).
#define EXACT(kind)   [COL_ARRAY | COL_##kind] = COL_ST_STR
#define INEXACT(kind) [COL_ARRAY | COL_##kind] = COL_ST_ARRAY
#define ARRAYS                                                                                     \
    EXACT(BOOL), EXACT(INT2), EXACT(INT4), EXACT(INT8), INEXACT(FLOAT4), INEXACT(FLOAT8),          \
        INEXACT(NUMERIC), EXACT(TEXT), EXACT(VARCHAR), EXACT(BYTEA), EXACT(DATE), EXACT(TIME),     \
        EXACT(TIMESTAMP), EXACT(TIMESTAMPTZ), INEXACT(INTERVAL), EXACT(UUID), INEXACT(JSONB),      \
        EXACT(OID), EXACT(NAME), EXACT(CHAR), EXACT(REGCLASS)

const uint8_t col_kind_storage[COL_KIND_COUNT] = {
    [COL_UNKNOWN] = COL_ST_NONE,      [COL_BOOL] = COL_ST_U8,       [COL_INT2] = COL_ST_I16,
    [COL_INT4] = COL_ST_I32,          [COL_INT8] = COL_ST_I64,      [COL_FLOAT4] = COL_ST_F32,
    [COL_FLOAT8] = COL_ST_F64,        [COL_NUMERIC] = COL_ST_DEC,   [COL_TEXT] = COL_ST_STR,
    [COL_VARCHAR] = COL_ST_STR,       [COL_BYTEA] = COL_ST_STR,     [COL_DATE] = COL_ST_I32,
    [COL_TIME] = COL_ST_I64,          [COL_TIMESTAMP] = COL_ST_I64, [COL_TIMESTAMPTZ] = COL_ST_I64,
    [COL_INTERVAL] = COL_ST_INTERVAL, [COL_UUID] = COL_ST_UUID,     [COL_JSONB] = COL_ST_JSON,
    [COL_STRUCT] = COL_ST_STRUCT,     [COL_OID] = COL_ST_U32,       [COL_NAME] = COL_ST_STR,
    [COL_CHAR] = COL_ST_U8,           [COL_REGCLASS] = COL_ST_U32,  ARRAYS,
};

static const struct {
    const char *name;
    col_kind kind;
} aliases[] = {
    {"bool", COL_BOOL},           {"int2", COL_INT2},
    {"int4", COL_INT4},           {"int", COL_INT4},
    {"int8", COL_INT8},           {"float4", COL_FLOAT4},
    {"float8", COL_FLOAT8},       {"float", COL_FLOAT8},
    {"decimal", COL_NUMERIC},     {"dec", COL_NUMERIC},
    {"varchar", COL_VARCHAR},     {"time", COL_TIME},
    {"timestamp", COL_TIMESTAMP}, {"timestamptz", COL_TIMESTAMPTZ},
    {"char", COL_CHAR}, // as pg_type.typname; the SQL type char(n) is bpchar, which there is not
};

static const kind_info *info_of(col_kind kind) {
    must((unsigned)kind < COL_SCALAR_COUNT);
    return &kinds[kind];
}

bool col_kind_has_array(col_kind kind) {
    return (unsigned)kind < COL_SCALAR_COUNT && kind != COL_UNKNOWN &&
           kinds[kind].array_name != NULL;
}

bool col_kind_exists(col_kind kind) {
    if ((unsigned)kind >= COL_KIND_COUNT) return false;
    return col_kind_is_array(kind) ? col_kind_has_array(col_kind_element(kind))
                                   : (unsigned)kind < COL_SCALAR_COUNT;
}

size_t col_kind_width(col_kind kind) {
    return col_kind_is_array(kind) ? sizeof(base_str) : info_of(kind)->width;
}

bool col_kind_is_string(col_kind kind) {
    must((unsigned)kind < COL_KIND_COUNT);
    col_storage storage = (col_storage)col_kind_storage[kind];
    return storage == COL_ST_STR || storage == COL_ST_ARRAY || storage == COL_ST_JSON;
}

bool col_kind_is_number(col_kind kind) {
    return kind >= COL_INT2 && kind <= COL_NUMERIC;
}

bool col_type_eq(const col_type *a, const col_type *b) {
    if (a->kind != b->kind) return false;
    switch (col_kind_element(a->kind)) {
    case COL_NUMERIC:
        return a->precision == b->precision && a->scale == b->scale;
    case COL_VARCHAR:
        return a->precision == b->precision;
    case COL_STRUCT:
        if (a->nfields != b->nfields) return false;
        for (uint16_t i = 0; i < a->nfields; i++) {
            if (strcmp(a->fields[i].name, b->fields[i].name) != 0) return false;
            if (!col_type_eq(&a->fields[i].type, &b->fields[i].type)) return false;
        }
        return true;
    default:
        return true;
    }
}

const char *col_kind_name(col_kind kind) {
    if (!col_kind_is_array(kind)) return info_of(kind)->name;
    const char *name = info_of(col_kind_element(kind))->array_name;
    must(name != NULL);
    return name;
}

void col_type_format(const col_type *type, base_buf *buf) {
    if (col_kind_is_array(type->kind) && type->precision != 0) {
        col_type element = col_type_element(type);
        col_type_format(&element, buf);
        base_buf_add_cstr(buf, "[]");
    } else if (type->kind == COL_NUMERIC && type->precision != 0) {
        base_buf_printf(buf, "numeric(%d,%d)", type->precision, type->scale);
    } else if (type->kind == COL_VARCHAR && type->precision != 0) {
        base_buf_printf(buf, "character varying(%d)", type->precision);
    } else if (type->kind == COL_STRUCT) {
        base_buf_add_cstr(buf, "STRUCT<");
        for (uint16_t i = 0; i < type->nfields; i++) {
            if (i != 0) base_buf_add_cstr(buf, ", ");
            base_buf_add_cstr(buf, type->fields[i].name);
            base_buf_add_byte(buf, ' ');
            col_type_format(&type->fields[i].type, buf);
        }
        base_buf_add_byte(buf, '>');
    } else {
        base_buf_add_cstr(buf, col_kind_name(type->kind));
    }
}

uint32_t col_type_oid(const col_type *type) {
    if (col_kind_is_array(type->kind)) return info_of(col_kind_element(type->kind))->array_oid;
    return info_of(type->kind)->oid;
}

int16_t col_type_pg_size(const col_type *type) {
    return col_kind_is_array(type->kind) ? -1 : info_of(type->kind)->pg_size;
}

int32_t col_type_pg_typmod(const col_type *type) {
    // PostgreSQL adds the size of its header of varying types (4) to both. An array has its
    // elements' modifier.
    col_kind kind = col_kind_element(type->kind);
    if (kind == COL_NUMERIC && type->precision != 0) {
        return (int32_t)(((uint32_t)type->precision << 16) | ((uint32_t)type->scale & 0x7ff)) + 4;
    }
    if (kind == COL_VARCHAR && type->precision != 0) return type->precision + 4;
    return -1;
}

bool col_kind_from_oid(uint32_t oid, col_kind *kind) {
    for (int k = 0; k < COL_SCALAR_COUNT; k++) {
        // JSONB's number is also what a struct shows as; the plain type is meant.
        if (kinds[k].oid == oid && k != COL_STRUCT) {
            *kind = (col_kind)k;
            return true;
        }
        if (kinds[k].array_oid == oid && col_kind_has_array((col_kind)k)) {
            *kind = col_kind_array_of((col_kind)k);
            return true;
        }
    }
    return false;
}

static bool scalar_from_name(base_str name, col_kind *kind) {
    for (int k = 0; k < COL_SCALAR_COUNT; k++) {
        if (k != COL_STRUCT && base_str_eq_nocase(name, base_str_of(kinds[k].name))) {
            *kind = (col_kind)k;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (base_str_eq_nocase(name, base_str_of(aliases[i].name))) {
            *kind = aliases[i].kind;
            return true;
        }
    }
    return false;
}

bool col_kind_from_name(base_str name, col_kind *kind) {
    base_str schema = BASE_STR("pg_catalog.");
    if (name.n > schema.n && base_str_eq_nocase((base_str){name.p, schema.n}, schema)) {
        name.p += schema.n;
        name.n -= schema.n;
    }
    if (scalar_from_name(name, kind)) return true;
    // "integer[]", or "_int4" as pg_type has it.
    if (name.n > 2 && name.p[name.n - 2] == '[' && name.p[name.n - 1] == ']') {
        name.n -= 2;
    } else if (name.n > 1 && name.p[0] == '_') {
        name.p++;
        name.n--;
    } else {
        return false;
    }
    if (!scalar_from_name(name, kind) || !col_kind_has_array(*kind)) return false;
    *kind = col_kind_array_of(*kind);
    return true;
}

col_type col_type_copy(base_arena *arena, const col_type *type) {
    col_type copy = *type;
    if (type->kind != COL_STRUCT || type->nfields == 0) {
        copy.nfields = 0;
        copy.fields = NULL;
        return copy;
    }
    col_field *fields = base_arena_array(arena, col_field, type->nfields);
    for (uint16_t i = 0; i < type->nfields; i++) {
        fields[i].name = base_arena_strdup(arena, type->fields[i].name);
        fields[i].type = col_type_copy(arena, &type->fields[i].type);
    }
    copy.fields = fields;
    return copy;
}
