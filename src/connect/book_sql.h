// book_sql.h - the statements that a book in SQL is asked with: rows, and digests of ranges of
// positions (engine/recon/book.h, engine/recon/canon.h). PostgreSQL and MariaDB have the same
// statements with other spellings.
//
// The user's query stands in FROM as it is; its columns are found by the names of the fields.
#ifndef WEIR_CONNECT_BOOK_SQL_H
#define WEIR_CONNECT_BOOK_SQL_H

#include "engine/recon/book.h"

typedef enum connect_dialect { CONNECT_POSTGRES, CONNECT_MARIADB } connect_dialect;

// What the book's column is, as far as it matters here.
typedef enum connect_sql_class {
    CONNECT_SQL_INTEGER, // of at most 64 bits, signed
    CONNECT_SQL_NUMBER,
    CONNECT_SQL_TIME, // dates and times
    CONNECT_SQL_OTHER
} connect_sql_class;

typedef struct connect_book_sql {
    connect_dialect dialect;
    bool is_utf8; // text is hashed as it lies; else it is converted
    const engine_book_spec *spec;
    const char *query;          // without a semicolon at its end
    const bool *has;            // a field each
    connect_sql_class *classes; // a field each
    bool by_value;
} connect_book_sql;
// What a query's description says of field i: how many of its columns have that name, and the class
// of the last of them. None, or several, where the field is needed is an error; *nhas counts those
// that are there once.
BASE_MUST_USE base_rc connect_sql_note_column(connect_book_sql *sql, engine_book *book, uint32_t i,
                                              unsigned times, connect_sql_class found,
                                              uint32_t *nhas, base_error *err);

// Fills is by_value; false: some column has no canonical text.
bool connect_sql_can_digest(connect_book_sql *sql);
// The user's query without a semicolon and blanks at its end.
const char *connect_sql_query(base_arena *arena, const char *query);
// SELECT of no rows, for its columns.
void connect_sql_describe(const connect_book_sql *sql, base_buf *out);
// SELECT of the fields, as texts that col_text_parse reads; nranges 0: all rows.
void connect_sql_rows(const connect_book_sql *sql, uint32_t nranges,
                      const engine_book_range *ranges, base_buf *out);
// SELECT of (number of the range from 1, count, sum) for ranges that have rows.
void connect_sql_digest(const connect_book_sql *sql, uint32_t nranges,
                        const engine_book_range *ranges, int64_t settled_us, base_buf *out);
// One row of its answer. False: it is none.
bool connect_sql_digest_row(const char *range, const char *rows, const char *sum, uint32_t nranges,
                            engine_book_digest *out);

// ---- rows as batches ----------------------------------------------------------------------------

// Texts of cells to batches of 8,192 rows.
typedef struct connect_rows {
    const engine_book_spec *spec;
    const char *name; // for messages
    const bool *has;
    base_arena arena;
    col_batch *batch;
    uint32_t n;
    engine_book_visit *visit;
    void *arg;
} connect_rows;
void connect_rows_begin(connect_rows *rows, const engine_book_spec *spec, const char *name,
                        const bool *has, engine_book_visit *visit, void *arg);
void connect_rows_end(connect_rows *rows);
// cells[k]: the k-th field that the book has; p NULL: null.
BASE_MUST_USE base_rc connect_rows_add(connect_rows *rows, const base_str *cells, base_error *err);
BASE_MUST_USE base_rc connect_rows_flush(connect_rows *rows, base_error *err);

// A timeout option in milliseconds.
int64_t connect_timeout_ms(const plan_object *reconciliation, int64_t otherwise_ms);

extern const engine_book_ops connect_book_postgres; // book_postgres.c
extern const engine_book_ops connect_book_mariadb;  // book_mariadb.c
extern const engine_book_ops connect_book_http;     // book_http.c

#endif
