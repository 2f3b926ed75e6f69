// top_head.c - heads: comparing, inserting, and their bytes, which are a disk format.
// Entry points: top_insert, top_head_decode, top_head_encode.
#include "flow/top_head.h"

#include "base/hash.h"

#define HEAD_VERSION  2
#define HEAD_MIRRORED 3

void top_codec_init(top_codec *codec, base_arena *arena, const flow_partition_config *config,
                    uint32_t limit) {
    uint32_t *columns = base_arena_array(arena, uint32_t, config->ncolumns + 1u);
    for (uint32_t c = 0; c < config->ncolumns; c++) columns[c] = c;
    *codec = (top_codec){
        .limit = limit, .ncolumns = config->ncolumns, .types = config->types, .columns = columns};
    base_arena_init(&codec->scratch, 4096);
}

void top_codec_deinit(top_codec *codec) {
    base_buf_deinit(&codec->buf);
    base_arena_deinit(&codec->scratch);
}

// ------------------------------------------------------------------------------------ order

// A row that is stored, as a batch of one, which may have more columns.
static base_rc read_stored(top_codec *codec, const top_row *row, col_batch **out, base_error *err) {
    base_arena *arena = &codec->scratch;
    if (!row->mirrored) {
        size_t place = 0;
        *out = col_batch_create(arena, codec->ncolumns, codec->types, 1);
        return col_row_decode(row->bytes, &place, *out, 0, codec->ncolumns, codec->columns, arena,
                              err);
    }
    base_str key = top_mirror_key(codec->mirror, arena, codec->partition, row->source + 1), bytes;
    base_rc rc = top_mirror_get(codec->mirror, codec->txn, 1, &key, &bytes, err);
    *out = col_batch_create(arena, codec->mirror->nout, codec->mirror->types, 1);
    return rc == BASE_OK ? top_mirror_decode(codec->mirror, bytes, *out, 0, arena, err) : rc;
}

static void work_out_hash(top_codec *codec, top_row *row) {
    if (row->hashed) return;
    base_arena_reset(&codec->scratch);
    const col_batch *one;
    if (row->mirrored || row->bytes.p != NULL) {
        base_error failure;
        col_batch *stored;
        base_rc rc = read_stored(codec, row, &stored, &failure);
        if (rc != BASE_OK && codec->rc == BASE_OK) {
            codec->rc = rc;
            codec->failure = failure;
        }
        one = stored;
    } else {
        one = col_batch_slice(&codec->scratch, codec->batch, row->source, 1);
    }
    base_str key;
    col_key_encode_exact(&codec->scratch, one, codec->ncolumns, codec->columns, codec->types, &key);
    base_hash128(key.n == 0 ? "" : key.p, key.n, (uint8_t *)row->hash);
    row->hashed = true;
}

int top_compare(top_codec *codec, top_row *a, top_row *b) {
    int order = base_str_cmp(a->order, b->order);
    if (order != 0) return order;
    work_out_hash(codec, a);
    work_out_hash(codec, b);
    return memcmp(a->hash, b->hash, FLOW_PARTITION_HASH);
}

static void reserve(top_codec *codec, base_arena *arena, top_head *head) {
    if (head->n < head->cap) return;
    uint32_t cap = head->cap == 0 ? 2 : head->cap * 2;
    if (cap > codec->limit) cap = codec->limit;
    top_row *rows = base_arena_alloc(arena, sizeof *rows * cap);
    if (head->n > 0) memcpy(rows, head->rows, sizeof *rows * head->n);
    head->rows = rows;
    head->cap = (uint16_t)cap;
}

bool top_insert(top_codec *codec, base_arena *arena, top_head *head, const top_row *row) {
    top_row own = *row;
    uint32_t lo = 0, hi = head->n;
    if (hi == codec->limit) {
        if (hi == 0 || top_compare(codec, &own, &head->rows[hi - 1]) >= 0) return false;
        hi--;
    } else {
        reserve(codec, arena, head);
    }
    while (lo < hi) {
        uint32_t middle = (lo + hi) / 2;
        if (top_compare(codec, &own, &head->rows[middle]) < 0) {
            hi = middle;
        } else {
            lo = middle + 1;
        }
    }
    if (head->n < codec->limit) head->n++;
    memmove(head->rows + lo + 1, head->rows + lo, sizeof own * (head->n - lo - 1));
    head->rows[lo] = own;
    return true;
}

// ------------------------------------------------------------------------------------ bytes

typedef struct row_lengths { // before a row's order key and bytes
    uint16_t order_n;
    uint16_t zero;
    uint32_t bytes_n;
} row_lengths;
_Static_assert(sizeof(row_lengths) == 8, "row_lengths is a disk format");

static bool read_row(base_str value, size_t *at, top_row *row) {
    row_lengths n;
    if (value.n - *at < sizeof n) return false;
    memcpy(&n, value.p + *at, sizeof n);
    *at += sizeof n;
    if (value.n - *at < (size_t)n.order_n + n.bytes_n) return false;
    *row = (top_row){.order = {value.p + *at, n.order_n},
                     .bytes = {value.p + *at + n.order_n, n.bytes_n},
                     .source = FLOW_NO_SOURCE};
    *at += (size_t)n.order_n + n.bytes_n;
    return true;
}

base_rc top_head_decode(const top_codec *codec, base_arena *arena, base_str value, top_head *head,
                        base_error *err) {
    bool mirrored = value.n > 0 && value.p[0] == HEAD_MIRRORED;
    bool ok = mirrored ? codec->mirror != NULL : value.n > 0 && value.p[0] == HEAD_VERSION;
    if (head->cap < codec->limit) {
        head->rows = base_arena_alloc(arena, sizeof *head->rows * codec->limit);
        head->cap = (uint16_t)codec->limit;
    }
    head->n = 0;
    for (size_t at = 1; ok && at < value.n;) {
        ok = head->n < codec->limit && read_row(value, &at, &head->rows[head->n]);
        if (!ok) break;
        head->rows[head->n].mirrored = mirrored;
        if (mirrored) head->rows[head->n].source = head->n;
        head->n++;
    }
    return ok ? BASE_OK
              : base_fail(err, BASE_E_CORRUPT, NULL, "a stored head of %zu bytes does not fit",
                          value.n);
}

void top_head_encode(base_buf *buf, const top_row *const *rows, uint32_t n, bool mirrored) {
    base_buf_clear(buf);
    base_buf_add_byte(buf, mirrored ? HEAD_MIRRORED : HEAD_VERSION);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bytes_n = mirrored ? 0 : (uint32_t)rows[i]->bytes.n;
        row_lengths lengths = {(uint16_t)rows[i]->order.n, 0, bytes_n};
        base_buf_add(buf, &lengths, sizeof lengths);
        base_buf_add(buf, rows[i]->order.p, rows[i]->order.n);
        if (!mirrored) base_buf_add(buf, rows[i]->bytes.p, bytes_n);
    }
}
