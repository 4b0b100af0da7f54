/*
 * The clock and the scheduled steps. A step is {"at", "kind", "id"} in the list "due" of the state
 * document, so that it survives a restart.
 */
#include "sandbox.h"

int64_t sb_clock(const struct sandbox *sb)
{
    return gr_now_ms(sb->host) + sb->offset_ms;
}

int64_t sb_service_ms(const struct sandbox *sb, int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? (to_ms - from_ms) * sb->options->speed : 0;
}

static json_t *due_list(struct sandbox *sb)
{
    if (!json_object_get(sb->root, "due"))
        sb_set(sb, sb->root, "due", json_array());
    return json_object_get(sb->root, "due");
}

void sb_schedule(struct sandbox *sb, int64_t delay_ms, const char *kind, const char *id)
{
    int64_t at = sb->now_ms + (delay_ms + sb->options->speed - 1) / sb->options->speed;

    sb_append(sb, due_list(sb),
              sb_pack(sb, "{sI ss ss}", "at", (json_int_t)at, "kind", kind, "id", id));
    if (at < sb->next_due_ms)
        sb->next_due_ms = at;
}

void sb_cancel(struct sandbox *sb, const char *kind, const char *id)
{
    json_t *due = due_list(sb);

    for (size_t i = json_array_size(due); i-- > 0;) {
        const json_t *step = json_array_get(due, i);

        if (sb_is(step, "kind", gr_str_of(kind)) && sb_is(step, "id", gr_str_of(id)) &&
            json_array_remove(due, i) == 0)
            sb->change++;
    }
}

/* Returns the index of the earliest step; the length of the list when it is empty. */
static size_t earliest(const json_t *due, int64_t *ret_at)
{
    size_t count = json_array_size(due);
    size_t best = count;

    *ret_at = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        int64_t at = sb_int(json_array_get(due, i), "at");

        if (at < *ret_at) {
            *ret_at = at;
            best = i;
        }
    }
    return best;
}

void sb_clock_restore(struct sandbox *sb)
{
    earliest(due_list(sb), &sb->next_due_ms);
}

static void run_step(struct sandbox *sb, const json_t *step)
{
    for (const struct sb_step *kind = sb->steps; kind->kind; kind++) {
        if (sb_is(step, "kind", gr_str_of(kind->kind)))
            kind->run(sb, sb_text(step, "id"));
    }
}

void sb_tick(struct sandbox *sb)
{
    int64_t until = sb_clock(sb);

    while (sb->next_due_ms <= until) {
        json_t *due = due_list(sb);
        int64_t at;
        size_t index = earliest(due, &at);
        json_t *step = json_incref(json_array_get(due, index));

        if (json_array_remove(due, index) == 0)
            sb->change++;
        sb->now_ms = at;
        run_step(sb, step);
        json_decref(step);
        sb_clock_restore(sb);
    }
    sb->now_ms = until;
}
