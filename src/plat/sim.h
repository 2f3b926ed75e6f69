// sim.h - a simulated platform: a disk in memory, a clock that only the test moves, randomness from
// one seed, and faults. One seed, one run: the same calls give the same results. One thread.
//
// The disk keeps for each file what was written and what is durable. plat_sim_crash() loses
// unsynced writes: each unsynced 512-byte sector survives whole, survives torn or is lost, by the
// seed; names that were created, renamed or removed without sync_dir may be undone. Open files
// become stale (every call on them fails), and the caller reopens as after a restart.
#ifndef WEIR_PLAT_SIM_H
#define WEIR_PLAT_SIM_H

#include "plat/plat.h"

typedef struct plat_sim plat_sim;

plat_sim *plat_sim_create(uint64_t seed);
void plat_sim_destroy(plat_sim *sim);
plat *plat_sim_plat(plat_sim *sim);

void plat_sim_advance_us(plat_sim *sim, int64_t us);   // moves both clocks
void plat_sim_jump_wall_us(plat_sim *sim, int64_t us); // the wall clock alone, either way
void plat_sim_crash(plat_sim *sim);
void plat_sim_set_disk_bytes(plat_sim *sim, uint64_t capacity); // beyond it: BASE_E_FULL
// The n-th call from now that can fail, fails with BASE_E_IO (n = 1: the next); 0: none.
void plat_sim_fail_call(plat_sim *sim, uint64_t n);
// Each call that can fail does so with this probability in a million (a full disk or an IO error).
void plat_sim_set_fault_rate(plat_sim *sim, uint32_t per_million);
// From the n-th call from now on every call that can fail fails, as if the machine were gone, until
// plat_sim_fail_from(sim, 0). A crash alone does not end it.
void plat_sim_fail_from(plat_sim *sim, uint64_t n);
bool plat_sim_is_dead(const plat_sim *sim); // that call has come
uint64_t plat_sim_call_count(const plat_sim *sim);
// Test access: flips one bit of a stored file, durable at once.
void plat_sim_flip_bit(plat_sim *sim, const char *path, uint64_t bit);

#endif
