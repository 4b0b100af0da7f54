/* Reads any bytes as the file of a plugin. Nothing may be read past their end, and a refusal must
 * have a reason. */
#include "plugin/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_needed(void *arg, const char *library)
{
    size_t *bytes = arg;

    *bytes += strlen(library);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uintptr_t far[] = {0, 1, 0x1000, 0x2000, 0x3ff8, UINTPTR_MAX - 7, UINTPTR_MAX};
    struct grc_elf elf;
    char *reason = NULL;
    size_t needed = 0;
    enum grc_elf_verdict verdict = grc_elf_read(data, size, &elf, &reason);

    if ((verdict == GRC_ELF_OK) != (reason == NULL))
        abort();
    if (!memchr(elf.name, '\0', sizeof(elf.name)) ||
        !memchr(elf.version, '\0', sizeof(elf.version)) ||
        !memchr(elf.build_id, '\0', sizeof(elf.build_id)))
        abort();
    free(reason);
    for (size_t i = 0; verdict == GRC_ELF_OK && i < sizeof(far) / sizeof(far[0]); i++) {
        if (far[i] + grc_elf_room(data, size, far[i]) < far[i])
            abort();
    }
    grc_elf_needed(data, size, count_needed, &needed);
    return 0;
}
