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

gr_str grc_int_text(int64_t value, char buffer[GRC_INT_SIZE])
{
    size_t at = GRC_INT_SIZE - 1;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    buffer[at] = '\0';
    do {
        buffer[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        buffer[--at] = '-';
    return (gr_str){buffer + at, GRC_INT_SIZE - 1 - at};
}

bool grc_refuse(char **ret_reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *ret_reason = grc_format_args(format, args);
    va_end(args);
    return false;
}
