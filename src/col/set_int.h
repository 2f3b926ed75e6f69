// set_int.h - what the files of set-returning functions share.
#ifndef WEIR_COL_SET_INT_H
#define WEIR_COL_SET_INT_H

#include "col/func_int.h"
#include "col/set.h"

typedef struct set_table {
    const col_set_func *rows;
    size_t count;
} set_table;
extern const set_table set_series_table;
extern const set_table set_text_table;
extern const set_table set_json_table;
extern const set_table set_regex_table; // func_regex.c

#define SET_TABLE(name, array) const set_table name = {(array), sizeof(array) / sizeof((array)[0])}

// The parameters of every function, so that its line shows its name.
#define SET_GIVE(name)                                                                             \
    static base_rc name(col_func_ctx *ctx, uint32_t nargs, const col_vec *const *args,             \
                        uint32_t row, col_set *set, base_error *err)
#define SET_UNUSED ((void)ctx, (void)nargs, (void)args, (void)row, (void)err)

#define SET_TRY(call)                                                                              \
    do {                                                                                           \
        base_rc set_rc_ = (call);                                                                  \
        if (set_rc_ != BASE_OK) return set_rc_;                                                    \
    } while (0)

// A function with one column without a name of its own; its arguments follow.
#define SET_ONE(name_, nargs_, kind_, flags_, give_, ...)                                          \
    {                                                                                              \
        .sig = {name_, nargs_, {__VA_ARGS__}, kind_, flags_, NULL, NULL}, .ncols = 1,              \
        .cols = {{NULL, kind_}}, .give = give_                                                     \
    }

#endif
