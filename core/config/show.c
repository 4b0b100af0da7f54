#include "config/show.h"

#include "base/buf.h"
#include "config/env.h"
#include "config/source.h"

#include <stdlib.h>
#include <strings.h>

#define MASK "********"
#define TEXT_MAX_BYTES (64u * 1024)

static json_t *shown;

/* --- what must not be seen --- */

static bool sounds_secret(const char *name)
{
    static const char *const words[] = {"secret", "password", "token", "credential", "key"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasestr(name, words[i]))
            return true;
    }
    return false;
}

/* A text that takes its value from a variable with such a name. */
static bool takes_secret(const char *text)
{
    const char *at = strstr(text, "${");
    char name[128];

    for (; at; at = strstr(at + 2, "${")) {
        size_t len = strcspn(at + 2, "}:");

        if (len >= sizeof(name))
            return true;
        memcpy(name, at + 2, len);
        name[len] = '\0';
        if (sounds_secret(name))
            return true;
    }
    return false;
}

/* --- values --- */

/* With its variables replaced; as it is written where one is not set. */
static json_t *expanded(const json_t *text)
{
    gr_str view = {json_string_value(text), json_string_length(text)};
    struct grc_buf buf;
    char name[128];
    json_t *result;

    grc_buf_init(&buf, TEXT_MAX_BYTES);
    if (grc_expand(&buf, view, false, name, sizeof(name)) == GRC_EXPAND_OK)
        result = json_stringn(buf.ptr ? buf.ptr : "", buf.len);
    else
        result = json_stringn(view.ptr, view.len);
    grc_buf_done(&buf);
    return result;
}

/* A copy for eyes: hidden says that every text in it is masked. */
static json_t *fit(const json_t *value, bool hidden, bool plain)
{
    json_t *source = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    const char *name;
    json_t *member;
    json_t *copy;
    size_t i;

    if (json_is_string(value)) {
        if (hidden || takes_secret(json_string_value(value)))
            return json_string(MASK);
        return plain ? json_deep_copy(value) : expanded(value);
    }
    if (!json_is_object(value) && !json_is_array(value))
        return json_deep_copy(value);
    copy = json_is_object(value) ? json_object() : json_array();
    json_object_foreach(source, name, member) {
        bool file = strcmp(name, "file") == 0;

        (void)json_object_set_new(copy, name,
                                  fit(member, !file && (hidden || sounds_secret(name)), plain));
    }
    json_array_foreach(source, i, member)
        (void)json_array_append_new(copy, fit(member, hidden, plain));
    return copy;
}

static json_t *value_of(const struct grc_note *note)
{
    bool secret = note->key->type == GRC_SETTING_SECRET;
    bool shapeless = note->key->type == GRC_SETTING_JSON && sounds_secret(note->key->name);

    /* The options of a plugin are told by its own rows. */
    if (note->key->type == GRC_SETTING_RAW)
        return NULL;
    if (!note->value)
        return json_null();
    json_t *value = fit(note->value, secret || shapeless, note->reader->literal != NULL);
    bool bare = note->key->type == GRC_SETTING_BOOL || note->key->type == GRC_SETTING_INT;
    json_t *number = bare && json_is_string(value)
                         ? json_loads(json_string_value(value), JSON_DECODE_ANY, NULL)
                         : NULL;
    if (!number)
        return value;
    json_decref(value);
    return number;
}

/* --- origins --- */

static const char *origin_name(enum grc_origin origin)
{
    static const char *const names[] = {
        [GRC_ORIGIN_FILE] = "file",
        [GRC_ORIGIN_VARIABLE] = "variable",
        [GRC_ORIGIN_DEFAULT] = "default",
    };

    return names[origin];
}

/* The text of the value where it is nothing but a variable: a default in it may be a secret. */
static const char *written(const struct grc_note *note)
{
    const char *text = json_string_value(note->value);
    bool secret = note->key->type == GRC_SETTING_SECRET;

    if (!text || note->reader->literal || !strstr(text, "${"))
        return NULL;
    return secret && strstr(text, ":-") ? NULL : text;
}

static void write_down(void *arg, const struct grc_note *note)
{
    json_t *value = value_of(note);
    char *at = NULL;
    struct grc_buf path;

    (void)arg;
    if (!value || note->key->type == GRC_SETTING_NOTE) {
        json_decref(value);
        return;
    }
    grc_buf_init(&path, 4096);
    grc_path_write(&path, note->path);
    if (note->origin == GRC_ORIGIN_FILE)
        at = grc_source_where(note->reader->where, note->path);
    json_array_append_new(shown,
                          json_pack("{s:s, s:s, s:o, s:s, s:s*, s:s*, s:s*}", "file",
                                    note->reader->where, "path", path.ptr ? path.ptr : "", "value",
                                    value, "origin", origin_name(note->origin), "at", at,
                                    "variable", note->reader->literal, "written", written(note)));
    free(at);
    grc_buf_done(&path);
}

void grc_show_begin(void)
{
    shown = json_array();
    grc_setting_note_set(write_down, NULL);
}

json_t *grc_show_end(void)
{
    json_t *list = shown;

    grc_setting_note_set(NULL, NULL);
    shown = NULL;
    return list;
}
