// version.h - versions of a materialized view: another definition is kept beside the view, under
// its name and "@n", until it takes the view's place or is dropped.
//
// The view keeps its id, so that all that stands on it stays; what changes when a version is
// promoted is which plan, and whose operators' state, make its rows. See version.c. All but
// engine_version_create need ddl_lock.
#ifndef WEIR_ENGINE_VERSION_H
#define WEIR_ENGINE_VERSION_H

#include "engine/catalog_int.h"
#include "engine/version/shadow.h"

#define ENGINE_VERSIONS_MAX 8u // beside a view, at once

// How a version gets its history.
typedef struct engine_version_build {
    engine_shadow_config shadow;
    uint64_t left_out; // records that the selection leaves out
    volatile bool *cancel;
    // The shadow has been opened, and, with NULL, will be closed: for who shows its progress.
    void (*opened)(void *arg, engine_shadow *shadow);
    void *arg;
} engine_version_build;

// Whether `version`, bound and not in the catalogue, can be a version of the view.
BASE_MUST_USE base_rc engine_version_check(engine *e, const plan_object *view,
                                           const plan_object *version, base_error *err);
// Gives it its number and its name; and its id. As long as it is not in the catalogue, another may
// get the same number: engine_version_make gives it the next one then.
BASE_MUST_USE base_rc engine_version_number(engine *e, const plan_object *view,
                                            plan_object *version, base_error *err);
BASE_MUST_USE base_rc engine_version_name(engine *e, const plan_object *view, plan_object *version,
                                          base_error *err);
// Reads its history and puts it into the catalogue and its flow. ddl_lock is given away while the
// history is read. A durable shadow that was cancelled goes on when this is called again.
BASE_MUST_USE base_rc engine_version_make(engine *e, const plan_object *view, plan_object *version,
                                          const engine_version_build *how, base_error *err);
// The three, for CREATE OR REPLACE. out gets notices.
BASE_MUST_USE base_rc engine_version_create(engine_session *session, const plan_object *there,
                                            plan_object *object, engine_result *out,
                                            base_error *err);
// The version takes the view's place, and the view the version's. is_replay: the view's number
// stays. cancel (may be NULL) is heeded until they are compared.
BASE_MUST_USE base_rc engine_version_exchange(engine *e, const plan_object *view,
                                              const plan_object *version, bool is_replay,
                                              const char *cause, volatile bool *cancel,
                                              uint64_t *differing, base_error *err);
// The version n of a view, or the only or newest one (n 0); NULL: there is none.
const plan_object *engine_version_find(engine *e, const plan_object *view, uint32_t n);
// PROMOTE, ROLL BACK, DROP VERSION. Takes ddl_lock.
BASE_MUST_USE base_rc engine_version_alter(engine_session *session, const sql_statement *statement,
                                           engine_result *out, base_error *err);
// Whether a view, plain or materialized, or a sink would be made of a version.
bool engine_stands_on_version(engine *e, const plan_object *object);
// With a view that is dropped go its versions.
BASE_MUST_USE base_rc engine_versions_drop(engine *e, const plan_object *view, base_error *err);
// After a crash the flow's store may say that another version makes a view's rows than the
// catalogue does: the catalogue follows. Before the flow's views are opened.
BASE_MUST_USE base_rc engine_versions_settle(engine_flow *flow, base_error *err);

// version_merge.c: what a shadow has made of `version`, whose id no view of the flow has, becomes
// part of its flow's store. *out is to be closed whatever is returned.
typedef struct engine_merge engine_merge;
// Copies what there is beside the live flow, and from then on what each step of the shadow changes.
// Without flow->lock. The shadow is not run by another thread. cancel may be NULL.
BASE_MUST_USE base_rc engine_merge_open(engine_shadow *shadow, engine_flow *flow,
                                        const plan_object *version, volatile bool *cancel,
                                        engine_merge **out, base_error *err);
// The same of what the flow does not read itself. ddl_lock held from here on.
BASE_MUST_USE base_rc engine_merge_inputs(engine_merge *merge, base_error *err);
// flow->lock held; the shadow stands where the flow does.
BASE_MUST_USE base_rc engine_merge_finish(engine_merge *merge, base_error *err);
void engine_merge_close(engine_merge *merge, bool done); // done: what was copied stays
// What a crash has left of merges goes. Before the flow's views are opened.
BASE_MUST_USE base_rc engine_merge_sweep(engine_flow *flow, base_error *err);
// version_swap.c: in one step of the flow the rows of the view and of the version change places.
typedef struct engine_swap engine_swap;
// Compares the two beside the live flow. Without flow->lock, ddl_lock held. cancel may be NULL.
BASE_MUST_USE base_rc engine_swap_open(engine_flow *flow, const plan_object *view,
                                       const plan_object *version, volatile bool *cancel,
                                       engine_swap **out, base_error *err);
// The step. flow->lock held.
BASE_MUST_USE base_rc engine_swap_run(engine_swap *swap, const char *cause, uint64_t *differing,
                                      base_error *err);
void engine_swap_close(engine_swap *swap); // NULL is allowed

// What a promotion leaves in the flow's table engine.version under the view's id. A disk format.
typedef struct engine_version_row {
    uint32_t state_id; // whose operators' state makes the view's rows
    uint32_t zero;
    uint64_t step; // of the promotion; 0: of a program that did not say
} engine_version_row;
_Static_assert(sizeof(engine_version_row) == 16, "engine_version_row is a disk format");
// In a snapshot of the flow's store.
BASE_MUST_USE base_rc engine_version_read(const engine_flow *flow, state_txn *txn, uint32_t view_id,
                                          engine_version_row *out, bool *found, base_error *err);

#endif
