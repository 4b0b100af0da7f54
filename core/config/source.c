#include "config/source.h"

#include "base/file.h"
#include "base/format.h"
#include "base/secure.h"
#include "base/utf8.h"
#include "config/handover.h"

#include <stdio.h>
#include <stdlib.h>

#define PLACE_MAX_BYTES 1024u /* a longer path is cut */

/* --- making it JSON --- */

static size_t skip_space(gr_str text, size_t at)
{
    while (at < text.len && text.ptr[at] && strchr(" \t\r\n", text.ptr[at]))
        at++;
    return at;
}

/* Returns the byte behind the closing quote of the string that begins at `at`. */
static size_t skip_string(gr_str text, size_t at)
{
    for (at++; at < text.len && text.ptr[at] != '"'; at++)
        at += text.ptr[at] == '\\';
    return at < text.len ? at + 1 : text.len;
}

/* Overwrites bytes with blanks. Line ends stay, so that lines keep their numbers. */
static void blank(char *text, size_t from, size_t to)
{
    for (; from < to; from++) {
        if (text[from] != '\n' && text[from] != '\r')
            text[from] = ' ';
    }
}

/* Returns the byte behind the comment that begins at `at`; 0 when it does not end. */
static size_t comment_end(gr_str text, size_t at)
{
    const char *from = text.ptr + at + 2;
    size_t left = text.len - at - 2;
    const char *end;

    if (text.ptr[at + 1] == '/') {
        end = memchr(from, '\n', left);
        return end ? (size_t)(end - text.ptr) : text.len;
    }
    end = memmem(from, left, "*/", 2);
    return end ? (size_t)(end - text.ptr) + 2 : 0;
}

bool grc_source_clean(char *text, size_t len, size_t *ret_at)
{
    gr_str view = {text, len};
    size_t comma = len; /* the last comma, if only blanks and comments have followed it */
    size_t at = 0;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        blank(text, 0, 3);
    while (at < len) {
        char c = text[at];
        bool comment = c == '/' && at + 1 < len && (text[at + 1] == '/' || text[at + 1] == '*');

        if (comment) {
            size_t end = comment_end(view, at);

            *ret_at = at;
            if (end == 0)
                return false;
            blank(text, at, end);
            at = end;
            continue;
        }
        if ((c == '}' || c == ']') && comma < len)
            text[comma] = ' ';
        if (c == ',')
            comma = at;
        else if (!strchr(" \t\r\n", c) || !c)
            comma = len;
        at = c == '"' ? skip_string(view, at) : at + 1;
    }
    return true;
}

/* --- finding things in it --- */

/* Returns the byte behind the value that begins at `at`. */
static size_t skip_value(gr_str text, size_t at)
{
    size_t depth = 0;

    while (at < text.len) {
        char c = text.ptr[at];

        if (c == '"') {
            at = skip_string(text, at);
            if (depth == 0)
                return at;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']' || strchr(" \t\r\n", c)))
            return at;
        depth += c == '{' || c == '[';
        at++;
        if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return text.len;
}

/* Returns the byte behind the blanks, and the comma if there is one, that follow a value. */
static size_t skip_comma(gr_str text, size_t at)
{
    at = skip_space(text, at);
    return at < text.len && text.ptr[at] == ',' ? skip_space(text, at + 1) : at;
}

bool grc_source_member(gr_str text, size_t object, const char *name,
                       struct grc_source_member *ret_member)
{
    size_t at = object + 1 < text.len ? object + 1 : text.len;

    *ret_member = (struct grc_source_member){.value = at};
    at = skip_space(text, at);
    while (at < text.len && text.ptr[at] == '"') {
        size_t name_end = skip_string(text, at);
        gr_str found = {text.ptr + at + 1, name_end - at - 2};
        size_t value = skip_space(text, skip_space(text, name_end) + 1); /* behind the colon */
        size_t end = skip_value(text, value);

        if (gr_str_eq(found, gr_str_of(name))) {
            *ret_member = (struct grc_source_member){at, value, end};
            return true;
        }
        at = skip_comma(text, end);
    }
    return false;
}

/* Finds where the index-th element of an array begins. Returns false when there are fewer. */
static bool find_element(gr_str text, size_t array, size_t index, size_t *ret_at)
{
    size_t at = skip_space(text, array + 1);

    while (index > 0 && at < text.len && text.ptr[at] != ']') {
        at = skip_comma(text, skip_value(text, at));
        index--;
    }
    *ret_at = at;
    return at < text.len && text.ptr[at] != ']';
}

/* Finds what path names: *ret_at is the byte to show, *ret_value the byte where its value begins.
 */
static bool walk(gr_str text, const struct grc_path *path, size_t *ret_at, size_t *ret_value)
{
    struct grc_source_member member;
    size_t value = skip_space(text, 0);

    *ret_at = value;
    if (path->up && !walk(text, path->up, ret_at, &value))
        return false;
    if (value >= text.len)
        return false;
    if (path->name) {
        if (text.ptr[value] != '{' || !grc_source_member(text, value, path->name, &member))
            return false;
        *ret_at = member.name;
        *ret_value = member.value;
        return true;
    }
    if (text.ptr[value] != '[' || !find_element(text, value, path->index, ret_value))
        return false;
    *ret_at = *ret_value;
    return true;
}

size_t grc_source_find(gr_str text, const struct grc_path *path)
{
    size_t value = 0;
    size_t at = 0;

    walk(text, path, &at, &value);
    return at;
}

char *grc_source_where(const char *file, const struct grc_path *path)
{
    const char *reason = NULL;
    char *where = NULL;
    size_t len = 0;
    size_t at = 0;
    char *text = grc_handover_file(file, GRC_SOURCE_MAX_BYTES, &len, &reason);

    if (text && grc_source_clean(text, len, &at)) {
        unsigned line = 0;
        unsigned column = 0;
        gr_str view = {text, len};

        grc_utf8_place(view, grc_source_find(view, path), &line, &column);
        where = grc_format("%s:%u:%u", file, line, column);
    }
    if (text)
        grc_wipe(text, len);
    free(text);
    return where ? where : strdup(file);
}

char *grc_source_place_main(const char *dir, const struct grc_path *path)
{
    char *file = grc_path_join(dir, "greenroom.json");
    char *where = file ? grc_source_where(file, path) : NULL;
    char *place = NULL;
    struct grc_buf text;

    grc_buf_init(&text, PLACE_MAX_BYTES);
    grc_path_write(&text, path);
    if (where && text.ptr)
        place = grc_format("%s: %s", where, text.ptr);
    grc_buf_done(&text);
    free(where);
    free(file);
    return place;
}

bool grc_source_say_main(const char *dir, const struct grc_path *path, grc_report_fn *report,
                         void *arg, const char *format, ...)
{
    char *place = grc_source_place_main(dir, path);
    va_list args;

    va_start(args, format);
    char *text = grc_format_args(format, args);
    va_end(args);
    char *line = place && text ? grc_format("%s: %s", place, text) : NULL;
    if (report)
        report(arg, line ? line : "out of memory");
    free(line);
    free(text);
    free(place);
    return false;
}
