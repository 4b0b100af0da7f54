/* Clocks. Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Monotonic, for deadlines and durations. */
int64_t grc_mono_ms(void);
int64_t grc_mono_us(void);
/* The same, which also goes on while the machine is suspended. */
int64_t grc_boot_ms(void);
/* As pthread_cond_wait(), but at most until due_ms of the monotonic clock; returns false when that
 * moment has come. The condition needs no attributes. */
bool grc_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *held, int64_t due_ms);
/* Waits until *flag, which the held mutex guards, is set, or until due_ms. Returns the flag. */
bool grc_cond_wait_flag(pthread_cond_t *cond, pthread_mutex_t *held, const bool *flag,
                        int64_t due_ms);
/* The wall clock: milliseconds or microseconds since the Unix epoch. */
int64_t grc_now_ms(void);
int64_t grc_now_us(void);
/* Seconds since then, as of the last tick of the kernel: up to 10 ms late, and many times faster to
 * read. */
int64_t grc_now_s(void);
/* Writes "2026-11-22T10:11:12.345Z". Async-signal-safe. */
void grc_time_format(int64_t wall_ms, char ret_text[25]);

/* A moment in UTC. */
struct grc_civil {
    int64_t year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
    unsigned hour;
    unsigned minute;
    unsigned second;
    unsigned weekday; /* 0 is Sunday */
};
/* As gmtime_r(), but without the C library's lock on its time zone: every worker would wait for
 * that lock with each line it logs. */
void grc_civil_of(int64_t wall_s, struct grc_civil *ret);
