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
} kind_info;

static const kind_info kinds[COL_KIND_COUNT] = {
    [COL_UNKNOWN] = {"unknown", 0, -2, 705},
    [COL_BOOL] = {"boolean", 1, 1, 16},
    [COL_INT2] = {"smallint", 2, 2, 21},
    [COL_INT4] = {"integer", 4, 4, 23},
    [COL_INT8] = {"bigint", 8, 8, 20},
    [COL_FLOAT4] = {"real", 4, 4, 700},
    [COL_FLOAT8] = {"double precision", 8, 8, 701},
    [COL_NUMERIC] = {"numeric", sizeof(base_decimal), -1, 1700},
    [COL_TEXT] = {"text", sizeof(base_str), -1, 25},
    [COL_VARCHAR] = {"character varying", sizeof(base_str), -1, 1043},
    [COL_BYTEA] = {"bytea", sizeof(base_str), -1, 17},
    [COL_DATE] = {"date", 4, 4, 1082},
    [COL_TIME] = {"time without time zone", 8, 8, 1083},
    [COL_TIMESTAMP] = {"timestamp without time zone", 8, 8, 1114},
    [COL_TIMESTAMPTZ] = {"timestamp with time zone", 8, 8, 1184},
    [COL_INTERVAL] = {"interval", sizeof(base_interval), 16, 1186},
    [COL_UUID] = {"uuid", 16, 16, 2950},
    [COL_JSONB] = {"jsonb", sizeof(base_str), -1, 3802},
    [COL_STRUCT] = {"struct", 0, -1, 3802},
    [COL_OID] = {"oid", 4, 4, 26},
    [COL_NAME] = {"name", sizeof(base_str), 64, 19},
    [COL_CHAR] = {"\"char\"", 1, 1, 18},
    [COL_REGCLASS] = {"regclass", 4, 4, 2205},
    [COL_TEXT_ARRAY] = {"text[]", sizeof(base_str), -1, 1009},
};

const uint8_t col_kind_storage[COL_KIND_COUNT] = {
    [COL_UNKNOWN] = COL_ST_NONE,      [COL_BOOL] = COL_ST_U8,       [COL_INT2] = COL_ST_I16,
    [COL_INT4] = COL_ST_I32,          [COL_INT8] = COL_ST_I64,      [COL_FLOAT4] = COL_ST_F32,
    [COL_FLOAT8] = COL_ST_F64,        [COL_NUMERIC] = COL_ST_DEC,   [COL_TEXT] = COL_ST_STR,
    [COL_VARCHAR] = COL_ST_STR,       [COL_BYTEA] = COL_ST_STR,     [COL_DATE] = COL_ST_I32,
    [COL_TIME] = COL_ST_I64,          [COL_TIMESTAMP] = COL_ST_I64, [COL_TIMESTAMPTZ] = COL_ST_I64,
    [COL_INTERVAL] = COL_ST_INTERVAL, [COL_UUID] = COL_ST_UUID,     [COL_JSONB] = COL_ST_STR,
    [COL_STRUCT] = COL_ST_STRUCT,     [COL_OID] = COL_ST_U32,       [COL_NAME] = COL_ST_STR,
    [COL_CHAR] = COL_ST_U8,           [COL_REGCLASS] = COL_ST_U32,  [COL_TEXT_ARRAY] = COL_ST_STR,
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
    {"_text", COL_TEXT_ARRAY},
};

static const kind_info *info_of(col_kind kind) {
    must((unsigned)kind < COL_KIND_COUNT);
    return &kinds[kind];
}

size_t col_kind_width(col_kind kind) {
    return info_of(kind)->width;
}

bool col_kind_is_string(col_kind kind) {
    must((unsigned)kind < COL_KIND_COUNT);
    return col_kind_storage[kind] == COL_ST_STR;
}

bool col_kind_is_number(col_kind kind) {
    return kind >= COL_INT2 && kind <= COL_NUMERIC;
}

bool col_type_eq(const col_type *a, const col_type *b) {
    if (a->kind != b->kind) return false;
    switch (a->kind) {
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
    return info_of(kind)->name;
}

void col_type_format(const col_type *type, base_buf *buf) {
    if (type->kind == COL_NUMERIC && type->precision != 0) {
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
        base_buf_add_cstr(buf, info_of(type->kind)->name);
    }
}

uint32_t col_type_oid(const col_type *type) {
    if (type->kind == COL_TEXT_ARRAY && type->precision == COL_INT2) return 1005;
    if (type->kind == COL_TEXT_ARRAY && type->precision == COL_INT4) return 1007;
    if (type->kind == COL_TEXT_ARRAY && type->precision == COL_INT8) return 1016;
    return info_of(type->kind)->oid;
}

int16_t col_type_pg_size(const col_type *type) {
    return info_of(type->kind)->pg_size;
}

int32_t col_type_pg_typmod(const col_type *type) {
    // PostgreSQL adds the size of its header of varying types (4) to both.
    if (type->kind == COL_NUMERIC && type->precision != 0) {
        return (int32_t)(((uint32_t)type->precision << 16) | ((uint32_t)type->scale & 0x7ff)) + 4;
    }
    if (type->kind == COL_VARCHAR && type->precision != 0) return type->precision + 4;
    return -1;
}

bool col_kind_from_oid(uint32_t oid, col_kind *kind) {
    for (int k = 0; k < COL_KIND_COUNT; k++) {
        // JSONB's number is also what a struct shows as; the plain type is meant.
        if (kinds[k].oid == oid && k != COL_STRUCT) {
            *kind = (col_kind)k;
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
    for (int k = 0; k < COL_KIND_COUNT; k++) {
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
