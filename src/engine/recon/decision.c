// decision.c - messages and decisions of reconciliations in the catalogue's store (keys:
// recon_int.h), and the rows of weir.reconciliation_decisions.
//
// Invariants: numbers of a reconciliation's messages rise by one; a message's number less the
// newest run at it is how many decisions came before it (and itself, if it is one), so the first
// message that is kept tells whether those before it were runs alone, of which a program that did
// not write messages left no trace but the runs.
// Entry points: engine_message_put_run, engine_message_next, engine_decision_put.
#include "engine/recon/decision.h"

#include <string.h>

#include "base/be.h"
#include "base/must.h"

#define VALUE_VERSION 1

const plan_column engine_decision_columns[ENGINE_DECISION_NCOLUMNS] = {
    TEXT_COLUMN("schema"),     TEXT_COLUMN("name"),
    INT8_COLUMN("run"),        TEXT_COLUMN("decision"),
    TEXT_COLUMN("decided_by"), TIME_COLUMN("at"),
    TEXT_COLUMN("waited_for"), INT8_COLUMN("keys"),
    INT8_COLUMN("records"),    {.name = "total", .type = {.kind = COL_FLOAT8}},
    INT8_COLUMN("left_out"),   INT8_COLUMN("appended"),
    INT8_COLUMN("retracted"),  INT8_COLUMN("refused"),
};

// Value of a message.
typedef struct message_value {
    uint8_t version, kind, zero[6];
    uint8_t newest_run[8], decision[8]; // big-endian
} message_value;
_Static_assert(sizeof(message_value) == 24, "message_value is a layout on disk");

typedef struct message_key {
    char bytes[13];
    size_t n;
} message_key;

static message_key key_of(char kind, uint32_t id, uint64_t number) {
    message_key key = {.bytes = {kind}, .n = 13};
    base_be_put(key.bytes + 1, id, 4);
    base_be_put(key.bytes + 5, number, 8);
    return key;
}

static base_str str_of(const message_key *key) {
    return (base_str){key->bytes, key->n};
}

static bool is_of(base_str key, char kind, uint32_t id) {
    return key.n == 13 && key.p[0] == kind && base_be_get(key.p + 1, 4) == id;
}

static uint64_t number_of(base_str key) {
    return base_be_get(key.p + 5, 8);
}

static const char *kind_name(engine_message_kind kind) {
    return kind == ENGINE_MESSAGE_APPROVED   ? "approved"
           : kind == ENGINE_MESSAGE_REJECTED ? "rejected"
                                             : "applied";
}

// ---- places in the row --------------------------------------------------------------------------

// The last key of a kind below `above`; the value is borrowed.
static base_rc last_below(engine *e, state_txn *txn, char kind, uint32_t id, uint64_t above,
                          uint64_t *number, base_str *value, bool *found, base_error *err) {
    *found = false;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_recon, &cursor, err);
    if (rc != BASE_OK) return rc;
    message_key from = key_of(kind, id, above);
    base_str key;
    bool end;
    rc = state_cursor_seek(cursor, str_of(&from), &key, value, &end, err);
    if (rc == BASE_OK) rc = state_cursor_prev(cursor, &key, value, &end, err);
    *found = rc == BASE_OK && !end && is_of(key, kind, id);
    if (*found) *number = number_of(key);
    state_cursor_close(cursor);
    return rc;
}

static base_rc take_message(uint64_t number, base_str bytes, engine_message *out, base_error *err) {
    message_value value;
    if (bytes.n == sizeof value) memcpy(&value, bytes.p, sizeof value);
    if (bytes.n != sizeof value || value.version != VALUE_VERSION ||
        value.kind < ENGINE_MESSAGE_RUN || value.kind > ENGINE_MESSAGE_APPLIED)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a message of a reconciliation is damaged");
    *out = (engine_message){.number = number,
                            .kind = (engine_message_kind)value.kind,
                            .newest_run = base_be_get((const char *)value.newest_run, 8),
                            .decision = base_be_get((const char *)value.decision, 8)};
    return BASE_OK;
}

// The last message below `above`.
static base_rc message_below(engine *e, state_txn *txn, uint32_t id, uint64_t above,
                             engine_message *out, bool *found, base_error *err) {
    uint64_t number;
    base_str value;
    base_rc rc = last_below(e, txn, 'Q', id, above, &number, &value, found, err);
    return rc == BASE_OK && *found ? take_message(number, value, out, err) : rc;
}

// The first message from `from` on.
static base_rc message_from(engine *e, state_txn *txn, uint32_t id, uint64_t from,
                            engine_message *out, bool *found, base_error *err) {
    *found = false;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_recon, &cursor, err);
    if (rc != BASE_OK) return rc;
    message_key at = key_of('Q', id, from);
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, str_of(&at), &key, &value, &end, err);
    *found = rc == BASE_OK && !end && is_of(key, 'Q', id);
    if (*found) rc = take_message(number_of(key), value, out, err);
    state_cursor_close(cursor);
    return rc;
}

// ---- writing ------------------------------------------------------------------------------------

static base_rc put_message(engine *e, state_txn *txn, uint32_t id, engine_message message,
                           uint64_t runs_before, base_error *err) {
    engine_message last;
    bool found;
    base_rc rc = message_below(e, txn, id, UINT64_MAX, &last, &found, err);
    if (rc != BASE_OK) return rc;
    message_key key = key_of('Q', id, (found ? last.number : runs_before) + 1);
    message_value value = {.version = VALUE_VERSION, .kind = (uint8_t)message.kind};
    base_be_put((char *)value.newest_run, message.newest_run, 8);
    base_be_put((char *)value.decision, message.decision, 8);
    return state_put(txn, e->t_recon, str_of(&key), (base_str){(const char *)&value, sizeof value},
                     err);
}

base_rc engine_message_put_run(engine *e, state_txn *txn, uint32_t id, uint64_t run,
                               uint64_t before, base_error *err) {
    return put_message(e, txn, id, (engine_message){.kind = ENGINE_MESSAGE_RUN, .newest_run = run},
                       before, err);
}

static void set_text(col_builder *b, uint32_t column, const char *text) {
    if (text != NULL) col_builder_set_str(b, column, base_str_of(text));
}

static const col_batch *decision_batch(base_arena *arena, const plan_object *r,
                                       const engine_remedy_plan *plan, engine_message_kind kind) {
    const uint32_t n = ENGINE_DECISION_NCOLUMNS;
    col_builder *b =
        col_builder_create(arena, n, engine_recon_types(arena, engine_decision_columns, 0, n));
    bool applied = kind == ENGINE_MESSAGE_APPLIED;
    uint64_t left_out = 0;
    for (uint32_t i = 0; i < plan->nactions; i++)
        left_out += plan->actions[i].verb == ENGINE_REMEDY_GONE;
    col_builder_new_row(b, 1);
    set_text(b, 0, r->schema);
    set_text(b, 1, r->name);
    col_builder_set_i64(b, 2, (int64_t)plan->run);
    set_text(b, 3, kind_name(kind));
    set_text(b, 4, plan->decided_by);
    col_builder_set_i64(b, 5, applied ? plan->applied_us : plan->decided_us);
    set_text(b, 6, plan->waits_for);
    col_builder_set_i64(b, 7, (int64_t)plan->keys);
    col_builder_set_i64(b, 8, (int64_t)plan->records);
    col_builder_set_f64(b, 9, plan->total);
    if (kind != ENGINE_MESSAGE_REJECTED) col_builder_set_i64(b, 10, (int64_t)left_out);
    const uint64_t counts[] = {plan->appended, plan->retracted, plan->refused};
    for (uint32_t i = 0; applied && i < 3; i++) col_builder_set_i64(b, 11 + i, (int64_t)counts[i]);
    return col_builder_finish(b);
}

base_rc engine_decision_put(engine *e, state_txn *txn, const plan_object *r,
                            const engine_remedy_plan *plan, engine_message_kind kind,
                            base_error *err) {
    uint64_t runs, last = 0;
    base_str ignored;
    bool found;
    base_rc rc = engine_recon_newest(e, txn, r->id, &runs, err);
    if (rc == BASE_OK)
        rc = last_below(e, txn, 'W', r->id, UINT64_MAX, &last, &ignored, &found, err);
    if (rc != BASE_OK) return rc;
    base_arena arena;
    base_arena_init(&arena, 4096);
    base_buf buf = {0};
    base_buf_add_byte(&buf, VALUE_VERSION);
    col_batch_encode(&buf, decision_batch(&arena, r, plan, kind));
    message_key key = key_of('W', r->id, ++last);
    rc = state_put(txn, e->t_recon, str_of(&key), base_buf_str(&buf), err);
    base_buf_deinit(&buf);
    base_arena_deinit(&arena);
    if (rc == BASE_OK)
        rc = put_message(e, txn, r->id,
                         (engine_message){.kind = kind, .newest_run = runs, .decision = last}, runs,
                         err);
    if (rc != BASE_OK || last <= ENGINE_DECISIONS_MAX) return rc;
    message_key from = key_of('W', r->id, 0),
                to = key_of('W', r->id, last - ENGINE_DECISIONS_MAX + 1);
    uint64_t deleted;
    return state_delete_range(txn, e->t_recon, str_of(&from), str_of(&to), &deleted, err);
}

base_rc engine_messages_trim(engine *e, state_txn *txn, uint32_t id, uint64_t first_run,
                             base_error *err) {
    uint64_t keep_from = 0;
    for (;;) {
        engine_message message;
        bool found;
        base_rc rc = message_from(e, txn, id, keep_from, &message, &found, err);
        if (rc != BASE_OK) return rc;
        if (!found || message.newest_run >= first_run) break;
        keep_from = message.number + 1;
    }
    if (keep_from == 0) return BASE_OK;
    message_key from = key_of('Q', id, 0), to = key_of('Q', id, keep_from);
    uint64_t deleted;
    return state_delete_range(txn, e->t_recon, str_of(&from), str_of(&to), &deleted, err);
}

// ---- reading ------------------------------------------------------------------------------------

base_rc engine_message_newest(engine *e, state_txn *txn, uint32_t id, uint64_t *number,
                              base_error *err) {
    engine_message last;
    bool found;
    base_rc rc = message_below(e, txn, id, UINT64_MAX, &last, &found, err);
    if (rc != BASE_OK) return rc;
    if (!found) return engine_recon_newest(e, txn, id, number, err);
    *number = last.number;
    return BASE_OK;
}

static bool follows_runs_only(const engine_message *message) {
    return message->number - message->newest_run == (message->decision != 0);
}

base_rc engine_message_next(engine *e, state_txn *txn, uint32_t id, uint64_t after,
                            engine_message *out, bool *found, base_error *err) {
    uint64_t newest = 0;
    base_rc rc = engine_message_newest(e, txn, id, &newest, err);
    *found = false;
    if (rc != BASE_OK || newest <= after) return rc;
    engine_message next;
    bool any;
    rc = message_from(e, txn, id, after + 1, &next, &any, err);
    if (rc != BASE_OK) return rc;
    *found = true;
    *out = any && next.number == after + 1 ? next
                                           : (engine_message){.number = after + 1,
                                                              .kind = ENGINE_MESSAGE_RUN,
                                                              .newest_run = after + 1};
    if (!any || next.number == after + 1 || follows_runs_only(&next)) return BASE_OK;
    *found = false;
    return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_INVALID_PARAMETER,
                     "message %llu of the reconciliation is no longer kept",
                     (unsigned long long)after + 1);
}

base_rc engine_message_run(engine *e, state_txn *txn, uint32_t id, uint64_t number, uint64_t *run,
                           base_error *err) {
    engine_message last;
    bool found;
    must(number < UINT64_MAX);
    base_rc rc = message_below(e, txn, id, number + 1, &last, &found, err);
    if (rc == BASE_OK) *run = found ? last.newest_run : number;
    return rc;
}

// ---- weir.reconciliation_decisions --------------------------------------------------------------

static base_rc decode(base_str value, base_arena *arena, col_batch **out, base_error *err) {
    if (value.n == 0 || value.p[0] != VALUE_VERSION)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a decision about a reconciliation is damaged");
    base_str bytes = {base_arena_memdup(arena, value.p + 1, value.n - 1), value.n - 1};
    const uint32_t n = ENGINE_DECISION_NCOLUMNS;
    return col_batch_decode(bytes, arena, n,
                            engine_recon_types(arena, engine_decision_columns, 0, n), out, err);
}

base_rc engine_decision_at(engine *e, state_txn *txn, uint32_t id, uint64_t decision,
                           base_arena *arena, const col_batch **row, base_error *err) {
    message_key key = key_of('W', id, decision);
    base_str value;
    bool found;
    *row = NULL;
    base_rc rc = state_get(txn, e->t_recon, str_of(&key), &value, &found, err);
    if (rc != BASE_OK || !found) return rc;
    col_batch *batch;
    rc = decode(value, arena, &batch, err);
    *row = batch;
    return rc;
}

static base_rc list(engine *e, state_txn *txn, base_arena *arena, col_builder *b, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_recon, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, BASE_STR("W"), &key, &value, &end, err);
    while (rc == BASE_OK && !end && key.n == 13 && key.p[0] == 'W') {
        col_batch *row;
        rc = decode(value, arena, &row, err);
        if (rc != BASE_OK) break;
        col_builder_new_row(b, 1);
        for (uint32_t i = 0; i < ENGINE_DECISION_NCOLUMNS; i++)
            col_builder_set(b, i, &row->cols[i], 0);
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

base_rc engine_decision_rows(engine *e, base_arena *arena, const col_batch **rows,
                             base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    const uint32_t n = ENGINE_DECISION_NCOLUMNS;
    col_builder *b =
        col_builder_create(arena, n, engine_recon_types(arena, engine_decision_columns, 0, n));
    rc = list(e, txn, arena, b, err);
    state_abort(txn);
    if (rc == BASE_OK) *rows = col_builder_finish(b);
    return rc;
}
