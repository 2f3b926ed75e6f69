// json_encode.c - rows to JSON objects; the values' forms are col_json_format's, which
// wire_json_decode reads back. Entry point: wire_json_encode_row.
#include "wire/json.h"

void wire_json_encode_row(size_t nfields, const wire_json_field *fields, const col_batch *batch,
                          uint32_t row, base_buf *buf) {
    base_buf_add_byte(buf, '{');
    bool first = true;
    for (size_t i = 0; i < nfields; i++) {
        const col_vec *vec = &batch->cols[i];
        if (col_is_null(vec, row)) continue;
        if (!first) base_buf_add_byte(buf, ',');
        first = false;
        base_buf_add_json_string(buf, base_str_of(fields[i].name));
        base_buf_add_byte(buf, ':');
        col_json_format(vec, row, buf);
    }
    base_buf_add_byte(buf, '}');
}
