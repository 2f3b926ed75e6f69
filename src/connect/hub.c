// hub.c - all sinks: which there are, whose turn it is, and the thread that gives the turns.
//
// A turn looks whether the catalogue has changed, lets each sink that is due deliver, and takes the
// answers of requests. Between turns the thread sleeps in curl_multi_poll, which commits, requests
// and pauses that end wake up. A sink's failure ends in that sink: it is reported, and the sink is
// due again later.
// Entry points: connect_start, connect_open, connect_pump.

#include <mysql.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "connect/book_sql.h"
#include "connect/connect_int.h"

#define SLEEP_MS_MAX  1000 // how long a change of the catalogue may go unnoticed
#define FLUSH_WAIT_US 5000

// ---- the list of sinks
// -----------------------------------------------------------------------------------

static void see_object(void *arg, const plan_object *object) {
    connect_hub *hub = arg;
    if (object->kind != PLAN_OBJECT_SINK) return;
    connect_sink **at = &hub->sinks;
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->object->id != object->id) continue;
        (*at)->object = object; // a comment may have changed
        (*at)->seen = true;
        return;
    }
    *at = connect_sink_create(hub, object);
    (*at)->seen = true;
}

static void look_at_catalog(connect_hub *hub) {
    // The version first: a change during the walk is seen in the next one.
    uint64_t version = engine_catalog_version(hub->engine);
    if (hub->catalog_known && version == hub->catalog_version) return;
    for (connect_sink *s = hub->sinks; s != NULL; s = s->next) s->seen = false;
    engine_objects(hub->engine, see_object, hub);
    for (connect_sink **at = &hub->sinks; *at != NULL;) {
        connect_sink *sink = *at;
        if (sink->seen) {
            at = &sink->next;
            continue;
        }
        *at = sink->next;
        connect_sink_destroy(sink);
    }
    hub->catalog_version = version;
    hub->catalog_known = true;
}

// ---- turns
// -----------------------------------------------------------------------------------------------

static void deliver(connect_sink *sink, bool *progressed) {
    base_error err;
    base_rc rc = sink->is_file ? connect_file_deliver(sink, progressed, &err)
                               : connect_webhook_send(sink, &err);
    if (rc != BASE_OK) connect_sink_failed(sink, 0, &err);
}

// Lets each due sink deliver; *next_ns: when the first of the others is due, 0: none.
static void deliver_due(connect_hub *hub, bool *progressed, uint64_t *next_ns) {
    *next_ns = 0;
    for (connect_sink *s = hub->sinks; s != NULL && !hub->stop; s = s->next) {
        if (s->refused != NULL || s->lost || s->under_way) continue;
        if (connect_now_ns(hub) >= s->due_ns) deliver(s, progressed);
        if (s->due_ns > connect_now_ns(hub) && (*next_ns == 0 || s->due_ns < *next_ns))
            *next_ns = s->due_ns;
    }
}

static void take_answers(connect_hub *hub, int *running, bool *progressed) {
    curl_multi_perform(hub->multi, running);
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(hub->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        connect_sink *sink = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&sink);
        must(sink != NULL);
        connect_webhook_done(sink, code, progressed);
    }
}

static void turn(connect_hub *hub, int *running, bool *progressed, uint64_t *next_ns) {
    look_at_catalog(hub);
    deliver_due(hub, progressed, next_ns);
    take_answers(hub, running, progressed);
}

static int wait_ms(connect_hub *hub, uint64_t next_ns) {
    if (next_ns == 0) return SLEEP_MS_MAX;
    uint64_t now = connect_now_ns(hub);
    if (next_ns <= now) return 0;
    uint64_t ms = (next_ns - now) / 1000000 + 1;
    return ms < SLEEP_MS_MAX ? (int)ms : SLEEP_MS_MAX;
}

static void *run(void *arg) {
    connect_hub *hub = arg;
    while (!hub->stop) {
        bool progressed = false;
        int running;
        uint64_t next_ns;
        plat_mutex_lock(&hub->lock);
        turn(hub, &running, &progressed, &next_ns);
        plat_mutex_unlock(&hub->lock);
        if (!progressed && !hub->stop)
            curl_multi_poll(hub->multi, NULL, 0, wait_ms(hub, next_ns), NULL);
    }
    return NULL;
}

base_rc connect_pump(connect_hub *hub, bool *progressed, base_error *err) {
    (void)err;
    *progressed = false;
    int running;
    uint64_t next_ns;
    plat_mutex_lock(&hub->lock);
    turn(hub, &running, progressed, &next_ns);
    while (running > 0) { // each request has its timeout
        curl_multi_poll(hub->multi, NULL, 0, SLEEP_MS_MAX, NULL);
        take_answers(hub, &running, progressed);
    }
    plat_mutex_unlock(&hub->lock);
    return BASE_OK;
}

static base_rc say_behind(connect_sink *sink, base_error *err) {
    return base_fail(err, BASE_E_CANCELLED, NULL,
                     "sink %s is behind: step %llu is delivered; see weir.sinks", sink->name,
                     (unsigned long long)sink->at);
}

base_rc connect_flush(connect_hub *hub, int64_t timeout_us, base_error *err) {
    uint64_t began = connect_now_ns(hub);
    for (;;) {
        bool progressed = false;
        if (!hub->threaded) {
            base_rc rc = connect_pump(hub, &progressed, err);
            if (rc != BASE_OK) return rc;
        }
        bool late = timeout_us > 0 && connect_now_ns(hub) - began > (uint64_t)timeout_us * 1000;
        base_rc rc = BASE_OK;
        plat_mutex_lock(&hub->lock);
        // The list is the thread's to change: it may be asleep in curl with a sink's request.
        bool behind =
            !hub->catalog_known || hub->catalog_version != engine_catalog_version(hub->engine);
        if (behind && late)
            rc = base_fail(err, BASE_E_CANCELLED, NULL, "the list of sinks is not up to date yet");
        for (connect_sink *s = hub->sinks; s != NULL && !behind; s = s->next) {
            behind = connect_sink_is_behind(s);
            if (behind && late) rc = say_behind(s, err);
        }
        plat_mutex_unlock(&hub->lock);
        if (!behind || late) return rc;
        if (hub->threaded) curl_multi_wakeup(hub->multi);
        if (!progressed) plat_sleep_us(FLUSH_WAIT_US);
    }
}

// ---- opening and closing
// ---------------------------------------------------------------------------------

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void) {
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    must(mysql_library_init(0, NULL, NULL) == 0); // before threads that use it
}

// On a flow's thread.
static void wake(void *arg) {
    connect_hub *hub = arg;
    curl_multi_wakeup(hub->multi);
}

base_rc connect_open(engine *e, connect_hub **out, base_error *err) {
    pthread_once(&curl_once, init_curl);
    connect_hub *hub = calloc(1, sizeof *hub);
    must(hub != NULL);
    hub->engine = e;
    hub->plat = engine_plat(e);
    hub->multi = curl_multi_init();
    if (hub->multi == NULL) {
        free(hub);
        return base_fail(err, BASE_E_IO, NULL, "libcurl cannot be set up: no sockets are left");
    }
    plat_mutex_init(&hub->lock);
    engine_book_register(e, &connect_book_postgres);
    engine_book_register(e, &connect_book_mariadb);
    engine_book_register(e, &connect_book_http);
    *out = hub;
    return BASE_OK;
}

base_rc connect_start(engine *e, connect_hub **out, base_error *err) {
    base_rc rc = connect_open(e, out, err);
    if (rc != BASE_OK) return rc;
    connect_hub *hub = *out;
    hub->threaded = true;
    hub->listener = engine_on_commit(e, wake, hub);
    plat_thread_start(&hub->thread, "weir-sinks", run, hub);
    return BASE_OK;
}

void connect_stop(connect_hub *hub) {
    if (hub == NULL) return;
    if (hub->threaded) {
        hub->stop = true;
        curl_multi_wakeup(hub->multi);
        plat_thread_join(hub->thread);
        engine_off_commit(hub->engine, hub->listener);
    }
    while (hub->sinks != NULL) {
        connect_sink *sink = hub->sinks;
        hub->sinks = sink->next;
        connect_sink_destroy(sink);
    }
    curl_multi_cleanup(hub->multi);
    plat_mutex_deinit(&hub->lock);
    free(hub);
}
