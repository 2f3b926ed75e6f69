// func_host.h - what system functions ask of the engine's catalogue. The engine fills the table and
// puts it in col_func_ctx.host; where host is NULL these functions fail with 0A000 (the binder
// refuses them in views). Threads: the caller's. Strings returned live in the arena given.
#ifndef WEIR_COL_FUNC_HOST_H
#define WEIR_COL_FUNC_HOST_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

typedef struct col_func_host {
    void *self;
    // Oid of a relation named as in SQL text: parts already split and folded; schema is empty if
    // not given (search path). Returns false if there is none.
    bool (*relation_oid)(void *self, base_str schema, base_str name, uint32_t *oid);
    // Schema and name of a relation; *visible: found by its name alone. False if there is none.
    bool (*relation_name)(void *self, uint32_t oid, base_arena *arena, base_str *schema,
                          base_str *name, bool *visible);
    bool (*type_name)(void *self, uint32_t oid, base_arena *arena, base_str *name); // own types
    bool (*user_name)(void *self, uint32_t oid, base_arena *arena, base_str *name);
    bool (*view_definition)(void *self, uint32_t oid, base_arena *arena, base_str *out);
    bool (*index_definition)(void *self, uint32_t oid, base_arena *arena, base_str *out);
    bool (*constraint_definition)(void *self, uint32_t oid, base_arena *arena, base_str *out);
    // Comment of an object of a catalogue ("pg_class", ...), column 0 for the object itself.
    bool (*comment)(void *self, uint32_t oid, base_str catalogue, int32_t column, base_arena *arena,
                    base_str *out);
    // Settings: get is false if there is no such setting; set may refuse with an error.
    bool (*setting_get)(void *self, base_str name, base_arena *arena, base_str *out);
    base_rc (*setting_set)(void *self, base_str name, base_str value, bool is_local,
                           base_error *err);
    const char *schema; // current_schema
    int32_t backend_pid;
    // Bytes that a relation's rows take on disk, or in memory where they are only there; may be
    // NULL (sizes are then null). False if there is no such relation.
    bool (*relation_bytes)(void *self, uint32_t oid, int64_t *bytes); // oid 0: the whole database
    // pg_table_is_visible says yes though a name alone would not find it. NULL: never.
    bool (*relation_listed)(void *self, uint32_t oid);
} col_func_host;

#endif
