// regex.h - PostgreSQL's regular expressions (its documentation, 9.7.3 "POSIX Regular
// Expressions"): advanced and extended syntax, leftmost match, the longest or the shortest by the
// preference of its first quantifier, captures by the same preferences, back references,
// lookaround. The method is Henry Spencer's, in own words: automata find where a match begins and
// ends, in time linear in the text; only if captures or back references are asked for is the match
// taken apart along the tree of the expression. Taking apart may go back, so that its work is
// bounded (54000). A regex belongs to one thread (it builds its automata as it goes). Not for other
// folders.
#ifndef WEIR_COL_REGEX_H
#define WEIR_COL_REGEX_H

#include "base/error.h"
#include "base/str.h"

enum {
    REGEX_FOLD = 1,          // i: upper and lower case are one
    REGEX_LINE_STOPS = 2,    // . and [^ do not match newline
    REGEX_LINE_ANCHORS = 4,  // ^ and $ match at newlines, too
    REGEX_EXPANDED = 8,      // x: white space and comments are ignored
    REGEX_LITERAL = 16,      // q: the pattern is plain text
    REGEX_NOT_ADVANCED = 32, // e: an extended expression of POSIX
};

#define REGEX_NONE SIZE_MAX

typedef struct regex_span {
    size_t begin, end; // bytes; REGEX_NONE: this group took no part
} regex_span;

typedef struct regex regex;

BASE_MUST_USE base_rc regex_compile(base_str pattern, unsigned flags, regex **out, base_error *err);
void regex_destroy(regex *re);          // NULL is allowed
uint32_t regex_groups(const regex *re); // that capture

// The first match that begins at byte `from` or after. spans[0] is the match, spans[1..nspans) the
// groups; nspans 0: only whether there is one. What is before `from` is seen by ^, \m and
// lookbehind. Fails if taking the match apart is too much work.
BASE_MUST_USE base_rc regex_find(regex *re, base_str s, size_t from, uint32_t nspans,
                                 regex_span *spans, bool *found, base_error *err);

#endif
