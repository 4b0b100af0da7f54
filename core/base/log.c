#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_journal.h"
#include "base/log_sink.h"

#include <ctype.h>
#include <stdatomic.h>
#include <strings.h>

#define LINE_MAX_BYTES 16384u
#define LINE_USUAL_BYTES 1000u /* enough for most lines, which then need no second allocation */

static const char *const level_names[] = {"off", "error", "warn", "info", "debug"};

/* The log's own state is process-wide, because all threads and plugins write to the same log. */
static _Atomic int threshold = GR_LOG_INFO;
static _Atomic bool plain;
static _Atomic bool color;

void grc_log_level_set(enum gr_log_level level)
{
    atomic_store(&threshold, (int)level);
}

enum gr_log_level grc_log_level(void)
{
    return (enum gr_log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

void grc_log_plain_set(bool on)
{
    atomic_store(&plain, on);
}

void grc_log_color_set(bool on)
{
    atomic_store(&color, on);
}

/* The first letter is known to match. Comparing the second one first decides most of the time. */
static bool begins(const char *text, const char *word)
{
    return (text[1] | 0x20) == word[1] && strncasecmp(text, word, strlen(word)) == 0;
}

static bool secret_begins(const char *text)
{
    switch (text[0] | 0x20) {
    case 'a':
        return begins(text, "authorization");
    case 'c':
        return begins(text, "cookie") || begins(text, "credential");
    case 'p':
        return begins(text, "password") || begins(text, "passwd");
    case 'r':
        return begins(text, "rtmp_url");
    case 's':
        return begins(text, "secret") || begins(text, "stream_key");
    default:
        return false;
    }
}

/* This is the only place that decides which values are masked. */
static bool key_is_secret(const char *key)
{
    static const char *const whole[] = {"token", "key", "access_token"};
#define LETTER(c) (1u << ((c)&31))
    /* the second letters of the words in secret_begins(), by their first letter */
    static const uint32_t second[32] = {
        ['a' & 31] = LETTER('u'), ['c' & 31] = LETTER('o') | LETTER('r'), ['p' & 31] = LETTER('a'),
        ['r' & 31] = LETTER('t'), ['s' & 31] = LETTER('e') | LETTER('t'),
    };

    for (const char *at = key; *at; at++) {
        if ((second[at[0] & 31] & LETTER(at[1])) && secret_begins(at))
            return true;
    }
#undef LETTER
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        if ((key[0] | 0x20) == whole[i][0] && strcasecmp(key, whole[i]) == 0)
            return true;
    }
    return false;
}

/* Adds the value as "%.3f" prints it. */
static void add_real(struct grc_buf *line, double value)
{
    if (!(value >= 0.0 && value < 1e12)) {
        grc_buf_format(line, "%.3f", value);
        return;
    }
    int64_t thousandths = (int64_t)(value * 1000.0 + 0.5);
    char fraction[4] = {'.', (char)('0' + thousandths / 100 % 10),
                        (char)('0' + thousandths / 10 % 10), (char)('0' + thousandths % 10)};
    grc_buf_int(line, thousandths / 1000);
    grc_buf_add(line, fraction, sizeof(fraction));
}

static void add_value(struct grc_buf *line, const struct grc_log_field *field)
{
    const bool empty = field->kind == GRC_LOG_STR && field->s.len == 0;

    if (!empty && field->kind != GRC_LOG_REAL && key_is_secret(field->key.ptr)) {
        grc_buf_text(line, "\"***\"");
        return;
    }
    switch (field->kind) {
    case GRC_LOG_STR:
        grc_buf_json_string(line, field->s);
        break;
    case GRC_LOG_INT:
        grc_buf_int(line, field->i);
        break;
    case GRC_LOG_REAL:
        add_real(line, field->d);
        break;
    case GRC_LOG_BOOL:
        grc_buf_text(line, field->i ? "true" : "false");
        break;
    case GRC_LOG_END:
        break;
    }
}

/* Keys are literals of this program, in which nothing has to be escaped. */
static void add_key(struct grc_buf *line, gr_str key)
{
    if (grc_buf_reserve(line, key.len + 4) != GR_OK)
        return;
    char *at = line->ptr + line->len;
    memcpy(at, ",\"", 2);
    memcpy(at + 2, key.ptr, key.len);
    memcpy(at + 2 + key.len, "\":", 3);
    line->len += key.len + 4;
}

static void add_json(struct grc_buf *line, enum gr_log_level level, const char *time,
                     gr_str message, const struct grc_log_field *fields)
{
    grc_buf_text(line, "{\"time\":\"");
    grc_buf_text(line, time);
    grc_buf_text(line, "\",\"level\":\"");
    grc_buf_text(line, level_names[level]);
    grc_buf_text(line, "\",\"message\":");
    grc_buf_json_string(line, message);
    for (; fields && fields->kind != GRC_LOG_END; fields++) {
        add_key(line, fields->key);
        add_value(line, fields);
    }
    grc_buf_char(line, '}');
}

/* Control characters would let a client forge lines, so plain lines escape them too. */
static void add_clean(struct grc_buf *line, gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (iscntrl(c))
            grc_buf_format(line, "\\x%02x", c);
        else
            grc_buf_char(line, (char)c);
    }
}

static void add_plain(struct grc_buf *line, enum gr_log_level level, const char *time,
                      gr_str message, const struct grc_log_field *fields)
{
    /* SGR sequences of ECMA-48: red, yellow, green, faint; the keys of fields are faint, too. */
    static const char *const colors[] = {"", "\033[31m", "\033[33m", "\033[32m", "\033[2m"};
    bool colored = atomic_load_explicit(&color, memory_order_relaxed);
    const char *faint = colored ? "\033[2m" : "";
    const char *end = colored ? "\033[0m" : "";

    grc_buf_format(line, "%s%.8s%s %s%-5s%s ", faint, time + 11, end, colored ? colors[level] : "",
                   level_names[level], end);
    add_clean(line, message);
    for (; fields && fields->kind != GRC_LOG_END; fields++) {
        if (fields->kind == GRC_LOG_STR && fields->s.len == 0)
            continue; /* a person misses nothing */
        grc_buf_format(line, " %s%s=%s", faint, fields->key.ptr, end);
        add_value(line, fields);
    }
}

static void emit(enum gr_log_level level, gr_str message, const struct grc_log_field *fields)
{
    struct grc_buf line;
    char time[25];

    grc_time_format(grc_now_ms(), time);
    grc_buf_init(&line, LINE_MAX_BYTES);
    grc_buf_reserve(&line, LINE_USUAL_BYTES); /* when this fails, the line can still grow */
    bool record = grc_journal_used() && grc_journal_begin(&line, level, fields) == GR_OK;
    if (atomic_load_explicit(&plain, memory_order_relaxed))
        add_plain(&line, level, time, message, fields);
    else
        add_json(&line, level, time, message, fields);
    line.max_bytes += 2; /* a line at its limit still gets its line feed, and a record its end */
    if (grc_buf_text(&line, record ? "\n\n" : "\n") == GR_OK)
        grc_log_sink_put(line.ptr, line.len, level <= GR_LOG_WARN);
    grc_buf_done(&line);
}

void grc_log_fields(enum gr_log_level level, const char *message,
                    const struct grc_log_field *fields)
{
    if (level <= grc_log_level())
        emit(level, gr_str_of(message), fields);
}

void grc_log(enum gr_log_level level, const char *format, ...)
{
    struct grc_buf message;
    va_list args;

    if (level > grc_log_level())
        return;
    grc_buf_init(&message, LINE_MAX_BYTES / 2);
    va_start(args, format);
    if (grc_buf_vformat(&message, format, args) == GR_OK)
        emit(level, grc_buf_view(&message), NULL);
    va_end(args);
    grc_buf_done(&message);
}

/* --- where lines go --- */

static void tell_lost(uint64_t lines)
{
    grc_warn(
        "%llu lines of the log were lost: they came faster than they could be written, or could "
        "not be written",
        (unsigned long long)lines);
}

void grc_log_fd_set(int fd)
{
    grc_log_sink_fd_set(fd);
}

bool grc_log_queue_start(size_t max_bytes)
{
    return grc_log_sink_start(max_bytes, tell_lost);
}

void grc_log_queue_stop(void)
{
    grc_log_sink_stop();
}

uint64_t grc_log_lost(void)
{
    return grc_log_sink_lost();
}
