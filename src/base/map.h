// map.h - a hash map from byte-string keys to pointers, for names (catalogues, sessions), not for
// the path of a row. Keys are copied. Iteration order is insertion order until a removal.
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include "base/str.h"

typedef struct base_map base_map;

base_map *base_map_create(void);
void base_map_destroy(base_map *map);                         // values are not freed
void *base_map_get(const base_map *map, base_str key);        // NULL if absent
void *base_map_put(base_map *map, base_str key, void *value); // returns the old value or NULL
void *base_map_remove(base_map *map, base_str key);           // returns the old value or NULL
size_t base_map_count(const base_map *map);
// Iterate: for (size_t i = 0; base_map_at(map, &i, &key, &value);)
bool base_map_at(const base_map *map, size_t *i, base_str *key, void **value);

#endif
