/* The initial state: the default workspace, a seed, or the state file. */
#include "seed.h"

#include "polls.h"
#include "rooms.h"
#include "sessions.h"
#include "templates.h"

#include <errno.h>
#include <unistd.h>

bool sb_reset(struct sandbox *sb)
{
    json_t *template;

    if (!sb_adopt(sb, sb_pack(sb, "{s{si sI}}", "meta", "version", SB_STATE_VERSION, "offset_ms",
                              (json_int_t)0)))
        return false;
    template = sb_default_template(sb);
    sb_set(sb, json_object_get(sb->root, "meta"), "default_template",
           sb_pack(sb, "s", sb_text(template, "id")));
    return !sb->failed;
}

/* --- seed --- */

static bool seed_codes(struct sandbox *sb, const json_t *room, const json_t *codes)
{
    const char *role;
    json_t *code;

    json_object_foreach(sb_mutable(codes), role, code) {
        const char *text = json_string_value(code);
        struct sb_name stamp = sb_stamp(sb->now_ms);

        if (!text || !sb_template_has_role(sb, sb_text(room, "template_id"), role))
            return false;
        sb_put(sb, "codes", text,
               sb_pack(sb, "{ss ss ss sb ss ss}", "code", text, "room_id", sb_text(room, "id"),
                       "role", role, "enabled", 1, "created_at", stamp.text, "updated_at",
                       stamp.text));
    }
    return true;
}

static bool seed_template(struct sandbox *sb, const json_t *row)
{
    return sb_template_put(sb, row, NULL) != NULL;
}

static bool seed_room(struct sandbox *sb, const json_t *row)
{
    const char *name = sb_text(row, "template");
    const char *id;
    json_t *template;
    json_t *room = NULL;
    json_t *body = sb_copy(sb, row);
    json_t *peer;
    size_t i;

    json_object_foreach(sb_all(sb, "templates"), id, template) {
        if (*name && sb_is(template, "name", gr_str_of(name)))
            sb_set(sb, body, "template_id", sb_pack(sb, "s", id));
    }
    room = sb_room_put(sb, NULL, body);
    json_decref(body);
    if (!room || !seed_codes(sb, room, json_object_get(row, "codes")))
        return false;
    json_array_foreach(json_object_get(row, "peers"), i, peer) {
        if (!sb_template_has_role(sb, sb_text(room, "template_id"), sb_text(peer, "role")))
            return false;
        sb_peer_join(sb, room, peer);
    }
    return true;
}

static bool seed_poll(struct sandbox *sb, const json_t *row)
{
    return sb_poll_put(sb, row, *sb_text(row, "id") ? sb_text(row, "id") : NULL) != NULL;
}

static const struct seed_kind {
    const char *member;
    bool (*plant)(struct sandbox *sb, const json_t *row);
    const char *problem;
} seed_kinds[] = {
    {"templates", seed_template, "the template cannot be created"},
    {"polls", seed_poll, "the poll cannot be created"},
    {"rooms", seed_room, "the template or a role is unknown"},
};

/* Returns false and writes the reason if the seed has no list of that kind, or a wrong row in it.
 */
static bool seed_rows(struct sandbox *sb, const json_t *seed, const struct seed_kind *kind,
                      char ret_problem[SB_SEED_PROBLEM_MAX])
{
    const json_t *rows = json_object_get(seed, kind->member);
    size_t count = json_array_size(rows);

    if (rows && !json_is_array(rows)) {
        snprintf(ret_problem, SB_SEED_PROBLEM_MAX, "%s: not an array", kind->member);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);

        if (json_is_object(row) && kind->plant(sb, row))
            continue;
        snprintf(ret_problem, SB_SEED_PROBLEM_MAX, "%s[%zu]: %s", kind->member, i,
                 json_is_object(row) ? kind->problem : "not an object");
        return false;
    }
    return true;
}

bool sb_seed(struct sandbox *sb, const json_t *seed, char ret_problem[SB_SEED_PROBLEM_MAX])
{
    const json_t *state = json_object_get(seed, "state");

    snprintf(ret_problem, SB_SEED_PROBLEM_MAX, "%s",
             json_is_object(seed) ? "out of memory" : "not an object");
    if (!json_is_object(seed) || (state && !sb_adopt(sb, sb_copy(sb, state))))
        return false;
    for (size_t k = 0; k < sizeof(seed_kinds) / sizeof(seed_kinds[0]); k++) {
        if (!seed_rows(sb, seed, &seed_kinds[k], ret_problem))
            return false;
    }
    return !sb->failed;
}

/* Reads a JSON file. GR_ERR_NOT_FOUND when it does not exist; other errors have been logged. */
static enum gr_err read_json(struct gr_self *self, const char *path, json_t **ret_value)
{
    json_error_t problem;
    json_t *value;

    if (access(path, F_OK) && errno == ENOENT)
        return GR_ERR_NOT_FOUND;
    value = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (!value) {
        gr_log_self(self, GR_LOG_ERROR, "cannot read '%s': %s (line %d)", path, problem.text,
                    problem.line);
        return GR_ERR_BAD_JSON;
    }
    *ret_value = value;
    return GR_OK;
}

static enum gr_err load_seed(struct gr_self *self, struct sandbox *sb)
{
    const char *path = sb->options->seed_file;
    char problem[SB_SEED_PROBLEM_MAX];
    json_t *seed = NULL;
    enum gr_err err;
    bool planted;

    if (!path || !*path)
        return GR_OK;
    err = read_json(self, path, &seed);
    if (err != GR_OK) {
        if (err == GR_ERR_NOT_FOUND)
            gr_log_self(self, GR_LOG_ERROR, "the seed file '%s' does not exist", path);
        return err;
    }
    planted = sb_seed(sb, seed, problem);
    json_decref(seed);
    if (!planted) {
        gr_log_self(self, GR_LOG_ERROR, "cannot use seed file '%s': %s", path, problem);
        return GR_ERR_INVALID;
    }
    return GR_OK;
}

enum gr_err sb_load(struct gr_self *self, struct sandbox *sb)
{
    const char *path = sb->options->state_file;
    json_t *saved = NULL;
    enum gr_err err;

    if (path && *path) {
        err = read_json(self, path, &saved);
        if (err != GR_OK && err != GR_ERR_NOT_FOUND)
            return err;
    }
    if (saved && sb_int(json_object_get(saved, "meta"), "version") != SB_STATE_VERSION) {
        json_decref(saved);
        gr_log_self(self, GR_LOG_ERROR, "'%s' is not a state file of this version", path);
        return GR_ERR_INVALID;
    }
    if (saved)
        return sb_adopt(sb, saved) ? GR_OK : GR_ERR_NO_MEMORY;
    if (!sb_reset(sb))
        return GR_ERR_NO_MEMORY;
    return load_seed(self, sb);
}
