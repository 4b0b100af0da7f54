#include "base/clock.h"

#include <stdio.h>
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

int64_t grc_now_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void grc_time_format(int64_t wall_ms, char ret_text[25])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char date[21];

    if (!gmtime_r(&seconds, &parts) ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        snprintf(date, sizeof(date), "%s", "0001-01-01T00:00:00");
    snprintf(ret_text, 25, "%.19s.%03uZ", date, (unsigned)(wall_ms % 1000) % 1000u);
}
