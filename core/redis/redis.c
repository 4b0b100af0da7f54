#include "redis/redis.h"

#include "base/secure.h"
#include "redis/library.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct grc_redis {
    redisContext *context;
    int64_t timeout_ms;
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

/* Says why the connection failed. */
static void explain_loss(const redisContext *context, int64_t timeout_ms,
                         char reason[GRC_REDIS_REASON])
{
    bool late = context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);

    if (late)
        snprintf(reason, GRC_REDIS_REASON, "it did not answer within %lld ms",
                 (long long)timeout_ms);
    else if (context->err == REDIS_ERR_PROTOCOL)
        snprintf(reason, GRC_REDIS_REASON, "what answers there is no Redis server (%.80s)",
                 context->errstr);
    else
        snprintf(reason, GRC_REDIS_REASON, "%.120s", context->errstr);
}

/* --- connecting --- */

/* Runs one command of the login. */
static bool run(struct grc_redis *redis, bool of_login, int count, const char **words,
                char reason[GRC_REDIS_REASON])
{
    const struct grc_hiredis *hiredis = grc_hiredis();
    redisReply *reply = NULL;

    if (hiredis->redisAppendCommandArgv(redis->context, count, words, NULL) != REDIS_OK ||
        hiredis->redisGetReply(redis->context, (void **)&reply) != REDIS_OK || !reply) {
        explain_loss(redis->context, redis->timeout_ms, reason);
        return false;
    }
    bool fine = reply->type != REDIS_REPLY_ERROR;
    if (!fine)
        explain(reply, of_login, reason);
    hiredis->freeReplyObject(reply);
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

static redisContext *reach(const struct grc_redis_url *url, struct timeval timeout)
{
    if (url->path)
        return grc_hiredis()->redisConnectUnixWithTimeout(url->path, timeout);
    return grc_hiredis()->redisConnectWithTimeout(url->host, (int)url->port, timeout);
}

struct grc_redis *grc_redis_connect(const struct grc_redis_url *url, int64_t timeout_ms,
                                    char reason[GRC_REDIS_REASON])
{
    const struct grc_hiredis *hiredis = grc_hiredis();
    struct timeval timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                              .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};
    struct grc_redis *redis = calloc(1, sizeof(*redis));

    snprintf(reason, GRC_REDIS_REASON, "out of memory");
    if (!redis)
        return NULL;
    redis->timeout_ms = timeout_ms;
    errno = 0;
    redis->context = reach(url, timeout);
    bool fine = redis->context && redis->context->err == 0;
    if (redis->context && !fine)
        explain_loss(redis->context, timeout_ms, reason);
    fine = fine && hiredis->redisSetTimeout(redis->context, timeout) == REDIS_OK;
    if (fine && url->host)
        (void)hiredis->redisEnableKeepAlive(redis->context);
    if (fine && log_in(redis, url, reason) && select_database(redis, url->database, reason))
        return redis;
    grc_redis_close(redis);
    return NULL;
}

void grc_redis_close(struct grc_redis *redis)
{
    if (!redis)
        return;
    if (redis->context)
        grc_hiredis()->redisFree(redis->context);
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
    return grc_hiredis()->redisAppendCommandArgv(redis->context, (int)(4 + count), words, NULL) ==
           REDIS_OK;
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
    const struct grc_hiredis *hiredis = grc_hiredis();
    enum grc_redis_answer answer = GRC_REDIS_REFUSED;
    redisReply *reply = NULL;

    errno = 0;
    if (hiredis->redisGetReply(redis->context, (void **)&reply) != REDIS_OK || !reply) {
        explain_loss(redis->context, redis->timeout_ms, reason);
        return GRC_REDIS_LOST;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        answer = read_numbers(reply, ret, count, reason);
    else if (strncmp(reply->str, "NOSCRIPT", 8) == 0)
        answer = GRC_REDIS_NO_SCRIPT;
    else
        explain(reply, false, reason);
    hiredis->freeReplyObject(reply);
    return answer;
}
