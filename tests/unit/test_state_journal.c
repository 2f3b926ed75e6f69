// The journal on a disk that loses and tears what was not synced: after a crash everything that was
// appended is there, or all but a last one that was not acknowledged; a turn of the files hides
// nothing and brings nothing back; a full disk and failing calls lose nothing.
#include <stdlib.h>

#include "base/must.h"
#include "base/random.h"
#include "plat/sim.h"
#include "state/state_int.h"
#include "test.h"

static base_error err;

typedef struct seen {
    uint64_t first, last, n;
    bool wrong;
} seen;

// Commit seq holds seq % 700 bytes, all the low byte of seq.
static base_str ops_of(uint64_t seq, char room[700]) {
    memset(room, (int)(seq & 0xff), 700);
    return (base_str){room, seq % 700};
}

static base_rc note(void *arg, uint64_t seq, base_str redo, base_error *error) {
    (void)error;
    seen *s = arg;
    char room[700];
    if (s->n == 0) s->first = seq;
    if (s->n > 0 && seq != s->last + 1) s->wrong = true;
    if (!base_str_eq(redo, ops_of(seq, room))) s->wrong = true;
    s->last = seq;
    s->n++;
    return BASE_OK;
}

static bool run(uint64_t seed) {
    plat_sim *sim = plat_sim_create(seed);
    plat *p = plat_sim_plat(sim);
    base_random random;
    base_random_seed(&random, seed);
    must(p->ops->make_dir(p, "d", &err) == BASE_OK && p->ops->sync_dir(p, ".", &err) == BASE_OK);
    state_store store = {.plat = p, .dir = "d"};
    uint64_t marked = 0, acknowledged = 0, tried = 0; // up to marked LMDB would have them
    bool good = true;
    for (int life = 0; life < 12 && good; life++) {
        seen s = {0};
        state_journal *journal = NULL;
        plat_sim_fail_from(sim, 0);
        plat_sim_set_disk_bytes(sim, UINT64_MAX);
        good = state_journal_open(&store, marked, true, false, note, &s, &journal, &err) == BASE_OK;
        if (!good) break;
        uint64_t last = s.n > 0 ? s.last : marked;
        good = !s.wrong && (s.n == 0 || s.first == marked + 1) && last >= acknowledged &&
               last <= tried;
        uint64_t seq = last;
        acknowledged = last;
        if (base_random_below(&random, 3) == 0)
            plat_sim_fail_from(sim, 1 + base_random_below(&random, 60));
        if (base_random_below(&random, 4) == 0) plat_sim_set_disk_bytes(sim, 40000);
        uint64_t n = base_random_below(&random, 60), frozen = 0;
        for (uint64_t i = 0; i < n; i++) {
            char room[700];
            if (frozen == 0 && base_random_below(&random, 8) == 0) {
                frozen = seq;
                state_journal_switch(journal);
            } else if (frozen > 0 && base_random_below(&random, 6) == 0) {
                marked = frozen; // a checkpoint has come to its end
                frozen = 0;
                state_journal_forget(journal, marked);
            }
            tried = seq + 1;
            if (state_journal_append(journal, seq + 1, ops_of(seq + 1, room), &err) != BASE_OK)
                break;
            acknowledged = ++seq;
        }
        bool clean = base_random_below(&random, 4) == 0 && !plat_sim_is_dead(sim);
        state_journal_close(journal);
        if (!clean) plat_sim_crash(sim);
    }
    plat_sim_destroy(sim);
    return good;
}

TEST(crashes_lose_nothing_acknowledged) {
    // Under a sanitizer each takes four times as long; the stage asks for fewer but in --long.
    uint64_t seeds = getenv("WEIR_TEST_FEW_SEEDS") != NULL ? 60 : 250;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        base_error_clear(&err);
        if (run(seed)) continue;
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, err.message);
        test_failures++;
    }
}

// A sync that failed may have left its record on the disk, whole. Until LMDB has that number the
// other file must not take it again: a start would find two of one number.
TEST(a_number_that_may_be_on_the_disk_is_not_appended_again) {
    plat_sim *sim = plat_sim_create(1);
    plat *p = plat_sim_plat(sim);
    REQUIRE_OK(p->ops->make_dir(p, "d", &err));
    state_store store = {.plat = p, .dir = "d"};
    state_journal *journal = NULL;
    seen s = {0};
    char room[700];
    REQUIRE_OK(state_journal_open(&store, 0, true, false, note, &s, &journal, &err));
    REQUIRE_OK(state_journal_append(journal, 1, ops_of(1, room), &err));
    plat_sim_fail_call(sim, 2); // not the write, the sync
    EXPECT(state_journal_append(journal, 2, ops_of(2, room), &err) != BASE_OK);
    EXPECT_EQ_INT(state_journal_bytes(journal), UINT64_MAX);
    // A checkpoint beside the writer, of commit 1.
    state_journal_switch(journal);
    state_journal_forget(journal, 1);
    EXPECT(state_journal_append(journal, 2, ops_of(2, room), &err) == BASE_E_FULL);
    // Commit 2 goes to LMDB, and all is well again.
    state_journal_forget(journal, 2);
    REQUIRE_OK(state_journal_append(journal, 3, ops_of(3, room), &err));
    state_journal_close(journal);
    REQUIRE_OK(state_journal_open(&store, 2, true, false, note, &s, &journal, &err));
    EXPECT(!s.wrong && s.n == 1 && s.first == 3);
    state_journal_close(journal);
    plat_sim_destroy(sim);
}

TEST_MAIN(TEST_ENTRY(crashes_lose_nothing_acknowledged),
          TEST_ENTRY(a_number_that_may_be_on_the_disk_is_not_appended_again))
