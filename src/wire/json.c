// json.c - JSON documents to columns: the contract check's decoder.
//
// Many documents are indexed at once (json_simd.cpp), a span of about SPAN_BYTES at a time so that
// the index stays in the cache; then each document is walked key by key and its values go straight
// into the columns.
//
// Invariants:
// - A document is accepted only if every structural position that was used lies inside it, its
//   first byte that is not white space is the '{' that the index gives, and the index gives nothing
//   after its closing '}'. So an unclosed string cannot leak from one document into the next: the
//   next one's '{' would not be in the index.
// - A document that looks broken in a span is judged again alone, and the span goes on after it:
//   one bad document refuses only itself.
// - The edge skips nothing and refuses a name that stands twice, so whatever reads its documents
//   later may take the first field of a name for the only one: a step stops after its last wanted
//   field, and steps over fields before it by their place (walk_path). Other readers walk a whole
//   document, and the last of two equal names wins.
//
// Entry points: wire_json_decoder_create, wire_json_decode.
#include "wire/json.h"
#include "base/hash.h"
#include "base/must.h"
#include "wire/json_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SPAN_BYTES         (32u << 10)
#define SPAN_BYTES_MIN     2048
#define UNKNOWN_SLOTS_MAX  64 // names of unknown fields that are kept for prediction
#define UNKNOWN_NAME_BYTES 64
#define FAULTS_FIRST       16

struct wire_json_decoder {
    base_arena arena; // shapes; lives as long as the decoder
    json_shape *shape;
    col_type *types;
    uint32_t nfields;
    wire_json_unknown unknown;
    wire_simd *simd;
    size_t span_bytes; // now: less than SPAN_BYTES after a bad document
    bool may_path;     // checked documents, and every wanted field takes a scalar
    json_path path;
};

// ---- shapes ----

static inline uint64_t load64(const char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint16_t load16(const char *p) {
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

static bool name_is_plain(base_str name) {
    for (size_t i = 0; i < name.n; i++) {
        if ((uint8_t)name.p[i] < 0x20 || name.p[i] == '"' || name.p[i] == '\\') return false;
    }
    return true;
}

// No UTF-8 text begins with 0xff.
static void slot_match_nothing(json_slot *slot) {
    slot->key[0] = slot->key[1] = UINT64_MAX;
    slot->mask[0] = slot->mask[1] = UINT64_MAX;
    slot->raw_n = 0;
}

static void slot_set_name(base_arena *arena, json_slot *slot, base_str name) {
    char *raw = base_arena_zalloc(arena, name.n + 2 + 16);
    raw[0] = '"';
    if (name.n > 0) memcpy(raw + 1, name.p, name.n);
    raw[name.n + 1] = '"';
    slot->raw = raw;
    if (!name_is_plain(name)) { // found by its unescaped name only
        slot_match_nothing(slot);
        slot->raw_n = 0;
        return;
    }
    slot->raw_n = (uint32_t)name.n + 2;
    for (int half = 0; half < 2; half++) {
        slot->key[half] = load64(raw + half * 8);
        char mask[8];
        for (uint32_t i = 0; i < 8; i++) {
            mask[i] = (uint32_t)half * 8 + i < slot->raw_n ? (char)0xff : 0;
        }
        slot->mask[half] = load64(mask);
        slot->key[half] &= slot->mask[half];
    }
}

static void table_add(json_shape *shape, uint32_t slot, base_str name) {
    uint32_t at = (uint32_t)base_hash64(name.p, name.n) & shape->table_mask;
    while (shape->table[at] != 0) at = (at + 1) & shape->table_mask;
    shape->table[at] = slot + 1;
}

static base_str slot_name(const json_slot *slot) {
    return (base_str){slot->raw + 1, strlen(slot->raw + 1) - 1};
}

static json_slot *table_find(const json_shape *shape, base_str name) {
    uint32_t at = (uint32_t)base_hash64(name.p, name.n) & shape->table_mask;
    while (shape->table[at] != 0) {
        json_slot *slot = &shape->slots[shape->table[at] - 1];
        if (base_str_eq(slot_name(slot), name)) return slot;
        at = (at + 1) & shape->table_mask;
    }
    return NULL;
}

static json_slot *shape_add_slot(base_arena *arena, json_shape *shape, base_str name,
                                 int32_t field) {
    must(shape->nslots < shape->slots_max);
    json_slot *slot = &shape->slots[shape->nslots];
    slot_set_name(arena, slot, name);
    slot->field = field;
    slot->next[0] = slot->next[1] = &shape->start;
    table_add(shape, shape->nslots, name);
    shape->nslots++;
    return slot;
}

static json_shape *shape_create(base_arena *arena, uint32_t nfields, const wire_json_field *fields,
                                const char *prefix, int32_t top, bool is_document);

static void field_init(base_arena *arena, json_field *field, const wire_json_field *from,
                       const char *prefix, int32_t top) {
    field->type = col_type_copy(arena, &from->type);
    field->kind = field->type.kind;
    field->not_null = from->not_null;
    field->top = top;
    field->name = base_arena_strdup(arena, from->name);
    field->path = base_arena_printf(arena, "%s%s", prefix, from->name);
    base_buf buf = {0};
    col_type_format(&field->type, &buf);
    field->type_name = base_arena_strdup(arena, base_buf_cstr(&buf));
    base_buf_deinit(&buf);
    if (field->kind != COL_STRUCT) return;
    uint32_t n = field->type.nfields;
    wire_json_field *children = base_arena_array(arena, wire_json_field, n);
    for (uint32_t i = 0; i < n; i++) {
        children[i].name = field->type.fields[i].name;
        children[i].type = field->type.fields[i].type;
    }
    const char *child_prefix = base_arena_printf(arena, "%s.", field->path);
    field->shape = shape_create(arena, n, children, child_prefix, top, false);
}

// top: index of the outermost field, for the fields of a struct.
static json_shape *shape_create(base_arena *arena, uint32_t nfields, const wire_json_field *fields,
                                const char *prefix, int32_t top, bool is_document) {
    json_shape *shape = base_arena_new(arena, json_shape);
    shape->nfields = nfields;
    shape->fields = base_arena_array(arena, json_field, nfields);
    shape->slots_max = nfields + 1 + UNKNOWN_SLOTS_MAX;
    shape->slots = base_arena_array(arena, json_slot, shape->slots_max);
    uint32_t table_size = 16;
    while (table_size < shape->slots_max * 2) table_size *= 2;
    shape->table = base_arena_array(arena, uint32_t, table_size);
    shape->table_mask = table_size - 1;
    slot_match_nothing(&shape->start);
    slot_match_nothing(&shape->unknown);
    shape->start.field = shape->unknown.field = JSON_SLOT_UNKNOWN;
    shape->unknown.next[0] = shape->unknown.next[1] = &shape->start;
    shape->start.next[0] = shape->start.next[1] = &shape->start;
    json_slot *last = &shape->start;
    for (uint32_t i = 0; i < nfields; i++) {
        field_init(arena, &shape->fields[i], &fields[i], prefix, is_document ? (int32_t)i : top);
        json_slot *slot = shape_add_slot(arena, shape, base_str_of(fields[i].name), (int32_t)i);
        last->next[0] = slot;
        last = slot;
    }
    if (is_document && table_find(shape, BASE_STR("_op")) == NULL) {
        shape_add_slot(arena, shape, BASE_STR("_op"), JSON_SLOT_OP);
    }
    return shape;
}

wire_json_decoder *wire_json_decoder_create(size_t nfields, const wire_json_field *fields,
                                            wire_json_unknown unknown) {
    must(nfields < UINT16_MAX);
    wire_json_decoder *decoder = calloc(1, sizeof *decoder);
    must(decoder != NULL);
    base_arena_init(&decoder->arena, 4096);
    decoder->unknown = unknown;
    decoder->nfields = (uint32_t)nfields;
    decoder->shape = shape_create(&decoder->arena, (uint32_t)nfields, fields, "", -1, true);
    decoder->simd = wire_simd_create();
    must(decoder->simd != NULL);
    decoder->span_bytes = SPAN_BYTES;
    decoder->may_path = unknown == WIRE_JSON_UNKNOWN_CHECKED && nfields > 0;
    for (size_t i = 0; i < nfields; i++) {
        col_kind kind = fields[i].type.kind;
        if (kind == COL_STRUCT || kind == COL_JSONB || col_kind_is_array(kind)) {
            decoder->may_path = false;
        }
    }
    return decoder;
}

void wire_json_decoder_destroy(wire_json_decoder *decoder) {
    if (decoder == NULL) return;
    wire_simd_destroy(decoder->simd);
    base_arena_deinit(&decoder->arena);
    free(decoder);
}

// ---- columns ----

// As col_vec_init, but not zeroed: every row is written, if only by set_null.
static void vec_init(col_vec *vec, base_arena *arena, const col_type *type, uint32_t n) {
    vec->type = *type;
    vec->n = n;
    vec->nulls = NULL;
    vec->children = NULL;
    vec->data = NULL;
    if (type->kind == COL_STRUCT) {
        vec->children = base_arena_array(arena, col_vec, type->nfields);
        for (uint32_t i = 0; i < type->nfields; i++) {
            vec_init(&vec->children[i], arena, &type->fields[i].type, n);
        }
        return;
    }
    vec->data = base_arena_alloc(arena, col_kind_width(type->kind) * (size_t)n);
}

static void shape_bind(json_shape *shape, col_vec *vecs) {
    for (uint32_t i = 0; i < shape->nfields; i++) {
        json_field *field = &shape->fields[i];
        field->vec = &vecs[i];
        field->data = vecs[i].data;
        if (field->shape != NULL) shape_bind(field->shape, vecs[i].children);
    }
}

static void set_null(col_vec *vec, base_arena *arena, uint32_t row) {
    if (vec->nulls == NULL) vec->nulls = base_arena_zalloc(arena, vec->n);
    vec->nulls[row] = 1;
    if (vec->type.kind == COL_STRUCT) {
        for (uint32_t i = 0; i < vec->type.nfields; i++) set_null(&vec->children[i], arena, row);
        return;
    }
    size_t width = col_kind_width(vec->type.kind);
    memset((char *)vec->data + width * row, 0, width);
}

static void clear_null(col_vec *vec, uint32_t row) {
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    if (vec->type.kind != COL_STRUCT) return;
    for (uint32_t i = 0; i < vec->type.nfields; i++) clear_null(&vec->children[i], row);
}

// ---- faults ----

const char *json_shorten(json_walk *walk, const char *v, const char *e) {
    size_t n = (size_t)(e - v), keep = n;
    const size_t most = 48;
    if (n > most) {
        keep = most;
        while (keep > 0 && ((uint8_t)v[keep] & 0xc0) == 0x80) keep--;
    }
    keep = base_utf8_valid_prefix((base_str){v, keep});
    char *copy = base_arena_memdup(walk->arena, v, keep);
    for (size_t i = 0; i < keep; i++) {
        if ((uint8_t)copy[i] < 0x20) copy[i] = ' ';
    }
    return keep == n ? copy : base_arena_printf(walk->arena, "%s...", copy);
}

json_rc json_fault(json_walk *walk, const json_field *field, const char *at, const char *sqlstate,
                   const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char text[512];
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text[base_utf8_valid_prefix(base_str_of(text))] = 0;
    wire_json_fault *fault = walk->fault;
    fault->byte = at == NULL ? UINT32_MAX : (uint32_t)(at - walk->text) - walk->begin;
    fault->field = field == NULL ? -1 : field->top;
    fault->sqlstate = base_arena_strdup(walk->arena, sqlstate);
    if (field == NULL) {
        fault->message = base_arena_strdup(walk->arena, text);
    } else {
        fault->message = base_arena_printf(walk->arena, "field \"%s\": %s", field->path, text);
    }
    return JSON_FAULT;
}

json_rc json_fault_type(json_walk *walk, const json_field *field, const char *v, const char *e) {
    return json_fault(walk, field, v, BASE_SQLSTATE_INVALID_TEXT, "expected %s, found %s",
                      field->type_name, json_shorten(walk, v, e));
}

// ---- keys ----

static inline bool slot_matches(const json_slot *slot, const char *p, uint32_t raw_max) {
    uint64_t differs = ((load64(p) & slot->mask[0]) ^ slot->key[0]) |
                       ((load64(p + 8) & slot->mask[1]) ^ slot->key[1]);
    if (__builtin_expect(differs != 0, 0)) return false;
    if (__builtin_expect(slot->raw_n <= 16, 1)) return true;
    return slot->raw_n <= raw_max && memcmp(p + 16, slot->raw + 16, slot->raw_n - 16) == 0;
}

static json_rc broken_at(json_walk *walk, const uint32_t *x) {
    walk->x = x;
    return JSON_BROKEN;
}

static void predict(json_slot *last, json_slot *slot) {
    last->next[1] = last->next[0];
    last->next[0] = slot;
}

// The name of an unknown field is kept, so that skipping it next time costs one comparison.
static json_slot *slot_of_unknown(wire_json_decoder *decoder, json_shape *shape,
                                  base_str raw_name) {
    if (shape->nslots == shape->slots_max || raw_name.n > UNKNOWN_NAME_BYTES ||
        !name_is_plain(raw_name)) {
        return &shape->unknown;
    }
    return shape_add_slot(&decoder->arena, shape, raw_name, JSON_SLOT_UNKNOWN);
}

// The key at the cursor was not predicted: finds its slot by name and predicts it from now on.
static __attribute__((noinline)) json_rc find_slot(wire_json_decoder *decoder, json_walk *walk,
                                                   json_shape *shape, json_slot *last,
                                                   json_slot **out) {
    const uint32_t *x = walk->x;
    const char *p = walk->text + x[0], *e = walk->text + x[1];
    if (*p != '"') return broken_at(walk, x);
    if (*e != ':') return broken_at(walk, x + 1);
    json_slot *slot = last->next[1];
    if (slot_matches(slot, p, (uint32_t)(e - p))) {
        predict(last, slot);
        *out = slot;
        return JSON_OK;
    }
    while (e > p + 1 && e[-1] != '"') e--;
    if (e - p < 2) return broken_at(walk, x);
    base_str raw_name = {p + 1, (size_t)(e - p) - 2}, name = raw_name;
    if (memchr(name.p, '\\', name.n) != NULL) {
        base_error err;
        if (json_unescape(name.p, name.p + name.n, walk->arena, &name, &err) != BASE_OK) {
            return json_fault(walk, NULL, p, err.sqlstate, "name of a field: %s", err.message);
        }
    }
    slot = table_find(shape, name);
    bool known =
        slot != NULL && (slot->field >= 0 || (slot->field == JSON_SLOT_OP && walk->op_known));
    if (!known && walk->unknown == WIRE_JSON_UNKNOWN_FAULT) {
        return json_fault(walk, NULL, p, BASE_SQLSTATE_UNDEFINED_COLUMN, "unknown field %s",
                          json_shorten(walk, p, e));
    }
    if (slot == NULL) slot = slot_of_unknown(decoder, shape, raw_name);
    if (slot != &shape->unknown) predict(last, slot);
    *out = slot;
    return JSON_OK;
}

// ---- values ----

static const uint8_t value_start[256] = {
    ['"'] = 1, ['-'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1,
    ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['t'] = 1, ['f'] = 1, ['n'] = 1,
};

static inline const char *trim_end(const char *v, const char *e) {
    while (e > v && (e[-1] == ' ' || e[-1] == '\n' || e[-1] == '\r' || e[-1] == '\t')) e--;
    return e;
}

// The cursor is at { or [: moves it past the matching end, counting brackets only.
static json_rc skip_nested(json_walk *walk) {
    const char *text = walk->text;
    const uint32_t *x = walk->x;
    uint32_t depth = 0, most = WIRE_JSON_DEPTH_MAX - walk->depth;
    for (;; x++) {
        if (*x >= walk->end) {
            walk->x = x;
            return JSON_BROKEN;
        }
        // '{' 0x7b '[' 0x5b '}' 0x7d ']' 0x5d: they differ in one bit.
        char c = text[*x] | 0x20;
        if (c == '{') {
            if (++depth > most) {
                walk->x = x;
                return json_fault(walk, NULL, text + *x, BASE_SQLSTATE_LIMIT,
                                  "nested deeper than %d levels", WIRE_JSON_DEPTH_MAX);
            }
        } else if (c == '}' && --depth == 0) {
            walk->x = x + 1;
            return JSON_OK;
        }
    }
}

typedef struct json_number {
    uint64_t digits; // the number is digits / 10^scale
    int scale;
    bool negative;
} json_number;

#define ASCII_ZEROS 0x3030303030303030ull

// The value of n digits (1 to 8) that begin in the lowest byte of text; false: not all are digits.
// What follows them in text does not count.
static inline bool read_digits8(uint64_t text, uint32_t n, uint32_t *out) {
    uint64_t t = text << (64 - 8 * n) | ASCII_ZEROS >> 4 * n >> 4 * n;
    t ^= ASCII_ZEROS;
    if (((t + 0x7676767676767676ull) | t) & 0x8080808080808080ull) return false;
    t = t * 10 + (t >> 8); // pairs, in every second byte
    *out = (uint32_t)(((t & 0x000000ff000000ffull) * 0x000f424000000064ull +
                       ((t >> 16) & 0x000000ff000000ffull) * 0x0000271000000001ull) >>
                      32);
    return true;
}

// As read_number, for at most 8 bytes without a sign: no loop, so that neither the number of digits
// nor the place of the point can be guessed wrong.
static inline bool read_number8(const char *p, uint32_t n, json_number *out) {
    uint64_t text = load64(p);
    uint32_t value;
    if (n > 1 && *p == '0' && p[1] != '.') return false;
    uint64_t x = text ^ 0x2e2e2e2e2e2e2e2eull; // a point becomes a zero byte
    uint64_t points = (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
    points &= ~0ull >> (64 - 8 * n);
    out->scale = 0;
    if (points != 0) {
        uint32_t at = (uint32_t)__builtin_ctzll(points) / 8;
        if (at == 0 || at + 1 == n) return false;
        uint64_t whole = text & (~0ull >> (64 - 8 * at));
        text = whole | text >> 8 >> 8 * at << 8 * at;
        out->scale = (int)(n - 1 - at);
        n--;
    }
    if (!read_digits8(text, n, &value)) return false;
    out->digits = value;
    return true;
}

// A JSON number without exponent and of at most 18 digits; false: look closer.
static inline bool read_number(const char *p, const char *e, json_number *out) {
    out->negative = *p == '-';
    p += out->negative;
    if (e - p > 19 || p == e) return false; // 18 digits and a point
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && e - p <= 8) {
        return read_number8(p, (uint32_t)(e - p), out);
    }
    const char *begin = p;
    uint64_t v = 0;
    while ((uint8_t)(*p - '0') <= 9) v = v * 10 + (uint8_t)(*p++ - '0');
    size_t whole = (size_t)(p - begin);
    if (whole == 0 || (whole > 1 && *begin == '0')) return false;
    out->scale = 0;
    if (p < e && *p == '.') {
        const char *fraction = ++p;
        while ((uint8_t)(*p - '0') <= 9) v = v * 10 + (uint8_t)(*p++ - '0');
        out->scale = (int)(p - fraction);
        if (out->scale == 0) return false;
    }
    out->digits = v;
    return p == e && whole + (size_t)out->scale <= 18;
}

static const uint64_t power10[19] = {1ull,
                                     10ull,
                                     100ull,
                                     1000ull,
                                     10000ull,
                                     100000ull,
                                     1000000ull,
                                     10000000ull,
                                     100000000ull,
                                     1000000000ull,
                                     10000000000ull,
                                     100000000000ull,
                                     1000000000000ull,
                                     10000000000000ull,
                                     100000000000000ull,
                                     1000000000000000ull,
                                     10000000000000000ull,
                                     100000000000000000ull,
                                     1000000000000000000ull};

// Integers of every width: true if it was stored.
static inline bool put_integer(json_field *field, uint32_t row, const char *v, const char *e) {
    json_number number;
    if (!read_number(v, e, &number) || number.scale != 0) return false;
    int64_t value = number.negative ? -(int64_t)number.digits : (int64_t)number.digits;
    switch (field->kind) {
    case COL_INT8:
        ((int64_t *)field->data)[row] = value;
        return true;
    case COL_INT4:
        if (value != (int32_t)value) return false;
        ((int32_t *)field->data)[row] = (int32_t)value;
        return true;
    default: // INT2
        if (value != (int16_t)value) return false;
        ((int16_t *)field->data)[row] = (int16_t)value;
        return true;
    }
}

static inline bool put_numeric(json_field *field, uint32_t row, const char *v, const char *e) {
    json_number number;
    if (!read_number(v, e, &number)) return false;
    uint64_t digits = number.digits;
    int scale = number.scale;
    if (field->type.precision > 0) {
        int want = field->type.scale;
        if (want < scale || want > 18) return false; // to be rounded
        if (want > scale) {
            if (digits >= power10[18 - (want - scale)]) return false;
            digits *= power10[want - scale];
            scale = want;
        }
        if (field->type.precision < 18 && digits >= power10[field->type.precision]) return false;
    }
    base_i128 value = number.negative ? -(base_i128)digits : (base_i128)digits;
    ((base_decimal *)field->data)[row] = base_decimal_make(value, scale);
    return true;
}

static inline bool put_double(json_field *field, uint32_t row, const char *v, const char *e) {
    json_number number;
    if (!read_number(v, e, &number)) return false;
    double value;
    if (number.digits < (1ull << 53)) { // both operands are exact, so the quotient is right
        value = (double)number.digits / (double)power10[number.scale];
        if (number.negative) value = -value;
    } else if (!wire_simd_double(v, e, &value)) {
        return false;
    }
    ((double *)field->data)[row] = value;
    return true;
}

// May read 15 bytes past the end.
static inline bool has_backslash(const char *p, const char *e) {
#ifdef __SSE2__
    const __m128i backslash = _mm_set1_epi8('\\');
    for (; p < e; p += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
        uint32_t bits = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block, backslash));
        size_t left = (size_t)(e - p);
        if (left < 16) bits &= (1u << left) - 1;
        if (bits != 0) return true;
    }
    return false;
#else
    return memchr(p, '\\', (size_t)(e - p)) != NULL;
#endif
}

// A string without escapes: a view of the text. false: something else.
static inline bool put_text(json_field *field, uint32_t row, const char *v, const char *e) {
    if (*v != '"' || has_backslash(v + 1, e - 1)) return false;
    ((base_str *)field->data)[row] = (base_str){v + 1, (size_t)(e - v) - 2};
    return true;
}

// "HH:MM:SS" to microseconds; false if it is not that, or no ordinary time of day.
static inline bool read_clock(const char *p, int64_t *us) {
    uint64_t t = load64(p) ^ 0x30303a30303a3030ull;
    // A digit's byte must be below 10, a colon's must be 0.
    if (((t + 0x76767f76767f7676ull) | t) & 0x8080808080808080ull) return false;
    t = t * 10 + (t >> 8);
    uint32_t h = t & 0xff, m = (t >> 24) & 0xff, s = (t >> 48) & 0xff;
    *us = ((int64_t)h * 3600 + m * 60 + s) * BASE_US_PER_SECOND;
    return h < 24 && m < 60 && s < 60;
}

// "YYYY-MM-DDTHH:MM:SS[.ffffff]Z" in quotes, where the date is the one seen last: events come in
// the order of their days. *clock_us is set whenever only the date was not known.
static inline bool read_instant(const json_field *field, const char *v, const char *e, bool *layout,
                                int64_t *clock_us) {
    *layout = false;
    size_t n = (size_t)(e - v);
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || n < 22 || n > 29 || *v != '"') return false;
    if ((v[11] != 'T' && v[11] != ' ') || e[-2] != 'Z' || !read_clock(v + 12, clock_us)) {
        return false;
    }
    if (n > 22) { // ".f" to ".ffffff"
        static const uint32_t unit_us[] = {0, 100000, 10000, 1000, 100, 10, 1};
        uint32_t digits = (uint32_t)n - 23, fraction;
        if (v[20] != '.' || digits == 0 || !read_digits8(load64(v + 21), digits, &fraction)) {
            return false;
        }
        *clock_us += (int64_t)fraction * unit_us[digits];
    }
    *layout = true;
    return load64(v + 1) == field->date_text && load16(v + 9) == field->date_text_tail &&
           field->date_known;
}

static inline bool put_timestamptz(json_field *field, uint32_t row, const char *v, const char *e) {
    bool layout;
    int64_t clock_us = 0;
    if (read_instant(field, v, e, &layout, &clock_us)) {
        ((int64_t *)field->data)[row] = field->date_us + clock_us;
        return true;
    }
    if (!layout) return false;
    int64_t us;
    base_str text = {v + 1, (size_t)(e - v) - 2};
    base_error err;
    if (base_timestamptz_parse(text, 0, &us, &err) != BASE_OK) return false; // told by the slow one
    ((int64_t *)field->data)[row] = us;
    if ((us - clock_us) % BASE_US_PER_DAY == 0) {
        field->date_text = load64(v + 1);
        field->date_text_tail = load16(v + 9);
        field->date_us = us - clock_us;
        field->date_known = true;
    }
    return true;
}

static inline json_rc put_scalar(json_walk *walk, json_field *field, const char *v, const char *e) {
    bool done;
    switch (field->kind) {
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
        done = put_integer(field, walk->row, v, e);
        break;
    case COL_NUMERIC:
        done = put_numeric(field, walk->row, v, e);
        break;
    case COL_FLOAT8:
        done = put_double(field, walk->row, v, e);
        break;
    case COL_TEXT:
        done = put_text(field, walk->row, v, e);
        break;
    case COL_TIMESTAMPTZ:
        done = put_timestamptz(field, walk->row, v, e);
        break;
    default:
        done = false;
    }
    if (__builtin_expect(done, 1)) return JSON_OK;
    return *v == '"' ? json_put_string_slow(walk, field, v, e) : json_put_slow(walk, field, v, e);
}

static json_rc put_op(json_walk *walk, const char *v, const char *e) {
    base_str token = {v, (size_t)(e - v)};
    walk->delete_row = base_str_eq(token, BASE_STR("\"delete\""));
    if (walk->delete_row || base_str_eq(token, BASE_STR("\"insert\"")) ||
        base_str_eq(token, BASE_STR("\"update\"")) || base_str_eq(token, BASE_STR("\"upsert\"")) ||
        base_str_eq(token, BASE_STR("null"))) {
        return JSON_OK;
    }
    return json_fault(walk, NULL, v, BASE_SQLSTATE_INVALID_PARAMETER,
                      "field \"_op\": expected \"insert\", \"update\", \"upsert\" or \"delete\", "
                      "found %s",
                      json_shorten(walk, v, e));
}

// ---- objects ----

static json_rc walk_object(wire_json_decoder *decoder, json_walk *walk, json_shape *shape);

// The value at walk->x[2] is an object or array, for field (NULL: skipped); leaves the cursor after
// it.
static __attribute__((noinline)) json_rc walk_nested(wire_json_decoder *decoder, json_walk *walk,
                                                     const json_slot *slot, json_field *field) {
    walk->x += 2;
    const char *v = walk->text + walk->x[0];
    if (slot->field == JSON_SLOT_OP && walk->op_known) return put_op(walk, v, v + 1);
    if (field != NULL && field->kind == COL_STRUCT && *v == '{') {
        if (walk->depth == WIRE_JSON_DEPTH_MAX) {
            return json_fault(walk, field, v, BASE_SQLSTATE_LIMIT, "nested deeper than %d levels",
                              WIRE_JSON_DEPTH_MAX);
        }
        clear_null(field->vec, walk->row); // of an earlier field of the same name
        walk->depth++;
        json_rc rc = walk_object(decoder, walk, field->shape);
        walk->depth--;
        return rc;
    }
    json_rc rc = skip_nested(walk);
    if (rc != JSON_OK || field == NULL) return rc;
    const char *e = walk->text + walk->x[-1] + 1;
    if (field->kind == COL_JSONB) return json_put_jsonb(walk, field, v, e);
    if (col_kind_is_array(field->kind) && *v == '[') return json_put_array(walk, field, v, e);
    return json_fault_type(walk, field, v, e);
}

// Fields that the object did not give.
static json_rc put_absent(json_walk *walk, json_shape *shape) {
    for (uint32_t i = 0; i < shape->nfields; i++) {
        json_field *field = &shape->fields[i];
        if (field->given == shape->visit) continue;
        if (field->not_null && !walk->delete_row) {
            return json_fault(walk, field, NULL, BASE_SQLSTATE_NOT_NULL,
                              "required (NOT NULL), but absent or null");
        }
        set_null(field->vec, walk->arena, walk->row);
    }
    return JSON_OK;
}

static inline bool is_null_token(const char *v, const char *e) {
    return *v == 'n' && e - v == 4 && memcmp(v, "null", 4) == 0;
}

// A name stands in an object; again, which the edge refuses, if it was there in this visit.
static json_rc name_stands(json_walk *walk, const json_field *field, uint64_t *named,
                           uint64_t visit, const char *at) {
    bool again = *named == visit;
    *named = visit;
    if (!again || walk->unknown != WIRE_JSON_UNKNOWN_FAULT) return JSON_OK;
    return json_fault(walk, field, at, BASE_SQLSTATE_DUPLICATE_KEY,
                      "the name stands twice in its object");
}

// The cursor is at '{'; leaves it after the matching '}'. The cursor is kept in x, and put back
// into walk where others look at it.
static json_rc walk_object(wire_json_decoder *decoder, json_walk *walk, json_shape *shape) {
    const char *text = walk->text;
    const uint32_t *x = walk->x + 1;
    uint32_t end = walk->end, ngiven = 0, at = 0;
    uint64_t visit = ++shape->visit;
    json_slot *last = &shape->start;
    if (*x >= end) return broken_at(walk, x);
    if (text[*x] == '}') {
        walk->x = x + 1;
        return put_absent(walk, shape);
    }
    for (;; at++) {
        // Key, colon, value, and at least the object's own end.
        if (x[3] >= end) return broken_at(walk, x + 3);
        json_slot *slot = last->next[0];
        if (__builtin_expect(!slot_matches(slot, text + x[0], x[1] - x[0]), 0)) {
            walk->x = x;
            json_rc rc = find_slot(decoder, walk, shape, last, &slot);
            if (rc != JSON_OK) return rc;
        }
        last = slot;
        if (text[x[1]] != ':') return broken_at(walk, x + 1);
        json_rc rc = JSON_OK;
        json_field *field = NULL;
        if (slot->field >= 0) {
            field = &shape->fields[slot->field];
            rc = name_stands(walk, field, &field->named, visit, text + x[0]);
            slot->place = at;
        } else if (slot->field == JSON_SLOT_OP && walk->op_known) {
            rc = name_stands(walk, NULL, &shape->op_named, visit, text + x[0]);
        }
        if (__builtin_expect(rc != JSON_OK, 0)) return rc;
        const char *v = text + x[2];
        if (__builtin_expect(*v == '{' || *v == '[', 0)) {
            walk->x = x;
            if (field != NULL) {
                ngiven += field->given != visit;
                field->given = visit;
            }
            rc = walk_nested(decoder, walk, slot, field);
            if (rc != JSON_OK) return rc;
            x = walk->x;
            if (*x >= end) return JSON_BROKEN;
        } else {
            if (!value_start[(uint8_t)*v]) return broken_at(walk, x + 2);
            x += 3;
            const char *e = text + *x;
            if (__builtin_expect((uint8_t)e[-1] <= ' ', 0)) e = trim_end(v, e);
            if (field == NULL) {
                if (slot->field == JSON_SLOT_OP && walk->op_known) rc = put_op(walk, v, e);
            } else if (__builtin_expect(is_null_token(v, e), 0)) {
                ngiven -= field->given == visit;
                field->given = 0;
            } else {
                ngiven += field->given != visit;
                field->given = visit;
                rc = put_scalar(walk, field, v, e);
            }
            if (__builtin_expect(rc != JSON_OK, 0)) return rc;
        }
        char c = text[*x];
        if (c != ',' && c != '}') return broken_at(walk, x);
        x++;
        if (c == '}') break;
    }
    walk->x = x;
    return ngiven == shape->nfields ? JSON_OK : put_absent(walk, shape);
}

// ---- checked documents ----

// The document just walked is what the next ones are expected to be like.
static void learn_path(wire_json_decoder *decoder, const uint32_t *begin, const uint32_t *end) {
    json_shape *shape = decoder->shape;
    json_path *path = &decoder->path;
    path->n = 0;
    path->structurals = (uint32_t)(end - begin);
    memset(path->slots, 0, sizeof path->slots);
    uint32_t n = 0;
    for (uint32_t i = 0; i < shape->nslots; i++) {
        json_slot *slot = &shape->slots[i];
        if (slot->field < 0) continue;
        if (shape->fields[slot->field].given != shape->visit || slot->place >= JSON_PATH_MAX)
            return;
        path->slots[slot->place] = slot;
        if (slot->place >= n) n = slot->place + 1;
    }
    path->n = n;
}

// Reads the wanted fields at their places. The names between them need no look: where each wanted
// field is found, and no name stands twice, they are none of them. false: something is otherwise
// than in the last document, and it is to be walked; the cursor is then where it was.
static bool walk_path(wire_json_decoder *decoder, json_walk *walk) {
    const json_path *path = &decoder->path;
    json_shape *shape = decoder->shape;
    const char *text = walk->text;
    const uint32_t *begin = walk->x, *x = begin + 1;
    uint32_t end = walk->end;
    for (uint32_t i = 0; i < path->n; i++) {
        if (x[3] >= end) return false;
        const json_slot *slot = path->slots[i];
        const char *v = text + x[2];
        if (__builtin_expect(*v == '{' || *v == '[', 0)) {
            if (slot != NULL) return false;
            walk->x = x + 2;
            json_rc rc = skip_nested(walk);
            x = walk->x + 1;
            walk->x = begin;
            if (rc != JSON_OK) return false;
            continue;
        }
        if (slot != NULL) {
            if (!slot_matches(slot, text + x[0], x[1] - x[0]) || text[x[1]] != ':') return false;
            const char *e = text + x[3];
            if (__builtin_expect((uint8_t)e[-1] <= ' ', 0)) e = trim_end(v, e);
            if (!value_start[(uint8_t)*v] || is_null_token(v, e)) return false;
            if (put_scalar(walk, &shape->fields[slot->field], v, e) != JSON_OK) return false;
        }
        x += 4;
    }
    const uint32_t *after = begin + path->structurals;
    if (x[-1] < end && after >= x && after <= walk->x_end && *after >= end && after[-1] < end) {
        x = after;
    } else {
        for (x--; *x < end; x++) continue;
    }
    walk->x = x;
    return true;
}

// ---- documents ----

// The document [begin, end) of walk->text, whose structurals begin at the cursor.
static inline json_rc walk_document(wire_json_decoder *decoder, json_walk *walk) {
    const char *text = walk->text;
    uint32_t at = walk->begin;
    while (at < walk->end && (uint8_t)text[at] <= ' ') at++;
    walk->depth = 1;
    walk->delete_row = false;
    if (walk->x[0] != at || at >= walk->end) return JSON_BROKEN;
    if (text[at] != '{') {
        return json_fault(walk, NULL, text + at, BASE_SQLSTATE_INVALID_TEXT,
                          "expected a JSON object, found %s",
                          json_shorten(walk, text + at, trim_end(text, text + walk->end)));
    }
    if (decoder->path.n > 0 && walk_path(decoder, walk)) return JSON_OK;
    const uint32_t *begin = walk->x;
    json_rc rc = walk_object(decoder, walk, decoder->shape);
    if (rc == JSON_OK && walk->x[0] < walk->end) return JSON_BROKEN;
    if (rc == JSON_OK && decoder->may_path) {
        decoder->path.n = 0;
        if (!walk->op_known) learn_path(decoder, begin, walk->x);
    }
    return rc;
}

// Where text first breaks a rule that the index checks, for the message.
static const char *find_control(const char *p, const char *e) {
    bool in_string = false;
    for (; p < e; p++) {
        if (in_string && (uint8_t)*p < 0x20) return p;
        if (in_string && *p == '\\')
            p++;
        else if (*p == '"')
            in_string = !in_string;
    }
    return NULL;
}

static json_rc fault_of_index(json_walk *walk, wire_simd_status status) {
    const char *p = walk->text + walk->begin, *e = walk->text + walk->end;
    switch (status) {
    case WIRE_SIMD_UTF8:
        p += base_utf8_valid_prefix((base_str){p, (size_t)(e - p)});
        return json_fault(walk, NULL, p, BASE_SQLSTATE_INVALID_ENCODING,
                          "invalid byte sequence for encoding \"UTF8\": 0x%02x", (uint8_t)*p);
    case WIRE_SIMD_CONTROL:
        return json_fault(walk, NULL, find_control(p, e), BASE_SQLSTATE_INVALID_TEXT,
                          "malformed JSON: a control character in a string must be escaped");
    case WIRE_SIMD_UNCLOSED:
        return json_fault(walk, NULL, e, BASE_SQLSTATE_INVALID_TEXT,
                          "malformed JSON: the document ends inside a string");
    case WIRE_SIMD_EMPTY:
        return json_fault(walk, NULL, p, BASE_SQLSTATE_INVALID_TEXT,
                          "the document is empty; expected a JSON object");
    default:
        return json_fault(walk, NULL, NULL, BASE_SQLSTATE_LIMIT, "the document is too large");
    }
}

static json_rc fault_of_broken(json_walk *walk) {
    uint32_t at = *walk->x;
    if (at >= walk->end) {
        return json_fault(walk, NULL, walk->text + walk->end, BASE_SQLSTATE_INVALID_TEXT,
                          "malformed JSON: the document ends too early");
    }
    const char *p = walk->text + at, *e = walk->text + walk->end;
    return json_fault(walk, NULL, p, BASE_SQLSTATE_INVALID_TEXT, "malformed JSON near %s",
                      json_shorten(walk, p, e - p > 24 ? p + 24 : e));
}

// What a call of decode is about.
typedef struct json_call {
    wire_json_decoder *decoder;
    const char *text;
    const uint32_t *ends;
    uint32_t first, n;
    base_arena *arena;
    col_batch *batch;
    uint8_t *op_delete;
    wire_json_fault *faults;
    uint32_t nfaults, faults_max;
} json_call;

static uint32_t doc_begin(const json_call *call, uint32_t doc) {
    uint32_t i = call->first + doc;
    return i == 0 ? 0 : call->ends[i - 1] + 1;
}

static void refuse(json_call *call, uint32_t doc, const wire_json_fault *fault) {
    if (call->nfaults == call->faults_max) {
        uint32_t most = call->faults_max == 0 ? FAULTS_FIRST : call->faults_max * 2;
        wire_json_fault *more = base_arena_alloc(call->arena, sizeof *more * (size_t)most);
        if (call->nfaults > 0) memcpy(more, call->faults, sizeof *more * call->nfaults);
        call->faults = more;
        call->faults_max = most;
    }
    call->faults[call->nfaults] = *fault;
    call->faults[call->nfaults++].doc = doc;
    for (uint32_t i = 0; i < call->batch->ncols; i++) {
        set_null(&call->batch->cols[i], call->arena, doc);
    }
}

static json_walk walk_of(const json_call *call, const char *base, wire_json_fault *fault) {
    return (json_walk){.text = base,
                       .op_known = call->op_delete != NULL,
                       .unknown = call->decoder->unknown,
                       .arena = call->arena,
                       .fault = fault};
}

// Judges one document by itself.
static void decode_alone(json_call *call, uint32_t doc) {
    uint32_t begin = doc_begin(call, doc);
    wire_json_fault fault = {0};
    json_walk walk = walk_of(call, call->text + begin, &fault);
    walk.end = call->ends[call->first + doc] - begin;
    walk.row = doc;
    uint32_t count;
    json_rc rc;
    wire_simd_status status =
        wire_simd_index(call->decoder->simd, walk.text, walk.end, &walk.x, &count);
    if (status != WIRE_SIMD_OK) {
        rc = fault_of_index(&walk, status);
    } else {
        walk.x_end = walk.x + count;
        for (uint32_t i = 0; i < call->batch->ncols; i++) clear_null(&call->batch->cols[i], doc);
        rc = walk_document(call->decoder, &walk);
        if (rc == JSON_BROKEN) rc = fault_of_broken(&walk);
    }
    if (rc == JSON_FAULT)
        refuse(call, doc, &fault);
    else if (call->op_delete != NULL)
        call->op_delete[doc] = walk.delete_row;
}

// Decodes documents [*doc, last) by one index, up to the first that looks broken; *doc is then that
// one. false: there is no index, because of some document.
static bool decode_span(json_call *call, uint32_t *next, uint32_t last) {
    wire_json_decoder *decoder = call->decoder;
    uint32_t doc = *next, base = doc_begin(call, doc);
    wire_json_fault fault = {0};
    json_walk walk = walk_of(call, call->text + base, &fault);
    uint32_t count;
    size_t bytes = call->ends[call->first + last - 1] - base;
    if (wire_simd_index(decoder->simd, walk.text, bytes, &walk.x, &count) != WIRE_SIMD_OK) {
        return false;
    }
    walk.x_end = walk.x + count;
    for (; doc < last; doc++) {
        walk.end = call->ends[call->first + doc] - base;
        walk.row = doc;
        json_rc rc = walk_document(decoder, &walk);
        if (__builtin_expect(rc == JSON_BROKEN, 0)) break;
        if (__builtin_expect(rc == JSON_FAULT, 0)) {
            refuse(call, doc, &fault);
            while (*walk.x < walk.end) walk.x++;
        } else if (call->op_delete != NULL) {
            call->op_delete[doc] = walk.delete_row;
        }
        walk.begin = walk.end + 1;
    }
    *next = doc;
    return true;
}

// Spans shrink where documents are broken, and grow again where they are not, so that a text of
// nothing but broken documents costs two indexes a document and not two spans.
static void decode_all(json_call *call) {
    wire_json_decoder *decoder = call->decoder;
    for (uint32_t doc = 0; doc < call->n;) {
        uint32_t begin = doc_begin(call, doc), last = doc + 1;
        must(call->ends[call->first + doc] >= begin);
        while (last < call->n && call->ends[call->first + last] - begin <= decoder->span_bytes) {
            must(call->ends[call->first + last] > call->ends[call->first + last - 1]);
            last++;
        }
        size_t bytes = call->ends[call->first + last - 1] - begin;
        bool indexed = last - doc > 1 && decode_span(call, &doc, last);
        if (indexed && doc == last) {
            size_t more = decoder->span_bytes * 2;
            decoder->span_bytes = more < SPAN_BYTES ? more : SPAN_BYTES;
            continue;
        }
        if (last - doc > 1 || indexed) {
            decoder->span_bytes = bytes / 2 > SPAN_BYTES_MIN ? bytes / 2 : SPAN_BYTES_MIN;
            if (!indexed && bytes > SPAN_BYTES_MIN) continue; // find out who it is
        }
        decode_alone(call, doc++);
    }
}

void wire_json_decode(wire_json_decoder *decoder, const char *text, size_t text_bytes,
                      const uint32_t *ends, uint32_t first, uint32_t n, base_arena *arena,
                      col_batch **out, uint8_t *op_delete, wire_json_fault **faults,
                      uint32_t *nfaults) {
    must(n <= COL_BATCH_ROWS_MAX);
    must(n == 0 || ends[first + n - 1] <= text_bytes);
    col_batch *batch = base_arena_new(arena, col_batch);
    batch->ncols = decoder->nfields;
    batch->nrows = n;
    batch->cols = base_arena_array(arena, col_vec, decoder->nfields);
    for (uint32_t i = 0; i < decoder->nfields; i++) {
        vec_init(&batch->cols[i], arena, &decoder->shape->fields[i].type, n);
    }
    shape_bind(decoder->shape, batch->cols);
    if (op_delete != NULL) memset(op_delete, 0, n);
    json_call call = {.decoder = decoder,
                      .text = text,
                      .ends = ends,
                      .first = first,
                      .n = n,
                      .arena = arena,
                      .batch = batch,
                      .op_delete = op_delete};
    decode_all(&call);
    *out = batch;
    *faults = call.faults;
    *nfaults = call.nfaults;
}
