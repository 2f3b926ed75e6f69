// setting_int.h - session settings as PostgreSQL's clients use them (setting.c).
#ifndef WEIR_ENGINE_SETTING_INT_H
#define WEIR_ENGINE_SETTING_INT_H

#include "engine/engine.h"

// Value of a setting; false: there is none of that name (names are case-insensitive).
bool engine_setting_get(engine_session *session, base_str name, base_arena *arena, base_str *out);
// value NULL: the default. Settings that mean something here act (TimeZone, search_path,
// statement_timeout); others that PostgreSQL's drivers send are checked and kept.
BASE_MUST_USE base_rc engine_setting_set(engine_session *session, const char *name,
                                         const char *value, base_error *err);
bool engine_setting_reported(const char *name);         // GUC_REPORT: clients get ParameterStatus
const char *engine_setting_canonical(const char *name); // "timezone" -> "TimeZone"
// All of them, for pg_settings.
size_t engine_setting_count(void);
void engine_setting_at(engine_session *session, size_t i, base_arena *arena, const char **name,
                       base_str *value, const char **description);
// Microseconds; 0: no limit. The server makes a deadline of it for each statement.
int64_t engine_setting_statement_timeout_us(const engine_session *session);

#endif
