// main.c - the program; all it does is in src/cli.
#include <malloc.h>

#include "cli/cli.h"

int main(int argc, char **argv) {
    // Steps and requests take and give back blocks of megabytes: kept by the process, they are not
    // mapped, cleared and unmapped by the system each time.
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
    return cli_main(argc, argv);
}
