// json_cut.c - a request's body to its documents, without decoding them.
//
// A scanner gives brackets outside strings and line breaks, 64 bytes at a time by bit masks, so a
// body is read once at memory speed. How documents are told apart:
// - A body that begins with '[' is an array: its elements, until damage; then all the rest is one
//   document.
// - Otherwise a document begins at the first byte that is not white space. If that is '{' it goes
//   to the bracket that closes it, on however many lines; what else stands on the closing line
//   belongs to it (and decode refuses it) unless it begins another object. Else it is the line.
// - A line break inside a string is never JSON: a document of one line ends there.
// - A line that begins with '{' inside an open document is a new document, unless what came before
//   it (an open '[', ',' or ':') lets a value follow. If a document which went on over such a line
//   does not close well, it is cut before that line, and from then on every line that begins with
//   '{' is a new document. So a bad line never swallows the good ones after it, and no byte is
//   scanned more than three times, whatever the body.
// Entry point: wire_json_cut.
#include "base/must.h"
#include "wire/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

// ---- the scanner ----

typedef struct block_masks {
    uint64_t open, close, quote, backslash, newline;
} block_masks;

#ifdef __SSE2__
static uint64_t mask_of(const __m128i block[4], __m128i c) {
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++) {
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block[i], c)) << (16 * i);
    }
    return mask;
}

static block_masks masks_of(const char *p) {
    __m128i block[4], folded[4];
    for (int i = 0; i < 4; i++) {
        block[i] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        folded[i] = _mm_or_si128(block[i], _mm_set1_epi8(0x20)); // [ and { differ in one bit
    }
    return (block_masks){mask_of(folded, _mm_set1_epi8('{')), mask_of(folded, _mm_set1_epi8('}')),
                         mask_of(block, _mm_set1_epi8('"')), mask_of(block, _mm_set1_epi8('\\')),
                         mask_of(block, _mm_set1_epi8('\n'))};
}
#else
static block_masks masks_of(const char *p) {
    block_masks masks = {0};
    for (int i = 0; i < 64; i++) {
        uint64_t bit = 1ull << i;
        if ((p[i] | 0x20) == '{') masks.open |= bit;
        if ((p[i] | 0x20) == '}') masks.close |= bit;
        if (p[i] == '"') masks.quote |= bit;
        if (p[i] == '\\') masks.backslash |= bit;
        if (p[i] == '\n') masks.newline |= bit;
    }
    return masks;
}
#endif

// Events of body[at..): brackets outside strings, and line breaks. Starts outside a string.
typedef struct scanner {
    const char *p;
    size_t n;
    size_t block;       // position of the block at hand
    size_t next;        // position of the next block
    uint64_t events;    // of the block, those not given yet
    uint64_t in_string; // by position of the block
    bool string_open;   // at the block's end
    bool escape_open;   // the block's last byte escapes the next one
} scanner;

static scanner scanner_at(base_str body, size_t at) {
    return (scanner){.p = body.p, .n = body.n, .block = at, .next = at};
}

// Bytes that a backslash escapes: the bytes after an odd run of backslashes.
static uint64_t escaped_bytes(scanner *scan, uint64_t backslash) {
    uint64_t escaped = scan->escape_open ? 1 : 0;
    backslash &= ~escaped;
    while (backslash != 0) {
        int at = __builtin_ctzll(backslash);
        if (at == 63) {
            scan->escape_open = true;
            return escaped;
        }
        escaped |= 2ull << at;
        backslash &= ~(3ull << at);
    }
    scan->escape_open = false;
    return escaped;
}

static void scanner_fill(scanner *scan) {
    char tail[64];
    const char *p = scan->p + scan->next;
    size_t left = scan->n - scan->next;
    if (left < 64) {
        memset(tail, ' ', sizeof tail);
        memcpy(tail, p, left);
        p = tail;
    }
    block_masks masks = masks_of(p);
    // A backslash outside a string escapes nothing; but such a text is refused anyway.
    if ((masks.backslash | (uint64_t)scan->escape_open) != 0) {
        masks.quote &= ~escaped_bytes(scan, masks.backslash);
    }
    uint64_t in = masks.quote; // prefix parity: from an opening quote up to its closing one
    for (int shift = 1; shift < 64; shift *= 2) in ^= in << shift;
    if (scan->string_open) in = ~in;
    scan->string_open = in >> 63;
    scan->in_string = in;
    scan->events = ((masks.open | masks.close) & ~in) | masks.newline;
    scan->block = scan->next;
    scan->next += left < 64 ? left : 64;
}

typedef enum event { EVENT_OPEN, EVENT_CLOSE, EVENT_LINE, EVENT_LINE_IN_STRING, EVENT_END } event;

static event scanner_next(scanner *scan, size_t *at) {
    while (scan->events == 0) {
        if (scan->next == scan->n) {
            *at = scan->n;
            return EVENT_END;
        }
        scanner_fill(scan);
    }
    int bit = __builtin_ctzll(scan->events);
    scan->events &= scan->events - 1;
    *at = scan->block + (size_t)bit;
    if (scan->p[*at] != '\n') return (scan->p[*at] | 0x20) == '{' ? EVENT_OPEN : EVENT_CLOSE;
    return scan->in_string >> bit & 1 ? EVENT_LINE_IN_STRING : EVENT_LINE;
}

// ---- documents ----

typedef struct cutter {
    base_str body;
    base_arena *arena;
    base_str *docs;
    size_t ndocs, docs_max;
    bool truncated;
    bool strict; // every line that begins with '{' begins a document
    scanner scan;
} cutter;

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static size_t skip_space(base_str body, size_t at) {
    while (at < body.n && is_space(body.p[at])) at++;
    return at;
}

static void add_doc(cutter *cut, size_t begin, size_t end) {
    while (end > begin && is_space(cut->body.p[end - 1])) end--;
    if (cut->ndocs == cut->docs_max) {
        size_t most = cut->docs_max == 0 ? 64 : cut->docs_max * 2;
        base_str *more = base_arena_alloc(cut->arena, most * sizeof *more);
        if (cut->ndocs > 0) memcpy(more, cut->docs, cut->ndocs * sizeof *more);
        cut->docs = more;
        cut->docs_max = most;
    }
    cut->docs[cut->ndocs++] = (base_str){cut->body.p + begin, end - begin};
}

static size_t line_end(base_str body, size_t at) {
    const char *newline = memchr(body.p + at, '\n', body.n - at);
    return newline == NULL ? body.n : (size_t)(newline - body.p);
}

// The last byte before `at` that is not white space; `begin` is none.
static char byte_before(base_str body, size_t begin, size_t at) {
    while (at > begin && is_space(body.p[at - 1])) at--;
    return body.p[at - 1];
}

// Finds the end of the object at begin: true if it closes well, *end then being after its bracket.
// Otherwise *end is where it must be cut.
static bool object_end(cutter *cut, size_t begin, size_t *end) {
    base_str body = cut->body;
    size_t at, suspect = 0; // a line that may have been a document
    uint32_t depth = 0;
    bool one_line = true;
    for (;;) {
        event what = scanner_next(&cut->scan, &at);
        if (at < begin) continue; // line breaks before the object
        switch (what) {
        case EVENT_OPEN:
            // Deeper than decode allows: it is refused whatever follows.
            if (++depth > WIRE_JSON_DEPTH_MAX && suspect > 0) goto damaged;
            break;
        case EVENT_CLOSE:
            if (--depth > 0) break;
            *end = at + 1;
            return true;
        case EVENT_LINE:
            one_line = false;
            if (at + 1 == body.n || body.p[at + 1] != '{') break;
            char before = byte_before(body, begin, at);
            bool value_may_follow = before == '[' || before == ',' || before == ':';
            if (!value_may_follow || cut->strict) {
                if (suspect == 0) suspect = at + 1;
                goto damaged;
            }
            if (suspect == 0) suspect = at + 1;
            break;
        case EVENT_LINE_IN_STRING:
            if (suspect > 0) goto damaged;
            if (one_line || (at + 1 < body.n && body.p[at + 1] == '{')) {
                *end = at;
                return false;
            }
            break; // a broken object on several lines: on to the next line that begins one
        case EVENT_END:
            if (suspect > 0) goto damaged;
            cut->truncated = true;
            *end = body.n;
            return false;
        }
    }
damaged:
    cut->strict = true;
    *end = suspect;
    return false;
}

static void cut_lines(cutter *cut) {
    base_str body = cut->body;
    size_t at = 0;
    cut->scan = scanner_at(body, at);
    while ((at = skip_space(body, at)) < body.n) {
        size_t end;
        if (body.p[at] != '{') {
            end = line_end(body, at);
            add_doc(cut, at, end);
            at = end;
            cut->scan = scanner_at(body, at);
            continue;
        }
        if (!object_end(cut, at, &end)) {
            add_doc(cut, at, end);
            at = end;
            cut->scan = scanner_at(body, at);
            continue;
        }
        size_t rest = end;
        while (rest < body.n && is_space(body.p[rest]) && body.p[rest] != '\n') rest++;
        if (rest < body.n && body.p[rest] != '\n' &&
            body.p[rest] != '{') { // it does not belong here
            end = line_end(body, rest);
            cut->scan = scanner_at(body, end);
        }
        add_doc(cut, at, end);
        at = end;
    }
}

// An element that is no object or array: to the next comma or bracket outside strings.
static size_t scalar_end(base_str body, size_t at) {
    bool in_string = false;
    for (; at < body.n; at++) {
        char c = body.p[at];
        if (in_string && c == '\\' && at + 1 < body.n)
            at++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == ',' || c == ']' || c == '}'))
            break;
    }
    return at;
}

// The element at `at`; false: it is damaged or has no end.
static bool element_end(cutter *cut, size_t at, size_t *end) {
    base_str body = cut->body;
    if (body.p[at] != '{' && body.p[at] != '[') {
        *end = scalar_end(body, at);
        cut->scan = scanner_at(body, *end);
        return *end < body.n;
    }
    uint32_t depth = 0;
    for (;;) {
        switch (scanner_next(&cut->scan, end)) {
        case EVENT_OPEN:
            depth++;
            break;
        case EVENT_CLOSE:
            if (--depth > 0) break;
            ++*end;
            return true;
        case EVENT_LINE:
            break;
        case EVENT_LINE_IN_STRING:
            return false;
        case EVENT_END:
            cut->truncated = true;
            return false;
        }
    }
}

static void cut_array(cutter *cut) {
    base_str body = cut->body;
    size_t at = skip_space(body, 1);
    cut->scan = scanner_at(body, at);
    if (at < body.n && body.p[at] == ']') {
        at = skip_space(body, at + 1);
        if (at < body.n) add_doc(cut, at, body.n);
        return;
    }
    while (at < body.n) {
        size_t end;
        bool ended = element_end(cut, at, &end);
        size_t next = ended ? skip_space(body, end) : body.n;
        if (next == body.n) { // no comma, no bracket: the rest
            cut->truncated = cut->truncated || ended;
            add_doc(cut, at, body.n);
            return;
        }
        if (body.p[next] != ',' && body.p[next] != ']') {
            add_doc(cut, at, body.n);
            return;
        }
        add_doc(cut, at, end);
        bool last = body.p[next] == ']';
        at = skip_space(body, next + 1);
        if (last) {
            if (at < body.n) add_doc(cut, at, body.n);
            return;
        }
    }
    cut->truncated = true; // after '[' or ','
}

void wire_json_cut(base_str body, base_arena *arena, base_str **docs, size_t *ndocs,
                   bool *truncated) {
    cutter cut = {.body = body, .arena = arena};
    if (base_str_starts(body, BASE_STR("\xef\xbb\xbf"))) { // a byte order mark
        cut.body.p += 3;
        cut.body.n -= 3;
    }
    size_t at = skip_space(cut.body, 0);
    cut.body.p += at;
    cut.body.n -= at;
    if (cut.body.n > 0 && cut.body.p[0] == '[') {
        cut_array(&cut);
    } else {
        cut_lines(&cut);
    }
    *docs = cut.docs;
    *ndocs = cut.ndocs;
    *truncated = cut.truncated;
}
