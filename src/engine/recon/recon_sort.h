// recon_sort.h - byte strings with values, put in memcmp order, more of them than memory holds:
// runs are sorted in memory, written to files of the engine's scratch directory, and merged as they
// are read. Equal keys keep the order in which they were added. (Knuth, The Art of Computer
// Programming, volume 3, 5.4: external sorting by runs and a multiway merge.)
//
// Owner: whoever created it, one thread. The files are removed by destroy, and what a crash leaves
// of them when the engine opens.
#ifndef WEIR_ENGINE_RECON_SORT_H
#define WEIR_ENGINE_RECON_SORT_H

#include "engine/engine_int.h"

typedef struct recon_sorter recon_sorter;

// memory_bytes: of entries before they are written out. label: of its files.
recon_sorter *recon_sorter_create(engine *e, const char *label, uint64_t memory_bytes);
void recon_sorter_destroy(recon_sorter *sorter); // NULL is allowed
BASE_MUST_USE base_rc recon_sorter_add(recon_sorter *sorter, base_str key, base_str value,
                                       base_error *err);
// Nothing is added any more.
BASE_MUST_USE base_rc recon_sorter_finish(recon_sorter *sorter, base_error *err);
// Borrowed until the next call.
BASE_MUST_USE base_rc recon_sorter_next(recon_sorter *sorter, base_str *key, base_str *value,
                                        bool *end, base_error *err);
uint64_t recon_sorter_count(const recon_sorter *sorter);

// A file of the scratch directory that nobody else uses; *path belongs to the caller (free).
BASE_MUST_USE base_rc recon_scratch_open(engine *e, const char *label, plat_file **file,
                                         char **path, base_error *err);
void recon_scratch_close(engine *e, plat_file *file, char *path); // closes and removes

void recon_scratch_clear(engine *e); // at the start: removes what a crash left

#define RECON_SCRATCH "scratch" // below the data directory

#endif
