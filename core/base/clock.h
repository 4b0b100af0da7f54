/* Clocks. Thread-safe. */
#pragma once

#include <stdint.h>

/* Monotonic, for deadlines and durations. */
int64_t grc_mono_ms(void);
int64_t grc_mono_us(void);
/* Wall clock, since the Unix epoch, UTC. */
int64_t grc_now_ms(void);
/* "2026-11-22T10:11:12.345Z" */
void grc_time_format(int64_t wall_ms, char ret_text[25]);
