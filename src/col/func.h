// func.h - scalar functions, operators and casts as vectorised kernels, and the catalogue that the
// binder resolves names in. To add a function: write a kernel and a row of the table of its file
// (func_arith.c, func_text.c, func_time.c, func_json.c, func_system.c, cast.c); nothing else
// changes.
#ifndef WEIR_COL_FUNC_H
#define WEIR_COL_FUNC_H

#include "base/random.h"
#include "col/batch.h"

// What a kernel may know beside its arguments. A kernel never reads a clock: now_us is the
// statement's or step's fixed reading.
typedef struct col_func_ctx {
    base_arena *arena;
    base_error *err;
    int64_t now_us;        // microseconds since 2000 UTC
    const base_zone *zone; // of the session; NULL, as in views: UTC
    const char *user;      // session user, or NULL in a view
    const char *database;
    // Tolerant mode: not NULL, n bytes; a row that fails is marked 1 here, its result is null, and
    // the call goes on (the first failure's text stays in err). NULL: the first failure fails the
    // call.
    uint8_t *failed;
    base_random *random; // of a query; NULL: none
    void *host;          // a col_func_host (func_host.h), for pg_get_viewdef and the like; or NULL
} col_func_ctx;

// Computes out[0..n) (allocated by the caller with the result type). For a strict function the
// caller has set out->nulls to the union of the arguments' nulls (NULL if none): a kernel must not
// fail on such rows and need not compute them. A kernel may add nulls with col_vec_set_null. nargs
// vectors of n rows each.
typedef base_rc (*col_kernel)(col_func_ctx *ctx, uint32_t n, uint32_t nargs,
                              const col_vec *const *args, col_vec *out);

// For kernels: row failed, ctx->err is filled. Tolerant: marks it and returns BASE_OK.
base_rc col_func_row_failed(col_func_ctx *ctx, col_vec *out, uint32_t row);

enum {
    COL_FUNC_STRICT = 1, // null in, null out
    COL_FUNC_STABLE =
        2, // depends on ctx->now_us, zone or user: not folded, refused in views where noted
    COL_FUNC_VARIADIC = 4,  // the last argument kind repeats
    COL_FUNC_HOST = 8,      // needs ctx->host: system catalogue functions, refused in views
    COL_FUNC_VOLATILE = 32, // another value at each call: for queries only, no two calls are equal
    COL_FUNC_ANY_SAME = 16, // COL_UNKNOWN in args stands for "any", and all such arguments are of
                            // one type; where COL_ARRAY is among them, for arrays of that type
};

#define COL_FUNC_ARGS_MAX 8

typedef struct col_func {
    const char *name; // lower case; operators by their symbol ("+", "||", "~~" for LIKE)
    uint8_t nargs;
    col_kind args[COL_FUNC_ARGS_MAX]; // COL_UNKNOWN: any type; COL_ARRAY: any array
    col_kind ret; // COL_UNKNOWN: the type of the "any" arguments; COL_ARRAY: an array of it
    uint32_t flags;
    col_kernel kernel;
    // Result type with precision and scale; NULL: col_type_of(ret).
    void (*ret_type)(uint32_t nargs, const col_type *args, col_type *out);
} col_func;

// All functions of a name (case-insensitive); returns how many, *out points at an array of pointers
// that lives for the process. The binder ranks them by PostgreSQL's rules.
size_t col_func_find(base_str name, const col_func *const **out);
// Functions by position, for documentation and pg_proc; pg_proc.oid of function i is
// COL_FUNC_OID_FIRST + i (pg_get_function_arguments and others count on it).
#define COL_FUNC_OID_FIRST 20000u
size_t col_func_count(void);
const col_func *col_func_at(size_t i);

typedef enum col_cast_context {
    COL_CAST_IMPLICIT,   // anywhere in an expression
    COL_CAST_ASSIGNMENT, // storing into a column
    COL_CAST_EXPLICIT,   // CAST(x AS t)
} col_cast_context;
// The cast from one kind to another, if the context allows it; also from the text kinds to anything
// and back (explicit, by text I/O), and a kind to itself (applies precision and length). Casts from
// COL_UNKNOWN (literals) parse text. NULL: there is none. The kernel takes the target from
// out->type.
const col_func *col_cast_find(col_kind from, col_kind to, col_cast_context context);
// interval * factor, or interval / factor: 22008, 22012.
BASE_MUST_USE base_rc col_interval_scale(base_interval v, double factor, bool divide,
                                         base_interval *to, base_error *err);
// PostgreSQL's preferred and category rules for resolution.
char col_kind_category(col_kind kind); // 'N', 'S', 'D', 'T', 'B', 'U', ...
bool col_kind_preferred(col_kind kind);

#endif
