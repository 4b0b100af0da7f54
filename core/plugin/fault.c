#include "plugin/fault.h"

#include "base/altstack.h"
#include "base/clock.h"
#include "plugin/module.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPORTS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define REPORTS false
#endif
#endif
#ifndef REPORTS
#define REPORTS true
#endif

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
    {SIGILL, "SIGILL"},   {SIGABRT, "SIGABRT"},
};

static const char *ends = "the process"; /* set before the handlers are installed */

/* Read by the handler on the same thread, so it needs no lock. */
static _Thread_local const struct grc_fault_subject *volatile subject;

const struct grc_fault_subject *grc_fault_subject_set(const struct grc_fault_subject *next)
{
    const struct grc_fault_subject *before = subject;

    subject = next;
    return before;
}

/* --- text without stdio --- */

struct line {
    char text[2048];
    size_t len;
};

static void put_char(struct line *line, char c)
{
    if (line->len < sizeof(line->text) - 1)
        line->text[line->len++] = c;
}

static void put(struct line *line, const char *text)
{
    for (; *text; text++)
        put_char(line, *text);
}

/* Puts a JSON string. */
static void put_quoted(struct line *line, const char *text)
{
    put_char(line, '"');
    for (; text && *text; text++) {
        if (*text == '"' || *text == '\\')
            put_char(line, '\\');
        put_char(line, (unsigned char)*text < 0x20 ? '?' : *text);
    }
    put_char(line, '"');
}

static void put_member(struct line *line, const char *name, const char *value)
{
    put(line, ",\"");
    put(line, name);
    put(line, "\":");
    put_quoted(line, value);
}

static void put_hex(struct line *line, uintmax_t value)
{
    char digits[2 * sizeof(value)];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % 16];
        value /= 16;
    } while (value);
    while (count > 0)
        put_char(line, digits[--count]);
}

static void put_time(struct line *line)
{
    char text[25];

    grc_time_format(grc_now_ms(), text);
    put(line, text);
}

/* --- where --- */

static uintptr_t counter_of(const void *context)
{
    const ucontext_t *at = context;

#if defined(__x86_64__)
    return (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)at->uc_mcontext.pc;
#else
    (void)at;
    return 0; /* unknown on this processor: the report has no address of the code */
#endif
}

static uintmax_t read_hex(const char **text)
{
    uintmax_t value = 0;

    for (;; (*text)++) {
        char c = **text;

        if (c >= '0' && c <= '9')
            value = value * 16 + (uintmax_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uintmax_t)(c - 'a' + 10);
        else
            return value;
    }
}

/* Reads a row "START-END PERMS OFFSET DEV INODE   PATH". When the mapping contains the address,
 * puts FILE+OFFSET and returns true. */
static bool put_mapping(struct line *line, const char *row, uintptr_t address)
{
    uintmax_t start = read_hex(&row);
    uintmax_t end = *row == '-' ? (row++, read_hex(&row)) : 0;

    if (address < start || address >= end || strlen(row) < 7)
        return false;
    row += 6; /* " r-xp " */
    uintmax_t offset = read_hex(&row) + (address - start);
    const char *slash = strrchr(row, '/');
    put(line, slash ? slash + 1 : "memory");
    put(line, "+0x");
    put_hex(line, slash ? offset : address);
    return true;
}

/* Puts the file that is mapped at an address outside of plugins. */
static void put_mapped_file(struct line *line, uintptr_t address)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    char row[512];
    size_t len = 0;
    char c;

    while (fd >= 0 && read(fd, &c, 1) == 1) {
        if (c != '\n') {
            if (len < sizeof(row) - 1)
                row[len++] = c;
            continue;
        }
        row[len] = '\0';
        len = 0;
        if (put_mapping(line, row, address)) {
            close(fd);
            return;
        }
    }
    if (fd >= 0)
        close(fd);
    put(line, "0x");
    put_hex(line, address);
}

static void put_place(struct line *line, const struct grc_module *module, size_t offset,
                      uintptr_t address)
{
    put(line, ",\"at\":\"");
    if (module) {
        put(line, grc_module_file(module));
        put(line, "+0x");
        put_hex(line, offset);
    } else {
        put_mapped_file(line, address);
    }
    put_char(line, '"');
}

/* --- the report --- */

static const char *name_of(int number)
{
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (signals[i].number == number)
            return signals[i].name;
    }
    return "a signal";
}

static void report(int number, const siginfo_t *info, const void *context)
{
    const struct grc_fault_subject *work = subject;
    const uintptr_t counter = counter_of(context);
    struct line line = {.len = 0};
    size_t offset = 0;
    const struct grc_module *module = grc_module_at((const void *)counter, &offset);
    const struct grc_module *owner = module ? module : work ? work->module : NULL;
    const char *plugin = owner ? grc_module_elf(owner)->name : work ? work->plugin : NULL;

    put(&line, "{\"time\":\"");
    put_time(&line);
    put(&line, "\",\"level\":\"error\",\"message\":\"");
    put(&line, plugin ? "a plugin ends " : "");
    put(&line, ends);
    put(&line, plugin ? " by " : " ends by ");
    put(&line, name_of(number));
    put_char(&line, '"');
    if (plugin)
        put_member(&line, "plugin", plugin);
    if (owner) {
        put_member(&line, "version", grc_module_version(owner));
        put_member(&line, "build_id", grc_module_elf(owner)->build_id);
    }
    if (work) {
        put_member(&line, "operation", work->operation);
        put_member(&line, "request_id", work->request_id);
    }
    put_place(&line, module, offset, counter);
    if (number != SIGABRT) {
        put(&line, ",\"address\":\"0x");
        put_hex(&line, (uintptr_t)info->si_addr);
        put_char(&line, '"');
    }
    put(&line, "}\n");
    (void)!write(STDERR_FILENO, line.text, line.len);
}

/* When several threads fault at the same time, only the first one is reported. */
static void handle(int number, siginfo_t *info, void *context)
{
    static atomic_flag reported = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&reported))
        report(number, info, context);
    (void)signal(number, SIG_DFL);
    (void)raise(number); /* pending until the handler returns; then the default action follows */
}

bool grc_fault_install(const char *process)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (!REPORTS)
        return true;
    ends = process;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i].number, &action, NULL) != 0)
            return false;
    }
    return grc_altstack_use();
}
