// client.h - posts batches of records to weir until it has them: connection lost, 429 and 5xx are
// tried again with the same records, which is safe because they have business keys. One thread.
#ifndef CONTROL_TOWER_CLIENT_H
#define CONTROL_TOWER_CLIENT_H

#include <signal.h>

#include "base/error.h"
#include "base/str.h"

typedef struct client client;

typedef struct client_counts {
    uint64_t requests, retries, accepted, quarantined;
} client_counts;

// url: "http://127.0.0.1:8480". *stop ends the retries; it must outlive the client.
client *client_create(const char *url, const volatile sig_atomic_t *stop);
void client_destroy(client *c);
// records: newline-delimited JSON. BASE_E_CANCELLED: *stop was set before weir had them;
// BASE_E_INVALID: weir refuses the request as such.
BASE_MUST_USE base_rc client_post(client *c, const char *stream, base_str records, base_error *err);
const client_counts *client_counted(const client *c);

#endif
