// regex_int.h - what the files of the regular expression engine share: the tree that the parser
// makes, sets of characters, and automata.
#ifndef WEIR_COL_REGEX_INT_H
#define WEIR_COL_REGEX_INT_H

#include "base/arena.h"
#include "col/regex.h"

// Which end a part prefers, and what is in it. A part with one of RE_MESSY needs to be taken apart.
enum {
    RE_LONGER = 1,
    RE_SHORTER = 2,
    RE_MIXED = 4, // both preferences are in it
    RE_CAPTURES = 8,
    RE_REFERS = 16, // has a back reference
    RE_MESSY = RE_MIXED | RE_CAPTURES | RE_REFERS,
};

typedef enum re_op {
    RE_EMPTY,
    RE_SET,    // one character of a set
    RE_ASSERT, // a condition on a place
    RE_CAT,    // a then b
    RE_ALT,    // a or b
    RE_REPEAT, // a, min to max times
    RE_REFER,  // what group `index` matched, min to max times
    RE_WRAP,   // a, under a second group number
} re_op;

#define RE_UNBOUNDED  INT32_MAX
#define RE_BOUND_MAX  255 // PostgreSQL's
#define RE_GROUPS_MAX 1000u
#define RE_LOOKS_MAX  56u

typedef struct re_dfa re_dfa;

typedef struct re_node {
    re_op op;
    unsigned flags;
    uint32_t group; // this part is that group; 0: none
    uint32_t index; // SET: of the set; ASSERT: of the condition; REFER: the group
    int32_t min, max;
    struct re_node *a, *b;
    re_dfa *dfa; // of this part by itself; made when it is first needed
} re_node;

// Conditions: the bits of a set of conditions. Lookarounds follow.
enum {
    RE_TEXT_BEGIN,
    RE_TEXT_END,
    RE_LINE_BEGIN,
    RE_LINE_END,
    RE_WORD_BEGIN,
    RE_WORD_END,
    RE_WORD_EDGE,
    RE_NOT_WORD_EDGE,
    RE_FIRST_LOOK,
};

typedef struct re_look {
    re_node *node;
    bool behind, negative;
    re_dfa *dfa;
} re_look;

typedef struct re_range {
    uint32_t lo, hi; // code points, both included
} re_range;

typedef struct re_set {
    re_range *ranges; // ascending and apart once the set is finished
    uint32_t n, cap;
    uint64_t *classes; // bits
} re_set;

#define RE_LITERAL_MAX 32u

#define RE_DIRECT 0x800u // code points whose class is in a table

struct regex {
    base_arena arena;
    re_node *root;
    uint32_t groups;
    re_node **group_nodes; // [1..groups]
    re_set **sets;
    uint32_t nsets, sets_cap;
    re_look looks[RE_LOOKS_MAX];
    uint32_t nlooks;
    bool refers;
    // Classes of characters that no set tells apart.
    uint32_t nclasses;
    uint16_t direct[RE_DIRECT];
    uint32_t *starts; // of segments of code points, ascending; starts[0] is 0
    uint16_t *segment_class;
    uint32_t nsegments;
    re_dfa *whole, *search;       // of root
    char literal[RE_LITERAL_MAX]; // that every match contains; literal_n 0: none
    size_t literal_n, literal_before;
    re_dfa *made; // all automata
    uint64_t runs;
};

// One call of regex_find().
typedef struct re_run {
    regex *re;
    const char *s;
    size_t n;
    int64_t work_left;
    base_error *err;
    regex_span *spans; // [0..groups]
} re_run;

// regex_parse.c
BASE_MUST_USE base_rc re_parse(regex *re, base_str pattern, unsigned flags, base_error *err);
base_rc re_invalid(base_error *err, const char *what);
// regex_set.c
re_set *re_set_new(regex *re);
void re_set_add(regex *re, re_set *set, uint32_t lo, uint32_t hi);
bool re_set_add_class(regex *re, re_set *set, base_str name, bool fold);
void re_set_fold(regex *re, re_set *set);
void re_set_sort(re_set *set);
void re_set_negate(regex *re, re_set *set);
void re_sets_finish(regex *re); // makes the classes
bool re_is_word(uint32_t code);
static inline bool re_set_has(const re_set *set, uint32_t class) {
    return (set->classes[class >> 6] >> (class & 63) & 1) != 0;
}

// regex_dfa.c: an automaton of a part; search: of anything and then the part.
BASE_MUST_USE base_rc re_dfa_make(regex *re, const re_node *node, bool search, re_dfa **out,
                                  base_error *err);
void re_dfa_free_all(regex *re);
// The farthest or the nearest end in [least, most] of a match that begins at begin; REGEX_NONE.
size_t re_longest(re_run *run, re_dfa *dfa, size_t begin, size_t most);
size_t re_shortest(re_run *run, re_dfa *dfa, size_t begin, size_t least, size_t most);
// For a searching automaton: the first end; *cold: no match begins before it.
size_t re_search(re_run *run, re_dfa *dfa, size_t from, size_t *cold);

// regex_literal.c: false if no match begins at *from or after it, else *from is where a search for
// the first may begin.
void re_literal_find(regex *re);
bool re_search_from(const regex *re, base_str s, size_t *from);

// regex_match.c
static inline size_t re_char_len(const re_run *run, size_t at) {
    uint8_t c = (uint8_t)run->s[at];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return len < run->n - at ? len : run->n - at;
}
static inline size_t re_back(const re_run *run, size_t at) {
    do at--;
    while (at > 0 && ((uint8_t)run->s[at] & 0xc0) == 0x80);
    return at;
}

#endif
