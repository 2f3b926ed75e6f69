// error.c - filling base_error. Invariants: message, detail and hint are always NUL-terminated and
// are cut only at the border of a UTF-8 character, because they go to clients as text.
// Entry point: base_fail().
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/str.h"

static void write_text(char *to, size_t size, const char *fmt, va_list args) {
    int n = vsnprintf(to, size, fmt, args);
    if (n < 0) {
        to[0] = '\0';
    } else if ((size_t)n >= size) {
        to[base_utf8_valid_prefix((base_str){to, size - 1})] = '\0';
    }
}

const char *base_rc_name(base_rc code) {
    switch (code) {
    case BASE_OK:
        return "ok";
    case BASE_E_INVALID:
        return "invalid";
    case BASE_E_NOT_FOUND:
        return "not found";
    case BASE_E_EXISTS:
        return "exists";
    case BASE_E_IO:
        return "io";
    case BASE_E_FULL:
        return "full";
    case BASE_E_CORRUPT:
        return "corrupt";
    case BASE_E_LIMIT:
        return "limit";
    case BASE_E_BUSY:
        return "busy";
    case BASE_E_UNSUPPORTED:
        return "unsupported";
    case BASE_E_CANCELLED:
        return "cancelled";
    case BASE_E_INTERNAL:
        return "internal";
    }
    return "unknown";
}

const char *base_default_sqlstate(base_rc code) {
    switch (code) {
    case BASE_OK:
        return "00000";
    case BASE_E_INVALID:
        return BASE_SQLSTATE_INVALID_PARAMETER;
    case BASE_E_NOT_FOUND:
        return BASE_SQLSTATE_UNDEFINED_OBJECT;
    case BASE_E_EXISTS:
        return BASE_SQLSTATE_DUPLICATE_OBJECT;
    case BASE_E_IO:
        return BASE_SQLSTATE_IO;
    case BASE_E_FULL:
        return BASE_SQLSTATE_DISK_FULL;
    case BASE_E_CORRUPT:
        return BASE_SQLSTATE_CORRUPT;
    case BASE_E_LIMIT:
        return BASE_SQLSTATE_LIMIT;
    case BASE_E_BUSY:
        return BASE_SQLSTATE_BUSY;
    case BASE_E_UNSUPPORTED:
        return BASE_SQLSTATE_UNSUPPORTED;
    case BASE_E_CANCELLED:
        return BASE_SQLSTATE_CANCELLED;
    case BASE_E_INTERNAL:
        return BASE_SQLSTATE_INTERNAL;
    }
    return BASE_SQLSTATE_INTERNAL;
}

static void start_error(base_error *err, base_rc code, const char *sqlstate) {
    must(code != BASE_OK);
    if (sqlstate == NULL) sqlstate = base_default_sqlstate(code);
    must(strlen(sqlstate) == 5);
    err->code = code;
    memcpy(err->sqlstate, sqlstate, 6);
    err->position = 0;
    err->detail[0] = '\0';
    err->hint[0] = '\0';
}

base_rc base_fail(base_error *err, base_rc code, const char *sqlstate, const char *fmt, ...) {
    if (err == NULL) return code;
    start_error(err, code, sqlstate);
    va_list args;
    va_start(args, fmt);
    write_text(err->message, sizeof err->message, fmt, args);
    va_end(args);
    return code;
}

static base_rc rc_of_errno(int saved_errno) {
    switch (saved_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BASE_E_FULL;
    case ENOENT:
        return BASE_E_NOT_FOUND;
    case EEXIST:
        return BASE_E_EXISTS;
    default:
        return BASE_E_IO;
    }
}

base_rc base_fail_errno(base_error *err, int saved_errno, const char *fmt, ...) {
    base_rc code = rc_of_errno(saved_errno);
    if (err == NULL) return code;
    // A missing file is no missing SQL object: the state stays one of the system's.
    start_error(err, code, code == BASE_E_FULL ? BASE_SQLSTATE_DISK_FULL : BASE_SQLSTATE_IO);
    va_list args;
    va_start(args, fmt);
    write_text(err->message, sizeof err->message, fmt, args);
    va_end(args);
    size_t n = strlen(err->message);
    char reason[128];
    // The GNU strerror_r (_GNU_SOURCE) returns the text, which may or may not be in the buffer.
    snprintf(err->message + n, sizeof err->message - n, ": %s",
             strerror_r(saved_errno, reason, sizeof reason));
    return code;
}

void base_error_detail(base_error *err, const char *fmt, ...) {
    if (err == NULL) return;
    va_list args;
    va_start(args, fmt);
    write_text(err->detail, sizeof err->detail, fmt, args);
    va_end(args);
}

void base_error_hint(base_error *err, const char *fmt, ...) {
    if (err == NULL) return;
    va_list args;
    va_start(args, fmt);
    write_text(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
}

void base_error_prefix(base_error *err, const char *fmt, ...) {
    if (err == NULL) return;
    char prefix[sizeof err->message];
    va_list args;
    va_start(args, fmt);
    write_text(prefix, sizeof prefix, fmt, args);
    va_end(args);
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    size_t prefix_n = strlen(prefix), old_n = strlen(old);
    size_t room = sizeof err->message - 1;
    if (prefix_n + 2 > room) return;
    if (prefix_n + 2 + old_n > room) {
        old_n = base_utf8_valid_prefix((base_str){old, room - prefix_n - 2});
    }
    memcpy(err->message, prefix, prefix_n);
    memcpy(err->message + prefix_n, ": ", 2);
    memcpy(err->message + prefix_n + 2, old, old_n);
    err->message[prefix_n + 2 + old_n] = '\0';
}

void base_error_clear(base_error *err) {
    if (err != NULL) memset(err, 0, sizeof *err);
}
