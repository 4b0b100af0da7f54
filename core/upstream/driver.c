#include "upstream/driver.h"

#include "base/clock.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 8

/* --- callbacks of libcurl --- */

/* known is what curl_multi_assign() has set: not NULL once the socket is in the epoll. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct grc_driver *driver = arg;
    struct epoll_event event = {.data.fd = fd};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        /* Fails for a closed socket, which has left the set by itself. */
        (void)epoll_ctl(driver->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(driver->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
        return -1;
    return grc_curl()->multi_assign(driver->multi, fd, driver) == CURLM_OK ? 0 : -1;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct grc_driver *driver = arg;

    (void)multi;
    driver->due_ms = timeout_ms < 0 ? GRC_NEVER_MS : grc_mono_ms() + timeout_ms;
    return 0;
}

/* --- beginning and ending --- */

bool grc_driver_begin(struct grc_driver *driver)
{
    *driver = (struct grc_driver){
        .epoll = epoll_create1(EPOLL_CLOEXEC), .alarm = -1, .due_ms = GRC_NEVER_MS};
    if (driver->epoll < 0)
        return false;
    driver->multi = grc_curl()->multi_init();
    if (driver->multi &&
        grc_multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
        grc_multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver) == CURLM_OK &&
        grc_multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
        grc_multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver) == CURLM_OK)
        return true;
    grc_curl()->multi_cleanup(driver->multi);
    close(driver->epoll);
    driver->multi = NULL;
    return false;
}

bool grc_driver_begin_shared(struct grc_driver *driver)
{
    if (!grc_driver_begin(driver))
        return false;
    driver->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = driver->alarm};

    if (driver->alarm >= 0 && epoll_ctl(driver->epoll, EPOLL_CTL_ADD, driver->alarm, &event) == 0)
        return true;
    grc_driver_end(driver);
    return false;
}

void grc_driver_wake(const struct grc_driver *driver)
{
    /* Fails only when the counter is at its maximum, and then the alarm is set already. */
    (void)eventfd_write(driver->alarm, 1);
}

void grc_driver_end(struct grc_driver *driver)
{
    if (!driver->multi)
        return;
    grc_curl()->multi_cleanup(driver->multi);
    if (driver->alarm >= 0)
        close(driver->alarm);
    close(driver->epoll);
    driver->multi = NULL;
}

CURLM *grc_driver_take(struct grc_driver *driver)
{
    CURLM *multi = driver->multi;

    grc_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, NULL);
    grc_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, NULL);
    close(driver->epoll);
    driver->multi = NULL;
    return multi;
}

/* --- work --- */

CURLMcode grc_driver_add(struct grc_driver *driver, CURL *easy)
{
    CURLMcode rc = grc_curl()->multi_add_handle(driver->multi, easy);

    driver->due_ms = grc_mono_ms();
    return rc;
}

CURLMcode grc_driver_act(struct grc_driver *driver)
{
    struct epoll_event events[EVENTS_MAX];
    CURLMcode rc = CURLM_OK;
    int running;

    if (grc_mono_ms() >= driver->due_ms) {
        driver->due_ms = GRC_NEVER_MS;
        rc = grc_curl()->multi_socket_action(driver->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    int count = epoll_wait(driver->epoll, events, EVENTS_MAX, 0);
    for (int i = 0; i < count && rc == CURLM_OK; i++) {
        uint32_t got = events[i].events;
        if (events[i].data.fd == driver->alarm) {
            eventfd_t times;
            (void)eventfd_read(driver->alarm, &times);
            continue;
        }
        int mask = (got & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (got & EPOLLERR ? CURL_CSELECT_ERR : 0);
        rc = grc_curl()->multi_socket_action(driver->multi, events[i].data.fd, mask, &running);
    }
    return rc;
}

enum grc_woken grc_driver_wait(struct grc_driver *driver, int64_t deadline_ms, enum grc_waits what)
{
    if (driver->due_ms < deadline_ms)
        deadline_ms = driver->due_ms;
    return grc_wait_fd(driver->epoll, GRC_READ, deadline_ms, what);
}

CURL *grc_driver_next_done(struct grc_driver *driver, CURLcode *ret_code)
{
    const CURLMsg *message;
    int left;

    do
        message = grc_curl()->multi_info_read(driver->multi, &left);
    while (message && message->msg != CURLMSG_DONE);
    if (!message)
        return NULL;
    *ret_code = message->data.result;
    return message->easy_handle;
}
