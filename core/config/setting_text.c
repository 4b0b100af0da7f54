/* What the reader says and where it gets its texts from. */
#include "base/json.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/utf8.h"
#include "config/env.h"
#include "config/handover.h"
#include "config/setting.h"
#include "config/source.h"
#include "config/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SECRET_MAX_BYTES (64u * 1024)
#define TEXT_MAX_BYTES (64u * 1024)
#define MESSAGE_MAX_BYTES 4096u
#define DEPTH_MAX 64u
#define SHOWN_MAX_BYTES 60

/* --- messages --- */

/* Appending fails only when a message would get too long or without memory. The message is cut
 * then. */
void grc_path_write(struct grc_buf *buf, const struct grc_path *path)
{
    if (path->up)
        grc_path_write(buf, path->up);
    if (!path->name)
        (void)grc_buf_format(buf, "[%zu]", path->index);
    else
        (void)grc_buf_format(buf, "%s%s", path->up ? "." : "", path->name);
}

/* Writes a message after its place: the file with line and column, and the path. */
static void write_message(struct grc_buf *buf, const struct grc_reader *reader,
                          const struct grc_path *path, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static void write_message(struct grc_buf *buf, const struct grc_reader *reader,
                          const struct grc_path *path, const char *format, va_list args)
{
    char *place = path && !reader->joint ? grc_source_where(reader->where, path) : NULL;

    grc_buf_init(buf, MESSAGE_MAX_BYTES);
    (void)grc_buf_text(buf, place ? place : reader->where);
    free(place);
    if (path) {
        (void)grc_buf_text(buf, reader->joint ? reader->joint : ": ");
        grc_path_write(buf, path);
    }
    (void)grc_buf_text(buf, ": ");
    (void)grc_buf_vformat(buf, format, args);
}

void grc_reader_warn(const struct grc_reader *reader, const struct grc_path *path,
                     const char *format, ...)
{
    struct grc_buf buf;
    va_list args;

    if (!reader->report)
        return;
    va_start(args, format);
    write_message(&buf, reader, path, format, args);
    va_end(args);
    grc_warn("%s", buf.ptr ? buf.ptr : "out of memory");
    grc_buf_done(&buf);
}

void grc_reader_problem(struct grc_reader *reader, const struct grc_path *path, const char *format,
                        ...)
{
    struct grc_buf buf;
    va_list args;

    reader->problems++;
    if (!reader->report)
        return;
    va_start(args, format);
    write_message(&buf, reader, path, format, args);
    va_end(args);
    reader->report(reader->arg, buf.ptr ? buf.ptr : "out of memory");
    grc_buf_done(&buf);
}

static void add_string(struct grc_buf *buf, const struct grc_reader *reader, const json_t *found)
{
    gr_str text = {json_string_value(found), json_string_length(found)};
    bool cut = text.len > SHOWN_MAX_BYTES;

    if (reader->literal) {
        (void)grc_buf_format(buf, "something else in the environment variable %s", reader->literal);
        return;
    }
    if (memmem(text.ptr, text.len, "${", 2))
        (void)grc_buf_text(buf, "the value of ");
    text.len = cut ? SHOWN_MAX_BYTES : text.len;
    while (cut && text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
        text.len--; /* never cut inside of a character */
    (void)grc_buf_json_string(buf, text);
    if (cut)
        (void)grc_buf_text(buf, "…");
}

static void add_found(struct grc_buf *buf, const struct grc_reader *reader, bool hidden,
                      const json_t *found)
{
    if (json_is_object(found)) {
        (void)grc_buf_text(buf, "an object");
    } else if (json_is_array(found)) {
        (void)grc_buf_text(buf, "an array");
    } else if (hidden) {
        (void)grc_buf_text(buf, json_is_string(found) ? "a string" : "something else");
    } else if (json_is_string(found)) {
        add_string(buf, reader, found);
    } else {
        char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

        (void)grc_buf_text(buf, text ? text : "something else");
        free(text);
    }
}

void grc_reader_expected(struct grc_reader *reader, const struct grc_path *path,
                         const struct grc_setting *key, const char *expected, const json_t *found)
{
    struct grc_buf buf;
    char phrase[512];

    if (!expected) {
        grc_setting_expected(key, phrase, sizeof(phrase));
        expected = phrase;
    }
    grc_buf_init(&buf, MESSAGE_MAX_BYTES);
    add_found(&buf, reader, key && key->type == GRC_SETTING_SECRET, found);
    grc_reader_problem(reader, path, "expected %s, found %s", expected, buf.ptr ? buf.ptr : "?");
    grc_buf_done(&buf);
}

static void bound_text(const struct grc_setting *key, double bound, char ret_text[32])
{
    if (key->type == GRC_SETTING_MS)
        grc_duration_text((int64_t)bound, ret_text);
    else if (key->type == GRC_SETTING_BYTES)
        grc_bytes_text((int64_t)bound, ret_text);
    else
        snprintf(ret_text, 32, "%" PRId64, (int64_t)bound);
}

static void add_range(struct grc_buf *buf, const struct grc_setting *key, const char *unit)
{
    char min[32];
    char max[32];

    if (!key->range)
        return;
    if (isfinite(key->range->min))
        bound_text(key, key->range->min, min);
    if (isfinite(key->range->max))
        bound_text(key, key->range->max, max);
    if (isfinite(key->range->min) && isfinite(key->range->max))
        (void)grc_buf_format(buf, " from %s to %s%s", min, max, unit);
    else if (isfinite(key->range->min))
        (void)grc_buf_format(buf, " of at least %s%s", min, unit);
    else if (isfinite(key->range->max))
        (void)grc_buf_format(buf, " of at most %s%s", max, unit);
}

static void add_values(struct grc_buf *buf, const char *const *values)
{
    size_t i;

    for (i = 0; values[i]; i++) {
        const char *before = i == 0 ? "" : values[i + 1] ? ", " : " or ";

        (void)grc_buf_format(buf, "%s\"%s\"", before, values[i]);
    }
}

static void add_expected(struct grc_buf *buf, const struct grc_setting *key)
{
    static const char *const phrases[] = {
        [GRC_SETTING_BOOL] = "true or false",
        [GRC_SETTING_INT] = "an integer",
        [GRC_SETTING_MS] = "a duration such as \"10s\"",
        [GRC_SETTING_BYTES] = "a size such as \"64k\"",
        [GRC_SETTING_STRING] = "a string",
        [GRC_SETTING_SECRET] = "a string or {\"file\": \"PATH\"}",
        [GRC_SETTING_LIST] = "a list of strings",
        [GRC_SETTING_JSON] = "a JSON value",
        [GRC_SETTING_RAW] = "an object",
        [GRC_SETTING_OBJECT] = "an object",
        [GRC_SETTING_MAP] = "an object",
        [GRC_SETTING_CUSTOM] = "another value",
        [GRC_SETTING_NOTE] = "anything",
    };

    if (key->expected) {
        (void)grc_buf_text(buf, key->expected);
        return;
    }
    if (key->values) {
        add_values(buf, key->values);
        return;
    }
    (void)grc_buf_text(buf, phrases[key->type]);
    if (key->type == GRC_SETTING_STRING && key->range && key->range->min == 1 &&
        !isfinite(key->range->max))
        (void)grc_buf_text(buf, " that is not empty");
    else
        add_range(buf, key, key->type == GRC_SETTING_STRING ? " bytes" : "");
}

void grc_setting_expected(const struct grc_setting *key, char *ret_text, size_t size)
{
    struct grc_buf buf;

    grc_buf_init(&buf, size - 1);
    add_expected(&buf, key);
    snprintf(ret_text, size, "%s", buf.ptr ? buf.ptr : "another value");
    grc_buf_done(&buf);
}

/* --- texts --- */

static void report_unset(struct grc_reader *reader, const struct grc_path *path, const char *name,
                         bool secret)
{
    grc_reader_problem(
        reader, path, "the environment variable %s is not set: set it, or %s", name,
        secret ? "put the value here, or name a file that holds it as {\"file\": \"PATH\"}"
               : "put the value here");
}

bool grc_reader_text(struct grc_reader *reader, const struct grc_path *path, const json_t *string,
                     bool secret, const char **ret_text)
{
    gr_str text = {json_string_value(string), json_string_length(string)};
    enum grc_expand_result result = GRC_EXPAND_OK;
    char name[128] = "";
    struct grc_buf buf;

    grc_buf_init(&buf, TEXT_MAX_BYTES);
    if (reader->literal || reader->plain)
        result = grc_buf_str(&buf, text) == GR_OK ? GRC_EXPAND_OK : GRC_EXPAND_MEMORY;
    else
        result = grc_expand(&buf, text, secret, name, sizeof(name));
    *ret_text = NULL;
    if (result == GRC_EXPAND_OK) {
        *ret_text = grc_keep_copy(reader->keep, grc_buf_view(&buf));
        result = *ret_text ? GRC_EXPAND_OK : GRC_EXPAND_MEMORY;
    }
    if (buf.ptr)
        grc_wipe(buf.ptr, buf.cap);
    grc_buf_done(&buf);
    if (result == GRC_EXPAND_OK)
        return true;
    if (result == GRC_EXPAND_UNSET && (reader->unset_ok || grc_env_lenient()))
        return true;
    if (result == GRC_EXPAND_UNSET)
        report_unset(reader, path, name, secret);
    else if (result == GRC_EXPAND_SYNTAX)
        grc_reader_problem(reader, path,
                           "expected \"${NAME}\" or \"${NAME:-default}\" after \"$\" (\"$$\" "
                           "stands for one dollar sign)");
    else
        grc_reader_problem(reader, path, "longer than %u bytes, or out of memory", TEXT_MAX_BYTES);
    return false;
}

static json_t *expand_string(struct grc_reader *reader, const struct grc_path *path,
                             const json_t *value)
{
    const char *text = NULL;

    if (!grc_reader_text(reader, path, value, true, &text) || !text)
        return json_null();
    return json_string(text);
}

json_t *grc_reader_expand(struct grc_reader *reader, const struct grc_path *path,
                          const json_t *value)
{
    json_t *source = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    const char *name;
    json_t *copy;
    json_t *member;
    size_t i;
    int failed = 0;

    if (json_is_string(value))
        return expand_string(reader, path, value);
    if (!json_is_object(value) && !json_is_array(value))
        return json_deep_copy(value);
    copy = json_is_object(value) ? json_object() : json_array();
    json_object_foreach(source, name, member) {
        const struct grc_path here = {.up = path, .name = name};

        failed |= json_object_set_new(copy, name, grc_reader_expand(reader, &here, member));
    }
    json_array_foreach(source, i, member) {
        const struct grc_path here = {.up = path, .index = i};

        failed |= json_array_append_new(copy, grc_reader_expand(reader, &here, member));
    }
    if (failed) {
        grc_json_wipe(copy);
        return NULL;
    }
    return copy;
}

/* --- files --- */

const char *grc_reader_file(struct grc_reader *reader, const char *path)
{
    size_t size = strlen(path) + (reader->dir ? strlen(reader->dir) : 0) + 2;
    char *joined;

    if (path[0] == '/' || !reader->dir)
        return grc_keep_copy(reader->keep, gr_str_of(path));
    if (strcmp(path, ".") == 0)
        return grc_keep_copy(reader->keep, gr_str_of(reader->dir));
    joined = grc_keep_alloc(reader->keep, size);
    if (joined)
        snprintf(joined, size, "%s/%s", reader->dir, path);
    return joined;
}

bool grc_reader_secret_file(struct grc_reader *reader, const struct grc_path *path,
                            const json_t *name, const char **ret_text)
{
    const char *text = NULL;
    const char *reason = NULL;
    struct stat info;
    size_t len = 0;

    *ret_text = NULL;
    if (!grc_reader_text(reader, path, name, false, &text))
        return false;
    if (!text)
        return true;
    const char *file = grc_reader_file(reader, text);
    char *content = file ? grc_handover_file(file, SECRET_MAX_BYTES, &len, &reason) : NULL;
    if (!content) {
        if (grc_env_lenient())
            return true;
        grc_reader_problem(reader, path, "cannot read the secret file '%s': %s", file ? file : text,
                           reason ? reason : "out of memory");
        return false;
    }
    if (stat(file, &info) == 0 && (info.st_mode & S_IROTH))
        grc_warn("secret file '%s' can be read by every user of this machine: chmod o-r it", file);
    bool empty = content[strspn(content, "\r\n")] == '\0' && !memchr(content, '\0', len);
    bool fine = !empty && !memchr(content, '\0', len);
    if (fine)
        *ret_text = grc_keep_copy(reader->keep, (gr_str){content, len});
    else
        grc_reader_problem(reader, path, "the secret file '%s' %s", file,
                           empty ? "is empty" : "holds a NUL byte");
    grc_wipe(content, len);
    free(content);
    return fine;
}

static void problem_at(struct grc_reader *reader, unsigned line, unsigned column, const char *text)
{
    const char *where = reader->where;
    char place[512];

    snprintf(place, sizeof(place), "%s:%u:%u", where, line, column);
    reader->where = place;
    grc_reader_problem(reader, NULL, "%s", text);
    reader->where = where;
}

/* jansson names only one of the things that could follow, and no cause. */
static const char *what_was_expected(const json_error_t *error, const char *text)
{
    static const char value[] =
        "expected a value: a text in double quotes, a number, true, false, null, [ or {";
    static const struct {
        const char *text;
        const char *better;
    } better[] = {
        {"'}' expected", "expected ',' or '}' after the value before"},
        {"']' expected", "expected ',' or ']' after the value before"},
        {"string or '}' expected", "expected the name of a key in double quotes, or '}'"},
        {"'[' or '{' expected", "expected '{', with which the JSON object of a config begins"},
        {"':' expected", "expected ':' after the name of a key"},
        {"premature end of input", "the file ends within a text: its closing '\"' is missing"},
        {"unexpected newline",
         "the line ends within a text: close it with '\"', or write \\n for a line end in it"},
        {"too big integer", "the number has too many digits"},
        {"end of file expected", "expected the end of the file, since the object is complete"},
        {"invalid token", value},
        {"unexpected token", value},
    };

    if (json_error_code(error) == json_error_invalid_utf8)
        return "the file is not UTF-8: save it in that encoding";
    for (size_t i = 0; i < sizeof(better) / sizeof(better[0]); i++) {
        if (strcmp(text, better[i].text) == 0)
            return better[i].better;
    }
    return text;
}

/* jansson quotes the text near the error, which may be a secret: only a repeated key is shown. */
static void report_syntax(struct grc_reader *reader, const json_error_t *error)
{
    bool duplicate = json_error_code(error) == json_error_duplicate_key;
    char text[JSON_ERROR_TEXT_LENGTH];

    snprintf(text, sizeof(text), "%s", error->text);
    char *near = duplicate ? NULL : strstr(text, " near ");
    if (near)
        *near = '\0';
    /* jansson counts columns from 0 where it has not read anything yet. */
    problem_at(reader, (unsigned)error->line, error->column > 0 ? (unsigned)error->column : 1,
               what_was_expected(error, text));
}

static bool is_blank(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && strchr(" \t\r\n", text[at]) && text[at] != '\0')
        at++;
    return at == len;
}

json_t *grc_reader_parse_text(struct grc_reader *reader, char *text, size_t len)
{
    unsigned line = 0;
    unsigned column = 0;
    json_error_t error;
    size_t at = 0;

    if (!grc_source_clean(text, len, &at)) {
        grc_utf8_place((gr_str){text, len}, at, &line, &column);
        problem_at(reader, line, column, "the comment that begins here does not end");
        return NULL;
    }
    if (is_blank(text, len)) {
        problem_at(reader, 1, 1, "the file is empty, expected a JSON object");
        return NULL;
    }
    if (grc_json_guard((gr_str){text, len}, DEPTH_MAX, NULL) == GRC_JSON_TOO_DEEP) {
        grc_reader_problem(reader, NULL, "nested deeper than %u levels", DEPTH_MAX);
        return NULL;
    }
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        report_syntax(reader, &error);
    return root;
}

json_t *grc_reader_parse(struct grc_reader *reader, const char *file)
{
    const char *reason = NULL;
    size_t len = 0;
    char *text = grc_handover_file(file, GRC_SOURCE_MAX_BYTES, &len, &reason);
    json_t *root;

    if (!text) {
        grc_reader_problem(reader, NULL, "cannot be read: %s", reason);
        return NULL;
    }
    root = grc_reader_parse_text(reader, text, len);
    grc_wipe(text, len);
    free(text);
    return root;
}
