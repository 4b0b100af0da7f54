/* Who listens on a port already, where the kernel tells. */
#pragma once

/* "process 812 (nginx)", or "a process of user www-data" where only root may know which one.
 * malloc'ed; NULL when nothing is known. Not fast: it looks through /proc. */
char *grc_port_owner(unsigned port);
