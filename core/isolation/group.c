#include "isolation/group.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/thread.h"
#include "isolation/internal.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 * 1024)
/* Limit of the bytes that wait to be sent, beside one frame of any size. */
#define OUT_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define CALL_MAX_BYTES ((size_t)2 * 1024 * 1024 * 1024)
/* A call counts as hung when it is this late. */
#define GRACE_MS 1000
/* How long the process may take to render an error. */
#define RENDER_MS 1000

/* --- sending --- */

void grc_isolated_wake(const struct grc_isolated *group)
{
    const uint64_t one = 1;

    (void)!write(group->wake, &one, sizeof(one));
}

enum gr_err grc_isolated_send(struct grc_isolated *group, gr_str frame)
{
    size_t waiting = group->out.len - group->sent;
    ssize_t put = 0;

    if (group->broken || !group->up)
        return GR_ERR_UPSTREAM_BROKEN;
    if (waiting == 0)
        put = send(group->process.socket, frame.ptr, frame.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR)
        return GR_ERR_UPSTREAM_BROKEN; /* the thread will see that it has ended */
    size_t done = put > 0 ? (size_t)put : 0;
    if (done == frame.len)
        return GR_OK;
    if (waiting > 0 && waiting + frame.len > OUT_MAX_BYTES)
        return GR_ERR_OVERLOAD;
    group->out.max_bytes = group->out.len + frame.len - done;
    if (grc_buf_add(&group->out, frame.ptr + done, frame.len - done) != GR_OK) {
        group->broken = group->broken || done > 0; /* half a frame cannot be taken back */
        grc_isolated_wake(group);
        return GR_ERR_NO_MEMORY;
    }
    grc_isolated_wake(group);
    return GR_OK;
}

/* --- slots --- */

static struct grc_slot *free_slot(struct grc_isolated *group)
{
    for (size_t i = 0; i < group->slot_count; i++) {
        if (group->slots[i].state == GRC_SLOT_FREE)
            return &group->slots[i];
    }
    return NULL;
}

/* Takes a slot. If none is free, waits for one until until_ms, or not at all if that is 0. */
static enum gr_err enter(struct grc_isolated *group, int64_t until_ms, struct grc_slot **ret_slot)
{
    while (group->up) {
        struct grc_slot *slot = free_slot(group);

        if (slot) {
            *ret_slot = slot;
            return GR_OK;
        }
        if (until_ms == 0)
            return GR_ERR_OVERLOAD;
        switch (grc_queue_wait(&group->waiting, &group->lock, until_ms, GRC_WAITS_ISOLATED)) {
        case GRC_WOKEN_READY:
            break;
        case GRC_WOKEN_CANCELLED:
            return GR_ERR_CANCELLED;
        case GRC_WOKEN_LATE:
        case GRC_WOKEN_FAILED:
            return GR_ERR_OVERLOAD;
        }
    }
    return GR_ERR_UPSTREAM_CONNECT;
}

void grc_slot_leave(struct grc_isolated *group, struct grc_slot *slot)
{
    slot->state = GRC_SLOT_FREE;
    slot->abandoned = false;
    slot->answer = NULL;
    slot->answer_len = 0;
    (void)grc_queue_wake(&group->waiting);
}

/* Waits for the answer and frees the slot. If the call is cancelled first, the slot is freed when
 * the answer comes. */
static enum gr_err await(struct grc_isolated *group, struct grc_slot *slot, char **ret_answer,
                         size_t *ret_len)
{
    while (slot->state == GRC_SLOT_ASKED) {
        enum grc_woken woken =
            grc_queue_wait(&slot->waiter, &group->lock, GRC_NEVER_MS, GRC_WAITS_ISOLATED);

        if (woken != GRC_WOKEN_READY && slot->state == GRC_SLOT_ASKED) {
            slot->abandoned = true;
            return woken == GRC_WOKEN_CANCELLED ? GR_ERR_CANCELLED : GR_ERR_NO_MEMORY;
        }
    }
    enum gr_err err = slot->state == GRC_SLOT_ANSWERED ? GR_OK : GR_ERR_UPSTREAM_BROKEN;
    *ret_answer = slot->answer;
    *ret_len = slot->answer_len;
    grc_slot_leave(group, slot);
    return err;
}

/* The lock is held. */
static enum gr_err exchange(struct grc_isolated *group, struct grc_wire *wire, int64_t until_ms,
                            int64_t deadline_ms, char **ret_answer, size_t *ret_len)
{
    struct grc_slot *slot = NULL;
    enum gr_err err = enter(group, until_ms, &slot);

    if (err != GR_OK)
        return err;
    slot->turn++;
    slot->hung_ms = deadline_ms + GRACE_MS;
    err = grc_isolated_send(group, grc_wire_frame(wire, GRC_FRAME_CALL, grc_slot_id(group, slot)));
    if (err != GR_OK) {
        (void)grc_queue_wake(&group->waiting); /* the slot is still free */
        return err;
    }
    slot->state = GRC_SLOT_ASKED;
    if (slot->hung_ms < group->wakes_ms)
        grc_isolated_wake(group);
    return await(group, slot, ret_answer, ret_len);
}

/* --- asking --- */

static enum gr_err fail(struct grc_call *call, enum gr_err err)
{
    if (err == GR_ERR_UPSTREAM_BROKEN)
        return grc_fail(call, err, "%s", GRC_PROCESS_ENDED);
    if (err == GR_ERR_UPSTREAM_CONNECT)
        return grc_fail(call, GR_ERR_OVERLOAD, "%s", GRC_PROCESS_AWAY);
    if (err == GR_ERR_OVERLOAD)
        return grc_fail(call, err, "this group is busy");
    return grc_fail(call, err, "%s", grc_err_doc(err));
}

/* Sends the call and gets the payload of its answer, malloc'ed. */
static enum gr_err ask(struct grc_isolated *group, const struct grc_call *call, enum grc_ask what,
                       int64_t deadline_ms, bool waits, char **ret_answer, size_t *ret_len)
{
    struct grc_wire wire;

    grc_wire_begin(&wire, CALL_MAX_BYTES);
    grc_call_write(&wire, call, what, deadline_ms);
    enum gr_err err = wire.err;
    if (err == GR_OK) {
        pthread_mutex_lock(&group->lock);
        err = exchange(group, &wire, waits ? deadline_ms : 0, deadline_ms, ret_answer, ret_len);
        pthread_mutex_unlock(&group->lock);
    }
    grc_wire_done(&wire);
    return err;
}

enum gr_err grc_isolated_ask(struct grc_isolated *group, struct grc_call *call, enum grc_ask what)
{
    int64_t deadline_ms = call->deadline_ms;
    char *answer = NULL;
    size_t len = 0;

    if (deadline_ms == 0)
        deadline_ms = grc_mono_ms() + group->plugin->settings->process.call_timeout_ms;
    enum gr_err err = ask(group, call, what, deadline_ms, true, &answer, &len);
    /* After the other two errors the process has not received the call. */
    if (what == GRC_ASK_HANDLE && err != GR_ERR_OVERLOAD && err != GR_ERR_UPSTREAM_CONNECT)
        call->acted = true;
    grc_upstreams_settle(group->plugin->runtime->upstreams); /* what the function has written */
    if (err != GR_OK)
        return fail(call, err);
    if (grc_arena_defer(&call->arena, free, answer) != GR_OK)
        return fail(call, GR_ERR_NO_MEMORY);
    struct grc_unwire unwire = {.at = answer, .end = answer + len};
    err = grc_answer_read(&unwire, call);
    if (unwire.broken)
        return grc_fail(call, err, "the answer of the group's process cannot be read");
    return err;
}

/* --- rendering --- */

/* Returns the text that the process rendered for this kind of error when it started, with the id of
 * this request. */
static json_t *render_from_memory(struct grc_isolated *group, struct grc_call *call)
{
    size_t number = (size_t) - (long)call->error.err;
    gr_str text = number < GRC_RENDERED_MAX ? group->rendered[number] : (gr_str){NULL, 0};
    size_t id_len = strlen(GRC_RENDERED_ID);
    struct grc_buf out;

    if (!text.ptr)
        return NULL;
    grc_buf_init(&out, text.len + 65536);
    enum gr_err err = GR_OK;
    for (const char *at = text.ptr; at && err == GR_OK;) {
        const char *id = strstr(at, GRC_RENDERED_ID);

        err = id ? grc_buf_add(&out, at, (size_t)(id - at)) : grc_buf_text(&out, at);
        if (id && err == GR_OK)
            err = grc_buf_text(&out, call->request_id); /* letters, digits, '-', '_', '.' */
        at = id ? id + id_len : NULL;
    }
    json_t *json =
        err == GR_OK ? grc_json_parse(grc_buf_view(&out), GRC_JSON_DEPTH_MAX, NULL) : NULL;
    grc_buf_done(&out);
    return json;
}

json_t *grc_isolated_render(struct grc_isolated *group, struct grc_call *call)
{
    char *answer = NULL;
    size_t len = 0;
    json_t *json = NULL;

    if (ask(group, call, GRC_ASK_RENDER_ERROR, grc_mono_ms() + RENDER_MS, false, &answer, &len) !=
        GR_OK)
        return render_from_memory(group, call);
    struct grc_unwire unwire = {.at = answer, .end = answer + len};
    gr_str text = grc_unwire_text(&unwire);
    if (text.ptr)
        json = grc_json_parse(text, GRC_JSON_DEPTH_MAX, NULL);
    free(answer);
    return json;
}

/* --- life --- */

static void release(struct grc_isolated *group)
{
    for (size_t i = 0; i < GRC_RENDERED_MAX; i++)
        free((char *)(uintptr_t)group->rendered[i].ptr);
    if (group->config >= 0)
        close(group->config);
    if (group->wake >= 0)
        close(group->wake);
    grc_buf_done(&group->out);
    free(group->intake.payload);
    pthread_cond_destroy(&group->changed);
    pthread_mutex_destroy(&group->lock);
    free(group);
}

static struct grc_isolated *make(struct grc_plugin *plugin)
{
    struct grc_isolated *group = calloc(1, sizeof(*group));

    if (!group)
        return NULL;
    group->plugin = plugin;
    group->tally = grc_tally_of(plugin->self.name);
    group->slot_count = (size_t)plugin->settings->process.threads;
    group->process = (struct grc_process){.watch = -1, .socket = -1};
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->changed, NULL);
    grc_buf_init(&group->out, 0);
    group->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    group->config = grc_process_config(plugin);
    if (group->tally && group->wake >= 0 && group->config >= 0)
        return group;
    release(group);
    return NULL;
}

struct grc_isolated *grc_isolated_new(struct grc_plugin *plugin)
{
    struct grc_isolated *group = make(plugin);

    if (!group || !grc_thread_start(&group->thread, STACK_BYTES, grc_isolated_supervise, group)) {
        grc_error("%s: its process cannot be prepared: %s", plugin->self.name, strerror(errno));
        if (group)
            release(group);
        return NULL;
    }
    pthread_mutex_lock(&group->lock);
    while (!group->up && !group->over)
        pthread_cond_wait(&group->changed, &group->lock);
    bool up = group->up;
    pthread_mutex_unlock(&group->lock);
    if (up)
        return group;
    grc_isolated_free(group);
    return NULL;
}

void grc_isolated_tell(struct grc_isolated *group, enum grc_frame_kind kind)
{
    struct grc_wire wire;

    grc_wire_begin(&wire, 0);
    (void)grc_isolated_send(group, grc_wire_frame(&wire, kind, 0));
    grc_wire_done(&wire);
}

void grc_isolated_quiet(struct grc_isolated *group)
{
    pthread_mutex_lock(&group->lock);
    if (!group->quiet)
        grc_isolated_tell(group, GRC_FRAME_QUIET);
    group->quiet = true;
    grc_isolated_wake(group);
    pthread_mutex_unlock(&group->lock);
}

void grc_isolated_free(struct grc_isolated *group)
{
    if (!group)
        return;
    pthread_mutex_lock(&group->lock);
    grc_isolated_tell(group, GRC_FRAME_QUIT);
    group->quiet = true;
    group->quit = true;
    grc_isolated_wake(group);
    pthread_mutex_unlock(&group->lock);
    pthread_join(group->thread, NULL);
    release(group);
}
