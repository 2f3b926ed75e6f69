// http_why.c - GET /v1/views/NAME/why: the story of one row of a view. The row is named by its key:
// an argument for each of the key's columns, or key=JSON. Entry point: http_why.

#include "server/http_int.h"

#include <string.h>

// The key as JSON, from the arguments.
static void key_json(const http_request *request, base_buf *out) {
    const http_pair *key = http_arg(request, "key");
    if (key != NULL && request->nargs == 1) {
        base_buf_add_str(out, key->value);
        return;
    }
    base_buf_add_byte(out, '{');
    for (size_t i = 0; i < request->nargs; i++) {
        const http_pair *arg = &request->args[i];
        if (i > 0) base_buf_add_byte(out, ',');
        http_json_text(out, arg->name);
        base_buf_add_byte(out, ':');
        if (base_str_eq(arg->value, BASE_STR("is.null")))
            base_buf_add_cstr(out, "null");
        else
            http_json_text(out, arg->value);
    }
    base_buf_add_byte(out, '}');
}

static base_rc run(http_request *request, const plan_object *view, engine_session *session,
                   base_error *err) {
    static const char sql[] = "SELECT step, at, standing, revision, cause, old, new, events, note "
                              "FROM weir.why WHERE view = $1 AND call = $2";
    base_arena *arena = &request->arena;
    col_type types[2] = {col_type_of(COL_TEXT), col_type_of(COL_JSONB)};
    base_buf name = {0}, key = {0};
    base_buf_printf(&name, "%s.%s", view->schema, view->name);
    key_json(request, &key);
    col_batch *params = col_batch_create(arena, 2, types, 1);
    params->nrows = 1;
    col_str(&params->cols[0])[0] = (base_str){base_arena_memdup(arena, name.p, name.n), name.n};
    base_rc rc = col_jsonb_canonical(base_buf_str(&key), arena, &col_str(&params->cols[1])[0], err);
    base_buf_deinit(&name);
    base_buf_deinit(&key);
    engine_prepared *prepared;
    if (rc == BASE_OK)
        rc = engine_prepare(session, arena, base_str_of(sql), 0, 2, types, &prepared, err);
    if (rc == BASE_OK) rc = engine_execute(session, prepared, params, arena, &request->result, err);
    err->position = 0; // of SQL that the client has not seen
    return rc;
}

static void answer(http_request *request, const plan_object *view) {
    http_answer(request, MHD_HTTP_OK, "application/json");
    http_answer_header(request, "Cache-Control", "no-store");
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", view->schema, view->name);
    base_buf_add_cstr(&request->out, "{\"view\":");
    http_json_text(&request->out, base_buf_str(&name));
    base_buf_deinit(&name);
    base_buf_add_cstr(&request->out, ",\"changes\":[");
    request->tail = BASE_STR("]}\n");
    http_rows_begin(request, HTTP_ROWS_OBJECTS);
}

void http_why(http_request *request) {
    const plan_object *view = engine_find(request->http->server->engine, request->name);
    if (view == NULL || view->kind != PLAN_OBJECT_VIEW) {
        http_no_view(request, view, false);
        return;
    }
    base_error err = {0};
    http_running running;
    http_session_begin(request, &running);
    base_rc rc = run(request, view, &running.session, &err);
    http_session_end(request, &running);
    if (rc != BASE_OK)
        http_fail(request, &err);
    else
        answer(request, view);
}
