// verify_statement.h - the answer of VERIFY: a row a view, and what differs.
#ifndef WEIR_ENGINE_VERIFY_STATEMENT_H
#define WEIR_ENGINE_VERIFY_STATEMENT_H

#include "engine/engine_int.h"

// The columns of VERIFY's answer; *n of them.
const plan_column *engine_verify_columns(uint32_t *n);
// Types: of those columns.
BASE_MUST_USE base_rc engine_verify_statement(engine_session *session,
                                              const sql_statement *statement, const col_type *types,
                                              base_arena *arena, engine_result *out,
                                              const col_batch **rows, base_error *err);
#endif
