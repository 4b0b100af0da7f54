/* Polls and their questions. poll_runs.c and poll_results.c have the answers. */
#include "polls.h"
#include "routes.h"
#include "templates.h"

#include <stdlib.h>

static const char poll_defaults[] =
    "{\"title\":\"\",\"duration\":0,\"anonymous\":false,\"mode\":\"userid\",\"type\":\"poll\","
    "\"start\":\"auto\",\"questions\":[]}";
static const char question_defaults[] =
    "{\"text\":\"\",\"format\":\"text\",\"attachment\":[],\"skippable\":false,\"duration\":0,"
    "\"once\":false,\"weight\":1,\"type\":\"single-choice\",\"options\":[]}";
static const char option_defaults[] = "{\"text\":\"\"}";

static const struct gr_field question_fields[] = {
    GR_FIELD("index", GR_INT, "Position, counted from 1", .range = GR_MIN(1)),
    GR_FIELD("text", GR_STRING, "Text of the question"),
    HMS_POLL_QUESTION,
    GR_FIELD("type", GR_STRING, "Kind of question",
             .values = GR_LIST("single-choice", "multiple-choice", "short-answer", "long-answer")),
    GR_FIELD("answer", GR_OBJECT, "The right answer", .fields = hms_poll_answer),
    GR_FIELD("options", GR_ARRAY, "Options to choose from",
             .items = GR_ITEM(GR_OBJECT, .fields = hms_poll_option)),
    GR_END,
};

static const struct gr_field poll_fields[] = {
    GR_FIELD("title", GR_STRING, "Title"),
    GR_FIELD("duration", GR_INT, "Duration in seconds; 0: until it is stopped", .range = GR_MIN(0)),
    GR_FIELD("anonymous", GR_BOOL, "Whether the results omit the participants",
             .default_doc = "false"),
    GR_FIELD("mode", GR_STRING, "What identifies a participant",
             .values = GR_LIST("userid", "peerid"), .default_doc = "userid"),
    GR_FIELD("type", GR_STRING, "Poll, or quiz with right answers", .values = HMS_POLL_TYPES,
             .default_doc = "poll"),
    GR_FIELD("start", GR_STRING, "`auto` starts the poll with the session",
             .values = HMS_POLL_STARTS, .default_doc = "auto"),
    GR_FIELD("questions", GR_ARRAY, "Questions of the poll",
             .items = GR_ITEM(GR_OBJECT, .fields = question_fields)),
    GR_END,
};

/* --- defaults --- */

static void complete_list(struct sandbox *sb, json_t *list,
                          void (*complete)(struct sandbox *sb, json_t *item))
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (!json_object_get(item, "index"))
            sb_set(sb, item, "index", json_integer((json_int_t)i + 1));
        complete(sb, item);
    }
}

static void complete_option(struct sandbox *sb, json_t *option)
{
    sb_fill_from(sb, option, option_defaults);
}

static void complete_question(struct sandbox *sb, json_t *question)
{
    sb_fill_from(sb, question, question_defaults);
    complete_list(sb, json_object_get(question, "options"), complete_option);
}

json_t *sb_poll_put(struct sandbox *sb, const json_t *body, const char *id)
{
    struct sb_name fresh = sb_new_id(sb);
    json_t *poll = sb_pack(sb, "{ss}", "id", id ? id : fresh.text);
    json_t *rest = sb_copy(sb, body);

    sb_unset(sb, rest, "id");
    sb_fill(sb, poll, rest);
    json_decref(rest);
    sb_fill_from(sb, poll, poll_defaults);
    complete_list(sb, json_object_get(poll, "questions"), complete_question);
    return sb_put(sb, "polls", sb_text(poll, "id"), poll);
}

/* --- finding by index --- */

static json_t *by_index(const json_t *list, json_int_t index, size_t *ret_at)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (sb_int(item, "index") == index) {
            *ret_at = i;
            return item;
        }
    }
    return NULL;
}

/* The indexes of the questions of a poll, or of the options of a question, must be unique. */
static bool indexes_differ(const json_t *list)
{
    json_t *item;
    size_t i;
    size_t at;

    json_array_foreach(list, i, item) {
        if (json_object_get(item, "index") && by_index(list, sb_int(item, "index"), &at) != item)
            return false;
    }
    return true;
}

static enum gr_err check_poll(struct gr_call *call, const json_t *poll)
{
    const json_t *questions = json_object_get(poll, "questions");
    json_t *question;
    size_t i;

    if (!indexes_differ(questions))
        return sb_error(call, 400, "Invalid body param: questions", "index must be unique");
    json_array_foreach(questions, i, question) {
        if (!indexes_differ(json_object_get(question, "options")))
            return sb_error(call, 400, "Invalid body param: options", "index must be unique");
    }
    return GR_OK;
}

/* The item of a path, and its list. */
struct place {
    json_t *list;
    json_t *item;
    size_t at;
};

enum gr_err sb_poll_of(struct gr_call *call, struct sandbox *sb, json_t **ret_poll)
{
    *ret_poll = sb_find(sb, "polls", gr_param(call, "poll_id"));
    return *ret_poll ? GR_OK : sb_error(call, 404, "poll not found", NULL);
}

static enum gr_err question_of(struct gr_call *call, struct sandbox *sb, struct place *ret_place)
{
    json_t *poll;
    enum gr_err err = sb_poll_of(call, sb, &poll);

    if (err != GR_OK)
        return err;
    ret_place->list = json_object_get(poll, "questions");
    ret_place->item = by_index(ret_place->list, strtoll(gr_param(call, "question").ptr, NULL, 10),
                               &ret_place->at);
    return ret_place->item ? GR_OK : sb_error(call, 404, "question not found", NULL);
}

static enum gr_err option_of(struct gr_call *call, struct sandbox *sb, struct place *ret_place)
{
    enum gr_err err = question_of(call, sb, ret_place);

    if (err != GR_OK)
        return err;
    ret_place->list = json_object_get(ret_place->item, "options");
    ret_place->item =
        by_index(ret_place->list, strtoll(gr_param(call, "option").ptr, NULL, 10), &ret_place->at);
    return ret_place->item ? GR_OK : sb_error(call, 404, "option not found", NULL);
}

/* Replaces an item by the body. The index is kept unless the body has one. */
static enum gr_err rewrite(struct gr_call *call, struct sandbox *sb, const struct place *place,
                           void (*complete)(struct sandbox *sb, json_t *item))
{
    json_t *item = sb_copy(sb, gr_json(call));
    size_t at = place->at;

    if (!json_object_get(item, "index"))
        sb_set(sb, item, "index", json_integer(sb_int(place->item, "index")));
    if (by_index(place->list, sb_int(item, "index"), &at) && at != place->at) {
        json_decref(item);
        return sb_error(call, 400, "Invalid body param: index", "index must be unique");
    }
    complete(sb, item);
    sb->change++;
    if (json_array_set_new(place->list, place->at, item))
        sb->failed = true;
    return sb_reply(call, sb, sb_copy(sb, item));
}

/* Removes an item; the later ones move up by one. */
static enum gr_err remove_item(struct sandbox *sb, const struct place *place)
{
    json_int_t index = sb_int(place->item, "index");
    json_t *item = NULL;
    size_t i;

    sb->change++;
    if (json_array_remove(place->list, place->at))
        sb->failed = true;
    json_array_foreach(place->list, i, item) {
        if (sb_int(item, "index") > index)
            sb_set(sb, item, "index", json_integer(sb_int(item, "index") - 1));
    }
    return GR_OK;
}

static enum gr_err polls_create(struct gr_call *call, struct sandbox *sb)
{
    enum gr_err err = check_poll(call, gr_json(call));

    return err == GR_OK ? sb_reply(call, sb, sb_copy(sb, sb_poll_put(sb, gr_json(call), NULL)))
                        : err;
}

static enum gr_err polls_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *poll;
    enum gr_err err = sb_poll_of(call, sb, &poll);

    return err == GR_OK ? sb_reply(call, sb, sb_copy(sb, poll)) : err;
}

static enum gr_err polls_update(struct gr_call *call, struct sandbox *sb)
{
    json_t *poll;
    enum gr_err err = sb_poll_of(call, sb, &poll);

    if (err == GR_OK)
        err = check_poll(call, gr_json(call));
    if (err != GR_OK)
        return err;
    return sb_reply(call, sb,
                    sb_copy(sb, sb_poll_put(sb, gr_json(call), gr_param(call, "poll_id").ptr)));
}

static enum gr_err polls_question_put(struct gr_call *call, struct sandbox *sb)
{
    struct place place = {.list = NULL};
    enum gr_err err = question_of(call, sb, &place);

    return err == GR_OK ? rewrite(call, sb, &place, complete_question) : err;
}

static enum gr_err polls_question_delete(struct gr_call *call, struct sandbox *sb)
{
    struct place place = {.list = NULL};
    enum gr_err err = question_of(call, sb, &place);

    return err == GR_OK ? remove_item(sb, &place) : err;
}

static enum gr_err polls_option_put(struct gr_call *call, struct sandbox *sb)
{
    struct place place = {.list = NULL};
    enum gr_err err = option_of(call, sb, &place);

    return err == GR_OK ? rewrite(call, sb, &place, complete_option) : err;
}

static enum gr_err polls_option_delete(struct gr_call *call, struct sandbox *sb)
{
    struct place place = {.list = NULL};
    enum gr_err err = option_of(call, sb, &place);

    return err == GR_OK ? remove_item(sb, &place) : err;
}

const struct gr_route sb_poll_routes[] = {
    SB_POST("/polls", "polls.create", "Create a poll",
            .body = GR_BODY(GR_OBJECT, .fields = poll_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(polls_create)),
    SB_GET("/polls/{poll_id}", "polls.get", "Fetch a poll", SB_RUN(polls_get)),
    SB_POST("/polls/{poll_id}", "polls.update", "Replace a poll",
            .body = GR_BODY(GR_OBJECT, .fields = poll_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(polls_update)),
    SB_POST("/polls/{poll_id}/questions/{question}", "polls.question_put", "Replace a question",
            .body = GR_BODY(GR_OBJECT, .fields = question_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(polls_question_put)),
    SB_DELETE("/polls/{poll_id}/questions/{question}", "polls.question_delete",
              "Delete a question; later ones move up by one", SB_RUN(polls_question_delete)),
    SB_POST("/polls/{poll_id}/questions/{question}/options/{option}", "polls.option_put",
            "Replace an option",
            .body = GR_BODY(GR_OBJECT, .fields = hms_poll_option, .flags = GR_FIELD_REQUIRED),
            SB_RUN(polls_option_put)),
    SB_DELETE("/polls/{poll_id}/questions/{question}/options/{option}", "polls.option_delete",
              "Delete an option; later ones move up by one", SB_RUN(polls_option_delete)),
    GR_END,
};
