#include "upstream/group.h"

#include "loop/fiber.h"
#include "loop/wait.h"

struct group {
    pthread_mutex_t lock; /* guards the members below, and `ref` of the exchanges */
    struct grc_queue ended;
    size_t running; /* exchanges that have not ended */
    bool cancelled; /* exchanges that have not begun will not run */
};

/* An exchange of the group. */
struct member {
    struct group *group;
    struct grc_upstream *upstream;
    struct grc_exchange *exchange;
    struct grc_fiber_ref ref; /* its fiber; none before it began and after it ended */
    struct grc_arena arena;   /* a separate one, since the call's is for one thread at a time */
};

static void free_arena(void *arg)
{
    struct member *member = arg;

    grc_arena_done(&member->arena);
}

/* Returns NULL without memory. The answers are in the arenas of the members, which live as long as
 * the call's arena. */
static struct member *make_members(struct grc_upstreams *all, struct group *group,
                                   struct grc_exchange *exchanges, size_t count)
{
    struct grc_arena *arena = exchanges[0].arena;
    struct member *members = grc_arena_alloc(arena, count * sizeof(*members));

    for (size_t i = 0; members && i < count; i++) {
        members[i] = (struct member){
            .group = group,
            .upstream = grc_upstream_find(all, exchanges[i].upstream),
            .exchange = &exchanges[i],
        };
        grc_arena_init(&members[i].arena, arena->max_bytes);
        if (grc_arena_defer(arena, free_arena, &members[i]) != GR_OK)
            return NULL;
    }
    return members;
}

/* Runs an exchange. It does not check for the client; the call that started the group does. */
static void run(struct member *member)
{
    struct grc_exchange *exchange = member->exchange;
    struct grc_exchange own = *exchange;

    own.arena = &member->arena;
    own.gone = NULL;
    grc_run_single(member->upstream, &own);
    own.arena = exchange->arena;
    own.gone = exchange->gone;
    *exchange = own;
}

static void run_member(void *arg)
{
    struct member *member = arg;
    struct group *group = member->group;

    pthread_mutex_lock(&group->lock);
    member->ref = grc_fiber_ref();
    bool cancelled = group->cancelled;
    pthread_mutex_unlock(&group->lock);
    if (cancelled)
        member->exchange->err = GR_ERR_CANCELLED;
    else
        run(member);
    pthread_mutex_lock(&group->lock);
    member->ref = (struct grc_fiber_ref){0};
    group->running--;
    grc_queue_wake_all(&group->ended);
    pthread_mutex_unlock(&group->lock);
}

static void start(struct grc_loop *loop, struct member *member)
{
    struct group *group = member->group;

    pthread_mutex_lock(&group->lock);
    group->running++;
    pthread_mutex_unlock(&group->lock);
    if (!grc_fiber_start(loop, run_member, member))
        run_member(member); /* without memory for a fiber, it runs here */
}

/* Waits for the members. When the call is cancelled, they are cancelled too. */
static void join(struct group *group, const struct member *members, size_t count)
{
    bool shielded = grc_fiber_shield(false);

    pthread_mutex_lock(&group->lock);
    while (group->running > 0) {
        if (grc_queue_wait(&group->ended, &group->lock, GRC_NEVER_MS, GRC_WAITS_GROUP) !=
            GRC_WOKEN_CANCELLED)
            continue;
        grc_fiber_shield(true);
        group->cancelled = true;
        for (size_t i = 0; i < count; i++)
            grc_fiber_cancel(members[i].ref);
    }
    pthread_mutex_unlock(&group->lock);
    grc_fiber_shield(shielded);
}

bool grc_group_run(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count)
{
    struct group group = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct member *members = make_members(all, &group, exchanges, count);

    if (!members)
        return false;
    for (size_t i = 0; i < count; i++)
        start(grc_fiber_loop(grc_fiber_self()), &members[i]);
    join(&group, members, count);
    pthread_mutex_destroy(&group.lock);
    return true;
}
