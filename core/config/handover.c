#include "config/handover.h"

#include "base/file.h"
#include "base/secure.h"

#include <stdlib.h>

enum kind { GROUP = 1, DIRECTORY, FILE_CONTENT, VARIABLE };

/* One thing that was read. */
struct entry {
    struct entry *next;
    enum kind kind;
    char *owner; /* NULL: all groups */
    char *name;
    char *value; /* NUL-terminated */
    size_t len;
};

struct grc_handover {
    struct entry *entries;
    bool incomplete; /* something could not be noted for want of memory */
};

/* In front of each entry's name and value, which both have a NUL behind them. */
struct head {
    uint32_t kind;
    uint32_t name_len;
    uint32_t value_len;
};

static struct grc_handover *recording;
static const char *owner;
static gr_str replayed; /* ptr NULL: the config is read from the disk */

/* --- noting --- */

static void entry_free(struct entry *entry)
{
    if (entry->value)
        grc_wipe(entry->value, entry->len);
    free(entry->value);
    free(entry->name);
    free(entry->owner);
    free(entry);
}

struct grc_handover *grc_handover_new(void)
{
    return calloc(1, sizeof(struct grc_handover));
}

void grc_handover_free(struct grc_handover *handover)
{
    while (handover && handover->entries) {
        struct entry *entry = handover->entries;

        handover->entries = entry->next;
        entry_free(entry);
    }
    free(handover);
}

struct grc_handover *grc_handover_record(struct grc_handover *handover)
{
    struct grc_handover *before = recording;

    recording = handover;
    owner = NULL;
    return before;
}

void grc_handover_owner(const char *group)
{
    owner = group;
}

static bool same_owner(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_noted(enum kind kind, const char *name)
{
    for (const struct entry *at = recording->entries; at; at = at->next) {
        if (at->kind == kind && same_owner(at->owner, owner) && strcmp(at->name, name) == 0)
            return true;
    }
    return false;
}

static void note(enum kind kind, const char *name, gr_str value)
{
    if (!recording || is_noted(kind, name))
        return;
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry) {
        recording->incomplete = true;
        return;
    }
    entry->kind = kind;
    entry->owner = owner ? strdup(owner) : NULL;
    entry->name = strdup(name);
    entry->value = malloc(value.len + 1);
    if (!entry->name || !entry->value || (owner && !entry->owner)) {
        recording->incomplete = true;
        entry_free(entry);
        return;
    }
    if (value.len)
        memcpy(entry->value, value.ptr, value.len);
    entry->value[value.len] = '\0';
    entry->len = value.len;
    entry->next = recording->entries;
    recording->entries = entry;
}

/* --- writing --- */

static enum gr_err put(struct grc_buf *out, enum kind kind, gr_str name, gr_str value)
{
    const struct head head = {(uint32_t)kind, (uint32_t)name.len, (uint32_t)value.len};
    enum gr_err err = grc_buf_add(out, &head, sizeof(head));

    if (err == GR_OK)
        err = grc_buf_str(out, name);
    if (err == GR_OK)
        err = grc_buf_char(out, '\0');
    if (err == GR_OK)
        err = grc_buf_str(out, value);
    return err == GR_OK ? grc_buf_char(out, '\0') : err;
}

enum gr_err grc_handover_write(const struct grc_handover *handover, const char *dir,
                               const char *group, struct grc_buf *out)
{
    const gr_str none = {"", 0};
    enum gr_err err = put(out, GROUP, none, gr_str_of(group));

    if (err == GR_OK)
        err = put(out, DIRECTORY, none, gr_str_of(dir));
    for (const struct entry *at = handover->entries; at && err == GR_OK; at = at->next) {
        if (!at->owner || strcmp(at->owner, group) == 0)
            err = put(out, at->kind, gr_str_of(at->name), (gr_str){at->value, at->len});
    }
    return err == GR_OK && handover->incomplete ? GR_ERR_NO_MEMORY : err;
}

/* --- reading --- */

/* Takes one entry off the front. Returns false when there is none, and when it is malformed. */
static bool take(gr_str *rest, enum kind *ret_kind, const char **ret_name, gr_str *ret_value)
{
    struct head head;

    if (rest->len < sizeof(head))
        return false;
    memcpy(&head, rest->ptr, sizeof(head));
    size_t whole = sizeof(head) + (size_t)head.name_len + (size_t)head.value_len + 2;
    if (rest->len < whole)
        return false;
    const char *name = rest->ptr + sizeof(head);
    const char *value = name + head.name_len + 1;
    if (name[head.name_len] != '\0' || value[head.value_len] != '\0')
        return false;
    *ret_kind = (enum kind)head.kind;
    *ret_name = name;
    *ret_value = (gr_str){value, head.value_len};
    *rest = (gr_str){rest->ptr + whole, rest->len - whole};
    return true;
}

static const char *find(enum kind wanted, const char *wanted_name, size_t *ret_len)
{
    gr_str rest = replayed;
    enum kind kind = GROUP;
    const char *name = NULL;
    gr_str value = {NULL, 0};

    while (take(&rest, &kind, &name, &value)) {
        if (kind == wanted && strcmp(name, wanted_name) == 0) {
            *ret_len = value.len;
            return value.ptr;
        }
    }
    return NULL;
}

bool grc_handover_replay(gr_str bytes)
{
    gr_str rest = bytes;
    enum kind kind = GROUP;
    const char *name = NULL;
    gr_str value = {NULL, 0};

    while (rest.len > 0) {
        if (!take(&rest, &kind, &name, &value))
            return false;
    }
    replayed = bytes;
    return grc_handover_group() && grc_handover_dir();
}

void grc_handover_end(void)
{
    replayed = (gr_str){NULL, 0};
}

const char *grc_handover_group(void)
{
    size_t len = 0;

    return replayed.ptr ? find(GROUP, "", &len) : NULL;
}

const char *grc_handover_dir(void)
{
    size_t len = 0;

    return replayed.ptr ? find(DIRECTORY, "", &len) : NULL;
}

static char *copy_of(const char *path, size_t max_bytes, size_t *ret_len, const char **ret_reason)
{
    size_t len = 0;
    const char *content = find(FILE_CONTENT, path, &len);

    *ret_reason = !content ? "the gateway did not hand it over" : "larger than allowed";
    if (!content || len > max_bytes)
        return NULL;
    char *copy = malloc(len + 1);
    *ret_reason = "out of memory";
    if (!copy)
        return NULL;
    memcpy(copy, content, len + 1);
    *ret_len = len;
    return copy;
}

char *grc_handover_file(const char *path, size_t max_bytes, size_t *ret_len,
                        const char **ret_reason)
{
    if (replayed.ptr)
        return copy_of(path, max_bytes, ret_len, ret_reason);
    char *text = grc_file_read(path, max_bytes, ret_len, ret_reason);
    if (text)
        note(FILE_CONTENT, path, (gr_str){text, *ret_len});
    return text;
}

const char *grc_handover_variable(const char *name, const char *value)
{
    size_t len = 0;

    if (replayed.ptr)
        return find(VARIABLE, name, &len);
    if (value)
        note(VARIABLE, name, gr_str_of(value));
    return value;
}
