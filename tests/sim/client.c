// client.c - producers of events and the network between them and the engine. A request may be
// lost, delayed past others, delivered twice; its answer may be lost; then the client sends it
// again. Every record has a number of its own, n, so that it can be told apart from others with
// the same business key.
#include "sim.h"

#include <stdio.h>
#include <string.h>

static void add_time(base_buf *buf, int64_t us) {
    // Event times stay within one June day: 2021-06-01, 7822 days after 2000-01-01.
    int64_t ms = us / 1000 - 7822ll * 86400 * 1000;
    base_buf_printf(buf, "\"2021-06-%02dT%02d:%02d:%02d.%03dZ\"", (int)(ms / 86400000) + 1,
                    (int)(ms / 3600000 % 24), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
                    (int)(ms % 1000));
}

static void add_event(world *w, base_buf *buf, uint32_t n, bool bad) {
    int64_t late_s = chance(w, 10) ? (int64_t)pick(w, 900) : (int64_t)pick(w, 8);
    int64_t at_us = w->event_us - late_s * 1000000 - (int64_t)pick(w, 1000) * 1000;
    uint64_t id = chance(w, 15) ? pick(w, w->ids) : 1000 + n;
    int64_t cents = (int64_t)pick(w, 5000) - 500;
    const char *sign = cents < 0 ? "-" : "";
    if (cents < 0) cents = -cents;
    uint64_t kind = bad ? 1 + pick(w, 7) : 0;
    base_buf_printf(buf, "{\"n\":%u,", n);
    if (kind != 1) base_buf_printf(buf, "\"id\":%llu,", (unsigned long long)id);
    if (kind == 2)
        base_buf_add_cstr(buf, "\"k\":\"much\",");
    else
        base_buf_printf(buf, "\"k\":%llu,", (unsigned long long)pick(w, w->keys));
    base_buf_printf(buf, "\"qty\":%lld,", kind == 3 ? 0ll : 1 + (long long)pick(w, 8));
    if (kind == 4)
        base_buf_add_cstr(buf, "\"amount\":12345678901234567890.5,");
    else
        base_buf_printf(buf, "\"amount\":%s%lld.%02lld,", sign, (long long)(cents / 100),
                        (long long)(cents % 100));
    if (kind == 5) base_buf_add_cstr(buf, "\"colour\":\"red\",");
    if (kind == 6) {
        base_buf_add_cstr(buf, "\"at\":\"noon\"}");
        return;
    }
    base_buf_add_cstr(buf, "\"at\":");
    add_time(buf, at_us);
    if (chance(w, 60)) base_buf_printf(buf, ",\"note\":\"n%llu\"", (unsigned long long)pick(w, 9));
    base_buf_add_cstr(buf, kind == 7 ? "" : "}"); // cut short
}

static void add_row(world *w, base_buf *buf, uint32_t n, bool bad) {
    unsigned long long k = pick(w, w->keys);
    if (bad) {
        base_buf_printf(buf, "{\"n\":%u,\"k\":%llu}", n, k); // no name
    } else if (chance(w, 20)) {
        base_buf_printf(buf, "{\"_op\":\"delete\",\"n\":%u,\"k\":%llu}", n, k);
    } else {
        base_buf_printf(buf, "{\"n\":%u,\"k\":%llu,\"name\":\"d%llu\"", n, k,
                        (unsigned long long)pick(w, 20));
        if (chance(w, 80))
            base_buf_printf(buf, ",\"region\":\"r%llu\"", (unsigned long long)pick(w, 4));
        base_buf_add_byte(buf, '}');
    }
}

static void queue(world *w, uint32_t request) {
    if (w->nqueue == SIM_QUEUE_MAX) return; // lost
    w->queue[w->nqueue++] = request;
    w->requests[request].queued++;
}

void client_new_request(world *w) {
    if (w->nrequests == SIM_REQUESTS_MAX) return;
    uint32_t index = w->nrequests++;
    sim_request *r = &w->requests[index];
    r->stream = chance(w, 20) ? SIM_DIM : (uint32_t)pick(w, 2);
    r->nrecords = chance(w, 70) ? 1 + (uint32_t)pick(w, 6) : 1 + (uint32_t)pick(w, SIM_RECORDS_MAX);
    r->first_n = w->next_n;
    w->next_n += r->nrecords;
    w->event_us += (int64_t)pick(w, 20) * 1000000;
    bool array = chance(w, 20), some_bad = chance(w, 15);
    if (array) base_buf_add_byte(&r->body, '[');
    for (uint32_t i = 0; i < r->nrecords; i++) {
        // A record that is cut short would take the rest of an array with it.
        r->bad[i] = !array && some_bad && chance(w, 30);
        if (i > 0) base_buf_add_byte(&r->body, array ? ',' : '\n');
        if (r->stream == SIM_DIM)
            add_row(w, &r->body, r->first_n + i, r->bad[i]);
        else
            add_event(w, &r->body, r->first_n + i, r->bad[i]);
    }
    if (array) base_buf_add_byte(&r->body, ']');
    world_trace(w, "request %u: %u records for %s", index, r->nrecords,
                sim_stream_names[r->stream]);
    if (!chance(w, 10)) queue(w, index);
    if (chance(w, 8)) queue(w, index); // the network says it twice
}

static bool ingest(world *w, sim_request *r, base_error *err) {
    char *body = base_arena_alloc(&w->arena, r->body.n + WIRE_JSON_PADDING);
    memcpy(body, r->body.p, r->body.n);
    memset(body + r->body.n, 0, WIRE_JSON_PADDING);
    engine_ingest_result result;
    r->deliveries++;
    base_rc rc = engine_ingest(w->engine, base_str_of(sim_stream_names[r->stream]),
                               (base_str){body, r->body.n}, "simulated", &w->arena, &result, err);
    if (rc != BASE_OK) return false;
    uint32_t bad = 0;
    for (uint32_t i = 0; i < r->nrecords; i++) bad += r->bad[i];
    if (result.accepted != r->nrecords - bad || result.quarantined != bad)
        world_fail(w, "request of %u records, %u of them bad: %llu accepted, %llu quarantined",
                   r->nrecords, bad, (unsigned long long)result.accepted,
                   (unsigned long long)result.quarantined);
    r->done++;
    return true;
}

void client_deliver(world *w) {
    uint32_t index;
    if (w->nqueue > 0) {
        uint32_t at = (uint32_t)pick(w, w->nqueue);
        index = w->queue[at];
        w->queue[at] = w->queue[--w->nqueue];
        w->requests[index].queued--;
    } else { // the first that still waits is sent again
        for (index = 0; index < w->nrequests; index++)
            if (!w->requests[index].acknowledged) break;
        if (index == w->nrequests) return;
    }
    sim_request *r = &w->requests[index];
    base_error err = {0};
    if (!ingest(w, r, &err)) {
        world_trace(w, "request %u refused", index);
        world_after_failure(w, "ingest", &err);
        return;
    }
    bool lost = chance(w, 10);
    world_trace(w, "request %u done%s", index, lost ? ", its answer lost" : "");
    if (!lost) r->acknowledged = true;
    w->refusals = 0;
}

void client_retry_all(world *w) {
    w->nqueue = 0;
    for (uint32_t i = 0; i < w->nrequests; i++) {
        sim_request *r = &w->requests[i];
        r->queued = 0;
        base_error err = {0};
        while (!r->acknowledged) {
            base_arena_reset(&w->arena);
            r->acknowledged = ingest(w, r, &err);
            if (!r->acknowledged) world_after_failure(w, "ingest at the end", &err);
        }
    }
}
