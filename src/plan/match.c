// match.c - the text of a MATCH_RECOGNIZE node. Entry point: plan_match_print.
#include "plan/match.h"

#include <stdlib.h>

#include "base/must.h"
#include "plan/agg.h"

static void print_variables(const plan_match *match, uint64_t variables, base_buf *buf) {
    bool first = true;
    for (uint32_t v = 0; v < match->nvariables; v++) {
        if ((variables & 1ull << v) == 0) continue;
        base_buf_printf(buf, "%s%s", first ? "" : "|", match->variables[v]);
        first = false;
    }
    if (!first) base_buf_add_byte(buf, '.');
}

static void print_column_slot(const plan_match *match, const plan_match_slot *slot,
                              const plan_node *input, base_buf *buf) {
    if (slot->physical != 0) base_buf_add_cstr(buf, slot->physical < 0 ? "prev(" : "next(");
    bool plain = !slot->first && slot->nth == 0;
    if (slot->final) base_buf_add_cstr(buf, "final ");
    if (!plain) base_buf_add_cstr(buf, slot->first ? "first(" : "last(");
    print_variables(match, slot->variables, buf);
    base_buf_add_cstr(buf, input->columns[slot->column].name);
    if (!plain && slot->nth > 0) base_buf_printf(buf, ", %u", slot->nth);
    if (!plain) base_buf_add_byte(buf, ')');
    if (slot->physical != 0)
        base_buf_printf(buf, ", %d)", slot->physical < 0 ? -slot->physical : slot->physical);
}

static const char *slot_text(const plan_node *node, const plan_match_slot *slot,
                             const char *const *input_names, base_buf *buf) {
    const plan_match *match = node->match;
    const plan_node *input = node->inputs[0];
    switch (slot->kind) {
    case PLAN_MATCH_ROW:
        base_buf_add_cstr(buf, input->columns[slot->column].name);
        break;
    case PLAN_MATCH_COLUMN:
        print_column_slot(match, slot, input, buf);
        break;
    case PLAN_MATCH_AGGREGATE:
        base_buf_printf(buf, "%s%s(", slot->final ? "final " : "", slot->agg->def->name);
        print_variables(match, slot->variables, buf);
        if (slot->agg->arg == NULL)
            base_buf_add_byte(buf, '*');
        else
            plan_expr_print(slot->agg->arg, input_names, buf);
        base_buf_add_byte(buf, ')');
        break;
    case PLAN_MATCH_CLASSIFIER:
        base_buf_add_cstr(buf, "classifier()");
        break;
    case PLAN_MATCH_NUMBER:
        base_buf_add_cstr(buf, "match_number()");
        break;
    }
    return strdup(base_buf_cstr(buf));
}

static void print_skip(const plan_match *match, base_buf *buf) {
    if (match->skip == PLAN_MATCH_SKIP_PAST_LAST) return;
    base_buf_add_cstr(buf, " skip to ");
    if (match->skip == PLAN_MATCH_SKIP_TO_NEXT) {
        base_buf_add_cstr(buf, "next row");
        return;
    }
    base_buf_add_cstr(buf, match->skip == PLAN_MATCH_SKIP_TO_FIRST ? "first " : "last ");
    print_variables(match, match->skip_variables, buf);
    buf->n--; // the dot
}

void plan_match_print(const plan_node *node, base_buf *buf) {
    static const char *const rows[] = {"", " all rows", " all rows but empty matches",
                                       " all rows with unmatched"};
    const plan_match *match = node->match;
    const plan_node *input = node->inputs[0];
    base_buf_add_cstr(buf, " by (");
    for (uint32_t i = 0; i < match->npartition; i++)
        base_buf_printf(buf, "%s%s", i > 0 ? ", " : "", input->columns[match->partition[i]].name);
    base_buf_add_cstr(buf, ") order");
    for (uint32_t i = 0; i < match->norder; i++)
        base_buf_printf(buf, "%s %s%s", i > 0 ? "," : "",
                        input->columns[match->order[i].column].name,
                        match->order[i].descending ? " desc" : "");
    base_buf_printf(buf, " pattern (%s)%s", match->pattern, rows[match->rows]);
    if (match->within_us > 0) base_buf_printf(buf, " within %g s", (double)match->within_us / 1e6);
    print_skip(match, buf);

    const char **inputs = calloc(input->ncolumns + 1u, sizeof *inputs);
    const char **slots = calloc(match->nslots + 1u, sizeof *slots);
    must(inputs != NULL && slots != NULL);
    for (uint32_t i = 0; i < input->ncolumns; i++) inputs[i] = input->columns[i].name;
    base_buf text = {0};
    for (uint32_t i = 0; i < match->nslots; i++) {
        base_buf_clear(&text);
        slots[i] = slot_text(node, &match->slots[i], inputs, &text);
        must(slots[i] != NULL);
    }
    for (uint32_t v = 0; v < match->nvariables; v++) {
        if (match->define[v] == NULL) continue;
        base_buf_printf(buf, " %s: ", match->variables[v]);
        plan_expr_print(match->define[v], slots, buf);
    }
    base_buf_add_cstr(buf, " gives");
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        base_buf_add_cstr(buf, i > 0 ? ", " : " ");
        plan_expr_print(match->outputs[i], slots, buf);
        base_buf_printf(buf, " AS %s", node->columns[i].name);
    }
    for (uint32_t i = 0; i < match->nslots; i++) free((void *)(uintptr_t)slots[i]);
    free(slots);
    free(inputs);
    base_buf_deinit(&text);
}
