#include "redis/redis.h"

#include "base/clock.h"
#include "base/secure.h"
#include "redis/library.h"
#include "redis/transport.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct grc_redis {
    struct grc_redis_transport *transport;
    redisReader *reader;
    struct grc_buf out;
    size_t reply_max;
    int64_t timeout_ms;
    int64_t deadline_ms; /* of the answers to what was sent */
};

void grc_redis_script_init(struct grc_redis_script *script, const char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    unsigned count = 0;

    script->text = text;
    /* The server names scripts by SHA-1; without it, each call is answered by "no script". */
    (void)EVP_Digest(text, strlen(text), digest, &count, EVP_sha1(), NULL);
    grc_hex(digest, 20, script->sha1);
}

/* --- what went wrong --- */

/* What the first word of an error means to an operator. */
static const struct {
    const char *word;
    const char *meaning;
} errors[] = {
    {"NOAUTH", "it wants a password, and the URL has none"},
    {"WRONGPASS", "it refuses the user or the password of the URL"},
    {"NOPERM", "its user may not do this (ACL)"},
    {"OOM", "its memory is full (maxmemory)"},
    {"READONLY", "it is a replica that takes no writes"},
    {"LOADING", "it is still loading its data"},
    {"MISCONF", "it takes no writes, since it cannot save its data"},
    {"NOREPLICAS", "it takes no writes, since it has too few replicas"},
    {"MASTERDOWN", "it is a replica without its primary"},
    {"MOVED", "it is a node of a cluster, which cannot be used for this"},
    {"CLUSTERDOWN", "it is a node of a cluster, which cannot be used for this"},
    {"BUSY", "it is busy with a script"},
};

/* Renders an error of the server. The answer to AUTH may repeat what was sent, so of an unknown
 * error only the first word is shown then. */
static void explain(const redisReply *reply, bool of_login, char reason[GRC_REDIS_REASON])
{
    size_t word = strcspn(reply->str, " ");

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strlen(errors[i].word) == word && strncmp(errors[i].word, reply->str, word) == 0) {
            snprintf(reason, GRC_REDIS_REASON, "%s: %s", errors[i].word, errors[i].meaning);
            return;
        }
    }
    if (of_login)
        snprintf(reason, GRC_REDIS_REASON, "it refuses the login with the error %.*s",
                 (int)(word < 20 ? word : 20), reply->str);
    else
        snprintf(reason, GRC_REDIS_REASON, "it answers with the error: %.120s", reply->str);
    for (char *at = reason; *at; at++) {
        if ((unsigned char)*at < ' ')
            *at = ' ';
    }
}

/* --- commands and replies --- */

/* lengths: NULL when all words are texts without a NUL. */
static bool queue(struct grc_redis *redis, int count, const char **words, const size_t *lengths)
{
    char *command = NULL;
    long long len = grc_hiredis()->redisFormatCommandArgv(&command, count, words, lengths);

    if (len < 0)
        return false;
    bool fine = grc_buf_add(&redis->out, command, (size_t)len) == GR_OK;
    grc_wipe(command, (size_t)len); /* it may be the login */
    grc_hiredis()->redisFreeCommand(command);
    return fine;
}

static bool send_queued(struct grc_redis *redis, char reason[GRC_REDIS_REASON])
{
    gr_str bytes = {redis->out.ptr, redis->out.len};

    redis->deadline_ms = grc_mono_ms() + redis->timeout_ms;
    bool sent = grc_redis_transport_write(redis->transport, bytes, redis->deadline_ms, reason);
    grc_wipe(redis->out.ptr, redis->out.len);
    grc_buf_clear(&redis->out);
    return sent;
}

/* Returns the oldest reply, to be freed; NULL with a reason. */
static redisReply *next_reply(struct grc_redis *redis, char reason[GRC_REDIS_REASON])
{
    const struct grc_hiredis *hiredis = grc_hiredis();
    redisReply *reply = NULL;
    char bytes[16384];
    size_t read = 0;

    snprintf(reason, GRC_REDIS_REASON, "out of memory");
    if (redis->out.len > 0 && !send_queued(redis, reason))
        return NULL;
    for (;;) {
        if (hiredis->redisReaderGetReply(redis->reader, (void **)&reply) != REDIS_OK) {
            snprintf(reason, GRC_REDIS_REASON, "what answers there is no Redis server (%.80s)",
                     redis->reader->errstr);
            return NULL;
        }
        if (reply)
            return reply;
        size_t count = read < redis->reply_max
                           ? grc_redis_transport_read(redis->transport, bytes, sizeof(bytes),
                                                      redis->deadline_ms, reason)
                           : 0;
        if (read >= redis->reply_max)
            snprintf(reason, GRC_REDIS_REASON, "its answer is larger than %zu bytes",
                     redis->reply_max);
        read += count;
        if (count == 0 || hiredis->redisReaderFeed(redis->reader, bytes, count) != REDIS_OK)
            return NULL;
    }
}

/* --- connecting --- */

/* Runs one command of the login. */
static bool run(struct grc_redis *redis, bool of_login, int count, const char **words,
                char reason[GRC_REDIS_REASON])
{
    redisReply *reply = queue(redis, count, words, NULL) ? next_reply(redis, reason) : NULL;

    if (!reply)
        return false;
    bool fine = reply->type != REDIS_REPLY_ERROR;
    if (!fine)
        explain(reply, of_login, reason);
    grc_hiredis()->freeReplyObject(reply);
    return fine;
}

static bool log_in(struct grc_redis *redis, const struct grc_redis_url *url,
                   char reason[GRC_REDIS_REASON])
{
    const char *auth[3] = {"AUTH"};
    int count = 1;

    if (!url->password)
        return true;
    if (url->user)
        auth[count++] = url->user;
    auth[count++] = url->password;
    return run(redis, true, count, auth, reason);
}

static bool select_database(struct grc_redis *redis, unsigned database,
                            char reason[GRC_REDIS_REASON])
{
    char number[16];
    const char *words[] = {"SELECT", number};

    if (database == 0)
        return true;
    snprintf(number, sizeof(number), "%u", database);
    return run(redis, false, 2, words, reason);
}

struct grc_redis *grc_redis_connect(const struct grc_redis_url *url, const char *ca_file,
                                    int64_t timeout_ms, const struct grc_redis_sizes *sizes,
                                    char reason[GRC_REDIS_REASON])
{
    struct grc_redis *redis = calloc(1, sizeof(*redis));

    snprintf(reason, GRC_REDIS_REASON, "out of memory");
    if (!redis)
        return NULL;
    redis->timeout_ms = timeout_ms;
    redis->reply_max = sizes->reply_max;
    grc_buf_init(&redis->out, sizes->queue_max);
    redis->reader = grc_hiredis()->redisReaderCreate();
    if (redis->reader)
        redis->transport =
            grc_redis_transport_open(url, ca_file, grc_mono_ms() + timeout_ms, reason);
    if (redis->transport && log_in(redis, url, reason) &&
        select_database(redis, url->database, reason))
        return redis;
    grc_redis_close(redis);
    return NULL;
}

void grc_redis_close(struct grc_redis *redis)
{
    if (!redis)
        return;
    grc_redis_transport_close(redis->transport);
    if (redis->reader)
        grc_hiredis()->redisReaderFree(redis->reader);
    grc_buf_done(&redis->out);
    free(redis);
}

/* --- scripts --- */

bool grc_redis_call(struct grc_redis *redis, const struct grc_redis_script *script, bool whole,
                    const gr_str *words, size_t keys, size_t count)
{
    const gr_str head[3] = {
        gr_str_of(whole ? "EVAL" : "EVALSHA"),
        gr_str_of(whole ? script->text : script->sha1),
        {"0123456789" + keys, 1},
    };
    const char *texts[3 + GRC_REDIS_WORDS_MAX];
    size_t lengths[3 + GRC_REDIS_WORDS_MAX];

    if (count > GRC_REDIS_WORDS_MAX || keys > count || keys > 9)
        return false;
    for (size_t i = 0; i < 3 + count; i++) {
        const gr_str *word = i < 3 ? &head[i] : &words[i - 3];

        texts[i] = word->len ? word->ptr : "";
        lengths[i] = word->len;
    }
    return queue(redis, (int)(3 + count), texts, lengths);
}

/* Reads a list of `count` whole numbers, and of one string when ret_value is not NULL. */
static enum grc_redis_answer read_list(const redisReply *reply, int64_t *ret, size_t count,
                                       struct grc_buf *ret_value, char reason[GRC_REDIS_REASON])
{
    size_t elements = count + (ret_value ? 1 : 0);
    bool fine = reply->type == REDIS_REPLY_ARRAY && reply->elements == elements;

    for (size_t i = 0; fine && i < count; i++) {
        fine = reply->element[i]->type == REDIS_REPLY_INTEGER;
        ret[i] = fine ? reply->element[i]->integer : 0;
    }
    if (fine && ret_value) {
        const redisReply *value = reply->element[count];

        fine = value->type == REDIS_REPLY_STRING &&
               grc_buf_add(ret_value, value->str, (size_t)value->len) == GR_OK;
    }
    if (fine)
        return GRC_REDIS_ANSWERED;
    snprintf(reason, GRC_REDIS_REASON, "its answer is not what the script returns");
    return GRC_REDIS_LOST;
}

static enum grc_redis_answer answer_with(struct grc_redis *redis, int64_t *ret, size_t count,
                                         struct grc_buf *ret_value, char reason[GRC_REDIS_REASON])
{
    enum grc_redis_answer answer = GRC_REDIS_REFUSED;
    redisReply *reply = next_reply(redis, reason);

    if (!reply)
        return GRC_REDIS_LOST;
    if (reply->type != REDIS_REPLY_ERROR)
        answer = read_list(reply, ret, count, ret_value, reason);
    else if (strncmp(reply->str, "NOSCRIPT", 8) == 0)
        answer = GRC_REDIS_NO_SCRIPT;
    else
        explain(reply, false, reason);
    grc_hiredis()->freeReplyObject(reply);
    return answer;
}

enum grc_redis_answer grc_redis_answer(struct grc_redis *redis, int64_t *ret, size_t count,
                                       char reason[GRC_REDIS_REASON])
{
    return answer_with(redis, ret, count, NULL, reason);
}

enum grc_redis_answer grc_redis_answer_value(struct grc_redis *redis, int64_t *ret, size_t count,
                                             struct grc_buf *ret_value,
                                             char reason[GRC_REDIS_REASON])
{
    return answer_with(redis, ret, count, ret_value, reason);
}
