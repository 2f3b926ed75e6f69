// remedy.c - the life of a remedy: planned, perhaps waited for, appended, visible. Entry points:
// engine_remedy_after, engine_remedy_before, engine_remedy_decide, engine_remedies_resume.
//
// Invariants: the plan, with the ends of the logs, is durable before its first record; a record's
// origin and number say which action it is, so what the logs have from those ends on is what was
// done, whatever the crash; what they lack is appended, in order. A record that breaks the contract
// stands in the quarantine's log with the same headers. So a plan is carried out once. The outcome
// of each action is read from the logs too.
#include "engine/recon/decision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define LOOK_US    20000 // a wait looks about so often
#define VISIBLE_US (60 * BASE_US_PER_SECOND)
// The thread of the schedules has other things to do: it looks again a second later.
#define SCHEDULE_VISIBLE_US BASE_US_PER_SECOND
#define REFUSED             "refused: "
#define QUARANTINE_KEY      'q'

// ---- one at a time ------------------------------------------------------------------------------

// The reconciliation, and what it appends to: two that both find a fact missing must not both
// append it.
static bool take(engine *e, const plan_object *r) {
    uint32_t at[2], n = 0;
    for (uint32_t i = 0; i < ENGINE_REMEDIES_BUSY; i++) {
        uint32_t id = e->remedies_busy[i];
        if (id == r->id || id == r->remedy->into->id) return false;
        if (id == 0 && n < 2) at[n++] = i;
    }
    if (n < 2) return false;
    e->remedies_busy[at[0]] = r->id;
    e->remedies_busy[at[1]] = r->remedy->into->id;
    return true;
}

bool engine_remedy_try(engine *e, const plan_object *r) {
    plat_mutex_lock(&e->remedies_lock);
    bool taken = take(e, r);
    plat_mutex_unlock(&e->remedies_lock);
    return taken;
}

bool engine_remedy_begin(engine *e, const engine_session *session, const plan_object *r) {
    plat_mutex_lock(&e->remedies_lock);
    bool taken = take(e, r), stop = false;
    while (!taken && !stop) {
        plat_cond_wait_for(&e->remedy_ended, &e->remedies_lock, LOOK_US);
        int64_t now_us = (int64_t)(plat_monotonic_ns(e->plat) / 1000);
        stop = e->closing ||
               (session != NULL &&
                (session->cancel || (session->deadline_us > 0 && now_us > session->deadline_us)));
        if (!stop) taken = take(e, r);
    }
    plat_mutex_unlock(&e->remedies_lock);
    return taken;
}

void engine_remedy_end(engine *e, const plan_object *r) {
    plat_mutex_lock(&e->remedies_lock);
    for (uint32_t i = 0; i < ENGINE_REMEDIES_BUSY; i++)
        if (e->remedies_busy[i] == r->id || e->remedies_busy[i] == r->remedy->into->id)
            e->remedies_busy[i] = 0;
    plat_cond_broadcast(&e->remedy_ended);
    plat_mutex_unlock(&e->remedies_lock);
}

// ---- what the logs have of a plan ---------------------------------------------------------------

typedef struct applying {
    engine *engine;
    const plan_object *r, *into;
    engine_stream *stream;
    engine_remedy_plan *plan;
    base_arena *arena;
    uint8_t *done; // an action each
} applying;

static log_stream *quarantine_of(engine_stream *stream) {
    plat_mutex_lock(&stream->lock);
    log_stream *log = stream->quarantine;
    plat_mutex_unlock(&stream->lock);
    return log;
}

static const char *ends_text(base_arena *arena, engine_stream *stream) {
    base_buf buf = {0};
    for (uint32_t p = 0; p < log_stream_partitions(stream->log); p++)
        base_buf_printf(&buf, "%u:%llu ", p, (unsigned long long)log_end(stream->log, p));
    log_stream *bad = quarantine_of(stream);
    base_buf_printf(&buf, "%c:%llu", QUARANTINE_KEY,
                    (unsigned long long)(bad == NULL ? 0 : log_end(bad, 0)));
    char *text = base_arena_memdup(arena, buf.p, buf.n);
    base_buf_deinit(&buf);
    return text;
}

// The end that was noted of a partition, or of the quarantine (UINT32_MAX).
static uint64_t begin_of(const engine_remedy_plan *plan, uint32_t partition) {
    char word[16];
    const char *at = plan->begins;
    int n = partition == UINT32_MAX ? snprintf(word, sizeof word, "%c:", QUARANTINE_KEY)
                                    : snprintf(word, sizeof word, "%u:", partition);
    while (at != NULL && strncmp(at, word, (size_t)n) != 0) {
        at = strchr(at, ' ');
        if (at != NULL) at++;
    }
    return at == NULL ? 0 : strtoull(at + n, NULL, 10);
}

// The action that a record's headers say; 0: none of this plan.
static uint64_t action_of(const applying *a, base_str headers, base_str *cause) {
    base_str name, value;
    bool ours = false;
    uint64_t number = 0;
    *cause = (base_str){"", 0};
    for (size_t at = 0; headers.n > 0 && log_headers_next(headers, &at, &name, &value);) {
        if (base_str_eq(name, BASE_STR(ENGINE_HEADER_ORIGIN)))
            ours = base_str_eq(value, base_str_of(a->plan->origin));
        if (base_str_eq(name, BASE_STR("cause"))) *cause = value;
        if (!base_str_eq(name, BASE_STR(ENGINE_HEADER_REMEDY))) continue;
        number = 0;
        for (size_t i = 0; i < value.n && i < 9 && value.p[i] >= '0' && value.p[i] <= '9'; i++)
            number = number * 10 + (uint64_t)(value.p[i] - '0');
    }
    return ours && number <= a->plan->nactions ? number : 0;
}

static void note_record(applying *a, const log_batch *batch, uint32_t i, uint32_t partition) {
    base_str cause;
    uint64_t number = action_of(a, log_batch_headers(batch, i), &cause);
    if (number == 0 || a->done[number - 1]) return;
    a->done[number - 1] = 1;
    bool bad = partition == UINT32_MAX;
    char *text = bad ? base_arena_printf(a->arena, REFUSED "%.*s", BASE_STR_ARG(cause))
                     : base_arena_printf(a->arena, "%u/%llu", partition,
                                         (unsigned long long)(batch->base_offset + i));
    a->plan->actions[number - 1].outcome = base_str_of(text);
}

static base_rc scan_log(applying *a, log_stream *log, uint32_t partition, base_error *err) {
    bool bad = partition == UINT32_MAX;
    uint32_t p = bad ? 0 : partition;
    uint64_t from = begin_of(a->plan, partition);
    // What another attempt appended may not be durable yet, and readers end before it.
    base_rc rc = log_sync(log, p, err);
    if (rc != BASE_OK) return rc;
    if (from < log_begin(log, p)) from = log_begin(log, p);
    if (from >= log_end(log, p)) return BASE_OK;
    log_reader *reader = NULL;
    rc = log_reader_open(log, p, from, &reader, err);
    while (rc == BASE_OK) {
        log_batch batch;
        bool end;
        rc = log_reader_next(reader, &batch, &end, err);
        if (rc != BASE_OK || end) break;
        if (engine_batch_is_control(&batch)) continue;
        for (uint32_t i = 0; i < batch.count; i++)
            if (batch.base_offset + i >= from) note_record(a, &batch, i, partition);
    }
    if (reader != NULL) log_reader_close(reader);
    return rc;
}

static base_rc scan(applying *a, base_error *err) {
    memset(a->done, 0, a->plan->nactions);
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < log_stream_partitions(a->stream->log); p++)
        rc = scan_log(a, a->stream->log, p, err);
    log_stream *bad = quarantine_of(a->stream);
    if (rc == BASE_OK && bad != NULL) rc = scan_log(a, bad, UINT32_MAX, err);
    return rc;
}

// ---- appending ----------------------------------------------------------------------------------

static bool acts(const engine_remedy_action *action) {
    return action->verb == ENGINE_REMEDY_APPEND || action->verb == ENGINE_REMEDY_RETRACT;
}

// What the logs do not have yet, in order.
static base_rc append(applying *a, base_error *err) {
    const engine_remedy_plan *plan = a->plan;
    base_str *docs = base_arena_array(a->arena, base_str, plan->nactions + 1);
    base_str *headers = base_arena_array(a->arena, base_str, plan->nactions + 1);
    size_t n = 0;
    base_buf header = {0};
    for (uint32_t i = 0; i < plan->nactions; i++) {
        if (!acts(&plan->actions[i]) || a->done[i]) continue;
        char number[16];
        snprintf(number, sizeof number, "%u", i + 1);
        base_buf_clear(&header);
        log_headers_add(&header, BASE_STR(ENGINE_HEADER_ORIGIN), base_str_of(plan->origin));
        log_headers_add(&header, BASE_STR(ENGINE_HEADER_REMEDY), base_str_of(number));
        docs[n] = plan->actions[i].record;
        headers[n++] = (base_str){base_arena_memdup(a->arena, header.p, header.n), header.n};
    }
    base_buf_deinit(&header);
    engine_ingest_result result;
    if (n == 0) return BASE_OK;
    return engine_ingest_docs(a->engine, a->into, n, docs, headers, "reconciliation", a->arena,
                              &result, err);
}

static void count(engine_remedy_plan *plan) {
    plan->appended = plan->retracted = plan->refused = plan->unresolved = 0;
    for (uint32_t i = 0; i < plan->nactions; i++) {
        const engine_remedy_action *action = &plan->actions[i];
        if (action->verb == ENGINE_REMEDY_GONE)
            continue;
        else if (!acts(action))
            plan->unresolved++;
        else if (base_str_starts(action->outcome, BASE_STR(REFUSED)))
            plan->refused++;
        else if (action->verb == ENGINE_REMEDY_APPEND)
            plan->appended++;
        else
            plan->retracted++;
    }
}

static base_rc carry_out(applying *a, base_error *err) {
    a->done = base_arena_array(a->arena, uint8_t, a->plan->nactions + 1);
    base_rc rc = scan(a, err);
    if (rc == BASE_OK) rc = append(a, err);
    if (rc == BASE_OK) rc = scan(a, err);
    for (uint32_t i = 0; rc == BASE_OK && i < a->plan->nactions; i++)
        if (acts(&a->plan->actions[i]) && !a->done[i])
            rc = base_fail(err, BASE_E_CORRUPT, NULL,
                           "action %u of %s is neither in the log nor refused", i + 1,
                           a->plan->origin);
    if (rc != BASE_OK) return rc;
    count(a->plan);
    a->plan->state = ENGINE_REMEDY_APPENDED;
    return engine_remedy_put(a->engine, a->r, a->plan, NULL, 0, err);
}

// ---- going on -----------------------------------------------------------------------------------

// Of events a run reads the log itself. Of figures it must not begin before its view has them, so
// there what fails here fails the run.
static base_rc wait_until_visible(engine *e, const engine_session *session, const plan_object *r,
                                  engine_remedy_plan *plan, base_error *err) {
    volatile bool *cancel = session == NULL ? NULL : &((engine_session *)session)->cancel;
    base_error why = {0};
    base_rc rc = engine_flush(e, session == NULL ? SCHEDULE_VISIBLE_US : VISIBLE_US, cancel, &why);
    if (rc == BASE_E_CANCELLED || (rc != BASE_OK && r->from->kind == PLAN_OBJECT_VIEW)) {
        if (err != NULL) *err = why;
        base_error_prefix(err, "what run %llu appended is not visible yet",
                          (unsigned long long)plan->run);
        return rc;
    }
    plan->state = ENGINE_REMEDY_APPLIED;
    plan->applied_us = plat_wall_us(e->plat);
    // Of what no person decided the run's own message tells.
    int said = plan->decided_by == NULL ? 0 : ENGINE_MESSAGE_APPLIED;
    return engine_remedy_put(e, r, plan, NULL, said, err);
}

// From approved on. plan has its actions.
static base_rc go_on(engine *e, const engine_session *session, const plan_object *r,
                     engine_remedy_plan *plan, base_arena *arena, base_error *err) {
    base_rc rc = BASE_OK;
    if (plan->state == ENGINE_REMEDY_APPROVED) {
        applying a = {.engine = e, .r = r, .plan = plan, .arena = arena};
        a.into = engine_catalog_by_id(e, plan->into);
        a.stream = a.into == NULL ? NULL : engine_stream_hold(e, a.into);
        if (a.stream == NULL)
            return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                             "the stream that run %llu appends to is gone",
                             (unsigned long long)plan->run);
        rc = carry_out(&a, err);
        engine_stream_release(a.stream);
    }
    if (rc == BASE_OK && plan->state == ENGINE_REMEDY_APPENDED)
        rc = wait_until_visible(e, session, r, plan, err);
    if (rc != BASE_OK) atomic_store(&e->remedies_due, true);
    return rc;
}

static bool is_open(const engine_remedy_plan *plan) {
    return plan != NULL &&
           (plan->state == ENGINE_REMEDY_APPROVED || plan->state == ENGINE_REMEDY_APPENDED);
}

base_rc engine_remedy_before(engine *e, const engine_session *session, const plan_object *r,
                             base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    engine_remedy_plan *plan;
    base_rc rc = engine_remedy_newest(e, r->id, false, &arena, &plan, err);
    if (rc == BASE_OK && is_open(plan)) {
        if (plan->state == ENGINE_REMEDY_APPROVED)
            engine_say(e, ENGINE_INFO, "reconciliation %s.%s: goes on with the remedy of run %llu",
                       r->schema, r->name, (unsigned long long)plan->run);
        rc = engine_remedy_newest(e, r->id, true, &arena, &plan, err);
        if (rc == BASE_OK) rc = go_on(e, session, r, plan, &arena, err);
    }
    base_arena_deinit(&arena);
    return rc;
}

void engine_remedies_resume(engine *e, const plan_object *r) {
    if (r->remedy == NULL) return;
    if (!engine_remedy_try(e, r)) { // whoever has it may wait for this thread's sake
        atomic_store(&e->remedies_due, true);
        return;
    }
    base_error err = {0};
    base_rc rc = engine_remedy_before(e, NULL, r, &err);
    if (rc != BASE_OK && rc != BASE_E_CANCELLED) // not visible yet: weir.flows says why
        engine_say(e, ENGINE_WARNING, "reconciliation %s.%s: its remedy: %s", r->schema, r->name,
                   err.message);
    engine_remedy_end(e, r);
    engine_notify_listeners(e);
}

// ---- limits -------------------------------------------------------------------------------------

// Why a person is to be asked; NULL: nobody is.
static const char *above_limits(const engine_recon *x, const engine_remedy_plan *plan,
                                bool clock_is_good) {
    uint64_t keys = plan->keys;
    double total = plan->total;
    const plan_remedy *remedy = x->r->remedy;
    const engine_recon_run *run = x->run;
    base_arena *arena = x->arena;
    uint64_t compared = run->matched + run->missing + run->unexpected + run->differing +
                        run->duplicate + run->pending;
    double percent = compared == 0 ? 0 : 100.0 * (double)keys / (double)compared;
    char limit[BASE_DECIMAL_TEXT_MAX];
    if (!x->r->settles) return "it has no SETTLE: what was found may be on its way";
    if (!clock_is_good) return "the clock was put forward: what has settled cannot be told";
    if (run->record_rows == 0 && run->view_rows > 0) return "the book is empty";
    if (run->findings.unlisted > 0)
        return base_arena_printf(arena, "%llu findings more than are kept",
                                 (unsigned long long)run->findings.unlisted);
    if (remedy->limit_rows >= 0 && keys > (uint64_t)remedy->limit_rows)
        return base_arena_printf(arena, "%llu rows, limit %lld", (unsigned long long)keys,
                                 (long long)remedy->limit_rows);
    if (base_decimal_sign(remedy->limit_percent) >= 0 &&
        percent > base_decimal_to_double(remedy->limit_percent)) {
        base_decimal_format(remedy->limit_percent, limit);
        return base_arena_printf(arena, "%.4g percent of %llu keys, limit %s", percent,
                                 (unsigned long long)compared, limit);
    }
    if (base_decimal_sign(remedy->limit_total) >= 0 &&
        !(total <= base_decimal_to_double(remedy->limit_total))) {
        base_decimal_format(remedy->limit_total, limit);
        return base_arena_printf(arena, "a change of %.15g in total, limit %s", total, limit);
    }
    return NULL;
}

// ---- after a run --------------------------------------------------------------------------------

static base_rc begin_applying(engine *e, engine_remedy_plan *plan, base_arena *arena,
                              base_error *err) {
    const plan_object *into = engine_catalog_by_id(e, plan->into);
    engine_stream *stream = into == NULL ? NULL : engine_stream_hold(e, into);
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "the stream that run %llu appends to is gone",
                         (unsigned long long)plan->run);
    plan->begins = ends_text(arena, stream);
    engine_stream_release(stream);
    plan->state = ENGINE_REMEDY_APPROVED;
    return BASE_OK;
}

base_rc engine_remedy_after(engine_recon *x, base_error *err) {
    engine *e = x->engine;
    engine_remedy_plan *before;
    base_rc rc = engine_remedy_newest(e, x->r->id, true, x->arena, &before, err);
    if (rc != BASE_OK) return rc;
    engine_remedy_plan plan = {.run = x->run->run, .into = x->r->remedy->into->id};
    plan.origin = base_arena_printf(x->arena, "reconciliation %s.%s run %llu", x->r->schema,
                                    x->r->name, (unsigned long long)plan.run);
    rc = engine_remedy_make(x, before, &plan, err);
    if (rc != BASE_OK) return rc;
    plan.state = ENGINE_REMEDY_CLEAN;
    count(&plan);
    bool clock_is_good = engine_recon_clock_is_good(e, x->r);
    if (plan.keys > 0) {
        plan.waits_for = above_limits(x, &plan, clock_is_good);
        plan.state = ENGINE_REMEDY_WAITING;
        if (plan.waits_for == NULL) rc = begin_applying(e, &plan, x->arena, err);
    }
    // What is planned is not done yet.
    plan.appended = plan.retracted = 0;
    if (before != NULL && before->state == ENGINE_REMEDY_WAITING)
        before->state = ENGINE_REMEDY_SUPERSEDED;
    else
        before = NULL;
    if (before != NULL) before->nactions = 0; // they stay as they are
    if (rc == BASE_OK) rc = engine_remedy_put(e, x->r, &plan, before, 0, err);
    if (rc != BASE_OK) return rc;
    if (plan.state == ENGINE_REMEDY_WAITING)
        engine_say(e, ENGINE_WARNING,
                   "reconciliation %s.%s run %llu waits for APPROVE RECONCILIATION: %s",
                   x->r->schema, x->r->name, (unsigned long long)plan.run, plan.waits_for);
    if (plan.state != ENGINE_REMEDY_APPROVED) return BASE_OK;
    rc = go_on(e, x->spec.session, x->r, &plan, x->arena, err);
    // A scheduled run does not wait long; the next one does not begin before it is visible.
    bool later = rc == BASE_E_CANCELLED && x->spec.session == NULL;
    return later && plan.state == ENGINE_REMEDY_APPENDED ? BASE_OK : rc;
}

// ---- APPROVE, REJECT ----------------------------------------------------------------------------

static base_rc check_decision(const plan_object *r, const engine_remedy_plan *plan, uint64_t run,
                              bool approve, base_error *err) {
    if (run == 0 && (plan == NULL || plan->state == ENGINE_REMEDY_CLEAN)) {
        base_fail(err, BASE_E_INVALID, "55000",
                  "no run of reconciliation \"%s.%s\" waits for a decision", r->schema, r->name);
        if (r->remedy == NULL)
            base_error_hint(err, "It has no ON MISMATCH BACKFILL or CORRECT: it finds and lists.");
        return BASE_E_INVALID;
    }
    if (plan == NULL || (run != 0 && plan->run != run)) {
        base_fail(err, BASE_E_INVALID, "55000",
                  "run %llu of reconciliation \"%s.%s\" does not wait", (unsigned long long)run,
                  r->schema, r->name);
        if (plan != NULL)
            base_error_hint(err, "Its newest run is %llu: what is found anew is planned anew.",
                            (unsigned long long)plan->run);
        return BASE_E_INVALID;
    }
    // Who rejected may have erred.
    if (plan->state == ENGINE_REMEDY_WAITING || (approve && plan->state == ENGINE_REMEDY_REJECTED))
        return BASE_OK;
    return base_fail(err, BASE_E_INVALID, "55000",
                     "run %llu of reconciliation \"%s.%s\" does not wait: its remedy is \"%s\"",
                     (unsigned long long)plan->run, r->schema, r->name,
                     engine_remedy_state_name(plan->state));
}

static base_rc decide(engine_session *session, const plan_object *r, uint64_t run, bool approve,
                      base_arena *arena, base_error *err) {
    engine *e = session->engine;
    engine_remedy_plan *plan;
    base_rc rc = engine_remedy_newest(e, r->id, true, arena, &plan, err);
    if (rc == BASE_OK) rc = check_decision(r, plan, run, approve, err);
    if (rc == BASE_OK && approve) rc = engine_remedy_recheck(e, session, r, plan, arena, err);
    if (rc != BASE_OK) return rc;
    plan->decided_by = session->user;
    plan->decided_us = plat_wall_us(e->plat);
    plan->state = ENGINE_REMEDY_REJECTED;
    if (approve) rc = begin_applying(e, plan, arena, err);
    int said = approve ? ENGINE_MESSAGE_APPROVED : ENGINE_MESSAGE_REJECTED;
    if (rc == BASE_OK) rc = engine_remedy_put(e, r, plan, NULL, said, err);
    if (rc == BASE_OK) {
        engine_say(e, ENGINE_INFO, "reconciliation %s.%s run %llu was %s by %s", r->schema, r->name,
                   (unsigned long long)plan->run, approve ? "approved" : "rejected",
                   plan->decided_by);
        engine_notify_listeners(e); // sinks that tell of it
    }
    return rc == BASE_OK && approve ? go_on(e, session, r, plan, arena, err) : rc;
}

base_rc engine_remedy_decide(engine_session *session, const plan_object *r, uint64_t run,
                             bool approve, base_error *err) {
    if (r->remedy == NULL) return check_decision(r, NULL, run, approve, err);
    if (!engine_remedy_begin(session->engine, session, r))
        return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_rc rc = decide(session, r, run, approve, &arena, err);
    base_arena_deinit(&arena);
    engine_remedy_end(session->engine, r);
    engine_notify_listeners(session->engine);
    return rc;
}
