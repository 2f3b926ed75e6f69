// error.h - the one error type. A fallible function returns base_rc, and on failure fills a
// base_error (owned by the caller) that says what, where, and what to do. The rc and err->code
// agree. Threads: a base_error belongs to one thread at a time.
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum base_rc {
    BASE_OK = 0,
    BASE_E_INVALID,     // input from outside breaks a rule
    BASE_E_NOT_FOUND,   // a named thing is not there
    BASE_E_EXISTS,      // a named thing is already there
    BASE_E_IO,          // the operating system failed a call
    BASE_E_FULL,        // no space left: disk, quota or map size
    BASE_E_CORRUPT,     // stored bytes fail their checksum or layout
    BASE_E_LIMIT,       // a configured limit was reached
    BASE_E_BUSY,        // try again later (backpressure, shutting down)
    BASE_E_UNSUPPORTED, // understood, but not done here
    BASE_E_CANCELLED,   // the client asked to stop, or a deadline passed
    BASE_E_INTERNAL,    // our own fault, reported rather than asserted
} base_rc;

#define BASE_MUST_USE                __attribute__((warn_unused_result))
#define BASE_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

typedef struct base_error {
    base_rc code;
    char sqlstate[6];  // PostgreSQL's five characters, NUL-terminated; never empty on failure
    int32_t position;  // 1-based character position in the SQL text; 0: none
    char message[512]; // primary message: lower case start, no final stop, as PostgreSQL writes
    char detail[512];  // may be empty
    char hint[256];    // what to do; may be empty
} base_error;

// base_fail(): fills err (which may be NULL) and returns code. sqlstate NULL takes the code's
// default (base_default_sqlstate). Clears position, detail and hint.
base_rc base_fail(base_error *err, base_rc code, const char *sqlstate, const char *fmt, ...)
    BASE_PRINTF(4, 5);
base_rc base_fail_errno(base_error *err, int saved_errno, const char *fmt, ...) BASE_PRINTF(3, 4);
void base_error_detail(base_error *err, const char *fmt, ...) BASE_PRINTF(2, 3);
void base_error_hint(base_error *err, const char *fmt, ...) BASE_PRINTF(2, 3);
// base_error_prefix(): puts "text: " before the message, e.g. the file or stream it is about.
void base_error_prefix(base_error *err, const char *fmt, ...) BASE_PRINTF(2, 3);
void base_error_clear(base_error *err);
const char *base_rc_name(base_rc code);
const char *base_default_sqlstate(base_rc code);

// PostgreSQL's error codes that weir raises (PostgreSQL 15 documentation, appendix A).
#define BASE_SQLSTATE_SYNTAX             "42601"
#define BASE_SQLSTATE_UNDEFINED_TABLE    "42P01"
#define BASE_SQLSTATE_UNDEFINED_COLUMN   "42703"
#define BASE_SQLSTATE_UNDEFINED_FUNCTION "42883"
#define BASE_SQLSTATE_UNDEFINED_OBJECT   "42704"
#define BASE_SQLSTATE_DUPLICATE_TABLE    "42P07"
#define BASE_SQLSTATE_DUPLICATE_COLUMN   "42701"
#define BASE_SQLSTATE_DUPLICATE_SCHEMA   "42P06"
#define BASE_SQLSTATE_DUPLICATE_OBJECT   "42710"
#define BASE_SQLSTATE_AMBIGUOUS_COLUMN   "42702"
#define BASE_SQLSTATE_AMBIGUOUS_FUNCTION "42725"
#define BASE_SQLSTATE_DATATYPE_MISMATCH  "42804"
#define BASE_SQLSTATE_GROUPING           "42803"
#define BASE_SQLSTATE_INVALID_SCHEMA     "3F000"
#define BASE_SQLSTATE_INVALID_DEFINITION "42P17"
#define BASE_SQLSTATE_DEPENDENT_OBJECTS  "2BP01"
#define BASE_SQLSTATE_NUMERIC_RANGE      "22003"
#define BASE_SQLSTATE_DIVISION_BY_ZERO   "22012"
#define BASE_SQLSTATE_INVALID_TEXT       "22P02"
#define BASE_SQLSTATE_INVALID_DATETIME   "22007"
#define BASE_SQLSTATE_DATETIME_OVERFLOW  "22008"
#define BASE_SQLSTATE_STRING_TRUNCATION  "22001"
#define BASE_SQLSTATE_INVALID_PARAMETER  "22023"
#define BASE_SQLSTATE_INVALID_ENCODING   "22021"
#define BASE_SQLSTATE_DUPLICATE_KEY      "22030" // duplicate JSON object key value
#define BASE_SQLSTATE_NOT_NULL           "23502"
#define BASE_SQLSTATE_UNIQUE             "23505"
#define BASE_SQLSTATE_CHECK              "23514"
#define BASE_SQLSTATE_UNSUPPORTED        "0A000"
#define BASE_SQLSTATE_DISK_FULL          "53100"
#define BASE_SQLSTATE_OUT_OF_MEMORY      "53200"
#define BASE_SQLSTATE_LIMIT              "54000"
#define BASE_SQLSTATE_NOT_IN_STATE       "55000" // object not in prerequisite state
#define BASE_SQLSTATE_BUSY               "55P03"
#define BASE_SQLSTATE_CANCELLED          "57014"
#define BASE_SQLSTATE_SHUTDOWN           "57P01"
#define BASE_SQLSTATE_IO                 "58030"
#define BASE_SQLSTATE_CORRUPT            "XX001"
#define BASE_SQLSTATE_INTERNAL           "XX000"
#define BASE_SQLSTATE_PROTOCOL           "08P01"

#endif
