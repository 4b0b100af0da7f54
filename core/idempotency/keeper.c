#include "idempotency/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/ticker.h"
#include "store/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)256 * 1024)
#define TICK_MS 1000
#define CLEANUP_MS 60000
#define OWNERS_MAX 256u
#define COUNT_TRIES 5u

/* Another owner with open records. */
struct owner {
    char name[GRC_RECORD_OWNER];
    int64_t beat;
    unsigned still; /* looks since its beat changed */
    bool seen;      /* found by the current look */
};

struct group {
    const char *name;
    int64_t count;  /* of its records */
    int64_t made;   /* how many were added to count since the start */
    int64_t making; /* those for which the store has not answered yet */
    unsigned tries; /* how often it could not be counted */
};

struct grc_keeper {
    struct grc_store *store;
    char self[GRC_RECORD_OWNER];
    struct grc_ticker ticker;
    pthread_mutex_t lock; /* guards what follows */
    bool claimed;         /* since the last beat */
    int64_t serving;
    struct grc_later_list later;
    struct group *groups;
    size_t group_count;
    /* used by the thread only */
    struct owner *owners;
    size_t owner_count;
    int64_t cleanup_ms; /* monotonic: when it is due */
};

const char *grc_keeper_owner(const struct grc_keeper *keeper)
{
    return keeper->self;
}

/* --- records that are ended later --- */

void grc_keeper_end_later(struct grc_keeper *keeper, enum grc_later_end end, const char *id,
                          int64_t token, const struct grc_record_answer *answer)
{
    pthread_mutex_lock(&keeper->lock);
    bool fits = grc_later_add(&keeper->later, end, id, token, answer);
    pthread_mutex_unlock(&keeper->lock);
    if (!fits)
        grc_warn("idempotency: too many records wait for the store; further ones stay open until "
                 "the gateway ends");
}

static bool take_later(struct grc_keeper *keeper, struct grc_later *ret)
{
    pthread_mutex_lock(&keeper->lock);
    bool any = grc_later_take(&keeper->later, ret);
    pthread_mutex_unlock(&keeper->lock);
    return any;
}

static void end_records(struct grc_keeper *keeper)
{
    struct grc_later later;
    enum gr_err err = GR_OK;

    while (err == GR_OK && take_later(keeper, &later)) {
        err = grc_later_run(&later, keeper->store);
        /* An answer that the store refuses must not delay the others, so it counts as lost. */
        bool refused =
            later.end == GRC_LATER_ANSWER && err != GR_ERR_STORE_DOWN && err != GR_ERR_STORE_BUSY;
        if (err != GR_OK)
            grc_keeper_end_later(keeper, refused ? GRC_LATER_LOSE : later.end, later.id,
                                 later.token, &later.answer);
        grc_later_release(&later);
    }
}

/* --- owners --- */

/* Only a runtime that may have open records writes its beat, so that an idle one costs the store
 * nothing. */
static void beat(struct grc_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    bool due = keeper->claimed || keeper->serving > 0 || keeper->later.count > 0;
    keeper->claimed = false;
    pthread_mutex_unlock(&keeper->lock);
    if (!due || grc_records_beat(keeper->store, keeper->self,
                                 grc_store_now_ms(keeper->store, NULL)) == GR_OK)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->claimed = true;
    pthread_mutex_unlock(&keeper->lock);
}

static struct owner *find_owner(struct grc_keeper *keeper, const char *name)
{
    for (size_t i = 0; i < keeper->owner_count; i++) {
        if (strcmp(keeper->owners[i].name, name) == 0)
            return &keeper->owners[i];
    }
    if (keeper->owner_count == OWNERS_MAX)
        return NULL; /* there is room for it when others have gone */
    struct owner *owner = &keeper->owners[keeper->owner_count++];
    *owner = (struct owner){.beat = -2};
    snprintf(owner->name, sizeof(owner->name), "%s", name);
    return owner;
}

static void see_owner(void *arg, const char *name, int64_t beat)
{
    struct owner *owner = find_owner(arg, name);

    if (!owner)
        return;
    owner->seen = true;
    owner->still = owner->beat == beat ? owner->still + 1 : 0;
    owner->beat = beat;
}

/* Returns false when the owner needs no further looks. */
static bool judge_owner(struct grc_keeper *keeper, const struct owner *owner)
{
    int64_t lost = 0;

    if (!owner->seen)
        return false;
    if (owner->still < GRC_KEEPER_LOOKS)
        return true;
    if (grc_records_abandon(keeper->store, owner->name, &lost) != GR_OK)
        return true;
    if (lost > 0)
        grc_log_fields(GR_LOG_WARN,
                       "a gateway ended while it served requests with an Idempotency-Key; callers "
                       "that repeat them are told that their outcome is unknown",
                       GRC_LOG_FIELDS(GRC_LT("owner", owner->name), GRC_LI("requests", lost)));
    return false;
}

static void look(struct grc_keeper *keeper)
{
    size_t kept = 0;

    for (size_t i = 0; i < keeper->owner_count; i++)
        keeper->owners[i].seen = false;
    if (grc_records_owners(keeper->store, keeper->self, see_owner, keeper) != GR_OK)
        return;
    for (size_t i = 0; i < keeper->owner_count; i++) {
        if (judge_owner(keeper, &keeper->owners[i]))
            keeper->owners[kept++] = keeper->owners[i];
    }
    keeper->owner_count = kept;
}

/* --- cleanup --- */

/* A record that is made during the query may be in its result or not, so the count is then left as
 * it is, and taken again at the next tick. After COUNT_TRIES such queries the new records are added
 * to the result, so that some count twice until the next query. Returns false when the count has to
 * be taken again. */
static bool count_group(struct grc_keeper *keeper, struct group *group)
{
    int64_t stored = 0;

    pthread_mutex_lock(&keeper->lock);
    int64_t made = group->made, making = group->making;
    pthread_mutex_unlock(&keeper->lock);
    if (grc_records_count(keeper->store, group->name, &stored) != GR_OK)
        return false;
    pthread_mutex_lock(&keeper->lock);
    int64_t meanwhile = making + group->made - made;
    bool counted = meanwhile == 0 || ++group->tries == COUNT_TRIES;
    if (counted) {
        group->count = stored + meanwhile;
        group->tries = 0;
    }
    pthread_mutex_unlock(&keeper->lock);
    return counted;
}

static bool count_groups(struct grc_keeper *keeper)
{
    bool counted = true;

    for (size_t i = 0; i < keeper->group_count; i++)
        counted = count_group(keeper, &keeper->groups[i]) && counted;
    return counted;
}

static void clean_up(struct grc_keeper *keeper)
{
    int64_t now_ms = grc_mono_ms();
    int64_t removed = 0;

    if (now_ms < keeper->cleanup_ms)
        return;
    if (grc_records_expire(keeper->store, grc_store_now_ms(keeper->store, NULL), &removed) != GR_OK)
        return;
    /* Each tick removes a limited number, until there are no more. */
    if (count_groups(keeper) && removed == 0)
        keeper->cleanup_ms = now_ms + CLEANUP_MS;
}

static void tick(void *arg)
{
    struct grc_keeper *keeper = arg;

    end_records(keeper);
    beat(keeper);
    look(keeper);
    clean_up(keeper);
}

/* --- life --- */

static bool set_groups(struct grc_keeper *keeper, const char *const *groups)
{
    while (groups[keeper->group_count])
        keeper->group_count++;
    keeper->groups = calloc(keeper->group_count + 1, sizeof(*keeper->groups));
    for (size_t i = 0; keeper->groups && i < keeper->group_count; i++)
        keeper->groups[i].name = groups[i];
    return keeper->groups != NULL;
}

struct grc_keeper *grc_keeper_new(struct grc_store *store, const char *const *groups)
{
    struct grc_keeper *keeper = calloc(1, sizeof(*keeper));

    if (!keeper)
        return NULL;
    keeper->store = store;
    grc_uuid(keeper->self);
    keeper->owners = calloc(OWNERS_MAX, sizeof(*keeper->owners));
    bool fine = set_groups(keeper, groups) && grc_later_init(&keeper->later) && keeper->owners;
    pthread_mutex_init(&keeper->lock, NULL);
    grc_ticker_init(&keeper->ticker, TICK_MS, tick, keeper);
    /* The first look is at once. */
    grc_ticker_wake(&keeper->ticker);
    if (fine && grc_ticker_start(&keeper->ticker, STACK_BYTES))
        return keeper;
    grc_keeper_free(keeper);
    return NULL;
}

void grc_keeper_free(struct grc_keeper *keeper)
{
    if (!keeper)
        return;
    if (keeper->ticker.running) {
        grc_ticker_stop(&keeper->ticker);
        end_records(keeper);
        /* If this fails, the other gateways find out that it has gone. */
        (void)grc_records_leave(keeper->store, keeper->self);
    }
    grc_ticker_done(&keeper->ticker);
    pthread_mutex_destroy(&keeper->lock);
    grc_later_done(&keeper->later);
    free(keeper->owners);
    free(keeper->groups);
    free(keeper);
}

/* --- requests --- */

static struct group *group_of(struct grc_keeper *keeper, const char *name)
{
    for (size_t i = 0; i < keeper->group_count; i++) {
        if (strcmp(keeper->groups[i].name, name) == 0)
            return &keeper->groups[i];
    }
    return NULL;
}

int64_t grc_keeper_count(struct grc_keeper *keeper, const char *group)
{
    pthread_mutex_lock(&keeper->lock);
    const struct group *found = group_of(keeper, group);
    int64_t count = found ? found->count : 0;
    pthread_mutex_unlock(&keeper->lock);
    return count;
}

void grc_keeper_begin(struct grc_keeper *keeper, const char *group)
{
    pthread_mutex_lock(&keeper->lock);
    struct group *found = group_of(keeper, group);
    if (found) {
        found->count++;
        found->made++;
        found->making++;
    }
    keeper->claimed = true;
    keeper->serving++;
    pthread_mutex_unlock(&keeper->lock);
}

void grc_keeper_claimed(struct grc_keeper *keeper, const char *group, bool made)
{
    pthread_mutex_lock(&keeper->lock);
    struct group *found = group_of(keeper, group);
    if (found) {
        found->making--;
        found->count -= !made;
    }
    pthread_mutex_unlock(&keeper->lock);
}

void grc_keeper_end(struct grc_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->serving--;
    pthread_mutex_unlock(&keeper->lock);
}
