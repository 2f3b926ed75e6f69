// regex_literal.c - a run of bytes that every match of a regular expression contains: texts without
// it are passed over by memmem(), and a search begins near its first place. Of the expression's
// runs the longest is taken. Entry points: re_literal_find(), re_search_from().
#include "base/must.h"
#include "col/func_int.h"
#include "col/regex_int.h"

#define NEAR_MAX 64u // bytes; a search begins so far before the run at most, or at the text's begin

typedef struct finding {
    regex *re;
    char run[RE_LITERAL_MAX + 4]; // of single characters, one behind the other, up to here
    size_t n, before;             // bytes that a match may have before the run: at most
    size_t width;                 // and before this place
} finding;

static size_t sum(size_t a, size_t b) {
    return a > NEAR_MAX || b > NEAR_MAX ? NEAR_MAX + 1 : a + b;
}

static void end_run(finding *f) {
    if (f->n > f->re->literal_n) {
        memcpy(f->re->literal, f->run, f->n);
        f->re->literal_n = f->n;
        f->re->literal_before = f->before;
    }
    f->n = 0;
}

// Bytes of a match of the part at most; beyond NEAR_MAX it does not matter.
static size_t widest(const re_node *node, uint32_t depth) {
    if (depth > NEAR_MAX) return NEAR_MAX + 1;
    switch (node->op) {
    case RE_EMPTY:
    case RE_ASSERT:
        return 0;
    case RE_SET:
        return 4;
    case RE_CAT:
        return sum(widest(node->a, depth + 1), widest(node->b, depth + 1));
    case RE_ALT: {
        size_t a = widest(node->a, depth + 1), b = widest(node->b, depth + 1);
        return a > b ? a : b;
    }
    case RE_REPEAT: {
        size_t one = widest(node->a, depth + 1);
        return node->max == RE_UNBOUNDED ? NEAR_MAX + 1 : sum(0, one * (size_t)node->max);
    }
    case RE_REFER:
        return NEAR_MAX + 1;
    case RE_WRAP:
        return widest(node->a, depth + 1);
    }
    must(false);
}

static void walk(finding *f, const re_node *node, uint32_t depth) {
    const re_set *set = node->op == RE_SET ? f->re->sets[node->index] : NULL;
    if (set != NULL && set->n == 1 && set->ranges[0].lo == set->ranges[0].hi) {
        if (f->n == 0) f->before = f->width;
        if (f->n <= RE_LITERAL_MAX - 4)
            f->n += func_utf8_encode(set->ranges[0].lo, f->run + f->n);
        else
            end_run(f); // what follows would be another run
        f->width = sum(f->width, 4);
    } else if (node->op == RE_CAT && depth < RE_LITERAL_MAX * 2) {
        walk(f, node->a, depth + 1);
        walk(f, node->b, depth + 1);
    } else if (node->op == RE_WRAP && depth < RE_LITERAL_MAX * 2) {
        walk(f, node->a, depth + 1);
    } else if (node->op != RE_EMPTY && node->op != RE_ASSERT) {
        end_run(f);
        f->width = sum(f->width, widest(node, 0));
    }
}

void re_literal_find(regex *re) {
    finding f = {.re = re};
    walk(&f, re->root, 0);
    end_run(&f);
}

bool re_search_from(const regex *re, base_str s, size_t *from) {
    if (re->literal_n == 0) return true;
    if (s.n - *from < re->literal_n) return false;
    const char *hit = memmem(s.p + *from, s.n - *from, re->literal, re->literal_n);
    if (hit == NULL) return false;
    size_t at = (size_t)(hit - s.p);
    if (re->literal_before > NEAR_MAX || at - *from <= re->literal_before) return true;
    at -= re->literal_before;
    while (at > *from && ((uint8_t)s.p[at] & 0xc0) == 0x80) at--;
    *from = at;
    return true;
}
