// system.c - system objects: their registration in the catalogue and the rows that queries over
// them get, made anew for each query from what the engine is at that moment.
//
// A definition is a row of a table (weirtab.c, pgdefs.c): id, name, columns as text, and a function
// that fills the rows. A definition without one never has rows and the binder may know it. Entry
// points: engine_system_objects, engine_system_rows.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "col/array.h"
#include "engine/catalog_int.h"
#include "engine/system_int.h"

// ---- registration -------------------------------------------------------------------------------

// "name type?, ..." to columns; a hidden tableoid comes last, which clients join comments by.
static uint32_t parse_columns(base_arena *arena, const char *text, plan_column **out) {
    uint32_t n = 1;
    for (const char *p = text; *p != 0; p++) n += *p == ',';
    plan_column *columns = base_arena_array(arena, plan_column, n + 1);
    const char *at = text;
    for (uint32_t i = 0; i < n; i++) {
        at += strspn(at, " ,");
        size_t name = strcspn(at, " ");
        columns[i].name = base_arena_memdup(arena, at, name);
        at += name + 1;
        size_t type = strcspn(at, ",");
        columns[i].always_null = at[type - 1] == '!';
        columns[i].not_null = at[type - 1] != '?' && at[type - 1] != '!';
        base_str type_name = {at, columns[i].not_null ? type : type - 1};
        col_kind kind;
        bool known = col_kind_from_name(type_name, &kind);
        must(known);
        columns[i].type = col_type_of(kind);
        at += type;
    }
    columns[n] = (plan_column){
        .name = "tableoid", .type = col_type_of(COL_OID), .not_null = true, .hidden = true};
    *out = columns;
    return n + 1;
}

static void register_defs(engine *e, const system_def *defs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        plan_object *object = base_arena_new(&e->catalog_arena, plan_object);
        plan_column *columns;
        object->kind = PLAN_OBJECT_SYSTEM;
        object->id = defs[i].id;
        object->schema = defs[i].schema;
        object->name = defs[i].name;
        object->comment = defs[i].comment;
        object->definition = "";
        const char *text = defs[i].columns;
        if (text[0] == '(') {
            object->narguments = (uint32_t)(text[1] - '0');
            text += 4;
        }
        object->ncolumns = parse_columns(&e->catalog_arena, text, &columns);
        object->columns = columns;
        object->event_time = object->effective_time = object->window_column = -1;
        object->always_empty = defs[i].fill == NULL;
        must(object->id < ENGINE_FIRST_USER_ID && engine_catalog_by_id(e, object->id) == NULL);
        engine_catalog_put(e, object);
    }
}

void engine_system_objects(engine *e) {
    register_defs(e, system_weir_defs, system_weir_def_count);
    register_defs(e, system_completeness_defs, system_completeness_def_count);
    register_defs(e, system_pg_defs, system_pg_def_count);
}

// ---- rows ---------------------------------------------------------------------------------------

static uint32_t column_of(system_rows *r, const char *name) {
    uint32_t n = r->object->ncolumns;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = r->hint + k < n ? r->hint + k : r->hint + k - n;
        if (strcmp(r->object->columns[i].name, name) != 0) continue;
        must(!r->object->columns[i].always_null);
        r->hint = i + 1 < n ? i + 1 : 0;
        return i;
    }
    must(!"a column that the system object does not have");
    return 0;
}

const char *system_argument(const system_rows *r, uint32_t i) {
    return i < r->object->narguments && r->object->arguments != NULL ? r->object->arguments[i]
                                                                     : NULL;
}

void system_row(system_rows *r) {
    col_builder_new_row(r->builder, 1);
    r->hint = 0;
    col_builder_set_i64(r->builder, r->object->ncolumns - 1, r->object->id); // tableoid
    for (uint32_t i = 0; i < r->object->ncolumns; i++) {
        const plan_column *column = &r->object->columns[i];
        if (!column->not_null || column->hidden) continue;
        switch (column->type.kind) {
        case COL_BOOL:
            col_builder_set_bool(r->builder, i, false);
            break;
        case COL_FLOAT4:
        case COL_FLOAT8:
            col_builder_set_f64(r->builder, i, 0);
            break;
        default: // an empty array is the empty string too
            if (col_kind_is_string(column->type.kind))
                col_builder_set_str(r->builder, i, (base_str){"", 0});
            else
                col_builder_set_i64(r->builder, i, 0);
            break;
        }
    }
}

void system_i64(system_rows *r, const char *column, int64_t v) {
    col_builder_set_i64(r->builder, column_of(r, column), v);
}

void system_time(system_rows *r, const char *column, int64_t us, int64_t none) {
    if (us != none) system_i64(r, column, us);
}

void system_bool(system_rows *r, const char *column, bool v) {
    col_builder_set_bool(r->builder, column_of(r, column), v);
}

void system_f64(system_rows *r, const char *column, double v) {
    col_builder_set_f64(r->builder, column_of(r, column), v);
}

void system_str(system_rows *r, const char *column, base_str v) {
    col_builder_set_str(r->builder, column_of(r, column), v);
}

void system_text(system_rows *r, const char *column, const char *v) {
    if (v != NULL) system_str(r, column, base_str_of(v));
}

void system_copy(system_rows *r, const char *column, base_str v) {
    system_str(r, column, (base_str){base_arena_memdup(r->arena, v.p, v.n), v.n});
}

void system_numbers(system_rows *r, const char *column, uint32_t n, const uint32_t *v) {
    uint32_t c = column_of(r, column);
    col_vec elements;
    col_vec_init(&elements, r->arena, col_type_element(&r->object->columns[c].type), n);
    for (uint32_t i = 0; i < n; i++) {
        if (elements.type.kind == COL_INT2) {
            col_i16(&elements)[i] = (int16_t)v[i];
        } else {
            must(elements.type.kind == COL_OID);
            col_u32(&elements)[i] = v[i];
        }
    }
    col_builder_set_str(r->builder, c, col_array_make(r->arena, &elements, 0, n));
}

void system_printf(system_rows *r, const char *column, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof text) n = sizeof text - 1;
    system_copy(r, column, (base_str){text, (size_t)n});
}

void system_us(system_rows *r, const char *column, int64_t us) {
    col_vec vec;
    col_vec_init(&vec, r->arena, col_type_of(COL_INTERVAL), 1);
    col_interval(&vec)[0] = (base_interval){us, 0, 0};
    col_builder_set(r->builder, column_of(r, column), &vec, 0);
}

typedef struct object_list {
    const plan_object **objects;
    uint32_t n, cap;
} object_list;

static void visit_object(void *arg, const plan_object *object) {
    object_list *list = arg;
    if (object->kind == PLAN_OBJECT_SYSTEM) return;
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->objects = realloc(list->objects, list->cap * sizeof(plan_object *));
        must(list->objects != NULL);
    }
    list->objects[list->n++] = object;
}

const plan_object **system_objects(system_rows *r, uint32_t *n) {
    object_list list = {0};
    engine_objects(r->engine, visit_object, &list);
    const plan_object **objects = base_arena_array(r->arena, const plan_object *, list.n + 1);
    if (list.n > 0) memcpy(objects, list.objects, list.n * sizeof *objects);
    free(list.objects);
    *n = list.n;
    return objects;
}

static const system_def *find_def(uint32_t id) {
    id %= PLAN_CALL_ID_STEP;
    for (size_t i = 0; i < system_weir_def_count; i++)
        if (system_weir_defs[i].id == id) return &system_weir_defs[i];
    for (size_t i = 0; i < system_completeness_def_count; i++)
        if (system_completeness_defs[i].id == id) return &system_completeness_defs[i];
    for (size_t i = 0; i < system_pg_def_count; i++)
        if (system_pg_defs[i].id == id) return &system_pg_defs[i];
    return NULL;
}

base_rc engine_system_rows(engine_session *session, const plan_object *object,
                           const engine_wanted *wanted, base_arena *arena, const col_batch **rows,
                           base_error *err) {
    const system_def *def = find_def(object->id);
    must(def != NULL);
    col_type *types = base_arena_array(arena, col_type, object->ncolumns);
    for (uint32_t i = 0; i < object->ncolumns; i++) types[i] = object->columns[i].type;
    system_rows r = {
        session, session->engine, arena, object, col_builder_create(arena, object->ncolumns, types),
        0,       wanted};
    base_rc rc = def->fill != NULL ? def->fill(&r, err) : BASE_OK;
    if (rc != BASE_OK) {
        base_error_prefix(err, "%s.%s", object->schema, object->name);
        return rc;
    }
    *rows = col_builder_finish(r.builder);
    return BASE_OK;
}
