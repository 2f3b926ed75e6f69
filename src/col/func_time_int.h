// func_time_int.h - what the time functions share. Not for other folders.
#ifndef WEIR_COL_FUNC_TIME_INT_H
#define WEIR_COL_FUNC_TIME_INT_H

#include "col/func_int.h"

int64_t func_local_now_us(const col_func_ctx *ctx); // the fixed clock in the session's zone

// The timestamp of a day and a time of it; 22008.
BASE_MUST_USE base_rc func_date_and_time(int32_t days, int64_t time, int64_t *to, base_error *err);

#endif
