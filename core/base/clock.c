#include "base/clock.h"

#include <errno.h>
#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t grc_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t grc_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t grc_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

bool grc_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *held, int64_t due_ms)
{
    const struct timespec due = {.tv_sec = (time_t)(due_ms / 1000),
                                 .tv_nsec = (long)(due_ms % 1000) * 1000000L};

    return pthread_cond_clockwait(cond, held, CLOCK_MONOTONIC, &due) != ETIMEDOUT;
}

bool grc_cond_wait_flag(pthread_cond_t *cond, pthread_mutex_t *held, const bool *flag,
                        int64_t due_ms)
{
    while (!*flag && grc_cond_wait_until(cond, held, due_ms))
        ;
    return *flag;
}

int64_t grc_now_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t grc_now_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t grc_now_s(void)
{
    return read_us(CLOCK_REALTIME_COARSE) / 1000000;
}

/* Years begin in March here, so that the leap day is the last one and every month before it has a
 * fixed offset; 400 years are 146,097 days. */
void grc_civil_of(int64_t wall_s, struct grc_civil *ret)
{
    int64_t days = wall_s / 86400 - (wall_s % 86400 < 0);
    int64_t second = wall_s - days * 86400;
    int64_t shifted = days + 719468; /* days since 1 March of the year 0 */
    int64_t cycle = shifted / 146097 - (shifted % 146097 < 0);
    int64_t in_cycle = shifted - cycle * 146097;
    int64_t year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
    int64_t in_year = in_cycle - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153; /* 0 is March */

    ret->day = (unsigned)(in_year - (153 * month + 2) / 5 + 1);
    ret->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    ret->year = cycle * 400 + year + (month >= 10);
    ret->hour = (unsigned)(second / 3600);
    ret->minute = (unsigned)(second / 60 % 60);
    ret->second = (unsigned)(second % 60);
    ret->weekday = (unsigned)(((days + 4) % 7 + 7) % 7); /* the epoch was a Thursday */
}

/* Writes the value in that many digits, then the character that follows. Returns the place behind
 * it. */
static char *put(char *at, unsigned value, unsigned digits, char next)
{
    for (unsigned i = digits; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    at[digits] = next;
    return at + digits + 1;
}

/* Written without snprintf(), which takes fifteen times as long: every line of the log has a time.
 */
void grc_time_format(int64_t wall_ms, char ret_text[25])
{
    struct grc_civil civil;
    char *at = ret_text;

    grc_civil_of(wall_ms / 1000 - (wall_ms % 1000 < 0), &civil);
    at = put(at, (unsigned)civil.year, 4, '-');
    at = put(at, civil.month, 2, '-');
    at = put(at, civil.day, 2, 'T');
    at = put(at, civil.hour, 2, ':');
    at = put(at, civil.minute, 2, ':');
    at = put(at, civil.second, 2, '.');
    at = put(at, (unsigned)((wall_ms % 1000 + 1000) % 1000), 3, 'Z');
    *at = '\0';
}
