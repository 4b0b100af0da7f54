#include "store/sql.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define HIGHEST_PARAMETER 65535u

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Returns the first byte after a comment that starts at `at`, or `at` when none does. Comments
 * nest. */
static const char *skip_comment(const char *at)
{
    if (at[0] == '-' && at[1] == '-') {
        while (*at && *at != '\n')
            at++;
        return at;
    }
    if (at[0] != '/' || at[1] != '*')
        return at;
    unsigned depth = 0;
    while (*at) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            depth--;
            at += 2;
            if (depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return at;
}

/* Returns the first byte after a quoted text that starts at `at`. A doubled quote does not end it.
 */
static const char *skip_quoted(const char *at, bool backslash)
{
    char quote = *at++;

    while (*at) {
        bool escapes = (backslash && *at == '\\' && at[1]) || (*at == quote && at[1] == quote);

        if (escapes)
            at += 2;
        else if (*at++ == quote)
            return at;
    }
    return at;
}

/* Returns the first byte after $tag$ … $tag$, or `at` when that does not start here. */
static const char *skip_dollars(const char *at)
{
    size_t tag = 1;

    if (is_digit(at[1]))
        return at;
    while (is_word(at[tag]))
        tag++;
    if (at[tag] != '$')
        return at;
    tag++;
    for (const char *end = at + tag; *end; end++) {
        if (strncmp(end, at, tag) == 0)
            return end + tag;
    }
    return at + strlen(at);
}

/* Returns the first byte after a comment, string or quoted name at `at`, or `at` when there is
 * none. */
static const char *skip_opaque(const char *start, const char *at)
{
    switch (*at) {
    case '-':
    case '/':
        return skip_comment(at);
    case '"':
        return skip_quoted(at, false);
    case '\'': {
        bool escapes =
            at > start && (at[-1] == 'E' || at[-1] == 'e') && (at - 1 == start || !is_word(at[-2]));
        return skip_quoted(at, escapes);
    }
    case '$':
        /* A dollar inside of a name is part of it. */
        return at > start && is_word(at[-1]) ? at : skip_dollars(at);
    default:
        return at;
    }
}

static const char *skip_blank(const char *at)
{
    for (;;) {
        const char *before = at;
        while (is_space(*at))
            at++;
        at = skip_comment(at);
        if (at == before)
            return at;
    }
}

static size_t word_len(const char *at)
{
    size_t len = 0;

    while (is_word(at[len]))
        len++;
    return len;
}

enum grc_sql_kind grc_sql_kind_of(const char *sql)
{
    static const char *const reads[] = {"SELECT", "VALUES"};
    static const char *const changes[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"};
    const char *at = skip_blank(sql);
    size_t len = word_len(at);

    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        if (strlen(reads[i]) == len && strncasecmp(at, reads[i], len) == 0)
            return GRC_SQL_READ;
    }
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (strlen(changes[i]) == len && strncasecmp(at, changes[i], len) == 0)
            return GRC_SQL_CHANGE;
    }
    return GRC_SQL_OTHER;
}

enum gr_err grc_sql_dollars(struct grc_buf *ret_sql, const char *sql, unsigned *ret_highest)
{
    const char *at = sql;
    const char *copied = sql;
    unsigned highest = 0;
    enum gr_err err;

    while (*at) {
        const char *after = skip_opaque(sql, at);
        if (after != at) {
            at = after;
            continue;
        }
        if (*at != '?' || !is_digit(at[1])) {
            at++;
            continue;
        }
        unsigned number = 0;
        const char *end = at + 1;
        while (is_digit(*end) && number <= HIGHEST_PARAMETER)
            number = number * 10 + (unsigned)(*end++ - '0');
        if (number == 0 || number > HIGHEST_PARAMETER)
            return GR_ERR_INVALID;
        err = grc_buf_add(ret_sql, copied, (size_t)(at - copied));
        if (err == GR_OK)
            err = grc_buf_format(ret_sql, "$%u", number);
        if (err != GR_OK)
            return err;
        highest = number > highest ? number : highest;
        at = end;
        copied = end;
    }
    err = grc_buf_add(ret_sql, copied, (size_t)(at - copied));
    if (err == GR_OK)
        *ret_highest = highest;
    return err;
}

static void cut(char *ret_text, size_t size, const char *from, size_t len)
{
    snprintf(ret_text, size, "%.*s", (int)(len < size ? len : size - 1), from);
}

static bool names_table(const char *word, size_t len)
{
    static const char *const before[] = {"FROM", "INTO", "UPDATE"};

    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        if (strlen(before[i]) == len && strncasecmp(word, before[i], len) == 0)
            return true;
    }
    return false;
}

static void table_of(const char *sql, char *ret_table, size_t size)
{
    const char *at = sql;

    ret_table[0] = '\0';
    while (*at) {
        const char *after = skip_opaque(sql, at);
        size_t len = word_len(at);

        if (after == at && len > 0 && names_table(at, len)) {
            at = skip_blank(at + len);
            at += *at == '"';
            cut(ret_table, size, at, word_len(at));
            return;
        }
        at = after != at ? after : at + (len > 0 ? len : 1);
    }
}

void grc_sql_summary(const char *sql, char *ret_operation, size_t operation_size, char *ret_table,
                     size_t table_size)
{
    const char *at = skip_blank(sql);

    cut(ret_operation, operation_size, at, word_len(at));
    for (char *c = ret_operation; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    table_of(at, ret_table, table_size);
}
