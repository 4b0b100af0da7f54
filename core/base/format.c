#include "base/format.h"

#include <stdio.h>

char *grc_format_args(const char *format, va_list args)
{
    char *text = NULL;

    return vasprintf(&text, format, args) < 0 ? NULL : text;
}

char *grc_format(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = grc_format_args(format, args);
    va_end(args);
    return text;
}

bool grc_refuse(char **ret_reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *ret_reason = grc_format_args(format, args);
    va_end(args);
    return false;
}
