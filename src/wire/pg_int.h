// pg_int.h - what the files of the PostgreSQL codec share. Private to src/wire.
#ifndef WEIR_WIRE_PG_INT_H
#define WEIR_WIRE_PG_INT_H

#include "wire/pg.h"

// Bytes read from the front; every read checks what is left.
typedef struct pg_reader {
    const uint8_t *p, *end;
    bool failed; // a read went past the end; all later ones give zeros
} pg_reader;

static inline bool pg_need(pg_reader *reader, size_t n) {
    if (reader->failed || (size_t)(reader->end - reader->p) < n) {
        reader->failed = true;
        return false;
    }
    return true;
}

base_rc pg_fail_binary(const col_vec *vec, base_error *err); // 22P03
// pg_array.c
void pg_send_array(base_buf *buf, const col_vec *vec, uint32_t row);
BASE_MUST_USE base_rc pg_receive_array(pg_reader *reader, col_vec *vec, uint32_t row,
                                       base_arena *arena, base_error *err);

static inline uint64_t pg_get(pg_reader *reader, size_t bytes) {
    if (!pg_need(reader, bytes)) return 0;
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) v = v << 8 | *reader->p++;
    return v;
}
static inline uint8_t pg_get_u8(pg_reader *reader) {
    return (uint8_t)pg_get(reader, 1);
}
static inline uint16_t pg_get_u16(pg_reader *reader) {
    return (uint16_t)pg_get(reader, 2);
}
static inline uint32_t pg_get_u32(pg_reader *reader) {
    return (uint32_t)pg_get(reader, 4);
}
static inline uint64_t pg_get_u64(pg_reader *reader) {
    return pg_get(reader, 8);
}
static inline base_str pg_get_bytes(pg_reader *reader, size_t n) {
    if (!pg_need(reader, n)) return (base_str){NULL, 0};
    base_str bytes = {(const char *)reader->p, n};
    reader->p += n;
    return bytes;
}

#endif
