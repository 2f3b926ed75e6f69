// regex_set.c - sets of characters of a regular expression, and the classes of characters that no
// set tells apart. Named classes are the C library's in its UTF-8 locale, as PostgreSQL takes them;
// each is listed once a process. Entry points: re_set_add(), re_sets_finish().
#include <pthread.h>
#include <stdlib.h>
#include <wctype.h>

#include "base/must.h"
#include "col/func_text_int.h"
#include "col/regex_int.h"

#define CODE_MAX      0x10ffffu
#define FOLD_CODE_MAX 0x1ffffu // no case beyond
#define NAMED_RANGES  2048u

static const char *const class_names[] = {"alnum", "alpha",  "blank", "cntrl", "digit",
                                          "graph", "lower",  "print", "punct", "space",
                                          "upper", "xdigit", "word",  "ascii"};
#define CLASS_COUNT (sizeof class_names / sizeof class_names[0])

typedef struct named_class {
    uint32_t n;
    re_range *ranges; // for the process
} named_class;

static pthread_mutex_t named_lock = PTHREAD_MUTEX_INITIALIZER;
static named_class named[CLASS_COUNT];

static bool in_class(size_t which, uint32_t code, locale_t locale, wctype_t type) {
    if (which == 13) return code < 0x80;
    if (which == 12 && code == '_') return true;
    if (locale == (locale_t)0) return code < 0x80 && iswctype((wint_t)code, type) != 0;
    return iswctype_l((wint_t)code, type, locale) != 0;
}

static const named_class *class_at(size_t which) {
    named_class *class = &named[which];
    pthread_mutex_lock(&named_lock);
    if (class->ranges == NULL) {
        locale_t locale = func_utf8_locale();
        const char *name = which >= 12 ? "alnum" : class_names[which];
        wctype_t type = locale == (locale_t)0 ? wctype(name) : wctype_l(name, locale);
        class->ranges = malloc(NAMED_RANGES * sizeof *class->ranges);
        must(class->ranges != NULL);
        for (uint32_t code = 0; code <= CODE_MAX; code++) {
            if (!in_class(which, code, locale, type)) continue;
            if (class->n > 0 && class->ranges[class->n - 1].hi + 1 == code) {
                class->ranges[class->n - 1].hi = code;
            } else {
                must(class->n < NAMED_RANGES);
                class->ranges[class->n++] = (re_range){code, code};
            }
        }
    }
    pthread_mutex_unlock(&named_lock);
    return class;
}

bool re_is_word(uint32_t code) {
    if (code < 0x80) {
        return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
               (code >= 'A' && code <= 'Z') || code == '_';
    }
    locale_t locale = func_utf8_locale();
    return locale != (locale_t)0 && iswalnum_l((wint_t)code, locale) != 0;
}

re_set *re_set_new(regex *re) {
    if (re->nsets == re->sets_cap) {
        uint32_t cap = re->sets_cap == 0 ? 16 : re->sets_cap * 2;
        re_set **more = base_arena_array(&re->arena, re_set *, cap);
        if (re->nsets > 0) memcpy(more, re->sets, re->nsets * sizeof *more);
        re->sets = more;
        re->sets_cap = cap;
    }
    re_set *set = base_arena_new(&re->arena, re_set);
    re->sets[re->nsets++] = set;
    return set;
}

void re_set_add(regex *re, re_set *set, uint32_t lo, uint32_t hi) {
    if (set->n == set->cap) {
        set->cap = set->cap == 0 ? 4 : set->cap * 2;
        re_range *more = base_arena_array(&re->arena, re_range, set->cap);
        if (set->n > 0) memcpy(more, set->ranges, set->n * sizeof *more);
        set->ranges = more;
    }
    set->ranges[set->n++] = (re_range){lo, hi};
}

bool re_set_add_class(regex *re, re_set *set, base_str name, bool fold) {
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if (!base_str_eq(name, base_str_of(class_names[i]))) continue;
        if (fold && (i == 6 || i == 10)) i = 1; // lower and upper: any letter
        const named_class *class = class_at(i);
        for (uint32_t k = 0; k < class->n; k++) {
            re_set_add(re, set, class->ranges[k].lo, class->ranges[k].hi);
        }
        return true;
    }
    return false;
}

// Adds the other case of each member.
void re_set_fold(regex *re, re_set *set) {
    locale_t locale = func_utf8_locale();
    uint32_t n = set->n;
    for (uint32_t i = 0; i < n; i++) {
        re_range range = set->ranges[i];
        for (uint32_t code = range.lo; code <= range.hi && code <= FOLD_CODE_MAX; code++) {
            if (code < 0x80 || locale == (locale_t)0) {
                bool letter = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
                if (letter) re_set_add(re, set, code ^ 32, code ^ 32);
                continue;
            }
            uint32_t up = (uint32_t)towupper_l((wint_t)code, locale);
            uint32_t low = (uint32_t)towlower_l((wint_t)code, locale);
            if (up != code) re_set_add(re, set, up, up);
            if (low != code) re_set_add(re, set, low, low);
        }
    }
}

static int compare_ranges(const void *a, const void *b) {
    const re_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void re_set_sort(re_set *set) {
    if (set->n < 2) return;
    qsort(set->ranges, set->n, sizeof *set->ranges, compare_ranges);
    uint32_t n = 1;
    for (uint32_t i = 1; i < set->n; i++) {
        re_range *last = &set->ranges[n - 1];
        if (set->ranges[i].lo <= last->hi || set->ranges[i].lo == last->hi + 1) {
            if (set->ranges[i].hi > last->hi) last->hi = set->ranges[i].hi;
        } else {
            set->ranges[n++] = set->ranges[i];
        }
    }
    set->n = n;
}

void re_set_negate(regex *re, re_set *set) {
    re_set_sort(set);
    re_set old = *set;
    set->ranges = NULL;
    set->n = set->cap = 0;
    uint32_t from = 0;
    for (uint32_t i = 0; i < old.n; i++) {
        if (old.ranges[i].lo > from) re_set_add(re, set, from, old.ranges[i].lo - 1);
        from = old.ranges[i].hi + 1;
    }
    if (from <= CODE_MAX) re_set_add(re, set, from, CODE_MAX);
}

static int compare_codes(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

// Segments between the edges of all sets.
static void find_segments(regex *re) {
    size_t edges = 1;
    for (uint32_t i = 0; i < re->nsets; i++) edges += 2 * (size_t)re->sets[i]->n;
    re->starts = base_arena_array(&re->arena, uint32_t, edges);
    size_t n = 0;
    re->starts[n++] = 0;
    for (uint32_t i = 0; i < re->nsets; i++) {
        for (uint32_t k = 0; k < re->sets[i]->n; k++) {
            re->starts[n++] = re->sets[i]->ranges[k].lo;
            re->starts[n++] = re->sets[i]->ranges[k].hi + 1;
        }
    }
    qsort(re->starts, n, sizeof *re->starts, compare_codes);
    re->nsegments = 1;
    for (size_t i = 1; i < n; i++) {
        if (re->starts[i] != re->starts[re->nsegments - 1]) {
            re->starts[re->nsegments++] = re->starts[i];
        }
    }
}

// Splits each class by one set: what is in it and what is not.
static void refine(regex *re, const re_set *set, uint16_t *inside) {
    memset(inside, 0xff, re->nclasses * sizeof *inside);
    uint8_t *outside = base_arena_zalloc(&re->arena, re->nclasses);
    uint8_t *member = base_arena_zalloc(&re->arena, re->nsegments);
    uint32_t k = 0;
    for (uint32_t i = 0; i < re->nsegments; i++) {
        while (k < set->n && set->ranges[k].hi < re->starts[i]) k++;
        member[i] = k < set->n && set->ranges[k].lo <= re->starts[i];
        if (member[i] == 0) outside[re->segment_class[i]] = 1;
    }
    uint32_t nclasses = re->nclasses;
    for (uint32_t i = 0; i < re->nsegments; i++) {
        uint16_t class = re->segment_class[i];
        if (member[i] == 0 || outside[class] == 0) continue;
        if (inside[class] == UINT16_MAX) inside[class] = (uint16_t)nclasses++;
        re->segment_class[i] = inside[class];
    }
    re->nclasses = nclasses;
}

void re_sets_finish(regex *re) {
    for (uint32_t i = 0; i < re->nsets; i++) re_set_sort(re->sets[i]);
    find_segments(re);
    must(re->nsegments < UINT16_MAX);
    re->segment_class = base_arena_array(&re->arena, uint16_t, re->nsegments);
    re->nclasses = 1;
    uint16_t *inside = base_arena_array(&re->arena, uint16_t, re->nsegments + 1);
    for (uint32_t i = 0; i < re->nsets; i++) refine(re, re->sets[i], inside);
    size_t words = (re->nclasses + 63) / 64;
    for (uint32_t i = 0; i < re->nsets; i++) {
        re_set *set = re->sets[i];
        set->classes = base_arena_array(&re->arena, uint64_t, words);
        uint32_t k = 0;
        for (uint32_t g = 0; g < re->nsegments; g++) {
            while (k < set->n && set->ranges[k].hi < re->starts[g]) k++;
            if (k == set->n || set->ranges[k].lo > re->starts[g]) continue;
            set->classes[re->segment_class[g] >> 6] |= 1ull << (re->segment_class[g] & 63);
        }
    }
    uint32_t g = 0;
    for (uint32_t code = 0; code < RE_DIRECT; code++) {
        while (g + 1 < re->nsegments && re->starts[g + 1] <= code) g++;
        re->direct[code] = re->segment_class[g];
    }
}
