// replay.h - REPLAY INTO: the log, or a selection of it, read again into a version of a view or
// into the view itself, in the background, beside live flows. See replay.c.
#ifndef WEIR_ENGINE_REPLAY_H
#define WEIR_ENGINE_REPLAY_H

#include "engine/system_int.h"

#define ENGINE_REPLAYS_RUNNING_MAX 4u
#define ENGINE_REPLAYS_KEPT        100u // of those that have ended

// After the flows: goes on with those that a stop or a crash interrupted. close: they stop where
// they are.
BASE_MUST_USE base_rc engine_replays_open(engine *e, base_error *err);
void engine_replays_close(engine *e);
// REPLAY INTO and CANCEL REPLAY. With threads a replay runs on one of its own and this returns at
// once, else when it has ended.
BASE_MUST_USE base_rc engine_replay(engine_session *session, const sql_statement *statement,
                                    engine_result *out, base_error *err);
BASE_MUST_USE base_rc engine_replay_cancel(engine_session *session, const sql_statement *statement,
                                           engine_result *out, base_error *err);
// The greatest number that a running replay has for the version of a view that it makes, or 0.
uint32_t engine_replay_version_greatest(engine *e, uint32_t view_id);
// replay_quarantine.c: what is in the quarantine of the streams that the view reads, and keeps
// their contracts now, is appended to them, once; *appended: how many. rows: weir's table of
// replays.
BASE_MUST_USE base_rc engine_replay_quarantine(engine *e, const plan_object *view,
                                               uint32_t replay_number, volatile bool *cancel,
                                               uint64_t *read, uint64_t *appended, base_error *err);
base_rc system_fill_replays(system_rows *r, base_error *err); // weir.replays

#endif
