// flink.c - windows in Flink's spelling, TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTES,
// ...)) and SESSION(t PARTITION BY k, ts, ...), which is not PostgreSQL's grammar, brought to a
// form that is: HOP(t, ts, ...), SESSION(t, ROW(k), ts, ...). The extra words are blanked and all
// else keeps its place, so that positions in errors stay right. Entry point: sql_unwrap_windows.
#include "sql/sql_int.h"

#define PREVIOUS 2 // tokens that are remembered

typedef struct unwrapping {
    char *text; // as long as source
    base_str source;
    size_t at;
} unwrapping;

static bool is_symbol(const sql_token *token, char c) {
    return token->kind == SQL_TOKEN_SYMBOL && token->text.p[0] == c && token->text.n == 1;
}
static bool is_named(const sql_token *token, const char *name) {
    return token->kind == SQL_TOKEN_WORD && base_str_eq_nocase(token->text, base_str_of(name));
}
static bool is_arrow(const sql_token *token) { // => or its first character
    return token->kind == SQL_TOKEN_SYMBOL && token->text.p[0] == '=';
}
static bool is_end(const sql_token *token) {
    return token->kind == SQL_TOKEN_END || token->kind == SQL_TOKEN_UNENDED;
}

static sql_token next(unwrapping *u) {
    return sql_token_next(u->source, &u->at, NULL);
}

static void blank(unwrapping *u, const sql_token *token) {
    memset(u->text + token->offset, ' ', token->text.n);
}

// "MINUTES" of an interval is PostgreSQL's "MINUTE".
static void unit_singular(unwrapping *u, const sql_token *token) {
    static const char *const units[] = {"seconds", "minutes", "hours", "days", "months", "years"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (is_named(token, units[i])) u->text[token->offset + token->text.n - 1] = ' ';
}

// t PARTITION BY a, b, ... -> t,ROW(     a, b),... : the list ends at `comma`, before the time
// column, which begins at `time`. Where there is no blank for the second character that a list's
// end needs, the list moves one place to the left.
static void put_list(unwrapping *u, const sql_token *partition, const sql_token *by, size_t comma,
                     size_t time) {
    static const char open[] = ",ROW(";
    blank(u, partition);
    blank(u, by);
    memcpy(u->text + partition->offset, open, sizeof open - 1);
    if (time > comma + 1) {
        u->text[comma] = ')';
        u->text[comma + 1] = ',';
        return;
    }
    size_t begin = by->offset + by->text.n;
    memmove(u->text + begin - 1, u->text + begin, comma - begin);
    u->text[comma - 1] = ')';
}

// From behind the window's opening parenthesis to behind its closing one; false: there is none.
// A list after PARTITION BY ends at the last comma but one, as two arguments follow it.
static bool unwrap_arguments(unwrapping *u) {
    sql_token partition = {0}, by = {0}, before[PREVIOUS] = {{0}, {0}};
    size_t commas[2] = {0, 0}, behind[2] = {0, 0}; // of the last two; and what follows each
    uint32_t depth = 1, descriptor = 0, ncommas = 0;
    bool listed = false, after_comma = false;
    while (depth > 0) {
        sql_token token = next(u);
        if (is_end(&token)) return false;
        if (after_comma) {
            behind[1] = token.offset;
            after_comma = false;
        }
        if (is_symbol(&token, ')')) depth--;
        if (descriptor > 0 && depth == descriptor && is_symbol(&token, ')')) {
            blank(u, &token);
            descriptor = 0;
        }
        if (is_symbol(&token, '(')) {
            if (depth == 1 && is_named(&before[0], "descriptor")) {
                blank(u, &before[0]);
                blank(u, &token);
                descriptor = depth;
            }
            depth++;
        }
        if (depth == 1 && is_named(&token, "table")) blank(u, &token);
        if (depth == 1 && before[0].kind == SQL_TOKEN_STRING && is_named(&before[1], "interval"))
            unit_singular(u, &token);
        if (depth == 1 && !listed && is_named(&token, "by") && is_named(&before[0], "partition")) {
            partition = before[0];
            by = token;
            listed = true;
        } else if (depth == 1 && listed && is_symbol(&token, ',')) {
            commas[0] = commas[1];
            behind[0] = behind[1];
            commas[1] = token.offset;
            ncommas++;
            after_comma = true;
        }
        // OFFSET is a word of the grammar, and cannot be a name.
        if (depth == 1 && is_named(&before[0], "offset") && is_arrow(&token))
            memcpy(u->text + before[0].offset, SQL_WINDOW_OFFSET, sizeof SQL_WINDOW_OFFSET - 1);
        before[1] = before[0];
        before[0] = token;
    }
    if (listed && ncommas >= 2) put_list(u, &partition, &by, commas[0], behind[0]);
    return true;
}

void sql_unwrap_windows(char *text, base_str source) {
    unwrapping u = {.text = text, .source = source};
    sql_token before[3] = {{0}, {0}, {0}}; // the last token first
    for (;;) {
        sql_token token = next(&u);
        if (is_end(&token)) return;
        bool window = before[0].kind == SQL_TOKEN_WORD && is_symbol(&token, '(') &&
                      sql_is_window_function(before[0].text);
        if (window) {
            bool wrapped = is_symbol(&before[1], '(') && is_named(&before[2], "table");
            if (!unwrap_arguments(&u)) return;
            if (wrapped) {
                sql_token close = next(&u);
                if (!is_symbol(&close, ')')) return;
                blank(&u, &before[2]);
                blank(&u, &before[1]);
                blank(&u, &close);
            }
            token = (sql_token){0};
        }
        before[2] = before[1];
        before[1] = before[0];
        before[0] = token;
    }
}
