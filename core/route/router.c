/*
 * A trie of path segments. Each node has sorted literal children, and at most one child for a
 * parameter. The names of parameters are kept with the route and not in the tree, since routes of
 * different methods may name the same segment differently.
 */
#include "route/router.h"

#include "base/uri.h"

#include <stdlib.h>

#define SEGMENTS_MAX 24u
#define METHODS (GR_METHOD_DELETE + 1)

/* A route under one of its two paths. */
struct leaf {
    const struct grc_route *route;
    size_t param_count;
    gr_str names[GRC_PARAMS_MAX];            /* slices of the route's own path */
    unsigned char positions[GRC_PARAMS_MAX]; /* index of the segment */
};

struct node {
    gr_str literal; /* a slice of the path of the route that made the node */
    struct node **literals;
    size_t literal_count;
    struct node *param;
    struct leaf *leaves[METHODS];
};

struct prefix {
    struct grc_plugin *plugin;
    char *path; /* malloc'ed, without trailing slash */
    size_t segments;
};

struct grc_router {
    struct node root;
    struct prefix *prefixes;
    size_t prefix_count;
};

struct path {
    gr_str segments[SEGMENTS_MAX];
    size_t count;
    bool matchable; /* it has no empty inner segment, and at most SEGMENTS_MAX segments */
};

struct grc_router *grc_router_new(void)
{
    return calloc(1, sizeof(struct grc_router));
}

static void free_node(struct node *node)
{
    for (size_t i = 0; i < node->literal_count; i++) {
        free_node(node->literals[i]);
        free(node->literals[i]);
    }
    free(node->literals);
    if (node->param) {
        free_node(node->param);
        free(node->param);
    }
    for (size_t i = 0; i < METHODS; i++)
        free(node->leaves[i]);
}

void grc_router_free(struct grc_router *router)
{
    if (!router)
        return;
    free_node(&router->root);
    for (size_t i = 0; i < router->prefix_count; i++)
        free(router->prefixes[i].path);
    free(router->prefixes);
    free(router);
}

/* --- splitting --- */

/* Takes the next segment off a path that begins with '/', and moves rest behind it. */
static gr_str next_segment(gr_str *rest)
{
    const char *start = rest->ptr + 1;
    size_t left = rest->len - 1;
    const char *end = memchr(start, '/', left);
    gr_str segment = {start, end ? (size_t)(end - start) : left};

    rest->ptr = start + segment.len;
    rest->len = left - segment.len;
    return segment;
}

/* Splits a path. Returns GR_ERR_BAD_REQUEST when it does not begin with '/'. */
static enum gr_err split(gr_str raw, struct path *path)
{
    path->count = 0;
    path->matchable = true;
    if (raw.len == 0 || raw.ptr[0] != '/')
        return GR_ERR_BAD_REQUEST;
    while (raw.len > 0) {
        gr_str segment = next_segment(&raw);
        if (segment.len == 0 && raw.len == 0)
            break; /* the root, or a trailing slash */
        if (segment.len == 0 || path->count == SEGMENTS_MAX)
            path->matchable = false;
        else
            path->segments[path->count++] = segment;
    }
    return GR_OK;
}

/* Compares a raw segment, decoded on the way, with a literal. A bad escape equals nothing. */
static int compare_segment(gr_str raw, gr_str literal)
{
    size_t at = 0;
    size_t i = 0;

    for (; at < raw.len && i < literal.len; i++) {
        int difference = grc_uri_byte(raw, &at) - (unsigned char)literal.ptr[i];
        if (difference != 0)
            return difference;
    }
    if (at < raw.len)
        return 1;
    return i < literal.len ? -1 : 0;
}

/* --- building --- */

static bool is_param(gr_str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static bool is_literal(gr_str segment)
{
    for (size_t i = 0; i < segment.len; i++) {
        if (strchr("{}%?#", segment.ptr[i]) || segment.ptr[i] <= 0x20)
            return false;
    }
    return grc_segment_safe(segment);
}

/* Returns the index where the child with that literal is or belongs. *ret_child is it, or NULL. */
static size_t find_literal(const struct node *node, gr_str raw, struct node **ret_child)
{
    size_t low = 0;
    size_t high = node->literal_count;

    *ret_child = NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_segment(raw, node->literals[middle]->literal);
        if (order == 0) {
            *ret_child = node->literals[middle];
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static struct node *insert_literal(struct node *node, gr_str literal)
{
    struct node *child = NULL;
    size_t at = find_literal(node, literal, &child);

    if (child)
        return child;
    struct node **grown =
        realloc(node->literals, (node->literal_count + 1) * sizeof(struct node *));
    if (!grown)
        return NULL;
    node->literals = grown;
    child = calloc(1, sizeof(*child));
    if (!child)
        return NULL;
    child->literal = literal;
    memmove(grown + at + 1, grown + at, (node->literal_count - at) * sizeof(struct node *));
    grown[at] = child;
    node->literal_count++;
    return child;
}

static struct node *insert_segment(struct node *node, gr_str segment)
{
    if (is_param(segment)) {
        if (!node->param)
            node->param = calloc(1, sizeof(*node->param));
        return node->param;
    }
    return is_literal(segment) ? insert_literal(node, segment) : NULL;
}

/* Adds a parameter of the pattern. Returns false for too many parameters, and for a repeated name.
 */
static bool add_param(struct leaf *leaf, gr_str name, size_t position)
{
    if (leaf->param_count == GRC_PARAMS_MAX)
        return false;
    for (size_t i = 0; i < leaf->param_count; i++) {
        if (gr_str_eq(leaf->names[i], name))
            return false;
    }
    leaf->names[leaf->param_count] = name;
    leaf->positions[leaf->param_count] = (unsigned char)position;
    leaf->param_count++;
    return true;
}

/* Finds or makes the node of a pattern, and fills in the leaf's names. Returns NULL when the
 * pattern is malformed or without memory. */
static struct node *insert_pattern(struct grc_router *router, const char *pattern,
                                   struct leaf *leaf)
{
    struct node *node = &router->root;
    struct path path;

    if (split(gr_str_of(pattern), &path) != GR_OK || !path.matchable)
        return NULL;
    for (size_t i = 0; i < path.count && node; i++) {
        gr_str segment = path.segments[i];
        if (is_param(segment) && !add_param(leaf, (gr_str){segment.ptr + 1, segment.len - 2}, i))
            return NULL;
        node = insert_segment(node, segment);
    }
    return node;
}

static bool add_pattern(struct grc_router *router, const struct grc_route *route,
                        const char *pattern, const struct grc_route **ret_other)
{
    enum gr_method method = route->row->method;

    if (method < GR_METHOD_GET || method > GR_METHOD_DELETE)
        return false;
    struct leaf *leaf = calloc(1, sizeof(*leaf));
    if (!leaf)
        return false;
    leaf->route = route;
    struct node *node = insert_pattern(router, pattern, leaf);
    if (!node || node->leaves[method]) {
        if (node)
            *ret_other = node->leaves[method]->route;
        free(leaf);
        return false;
    }
    node->leaves[method] = leaf;
    return true;
}

bool grc_router_add(struct grc_router *router, const struct grc_route *route,
                    const struct grc_route **ret_other)
{
    *ret_other = NULL;
    if (!add_pattern(router, route, route->path, ret_other))
        return false;
    return !route->alias || add_pattern(router, route, route->alias, ret_other);
}

bool grc_router_own(struct grc_router *router, struct grc_plugin *plugin, const char *prefix)
{
    struct path path;
    gr_str text = gr_str_of(prefix);

    /* "" and "/" own everything. */
    if (text.len > 0 && text.ptr[text.len - 1] == '/')
        text.len--;
    path.count = 0;
    if (text.len > 0 &&
        (split(text, &path) != GR_OK || !path.matchable || text.ptr[text.len - 1] == '/'))
        return false;
    struct prefix *grown =
        realloc(router->prefixes, (router->prefix_count + 1) * sizeof(struct prefix));
    if (!grown)
        return false;
    router->prefixes = grown;
    char *copy = strndup(text.ptr ? text.ptr : "", text.len);
    if (!copy)
        return false;
    router->prefixes[router->prefix_count++] =
        (struct prefix){.plugin = plugin, .path = copy, .segments = path.count};
    return true;
}

/* --- matching --- */

struct search {
    const struct path *path;
    enum gr_method method;
    unsigned allowed;
    const struct leaf *first; /* of any method; its plugin owns the path */
    const struct leaf *hit;
};

static void visit_end(struct search *search, const struct node *node)
{
    for (unsigned method = GR_METHOD_GET; method < METHODS; method++) {
        if (!node->leaves[method])
            continue;
        search->allowed |= 1u << method;
        if (!search->first)
            search->first = node->leaves[method];
        if (!search->hit && method == search->method)
            search->hit = node->leaves[method];
    }
}

/*
 * Searches all nodes that fit, depth first and literals before parameters. The search goes on after
 * a hit, since later nodes can add allowed methods. It visits each node at most once, and the
 * recursion is as deep as the longest pattern.
 */
static void search_node(struct search *search, const struct node *node, size_t depth)
{
    struct node *child = NULL;

    if (depth == search->path->count) {
        visit_end(search, node);
        return;
    }
    (void)find_literal(node, search->path->segments[depth], &child);
    if (child)
        search_node(search, child, depth + 1);
    if (node->param)
        search_node(search, node->param, depth + 1);
}

static bool starts_with(gr_str raw, const struct prefix *prefix)
{
    gr_str rest = gr_str_of(prefix->path);

    while (rest.len > 0) {
        if (raw.len == 0 || raw.ptr[0] != '/')
            return false;
        if (compare_segment(next_segment(&raw), next_segment(&rest)) != 0)
            return false;
    }
    return true;
}

static struct grc_plugin *find_owner(const struct grc_router *router, gr_str raw)
{
    const struct prefix *best = NULL;

    for (size_t i = 0; i < router->prefix_count; i++) {
        const struct prefix *prefix = &router->prefixes[i];
        if ((!best || prefix->segments > best->segments) && starts_with(raw, prefix))
            best = prefix;
    }
    return best ? best->plugin : NULL;
}

/* Decodes a segment into the arena. */
static enum gr_err decode_segment(struct grc_arena *arena, gr_str raw, gr_str *ret_value)
{
    char *text = grc_arena_alloc(arena, raw.len + 1);
    size_t len;

    if (!text)
        return GR_ERR_NO_MEMORY;
    if (!grc_uri_decode(raw, false, text, &len))
        return GR_ERR_BAD_REQUEST;
    *ret_value = (gr_str){text, len};
    return GR_OK;
}

/*
 * Checks every segment, also of a path that no route has: what the gateway refuses must not depend
 * on its routes. Only segments with something to decode or to refuse need memory.
 */
static enum gr_err check_segments(struct grc_arena *arena, gr_str raw)
{
    while (raw.len > 0) {
        gr_str segment = next_segment(&raw);
        bool plain = segment.len > 0 && segment.ptr[0] != '.';
        for (size_t i = 0; i < segment.len && plain; i++) {
            unsigned char c = (unsigned char)segment.ptr[i];
            plain = c > 0x20 && c < 0x7f && c != '%' && c != '\\';
        }
        if (plain || segment.len == 0)
            continue;
        gr_str decoded;
        enum gr_err err = decode_segment(arena, segment, &decoded);
        if (err != GR_OK)
            return err;
        if (!grc_segment_safe(decoded))
            return GR_ERR_BAD_REQUEST;
    }
    return GR_OK;
}

static enum gr_err fill_params(const struct leaf *leaf, const struct path *path,
                               struct grc_arena *arena, struct grc_match *match)
{
    for (size_t i = 0; i < leaf->param_count; i++) {
        struct gr_pair *param = &match->params[i];
        gr_str raw = path->segments[leaf->positions[i]];
        enum gr_err err = decode_segment(arena, raw, &param->value);
        if (err != GR_OK)
            return err;
        param->name = leaf->names[i];
        match->param_count++;
    }
    return GR_OK;
}

void grc_router_match(const struct grc_router *router, enum gr_method method, gr_str raw_path,
                      struct grc_arena *arena, struct grc_match *ret_match)
{
    struct path path;
    struct search search = {.path = &path, .method = method};

    *ret_match = (struct grc_match){.err = split(raw_path, &path)};
    if (ret_match->err == GR_OK)
        ret_match->err = check_segments(arena, raw_path);
    if (ret_match->err == GR_OK && path.matchable)
        search_node(&search, &router->root, 0);
    ret_match->allowed = search.allowed;
    if (search.hit) {
        ret_match->err = fill_params(search.hit, &path, arena, ret_match);
        ret_match->owner = search.hit->route->plugin;
        if (ret_match->err == GR_OK)
            ret_match->route = search.hit->route;
    } else if (search.first) {
        ret_match->err = GR_ERR_METHOD;
        ret_match->owner = search.first->route->plugin;
    } else {
        if (ret_match->err == GR_OK)
            ret_match->err = GR_ERR_NOT_FOUND;
        ret_match->owner = find_owner(router, raw_path);
    }
}
