// advise.h - between advise.c and advise_served.c: advice on a stream's watermark, from a directory
// and from a server.
#ifndef WEIR_CLI_ADVISE_H
#define WEIR_CLI_ADVISE_H

#include "cli/cli.h"
#include "engine/finality/advise.h"

void cli_print_advice(const char *stream, const engine_advice *advice);
bool cli_is_server(const char *text); // a URL: postgres://...
// Asks the server at the URL. Returns the exit code.
int cli_advise_served(const char *url, const char *stream, bool quiet);

#endif
