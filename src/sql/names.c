// names.c - the name of an output column without AS, as PostgreSQL chooses it. Source: the rules
// that PostgreSQL's parser applies (a column's or field's name, a function's, a cast's operand's or
// else its type's, "case", "coalesce", ...). Entry point: sql_output_name.
#include "sql/sql_int.h"

static const char *last_string(const sql_tree *list) {
    const char *name = NULL;
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
         item = item->next) {
        const char *text = sql_string(item);
        if (text != NULL) name = text;
    }
    return name;
}

// strength 0: no name; 1: a weak one, which a cast's own name does not beat; 2: a good one.
static int figure(const sql_tree *wrapper, const char **name);

static int name_cast(const sql_tree *body, const char **name) {
    int strength = figure(sql_get(body, "arg"), name);
    if (strength > 1) return strength;
    const char *type = last_string(sql_get(sql_get(body, "typeName"), "names"));
    if (type == NULL) return strength;
    *name = type;
    return 1;
}

static int name_case(const sql_tree *body, const char **name) {
    int strength = figure(sql_get(body, "defresult"), name);
    if (strength > 1) return strength;
    *name = "case";
    return 1;
}

static int name_list(const sql_tree *list, const char **name) {
    const char *found = last_string(list);
    if (found == NULL) return 0;
    *name = found;
    return 2;
}
static int name_column(const sql_tree *body, const char **name) {
    return name_list(sql_get(body, "fields"), name);
}
static int name_func(const sql_tree *body, const char **name) {
    return name_list(sql_get(body, "funcname"), name);
}

static int name_indirection(const sql_tree *body, const char **name) {
    int strength = name_list(sql_get(body, "indirection"), name);
    return strength > 0 ? strength : figure(sql_get(body, "arg"), name);
}
static int name_arg(const sql_tree *body, const char **name) {
    return figure(sql_get(body, "arg"), name);
}

static int name_a_expr(const sql_tree *body, const char **name) {
    const char *kind = sql_get_text(body, "kind");
    if (kind == NULL || strcmp(kind, "AEXPR_NULLIF") != 0) return 0;
    *name = "nullif";
    return 2;
}

static int name_min_max(const sql_tree *body, const char **name) {
    const char *op = sql_get_text(body, "op");
    *name = op != NULL && strcmp(op, "IS_LEAST") == 0 ? "least" : "greatest";
    return 2;
}

static int name_value_function(const sql_tree *body, const char **name) {
    static const char *const names[][2] = {
        {"SVFOP_CURRENT_DATE", "current_date"},
        {"SVFOP_CURRENT_TIMESTAMP", "current_timestamp"},
        {"SVFOP_CURRENT_TIMESTAMP_N", "current_timestamp"},
        {"SVFOP_CURRENT_TIME", "current_time"},
        {"SVFOP_LOCALTIME", "localtime"},
        {"SVFOP_LOCALTIMESTAMP", "localtimestamp"},
        {"SVFOP_LOCALTIMESTAMP_N", "localtimestamp"},
        {"SVFOP_CURRENT_ROLE", "current_role"},
        {"SVFOP_CURRENT_USER", "current_user"},
        {"SVFOP_USER", "user"},
        {"SVFOP_SESSION_USER", "session_user"},
        {"SVFOP_CURRENT_CATALOG", "current_catalog"},
        {"SVFOP_CURRENT_SCHEMA", "current_schema"},
    };
    const char *op = sql_get_text(body, "op");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (op == NULL || strcmp(op, names[i][0]) != 0) continue;
        *name = names[i][1];
        return 2;
    }
    return 0;
}

static int name_sublink(const sql_tree *body, const char **name) {
    const char *kind = sql_get_text(body, "subLinkType");
    if (kind == NULL || strcmp(kind, "EXISTS_SUBLINK") == 0) {
        *name = "exists";
        return 2;
    }
    if (strcmp(kind, "ARRAY_SUBLINK") == 0) {
        *name = "array";
        return 2;
    }
    if (strcmp(kind, "EXPR_SUBLINK") != 0) return 0;
    const sql_tree *select = sql_body(sql_get(body, "subselect"));
    const sql_tree *targets = sql_get(select, "targetList");
    if (targets == NULL || targets->child == NULL) return 0;
    const char *alias = sql_get_text(sql_body(targets->child), "name");
    *name = alias != NULL ? alias : sql_output_name(sql_get(sql_body(targets->child), "val"));
    return 2;
}

static int name_coalesce(const sql_tree *body, const char **name) {
    (void)body;
    *name = "coalesce";
    return 2;
}
static int name_row(const sql_tree *body, const char **name) {
    (void)body;
    *name = "row";
    return 2;
}
static int name_grouping(const sql_tree *body, const char **name) {
    (void)body;
    *name = "grouping";
    return 2;
}
static int name_array(const sql_tree *body, const char **name) {
    (void)body;
    *name = "array";
    return 2;
}

static const struct {
    const char *type;
    int (*name)(const sql_tree *body, const char **name);
} name_rules[] = {
    {"ColumnRef", name_column},
    {"FuncCall", name_func},
    {"A_Indirection", name_indirection},
    {"TypeCast", name_cast},
    {"CollateClause", name_arg},
    {"CaseExpr", name_case},
    {"CoalesceExpr", name_coalesce},
    {"MinMaxExpr", name_min_max},
    {"A_Expr", name_a_expr},
    {"SQLValueFunction", name_value_function},
    {"SubLink", name_sublink},
    {"RowExpr", name_row},
    {"GroupingFunc", name_grouping},
    {"A_ArrayExpr", name_array},
};

static int figure(const sql_tree *wrapper, const char **name) {
    if (wrapper == NULL) return 0;
    const char *type = sql_type_of(wrapper);
    for (size_t i = 0; i < sizeof name_rules / sizeof name_rules[0]; i++)
        if (strcmp(type, name_rules[i].type) == 0)
            return name_rules[i].name(sql_body(wrapper), name);
    return 0;
}

const char *sql_output_name(const sql_tree *wrapper) {
    const char *name = NULL;
    return figure(wrapper, &name) > 0 ? name : "?column?";
}
