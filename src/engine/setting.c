// setting.c - session settings: what PostgreSQL's clients and drivers set and ask.
//
// A few act here (TimeZone, search_path, statement_timeout); the rest is checked, kept and told
// back, so that a driver which sets it goes on. A setting that would change results if it were
// honoured, and is not, takes its one supported value only. Values live in the session, by the
// setting's position in the table. Statements are not undone here, but settings are as in
// PostgreSQL: a rollback, also to a savepoint, takes them back, SET LOCAL ends with the
// transaction. Entry points: engine_setting_get, engine_setting_set, engine_settings_begin and
// _end.

#include "engine/setting_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/must.h"
#include "engine/engine_int.h"

typedef enum setting_class {
    SETTING_FIXED, // may not be set
    SETTING_ONLY,  // takes only the values listed in `values` ('|' between)
    SETTING_BOOL,
    SETTING_INT,
    SETTING_TIME_MS, // milliseconds, or a number with a unit
    SETTING_TEXT,
    SETTING_INSTANT, // of the past, or ''
    SETTING_ZONE,
    SETTING_SCHEMA,
    SETTING_EFFECTIVE, // an instant, or a date; "": none
} setting_class;

typedef struct setting_def {
    const char *name;
    setting_class class;
    const char *initial;
    const char *values;
    bool reported;
    const char *description;
} setting_def;

static const setting_def settings[] = {
    {"application_name", SETTING_TEXT, "", NULL, true, "Name of the client, for messages."},
    {"bytea_output", SETTING_ONLY, "hex", "hex", false, "Output format of bytea."},
    {"client_encoding", SETTING_ONLY, "UTF8", "utf8|unicode", true,
     "Character set of the client: always UTF-8."},
    {"client_min_messages", SETTING_ONLY, "notice",
     "debug5|debug4|debug3|debug2|debug1|log|notice|info|warning|error", false,
     "Least level of messages sent to the client."},
    {"DateStyle", SETTING_ONLY, "ISO, MDY",
     "iso|iso, mdy|iso, dmy|iso, ymd|iso,mdy|iso,dmy|iso,ymd", true,
     "Display of dates and times: always ISO."},
    {"default_transaction_isolation", SETTING_ONLY, "read committed",
     "read committed|read uncommitted|repeatable read|serializable", false,
     "A statement is a transaction here, and reads one snapshot of a flow."},
    {"default_transaction_read_only", SETTING_BOOL, "off", NULL, true, "Kept, not acted on."},
    {"extra_float_digits", SETTING_INT, "1", NULL, false,
     "Floats are printed in the shortest exact form."},
    {"idle_in_transaction_session_timeout", SETTING_TIME_MS, "0", NULL, false,
     "Kept, not acted on."},
    {"in_hot_standby", SETTING_FIXED, "off", NULL, true, "Never a standby."},
    {"integer_datetimes", SETTING_FIXED, "on", NULL, true, "Times are 64-bit integers."},
    {"IntervalStyle", SETTING_ONLY, "postgres", "postgres", true, "Display of intervals."},
    {"is_superuser", SETTING_FIXED, "on", NULL, true, "There is one class of users."},
    {"jit", SETTING_BOOL, "off", NULL, false, "Kept, not acted on."},
    {"lock_timeout", SETTING_TIME_MS, "0", NULL, false, "Kept, not acted on."},
    {"max_connections", SETTING_FIXED, "100", NULL, false, "Connections at a time."},
    {"max_identifier_length", SETTING_FIXED, "63", NULL, false, "Greatest length of a name."},
    {"max_index_keys", SETTING_FIXED, "32", NULL, false, "Greatest number of key columns."},
    {"role", SETTING_ONLY, "none", "none", false, "There is one class of users."},
    {"row_security", SETTING_BOOL, "on", NULL, false, "Kept, not acted on."},
    {"search_path", SETTING_SCHEMA, "\"$user\", public", NULL, false,
     "Schema of names that say none."},
    {"server_encoding", SETTING_FIXED, "UTF8", NULL, true, "Character set of the data."},
    {"server_version", SETTING_FIXED, "15.0 (weir " WEIR_VERSION ")", NULL, true,
     "The PostgreSQL version that weir speaks like."},
    {"server_version_num", SETTING_FIXED, "150000", NULL, false, "The same as a number."},
    {"session_authorization", SETTING_FIXED, "weir", NULL, true, "User of the session."},
    {"standard_conforming_strings", SETTING_ONLY, "on", "on|true|yes|1", true,
     "Backslashes in '...' are literal."},
    {"statement_timeout", SETTING_TIME_MS, "0", NULL, false,
     "Longest time that a statement may take; 0: no limit."},
    {"synchronize_seqscans", SETTING_BOOL, "on", NULL, false, "Kept, not acted on."},
    {"TimeZone", SETTING_ZONE, "UTC", NULL, true, "Time zone of the session."},
    {"transaction_isolation", SETTING_ONLY, "read committed",
     "read committed|read uncommitted|repeatable read|serializable", false,
     "Isolation of the running transaction."},
    {"transaction_read_only", SETTING_BOOL, "off", NULL, false, "Kept, not acted on."},
    {"weir.as_of", SETTING_INSTANT, "", NULL, false,
     "Instant that queries read as of; empty: now."},
    {"weir.effective_as_of", SETTING_EFFECTIVE, "", NULL, false,
     "Only facts that were effective up to this instant, or day, count."},
    {"weir.version", SETTING_FIXED, WEIR_VERSION, NULL, false, "Version of weir."},
    {"xmloption", SETTING_ONLY, "content", "content|document", false, "There is no XML."},
};
#define SETTINGS (sizeof settings / sizeof *settings)
_Static_assert(SETTINGS <= ENGINE_SESSION_SETTINGS, "a session has no room for all settings");

static const setting_def *find(base_str name) {
    if (base_str_eq_nocase(name, BASE_STR("time zone"))) name = BASE_STR("timezone");
    if (base_str_eq_nocase(name, BASE_STR("names"))) name = BASE_STR("client_encoding");
    for (size_t i = 0; i < SETTINGS; i++)
        if (base_str_eq_nocase(name, base_str_of(settings[i].name))) return &settings[i];
    return NULL;
}

static const char *value_of(const engine_session *session, const setting_def *def) {
    size_t i = (size_t)(def - settings);
    if ((session->settings.made & (1ull << i)) != 0) return session->settings.values[i];
    if (strcmp(def->name, "session_authorization") == 0) return session->user;
    return def->initial;
}

bool engine_setting_get(engine_session *session, base_str name, base_arena *arena, base_str *out) {
    const setting_def *def = find(name);
    if (def == NULL) return false;
    *out = base_str_of(base_arena_strdup(arena, value_of(session, def)));
    return true;
}

size_t engine_setting_count(void) {
    return SETTINGS;
}

void engine_setting_at(engine_session *session, size_t i, base_arena *arena, const char **name,
                       base_str *value, const char **description) {
    must(i < SETTINGS);
    *name = settings[i].name;
    *value = base_str_of(base_arena_strdup(arena, value_of(session, &settings[i])));
    *description = settings[i].description;
}

// ---- setting ------------------------------------------------------------------------------------

static base_rc bad_value(const setting_def *def, const char *value, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "invalid value for parameter \"%s\": \"%.200s\"", def->name, value);
}

static bool listed(const char *values, const char *value) {
    size_t n = strlen(value);
    for (const char *at = values; at != NULL; at = strchr(at, '|')) {
        if (*at == '|') at++;
        size_t length = strcspn(at, "|");
        if (base_str_eq_nocase((base_str){at, length}, (base_str){value, n})) return true;
    }
    return false;
}

// PostgreSQL looks at the letters and digits of an encoding's name only: "'utf-8'" is UTF8.
static const char *squeezed(const char *value, char text[64]) {
    size_t n = 0;
    for (; *value != 0 && n < 63; value++)
        if (isalnum((unsigned char)*value)) text[n++] = *value;
    text[n] = 0;
    return text;
}

static bool parse_bool(const char *value, const char **out) {
    static const char *const on[] = {"on", "true", "yes", "1", "t", "y"};
    static const char *const off[] = {"off", "false", "no", "0", "f", "n"};
    base_str v = base_str_of(value);
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        if (base_str_eq_nocase(v, base_str_of(on[i]))) return *out = "on", true;
        if (base_str_eq_nocase(v, base_str_of(off[i]))) return *out = "off", true;
    }
    return false;
}

// "1500", "1500ms", "2 s", "5min", "1h": milliseconds.
static bool parse_ms(const char *value, int64_t *ms) {
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    long long n = strtoll(value, &end, 10);
    if (end == value || n < 0 || n > INT32_MAX) return false;
    base_str unit = base_str_trim(base_str_of(end));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!base_str_eq(unit, base_str_of(units[i].unit))) continue;
        *ms = n * units[i].ms;
        return *ms <= INT32_MAX;
    }
    return false;
}

// "<+02:30>-02:30": the name of an offset, and the offset west.
static void zone_by_offset(int32_t seconds, char text[64]) {
    char offset[16];
    int32_t away = seconds < 0 ? -seconds : seconds;
    int n = snprintf(offset, sizeof offset, "%02d", away / 3600);
    if (away % 3600 != 0)
        n += snprintf(offset + n, sizeof offset - (size_t)n, ":%02d", away / 60 % 60);
    if (away % 60 != 0) snprintf(offset + n, sizeof offset - (size_t)n, ":%02d", away % 60);
    snprintf(text, 64, "<%c%s>%c%s", seconds < 0 ? '-' : '+', offset, seconds < 0 ? '+' : '-',
             offset);
}

// A zone's name, or hours east of Greenwich: "2", "-3.5", INTERVAL '2:30'. Hours are kept in the
// form of POSIX: "<+02>-02".
static base_rc set_zone(const setting_def *def, const char **value, char text[64],
                        engine_settings *to, base_error *err) {
    static const char interval_word[] = "interval "; // sql_bind says so of INTERVAL '...'
    base_error ignored;
    char *end;
    double seconds = strtod(*value, &end) * 3600.0;
    bool by_hours = end != *value && *end == 0;
    if (strncmp(*value, interval_word, strlen(interval_word)) == 0) {
        base_interval by;
        base_str part = base_str_of(*value + strlen(interval_word));
        if (base_interval_parse(part, &by, &ignored) != BASE_OK || by.months != 0 || by.days != 0)
            return bad_value(def, *value, err);
        seconds = (double)(by.us / BASE_US_PER_SECOND);
        by_hours = true;
    }
    if (by_hours) {
        if (!(seconds > -86400.0 && seconds < 86400.0)) {
            bad_value(def, *value, err);
            base_error_detail(err, "UTC timezone offset is out of range.");
            return err->code;
        }
        zone_by_offset((int32_t)seconds, text);
        *value = text;
    }
    if (base_zone_find(base_str_of(*value), &to->zone, &ignored) != BASE_OK)
        return bad_value(def, *value, err);
    *value = base_zone_name(to->zone);
    return BASE_OK;
}

// The first schema of the list that is not "$user" is what names without a schema mean; public and
// the system's schemas are always searched after it.
static base_rc set_schema(const setting_def *def, const char *value, engine_settings *to,
                          base_error *err) {
    const char *at = value;
    while (*at != 0) {
        char name[sizeof to->schema_name];
        size_t n = 0;
        bool quoted = false;
        while (isspace((unsigned char)*at)) at++;
        for (; *at != 0 && (quoted || *at != ','); at++) {
            if (*at == '"') {
                if (quoted && at[1] == '"')
                    at++;
                else {
                    quoted = !quoted;
                    continue;
                }
            }
            if (n + 1 >= sizeof name) return bad_value(def, value, err);
            name[n++] = quoted ? *at : (char)tolower((unsigned char)*at);
        }
        while (!quoted && n > 0 && isspace((unsigned char)name[n - 1])) n--;
        name[n] = 0;
        if (quoted) return bad_value(def, value, err);
        if (*at == ',') at++;
        if (n == 0 || strcmp(name, "$user") == 0) continue;
        snprintf(to->schema_name, sizeof to->schema_name, "%s", name);
        return BASE_OK;
    }
    to->schema_name[0] = 0;
    return BASE_OK;
}

// Kept in UTC: what the session's time zone becomes later does not move it.
static base_rc check_instant(const setting_def *def, const char **value, char text[64],
                             int64_t now_us, const base_zone *zone, base_error *err) {
    if (**value == 0) return BASE_OK;
    int64_t us;
    base_error bad;
    if (base_timestamptz_parse(base_str_of(*value), zone, &us, &bad) != BASE_OK ||
        us == INT64_MIN || us == INT64_MAX) {
        bad_value(def, *value, err);
        base_error_hint(err, "An instant is meant, such as '2026-11-28 08:00:00+00'.");
        return err->code;
    }
    if (us > now_us)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "%s \"%.100s\" is in the future", def->name, *value);
    char formatted[BASE_TIME_TEXT_MAX];
    base_rfc3339_format(us, formatted);
    snprintf(text, 64, "%.63s", formatted);
    *value = text;
    return BASE_OK;
}

// Kept as an instant with its zone, so that another zone of the session does not move it.
static base_rc set_effective(const setting_def *def, const char **value, char text[64],
                             engine_settings *to, base_error *err) {
    to->has_effective = **value != 0;
    if (!to->has_effective) return BASE_OK;
    base_error cause;
    base_str given = base_str_trim(base_str_of(*value));
    if (base_until_parse(given, to->zone, &to->effective_us, &cause) != BASE_OK) {
        bad_value(def, *value, err);
        base_error_detail(err, "%s", cause.message);
        return err->code;
    }
    _Static_assert(BASE_TIME_TEXT_MAX <= 64, "an instant fits a setting");
    base_timestamptz_format(to->effective_us, to->zone, text);
    *value = text;
    return BASE_OK;
}

static base_rc check_value(const setting_def *def, const char **value, char text[64],
                           int64_t now_us, engine_settings *to, base_error *err) {
    int64_t ms;
    switch (def->class) {
    case SETTING_FIXED:
        return base_fail(err, BASE_E_INVALID, "55P02", "parameter \"%s\" cannot be changed",
                         def->name);
    case SETTING_ONLY:
        if (!listed(def->values,
                    strcmp(def->name, "client_encoding") == 0 ? squeezed(*value, text) : *value)) {
            bad_value(def, *value, err);
            base_error_hint(err, "Available values: %.200s.", def->values);
            return err->code;
        }
        if (strchr(def->values, '|') == NULL || strcmp(def->name, "client_encoding") == 0 ||
            strcmp(def->name, "standard_conforming_strings") == 0)
            *value = def->initial; // spelled in one way
        return BASE_OK;
    case SETTING_BOOL:
        return parse_bool(*value, value) ? BASE_OK : bad_value(def, *value, err);
    case SETTING_INT: {
        char *end;
        strtol(*value, &end, 10);
        return end != *value && *end == 0 ? BASE_OK : bad_value(def, *value, err);
    }
    case SETTING_TIME_MS:
        if (!parse_ms(*value, &ms)) return bad_value(def, *value, err);
        snprintf(text, 64, "%lld", (long long)ms);
        *value = text;
        return BASE_OK;
    case SETTING_INSTANT:
        return check_instant(def, value, text, now_us, to->zone, err);
    case SETTING_ZONE:
        return set_zone(def, value, text, to, err);
    case SETTING_SCHEMA:
        return set_schema(def, *value, to, err);
    case SETTING_EFFECTIVE:
        return set_effective(def, value, text, to, err);
    case SETTING_TEXT:
        return BASE_OK;
    }
    return BASE_OK;
}

// One setting as it is in `from`.
static void take(engine_settings *to, const engine_settings *from, const setting_def *def) {
    size_t i = (size_t)(def - settings);
    to->made = (to->made & ~(1ull << i)) | (from->made & (1ull << i));
    memcpy(to->values[i], from->values[i], sizeof to->values[i]);
    if (def->class == SETTING_ZONE) to->zone = from->zone;
    if (def->class == SETTING_EFFECTIVE) {
        to->has_effective = from->has_effective;
        to->effective_us = from->effective_us;
    }
    if (def->class == SETTING_SCHEMA)
        memcpy(to->schema_name, from->schema_name, sizeof to->schema_name);
}

// What other code reads of the settings.
static void show(engine_session *session) {
    engine_settings *now = &session->settings;
    session->zone = now->zone;
    if (now->schema_name[0] != 0)
        session->schema = now->schema_name;
    else if (session->schema == now->schema_name) // not one that the session's owner gave it
        session->schema = "public";
}

base_rc engine_setting_set(engine_session *session, const char *name, const char *value, bool local,
                           base_error *err) {
    const setting_def *def = find(base_str_of(name));
    if (def == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                         "unrecognized configuration parameter \"%s\"", name);
    size_t i = (size_t)(def - settings);
    engine_settings to = session->settings;
    if (value == NULL || base_str_eq_nocase(base_str_of(value), BASE_STR("default"))) {
        take(&to, &session->at_start, def);
    } else {
        char text[64];
        base_rc rc = check_value(def, &value, text, plat_wall_us(session->engine->plat), &to, err);
        if (rc != BASE_OK) return rc;
        snprintf(to.values[i], sizeof to.values[i], "%s", value);
        to.made |= 1ull << i;
    }
    if (local && !session->in_transaction) return BASE_OK;
    session->settings = to;
    if (session->in_transaction && !local) take(&session->after_commit, &to, def);
    show(session);
    return BASE_OK;
}

void engine_settings_reset(engine_session *session) {
    session->settings = session->after_commit = session->at_start;
    show(session);
}

void engine_settings_start(engine_session *session) {
    session->at_start = session->settings;
}

void engine_settings_begin(engine_session *session) {
    session->in_transaction = true;
    session->before = session->after_commit = session->settings;
}

void engine_settings_end(engine_session *session, bool commit) {
    if (!session->in_transaction) return;
    session->in_transaction = false;
    session->settings = commit ? session->after_commit : session->before;
    show(session);
}

void engine_settings_keep(const engine_session *session, engine_settings_kept *out) {
    *out = (engine_settings_kept){session->settings, session->after_commit};
}

void engine_settings_back(engine_session *session, const engine_settings_kept *kept) {
    session->settings = kept->settings;
    session->after_commit = kept->after_commit;
    show(session);
}

void engine_settings_tell(engine_session *session,
                          void (*visit)(void *arg, const char *name, const char *value),
                          void *arg) {
    for (size_t i = 0; i < SETTINGS; i++) {
        if (!settings[i].reported) continue;
        const char *value = value_of(session, &settings[i]);
        char *told = session->told[i];
        if (strncmp(told, value, sizeof session->told[i] - 1) == 0 && told[0] != 0) continue;
        if (value[0] == 0 && told[0] == 0 && session->told_once) continue;
        snprintf(told, sizeof session->told[i], "%s", value);
        visit(arg, settings[i].name, value);
    }
    session->told_once = true;
}

int64_t engine_setting_statement_timeout_us(const engine_session *session) {
    return 1000ll * atoll(value_of(session, find(BASE_STR("statement_timeout"))));
}

bool engine_setting_as_of(const engine_session *session, int64_t *us) {
    size_t i = (size_t)(find(BASE_STR("weir.as_of")) - settings);
    if ((session->settings.made & (1ull << i)) == 0) return false;
    const char *value = session->settings.values[i];
    base_error ignored;
    return *value != 0 && base_timestamptz_parse(base_str_of(value), NULL, us, &ignored) == BASE_OK;
}

// A value from outside SQL: no shorter text may be taken for it.
static base_rc set_text(engine_session *session, const char *name, base_str value,
                        base_error *err) {
    char text[64];
    if (value.n >= sizeof text || (value.n > 0 && memchr(value.p, 0, value.n) != NULL))
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "invalid value for parameter \"%s\": an instant is meant", name);
    memcpy(text, value.n > 0 ? value.p : "", value.n);
    text[value.n] = 0;
    return engine_setting_set(session, name, text, false, err);
}

base_rc engine_session_as_of(engine_session *session, base_str instant, base_error *err) {
    return set_text(session, "weir.as_of", instant, err);
}

base_rc engine_session_effective_as_of(engine_session *session, base_str instant, base_error *err) {
    return set_text(session, "weir.effective_as_of", instant, err);
}
