/* The handlers of the route table in minigroups.c. */
#pragma once

#include <greenroom/plugin.h>

gr_handler mini_create;           /* create.c */
gr_handler mini_update;           /* update.c */
gr_handler mini_recreate;         /* recreate.c */
gr_handler mini_read;             /* read.c */
gr_handler mini_download;         /* read.c */
gr_handler mini_save_position;    /* read.c */
gr_handler mini_post_event;       /* events.c */
gr_handler mini_whiteboard;       /* events.c */
gr_handler mini_property;         /* properties.c */
gr_handler mini_set_property;     /* properties.c */
gr_handler mini_account_property; /* properties.c */
gr_handler mini_set_account_property;
gr_handler mini_callback; /* callback.c */
gr_handler mini_restart;  /* callback.c */
