// arena.c - see arena.h. Invariants: blocks hang together by prev from head; [at, end) is the free
// part of head; total_bytes is the sum of the blocks, those absorbed from other arenas included.
// Entry point: base_arena_alloc_slow().
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct base_arena_block {
    base_arena_block *prev;
    size_t bytes; // of the whole block, this header included
};

#define BLOCK_HEADER_BYTES 32 // keeps the first byte 16-byte aligned
#define BLOCK_BYTES_MIN    256
#define BLOCK_BYTES_MAX    (4u << 20) // growth by doubling stops here
#define RETAIN_BYTES       (4u << 20)

_Static_assert(sizeof(base_arena_block) <= BLOCK_HEADER_BYTES, "block header");

void base_arena_init(base_arena *arena, size_t first_block_bytes) {
    if (first_block_bytes < BLOCK_BYTES_MIN) first_block_bytes = BLOCK_BYTES_MIN;
    *arena = (base_arena){.block_bytes = first_block_bytes, .retain_bytes = RETAIN_BYTES};
    if (arena->retain_bytes < first_block_bytes) arena->retain_bytes = first_block_bytes;
}

static size_t free_list(base_arena_block *block) {
    size_t bytes = 0;
    while (block != NULL) {
        base_arena_block *prev = block->prev;
        bytes += block->bytes;
        free(block);
        block = prev;
    }
    return bytes;
}

static void free_blocks(base_arena *arena) {
    free_list(arena->head);
    free_list(arena->absorbed);
    arena->absorbed = NULL;
    arena->head = NULL;
    arena->at = NULL;
    arena->end = NULL;
    arena->total_bytes = 0;
}

void base_arena_deinit(base_arena *arena) {
    free_blocks(arena);
}

void base_arena_reset(base_arena *arena) {
    // What came from elsewhere says nothing about what the next use needs here.
    arena->total_bytes -= free_list(arena->absorbed);
    arena->absorbed = NULL;
    base_arena_block *head = arena->head;
    if (head == NULL) return;
    if (head->prev == NULL && head->bytes <= arena->retain_bytes) {
        arena->at = (char *)head + BLOCK_HEADER_BYTES;
        return;
    }
    // Several blocks: let the next use start with one that is as large as all of them.
    size_t want = arena->total_bytes;
    free_blocks(arena);
    if (want > arena->retain_bytes) want = arena->retain_bytes;
    if (want > arena->block_bytes) arena->block_bytes = want;
}

static void splice(base_arena_block **onto, base_arena_block *list) {
    if (list == NULL) return;
    base_arena_block *last = list;
    while (last->prev != NULL) last = last->prev;
    last->prev = *onto;
    *onto = list;
}

void base_arena_absorb(base_arena *arena, base_arena *from) {
    must(arena != from);
    splice(&arena->absorbed, from->head);
    splice(&arena->absorbed, from->absorbed);
    arena->total_bytes += from->total_bytes;
    from->head = from->absorbed = NULL;
    from->at = from->end = NULL;
    from->total_bytes = 0;
}

void *base_arena_alloc_slow(base_arena *arena, size_t bytes, size_t align) {
    must(align != 0 && (align & (align - 1)) == 0 && align <= 4096);
    must(bytes <= SIZE_MAX / 4);
    size_t need = BLOCK_HEADER_BYTES + bytes + align;
    bool ordinary = true;
    size_t block_bytes =
        arena->block_bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : arena->block_bytes;
    if (need > block_bytes) {
        // A request larger than the next block gets one of its own.
        block_bytes = need;
        ordinary = false;
    }
    base_arena_block *block = malloc(block_bytes);
    must(block != NULL);
    block->bytes = block_bytes;
    arena->total_bytes += block_bytes;
    char *first = (char *)block + BLOCK_HEADER_BYTES;
    char *p = (char *)(((uintptr_t)first + (align - 1)) & ~(uintptr_t)(align - 1));
    if (!ordinary && arena->head != NULL) {
        // Keep the free room of head: the large block goes behind it.
        block->prev = arena->head->prev;
        arena->head->prev = block;
        return p;
    }
    block->prev = arena->head;
    arena->head = block;
    arena->at = p + bytes;
    arena->end = (char *)block + block_bytes;
    if (ordinary && arena->block_bytes < BLOCK_BYTES_MAX) arena->block_bytes = block_bytes * 2;
    return p;
}

void *base_arena_zalloc(base_arena *arena, size_t bytes) {
    void *p = base_arena_alloc(arena, bytes);
    memset(p, 0, bytes);
    return p;
}

void *base_arena_zalloc_array(base_arena *arena, size_t item_bytes, size_t count) {
    size_t bytes;
    must(!__builtin_mul_overflow(item_bytes, count, &bytes));
    return base_arena_zalloc(arena, bytes);
}

char *base_arena_memdup(base_arena *arena, const void *bytes, size_t n) {
    char *p = base_arena_alloc_aligned(arena, n + 1, 1);
    if (n != 0) memcpy(p, bytes, n);
    p[n] = '\0';
    return p;
}

char *base_arena_strdup(base_arena *arena, const char *text) {
    return base_arena_memdup(arena, text, strlen(text));
}

char *base_arena_printf(base_arena *arena, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    must(n >= 0);
    char *p = base_arena_alloc_aligned(arena, (size_t)n + 1, 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}
