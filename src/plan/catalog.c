// catalog.c - look-ups in a catalogue object. Entry points: the functions of catalog.h.
#include "plan/node.h"

const char *plan_object_kind_name(plan_object_kind kind) {
    switch (kind) {
    case PLAN_OBJECT_STREAM:
        return "stream";
    case PLAN_OBJECT_TABLE:
        return "table";
    case PLAN_OBJECT_VIEW:
        return "materialized view";
    case PLAN_OBJECT_SINK:
        return "sink";
    case PLAN_OBJECT_RECONCILIATION:
        return "reconciliation";
    case PLAN_OBJECT_PLAIN_VIEW:
        return "view";
    case PLAN_OBJECT_SYSTEM:
        return "system view";
    }
    return "object";
}

const char *plan_option_get(const plan_object *object, const char *name) {
    for (uint32_t i = 0; i < object->noptions; i++)
        if (strcmp(object->options[i].name, name) == 0) return object->options[i].value;
    return NULL;
}

int32_t plan_column_find(const plan_object *object, const char *name) {
    for (uint32_t i = 0; i < object->ncolumns; i++)
        if (strcmp(object->columns[i].name, name) == 0) return (int32_t)i;
    return -1;
}

int64_t plan_column_window_end(const plan_column *column, const col_vec *values, uint32_t row) {
    bool dates = column->type.kind == COL_DATE;
    if (column->time_role < PLAN_TIME_WINDOW_START || col_is_null(values, row)) return INT64_MAX;
    int64_t at;
    if (!dates) {
        at = col_i64(values)[row];
    } else if (__builtin_mul_overflow((int64_t)col_i32(values)[row], BASE_US_PER_DAY, &at)) {
        return INT64_MAX;
    }
    // Of a window in a zone, a column without one has the local time.
    if (column->type.kind != COL_TIMESTAMPTZ) at = plan_window_utc(column->window, at);
    return column->time_role == PLAN_TIME_WINDOW_END ? at : plan_window_end(column->window, at);
}

bool plan_object_same(const plan_object *a, const plan_object *b) {
    if (a->id != b->id || a->narguments != b->narguments) return false;
    if (a->arguments == NULL || b->arguments == NULL) return a->arguments == b->arguments;
    for (uint32_t i = 0; i < a->narguments; i++)
        if (strcmp(a->arguments[i], b->arguments[i]) != 0) return false;
    return true;
}

typedef struct stand_on {
    uint32_t id;
    bool found;
} stand_on;

static void visit_scan(void *arg, const plan_node *scan) {
    stand_on *s = arg;
    if (scan->object->id == s->id) s->found = true;
}

bool plan_object_stands_on(const plan_object *object, uint32_t id) {
    stand_on s = {id, object->from != NULL && object->from->id == id};
    for (uint32_t i = 0; i < object->nuses; i++) s.found |= object->uses[i] == id;
    if (object->plan != NULL) plan_node_scans(object->plan, visit_scan, &s);
    return s.found;
}
