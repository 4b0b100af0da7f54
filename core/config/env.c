#include "config/env.h"

#include "base/file.h"
#include "base/secure.h"
#include "config/handover.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A variable that a secret was read from. */
struct secret_variable {
    struct secret_variable *next;
    char *kept; /* its value, after grc_env_scrub() */
    char name[];
};

static struct secret_variable *secrets;
static bool lenient_on;

static struct secret_variable *secret_find(const char *name)
{
    struct secret_variable *at = secrets;

    while (at && strcmp(at->name, name) != 0)
        at = at->next;
    return at;
}

static void secret_note(const char *name)
{
    size_t size = strlen(name) + 1;
    struct secret_variable *variable;

    if (secret_find(name))
        return;
    variable = calloc(1, sizeof(*variable) + size);
    if (!variable)
        return; /* the variable then stays in the environment */
    memcpy(variable->name, name, size);
    variable->next = secrets;
    secrets = variable;
}

const char *grc_env_get(const char *name, bool secret)
{
    const char *value = getenv(name);

    if (!value) {
        struct secret_variable *variable = secret_find(name);

        value = variable ? variable->kept : NULL;
    } else if (secret) {
        secret_note(name);
    }
    return grc_handover_variable(name, value && value[0] ? value : NULL);
}

void grc_env_scrub(void)
{
    struct secret_variable *at;

    for (at = secrets; at; at = at->next) {
        char *value = getenv(at->name);
        char *copy = value ? strdup(value) : NULL;

        if (!copy)
            continue;
        grc_wipe_free(at->kept);
        at->kept = copy;
        grc_wipe(value, strlen(value));
        unsetenv(at->name);
    }
}

void grc_env_done(void)
{
    while (secrets) {
        struct secret_variable *variable = secrets;

        secrets = variable->next;
        grc_wipe_free(variable->kept);
        free(variable);
    }
}

void grc_env_lenient_set(bool lenient)
{
    lenient_on = lenient;
}

bool grc_env_lenient(void)
{
    return lenient_on;
}

static bool name_char(char c, bool first)
{
    return c == '_' || isalpha((unsigned char)c) || (!first && isdigit((unsigned char)c));
}

/* Expands "NAME}" or "NAME:-default}" at the start of text; *ret_used includes the brace. */
static enum grc_expand_result expand_one(struct grc_buf *buf, gr_str text, bool secret,
                                         gr_str *ret_name, size_t *ret_used)
{
    const char *close = memchr(text.ptr, '}', text.len);
    char name[128];
    size_t len = 0;

    if (!close)
        return GRC_EXPAND_SYNTAX;
    size_t inside = (size_t)(close - text.ptr);
    while (len < inside && name_char(text.ptr[len], len == 0))
        len++;
    bool has_default = inside - len >= 2 && memcmp(text.ptr + len, ":-", 2) == 0;
    if (len == 0 || len >= sizeof(name) || (len != inside && !has_default))
        return GRC_EXPAND_SYNTAX;
    memcpy(name, text.ptr, len);
    name[len] = '\0';

    const char *value = grc_env_get(name, secret);
    gr_str put = gr_str_of(value);
    if (!value && has_default)
        put = (gr_str){text.ptr + len + 2, inside - len - 2};
    *ret_name = (gr_str){text.ptr, len};
    if (!value && !has_default)
        return GRC_EXPAND_UNSET;
    *ret_used = inside + 1;
    return grc_buf_str(buf, put) == GR_OK ? GRC_EXPAND_OK : GRC_EXPAND_MEMORY;
}

enum grc_expand_result grc_expand(struct grc_buf *buf, gr_str text, bool secret, char *ret_name,
                                  size_t ret_size)
{
    size_t at = 0;

    while (at < text.len) {
        const char *dollar = memchr(text.ptr + at, '$', text.len - at);
        size_t end = dollar ? (size_t)(dollar - text.ptr) : text.len;
        char next = end + 1 < text.len ? text.ptr[end + 1] : '\0';

        if (grc_buf_add(buf, text.ptr + at, end - at) != GR_OK)
            return GRC_EXPAND_MEMORY;
        at = end;
        if (next == '{') {
            size_t used = 0;
            gr_str name = {NULL, 0};
            gr_str rest = {text.ptr + end + 2, text.len - end - 2};
            enum grc_expand_result result = expand_one(buf, rest, secret, &name, &used);

            if (result == GRC_EXPAND_UNSET)
                snprintf(ret_name, ret_size, "%.*s", (int)name.len, name.ptr);
            if (result != GRC_EXPAND_OK)
                return result;
            at = end + 2 + used;
        } else if (dollar) {
            if (grc_buf_char(buf, '$') != GR_OK)
                return GRC_EXPAND_MEMORY;
            at = end + (next == '$' ? 2 : 1);
        }
    }
    return GRC_EXPAND_OK;
}

/* --- a file of variables --- */

#define ENV_FILE_MAX_BYTES (256u * 1024)

static char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static char *unquote(char *value)
{
    size_t len = strlen(value);

    if (len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
        value[len - 1] = '\0';
        return value + 1;
    }
    return value;
}

/* Returns false when the line is not NAME=value. */
static bool take_line(char *line)
{
    char *name = trim(line);
    char *equals = strchr(name, '=');
    size_t len = 0;

    if (!name[0] || name[0] == '#')
        return true;
    if (!equals)
        return false;
    *equals = '\0';
    while (name_char(name[len], len == 0))
        len++;
    if (len == 0 || name[len])
        return false;
    return setenv(name, unquote(trim(equals + 1)), 0) == 0;
}

bool grc_env_read_file(const char *path, size_t *ret_line, const char **ret_reason)
{
    const char *reason = NULL;
    size_t len = 0;
    bool fine = true;

    *ret_line = 0;
    if (access(path, R_OK) != 0)
        return true; /* often only root may read it, and the service manager has */
    char *text = grc_file_read(path, ENV_FILE_MAX_BYTES, &len, &reason);
    if (!text) {
        *ret_reason = reason;
        return false;
    }
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line && fine; line = strsep(&rest, "\n")) {
        ++*ret_line;
        fine = take_line(line);
    }
    *ret_reason = "expected NAME=value";
    grc_wipe(text, len);
    free(text);
    return fine;
}
