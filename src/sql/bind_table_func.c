// bind_table_func.c - functions in FROM whose rows are a table: unnest, generate_series and the
// like, ROWS FROM, WITH ORDINALITY; a scalar function gives one row. They become one TABLE_FUNC
// node over what stands to their left (LATERAL is implied, as PostgreSQL has it). Entry point:
// sql_bind_table_func.
#include "sql/sql_int.h"

#include "base/must.h"

#define NAMED_MAX 32 // signatures of one name

typedef struct table_func {
    sql_binder *binder;
    sql_exprs args; // of all functions
    uint32_t nfuncs, funcs_cap;
    plan_table_func *funcs;
    uint32_t ncolumns, columns_cap;
    plan_column *columns;
} table_func;

static const char *call_name(const sql_tree *call) {
    const sql_tree *last = sql_get(sql_body(call), "funcname")->child;
    while (last->next != NULL) last = last->next;
    return sql_string(last);
}

// {"List": {"items": [call, definitions]}} of ROWS FROM.
// weir.f(...): a system object with arguments, see sql_bind_system_call.
static bool is_system_call(const sql_tree *call) {
    const sql_tree *first = sql_get(sql_body(call), "funcname")->child;
    return first->next != NULL && strcmp(sql_string(first), "weir") == 0;
}

static const sql_tree *item_call(const sql_tree *item) {
    const sql_tree *items = sql_get(sql_body(item), "items");
    return items == NULL ? NULL : items->child;
}

bool sql_is_table_func(const sql_tree *body) {
    static const char *const windows[] = {"tumble", "hop", "session", "cumulate", "table"};
    const sql_tree *functions = sql_get(body, "functions");
    const sql_tree *call = functions == NULL ? NULL : item_call(functions->child);
    if (!sql_is(call, "FuncCall")) return true; // CURRENT_DATE and the like
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++)
        if (strcmp(call_name(call), windows[i]) == 0) return false;
    return !is_system_call(call);
}

static void add_column(table_func *t, const char *name, col_type type) {
    sql_ctx *ctx = t->binder->ctx;
    if (t->ncolumns == t->columns_cap) {
        uint32_t cap = t->columns_cap == 0 ? 8 : t->columns_cap * 2;
        plan_column *more = base_arena_array(ctx->arena, plan_column, cap);
        if (t->ncolumns > 0) memcpy(more, t->columns, t->ncolumns * sizeof *more);
        t->columns = more;
        t->columns_cap = cap;
    }
    t->columns[t->ncolumns++] = (plan_column){.name = name, .type = type};
}

static void add_func(table_func *t, const col_set_func *func, uint32_t nargs,
                     const plan_expr *const *args, const char *name, col_type any) {
    sql_ctx *ctx = t->binder->ctx;
    if (t->nfuncs == t->funcs_cap) {
        uint32_t cap = t->funcs_cap == 0 ? 4 : t->funcs_cap * 2;
        plan_table_func *more = base_arena_array(ctx->arena, plan_table_func, cap);
        if (t->nfuncs > 0) memcpy(more, t->funcs, t->nfuncs * sizeof *more);
        t->funcs = more;
        t->funcs_cap = cap;
    }
    t->funcs[t->nfuncs++] = (plan_table_func){func, nargs, func->ncols};
    for (uint32_t i = 0; i < nargs; i++) sql_exprs_add(ctx, &t->args, args[i]);
    for (uint32_t c = 0; c < func->ncols; c++)
        add_column(t, func->cols[c].name != NULL ? func->cols[c].name : name,
                   func->cols[c].kind == COL_UNKNOWN ? any : col_type_of(func->cols[c].kind));
}

// A function that gives one value gives one row of it.
static base_rc add_scalar(table_func *t, const sql_tree *call, const char *name) {
    const plan_expr *value;
    SQL_TRY(sql_bind_expr(t->binder, call, &value));
    SQL_TRY(sql_settle(t->binder->ctx, &value));
    if (value->type.kind == COL_STRUCT)
        return sql_unsupported(t->binder->ctx, value->position,
                               "a function in FROM that gives a struct is not supported");
    add_func(t, &col_set_scalar, 1, &value, name, value->type);
    return BASE_OK;
}

static base_rc bind_args(table_func *t, const sql_tree *call, uint32_t *nargs,
                         const plan_expr ***args) {
    const sql_tree *list = sql_get(sql_body(call), "args");
    *nargs = 0;
    *args = base_arena_array(t->binder->ctx->arena, const plan_expr *, sql_tree_count(list) + 1);
    for (const sql_tree *arg = list == NULL ? NULL : list->child; arg != NULL; arg = arg->next) {
        if (sql_is(arg, "NamedArgExpr"))
            return sql_unsupported(t->binder->ctx, sql_tree_position(t->binder->ctx, sql_body(arg)),
                                   "named arguments are not supported");
        SQL_TRY(sql_bind_expr(t->binder, arg, &(*args)[(*nargs)++]));
    }
    return BASE_OK;
}

static base_rc bind_call(table_func *t, const sql_tree *call) {
    sql_ctx *ctx = t->binder->ctx;
    if (!sql_is(call, "FuncCall")) return add_scalar(t, call, sql_output_name(call));
    const char *name = call_name(call);
    const col_func *named[NAMED_MAX], *chosen;
    size_t n = col_set_find(base_str_of(name), named, NAMED_MAX);
    int32_t position = sql_tree_position(ctx, sql_body(call));
    if (n == 0) return add_scalar(t, call, name);
    uint32_t nargs;
    const plan_expr **args;
    col_type any;
    SQL_TRY(bind_args(t, call, &nargs, &args));
    // unnest(a, b, ...) is one unnest each, side by side.
    uint32_t each = strcmp(name, "unnest") == 0 && nargs > 1 ? 1 : nargs;
    for (uint32_t at = 0; at == 0 || at < nargs; at += each) {
        SQL_TRY(sql_choose(ctx, name, n, named, each, args + at, position, &chosen, &any));
        add_func(t, col_set_of(chosen), each, args + at, name, any);
        if (each == 0) break;
    }
    return BASE_OK;
}

base_rc sql_bind_table_func(sql_binder *binder, const sql_tree *body, plan_node **input,
                            plan_node **node, plan_node **own, const char **name, bool *scalar) {
    sql_ctx *ctx = binder->ctx;
    table_func t = {.binder = binder};
    const sql_tree *functions = sql_get(body, "functions"), *alias = sql_get(body, "alias");
    if (sql_get(body, "coldeflist") != NULL)
        return sql_unsupported(ctx, 0, "column definitions of a function are not supported");
    for (const sql_tree *item = functions->child; item != NULL; item = item->next) {
        const sql_tree *call = item_call(item);
        if (call != NULL && call->next != NULL && sql_body(call->next) != NULL &&
            call->next->child->child != NULL)
            return sql_unsupported(ctx, 0, "column definitions of a function are not supported");
        SQL_TRY(bind_call(&t, call));
    }
    const sql_tree *first = item_call(functions->child);
    *name = sql_is(first, "FuncCall") ? call_name(first) : sql_output_name(first);
    bool one = t.nfuncs == 1 && t.ncolumns == 1;
    // The alias of a table of one column names the column too, unless the function names it.
    const char *alias_name = sql_get_text(alias, "aliasname");
    if (one && alias_name != NULL && t.funcs[0].func->cols[0].name == NULL)
        t.columns[0].name = alias_name;
    bool ordinality = sql_get_bool(body, "ordinality");
    *scalar = one && !ordinality;
    if (ordinality) add_column(&t, "ordinality", col_type_of(COL_INT8));
    SQL_TRY(sql_place(ctx, input, t.args.items, t.args.n));
    uint32_t n = (*input)->ncolumns;
    *node = sql_node(ctx, PLAN_NODE_TABLE_FUNC, n + t.ncolumns, 1, *input, NULL);
    memcpy(sql_columns(*node), (*input)->columns, n * sizeof(plan_column));
    memcpy(sql_columns(*node) + n, t.columns, t.ncolumns * sizeof(plan_column));
    (*node)->nexprs = t.args.n;
    (*node)->exprs = t.args.items;
    (*node)->nfuncs = t.nfuncs;
    (*node)->funcs = t.funcs;
    (*node)->ordinality = ordinality;
    *own = sql_node(ctx, PLAN_NODE_VALUES, t.ncolumns, 0, NULL, NULL);
    memcpy(sql_columns(*own), t.columns, t.ncolumns * sizeof(plan_column));
    return BASE_OK;
}
