/* Texts made by printf's rules, in memory of their own. */
#pragma once

#include <greenroom/plugin.h>

#include <stdarg.h>

/* A malloc'ed text; NULL without memory. */
char *grc_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *grc_format_args(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* The digits of a number, as "%lld" prints them: the end of the buffer, with a NUL behind. */
#define GRC_INT_SIZE 21
gr_str grc_int_text(int64_t value, char buffer[GRC_INT_SIZE]);

/* What a noun ends with after its count: "1 route%s", "2 route%s". */
static inline const char *grc_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/*
 * Why something was refused: puts a malloc'ed text, or NULL without memory, into *ret_reason.
 * Always returns false, so that a check can end with it.
 */
bool grc_refuse(char **ret_reason, const char *format, ...) __attribute__((format(printf, 2, 3)));
