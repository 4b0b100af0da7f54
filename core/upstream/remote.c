#include "upstream/remote.h"

#include "base/clock.h"
#include "base/secure.h"
#include "metrics/metrics.h"
#include "upstream/remote_scripts.h"
#include "upstream/remote_state.h"

#include <stdio.h>
#include <stdlib.h>

/* The most questions and answers that wait to be sent; further ones are dropped. */
#define JOBS_MAX 1024u
#define JOB_BYTES_MAX ((size_t)8 * 1024 * 1024)
/* For how long every gateway asks the upstream itself, after an answer that cannot be shared. */
#define ALONE_MS 1000

/* --- counters --- */

static _Atomic uint64_t counts[GRC_REMOTE_EVENTS];

void grc_remote_count(enum grc_remote_event event)
{
    atomic_fetch_add_explicit(&counts[event], 1, memory_order_relaxed);
}

void grc_remote_report(struct grc_remote *remote, struct grc_buf *out)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[GRC_REMOTE_EVENTS] = {
        {"shared_cache_questions_total", "Questions that the server of the shared cache was asked"},
        {"shared_cache_dropped_total",
         "Questions and answers for that server that were dropped because too many waited"},
        {"shared_cache_failures_total",
         "Connections to that server that were lost or could not be made"},
    };

    if (!remote)
        return;
    grc_metrics_head(out, "shared_cache_reached", "gauge",
                     "Whether the server of the shared cache is reached");
    grc_metrics_sample(out, "shared_cache_reached", NULL,
                       atomic_load(&remote->link.state) == GRC_REDIS_REACHED);
    for (size_t i = 0; i < GRC_REMOTE_EVENTS; i++) {
        grc_metrics_head(out, rows[i].name, "counter", rows[i].help);
        grc_metrics_sample(out, rows[i].name, NULL, (double)atomic_load(&counts[i]));
    }
}

bool grc_remote_works(struct grc_remote *remote, char *ret_reason, size_t size)
{
    return grc_redis_link_works(&remote->link, ret_reason, size);
}

bool grc_remote_is_reached(struct grc_remote *remote)
{
    return grc_redis_link_is_reached(&remote->link);
}

/* --- life --- */

/* Makes the keys of names and of values from the secret. */
static void make_keys(struct grc_remote *remote)
{
    gr_str secret = gr_str_of(remote->settings->secret);

    grc_hmac_sha256(secret, GR_STR("greenroom shared cache: names"), remote->name_key);
    grc_hmac_sha256(secret, GR_STR("greenroom shared cache: values"), remote->value_key);
}

struct grc_remote *grc_remote_new(const struct grc_cache_shared_settings *settings,
                                  char **ret_reason)
{
    struct grc_remote *remote = calloc(1, sizeof(*remote));
    unsigned char name[8];

    if (!remote)
        return NULL;
    remote->settings = settings;
    remote->paths = calloc(GRC_REMOTE_PATHS / 64, sizeof(*remote->paths));
    remote->telling = calloc(GRC_REMOTE_PATHS / 64, sizeof(*remote->telling));
    grc_redis_script_init(&remote->look.script, GRC_REMOTE_LOOK);
    grc_redis_script_init(&remote->keep.script, GRC_REMOTE_KEEP);
    grc_redis_script_init(&remote->end.script, GRC_REMOTE_END);
    grc_redis_script_init(&remote->wrote.script, GRC_REMOTE_WROTE);
    make_keys(remote);
    grc_random(name, sizeof(name));
    grc_hex(name, sizeof(name), remote->self);
    remote->link.settings = &settings->server;
    remote->link.use = &grc_remote_use;
    remote->link.arg = remote;
    remote->link.meanwhile = "this gateway keeps answers alone";
    if (grc_redis_link_init(&remote->link, ret_reason) && remote->paths && remote->telling)
        return remote;
    grc_remote_free(remote);
    return NULL;
}

bool grc_remote_start(struct grc_remote *remote)
{
    return grc_redis_link_start(&remote->link);
}

void grc_remote_job_free(struct grc_remote_job *job)
{
    free(job->value);
    grc_buf_done(&job->found);
    free(job);
}

void grc_remote_free(struct grc_remote *remote)
{
    if (!remote)
        return;
    grc_redis_link_stop(&remote->link);
    grc_redis_link_done(&remote->link);
    while (remote->first) {
        struct grc_remote_job *job = remote->first;

        remote->first = job->next;
        grc_remote_job_free(job);
    }
    grc_wipe(remote->name_key, sizeof(remote->name_key));
    grc_wipe(remote->value_key, sizeof(remote->value_key));
    free(remote->paths);
    free(remote->telling);
    free(remote);
}

/* --- names --- */

/* Adds a text to a digest: it becomes the keyed digest of what it was and of the text. */
static void mix(const struct grc_remote *remote, unsigned char digest[GRC_REMOTE_DIGEST],
                gr_str text)
{
    unsigned char both[2 * GRC_REMOTE_DIGEST];

    memcpy(both, digest, GRC_REMOTE_DIGEST);
    grc_sha256(text, both + GRC_REMOTE_DIGEST);
    grc_hmac_sha256((gr_str){(const char *)remote->name_key, sizeof(remote->name_key)},
                    (gr_str){(const char *)both, sizeof(both)}, digest);
}

struct grc_remote_upstream grc_remote_upstream(struct grc_remote *remote,
                                               const struct grc_upstream_settings *settings,
                                               const struct grc_credential *credential)
{
    struct grc_remote_upstream upstream = {.digest = {0}};
    bool named = credential && credential->kind == GRC_CREDENTIAL_100MS;

    /* The account is the access key; another secret of the same account changes no answer. A fixed
     * token is the account itself. */
    mix(remote, upstream.digest, gr_str_of(settings->url));
    mix(remote, upstream.digest, gr_str_of(!credential ? "none" : named ? "100ms" : "bearer"));
    mix(remote, upstream.digest,
        gr_str_of(!credential ? NULL
                  : named     ? credential->access_key
                              : credential->secret));
    return upstream;
}

/* Returns the number of the generation of a path of the upstream. */
static uint32_t path_of(const struct grc_remote *remote, const struct grc_remote_upstream *upstream,
                        gr_str path)
{
    struct grc_remote_upstream digest = *upstream;
    uint32_t number;

    mix(remote, digest.digest, path);
    memcpy(&number, digest.digest, sizeof(number));
    return number % GRC_REMOTE_PATHS;
}

struct grc_remote_name grc_remote_name(struct grc_remote *remote,
                                       const struct grc_remote_upstream *upstream,
                                       const struct grc_cache_key *key)
{
    struct grc_remote_name name;

    memcpy(name.digest, upstream->digest, sizeof(name.digest));
    mix(remote, name.digest, key->no_credential ? GR_STR("without") : GR_STR("with"));
    mix(remote, name.digest, key->target);
    mix(remote, name.digest, key->partition);
    name.path = path_of(remote, upstream, grc_cache_path(key->target));
    return name;
}

int64_t grc_remote_generation(void)
{
    return (int64_t)(grc_random_fast() >> 16 | 1);
}

/* --- jobs --- */

static struct grc_remote_job *job_new(enum grc_remote_kind kind, const struct grc_remote_name *name,
                                      int64_t generation, uint64_t lease)
{
    struct grc_remote_job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->kind = kind;
    job->name = *name;
    job->generation = generation;
    job->lease = lease;
    return job;
}

/* Hands a job to the keeper; the lock is held. Returns false when too much waits. */
static bool hand_over(struct grc_remote *remote, struct grc_remote_job *job)
{
    if (remote->jobs >= JOBS_MAX || remote->job_bytes + job->value_len > JOB_BYTES_MAX) {
        grc_remote_count(GRC_REMOTE_DROPPED);
        return false;
    }
    if (remote->last)
        remote->last->next = job;
    else
        remote->first = job;
    remote->last = job;
    remote->jobs++;
    remote->job_bytes += job->value_len;
    grc_redis_link_wake(&remote->link);
    return true;
}

/* Hands over a job that no request waits for. Steals it; NULL is fine. */
static void send_job(struct grc_remote *remote, struct grc_remote_job *job)
{
    if (!job)
        return;
    pthread_mutex_lock(&remote->link.lock);
    bool taken = hand_over(remote, job);
    pthread_mutex_unlock(&remote->link.lock);
    if (!taken)
        grc_remote_job_free(job);
}

/* --- looking --- */

/* Waits for the answer to a question. Returns false when there is none in time; the keeper then
 * owns the job. */
static bool ask(struct grc_remote *remote, struct grc_remote_job *job)
{
    int64_t until_ms = grc_mono_ms() + remote->settings->server.timeout_ms;
    enum grc_woken woken = GRC_WOKEN_READY;

    pthread_mutex_lock(&remote->link.lock);
    if (!hand_over(remote, job)) {
        pthread_mutex_unlock(&remote->link.lock);
        grc_remote_job_free(job);
        return false;
    }
    while (!job->done && woken == GRC_WOKEN_READY)
        woken = grc_queue_wait(&job->over, &remote->link.lock, until_ms, GRC_WAITS_CACHE);
    bool done = job->done;
    job->given_up = !done;
    pthread_mutex_unlock(&remote->link.lock);
    if (woken == GRC_WOKEN_LATE && !done)
        grc_redis_link_late(&remote->link);
    return done;
}

/* Reads the value that was found. One that no gateway with this secret has written counts as
 * absent. */
static void read_value(struct grc_remote *remote, const struct grc_remote_job *job,
                       struct grc_remote_found *found)
{
    gr_str place = {(const char *)job->name.digest, sizeof(job->name.digest)};
    struct grc_remote_times times;
    int64_t left_ms = job->numbers[2];

    if (job->found.len == 0)
        return;
    found->answer = grc_remote_value_read(remote->value_key, place, grc_buf_view(&job->found),
                                          grc_now_ms(), &times);
    found->refused = !found->answer;
    if (!found->answer)
        return;
    int64_t life_ms = times.ttl_ms + times.stale_ms;
    if (left_ms > life_ms)
        left_ms = life_ms;
    found->life = (struct grc_cache_life){
        .ttl_ms = left_ms - times.stale_ms,
        .age_s = times.age_s + (life_ms - left_ms) / 1000,
        .no_stale = times.stale_ms == 0,
        .generation = found->generation,
        .checked_ms = found->asked_ms + remote->settings->recheck_ms,
    };
}

static void read_found(struct grc_remote *remote, const struct grc_remote_job *job,
                       struct grc_remote_found *found)
{
    static const enum grc_remote_verdict verdicts[] = {
        [GRC_REMOTE_SAYS_SAME] = GRC_REMOTE_SAME,   [GRC_REMOTE_SAYS_KEPT] = GRC_REMOTE_KEPT,
        [GRC_REMOTE_SAYS_LEADS] = GRC_REMOTE_LEADS, [GRC_REMOTE_SAYS_HELD] = GRC_REMOTE_HELD,
        [GRC_REMOTE_SAYS_ALONE] = GRC_REMOTE_ALONE,
    };
    int64_t says = job->numbers[0];

    if (!job->answered || says < GRC_REMOTE_SAYS_SAME || says > GRC_REMOTE_SAYS_ALONE ||
        job->numbers[1] <= 0 || (says == GRC_REMOTE_SAYS_SAME && !job->generation))
        return;
    found->verdict = verdicts[says];
    found->generation = job->numbers[1];
    if (found->verdict == GRC_REMOTE_LEADS)
        found->lease = job->lease;
    read_value(remote, job, found);
    if (found->verdict == GRC_REMOTE_KEPT && (!found->answer || found->life.ttl_ms <= 0))
        found->verdict = GRC_REMOTE_ALONE;
}

struct grc_remote_found grc_remote_look(struct grc_remote *remote,
                                        const struct grc_remote_question *question)
{
    struct grc_remote_found found = {.verdict = GRC_REMOTE_AWAY, .asked_ms = grc_mono_ms()};
    uint64_t lease = question->leases ? atomic_fetch_add(&remote->leases, 1) + 1 : 0;
    struct grc_remote_job *job =
        grc_remote_is_reached(remote)
            ? job_new(GRC_REMOTE_LOOKS, question->name, question->generation, lease)
            : NULL;

    if (!job)
        return found;
    job->late = question->late;
    grc_buf_init(&job->found, (size_t)remote->settings->answer_max_bytes + 1024);
    if (ask(remote, job)) {
        read_found(remote, job, &found);
        grc_remote_job_free(job);
    }
    return found;
}

/* --- after an upstream was asked --- */

bool grc_remote_keep(struct grc_remote *remote, const struct grc_remote_name *name,
                     const struct grc_remote_found *found, const struct grc_answer *answer,
                     const struct grc_remote_times *times)
{
    gr_str place = {(const char *)name->digest, sizeof(name->digest)};

    if (grc_remote_value_size(answer) > (size_t)remote->settings->answer_max_bytes)
        return false;
    struct grc_remote_job *job = job_new(GRC_REMOTE_KEEPS, name, found->generation, found->lease);
    if (job) {
        job->life_ms = times->ttl_ms + times->stale_ms;
        job->stale_ms = times->stale_ms;
        job->value = grc_remote_value_new(remote->value_key, place, answer, times, grc_now_ms(),
                                          &job->value_len);
    }
    if (job && !job->value) {
        grc_remote_job_free(job);
        job = NULL;
    }
    send_job(remote, job);
    return true;
}

void grc_remote_end(struct grc_remote *remote, const struct grc_remote_name *name,
                    const struct grc_remote_found *found, bool alone)
{
    if (!found->lease)
        return;
    struct grc_remote_job *job = job_new(GRC_REMOTE_ENDS, name, found->generation, found->lease);
    if (job)
        job->life_ms = alone ? ALONE_MS : 0;
    send_job(remote, job);
}

/* --- writes --- */

/* Notes that a path has changed. */
static void note_path(struct grc_remote *remote, uint32_t path)
{
    pthread_mutex_lock(&remote->link.lock);
    remote->paths[path / 64] |= (uint64_t)1 << path % 64;
    remote->pending = true;
    pthread_mutex_unlock(&remote->link.lock);
}

void grc_remote_wrote(struct grc_remote *remote, const struct grc_remote_upstream *upstream,
                      gr_str target)
{
    for (gr_str path = grc_cache_path(target); path.len > 1; path = grc_cache_parent(path))
        note_path(remote, path_of(remote, upstream, path));
    pthread_mutex_lock(&remote->link.lock);
    remote->writes++;
    grc_redis_link_wake(&remote->link);
    pthread_mutex_unlock(&remote->link.lock);
}

void grc_remote_settle(struct grc_remote *remote)
{
    int64_t until_ms = grc_mono_ms() + remote->settings->server.timeout_ms;
    enum grc_woken woken = GRC_WOKEN_READY;

    pthread_mutex_lock(&remote->link.lock);
    uint64_t number = remote->writes;
    while (remote->told_writes < number && grc_remote_is_reached(remote) &&
           woken == GRC_WOKEN_READY)
        woken = grc_queue_wait(&remote->writers, &remote->link.lock, until_ms, GRC_WAITS_CACHE);
    bool told = remote->told_writes >= number;
    pthread_mutex_unlock(&remote->link.lock);
    if (woken == GRC_WOKEN_LATE && !told)
        grc_redis_link_late(&remote->link);
}
