// node.c - the printer of plans and walks over them. One table says what each kind of node is
// called and how its particulars print. Entry points: the functions of node.h.
#include "plan/match.h"

#include "base/calendar.h"
#include "base/must.h"
#include "col/codec.h"
#include "plan/agg.h"
#include "plan/over.h"
#include "plan/release.h"

#include <stdlib.h>

// Names of a node's output columns, for printing expressions over it.
static const char **column_names(const plan_node *node) {
    const char **names = malloc((node->ncolumns + 1) * sizeof *names);
    must(names != NULL);
    for (uint32_t i = 0; i < node->ncolumns; i++)
        names[i] = node->columns[i].name == NULL ? "?" : node->columns[i].name;
    return names;
}

static void print_list(const plan_node *node, const plan_expr *const *exprs, uint32_t first,
                       uint32_t n, const char *const *names, base_buf *buf) {
    base_buf text;
    base_buf_init(&text);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) base_buf_add_cstr(buf, ", ");
        base_buf_clear(&text);
        plan_expr_print(exprs[i], names, &text);
        base_buf_add_str(buf, base_buf_str(&text));
        const char *name = first + i < node->ncolumns ? node->columns[first + i].name : NULL;
        if (name != NULL && !base_str_eq(base_str_of(name), base_buf_str(&text)))
            base_buf_printf(buf, " AS %s", name);
    }
    base_buf_deinit(&text);
}

static void print_us(int64_t us, base_buf *buf) {
    base_interval interval = {.us = us};
    char text[BASE_INTERVAL_TEXT_MAX];
    base_interval_format(&interval, text);
    base_buf_add_cstr(buf, text);
}

static void print_scan(const plan_node *node, base_buf *buf) {
    base_buf_printf(buf, " %s.%s (", node->object->schema, node->object->name);
    for (uint32_t i = 0; i < node->ncolumns; i++)
        base_buf_printf(buf, "%s%s", i > 0 ? ", " : "",
                        node->object->columns[node->indexes[i]].name);
    base_buf_add_byte(buf, ')');
    if (node->object->kind != PLAN_OBJECT_VIEW) return;
    static const char *const clocks[] = {"as of", "effective by"};
    for (uint32_t i = 0; i < node->object->narguments && i < 2; i++) { // of weir.as_of()
        char text[BASE_TIME_TEXT_MAX];
        if (node->object->arguments[i][0] == 0) continue;
        base_rfc3339_format(strtoll(node->object->arguments[i], NULL, 10), text);
        base_buf_printf(buf, " %s %s", clocks[i], text);
    }
}

static void print_values(const plan_node *node, base_buf *buf) {
    uint32_t nrows = node->ncolumns == 0 ? 1 : node->nexprs / node->ncolumns;
    base_buf_printf(buf, " %u row%s", nrows, nrows == 1 ? "" : "s");
    if (nrows == 1 && node->ncolumns > 0) {
        base_buf_add_cstr(buf, ": ");
        print_list(node, node->exprs, 0, node->ncolumns, NULL, buf);
    }
}

static void print_filter(const plan_node *node, base_buf *buf) {
    const char **names = column_names(node->inputs[0]);
    base_buf_add_byte(buf, ' ');
    plan_expr_print(node->predicate, names, buf);
    free(names);
}

static void print_project(const plan_node *node, base_buf *buf) {
    const char **names = column_names(node->inputs[0]);
    base_buf_add_byte(buf, ' ');
    print_list(node, node->exprs, 0, node->nexprs, names, buf);
    free(names);
}

static void print_window(const plan_node *node, base_buf *buf) {
    static const char *const forms[] = {
        [PLAN_WINDOW_TUMBLE] = "tumble",
        [PLAN_WINDOW_HOP] = "hop",
        [PLAN_WINDOW_CUMULATE] = "cumulate",
        [PLAN_WINDOW_SESSION] = "session",
    };
    const plan_window *w = node->window;
    base_buf_printf(buf, " %s %s", forms[w->form],
                    node->inputs[0]->columns[node->time_column].name);
    base_buf_add_cstr(buf, w->form == PLAN_WINDOW_TUMBLE    ? " every "
                           : w->form == PLAN_WINDOW_SESSION ? " gap "
                                                            : " size ");
    plan_span_print(&w->size, buf);
    if (w->form == PLAN_WINDOW_HOP || w->form == PLAN_WINDOW_CUMULATE) {
        base_buf_add_cstr(buf, w->form == PLAN_WINDOW_HOP ? " slide " : " step ");
        plan_span_print(&w->step, buf);
    }
    if (w->zone != NULL) base_buf_printf(buf, " in %s", w->zone_name);
    for (uint32_t i = 0; i < w->npartition; i++)
        base_buf_printf(buf, "%s%s", i == 0 ? " by " : ", ",
                        node->inputs[0]->columns[w->partition[i]].name);
    if (w->offset_us != 0) {
        base_buf_add_cstr(buf, " offset ");
        print_us(w->offset_us, buf);
    }
}

static void print_agg_sort(const plan_agg *agg, const char *const *names, base_buf *buf) {
    for (uint32_t i = 0; i < agg->nsort; i++) {
        const plan_agg_sort *key = &agg->sort[i];
        base_buf_add_cstr(buf, i > 0 ? ", " : "");
        plan_expr_print(key->expr == 0 ? agg->arg : agg->more[key->expr - 1], names, buf);
        base_buf_printf(buf, "%s%s", key->descending ? " desc" : "",
                        key->nulls_first == key->descending ? ""
                        : key->nulls_first                  ? " nulls first"
                                                            : " nulls last");
    }
}

static void print_agg(const plan_agg *agg, const char *const *names, base_buf *buf) {
    bool within = agg->def->form == PLAN_AGG_ORDERED_SET || agg->def->form == PLAN_AGG_HYPOTHETICAL;
    base_buf_printf(buf, "%s(%s", agg->def->name, agg->distinct ? "DISTINCT " : "");
    if (!within && agg->arg == NULL) base_buf_add_byte(buf, '*');
    if (!within && agg->arg != NULL) plan_expr_print(agg->arg, names, buf);
    uint32_t nargs = agg->def->form == PLAN_AGG_HYPOTHETICAL ? agg->nsort + 1u : agg->def->nargs;
    for (uint32_t i = 0; i + 1 < nargs; i++) {
        if (i > 0 || !within) base_buf_add_cstr(buf, ", ");
        plan_expr_print(agg->more[i], names, buf);
    }
    if (agg->nsort > 0) {
        base_buf_add_cstr(buf, within ? ") WITHIN GROUP (ORDER BY " : " ORDER BY ");
        print_agg_sort(agg, names, buf);
    }
    base_buf_add_byte(buf, ')');
    if (agg->filter == NULL) return;
    base_buf_add_cstr(buf, " FILTER ");
    plan_expr_print(agg->filter, names, buf);
}

static void print_temporal(const plan_node *node, base_buf *buf) {
    const char **names = column_names(node->inputs[0]);
    static const char *const now[] = {"now()"};
    for (uint32_t i = 0; i < node->nexprs; i++) {
        const plan_bound *bound = &node->bounds[i];
        base_buf_add_cstr(buf, i == 0 ? " " : ", ");
        base_buf_add_cstr(buf, bound->until ? "until " : "from ");
        if (bound->clock != NULL) {
            plan_expr_print(bound->clock, now, buf);
        } else {
            base_buf_add_cstr(buf, "now()");
            bool minus = bound->shift_us < 0;
            if (bound->shift_us != 0) base_buf_add_cstr(buf, minus ? " - " : " + ");
            if (bound->shift_us != 0) print_us(minus ? -bound->shift_us : bound->shift_us, buf);
        }
        base_buf_add_cstr(buf, bound->after ? " > " : " >= ");
        plan_expr_print(node->exprs[i], names, buf);
    }
    free(names);
}

static void print_emit(const plan_node *node, base_buf *buf) {
    base_buf_printf(buf, " when %s", node->columns[node->time_column].name);
    plan_finality_print(node->finality, buf);
    if (node->early_us == 0) return;
    base_buf_add_cstr(buf, ", early every ");
    print_us(node->early_us, buf);
}

static void print_table_func(const plan_node *node, base_buf *buf) {
    const char **names = column_names(node->inputs[0]);
    uint32_t arg = 0;
    if (node->join == PLAN_JOIN_LEFT) base_buf_add_cstr(buf, " left");
    for (uint32_t i = 0; i < node->nfuncs; i++) {
        base_buf_printf(buf, "%s%s(", i > 0 ? ", " : " ", node->funcs[i].func->sig.name);
        for (uint32_t a = 0; a < node->funcs[i].nargs; a++) {
            if (a > 0) base_buf_add_cstr(buf, ", ");
            plan_expr_print(node->exprs[arg++], names, buf);
        }
        base_buf_add_byte(buf, ')');
    }
    if (node->ordinality) base_buf_add_cstr(buf, " with ordinality");
    free(names);
    base_buf_add_cstr(buf, " AS ");
    for (uint32_t i = node->inputs[0]->ncolumns; i < node->ncolumns; i++)
        base_buf_printf(buf, "%s%s", i > node->inputs[0]->ncolumns ? ", " : "",
                        node->columns[i].name);
    if (node->predicate != NULL) {
        names = column_names(node);
        base_buf_add_cstr(buf, " where ");
        plan_expr_print(node->predicate, names, buf);
        free(names);
    }
}

static void print_aggregate(const plan_node *node, base_buf *buf) {
    const char **names = column_names(node->inputs[0]);
    base_buf_add_cstr(buf, " by (");
    print_list(node, node->exprs, 0, node->nexprs, names, buf);
    base_buf_add_cstr(buf, "): ");
    for (uint32_t i = 0; i < node->naggs; i++) {
        base_buf_add_cstr(buf, i > 0 ? ", " : "");
        print_agg(&node->aggs[i], names, buf);
        base_buf_printf(buf, " AS %s", node->columns[node->nexprs + i].name);
    }
    free(names);
}

static const char *pair_name(const plan_node *node, uint32_t i) {
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    const char *name =
        i < left->ncolumns ? left->columns[i].name : right->columns[i - left->ncolumns].name;
    if (i < node->ncolumns && node->join <= PLAN_JOIN_FULL) name = node->columns[i].name;
    return name == NULL ? "?" : name;
}

// Names of what a join's conditions are about: the left columns, then the right ones. One that both
// sides have says which is meant. free_pair_names() frees them.
static const char **pair_names(const plan_node *node) {
    uint32_t nleft = node->inputs[0]->ncolumns, n = nleft + node->inputs[1]->ncolumns;
    const char **names = malloc((n + 1) * sizeof *names);
    must(names != NULL);
    base_buf *text = calloc(n + 1, sizeof *text);
    must(text != NULL);
    for (uint32_t i = 0; i < n; i++) {
        const char *name = pair_name(node, i);
        bool both = false;
        for (uint32_t k = i < nleft ? nleft : 0, end = i < nleft ? n : nleft; k < end && !both; k++)
            both = strcmp(name, pair_name(node, k)) == 0;
        base_buf_printf(&text[i], "%s%s", both ? (i < nleft ? "left." : "right.") : "", name);
        names[i] = base_buf_cstr(&text[i]);
    }
    free(text);
    return names;
}

static void free_pair_names(const plan_node *node, const char **names) {
    uint32_t n = node->inputs[0]->ncolumns + node->inputs[1]->ncolumns;
    for (uint32_t i = 0; i < n; i++) free((char *)(uintptr_t)names[i]);
    free(names);
}

bool plan_expand_keeps(const plan_expand *expand, uint32_t set) {
    for (uint32_t k = 0; k < expand->nkeys; k++)
        if (expand->kept[set * expand->nkeys + k]) return true;
    return false;
}

static void print_expand(const plan_node *node, base_buf *buf) {
    const plan_expand *expand = node->expand;
    for (uint32_t s = 0; s < expand->nsets && s < 16; s++) {
        base_buf_add_cstr(buf, s > 0 ? ", (" : " (");
        bool any = false;
        for (uint32_t k = 0; k < expand->nkeys; k++) {
            if (!expand->kept[s * expand->nkeys + k]) continue;
            base_buf_printf(buf, "%s%s", any ? ", " : "", node->columns[k].name);
            any = true;
        }
        base_buf_add_byte(buf, ')');
    }
    if (expand->nsets > 16) base_buf_printf(buf, " and %u more", expand->nsets - 16);
}

static void print_join(const plan_node *node, base_buf *buf) {
    static const char *const kinds[] = {
        [PLAN_JOIN_INNER] = "inner", [PLAN_JOIN_LEFT] = "left", [PLAN_JOIN_RIGHT] = "right",
        [PLAN_JOIN_FULL] = "full",   [PLAN_JOIN_SEMI] = "semi", [PLAN_JOIN_ANTI] = "anti",
        [PLAN_JOIN_MARK] = "mark"};
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    base_buf_printf(buf, " %s", kinds[node->join]);
    for (uint32_t i = 0; i < node->nequi; i++)
        base_buf_printf(buf, "%s%s %s %s", i > 0 ? ", " : " on ",
                        left->columns[node->left_keys[i]].name,
                        node->null_safe != NULL && node->null_safe[i] ? "is" : "=",
                        right->columns[node->right_keys[i]].name);
    const char **names = pair_names(node);
    if (node->predicate != NULL) {
        base_buf_add_cstr(buf, " where ");
        plan_expr_print(node->predicate, names, buf);
    }
    if (node->mark != NULL) {
        base_buf_add_cstr(buf, " of ");
        plan_expr_print(node->mark, names, buf);
    }
    for (uint32_t side = 0; side < 2; side++) {
        plan_release release;
        if (!plan_join_release(node, side, &release)) continue;
        const char *name = node->inputs[side]->columns[release.column].name;
        base_buf_printf(buf, "; %s released where %s < ", side == 0 ? "left" : "right", name);
        plan_floor_print(&release.floor, buf);
    }
    free_pair_names(node, names);
}

static void print_asof(const plan_node *node, base_buf *buf) {
    static const char *const ops[] = {">=", ">", "<=", "<"};
    print_join(node, buf);
    base_buf_printf(buf, "%s%s %s %s", node->nequi > 0 ? ", " : " on ",
                    node->inputs[0]->columns[node->left_time].name, ops[node->asof],
                    node->inputs[1]->columns[node->right_time].name);
    for (uint32_t i = 0; i < node->nsort; i++)
        base_buf_printf(buf, "%s%s%s", i > 0 ? ", " : " then by ",
                        node->inputs[1]->columns[node->sort[i].column].name,
                        node->sort[i].descending ? " desc" : "");
}

static void print_limit(const char *word, int64_t value, const plan_expr *param, base_buf *buf) {
    if (param != NULL) {
        base_buf_printf(buf, " %s ", word);
        plan_expr_print(param, NULL, buf);
    } else if (value > 0 || (value == 0 && word[0] == 'l')) {
        base_buf_printf(buf, " %s %lld", word, (long long)value);
    }
}

static void print_keys(const plan_node *node, base_buf *buf) {
    for (uint32_t i = 0; i < node->nsort; i++) {
        const plan_sort_key *key = &node->sort[i];
        base_buf_printf(buf, "%s%s%s%s", i > 0 ? ", " : " by ", node->columns[key->column].name,
                        key->descending ? " desc" : "",
                        key->nulls_first == key->descending ? ""
                        : key->nulls_first                  ? " nulls first"
                                                            : " nulls last");
    }
}

static void print_sort(const plan_node *node, base_buf *buf) {
    print_keys(node, buf);
    print_limit("limit", node->limit, node->limit_param, buf);
    print_limit("offset", node->offset, node->offset_param, buf);
}

static void print_setop(const plan_node *node, base_buf *buf) {
    base_buf_printf(buf, " %s%s", node->set_op == PLAN_SET_EXCEPT ? "except" : "intersect",
                    node->set_all ? " all" : "");
}

static void print_recursive(const plan_node *node, base_buf *buf) {
    base_buf_printf(buf, " %s: %s", node->step_tables[0]->name,
                    node->distinct ? "union" : "union all");
}

static void print_partition(const plan_node *node, base_buf *buf) {
    for (uint32_t i = 0; i < node->npartition; i++)
        base_buf_printf(buf, "%s%s", i > 0 ? ", " : " partition ",
                        node->columns[node->partition[i]].name);
    if (node->nsort > 0) base_buf_add_cstr(buf, " order");
    print_keys(node, buf);
}

static void print_over(const plan_node *node, base_buf *buf) {
    print_partition(node, buf);
    const char **names = column_names(node->inputs[0]);
    for (uint32_t i = 0; i < node->nover; i++) {
        base_buf_add_cstr(buf, i > 0 ? ", " : ": ");
        plan_over_print(&node->overs[i], names, buf);
        base_buf_printf(buf, " AS %s", node->columns[node->inputs[0]->ncolumns + i].name);
    }
    free(names);
}

static void print_top(const plan_node *node, base_buf *buf) {
    print_partition(node, buf);
    base_buf_printf(buf, ": %s <= %lld", node->overs[0].name, (long long)node->limit);
    if (node->with_rank)
        base_buf_printf(buf, " AS %s", node->columns[node->inputs[0]->ncolumns].name);
}

static void print_nothing(const plan_node *node, base_buf *buf) {
    (void)node;
    (void)buf;
}

static const struct {
    const char *name;
    void (*print)(const plan_node *node, base_buf *buf);
} node_kinds[] = {
    [PLAN_NODE_SCAN] = {"Scan", print_scan},
    [PLAN_NODE_VALUES] = {"Values", print_values},
    [PLAN_NODE_FILTER] = {"Filter", print_filter},
    [PLAN_NODE_PROJECT] = {"Project", print_project},
    [PLAN_NODE_TEMPORAL] = {"Temporal filter", print_temporal},
    [PLAN_NODE_EMIT] = {"Emit on window close", print_emit},
    [PLAN_NODE_WINDOW] = {"Window", print_window},
    [PLAN_NODE_SESSION] = {"Window", print_window},
    [PLAN_NODE_AGGREGATE] = {"Aggregate", print_aggregate},
    [PLAN_NODE_JOIN] = {"Join", print_join},
    [PLAN_NODE_ASOF] = {"As-of join", print_asof},
    [PLAN_NODE_LOOKUP] = {"Lookup join", print_join},
    [PLAN_NODE_DISTINCT] = {"Distinct", print_nothing},
    [PLAN_NODE_UNION_ALL] = {"Union all", print_nothing},
    [PLAN_NODE_MATCH] = {"Match", plan_match_print},
    [PLAN_NODE_EXPAND] = {"Expand", print_expand},
    [PLAN_NODE_SETOP] = {"Set", print_setop},
    [PLAN_NODE_SORT] = {"Sort", print_sort},
    [PLAN_NODE_RECURSIVE] = {"Recursive", print_recursive},
    [PLAN_NODE_OVER] = {"Over", print_over},
    [PLAN_NODE_TOP] = {"Top", print_top},
    [PLAN_NODE_TABLE_FUNC] = {"Table function", print_table_func},
};

static void print_node(const plan_node *node, int depth, plan_note note, void *arg, base_buf *buf) {
    for (int i = 0; i < depth; i++) base_buf_add_cstr(buf, "  ");
    base_buf_add_cstr(buf, node_kinds[node->kind].name);
    node_kinds[node->kind].print(node, buf);
    if (note != NULL) note(arg, node, buf);
    base_buf_add_cstr(buf, node->shared && node->ninputs > 0 ? " (shared)\n" : "\n");
    for (uint32_t i = 0; i < node->ninputs; i++) {
        print_node(node->inputs[i], depth + 1, note, arg, buf);
        if (i == 0 && node->step != NULL) print_node(node->step, depth + 1, note, arg, buf);
    }
}

const char *plan_node_kind_name(plan_node_kind kind) {
    return node_kinds[kind].name;
}

uint32_t plan_node_id_end(const plan_node *node) {
    uint32_t n = node->id + 1;
    for (uint32_t i = 0; i < node->ninputs; i++) {
        uint32_t below = plan_node_id_end(node->inputs[i]);
        if (below > n) n = below;
    }
    return n;
}

void plan_node_print(const plan_node *node, base_buf *buf) {
    print_node(node, 0, NULL, NULL, buf);
}

void plan_node_print_noted(const plan_node *node, plan_note note, void *arg, base_buf *buf) {
    print_node(node, 0, note, arg, buf);
}

// A label, with what would end it escaped, in lines of about so many characters.
static void add_label(base_str text, base_buf *buf) {
    enum { LINE = 60 };
    size_t column = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n' || (c == ' ' && column >= LINE)) {
            base_buf_add_cstr(buf, "\\l");
            column = 0;
            continue;
        }
        if (c == '"' || c == '\\') base_buf_add_byte(buf, '\\');
        base_buf_add_byte(buf, (uint8_t)c);
        column++;
    }
    base_buf_add_cstr(buf, "\\l");
}

static uint32_t dot_node(const plan_node *node, uint32_t *next, plan_note note, void *arg,
                         base_buf *buf) {
    uint32_t id = (*next)++;
    base_buf text = {0};
    base_buf_add_cstr(&text, node_kinds[node->kind].name);
    node_kinds[node->kind].print(node, &text);
    if (note != NULL) {
        base_buf_add_byte(&text, '\n');
        note(arg, node, &text);
    }
    base_buf_printf(buf, "  n%u [label=\"", id);
    add_label(base_buf_str(&text), buf);
    base_buf_add_cstr(buf, "\"];\n");
    base_buf_deinit(&text);
    for (uint32_t i = 0; i < node->ninputs + (node->step != NULL); i++) {
        const plan_node *below = i < node->ninputs ? node->inputs[i] : node->step;
        uint32_t input = dot_node(below, next, note, arg, buf);
        base_buf_printf(buf, "  n%u -> n%u;\n", input, id);
    }
    return id;
}

void plan_node_dot(const plan_node *node, plan_note note, void *arg, base_buf *buf) {
    uint32_t next = 0;
    base_buf_add_cstr(buf, "digraph plan {\n  node [shape=box, fontname=monospace];\n");
    dot_node(node, &next, note, arg, buf);
    base_buf_add_cstr(buf, "}\n");
}

void plan_node_scans(const plan_node *node, void (*visit)(void *arg, const plan_node *scan),
                     void *arg) {
    if (node->kind == PLAN_NODE_SCAN) visit(arg, node);
    for (uint32_t i = 0; i < node->ninputs; i++) plan_node_scans(node->inputs[i], visit, arg);
}

void plan_node_driving_scans(const plan_node *node, void (*visit)(void *arg, const plan_node *scan),
                             void *arg) {
    if (node->kind == PLAN_NODE_SCAN) visit(arg, node);
    uint32_t n = node->kind == PLAN_NODE_LOOKUP ? 1 : node->ninputs;
    for (uint32_t i = 0; i < n; i++) plan_node_driving_scans(node->inputs[i], visit, arg);
}

void plan_node_lookup_scans(const plan_node *node, void (*visit)(void *arg, const plan_node *scan),
                            void *arg) {
    bool lookup = node->kind == PLAN_NODE_LOOKUP;
    if (lookup) plan_node_scans(node->inputs[1], visit, arg);
    for (uint32_t i = 0; i < (lookup ? 1 : node->ninputs); i++)
        plan_node_lookup_scans(node->inputs[i], visit, arg);
}

static int64_t param_i64(const plan_expr *param, const col_batch *values, int64_t if_null) {
    must(param->kind == PLAN_EXPR_PARAM && param->index < values->ncols);
    const col_vec *vec = &values->cols[param->index];
    must(vec->type.kind == COL_INT8 || vec->type.kind == COL_INT4 || vec->type.kind == COL_INT2);
    if (col_is_null(vec, 0)) return if_null;
    int64_t value = vec->type.kind == COL_INT8   ? col_i64(vec)[0]
                    : vec->type.kind == COL_INT4 ? col_i32(vec)[0]
                                                 : col_i16(vec)[0];
    return value < 0 ? 0 : value;
}

typedef struct param_values {
    base_arena *arena;
    const col_batch *values;
} param_values;

static const plan_expr *bind_param(void *self, const plan_expr *expr) {
    const param_values *params = self;
    return plan_expr_bind_params(params->arena, expr, params->values);
}

const plan_node *plan_node_bind_params(base_arena *arena, const plan_node *node,
                                       const col_batch *values) {
    plan_node *copy = base_arena_new(arena, plan_node);
    *copy = *node;
    copy->inputs = base_arena_array(arena, const plan_node *, node->ninputs);
    for (uint32_t i = 0; i < node->ninputs; i++)
        copy->inputs[i] = plan_node_bind_params(arena, node->inputs[i], values);
    if (node->step != NULL) copy->step = plan_node_bind_params(arena, node->step, values);
    if (node->predicate != NULL)
        copy->predicate = plan_expr_bind_params(arena, node->predicate, values);
    if (node->mark != NULL) copy->mark = plan_expr_bind_params(arena, node->mark, values);
    copy->exprs = base_arena_array(arena, const plan_expr *, node->nexprs);
    for (uint32_t i = 0; i < node->nexprs; i++)
        copy->exprs[i] = plan_expr_bind_params(arena, node->exprs[i], values);
    plan_agg *aggs = base_arena_array(arena, plan_agg, node->naggs);
    for (uint32_t i = 0; i < node->naggs; i++) {
        aggs[i] = node->aggs[i];
        plan_agg_map(arena, &aggs[i], bind_param, &(param_values){arena, values});
    }
    copy->aggs = aggs;
    plan_over *overs = base_arena_array(arena, plan_over, node->nover);
    for (uint32_t i = 0; i < node->nover; i++)
        overs[i] =
            plan_over_map(arena, &node->overs[i], bind_param, &(param_values){arena, values});
    copy->overs = overs;
    if (node->limit_param != NULL) copy->limit = param_i64(node->limit_param, values, -1);
    if (node->offset_param != NULL) copy->offset = param_i64(node->offset_param, values, 0);
    copy->limit_param = copy->offset_param = NULL;
    return copy;
}
