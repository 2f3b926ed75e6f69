// cast_int.h - the cast kernels that are not in cast.c. Not for other folders.
#ifndef WEIR_COL_CAST_INT_H
#define WEIR_COL_CAST_INT_H

#include "col/func_int.h"

#define CAST_DECLARE(name)                                                                         \
    base_rc name(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,        \
                 col_vec *out)

// cast_time.c
CAST_DECLARE(cast_date_timestamp);
CAST_DECLARE(cast_date_timestamptz);
CAST_DECLARE(cast_timestamp_date);
CAST_DECLARE(cast_timestamp_time);
CAST_DECLARE(cast_timestamp_timestamptz);
CAST_DECLARE(cast_timestamptz_date);
CAST_DECLARE(cast_timestamptz_time);
CAST_DECLARE(cast_timestamptz_timestamp);
CAST_DECLARE(cast_time_interval);
CAST_DECLARE(cast_interval_time);
// cast_json.c
CAST_DECLARE(cast_jsonb_bool);
CAST_DECLARE(cast_jsonb_number);
CAST_DECLARE(cast_struct_jsonb);
// func_array_make.c
CAST_DECLARE(cast_array_array);
CAST_DECLARE(cast_array_array_explicit);
// cast_regclass.c
CAST_DECLARE(cast_text_regclass);
CAST_DECLARE(cast_regclass_text);

// The name of a relation as in SQL text: quoted where needed, with its schema unless it is visible.
// Its number if there is no such relation, or no host.
base_str func_regclass_name(const col_func_ctx *ctx, uint32_t oid);
void func_quote_ident(base_buf *buf, base_str name);
// Splits [schema.]name by SQL's rules for identifiers (folding, quotes). 42602 if it is no name.
BASE_MUST_USE base_rc func_split_name(base_str text, base_arena *arena, base_str *schema,
                                      base_str *name, base_error *err);

// Overflow-checked shift of a timestamp between UTC and local time; infinities stay.
BASE_MUST_USE base_rc func_shift_us(int64_t us, int64_t by_us, int64_t *out, base_error *err);
// Between an instant and the local time of a zone (NULL: UTC); infinities stay.
BASE_MUST_USE base_rc func_to_local(const base_zone *zone, int64_t us, int64_t *local,
                                    base_error *err);
BASE_MUST_USE base_rc func_from_local(const base_zone *zone, int64_t local, int64_t *us,
                                      base_error *err);
// Local time for its fields only: it may lie a day beyond the range of timestamps.
int64_t func_local_us(const base_zone *zone, int64_t us);
// A finite instant plus an interval, months and days by the zone's clock.
BASE_MUST_USE base_rc func_add_interval(const base_zone *zone, int64_t us, const base_interval *by,
                                        int64_t *to, base_error *err);
BASE_MUST_USE base_rc func_date_to_us(int32_t days, int64_t *out, base_error *err);
int32_t func_us_to_days(int64_t us);

#endif
