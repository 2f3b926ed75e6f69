// What happens to a process that reads a mapping whose file was cut, or writes to it: each in a
// child, whose end, message and mark are looked at.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plat/guard.h"
#include "plat/thread.h"
#include "test.h"

enum { PAGE = 4096, PAGES = 8 };

static char dir[] = "/tmp/weir-test-XXXXXX", file[64], mark[64], said[64];

static const char *text_of(const char *path) {
    static char text[1024];
    FILE *f = fopen(path, "r");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);
    if (f != NULL) fclose(f);
    text[n] = 0;
    return text;
}

static char *volatile nowhere = (char *)(uintptr_t)(PAGES * PAGE); // never mapped

static void *read_fourth(void *map) {
    return (void *)(uintptr_t)((volatile char *)map)[3 * PAGE + 17];
}

typedef enum harm { CUT, CUT_IN_THREAD, WITHIN, WRITE, NOBODYS, FOUND } harm;

static void prepare(void) {
    if (mark[0] != 0) return;
    if (mkdtemp(dir) == NULL) exit(1);
    snprintf(file, sizeof file, "%s/data", dir);
    snprintf(mark, sizeof mark, "%s/damaged", dir);
    snprintf(said, sizeof said, "%s/said", dir);
}

// Harm is done in a child; what it ended with.
static int end_of(harm harm) {
    prepare();
    unlink(mark);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || ftruncate(fd, PAGES * PAGE) != 0) _exit(1);
        char *map = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
        if (freopen(said, "w", stderr) == NULL) _exit(1);
        plat_guard *guard = plat_guard_create("the test in \"x\"", "data", mark);
        plat_guard_cover(guard, map, PAGES * PAGE, PAGE);
        if (harm == CUT || harm == CUT_IN_THREAD)
            if (ftruncate(fd, PAGE) != 0) _exit(1);
        if (harm == CUT) read_fourth(map);
        if (harm == CUT_IN_THREAD) {
            plat_thread thread;
            plat_thread_start(&thread, "reader", read_fourth, map);
            plat_thread_join(thread);
        }
        if (harm == WITHIN) plat_guard_enter(guard);
        if (harm == WITHIN || harm == NOBODYS) read_fourth((char *)nowhere - 3 * PAGE);
        if (harm == WRITE) *(volatile char *)(map + PAGE) = 1;
        if (harm == FOUND) plat_guard_end(guard, "so it says");
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(a_page_that_cannot_be_read) {
    const harm cuts[] = {CUT, CUT_IN_THREAD};
    for (size_t i = 0; i < 2; i++) {
        EXPECT_EQ_INT(end_of(cuts[i]), PLAT_GUARD_EXIT);
        EXPECT(strstr(text_of(said), "the test in \"x\" is damaged: data, page 3, cannot be read "
                                     "(SIGBUS)") != NULL);
        EXPECT(strstr(text_of(mark), "page 3") != NULL);
    }
}

TEST(what_the_library_finds) {
    EXPECT_EQ_INT(end_of(FOUND), PLAT_GUARD_EXIT);
    EXPECT(strstr(text_of(mark), "is damaged: so it says") != NULL);
}

// These end as they would have without the guard: by the signal, or by a sanitizer's report.
static bool is_crash(int end) {
    return end != 0 && end != PLAT_GUARD_EXIT;
}

TEST(a_fault_within_its_calls) {
    EXPECT(is_crash(end_of(WITHIN)));
    EXPECT(strstr(text_of(mark), "perhaps damaged") != NULL);
}

TEST(faults_that_are_nobodys) {
    EXPECT(is_crash(end_of(NOBODYS)));
    EXPECT_EQ_STR(text_of(mark), "");
    EXPECT(is_crash(end_of(WRITE)));
    EXPECT_EQ_STR(text_of(mark), "");
}

TEST_MAIN(TEST_ENTRY(a_page_that_cannot_be_read), TEST_ENTRY(what_the_library_finds),
          TEST_ENTRY(a_fault_within_its_calls), TEST_ENTRY(faults_that_are_nobodys))
