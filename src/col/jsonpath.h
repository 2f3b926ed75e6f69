// jsonpath.h - SQL/JSON path expressions over parsed JSON (SQL:2016; PostgreSQL 15 documentation,
// 9.16.2): lax and strict mode, accessors, filters, methods, arithmetic, variables.
// A path is parsed once and may be evaluated over many values. Results borrow from the value, the
// path and the arena of the evaluation. Departures: .datetime() is refused (0A000), and the ids
// that .keyvalue() gives are 0. Not for other folders.
#ifndef WEIR_COL_JSONPATH_H
#define WEIR_COL_JSONPATH_H

#include "base/arena.h"
#include "base/error.h"
#include "col/json_tree.h"

typedef struct jsonpath jsonpath;

// 42601 if the text is no path.
BASE_MUST_USE base_rc jsonpath_parse(base_str text, base_arena *arena, const jsonpath **out,
                                     base_error *err);

typedef struct jsonpath_items {
    const col_json **items;
    uint32_t n, cap;
} jsonpath_items;

// found NULL: only whether there is an item (*exists), and in lax mode no further than the first.
// silent: errors of the data give BASE_OK with *failed.
BASE_MUST_USE base_rc jsonpath_run(const jsonpath *path, const col_json *root, const col_json *vars,
                                   bool silent, base_arena *arena, jsonpath_items *found,
                                   bool *exists, bool *failed, base_error *err);

#endif
