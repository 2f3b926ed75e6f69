// options.c - the options of WITH (...): a table a statement says which there are and what they
// mean. Entry point: sql_options_apply.
#include "sql/sql_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

base_rc sql_interval_us(sql_ctx *ctx, const char *text, int32_t position, int64_t *us) {
    base_interval interval;
    if (base_interval_parse(base_str_of(text), &interval, ctx->err) != BASE_OK ||
        base_interval_total_us(&interval, us, ctx->err) != BASE_OK) {
        ctx->err->position = position;
        return ctx->err->code;
    }
    if (interval.months != 0)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "interval \"%s\" must not have months or years: their length varies", text);
    if (*us < 0)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "interval \"%s\" must not be negative", text);
    return BASE_OK;
}

// '10 GB', '500MB', '1 TB'. False: it is no number of bytes.
static bool parse_bytes(const char *text, uint64_t *bytes) {
    static const struct {
        const char *unit;
        int shift;
    } units[] = {{"B", 0}, {"kB", 10}, {"MB", 20}, {"GB", 30}, {"TB", 40}};
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0)) return false;
    base_str unit = base_str_trim(base_str_of(end));
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!base_str_eq_nocase(unit, base_str_of(units[i].unit))) continue;
        value *= (double)(1ull << units[i].shift);
        if (value >= 9e18) return false;
        *bytes = (uint64_t)value;
        return true;
    }
    return false;
}

static base_rc unknown_option(sql_ctx *ctx, const sql_option_def *defs, size_t ndefs,
                              const char *name, int32_t position) {
    sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
             "unrecognized option \"%s\"", name);
    char list[200];
    size_t n = 0;
    for (size_t i = 0; i < ndefs && n + strlen(defs[i].name) + 3 < sizeof list; i++) {
        if (i > 0) n += (size_t)sprintf(list + n, ", ");
        n += (size_t)sprintf(list + n, "%s", defs[i].name);
    }
    list[n] = '\0';
    base_error_hint(ctx->err, "Known options: %s.", list);
    return ctx->err->code;
}

static base_rc apply_one(sql_ctx *ctx, const sql_option_def *def, plan_object *object,
                         const char *value, int32_t position) {
    void *member = (char *)object + def->offset;
    switch (def->kind) {
    case SQL_OPTION_KEPT:
        return BASE_OK;
    case SQL_OPTION_TEXT:
        *(const char **)member = value;
        return BASE_OK;
    case SQL_OPTION_U32: {
        char *end;
        long long number = strtoll(value, &end, 10);
        if (end == value || *end != '\0' || number < 1 || number > 65536)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "option \"%s\" must be a whole number from 1 to 65536, not \"%s\"",
                            def->name, value);
        *(uint32_t *)member = (uint32_t)number;
        return BASE_OK;
    }
    case SQL_OPTION_RETENTION:
        if (parse_bytes(value, &object->retention_bytes)) return BASE_OK;
        return sql_interval_us(ctx, value, position, &object->retention_us);
    case SQL_OPTION_BYTES:
        if (parse_bytes(value, (uint64_t *)member) && *(uint64_t *)member > 0) return BASE_OK;
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "option \"%s\" must be a number of bytes such as '10 GB', not '%s'",
                        def->name, value);
    case SQL_OPTION_REFRESH:
        if (base_str_eq_nocase(base_str_of(value), BASE_STR("immediate"))) {
            *(int64_t *)member = 0;
            return BASE_OK;
        }
        SQL_TRY(sql_interval_us(ctx, value, position, (int64_t *)member));
        if (*(int64_t *)member == 0)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "option \"%s\" must be 'immediate' or an interval greater than zero",
                            def->name);
        return BASE_OK;
    case SQL_OPTION_LEDGER:
        if (base_str_eq_nocase(base_str_of(value), BASE_STR("off"))) {
            *(int64_t *)member = -1;
            return BASE_OK;
        }
        if (base_str_eq_nocase(base_str_of(value), BASE_STR("forever"))) {
            *(int64_t *)member = 0;
            return BASE_OK;
        }
        SQL_TRY(sql_interval_us(ctx, value, position, (int64_t *)member));
        if (*(int64_t *)member == 0)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "option \"%s\" must be an interval greater than zero, 'forever' or "
                            "'off'",
                            def->name);
        return BASE_OK;
    case SQL_OPTION_HISTORY: {
        int64_t *us = member;
        *us = 0;
        if (!base_str_eq_nocase(base_str_of(value), BASE_STR("off")))
            SQL_TRY(sql_interval_us(ctx, value, position, us));
        if (*us == 0) *us = PLAN_HISTORY_OFF;
        return BASE_OK;
    }
    case SQL_OPTION_US:
        return sql_interval_us(ctx, value, position, (int64_t *)member);
    }
    return BASE_OK;
}

base_rc sql_options_apply(sql_ctx *ctx, const sql_option_def *defs, size_t ndefs,
                          plan_object *object, const int32_t *positions) {
    for (uint32_t i = 0; i < object->noptions; i++) {
        const plan_option *option = &object->options[i];
        const sql_option_def *def = NULL;
        for (size_t d = 0; d < ndefs && def == NULL; d++)
            if (strcmp(defs[d].name, option->name) == 0) def = &defs[d];
        if (def == NULL) return unknown_option(ctx, defs, ndefs, option->name, positions[i]);
        SQL_TRY(apply_one(ctx, def, object, option->value, positions[i]));
    }
    return BASE_OK;
}
