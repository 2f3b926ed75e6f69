// book.c - which books there are: the engine's own and those that were registered with it. Entry
// points: engine_book_register, engine_book_open.

#include <string.h>

#include "base/must.h"
#include "engine/recon/recon_int.h"

void engine_book_register(engine *e, const engine_book_ops *ops) {
    plat_mutex_lock(&e->sinks_lock);
    bool known = false;
    for (uint32_t i = 0; i < e->nbooks; i++) known |= e->books[i] == ops;
    if (!known) {
        must(e->nbooks < ENGINE_BOOK_CONNECTORS_MAX);
        e->books[e->nbooks++] = ops;
    }
    plat_mutex_unlock(&e->sinks_lock);
}

bool engine_book_stopped(const engine_book_spec *spec) {
    const engine_session *session = spec->session;
    if (spec->engine->closing) return true;
    if (session == NULL) return false;
    if (session->cancel) return true;
    return session->deadline_us > 0 &&
           (int64_t)(plat_monotonic_ns(spec->engine->plat) / 1000) > session->deadline_us;
}

static const engine_book_ops *find_ops(engine *e, const char *connector) {
    static const engine_book_ops *const own[] = {&engine_book_file, &engine_book_view};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(own[i]->connector, connector) == 0) return own[i];
    const engine_book_ops *found = NULL;
    plat_mutex_lock(&e->sinks_lock);
    for (uint32_t i = 0; i < e->nbooks && found == NULL; i++)
        if (strcmp(e->books[i]->connector, connector) == 0) found = e->books[i];
    plat_mutex_unlock(&e->sinks_lock);
    return found;
}

base_rc engine_book_open(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                         base_error *err) {
    *out = NULL;
    const engine_book_ops *ops = find_ops(spec->engine, spec->reconciliation->connector);
    if (ops == NULL)
        return base_fail(err, BASE_E_UNSUPPORTED, NULL, "there are no books of connector '%s' here",
                         spec->reconciliation->connector);
    return ops->open(spec, arena, out, err);
}
