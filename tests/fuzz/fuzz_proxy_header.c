/* Reads any bytes as a header of the PROXY protocol. No beginning of a header may be taken for the
 * whole header, and when a beginning is refused, the whole must be refused as well. */
#include "http/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct grc_proxy_header whole;
    struct grc_proxy_header part;
    enum grc_proxy_verdict verdict = grc_proxy_header_read(bytes, size, &whole);
    size_t end = verdict == GRC_PROXY_WHOLE ? whole.len : size;

    if (end > size || (verdict == GRC_PROXY_WHOLE && (end == 0 || end > GRC_PROXY_HEADER_MAX)))
        abort();
    if (verdict == GRC_PROXY_MORE && size >= GRC_PROXY_HEADER_MAX)
        abort();
    for (size_t len = 0; len < end; len++) {
        enum grc_proxy_verdict early = grc_proxy_header_read(bytes, len, &part);

        if (early == GRC_PROXY_WHOLE || (early == GRC_PROXY_WRONG && verdict != GRC_PROXY_WRONG))
            abort();
    }
    return 0;
}
