// arena.h - a bump allocator with one owner and one lifetime. Freed as a whole; reset keeps one
// block, grown to what was used before (at most retain_bytes), so that an arena in steady use stops
// calling malloc. Memory is not zeroed unless asked. Out of memory is fatal (must): sizes that a
// client chooses are checked against limits before they reach an arena. Threads: one at a time.
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct base_arena_block base_arena_block;

typedef struct base_arena {
    base_arena_block *head;     // newest block
    base_arena_block *absorbed; // blocks taken from other arenas
    char *at;                   // next free byte of head
    char *end;
    size_t block_bytes;  // size of the next ordinary block
    size_t total_bytes;  // held from malloc now
    size_t retain_bytes; // reset keeps at most this much; the owner may change it after init
} base_arena;

void base_arena_init(base_arena *arena, size_t first_block_bytes);
void base_arena_deinit(base_arena *arena);
void base_arena_reset(base_arena *arena);
// Everything in `from`, which another thread may have filled, becomes the arena's: it stays where
// it is and goes with the arena's next reset. `from` is empty then.
void base_arena_absorb(base_arena *arena, base_arena *from);

void *base_arena_alloc_slow(base_arena *arena, size_t bytes, size_t align);

static inline void *base_arena_alloc_aligned(base_arena *arena, size_t bytes, size_t align) {
    uintptr_t p = ((uintptr_t)arena->at + (align - 1)) & ~(uintptr_t)(align - 1);
    if (arena->at != NULL && p <= (uintptr_t)arena->end && bytes <= (uintptr_t)arena->end - p) {
        arena->at = (char *)(p + bytes);
        return (void *)p;
    }
    return base_arena_alloc_slow(arena, bytes, align);
}
// Of what it holds, what has been given out, or cannot be any more.
static inline size_t base_arena_used(const base_arena *arena) {
    return arena->total_bytes - (size_t)(arena->end - arena->at);
}
// 16-byte aligned; bytes may be 0.
static inline void *base_arena_alloc(base_arena *arena, size_t bytes) {
    return base_arena_alloc_aligned(arena, bytes, 16);
}
void *base_arena_zalloc(base_arena *arena, size_t bytes);
void *base_arena_zalloc_array(base_arena *arena, size_t item_bytes,
                              size_t count); // must() overflow
char *base_arena_strdup(base_arena *arena, const char *text);
char *base_arena_memdup(base_arena *arena, const void *bytes, size_t n); // adds a NUL
char *base_arena_printf(base_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define base_arena_new(arena, type) ((type *)base_arena_zalloc((arena), sizeof(type)))
#define base_arena_array(arena, type, count)                                                       \
    ((type *)base_arena_zalloc_array((arena), sizeof(type), (count)))

#endif
