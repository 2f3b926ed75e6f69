// alert.c - what a sink is told of a reconciliation (alert.h), and how long runs are kept for it.
//
// Invariants: a run is told once it is over. A remedy comes after its run is stored; so while a run
// or a decision of the reconciliation is under way, its newest run is not told before its plan is
// there and, if records are being appended, not before that is done. Which runs are under way is
// looked up at the snapshot, under the lock that they begin and end with.
// Entry points: engine_alert_next, engine_alert_lag.
#include "engine/recon/alert.h"

#include <string.h>

#include "base/must.h"
#include "col/codec.h"
#include "engine/recon/decision.h"
#include "engine/system_int.h"

// ---- cells of a run -----------------------------------------------------------------------------

static const col_vec *cell(const col_batch *row, const char *name) {
    for (uint32_t i = 0; i < row->ncols; i++)
        if (strcmp(engine_recon_runs_columns[i].name, name) == 0) return &row->cols[i];
    must(false);
    return NULL;
}

static bool is_null(const col_batch *row, const char *name) {
    return col_is_null(cell(row, name), 0);
}

static uint64_t number(const col_batch *row, const char *name) {
    return is_null(row, name) ? 0 : (uint64_t)col_i64(cell(row, name))[0];
}

static bool is_alert(const col_batch *row) {
    return !is_null(row, "error") || !is_null(row, "waits_for") || number(row, "refused") > 0 ||
           number(row, "missing") + number(row, "unexpected") + number(row, "differing") +
                   number(row, "duplicate") >
               0;
}

// Whether a remedy of the run is still to come or under way, if it is the newest and some run or
// decision is.
static bool is_unfinished(const col_batch *row) {
    if (is_null(row, "remedy")) return is_null(row, "error");
    if (!is_null(row, "waits_for")) return false; // what it waited for is over, not the run
    const char *approved = engine_remedy_state_name(ENGINE_REMEDY_APPROVED);
    return base_str_eq(col_str(cell(row, "remedy"))[0], base_str_of(approved));
}

// ---- JSON ---------------------------------------------------------------------------------------

static void write_cell(base_buf *buf, const col_batch *row, const char *name) {
    base_buf_printf(buf, "\"%s\":", name);
    col_json_format(cell(row, name), 0, buf);
}

static void write_cells(base_buf *buf, const col_batch *row, uint32_t n,
                        const char *const names[n]) {
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        write_cell(buf, row, names[i]);
    }
}

static void write_findings(base_buf *buf, const col_batch *rows) {
    base_buf_add_cstr(buf, "\"findings\":[");
    for (uint32_t i = 0; i < rows->nrows; i++) {
        base_buf_add_cstr(buf, i > 0 ? ",{" : "{");
        bool first = true;
        for (uint32_t k = 0; k < rows->ncols; k++) {
            const char *name = engine_recon_result_columns[ENGINE_RECON_RESULT_FIRST + k].name;
            if (strcmp(name, "rows") == 0) continue; // which rows of the list are one finding
            base_buf_printf(buf, "%s\"%s\":", first ? "" : ",", name);
            first = false;
            if (strcmp(name, "key") == 0 && !col_is_null(&rows->cols[k], i))
                base_buf_add_str(buf, col_str(&rows->cols[k])[i]); // a JSON object
            else
                col_json_format(&rows->cols[k], i, buf);
        }
        base_buf_add_byte(buf, '}');
    }
    base_buf_add_byte(buf, ']');
}

static void add_sql_name(base_buf *sql, const char *name) {
    size_t n = strlen(name);
    bool plain = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == n && n > 0 &&
                 (name[0] < '0' || name[0] > '9');
    if (!plain) base_buf_add_byte(sql, '"');
    for (size_t i = 0; i < n; i++) {
        if (name[i] == '"') base_buf_add_byte(sql, '"');
        base_buf_add_byte(sql, (uint8_t)name[i]);
    }
    if (!plain) base_buf_add_byte(sql, '"');
}

// How much it is, and the statements that decide, of a remedy that waits.
static void write_planned(base_buf *buf, const col_batch *row, const plan_object *r) {
    static const char *const verbs[] = {"approve", "reject"};
    base_buf_printf(buf, ",\"keys\":%llu,\"records\":%llu,\"total\":",
                    (unsigned long long)number(row, "remedy_keys"),
                    (unsigned long long)number(row, "remedy_records"));
    col_json_format(cell(row, "remedy_total"), 0, buf);
    for (uint32_t i = 0; i < 2; i++) {
        base_buf sql = {0};
        base_buf_add_cstr(&sql, i == 0 ? "APPROVE RECONCILIATION " : "REJECT RECONCILIATION ");
        add_sql_name(&sql, r->schema);
        base_buf_add_byte(&sql, '.');
        add_sql_name(&sql, r->name);
        base_buf_printf(&sql, " RUN %llu", (unsigned long long)number(row, "run"));
        base_buf_printf(buf, ",\"%s\":", verbs[i]);
        base_buf_add_json_string(buf, base_buf_str(&sql));
        base_buf_deinit(&sql);
    }
}

// As it was when the run was over, so that a message that is tried again has the same bytes: what a
// person has decided since, and that every view has it now, is left out.
static void write_remedy(base_buf *buf, const col_batch *row, const plan_object *r) {
    static const char *const counts[] = {"appended", "retracted", "refused", "unresolved"};
    if (is_null(row, "remedy")) {
        base_buf_add_cstr(buf, "null");
        return;
    }
    base_str state = col_str(cell(row, "remedy"))[0];
    bool waited = !is_null(row, "waits_for");
    if (waited)
        state = base_str_of(engine_remedy_state_name(ENGINE_REMEDY_WAITING));
    else if (base_str_eq(state, base_str_of(engine_remedy_state_name(ENGINE_REMEDY_APPLIED))))
        state = base_str_of(engine_remedy_state_name(ENGINE_REMEDY_APPENDED));
    base_buf_printf(buf, "{\"state\":\"%.*s\"", BASE_STR_ARG(state));
    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        bool later = waited && strcmp(counts[i], "unresolved") != 0;
        base_buf_printf(buf, ",\"%s\":%llu", counts[i],
                        later ? 0 : (unsigned long long)number(row, counts[i]));
    }
    if (waited) write_planned(buf, row, r);
    base_buf_add_byte(buf, '}');
}

static void write_head(base_buf *buf, const plan_object *r, uint64_t run, base_str status) {
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", r->schema, r->name);
    base_buf_add_cstr(buf, "\"reconciliation\":");
    base_buf_add_json_string(buf, base_buf_str(&name));
    base_buf_deinit(&name);
    base_buf_printf(buf, ",\"run\":%llu,\"status\":\"%.*s\",\"at\":", (unsigned long long)run,
                    BASE_STR_ARG(status));
}

static void write_members(base_buf *buf, const plan_object *r, const engine_alert *alert,
                          const col_batch *row, const col_batch *findings) {
    static const char *const statuses[] = {"clean", "alert", "recovered"};
    static const char *const counts[] = {"matched",   "missing",   "unexpected",
                                         "differing", "duplicate", "pending"};
    write_head(buf, r, alert->run, base_str_of(statuses[alert->status]));
    col_json_format(cell(row, "started_at"), 0, buf);
    base_buf_add_byte(buf, ',');
    write_cell(buf, row, "as_of");
    base_buf_add_cstr(buf, ",\"counts\":{");
    write_cells(buf, row, sizeof counts / sizeof *counts, counts);
    base_buf_add_cstr(buf, "},\"remedy\":");
    write_remedy(buf, row, r);
    base_buf_add_byte(buf, ',');
    write_cell(buf, row, "waits_for");
    base_buf_add_byte(buf, ',');
    write_cell(buf, row, "error");
    base_buf_add_byte(buf, ',');
    write_findings(buf, findings);
}

static void write_decision(base_buf *buf, const plan_object *r, const col_batch *row) {
    enum { RUN = 2, DECISION = 3, BY = 4, AT = 5, WAITED_FOR = 6, REMEDY = 7 };
    write_head(buf, r, (uint64_t)col_i64(&row->cols[RUN])[0], col_str(&row->cols[DECISION])[0]);
    col_json_format(&row->cols[AT], 0, buf);
    base_buf_add_cstr(buf, ",\"by\":");
    col_json_format(&row->cols[BY], 0, buf);
    base_buf_add_cstr(buf, ",\"waited_for\":");
    col_json_format(&row->cols[WAITED_FOR], 0, buf);
    base_buf_add_cstr(buf, ",\"remedy\":{");
    for (uint32_t i = REMEDY; i < ENGINE_DECISION_NCOLUMNS; i++) {
        base_buf_printf(buf, "%s\"%s\":", i > REMEDY ? "," : "", engine_decision_columns[i].name);
        col_json_format(&row->cols[i], 0, buf);
    }
    base_buf_add_byte(buf, '}');
}

// ---- the next message
// ------------------------------------------------------------------------------

// A snapshot, and whether a run or a decision of the reconciliation was under way at it.
static base_rc begin(engine *e, uint32_t id, state_txn **txn, bool *busy, base_error *err) {
    plat_mutex_lock(&e->remedies_lock);
    *busy = false;
    for (uint32_t i = 0; i < ENGINE_REMEDIES_BUSY; i++)
        if (e->remedies_busy[i] == id) *busy = true;
    base_rc rc = state_begin_read(e->meta, txn, err);
    plat_mutex_unlock(&e->remedies_lock);
    return rc;
}

static base_rc lost(const plan_object *r, uint64_t number, base_error *err) {
    return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_INVALID_PARAMETER,
                     "message %llu of reconciliation \"%s.%s\" is no longer kept",
                     (unsigned long long)number, r->schema, r->name);
}

static base_rc make_decided(engine *e, state_txn *txn, const plan_object *r,
                            const engine_message *message, base_arena *arena, engine_alert *out,
                            base_error *err) {
    const col_batch *row;
    base_rc rc = engine_decision_at(e, txn, r->id, message->decision, arena, &row, err);
    if (rc != BASE_OK) return rc;
    if (row == NULL) return lost(r, message->number, err);
    base_buf buf = {0};
    write_decision(&buf, r, row);
    *out = (engine_alert){.number = message->number,
                          .run = (uint64_t)col_i64(&row->cols[2])[0],
                          .status = ENGINE_ALERT_DECIDED,
                          .members = {base_arena_memdup(arena, buf.p, buf.n), buf.n}};
    base_buf_deinit(&buf);
    return BASE_OK;
}

static base_rc make(engine *e, state_txn *txn, const plan_object *r, const col_batch *row,
                    base_arena *arena, engine_alert *out, base_error *err) {
    out->run = number(row, "run");
    out->status = is_alert(row) ? ENGINE_ALERT_RAISED : ENGINE_ALERT_CLEAN;
    if (out->status == ENGINE_ALERT_CLEAN && out->run > 1) {
        const col_batch *before;
        base_rc rc = engine_recon_run_at(e, txn, r, out->run - 1, arena, &before, err);
        if (rc != BASE_OK) return rc;
        if (before != NULL && number(before, "run") == out->run - 1 && is_alert(before))
            out->status = ENGINE_ALERT_RECOVERED;
    }
    const col_batch *findings;
    base_rc rc = engine_recon_findings(e, txn, r->id, out->run, ENGINE_ALERT_FINDINGS_MAX, arena,
                                       &findings, err);
    if (rc != BASE_OK) return rc;
    base_buf buf = {0};
    write_members(&buf, r, out, row, findings);
    out->members = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return BASE_OK;
}

static base_rc next(engine *e, state_txn *txn, const plan_object *r, uint64_t after, bool busy,
                    base_arena *arena, engine_alert *out, bool *found, base_error *err) {
    engine_message message;
    bool any;
    base_rc rc = engine_message_next(e, txn, r->id, after, &message, &any, err);
    if (rc != BASE_OK || !any) return rc;
    if (message.kind != ENGINE_MESSAGE_RUN) {
        rc = make_decided(e, txn, r, &message, arena, out, err);
        *found = rc == BASE_OK;
        return rc;
    }
    uint64_t newest, run = message.newest_run;
    const col_batch *row;
    rc = engine_recon_newest(e, txn, r->id, &newest, err);
    if (rc == BASE_OK) rc = engine_recon_run_at(e, txn, r, run, arena, &row, err);
    if (rc != BASE_OK) return rc;
    if (row == NULL || number(row, "run") != run) return lost(r, message.number, err);
    if (busy && run == newest && is_unfinished(row)) return BASE_OK;
    out->number = message.number;
    rc = make(e, txn, r, row, arena, out, err);
    *found = rc == BASE_OK;
    return rc;
}

base_rc engine_alert_next(engine *e, const plan_object *r, uint64_t after, base_arena *arena,
                          engine_alert *out, bool *found, base_error *err) {
    must(r->kind == PLAN_OBJECT_RECONCILIATION);
    *found = false;
    state_txn *txn;
    bool busy;
    base_rc rc = begin(e, r->id, &txn, &busy, err);
    if (rc != BASE_OK) return rc;
    rc = next(e, txn, r, after, busy, arena, out, found, err);
    state_abort(txn);
    return rc;
}

// ---- cursors ------------------------------------------------------------------------------------

base_rc engine_sink_newest(engine *e, const plan_object *sink, uint64_t *step, base_error *err) {
    if (sink->from->kind != PLAN_OBJECT_RECONCILIATION)
        return engine_view_step(e, sink->from, step, err);
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = engine_message_newest(e, txn, sink->from->id, step, err);
    state_abort(txn);
    return rc;
}

// How long the first message that a sink lacks has been there; *known false: it is gone.
static base_rc written_at(engine *e, state_txn *txn, const plan_object *r, uint64_t after,
                          base_arena *arena, int64_t *us, bool *known, base_error *err) {
    engine_message message;
    bool any;
    const col_batch *row = NULL;
    *known = false;
    base_error gone;
    base_rc rc = engine_message_next(e, txn, r->id, after, &message, &any, &gone);
    if (rc != BASE_OK && !(rc == BASE_E_NOT_FOUND)) {
        if (err != NULL) *err = gone;
        return rc;
    }
    if (rc != BASE_OK || !any) return BASE_OK;
    if (message.kind != ENGINE_MESSAGE_RUN) {
        rc = engine_decision_at(e, txn, r->id, message.decision, arena, &row, err);
        *known = rc == BASE_OK && row != NULL;
        if (*known) *us = col_i64(&row->cols[5])[0];
        return rc;
    }
    rc = engine_recon_run_at(e, txn, r, message.newest_run, arena, &row, err);
    *known = rc == BASE_OK && row != NULL && number(row, "run") == message.newest_run;
    if (*known) *us = col_i64(cell(row, "started_at"))[0];
    return rc;
}

static base_rc measure(engine *e, state_txn *txn, const plan_object *r, base_arena *arena,
                       engine_sink_lag *lag, base_error *err) {
    int64_t us;
    bool known;
    base_rc rc = written_at(e, txn, r, lag->step, arena, &us, &known, err);
    if (rc != BASE_OK) return rc;
    lag->steps = lag->rows = lag->view_step - lag->step;
    lag->trimmed_step = known ? lag->step : lag->step + 1;
    if (lag->steps >= ENGINE_RECON_RUNS_MAX) lag->state = ENGINE_SINK_EXTENDED;
    if (!known) lag->state = ENGINE_SINK_LOST;
    if (known) us = plat_wall_us(e->plat) - us;
    lag->us = known && us > 0 ? us : 0;
    return BASE_OK;
}

base_rc engine_alert_lag(engine *e, const plan_object *sink, engine_sink_lag *lag,
                         base_error *err) {
    *lag = (engine_sink_lag){0};
    bool found;
    base_rc rc = engine_sink_find_cursor(e, sink, &lag->step, &found, err);
    if (rc == BASE_OK && !found)
        rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "sink \"%s.%s\" does not exist", sink->schema,
                       sink->name);
    if (rc != BASE_OK) return rc;
    state_txn *txn;
    rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    base_arena arena;
    base_arena_init(&arena, 4096);
    rc = engine_message_newest(e, txn, sink->from->id, &lag->view_step, err);
    if (rc == BASE_OK && lag->view_step > lag->step)
        rc = measure(e, txn, sink->from, &arena, lag, err);
    base_arena_deinit(&arena);
    state_abort(txn);
    return rc;
}

uint64_t engine_alert_cursor(engine *e, uint32_t id) {
    uint64_t least = UINT64_MAX, run;
    base_error ignored;                              // then it will be read again when the sink is
    for (uint32_t i = id + 1; i < e->next_id; i++) { // what stands on it has a higher id
        const plan_object *sink = engine_catalog_by_id(e, i);
        uint64_t step;
        bool found;
        if (sink == NULL || sink->kind != PLAN_OBJECT_SINK || sink->from->id != id) continue;
        if (engine_sink_find_cursor(e, sink, &step, &found, &ignored) == BASE_OK && found &&
            step < least)
            least = step;
    }
    state_txn *txn;
    if (least == UINT64_MAX || state_begin_read(e->meta, &txn, &ignored) != BASE_OK) return least;
    if (engine_message_run(e, txn, id, least, &run, &ignored) == BASE_OK && run < least)
        least = run;
    state_abort(txn);
    return least;
}

uint64_t engine_alert_keep(uint64_t run, uint64_t cursor, uint64_t keep, uint64_t most) {
    if (cursor >= run) return keep;
    // The run at the cursor too: whether the next one is a recovery.
    uint64_t need = run - cursor + 1;
    if (need > most) need = most;
    return need > keep ? need : keep;
}
