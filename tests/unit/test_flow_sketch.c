// test_flow_sketch.c - the codes of approximate aggregates against exact answers: how far estimates
// of distinct values are off, over many sets of values and sizes, and that a bucket stands for each
// of its values within the error that was asked for.
#include "flow/agg_sketch.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "test.h"

enum { MARKS = 64 << AGG_MARK_BITS, ROUNDS = 200 };

typedef struct seen_mark {
    int64_t count, prints;
} seen_mark;

// Estimates of n distinct values, each there 1 to 3 times.
static int64_t estimate(base_arena *arena, uint64_t first, uint32_t n, bool texts,
                        seen_mark *seen) {
    col_vec values, marks;
    col_vec_init(&values, arena, col_type_of(texts ? COL_TEXT : COL_INT8), n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t v = first + i;
        if (texts) {
            char buf[32];
            int len = snprintf(buf, sizeof buf, "user-%" PRIu64, v);
            col_str(&values)[i] =
                (base_str){base_arena_memdup(arena, buf, (size_t)len), (size_t)len};
        } else {
            col_i64(&values)[i] = (int64_t)v;
        }
    }
    const uint32_t *prints;
    agg_marks_of(arena, &values, &marks, &prints);
    memset(seen, 0, sizeof *seen * MARKS);
    int64_t levels = 0;
    for (uint32_t i = 0; i < n; i++) {
        seen_mark *mark = &seen[col_i32(&marks)[i]];
        levels -= agg_mark_level(mark->count, mark->prints);
        uint32_t times = 1 + i % 3;
        mark->count += times;
        mark->prints += (int64_t)times * prints[i];
        levels += agg_mark_level(mark->count, mark->prints);
    }
    return agg_marks_estimate(levels);
}

// The standard error of an estimate: of few values it is far less than the 0.4 % of very many.
static double standard_error(uint32_t n) {
    return n <= 100 ? 0 : n <= 1000 ? 0.0003 : n <= 10000 ? 0.0010 : n <= 100000 ? 0.0027 : 0.0040;
}

TEST(distinct_error) {
    static const uint32_t sizes[] = {1, 10, 100, 1000, 10000, 100000, 300000};
    seen_mark *seen = malloc(sizeof *seen * MARKS);
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    for (uint32_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint32_t n = sizes[s], rounds = n > 10000 ? ROUNDS / 4 : ROUNDS;
        double squares = 0, sum = 0, most = 0;
        for (uint32_t r = 0; r < rounds; r++) {
            int64_t got = estimate(&arena, (uint64_t)r * 1000000, n, r % 2 == 1, seen);
            double error = ((double)got - n) / n;
            squares += error * error;
            sum += error;
            if (fabs(error) > most) most = fabs(error);
            base_arena_reset(&arena);
        }
        double rms = sqrt(squares / rounds);
        if (getenv("WEIR_TEST_PRINT") != NULL)
            printf("%7u values: rms %.5f, mean %+.5f, most %.5f\n", n, rms, sum / rounds, most);
        double wanted = standard_error(n);
        EXPECT(rms <= 1.25 * wanted);
        EXPECT(most <= fmax(4 * wanted, 3.0 * (wanted > 0) / n));
        EXPECT(fabs(sum / rounds) <= 4 * wanted / sqrt(rounds) + 0.5 / n * (wanted > 0)); // no bias
    }
    base_arena_deinit(&arena);
    free(seen);
}

// Any number of marks has an estimate, and more marks have a greater one.
TEST(distinct_is_monotone) {
    int64_t before = -1;
    for (int64_t marks = 0; marks < 2 * 51 << AGG_MARK_BITS; marks += marks < 2000 ? 1 : 997) {
        int64_t n = agg_marks_estimate(marks);
        EXPECT(n > before || (n == INT64_MAX && before == n));
        EXPECT(n >= marks);
        before = n;
    }
}

static double any_double(base_random *random) {
    switch (base_random_below(random, 4)) {
    case 0:
        return ldexp(base_random_unit(random), (int)base_random_below(random, 2000) - 1000);
    case 1:
        return (double)base_random_below(random, 100000);
    case 2:
        return exp(8 * base_random_unit(random));
    default:
        return 1 / base_random_unit(random) / base_random_unit(random); // a long tail
    }
}

TEST(bucket_error) {
    static const double errors[] = {0.0001, 0.001, 0.01, 0.02, 0.1, 0.5};
    base_random random;
    base_random_seed(&random, 11);
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    for (uint32_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        enum { N = 20000 };
        col_vec values, codes;
        col_vec_init(&values, &arena, col_type_of(COL_FLOAT8), N);
        for (uint32_t i = 0; i < N; i++) {
            double v = any_double(&random);
            col_f64(&values)[i] = isfinite(v) && i % 3 > 0 ? v : -v;
        }
        agg_buckets_of(&arena, &values, errors[e], &codes);
        double worst = 0;
        for (uint32_t i = 0; i < N; i++) {
            double v = col_f64(&values)[i], got = agg_bucket_value(col_i32(&codes)[i], errors[e]);
            if (v == 0 || isinf(v)) {
                EXPECT(got == v);
            } else if (fabs(got - v) / fabs(v) > worst) {
                worst = fabs(got - v) / fabs(v);
            }
            double w = col_f64(&values)[i == 0 ? N - 1 : i - 1];
            int32_t a = col_i32(&codes)[i], b = col_i32(&codes)[i == 0 ? N - 1 : i - 1];
            EXPECT(v == w || (v < w ? a <= b : a >= b)); // codes are in the values' order
        }
        if (getenv("WEIR_TEST_PRINT") != NULL) printf("%g: at most %.6f\n", errors[e], worst);
        EXPECT(worst <= errors[e] * (1 + 1e-9));
        EXPECT(worst > errors[e] * 0.9);
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
}

TEST(bucket_ends) {
    base_arena arena;
    base_arena_init(&arena, 4096);
    static const double ends[] = {
        -INFINITY, -1.7976931348623157e308, -1,       -5e-324, 0, 5e-324, 2.2250738585072014e-308,
        1,         1.7976931348623157e308,  INFINITY, NAN};
    enum { N = sizeof ends / sizeof *ends };
    col_vec values, codes;
    col_vec_init(&values, &arena, col_type_of(COL_FLOAT8), N);
    memcpy(col_f64(&values), ends, sizeof ends);
    agg_buckets_of(&arena, &values, 0.01, &codes);
    for (uint32_t i = 0; i < N; i++) {
        double got = agg_bucket_value(col_i32(&codes)[i], 0.01);
        if (i > 0) EXPECT(col_i32(&codes)[i] > col_i32(&codes)[i - 1]);
        if (isnan(ends[i])) {
            EXPECT(isnan(got));
        } else if (isinf(ends[i]) || ends[i] == 0) {
            EXPECT(got == ends[i]);
        } else {
            EXPECT(isfinite(got) && fabs(got - ends[i]) <= 0.01 * fabs(ends[i]));
        }
    }
    base_arena_deinit(&arena);
}

TEST_MAIN(TEST_ENTRY(distinct_error), TEST_ENTRY(distinct_is_monotone), TEST_ENTRY(bucket_error),
          TEST_ENTRY(bucket_ends))
