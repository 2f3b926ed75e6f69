// context.c - positions and errors of a statement. Entry points: sql_position, sql_fail.
#include "sql/sql_int.h"

#include <stdio.h>

#include "base/must.h"

int32_t sql_text_position(const sql_ctx *ctx, size_t offset) {
    if (offset > ctx->text.n) offset = ctx->text.n;
    size_t chars = offset;
    if (ctx->chars_at != NULL) {
        chars = ctx->chars_at[offset / 256];
        for (size_t i = offset / 256 * 256; i < offset; i++)
            chars += ((uint8_t)ctx->text.p[i] & 0xc0) != 0x80;
    }
    return ctx->text_offset + (int32_t)chars + 1;
}

int32_t sql_position(const sql_ctx *ctx, int64_t fragment_offset) {
    int64_t offset = fragment_offset + ctx->delta;
    if (fragment_offset < 0 || offset < 0) return 0;
    return sql_text_position(ctx, (size_t)offset);
}

base_rc sql_fail(sql_ctx *ctx, int32_t position, base_rc code, const char *sqlstate,
                 const char *fmt, ...) {
    char text[sizeof((base_error *)0)->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    base_fail(ctx->err, code, sqlstate, "%s", text);
    ctx->err->position = position;
    return code;
}

base_rc sql_unsupported(sql_ctx *ctx, int32_t position, const char *fmt, ...) {
    char text[sizeof((base_error *)0)->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    base_fail(ctx->err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED, "%s", text);
    ctx->err->position = position;
    return BASE_E_UNSUPPORTED;
}

base_rc sql_enter(sql_ctx *ctx, int32_t position) {
    if (++ctx->depth <= SQL_BIND_DEPTH_MAX) return BASE_OK;
    return sql_fail(ctx, position, BASE_E_LIMIT, "54001",
                    "statement is nested too deeply (more than %u levels)", SQL_BIND_DEPTH_MAX);
}

typedef struct counter {
    uint32_t n, cap;
} counter;

static bool count_node(const plan_expr *expr, void *arg) {
    (void)expr;
    counter *count = arg;
    return ++count->n >= count->cap;
}

uint32_t sql_expr_size(const plan_expr *expr, uint32_t cap) {
    counter count = {0, cap};
    plan_expr_any(expr, count_node, &count);
    return count.n;
}

base_rc sql_spend(sql_ctx *ctx, const plan_expr *expr, uint32_t times, int32_t position) {
    uint64_t copied = ctx->copied + (uint64_t)sql_expr_size(expr, SQL_COPIED_MAX) * times;
    if (copied > SQL_COPIED_MAX)
        return sql_fail(ctx, position, BASE_E_LIMIT, "54001",
                        "statement is too complex: an operand nested here is needed too often");
    ctx->copied = (uint32_t)copied;
    return BASE_OK;
}
