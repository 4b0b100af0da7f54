/* Writes what a row expects in words, for error messages. */
#include "validate/schema_nodes.h"

/* A longer text is cut between two pieces, which is fine for a message. */
#define EXPECTED_MAX_BYTES 2048u

struct text {
    struct grc_buf buf;
    enum gr_err err; /* nothing is added after the first failure */
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list args;

    if (text->err != GR_OK)
        return;
    va_start(args, format);
    text->err = grc_buf_vformat(&text->buf, format, args);
    va_end(args);
}

static bool is_bounded(const struct gr_field *row, bool *ret_low, bool *ret_high)
{
    *ret_low = row->range && isfinite(row->range->min);
    *ret_high = row->range && isfinite(row->range->max);
    return *ret_low || *ret_high;
}

/* Adds a number; a whole one without exponent. */
static void add_number(struct text *text, double value)
{
    if (grc_is_whole(value))
        add(text, "%.0f", value);
    else
        add(text, "%.15g", value);
}

static void add_value_range(struct text *text, const struct gr_field *row)
{
    bool low;
    bool high;

    if (!is_bounded(row, &low, &high))
        return;
    if (low && high && row->range->min >= row->range->max) {
        add(text, " that is ");
        add_number(text, row->range->min);
        return;
    }
    if (low) {
        add(text, "%s", high ? " from " : " of at least ");
        add_number(text, row->range->min);
    }
    if (high) {
        add(text, "%s", low ? " to " : " of at most ");
        add_number(text, row->range->max);
    }
}

/* Adds a text such as " of 1 to 5 elements". */
static void add_count_range(struct text *text, const struct gr_field *row, const char *before,
                            const char *unit)
{
    bool low;
    bool high;

    if (!is_bounded(row, &low, &high))
        return;
    low = low && row->range->min > 0;
    if (!low && !high)
        return;
    double last = high ? row->range->max : row->range->min;
    add(text, "%s", before);
    if (low && high && row->range->min >= row->range->max) {
        add(text, "exactly ");
    } else if (low && high) {
        add_number(text, row->range->min);
        add(text, " to ");
    } else {
        add(text, "%s", low ? "at least " : "at most ");
    }
    add_number(text, last);
    add(text, " %s%s", unit, last >= 1 && last <= 1 ? "" : "s");
}

static void add_values(struct text *text, const char *const *values)
{
    add(text, "%s", values[1] ? "one of " : "");
    for (size_t i = 0; values[i]; i++)
        add(text, "%s'%s'", i ? ", " : "", values[i]);
}

static void add_string(struct text *text, const struct gr_field *row)
{
    if (row->values) {
        add_values(text, row->values);
        return;
    }
    add(text, "a string");
    add_count_range(text, row, " of ", "character");
    if (row->pattern)
        add(text, " that matches %s", row->pattern);
}

static void add_integer(struct text *text, const struct gr_field *row)
{
    if (row->multiple_of > 0) {
        add(text, "a multiple of ");
        add_number(text, row->multiple_of);
    } else {
        add(text, "an integer");
    }
    add_value_range(text, row);
}

char *grc_schema_expected(const struct gr_field *row)
{
    struct text text = {.err = GR_OK};

    grc_buf_init(&text.buf, EXPECTED_MAX_BYTES);
    switch (row->type) {
    case GR_STRING:
        add_string(&text, row);
        break;
    case GR_INT:
        add_integer(&text, row);
        break;
    case GR_NUMBER:
        add(&text, "a number");
        add_value_range(&text, row);
        break;
    case GR_BOOL:
        add(&text, "true or false");
        break;
    case GR_TIME:
        add(&text, "an RFC 3339 timestamp");
        break;
    case GR_OBJECT:
        add(&text, "an object");
        break;
    case GR_ARRAY:
        add(&text, "an array");
        add_count_range(&text, row, " of ", "element");
        break;
    case GR_MAP:
        add(&text, "an object");
        add_count_range(&text, row, " of ", "member");
        break;
    default:
        add(&text, "a value");
        break;
    }
    if (text.err == GR_ERR_NO_MEMORY)
        grc_buf_done(&text.buf);
    return text.buf.ptr;
}
