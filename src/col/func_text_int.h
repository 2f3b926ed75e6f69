// func_text_int.h - what the text, matching and formatting functions share. Not for other folders.
#ifndef WEIR_COL_FUNC_TEXT_INT_H
#define WEIR_COL_FUNC_TEXT_INT_H

#include <locale.h>

#include "col/cast_int.h"
#include "col/func_int.h"

// The system's C.UTF-8 character classes, or 0 if it has none (then only ASCII has case).
locale_t func_utf8_locale(void);
base_str func_lower(base_arena *arena, base_str s);
// s LIKE p; bytes: "_" stands for a byte, else for a character. 22025: p ends with an escape.
base_rc func_like(base_str s, base_str p, bool bytes, bool *match, base_error *err);
// A cell's text as output prints it. Not null.
void func_add_text(base_buf *buf, const col_func_ctx *ctx, const col_vec *vec, uint32_t row);
// Copies buf into out[row], a string kind, within the budget.
base_rc func_put_text(col_func_ctx *ctx, size_t *budget, const base_buf *buf, col_vec *out,
                      uint32_t row);

void func_add_literal(base_buf *buf, base_str s); // quoted as quote_literal does

#endif
