/*
 * The systemd journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram
 * for each line, with fields to filter by. It is implemented here, like the protocol of
 * sd_notify(3): it takes a few lines, and the gateway does not need libsystemd.
 *
 * A line for the journal is a record: fields "NAME=value", one a line, and an empty line. MESSAGE
 * is last, and is the line as it would be written elsewhere. Lines and records pass through the
 * same queue and can be told apart. Thread-safe, but for grc_journal_use().
 */
#pragma once

#include "base/buf.h"
#include "base/log.h"

#define GRC_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Whether standard error is the journal's, as JOURNAL_STREAM says (systemd.exec(5)). */
bool grc_journal_is_stderr(void);
/* True when the journal listens at path. Sets errno otherwise. */
bool grc_journal_listens(const char *path);
/* From now on lines go to the journal that listens at path, or no longer to it if path is NULL.
 * Called by one thread at a time. */
void grc_journal_use(const char *path);
bool grc_journal_used(void);

/* Begins a record: what follows is the value of MESSAGE, a line feed and an empty line. */
enum gr_err grc_journal_begin(struct grc_buf *record, enum gr_log_level level,
                              const struct grc_log_field *fields);
/* Returns the length of the record that the lines begin with; 0 when they begin with a line. */
size_t grc_journal_record(gr_str lines);
/* Returns the line in a record. */
gr_str grc_journal_line(gr_str record);
/* Sends a record to the journal. Returns false when it is not used any more, or cannot take the
 * record. */
bool grc_journal_send(gr_str record);
