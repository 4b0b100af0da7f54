/* The table of watches behind loop.h. For core/loop only. */
#pragma once

#include "loop/loop.h"

struct grc_watches;

/* epoll is borrowed. */
struct grc_watches *grc_watches_new(int epoll);
void grc_watches_free(struct grc_watches *watches);
struct grc_watch *grc_watches_open(struct grc_watches *watches, int fd);
/* Handles events from the kernel, with the tag that the descriptor was registered with. */
void grc_watches_tell(struct grc_watches *watches, uint64_t tag, uint32_t kernel_events);
