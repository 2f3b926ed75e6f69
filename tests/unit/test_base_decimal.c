// Decimals against PostgreSQL: every expectation of the table is what PostgreSQL 15 prints; "!" and
// five characters is the SQLSTATE that it raises. Then what is ours: the limit of 38 digits, and
// laws that must hold for random values.
#include <math.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/random.h"
#include "test.h"

typedef struct oracle_row {
    const char *op, *a, *b, *expected;
} oracle_row;

static const oracle_row oracle[] = {
    {"in", "0", "", "0"},
    {"in", "-0", "", "0"},
    {"in", "0.00", "", "0.00"},
    {"in", "1", "", "1"},
    {"in", "-1.50", "", "-1.50"},
    {"in", "+7.25", "", "7.25"},
    {"in", " 12.30 ", "", "12.30"},
    {"in", ".5", "", "0.5"},
    {"in", "5.", "", "5"},
    {"in", "1e5", "", "100000"},
    {"in", "1.5e-3", "", "0.0015"},
    {"in", "-2E+2", "", "-200"},
    {"in", "123e-5", "", "0.00123"},
    {"in", "0e10", "", "0"},
    {"in", "0.0e-3", "", "0.0000"},
    {"in", "99999999999999999999999999999999999999", "", "99999999999999999999999999999999999999"},
    {"in", "-0.00000000000000000000000000000000000001", "",
     "-0.00000000000000000000000000000000000001"},
    {"in", "00012.3400", "", "12.3400"},
    {"in", "1e37", "", "10000000000000000000000000000000000000"},
    {"in", "", "", "!22P02"},
    {"in", ".", "", "!22P02"},
    {"in", "-", "", "!22P02"},
    {"in", "1..2", "", "!22P02"},
    {"in", "1e", "", "!22P02"},
    {"in", "1e+", "", "!22P02"},
    {"in", "0x10", "", "!22P02"},
    {"in", "1_000", "", "!22P02"},
    {"in", "12 3", "", "!22P02"},
    {"in", "--1", "", "!22P02"},
    {"in", "1.2.3", "", "!22P02"},
    {"in", "abc", "", "!22P02"},
    {"in", "1,5", "", "!22P02"},
    {"add", "1", "2", "3"},
    {"add", "1.5", "2.25", "3.75"},
    {"add", "0.1", "0.2", "0.3"},
    {"add", "-1.00", "1", "0.00"},
    {"add", "99999999999999999999.99", "0.01", "100000000000000000000.00"},
    {"add", "9999999999999999999", "1", "10000000000000000000"},
    {"add", "1e20", "1e-10", "100000000000000000000.0000000001"},
    {"add", "-0.5", "0.50", "0.00"},
    {"sub", "1", "2", "-1"},
    {"sub", "1.50", "1.5", "0.00"},
    {"sub", "100", "0.001", "99.999"},
    {"sub", "-5", "-7.25", "2.25"},
    {"sub", "12345678901234567890.12", "0.00000001", "12345678901234567890.11999999"},
    {"mul", "2", "3", "6"},
    {"mul", "1.5", "1.5", "2.25"},
    {"mul", "0.10", "0.010", "0.00100"},
    {"mul", "-12.34", "56.78", "-700.6652"},
    {"mul", "99999999999", "99999999999", "9999999999800000000001"},
    {"mul", "12345678901234567890", "98765432109876543", "1219326311370217949644871231852004270"},
    {"mul", "0", "1.23", "0.00"},
    {"mul", "-0.001", "-0.001", "0.000001"},
    {"div", "1", "3", "0.33333333333333333333"},
    {"div", "2", "3", "0.66666666666666666667"},
    {"div", "10", "2", "5.0000000000000000"},
    {"div", "1", "7", "0.14285714285714285714"},
    {"div", "100", "3.00", "33.3333333333333333"},
    {"div", "1", "0.0003", "3333.3333333333333333"},
    {"div", "0", "5", "0.00000000000000000000"},
    {"div", "-7", "2", "-3.5000000000000000"},
    {"div", "1e10", "3", "3333333333.33333333"},
    {"div", "12345.6789", "0.001", "12345678.900000000000"},
    {"div", "99999", "10000", "9.9999000000000000"},
    {"div", "10000", "9999", "1.0001000100010001"},
    {"div", "1", "9999", "0.00010001000100010001"},
    {"div", "1", "10000", "0.000100000000000000000000"},
    {"div", "1", "10001", "0.000099990000999900009999"},
    {"div", "22.5", "4.50", "5.0000000000000000"},
    {"div", "0.0001", "3", "0.000033333333333333333333"},
    {"div", "123456789012345678901234567890", "7", "17636684144620811271604938270"},
    {"div", "1.000000000000000000000000", "3", "0.333333333333333333333333"},
    {"div", "5", "0", "!22012"},
    {"div", "1", "1234567890123456789", "0.000000000000000000810000007290000066"},
    {"div", "-1", "-3", "0.33333333333333333333"},
    {"mod", "7", "3", "1"},
    {"mod", "-7", "3", "-1"},
    {"mod", "7", "-3", "1"},
    {"mod", "7.5", "2", "1.5"},
    {"mod", "1", "0.3", "0.1"},
    {"mod", "10.00", "3", "1.00"},
    {"mod", "12345678901234567890", "97", "3"},
    {"mod", "1", "0", "!22012"},
    {"mod", "0.7", "0.70", "0.00"},
    {"cmp", "1", "1.00", "0"},
    {"cmp", "0", "-0.0", "0"},
    {"cmp", "2", "10", "-1"},
    {"cmp", "-2", "-10", "1"},
    {"cmp", "0.1", "0.09999999999999999999", "1"},
    {"cmp", "99999999999999999999", "1e20", "-1"},
    {"cmp", "-1", "1", "-1"},
    {"cmp", "1e30", "1e-30", "1"},
    {"round", "2.5", "0", "3"},
    {"round", "3.5", "0", "4"},
    {"round", "-2.5", "0", "-3"},
    {"round", "1.005", "2", "1.01"},
    {"round", "1.5", "3", "1.500"},
    {"round", "1250", "-2", "1300"},
    {"round", "1249", "-2", "1200"},
    {"round", "-1250", "-2", "-1300"},
    {"round", "99.99", "1", "100.0"},
    {"round", "0.05", "1", "0.1"},
    {"round", "0.04", "1", "0.0"},
    {"round", "5", "-1", "10"},
    {"round", "4", "-1", "0"},
    {"round", "123.456", "-5", "0"},
    {"trunc", "2.9", "0", "2"},
    {"trunc", "-2.9", "0", "-2"},
    {"trunc", "1.999", "2", "1.99"},
    {"trunc", "1.5", "3", "1.500"},
    {"trunc", "1299", "-2", "1200"},
    {"trunc", "-99", "-3", "0"},
    {"floor", "1.5", "", "1"},
    {"floor", "-1.5", "", "-2"},
    {"floor", "2.00", "", "2"},
    {"floor", "-0.1", "", "-1"},
    {"floor", "0.9", "", "0"},
    {"ceil", "1.5", "", "2"},
    {"ceil", "-1.5", "", "-1"},
    {"ceil", "2.00", "", "2"},
    {"ceil", "-0.1", "", "0"},
    {"ceil", "0.1", "", "1"},
    {"normalize", "1.500", "", "1.5"},
    {"normalize", "100", "", "100"},
    {"normalize", "0.000", "", "0"},
    {"normalize", "-2.10", "", "-2.1"},
    {"normalize", "120.00", "", "120"},
    {"coerce", "1.005", "12,2", "1.01"},
    {"coerce", "999.994", "5,2", "999.99"},
    {"coerce", "999.995", "5,2", "!22003"},
    {"coerce", "-999.995", "5,2", "!22003"},
    {"coerce", "0.4", "1,0", "0"},
    {"coerce", "9.5", "1,0", "!22003"},
    {"coerce", "12345", "2,-3", "12000"},
    {"coerce", "123456", "2,-3", "!22003"},
    {"coerce", "0.00123", "2,4", "0.0012"},
    {"coerce", "0.01", "2,4", "!22003"},
    {"coerce", "7", "3,2", "7.00"},
    {"coerce", "12", "3,2", "!22003"},
    {"from_double", "0.1", "", "0.1"},
    {"from_double", "1", "", "1"},
    {"from_double", "123456.789", "", "123456.789"},
    {"from_double", "0.3333333333333333", "", "0.333333333333333"},
    {"from_double", "1e15", "", "1000000000000000"},
    {"from_double", "1e20", "", "100000000000000000000"},
    {"from_double", "-2.5e-7", "", "-0.00000025"},
    {"from_double", "1234567890123456", "", "1234567890123460"},
    {"from_double", "100", "", "100"},
    {"from_double", "0", "", "0"},
    {"to_i64", "0.5", "", "1"},
    {"to_i64", "-0.5", "", "-1"},
    {"to_i64", "1.4999", "", "1"},
    {"to_i64", "9223372036854775807", "", "9223372036854775807"},
    {"to_i64", "9223372036854775807.4", "", "9223372036854775807"},
    {"to_i64", "9223372036854775807.5", "", "!22003"},
    {"to_i64", "-9223372036854775808", "", "-9223372036854775808"},
    {"to_i64", "-9223372036854775808.5", "", "!22003"},
    {"to_i64", "1e19", "", "!22003"},
};

static base_error err;

typedef base_rc (*binary_op)(base_decimal a, base_decimal b, base_decimal *out, base_error *err);

static binary_op find_binary(const char *op) {
    static const struct {
        const char *name;
        binary_op run;
    } ops[] = {{"add", base_decimal_add},
               {"sub", base_decimal_sub},
               {"mul", base_decimal_mul},
               {"div", base_decimal_div},
               {"mod", base_decimal_mod}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(op, ops[i].name) == 0) return ops[i].run;
    }
    return NULL;
}

// Operations of a decimal and a small argument.
static base_rc run_scaled(const oracle_row *row, base_decimal a, base_decimal *out) {
    if (strcmp(row->op, "in") == 0) *out = a;
    if (strcmp(row->op, "floor") == 0) *out = base_decimal_floor(a);
    if (strcmp(row->op, "ceil") == 0) *out = base_decimal_ceil(a);
    if (strcmp(row->op, "normalize") == 0) *out = base_decimal_normalize(a);
    if (strcmp(row->op, "round") == 0) return base_decimal_round(a, atoi(row->b), out, &err);
    if (strcmp(row->op, "trunc") == 0) return base_decimal_trunc(a, atoi(row->b), out, &err);
    if (strcmp(row->op, "from_double") == 0) {
        return base_decimal_from_double(strtod(row->a, NULL), out, &err);
    }
    if (strcmp(row->op, "coerce") == 0) {
        char *comma;
        int precision = (int)strtol(row->b, &comma, 10);
        return base_decimal_coerce(a, precision, atoi(comma + 1), out, &err);
    }
    return BASE_OK;
}

static void run_row(const oracle_row *row, char text[BASE_DECIMAL_TEXT_MAX]) {
    base_decimal a, b, result = base_decimal_make(-1, 0);
    base_rc rc = base_decimal_parse(base_str_of(row->a), &a, &err);
    binary_op binary = find_binary(row->op);
    bool cmp = strcmp(row->op, "cmp") == 0;
    if (rc == BASE_OK && (binary != NULL || cmp)) {
        rc = base_decimal_parse(base_str_of(row->b), &b, &err);
    }
    if (rc == BASE_OK) {
        if (binary != NULL) {
            rc = binary(a, b, &result, &err);
        } else if (cmp) {
            result = base_decimal_from_i64(base_decimal_cmp(a, b));
            EXPECT(base_decimal_cmp(b, a) == -base_decimal_cmp(a, b));
        } else if (strcmp(row->op, "to_i64") == 0) {
            int64_t v = 0;
            rc = base_decimal_to_i64(a, &v, &err);
            result = base_decimal_from_i64(v);
        } else {
            rc = run_scaled(row, a, &result);
        }
    }
    if (rc == BASE_OK) {
        base_decimal_format(result, text);
    } else {
        EXPECT(rc == err.code);
        snprintf(text, BASE_DECIMAL_TEXT_MAX, "!%s", err.sqlstate);
    }
}

TEST(as_postgres) {
    for (size_t i = 0; i < sizeof oracle / sizeof oracle[0]; i++) {
        char text[BASE_DECIMAL_TEXT_MAX];
        run_row(&oracle[i], text);
        if (strcmp(text, oracle[i].expected) == 0) continue;
        fprintf(stderr, "%s(%s, %s) is %s, expected %s\n", oracle[i].op, oracle[i].a, oracle[i].b,
                text, oracle[i].expected);
        test_failures++;
    }
}

static base_decimal parsed(const char *text) {
    base_decimal d = {0};
    base_rc rc = base_decimal_parse(base_str_of(text), &d, &err);
    EXPECT(rc == BASE_OK);
    return d;
}

static const char *shown(base_decimal d) {
    static char text[4][BASE_DECIMAL_TEXT_MAX];
    static int next;
    char *to = text[next++ % 4];
    int n = base_decimal_format(d, to);
    EXPECT_EQ_INT(n, strlen(to));
    return to;
}

#define NINES_38 "99999999999999999999999999999999999999"

TEST(limit_of_38_digits) {
    base_decimal d, one = base_decimal_from_i64(1);
    // Whole digits beyond 38 are an overflow.
    EXPECT(base_decimal_parse(BASE_STR("1e38"), &d, &err) == BASE_E_INVALID);
    EXPECT_EQ_STR(err.sqlstate, "22003");
    EXPECT(base_decimal_parse(BASE_STR(NINES_38 "0"), &d, &err) == BASE_E_INVALID);
    EXPECT(base_decimal_parse(BASE_STR(NINES_38 ".5"), &d, &err) == BASE_E_INVALID);
    EXPECT(base_decimal_add(parsed(NINES_38), one, &d, &err) == BASE_E_INVALID);
    EXPECT(base_decimal_add(parsed(NINES_38), parsed(NINES_38), &d, &err) == BASE_E_INVALID);
    EXPECT(base_decimal_mul(parsed("1e19"), parsed("1e19"), &d, &err) == BASE_E_INVALID);
    EXPECT(base_decimal_div(parsed("1e37"), parsed("0.01"), &d, &err) == BASE_E_INVALID);
    EXPECT(base_decimal_round(parsed(NINES_38), -1, &d, &err) == BASE_E_INVALID);
    // Digits after the point give way.
    EXPECT_EQ_STR(shown(parsed(NINES_38 ".4")), NINES_38);
    EXPECT_EQ_STR(shown(parsed("0.123456789012345678901234567890123456789")),
                  "0.12345678901234567890123456789012345679");
    EXPECT_EQ_STR(shown(parsed("9.99999999999999999999999999999999999999")),
                  "10.000000000000000000000000000000000000");
    EXPECT_EQ_STR(shown(parsed("1e-39")), "0.00000000000000000000000000000000000000");
    EXPECT_EQ_STR(shown(parsed("6e-39")), "0.00000000000000000000000000000000000001");
    REQUIRE_OK(base_decimal_add(parsed("1e37"), parsed("0.26"), &d, &err));
    EXPECT_EQ_STR(shown(d), "10000000000000000000000000000000000000");
    REQUIRE_OK(base_decimal_mul(parsed("1.2345678901234567890123"),
                                parsed("1.2345678901234567890123"), &d, &err));
    EXPECT_EQ_STR(shown(d), "1.5241578753238836750494223688472275580");
    REQUIRE_OK(base_decimal_div(one, parsed("1e-20"), &d, &err));
    EXPECT(base_decimal_cmp(d, parsed("1e20")) == 0);
    REQUIRE_OK(base_decimal_div(parsed("1e-20"), parsed("3e20"), &d, &err));
    EXPECT_EQ_STR(shown(d), "0.00000000000000000000000000000000000000");
    REQUIRE_OK(base_decimal_round(parsed(NINES_38), 5, &d, &err));
    EXPECT_EQ_STR(shown(d), NINES_38);
    EXPECT(base_decimal_parse(BASE_STR("NaN"), &d, &err) == BASE_E_UNSUPPORTED);
    EXPECT(base_decimal_parse(BASE_STR("-Infinity"), &d, &err) == BASE_E_UNSUPPORTED);
    EXPECT(base_decimal_from_double(NAN, &d, &err) == BASE_E_UNSUPPORTED);
    EXPECT(base_decimal_coerce(one, 39, 0, &d, &err) == BASE_E_UNSUPPORTED);
    EXPECT(base_decimal_coerce(parsed("123456"), 5, 0, &d, &err) == BASE_E_INVALID);
    EXPECT_EQ_STR(err.message, "numeric field overflow");
    EXPECT_EQ_STR(
        err.detail,
        "A field with precision 5, scale 0 must round to an absolute value less than 10^5.");
}

// A number of up to 38 digits, mostly small.
static base_decimal random_decimal(base_random *random) {
    int digits = (int)base_random_below(random, base_random_below(random, 2) ? 10 : 39);
    base_i128 v = 0;
    for (int i = 0; i < digits; i++) v = v * 10 + (int)base_random_below(random, 10);
    int scale = (int)base_random_below(random, base_random_below(random, 2) ? 5 : 39);
    return base_decimal_make(base_random_below(random, 2) ? -v : v, scale);
}

TEST(laws) {
    base_random random;
    base_random_seed(&random, 7);
    for (int i = 0; i < 20000; i++) {
        base_decimal a = random_decimal(&random), b = random_decimal(&random), r, s;
        EXPECT(base_decimal_cmp(parsed(shown(a)), a) == 0 && parsed(shown(a)).scale == a.scale);
        base_decimal n = base_decimal_normalize(a);
        EXPECT(base_decimal_cmp(n, a) == 0 && base_decimal_hash(n) == base_decimal_hash(a));
        EXPECT(base_decimal_round(a, a.scale + 3, &r, &err) == BASE_OK);
        EXPECT(base_decimal_cmp(r, a) == 0 && base_decimal_hash(r) == base_decimal_hash(a));
        if (base_decimal_sub(a, b, &r, &err) == BASE_OK) {
            EXPECT(base_decimal_sub(b, a, &s, &err) == BASE_OK);
            EXPECT(base_decimal_cmp(r, base_decimal_neg(s)) == 0);
            // Unless digits had to go, the difference says the order.
            bool exact = r.scale >= a.scale && r.scale >= b.scale;
            if (exact) EXPECT_EQ_INT(base_decimal_sign(r), base_decimal_cmp(a, b));
        }
        EXPECT(base_decimal_cmp(base_decimal_floor(a), a) <= 0);
        EXPECT(base_decimal_cmp(base_decimal_ceil(a), a) >= 0);
        if (base_decimal_sign(b) != 0) {
            EXPECT(base_decimal_mod(a, b, &r, &err) == BASE_OK);
            EXPECT(base_decimal_cmp(base_decimal_abs(r), base_decimal_abs(b)) < 0);
            EXPECT(base_decimal_sign(r) == 0 || base_decimal_sign(r) == base_decimal_sign(a));
        }
        EXPECT(base_decimal_to_double(a) == strtod(shown(a), NULL));
    }
}

// (a * b) / b and the division's rest, where 256 bits are needed.
TEST(wide_division) {
    base_random random;
    base_random_seed(&random, 11);
    for (int i = 0; i < 20000; i++) {
        base_i128 x = (base_i128)(base_random_u64(&random) >> (i % 60)) + 1;
        base_i128 y = ((base_i128)base_random_u64(&random) << 50) + 1;
        base_decimal product, q;
        if (base_decimal_mul(base_decimal_make(x, 0), base_decimal_make(y, 0), &product, &err))
            continue;
        EXPECT(base_decimal_div(product, base_decimal_make(y, 0), &q, &err) == BASE_OK);
        EXPECT(base_decimal_cmp(q, base_decimal_make(x, 0)) == 0);
        EXPECT(base_decimal_mod(product, base_decimal_make(y, 0), &q, &err) == BASE_OK);
        EXPECT(base_decimal_sign(q) == 0);
        // A rest of one at another scale: (x*y*10^k + 1) % (y*10^k) is 1.
        base_decimal big = base_decimal_make(y, 20), rest;
        base_decimal small = base_decimal_make(x % 1000000 + 1, 0), sum;
        if (base_decimal_mul(big, small, &product, &err) != BASE_OK || product.scale != 20)
            continue;
        if (base_decimal_add(product, base_decimal_make(1, 20), &sum, &err) != BASE_OK) continue;
        EXPECT(base_decimal_mod(sum, big, &rest, &err) == BASE_OK);
        EXPECT(base_decimal_cmp(rest, base_decimal_make(1, 20)) == 0);
    }
}

TEST_MAIN(TEST_ENTRY(as_postgres), TEST_ENTRY(limit_of_38_digits), TEST_ENTRY(laws),
          TEST_ENTRY(wide_division))
