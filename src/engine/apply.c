// apply.c - a file of statements as the wanted state of a directory ("weir serve FILE.sql").
//
// Statements are taken in order, each on its own: what is there with the same text stays; what is
// new is made; a view, sink or reconciliation with another text is dropped with what stands on it
// and made again, its history coming from the log; a stream or table is changed in place if no
// event is lost or read differently by that, and else refused (evolve.c); one that never had an
// event is made again. INSERTs fill tables that this very run has made. Objects that the file does
// not name are left, and said.
//
// All of it is rehearsed first on a copy of the catalogue in memory (scratch.c), so that a mistake
// on the last line changes nothing. If a statement fails after all (a full disk), what came before
// it stands, and the error names the line.
//
// Invariants: an object that was dropped only because it stood on another is made again before the
// run ends, also if the run fails. Entry point: engine_apply.

#include "engine/apply_int.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/recon/alert.h"
#include "engine/system_int.h"

void apply_say(apply *a, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    base_buf_printf(a->report, "%s\n", text);
}

// ---- texts --------------------------------------------------------------------------------------

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

// The end of the quoted part that begins at `at` ('...', "..."; a doubled quote stands for itself;
// after E a backslash escapes).
static size_t quoted_end(base_str s, size_t at, bool escapes) {
    char quote = s.p[at++];
    while (at < s.n) {
        if (escapes && s.p[at] == '\\' && at + 1 < s.n)
            at += 2;
        else if (s.p[at] != quote)
            at++;
        else if (at + 1 < s.n && s.p[at + 1] == quote)
            at += 2;
        else
            return at + 1;
    }
    return s.n;
}

// The end of a dollar quote that begins at `at`, or `at` if none does.
static size_t dollar_end(base_str s, size_t at) {
    size_t tag = at + 1;
    while (tag < s.n && s.p[tag] != '$' && is_word(s.p[tag])) tag++;
    if (tag >= s.n || s.p[tag] != '$') return at;
    size_t n = tag + 1 - at;
    for (size_t i = tag + 1; i + n <= s.n; i++)
        if (memcmp(s.p + i, s.p + at, n) == 0) return i + n;
    return s.n;
}

// After the white space and comments at `at`.
static size_t skip_blank(base_str s, size_t at) {
    for (;;) {
        if (at < s.n && isspace((unsigned char)s.p[at])) {
            at++;
        } else if (at + 1 < s.n && s.p[at] == '-' && s.p[at + 1] == '-') {
            while (at < s.n && s.p[at] != '\n') at++;
        } else if (at + 1 < s.n && s.p[at] == '/' && s.p[at + 1] == '*') {
            int depth = 0;
            do {
                bool opens = at + 1 < s.n && s.p[at] == '/' && s.p[at + 1] == '*';
                bool closes = at + 1 < s.n && s.p[at] == '*' && s.p[at + 1] == '/';
                depth += opens - closes;
                at += opens || closes ? 2 : 1;
            } while (depth > 0 && at < s.n);
        } else {
            return at;
        }
    }
}

// The first of its kind only: it is the statement's own. A blank stays.
static size_t without_clause(char *text, size_t n, const char *clause) {
    size_t m = strlen(clause);
    for (size_t i = 0; i + m <= n; i++) {
        if (memcmp(text + i, clause, m) != 0) continue;
        memmove(text + i + 1, text + i + m, n - i - m);
        return n - m + 1;
    }
    return n;
}

static base_str normal_text(base_arena *arena, base_str s) {
    char *out = base_arena_alloc(arena, s.n * 2 + 1);
    size_t n = 0;
    for (size_t at = 0; at < s.n;) {
        size_t next = skip_blank(s, at);
        // Blanks count only between words.
        if (next > at && n > 0 && next < s.n && is_word(out[n - 1]) && is_word(s.p[next]))
            out[n++] = ' ';
        at = next;
        if (at >= s.n) break;
        size_t end = at + 1;
        if (s.p[at] == '\'' || s.p[at] == '"') {
            bool escapes = s.p[at] == '\'' && at > 0 && (s.p[at - 1] == 'E' || s.p[at - 1] == 'e');
            end = quoted_end(s, at, escapes);
        } else if (s.p[at] == '$') {
            end = dollar_end(s, at);
            if (end == at) end = at + 1;
        } else {
            out[n++] = (char)tolower((unsigned char)s.p[at++]);
            continue;
        }
        memcpy(out + n, s.p + at, end - at);
        n += end - at;
        at = end;
    }
    while (n > 0 && (out[n - 1] == ';' || out[n - 1] == ' ')) n--;
    n = without_clause(out, n, " if not exists ");
    n = without_clause(out, n, " or replace ");
    return (base_str){out, n};
}

bool apply_same_text(base_arena *arena, base_str a, base_str b) {
    return base_str_eq(normal_text(arena, a), normal_text(arena, b));
}

static uint32_t line_at(base_str text, const char *p) {
    uint32_t line = 1;
    for (const char *q = text.p; q < p; q++) line += *q == '\n';
    return line;
}

// Characters of the text before p.
static int32_t characters_before(base_str text, const char *p) {
    int32_t n = 0;
    for (const char *q = text.p; q < p; q++) n += ((unsigned char)*q & 0xc0) != 0x80;
    return n;
}

static const char *at_character(base_str text, int32_t position) {
    int32_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (((unsigned char)text.p[i] & 0xc0) != 0x80) n++;
        if (n == position) return text.p + i;
    }
    return text.p + text.n;
}

// ---- dropping and restoring ---------------------------------------------------------------------

static const char *kind_of(const plan_object *object) {
    return plan_object_kind_name(object->kind);
}

// Objects that stand on `object`, over any number of others, ascending by id. n <
// ENGINE_OBJECTS_MAX.
static uint32_t dependents(apply *a, const plan_object *object, const plan_object **out) {
    uint32_t n = 0;
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < a->engine->next_id; id++) {
        const plan_object *other = engine_catalog_by_id(a->engine, id);
        if (other == NULL) continue;
        bool found = plan_object_stands_on(other, object->id);
        for (uint32_t i = 0; !found && i < n; i++) found = plan_object_stands_on(other, out[i]->id);
        if (found) out[n++] = other;
    }
    return n;
}

static base_rc note_lost(apply *a, const plan_object *object, base_error *err) {
    apply_lost *lost = &a->lost[a->nlost++];
    *lost = (apply_lost){object, 0};
    if (object->kind != PLAN_OBJECT_SINK) return BASE_OK;
    return engine_sink_cursor(a->engine, object, &lost->sink_step, err);
}

// A sink begins at its view's step, which a failed flow does not tell: it could not be made again.
static base_rc check_sink(apply *a, const plan_object *object, base_error *err) {
    if (object->kind != PLAN_OBJECT_SINK) return BASE_OK;
    uint64_t step;
    base_rc rc = engine_sink_newest(a->engine, object, &step, err);
    if (rc != BASE_OK)
        base_error_prefix(err, "sink \"%s.%s\" cannot be made again now", object->schema,
                          object->name);
    return rc;
}

base_rc apply_drop(apply *a, const plan_object *object, bool keep_self, base_error *err) {
    const plan_object **list = calloc(ENGINE_OBJECTS_MAX, sizeof *list);
    must(list != NULL);
    uint32_t n = dependents(a, object, list);
    base_rc rc = check_sink(a, object, err);
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) rc = check_sink(a, list[i], err);
    if (rc == BASE_OK && keep_self) rc = note_lost(a, object, err);
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        rc = note_lost(a, list[i], err);
        apply_say(a, "dropped %s %s.%s, which stands on %s.%s", kind_of(list[i]), list[i]->schema,
                  list[i]->name, object->schema, object->name);
    }
    free(list);
    return rc == BASE_OK ? engine_drop_object(a->engine, object, true, NULL, err) : rc;
}

// Makes an object from a text, as the statement would. ddl_lock held.
static base_rc create(apply *a, const char *schema, base_str text, int32_t offset,
                      const plan_object **out, base_error *err) {
    engine_session session = *a->session;
    session.schema = schema;
    sql_statement asked = {.text = text, .text_offset = offset};
    engine_result result = {0};
    base_rc rc = engine_ddl_locked(&session, &asked, &result, err);
    if (rc != BASE_OK) return rc;
    // The newest object is the one that was made.
    *out = engine_catalog_by_id(a->engine, a->engine->next_id - 1);
    must(*out != NULL);
    a->seen[(*out)->id] = a->created[(*out)->id] = true;
    return BASE_OK;
}

static base_rc restore_comments(apply *a, const plan_object *from, const plan_object *made,
                                base_error *err) {
    plan_object *changed = engine_object_with_comment(a->engine, made, NULL, from->comment);
    for (uint32_t i = 0; i < from->ncolumns; i++)
        if (from->columns[i].comment != NULL &&
            plan_column_find(changed, from->columns[i].name) >= 0)
            changed = engine_object_with_comment(a->engine, changed, from->columns[i].name,
                                                 from->columns[i].comment);
    base_rc rc = engine_catalog_store(a->engine, changed, err);
    if (rc == BASE_OK) engine_catalog_put(a->engine, changed);
    return rc;
}

static int by_id(const void *x, const void *y) {
    uint32_t a = ((const apply_lost *)x)->object->id, b = ((const apply_lost *)y)->object->id;
    return (a > b) - (a < b);
}

base_rc apply_restore(apply *a, base_error *err) {
    base_rc first = BASE_OK;
    qsort(a->lost, a->nlost, sizeof *a->lost, by_id); // an object stands on lower ids
    for (uint32_t i = 0; i < a->nlost; i++) {
        const plan_object *lost = a->lost[i].object;
        if (engine_catalog_find(a->engine, lost->schema, lost->name) != NULL) continue;
        const plan_object *made;
        base_error one = {0};
        base_rc rc = create(a, lost->schema, base_str_of(lost->definition), 0, &made, &one);
        if (rc == BASE_OK) rc = restore_comments(a, lost, made, &one);
        if (rc == BASE_OK && lost->kind == PLAN_OBJECT_SINK && lost->from == made->from)
            rc = engine_sink_ack(a->engine, made, a->lost[i].sink_step, &one);
        if (rc == BASE_OK) {
            apply_say(a, "made %s %s.%s again", kind_of(lost), lost->schema, lost->name);
            continue;
        }
        apply_say(a, "LOST %s %s.%s: %s; its text was: %s", kind_of(lost), lost->schema, lost->name,
                  one.message, lost->definition);
        base_error_prefix(&one, "%s \"%s.%s\" could not be made again", kind_of(lost), lost->schema,
                          lost->name);
        if (first == BASE_OK) *err = one;
        if (first == BASE_OK) first = rc;
    }
    a->nlost = 0;
    return first;
}

// ---- statements ---------------------------------------------------------------------------------

// Whether a log that the object reads, however far down, has lost its beginning to retention.
static bool history_cut(apply *a, const plan_object *object) {
    bool cut = false;
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < object->id && !cut; id++) {
        const plan_object *other = engine_catalog_by_id(a->engine, id);
        if (other == NULL || !plan_object_stands_on(object, id)) continue;
        engine_stream *stream = engine_stream_of(a->engine, other);
        for (uint32_t p = 0; stream != NULL && p < log_stream_partitions(stream->log); p++)
            cut = cut || log_begin(stream->log, p) > 0;
        if (stream == NULL) cut = history_cut(a, other);
    }
    return cut;
}

// Where a sink is, and whether one that takes its place can go on from there: not if it is lost.
static base_rc sink_place(engine *e, const plan_object *sink, uint64_t *step, bool *goes_on,
                          base_error *err) {
    engine_sink_lag lag;
    base_rc rc = engine_sink_lag_of(e, sink, &lag, err);
    if (rc != BASE_OK) return rc;
    *step = lag.step;
    *goes_on = lag.state != ENGINE_SINK_LOST;
    return BASE_OK;
}

engine_stream *apply_stream_logged(const apply *a, const plan_object *object) {
    return engine_stream_of(a->logs, object);
}

static bool is_log(const plan_object *object) {
    return object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE;
}

// Neither a record nor one in quarantine: nothing would be lost with it.
static bool never_used(const apply *a, const plan_object *object) {
    engine_stream *stream = apply_stream_logged(a, object);
    if (stream == NULL) return true;
    plat_mutex_lock(&stream->lock);
    bool used = stream->quarantine != NULL && log_end(stream->quarantine, 0) > 0;
    plat_mutex_unlock(&stream->lock);
    for (uint32_t p = 0; !used && p < log_stream_partitions(stream->log); p++)
        used = log_end(stream->log, p) > 0;
    return !used;
}

static base_rc replace(apply *a, const plan_object *there, const sql_statement *s,
                       base_error *err) {
    // A sink goes on from where it was, if it still stands on the same view.
    uint64_t step = 0;
    base_rc rc = BASE_OK;
    const plan_object *from = there->from;
    bool goes_on = there->kind == PLAN_OBJECT_SINK;
    if (goes_on) rc = sink_place(a->engine, there, &step, &goes_on, err);
    if (rc == BASE_OK) rc = apply_drop(a, there, false, err);
    const plan_object *made;
    if (rc == BASE_OK) rc = create(a, a->session->schema, s->text, s->text_offset, &made, err);
    if (rc != BASE_OK) { // as it was
        base_error second;
        if (engine_catalog_find(a->engine, there->schema, there->name) == NULL &&
            (create(a, there->schema, base_str_of(there->definition), 0, &made, &second) !=
                 BASE_OK ||
             restore_comments(a, there, made, &second) != BASE_OK))
            apply_say(a, "LOST %s %s.%s: %s", kind_of(there), there->schema, there->name,
                      second.message);
        return rc;
    }
    if (goes_on && made->kind == PLAN_OBJECT_SINK && made->from == from)
        rc = engine_sink_ack(a->engine, made, step, err);
    const char *note = "";
    if (made->kind == PLAN_OBJECT_VIEW)
        note = history_cut(a, made)
                   ? "; its history begins at the first record that retention has left"
                   : "; its history comes from the log";
    if (made->kind == PLAN_OBJECT_SINK && !goes_on)
        note = "; it was lost and begins anew, with the changes from now on";
    if (is_log(made)) note = "; it has never had an event";
    apply_say(a, "replaced %s %s.%s: its text has changed%s", kind_of(made), made->schema,
              made->name, note);
    return rc;
}

// The object that a text makes, in the catalogue's arena.
static base_rc bind_wanted(apply *a, const sql_statement *s, plan_object **out, base_error *err) {
    sql_statement *bound;
    char *text = base_arena_memdup(&a->engine->catalog_arena, s->text.p, s->text.n);
    const char *schema = base_arena_strdup(&a->engine->catalog_arena, a->session->schema);
    base_rc rc = engine_catalog_bind(a->engine, schema, (base_str){text, s->text.n}, &bound, err);
    if (rc != BASE_OK) return rc;
    bound->object->definition = text;
    *out = bound->object;
    return BASE_OK;
}

// A stream or table with another text. remake: it may also go and come anew.
static base_rc apply_contract(apply *a, const plan_object *there, const sql_statement *s,
                              bool remake, base_error *err) {
    plan_object *wanted;
    base_rc rc = bind_wanted(a, s, &wanted, err);
    if (rc != BASE_OK) return rc;
    base_error why;
    if (remake && (there->kind != wanted->kind || apply_compare(there, wanted, &why) != BASE_OK))
        return replace(a, there, s, err);
    return apply_evolve(a, there, wanted, err);
}

typedef struct same_version {
    apply *a;
    const plan_object *view;
    base_str text;
    const plan_object *found;
} same_version;

static void visit_same_version(void *arg, const plan_object *object) {
    same_version *s = arg;
    if (object->version_of == s->view->id &&
        apply_same_text(s->a->arena, s->text, base_str_of(object->definition)))
        s->found = object;
}

static const plan_object *version_with_text(apply *a, const plan_object *view, base_str text) {
    same_version same = {a, view, text, NULL};
    engine_objects(a->engine, visit_same_version, &same);
    return same.found;
}

// The file has the text of a version beside the view: one that waits to be promoted, or what the
// view was before another was. Which of them serves was decided by a person.
static base_rc keep_versions(apply *a, const plan_object *view, const plan_object *version) {
    apply_say(a, "unchanged %s %s.%s: version %u, with this text, is beside version %u",
              kind_of(view), view->schema, view->name, version->version, view->version);
    return BASE_OK;
}

// CREATE OR REPLACE in a file: a version beside the view, which someone promotes.
static base_rc apply_version(apply *a, const plan_object *there, const sql_statement *s,
                             base_error *err) {
    const plan_object *made;
    base_rc rc = create(a, there->schema, s->text, s->text_offset, &made, err);
    if (rc == BASE_OK)
        apply_say(a, "made version %u of %s %s.%s, beside version %u", made->version,
                  kind_of(there), there->schema, there->name, there->version);
    return rc;
}

// A view, sink or reconciliation with another text.
static base_rc apply_derived(apply *a, const plan_object *there, const sql_statement *s,
                             base_error *err) {
    if (there->kind == PLAN_OBJECT_VIEW) {
        plan_object *wanted;
        bool done;
        base_rc rc = bind_wanted(a, s, &wanted, err);
        if (rc == BASE_OK) rc = apply_view_options(a, there, wanted, &done, err);
        if (rc != BASE_OK || done) return rc;
        if (s->or_replace) return apply_version(a, there, s, err);
    }
    return replace(a, there, s, err);
}

static base_rc apply_object(apply *a, const sql_statement *s, base_error *err) {
    const plan_object *wanted = s->object;
    const plan_object *there = engine_catalog_find(a->engine, wanted->schema, wanted->name);
    if (there == NULL) {
        const plan_object *made;
        base_rc rc = create(a, a->session->schema, s->text, s->text_offset, &made, err);
        if (rc != BASE_OK) return rc;
        apply_say(a, "created %s %s.%s", kind_of(made), made->schema, made->name);
        return BASE_OK;
    }
    bool remake = is_log(there) && is_log(wanted) && never_used(a, there);
    if (there->kind != wanted->kind && !remake)
        return base_fail(err, BASE_E_EXISTS, BASE_SQLSTATE_DUPLICATE_TABLE,
                         "\"%s.%s\" is a %s here, and the file wants a %s", there->schema,
                         there->name, kind_of(there), kind_of(wanted));
    if (a->seen[there->id])
        return base_fail(err, BASE_E_EXISTS, BASE_SQLSTATE_DUPLICATE_TABLE,
                         "%s \"%s.%s\" is defined twice", kind_of(there), there->schema,
                         there->name);
    a->seen[there->id] = true;
    if (apply_same_text(a->arena, s->text, base_str_of(there->definition))) {
        apply_say(a, "unchanged %s %s.%s", kind_of(there), there->schema, there->name);
        return BASE_OK;
    }
    if (there->kind == PLAN_OBJECT_VIEW) {
        const plan_object *same = version_with_text(a, there, s->text);
        if (same != NULL) return keep_versions(a, there, same);
    }
    if (!is_log(there)) return apply_derived(a, there, s, err);
    return apply_contract(a, there, s, remake, err);
}

static base_rc apply_schema(apply *a, const sql_statement *s, base_error *err) {
    plan_catalog catalog = engine_plan_catalog(a->engine);
    if (catalog.schema_exists(a->engine, s->name)) {
        apply_say(a, "unchanged schema %s", s->name);
        return BASE_OK;
    }
    engine_result result = {0};
    base_rc rc = engine_ddl_locked(a->session, s, &result, err);
    if (rc == BASE_OK) apply_say(a, "created schema %s", s->name);
    return rc;
}

static bool same_comment(apply *a, const sql_statement *s) {
    const char *now = NULL;
    if (s->name == NULL) {
        plat_mutex_lock(&a->engine->catalog_lock);
        now = base_map_get(a->engine->schemas, base_str_of(s->schema));
        plat_mutex_unlock(&a->engine->catalog_lock);
    } else {
        const char *schema = s->schema != NULL ? s->schema : a->session->schema;
        const plan_object *object = engine_catalog_find(a->engine, schema, s->name);
        if (object == NULL) return false;
        int32_t column = s->column == NULL ? -1 : plan_column_find(object, s->column);
        if (s->column != NULL && column < 0) return false;
        now = s->column == NULL ? object->comment : object->columns[column].comment;
    }
    return strcmp(now == NULL ? "" : now, s->value == NULL ? "" : s->value) == 0;
}

static base_rc apply_comment(apply *a, const sql_statement *s, base_error *err) {
    if (same_comment(a, s)) return BASE_OK;
    engine_result result = {0};
    base_rc rc = engine_ddl_locked(a->session, s, &result, err);
    if (rc == BASE_OK)
        apply_say(a, "commented %s%s%s%s%s", s->schema != NULL ? s->schema : "",
                  s->schema != NULL && s->name != NULL ? "." : "", s->name != NULL ? s->name : "",
                  s->column != NULL ? "." : "", s->column != NULL ? s->column : "");
    return rc;
}

static base_rc apply_insert(apply *a, const sql_statement *s, base_error *err) {
    if (!a->created[s->target->id]) {
        apply_say(a, "skipped INSERT INTO %s.%s: it was there before", s->target->schema,
                  s->target->name);
        return BASE_OK;
    }
    engine_prepared *prepared;
    engine_result result;
    base_rc rc =
        engine_prepare(a->session, a->arena, s->text, s->text_offset, 0, NULL, &prepared, err);
    if (rc == BASE_OK) rc = engine_execute(a->session, prepared, NULL, a->arena, &result, err);
    if (rc == BASE_OK)
        apply_say(a, "%s into %s.%s", result.tag, s->target->schema, s->target->name);
    return rc;
}

base_rc apply_allows(sql_kind kind, base_error *err) {
    switch (kind) {
    case SQL_EMPTY:
    case SQL_BEGIN:
    case SQL_COMMIT:
    case SQL_CREATE_SCHEMA:
    case SQL_CREATE_STREAM:
    case SQL_CREATE_TABLE:
    case SQL_CREATE_VIEW:
    case SQL_CREATE_SINK:
    case SQL_CREATE_RECONCILIATION:
    case SQL_COMMENT:
    case SQL_INSERT:
    case SQL_SET:
    case SQL_RESET:
        return BASE_OK;
    case SQL_DROP:
    case SQL_DROP_SCHEMA:
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNSUPPORTED,
                  "a file that is applied says what should be there: DROP does not belong in it");
        base_error_hint(err, "Drop the object in a session (psql), once.");
        return err->code;
    default:
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNSUPPORTED,
                         "a file that is applied holds CREATE, COMMENT, INSERT and SET only");
    }
}

static base_rc apply_statement(apply *a, const sql_statement *s, base_error *err) {
    base_rc allowed = apply_allows(s->kind, err);
    if (allowed != BASE_OK) return allowed;
    switch (s->kind) {
    case SQL_CREATE_SCHEMA:
        return apply_schema(a, s, err);
    case SQL_CREATE_STREAM:
    case SQL_CREATE_TABLE:
    case SQL_CREATE_VIEW:
    case SQL_CREATE_SINK:
    case SQL_CREATE_RECONCILIATION:
        return apply_object(a, s, err);
    case SQL_COMMENT:
        return apply_comment(a, s, err);
    case SQL_INSERT:
        return apply_insert(a, s, err);
    case SQL_SET:
    case SQL_RESET: {
        engine_prepared *prepared;
        engine_result result;
        base_rc rc =
            engine_prepare(a->session, a->arena, s->text, s->text_offset, 0, NULL, &prepared, err);
        return rc == BASE_OK ? engine_execute(a->session, prepared, NULL, a->arena, &result, err)
                             : rc;
    }
    default: // nothing to do
        return BASE_OK;
    }
}

// The statement of one cut text, bound; DDL runs under ddl_lock.
static base_rc apply_one(apply *a, base_str whole, base_str text, base_error *err) {
    plan_catalog catalog = engine_plan_catalog(a->engine);
    sql_session session = {&catalog, a->session->schema, plat_wall_us(a->engine->plat),
                           a->session->zone};
    int32_t offset = characters_before(whole, text.p);
    sql_statement *s;
    base_rc rc = sql_bind(a->arena, &session, text, offset, 0, NULL, &s, err);
    if (rc != BASE_OK) return rc;
    bool ddl = s->kind != SQL_INSERT && s->kind != SQL_SET && s->kind != SQL_RESET;
    if (ddl) plat_mutex_lock(&a->engine->ddl_lock);
    rc = apply_statement(a, s, err);
    if (ddl) plat_mutex_unlock(&a->engine->ddl_lock);
    return rc;
}

static void say_left(apply *a) {
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < a->engine->next_id; id++) {
        const plan_object *object = engine_catalog_by_id(a->engine, id);
        if (object != NULL && !a->seen[id] && object->version_of == 0)
            apply_say(a, "left %s %s.%s, which the file does not name", kind_of(object),
                      object->schema, object->name);
    }
}

static base_rc run(engine_session *session, engine *logs, base_str text, base_buf *report,
                   base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    apply a = {.session = session,
               .engine = session->engine,
               .logs = logs,
               .arena = &arena,
               .report = report};
    a.seen = calloc(ENGINE_OBJECTS_MAX, sizeof *a.seen);
    a.created = calloc(ENGINE_OBJECTS_MAX, sizeof *a.created);
    a.lost = calloc(ENGINE_OBJECTS_MAX, sizeof *a.lost);
    must(a.seen != NULL && a.created != NULL && a.lost != NULL);
    base_str *statements;
    size_t n;
    base_rc rc = engine_split(&arena, text, &n, &statements, err);
    const char *at = text.p;
    for (size_t i = 0; rc == BASE_OK && i < n; i++) {
        // Where the statement itself begins, after the comments before it.
        at = statements[i].p + skip_blank(statements[i], 0);
        if (at == statements[i].p + statements[i].n) continue;
        base_str own = {at, statements[i].n - (size_t)(at - statements[i].p)};
        rc = apply_one(&a, text, base_str_trim(own), err);
    }
    if (rc != BASE_OK) {
        if (err->position > 0) at = at_character(text, err->position);
        base_error_prefix(err, "line %u", line_at(text, at));
    }
    plat_mutex_lock(&a.engine->ddl_lock);
    base_error second = {0};
    base_rc restored = apply_restore(&a, &second);
    if (rc == BASE_OK) say_left(&a);
    plat_mutex_unlock(&a.engine->ddl_lock);
    if (rc == BASE_OK && restored != BASE_OK) {
        *err = second;
        rc = restored;
    }
    free(a.seen);
    free(a.created);
    free(a.lost);
    base_arena_deinit(&arena);
    return rc;
}

// The whole file on a copy of the catalogue. An error is the file's; if there can be no copy, the
// file is let pass, and its run says what is wrong.
static base_rc rehearse(const engine_session *session, base_str text, base_error *err) {
    engine_scratch scratch;
    base_error ignored;
    base_rc rc = BASE_OK;
    if (engine_scratch_open(&scratch, &ignored) == BASE_OK &&
        engine_scratch_copy(&scratch, session->engine, &ignored) == BASE_OK) {
        engine_session copy;
        base_buf report = {0};
        engine_session_init(&copy, scratch.engine);
        copy.schema = session->schema;
        rc = run(&copy, session->engine, text, &report, err);
        base_buf_deinit(&report);
    }
    engine_scratch_close(&scratch);
    if (rc != BASE_OK && err->detail[0] == 0)
        base_error_detail(err, "Nothing of the file was applied.");
    return rc;
}

base_rc engine_apply(engine_session *session, base_str text, base_buf *report, base_error *err) {
    base_rc rc = rehearse(session, text, err);
    return rc == BASE_OK ? run(session, session->engine, text, report, err) : rc;
}
