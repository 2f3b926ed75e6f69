// check.c - a file of statements against an empty catalogue ("weir check"): every error, not only
// the first.
//
// The statements run in an engine of their own, in memory: nothing is read from or written to disk,
// and what one statement makes the next may use. INSERTs are bound, not run. What may not stand in
// a file that is applied is an error here too. Of views whose state grows for ever it is said why
// (plan/growth.h). Entry point: engine_check.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apply_int.h"
#include "plan/growth.h"

// Line and column, from 1, of a character (from 1) of the text.
static void place_of(base_str text, int32_t position, uint32_t *line, uint32_t *column) {
    *line = *column = 1;
    int32_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool begins = ((unsigned char)text.p[i] & 0xc0) != 0x80;
        if (begins && ++n >= position) return;
        if (text.p[i] == '\n') {
            (*line)++;
            *column = 1;
        } else {
            *column += begins;
        }
    }
}

static int32_t characters_before(base_str text, const char *p) {
    int32_t n = 0;
    for (const char *q = text.p; q < p; q++) n += ((unsigned char)*q & 0xc0) != 0x80;
    return n;
}

static void report_error(base_buf *report, base_str text, const char *file, int32_t position,
                         const base_error *err) {
    uint32_t line, column;
    place_of(text, position, &line, &column);
    base_buf_printf(report, "%s:%u:%u: error: %s [%s]\n", file, line, column, err->message,
                    err->sqlstate);
    if (err->detail[0] != 0) base_buf_printf(report, "    detail: %s\n", err->detail);
    if (err->hint[0] != 0) base_buf_printf(report, "    hint: %s\n", err->hint);
}

// ---- growth ------------------------------------------------------------------------------------

typedef struct checking {
    base_str text;
    const char *file;
    base_buf *report;
    size_t nerrors;
    bool warn;
} checking;

// The line up to what is said: what grows with each row is a warning, what grows more slowly a
// note.
static void begin_growth(const checking *c, int32_t position, plan_growth growth,
                         const plan_object *object) {
    uint32_t line, column;
    place_of(c->text, position, &line, &column);
    base_buf_printf(c->report, "%s:%u:%u: %s: %s %s.%s", c->file, line, column,
                    growth == PLAN_GROWTH_ROWS ? "warning" : "note",
                    object->kind == PLAN_OBJECT_STREAM ? "stream" : "materialized view",
                    object->schema, object->name);
}

static void end_growth(const checking *c, plan_growth growth, const plan_object *cause,
                       const char *hint) {
    base_buf_printf(c->report, ": %s", plan_growth_text(growth));
    if (cause != NULL && growth != PLAN_GROWTH_WINDOWS)
        base_buf_printf(c->report, " of %s.%s", cause->schema, cause->name);
    base_buf_add_byte(c->report, '\n');
    if (hint != NULL) base_buf_printf(c->report, "    hint: %s\n", hint);
}

typedef struct growths {
    const checking *c;
    int32_t position;
    const plan_object *view;
    const plan_states *states;
    bool *seen;
    const plan_node *worst; // of those that grow, the first that grows fastest
} growths;

static void report_node(const growths *g, const plan_node *node, const char *hint) {
    const plan_state *state = &g->states->by_id[node->id];
    begin_growth(g->c, g->position, state->state, g->view);
    base_buf_printf(g->c->report, ": %s keeps %s", plan_node_kind_name(node->kind), state->keeps);
    end_growth(g->c, state->state, state->state_cause, hint);
}

static void report_nodes(growths *g, const plan_node *node) {
    if (g->seen[node->id]) return;
    g->seen[node->id] = true;
    for (uint32_t i = 0; i < node->ninputs; i++) report_nodes(g, node->inputs[i]);
    const plan_state *state = &g->states->by_id[node->id];
    bool scan = node->kind == PLAN_NODE_SCAN; // the stream's own matter
    if (scan || state->keeps == NULL || plan_growth_is_bounded(state->state)) return;
    if (state->state == PLAN_GROWTH_ROWS) report_node(g, node, state->hint);
    if (g->worst == NULL || state->state > g->states->by_id[g->worst->id].state) g->worst = node;
}

// All that grows with each row, or else the first that grows fastest. The view's own rows are
// spoken of where no operator under them grows as fast.
static void report_view(const checking *c, int32_t position, const plan_object *view,
                        base_arena *arena) {
    plan_states states = plan_growth_of(arena, view->plan);
    growths g = {c, position, view, &states, base_arena_array(arena, bool, states.n), NULL};
    report_nodes(&g, view->plan);
    const plan_state *root = &states.by_id[view->plan->id];
    plan_growth worst = g.worst == NULL ? PLAN_GROWTH_NONE : states.by_id[g.worst->id].state;
    if (!plan_growth_is_bounded(worst) && worst >= root->rows) {
        if (worst < PLAN_GROWTH_ROWS) report_node(&g, g.worst, NULL);
        return;
    }
    if (plan_growth_is_bounded(root->rows)) return;
    begin_growth(c, position, root->rows, view);
    base_buf_add_cstr(c->report, " keeps its rows");
    end_growth(c, root->rows, root->cause,
               root->rows == PLAN_GROWTH_ROWS ? plan_growth_hint : NULL);
}

static void report_growth(const checking *c, int32_t position, const plan_object *object,
                          base_arena *arena) {
    if (object->kind == PLAN_OBJECT_VIEW) {
        report_view(c, position, object, arena);
    } else if (object->kind == PLAN_OBJECT_STREAM && object->nkey > 0 &&
               plan_growth_of_keys(object) == PLAN_GROWTH_ROWS) {
        begin_growth(c, position, PLAN_GROWTH_ROWS, object);
        base_buf_add_cstr(c->report, " keeps every business key, to tell duplicates");
        end_growth(c, PLAN_GROWTH_ROWS, NULL, plan_growth_keys_hint(object));
    }
}

// ---- statements --------------------------------------------------------------------------------

// made: the stream or view that the statement has made, or NULL.
static base_rc check_statement(engine_session *session, base_str statement, int32_t offset,
                               base_arena *arena, const plan_object **made, base_error *err) {
    *made = NULL;
    plan_catalog catalog = engine_plan_catalog(session->engine);
    sql_session bind_session = {&catalog, session->schema, plat_wall_us(session->engine->plat),
                                session->zone};
    sql_statement *bound;
    base_rc rc = sql_bind(arena, &bind_session, statement, offset, 0, NULL, &bound, err);
    if (rc != BASE_OK) return rc;
    engine_prepared *prepared;
    rc = engine_prepare(session, arena, statement, offset, 0, NULL, &prepared, err);
    if (rc == BASE_OK) rc = apply_allows(bound->kind, err);
    if (rc != BASE_OK) return rc;
    switch (bound->kind) {
    case SQL_CREATE_SCHEMA:
    case SQL_CREATE_STREAM:
    case SQL_CREATE_TABLE:
    case SQL_CREATE_VIEW:
    case SQL_CREATE_SINK:
    case SQL_CREATE_RECONCILIATION:
    case SQL_COMMENT:
    case SQL_SET:
    case SQL_RESET: {
        engine_result result;
        rc = engine_execute(session, prepared, NULL, arena, &result, err);
        if (rc == BASE_OK) *made = bound->object;
        return rc;
    }
    default:
        return BASE_OK;
    }
}

// Where the statement's first word stands, after blanks and comments: for errors without a place.
static int32_t first_character(base_str text, base_str statement) {
    size_t i = 0;
    while (i < statement.n) {
        if (statement.p[i] == ' ' || (statement.p[i] >= '\t' && statement.p[i] <= '\r')) {
            i++;
        } else if (i + 1 < statement.n && statement.p[i] == '-' && statement.p[i + 1] == '-') {
            while (i < statement.n && statement.p[i] != '\n') i++;
        } else {
            break;
        }
    }
    return characters_before(text, statement.p + i) + 1;
}

static void check_text(engine *e, checking *c) {
    engine_session session;
    engine_session_init(&session, e);
    base_arena arena, scratch;
    base_arena_init(&arena, 1 << 14);
    base_arena_init(&scratch, 1 << 16);
    base_str *statements;
    size_t n;
    base_error one = {0};
    if (engine_split(&arena, c->text, &n, &statements, &one) != BASE_OK) {
        report_error(c->report, c->text, c->file, one.position, &one);
        c->nerrors++;
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        base_arena_reset(&scratch);
        base_error_clear(&one);
        const plan_object *made;
        base_rc rc =
            check_statement(&session, statements[i], characters_before(c->text, statements[i].p),
                            &scratch, &made, &one);
        int32_t first = first_character(c->text, statements[i]);
        if (rc == BASE_OK) {
            if (c->warn && made != NULL) report_growth(c, first, made, &scratch);
            continue;
        }
        report_error(c->report, c->text, c->file, one.position > 0 ? one.position : first, &one);
        c->nerrors++;
    }
    base_arena_deinit(&arena);
    base_arena_deinit(&scratch);
}

base_rc engine_check(base_str text, const char *file, bool warn, base_buf *report, size_t *nerrors,
                     base_error *err) {
    checking c = {text, file, report, 0, warn};
    engine_scratch scratch;
    base_rc rc = engine_scratch_open(&scratch, err);
    if (rc == BASE_OK) check_text(scratch.engine, &c);
    engine_scratch_close(&scratch);
    *nerrors = c.nerrors;
    return rc;
}
