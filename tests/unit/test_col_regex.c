// test_col_regex.c - regular expressions: which match is taken and what its groups hold (as
// PostgreSQL 15 gives it), what is refused, and that no pattern can hold a thread for long.
// tests/sql/run_function_oracle.py compares many more with a real PostgreSQL.
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "col/regex.h"

static char text[4096];

// "begin-end begin-end ..." of the match and its groups; "none"; or the SQLSTATE.
static const char *find(const char *pattern, const char *s, unsigned flags) {
    regex *re;
    base_error err = {0};
    regex_span spans[16];
    bool found;
    if (regex_compile(base_str_of(pattern), flags, &re, &err) != BASE_OK) {
        snprintf(text, sizeof text, "%s", err.sqlstate);
        return text;
    }
    uint32_t n = regex_groups(re) + 1 < 16 ? regex_groups(re) + 1 : 16;
    base_rc rc = regex_find(re, base_str_of(s), 0, n, spans, &found, &err);
    size_t used = 0;
    text[0] = '\0';
    if (rc != BASE_OK) {
        snprintf(text, sizeof text, "%s", err.sqlstate);
    } else if (!found) {
        snprintf(text, sizeof text, "none");
    } else {
        for (uint32_t i = 0; i < n; i++) {
            const char *space = i > 0 ? " " : "";
            used += (size_t)(spans[i].begin == REGEX_NONE
                                 ? snprintf(text + used, sizeof text - used, "%s-", space)
                                 : snprintf(text + used, sizeof text - used, "%s%zu-%zu", space,
                                            spans[i].begin, spans[i].end));
        }
    }
    regex_destroy(re);
    return text;
}

TEST(preference) {
    EXPECT_EQ_STR(find("a|ab|abc", "xabcd", 0), "1-4");
    EXPECT_EQ_STR(find("(a|ab)(c|bcd)", "abcd", 0), "0-4 0-1 1-4");
    EXPECT_EQ_STR(find("a+?", "aaa", 0), "0-1");
    EXPECT_EQ_STR(find("(a+?)(a*)", "aaa", 0), "0-1 0-1 1-1");
    EXPECT_EQ_STR(find("(a*)(a+?)", "aaa", 0), "0-3 0-2 2-3");
    EXPECT_EQ_STR(find("(.*)b(.*)", "abcbc", 0), "0-5 0-3 4-5");
    EXPECT_EQ_STR(find("(.*?)b(.*)", "abcbc", 0), "0-2 0-1 2-2");
    EXPECT_EQ_STR(find("(?:(.*?)b(.*)){1,1}$", "abcbc", 0), "0-5 0-1 2-5");
}

TEST(groups) {
    EXPECT_EQ_STR(find("(a)|b", "b", 0), "0-1 -");
    EXPECT_EQ_STR(find("(a*)*", "b", 0), "0-0 0-0");
    EXPECT_EQ_STR(find("(a)*", "b", 0), "0-0 -");
    EXPECT_EQ_STR(find("(a|b)*", "abab", 0), "0-4 3-4");
    EXPECT_EQ_STR(find("((a)(b))", "xab", 0), "1-3 1-3 1-2 2-3");
    EXPECT_EQ_STR(find("(?:a|(b))+", "ba", 0), "0-2 -");
    EXPECT_EQ_STR(find("(?:&|\\?|^)id=([^&]*)", "u?id=xyz&v=1", 0), "1-8 5-8");
}

TEST(conditions) {
    EXPECT_EQ_STR(find("a(?=b)", "acab", 0), "2-3");
    EXPECT_EQ_STR(find("a(?!b)", "abac", 0), "2-3");
    EXPECT_EQ_STR(find("(?<=b)a", "aaba", 0), "3-4");
    EXPECT_EQ_STR(find("(?<!^|b)a", "aaba", 0), "1-2");
    EXPECT_EQ_STR(find("\\mb", "ab b", 0), "3-4");
    EXPECT_EQ_STR(find("^b", "a\nb", 0), "none");
    EXPECT_EQ_STR(find("^b", "a\nb", REGEX_LINE_ANCHORS), "2-3");
    EXPECT_EQ_STR(find("a.b", "a\nb", REGEX_LINE_STOPS), "none");
}

TEST(back_references) {
    EXPECT_EQ_STR(find("(.)\\1", "abccd", 0), "2-4 2-3");
    EXPECT_EQ_STR(find("(a*)b\\1$", "aabaa", 0), "0-5 0-2");
    EXPECT_EQ_STR(find("(a)|b\\1", "b", 0), "none");
    EXPECT_EQ_STR(find("\\1(a)", "aa", 0), "2201B");
}

// Every match contains a run of characters; the search begins near it.
TEST(contained_runs) {
    EXPECT_EQ_STR(find("(?:&|^)id=([^&]*)", "id=7&x=1&id=8", 0), "0-4 3-4");
    EXPECT_EQ_STR(find("(?:&|^)id=([^&]*)", "xid=7&x=1&id=8", 0), "9-14 13-14");
    EXPECT_EQ_STR(find("(?:&|^)id=([^&]*)", "xid=7", 0), "none");
    EXPECT_EQ_STR(find("é?abc", "xxéabc", 0), "2-7");
    EXPECT_EQ_STR(find("..abc", "éèabcabc", 0), "0-7");
    EXPECT_EQ_STR(find("x*abc", "xxxxxabc", 0), "0-8");
    EXPECT_EQ_STR(find("(?<=z)abc", "abczabc", 0), "4-7");
    EXPECT_EQ_STR(find("(?=ab)a", "xaab", 0), "2-3");
    EXPECT_EQ_STR(find("ab(?!c)", "abcab", 0), "3-5");
    EXPECT_EQ_STR(find("(ab|cd)ef", "abcdef", 0), "2-6 2-4");
    EXPECT_EQ_STR(find("(a)bc\\1", "abcbca abca", 0), "7-11 7-8");
    EXPECT_EQ_STR(find("abc$", "abcabc", 0), "3-6");
    EXPECT_EQ_STR(find("x{0}abc", "xabc", 0), "1-4");
    EXPECT_EQ_STR(find("x{70}abc", "abc", 0), "none");
    EXPECT_EQ_STR(find("ABC", "xabc", REGEX_FOLD), "1-4");
    EXPECT_EQ_STR(find("(?:)", "", 0), "0-0");
    EXPECT_EQ_STR(find("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
                       "-abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 0),
                  "1-53");
    EXPECT_EQ_STR(find("\\yab\\y", "aba ab", 0), "4-6");
}

TEST(characters) {
    EXPECT_EQ_STR(find("[à-ï]+", "xéèy", 0), "1-5");
    EXPECT_EQ_STR(find("É", "é", REGEX_FOLD), "0-2");
    EXPECT_EQ_STR(find("[[:alpha:]]+", "1日本", 0), "1-7");
    EXPECT_EQ_STR(find("[^[:space:]]", " \u00a0", 0), "1-3");
    EXPECT_EQ_STR(find("a.b*", "a.b*", REGEX_LITERAL), "0-4");
    EXPECT_EQ_STR(find(" a b # c", "ab", REGEX_EXPANDED), "0-2");
}

// Each is exponential for a plain backtracker, or large when written out.
TEST(bounded_work) {
    static const char *const patterns[] = {
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$|b",
        "(x+x+)+y",
        "((a?){50})(a{50})\\1b",
        "(a{1,100}){1,100}",
        "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[^a]",
        "(?<=a*)b",
        "(((((a*)*)*)*)*)*b\\1",
        "((a*)(a*)(a*)(a*)(a*)(a*))\\1\\2\\3b",
        "(?:.{1,200}){1,200}",
    };
    char many[2001];
    memset(many, 'a', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        clock_t begin = clock();
        find(patterns[i], many, 0);
        double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
        if (seconds > 10) fprintf(stderr, "%s: %.1f s\n", patterns[i], seconds);
        EXPECT(seconds < 10);
    }
}

TEST_MAIN(TEST_ENTRY(preference), TEST_ENTRY(groups), TEST_ENTRY(conditions),
          TEST_ENTRY(back_references), TEST_ENTRY(contained_runs), TEST_ENTRY(characters),
          TEST_ENTRY(bounded_work))
