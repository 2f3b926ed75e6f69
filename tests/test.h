// test.h - a small harness for unit tests. A test file defines tests with TEST(name) and ends with
//     TEST_MAIN(TEST_ENTRY(a), TEST_ENTRY(b))
// A failed EXPECT prints the place and the values, counts, and the test goes on; REQUIRE leaves the
// test. An argument to the program runs only the tests whose name contains it.
#ifndef WEIR_TESTS_TEST_H
#define WEIR_TESTS_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct test_entry {
    const char *name;
    void (*run)(void);
} test_entry;

__attribute__((unused)) static int test_failures;

#define TEST(name) static void test_run_##name(void)
#define TEST_ENTRY(name)                                                                           \
    { #name, test_run_##name }

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            test_failures++;                                                                       \
        }                                                                                          \
    } while (0)

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed, test left: %s\n", __FILE__, __LINE__, #condition);     \
            test_failures++;                                                                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)

// For calls that return base_rc and fill `err`.
#define REQUIRE_OK(call)                                                                           \
    do {                                                                                           \
        if ((call) != BASE_OK) {                                                                   \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, err.message);            \
            test_failures++;                                                                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define EXPECT_EQ_INT(actual, expected)                                                            \
    do {                                                                                           \
        int64_t actual_ = (int64_t)(actual), expected_ = (int64_t)(expected);                      \
        if (actual_ != expected_) {                                                                \
            fprintf(stderr, "%s:%d: %s is %" PRId64 ", expected %" PRId64 "\n", __FILE__,          \
                    __LINE__, #actual, actual_, expected_);                                        \
            test_failures++;                                                                       \
        }                                                                                          \
    } while (0)

#define EXPECT_EQ_STR(actual, expected)                                                            \
    do {                                                                                           \
        const char *actual_ = (actual), *expected_ = (expected);                                   \
        if (strcmp(actual_, expected_) != 0) {                                                     \
            fprintf(stderr, "%s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #actual, \
                    actual_, expected_);                                                           \
            test_failures++;                                                                       \
        }                                                                                          \
    } while (0)

#define TEST_MAIN(...)                                                                             \
    int main(int argc, char **argv) {                                                              \
        static const test_entry entries[] = {__VA_ARGS__};                                         \
        size_t count = sizeof entries / sizeof entries[0], ran = 0;                                \
        for (size_t i = 0; i < count; i++) {                                                       \
            if (argc > 1 && strstr(entries[i].name, argv[1]) == NULL) continue;                    \
            int before = test_failures;                                                            \
            entries[i].run();                                                                      \
            ran++;                                                                                 \
            if (test_failures != before) fprintf(stderr, "FAILED %s\n", entries[i].name);          \
        }                                                                                          \
        printf("%zu tests, %d failures\n", ran, test_failures);                                    \
        return test_failures == 0 && ran > 0 ? 0 : 1;                                              \
    }

#endif
