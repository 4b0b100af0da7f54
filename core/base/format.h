/* Texts made by printf's rules, in memory of their own. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A malloc'ed text; NULL without memory. */
char *grc_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *grc_format_args(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

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
