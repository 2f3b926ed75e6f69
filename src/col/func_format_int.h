// func_format_int.h - patterns of times, parsed: for to_char (func_format.c) and to_date and
// to_timestamp (func_format_read.c).
#ifndef WEIR_COL_FUNC_FORMAT_INT_H
#define WEIR_COL_FUNC_FORMAT_INT_H

#include "col/func_int.h"

#define PATTERN_NODES_MAX 512

typedef enum time_pattern {
    TP_LITERAL,
    TP_AD,
    TP_AD_DOTS,
    TP_AM,
    TP_AM_DOTS,
    TP_CC,
    TP_DAY,
    TP_DDD,
    TP_DD,
    TP_DY,
    TP_D,
    TP_FF1,
    TP_FF2,
    TP_FF3,
    TP_FF4,
    TP_FF5,
    TP_FF6,
    TP_HH24,
    TP_HH12,
    TP_IDDD,
    TP_ID,
    TP_IW,
    TP_IYYY,
    TP_IYY,
    TP_IY,
    TP_I,
    TP_J,
    TP_MI,
    TP_MM,
    TP_MONTH,
    TP_MON,
    TP_MS,
    TP_OF,
    TP_Q,
    TP_RM,
    TP_SSSS,
    TP_SS,
    TP_TZH,
    TP_TZM,
    TP_TZ,
    TP_US,
    TP_WW,
    TP_W,
    TP_Y_YYY,
    TP_YYYY,
    TP_YYY,
    TP_YY,
    TP_Y,
    TP_FX,
} time_pattern;

typedef enum letter_case {
    LETTERS_UPPER,
    LETTERS_FIRST,
    LETTERS_LOWER,
} letter_case;

typedef struct pattern_node {
    time_pattern pattern;
    bool fill;       // FM: no padding
    uint8_t ordinal; // 0, 'T' for TH, 't' for th
    letter_case letters;
    base_str text;    // LITERAL: of quotes any number of characters, else one
    bool quoted;      // of quotes
    const char *name; // of the pattern, for messages
} pattern_node;

typedef struct pattern_list {
    base_str source;
    uint32_t n;
    bool ready;
    pattern_node nodes[PATTERN_NODES_MAX];
} pattern_list;

extern const char *const func_month_names[12];
extern const char *const func_day_names[7]; // from Sunday

BASE_MUST_USE base_rc func_time_pattern(pattern_list *list, base_str s, base_error *err);

#endif
