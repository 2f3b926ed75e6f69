// jsonpath.c - evaluation of SQL/JSON paths. An expression gives a sequence of items; accessors
// follow one another item by item, depth first. In lax mode arrays are unwrapped where an accessor
// wants their elements, single items stand for arrays of one, and structural errors are the empty
// sequence; in strict mode they are errors. Predicates are of three values: an error inside is
// "unknown". Invariant: JP_FAILED leaves the reason in run->err. Entry point: jsonpath_run().
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/codec.h"
#include "col/col_int.h"
#include "col/func_int.h"
#include "col/jsonpath_int.h"
#include "col/regex.h"

#define DEPTH_MAX 2000u

typedef enum jp_result {
    JP_FOUND,
    JP_NONE,
    JP_FAILED,
} jp_result;

typedef enum jp_truth {
    JP_FALSE,
    JP_TRUE,
    JP_UNSURE,
} jp_truth;

typedef struct jp_run {
    const jsonpath *path;
    const col_json *root, *current, *vars;
    int64_t array_size; // of the innermost array, for last
    bool lenient;       // structural errors are ignored
    bool fatal;         // the failure is one that silence does not cover
    uint32_t depth;
    base_arena *arena;
    base_error *err;
} jp_run;

static jp_result execute(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                         jsonpath_items *found);
static jp_truth decide(jp_run *run, const jp_node *node, const col_json *item);

static void append(jp_run *run, jsonpath_items *found, const col_json *item) {
    if (found == NULL) return;
    if (found->n == found->cap) {
        uint32_t cap = found->cap == 0 ? 8 : found->cap * 2;
        const col_json **more = base_arena_array(run->arena, const col_json *, cap);
        if (found->n > 0) memcpy(more, found->items, found->n * sizeof *more);
        found->items = more;
        found->cap = cap;
    }
    found->items[found->n++] = item;
}

static jp_result fail(jp_run *run, const char *sqlstate, const char *text, const char *name) {
    (void)base_fail(run->err, BASE_E_INVALID, sqlstate, text, name);
    return JP_FAILED;
}
#define FAIL(run, sqlstate, text) fail(run, sqlstate, "%s", text)

// What structural errors give.
static jp_result structural(jp_run *run, const char *sqlstate, const char *text) {
    return run->lenient ? JP_NONE : FAIL(run, sqlstate, text);
}

static bool is_container(const col_json *item) {
    return item->kind == COL_JSON_ARRAY || item->kind == COL_JSON_OBJECT;
}

static col_json *new_item(jp_run *run, col_json_kind kind, base_str text) {
    col_json *item = base_arena_new(run->arena, col_json);
    item->kind = kind;
    item->text = text;
    return item;
}

static col_json *decimal_item(jp_run *run, base_decimal v) {
    char text[BASE_DECIMAL_TEXT_MAX];
    size_t n = (size_t)base_decimal_format(v, text);
    return new_item(run, COL_JSON_NUMBER, (base_str){base_arena_memdup(run->arena, text, n), n});
}

// The accessors after this node, on what it gave.
static jp_result follow(jp_run *run, const jp_node *node, const col_json *item,
                        jsonpath_items *found) {
    if (node->next != NULL) return execute(run, node->next, item, !run->path->strict, found);
    append(run, found, item);
    return JP_FOUND;
}

// Applies node (or nothing) to each item within a container, at levels first to last.
static jp_result execute_within(jp_run *run, const jp_node *node, const col_json *container,
                                jsonpath_items *found, uint32_t level, uint32_t first,
                                uint32_t last, bool lenient, bool unwrap) {
    jp_result result = JP_NONE;
    if (level > last) return result;
    if (level > DEPTH_MAX) return FAIL(run, BASE_SQLSTATE_LIMIT, "jsonpath goes too deep");
    for (uint32_t i = 0; i < container->n; i++) {
        const col_json *item = container->items[i];
        bool leaf = first == UINT32_MAX && last == UINT32_MAX && !is_container(item);
        if (level >= first || leaf) {
            if (node != NULL) {
                bool was = run->lenient;
                if (lenient) run->lenient = true;
                result = execute(run, node, item, unwrap, found);
                run->lenient = was;
                if (result == JP_FAILED) return result;
                if (result == JP_FOUND && found == NULL) return result;
            } else {
                append(run, found, item);
                if (found == NULL) return JP_FOUND;
                result = JP_FOUND;
            }
        }
        if (level < last && is_container(item)) {
            jp_result inner =
                execute_within(run, node, item, found, level + 1, first, last, lenient, unwrap);
            if (inner == JP_FAILED) return inner;
            if (inner == JP_FOUND) result = inner;
            if (inner == JP_FOUND && found == NULL) return inner;
        }
    }
    return result;
}

// In lax mode: the node on each element of an array that stands where an item is wanted.
static jp_result execute_elements(jp_run *run, const jp_node *node, const col_json *array,
                                  jsonpath_items *found) {
    return execute_within(run, node, array, found, 1, 1, 1, false, false);
}

// All items of an expression; unwrap: arrays as their elements, in lax mode.
static jp_result execute_all(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                             jsonpath_items *found) {
    if (!unwrap || run->path->strict) {
        return execute(run, node, item, !run->path->strict, found);
    }
    jsonpath_items items = {0};
    jp_result result = execute(run, node, item, true, &items);
    if (result == JP_FAILED) return result;
    for (uint32_t i = 0; i < items.n; i++) {
        const col_json *it = items.items[i];
        if (it->kind != COL_JSON_ARRAY) {
            append(run, found, it);
            continue;
        }
        for (uint32_t k = 0; k < it->n; k++) append(run, found, it->items[k]);
    }
    return found->n > 0 ? JP_FOUND : JP_NONE;
}

// ---- numbers ----

static jp_result number_of(jp_run *run, const col_json *item, base_decimal *to) {
    if (base_decimal_parse(item->text, to, run->err) != BASE_OK) return JP_FAILED;
    return JP_FOUND;
}

static const char *op_name(jp_op op) {
    switch (op) {
    case JP_ADD:
    case JP_PLUS:
        return "+";
    case JP_SUB:
    case JP_MINUS:
        return "-";
    case JP_MUL:
        return "*";
    case JP_DIV:
        return "/";
    default:
        return "%";
    }
}

static jp_result arithmetic(jp_run *run, const jp_node *node, const col_json *item,
                            jsonpath_items *found) {
    jsonpath_items left = {0}, right = {0};
    if (execute_all(run, node->a, item, true, &left) == JP_FAILED) return JP_FAILED;
    if (execute_all(run, node->b, item, true, &right) == JP_FAILED) return JP_FAILED;
    if (left.n != 1 || left.items[0]->kind != COL_JSON_NUMBER) {
        return fail(run, "22038",
                    "left operand of jsonpath operator %s is not a single numeric value",
                    op_name(node->op));
    }
    if (right.n != 1 || right.items[0]->kind != COL_JSON_NUMBER) {
        return fail(run, "22038",
                    "right operand of jsonpath operator %s is not a single numeric value",
                    op_name(node->op));
    }
    base_decimal a, b, v;
    if (number_of(run, left.items[0], &a) == JP_FAILED) return JP_FAILED;
    if (number_of(run, right.items[0], &b) == JP_FAILED) return JP_FAILED;
    base_rc rc = node->op == JP_ADD   ? base_decimal_add(a, b, &v, run->err)
                 : node->op == JP_SUB ? base_decimal_sub(a, b, &v, run->err)
                 : node->op == JP_MUL ? base_decimal_mul(a, b, &v, run->err)
                 : node->op == JP_DIV ? base_decimal_div(a, b, &v, run->err)
                                      : base_decimal_mod(a, b, &v, run->err);
    if (rc != BASE_OK) return JP_FAILED;
    return follow(run, node, decimal_item(run, v), found);
}

static jp_result signed_items(jp_run *run, const jp_node *node, const col_json *item,
                              jsonpath_items *found) {
    jsonpath_items items = {0};
    if (execute_all(run, node->a, item, true, &items) == JP_FAILED) return JP_FAILED;
    jp_result result = JP_NONE;
    for (uint32_t i = 0; i < items.n; i++) {
        const col_json *it = items.items[i];
        if (it->kind != COL_JSON_NUMBER) {
            if (found == NULL && node->next == NULL) continue;
            return fail(run, "2203B",
                        "operand of unary jsonpath operator %s is not a numeric value",
                        op_name(node->op));
        }
        if (found == NULL && node->next == NULL) return JP_FOUND;
        base_decimal v;
        if (number_of(run, it, &v) == JP_FAILED) return JP_FAILED;
        if (node->op == JP_MINUS) it = decimal_item(run, base_decimal_neg(v));
        jp_result one = follow(run, node, it, found);
        if (one == JP_FAILED) return one;
        if (one == JP_FOUND) result = one;
        if (one == JP_FOUND && found == NULL) return one;
    }
    return result;
}

// ---- accessors ----

static jp_result subscript_value(jp_run *run, const jp_node *node, const col_json *item,
                                 int64_t *to) {
    jsonpath_items items = {0};
    if (execute(run, node, item, !run->path->strict, &items) == JP_FAILED) return JP_FAILED;
    base_decimal v, whole;
    if (items.n != 1 || items.items[0]->kind != COL_JSON_NUMBER) {
        return FAIL(run, "22033", "jsonpath array subscript is not a single numeric value");
    }
    if (number_of(run, items.items[0], &v) == JP_FAILED) return JP_FAILED;
    if (base_decimal_trunc(v, 0, &whole, run->err) != BASE_OK ||
        base_decimal_to_i64(whole, to, run->err) != BASE_OK || *to < INT32_MIN || *to > INT32_MAX) {
        return FAIL(run, "22033", "jsonpath array subscript is out of integer range");
    }
    return JP_FOUND;
}

static jp_result subscripts(jp_run *run, const jp_node *node, const col_json *item,
                            jsonpath_items *found) {
    bool array = item->kind == COL_JSON_ARRAY;
    if (!array && run->path->strict) {
        return structural(run, "22039", "jsonpath array accessor can only be applied to an array");
    }
    int64_t outer = run->array_size, size = array ? item->n : 1;
    jp_result result = JP_NONE;
    run->array_size = size;
    for (const jp_range *range = node->ranges; range != NULL; range = range->next) {
        int64_t from, to;
        result = subscript_value(run, range->from, item, &from);
        if (result == JP_FAILED) break;
        to = from;
        if (range->to != NULL) result = subscript_value(run, range->to, item, &to);
        if (result == JP_FAILED) break;
        if (!run->lenient && (from < 0 || from > to || to >= size)) {
            result = FAIL(run, "22033", "jsonpath array subscript is out of bounds");
            break;
        }
        if (from < 0) from = 0;
        if (to >= size) to = size - 1;
        result = JP_NONE;
        for (int64_t i = from; i <= to && result != JP_FAILED; i++) {
            result = follow(run, node, array ? item->items[i] : item, found);
            if (result == JP_FOUND && found == NULL) break;
        }
        if (result == JP_FAILED || (result == JP_FOUND && found == NULL)) break;
    }
    run->array_size = outer;
    return result;
}

static jp_result any_level(jp_run *run, const jp_node *node, const col_json *item,
                           jsonpath_items *found) {
    jp_result result = JP_NONE;
    if (node->first == 0) {
        bool was = run->lenient;
        run->lenient = true;
        result = follow(run, node, item, found);
        run->lenient = was;
        if (result == JP_FAILED || (result == JP_FOUND && found == NULL)) return result;
    }
    if (!is_container(item)) return result;
    jp_result inner = execute_within(run, node->next, item, found, 1, node->first, node->last, true,
                                     !run->path->strict);
    return inner == JP_NONE ? result : inner;
}

static jp_result member(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                        jsonpath_items *found) {
    if (item->kind == COL_JSON_OBJECT) {
        const col_json *value = col_json_member(item, node->name);
        if (value != NULL) return follow(run, node, value, found);
        if (run->lenient) return JP_NONE;
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(node->name.n < 100 ? node->name.n : 100),
                 node->name.p);
        return fail(run, "2203A", "JSON object does not contain key \"%s\"", name);
    }
    if (unwrap && item->kind == COL_JSON_ARRAY) return execute_elements(run, node, item, found);
    return structural(run, "2203A", "jsonpath member accessor can only be applied to an object");
}

static jp_result filter(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                        jsonpath_items *found) {
    if (unwrap && item->kind == COL_JSON_ARRAY) return execute_elements(run, node, item, found);
    const col_json *outer = run->current;
    run->current = item;
    jp_truth truth = decide(run, node->a, item);
    run->current = outer;
    if (run->fatal) return JP_FAILED;
    return truth == JP_TRUE ? follow(run, node, item, found) : JP_NONE;
}

// ---- methods ----

static const char *type_name(const col_json *item) {
    static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                        "string", "array",   "object"};
    return names[item->kind];
}

static jp_result to_double(jp_run *run, const jp_node *node, const col_json *item,
                           jsonpath_items *found) {
    if (item->kind != COL_JSON_NUMBER && item->kind != COL_JSON_STRING) {
        return FAIL(run, "22036",
                    "jsonpath item method .double() can only be applied to a string "
                    "or numeric value");
    }
    char text[128];
    char *end;
    if (item->text.n == 0 || item->text.n >= sizeof text) goto bad;
    memcpy(text, item->text.p, item->text.n);
    text[item->text.n] = '\0';
    double v = strtod(text, &end);
    while (*end == ' ') end++;
    if (*end != '\0' || !isfinite(v) || (text[0] | 32) == 'x') goto bad;
    if (item->kind == COL_JSON_NUMBER) return follow(run, node, item, found);
    base_decimal d;
    if (base_decimal_from_double(v, &d, run->err) != BASE_OK) return JP_FAILED;
    return follow(run, node, decimal_item(run, d), found);
bad:
    return FAIL(run, "22036",
                "argument of jsonpath item method .double() is not a valid "
                "representation of a double precision number");
}

static jp_result rounded(jp_run *run, const jp_node *node, const col_json *item,
                         jsonpath_items *found) {
    if (item->kind != COL_JSON_NUMBER) {
        return fail(run, "22036",
                    "jsonpath item method .%s() can only be applied to a numeric value",
                    node->method == JP_ABS     ? "abs"
                    : node->method == JP_FLOOR ? "floor"
                                               : "ceiling");
    }
    base_decimal v;
    if (number_of(run, item, &v) == JP_FAILED) return JP_FAILED;
    v = node->method == JP_ABS     ? base_decimal_abs(v)
        : node->method == JP_FLOOR ? base_decimal_floor(v)
                                   : base_decimal_ceil(v);
    return follow(run, node, decimal_item(run, v), found);
}

static jp_result key_values(jp_run *run, const jp_node *node, const col_json *item,
                            jsonpath_items *found) {
    static const char *const names[] = {"id", "key", "value"};
    if (item->kind != COL_JSON_OBJECT) {
        return FAIL(run, "2203C",
                    "jsonpath item method .keyvalue() can only be applied to an object");
    }
    jp_result result = JP_NONE;
    for (uint32_t i = 0; i < item->n; i++) {
        col_json *pair = new_item(run, COL_JSON_OBJECT, BASE_STR(""));
        pair->items = base_arena_array(run->arena, col_json *, 3);
        pair->n = 3;
        pair->items[0] = new_item(run, COL_JSON_NUMBER, BASE_STR("0"));
        pair->items[1] = new_item(run, COL_JSON_STRING, item->items[i]->key);
        pair->items[2] = base_arena_new(run->arena, col_json);
        *pair->items[2] = *item->items[i];
        for (int k = 0; k < 3; k++) pair->items[k]->key = base_str_of(names[k]);
        result = follow(run, node, pair, found);
        if (result == JP_FAILED || (result == JP_FOUND && found == NULL)) return result;
    }
    return result;
}

static jp_result method(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                        jsonpath_items *found) {
    bool each = node->method != JP_TYPE && node->method != JP_SIZE;
    if (each && unwrap && item->kind == COL_JSON_ARRAY) {
        return execute_elements(run, node, item, found);
    }
    switch (node->method) {
    case JP_TYPE:
        return follow(run, node, new_item(run, COL_JSON_STRING, base_str_of(type_name(item))),
                      found);
    case JP_SIZE:
        if (item->kind != COL_JSON_ARRAY && run->path->strict) {
            return structural(run, "22039",
                              "jsonpath item method .size() can only be applied to an array");
        }
        return follow(
            run, node,
            decimal_item(run, base_decimal_from_i64(item->kind == COL_JSON_ARRAY ? item->n : 1)),
            found);
    case JP_DOUBLE:
        return to_double(run, node, item, found);
    case JP_KEYVALUE:
        return key_values(run, node, item, found);
    default:
        return rounded(run, node, item, found);
    }
}

// ---- predicates ----

static jp_truth compare_numbers(const col_json *a, const col_json *b, int *order) {
    base_decimal x, y;
    if (base_decimal_parse(a->text, &x, NULL) != BASE_OK) return JP_UNSURE;
    if (base_decimal_parse(b->text, &y, NULL) != BASE_OK) return JP_UNSURE;
    *order = base_decimal_cmp(x, y);
    return JP_TRUE;
}

static bool is_bool(const col_json *item) {
    return item->kind == COL_JSON_TRUE || item->kind == COL_JSON_FALSE;
}

static jp_truth compare(jp_op op, const col_json *a, const col_json *b) {
    int order = 0;
    if (a->kind != b->kind && !(is_bool(a) && is_bool(b))) {
        if (a->kind != COL_JSON_NULL && b->kind != COL_JSON_NULL) return JP_UNSURE;
        return op == JP_NE ? JP_TRUE : JP_FALSE;
    }
    if (is_container(a)) return JP_UNSURE;
    if (a->kind == COL_JSON_NUMBER) {
        if (compare_numbers(a, b, &order) == JP_UNSURE) return JP_UNSURE;
    } else if (a->kind == COL_JSON_STRING) {
        order = base_str_cmp(a->text, b->text);
    } else if (is_bool(a)) {
        order = (a->kind == COL_JSON_TRUE) - (b->kind == COL_JSON_TRUE);
    }
    bool holds = op == JP_EQ   ? order == 0
                 : op == JP_NE ? order != 0
                 : op == JP_LT ? order < 0
                 : op == JP_LE ? order <= 0
                 : op == JP_GT ? order > 0
                               : order >= 0;
    return holds ? JP_TRUE : JP_FALSE;
}

static jp_truth test_pair(jp_run *run, const jp_node *node, regex *re, const col_json *a,
                          const col_json *b) {
    if (node->op == JP_STARTS) {
        if (a->kind != COL_JSON_STRING || b->kind != COL_JSON_STRING) return JP_UNSURE;
        return base_str_starts(a->text, b->text) ? JP_TRUE : JP_FALSE;
    }
    if (node->op == JP_REGEX) {
        bool found = false;
        if (a->kind != COL_JSON_STRING) return JP_UNSURE;
        if (regex_find(re, a->text, 0, 0, NULL, &found, run->err) != BASE_OK) {
            run->fatal = true;
            return JP_UNSURE;
        }
        return found ? JP_TRUE : JP_FALSE;
    }
    return compare(node->op, a, b);
}

// Whether the predicate holds for some pair of items; in strict mode all pairs are looked at, and
// one that cannot be compared makes all unknown.
static jp_truth decide_pairs(jp_run *run, const jp_node *node, const col_json *item) {
    jsonpath_items left = {0}, right = {0};
    regex *re = NULL;
    if (execute_all(run, node->a, item, true, &left) == JP_FAILED) return JP_UNSURE;
    if (node->b != NULL) {
        bool unwrap = node->op != JP_STARTS;
        if (execute_all(run, node->b, item, unwrap, &right) == JP_FAILED) return JP_UNSURE;
    } else {
        append(run, &right, NULL);
        if (regex_compile(node->name, node->flags, &re, run->err) != BASE_OK) {
            run->fatal = true;
            return JP_UNSURE;
        }
    }
    bool unsure = false, holds = false, strict = run->path->strict, stop = false;
    for (uint32_t i = 0; i < left.n && !stop; i++) {
        for (uint32_t k = 0; k < right.n && !stop; k++) {
            jp_truth truth = test_pair(run, node, re, left.items[i], right.items[k]);
            unsure |= truth == JP_UNSURE;
            holds |= truth == JP_TRUE;
            stop = (truth == JP_UNSURE && strict) || (truth == JP_TRUE && !strict);
        }
    }
    regex_destroy(re);
    if (strict) return unsure ? JP_UNSURE : holds ? JP_TRUE : JP_FALSE;
    return holds ? JP_TRUE : unsure ? JP_UNSURE : JP_FALSE;
}

static jp_truth decide_exists(jp_run *run, const jp_node *node, const col_json *item) {
    if (run->path->strict) { // all of it, so that there is no error
        jsonpath_items items = {0};
        if (execute_all(run, node->a, item, false, &items) == JP_FAILED) return JP_UNSURE;
        return items.n > 0 ? JP_TRUE : JP_FALSE;
    }
    jp_result result = execute(run, node->a, item, true, NULL);
    return result == JP_FAILED ? JP_UNSURE : result == JP_FOUND ? JP_TRUE : JP_FALSE;
}

static jp_truth decide(jp_run *run, const jp_node *node, const col_json *item) {
    jp_truth a, b;
    switch (node->op) {
    case JP_AND:
        a = decide(run, node->a, item);
        if (a == JP_FALSE) return a;
        b = decide(run, node->b, item);
        return b == JP_TRUE ? a : b;
    case JP_OR:
        a = decide(run, node->a, item);
        if (a == JP_TRUE) return a;
        b = decide(run, node->b, item);
        return b == JP_FALSE ? a : b;
    case JP_NOT:
        a = decide(run, node->a, item);
        return a == JP_UNSURE ? a : a == JP_TRUE ? JP_FALSE : JP_TRUE;
    case JP_UNKNOWN:
        return decide(run, node->a, item) == JP_UNSURE ? JP_TRUE : JP_FALSE;
    case JP_EXISTS:
        return decide_exists(run, node, item);
    default:
        return decide_pairs(run, node, item);
    }
}

static const col_json *truth_item(jp_run *run, jp_truth truth) {
    return truth == JP_UNSURE ? new_item(run, COL_JSON_NULL, BASE_STR("null"))
           : truth == JP_TRUE ? new_item(run, COL_JSON_TRUE, BASE_STR("true"))
                              : new_item(run, COL_JSON_FALSE, BASE_STR("false"));
}

// ---- dispatch ----

static jp_result variable(jp_run *run, const jp_node *node, jsonpath_items *found) {
    const col_json *value = run->vars == NULL ? NULL : col_json_member(run->vars, node->name);
    if (value != NULL) return follow(run, node, value, found);
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)(node->name.n < 100 ? node->name.n : 100),
             node->name.p);
    run->fatal = true;
    return fail(run, BASE_SQLSTATE_UNDEFINED_OBJECT, "could not find jsonpath variable \"%s\"",
                name);
}

static jp_result group(jp_run *run, const jp_node *node, const col_json *item,
                       jsonpath_items *found) {
    jsonpath_items items = {0};
    if (execute(run, node->a, item, !run->path->strict, &items) == JP_FAILED) return JP_FAILED;
    jp_result result = JP_NONE;
    for (uint32_t i = 0; i < items.n; i++) {
        jp_result one = follow(run, node, items.items[i], found);
        if (one == JP_FAILED) return one;
        if (one == JP_FOUND) result = one;
        if (one == JP_FOUND && found == NULL) return one;
    }
    return result;
}

static jp_result any_item(jp_run *run, const jp_node *node, const col_json *item,
                          jsonpath_items *found) {
    if (item->kind == COL_JSON_ARRAY) {
        return execute_within(run, node->next, item, found, 1, 1, 1, false, !run->path->strict);
    }
    if (!run->path->strict) return follow(run, node, item, found);
    return structural(run, "22039",
                      "jsonpath wildcard array accessor can only be applied to an array");
}

static jp_result any_key(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                         jsonpath_items *found) {
    if (item->kind == COL_JSON_OBJECT) {
        return execute_within(run, node->next, item, found, 1, 1, 1, false, !run->path->strict);
    }
    if (unwrap && item->kind == COL_JSON_ARRAY) return execute_elements(run, node, item, found);
    return structural(run, "2203C",
                      "jsonpath wildcard member accessor can only be applied to an object");
}

static jp_result execute_node(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                              jsonpath_items *found) {
    switch (node->op) {
    case JP_ROOT:
        return follow(run, node, run->root, found);
    case JP_CURRENT:
        return follow(run, node, run->current, found);
    case JP_VARIABLE:
        return variable(run, node, found);
    case JP_LITERAL:
        return follow(run, node, node->literal, found);
    case JP_LAST:
        return follow(run, node, decimal_item(run, base_decimal_from_i64(run->array_size - 1)),
                      found);
    case JP_KEY:
        return member(run, node, item, unwrap, found);
    case JP_ANY_KEY:
        return any_key(run, node, item, unwrap, found);
    case JP_ANY_ITEM:
        return any_item(run, node, item, found);
    case JP_SUBSCRIPT:
        return subscripts(run, node, item, found);
    case JP_ANY:
        return any_level(run, node, item, found);
    case JP_FILTER:
        return filter(run, node, item, unwrap, found);
    case JP_METHOD:
        return method(run, node, item, unwrap, found);
    case JP_ADD:
    case JP_SUB:
    case JP_MUL:
    case JP_DIV:
    case JP_MOD:
        return arithmetic(run, node, item, found);
    case JP_PLUS:
    case JP_MINUS:
        return signed_items(run, node, item, found);
    case JP_GROUP:
        return group(run, node, item, found);
    default: {
        jp_truth truth = decide(run, node, item);
        if (run->fatal) return JP_FAILED;
        return follow(run, node, truth_item(run, truth), found);
    }
    }
}

static jp_result execute(jp_run *run, const jp_node *node, const col_json *item, bool unwrap,
                         jsonpath_items *found) {
    if (++run->depth > DEPTH_MAX) {
        run->fatal = true;
        return FAIL(run, BASE_SQLSTATE_LIMIT, "jsonpath is nested too deeply");
    }
    jp_result result = execute_node(run, node, item, unwrap, found);
    run->depth--;
    return result;
}

base_rc jsonpath_run(const jsonpath *path, const col_json *root, const col_json *vars, bool silent,
                     base_arena *arena, jsonpath_items *found, bool *exists, bool *failed,
                     base_error *err) {
    base_error local;
    jp_run run = {.path = path,
                  .root = root,
                  .current = root,
                  .vars = vars,
                  .lenient = !path->strict,
                  .array_size = -1,
                  .arena = arena,
                  .err = err != NULL ? err : &local};
    jsonpath_items all = {0};
    *failed = false;
    // In strict mode there may be an error behind the first item.
    jp_result result = execute(&run, path->root, root, !path->strict,
                               found == NULL && path->strict ? &all : found);
    *exists = result == JP_FOUND || all.n > 0;
    if (result != JP_FAILED) return BASE_OK;
    *failed = true;
    *exists = false;
    return silent && !run.fatal ? BASE_OK : run.err->code;
}
