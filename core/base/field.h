/* The syntax of HTTP fields (RFC 9110, section 5) as both sides of the gateway read it: names,
 * tokens and comma-separated lists. Pure functions; they allocate nothing. */
#pragma once

#include <greenroom/plugin.h>

/* True when the two are the same without regard to case. text is NUL-terminated. */
bool grc_field_is(gr_str name, const char *text);

/* True for a token (RFC 9110, section 5.6.2): every field name is one. False when empty. */
bool grc_field_token(gr_str text);

/* The text without the blanks and tabs around it. */
gr_str grc_field_trim(gr_str text);

/*
 * Takes the next member off a comma-separated list, trimmed. A list of n commas has n + 1 members,
 * of which some may be empty. Start with *list holding the whole value; false at its end.
 */
bool grc_field_next(gr_str *list, gr_str *ret_member);

/* True when a comma-separated list has this member, without regard to case. */
bool grc_field_has(gr_str list, const char *member);

/* Reads a number of decimal digits and nothing else, as Content-Length and Age have it. False when
 * there is anything else in it, or when it does not fit. */
bool grc_field_number(gr_str digits, int64_t *ret_number);
