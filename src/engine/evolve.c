// evolve.c - a stream or table whose definition has changed is taken over in place, as long as no
// event is lost and none is read differently than before.
//
// Allowed: options that do not touch what was read (owner, version, compatibility, retention, idle
// timeout, compression), comments, CHECKs (they hold at the edge, from now on), NOT NULL taken
// away, new nullable columns after the present ones; another watermark over the same event time,
// for the records from then on (finality/rules.h). Views are bound again to the new definition;
// one whose plan stays the same keeps its state, any other is dropped and made again from the log,
// as are all that read a keyed table with new columns (the table's rows are stored with all their
// columns). Everything else is refused. Entry point: apply_evolve.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/apply_int.h"
#include "engine/finality/rules.h"

static base_rc refuse(const plan_object *there, base_error *err, const char *what) {
    base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
              "%s \"%s.%s\" cannot be changed like this: %s", plan_object_kind_name(there->kind),
              there->schema, there->name, what);
    const char *kind = plan_object_kind_name(there->kind);
    base_error_hint(
        err,
        "Make a new %s with a higher version beside it, and move producers over; or, if "
        "its events may go, drop it in psql and apply the file again.",
        kind);
    return err->code;
}

static base_rc refuse_column(const plan_object *there, base_error *err, const char *column,
                             const char *what) {
    char text[256];
    snprintf(text, sizeof text, "column \"%.100s\" %s", column, what);
    return refuse(there, err, text);
}

static bool same_expr(const plan_expr *a, const plan_expr *b) {
    if (a == NULL || b == NULL) return a == b;
    return plan_expr_equal(a, b);
}

static base_rc compare_columns(const plan_object *there, const plan_object *wanted,
                               base_error *err) {
    uint32_t before = engine_declared_columns(there), after = engine_declared_columns(wanted);
    for (uint32_t i = 0; i < before; i++) {
        const plan_column *old = &there->columns[i];
        if (plan_column_find(wanted, old->name) < 0)
            return refuse_column(there, err, old->name, "would be lost");
        const plan_column *new = &wanted->columns[i];
        if (strcmp(old->name, new->name) != 0)
            return refuse_column(there, err, new->name,
                                 "stands before a present one: new columns come last");
        if (!col_type_eq(&old->type, &new->type))
            return refuse_column(there, err, old->name, "has another type");
        if (!old->not_null && new->not_null)
            return refuse_column(there, err, old->name,
                                 "becomes NOT NULL, and stored events may have no value there");
        if (!same_expr(old->default_value, new->default_value))
            return refuse_column(there, err, old->name,
                                 "has another DEFAULT, which would change stored events");
    }
    for (uint32_t i = before; i < after; i++)
        if (wanted->columns[i].not_null)
            return refuse_column(there, err, wanted->columns[i].name,
                                 "is new and NOT NULL, and stored events have no value for it");
    return BASE_OK;
}

static bool goes_by_event_time(const plan_object *object) {
    bool *used = calloc(object->ncolumns + 1, sizeof *used), others = false;
    must(used != NULL);
    plan_expr_columns(object->watermark, used);
    for (uint32_t i = 0; i < object->ncolumns; i++)
        others |= used[i] && (int32_t)i != object->event_time;
    free(used);
    return !others;
}

base_rc apply_compare(const plan_object *there, const plan_object *wanted, base_error *err) {
    base_rc rc = compare_columns(there, wanted, err);
    if (rc != BASE_OK) return rc;
    bool same_key = there->nkey == wanted->nkey;
    for (uint32_t k = 0; same_key && k < there->nkey; k++)
        same_key = there->key[k] == wanted->key[k];
    if (!same_key) return refuse(there, err, "its business key is another");
    if (there->partitions != wanted->partitions)
        return refuse(there, err, "the number of its partitions is fixed");
    if (there->event_time != wanted->event_time)
        return refuse(there, err,
                      "the event time that its watermark is of is another, and stored standing "
                      "follows from it");
    if (engine_rules_differ(there, wanted) &&
        !(goes_by_event_time(there) && goes_by_event_time(wanted)))
        return refuse(there, err, "its watermark goes, or would go, by more than the event time");
    if (there->has_sequence != wanted->has_sequence ||
        there->sequence_source != wanted->sequence_source ||
        there->sequence_number != wanted->sequence_number)
        return refuse(there, err, "its SEQUENCE is another, and gaps are known by it");
    if (there->effective_time != wanted->effective_time)
        return refuse(there, err, "its effective time is another");
    if (there->dedup_horizon_us != wanted->dedup_horizon_us)
        return refuse(there, err, "its horizon for duplicates is another");
    if (there->retractable != wanted->retractable)
        return refuse(there, err, "whether its events may be taken back is fixed");
    if (there->limits_lateness != wanted->limits_lateness ||
        there->max_lateness_us != wanted->max_lateness_us)
        return refuse(there, err, "its max_lateness is another, and state was let go by it");
    return BASE_OK;
}

static void say_change(apply *a, const plan_object *there, const plan_object *wanted) {
    base_buf text = {0};
    uint32_t before = engine_declared_columns(there), after = engine_declared_columns(wanted);
    for (uint32_t i = before; i < after; i++)
        base_buf_printf(&text, "%scolumn %s added", text.n > 0 ? ", " : "",
                        wanted->columns[i].name);
    for (uint32_t i = 0; i < before; i++)
        if (there->columns[i].not_null && !wanted->columns[i].not_null)
            base_buf_printf(&text, "%scolumn %s may be null", text.n > 0 ? ", " : "",
                            wanted->columns[i].name);
    if (there->nchecks != wanted->nchecks) {
        base_buf_printf(&text, "%sCHECKs", text.n > 0 ? ", " : "");
    } else {
        for (uint32_t i = 0; i < there->nchecks; i++) {
            if (same_expr(there->checks[i].expr, wanted->checks[i].expr)) continue;
            base_buf_printf(&text, "%sCHECK %s", text.n > 0 ? ", " : "", wanted->checks[i].name);
        }
    }
    if (engine_rules_differ(there, wanted))
        base_buf_printf(&text, "%s%.*s, for records from here on", text.n > 0 ? ", " : "",
                        BASE_STR_ARG(engine_rules_clause(wanted)));
    for (uint32_t i = 0; i < wanted->noptions; i++) {
        const char *old = plan_option_get(there, wanted->options[i].name);
        if (old != NULL && strcmp(old, wanted->options[i].value) == 0) continue;
        base_buf_printf(&text, "%s%s = '%s'", text.n > 0 ? ", " : "", wanted->options[i].name,
                        wanted->options[i].value);
    }
    for (uint32_t i = 0; i < there->noptions; i++)
        if (plan_option_get(wanted, there->options[i].name) == NULL)
            base_buf_printf(&text, "%sno %s", text.n > 0 ? ", " : "", there->options[i].name);
    if (text.n == 0) base_buf_add_cstr(&text, "its text only");
    apply_say(a, "changed %s %s.%s: %s", plan_object_kind_name(wanted->kind), wanted->schema,
              wanted->name, base_buf_cstr(&text));
    base_buf_deinit(&text);
}

// ---- what stands on it --------------------------------------------------------------------------

static bool same_columns(const plan_object *a, const plan_object *b) {
    if (a->ncolumns != b->ncolumns) return false;
    for (uint32_t i = 0; i < a->ncolumns; i++)
        if (strcmp(a->columns[i].name, b->columns[i].name) != 0 ||
            !col_type_eq(&a->columns[i].type, &b->columns[i].type))
            return false;
    return true;
}

bool engine_same_plan(const plan_object *a, const plan_object *b) {
    if (a->kind != PLAN_OBJECT_VIEW) return true;
    if (!same_columns(a, b) || a->nview_key != b->nview_key) return false;
    base_buf x = {0}, y = {0};
    flow_plan_layout(a->plan, &x);
    flow_plan_layout(b->plan, &y);
    bool same = base_str_eq(base_buf_str(&x), base_buf_str(&y));
    base_buf_deinit(&x);
    base_buf_deinit(&y);
    return same;
}

static bool reads_from(const plan_object *object, const bool *touched);

typedef struct touch {
    const bool *touched;
    bool found;
} touch;

static void visit_touched(void *arg, const plan_node *scan) {
    touch *t = arg;
    if (t->touched[scan->object->id]) t->found = true;
}

static bool reads_from(const plan_object *object, const bool *touched) {
    touch t = {touched, object->from != NULL && touched[object->from->id]};
    for (uint32_t i = 0; i < object->nuses; i++) t.found |= touched[object->uses[i]];
    if (object->plan != NULL) plan_node_scans(object->plan, visit_touched, &t);
    return t.found;
}

// An object bound again to the catalogue as it is now, with id and comments of the old one.
base_rc engine_bind_again(engine *e, const plan_object *old, plan_object **out, base_error *err) {
    sql_statement *bound;
    base_rc rc = engine_catalog_bind(e, old->schema, base_str_of(old->definition), &bound, err);
    if (rc != BASE_OK) {
        base_error_prefix(err, "\"%s.%s\"", old->schema, old->name);
        return rc;
    }
    plan_object *object = bound->object;
    object->id = old->id;
    object->definition = old->definition;
    engine_object_keep_version(object, old);
    if (old->comment != NULL) object = engine_object_with_comment(e, object, NULL, old->comment);
    for (uint32_t i = 0; i < old->ncolumns; i++)
        if (old->columns[i].comment != NULL && plan_column_find(object, old->columns[i].name) >= 0)
            object = engine_object_with_comment(e, object, old->columns[i].name,
                                                old->columns[i].comment);
    *out = object;
    return BASE_OK;
}

// Binds all that stands on the object `id` again, in memory. What can keep its state is replaced;
// the first that cannot is returned in *changed (and nothing is kept of the work).
base_rc engine_rebind_dependents(engine *e, uint32_t id, const plan_object **changed,
                                 base_error *err) {
    bool *touched = calloc(ENGINE_OBJECTS_MAX, sizeof *touched);
    const plan_object **old = calloc(ENGINE_OBJECTS_MAX, sizeof *old);
    must(touched != NULL && old != NULL);
    uint32_t n = 0;
    touched[id] = true;
    *changed = NULL;
    base_rc rc = BASE_OK;
    // Older ones may stand on it, too: a version that was promoted.
    for (uint32_t i = ENGINE_FIRST_USER_ID; rc == BASE_OK && *changed == NULL && i < e->next_id;
         i++) {
        const plan_object *object = engine_catalog_by_id(e, i);
        if (object == NULL || touched[i] || !reads_from(object, touched)) continue;
        plan_object *bound;
        rc = engine_bind_again(e, object, &bound, err);
        if (rc != BASE_OK) break;
        if (!engine_same_plan(object, bound)) {
            *changed = object;
            break;
        }
        touched[i] = true;
        old[n++] = object;
        engine_catalog_put(e, bound);
        i = ENGINE_FIRST_USER_ID - 1; // what is older may stand on this one
    }
    if (rc != BASE_OK || *changed != NULL)
        for (uint32_t i = 0; i < n; i++) engine_catalog_put(e, (plan_object *)old[i]);
    free(touched);
    free(old);
    return rc;
}

// All flows take the catalogue's present objects.
static base_rc reopen_flows(engine *e, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t f = 0; rc == BASE_OK && f < e->nflows; f++) {
        uint32_t n;
        const plan_object **views = engine_flow_views(e, e->flows[f], &n);
        rc = engine_flow_open_views(e->flows[f], n, views, err);
        free(views);
    }
    return rc;
}

// ---- the whole ----------------------------------------------------------------------------------

static base_rc drop_readers(apply *a, uint32_t id, base_error *err) {
    for (uint32_t i = ENGINE_FIRST_USER_ID; i < a->engine->next_id; i++) {
        const plan_object *object = engine_catalog_by_id(a->engine, i);
        bool touched_id = false;
        if (object != NULL) {
            bool *touched = calloc(ENGINE_OBJECTS_MAX, sizeof *touched);
            must(touched != NULL);
            touched[id] = true;
            touched_id = reads_from(object, touched);
            free(touched);
        }
        if (!touched_id) continue;
        apply_say(a, "dropped %s %s.%s, to be made again", plan_object_kind_name(object->kind),
                  object->schema, object->name);
        base_rc rc = apply_drop(a, object, true, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static bool log_was_cut(engine_stream *stream) {
    for (uint32_t p = 0; p < log_stream_partitions(stream->log); p++)
        if (log_begin(stream->log, p) > 0) return true;
    return false;
}

static base_rc take_over(apply *a, const plan_object *there, plan_object *wanted, base_error *err) {
    engine *e = a->engine;
    engine_stream *stream = engine_stream_of(e, there);
    engine_stream *logged = apply_stream_logged(a, there);
    must(stream != NULL);
    bool rebuild = engine_takes_deletes(there) && there->nkey > 0 &&
                   engine_declared_columns(there) != engine_declared_columns(wanted);
    if (rebuild && logged != NULL && log_was_cut(logged))
        return refuse(there, err,
                      "a new column means reading the table again from its log, whose beginning "
                      "retention has deleted");
    base_rc rc = rebuild ? drop_readers(a, there->id, err) : BASE_OK;
    if (rc != BASE_OK) return rc;
    engine_catalog_put(e, wanted);
    for (;;) { // each round drops one view that cannot keep its state
        const plan_object *changed;
        rc = engine_rebind_dependents(e, there->id, &changed, err);
        if (rc != BASE_OK || changed == NULL) break;
        apply_say(a, "dropped %s %s.%s, whose plan changes, to be made again",
                  plan_object_kind_name(changed->kind), changed->schema, changed->name);
        rc = apply_drop(a, changed, true, err);
        if (rc != BASE_OK) break;
    }
    if (rc == BASE_OK)
        rc = engine_rules_differ(there, wanted) ? engine_rules_change(e, there, wanted, err)
                                                : engine_catalog_store(e, wanted, err);
    if (rc != BASE_OK) {
        engine_catalog_put(e, (plan_object *)there);
        const plan_object *ignored;
        base_error second;
        if (engine_rebind_dependents(e, there->id, &ignored, &second) != BASE_OK)
            engine_say(e, ENGINE_ERROR, "%s", second.message);
    }
    const plan_object *now = engine_catalog_by_id(e, there->id);
    plat_mutex_lock(&stream->lock);
    stream->object = now;
    plat_mutex_unlock(&stream->lock);
    base_error flows_err;
    base_rc flows = reopen_flows(e, &flows_err);
    if (rc == BASE_OK && flows != BASE_OK) {
        *err = flows_err;
        rc = flows;
    }
    if (rc != BASE_OK) return rc;
    log_stream_config config = engine_log_config(now);
    config.segment_bytes = e->config.segment_bytes;
    log_stream *log;
    return log_stream_open(e->log, log_stream_name(stream->log), &config, NULL, &log, err);
}

base_rc apply_evolve(apply *a, const plan_object *there, plan_object *wanted, base_error *err) {
    base_rc rc = apply_compare(there, wanted, err);
    if (rc != BASE_OK) return rc;
    wanted->id = there->id;
    // Comments by COMMENT ON stand, unless the new text brings its own.
    if (wanted->comment == NULL && there->comment != NULL)
        wanted = engine_object_with_comment(a->engine, wanted, NULL, there->comment);
    for (uint32_t i = 0; i < engine_declared_columns(there); i++)
        if (wanted->columns[i].comment == NULL && there->columns[i].comment != NULL)
            wanted = engine_object_with_comment(a->engine, wanted, there->columns[i].name,
                                                there->columns[i].comment);
    rc = take_over(a, there, wanted, err);
    if (rc == BASE_OK) say_change(a, there, wanted);
    return rc;
}

// ---- options of views ---------------------------------------------------------------------------

// Those that say nothing of what the view shows: a view keeps its rows when one is changed.
static bool is_beside(const char *option) {
    static const char *const names[] = {"freshness", "owner", "ledger", "history"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(option, names[i]) == 0) return true;
    return false;
}

static bool options_within(const plan_object *a, const plan_object *b) {
    for (uint32_t i = 0; i < a->noptions; i++) {
        if (is_beside(a->options[i].name)) continue;
        const char *other = plan_option_get(b, a->options[i].name);
        if (other == NULL || strcmp(a->options[i].value, other) != 0) return false;
    }
    return true;
}

static bool differ_beside_only(const plan_object *there, const plan_object *wanted) {
    return there->kind == PLAN_OBJECT_VIEW && wanted->kind == PLAN_OBJECT_VIEW &&
           options_within(there, wanted) && options_within(wanted, there) &&
           there->refresh_us == wanted->refresh_us && there->lateness_us == wanted->lateness_us &&
           there->emit_on_close == wanted->emit_on_close &&
           there->window_column == wanted->window_column && engine_same_plan(there, wanted);
}

base_rc apply_view_options(apply *a, const plan_object *there, plan_object *wanted, bool *done,
                           base_error *err) {
    engine *e = a->engine;
    *done = differ_beside_only(there, wanted);
    if (!*done) return BASE_OK;
    wanted->id = there->id;
    engine_object_keep_version(wanted, there);
    if (there->comment != NULL)
        wanted = engine_object_with_comment(e, wanted, NULL, there->comment);
    for (uint32_t i = 0; i < engine_declared_columns(there); i++)
        if (there->columns[i].comment != NULL)
            wanted = engine_object_with_comment(e, wanted, there->columns[i].name,
                                                there->columns[i].comment);
    base_rc rc = engine_catalog_store(e, wanted, err);
    if (rc != BASE_OK) return rc;
    engine_catalog_put(e, wanted);
    const plan_object *changed; // none can: a reader's plan does not know of these options
    rc = engine_rebind_dependents(e, there->id, &changed, err);
    if (rc == BASE_OK) rc = reopen_flows(e, err);
    if (rc == BASE_OK) say_change(a, there, wanted);
    return rc;
}
