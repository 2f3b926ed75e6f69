// pgcat_int.h - who makes the rows of which relation of pg_catalog and information_schema
// (pgcat.c, pgcat2.c, pginfo.c), and the numbers that they share.
#ifndef WEIR_ENGINE_PGCAT_INT_H
#define WEIR_ENGINE_PGCAT_INT_H

#include "engine/system_int.h"

// PostgreSQL's own numbers.
#define PG_OID_PG_CATALOG        11u
#define PG_OID_PUBLIC            2200u
#define PG_OID_SUPERUSER         10u
#define PG_OID_DATABASE          16383u
#define PG_OID_HEAP              2u
#define PG_OID_BTREE             403u
#define PG_OID_DEFAULT_COLLATION 100u
#define PG_OID_CLASS             1259u
#define PG_OID_TYPE              1247u
#define PG_OID_PROC              1255u
#define PG_OID_NAMESPACE         2615u
#define PG_OID_CONSTRAINT        2606u

// Numbers that follow from an object's id (< 65536) or a schema's name.
#define PG_INDEX_OF(id)          (0x20000000u + (id))
#define PG_KEY_CONSTRAINT_OF(id) (0x30000000u + (id))
#define PG_CHECK_OF(id, i)       (0x31000000u + (id)*256u + (i))
#define PG_DEFAULT_OF(id, i)     (0x38000000u + (id)*1024u + (i))
uint32_t pgcat_schema_oid(const char *name);

// Every object that pg_class shows, ascending by id: streams, tables, views and system objects.
const plan_object **pgcat_relations(system_rows *r, uint32_t *n);
char pgcat_relkind(const plan_object *object);
bool pgcat_has_key(const plan_object *object); // shown as a primary key with an index
// "CREATE UNIQUE INDEX ...", "PRIMARY KEY (a, b)"; appended.
void pgcat_index_text(const plan_object *object, base_buf *out);
void pgcat_key_text(const plan_object *object, base_buf *out);
void pgcat_quote(base_buf *out, const char *name);       // an identifier
uint32_t pgcat_shown_columns(const plan_object *object); // declared ones, without hidden ones
typedef void (*pgcat_schema_visit)(system_rows *r, const char *name, const char *comment);
void pgcat_schemas(system_rows *r, pgcat_schema_visit visit);

BASE_MUST_USE base_rc system_am(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_attrdef(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_attribute(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_authid(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_catalog_name(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_check_constraints(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_class(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_collation(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_constraint(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_constraint_usage(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_database(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_depend(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_description(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_enabled_roles(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_index(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_indexes(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_info_columns(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_info_tables(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_info_views(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_key_usage(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_language(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_matviews(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_namespace(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_proc(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_roles(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_schemata(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_settings(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_stat_activity(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_stat_database(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_stat_tables(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_table_constraints(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_tables(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_tablespace(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_type(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_user(system_rows *r, base_error *err);
BASE_MUST_USE base_rc system_views(system_rows *r, base_error *err);

#endif
