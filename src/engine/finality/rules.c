// rules.c - the rules of rules.h. Their stored form: in the object's row of the catalogue, values
// named "rule" in the order of their numbers, each "NUMBER SINCE_US OFFSET,OFFSET,..." and, after a
// newline, the statement that the rule was of. There are none while the first rule holds.
//
// Invariants: the rules of a stream are one list behind an atomic pointer that all its objects, of
// whatever version, share: a shadow flow that was opened before a change reads on by the new rule.
// A list that no record in the log goes by any more is not carried on. Entry points:
// engine_rule_at, engine_rules_change.
#include "engine/finality/rules.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/catalog_int.h"

struct engine_rules {
    _Atomic(const engine_rule_list *) now; // NULL: the first rule, which is the object's
};

void engine_rules_attach(engine *e, plan_object *object, const plan_object *there) {
    if (object->kind != PLAN_OBJECT_STREAM || object->rules != NULL) return;
    object->rules = there != NULL ? there->rules : NULL;
    if (object->rules == NULL)
        object->rules = base_arena_new(&e->catalog_arena, struct engine_rules);
}

const engine_rule_list *engine_rules_of(const plan_object *object) {
    return object->rules == NULL ? NULL : atomic_load(&object->rules->now);
}

const engine_rule *engine_rule_at(const plan_object *object, uint32_t partition, uint64_t offset) {
    const engine_rule_list *list = engine_rules_of(object);
    if (list == NULL) return NULL;
    uint32_t i = list->n - 1;
    while (i > 0 && partition < list->all[i]->npartitions && offset < list->all[i]->from[partition])
        i--;
    return list->all[i];
}

bool engine_rules_learn(const plan_object *object) {
    const engine_rule_list *list = engine_rules_of(object);
    bool learns = object->watermark_share > 0;
    for (uint32_t i = 0; list != NULL && !learns && i < list->n; i++)
        learns = list->all[i]->share > 0;
    return learns;
}

bool engine_rules_differ(const plan_object *there, const plan_object *wanted) {
    if (there->watermark == NULL || wanted->watermark == NULL)
        return there->watermark != wanted->watermark;
    return !plan_expr_equal(there->watermark, wanted->watermark) ||
           there->watermark_share != wanted->watermark_share ||
           there->watermark_least_us != wanted->watermark_least_us ||
           there->watermark_most_us != wanted->watermark_most_us;
}

base_str engine_rules_clause(const plan_object *object) {
    return (base_str){object->definition + object->watermark_at,
                      object->watermark_to - object->watermark_at};
}

// ---- making ---------------------------------------------------------------------------------

// The rule that `object` says, from offset 0 on.
static engine_rule *make_rule(engine *e, const plan_object *object, uint32_t number) {
    base_arena *arena = &e->catalog_arena;
    engine_rule *rule = base_arena_new(arena, engine_rule);
    const plan_expr **map = base_arena_array(arena, const plan_expr *, object->ncolumns);
    uint32_t column = (uint32_t)object->event_time;
    map[column] = plan_expr_column(arena, 0, object->columns[column].type);
    *rule = (engine_rule){.number = number,
                          .expr = plan_expr_substitute(arena, object->watermark, map),
                          .share = object->watermark_share,
                          .least_us = object->watermark_least_us,
                          .most_us = object->watermark_most_us,
                          .definition = object->definition,
                          .clause = engine_rules_clause(object),
                          .npartitions = object->partitions > 0 ? object->partitions : 1};
    rule->from = base_arena_array(arena, uint64_t, rule->npartitions);
    return rule;
}

// Whether a record in the log goes by a rule that ends where `next` begins.
static bool is_in_log(log_stream *log, const engine_rule *next) {
    for (uint32_t p = 0; p < next->npartitions; p++)
        if (next->from[p] > log_begin(log, p)) return true;
    return false;
}

// The list with `rule` at its end, from the end of each partition on.
static base_rc add_rule(engine *e, const plan_object *there, const plan_object *wanted,
                        log_stream *log, const engine_rule_list **out, base_error *err) {
    const engine_rule_list *now = engine_rules_of(there);
    const engine_rule *first = now == NULL ? make_rule(e, there, 0) : NULL;
    uint32_t n = now == NULL ? 1 : now->n;
    const engine_rule *const *all = now == NULL ? &first : now->all;
    engine_rule *last = make_rule(e, wanted, all[n - 1]->number + 1);
    uint64_t *from = base_arena_array(&e->catalog_arena, uint64_t, last->npartitions);
    for (uint32_t p = 0; p < last->npartitions; p++) from[p] = log_end(log, p);
    last->from = from;
    last->since_us = plat_wall_us(e->plat);
    uint32_t skip = 0;
    while (skip < n && !is_in_log(log, skip + 1 < n ? all[skip + 1] : last)) skip++;
    if (n - skip + 1 > ENGINE_RULES_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "stream \"%s.%s\" has had %u watermarks that records in its log go by",
                         there->schema, there->name, ENGINE_RULES_MAX);
    engine_rule_list *list = base_arena_new(&e->catalog_arena, engine_rule_list);
    const engine_rule **copy =
        base_arena_array(&e->catalog_arena, const engine_rule *, n - skip + 1);
    for (uint32_t i = skip; i < n; i++) copy[list->n++] = all[i];
    copy[list->n++] = last;
    list->all = copy;
    *out = list;
    return BASE_OK;
}

base_rc engine_rules_change(engine *e, const plan_object *there, plan_object *wanted,
                            base_error *err) {
    engine_stream *stream = engine_stream_of(e, there);
    must(stream != NULL && wanted->rules == there->rules);
    const engine_rule_list *before = engine_rules_of(there), *after;
    // A step that has read past the end that is taken here would have gone by the old rule; one
    // that commits before the rule is stored would have gone by a rule that a crash forgets.
    for (uint32_t f = 0; f < e->nflows; f++) plat_mutex_lock(&e->flows[f]->lock);
    base_rc rc = add_rule(e, there, wanted, stream->log, &after, err);
    if (rc == BASE_OK) {
        atomic_store(&wanted->rules->now, after);
        rc = engine_catalog_store(e, wanted, err);
        if (rc != BASE_OK) atomic_store(&wanted->rules->now, before);
    }
    for (uint32_t f = e->nflows; f > 0; f--) plat_mutex_unlock(&e->flows[f - 1]->lock);
    return rc;
}

// ---- stored form ------------------------------------------------------------------------------

void engine_rules_put(const plan_object *object, base_buf *value) {
    const engine_rule_list *list = engine_rules_of(object);
    base_buf text = {0};
    for (uint32_t i = 0; list != NULL && i < list->n; i++) {
        const engine_rule *rule = list->all[i];
        base_buf_clear(&text);
        base_buf_printf(&text, "%u %lld ", rule->number, (long long)rule->since_us);
        for (uint32_t p = 0; p < rule->npartitions; p++)
            base_buf_printf(&text, "%s%llu", p > 0 ? "," : "", (unsigned long long)rule->from[p]);
        base_buf_printf(&text, "\n%s", rule->definition);
        log_headers_add(value, BASE_STR("rule"), base_buf_str(&text));
    }
    base_buf_deinit(&text);
}

static bool take_number(const char **at, char end, uint64_t *out) {
    char *stop;
    if (**at < '0' || **at > '9') return false;
    *out = strtoull(*at, &stop, 10);
    if (*stop != end) return false;
    *at = stop + 1;
    return true;
}

static base_rc load_rule(engine *e, const plan_object *object, base_str stored,
                         const engine_rule **out, base_error *err) {
    const char *at = base_arena_memdup(&e->catalog_arena, stored.p, stored.n);
    uint64_t number, since_us;
    bool good = take_number(&at, ' ', &number) && take_number(&at, ' ', &since_us);
    uint32_t n = object->partitions > 0 ? object->partitions : 1;
    uint64_t *from = base_arena_array(&e->catalog_arena, uint64_t, n);
    for (uint32_t p = 0; good && p < n; p++)
        good = take_number(&at, p + 1 < n ? ',' : '\n', &from[p]);
    sql_statement *bound;
    base_rc rc = BASE_OK;
    if (good) rc = engine_catalog_bind(e, object->schema, base_str_of(at), &bound, err);
    if (rc == BASE_OK && (!good || bound->object == NULL || bound->object->watermark == NULL ||
                          bound->object->event_time != object->event_time))
        rc = base_fail(err, BASE_E_CORRUPT, NULL, "a former watermark is damaged");
    if (rc != BASE_OK) {
        base_error_prefix(err, "catalogue: \"%s.%s\"", object->schema, object->name);
        return rc;
    }
    bound->object->definition = at;
    engine_rule *rule = make_rule(e, bound->object, (uint32_t)number);
    rule->since_us = (int64_t)since_us;
    rule->from = from;
    rule->npartitions = n;
    *out = rule;
    return BASE_OK;
}

base_rc engine_rules_load(engine *e, plan_object *object, base_str value, base_error *err) {
    const engine_rule *all[ENGINE_RULES_MAX];
    uint32_t n = 0;
    base_str name, text;
    for (size_t at = 0; log_headers_next(value, &at, &name, &text);) {
        if (!base_str_eq(name, BASE_STR("rule"))) continue;
        if (n == ENGINE_RULES_MAX)
            return base_fail(err, BASE_E_CORRUPT, NULL, "catalogue: \"%s.%s\" has too many rules",
                             object->schema, object->name);
        base_rc rc = load_rule(e, object, text, &all[n++], err);
        if (rc != BASE_OK) return rc;
    }
    if (n == 0) return BASE_OK;
    engine_rule_list *list = base_arena_new(&e->catalog_arena, engine_rule_list);
    const engine_rule **copy = base_arena_array(&e->catalog_arena, const engine_rule *, n);
    memcpy(copy, all, n * sizeof *copy);
    *list = (engine_rule_list){n, copy};
    engine_rules_attach(e, object, NULL);
    atomic_store(&object->rules->now, list);
    return BASE_OK;
}
