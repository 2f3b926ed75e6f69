// recursive.c - WITH RECURSIVE. A query that names itself is UNION [ALL] of a term that does not
// and one that does, once. The second is planned by itself over a working table; what it reads
// beside that table and that stays the same at every turn becomes an input of the node, worked out
// once. Source of what is refused: PostgreSQL 15 documentation, "WITH Queries", and its error
// messages. Entry points: sql_is_recursive, sql_bind_recursive.
#include "sql/subquery.h"

#include "base/must.h"

#define WORKING_ID_FIRST 0x7f000000u // of no object of a catalogue

// ---- what refers to itself -------------------------------------------------------------------

static bool names_cte(const sql_tree *with, const char *name) {
    const sql_tree *list = sql_get(with, "ctes");
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL; item = item->next)
        if (strcmp(sql_get_text(sql_body(item), "ctename"), name) == 0) return true;
    return false;
}

// References to `name` in FROM, in a list of trees; a WITH inside may take the name.
static uint32_t count_refs(const sql_tree *tree, const char *name) {
    uint32_t n = 0;
    for (; tree != NULL; tree = tree->next) {
        if (tree->name != NULL && strcmp(tree->name, "RangeVar") == 0) {
            const char *rel = sql_get_text(tree, "relname");
            n += sql_get_text(tree, "schemaname") == NULL && rel != NULL && strcmp(rel, name) == 0;
            continue;
        }
        if (names_cte(sql_get(tree, "withClause"), name)) continue;
        n += count_refs(tree->child, name);
    }
    return n;
}

static uint32_t refs_in(const sql_tree *query, const char *name) {
    return query == NULL ? 0 : count_refs(query->child, name);
}

bool sql_is_recursive(const sql_tree *query, const char *name) {
    return refs_in(query, name) > 0;
}

// ---- PostgreSQL's conditions -----------------------------------------------------------------

static base_rc refuse(sql_ctx *ctx, int32_t position, const char *name, const char *why) {
    return sql_fail(ctx, position, BASE_E_INVALID, "42P19",
                    "recursive reference to query \"%s\" must not appear %s", name, why);
}

// Where a reference may not stand in the recursive term.
static base_rc check_places(sql_ctx *ctx, const sql_tree *tree, const char *name,
                            int32_t position) {
    for (; tree != NULL; tree = tree->next) {
        const char *kind = tree->name == NULL ? "" : tree->name;
        if (strcmp(kind, "SubLink") == 0 && count_refs(tree->child, name) > 0)
            return refuse(ctx, position, name, "within a subquery");
        if (strcmp(kind, "JoinExpr") == 0) {
            const char *type = sql_get_text(tree, "jointype");
            bool left = type != NULL && strcmp(type, "JOIN_LEFT") == 0;
            bool right = type != NULL && strcmp(type, "JOIN_RIGHT") == 0;
            bool full = type != NULL && strcmp(type, "JOIN_FULL") == 0;
            if (((left || full) && refs_in(sql_get(tree, "rarg"), name) > 0) ||
                ((right || full) && refs_in(sql_get(tree, "larg"), name) > 0))
                return refuse(ctx, position, name, "within an outer join");
        }
        const char *op = sql_get_text(tree, "op");
        bool except = op != NULL && strcmp(op, "SETOP_EXCEPT") == 0;
        if ((except && refs_in(sql_get(tree, "rarg"), name) > 0) ||
            (op != NULL && strcmp(op, "SETOP_INTERSECT") == 0 && count_refs(tree->child, name) > 0))
            return refuse(ctx, position, name, except ? "within EXCEPT" : "within INTERSECT");
        SQL_TRY(check_places(ctx, tree->child, name, position));
    }
    return BASE_OK;
}

static base_rc check_form(sql_ctx *ctx, const sql_cte *cte, int32_t position) {
    static const char *const clauses[][2] = {{"sortClause", "ORDER BY"},
                                             {"limitCount", "LIMIT"},
                                             {"limitOffset", "OFFSET"},
                                             {"lockingClause", "FOR UPDATE/SHARE"}};
    const char *op = sql_get_text(cte->query, "op");
    if (op == NULL || strcmp(op, "SETOP_UNION") != 0)
        return sql_fail(ctx, position, BASE_E_INVALID, "42P19",
                        "recursive query \"%s\" does not have the form non-recursive-term UNION "
                        "[ALL] recursive-term",
                        cte->name);
    for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++)
        if (sql_get(cte->query, clauses[i][0]) != NULL)
            return sql_unsupported(ctx, position, "%s in a recursive query is not implemented",
                                   clauses[i][1]);
    if (sql_get(cte->query, "withClause") != NULL)
        return sql_unsupported(ctx, position, "WITH inside a recursive query is not supported");
    const sql_tree *right = sql_get(cte->query, "rarg");
    if (refs_in(sql_get(cte->query, "larg"), cte->name) > 0)
        return refuse(ctx, position, cte->name, "within its non-recursive term");
    if (refs_in(right, cte->name) > 1) return refuse(ctx, position, cte->name, "more than once");
    SQL_TRY(check_places(ctx, right->child, cte->name, position));
    if (sql_calls_aggregate(sql_get(right, "targetList")))
        return sql_fail(ctx, position, BASE_E_INVALID, "42P19",
                        "aggregate functions are not allowed in a recursive query's recursive "
                        "term");
    return BASE_OK;
}

static base_rc check_type(sql_ctx *ctx, const sql_cte *cte, uint32_t column, const plan_node *base,
                          const plan_node *step, int32_t position) {
    const plan_expr *pair[2] = {sql_column_of(ctx, base, column), sql_column_of(ctx, step, column)};
    col_type type;
    SQL_TRY(sql_common_type_find(ctx, "UNION", 2, pair, &type));
    if (type.kind == base->columns[column].type.kind) return BASE_OK;
    sql_fail(
        ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
        "recursive query \"%s\" column %u has type %s in non-recursive term but type %s overall",
        cte->name, column + 1, sql_type_name(ctx, &base->columns[column].type),
        sql_type_name(ctx, &type));
    base_error_hint(ctx->err, "Cast the output of the non-recursive term to the correct type.");
    return ctx->err->code;
}

// ---- the plan --------------------------------------------------------------------------------

static plan_object *table_of(sql_ctx *ctx, const plan_node *node, const char *name) {
    plan_object *table = base_arena_new(ctx->arena, plan_object);
    table->kind = PLAN_OBJECT_SYSTEM;
    table->id = WORKING_ID_FIRST + ctx->nworking++;
    table->schema = "recursive";
    table->name = name;
    table->event_time = table->effective_time = table->window_column = -1;
    table->ncolumns = node->ncolumns;
    plan_column *columns = base_arena_array(ctx->arena, plan_column, node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++)
        columns[i] = (plan_column){.name = node->columns[i].name, .type = node->columns[i].type};
    table->columns = columns;
    return table;
}

typedef struct extraction {
    sql_ctx *ctx;
    const plan_object *working;
    uint32_t n, cap;
    const plan_node **inputs;
    const plan_object **tables;
} extraction;

static void visit_scan(void *arg, const plan_node *scan) {
    const plan_object **object = arg;
    if (scan->object == *object) *object = NULL;
}

static bool reads(const plan_node *node, const plan_object *object) {
    plan_node_scans(node, visit_scan, &object);
    return object == NULL;
}

static void add_input(extraction *x, const plan_node *input, const plan_object *table) {
    if (x->n == x->cap) {
        uint32_t cap = x->cap == 0 ? 4 : x->cap * 2;
        const plan_node **inputs = base_arena_array(x->ctx->arena, const plan_node *, cap);
        const plan_object **tables = base_arena_array(x->ctx->arena, const plan_object *, cap);
        if (x->n > 0) memcpy(inputs, x->inputs, x->n * sizeof *inputs);
        if (x->n > 0) memcpy(tables, x->tables, x->n * sizeof *tables);
        x->inputs = inputs;
        x->tables = tables;
        x->cap = cap;
    }
    x->inputs[x->n] = input;
    x->tables[x->n++] = table;
}

// The step's plan with scans of tables for all that does not depend on the working table.
static const plan_node *extract(extraction *x, const plan_node *node) {
    if (node->kind == PLAN_NODE_VALUES) return node;
    if (!reads(node, x->working)) {
        const plan_object *table = table_of(x->ctx, node, "constant");
        add_input(x, node, table);
        return sql_node_scan(x->ctx, table);
    }
    if (node->kind == PLAN_NODE_SCAN) return node;
    plan_node *copy = base_arena_new(x->ctx->arena, plan_node);
    *copy = *node;
    copy->inputs = base_arena_array(x->ctx->arena, const plan_node *, node->ninputs);
    for (uint32_t i = 0; i < node->ninputs; i++) copy->inputs[i] = extract(x, node->inputs[i]);
    return copy;
}

static base_rc bind_step(sql_ctx *ctx, const sql_cte *cte, const sql_cte *visible,
                         const plan_node *base, const plan_object *working, int32_t position,
                         const plan_node **out) {
    sql_cte *self = base_arena_new(ctx->arena, sql_cte);
    *self =
        (sql_cte){.name = cte->name, .working = working, .outer = visible, .around = cte->around};
    plan_node *step;
    SQL_TRY(sql_bind_query(ctx, sql_get(cte->query, "rarg"), cte->around, self, &step));
    if (step->ncolumns != base->ncolumns)
        return SQL_SYNTAX(ctx, position, "each UNION query must have the same number of columns");
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, step->ncolumns);
    const char **names = base_arena_array(ctx->arena, const char *, step->ncolumns);
    for (uint32_t i = 0; i < step->ncolumns; i++) {
        SQL_TRY(check_type(ctx, cte, i, base, step, position));
        names[i] = working->columns[i].name;
        SQL_TRY(sql_coerce(ctx, sql_column_of(ctx, step, i), base->columns[i].type,
                           COL_CAST_IMPLICIT, &exprs[i]));
    }
    bool *used = base_arena_array(ctx->arena, bool, ctx->nouters + 1u);
    sql_params_used(step, used);
    for (uint32_t k = 0; k < ctx->nouters; k++)
        if (used[k])
            return sql_unsupported(ctx, position,
                                   "a recursive query that uses columns of a query around it is "
                                   "not supported");
    return sql_optimise(ctx, sql_node_project(ctx, step, step->ncolumns, exprs, names), out);
}

base_rc sql_bind_recursive(sql_ctx *ctx, const sql_cte *cte, const sql_cte *visible,
                           int32_t position, plan_node **out) {
    if (ctx->in_view)
        return sql_unsupported(ctx, position, "WITH RECURSIVE is not supported in a %s",
                               ctx->view_word);
    SQL_TRY(check_form(ctx, cte, position));
    plan_node *base;
    SQL_TRY(sql_bind_query(ctx, sql_get(cte->query, "larg"), cte->around, visible, &base));
    plan_object *working = table_of(ctx, base, cte->name);
    plan_column *columns = (plan_column *)(uintptr_t)working->columns;
    const sql_tree *alias = cte->aliases == NULL ? NULL : cte->aliases->child;
    for (uint32_t i = 0; alias != NULL && i < base->ncolumns; i++, alias = alias->next)
        columns[i].name = sql_string(alias);
    const plan_node *step;
    SQL_TRY(bind_step(ctx, cte, visible, base, working, position, &step));
    extraction x = {.ctx = ctx, .working = working};
    add_input(&x, base, working);
    step = sql_annotate(ctx, extract(&x, step));
    plan_node *node = sql_node(ctx, PLAN_NODE_RECURSIVE, base->ncolumns, x.n, NULL, NULL);
    for (uint32_t i = 0; i < base->ncolumns; i++)
        sql_columns(node)[i] =
            (plan_column){.name = columns[i].name, .type = base->columns[i].type};
    for (uint32_t i = 0; i < x.n; i++) node->inputs[i] = x.inputs[i];
    node->step = step;
    node->step_tables = x.tables;
    node->distinct = !sql_get_bool(cte->query, "all");
    *out = node;
    return BASE_OK;
}
