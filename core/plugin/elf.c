#include "plugin/elf.h"

#include "base/format.h"
#include "base/secure.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define MACHINE_NAME "x86-64"
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#define MACHINE_NAME "aarch64"
#elif defined(__riscv)
#define MACHINE EM_RISCV
#define MACHINE_NAME "RISC-V"
#elif defined(__powerpc64__)
#define MACHINE EM_PPC64
#define MACHINE_NAME "ppc64"
#elif defined(__s390x__)
#define MACHINE EM_S390
#define MACHINE_NAME "s390x"
#elif defined(__arm__)
#define MACHINE EM_ARM
#define MACHINE_NAME "ARM"
#elif defined(__i386__)
#define MACHINE EM_386
#define MACHINE_NAME "x86"
#else
#error "core/plugin/elf.c: name the ELF machine of this processor"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_HERE ELFDATA2LSB
#else
#define BYTE_ORDER_HERE ELFDATA2MSB
#endif
#if __ELF_NATIVE_CLASS == 64
#define CLASS_HERE ELFCLASS64
#define SYMBOL_BIND(info) ELF64_ST_BIND(info)
#define SYMBOL_TYPE(info) ELF64_ST_TYPE(info)
#define SYMBOL_VISIBILITY(other) ELF64_ST_VISIBILITY(other)
#else
#define CLASS_HERE ELFCLASS32
#define SYMBOL_BIND(info) ELF32_ST_BIND(info)
#define SYMBOL_TYPE(info) ELF32_ST_TYPE(info)
#define SYMBOL_VISIBILITY(other) ELF32_ST_VISIBILITY(other)
#endif

/* Sanitizers export symbols of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define HEADERS_MAX 256u

/* The file, and what is wrong with it. */
struct reader {
    const unsigned char *bytes;
    size_t size;
    char *reason;
};

static bool wrong(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool wrong(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    reader->reason = grc_format_args(format, args);
    va_end(args);
    return false;
}

/* Copies len bytes at offset. Returns false when the file is shorter. */
static bool get(const struct reader *reader, size_t offset, void *ret, size_t len)
{
    if (offset > reader->size || len > reader->size - offset)
        return false;
    memcpy(ret, reader->bytes + offset, len);
    return true;
}

/* --- headers --- */

static bool read_header(struct reader *reader, ElfW(Ehdr) * ret)
{
    if (!get(reader, 0, ret, sizeof(*ret)) || memcmp(ret->e_ident, ELFMAG, SELFMAG) != 0)
        return wrong(reader, "format: found no ELF header, wanted a shared object");
    if (ret->e_ident[EI_CLASS] != CLASS_HERE)
        return wrong(reader, "class: found %u, wanted %u (%zu bits)", ret->e_ident[EI_CLASS],
                     (unsigned)CLASS_HERE, sizeof(void *) * 8);
    if (ret->e_ident[EI_DATA] != BYTE_ORDER_HERE)
        return wrong(reader, "byte order: found %u, wanted %u", ret->e_ident[EI_DATA],
                     (unsigned)BYTE_ORDER_HERE);
    if (ret->e_machine != MACHINE)
        return wrong(reader, "machine: found %u, wanted %u (" MACHINE_NAME ")", ret->e_machine,
                     (unsigned)MACHINE);
    if (ret->e_type != ET_DYN)
        return wrong(reader, "type: found %u, wanted %u (a shared object)", ret->e_type,
                     (unsigned)ET_DYN);
    if (ret->e_phentsize != sizeof(ElfW(Phdr)) || ret->e_phnum == 0 || ret->e_phnum > HEADERS_MAX)
        return wrong(reader, "program headers: found %u of %u bytes, wanted 1 to %u of %zu",
                     ret->e_phnum, ret->e_phentsize, HEADERS_MAX, sizeof(ElfW(Phdr)));
    return true;
}

static bool get_segment(const struct reader *reader, const ElfW(Ehdr) * header, size_t index,
                        ElfW(Phdr) * ret)
{
    return get(reader, header->e_phoff + index * sizeof(*ret), ret, sizeof(*ret));
}

/* Finds the offset in the file of a virtual address. Returns false when the file does not have it.
 */
static bool offset_of(const struct reader *reader, const ElfW(Ehdr) * header, ElfW(Addr) address,
                      size_t *ret_offset)
{
    ElfW(Phdr) segment;

    for (size_t i = 0; i < header->e_phnum && get_segment(reader, header, i, &segment); i++) {
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_filesz) {
            *ret_offset = segment.p_offset + (address - segment.p_vaddr);
            return true;
        }
    }
    return false;
}

/* Returns a text of the string table; NULL when it does not end within the file. */
static const char *text_at(const struct reader *reader, size_t table, size_t index)
{
    if (table >= reader->size || index >= reader->size - table)
        return NULL;
    const char *text = (const char *)reader->bytes + table + index;
    return memchr(text, '\0', reader->size - table - index) ? text : NULL;
}

/* --- the dynamic section --- */

struct dynamic {
    size_t offset;
    size_t count;
    size_t strings; /* offset of the string table */
};

static bool find_dynamic(struct reader *reader, const ElfW(Ehdr) * header, struct dynamic *ret)
{
    ElfW(Phdr) segment;
    ElfW(Dyn) entry;

    *ret = (struct dynamic){0, 0, 0};
    for (size_t i = 0; i < header->e_phnum; i++) {
        if (get_segment(reader, header, i, &segment) && segment.p_type == PT_DYNAMIC) {
            ret->offset = segment.p_offset;
            ret->count = segment.p_filesz / sizeof(entry);
        }
    }
    for (size_t i = 0; i < ret->count; i++) {
        if (!get(reader, ret->offset + i * sizeof(entry), &entry, sizeof(entry)))
            break;
        if (entry.d_tag == DT_STRTAB)
            return offset_of(reader, header, entry.d_un.d_ptr, &ret->strings) ||
                   wrong(reader, "dynamic section: found a string table outside of the file");
    }
    return wrong(reader, "dynamic section: found none, wanted a shared object");
}

/* Refuses search paths with $ORIGIN: the plugin runs from a copy in memory, which has no directory.
 */
static bool check_search_path(struct reader *reader, const struct dynamic *dynamic, size_t index)
{
    const char *path = text_at(reader, dynamic->strings, index);

    if (path && !strstr(path, "$ORIGIN") && !strstr(path, "${ORIGIN}"))
        return true;
    return wrong(reader,
                 "search path: found '%.200s', wanted absolute directories: a plugin runs "
                 "from a copy in memory",
                 path ? path : "");
}

static bool check_dynamic(struct reader *reader, const struct dynamic *dynamic)
{
    ElfW(Dyn) entry;

    for (size_t i = 0; i < dynamic->count; i++) {
        if (!get(reader, dynamic->offset + i * sizeof(entry), &entry, sizeof(entry)))
            return wrong(reader, "dynamic section: it is cut off");
        if (entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_TEXTREL ||
            (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_TEXTREL)))
            return wrong(reader, "text relocations: found some, wanted none: compile with -fPIC");
        if ((entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) &&
            !check_search_path(reader, dynamic, entry.d_un.d_val))
            return false;
    }
    return true;
}

/* --- segments and notes --- */

static bool check_segments(struct reader *reader, const ElfW(Ehdr) * header)
{
    bool has_stack = false;
    ElfW(Phdr) segment;

    for (size_t i = 0; i < header->e_phnum; i++) {
        if (!get_segment(reader, header, i, &segment))
            return wrong(reader, "program headers: they are cut off");
        if (segment.p_type == PT_LOAD &&
            (segment.p_offset > reader->size || segment.p_filesz > reader->size - segment.p_offset))
            return wrong(reader, "segment %zu: it is cut off: found %zu bytes of file, wanted %zu",
                         i, reader->size, (size_t)(segment.p_offset + segment.p_filesz));
        if (segment.p_type == PT_LOAD &&
            (segment.p_memsz < segment.p_filesz || segment.p_memsz > UINTPTR_MAX - segment.p_vaddr))
            return wrong(reader,
                         "segment %zu: found %zu bytes of memory at address %#zx, wanted room for "
                         "its %zu bytes of file, within the address space",
                         i, (size_t)segment.p_memsz, (size_t)segment.p_vaddr,
                         (size_t)segment.p_filesz);
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) && (segment.p_flags & PF_X))
            return wrong(reader,
                         "segment %zu: found one that is writable and executable, wanted "
                         "none",
                         i);
        if (segment.p_type != PT_GNU_STACK)
            continue;
        has_stack = true;
        if (segment.p_flags & PF_X)
            return wrong(reader, "stack: found an executable one, wanted -z noexecstack");
    }
    return has_stack || wrong(reader, "stack: found no PT_GNU_STACK header, wanted -z noexecstack");
}

static void take_build_id(const struct reader *reader, size_t offset, size_t len,
                          struct grc_elf *elf)
{
    if (len <= (GRC_BUILD_ID_SIZE - 1) / 2 && offset <= reader->size &&
        len <= reader->size - offset)
        grc_hex(reader->bytes + offset, len, elf->build_id);
}

/* Reads the notes of one segment, and sets what they tell. */
static void read_notes(const struct reader *reader, const ElfW(Phdr) * segment, struct grc_elf *elf)
{
    const size_t align = segment->p_align == 8 ? 8 : 4;
    size_t at = segment->p_offset;
    ElfW(Nhdr) head;

    if (at > reader->size || segment->p_filesz > reader->size - at)
        return;
    const size_t end = at + segment->p_filesz;
    while (end - at >= sizeof(head) && get(reader, at, &head, sizeof(head))) {
        const size_t owner = at + sizeof(head);
        const size_t desc = owner + (((size_t)head.n_namesz + align - 1) & ~(align - 1));
        const size_t next = desc + (((size_t)head.n_descsz + align - 1) & ~(align - 1));
        struct gr_note note;

        if (desc > end || next > end)
            break;
        if (head.n_namesz == sizeof("GNU") && head.n_type == NT_GNU_BUILD_ID &&
            memcmp(reader->bytes + owner, "GNU", sizeof("GNU")) == 0)
            take_build_id(reader, desc, head.n_descsz, elf);
        if (head.n_namesz == sizeof(GR_NOTE_OWNER) && head.n_type == GR_NOTE_TYPE &&
            head.n_descsz == sizeof(note) - offsetof(struct gr_note, abi) &&
            memcmp(reader->bytes + owner, GR_NOTE_OWNER, sizeof(GR_NOTE_OWNER)) == 0) {
            memcpy((char *)&note + offsetof(struct gr_note, abi), reader->bytes + desc,
                   sizeof(note) - offsetof(struct gr_note, abi));
            elf->abi = note.abi;
            memcpy(elf->name, note.name, sizeof(elf->name) - 1);
            memcpy(elf->version, note.version, sizeof(elf->version) - 1);
            elf->has_note = true;
        }
        at = next;
    }
}

static void find_notes(const struct reader *reader, const ElfW(Ehdr) * header, struct grc_elf *elf)
{
    ElfW(Phdr) segment;

    for (size_t i = 0; i < header->e_phnum && get_segment(reader, header, i, &segment); i++) {
        if (segment.p_type == PT_NOTE)
            read_notes(reader, &segment, elf);
    }
}

/* --- symbols --- */

static bool find_symbols(struct reader *reader, const ElfW(Ehdr) * header, ElfW(Shdr) * ret)
{
    if (header->e_shentsize == sizeof(*ret)) {
        for (size_t i = 0; i < header->e_shnum; i++) {
            if (get(reader, header->e_shoff + i * sizeof(*ret), ret, sizeof(*ret)) &&
                ret->sh_type == SHT_DYNSYM)
                return true;
        }
    }
    return wrong(reader, "symbols: found no table of dynamic symbols, wanted one");
}

/* True for symbols that older linkers export by themselves. */
static bool is_linkers_own(const char *name)
{
    static const char *const names[] = {"_init",  "_fini", "__bss_start",
                                        "_edata", "_end",  "_etext"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static const char *outliving(const char *name)
{
    static const char *const names[] = {"pthread_create", "thrd_create", "pthread_key_create",
                                        "tss_create",     "sigaction",   "signal",
                                        "timer_create"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return names[i];
    }
    return NULL;
}

static bool check_symbols(struct reader *reader, const ElfW(Ehdr) * header,
                          const struct dynamic *dynamic, struct grc_elf *elf, bool *ret_entry)
{
    ElfW(Shdr) table;
    ElfW(Sym) symbol;

    *ret_entry = false;
    elf->outlives = NULL;
    if (!find_symbols(reader, header, &table))
        return false;
    for (size_t i = 1; i < table.sh_size / sizeof(symbol); i++) {
        const char *name =
            get(reader, table.sh_offset + i * sizeof(symbol), &symbol, sizeof(symbol))
                ? text_at(reader, dynamic->strings, symbol.st_name)
                : NULL;

        if (!name)
            return wrong(reader, "symbols: symbol %zu is cut off", i);
        if (symbol.st_shndx == SHN_UNDEF) {
            elf->outlives = elf->outlives ? elf->outlives : outliving(name);
            continue;
        }
        const unsigned visibility = SYMBOL_VISIBILITY(symbol.st_other);
        if (SYMBOL_BIND(symbol.st_info) == STB_LOCAL ||
            (visibility != STV_DEFAULT && visibility != STV_PROTECTED) || is_linkers_own(name))
            continue;
        if (strcmp(name, "gr_plugin_entry") == 0)
            *ret_entry = true;
        else if (!SANITIZED)
            return wrong(reader,
                         "symbols: found '%.100s' exported, wanted gr_plugin_entry alone: compile "
                         "with -fvisibility=hidden",
                         name);
    }
    return true;
}

/* --- all of it --- */

enum grc_elf_verdict grc_elf_read(const void *bytes, size_t size, struct grc_elf *ret_elf,
                                  char **ret_reason)
{
    struct reader reader = {.bytes = bytes, .size = size};
    struct dynamic dynamic;
    bool has_entry = false;
    ElfW(Ehdr) header;

    *ret_elf = (struct grc_elf){.outlives = NULL};
    *ret_reason = NULL;
    bool good = read_header(&reader, &header);
    if (good)
        find_notes(&reader, &header, ret_elf);
    good = good && check_segments(&reader, &header) && find_dynamic(&reader, &header, &dynamic) &&
           check_dynamic(&reader, &dynamic) &&
           check_symbols(&reader, &header, &dynamic, ret_elf, &has_entry);
    if (!good) {
        *ret_reason = reader.reason;
        return GRC_ELF_FILE;
    }
    if (ret_elf->has_note && has_entry)
        return GRC_ELF_OK;
    (void)wrong(&reader,
                has_entry
                    ? "note: found no .note.greenroom, wanted the one that GR_PLUGIN() defines"
                    : "gr_plugin_entry: found no such symbol, wanted the function that "
                      "GR_PLUGIN() defines");
    *ret_reason = reader.reason;
    return GRC_ELF_NO_ENTRY;
}

/* Narrows room to the end of the smallest object around the address. */
static size_t narrow(const struct reader *reader, const ElfW(Shdr) * table, uintptr_t address,
                     size_t room)
{
    ElfW(Sym) symbol;
    size_t count = table->sh_size / sizeof(symbol);
    /* A wrong size of the table must not keep the loop going beyond the end of the file. */
    size_t most =
        table->sh_offset < reader->size ? (reader->size - table->sh_offset) / sizeof(symbol) : 0;

    for (size_t i = 0; i < count && i < most; i++) {
        memcpy(&symbol, reader->bytes + table->sh_offset + i * sizeof(symbol), sizeof(symbol));
        if (SYMBOL_TYPE(symbol.st_info) == STT_OBJECT && address >= symbol.st_value &&
            address - symbol.st_value < symbol.st_size &&
            symbol.st_value + symbol.st_size - address < room)
            room = symbol.st_value + symbol.st_size - address;
    }
    return room;
}

size_t grc_elf_room(const void *bytes, size_t size, uintptr_t address)
{
    const struct reader reader = {.bytes = bytes, .size = size};
    ElfW(Phdr) segment;
    ElfW(Ehdr) header;
    ElfW(Shdr) table;
    size_t room = 0;

    if (!get(&reader, 0, &header, sizeof(header)))
        return 0;
    for (size_t i = 0; i < header.e_phnum && get_segment(&reader, &header, i, &segment); i++) {
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_memsz)
            room = segment.p_memsz - (address - segment.p_vaddr);
    }
    for (size_t i = 0; room && i < header.e_shnum; i++) {
        if (get(&reader, header.e_shoff + i * sizeof(table), &table, sizeof(table)) &&
            table.sh_type == SHT_SYMTAB)
            room = narrow(&reader, &table, address, room);
    }
    return room;
}

void grc_elf_needed(const void *bytes, size_t size, grc_elf_needed_fn *fn, void *arg)
{
    struct reader reader = {.bytes = bytes, .size = size};
    struct dynamic dynamic;
    ElfW(Ehdr) header;
    ElfW(Dyn) entry;

    if (read_header(&reader, &header) && find_dynamic(&reader, &header, &dynamic)) {
        for (size_t i = 0; i < dynamic.count; i++) {
            if (!get(&reader, dynamic.offset + i * sizeof(entry), &entry, sizeof(entry)) ||
                entry.d_tag == DT_NULL)
                break;
            const char *name = entry.d_tag == DT_NEEDED
                                   ? text_at(&reader, dynamic.strings, entry.d_un.d_val)
                                   : NULL;
            if (name)
                fn(arg, name);
        }
    }
    free(reader.reason);
}
