/* Rows that several files of the group templates use. */
#pragma once

#include "common.h"

/* A map whose keys are names and whose values have the given members. */
#define BY_NAME(rows_) .items = GR_ITEM(GR_OBJECT, .fields = (rows_))

extern const struct gr_field template_role[];         /* template_role.c */
extern const struct gr_field template_destinations[]; /* template_destinations.c */
