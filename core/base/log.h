/*
 * The log: one JSON object per line on standard error (or a file descriptor for tests). Lines of
 * several threads never mix. Thread-safe.
 *
 * Values whose key names a secret (authorization, token, secret, password, key …) are masked here,
 * in one place, whichever part of the host or which plugin logs them.
 */
#pragma once

#include <greenroom/plugin.h>

enum grc_log_kind { GRC_LOG_END = 0, GRC_LOG_STR, GRC_LOG_INT, GRC_LOG_REAL, GRC_LOG_BOOL };

/* One key of a line. */
struct grc_log_field {
    const char *key;
    enum grc_log_kind kind;
    gr_str s;
    int64_t i;
    double d;
};
#define GRC_LS(key_, str_) ((struct grc_log_field){.key = (key_), .kind = GRC_LOG_STR, .s = (str_)})
#define GRC_LT(key_, text_) GRC_LS(key_, gr_str_of(text_))
#define GRC_LI(key_, int_)                                                                         \
    ((struct grc_log_field){.key = (key_), .kind = GRC_LOG_INT, .i = (int64_t)(int_)})
#define GRC_LD(key_, real_)                                                                        \
    ((struct grc_log_field){.key = (key_), .kind = GRC_LOG_REAL, .d = (real_)})
#define GRC_LOG_FIELDS(...) ((const struct grc_log_field[]){__VA_ARGS__, {.kind = GRC_LOG_END}})

/* Lines above this level are dropped. Set before threads start, or at reload. */
void grc_log_level_set(enum gr_log_level level);
enum gr_log_level grc_log_level(void);
/* false and no change when the name is not error, warn, info or debug. */
bool grc_log_level_parse(const char *name, enum gr_log_level *ret_level);
void grc_log_fd_set(int fd);
/*
 * From now on, until grc_log_queue_stop(), a thread writes the lines, some milliseconds after they
 * were logged, and no other thread ever waits for that. Lines that find max_bytes of others waiting
 * are lost and counted, and a line of the log says how many. max_bytes 0: each line is written at
 * once, as before. false without memory or thread.
 */
bool grc_log_queue_start(size_t max_bytes);
/* Writes what waits, before the process ends; gives up on a reader that has hung for three seconds.
 * Without effect when there is no queue. */
void grc_log_queue_stop(void);
/* Lines that were lost since the process began: for want of room, or because write(2) failed, as it
 * does on a full disk. */
uint64_t grc_log_lost(void);
/* When on, lines are plain text for a person at a terminal instead of JSON. */
void grc_log_plain_set(bool plain);

/* {"time":…,"level":…,"message":…,fields}. fields may be NULL. */
void grc_log_fields(enum gr_log_level level, const char *message,
                    const struct grc_log_field *fields);
void grc_log(enum gr_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define grc_error(...) grc_log(GR_LOG_ERROR, __VA_ARGS__)
#define grc_warn(...) grc_log(GR_LOG_WARN, __VA_ARGS__)
#define grc_info(...) grc_log(GR_LOG_INFO, __VA_ARGS__)
#define grc_debug(...) grc_log(GR_LOG_DEBUG, __VA_ARGS__)
