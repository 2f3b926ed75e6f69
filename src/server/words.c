// words.c - the first words of a statement, for decisions that are made before it is bound. Entry
// point: server_take_word.

#include "server/server_int.h"

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80) != 0;
}

// Behind the comment that begins at text[i]; comments nest.
static size_t skip_comment(base_str text, size_t i) {
    int depth = 0;
    do {
        bool pair = i + 1 < text.n;
        if (pair && text.p[i] == '/' && text.p[i + 1] == '*') {
            depth++;
            i += 2;
        } else if (pair && text.p[i] == '*' && text.p[i + 1] == '/') {
            depth--;
            i += 2;
        } else {
            i++;
        }
    } while (depth > 0 && i < text.n);
    return i;
}

static base_str skip_blank(base_str text) {
    size_t i = 0;
    for (;;) {
        while (i < text.n && is_space(text.p[i])) i++;
        bool pair = i + 1 < text.n;
        if (pair && text.p[i] == '-' && text.p[i + 1] == '-') {
            while (i < text.n && text.p[i] != '\n') i++;
        } else if (pair && text.p[i] == '/' && text.p[i + 1] == '*') {
            i = skip_comment(text, i);
        } else {
            return (base_str){text.p + i, text.n - i};
        }
    }
}

base_str server_take_word(base_str *text) {
    if (text->n == 0) return *text;
    base_str rest = skip_blank(*text);
    if (rest.n > 0 && rest.p[0] == '"') {
        const char *end = memchr(rest.p + 1, '"', rest.n - 1);
        size_t inside = end == NULL ? rest.n - 1 : (size_t)(end - rest.p - 1);
        size_t used = inside + (end == NULL ? 1 : 2);
        *text = (base_str){rest.p + used, rest.n - used};
        return (base_str){rest.p + 1, inside};
    }
    size_t n = 0;
    while (n < rest.n && is_word(rest.p[n])) n++;
    *text = (base_str){rest.p + n, rest.n - n};
    return (base_str){rest.p, n};
}

bool server_word_is(base_str word, const char *name) {
    return base_str_eq_nocase(word, base_str_of(name));
}
