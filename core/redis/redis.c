#include "redis/redis.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/secure.h"
#include "redis/library.h"
#include "redis/transport.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

/* Most bytes of commands that were not sent yet; a batch of questions takes less than half. */
#define QUEUE_MAX 262144u
/* Most bytes of one reply. The replies that are asked for have a few numbers. */
#define REPLY_MAX 65536u

struct grc_redis {
    struct grc_redis_transport *transport;
    redisReader *reader;
    struct grc_buf out;
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

static bool queue(struct grc_redis *redis, int count, const char **words)
{
    char *command = NULL;
    long long len = grc_hiredis()->redisFormatCommandArgv(&command, count, words, NULL);

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
    char bytes[4096];
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
        size_t count = read < REPLY_MAX
                           ? grc_redis_transport_read(redis->transport, bytes, sizeof(bytes),
                                                      redis->deadline_ms, reason)
                           : 0;
        if (read >= REPLY_MAX)
            snprintf(reason, GRC_REDIS_REASON, "its answer is larger than %u bytes", REPLY_MAX);
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
    redisReply *reply = queue(redis, count, words) ? next_reply(redis, reason) : NULL;

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
                                    int64_t timeout_ms, char reason[GRC_REDIS_REASON])
{
    struct grc_redis *redis = calloc(1, sizeof(*redis));

    snprintf(reason, GRC_REDIS_REASON, "out of memory");
    if (!redis)
        return NULL;
    redis->timeout_ms = timeout_ms;
    grc_buf_init(&redis->out, QUEUE_MAX);
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
                    const char *key, const char *const *args, size_t count)
{
    const char *words[4 + GRC_REDIS_ARGS_MAX] = {
        whole ? "EVAL" : "EVALSHA",
        whole ? script->text : script->sha1,
        "1",
        key,
    };

    if (count > GRC_REDIS_ARGS_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        words[4 + i] = args[i];
    return queue(redis, (int)(4 + count), words);
}

static enum grc_redis_answer read_numbers(const redisReply *reply, int64_t *ret, size_t count,
                                          char reason[GRC_REDIS_REASON])
{
    bool fine = reply->type == REDIS_REPLY_ARRAY && reply->elements == count;

    for (size_t i = 0; fine && i < count; i++) {
        fine = reply->element[i]->type == REDIS_REPLY_INTEGER;
        ret[i] = fine ? reply->element[i]->integer : 0;
    }
    if (fine)
        return GRC_REDIS_ANSWERED;
    snprintf(reason, GRC_REDIS_REASON, "its answer is not what the script returns");
    return GRC_REDIS_LOST;
}

enum grc_redis_answer grc_redis_answer(struct grc_redis *redis, int64_t *ret, size_t count,
                                       char reason[GRC_REDIS_REASON])
{
    enum grc_redis_answer answer = GRC_REDIS_REFUSED;
    redisReply *reply = next_reply(redis, reason);

    if (!reply)
        return GRC_REDIS_LOST;
    if (reply->type != REDIS_REPLY_ERROR)
        answer = read_numbers(reply, ret, count, reason);
    else if (strncmp(reply->str, "NOSCRIPT", 8) == 0)
        answer = GRC_REDIS_NO_SCRIPT;
    else
        explain(reply, false, reason);
    grc_hiredis()->freeReplyObject(reply);
    return answer;
}
