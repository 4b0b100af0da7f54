/* Finds the process that listens on a port. */
#pragma once

/* Returns "process 812 (nginx)", or "a process of user www-data" if only root may know the process.
 * malloc'ed; NULL if nothing is known. Slow, since it searches /proc. */
char *grc_port_owner(unsigned port);
