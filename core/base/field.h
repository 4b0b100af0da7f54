/* The syntax of HTTP fields (RFC 9110, section 5) as both sides of the gateway read it: names,
 * tokens and comma-separated lists. Pure functions; they allocate nothing. */
#pragma once

#include <greenroom/plugin.h>

#include <strings.h>

/* True when the two are the same without regard to case. text is NUL-terminated. Inline, since the
 * length of a literal is known to the compiler, and most names differ in it. */
static inline bool grc_field_is(gr_str name, const char *text)
{
    return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

/* True for a token (RFC 9110, section 5.6.2), which every field name has to be. False when empty.
 */
bool grc_field_token(gr_str text);

/* True for a value without control characters other than the tab (RFC 9110, section 5.5). */
bool grc_field_value(gr_str text);

/* Returns the text without the blanks and tabs around it. */
gr_str grc_field_trim(gr_str text);

/*
 * Takes the next member off a comma-separated list, trimmed. A list with n commas has n + 1
 * members, some of which may be empty. Start with the whole value in *list. Returns false at the
 * end.
 */
bool grc_field_next(gr_str *list, gr_str *ret_member);

/* True when a comma-separated list has this member, without regard to case. */
bool grc_field_has(gr_str list, const char *member);

/* True for the value of a Content-Type that is application/json or application/…+json (RFC 6839),
 * with any parameters and in any case. */
bool grc_field_json_type(gr_str type);

/* Reads a number that consists of decimal digits alone, like the value of Content-Length or Age.
 * False when the text is empty, has any other character, or when the number does not fit. */
bool grc_field_number(gr_str digits, int64_t *ret_number);
