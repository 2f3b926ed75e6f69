// diff.h - how a version of a view differs from the view: rows, and totals by day; and the rows of
// weir.versions, weir.diff and weir.diff_by_day.
#ifndef WEIR_ENGINE_DIFF_H
#define WEIR_ENGINE_DIFF_H

#include "engine/system_int.h"

#define ENGINE_DIFF_ROWS_MAX 100000u // listed of a version; all are counted by day
#define ENGINE_DIFF_DAYS_MAX 40000u

base_rc system_fill_versions(system_rows *r, base_error *err);
base_rc system_fill_diff(system_rows *r, base_error *err);
base_rc system_fill_diff_by_day(system_rows *r, base_error *err);

#endif
