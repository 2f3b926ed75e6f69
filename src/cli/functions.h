// functions.h - the words of docs/functions.md (functions_doc.c) for the command that writes it.
#ifndef WEIR_CLI_FUNCTIONS_H
#define WEIR_CLI_FUNCTIONS_H

#include <stddef.h>

// A section: name NULL, text its heading. A function: its name and what it does.
typedef struct cli_function_words_row {
    const char *name, *text;
} cli_function_words_row;
extern const cli_function_words_row cli_function_words[];
extern const size_t cli_function_words_count;

#endif
