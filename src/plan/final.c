// final.c - the arithmetic of final.h. Entry points: plan_final_at, plan_final_end.
#include "plan/final.h"

#include <string.h>

static int64_t clamp(__int128 v) {
    return v < INT64_MIN ? INT64_MIN : v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static bool is_infinite(int64_t us) {
    return us == INT64_MIN || us == INT64_MAX;
}

static int64_t floor_day(int64_t local_us) {
    int64_t day = local_us / BASE_US_PER_DAY;
    return local_us % BASE_US_PER_DAY < 0 ? day - 1 : day;
}

static int64_t local_day(const plan_finality *f, int64_t us) {
    int64_t offset_s = f->zone == NULL ? 0 : base_zone_offset_at(f->zone, us);
    return floor_day(clamp((__int128)us + offset_s * BASE_US_PER_SECOND));
}

static int64_t close_of_day(const plan_finality *f, int64_t day) {
    int64_t local = clamp((__int128)day * BASE_US_PER_DAY + f->close_us);
    if (f->zone == NULL || is_infinite(local)) return local;
    return clamp((__int128)local - base_zone_offset_local(f->zone, local) * BASE_US_PER_SECOND);
}

// Closing times ascend with their days, if not strictly: a zone may leave out a day.
int64_t plan_close_from(const plan_finality *f, int64_t us) {
    if (is_infinite(us)) return us;
    int64_t day = local_day(f, us) - 1, close = close_of_day(f, day);
    while (close < us) close = close_of_day(f, ++day);
    return close;
}

int64_t plan_close_upto(const plan_finality *f, int64_t us) {
    if (is_infinite(us)) return us;
    int64_t day = local_day(f, us) + 1, close = close_of_day(f, day);
    while (close > us) close = close_of_day(f, --day);
    return close;
}

int64_t plan_final_at(const plan_finality *f, int64_t end) {
    if (is_infinite(end)) return end;
    int64_t us;
    if (__builtin_add_overflow(end, f->lateness_us, &us)) return INT64_MAX;
    return f->by_calendar ? plan_close_from(f, us) : us;
}

int64_t plan_final_end(const plan_finality *f, int64_t us) {
    if (is_infinite(us)) return us;
    if (f->by_calendar) us = plan_close_upto(f, us);
    return __builtin_sub_overflow(us, f->lateness_us, &us) ? INT64_MIN : us;
}

// ------------------------------------------------------------------------------------ text

bool plan_close_parse(const char *text, plan_finality *out, base_str *zone_text) {
    base_str s = base_str_trim(base_str_of(text));
    size_t n = 0;
    while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t') n++;
    *zone_text = base_str_trim((base_str){s.p + n, s.n - n});
    base_error err;
    int64_t us;
    if (n == 0 || base_time_parse((base_str){s.p, n}, &us, &err) != BASE_OK) {
        *zone_text = (base_str){NULL, 0};
        return false;
    }
    if (us < 0 || us >= BASE_US_PER_DAY) {
        *zone_text = (base_str){NULL, 0};
        return false;
    }
    out->by_calendar = true;
    out->close_us = us;
    out->zone = NULL;
    if (zone_text->n == 0) return true;
    return base_zone_find(*zone_text, &out->zone, &err) == BASE_OK;
}

static void print_length(int64_t us, base_buf *buf) {
    base_interval interval = {.us = us};
    char text[BASE_INTERVAL_TEXT_MAX];
    base_interval_format(&interval, text);
    base_buf_add_cstr(buf, text);
}

void plan_finality_print(const plan_finality *f, base_buf *buf) {
    if (f->lateness_us != 0) {
        base_buf_add_cstr(buf, " has passed by ");
        print_length(f->lateness_us, buf);
    }
    if (!f->by_calendar) return;
    base_buf_add_cstr(buf, f->lateness_us != 0 ? " and it is " : " has passed and it is ");
    print_length(f->close_us, buf);
    base_buf_printf(buf, " in %s", f->zone_name);
    if (f->by_clock) base_buf_add_cstr(buf, " by the clock");
}
