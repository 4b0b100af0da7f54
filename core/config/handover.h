/*
 * A copy of everything that was read for a config: contents of files, values of variables. The
 * process of an isolated group makes its settings from this copy and not from the disk. So it has
 * the same settings as the gateway even if the files have changed since, and needs neither the
 * rights nor the environment that the gateway had when it started.
 *
 * Everything here belongs to the thread that reads the config.
 */
#pragma once

#include "base/buf.h"

/* Descriptors that the process of a group finds open. */
#define GRC_HANDOVER_CALLS_FD 3   /* the socket to the gateway */
#define GRC_HANDOVER_CONFIG_FD 4  /* what grc_handover_write() wrote */
#define GRC_HANDOVER_LIBRARY_FD 5 /* the sealed bytes of the plugin */

struct grc_handover;

/* NULL without memory. */
struct grc_handover *grc_handover_new(void);
/* Wipes what it holds. NULL is fine. */
void grc_handover_free(struct grc_handover *handover);

/* From now on, notes what is read in this handover; NULL: in none. Returns the previous one. */
struct grc_handover *grc_handover_record(struct grc_handover *handover);
/* From now on, what is read concerns only this group; NULL: all groups. */
void grc_handover_owner(const char *group);
/* Appends what concerns all groups and what concerns this group, for the group's process. dir: the
 * config directory. GR_ERR_NO_MEMORY also when something could not be noted. */
enum gr_err grc_handover_write(const struct grc_handover *handover, const char *dir,
                               const char *group, struct grc_buf *out);

/* From now on, the config is read from these bytes alone, which stay the caller's and must live
 * until grc_handover_end(). false: grc_handover_write() has not written them. */
bool grc_handover_replay(gr_str bytes);
void grc_handover_end(void);
/* The group and the config directory that the bytes are for; NULL when there are none. */
const char *grc_handover_group(void);
const char *grc_handover_dir(void);

/* As grc_file_read(), for what belongs to the config. */
char *grc_handover_file(const char *path, size_t max_bytes, size_t *ret_len,
                        const char **ret_reason);
/* Notes the value of a variable (NULL: not set), or takes the noted one instead. */
const char *grc_handover_variable(const char *name, const char *value);
