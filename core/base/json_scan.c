/* Scans JSON text without making a tree: brackets, memory of a tree, parts of a value. */
#include "base/json.h"

/*
 * The memory that jansson 2.14 allocates on a 64-bit machine, including headers of blocks. Tables
 * grow by doubling and are copied, so that they use up to three times the size of their contents.
 */
enum {
    OBJECT_BYTES = 80 + 144, /* json_object_t, and its first eight buckets */
    MEMBER_BYTES = 57 + 48,  /* struct hashtable_pair with the NUL behind its key, and its bucket */
    ARRAY_BYTES = 48 + 80,   /* json_array_t, and its first eight elements */
    ELEMENT_BYTES = 24,
    STRING_BYTES = 48,
    NUMBER_BYTES = 32,
    BLOCK_BYTES = 32, /* the smallest block */
    BLOCK_HEAD_BYTES = 8,
    BLOCK_STEP_BYTES = 16,
};

/* Returns the place of the quote that ends the string literal at `at`; SIZE_MAX when it does not
 * end. */
static size_t skip_string(gr_str text, size_t at)
{
    for (at++; at < text.len; at++) {
        if (text.ptr[at] == '\\')
            at++;
        else if (text.ptr[at] == '"')
            return at;
    }
    return SIZE_MAX;
}

static size_t block_bytes(size_t bytes)
{
    size_t block =
        (bytes + BLOCK_HEAD_BYTES + BLOCK_STEP_BYTES - 1) & ~(size_t)(BLOCK_STEP_BYTES - 1);

    return block < BLOCK_BYTES ? BLOCK_BYTES : block;
}

/* The state of a scan. */
struct scan {
    size_t memory;
    size_t string; /* bytes of the last string */
    size_t longest;
    bool in_word; /* a number, or true, false, null */
};

static void count_string(struct scan *scan, size_t bytes)
{
    scan->string = bytes;
    scan->memory += STRING_BYTES + block_bytes(bytes + 1);
    if (bytes > scan->longest)
        scan->longest = bytes;
}

/* The last string was the name of a member, and no value. */
static void count_member(struct scan *scan)
{
    size_t as_value = STRING_BYTES + block_bytes(scan->string + 1);

    scan->memory -= scan->memory < as_value ? scan->memory : as_value;
    scan->memory += block_bytes(MEMBER_BYTES - 48 + scan->string) + 48;
}

static void count_other(struct scan *scan, char c)
{
    bool digit = (c >= '0' && c <= '9') || c == '-';
    bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';

    if (digit && !scan->in_word)
        scan->memory += NUMBER_BYTES;
    scan->in_word = !space;
}

enum grc_json_verdict grc_json_guard(gr_str text, unsigned depth_max, size_t *ret_memory)
{
    struct scan scan = {0};
    unsigned depth = 0;
    size_t end;

    for (size_t at = 0; at < text.len; at++) {
        char c = text.ptr[at];

        switch (c) {
        case '"':
            end = skip_string(text, at);
            if (end == SIZE_MAX)
                return GRC_JSON_UNBALANCED;
            count_string(&scan, end - at - 1);
            at = end;
            break;
        case '[':
        case '{':
            if (depth == depth_max)
                return GRC_JSON_TOO_DEEP;
            depth++;
            scan.memory += c == '[' ? ARRAY_BYTES : OBJECT_BYTES;
            break;
        case ']':
        case '}':
            if (depth == 0)
                return GRC_JSON_UNBALANCED;
            depth--;
            break;
        case ',':
            scan.memory += ELEMENT_BYTES;
            break;
        case ':':
            count_member(&scan);
            break;
        default:
            count_other(&scan, c);
            continue;
        }
        scan.in_word = false;
    }
    if (ret_memory)
        *ret_memory = scan.memory + scan.longest; /* the scratch of grc_json_read() */
    return depth == 0 ? GRC_JSON_OK : GRC_JSON_UNBALANCED;
}

/* --- parts --- */

static size_t skip_space(gr_str text, size_t at)
{
    while (at < text.len && text.ptr[at] && strchr(" \t\r\n", text.ptr[at]))
        at++;
    return at;
}

bool grc_json_parts_begin(struct grc_json_parts *parts, gr_str text)
{
    size_t at = skip_space(text, 0);

    if (at == text.len || (text.ptr[at] != '[' && text.ptr[at] != '{'))
        return false;
    *parts = (struct grc_json_parts){.text = text, .at = at + 1, .members = text.ptr[at] == '{'};
    return true;
}

/* Returns the position of the next ',' or closing bracket after the value at `at`; SIZE_MAX if
 * there is none. */
static size_t skip_value(gr_str text, size_t at)
{
    size_t depth = 0;

    for (; at < text.len; at++) {
        char c = text.ptr[at];

        if (c == '"') {
            at = skip_string(text, at);
            if (at == SIZE_MAX)
                return SIZE_MAX;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            return at;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return SIZE_MAX;
}

static bool end_parts(struct grc_json_parts *parts, bool well)
{
    parts->broken = parts->broken || !well;
    return false;
}

/* The name of a member, and its colon. */
static bool take_name(struct grc_json_parts *parts, gr_str *ret_name)
{
    gr_str text = parts->text;
    size_t end = parts->at < text.len && text.ptr[parts->at] == '"' ? skip_string(text, parts->at)
                                                                    : SIZE_MAX;

    if (end == SIZE_MAX)
        return false;
    *ret_name = (gr_str){text.ptr + parts->at, end + 1 - parts->at};
    parts->at = skip_space(text, end + 1);
    return parts->at < text.len && text.ptr[parts->at++] == ':';
}

bool grc_json_parts_next(struct grc_json_parts *parts, gr_str *ret_name, gr_str *ret_value)
{
    const char closing = parts->members ? '}' : ']';
    gr_str text = parts->text;

    if (parts->broken)
        return false;
    parts->at = skip_space(text, parts->at);
    if (parts->at == text.len)
        return end_parts(parts, false);
    if (text.ptr[parts->at] == closing)
        return end_parts(parts, skip_space(text, parts->at + 1) == text.len);
    if (parts->count++ && text.ptr[parts->at++] != ',')
        return end_parts(parts, false);
    parts->at = skip_space(text, parts->at);
    *ret_name = (gr_str){NULL, 0};
    if (parts->members && !take_name(parts, ret_name))
        return end_parts(parts, false);
    parts->at = skip_space(text, parts->at);
    size_t end = skip_value(text, parts->at);
    if (end == SIZE_MAX)
        return end_parts(parts, false);
    *ret_value = (gr_str){text.ptr + parts->at, end - parts->at};
    parts->at = end;
    return true;
}
