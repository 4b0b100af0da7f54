/*
 * Without a queue, the thread that logs writes its line with one write(2), so that lines of several
 * threads never mix. With a queue, a thread of its own writes the lines that have gathered. No
 * worker waits for the disk then, nor for the kernel's lock on the file: under load, a worker that
 * loses its processor while it holds that lock would hold up all the others.
 *
 * The state is process-wide, like the log itself.
 */
#include "base/log_sink.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_journal.h"
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a line waits for further lines that are written together with it. */
#define GATHER_MS 2
/* How long grc_log_sink_stop() waits when the reader of the log hangs. */
#define STOP_MS 3000
/* The least size of the queue, which has room for a few of the longest lines. */
#define LEAST_BYTES ((size_t)64 * 1024)
#define STACK_BYTES ((size_t)256 * 1024)

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic bool queued;          /* a hint, read without the lock; queue.running decides */
static _Thread_local bool is_writer; /* the queue's own thread cannot put lines into the queue */
static _Atomic uint64_t unwritten;   /* lines that write(2) refused, as on a full disk */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* wakes the thread; at the end, wakes grc_log_sink_stop() */
    pthread_t thread;
    struct grc_buf filling; /* lines that the thread has not taken yet */
    struct grc_buf spare;   /* empty; takes the place of `filling` when the thread writes that */
    bool running;
    bool hurry; /* the lines in the queue should not wait for others */
    bool stopping;
    uint64_t lost; /* lines that found no room, since the process began */
    uint64_t told; /* lost and unwritten lines that a line of the log has reported */
    grc_log_tell_fn *tell;
} queue = {.lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP, .changed = PTHREAD_COND_INITIALIZER};

void grc_log_sink_fd_set(int fd)
{
    atomic_store(&log_fd, fd);
}

/* Called after write(2) failed: tells whether to try again. Another process that shares the
 * terminal or the pipe may have made it non-blocking; then this waits until it is writable. */
static bool wait_writable(int fd)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};

    if (errno == EAGAIN)
        return poll(&writable, 1, -1) >= 0 || errno == EINTR;
    return errno == EINTR;
}

/* Returns false when some of the bytes could not be written; they are lost. */
static bool write_all(const char *bytes, size_t len)
{
    while (len > 0) {
        int fd = atomic_load(&log_fd);
        ssize_t put = write(fd, bytes, len);

        if (put < 0 && wait_writable(fd))
            continue;
        if (put <= 0)
            return false; /* there is no other place to report this */
        bytes += put;
        len -= (size_t)put;
    }
    return true;
}

static bool is_pipe(int fd)
{
    struct stat status;

    return fstat(fd, &status) != 0 || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
}

/* A record that the journal does not take is written as a line, to standard error or the log's
 * file.
 */
static bool write_record(gr_str record)
{
    if (grc_journal_send(record))
        return true;
    gr_str line = grc_journal_line(record);
    return write_all(line.ptr, line.len);
}

/* Returns the length of as many whole lines as a pipe takes in one piece, at least of one line:
 * another process that writes to the pipe cannot get between them then. */
static size_t whole_lines(gr_str lines)
{
    /* While the journal is used, lines are taken one by one, since records may be among them, and a
     * record is sent by itself. */
    if (grc_journal_used())
        lines.len = (size_t)((const char *)memchr(lines.ptr, '\n', lines.len) - lines.ptr) + 1;
    const char *end = memrchr(lines.ptr, '\n', lines.len < PIPE_BUF ? lines.len : PIPE_BUF);

    if (!end)
        end = memchr(lines.ptr, '\n', lines.len);
    return (size_t)(end - lines.ptr) + 1;
}

static uint64_t count_lines(gr_str lines)
{
    uint64_t count = 0;

    for (size_t i = 0; i < lines.len; i++)
        count += lines.ptr[i] == '\n';
    return count;
}

/* Returns false when some lines were lost; they are counted. */
static bool write_lines(gr_str lines)
{
    const bool pieces = grc_journal_used() || is_pipe(atomic_load(&log_fd));
    bool fine = true;

    while (lines.len > 0) {
        size_t record = grc_journal_record(lines);
        gr_str piece = {lines.ptr, record ? record : pieces ? whole_lines(lines) : lines.len};

        if (record ? !write_record(piece) : !write_all(piece.ptr, piece.len)) {
            atomic_fetch_add(&unwritten, record ? 1 : count_lines(piece));
            fine = false;
        }
        lines.ptr += piece.len;
        lines.len -= piece.len;
    }
    return fine;
}

/* --- the thread; the lock is held --- */

static void wait_for_lines(void)
{
    while (queue.filling.len == 0 && !queue.stopping)
        pthread_cond_wait(&queue.changed, &queue.lock);

    const int64_t due_ms = grc_mono_ms() + GATHER_MS;
    while (!queue.hurry && !queue.stopping) {
        if (!grc_cond_wait_until(&queue.changed, &queue.lock, due_ms))
            break;
    }
    queue.hurry = false;
}

/* Writes a batch, and then reports the lines that were lost since the last report. When the batch
 * itself could not be written, the report waits for a later one. */
static void write_batch(gr_str lines, uint64_t lost)
{
    if (!write_lines(lines))
        return;
    lost += atomic_load(&unwritten);
    if (lost > queue.told)
        queue.tell(lost - queue.told);
    queue.told = lost;
}

static void *write_queue(void *arg)
{
    (void)arg;
    is_writer = true;
    pthread_mutex_lock(&queue.lock);
    while (queue.filling.len > 0 || !queue.stopping) {
        wait_for_lines();
        struct grc_buf lines = queue.filling;
        queue.filling = queue.spare;
        uint64_t lost = queue.lost;
        pthread_mutex_unlock(&queue.lock);
        write_batch(grc_buf_view(&lines), lost);
        grc_buf_clear(&lines);
        queue.spare = lines;
        pthread_mutex_lock(&queue.lock);
    }
    queue.running = false; /* from here on lines are written at once again */
    atomic_store(&queued, false);
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

/* --- for the threads that log --- */

/* Returns false when there is no queue. */
static bool put_in_queue(const char *line, size_t len, bool urgent)
{
    pthread_mutex_lock(&queue.lock);
    bool running = queue.running;
    if (running && grc_buf_add(&queue.filling, line, len) == GR_OK) {
        bool first = queue.filling.len == len;
        bool hurry = urgent || queue.filling.len > queue.filling.max_bytes / 2;

        if (first || (hurry && !queue.hurry))
            pthread_cond_signal(&queue.changed);
        queue.hurry |= hurry;
    } else if (running) {
        queue.lost++;
    }
    pthread_mutex_unlock(&queue.lock);
    return running;
}

void grc_log_sink_put(const char *line, size_t len, bool urgent)
{
    bool direct = is_writer || !atomic_load_explicit(&queued, memory_order_relaxed);

    if (direct || !put_in_queue(line, len, urgent))
        (void)write_lines((gr_str){line, len});
}

uint64_t grc_log_sink_lost(void)
{
    pthread_mutex_lock(&queue.lock);
    uint64_t lost = queue.lost;
    pthread_mutex_unlock(&queue.lock);
    return lost + atomic_load(&unwritten);
}

/* Allocates all memory at the start, so that nothing can fail later. Pages that no line reaches
 * cost nothing. */
static bool make_buffers(size_t max_bytes)
{
    grc_buf_init(&queue.filling, max_bytes);
    grc_buf_init(&queue.spare, max_bytes);
    return grc_buf_reserve(&queue.filling, max_bytes) == GR_OK &&
           grc_buf_reserve(&queue.spare, max_bytes) == GR_OK;
}

static void free_buffers(void)
{
    grc_buf_done(&queue.filling);
    grc_buf_done(&queue.spare);
}

bool grc_log_sink_start(size_t max_bytes, grc_log_tell_fn *tell)
{
    if (max_bytes == 0)
        return true;
    pthread_mutex_lock(&queue.lock);
    queue.stopping = false;
    queue.tell = tell;
    queue.running = make_buffers(max_bytes < LEAST_BYTES ? LEAST_BYTES : max_bytes) &&
                    grc_thread_start(&queue.thread, STACK_BYTES, write_queue, NULL);
    if (!queue.running)
        free_buffers();
    bool running = queue.running;
    pthread_mutex_unlock(&queue.lock);
    atomic_store(&queued, running);
    return running;
}

void grc_log_sink_stop(void)
{
    const int64_t due_ms = grc_mono_ms() + STOP_MS;

    pthread_mutex_lock(&queue.lock);
    bool started = queue.running;
    queue.stopping = true;
    pthread_cond_broadcast(&queue.changed);
    while (queue.running && grc_cond_wait_until(&queue.changed, &queue.lock, due_ms))
        ;
    bool ended = !queue.running;
    pthread_mutex_unlock(&queue.lock);
    if (!started || !ended)
        return;
    pthread_join(queue.thread, NULL);
    free_buffers();
}
