// catalog_int.h - changes of the catalogue, for catalog.c, ddl.c and apply.c. All but the look-ups
// of engine_int.h need ddl_lock.
#ifndef WEIR_ENGINE_CATALOG_INT_H
#define WEIR_ENGINE_CATALOG_INT_H

#include "engine/engine_int.h"

#define ENGINE_FIRST_USER_ID 16384u // as PostgreSQL's FirstNormalObjectId

// In memory.
void engine_catalog_put(engine *e, plan_object *object); // new, or in place of the same name and id
void engine_catalog_remove(engine *e, const plan_object *object);
void engine_catalog_put_schema(engine *e, const char *name, const char *comment);
void engine_catalog_remove_schema(engine *e, const char *name);
plan_object *engine_object_with_comment(engine *e, const plan_object *object, const char *column,
                                        const char *comment);
// In the store, durable on return.
BASE_MUST_USE base_rc engine_catalog_store(engine *e, const plan_object *object, base_error *err);
BASE_MUST_USE base_rc engine_catalog_erase(engine *e, uint32_t id, base_error *err);
BASE_MUST_USE base_rc engine_catalog_store_schema(engine *e, const char *name, const char *comment,
                                                  base_error *err);
BASE_MUST_USE base_rc engine_catalog_erase_schema(engine *e, const char *name, base_error *err);
// Binds a definition in the catalogue's own arena.
BASE_MUST_USE base_rc engine_catalog_bind(engine *e, const char *schema, base_str definition,
                                          sql_statement **out, base_error *err);
// The log of a stream or table.
log_stream_config engine_log_config(const plan_object *object);
BASE_MUST_USE base_rc engine_stream_open(engine *e, const plan_object *object, bool create,
                                         base_error *err);
// keep_records: for a CREATE that failed; the log it took over stays if it holds records.
BASE_MUST_USE base_rc engine_stream_drop(engine *e, const plan_object *object, bool keep_records,
                                         base_error *err);
// ddl.c, for apply.c.
BASE_MUST_USE base_rc engine_ddl_locked(engine_session *session, const sql_statement *asked,
                                        engine_result *out, base_error *err);
BASE_MUST_USE base_rc engine_drop_object(engine *e, const plan_object *object, bool cascade,
                                         base_buf *report, base_error *err);
// What is kept of a version of a view beside its text.
void engine_object_keep_version(plan_object *object, const plan_object *from);
// evolve.c: an object bound again to the catalogue as it is now, with id and comments of the old
// one; and all that stands on the object `id`, in memory. The first whose plan would change is
// returned in *changed, and then nothing was done.
BASE_MUST_USE base_rc engine_bind_again(engine *e, const plan_object *old, plan_object **out,
                                        base_error *err);
bool engine_same_plan(const plan_object *a, const plan_object *b); // of views: may keep its state
BASE_MUST_USE base_rc engine_rebind_dependents(engine *e, uint32_t id, const plan_object **changed,
                                               base_error *err);
// Both in one commit of the catalogue's store; b may be NULL.
BASE_MUST_USE base_rc engine_catalog_store_two(engine *e, const plan_object *a,
                                               const plan_object *b, base_error *err);
// Registers the objects of schemas weir and pg_catalog (system.c).
void engine_system_objects(engine *e);

#endif
