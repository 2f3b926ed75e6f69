// bench_events.c - the events that are measured: orders of a retailer, each of exactly so many
// bytes, the same for the same number. Entry point: bench_event.

#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "cli/bench.h"

static char *put_digits(char *to, uint64_t v, int width) {
    for (int i = width - 1; i >= 0; i--, v /= 10) to[i] = (char)('0' + v % 10);
    return to + width;
}

static char *put_text(char *to, const char *text) {
    size_t n = strlen(text);
    memcpy(to, text, n);
    return to + n;
}

// "2024-05-17T09:30:10.000123Z"
static char *put_time(char *to, int64_t us) {
    base_civil c = base_civil_from_us(us);
    to = put_digits(to, (uint64_t)c.year, 4), *to++ = '-';
    to = put_digits(to, (uint64_t)c.month, 2), *to++ = '-';
    to = put_digits(to, (uint64_t)c.day, 2), *to++ = 'T';
    to = put_digits(to, (uint64_t)c.hour, 2), *to++ = ':';
    to = put_digits(to, (uint64_t)c.minute, 2), *to++ = ':';
    to = put_digits(to, (uint64_t)c.second, 2), *to++ = '.';
    to = put_digits(to, (uint64_t)c.us, 6), *to++ = 'Z';
    return to;
}

static char *put_number(char *to, uint64_t v) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    memcpy(to, digits, (size_t)n);
    return to + n;
}

size_t bench_event(uint64_t i, uint32_t keys, int64_t at_us, uint32_t bytes, char *to) {
    uint64_t h = base_mix64(i + 1);
    char *p = put_text(to, "{\"order_id\":");
    p = put_number(p, 1000000 + i);
    p = put_text(p, ",\"store_id\":");
    p = put_number(p, h % keys);
    p = put_text(p, ",\"sku\":\"SKU-");
    p = put_digits(p, (h >> 20) % 1000000, 6);
    p = put_text(p, "\",\"qty\":");
    p = put_number(p, 1 + (h >> 40) % 9);
    p = put_text(p, ",\"net_amount\":");
    p = put_number(p, (h >> 30) % 900), *p++ = '.';
    p = put_digits(p, (h >> 44) % 100, 2);
    p = put_text(p, ",\"placed_at\":\"");
    p = put_time(p, at_us);
    p = put_text(p, (h & 1) != 0 ? "\",\"channel\":\"web\"" : "\",\"channel\":\"shop\"");
    p = put_text(p, ",\"customer\":\"c");
    p = put_digits(p, (h >> 8) % 100000000, 8);
    p = put_text(p, (h & 6) == 0 ? "\",\"express\":true" : "\",\"express\":false");
    p = put_text(p, ",\"note\":\"");
    size_t n = (size_t)(p - to);
    must(n + 2 <= bytes);
    for (const size_t letters = 26; n < bytes - 2;) {
        size_t some = bytes - 2 - n < letters ? bytes - 2 - n : letters;
        memcpy(to + n, "abcdefghijklmnopqrstuvwxyz", some);
        n += some;
    }
    to[n++] = '"';
    to[n++] = '}';
    return n;
}

void bench_stream_ddl(base_buf *sql, const char *stream, bool with_key) {
    base_buf_printf(sql,
                    "CREATE STREAM %s (order_id BIGINT NOT NULL, store_id INT NOT NULL, sku TEXT, "
                    "qty INT NOT NULL CHECK (qty > 0), net_amount NUMERIC(12,2) NOT NULL, "
                    "placed_at TIMESTAMPTZ NOT NULL, channel TEXT, customer TEXT, express BOOLEAN, "
                    "note TEXT, %sWATERMARK FOR placed_at AS placed_at - INTERVAL '5 seconds')",
                    stream, with_key ? "PRIMARY KEY (order_id), " : "");
}

void bench_view_ddl(base_buf *sql, const char *view, const char *stream, const char *refresh) {
    base_buf_printf(sql,
                    "CREATE MATERIALIZED VIEW %s WITH (refresh = '%s') AS "
                    "SELECT window_start, store_id, count(*) AS orders, "
                    "sum(net_amount) AS revenue, max(net_amount) AS largest "
                    "FROM TUMBLE(%s, placed_at, INTERVAL '1 minute') "
                    "GROUP BY window_start, store_id",
                    view, refresh, stream);
}
