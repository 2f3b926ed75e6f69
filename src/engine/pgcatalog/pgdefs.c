// pgdefs.c - the relations of pg_catalog and information_schema that clients ask for: names,
// columns and types as PostgreSQL 15 has them (access lists are text[], vectors are arrays, node
// trees are text), each with the function that makes its rows. One without a function never has
// rows.

#include "engine/pgcatalog/pgcat_int.h"

const system_def system_pg_defs[] = {
    {2600, "pg_catalog", "pg_aggregate",
     "aggfnoid oid, aggkind char, aggnumdirectargs smallint, aggtransfn oid, aggfinalfn oid, "
     "aggcombinefn oid, aggserialfn oid, aggdeserialfn oid, aggmtransfn oid, aggminvtransfn "
     "oid, aggmfinalfn oid, aggfinalextra boolean, aggmfinalextra boolean, aggfinalmodify "
     "char, aggmfinalmodify char, aggsortop oid, aggtranstype oid, aggtransspace integer, "
     "aggmtranstype oid, aggmtransspace integer, agginitval text?, aggminitval text?",
     NULL, NULL},
    {2601, "pg_catalog", "pg_am", "oid oid, amname name, amhandler oid, amtype char", system_am,
     NULL},
    {2602, "pg_catalog", "pg_amop",
     "oid oid, amopfamily oid, amoplefttype oid, amoprighttype oid, amopstrategy smallint, "
     "amoppurpose char, amopopr oid, amopmethod oid, amopsortfamily oid",
     NULL, NULL},
    {2603, "pg_catalog", "pg_amproc",
     "oid oid, amprocfamily oid, amproclefttype oid, amprocrighttype oid, amprocnum "
     "smallint, amproc oid",
     NULL, NULL},
    {2604, "pg_catalog", "pg_attrdef", "oid oid, adrelid oid, adnum smallint, adbin text",
     system_attrdef, NULL},
    {1249, "pg_catalog", "pg_attribute",
     "attrelid oid, attname name, atttypid oid, attstattarget integer, attlen smallint, "
     "attnum smallint, attndims integer, attcacheoff integer, atttypmod integer, attbyval "
     "boolean, attalign char, attstorage char, attcompression char, attnotnull boolean, "
     "atthasdef boolean, atthasmissing boolean, attidentity char, attgenerated char, "
     "attisdropped boolean, attislocal boolean, attinhcount integer, attcollation oid, "
     "attacl text[]!, attoptions text[]!, attfdwoptions text[]!, attmissingval text[]!",
     system_attribute, NULL},
    {1261, "pg_catalog", "pg_auth_members",
     "roleid oid, member oid, grantor oid, admin_option boolean", NULL, NULL},
    {1260, "pg_catalog", "pg_authid",
     "oid oid, rolname name, rolsuper boolean, rolinherit boolean, rolcreaterole boolean, "
     "rolcreatedb boolean, rolcanlogin boolean, rolreplication boolean, rolbypassrls "
     "boolean, rolconnlimit integer, rolpassword text!, rolvaliduntil timestamptz!",
     system_authid, NULL},
    {12081, "pg_catalog", "pg_available_extensions",
     "name name?, default_version text?, installed_version text?, comment text?", NULL, NULL},
    {2605, "pg_catalog", "pg_cast",
     "oid oid, castsource oid, casttarget oid, castfunc oid, castcontext char, castmethod "
     "char",
     NULL, NULL},
    {1259, "pg_catalog", "pg_class",
     "oid oid, relname name, relnamespace oid, reltype oid, reloftype oid, relowner oid, "
     "relam oid, relfilenode oid, reltablespace oid, relpages integer, reltuples real, "
     "relallvisible integer, reltoastrelid oid, relhasindex boolean, relisshared boolean, "
     "relpersistence char, relkind char, relnatts smallint, relchecks smallint, relhasrules "
     "boolean, relhastriggers boolean, relhassubclass boolean, relrowsecurity boolean, "
     "relforcerowsecurity boolean, relispopulated boolean, relreplident char, relispartition "
     "boolean, relrewrite oid, relfrozenxid oid, relminmxid oid, relacl text[]!, reloptions "
     "text[]!, relpartbound text!",
     system_class, NULL},
    {3456, "pg_catalog", "pg_collation",
     "oid oid, collname name, collnamespace oid, collowner oid, collprovider char, "
     "collisdeterministic boolean, collencoding integer, collcollate text?, collctype text?, "
     "colliculocale text!, collversion text!",
     system_collation, NULL},
    {2606, "pg_catalog", "pg_constraint",
     "oid oid, conname name, connamespace oid, contype char, condeferrable boolean, "
     "condeferred boolean, convalidated boolean, conrelid oid, contypid oid, conindid oid, "
     "conparentid oid, confrelid oid, confupdtype char, confdeltype char, confmatchtype "
     "char, conislocal boolean, coninhcount integer, connoinherit boolean, conkey smallint[]?, "
     "confkey smallint[]!, conpfeqop oid[]!, conppeqop oid[]!, conffeqop oid[]!, "
     "confdelsetcols smallint[]!, conexclop oid[]!, conbin text?",
     system_constraint, NULL},
    {2607, "pg_catalog", "pg_conversion",
     "oid oid, conname name, connamespace oid, conowner oid, conforencoding integer, "
     "contoencoding integer, conproc oid, condefault boolean",
     NULL, NULL},
    {12077, "pg_catalog", "pg_cursors",
     "name text?, statement text?, is_holdable boolean?, is_binary boolean?, is_scrollable "
     "boolean?, creation_time timestamptz?",
     NULL, NULL},
    {1262, "pg_catalog", "pg_database",
     "oid oid, datname name, datdba oid, encoding integer, datlocprovider char, "
     "datistemplate boolean, datallowconn boolean, datconnlimit integer, datfrozenxid oid, "
     "datminmxid oid, dattablespace oid, datcollate text, datctype text, daticulocale text!, "
     "datcollversion text!, datacl text[]!",
     system_database, NULL},
    {2964, "pg_catalog", "pg_db_role_setting", "setdatabase oid, setrole oid, setconfig text[]?",
     NULL, NULL},
    {826, "pg_catalog", "pg_default_acl",
     "oid oid, defaclrole oid, defaclnamespace oid, defaclobjtype char, defaclacl text[]", NULL,
     NULL},
    {2608, "pg_catalog", "pg_depend",
     "classid oid, objid oid, objsubid integer, refclassid oid, refobjid oid, refobjsubid "
     "integer, deptype char",
     system_depend, NULL},
    {2609, "pg_catalog", "pg_description",
     "objoid oid, classoid oid, objsubid integer, description text", system_description, NULL},
    {3501, "pg_catalog", "pg_enum", "oid oid, enumtypid oid, enumsortorder real, enumlabel name",
     NULL, NULL},
    {3466, "pg_catalog", "pg_event_trigger",
     "oid oid, evtname name, evtevent name, evtowner oid, evtfoid oid, evtenabled char, "
     "evttags text[]?",
     NULL, NULL},
    {3079, "pg_catalog", "pg_extension",
     "oid oid, extname name, extowner oid, extnamespace oid, extrelocatable boolean, "
     "extversion text, extconfig oid[]?, extcondition text[]?",
     NULL, NULL},
    {2328, "pg_catalog", "pg_foreign_data_wrapper",
     "oid oid, fdwname name, fdwowner oid, fdwhandler oid, fdwvalidator oid, fdwacl text[]?, "
     "fdwoptions text[]?",
     NULL, NULL},
    {1417, "pg_catalog", "pg_foreign_server",
     "oid oid, srvname name, srvowner oid, srvfdw oid, srvtype text?, srvversion text?, "
     "srvacl text[]?, srvoptions text[]?",
     NULL, NULL},
    {3118, "pg_catalog", "pg_foreign_table", "ftrelid oid, ftserver oid, ftoptions text[]?", NULL,
     NULL},
    {12010, "pg_catalog", "pg_group", "groname name?, grosysid oid?, grolist oid[]?", NULL, NULL},
    {2610, "pg_catalog", "pg_index",
     "indexrelid oid, indrelid oid, indnatts smallint, indnkeyatts smallint, indisunique "
     "boolean, indnullsnotdistinct boolean, indisprimary boolean, indisexclusion boolean, "
     "indimmediate boolean, indisclustered boolean, indisvalid boolean, indcheckxmin "
     "boolean, indisready boolean, indislive boolean, indisreplident boolean, indkey smallint[], "
     "indcollation oid[], indclass oid[], indoption smallint[], indexprs text!, indpred text!",
     system_index, NULL},
    {12043, "pg_catalog", "pg_indexes",
     "schemaname name?, tablename name?, indexname name?, tablespace name?, indexdef text?",
     system_indexes, NULL},
    {2611, "pg_catalog", "pg_inherits",
     "inhrelid oid, inhparent oid, inhseqno integer, inhdetachpending boolean", NULL, NULL},
    {3394, "pg_catalog", "pg_init_privs",
     "objoid oid, classoid oid, objsubid integer, privtype char, initprivs text[]", NULL, NULL},
    {2612, "pg_catalog", "pg_language",
     "oid oid, lanname name, lanowner oid, lanispl boolean, lanpltrusted boolean, "
     "lanplcallfoid oid, laninline oid, lanvalidator oid, lanacl text[]!",
     system_language, NULL},
    {2995, "pg_catalog", "pg_largeobject_metadata", "oid oid, lomowner oid, lomacl text[]?", NULL,
     NULL},
    {12073, "pg_catalog", "pg_locks",
     "locktype text?, database oid?, relation oid?, page integer?, tuple smallint?, "
     "virtualxid text?, transactionid oid?, classid oid?, objid oid?, objsubid smallint?, "
     "virtualtransaction text?, pid integer?, mode text?, granted boolean?, fastpath "
     "boolean?, waitstart timestamptz?",
     NULL, NULL},
    {12038, "pg_catalog", "pg_matviews",
     "schemaname name?, matviewname name?, matviewowner name?, tablespace name?, hasindexes "
     "boolean?, ispopulated boolean?, definition text?",
     system_matviews, NULL},
    {2615, "pg_catalog", "pg_namespace", "oid oid, nspname name, nspowner oid, nspacl text[]!",
     system_namespace, NULL},
    {2616, "pg_catalog", "pg_opclass",
     "oid oid, opcmethod oid, opcname name, opcnamespace oid, opcowner oid, opcfamily oid, "
     "opcintype oid, opcdefault boolean, opckeytype oid",
     NULL, NULL},
    {2617, "pg_catalog", "pg_operator",
     "oid oid, oprname name, oprnamespace oid, oprowner oid, oprkind char, oprcanmerge "
     "boolean, oprcanhash boolean, oprleft oid, oprright oid, oprresult oid, oprcom oid, "
     "oprnegate oid, oprcode oid, oprrest oid, oprjoin oid",
     NULL, NULL},
    {2753, "pg_catalog", "pg_opfamily",
     "oid oid, opfmethod oid, opfname name, opfnamespace oid, opfowner oid", NULL, NULL},
    {3350, "pg_catalog", "pg_partitioned_table",
     "partrelid oid, partstrat char, partnatts smallint, partdefid oid, partattrs smallint[], "
     "partclass oid[], partcollation oid[], partexprs text?",
     NULL, NULL},
    {12018, "pg_catalog", "pg_policies",
     "schemaname name?, tablename name?, policyname name?, permissive text?, roles text[]?, "
     "cmd text?, qual text?, with_check text?",
     NULL, NULL},
    {3256, "pg_catalog", "pg_policy",
     "oid oid, polname name, polrelid oid, polcmd char, polpermissive boolean, polroles "
     "text[], polqual text?, polwithcheck text?",
     NULL, NULL},
    {12095, "pg_catalog", "pg_prepared_statements",
     "name text?, statement text?, prepare_time timestamptz?, parameter_types oid[]?, "
     "from_sql boolean?, generic_plans bigint?, custom_plans bigint?",
     NULL, NULL},
    {1255, "pg_catalog", "pg_proc",
     "oid oid, proname name, pronamespace oid, proowner oid, prolang oid, procost real, "
     "prorows real, provariadic oid, prosupport oid, prokind char, prosecdef boolean, "
     "proleakproof boolean, proisstrict boolean, proretset boolean, provolatile char, "
     "proparallel char, pronargs smallint, pronargdefaults smallint, prorettype oid, "
     "proargtypes oid[], proallargtypes oid[]!, proargmodes char[]!, proargnames text[]!, "
     "proargdefaults text!, protrftypes oid[]!, prosrc text, probin text!, prosqlbody "
     "text!, proconfig text[]!, proacl text[]!",
     system_proc, NULL},
    {6104, "pg_catalog", "pg_publication",
     "oid oid, pubname name, pubowner oid, puballtables boolean, pubinsert boolean, "
     "pubupdate boolean, pubdelete boolean, pubtruncate boolean, pubviaroot boolean",
     NULL, NULL},
    {6237, "pg_catalog", "pg_publication_namespace", "oid oid, pnpubid oid, pnnspid oid", NULL,
     NULL},
    {6106, "pg_catalog", "pg_publication_rel",
     "oid oid, prpubid oid, prrelid oid, prqual text?, prattrs smallint[]?", NULL, NULL},
    {12068, "pg_catalog", "pg_publication_tables",
     "pubname name?, schemaname name?, tablename name?, attnames name[]?, rowfilter text?", NULL,
     NULL},
    {3541, "pg_catalog", "pg_range",
     "rngtypid oid, rngsubtype oid, rngmultitypid oid, rngcollation oid, rngsubopc oid, "
     "rngcanonical oid, rngsubdiff oid",
     NULL, NULL},
    {2618, "pg_catalog", "pg_rewrite",
     "oid oid, rulename name, ev_class oid, ev_type char, ev_enabled char, is_instead "
     "boolean, ev_qual text, ev_action text",
     NULL, NULL},
    {12000, "pg_catalog", "pg_roles",
     "rolname name?, rolsuper boolean?, rolinherit boolean?, rolcreaterole boolean?, "
     "rolcreatedb boolean?, rolcanlogin boolean?, rolreplication boolean?, rolconnlimit "
     "integer?, rolpassword text?, rolvaliduntil timestamptz!, rolbypassrls boolean?, "
     "rolconfig text[]!, oid oid?",
     system_roles, NULL},
    {12023, "pg_catalog", "pg_rules",
     "schemaname name?, tablename name?, rulename name?, definition text?", NULL, NULL},
    {3596, "pg_catalog", "pg_seclabel",
     "objoid oid, classoid oid, objsubid integer, provider text, label text", NULL, NULL},
    {2224, "pg_catalog", "pg_sequence",
     "seqrelid oid, seqtypid oid, seqstart bigint, seqincrement bigint, seqmax bigint, "
     "seqmin bigint, seqcache bigint, seqcycle boolean",
     NULL, NULL},
    {12048, "pg_catalog", "pg_sequences",
     "schemaname name?, sequencename name?, sequenceowner name?, data_type oid?, start_value "
     "bigint?, min_value bigint?, max_value bigint?, increment_by bigint?, cycle boolean?, "
     "cache_size bigint?, last_value bigint?",
     NULL, NULL},
    {12104, "pg_catalog", "pg_settings",
     "name text?, setting text?, unit text?, category text?, short_desc text?, extra_desc "
     "text?, context text?, vartype text?, source text?, min_val text?, max_val text?, "
     "enumvals text[]?, boot_val text?, reset_val text?, sourcefile text?, sourceline "
     "integer?, pending_restart boolean?",
     system_settings, NULL},
    {1214, "pg_catalog", "pg_shdepend",
     "dbid oid, classid oid, objid oid, objsubid integer, refclassid oid, refobjid oid, "
     "deptype char",
     NULL, NULL},
    {2396, "pg_catalog", "pg_shdescription", "objoid oid, classoid oid, description text", NULL,
     NULL},
    {12222, "pg_catalog", "pg_stat_activity",
     "datid oid?, datname name?, pid integer?, leader_pid integer?, usesysid oid?, usename "
     "name?, application_name text?, client_addr text?, client_hostname text?, client_port "
     "integer?, backend_start timestamptz?, xact_start timestamptz?, query_start "
     "timestamptz?, state_change timestamptz?, wait_event_type text?, wait_event text?, "
     "state text?, backend_xid oid?, backend_xmin oid?, query_id bigint?, query text?, "
     "backend_type text?",
     system_stat_activity, NULL},
    {12142, "pg_catalog", "pg_stat_all_tables",
     "relid oid?, schemaname name?, relname name?, seq_scan bigint?, seq_tup_read bigint?, "
     "idx_scan bigint?, idx_tup_fetch bigint?, n_tup_ins bigint?, n_tup_upd bigint?, "
     "n_tup_del bigint?, n_tup_hot_upd bigint?, n_live_tup bigint?, n_dead_tup bigint?, "
     "n_mod_since_analyze bigint?, n_ins_since_vacuum bigint?, last_vacuum timestamptz?, "
     "last_autovacuum timestamptz?, last_analyze timestamptz?, last_autoanalyze "
     "timestamptz?, vacuum_count bigint?, autovacuum_count bigint?, analyze_count bigint?, "
     "autoanalyze_count bigint?",
     system_stat_tables, NULL},
    {12266, "pg_catalog", "pg_stat_database",
     "datid oid?, datname name?, numbackends integer?, xact_commit bigint?, xact_rollback "
     "bigint?, blks_read bigint?, blks_hit bigint?, tup_returned bigint?, tup_fetched "
     "bigint?, tup_inserted bigint?, tup_updated bigint?, tup_deleted bigint?, conflicts "
     "bigint?, temp_files bigint?, temp_bytes bigint?, deadlocks bigint?, checksum_failures "
     "bigint?, checksum_last_failure timestamptz?, blk_read_time float8?, blk_write_time "
     "float8?, session_time float8?, active_time float8?, idle_in_transaction_time float8?, "
     "sessions bigint?, sessions_abandoned bigint?, sessions_fatal bigint?, sessions_killed "
     "bigint?, stats_reset timestamptz?",
     system_stat_database, NULL},
    {12192, "pg_catalog", "pg_stat_user_indexes",
     "relid oid?, indexrelid oid?, schemaname name?, relname name?, indexrelname name?, "
     "idx_scan bigint?, idx_tup_read bigint?, idx_tup_fetch bigint?",
     NULL, NULL},
    {12161, "pg_catalog", "pg_stat_user_tables",
     "relid oid?, schemaname name?, relname name?, seq_scan bigint?, seq_tup_read bigint?, "
     "idx_scan bigint?, idx_tup_fetch bigint?, n_tup_ins bigint?, n_tup_upd bigint?, "
     "n_tup_del bigint?, n_tup_hot_upd bigint?, n_live_tup bigint?, n_dead_tup bigint?, "
     "n_mod_since_analyze bigint?, n_ins_since_vacuum bigint?, last_vacuum timestamptz?, "
     "last_autovacuum timestamptz?, last_analyze timestamptz?, last_autoanalyze "
     "timestamptz?, vacuum_count bigint?, autovacuum_count bigint?, analyze_count bigint?, "
     "autoanalyze_count bigint?",
     system_stat_tables, NULL},
    {12179, "pg_catalog", "pg_statio_user_tables",
     "relid oid?, schemaname name?, relname name?, heap_blks_read bigint?, heap_blks_hit "
     "bigint?, idx_blks_read bigint?, idx_blks_hit bigint?, toast_blks_read bigint?, "
     "toast_blks_hit bigint?, tidx_blks_read bigint?, tidx_blks_hit bigint?",
     NULL, NULL},
    {3381, "pg_catalog", "pg_statistic_ext",
     "oid oid, stxrelid oid, stxname name, stxnamespace oid, stxowner oid, stxstattarget "
     "integer, stxkeys smallint[], stxkind char[], stxexprs text?",
     NULL, NULL},
    {6100, "pg_catalog", "pg_subscription",
     "oid oid, subdbid oid, subskiplsn text, subname name, subowner oid, subenabled boolean, "
     "subbinary boolean, substream boolean, subtwophasestate char, subdisableonerr boolean, "
     "subconninfo text, subslotname name?, subsynccommit text, subpublications text[]",
     NULL, NULL},
    {12033, "pg_catalog", "pg_tables",
     "schemaname name?, tablename name?, tableowner name?, tablespace name?, hasindexes "
     "boolean?, hasrules boolean?, hastriggers boolean?, rowsecurity boolean?",
     system_tables, NULL},
    {1213, "pg_catalog", "pg_tablespace",
     "oid oid, spcname name, spcowner oid, spcacl text[]!, spcoptions text[]!", system_tablespace,
     NULL},
    {12126, "pg_catalog", "pg_timezone_names",
     "name text?, abbrev text?, utc_offset interval?, is_dst boolean?", NULL, NULL},
    {3576, "pg_catalog", "pg_transform",
     "oid oid, trftype oid, trflang oid, trffromsql oid, trftosql oid", NULL, NULL},
    {2620, "pg_catalog", "pg_trigger",
     "oid oid, tgrelid oid, tgparentid oid, tgname name, tgfoid oid, tgtype smallint, "
     "tgenabled char, tgisinternal boolean, tgconstrrelid oid, tgconstrindid oid, "
     "tgconstraint oid, tgdeferrable boolean, tginitdeferred boolean, tgnargs smallint, "
     "tgattr text[], tgargs bytea, tgqual text?, tgoldtable name?, tgnewtable name?",
     NULL, NULL},
    {3602, "pg_catalog", "pg_ts_config",
     "oid oid, cfgname name, cfgnamespace oid, cfgowner oid, cfgparser oid", NULL, NULL},
    {3600, "pg_catalog", "pg_ts_dict",
     "oid oid, dictname name, dictnamespace oid, dictowner oid, dicttemplate oid, "
     "dictinitoption text?",
     NULL, NULL},
    {3601, "pg_catalog", "pg_ts_parser",
     "oid oid, prsname name, prsnamespace oid, prsstart oid, prstoken oid, prsend oid, "
     "prsheadline oid, prslextype oid",
     NULL, NULL},
    {3764, "pg_catalog", "pg_ts_template",
     "oid oid, tmplname name, tmplnamespace oid, tmplinit oid, tmpllexize oid", NULL, NULL},
    {1247, "pg_catalog", "pg_type",
     "oid oid, typname name, typnamespace oid, typowner oid, typlen smallint, typbyval "
     "boolean, typtype char, typcategory char, typispreferred boolean, typisdefined boolean, "
     "typdelim char, typrelid oid, typsubscript oid, typelem oid, typarray oid, typinput "
     "oid, typoutput oid, typreceive oid, typsend oid, typmodin oid, typmodout oid, "
     "typanalyze oid, typalign char, typstorage char, typnotnull boolean, typbasetype oid, "
     "typtypmod integer, typndims integer, typcollation oid, typdefaultbin text!, typdefault "
     "text!, typacl text[]!",
     system_type, NULL},
    {12014, "pg_catalog", "pg_user",
     "usename name?, usesysid oid?, usecreatedb boolean?, usesuper boolean?, userepl "
     "boolean?, usebypassrls boolean?, passwd text?, valuntil timestamptz!, useconfig "
     "text[]!",
     system_user, NULL},
    {1418, "pg_catalog", "pg_user_mapping", "oid oid, umuser oid, umserver oid, umoptions text[]?",
     NULL, NULL},
    {12327, "pg_catalog", "pg_user_mappings",
     "umid oid?, srvid oid?, srvname name?, umuser oid?, usename name?, umoptions text[]?", NULL,
     NULL},
    {12028, "pg_catalog", "pg_views",
     "schemaname name?, viewname name?, viewowner name?, definition text?", system_views, NULL},
    {13236, "information_schema", "applicable_roles",
     "grantee name?, role_name name?, is_grantable text?", NULL, NULL},
    {13250, "information_schema", "character_sets",
     "character_set_catalog name?, character_set_schema name?, character_set_name name?, "
     "character_repertoire name?, form_of_use name?, default_collate_catalog name?, "
     "default_collate_schema name?, default_collate_name name?",
     NULL, NULL},
    {13260, "information_schema", "check_constraints",
     "constraint_catalog name?, constraint_schema name?, constraint_name name?, check_clause "
     "text?",
     system_check_constraints, NULL},
    {13285, "information_schema", "column_privileges",
     "grantor name?, grantee name?, table_catalog name?, table_schema name?, table_name "
     "name?, column_name name?, privilege_type text?, is_grantable text?",
     NULL, NULL},
    {13295, "information_schema", "columns",
     "table_catalog name?, table_schema name?, table_name name?, column_name name?, "
     "ordinal_position integer?, column_default text?, is_nullable text?, data_type text?, "
     "character_maximum_length integer?, character_octet_length integer?, numeric_precision "
     "integer?, numeric_precision_radix integer?, numeric_scale integer?, datetime_precision "
     "integer?, interval_type text?, interval_precision integer?, character_set_catalog "
     "name?, character_set_schema name?, character_set_name name?, collation_catalog name?, "
     "collation_schema name?, collation_name name?, domain_catalog name?, domain_schema "
     "name?, domain_name name?, udt_catalog name?, udt_schema name?, udt_name name?, "
     "scope_catalog name?, scope_schema name?, scope_name name?, maximum_cardinality "
     "integer?, dtd_identifier name?, is_self_referencing text?, is_identity text?, "
     "identity_generation text?, identity_start text?, identity_increment text?, "
     "identity_maximum text?, identity_minimum text?, identity_cycle text?, is_generated "
     "text?, generation_expression text?, is_updatable text?",
     system_info_columns, NULL},
    {13300, "information_schema", "constraint_column_usage",
     "table_catalog name?, table_schema name?, table_name name?, column_name name?, "
     "constraint_catalog name?, constraint_schema name?, constraint_name name?",
     system_constraint_usage, NULL},
    {13320, "information_schema", "domains",
     "domain_catalog name?, domain_schema name?, domain_name name?, data_type text?, "
     "character_maximum_length integer?, character_octet_length integer?, "
     "character_set_catalog name?, character_set_schema name?, character_set_name name?, "
     "collation_catalog name?, collation_schema name?, collation_name name?, "
     "numeric_precision integer?, numeric_precision_radix integer?, numeric_scale integer?, "
     "datetime_precision integer?, interval_type text?, interval_precision integer?, "
     "domain_default text?, udt_catalog name?, udt_schema name?, udt_name name?, "
     "scope_catalog name?, scope_schema name?, scope_name name?, maximum_cardinality "
     "integer?, dtd_identifier name?",
     NULL, NULL},
    {13493, "information_schema", "element_types",
     "object_catalog name?, object_schema name?, object_name name?, object_type text?, "
     "collection_type_identifier name?, data_type text?, character_maximum_length integer?, "
     "character_octet_length integer?, character_set_catalog name?, character_set_schema "
     "name?, character_set_name name?, collation_catalog name?, collation_schema name?, "
     "collation_name name?, numeric_precision integer?, numeric_precision_radix integer?, "
     "numeric_scale integer?, datetime_precision integer?, interval_type text?, "
     "interval_precision integer?, domain_default text?, udt_catalog name?, udt_schema "
     "name?, udt_name name?, scope_catalog name?, scope_schema name?, scope_name name?, "
     "maximum_cardinality integer?, dtd_identifier name?",
     NULL, NULL},
    {13325, "information_schema", "enabled_roles", "role_name name?", system_enabled_roles, NULL},
    {13227, "information_schema", "information_schema_catalog_name", "catalog_name name?",
     system_catalog_name, NULL},
    {13329, "information_schema", "key_column_usage",
     "constraint_catalog name?, constraint_schema name?, constraint_name name?, "
     "table_catalog name?, table_schema name?, table_name name?, column_name name?, "
     "ordinal_position integer?, position_in_unique_constraint integer?",
     system_key_usage, NULL},
    {13334, "information_schema", "parameters",
     "specific_catalog name?, specific_schema name?, specific_name name?, ordinal_position "
     "integer?, parameter_mode text?, is_result text?, as_locator text?, parameter_name "
     "name?, data_type text?, character_maximum_length integer?, character_octet_length "
     "integer?, character_set_catalog name?, character_set_schema name?, character_set_name "
     "name?, collation_catalog name?, collation_schema name?, collation_name name?, "
     "numeric_precision integer?, numeric_precision_radix integer?, numeric_scale integer?, "
     "datetime_precision integer?, interval_type text?, interval_precision integer?, "
     "udt_catalog name?, udt_schema name?, udt_name name?, scope_catalog name?, scope_schema "
     "name?, scope_name name?, maximum_cardinality integer?, dtd_identifier name?, "
     "parameter_default text?",
     NULL, NULL},
    {13339, "information_schema", "referential_constraints",
     "constraint_catalog name?, constraint_schema name?, constraint_name name?, "
     "unique_constraint_catalog name?, unique_constraint_schema name?, "
     "unique_constraint_name name?, match_option text?, update_rule text?, delete_rule text?",
     NULL, NULL},
    {13377, "information_schema", "routines",
     "specific_catalog name?, specific_schema name?, specific_name name?, routine_catalog "
     "name?, routine_schema name?, routine_name name?, routine_type text?, module_catalog "
     "name?, module_schema name?, module_name name?, udt_catalog name?, udt_schema name?, "
     "udt_name name?, data_type text?, character_maximum_length integer?, "
     "character_octet_length integer?, character_set_catalog name?, character_set_schema "
     "name?, character_set_name name?, collation_catalog name?, collation_schema name?, "
     "collation_name name?, numeric_precision integer?, numeric_precision_radix integer?, "
     "numeric_scale integer?, datetime_precision integer?, interval_type text?, "
     "interval_precision integer?, type_udt_catalog name?, type_udt_schema name?, "
     "type_udt_name name?, scope_catalog name?, scope_schema name?, scope_name name?, "
     "maximum_cardinality integer?, dtd_identifier name?, routine_body text?, "
     "routine_definition text?, external_name text?, external_language text?, "
     "parameter_style text?, is_deterministic text?, sql_data_access text?, is_null_call "
     "text?, sql_path text?, schema_level_routine text?, max_dynamic_result_sets integer?, "
     "is_user_defined_cast text?, is_implicitly_invocable text?, security_type text?, "
     "to_sql_specific_catalog name?, to_sql_specific_schema name?, to_sql_specific_name "
     "name?, as_locator text?, created timestamptz?, last_altered timestamptz?, "
     "new_savepoint_level text?, is_udt_dependent text?, result_cast_from_data_type text?, "
     "result_cast_as_locator text?, result_cast_char_max_length integer?, "
     "result_cast_char_octet_length integer?, result_cast_char_set_catalog name?, "
     "result_cast_char_set_schema name?, result_cast_char_set_name name?, "
     "result_cast_collation_catalog name?, result_cast_collation_schema name?, "
     "result_cast_collation_name name?, result_cast_numeric_precision integer?, "
     "result_cast_numeric_precision_radix integer?, result_cast_numeric_scale integer?, "
     "result_cast_datetime_precision integer?, result_cast_interval_type text?, "
     "result_cast_interval_precision integer?, result_cast_type_udt_catalog name?, "
     "result_cast_type_udt_schema name?, result_cast_type_udt_name name?, "
     "result_cast_scope_catalog name?, result_cast_scope_schema name?, "
     "result_cast_scope_name name?, result_cast_maximum_cardinality integer?, "
     "result_cast_dtd_identifier name?",
     NULL, NULL},
    {13382, "information_schema", "schemata",
     "catalog_name name?, schema_name name?, schema_owner name?, "
     "default_character_set_catalog name?, default_character_set_schema name?, "
     "default_character_set_name name?, sql_path text?",
     system_schemata, NULL},
    {13386, "information_schema", "sequences",
     "sequence_catalog name?, sequence_schema name?, sequence_name name?, data_type text?, "
     "numeric_precision integer?, numeric_precision_radix integer?, numeric_scale integer?, "
     "start_value text?, minimum_value text?, maximum_value text?, increment text?, "
     "cycle_option text?",
     NULL, NULL},
    {13411, "information_schema", "table_constraints",
     "constraint_catalog name?, constraint_schema name?, constraint_name name?, "
     "table_catalog name?, table_schema name?, table_name name?, constraint_type text?, "
     "is_deferrable text?, initially_deferred text?, enforced text?, nulls_distinct text?",
     system_table_constraints, NULL},
    {13416, "information_schema", "table_privileges",
     "grantor name?, grantee name?, table_catalog name?, table_schema name?, table_name "
     "name?, privilege_type text?, is_grantable text?, with_hierarchy text?",
     NULL, NULL},
    {13425, "information_schema", "tables",
     "table_catalog name?, table_schema name?, table_name name?, table_type text?, "
     "self_referencing_column_name name?, reference_generation text?, "
     "user_defined_type_catalog name?, user_defined_type_schema name?, "
     "user_defined_type_name name?, is_insertable_into text?, is_typed text?, commit_action "
     "text?",
     system_info_tables, NULL},
    {13440, "information_schema", "triggers",
     "trigger_catalog name?, trigger_schema name?, trigger_name name?, event_manipulation "
     "text?, event_object_catalog name?, event_object_schema name?, event_object_table "
     "name?, action_order integer?, action_condition text?, action_statement text?, "
     "action_orientation text?, action_timing text?, action_reference_old_table name?, "
     "action_reference_new_table name?, action_reference_old_row name?, "
     "action_reference_new_row name?, created timestamptz?",
     NULL, NULL},
    {13483, "information_schema", "views",
     "table_catalog name?, table_schema name?, table_name name?, view_definition text?, "
     "check_option text?, is_updatable text?, is_insertable_into text?, is_trigger_updatable "
     "text?, is_trigger_deletable text?, is_trigger_insertable_into text?",
     system_info_views, NULL},
};
const size_t system_pg_def_count = sizeof system_pg_defs / sizeof *system_pg_defs;
