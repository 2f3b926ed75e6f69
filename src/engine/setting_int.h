// setting_int.h - session settings as PostgreSQL's clients use them (setting.c).
#ifndef WEIR_ENGINE_SETTING_INT_H
#define WEIR_ENGINE_SETTING_INT_H

#include "engine/engine.h"

// Value of a setting; false: there is none of that name (names are case-insensitive).
bool engine_setting_get(engine_session *session, base_str name, base_arena *arena, base_str *out);
// value NULL: the default. Settings that mean something here act (TimeZone, search_path,
// statement_timeout); others that PostgreSQL's drivers send are checked and kept. local: until the
// end of the transaction; without one it has no effect.
BASE_MUST_USE base_rc engine_setting_set(engine_session *session, const char *name,
                                         const char *value, bool local, base_error *err);
// The instant that the session reads as of; false: it reads what is now.
bool engine_setting_as_of(const engine_session *session, int64_t *us);
void engine_settings_reset(engine_session *session); // RESET ALL
// All of them, for pg_settings.
size_t engine_setting_count(void);
void engine_setting_at(engine_session *session, size_t i, base_arena *arena, const char **name,
                       base_str *value, const char **description);

#endif
