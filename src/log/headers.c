// headers.c - record headers as bytes: for each pair the length of the name and of the value, as
// little-endian 32-bit integers, then both.
#include "log/log.h"

void log_headers_add(base_buf *buf, base_str name, base_str value) {
    base_buf_add_u32le(buf, (uint32_t)name.n);
    base_buf_add_u32le(buf, (uint32_t)value.n);
    base_buf_add_str(buf, name);
    base_buf_add_str(buf, value);
}

bool log_headers_next(base_str headers, size_t *at, base_str *name, base_str *value) {
    uint32_t lengths[2];
    if (*at > headers.n || headers.n - *at < sizeof lengths) return false;
    memcpy(lengths, headers.p + *at, sizeof lengths);
    size_t left = headers.n - *at - sizeof lengths;
    if (lengths[0] > left || lengths[1] > left - lengths[0]) return false;
    const char *p = headers.p + *at + sizeof lengths;
    *name = (base_str){p, lengths[0]};
    *value = (base_str){p + lengths[0], lengths[1]};
    *at += sizeof lengths + lengths[0] + lengths[1];
    return true;
}
