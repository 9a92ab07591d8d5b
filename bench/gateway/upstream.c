// An engine that costs almost nothing, so that a benchmark measures the proxy in front of it.
//
//     upstream INTERVAL_US      listens on a free port of 127.0.0.1 and prints the port
//
// A POST gets a fixed completion; with "stream": true it gets `max_tokens` numbered tokens, one every INTERVAL_US,
// each in a write of its own, as an engine sends them. One thread, one epoll, one timer. It reads only what our own
// load generator and a proxy send (Content-Length bodies); it is no server for anything else.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 64 * 1024, EVENTS_MAX = 512 };

#define COMPLETION                                                                                                     \
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench\","            \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The tide comes in, the tide goes "    \
    "out, and every stone it leaves is rounder than before.\"},\"finish_reason\":\"stop\"}],"                          \
    "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":20,\"total_tokens\":40}}"
#define EVENT_HEAD                                                                                                     \
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\","

typedef struct Peer {
    int fd;
    size_t used;            // bytes of `in` that hold a request, whole or not
    bool streaming;
    bool wants_usage;
    long sent, wanted;      // tokens of the stream
    uint64_t due_ns;        // when the next token leaves
    TAILQ_ENTRY(Peer) line;
    char in[REQUEST_BYTES_MAX + 1];
} Peer;

// Streams in the order in which their next token is due. All have one interval, so a stream that sent goes to the end.
static TAILQ_HEAD(, Peer) streams = TAILQ_HEAD_INITIALIZER(streams);
static uint64_t interval_ns;
static int poll_fd, timer_fd;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void forget(Peer *peer) {
    if (peer->streaming) TAILQ_REMOVE(&streams, peer, line);
    close(peer->fd);
    free(peer);
}

// A peer that does not take what is sent loses its connection; the load generator sees that as an error.
static bool put(Peer *peer, const char *bytes, size_t size) {
    return send(peer->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

// The value after `"name":` in a JSON text of our own making (no escapes, no such name inside a string), or "".
static const char *field(const char *json, const char *name) {
    const char *at = strstr(json, name);
    return at ? at + strlen(name) + strspn(at + strlen(name), "\": ") : "";
}

// One server-sent event as one HTTP chunk; returns the bytes written to `out`.
static int frame(char *out, const char *event) {
    return sprintf(out, "%zx\r\ndata: %s\n\n\r\n", strlen("data: ") + strlen(event) + strlen("\n\n"), event);
}

static bool put_token(Peer *peer) {
    char event[512], out[600];
    sprintf(event, EVENT_HEAD "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tok%ld\"},\"finish_reason\":null}]}",
            peer->sent++);
    return put(peer, out, (size_t)frame(out, event));
}

static bool put_end(Peer *peer) {
    char event[512], out[2048];
    int size = frame(out, EVENT_HEAD "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");
    if (peer->wants_usage) {
        sprintf(event,
                EVENT_HEAD "\"choices\":[],"
                           "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":%ld,\"total_tokens\":%ld}}",
                peer->sent, peer->sent + 20);
        size += frame(out + size, event);
    }
    size += frame(out + size, "[DONE]");
    size += sprintf(out + size, "0\r\n\r\n");
    TAILQ_REMOVE(&streams, peer, line);
    peer->streaming = false;
    return put(peer, out, (size_t)size);
}

static bool begin_stream(Peer *peer, const char *body) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    peer->wanted = atol(field(body, "\"max_tokens\""));
    peer->wants_usage = strncmp(field(body, "\"include_usage\""), "true", 4) == 0;
    peer->sent = 0;
    peer->streaming = true;
    peer->due_ns = now_ns() + interval_ns;
    TAILQ_INSERT_TAIL(&streams, peer, line);
    return put(peer, head, sizeof head - 1);
}

static bool answer(Peer *peer, const char *body) {
    static char out[2048];
    static int size;
    if (strncmp(field(body, "\"stream\""), "true", 4) == 0) return begin_stream(peer, body);
    if (!size)
        size = sprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       strlen(COMPLETION), COMPLETION);
    return put(peer, out, (size_t)size);
}

// Read what came and answer the request when it is whole; false when the peer left or sent what cannot be.
static bool hear(Peer *peer) {
    ssize_t got = recv(peer->fd, peer->in + peer->used, REQUEST_BYTES_MAX - peer->used, MSG_DONTWAIT);
    if (got <= 0 || peer->streaming) return false;
    peer->used += (size_t)got;
    peer->in[peer->used] = 0;
    char *head_end = strstr(peer->in, "\r\n\r\n");
    if (!head_end) return peer->used < REQUEST_BYTES_MAX;
    char *length = strcasestr(peer->in, "\r\ncontent-length:");
    size_t body_bytes = length && length < head_end ? strtoul(length + 17, NULL, 10) : 0;
    size_t size = (size_t)(head_end + 4 - peer->in) + body_bytes;
    if (peer->used < size) return size <= REQUEST_BYTES_MAX;
    if (peer->used > size) return false;  // a proxy does not pipeline
    peer->used = 0;
    return answer(peer, head_end + 4);
}

static void admit(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        Peer *peer = calloc(1, sizeof *peer);
        if (!peer) fail("calloc");
        peer->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
}

static void send_due(void) {
    Peer *peer;
    uint64_t now = now_ns();
    while ((peer = TAILQ_FIRST(&streams)) && peer->due_ns <= now) {
        if (peer->sent == peer->wanted ? !put_end(peer) : !put_token(peer)) {
            forget(peer);
            continue;
        }
        if (!peer->streaming) continue;
        peer->due_ns += interval_ns;  // from when it was due, not from now: the pace does not drift
        TAILQ_REMOVE(&streams, peer, line);
        TAILQ_INSERT_TAIL(&streams, peer, line);
    }
    uint64_t next = peer ? peer->due_ns : 0;  // 0 switches the timer off
    struct itimerspec alarm = {.it_value = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &alarm, NULL);
}

static int listen_on_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int count, char **words) {
    if (count != 2 || atol(words[1]) <= 0) {
        fprintf(stderr, "usage: upstream INTERVAL_US\n");
        return 2;
    }
    interval_ns = (uint64_t)atol(words[1]) * 1000u;
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = listen_on_free_port();
    // The listener and the timer are told from peers by the address of their own descriptor.
    struct epoll_event on_listener = {.events = EPOLLIN, .data.ptr = &listener};
    struct epoll_event on_timer = {.events = EPOLLIN, .data.ptr = &timer_fd};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &on_listener)) fail("epoll_ctl");
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &on_timer)) fail("epoll_ctl");
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int ready = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            void *source = events[i].data.ptr;
            uint64_t rings;
            if (source == &listener) admit(listener);
            else if (source == &timer_fd) (void)!read(timer_fd, &rings, sizeof rings);
            else if (!hear(source)) forget(source);
        }
        send_due();
    }
}
