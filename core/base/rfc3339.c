#include "base/rfc3339.h"

struct cursor {
    gr_str text;
    size_t at;
    bool ok;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a number of exactly that many digits, from min to max. */
static int number(struct cursor *in, size_t digits, int min, int max)
{
    int value = 0;

    if (!in->ok || in->text.len - in->at < digits) {
        in->ok = false;
        return 0;
    }
    for (size_t i = 0; i < digits; i++) {
        char c = in->text.ptr[in->at + i];
        in->ok = in->ok && is_digit(c);
        value = value * 10 + (c - '0');
    }
    in->at += digits;
    in->ok = in->ok && value >= min && value <= max;
    return in->ok ? value : 0;
}

static bool take(struct cursor *in, char a, char b)
{
    if (!in->ok || in->at == in->text.len)
        return false;
    char c = in->text.ptr[in->at];
    if (c != a && c != b)
        return false;
    in->at++;
    return true;
}

static void expect(struct cursor *in, char a, char b)
{
    in->ok = take(in, a, b);
}

/* Reads an optional fraction of a second, in milliseconds. */
static int fraction_ms(struct cursor *in)
{
    size_t digits = 0;
    int ms = 0;

    if (!take(in, '.', '.'))
        return 0;
    for (; in->at < in->text.len && is_digit(in->text.ptr[in->at]); in->at++, digits++) {
        if (digits < 3)
            ms = ms * 10 + (in->text.ptr[in->at] - '0');
    }
    for (size_t i = digits; i < 3; i++)
        ms *= 10;
    in->ok = digits >= 1 && digits <= 9;
    return ms;
}

static int zone_minutes(struct cursor *in)
{
    if (take(in, 'Z', 'z'))
        return 0;
    int sign = take(in, '-', '-') ? -1 : 1;
    if (sign == 1)
        expect(in, '+', '+');
    int hours = number(in, 2, 0, 23);
    expect(in, ':', ':');
    int minutes = number(in, 2, 0, 59);
    return sign * (hours * 60 + minutes);
}

static int days_in_month(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days from the epoch, for the years 0 to 9999 of the Gregorian calendar. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t days = 0;

    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    int64_t before = year - 1; /* whole years since year 1 */
    int64_t leaps = before >= 0 ? before / 4 - before / 100 + before / 400 : -1;
    /* 719162 days lie between 0001-01-01 and 1970-01-01. */
    return before * 365 + leaps + days + day - 1 - 719162;
}

bool grc_rfc3339_parse(gr_str text, int64_t *ret_ms)
{
    struct cursor in = {.text = text, .ok = true};

    int year = number(&in, 4, 0, 9999);
    expect(&in, '-', '-');
    int month = number(&in, 2, 1, 12);
    expect(&in, '-', '-');
    int day = number(&in, 2, 1, 31);
    expect(&in, 'T', 't');
    int hour = number(&in, 2, 0, 23);
    expect(&in, ':', ':');
    int minute = number(&in, 2, 0, 59);
    expect(&in, ':', ':');
    int second = number(&in, 2, 0, 59);
    int ms = fraction_ms(&in);
    int zone = zone_minutes(&in);
    if (!in.ok || in.at != text.len || day > days_in_month(year, month))
        return false;
    int64_t minutes = (days_since_epoch(year, month, day) * 24 + hour) * 60 + minute - zone;
    if (ret_ms)
        *ret_ms = (minutes * 60 + second) * 1000 + ms;
    return true;
}
