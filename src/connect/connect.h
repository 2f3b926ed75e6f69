// connect.h - sinks: what a view's changes, or a reconciliation's runs that are not clean, are told
// to other systems. After each commit the changes
// are read from the view's change log (the outbox), delivered, and only then acknowledged in the
// sink's durable cursor: at least once, in order, a sink at a time, and each delivery bears an
// idempotency key that is the same whenever it is tried again, also after a restart.
//
// Connectors (CREATE SINK s FROM v WITH (connector = ..., ...)):
//   webhook  url, headers (lines "Name: value", or several parted by ';'), secret (then each
//   request
//            bears X-Weir-Signature: sha256=<HMAC of the body>), timeout ('10 seconds'), batch_rows
//            (changes a request, 500), max_retry_interval ('1 minute'), max_attempts (10). POST of
//            one JSON object, see delivery.c. No answer, 408, 425, 429 and 5xx are tried again for
//            ever, with growing pauses; another answer than 2xx is a refusal: after max_attempts of
//            them the request is put into DIR/sinks/SCHEMA.NAME.parked.ndjson, counted as failed,
//            and the sink goes on.
//   file     path. One JSON line a change, synced before it is acknowledged; what a crash left
//            beyond the cursor is cut off, so that each change stands in the file exactly once.
// Both: emit = 'changes' (default) or 'inserts' (only rows that appear; changes of a row with the
// same key and retractions are left out); max_keep_time and max_keep_size: what is kept for a sink
// that does not deliver (engine/sinklag.c). A sink whose undelivered changes are gone is lost: it
// delivers no more.
//
// A sink that fails harms nobody: each has its own pause, and webhooks are under way at the same
// time. Memory: a sink holds at most one step's changes and one request.
#ifndef WEIR_CONNECT_CONNECT_H
#define WEIR_CONNECT_CONNECT_H

#include "engine/engine.h"

typedef struct connect_hub connect_hub;

// All sinks of the engine's catalogue, with a thread of its own: it wakes up by commits and looks
// for new and dropped sinks. The engine must outlive it.
BASE_MUST_USE base_rc connect_start(engine *e, connect_hub **out, base_error *err);
// The same without a thread, for `weir run` and simulations: the caller pumps.
BASE_MUST_USE base_rc connect_open(engine *e, connect_hub **out, base_error *err);
// Stops at the next delivery's end (a webhook under way is given up; it will be tried again after
// the next start) and frees.
void connect_stop(connect_hub *hub);

// Without a thread: lets each sink that is due deliver what it can, once, and waits for requests
// under way. *progressed: something was delivered, so that another call may find more. A sink's
// failure is no error here: it is in weir.sinks, and the sink is due again after its pause.
BASE_MUST_USE base_rc connect_pump(connect_hub *hub, bool *progressed, base_error *err);
// Pumps until every sink has delivered all there is, or timeout_us has passed (BASE_E_CANCELLED,
// naming a sink that is behind and why). With a thread: waits for it. 0: no limit.
BASE_MUST_USE base_rc connect_flush(connect_hub *hub, int64_t timeout_us, base_error *err);

#endif
