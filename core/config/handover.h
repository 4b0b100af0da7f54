/*
 * What one reading of the config took in: contents of files, values of variables. The process of an
 * isolated group makes its settings from a copy of that and not from the disk, so that it goes by
 * the same reading as the gateway, whatever has happened to the files since, and needs neither the
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

/* Notes what is read from here on; NULL ends it. Returns what was noting before. */
struct grc_handover *grc_handover_record(struct grc_handover *handover);
/* What is read from here on concerns this group alone; NULL: all of them. */
void grc_handover_owner(const char *group);
/* Appends what the process of one group is given: what concerns all groups, and it. dir: the config
 * directory. GR_ERR_NO_MEMORY also when something could not be noted. */
enum gr_err grc_handover_write(const struct grc_handover *handover, const char *dir,
                               const char *group, struct grc_buf *out);

/* From here on the config is read from these bytes alone, which stay the caller's and must live
 * until grc_handover_end(). false: they are not what grc_handover_write() writes. */
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
