/* Matches any bytes as the path of a request. The parameters of a match must be safe. The first
 * byte selects the method. */
#include "base/uri.h"
#include "base/utf8.h"
#include "route/router.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gr_route rows[] = {
    GR_GET("/", "root.get", ""),
    GR_GET("/rooms", "rooms.list", ""),
    GR_POST("/rooms", "rooms.create", ""),
    GR_GET("/rooms/{room_id}", "rooms.get", ""),
    GR_POST("/rooms/{id}", "rooms.update", ""),
    GR_POST("/rooms/{room_id}/end-room", "rooms.end", "", .alias = "/end/{room_id}"),
    GR_GET("/rooms/{room_id}/codes/{code}", "codes.get", ""),
    GR_GET("/rooms/all/codes", "codes.list", ""),
    GR_PUT("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}", "deep.put", ""),
    GR_DELETE("/accounts/", "accounts.delete", ""),
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct grc_route routes[ROWS];
static struct grc_plugin plugins[3];

static struct grc_router *make_router(void)
{
    struct grc_router *router = grc_router_new();
    const struct grc_route *other;

    if (!router)
        abort();
    for (size_t i = 0; i < ROWS; i++) {
        routes[i] = (struct grc_route){
            .row = &rows[i], .plugin = &plugins[0], .path = rows[i].path, .alias = rows[i].alias};
        if (!grc_router_add(router, &routes[i], &other))
            abort();
    }
    if (!grc_router_own(router, &plugins[1], "/api") ||
        !grc_router_own(router, &plugins[2], "/api/v1/"))
        abort();
    return router;
}

static void check(const struct grc_match *match)
{
    if ((match->err == GR_OK) != (match->route != NULL))
        abort();
    if (match->err == GR_ERR_METHOD && (match->allowed == 0 || !match->owner))
        abort();
    for (size_t i = 0; match->route && i < match->param_count; i++) {
        gr_str value = match->params[i].value;
        if (!grc_segment_safe(value) || !grc_utf8_valid(value) || value.ptr[value.len] != '\0' ||
            strlen(value.ptr) != value.len || match->params[i].name.len == 0)
            abort();
    }
    if (match->route && !(match->allowed & 1u << match->route->row->method))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct grc_router *router;
    struct grc_arena arena;
    struct grc_match match;

    if (!router)
        router = make_router();
    if (size == 0)
        return 0;
    gr_str path = {(const char *)data + 1, size - 1};
    grc_arena_init(&arena, 1 << 20);
    grc_router_match(router, (enum gr_method)(data[0] % 6), path, &arena, &match);
    check(&match);
    grc_arena_done(&arena);
    return 0;
}
