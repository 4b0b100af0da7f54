#include "upstream/cache.h"

#include "base/field.h"
#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

#define SHARDS 8u
#define BUCKETS 1024u
#define MARKS 4096u
/* A call that fetches a late answer again has this long before another call tries. */
#define REVALIDATE_MS 10000
#define OVERHEAD 64u /* what the allocator adds, roughly */

struct entry {
    struct entry *next;  /* in its bucket */
    struct entry *newer; /* used later */
    struct entry *older;
    const void *upstream;
    uint64_t hash;
    uint32_t mark;
    bool no_credential;
    int64_t stored_ms;
    int64_t until_ms;
    int64_t asked_ms; /* when a call began to fetch it again */
    bool no_stale;
    int64_t age_s;
    int64_t generation;
    int64_t checked_ms;
    struct grc_answer *answer;
    size_t bytes;
    size_t target_len;
    size_t partition_len;
    char text[]; /* target, partition */
};

struct shard {
    pthread_mutex_t lock;
    struct entry *newest;
    struct entry *oldest;
    size_t bytes;
    struct entry *buckets[BUCKETS];
};

struct grc_cache {
    size_t shard_max_bytes;
    /* Numbers of writes, by path. When two paths share a number, a write to one also drops the
     * answers of the other. */
    _Atomic uint32_t marks[MARKS];
    struct shard shards[SHARDS];
};

struct grc_cache *grc_cache_new(size_t max_bytes)
{
    struct grc_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->shard_max_bytes = max_bytes / SHARDS;
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&cache->shards[i].lock, NULL);
    return cache;
}

static void entry_free(struct entry *entry)
{
    grc_answer_unref(entry->answer);
    free(entry);
}

void grc_cache_free(struct grc_cache *cache)
{
    for (size_t i = 0; cache && i < SHARDS; i++) {
        while (cache->shards[i].newest) {
            struct entry *entry = cache->shards[i].newest;
            cache->shards[i].newest = entry->older;
            entry_free(entry);
        }
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
    free(cache);
}

/* --- keys --- */

bool grc_cache_fits(const struct grc_exchange *exchange)
{
    return exchange->cache.ttl_ms > 0 && exchange->method == GR_METHOD_GET && !exchange->has_body &&
           !exchange->bearer && exchange->header_count == 0 && !exchange->alone;
}

struct grc_cache_key grc_cache_key(const struct grc_exchange *exchange, const void *upstream,
                                   uint64_t seed)
{
    struct grc_cache_key key = {.upstream = upstream,
                                .target = exchange->target,
                                .partition = exchange->partition,
                                .no_credential = exchange->no_credential};

    key.hash = grc_hash(seed ^ (uint64_t)(uintptr_t)upstream, key.target);
    key.hash = grc_hash(key.hash + key.no_credential, key.partition);
    return key;
}

static bool is_of(const struct entry *entry, const struct grc_cache_key *key)
{
    gr_str target = {entry->text, entry->target_len};
    gr_str partition = {entry->text + entry->target_len, entry->partition_len};

    return entry->hash == key->hash && entry->upstream == key->upstream &&
           entry->no_credential == key->no_credential && gr_str_eq(target, key->target) &&
           gr_str_eq(partition, key->partition);
}

gr_str grc_cache_path(gr_str target)
{
    const char *query = target.len ? memchr(target.ptr, '?', target.len) : NULL;

    return (gr_str){target.ptr, query ? (size_t)(query - target.ptr) : target.len};
}

gr_str grc_cache_parent(gr_str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    if (path.len > 0)
        path.len--;
    return path;
}

static _Atomic uint32_t *mark_of(struct grc_cache *cache, const void *upstream, gr_str path)
{
    return &cache->marks[grc_hash((uint64_t)(uintptr_t)upstream, path) % MARKS];
}

uint32_t grc_cache_mark(struct grc_cache *cache, const struct grc_cache_key *key)
{
    return atomic_load(mark_of(cache, key->upstream, grc_cache_path(key->target)));
}

void grc_cache_wrote(struct grc_cache *cache, const void *upstream, gr_str target)
{
    /* "/a/b/c", "/a/b", "/a" */
    for (gr_str path = grc_cache_path(target); path.len > 1; path = grc_cache_parent(path))
        atomic_fetch_add(mark_of(cache, upstream, path), 1);
}

/* --- lists; the shard's lock is held --- */

static struct shard *shard_of(struct grc_cache *cache, uint64_t hash)
{
    return &cache->shards[hash % SHARDS];
}

static struct entry **bucket_of(struct shard *shard, uint64_t hash)
{
    return &shard->buckets[hash / SHARDS % BUCKETS];
}

static void link_newest(struct shard *shard, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    if (shard->newest)
        shard->newest->newer = entry;
    else
        shard->oldest = entry;
    shard->newest = entry;
}

static void unlink_use(struct shard *shard, struct entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        shard->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        shard->oldest = entry->newer;
}

static void drop(struct shard *shard, struct entry *entry)
{
    struct entry **at = bucket_of(shard, entry->hash);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    unlink_use(shard, entry);
    shard->bytes -= entry->bytes;
    entry_free(entry);
}

static struct entry *find(struct shard *shard, const struct grc_cache_key *key)
{
    struct entry *entry = *bucket_of(shard, key->hash);

    while (entry && !is_of(entry, key))
        entry = entry->next;
    return entry;
}

/* --- looking up and keeping --- */

int64_t grc_cache_stale_ms(const struct grc_cache_settings *times)
{
    return times->stale_if_error_ms > times->stale_while_revalidate_ms
               ? times->stale_if_error_ms
               : times->stale_while_revalidate_ms;
}

/* Whether this caller gets the kept answer. Of the callers that find it late, one does not, and
 * asks the upstream for a new one; if that takes long, another caller asks too. */
static bool may_serve(struct entry *entry, const struct grc_cache_settings *times, int64_t now_ms)
{
    if (now_ms < entry->until_ms)
        return true;
    if (entry->no_stale || now_ms >= entry->until_ms + times->stale_while_revalidate_ms)
        return false;
    if (now_ms < entry->asked_ms + REVALIDATE_MS)
        return true;
    entry->asked_ms = now_ms;
    return false;
}

static struct grc_answer *use(struct shard *shard, struct entry *entry, int64_t now_ms,
                              struct grc_cache_found *ret_found)
{
    unlink_use(shard, entry);
    link_newest(shard, entry);
    *ret_found = (struct grc_cache_found){
        .state = GRC_CACHE_HIT,
        .age_s = entry->age_s + (now_ms - entry->stored_ms) / 1000,
        .fresh_s = (entry->until_ms - now_ms) / 1000,
        .generation = entry->generation,
        .checked_ms = entry->checked_ms,
    };
    if (now_ms >= entry->until_ms && ret_found->fresh_s == 0)
        ret_found->fresh_s = -1;
    return grc_answer_ref(entry->answer);
}

struct grc_answer *grc_cache_get(struct grc_cache *cache, const struct grc_cache_key *key,
                                 const struct grc_cache_settings *times, int64_t now_ms,
                                 struct grc_cache_found *ret_found)
{
    struct shard *shard = shard_of(cache, key->hash);
    struct grc_answer *answer = NULL;

    *ret_found = (struct grc_cache_found){.state = GRC_CACHE_MISS};
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find(shard, key);
    if (entry && (entry->mark != grc_cache_mark(cache, key) ||
                  now_ms >= entry->until_ms + (entry->no_stale ? 0 : grc_cache_stale_ms(times))))
        drop(shard, entry);
    else if (entry && may_serve(entry, times, now_ms))
        answer = use(shard, entry, now_ms, ret_found);
    else if (entry)
        ret_found->state = GRC_CACHE_STALE;
    pthread_mutex_unlock(&shard->lock);
    return answer;
}

struct grc_answer *grc_cache_get_stale(struct grc_cache *cache, const struct grc_cache_key *key,
                                       const struct grc_cache_settings *times, int64_t now_ms,
                                       struct grc_cache_found *ret_found)
{
    struct shard *shard = shard_of(cache, key->hash);
    struct grc_answer *answer = NULL;

    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find(shard, key);
    if (entry && !entry->no_stale && entry->mark == grc_cache_mark(cache, key) &&
        now_ms < entry->until_ms + times->stale_if_error_ms)
        answer = use(shard, entry, now_ms, ret_found);
    pthread_mutex_unlock(&shard->lock);
    return answer;
}

int64_t grc_cache_ttl_ms(const struct grc_exchange *exchange)
{
    int64_t ttl_ms = exchange->cache.ttl_ms;

    if (exchange->err != GR_OK || exchange->status != 200 || exchange->freshness.forbidden ||
        !grc_field_json_type(exchange->answer_type))
        return 0;
    if (exchange->freshness.max_age_s < 0)
        return ttl_ms;
    int64_t left_s = exchange->freshness.max_age_s - exchange->freshness.age_s;
    if (left_s <= 0)
        return 0;
    return left_s < ttl_ms / 1000 + 1 && left_s * 1000 < ttl_ms ? left_s * 1000 : ttl_ms;
}

static struct entry *entry_new(const struct grc_cache_key *key, struct grc_answer *answer)
{
    size_t texts = key->target.len + key->partition.len;
    struct entry *entry = malloc(sizeof(*entry) + texts);

    if (!entry)
        return NULL;
    *entry = (struct entry){.upstream = key->upstream,
                            .hash = key->hash,
                            .no_credential = key->no_credential,
                            .target_len = key->target.len,
                            .partition_len = key->partition.len};
    entry->bytes = sizeof(*entry) + texts + answer->bytes + OVERHEAD;
    memcpy(entry->text, key->target.ptr, key->target.len);
    if (key->partition.len)
        memcpy(entry->text + key->target.len, key->partition.ptr, key->partition.len);
    entry->answer = grc_answer_ref(answer);
    return entry;
}

bool grc_cache_put(struct grc_cache *cache, const struct grc_cache_key *key, uint32_t mark,
                   struct grc_answer *answer, int64_t now_ms, const struct grc_cache_life *life)
{
    struct shard *shard = shard_of(cache, key->hash);
    bool lives = life->ttl_ms > 0 || (life->generation && !life->no_stale);
    struct entry *entry = lives ? entry_new(key, answer) : NULL;

    if (!entry)
        return false;
    entry->mark = mark;
    entry->stored_ms = now_ms;
    entry->until_ms = now_ms + life->ttl_ms;
    entry->age_s = life->age_s;
    entry->no_stale = life->no_stale;
    entry->generation = life->generation;
    entry->checked_ms = life->checked_ms;
    entry->asked_ms = now_ms - REVALIDATE_MS;
    if (entry->bytes > cache->shard_max_bytes || mark != grc_cache_mark(cache, key)) {
        entry_free(entry);
        return false;
    }
    pthread_mutex_lock(&shard->lock);
    struct entry *old = find(shard, key);
    if (old)
        drop(shard, old);
    while (shard->bytes + entry->bytes > cache->shard_max_bytes)
        drop(shard, shard->oldest);
    entry->next = *bucket_of(shard, key->hash);
    *bucket_of(shard, key->hash) = entry;
    link_newest(shard, entry);
    shard->bytes += entry->bytes;
    pthread_mutex_unlock(&shard->lock);
    return true;
}

void grc_cache_check(struct grc_cache *cache, const struct grc_cache_key *key, int64_t generation,
                     int64_t checked_ms)
{
    struct shard *shard = shard_of(cache, key->hash);

    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find(shard, key);
    if (entry && entry->generation == generation)
        entry->checked_ms = checked_ms;
    else if (entry)
        drop(shard, entry);
    pthread_mutex_unlock(&shard->lock);
}

size_t grc_cache_bytes(struct grc_cache *cache)
{
    size_t bytes = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&cache->shards[i].lock);
        bytes += cache->shards[i].bytes;
        pthread_mutex_unlock(&cache->shards[i].lock);
    }
    return bytes;
}
