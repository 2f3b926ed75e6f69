// catalog.c - look-ups in a catalogue object. Entry points: the three functions of catalog.h.
#include "plan/catalog.h"

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
