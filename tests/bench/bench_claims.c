/*
 * How fast gateways claim records of the queues of groups while others wait: bench_claims URL QUEUE
 * PROCESSES WAITING MS. Fills the queue with WAITING records that are due, then lets PROCESSES
 * claim one, settle it and put another one, for MS milliseconds. Prints "records N empty N": how
 * many were settled, and how many claims got none because others were faster.
 */
#include "../../plugins/minigroups/store/schema.h"
#include "../../plugins/shared/queue.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secure.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define SERIES 100

static struct {
    struct grc_arena arena;
    struct grc_store *store;
    struct grc_store_session *session; /* of the transaction that runs */
    int64_t next_seq;
} world;

/* --- a host that has what the queue needs --- */

static void *host_alloc(struct gr_call *call, size_t bytes)
{
    (void)call;
    return grc_arena_alloc(&world.arena, bytes);
}

static char *host_vformat(struct gr_call *call, const char *format, va_list args)
{
    (void)call;
    return grc_arena_vformat(&world.arena, format, args);
}

static int64_t host_store_now_ms(struct gr_call *call)
{
    (void)call;
    return grc_now_ms();
}

static enum gr_err host_store_run(struct gr_call *call, const char *sql,
                                  const struct gr_value *params, size_t count, gr_row_fn *each,
                                  void *arg, int64_t *ret_changed)
{
    (void)call;
    return grc_store_run(world.store, world.session, sql, params, count, each, arg, ret_changed);
}

static const struct gr_host host = {
    .alloc = host_alloc,
    .vformat = host_vformat,
    .store_now_ms = host_store_now_ms,
    .uuid = grc_uuid,
    .store_run = host_store_run,
};
static struct gr_call call = {.host = &host};

/* --- the queues --- */

static const int64_t waits_ms[] = {1000, 0};
#define COMMON .lease_ms = 60000, .waits_ms = waits_ms, .attempts_max = 4

static const struct kind {
    const char *name;
    struct queue queue;
    const char *lane;    /* of claims */
    const char *columns; /* of a record, besides key, order and due_ms */
    const char *values;  /* of the record number i */
} kinds[] = {
    {"outbox",
     {COMMON, .table = "minigroups_outbox", .key = "id", .order = "came_ms",
      .columns = "kind, audience, label, payload"},
     NULL,
     "kind, audience, label, payload",
     "'tq', 'a', 'l', '{}'"},
    {"inbox",
     {COMMON, .table = "minigroups_inbox", .key = "id", .order = "came_ms", .lane = "queue",
      .columns = "audience, source, label, payload", .in_order = true},
     NULL,
     "audience, source, label, payload, queue, behind",
     "'a', 's', 'l', '{}', 'class-' || (i % 100), CASE WHEN i > 100 THEN 1 ELSE 0 END"},
    {"webhooks",
     {COMMON, .table = "webhook_delivery", .key = "event_seq", .order = "event_seq",
      .lane = "target", .columns = "room_id", .series = "room_id", .keeps_rows = true},
     "t",
     "target, room_id, behind",
     "'t', 'room-' || (i % 100), CASE WHEN i > 100 THEN 1 ELSE 0 END"},
};

/* The table of deliveries as plugins/hms/webhooks.c leaves it, without the events. */
static const struct gr_migration deliveries[] = {
    {.version = 1,
     .name = "deliveries",
     .sql = "CREATE TABLE webhook_delivery (event_seq BIGINT NOT NULL, target TEXT NOT NULL,"
            " attempts INTEGER NOT NULL DEFAULT 0, due_ms BIGINT, done_ms BIGINT, room_id TEXT,"
            " behind BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (event_seq, target));"
            "CREATE INDEX webhook_delivery_waits ON webhook_delivery (target, event_seq)"
            " WHERE due_ms IS NOT NULL;"
            "CREATE INDEX webhook_delivery_open ON webhook_delivery (target, event_seq)"
            " WHERE done_ms IS NULL;"
            "CREATE INDEX webhook_delivery_room ON webhook_delivery (target, room_id, event_seq)"
            " WHERE due_ms IS NOT NULL;"
            "CREATE INDEX webhook_delivery_first ON webhook_delivery (target, due_ms, event_seq)"
            " WHERE due_ms IS NOT NULL AND behind = 0"},
    GR_END,
};

static enum gr_err fill(const struct kind *kind, int64_t waiting)
{
    const struct queue *queue = &kind->queue;
    const char *id = strcmp(queue->key, queue->order) == 0 ? "" : "'id-' || i, ";
    const char *key = *id ? gr_format(&call, "%s, ", queue->key) : "";
    char *reason = NULL;

    enum gr_err err = grc_store_migrate(world.store, "minigroups", mini_migrations,
                                        sizeof(mini_migrations[0]), &reason);
    if (err == GR_OK)
        err = grc_store_migrate(world.store, "bench", deliveries, sizeof(deliveries[0]), &reason);
    free(reason);
    if (err == GR_OK)
        err = gr_store_exec(&call, gr_format(&call, "TRUNCATE %s", queue->table), GR_NO_PARAMS);
    if (err == GR_OK)
        err = gr_store_exec(&call,
                            gr_format(&call,
                                      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
                                      " FROM n WHERE i < %lld) INSERT INTO %s (%s%s, due_ms, %s)"
                                      " SELECT %si, i, %s FROM n",
                                      (long long)waiting, queue->table, key, queue->order,
                                      kind->columns, id, kind->values),
                            GR_NO_PARAMS);
    /* PostgreSQL does this by itself within a minute. */
    if (err == GR_OK)
        err = gr_store_exec(&call, gr_format(&call, "ANALYZE %s", queue->table), GR_NO_PARAMS);
    return err;
}

/* --- what a gateway does --- */

static enum gr_err put(const struct kind *kind, const struct queue_item *item)
{
    const struct queue *queue = &kind->queue;
    const struct gr_value values[] = {gr_v_text("tq"), gr_v_text("a"), gr_v_text("l"),
                                      gr_v_text("{}")};
    const struct gr_value own[] = {gr_v_int(world.next_seq++), gr_v_int(grc_now_ms()),
                                   item->series};

    if (!queue->series)
        return queue_put(&call, queue, queue->lane ? item->lane : NULL, values, 4, 0, NULL);
    return gr_store_exec(&call,
                         gr_format(&call,
                                   "INSERT INTO webhook_delivery (event_seq, target, due_ms,"
                                   " room_id, behind) VALUES (?1, 't', ?2, ?3, %s)",
                                   queue_behind(&call, queue, "'t'", "?3")),
                         own, 3);
}

struct outcome {
    int64_t records;
    int64_t empty;
};

static enum gr_err one(const struct kind *kind, struct outcome *outcome)
{
    struct queue_item item;
    size_t count = 0;

    grc_arena_reset(&world.arena);
    enum gr_err err = queue_claim(&call, &kind->queue, kind->lane, &item, 1, &count);
    if (err != GR_OK || count == 0) {
        outcome->empty += err == GR_OK;
        return err;
    }
    err = queue_done(&call, &kind->queue, &item);
    outcome->records += err == GR_OK;
    return err == GR_OK ? put(kind, &item) : err;
}

/* A process of its own: it begins when `begin` is closed, and writes its outcome. */
static int work(const char *url, const struct kind *kind, int number, int64_t ms, int begin,
                int out)
{
    struct outcome outcome = {0, 0};
    char *reason = NULL;
    char byte;

    world.store = grc_store_open(url, &reason);
    world.next_seq = (int64_t)(number + 1) * 1000000000;
    if (!world.store || read(begin, &byte, 1) < 0)
        return 1;
    int64_t end_ms = grc_mono_ms() + ms;
    enum gr_err err = GR_OK;
    while (err == GR_OK && grc_mono_ms() < end_ms)
        err = one(kind, &outcome);
    grc_store_close(world.store);
    return err == GR_OK && write(out, &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome) ? 0
                                                                                             : 1;
}

static int run(const char *url, const struct kind *kind, int processes, int64_t ms)
{
    struct outcome sum = {0, 0};
    struct outcome outcome;
    int begin[2];
    int out[2];
    int failed = 0;
    int status;

    if (pipe(begin) != 0 || pipe(out) != 0)
        return 1;
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return 1;
        if (pid == 0) {
            close(begin[1]);
            _exit(work(url, kind, i, ms, begin[0], out[1]));
        }
    }
    close(begin[1]);
    close(out[1]);
    while (read(out[0], &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome)) {
        sum.records += outcome.records;
        sum.empty += outcome.empty;
    }
    while (wait(&status) > 0)
        failed += status != 0;
    (void)printf("records %lld empty %lld\n", (long long)sum.records, (long long)sum.empty);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    const struct kind *kind = NULL;
    char *reason = NULL;

    for (size_t i = 0; argc == 6 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, argv[2]) == 0)
            kind = &kinds[i];
    }
    int processes = kind ? (int)strtol(argv[3], NULL, 10) : 0;
    if (processes < 1 || processes > PROCESSES_MAX) {
        (void)fprintf(stderr,
                      "usage: bench_claims URL outbox|inbox|webhooks PROCESSES WAITING MS\n");
        return 2;
    }
    grc_log_level_set(GR_LOG_ERROR);
    grc_arena_init(&world.arena, 1u << 22);
    world.store = grc_store_open(argv[1], &reason);
    if (!world.store || fill(kind, strtoll(argv[4], NULL, 10)) != GR_OK) {
        (void)fprintf(stderr, "%s\n", reason ? reason : "the store cannot be filled");
        return 1;
    }
    /* No connection is open while processes are made. */
    grc_store_close(world.store);
    return run(argv[1], kind, processes, strtoll(argv[5], NULL, 10));
}
