// remedy.c - the columns that expressions of a remedy stand on. Entry point: plan_remedy_input_of.
#include "plan/remedy.h"

#include <string.h>

typedef struct making {
    base_arena *arena;
    const plan_object *from;
    plan_column *columns;
    plan_remedy_role *roles;
    uint32_t *indexes;
    uint32_t n;
} making;

static void add(making *m, const char *name, col_type type, plan_remedy_role role, uint32_t index) {
    // A column of the view or stream keeps its name; what is ours gives way.
    for (uint32_t i = 0; i < m->n; i++)
        if (strcmp(m->columns[i].name, name) == 0) return;
    m->columns[m->n] = (plan_column){.name = name, .type = type};
    m->roles[m->n] = role;
    m->indexes[m->n++] = index;
}

// As the book's value is read (engine_recon_record_type): nothing is rounded.
static col_type book_type(col_type type) {
    if (type.kind == COL_FLOAT4 || type.kind == COL_FLOAT8) return col_type_of(COL_FLOAT8);
    return col_kind_is_number(type.kind) ? col_type_of(COL_NUMERIC) : type;
}

static void add_compared(making *m, const plan_compare *compare, uint32_t index, bool alone) {
    static const struct {
        const char *prefix, *alone;
        plan_remedy_role role;
    } roles[] = {{"view", "view_value", PLAN_REMEDY_VIEW},
                 {"book", "book_value", PLAN_REMEDY_BOOK},
                 {"difference", "difference", PLAN_REMEDY_DIFFERENCE},
                 {"adjustment", "adjustment", PLAN_REMEDY_ADJUSTMENT}};
    const plan_column *column = &m->from->columns[compare->column];
    uint32_t n = col_kind_is_number(column->type.kind) ? 4 : 2;
    for (uint32_t i = 0; i < n; i++) {
        col_type type = i == 0 ? column->type : book_type(column->type);
        char *name = base_arena_printf(m->arena, "%s_%s", roles[i].prefix, column->name);
        add(m, name, type, roles[i].role, index);
        if (alone) add(m, roles[i].alone, type, roles[i].role, index);
    }
}

plan_remedy_input plan_remedy_input_of(base_arena *arena, const plan_object *r) {
    uint32_t most = r->from->ncolumns + r->nrecon_key + 8 * (r->ncompare + 1);
    making m = {.arena = arena,
                .from = r->from,
                .columns = base_arena_array(arena, plan_column, most),
                .roles = base_arena_array(arena, plan_remedy_role, most),
                .indexes = base_arena_array(arena, uint32_t, most)};
    if (r->from->kind == PLAN_OBJECT_VIEW) {
        for (uint32_t i = 0; i < r->nrecon_key; i++) {
            const plan_column *column = &r->from->columns[r->recon_key[i]];
            add(&m, column->name, column->type, PLAN_REMEDY_KEY, i);
        }
        for (uint32_t i = 0; i < r->ncompare; i++)
            add_compared(&m, &r->compare[i], i, r->ncompare == 1);
        add(&m, "kind", col_type_of(COL_TEXT), PLAN_REMEDY_KIND, 0);
    } else {
        for (uint32_t i = 0; i < r->from->ncolumns; i++)
            if (!r->from->columns[i].hidden)
                add(&m, r->from->columns[i].name, r->from->columns[i].type, PLAN_REMEDY_EVENT, i);
    }
    add(&m, "run", col_type_of(COL_INT8), PLAN_REMEDY_RUN, 0);
    return (plan_remedy_input){m.n, m.columns, m.roles, m.indexes};
}
