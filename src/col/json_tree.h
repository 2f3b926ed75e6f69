// json_tree.h - a parsed JSON text, for what takes jsonb apart.
// Nodes live in the arena given to the parser and borrow from the text. The order and the
// uniqueness of members are those of PostgreSQL's jsonb: by length of key, then bytes; of
// duplicates the last.
#ifndef WEIR_COL_JSON_TREE_H
#define WEIR_COL_JSON_TREE_H

#include "col/type.h"

typedef enum col_json_kind {
    COL_JSON_NULL,
    COL_JSON_FALSE,
    COL_JSON_TRUE,
    COL_JSON_NUMBER, // text: as numeric prints it, without exponent
    COL_JSON_STRING, // text: unescaped
    COL_JSON_ARRAY,  // items[0..n)
    COL_JSON_OBJECT, // items[0..n), with keys
} col_json_kind;

typedef struct col_json {
    col_json_kind kind;
    uint32_t n;
    base_str key; // of a member of an object
    base_str text;
    struct col_json **items;
    struct col_json *next; // for the parser
} col_json;

#define COL_JSON_DEPTH_MAX 512
#define COL_JSON_BYTES_MAX (64u << 20) // of input, and of the canonical text

// 22P02 if text is no JSON; 54000 if too deep or large; 22P05 for \u0000; 22003 for huge exponents.
BASE_MUST_USE base_rc col_json_parse(base_str text, base_arena *arena, col_json **out,
                                     base_error *err);
// Canonical text of a node.
BASE_MUST_USE base_rc col_json_print(const col_json *node, base_arena *arena, base_str *out,
                                     base_error *err);
// The member of an object, or NULL.
const col_json *col_json_member(const col_json *object, base_str key);
// A string quoted as PostgreSQL's escape_json.
void col_json_quote(base_buf *buf, base_str s);

#endif
