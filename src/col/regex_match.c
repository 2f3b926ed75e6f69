// regex_match.c - compiling, finding and taking matches apart. Taking apart follows the tree: a
// sequence tries the ends of its first part from the longest (or the shortest) on, an alternative
// takes the first branch that fits, a repetition its rounds in order; each candidate is checked by
// the parts' automata before going deeper. It can only need to go back over much for back
// references and nested repetitions, which the limit of work ends.
// Entry points: regex_compile(), regex_find().
#include <stdlib.h>

#include "base/must.h"
#include "col/func_int.h"
#include "col/regex_int.h"

#define WORK_MAX       200000000ll // characters looked at to take one match apart
#define TAKE_DEPTH_MAX 4000u

typedef enum taken {
    TAKEN,
    NOT_TAKEN,
    TAKE_FAILED, // run->err is filled
} taken;

static taken take(re_run *run, re_node *node, size_t begin, size_t end, uint32_t depth);

static taken part_dfa(re_run *run, re_node *node) {
    if (node->dfa != NULL) return TAKEN;
    return re_dfa_make(run->re, node, false, &node->dfa, run->err) == BASE_OK ? TAKEN : TAKE_FAILED;
}

static taken check_work(re_run *run, uint32_t depth) {
    if (run->work_left > 0 && depth < TAKE_DEPTH_MAX) return TAKEN;
    (void)base_fail(run->err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                    "regular expression match needs too much work");
    return TAKE_FAILED;
}

static void forget(re_run *run, const re_node *node) {
    if (node == NULL) return;
    if (node->group > 0) run->spans[node->group] = (regex_span){REGEX_NONE, REGEX_NONE};
    if ((node->flags & RE_CAPTURES) == 0) return;
    forget(run, node->a);
    forget(run, node->b);
}

static taken take_sequence(re_run *run, re_node *node, size_t begin, size_t end, uint32_t depth) {
    re_node *a = node->a, *b = node->b;
    if (part_dfa(run, a) == TAKE_FAILED || part_dfa(run, b) == TAKE_FAILED) return TAKE_FAILED;
    bool shorter = (a->flags & RE_SHORTER) != 0;
    size_t middle =
        shorter ? re_shortest(run, a->dfa, begin, begin, end) : re_longest(run, a->dfa, begin, end);
    while (middle != REGEX_NONE) {
        if (check_work(run, depth) == TAKE_FAILED) return TAKE_FAILED;
        if (re_longest(run, b->dfa, middle, end) == end) {
            taken got = take(run, a, begin, middle, depth);
            if (got == TAKEN) got = take(run, b, middle, end, depth);
            if (got != NOT_TAKEN) return got;
        }
        if (middle == (shorter ? end : begin)) return NOT_TAKEN;
        forget(run, a);
        forget(run, b);
        middle = shorter ? re_shortest(run, a->dfa, begin, middle + re_char_len(run, middle), end)
                         : re_longest(run, a->dfa, begin, re_back(run, middle));
    }
    return NOT_TAKEN;
}

static taken take_choice(re_run *run, re_node *node, size_t begin, size_t end, uint32_t depth) {
    for (re_node *branch = node->a;; branch = node->a) {
        if (part_dfa(run, branch) == TAKE_FAILED) return TAKE_FAILED;
        if (re_longest(run, branch->dfa, begin, end) == end) {
            taken got = take(run, branch, begin, end, depth);
            if (got != NOT_TAKEN) return got;
        }
        if (node->b == NULL) return NOT_TAKEN;
        if (node->b->op != RE_ALT || node->b->group != 0 || node->b->flags != node->flags) {
            if (part_dfa(run, node->b) == TAKE_FAILED) return TAKE_FAILED;
            if (re_longest(run, node->b->dfa, begin, end) != end) return NOT_TAKEN;
            return take(run, node->b, begin, end, depth);
        }
        node = node->b;
    }
}

static taken take_reference(re_run *run, const re_node *node, size_t begin, size_t end) {
    regex_span span = run->spans[node->index];
    if (span.begin == REGEX_NONE) return NOT_TAKEN;
    size_t unit = span.end - span.begin, length = end - begin;
    if (unit == 0) return length == 0 ? TAKEN : NOT_TAKEN;
    if (length == 0) return node->min == 0 ? TAKEN : NOT_TAKEN;
    if (length % unit != 0) return NOT_TAKEN;
    size_t rounds = length / unit;
    if (rounds < (size_t)node->min) return NOT_TAKEN;
    if (node->max != RE_UNBOUNDED && rounds > (size_t)node->max) return NOT_TAKEN;
    run->work_left -= (int64_t)length;
    for (size_t at = begin; at < end; at += unit) {
        if (memcmp(run->s + at, run->s + span.begin, unit) != 0) return NOT_TAKEN;
    }
    return TAKEN;
}

// The ends of a repetition's rounds: ends[k] ends round k, ends[0] begins the first.
typedef struct rounds {
    size_t *ends;
    size_t k, verified, min, max, end;
} rounds;

// Takes apart rounds that have not been; NOT_TAKEN leaves r->k at the one that failed.
static taken verify_rounds(re_run *run, re_node *child, rounds *r, uint32_t depth) {
    for (size_t i = r->verified + 1; i <= r->k; i++) {
        forget(run, child);
        taken got = take(run, child, r->ends[i - 1], r->ends[i], depth);
        if (got == NOT_TAKEN) r->k = i;
        if (got != TAKEN) return got;
        r->verified = i;
    }
    return TAKEN;
}

// Whether an empty round at `at` may be needed to reach the least number of rounds.
static bool empty_needed(const rounds *r, size_t at) {
    return r->k < r->min && r->min - r->k >= r->end - at;
}

static taken take_longest_rounds(re_run *run, re_node *child, rounds *r, uint32_t depth) {
    size_t limit = r->end;
    while (r->k > 0) {
        if (check_work(run, depth) == TAKE_FAILED) return TAKE_FAILED;
        size_t k = r->k, end = re_longest(run, child->dfa, r->ends[k - 1], limit);
        r->ends[k] = end;
        if (r->verified >= k) r->verified = k - 1;
        if (end == REGEX_NONE) {
            r->k--;
        } else if (end != r->end) {
            if (k >= r->max) {
                r->k--;
            } else if (end != r->ends[k - 1] || empty_needed(r, end)) {
                r->k++;
                limit = r->end;
                continue;
            }
        } else if (k >= r->min) {
            taken got = verify_rounds(run, child, r, depth);
            if (got != NOT_TAKEN) return got;
        }
        for (; r->k > 0; r->k--) { // a shorter round k, or of those before it
            size_t before = r->ends[r->k - 1];
            if (r->ends[r->k] == REGEX_NONE || r->ends[r->k] <= before) continue;
            limit = re_back(run, r->ends[r->k]);
            if (limit > before || empty_needed(r, before)) break;
        }
    }
    return NOT_TAKEN;
}

static taken take_shortest_rounds(re_run *run, re_node *child, rounds *r, uint32_t depth) {
    size_t limit = r->ends[0];
    while (r->k > 0) {
        if (check_work(run, depth) == TAKE_FAILED) return TAKE_FAILED;
        size_t k = r->k, from = r->ends[k - 1];
        if (limit == from && limit != r->end && !empty_needed(r, limit)) {
            limit += re_char_len(run, limit);
        }
        if (k >= r->max) limit = r->end;
        size_t end = re_shortest(run, child->dfa, from, limit, r->end);
        r->ends[k] = end;
        if (r->verified >= k) r->verified = k - 1;
        if (end == REGEX_NONE) {
            r->k--;
        } else if (end != r->end) {
            if (k >= r->max) {
                r->k--;
            } else {
                r->k++;
                limit = end;
                continue;
            }
        } else if (k >= r->min) {
            taken got = verify_rounds(run, child, r, depth);
            if (got != NOT_TAKEN) return got;
        }
        for (; r->k > 0; r->k--) {
            if (r->ends[r->k] >= r->end) continue;
            limit = r->ends[r->k] + re_char_len(run, r->ends[r->k]);
            break;
        }
    }
    return NOT_TAKEN;
}

static taken take_rounds(re_run *run, re_node *node, size_t begin, size_t end, uint32_t depth) {
    size_t min = node->min > 0 ? (size_t)node->min : 1;
    bool shorter = (node->a->flags & RE_SHORTER) != 0, none = node->min <= 0 && begin == end;
    // No round at all: at once if the part prefers the shortest, else if one empty round fails.
    if (none && shorter) return TAKEN;
    if (part_dfa(run, node->a) == TAKE_FAILED) return TAKE_FAILED;
    size_t max = end - begin;
    if (node->max != RE_UNBOUNDED && max > (size_t)node->max) max = (size_t)node->max;
    if (max < min) max = min;
    size_t *ends = malloc((max + 1) * sizeof *ends);
    must(ends != NULL);
    ends[0] = begin;
    rounds r = {.ends = ends, .k = 1, .min = min, .max = max, .end = end};
    taken got = shorter ? take_shortest_rounds(run, node->a, &r, depth)
                        : take_longest_rounds(run, node->a, &r, depth);
    free(ends);
    if (got != NOT_TAKEN || !none) return got;
    forget(run, node->a);
    return TAKEN;
}

// The part matches [begin, end) by its automaton: fills its groups, if it can be taken apart so.
static taken take(re_run *run, re_node *node, size_t begin, size_t end, uint32_t depth) {
    if ((node->flags & (RE_CAPTURES | RE_REFERS)) == 0) return TAKEN;
    if (check_work(run, ++depth) == TAKE_FAILED) return TAKE_FAILED;
    taken got = TAKEN;
    switch (node->op) {
    case RE_CAT:
        if (((node->a->flags | node->b->flags) & (RE_CAPTURES | RE_REFERS)) != 0) {
            got = take_sequence(run, node, begin, end, depth);
        }
        break;
    case RE_ALT:
        if (((node->a->flags | node->b->flags) & (RE_CAPTURES | RE_REFERS)) != 0) {
            got = take_choice(run, node, begin, end, depth);
        }
        break;
    case RE_REPEAT:
        got = take_rounds(run, node, begin, end, depth);
        break;
    case RE_REFER:
        got = take_reference(run, node, begin, end);
        break;
    case RE_WRAP:
        got = take(run, node->a, begin, end, depth);
        break;
    default:
        break;
    }
    if (got == TAKEN && node->group > 0) run->spans[node->group] = (regex_span){begin, end};
    return got;
}

// ---- finding ----

static void forget_all(re_run *run) {
    for (uint32_t i = 1; i <= run->re->groups; i++) {
        run->spans[i] = (regex_span){REGEX_NONE, REGEX_NONE};
    }
}

// Without back references the automaton's word is final: the first beginning decides.
static base_rc find_simple(re_run *run, size_t open, size_t close, uint32_t nspans, bool *found) {
    regex *re = run->re;
    bool shorter = (re->root->flags & RE_SHORTER) != 0;
    for (size_t begin = open; begin <= close; begin += re_char_len(run, begin)) {
        size_t end = shorter ? re_shortest(run, re->whole, begin, begin, run->n)
                             : re_longest(run, re->whole, begin, run->n);
        if (end != REGEX_NONE) {
            *found = true;
            run->spans[0] = (regex_span){begin, end};
            if (nspans == 1 || re->groups == 0) return BASE_OK;
            forget_all(run);
            run->work_left = WORK_MAX;
            taken got = take(run, re->root, begin, end, 0);
            *found = got == TAKEN;
            return got == TAKE_FAILED ? run->err->code : BASE_OK;
        }
        if (begin == run->n) break;
    }
    *found = false;
    return BASE_OK;
}

static base_rc find_referring(re_run *run, size_t open, bool *found) {
    regex *re = run->re;
    bool shorter = (re->root->flags & RE_SHORTER) != 0;
    *found = false;
    for (size_t begin = open; begin <= run->n; begin += re_char_len(run, begin)) {
        size_t least = begin, most = run->n;
        for (;;) {
            size_t end = shorter ? re_shortest(run, re->whole, begin, least, most)
                                 : re_longest(run, re->whole, begin, most);
            if (end == REGEX_NONE) break;
            forget_all(run);
            taken got = take(run, re->root, begin, end, 0);
            if (got == TAKE_FAILED) return run->err->code;
            if (got == TAKEN) {
                *found = true;
                run->spans[0] = (regex_span){begin, end};
                return BASE_OK;
            }
            if (end == (shorter ? most : least)) break;
            if (shorter) {
                least = end + re_char_len(run, end);
            } else {
                most = re_back(run, end);
            }
        }
        if (begin == run->n) break;
    }
    return BASE_OK;
}

base_rc regex_find(regex *re, base_str s, size_t from, uint32_t nspans, regex_span *spans,
                   bool *found, base_error *err) {
    regex_span local[16], *all = local;
    *found = false;
    if (from > s.n || !re_search_from(re, s, &from)) return BASE_OK;
    re->runs++;
    re_run run = {.re = re, .s = s.n == 0 ? "" : s.p, .n = s.n, .work_left = WORK_MAX, .err = err};
    size_t cold, close = re_search(&run, re->search, from, &cold);
    if (close == REGEX_NONE) return BASE_OK;
    if (nspans == 0 && !re->refers) {
        *found = true;
        return BASE_OK;
    }
    if (re->groups >= 16) {
        all = malloc((re->groups + 1) * sizeof *all);
        must(all != NULL);
    }
    run.spans = all;
    base_rc rc = re->refers ? find_referring(&run, cold, found)
                            : find_simple(&run, cold, close, nspans, found);
    for (uint32_t i = 0; rc == BASE_OK && *found && i < nspans; i++) {
        spans[i] = i <= re->groups ? all[i] : (regex_span){REGEX_NONE, REGEX_NONE};
    }
    if (all != local) free(all);
    return rc;
}

// ---- compiling ----

static base_rc make_automata(regex *re, base_error *err) {
    for (uint32_t i = 0; i < re->nlooks; i++) {
        re_look *look = &re->looks[i];
        base_rc rc = re_dfa_make(re, look->node, look->behind, &look->dfa, err);
        if (rc != BASE_OK) return rc;
    }
    base_rc rc = re_dfa_make(re, re->root, false, &re->whole, err);
    if (rc == BASE_OK) rc = re_dfa_make(re, re->root, true, &re->search, err);
    return rc;
}

base_rc regex_compile(base_str pattern, unsigned flags, regex **out, base_error *err) {
    *out = NULL;
    regex *re = calloc(1, sizeof *re);
    must(re != NULL);
    base_arena_init(&re->arena, 4096);
    base_rc rc = re_parse(re, pattern, flags, err);
    if (rc == BASE_OK) {
        re_sets_finish(re);
        re_literal_find(re);
        rc = make_automata(re, err);
    }
    if (rc != BASE_OK) {
        regex_destroy(re);
        return rc;
    }
    *out = re;
    return BASE_OK;
}

void regex_destroy(regex *re) {
    if (re == NULL) return;
    re_dfa_free_all(re);
    base_arena_deinit(&re->arena);
    free(re);
}

uint32_t regex_groups(const regex *re) {
    return re->groups;
}
