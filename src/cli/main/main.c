// main.c - the program; all it does is in src/cli.
#include "cli/cli.h"

int main(int argc, char **argv) {
    return cli_main(argc, argv);
}
