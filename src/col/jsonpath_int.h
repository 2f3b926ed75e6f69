// jsonpath_int.h - the tree of a path, which the parser makes and the evaluation follows.
#ifndef WEIR_COL_JSONPATH_INT_H
#define WEIR_COL_JSONPATH_INT_H

#include "col/jsonpath.h"

typedef enum jp_op {
    JP_ROOT,     // $
    JP_CURRENT,  // @
    JP_VARIABLE, // $name
    JP_LITERAL,  // literal
    JP_LAST,     // the last subscript
    JP_KEY,      // .name
    JP_ANY_KEY,  // .*
    JP_ANY_ITEM, // [*]
    JP_SUBSCRIPT,
    JP_ANY, // .** with levels
    JP_FILTER,
    JP_METHOD,
    JP_ADD,
    JP_SUB,
    JP_MUL,
    JP_DIV,
    JP_MOD,
    JP_PLUS,
    JP_MINUS,
    JP_GROUP, // (a), so that accessors may follow
    // Predicates.
    JP_AND,
    JP_OR,
    JP_NOT,
    JP_EQ,
    JP_NE,
    JP_LT,
    JP_LE,
    JP_GT,
    JP_GE,
    JP_EXISTS,
    JP_UNKNOWN,
    JP_STARTS,
    JP_REGEX,
} jp_op;

typedef enum jp_method {
    JP_TYPE,
    JP_SIZE,
    JP_DOUBLE,
    JP_CEILING,
    JP_FLOOR,
    JP_ABS,
    JP_KEYVALUE,
    JP_DATETIME,
} jp_method;

typedef struct jp_range { // a subscript: from, or from TO to
    struct jp_node *from, *to;
    struct jp_range *next;
} jp_range;

typedef struct jp_node {
    jp_op op;
    struct jp_node *a, *b;
    struct jp_node *next; // the accessor that follows
    base_str name;        // of a key, variable or method; the text of a regex
    col_json *literal;
    jp_range *ranges;
    uint32_t first, last; // levels of .**; UINT32_MAX: the leaves, or without end
    jp_method method;
    unsigned flags; // of a regex
} jp_node;

struct jsonpath {
    bool strict;
    jp_node *root;
};

static inline bool jp_is_predicate(const jp_node *node) {
    return node->op >= JP_AND && node->next == NULL;
}

#endif
