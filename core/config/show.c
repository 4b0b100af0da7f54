#include "config/show.h"

#include "base/buf.h"
#include "base/secure.h"
#include "base/siphash.h"
#include "config/env.h"
#include "config/source.h"

#include <stdlib.h>

#define MASK "********"
#define TEXT_MAX_BYTES (64u * 1024)

static json_t *shown;
static bool with_digests;

/* --- masking --- */

static bool sounds_secret(const char *name)
{
    static const char *const words[] = {"secret", "password", "token", "credential", "key"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasestr(name, words[i]))
            return true;
    }
    return false;
}

/* Whether a text contains a variable whose name sounds like that of a secret. */
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

/* The text with its variables replaced, or unchanged if one is not set. */
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

enum mask {
    MASK_NOTHING = 1,
    MASK_SECRETS, /* values that may be secrets by their names */
    MASK_ALL,     /* every text except for file names */
};

static enum mask mask_of_member(enum mask mask, const char *name)
{
    if (mask == MASK_NOTHING || strcmp(name, "file") == 0)
        return mask == MASK_NOTHING ? MASK_NOTHING : MASK_SECRETS;
    return sounds_secret(name) ? MASK_ALL : mask;
}

static json_t *fit_text(const json_t *text, enum mask mask, bool plain)
{
    if (mask == MASK_ALL || (mask == MASK_SECRETS && takes_secret(json_string_value(text))))
        return json_string(MASK);
    return plain ? json_deep_copy(text) : expanded(text);
}

/* A masked copy, with variables replaced (plain: it has none). */
static json_t *fit(const json_t *value, enum mask mask, bool plain)
{
    json_t *source = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    const char *name;
    json_t *member;
    json_t *copy;
    size_t i;

    if (json_is_string(value))
        return fit_text(value, mask, plain);
    if (!json_is_object(value) && !json_is_array(value))
        return json_deep_copy(value);
    copy = json_is_object(value) ? json_object() : json_array();
    json_object_foreach(source, name, member)
        (void)json_object_set_new(copy, name, fit(member, mask_of_member(mask, name), plain));
    json_array_foreach(source, i, member)
        (void)json_array_append_new(copy, fit(member, mask, plain));
    return copy;
}

/* Numbers and booleans may be written as texts. */
static json_t *bare(const struct grc_setting *key, json_t *stolen)
{
    bool wanted = key->type == GRC_SETTING_BOOL || key->type == GRC_SETTING_INT;
    json_t *number = wanted && json_is_string(stolen)
                         ? json_loads(json_string_value(stolen), JSON_DECODE_ANY, NULL)
                         : NULL;

    if (!number)
        return stolen;
    json_decref(stolen);
    return number;
}

static json_t *value_of(const struct grc_note *note)
{
    bool secret = note->key->type == GRC_SETTING_SECRET ||
                  (note->key->type == GRC_SETTING_JSON && sounds_secret(note->key->name));

    /* The options of a plugin are noted when its rows read them. */
    if (note->key->type == GRC_SETTING_RAW || note->key->type == GRC_SETTING_NOTE)
        return NULL;
    if (!note->value)
        return json_null();
    return bare(note->key,
                fit(note->value, secret ? MASK_ALL : MASK_SECRETS, note->reader->literal != NULL));
}

/* The key of the hash is random, so the digest does not reveal the value. NULL when it is not
 * wanted, and without memory. */
static json_t *digest_of(const struct grc_note *note)
{
    struct grc_siphash hash;

    if (!with_digests || !note->value)
        return NULL;
    json_t *value = bare(note->key, fit(note->value, MASK_NOTHING, note->reader->literal != NULL));
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    grc_json_wipe(value);
    if (!text)
        return NULL;
    grc_siphash_begin(&hash);
    grc_siphash_add(&hash, gr_str_of(text));
    grc_wipe(text, strlen(text));
    free(text);
    return json_integer((json_int_t)(grc_siphash_end(&hash) >> 1));
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

/* The text of a value that is only a variable, without a default, which may be a secret. */
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
    /* Settings that a plugin defines while it starts are not from a file. */
    json_t *value = note->reader->joint ? NULL : value_of(note);
    char *at = NULL;
    struct grc_buf path;

    (void)arg;
    if (!value)
        return;
    grc_buf_init(&path, 4096);
    grc_path_write(&path, note->path);
    if (note->origin == GRC_ORIGIN_FILE)
        at = grc_source_where(note->reader->where, note->path);
    json_array_append_new(shown, json_pack("{s:s, s:s, s:o, s:s, s:s*, s:s*, s:s*, s:o*}", "file",
                                           note->reader->where, "path", path.ptr ? path.ptr : "",
                                           "value", value, "origin", origin_name(note->origin),
                                           "at", at, "variable", note->reader->literal, "written",
                                           written(note), "digest", digest_of(note)));
    free(at);
    grc_buf_done(&path);
}

void grc_show_begin(bool digests)
{
    shown = json_array();
    with_digests = digests;
    grc_setting_note_set(write_down, NULL);
}

json_t *grc_show_end(void)
{
    json_t *list = shown;

    grc_setting_note_set(NULL, NULL);
    shown = NULL;
    return list;
}
