/*
 * The text of a config file: what people may write beside JSON, and the place of a value in it.
 *
 * A file may have // and slash-star comments, a comma after the last member, and a byte order mark.
 * They are overwritten by blanks, so that positions in the parsed text are those in the file.
 */
#pragma once

#include "config/setting.h"

#define GRC_SOURCE_MAX_BYTES (4u * 1024 * 1024)

/* Overwrites with blanks what is not JSON. Returns false when a comment, which begins at *ret_at,
 * does not end. */
bool grc_source_clean(char *text, size_t len, size_t *ret_at);

/* The place of a member: where its name and its value begin, and where the value ends. */
struct grc_source_member {
    size_t name;
    size_t value;
    size_t end;
};
/* Finds a member of the object with its "{" at the given byte. The text must be clean JSON. Returns
 * false when there is no member of that name; then only ret_member->value is set, to the byte
 * behind the "{". */
bool grc_source_member(gr_str text, size_t object, const char *name,
                       struct grc_source_member *ret_member);

/* Returns the byte where the member or element that path names begins, or the last part of the path
 * that exists. The text must be clean JSON. */
size_t grc_source_find(gr_str text, const struct grc_path *path);

/* Returns "FILE:LINE:COLUMN" of a path in a file, malloc'ed; "FILE" alone when the file cannot be
 * read again. */
char *grc_source_where(const char *file, const struct grc_path *path);
/* Returns "FILE:LINE:COLUMN: PATH" of a path in the greenroom.json of a config directory,
 * malloc'ed, as messages of the reader begin. NULL without memory. */
char *grc_source_place_main(const char *dir, const struct grc_path *path);
/* Reports "FILE:LINE:COLUMN: PATH: TEXT" for a path in the greenroom.json of a config directory.
 * Always returns false, so that a check can end with it. */
bool grc_source_say_main(const char *dir, const struct grc_path *path, grc_report_fn *report,
                         void *arg, const char *format, ...) __attribute__((format(printf, 5, 6)));
