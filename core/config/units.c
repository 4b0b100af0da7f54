#include "config/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* In ascending order, since unit_text() takes the last unit that divides the value. */
static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {"g", 1024 * 1024 * 1024}, {NULL, 0},
};

static bool unit_parse(const struct unit *units, const char *text, int64_t *ret_value)
{
    const struct unit *unit = units;
    int64_t number = 0;
    size_t digits = 0;

    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text[digits] - '0', &number))
            return false;
    }
    if (digits == 0)
        return false;
    if (text[digits] != '\0') {
        while (unit->name && strcmp(unit->name, text + digits) != 0)
            unit++;
        if (!unit->name || __builtin_mul_overflow(number, unit->factor, &number))
            return false;
    }
    *ret_value = number;
    return true;
}

static void unit_text(const struct unit *units, int64_t value, char ret_text[32])
{
    const struct unit *best = units;
    const struct unit *unit;

    for (unit = units; unit->name && value != 0; unit++) {
        if (value % unit->factor == 0)
            best = unit;
    }
    snprintf(ret_text, 32, "%" PRId64 "%s", value / best->factor, value ? best->name : "");
}

bool grc_duration_parse(const char *text, int64_t *ret_ms)
{
    return unit_parse(durations, text, ret_ms);
}

bool grc_duration_lacks_unit(const char *text)
{
    int64_t number = 0;

    return grc_integer_parse(text, &number) && number != 0;
}

bool grc_bytes_parse(const char *text, int64_t *ret_bytes)
{
    return unit_parse(sizes, text, ret_bytes);
}

bool grc_integer_parse(const char *text, int64_t *ret_value)
{
    char *end;
    const char *digits = text + (text[0] == '-' ? 1 : 0);

    if (digits[0] < '0' || digits[0] > '9')
        return false;
    errno = 0;
    intmax_t value = strtoimax(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < INT64_MIN || value > INT64_MAX)
        return false;
    *ret_value = (int64_t)value;
    return true;
}

void grc_duration_text(int64_t ms, char ret_text[32])
{
    unit_text(durations, ms, ret_text);
}

void grc_bytes_text(int64_t bytes, char ret_text[32])
{
    unit_text(sizes, bytes, ret_text);
}
