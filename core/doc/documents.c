#include "doc/documents.h"

#include "base/siphash.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* One for each group and for the whole, for clients and for operators: bounded by the config. */
struct entry {
    struct entry *next;
    char *group; /* NULL: the whole */
    bool internal;
    struct grc_document document;
    char *text;
};

struct grc_documents {
    pthread_mutex_t lock;
    struct entry *entries;
};

struct grc_documents *grc_documents_new(void)
{
    struct grc_documents *documents = calloc(1, sizeof(*documents));

    if (documents)
        pthread_mutex_init(&documents->lock, NULL);
    return documents;
}

static void free_entry(struct entry *entry)
{
    if (!entry)
        return;
    free(entry->group);
    free(entry->text);
    free(entry);
}

void grc_documents_free(struct grc_documents *documents)
{
    if (!documents)
        return;
    while (documents->entries) {
        struct entry *entry = documents->entries;

        documents->entries = entry->next;
        free_entry(entry);
    }
    pthread_mutex_destroy(&documents->lock);
    free(documents);
}

static bool is_for(const struct entry *entry, const struct grc_openapi_options *options)
{
    if (entry->internal != options->internal || !entry->group != !options->group)
        return false;
    return !entry->group || strcmp(entry->group, options->group) == 0;
}

static struct entry *make(const struct grc_runtime *runtime,
                          const struct grc_openapi_options *options)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    json_t *object = grc_openapi(runtime, options);

    if (entry) {
        entry->internal = options->internal;
        entry->group = options->group ? strdup(options->group) : NULL;
        entry->text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    }
    json_decref(object);
    if (entry && entry->text && (entry->group || !options->group)) {
        struct grc_siphash hash;
        struct grc_document *document = &entry->document;

        document->text = gr_str_of(entry->text);
        grc_siphash_begin_with(&hash, 0, 0); /* the same text has the same tag in every process */
        grc_siphash_add(&hash, document->text);
        snprintf(document->etag, sizeof(document->etag), "\"%016" PRIx64 "\"",
                 grc_siphash_end(&hash));
        return entry;
    }
    free_entry(entry);
    return NULL;
}

const struct grc_document *grc_document(const struct grc_runtime *runtime,
                                        const struct grc_openapi_options *options)
{
    struct grc_documents *documents = runtime->documents;
    struct entry *entry;

    if (options->group && !grc_openapi_has_group(runtime, options->group))
        return NULL;
    pthread_mutex_lock(&documents->lock);
    entry = documents->entries;
    while (entry && !is_for(entry, options))
        entry = entry->next;
    if (!entry) {
        entry = make(runtime, options);
        if (entry) {
            entry->next = documents->entries;
            documents->entries = entry;
        }
    }
    pthread_mutex_unlock(&documents->lock);
    return entry ? &entry->document : NULL;
}
