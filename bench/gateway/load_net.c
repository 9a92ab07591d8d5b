// Time, samples, connections, and one epoll over all of them.

#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 512 };

static int poll_fd;

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fail(const char *what) {
    perror(what);
    exit(1);
}

void keep(Samples *of, int64_t ns) {
    if (of->count == of->room) {
        of->room = of->room ? of->room * 2 : 1 << 16;
        of->ns = realloc(of->ns, of->room * sizeof *of->ns);
        if (!of->ns) fail("realloc");
    }
    of->ns[of->count++] = ns;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void sort(Samples *of) { qsort(of->ns, of->count, sizeof *of->ns, by_size); }

// Microseconds of sorted samples.
double quantile_us(const Samples *of, double q) {
    return of->count ? (double)of->ns[(size_t)(q * (double)(of->count - 1))] / 1e3 : 0;
}

// Get ready to watch connections, as many as this process may have at most.
void open_net(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if ((poll_fd = epoll_create1(0)) < 0) fail("epoll_create1");
}

static void drop(Client *client) {
    close(client->fd);
    client->fd = -1;
    client->asked = false;
}

static void watch(Client *client, int change, bool for_room) {
    struct epoll_event event = {.events = EPOLLIN | (for_room ? EPOLLOUT : 0), .data.ptr = client};
    if (epoll_ctl(poll_fd, change, client->fd, &event)) fail("epoll_ctl");
    client->waits_to_send = for_room;
}

void join(Client *client) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)client->target->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    watch(client, EPOLL_CTL_ADD, false);
}

Client *make_clients(int count, Target *target) {
    Client *clients = calloc((size_t)count + 1, sizeof *clients);  // buffers that nothing is written to take no memory
    if (!clients) fail("calloc");
    for (int i = 0; i < count; i++) clients[i].target = target, clients[i].fd = -1;
    return clients;
}

void join_all(Client *clients, int count) {
    for (int i = 0; i < count; i++) join(&clients[i]);
}

// Send what is left of the request, as much as the socket takes.
static bool push(Client *client) {
    const Shape *shape = client->shape;
    struct iovec pieces[] = {{shape->before, shape->before_bytes},
                             {client->serial, SERIAL_BYTES},
                             {shape->after, shape->after_bytes}};
    size_t skip = client->sent, whole = shape->before_bytes + SERIAL_BYTES + shape->after_bytes;
    for (int i = 0; i < 3; i++) {
        size_t gone = skip < pieces[i].iov_len ? skip : pieces[i].iov_len;
        pieces[i].iov_base = (char *)pieces[i].iov_base + gone;
        pieces[i].iov_len -= gone;
        skip -= gone;
    }
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 3};
    ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return wrong("a request could not be sent: %s", strerror(errno));
    client->sent += sent > 0 ? (size_t)sent : 0;
    if ((client->sent < whole) != client->waits_to_send) watch(client, EPOLL_CTL_MOD, client->sent < whole);
    return true;
}

void ask(Client *client, const Shapes *shapes) {
    client->asked = true;
    client->part = HEAD;
    client->body_used = client->sent = 0;
    client->shape = pick_shape(shapes);
    next_serial(client->serial);
    client->asked_ns = client->last_ns = now_ns();
    if (!push(client)) drop(client);
}

// Take what came; true when the client's answer is whole and right. What is wrong is dropped.
static bool hear(Client *client) {
    ssize_t got = recv(client->fd, client->raw + client->raw_used, BUFFER_BYTES - client->raw_used, MSG_DONTWAIT);
    client->answered_ns = now_ns();
    if (got < 0 && errno == EAGAIN) return false;
    bool right = got > 0 && client->asked;
    if (!right) wrong("a connection was closed");
    client->raw_used += got > 0 ? (size_t)got : 0;
    right = right && decode(client);
    if (right && client->tokens_wanted) right = check_stream(client);
    else if (right && client->part == WHOLE) right = check_answer(client);
    if (!right) drop(client);
    else if (client->part == WHOLE) client->asked = false;
    return right && client->part == WHOLE;
}

// Serve what comes until `until_ns` or one event: each whole answer is given to `on_answer`.
void serve(uint64_t until_ns, void (*on_answer)(Client *)) {
    struct epoll_event events[EVENTS_MAX];
    uint64_t now = now_ns(), wait_ns = until_ns > now ? until_ns - now : 0;
    struct timespec wait = {(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)};
    int ready = epoll_pwait2(poll_fd, events, EVENTS_MAX, &wait, NULL);
    for (int i = 0; i < ready; i++) {
        Client *client = events[i].data.ptr;
        if (client->fd >= 0 && events[i].events & EPOLLOUT && !push(client)) drop(client);
        if (client->fd >= 0 && events[i].events & ~(uint32_t)EPOLLOUT && hear(client)) on_answer(client);
    }
}
