// remedy_check.c - whether what a plan is about is still so when a person approves it. Hours may
// lie between the two: an event that was missing may have come by itself, and to append it again
// would count it twice. Both sides are compared again, and of the plan what is found as it was
// stays; the rest is left out (ENGINE_REMEDY_GONE). Nothing is added to what the person saw. Entry
// point: engine_remedy_recheck.
//
// Invariant: an action stays only if a finding of the same digest (key, kind and values) is there
// now. Findings that are not kept apart (ENGINE_FINDINGS_MAX) count as gone.
#include <stdlib.h>

#include "engine/recon/remedy.h"

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool is_done(engine_remedy_verb verb) {
    return verb == ENGINE_REMEDY_APPEND || verb == ENGINE_REMEDY_RETRACT;
}

static uint32_t leave_out(engine_remedy_plan *plan, const engine_findings *found,
                          base_arena *arena) {
    uint64_t *digests = base_arena_array(arena, uint64_t, found->n + 1);
    for (uint32_t i = 0; i < found->n; i++) digests[i] = found->items[i].digest;
    if (found->n > 0) qsort(digests, found->n, sizeof *digests, by_number);
    uint32_t left = 0;
    for (uint32_t i = 0; i < plan->nactions; i++) {
        engine_remedy_action *action = &plan->actions[i];
        if (!is_done(action->verb)) continue;
        if (found->n > 0 &&
            bsearch(&action->digest, digests, found->n, sizeof *digests, by_number) != NULL) {
            left++;
            continue;
        }
        action->verb = ENGINE_REMEDY_GONE;
        action->outcome = BASE_STR("not so any more when it was approved");
    }
    return left;
}

base_rc engine_remedy_recheck(engine *e, const engine_session *session, const plan_object *r,
                              engine_remedy_plan *plan, base_arena *arena, base_error *err) {
    engine_recon x;
    engine_recon_run run;
    base_rc rc = recon_look(e, session, r, arena, &x, &run, err);
    if (rc != BASE_OK) {
        base_error_prefix(err, "whether run %llu is still right cannot be told",
                          (unsigned long long)plan->run);
        return rc;
    }
    if (leave_out(plan, &run.findings, arena) > 0) return BASE_OK;
    base_fail(err, BASE_E_INVALID, "55000",
              "nothing that run %llu of reconciliation \"%s.%s\" found is so any more",
              (unsigned long long)plan->run, r->schema, r->name);
    base_error_hint(err, "Nothing was appended. RECONCILE finds anew.");
    return err->code;
}
