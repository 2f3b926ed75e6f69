// Any bytes as a request's body: cut, then decoded as the edge and as a step would; each document's
// verdict must be the same alone as in company, and what the edge lets pass must read the same in a
// step that wants some of its fields.
#include "base/must.h"
#include "col/kernel.h"
#include "wire/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const col_field address_fields[] = {{"city", {COL_TEXT, 0, 0, 0, NULL}},
                                           {"zip", {COL_INT4, 0, 0, 0, NULL}}};
static const wire_json_field fields[] = {
    {"a", {COL_INT4, 0, 0, 0, NULL}, false},
    {"s", {COL_TEXT, 0, 0, 0, NULL}, true},
    {"n", {COL_NUMERIC, 12, 2, 0, NULL}, false},
    {"f", {COL_FLOAT8, 0, 0, 0, NULL}, false},
    {"t", {COL_TIMESTAMPTZ, 0, 0, 0, NULL}, false},
    {"j", {COL_JSONB, 0, 0, 0, NULL}, false},
    {"o", {COL_STRUCT, 0, 0, 2, address_fields}, false},
    {"b", {COL_BYTEA, 0, 0, 0, NULL}, false},
    {"v", {COL_VARCHAR, 3, 0, 0, NULL}, false},
    {"i", {COL_INTERVAL, 0, 0, 0, NULL}, false},
    {"u", {COL_UUID, 0, 0, 0, NULL}, false},
    {"r", {COL_FLOAT4, 0, 0, 0, NULL}, false},
    {"y", {COL_BOOL, 0, 0, 0, NULL}, false},
    {"d", {COL_DATE, 0, 0, 0, NULL}, false},
    {"ai", {COL_ARRAY | COL_INT4, 0, 0, 0, NULL}, false},
    {"at", {COL_ARRAY | COL_TEXT, 0, 0, 0, NULL}, false},
    {"an", {COL_ARRAY | COL_NUMERIC, 12, 2, 0, NULL}, false},
};
#define NFIELDS (sizeof fields / sizeof fields[0])

static void check_mode(wire_json_unknown unknown, const char *text, size_t n, const uint32_t *ends,
                       uint32_t ndocs) {
    wire_json_decoder *decoder = wire_json_decoder_create(NFIELDS, fields, unknown);
    base_arena arena;
    base_arena_init(&arena, 4096);
    col_batch *all, *one;
    wire_json_fault *faults, *fault;
    uint32_t nfaults, nfault, at = 0;
    uint8_t *deleted = malloc(ndocs + 1);
    wire_json_decode(decoder, text, n, ends, 0, ndocs, &arena, &all, deleted, &faults, &nfaults);
    for (uint32_t i = 0; i < ndocs; i++) {
        uint8_t gone;
        wire_json_decode(decoder, text, n, ends, i, 1, &arena, &one, &gone, &fault, &nfault);
        bool refused = at < nfaults && faults[at].doc == i;
        must(refused == (nfault == 1));
        if (refused) {
            must(strcmp(faults[at].message, fault->message) == 0);
            must(base_utf8_valid_prefix(base_str_of(fault->message)) == strlen(fault->message));
            at++;
            continue;
        }
        must(gone == deleted[i]);
        base_buf a = {0}, b = {0};
        wire_json_encode_row(NFIELDS, fields, all, i, &a);
        wire_json_encode_row(NFIELDS, fields, one, 0, &b);
        must(base_str_eq(base_buf_str(&a), base_buf_str(&b)));
        base_buf_deinit(&a);
        base_buf_deinit(&b);
    }
    must(at == nfaults);
    free(deleted);
    base_arena_deinit(&arena);
    wire_json_decoder_destroy(decoder);
}

static const wire_json_field wanted[] = {
    {"t", {COL_TIMESTAMPTZ, 0, 0, 0, NULL}, false},
    {"n", {COL_NUMERIC, 12, 2, 0, NULL}, false},
    {"a", {COL_INT4, 0, 0, 0, NULL}, false},
    {"s", {COL_TEXT, 0, 0, 0, NULL}, false},
};
#define NWANTED (sizeof wanted / sizeof wanted[0])

static void check_step(const char *text, size_t n, const uint32_t *ends, uint32_t ndocs) {
    wire_json_decoder *edge = wire_json_decoder_create(NFIELDS, fields, WIRE_JSON_UNKNOWN_FAULT);
    wire_json_decoder *step = wire_json_decoder_create(NWANTED, wanted, WIRE_JSON_UNKNOWN_CHECKED);
    base_arena arena;
    base_arena_init(&arena, 4096);
    col_batch *all, *some;
    wire_json_fault *faults, *step_faults;
    uint32_t nfaults, nstep, at = 0;
    wire_json_decode(edge, text, n, ends, 0, ndocs, &arena, &all, NULL, &faults, &nfaults);
    // Also what the edge refuses, for the sake of memory; and then without it.
    wire_json_decode(step, text, n, ends, 0, ndocs, &arena, &some, NULL, &step_faults, &nstep);
    for (uint32_t i = 0; i < ndocs; i++) {
        if (at < nfaults && faults[at].doc == i) {
            at++;
            continue;
        }
        wire_json_decode(step, text, n, ends, i, 1, &arena, &some, NULL, &step_faults, &nstep);
        must(nstep == 0);
        static const uint32_t same[NWANTED] = {4, 2, 0, 1}; // of fields
        for (uint32_t k = 0; k < NWANTED; k++) {
            const col_vec *mine = &some->cols[k], *theirs = &all->cols[same[k]];
            must(col_is_null(mine, 0) == col_is_null(theirs, i));
            must(col_is_null(mine, 0) || col_cells_equal(mine, 0, theirs, i));
        }
    }
    base_arena_deinit(&arena);
    wire_json_decoder_destroy(edge);
    wire_json_decoder_destroy(step);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    base_arena arena;
    base_arena_init(&arena, 4096);
    char *body = malloc(n + 1); // exactly as long, so that reading past it is seen
    memcpy(body, bytes, n);
    base_str *docs;
    size_t ndocs, at = 0;
    bool truncated;
    wire_json_cut((base_str){body, n}, &arena, &docs, &ndocs, &truncated);
    base_buf text = {0};
    uint32_t *ends = malloc((ndocs + 1) * sizeof *ends);
    for (size_t i = 0; i < ndocs; i++) { // in order, and none overlaps another
        must(docs[i].p >= body + at && docs[i].p + docs[i].n <= body + n);
        at = (size_t)(docs[i].p - body) + docs[i].n;
        base_buf_add_str(&text, docs[i]);
        ends[i] = (uint32_t)text.n;
        base_buf_add_byte(&text, '\n');
    }
    size_t text_bytes = text.n;
    char *padded = calloc(1, text_bytes + WIRE_JSON_PADDING);
    if (text_bytes > 0) memcpy(padded, text.p, text_bytes);
    check_mode(WIRE_JSON_UNKNOWN_FAULT, padded, text_bytes, ends, (uint32_t)ndocs);
    check_mode(WIRE_JSON_UNKNOWN_IGNORE, padded, text_bytes, ends, (uint32_t)ndocs);
    check_step(padded, text_bytes, ends, (uint32_t)ndocs);
    free(padded);
    free(ends);
    free(body);
    base_buf_deinit(&text);
    base_arena_deinit(&arena);
    return 0;
}
