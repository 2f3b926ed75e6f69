// version_merge.c - what a shadow has made of a view becomes part of its flow's store, in one
// transaction: the tables of its operators and its rows, and the cursors and sources of inputs that
// the flow did not have. Both stand at the same positions, so what the flow's own sources know the
// shadow's know, too. Entry point: engine_shadow_merge.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/version/version.h"

typedef struct merging {
    engine_flow *from, *to;
    state_txn *from_txn, *to_txn;
    const plan_object *version;
    uint32_t n;
    char *names[STATE_TABLES_MAX];
    state_table from_tables[STATE_TABLES_MAX], to_tables[STATE_TABLES_MAX];
} merging;

static bool is_new_input(const engine_flow *flow, uint32_t object_id) {
    for (uint32_t i = 0; i < flow->ninputs; i++)
        if (flow->inputs[i].object->id == object_id) return false;
    return true;
}

// "v<id>", "v<id>.*"; "s<object>.*" of new inputs.
static bool is_wanted(const merging *m, const char *name) {
    unsigned id;
    int end = 0;
    if (sscanf(name, "v%u%n", &id, &end) == 1 && id == m->version->id)
        return name[end] == 0 || name[end] == '.';
    if (sscanf(name, "s%u.%n", &id, &end) == 1 && end > 0) return is_new_input(m->to, id);
    return false;
}

static base_rc note_table(void *arg, const char *name) {
    merging *m = arg;
    if (!is_wanted(m, name)) return BASE_OK;
    must(m->n < STATE_TABLES_MAX);
    m->names[m->n] = strdup(name);
    must(m->names[m->n] != NULL);
    m->n++;
    return BASE_OK;
}

// What has come into the table by a fill lies under the step before the flow's next one.
static base_rc copy_table(merging *m, uint32_t i, bool appended, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(m->from_txn, m->from_tables[i], &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    base_buf numbered = {0};
    uint32_t seq = 0;
    rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        if (appended) {
            base_buf_clear(&numbered);
            base_buf_add_u64be(&numbered, m->to->step);
            base_buf_add_u32be(&numbered, seq++);
            key = base_buf_str(&numbered);
        }
        rc = state_put(m->to_txn, m->to_tables[i], key, value, err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    base_buf_deinit(&numbered);
    state_cursor_close(cursor);
    return rc;
}

static base_str id_key(char out[5], char kind, uint32_t id) {
    out[0] = kind;
    base_be_put(out + 1, id, 4);
    return (base_str){out, 5};
}

static base_rc copy_row(merging *m, state_table from, state_table to, base_str key,
                        base_error *err) {
    base_str value;
    bool found;
    base_rc rc = state_get(m->from_txn, from, key, &value, &found, err);
    return rc == BASE_OK && found ? state_put(m->to_txn, to, key, value, err) : rc;
}

static base_rc copy_inputs(merging *m, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < m->from->ninputs; i++) {
        const engine_input *input = &m->from->inputs[i];
        if (!is_new_input(m->to, input->object->id)) continue;
        char key[9];
        (void)id_key(key, 's', input->object->id);
        rc = copy_row(m, m->from->t_layout, m->to->t_layout, (base_str){key, 5}, err);
        for (uint32_t p = 0; rc == BASE_OK && p < input->npartitions; p++) {
            base_be_put(key + 5, p, 4);
            rc = copy_row(m, m->from->t_cursor, m->to->t_cursor, (base_str){key + 1, 8}, err);
        }
    }
    return rc;
}

static base_rc copy_all(merging *m, base_error *err) {
    const engine_view *made = engine_flow_view(m->from, m->version->id);
    must(made != NULL);
    char rows[16], key[5];
    snprintf(rows, sizeof rows, "v%u", m->version->id);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < m->n; i++)
        rc = copy_table(m, i, made->appended && strcmp(m->names[i], rows) == 0, err);
    if (rc == BASE_OK)
        rc = copy_row(m, m->from->t_layout, m->to->t_layout, id_key(key, 'v', m->version->id), err);
    if (rc == BASE_OK) rc = copy_inputs(m, err);
    if (rc == BASE_OK)
        rc = engine_view_adopt(m->from, m->from_txn, m->to, m->to_txn, m->version->id, m->to->step,
                               err);
    return rc;
}

static base_rc open_tables(merging *m, base_error *err) {
    base_rc rc = state_table_list(m->from->store, note_table, m, err);
    for (uint32_t i = 0; rc == BASE_OK && i < m->n; i++) {
        rc = state_table_open(m->from->store, m->names[i], &m->from_tables[i], err);
        if (rc == BASE_OK) rc = state_table_open(m->to->store, m->names[i], &m->to_tables[i], err);
    }
    return rc;
}

base_rc engine_shadow_merge(engine_shadow *shadow, engine_flow *flow, const plan_object *version,
                            base_error *err) {
    merging *m = calloc(1, sizeof *m);
    must(m != NULL);
    m->from = engine_shadow_flow(shadow);
    m->to = flow;
    m->version = version;
    base_rc rc = open_tables(m, err);
    if (rc == BASE_OK) rc = state_begin_read(m->from->store, &m->from_txn, err);
    if (rc == BASE_OK) {
        rc = state_begin_write_large(flow->store, &m->to_txn, err);
        if (rc == BASE_OK) {
            rc = copy_all(m, err);
            if (rc == BASE_OK)
                rc = state_commit(m->to_txn, err);
            else
                state_abort(m->to_txn);
        }
        state_abort(m->from_txn);
    }
    for (uint32_t i = 0; i < m->n; i++) free(m->names[i]);
    free(m);
    return rc;
}
