// regex_dfa.c - automata of parts of a regular expression. A part becomes a nondeterministic
// automaton (Thompson's construction, repetitions written out); deterministic states are made from
// it as a text asks for them and kept up to a limit of memory, then all are dropped and made anew.
// A state is the sorted list of places that consume a character, accept, or wait for a condition; a
// state with conditions is resolved at each place in the text by those that hold there.
// Invariant: pointers to states are valid until the next call that may make a state; `epoch` tells
// whether all have been dropped. Entry points: re_dfa_make(), re_longest(), re_shortest(),
// re_search().
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "col/func_int.h"
#include "col/regex_int.h"

#define NFA_STATES_MAX 50000u
#define NFA_DEPTH_MAX  20000u
#define DFA_BYTES_MAX  (4u << 20)
#define BUCKETS        1024u

typedef enum nfa_kind {
    NFA_SPLIT,  // to both
    NFA_SET,    // over one character of the set
    NFA_ASSERT, // if the condition holds
    NFA_ACCEPT,
    NFA_UNDERWAY, // in a search: tells a state in which a match may have begun from the first
} nfa_kind;

typedef struct nfa_state {
    nfa_kind kind;
    uint32_t index; // of the set or condition
    uint32_t to, also;
} nfa_state;

typedef struct re_state {
    struct re_state *chain;
    struct re_state **next; // by class
    uint32_t *items;
    uint32_t n;
    uint32_t hash;
    bool accepts, waits;     // has ACCEPT; has ASSERT
    struct re_state *inside; // waits: what it is where no condition of EDGES holds, if known
    uint32_t nresolved;
    struct {
        uint64_t holds;
        struct re_state *to;
    } resolved[4];
} re_state;

struct re_dfa {
    regex *re;
    nfa_state *nfa;
    uint32_t count, cap;
    uint32_t start, underway;
    uint64_t conditions; // that occur
    bool searches;
    bool too_large;
    base_arena arena; // states
    re_state *buckets[BUCKETS];
    uint32_t epoch;
    re_state *first;
    // Scratch: a set of places under construction.
    uint32_t *items, *stack, *marks, *copy;
    uint32_t nitems, mark;
    // Lookbehind: where the last search of a run stands.
    uint64_t run;
    size_t at;
    uint32_t at_epoch;
    re_state *at_state;
    re_dfa *next_made; // all of one regex
};

// ---- the nondeterministic automaton ----

#define NO_STATE UINT32_MAX

static uint32_t nfa_add(re_dfa *dfa, nfa_kind kind, uint32_t index, uint32_t to, uint32_t also) {
    if (dfa->count == NFA_STATES_MAX) {
        dfa->too_large = true;
        return 0;
    }
    if (dfa->count == dfa->cap) {
        dfa->cap = dfa->cap == 0 ? 32 : dfa->cap * 2;
        dfa->nfa = realloc(dfa->nfa, dfa->cap * sizeof *dfa->nfa);
        must(dfa->nfa != NULL);
    }
    dfa->nfa[dfa->count] = (nfa_state){kind, index, to, also};
    return dfa->count++;
}

// Each returns the state where the part begins, which leads on to `to`.
static uint32_t nfa_part(re_dfa *dfa, const re_node *node, uint32_t to, bool plain, uint32_t depth);

static uint32_t nfa_repeat(re_dfa *dfa, const re_node *of, int32_t min, int32_t max, uint32_t to,
                           bool plain, uint32_t depth) {
    uint32_t at = to;
    if (max == RE_UNBOUNDED) {
        uint32_t loop = nfa_add(dfa, NFA_SPLIT, 0, NO_STATE, to);
        uint32_t body = nfa_part(dfa, of, loop, plain, depth);
        if (dfa->too_large) return 0;
        dfa->nfa[loop].to = body;
        at = loop;
    } else {
        for (int32_t i = min; i < max && !dfa->too_large; i++) {
            at = nfa_add(dfa, NFA_SPLIT, 0, nfa_part(dfa, of, at, plain, depth), to);
        }
    }
    for (int32_t i = 0; i < min && !dfa->too_large; i++) at = nfa_part(dfa, of, at, plain, depth);
    return at;
}

// plain: conditions are left out, as what a back reference repeats has met them elsewhere.
static uint32_t nfa_part(re_dfa *dfa, const re_node *node, uint32_t to, bool plain,
                         uint32_t depth) {
    if (dfa->too_large || ++depth > NFA_DEPTH_MAX) {
        dfa->too_large = true;
        return 0;
    }
    switch (node->op) {
    case RE_EMPTY:
        return to;
    case RE_SET:
        return nfa_add(dfa, NFA_SET, node->index, to, NO_STATE);
    case RE_ASSERT:
        if (plain) return to;
        dfa->conditions |= 1ull << node->index;
        return nfa_add(dfa, NFA_ASSERT, node->index, to, NO_STATE);
    case RE_CAT:
        for (; node->op == RE_CAT; node = node->a) to = nfa_part(dfa, node->b, to, plain, depth);
        return nfa_part(dfa, node, to, plain, depth);
    case RE_ALT: {
        uint32_t a = nfa_part(dfa, node->a, to, plain, depth);
        uint32_t b = nfa_part(dfa, node->b, to, plain, depth);
        return nfa_add(dfa, NFA_SPLIT, 0, a, b);
    }
    case RE_REPEAT:
        return nfa_repeat(dfa, node->a, node->min, node->max, to, plain, depth);
    case RE_REFER:
        return nfa_repeat(dfa, dfa->re->group_nodes[node->index], node->min, node->max, to, true,
                          depth);
    case RE_WRAP:
        return nfa_part(dfa, node->a, to, plain, depth);
    }
    must(false);
}

base_rc re_dfa_make(regex *re, const re_node *node, bool search, re_dfa **out, base_error *err) {
    re_dfa *dfa = calloc(1, sizeof *dfa);
    must(dfa != NULL);
    dfa->re = re;
    dfa->searches = search;
    dfa->next_made = re->made;
    re->made = dfa;
    base_arena_init(&dfa->arena, 8192);
    uint32_t accept = nfa_add(dfa, NFA_ACCEPT, 0, NO_STATE, NO_STATE);
    dfa->start = nfa_part(dfa, node, accept, false, 0);
    if (search && !dfa->too_large) {
        uint32_t any = nfa_add(dfa, NFA_SET, UINT32_MAX, NO_STATE, NO_STATE);
        uint32_t loop = nfa_add(dfa, NFA_SPLIT, 0, dfa->start, any);
        dfa->nfa[any].to = loop;
        dfa->start = loop;
        dfa->underway = nfa_add(dfa, NFA_UNDERWAY, 0, NO_STATE, NO_STATE);
    }
    if (dfa->too_large) return re_invalid(err, "regular expression is too complex");
    dfa->items = malloc(dfa->count * sizeof(uint32_t));
    dfa->copy = malloc(dfa->count * sizeof(uint32_t));
    dfa->stack = malloc((2 * (size_t)dfa->count + 2) * sizeof(uint32_t));
    dfa->marks = calloc(dfa->count, sizeof(uint32_t));
    must(dfa->items != NULL && dfa->copy != NULL && dfa->stack != NULL && dfa->marks != NULL);
    *out = dfa;
    return BASE_OK;
}

void re_dfa_free_all(regex *re) {
    while (re->made != NULL) {
        re_dfa *dfa = re->made;
        re->made = dfa->next_made;
        base_arena_deinit(&dfa->arena);
        free(dfa->nfa);
        free(dfa->items);
        free(dfa->copy);
        free(dfa->stack);
        free(dfa->marks);
        free(dfa);
    }
}

// ---- states ----

static void begin_set(re_dfa *dfa) {
    dfa->nitems = 0;
    if (++dfa->mark == 0) {
        memset(dfa->marks, 0, dfa->count * sizeof *dfa->marks);
        dfa->mark = 1;
    }
}

// Adds what is reached from a place without a character; holds: conditions that are known to hold;
// resolve: those not among them are dropped rather than kept waiting.
static void reach(re_dfa *dfa, uint32_t from, uint64_t holds, bool resolve) {
    uint32_t depth = 0;
    dfa->stack[depth++] = from;
    while (depth > 0) {
        uint32_t at = dfa->stack[--depth];
        if (dfa->marks[at] == dfa->mark) continue;
        dfa->marks[at] = dfa->mark;
        const nfa_state *state = &dfa->nfa[at];
        if (state->kind == NFA_SPLIT) {
            dfa->stack[depth++] = state->to;
            dfa->stack[depth++] = state->also;
        } else if (state->kind == NFA_ASSERT && resolve) {
            if ((holds >> state->index & 1) != 0) dfa->stack[depth++] = state->to;
        } else {
            dfa->items[dfa->nitems++] = at;
        }
    }
}

static int compare_items(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_items(uint32_t *items, uint32_t n) {
    if (n > 16) {
        qsort(items, n, sizeof *items, compare_items);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        uint32_t v = items[i], k = i;
        for (; k > 0 && items[k - 1] > v; k--) items[k] = items[k - 1];
        items[k] = v;
    }
}

// The state of the set under construction.
static re_state *intern(re_dfa *dfa) {
    sort_items(dfa->items, dfa->nitems);
    size_t bytes = dfa->nitems * sizeof *dfa->items;
    uint32_t hash = (uint32_t)base_hash64(dfa->items, bytes);
    for (re_state *s = dfa->buckets[hash % BUCKETS]; s != NULL; s = s->chain) {
        if (s->hash == hash && s->n == dfa->nitems && memcmp(s->items, dfa->items, bytes) == 0) {
            return s;
        }
    }
    if (dfa->arena.total_bytes > DFA_BYTES_MAX) {
        base_arena_reset(&dfa->arena);
        memset(dfa->buckets, 0, sizeof dfa->buckets);
        dfa->first = NULL;
        dfa->epoch++;
    }
    re_state *s = base_arena_new(&dfa->arena, re_state);
    s->items = base_arena_array(&dfa->arena, uint32_t, dfa->nitems == 0 ? 1 : dfa->nitems);
    if (bytes > 0) memcpy(s->items, dfa->items, bytes);
    s->n = dfa->nitems;
    s->hash = hash;
    s->next = base_arena_array(&dfa->arena, re_state *, dfa->re->nclasses);
    for (uint32_t i = 0; i < s->n; i++) {
        s->accepts |= dfa->nfa[s->items[i]].kind == NFA_ACCEPT;
        s->waits |= dfa->nfa[s->items[i]].kind == NFA_ASSERT;
    }
    s->chain = dfa->buckets[hash % BUCKETS];
    dfa->buckets[hash % BUCKETS] = s;
    return s;
}

static re_state *first_state(re_dfa *dfa) {
    if (dfa->first == NULL) {
        begin_set(dfa);
        reach(dfa, dfa->start, 0, false);
        re_state *s = intern(dfa);
        dfa->first = s;
    }
    return dfa->first;
}

static inline uint32_t class_of(const regex *re, uint32_t code) {
    if (code < RE_DIRECT) return re->direct[code];
    uint32_t low = 0, high = re->nsegments;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (re->starts[middle] <= code) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return re->segment_class[low];
}

static __attribute__((noinline)) re_state *make_next(re_dfa *dfa, re_state *s, uint32_t class) {
    begin_set(dfa);
    bool underway = false;
    for (uint32_t i = 0; i < s->n; i++) {
        const nfa_state *state = &dfa->nfa[s->items[i]];
        if (state->kind != NFA_SET) continue;
        if (state->index == UINT32_MAX) {
            reach(dfa, state->to, 0, false);
        } else if (re_set_has(dfa->re->sets[state->index], class)) {
            underway = true;
            reach(dfa, state->to, 0, false);
        }
    }
    if (underway && dfa->searches) reach(dfa, dfa->underway, 0, false);
    uint32_t epoch = dfa->epoch;
    re_state *next = intern(dfa);
    if (epoch == dfa->epoch) s->next[class] = next;
    return next;
}

static inline re_state *step(re_dfa *dfa, re_state *s, uint32_t class) {
    re_state *next = s->next[class];
    return next != NULL ? next : make_next(dfa, s, class);
}

// ---- conditions ----

static bool word_before(const re_run *run, size_t at) {
    if (at == 0) return false;
    size_t from = re_back(run, at);
    return re_is_word(func_utf8_decode((base_str){run->s, run->n}, &from));
}

static bool word_after(const re_run *run, size_t at) {
    return at < run->n && re_is_word(func_utf8_decode((base_str){run->s, run->n}, &at));
}

static bool ends_at(re_run *run, re_dfa *dfa, size_t at);

static bool look_holds(re_run *run, re_look *look, size_t at) {
    bool found = look->behind ? ends_at(run, look->dfa, at)
                              : re_shortest(run, look->dfa, at, at, run->n) != REGEX_NONE;
    return found != look->negative;
}

// Which of the automaton's conditions hold at a place.
static uint64_t conditions_at(re_run *run, const re_dfa *dfa, size_t at) {
    uint64_t which = dfa->conditions, holds = 0;
    const uint64_t words =
        1u << RE_WORD_BEGIN | 1u << RE_WORD_END | 1u << RE_WORD_EDGE | 1u << RE_NOT_WORD_EDGE;
    if (at == 0) holds |= 1u << RE_TEXT_BEGIN | 1u << RE_LINE_BEGIN;
    if (at == run->n) holds |= 1u << RE_TEXT_END | 1u << RE_LINE_END;
    if (at > 0 && run->s[at - 1] == '\n') holds |= 1u << RE_LINE_BEGIN;
    if (at < run->n && run->s[at] == '\n') holds |= 1u << RE_LINE_END;
    if ((which & words) != 0) {
        bool before = word_before(run, at), after = word_after(run, at);
        if (after && !before) holds |= 1u << RE_WORD_BEGIN;
        if (before && !after) holds |= 1u << RE_WORD_END;
        holds |= before != after ? 1u << RE_WORD_EDGE : 1u << RE_NOT_WORD_EDGE;
    }
    for (uint32_t i = 0; which >> RE_FIRST_LOOK >> i != 0; i++) {
        if ((which >> RE_FIRST_LOOK >> i & 1) == 0) continue;
        if (look_holds(run, &run->re->looks[i], at)) holds |= 1ull << (RE_FIRST_LOOK + i);
    }
    return holds & which;
}

// Conditions that hold nowhere but at the ends of the text.
#define EDGES (1ull << RE_TEXT_BEGIN | 1ull << RE_TEXT_END)

static __attribute__((noinline)) re_state *work_out(re_run *run, re_dfa *dfa, re_state *s,
                                                    size_t at) {
    uint64_t holds = conditions_at(run, dfa, at);
    for (uint32_t i = 0; i < s->nresolved; i++) {
        if (s->resolved[i].holds == holds) return s->resolved[i].to;
    }
    uint32_t n = s->n;
    memcpy(dfa->copy, s->items, n * sizeof *dfa->copy);
    begin_set(dfa);
    for (uint32_t i = 0; i < n; i++) reach(dfa, dfa->copy[i], holds, true);
    uint32_t epoch = dfa->epoch;
    re_state *to = intern(dfa);
    if (epoch == dfa->epoch && s->nresolved < sizeof s->resolved / sizeof s->resolved[0]) {
        s->resolved[s->nresolved].holds = holds;
        s->resolved[s->nresolved++].to = to;
        if (holds == 0 && (dfa->conditions & ~EDGES) == 0) s->inside = to;
    }
    return to;
}

static inline re_state *resolve(re_run *run, re_dfa *dfa, re_state *s, size_t at) {
    if (s->inside != NULL && at > 0 && at < run->n) return s->inside;
    return work_out(run, dfa, s, at);
}

// ---- running ----

static inline uint32_t next_class(const re_run *run, size_t *at) {
    uint8_t c = (uint8_t)run->s[*at];
    if (c < 0x80) {
        (*at)++;
        return run->re->direct[c];
    }
    return class_of(run->re, func_utf8_decode((base_str){run->s, run->n}, at));
}

size_t re_longest(re_run *run, re_dfa *dfa, size_t begin, size_t most) {
    re_state *s = first_state(dfa);
    size_t at = begin, best = REGEX_NONE;
    for (;;) {
        if (s->waits) s = resolve(run, dfa, s, at);
        if (s->accepts) best = at;
        if (at >= most || s->n == 0) break;
        s = step(dfa, s, next_class(run, &at));
    }
    run->work_left -= (int64_t)(at - begin) + 1;
    return best;
}

size_t re_shortest(re_run *run, re_dfa *dfa, size_t begin, size_t least, size_t most) {
    re_state *s = first_state(dfa);
    size_t at = begin, found = REGEX_NONE;
    for (;;) {
        if (s->waits) s = resolve(run, dfa, s, at);
        if (s->accepts && at >= least) {
            found = at;
            break;
        }
        if (at >= most || s->n == 0) break;
        s = step(dfa, s, next_class(run, &at));
    }
    run->work_left -= (int64_t)(at - begin) + 1;
    return found;
}

size_t re_search(re_run *run, re_dfa *dfa, size_t from, size_t *cold) {
    re_state *s = first_state(dfa);
    size_t at = from, n = run->n;
    *cold = from;
    for (;;) {
        if (s == dfa->first) *cold = at;
        if (s->waits) s = resolve(run, dfa, s, at);
        if (s->accepts) return at;
        if (at >= n) return REGEX_NONE;
        s = step(dfa, s, next_class(run, &at));
    }
}

// Whether a match ends here that may begin anywhere before. Places are mostly asked for in
// ascending order, so that a run goes on from the last one.
static bool ends_at(re_run *run, re_dfa *dfa, size_t to) {
    re_state *s;
    size_t at = 0;
    if (dfa->run == run->re->runs && dfa->at <= to && dfa->at_epoch == dfa->epoch &&
        dfa->at_state != NULL) {
        s = dfa->at_state;
        at = dfa->at;
    } else {
        s = first_state(dfa);
    }
    while (at < to) {
        if (s->waits) s = resolve(run, dfa, s, at);
        s = step(dfa, s, next_class(run, &at));
    }
    dfa->run = run->re->runs;
    dfa->at = at;
    dfa->at_epoch = dfa->epoch;
    dfa->at_state = s;
    if (s->waits) s = resolve(run, dfa, s, at);
    return s->accepts;
}
