/* The handlers behind the route table in minigroups.c. */
#pragma once

#include <greenroom/plugin.h>

gr_handler mg_create;           /* create.c */
gr_handler mg_update;           /* update.c */
gr_handler mg_recreate;         /* recreate.c */
gr_handler mg_read;             /* read.c */
gr_handler mg_download;         /* read.c */
gr_handler mg_save_position;    /* read.c */
gr_handler mg_post_event;       /* events.c */
gr_handler mg_whiteboard;       /* events.c */
gr_handler mg_property;         /* properties.c */
gr_handler mg_set_property;     /* properties.c */
gr_handler mg_account_property; /* properties.c */
gr_handler mg_set_account_property;
gr_handler mg_callback; /* callback.c */
gr_handler mg_restart;  /* callback.c */
