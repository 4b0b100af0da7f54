/*
 * The text of a config file: JSON as people write it, and where in it a value stands.
 *
 * Beside JSON a file may have // and slash-star comments, a comma after the last member, and a byte
 * order mark. They are blanked out in place, so that every position in what is parsed is the
 * position in the file.
 */
#pragma once

#include "config/setting.h"

#define GRC_SOURCE_MAX_BYTES (4u * 1024 * 1024)

/* Blanks out what is not JSON. false: a comment that begins at ret_at does not end. */
bool grc_source_clean(char *text, size_t len, size_t *ret_at);

/* Line and column of a byte, both from 1; the column counts characters of UTF-8. */
void grc_source_place(gr_str text, size_t at, unsigned *ret_line, unsigned *ret_column);

/* A member of an object: where its name and its value begin, and where the value ends. */
struct grc_source_member {
    size_t name;
    size_t value;
    size_t end;
};
/* Finds a member of the object whose "{" is at the given byte of a text that is known to be JSON
 * and clean. false: there is none of that name; then only ret_member->value is set, to just behind
 * the "{". */
bool grc_source_member(gr_str text, size_t object, const char *name,
                       struct grc_source_member *ret_member);

/* Finds what path names in such a text, or, where it is not there, the last of its parts that is:
 * the byte where the member's name or the element begins. */
size_t grc_source_find(gr_str text, const struct grc_path *path);

/* "FILE:LINE:COLUMN" of a path in a file, malloc'ed; just "FILE" when it cannot be read again. */
char *grc_source_where(const char *file, const struct grc_path *path);
