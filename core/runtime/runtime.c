#include "runtime/runtime.h"

#include <stdatomic.h>
#include <stdlib.h>

struct grc_runtime *grc_runtime_ref(struct grc_runtime *runtime)
{
    atomic_fetch_add_explicit(&runtime->refs, 1, memory_order_relaxed);
    return runtime;
}

bool grc_runtime_drop(struct grc_runtime *runtime)
{
    return atomic_fetch_sub_explicit(&runtime->refs, 1, memory_order_acq_rel) == 1;
}

void grc_runtime_release(struct grc_runtime *runtime)
{
    if (grc_runtime_drop(runtime))
        abort(); /* a worker would have to stop the plugins */
}

unsigned grc_runtime_refs(const struct grc_runtime *runtime)
{
    return atomic_load_explicit(&runtime->refs, memory_order_acquire);
}
