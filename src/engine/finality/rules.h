// rules.h - what a stream's watermark is from, over time. ALTER STREAM ... ALTER WATERMARK, or an
// applied file with another WATERMARK, gives a stream a new rule: it holds for the records from the
// end of each partition's log on. The former ones stay with the stream in the catalogue, so that
// whoever reads its log (a flow, a view that is filled, VERIFY, a replay) takes each record by the
// rule that held at its place, and comes to the same watermarks. A watermark never goes back, so
// what is final stays so. Internal to src/engine.
//
// Threads: a stream's rules are changed under ddl_lock and read by any; a list is never changed nor
// freed before the engine closes.
#ifndef WEIR_ENGINE_RULES_H
#define WEIR_ENGINE_RULES_H

#include "engine/engine_int.h"

#define ENGINE_RULES_MAX 64u // of a stream, that records in its log go by

struct engine_rule {
    uint32_t number;       // from 0; those of a stream are never given out twice
    const plan_expr *expr; // over a batch of the event time alone
    double share;          // the rest as in plan_object
    int64_t least_us, most_us;
    int64_t since_us; // wall clock; 0: since the stream was made
    const char *definition;
    base_str clause; // WATERMARK FOR ..., within the definition
    uint32_t npartitions;
    const uint64_t *from; // by partition: the first offset that it holds for
};

typedef struct engine_rule_list {
    uint32_t n;
    const engine_rule *const *all; // ascending by number
} engine_rule_list;

// An object that comes into the catalogue in place of `there` (NULL: of none) shares its rules.
void engine_rules_attach(engine *e, plan_object *object, const plan_object *there);
const engine_rule_list *engine_rules_of(const plan_object *object); // NULL: it has its first
// The rule of a record; NULL: what the object itself says.
const engine_rule *engine_rule_at(const plan_object *object, uint32_t partition, uint64_t offset);
bool engine_rules_learn(const plan_object *object); // whether one is a PERCENTILE
// Whether the watermark of `wanted` is another.
bool engine_rules_differ(const plan_object *there, const plan_object *wanted);
// The WATERMARK clause of a definition.
base_str engine_rules_clause(const plan_object *object);
// Stores `wanted`, which is in the catalogue's memory already, with its rule as that of all records
// that no flow has read yet. ddl_lock held; takes the flows' locks: none of them steps meanwhile.
// What fails leaves the rules as they were.
BASE_MUST_USE base_rc engine_rules_change(engine *e, const plan_object *there, plan_object *wanted,
                                          base_error *err);
// In the stored form of the object (catalog.c), beside its other values.
void engine_rules_put(const plan_object *object, base_buf *value);
BASE_MUST_USE base_rc engine_rules_load(engine *e, plan_object *object, base_str value,
                                        base_error *err);
// ALTER STREAM (alter.c). Takes ddl_lock; arena is the answer's.
BASE_MUST_USE base_rc engine_alter_stream(engine_session *session, const sql_statement *statement,
                                          base_arena *arena, engine_result *out, base_error *err);

#endif
