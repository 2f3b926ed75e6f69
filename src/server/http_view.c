// http_view.c - GET /v1/views/SCHEMA.NAME: a view's rows, filtered, sorted and cut by the query
// string, as JSON or CSV, with its standing.
//
// Invariant: names in the SQL that is made come from the catalogue and are quoted; values are
// parameters, or numbers written by us. Entry point: http_view.

#include <stdio.h>
#include <string.h>

#include "server/http_int.h"

typedef struct view_query {
    http_request *request;
    const plan_object *object;
    base_buf sql;
    uint32_t nfilters, nparams;
    col_type *types;  // of parameters
    base_str *values; // their texts
} view_query;

static void add_name(base_buf *sql, const char *name) {
    base_buf_add_byte(sql, '"');
    for (const char *p = name; *p != 0; p++) {
        if (*p == '"') base_buf_add_byte(sql, '"');
        base_buf_add_byte(sql, (uint8_t)*p);
    }
    base_buf_add_byte(sql, '"');
}

static base_rc find_column(const plan_object *object, base_str name, const plan_column **out,
                           base_error *err) {
    for (uint32_t i = 0; i < object->ncolumns; i++)
        if (base_str_eq(name, base_str_of(object->columns[i].name))) {
            *out = &object->columns[i];
            return BASE_OK;
        }
    bool utf8 = base_utf8_valid_prefix(name) == name.n;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_COLUMN,
                     "%s.%s has no column \"%.*s\"", object->schema, object->name,
                     utf8 ? (int)(name.n < 100 ? name.n : 100) : 1, utf8 ? name.p : "?");
}

// The part of text before a separator; text is moved behind it.
static base_str cut(base_str *text, char separator) {
    const char *at = text->n == 0 ? NULL : memchr(text->p, separator, text->n);
    size_t n = at == NULL ? text->n : (size_t)(at - text->p);
    base_str head = {text->p, n};
    size_t used = at == NULL ? n : n + 1;
    *text = (base_str){text->p + used, text->n - used};
    return head;
}

static base_rc add_select(view_query *q, base_error *err) {
    const plan_object *object = q->object;
    const http_pair *select = http_arg(q->request, "select");
    base_buf_add_cstr(&q->sql, "SELECT ");
    if (select == NULL) {
        static const char *const standing[] = {"_status", "_revision", "_updated_at"};
        uint32_t n = 0;
        for (uint32_t i = 0; i < object->ncolumns; i++) {
            const plan_column *column = &object->columns[i];
            bool wanted = !column->hidden;
            for (size_t k = 0; k < 3; k++) wanted = wanted || !strcmp(column->name, standing[k]);
            if (!wanted) continue;
            if (n++ > 0) base_buf_add_cstr(&q->sql, ", ");
            add_name(&q->sql, column->name);
        }
        return BASE_OK;
    }
    base_str rest = select->value;
    for (uint32_t n = 0; n == 0 || rest.n > 0; n++) {
        const plan_column *column;
        base_rc rc = find_column(object, base_str_trim(cut(&rest, ',')), &column, err);
        if (rc != BASE_OK) return rc;
        if (n > 0) base_buf_add_cstr(&q->sql, ", ");
        add_name(&q->sql, column->name);
    }
    return BASE_OK;
}

static base_rc add_filter(view_query *q, const http_pair *arg, base_error *err) {
    static const struct {
        const char *word, *sql;
    } operators[] = {{"eq.", " = "},  {"ne.", " <> "}, {"gt.", " > "},
                     {"ge.", " >= "}, {"lt.", " < "},  {"le.", " <= "}};
    const plan_column *column;
    base_rc rc = find_column(q->object, arg->name, &column, err);
    if (rc != BASE_OK) return rc;
    base_buf_add_cstr(&q->sql, q->nfilters++ > 0 ? " AND " : " WHERE ");
    add_name(&q->sql, column->name);
    bool is_null = base_str_eq(arg->value, BASE_STR("is.null"));
    if (is_null || base_str_eq(arg->value, BASE_STR("is.notnull"))) {
        base_buf_add_cstr(&q->sql, is_null ? " IS NULL" : " IS NOT NULL");
        return BASE_OK;
    }
    base_str value = arg->value;
    const char *compare = " = ";
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (base_str_starts(arg->value, base_str_of(operators[i].word))) {
            compare = operators[i].sql;
            value = (base_str){arg->value.p + 3, arg->value.n - 3};
            break;
        }
    if (column->type.kind == COL_STRUCT)
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "column \"%s\" is a struct: filters compare plain values", column->name);
    q->types[q->nparams] = col_type_of(column->type.kind); // no precision: 1.005 may be compared
    q->values[q->nparams] = value;
    base_buf_printf(&q->sql, "%s$%u", compare, ++q->nparams);
    return BASE_OK;
}

static bool reserved(base_str name) {
    static const char *const names[] = {"select", "order", "limit",          "offset",
                                        "format", "as_of", "effective_as_of"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (base_str_eq(name, base_str_of(names[i]))) return true;
    return false;
}

static base_rc add_order(view_query *q, base_error *err) {
    const http_pair *order = http_arg(q->request, "order");
    if (order == NULL) return BASE_OK;
    base_str rest = order->value;
    for (uint32_t n = 0; n == 0 || rest.n > 0; n++) {
        base_str item = base_str_trim(cut(&rest, ','));
        bool descending = item.n > 5 && memcmp(item.p + item.n - 5, ".desc", 5) == 0;
        bool ascending = item.n > 4 && memcmp(item.p + item.n - 4, ".asc", 4) == 0;
        item.n -= descending ? 5 : ascending ? 4 : 0;
        const plan_column *column;
        base_rc rc = find_column(q->object, item, &column, err);
        if (rc != BASE_OK) return rc;
        base_buf_add_cstr(&q->sql, n == 0 ? " ORDER BY " : ", ");
        add_name(&q->sql, column->name);
        if (descending) base_buf_add_cstr(&q->sql, " DESC NULLS LAST");
    }
    return BASE_OK;
}

static base_rc add_number(view_query *q, const char *name, const char *sql, base_error *err) {
    const http_pair *arg = http_arg(q->request, name);
    uint64_t value;
    if (arg == NULL) return BASE_OK;
    if (!http_parse_u64(arg->value, &value) || value > INT64_MAX)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "%s must be a whole number that is not negative", name);
    base_buf_printf(&q->sql, " %s %llu", sql, (unsigned long long)value);
    return BASE_OK;
}

static base_rc build(view_query *q, base_error *err) {
    base_arena *arena = &q->request->arena;
    q->types = base_arena_array(arena, col_type, q->request->nargs + 1);
    q->values = base_arena_array(arena, base_str, q->request->nargs + 1);
    base_rc rc = add_select(q, err);
    if (rc != BASE_OK) return rc;
    base_buf_add_cstr(&q->sql, " FROM ");
    add_name(&q->sql, q->object->schema);
    base_buf_add_byte(&q->sql, '.');
    add_name(&q->sql, q->object->name);
    for (size_t i = 0; rc == BASE_OK && i < q->request->nargs; i++)
        if (!reserved(q->request->args[i].name)) rc = add_filter(q, &q->request->args[i], err);
    if (rc == BASE_OK) rc = add_order(q, err);
    if (rc == BASE_OK) rc = add_number(q, "limit", "LIMIT", err);
    if (rc == BASE_OK) rc = add_number(q, "offset", "OFFSET", err);
    return rc;
}

static base_rc parse_values(view_query *q, const col_batch **out, base_error *err) {
    *out = NULL;
    if (q->nparams == 0) return BASE_OK;
    base_arena *arena = &q->request->arena;
    col_batch *batch = col_batch_create(arena, q->nparams, q->types, 1);
    for (uint32_t i = 0; i < q->nparams; i++) {
        base_rc rc = col_text_parse(q->values[i], 0, &batch->cols[i], 0, arena, err);
        if (rc != BASE_OK && q->types[i].kind == COL_TIMESTAMPTZ &&
            memchr(q->values[i].p, ' ', q->values[i].n) != NULL)
            base_error_hint(err,
                            "A + in an address means a space: write %%2B, or the time with Z.");
        if (rc != BASE_OK) return rc;
    }
    *out = batch;
    return BASE_OK;
}

static base_rc run(view_query *q, engine_session *session, base_error *err) {
    const col_batch *params;
    const http_pair *as_of = http_arg(q->request, "as_of");
    const http_pair *effective = http_arg(q->request, "effective_as_of");
    base_rc rc = as_of != NULL ? engine_session_as_of(session, as_of->value, err) : BASE_OK;
    if (rc == BASE_OK && effective != NULL)
        rc = engine_session_effective_as_of(session, effective->value, err);
    if (rc == BASE_OK) rc = build(q, err);
    if (rc == BASE_OK) rc = parse_values(q, &params, err);
    if (rc != BASE_OK) return rc;
    engine_prepared *prepared;
    base_arena *arena = &q->request->arena;
    rc = engine_prepare(session, arena, base_buf_str(&q->sql), 0, q->nparams, q->types, &prepared,
                        err);
    if (rc == BASE_OK)
        rc = engine_execute(session, prepared, params, arena, &q->request->result, err);
    err->position = 0; // of SQL that the client has not seen
    return rc;
}

// ---- the answer ----

static bool wants_csv(const http_request *request, bool *known) {
    const http_pair *format = http_arg(request, "format");
    *known = true;
    if (format != NULL) {
        bool csv = base_str_eq(format->value, BASE_STR("csv"));
        *known = csv || base_str_eq(format->value, BASE_STR("json"));
        return csv;
    }
    return request->accept != NULL && strstr(request->accept, "text/csv") != NULL;
}

static const char *instant(base_arena *arena, int64_t us) {
    char text[BASE_TIME_TEXT_MAX];
    if (us == INT64_MIN) return "none";
    base_rfc3339_format(us, text);
    return base_arena_strdup(arena, text);
}

static void add_standing_headers(http_request *request) {
    const engine_standing *standing = &request->result.standing;
    base_arena *arena = &request->arena;
    if (!standing->known) return;
    http_answer_header(request, "Weir-Step",
                       base_arena_printf(arena, "%llu", (unsigned long long)standing->step));
    http_answer_header(request, "Weir-As-Of", instant(arena, standing->as_of_us));
    http_answer_header(request, "Weir-Watermark", instant(arena, standing->watermark_us));
    http_answer_header(
        request, "Weir-Lag-Ms",
        standing->lag_us == ENGINE_LAG_UNKNOWN
            ? "unknown"
            : base_arena_printf(arena, "%lld", (long long)(standing->lag_us / 1000)));
    http_answer_header(request, "Weir-Fresh", standing->fresh ? "true" : "false");
}

static void answer(http_request *request, const plan_object *object, bool csv) {
    http_answer(request, MHD_HTTP_OK,
                csv ? "text/csv; charset=utf-8; header=present" : "application/json");
    http_answer_header(request, "Cache-Control", "no-store");
    add_standing_headers(request);
    if (csv) {
        http_rows_begin(request, HTTP_ROWS_CSV);
        return;
    }
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", object->schema, object->name);
    base_buf_add_cstr(&request->out, "{\"view\":");
    http_json_text(&request->out, base_buf_str(&name));
    base_buf_deinit(&name);
    base_buf_add_cstr(&request->out, ",\"standing\":");
    server_standing_json(&request->result.standing, &request->out);
    base_buf_add_cstr(&request->out, ",\"rows\":[");
    request->tail = BASE_STR("]}\n");
    http_rows_begin(request, HTTP_ROWS_OBJECTS);
}

static void view(http_request *request) {
    view_query q = {.request = request};
    bool known;
    bool csv = wants_csv(request, &known);
    if (!known) {
        http_fail_with(request, MHD_HTTP_BAD_REQUEST, BASE_E_INVALID, NULL,
                       "format must be json or csv");
        return;
    }
    q.object = engine_find(request->http->server->engine, request->name);
    if (q.object == NULL ||
        (q.object->kind != PLAN_OBJECT_VIEW && q.object->kind != PLAN_OBJECT_SYSTEM)) {
        http_no_view(request, q.object, false);
        return;
    }
    base_error err = {0};
    http_running running;
    http_session_begin(request, &running);
    base_rc rc = run(&q, &running.session, &err);
    http_session_end(request, &running);
    base_buf_deinit(&q.sql);
    if (rc != BASE_OK)
        http_fail(request, &err);
    else
        answer(request, q.object, csv);
}

void http_no_view(http_request *request, const plan_object *found, bool with_changes) {
    base_error err = {0};
    if (found == NULL) {
        base_fail(&err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                  "there is no view \"%.*s\"", (int)(request->name.n < 200 ? request->name.n : 200),
                  request->name.p);
        base_error_hint(&err, "GET /v1/views/weir.views?select=schema,name lists the views.");
    } else {
        bool system = found->kind == PLAN_OBJECT_SYSTEM;
        base_fail(&err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                  "\"%s.%s\" is a %s, not a materialized view", found->schema, found->name,
                  system ? "system view" : plan_object_kind_name(found->kind));
        if (with_changes)
            base_error_hint(&err, system ? "Only materialized views keep their changes."
                                         : "A materialized view over it keeps its changes.");
        else
            base_error_hint(&err, "POST /v1/query {\"sql\": \"SELECT ...\"} reads it.");
    }
    http_fail(request, &err);
}

void http_view(http_request *request) {
    server *s = request->http->server;
    int64_t began = server_now_us(s);
    view(request);
    atomic_fetch_add(&s->counters.view_requests, 1);
    atomic_fetch_add(&s->counters.view_us, (uint64_t)(server_now_us(s) - began));
}
