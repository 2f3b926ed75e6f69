// query_int.h - ad-hoc queries and the rows of system objects, for the files of src/engine.
#ifndef WEIR_ENGINE_QUERY_INT_H
#define WEIR_ENGINE_QUERY_INT_H

#include "col/func_host.h"
#include "engine/engine_int.h"

// Runs a plan without parameters left; rows and their strings are in arena, weights all +1.
BASE_MUST_USE base_rc engine_query(engine_session *session, const plan_node *plan,
                                   base_arena *arena, const col_batch **rows,
                                   engine_standing *standing, base_error *err);

// system.c (schema weir) and pgcat.c (pg_catalog): every column of the object, all rows, in arena.
BASE_MUST_USE base_rc engine_system_rows(engine_session *session, const plan_object *object,
                                         base_arena *arena, const col_batch **rows,
                                         base_error *err);
// What functions such as pg_get_viewdef ask; borrows the session.
col_func_host engine_func_host(engine_session *session);

#endif
