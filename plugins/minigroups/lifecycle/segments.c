#include "segments.h"

#include <errno.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 96
#define DURATION_MAX_S 1e9
#define TIME_MAX_MS 253402300799999 /* the end of the year 9999, Unix time */
#define LENGTH_MAX_MS 1000000000000 /* DURATION_MAX_S; sums of such numbers cannot overflow */

static void add(json_t *list, int64_t start, int64_t end)
{
    json_array_append_new(list, json_pack("[I, I]", (json_int_t)start, (json_int_t)end));
}

/* Reads "1772442007123,1500.0". */
static bool parse_line(gr_str line, int64_t *ret_start_ms, int64_t *ret_length_ms)
{
    char text[LINE_MAX_BYTES];
    char *end;

    if (line.len == 0 || line.len >= sizeof(text))
        return false;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];

        if (!((c >= '0' && c <= '9') || c == ',' || c == '.'))
            return false; /* strtod() would accept signs, exponents, hex digits, inf and nan */
        text[i] = c;
    }
    text[line.len] = '\0';
    errno = 0;
    long long start = strtoll(text, &end, 10);
    if (errno || end == text || *end != ',' || start > TIME_MAX_MS)
        return false;
    const char *number = end + 1;
    double duration = strtod(number, &end);
    if (end == number || *end || duration > DURATION_MAX_S)
        return false;
    *ret_start_ms = start;
    *ret_length_ms = (int64_t)(duration * 1000);
    return true;
}

json_t *mini_segments_parse(gr_str text, int64_t *ret_started_ms)
{
    json_t *list = json_array();
    int64_t first = 0;

    if (text.len && text.ptr[text.len - 1] == '\n')
        text.len--;
    for (bool more = true; more;) {
        const char *feed = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
        gr_str line = {text.ptr, feed ? (size_t)(feed - text.ptr) : text.len};
        int64_t start;
        int64_t length;

        if (!parse_line(line, &start, &length)) {
            json_decref(list);
            return NULL;
        }
        if (json_array_size(list) == 0)
            first = start;
        add(list, start - first, start - first + length);
        more = feed != NULL;
        text.ptr += line.len + more;
        text.len -= line.len + more;
    }
    *ret_started_ms = first;
    return list;
}

int64_t mini_segments_end(const json_t *segments)
{
    size_t count = json_array_size(segments);

    return count ? json_integer_value(json_array_get(json_array_get(segments, count - 1), 1)) : 0;
}

bool mini_segments_valid(const json_t *segments)
{
    for (size_t i = 0; i < json_array_size(segments); i++) {
        const json_t *pair = json_array_get(segments, i);
        const json_t *start = json_array_get(pair, 0);
        const json_t *end = json_array_get(pair, 1);

        if (json_array_size(pair) != 2 || !json_is_integer(start) || !json_is_integer(end) ||
            json_integer_value(start) < 0 || json_integer_value(start) > json_integer_value(end) ||
            json_integer_value(end) > LENGTH_MAX_MS)
            return false;
    }
    return json_is_array(segments);
}

bool mini_segments_start_valid(const json_t *started_ms)
{
    return json_is_integer(started_ms) && json_integer_value(started_ms) >= 0 &&
           json_integer_value(started_ms) <= TIME_MAX_MS;
}

json_t *mini_segments_pinned(const json_t *events, const char *agent, int64_t shift_ms,
                             int64_t end_ms)
{
    json_t *list = json_array();
    int64_t since = 0;
    bool open = false;

    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        const json_t *data = json_object_get(event, "data");
        const char *who = json_string_value(json_object_get(data, "agent_id"));
        int64_t at;

        if (__builtin_sub_overflow(
                json_integer_value(json_object_get(event, "occurred_at")) / 1000000, shift_ms, &at))
            continue;
        if (who && strcmp(who, agent) == 0) {
            since = open ? since : at;
            open = true;
        } else if (open) {
            open = false;
            if (at > since && since >= 0 && at <= end_ms)
                add(list, since, at);
        }
    }
    if (open && since >= 0 && since <= end_ms)
        add(list, since, end_ms);
    return list;
}

json_t *mini_segments_muted(const json_t *snapshots, const char *rtc_id, const char *flag,
                            int64_t started_ms, int64_t end_ms)
{
    json_t *list = json_array();
    int64_t since = 0;
    bool open = false;

    for (size_t i = 0; i < json_array_size(snapshots); i++) {
        const json_t *snapshot = json_array_get(snapshots, i);
        const char *rtc = json_string_value(json_object_get(snapshot, "rtc_id"));
        const json_t *on = json_object_get(snapshot, flag);
        int64_t at;

        if (__builtin_sub_overflow(json_integer_value(json_object_get(snapshot, "created_at")),
                                   started_ms, &at))
            continue;
        if (!rtc || strcmp(rtc, rtc_id) != 0 || at <= 0 || at >= end_ms)
            continue;
        if (json_is_false(on) && !open) {
            since = at;
            open = true;
        } else if (json_is_true(on) && open) {
            open = false;
            add(list, since, at);
        }
    }
    if (open)
        add(list, since, end_ms);
    return list;
}
