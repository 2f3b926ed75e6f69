// pg_session.c - one PostgreSQL client: the start of the conversation, then message by message.
//
// Invariants: after an error in the extended protocol everything up to Sync is skipped; a broken
// transaction ('E') takes only its end; an answer that is being sent (emit) or a simple query that
// has more statements goes before the next message. Source: PostgreSQL 15 documentation, chapter
// 55.2. Entry point: server_pg_session_work.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "server/pg_int.h"

server_pg_session *server_pg_session_create(server *s, server_pg *listener) {
    server_pg_session *session = calloc(1, sizeof *session);
    must(session != NULL);
    session->server = s;
    session->listener = listener;
    engine_session_init(&session->engine, s->engine);
    base_arena_init(&session->startup_arena, 512);
    base_arena_init(&session->arena, 1024);
    base_arena_init(&session->simple.arena, 1024);
    base_arena_init(&session->simple.statement_arena, 4096);
    session->statements = base_map_create();
    session->portals = base_map_create();
    session->transaction = 'I';
    session->need = 4;
    session->statement_timeout_us = s->config.statement_timeout_us;
    return session;
}

void server_pg_session_destroy(server_pg_session *session) {
    if (session->counted) server_pg_listener_leave(session->listener, session);
    server_pg_portals_drop(session);
    server_pg_statements_drop(session);
    base_map_destroy(session->portals);
    base_map_destroy(session->statements);
    base_arena_deinit(&session->simple.statement_arena);
    base_arena_deinit(&session->simple.arena);
    base_arena_deinit(&session->arena);
    base_arena_deinit(&session->startup_arena);
    base_buf_deinit(&session->in);
    base_buf_deinit(&session->out);
    free(session->savepoints);
    free(session);
}

bool server_pg_session_ready(const server_pg_session *session) {
    if (session->closing) return false;
    return session->emit.active || session->simple.active ||
           session->in.n - session->in_at >= session->need;
}

void server_pg_session_abandon(server_pg_session *session) {
    atomic_store(&session->abandoned, true);
    server_cancel_set(&session->engine, true);
}

void server_pg_session_arm(server_pg_session *session) {
    server_cancel_set(&session->engine, false);
    if (atomic_load(&session->abandoned)) server_cancel_set(&session->engine, true);
}

// ---- errors ----

void server_pg_session_fail(server_pg_session *session, const base_error *err) {
    atomic_fetch_add_explicit(&session->server->counters.pg_errors, 1, memory_order_relaxed);
    wire_pg_error(&session->out, err, false);
    if (session->transaction == 'T') session->transaction = 'E';
}

void server_pg_session_fatal(server_pg_session *session, const base_error *err) {
    atomic_fetch_add_explicit(&session->server->counters.pg_errors, 1, memory_order_relaxed);
    wire_pg_error(&session->out, err, true);
    session->closing = true;
}

base_rc server_pg_session_utf8(base_str text, base_error *err) {
    size_t valid = base_utf8_valid_prefix(text);
    if (valid == text.n) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                     "invalid byte sequence for encoding \"UTF8\": 0x%02x at byte %zu",
                     (uint8_t)text.p[valid], valid);
}

// ---- statements that mean something to the session ----

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

base_rc server_pg_session_allow(server_pg_session *session, base_str text, base_error *err) {
    if (session->transaction != 'E') return BASE_OK;
    base_str word = server_take_word(&text);
    if (word.n == 0 || server_word_is(word, "commit") || server_word_is(word, "rollback") ||
        server_word_is(word, "end") || server_word_is(word, "abort"))
        return BASE_OK;
    return base_fail(err, BASE_E_INVALID, "25P02",
                     "current transaction is aborted, commands ignored until end of transaction "
                     "block");
}

// Nothing of a transaction is undone here, which whoever wrote ROLLBACK has to know.
static void warn_of_changes(server_pg_session *session) {
    if (!session->changed) return;
    wire_pg_notice(&session->out, "WARNING", "01000",
                   "ROLLBACK does not undo what was stored or made: each statement is a "
                   "transaction of its own");
}

static void begin_transaction(server_pg_session *session) {
    if (session->transaction == 'T') {
        wire_pg_notice(&session->out, "WARNING", "25001",
                       "there is already a transaction in progress");
        return;
    }
    session->transaction = 'T';
    session->changed = false;
    session->nsavepoints = 0;
    engine_settings_begin(&session->engine);
}

static void end_transaction(server_pg_session *session, engine_result *out) {
    bool commit = session->transaction == 'T' && strcmp(out->tag, "COMMIT") == 0;
    if (session->transaction == 'I')
        wire_pg_notice(&session->out, "WARNING", "25P01", "there is no transaction in progress");
    else if (!commit)
        warn_of_changes(session);
    if (session->transaction == 'E') snprintf(out->tag, sizeof out->tag, "ROLLBACK");
    session->transaction = 'I';
    session->nsavepoints = 0;
    engine_settings_end(&session->engine, commit);
}

// Savepoints are names and settings, so that drivers with nested transactions work: going back to
// one mends a broken transaction, and takes back what was SET since.
static base_rc savepoint(server_pg_session *session, const engine_result *out, base_error *err) {
    if (session->transaction == 'I')
        return base_fail(err, BASE_E_INVALID, "25P01", "%s can only be used in transaction blocks",
                         strcmp(out->tag, "ROLLBACK") == 0 ? "ROLLBACK TO SAVEPOINT" : out->tag);
    uint32_t i = session->nsavepoints;
    if (strcmp(out->tag, "SAVEPOINT") == 0) {
        if (i == SERVER_PG_SAVEPOINTS_MAX)
            return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                             "this transaction has %d savepoints: release some",
                             SERVER_PG_SAVEPOINTS_MAX);
        session->savepoints = realloc(session->savepoints, (i + 1) * sizeof *session->savepoints);
        must(session->savepoints != NULL);
        memcpy(session->savepoints[i].name, out->savepoint, sizeof out->savepoint);
        engine_settings_keep(&session->engine, &session->savepoints[i].settings);
        session->nsavepoints++;
        return BASE_OK;
    }
    while (i > 0 && strcmp(session->savepoints[i - 1].name, out->savepoint) != 0) i--;
    if (i == 0)
        return base_fail(err, BASE_E_NOT_FOUND, "3B001", "savepoint \"%s\" does not exist",
                         out->savepoint);
    if (strcmp(out->tag, "RELEASE") == 0) {
        session->nsavepoints = i - 1;
        return BASE_OK;
    }
    session->nsavepoints = i;
    session->transaction = 'T';
    engine_settings_back(&session->engine, &session->savepoints[i - 1].settings);
    warn_of_changes(session);
    return BASE_OK;
}

static void deallocate(server_pg_session *session, base_str text) {
    server_take_word(&text);
    base_str name = server_take_word(&text);
    if (server_word_is(name, "prepare")) {
        base_str rest = text;
        base_str next = server_take_word(&rest);
        if (next.n > 0) name = next;
    }
    if (server_word_is(name, "all"))
        server_pg_statements_drop(session);
    else
        server_pg_statement_close(session, name);
}

// The operator's limit holds whatever the client asks for.
static void take_statement_timeout(server_pg_session *session) {
    int64_t limit = session->server->config.statement_timeout_us;
    int64_t wanted = engine_setting_statement_timeout_us(&session->engine);
    session->statement_timeout_us = limit > 0 && (wanted == 0 || wanted > limit) ? limit : wanted;
}

static void tell_setting(void *arg, const char *name, const char *value) {
    server_pg_session *session = arg;
    wire_pg_parameter_status(&session->out, name, value);
}

static base_rc after_statement(server_pg_session *session, base_str text, engine_result *out,
                               base_error *err) {
    const char *tag = out->tag;
    if (out->savepoint[0] != 0) return savepoint(session, out, err);
    if (strcmp(tag, "BEGIN") == 0 || strcmp(tag, "START TRANSACTION") == 0) {
        begin_transaction(session);
    } else if (strcmp(tag, "COMMIT") == 0 || strcmp(tag, "ROLLBACK") == 0) {
        end_transaction(session, out);
    } else if (strncmp(tag, "DEALLOCATE", 10) == 0) {
        deallocate(session, text);
    } else if (strncmp(tag, "DISCARD", 7) == 0) {
        base_str rest = text;
        server_take_word(&rest);
        base_str what = server_take_word(&rest);
        if (server_word_is(what, "all")) server_pg_statements_drop(session);
    } else if (strncmp(tag, "INSERT", 6) == 0 || strncmp(tag, "CREATE", 6) == 0 ||
               strncmp(tag, "DROP", 4) == 0 || strncmp(tag, "COMMENT", 7) == 0) {
        session->changed = true;
    }
    return BASE_OK;
}

base_rc server_pg_session_run(server_pg_session *session, base_str text, engine_prepared *prepared,
                              const col_batch *params, base_arena *arena, engine_result *out,
                              base_error *err) {
    server *s = session->server;
    engine_session *e = &session->engine;
    atomic_fetch_add_explicit(&s->counters.pg_statements, 1, memory_order_relaxed);
    e->deadline_us =
        session->statement_timeout_us > 0 ? server_now_us(s) + session->statement_timeout_us : 0;
    base_rc rc = engine_execute(e, prepared, params, arena, out, err);
    if (rc != BASE_OK) return rc;
    if (out->ncolumns > SERVER_PG_COLUMNS_MAX)
        return base_fail(err, BASE_E_LIMIT, "54011", "the result has %u columns, more than %d",
                         out->ncolumns, SERVER_PG_COLUMNS_MAX);
    rc = after_statement(session, text, out, err);
    if (rc != BASE_OK) return rc;
    take_statement_timeout(session);
    for (size_t i = 0; i < out->nnotices; i++)
        wire_pg_notice(&session->out, "NOTICE", "00000", out->notices[i]);
    engine_settings_tell(e, tell_setting, session);
    if (out->standing.known) {
        base_buf value = {0};
        server_standing_text(&out->standing, &value);
        wire_pg_parameter_status(&session->out, "weir.freshness", base_buf_cstr(&value));
        base_buf_deinit(&value);
    }
    return BASE_OK;
}

// ---- startup ----

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

// SET of a name that the client gave when it connected. What weir does not know is let pass: a
// driver's wish must not keep it out.
static base_rc apply_option(server_pg_session *session, base_str name, base_str value,
                            base_error *err) {
    for (size_t i = 0; i < name.n; i++)
        if (!is_name(name.p[i]))
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_PROTOCOL,
                             "invalid name of a setting in the startup message: \"%.*s\"",
                             (int)(name.n < 60 ? name.n : 60), name.p);
    base_buf sql = {0};
    base_buf_printf(&sql, "SET %.*s = '", BASE_STR_ARG(name));
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\'') base_buf_add_byte(&sql, '\'');
        base_buf_add_byte(&sql, (uint8_t)value.p[i]);
    }
    base_buf_add_byte(&sql, '\'');
    engine_result result;
    base_error set_err = {0};
    base_rc rc =
        engine_run_sql(&session->engine, base_buf_str(&sql), &session->arena, &result, &set_err);
    base_buf_deinit(&sql);
    if (rc == BASE_OK || rc == BASE_E_NOT_FOUND || rc == BASE_E_UNSUPPORTED) return BASE_OK;
    *err = set_err;
    return rc;
}

// The value of "options": -c name=value and --name=value, a backslash before a space.
static base_rc apply_options(server_pg_session *session, base_str text, base_error *err) {
    char *word = base_arena_alloc(&session->startup_arena, text.n + 1);
    bool name_is_next = false;
    for (size_t at = 0; at < text.n;) {
        while (at < text.n && is_space(text.p[at])) at++;
        size_t n = 0;
        for (; at < text.n && !is_space(text.p[at]); at++) {
            if (text.p[at] == '\\' && at + 1 < text.n) at++;
            word[n++] = text.p[at];
        }
        base_str item = {word, n};
        if (!name_is_next && n == 2 && memcmp(word, "-c", 2) == 0) {
            name_is_next = true;
            continue;
        }
        if (!name_is_next && n > 2 && (memcmp(word, "-c", 2) == 0 || memcmp(word, "--", 2) == 0)) {
            item.p += 2;
            item.n -= 2;
        } else if (!name_is_next) {
            continue;
        }
        name_is_next = false;
        const char *equals = memchr(item.p, '=', item.n);
        if (equals == NULL) continue;
        base_str name = {item.p, (size_t)(equals - item.p)};
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] == '-') word[name.p - word + (ptrdiff_t)i] = '_';
        base_rc rc = apply_option(
            session, name, (base_str){equals + 1, (size_t)(item.p + item.n - equals - 1)}, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

// Newer clients may ask for a later minor version or for options that begin with _pq_.
static void negotiate(server_pg_session *session, const wire_pg_message *message) {
    uint32_t unknown = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < message->noptions; i++)
        if (base_str_starts(message->option_names[i], BASE_STR("_pq_."))) {
            unknown++;
            bytes += message->option_names[i].n + 1;
        }
    if (unknown == 0 && (message->protocol & 0xffff) == 0) return;
    base_buf_add_byte(&session->out, 'v');
    base_buf_add_u32be(&session->out, (uint32_t)(12 + bytes));
    base_buf_add_u32be(&session->out, 196608);
    base_buf_add_u32be(&session->out, unknown);
    for (size_t i = 0; i < message->noptions; i++)
        if (base_str_starts(message->option_names[i], BASE_STR("_pq_."))) {
            base_buf_add_str(&session->out, message->option_names[i]);
            base_buf_add_byte(&session->out, 0);
        }
}

static base_rc startup_settings(server_pg_session *session, const wire_pg_message *message,
                                base_error *err) {
    for (size_t i = 0; i < message->noptions; i++) {
        base_str name = message->option_names[i], value = message->option_values[i];
        if (server_word_is(name, "user") || server_word_is(name, "database") ||
            base_str_starts(name, BASE_STR("_pq_.")))
            continue;
        base_rc rc;
        if (server_word_is(name, "replication")) {
            if (server_word_is(value, "false") || server_word_is(value, "off") ||
                server_word_is(value, "0"))
                continue;
            rc = base_fail(err, BASE_E_UNSUPPORTED, NULL, "replication connections are not served");
            base_error_hint(err, "Changes of a view: GET /v1/views/SCHEMA.NAME/changes over HTTP.");
        } else if (server_word_is(name, "options")) {
            rc = apply_options(session, value, err);
        } else {
            rc = apply_option(session, name, value, err);
        }
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static void start(server_pg_session *session, const wire_pg_message *message) {
    base_error err = {0};
    base_str user = {NULL, 0}, database = {NULL, 0};
    for (size_t i = 0; i < message->noptions; i++) {
        if (server_word_is(message->option_names[i], "user")) user = message->option_values[i];
        if (server_word_is(message->option_names[i], "database"))
            database = message->option_values[i];
    }
    if (user.n == 0) {
        base_fail(&err, BASE_E_INVALID, "28000", "no user name specified in the startup message");
        server_pg_session_fatal(session, &err);
        return;
    }
    if (database.n == 0) database = user;
    if (server_pg_session_utf8(user, &err) != BASE_OK ||
        server_pg_session_utf8(database, &err) != BASE_OK) {
        server_pg_session_fatal(session, &err);
        return;
    }
    session->engine.user = base_arena_memdup(&session->startup_arena, user.p, user.n);
    session->engine.database = base_arena_memdup(&session->startup_arena, database.p, database.n);
    if (!server_pg_listener_enter(session->listener, session)) {
        base_fail(&err, BASE_E_LIMIT, "53300", "sorry, too many clients already");
        base_error_detail(&err, "At most %u connections are served.",
                          session->server->config.pg_connections_max);
        server_pg_session_fatal(session, &err);
        return;
    }
    negotiate(session, message);
    if (startup_settings(session, message, &err) != BASE_OK) {
        server_pg_session_fatal(session, &err);
        return;
    }
    engine_settings_start(&session->engine);
    take_statement_timeout(session);
    wire_pg_auth_ok(&session->out);
    engine_settings_tell(&session->engine, tell_setting, session);
    wire_pg_backend_key(&session->out, session->engine.pid, session->key);
    wire_pg_ready(&session->out, 'I');
    session->started = true;
}

static void startup_message(server_pg_session *session, const wire_pg_message *message) {
    switch (message->kind) {
    case WIRE_PG_SSL_REQUEST:
    case WIRE_PG_GSS_REQUEST:
        base_buf_add_byte(&session->out, 'N');
        break;
    case WIRE_PG_CANCEL:
        server_pg_listener_cancel(session->listener, message->cancel_pid, message->cancel_key);
        session->closing = true; // without an answer, as the protocol has it
        break;
    default:
        start(session, message);
        break;
    }
}

// ---- messages ----

static void message_in(server_pg_session *session, const wire_pg_message *message) {
    if (session->skip_till_sync && message->kind != WIRE_PG_SYNC &&
        message->kind != WIRE_PG_TERMINATE)
        return;
    base_error err = {0};
    switch (message->kind) {
    case WIRE_PG_QUERY:
        server_pg_simple_begin(session, message->text);
        break;
    case WIRE_PG_SYNC:
        session->skip_till_sync = false;
        if (session->transaction == 'I') server_pg_portals_drop(session);
        wire_pg_ready(&session->out, session->transaction);
        break;
    case WIRE_PG_FLUSH: // output goes out anyway when there is no more input
        break;
    case WIRE_PG_TERMINATE:
        session->closing = true;
        break;
    case WIRE_PG_PARSE:
    case WIRE_PG_BIND:
    case WIRE_PG_DESCRIBE:
    case WIRE_PG_EXECUTE:
    case WIRE_PG_CLOSE:
        server_pg_extended(session, message);
        break;
    case WIRE_PG_COPY_DATA: // left over from a copy that failed: to be passed over
    case WIRE_PG_COPY_DONE:
    case WIRE_PG_COPY_FAIL:
        break;
    case WIRE_PG_FUNCTION_CALL:
        base_fail(&err, BASE_E_UNSUPPORTED, NULL, "the function call message is not supported");
        base_error_hint(&err, "Call the function in a SELECT.");
        server_pg_session_fail(session, &err);
        wire_pg_ready(&session->out, session->transaction);
        break;
    default:
        base_fail(&err, BASE_E_INVALID, BASE_SQLSTATE_PROTOCOL,
                  "a message that is not expected here: kind %d", (int)message->kind);
        server_pg_session_fatal(session, &err);
        break;
    }
}

// Bytes of the message that begins at p, as far as its head is there.
static base_rc message_bytes(server_pg_session *session, base_str input, size_t *need,
                             base_error *err) {
    size_t head = session->started ? 1 : 0;
    if (input.n < head + 4) {
        *need = head + 4;
        return BASE_OK;
    }
    const uint8_t *p = (const uint8_t *)input.p + head;
    size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    *need = head + length;
    if (session->started && length > session->server->config.message_bytes_max &&
        length <= INT32_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "a message of %zu bytes is larger than the limit of %llu", length,
                         (unsigned long long)session->server->config.message_bytes_max);
    return BASE_OK;
}

// Takes the next message; false: there is none.
static bool next_message(server_pg_session *session) {
    base_arena_reset(&session->arena);
    base_str input = {session->in.p + session->in_at, session->in.n - session->in_at};
    if (session->in.p == NULL || input.n == 0) {
        session->need = session->started ? 5 : 4;
        return false;
    }
    base_error err = {0};
    wire_pg_message message;
    size_t used = 0, need = 0;
    base_rc rc = BASE_OK;
    if (session->started) rc = message_bytes(session, input, &need, &err);
    if (rc == BASE_OK)
        rc = wire_pg_read(input, !session->started, &session->arena, &message, &used, &err);
    if (rc == BASE_OK && used == 0) rc = message_bytes(session, input, &session->need, &err);
    if (rc != BASE_OK) {
        // Where the next message would begin is not known any more.
        server_pg_session_fatal(session, &err);
        return false;
    }
    if (used == 0) return false;
    session->in_at += used;
    session->need = session->started ? 5 : 4;
    if (!session->started)
        startup_message(session, &message);
    else
        message_in(session, &message);
    return true;
}

void server_pg_session_work(server_pg_session *session) {
    size_t before = session->out.n;
    while (!session->closing && session->out.n < SERVER_PG_OUT_BYTES &&
           !atomic_load(&session->abandoned)) {
        if (session->emit.active)
            server_pg_emit_some(session);
        else if (session->simple.active)
            server_pg_simple_next(session);
        else if (!next_message(session))
            break;
    }
    atomic_fetch_add_explicit(&session->server->counters.pg_bytes_out, session->out.n - before,
                              memory_order_relaxed);
}
