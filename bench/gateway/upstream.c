// An engine that costs almost nothing, so that a benchmark measures the proxy in front of it.
//
//     upstream INTERVAL_US      listens on a free port of 127.0.0.1 and prints the port
//
// A POST gets a fixed completion that repeats the request's serial (`serial-` and 16 characters, in its text); with
// "stream": true it gets `max_tokens` numbered tokens, one every INTERVAL_US, or as often as the request's user
// `pace-MICROSECONDS` says, each in a write of its own, as an engine sends them. A GET gets what routers ask before
// they use an engine. One thread, one epoll, one timer. It reads only what our own load generator and a proxy send
// (Content-Length bodies); it is no server for anything else.

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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    REQUEST_BYTES_MAX = 4 * 1024 * 1024,
    ROOM_BYTES = 8 * 1024,  // a peer's at first
    ENDS_BYTES = 4 * 1024,  // of a body are searched at its beginning and its end: all that is not a prompt is there
    EVENTS_MAX = 512,
    PACES_MAX = 8,
    SERIAL_BYTES = 16,
};

#define COMPLETION_HEAD                                                                                                \
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench\","            \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The tide comes in, the tide goes "    \
    "out, and every stone it leaves is rounder than before: "
#define COMPLETION_TAIL                                                                                                \
    ".\"},\"finish_reason\":\"stop\"}],"                                                                               \
    "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":20,\"total_tokens\":40}}"
#define MODELS                                                                                                         \
    "{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\",\"created\":1700000000,"                    \
    "\"owned_by\":\"bench\",\"max_model_len\":1000000}]}"
#define EVENT_HEAD                                                                                                     \
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\","

typedef struct Pace Pace;

typedef struct Peer {
    int fd;
    char *in;
    size_t used, room;      // bytes of `in` that hold a request, whole or not; bytes that it may hold
    size_t head, size;      // of the request in `in`: its head's bytes and all of it, 0 until the head is whole
    Pace *pace;             // of the stream that it gets, NULL when it gets none
    bool wants_usage;
    long sent, wanted;      // tokens of the stream
    uint64_t due_ns;        // when the next token leaves
    TAILQ_ENTRY(Peer) line;
} Peer;

// Streams of one interval in the order in which their next token is due: a stream that sent goes to the end.
struct Pace {
    uint64_t interval_ns;
    TAILQ_HEAD(, Peer) streams;
};

static Pace paces[PACES_MAX];
static int paces_count;
static long interval_us;
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
    if (peer->pace) TAILQ_REMOVE(&peer->pace->streams, peer, line);
    close(peer->fd);
    free(peer->in);
    free(peer);
}

// A peer that does not take what is sent loses its connection; the load generator sees that as an error.
static bool put(Peer *peer, const char *bytes, size_t size) {
    return send(peer->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

// --- what a request asks for -----------------------------------------------------------------------------------------

// Where `word` is in a body's beginning or end, or NULL.
static const char *find(const char *body, size_t size, const char *word) {
    size_t length = strlen(word), first = size < ENDS_BYTES ? size : ENDS_BYTES;
    const char *at = memmem(body, first, word, length);
    if (at || size <= ENDS_BYTES) return at;
    size_t last = size < 2 * ENDS_BYTES ? size : ENDS_BYTES;
    return memmem(body + size - last, last, word, length);
}

// The value after `"name":` in a JSON text of our own making (no escapes, no such name inside a string), or "".
static const char *field(const char *body, size_t size, const char *name) {
    const char *at = find(body, size, name);
    return at ? at + strlen(name) + strspn(at + strlen(name), "\": ") : "";
}

// The pace of this interval, or NULL when there are too many.
static Pace *pace_of(long us) {
    uint64_t ns = (uint64_t)us * 1000u;
    for (int i = 0; i < paces_count; i++)
        if (paces[i].interval_ns == ns) return &paces[i];
    if (us <= 0 || paces_count == PACES_MAX) return NULL;
    Pace *pace = &paces[paces_count++];
    pace->interval_ns = ns;
    TAILQ_INIT(&pace->streams);
    return pace;
}

// --- streams ---------------------------------------------------------------------------------------------------------

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
    TAILQ_REMOVE(&peer->pace->streams, peer, line);
    peer->pace = NULL;
    return put(peer, out, (size_t)size);
}

static bool begin_stream(Peer *peer, const char *body, size_t size) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    const char *said = find(body, size, "\"pace-");
    Pace *pace = pace_of(said ? atol(said + strlen("\"pace-")) : interval_us);
    if (!pace) return false;
    peer->wanted = atol(field(body, size, "\"max_tokens\""));
    peer->wants_usage = strncmp(field(body, size, "\"include_usage\""), "true", 4) == 0;
    peer->sent = 0;
    peer->due_ns = now_ns() + pace->interval_ns;
    peer->pace = pace;
    TAILQ_INSERT_TAIL(&pace->streams, peer, line);
    return put(peer, head, sizeof head - 1);
}

// What of a pace is due, sent; returns when its next token is due, 0 for never.
static uint64_t send_due_of(Pace *pace, uint64_t now) {
    Peer *peer;
    while ((peer = TAILQ_FIRST(&pace->streams)) && peer->due_ns <= now) {
        if (peer->sent == peer->wanted ? !put_end(peer) : !put_token(peer)) {
            forget(peer);
            continue;
        }
        if (!peer->pace) continue;
        peer->due_ns += pace->interval_ns;  // from when it was due, not from now: the pace does not drift
        TAILQ_REMOVE(&pace->streams, peer, line);
        TAILQ_INSERT_TAIL(&pace->streams, peer, line);
    }
    return peer ? peer->due_ns : 0;
}

static void send_due(void) {
    uint64_t now = now_ns(), next = 0;  // 0 switches the timer off
    for (int i = 0; i < paces_count; i++) {
        uint64_t due = send_due_of(&paces[i], now);
        if (due && (!next || due < next)) next = due;
    }
    struct itimerspec alarm = {.it_value = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &alarm, NULL);
}

// --- answers ---------------------------------------------------------------------------------------------------------

static bool put_json(Peer *peer, const char *text, size_t size) {
    char out[2048];
    int head = sprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", size);
    memcpy(out + head, text, size);
    return put(peer, out, (size_t)head + size);
}

static bool answer(Peer *peer, const char *body, size_t size) {
    if (strncmp(peer->in, "GET /v1/models", 14) == 0) return put_json(peer, MODELS, strlen(MODELS));
    if (strncmp(peer->in, "GET ", 4) == 0) return put_json(peer, "{}", 2);
    if (strncmp(field(body, size, "\"stream\""), "true", 4) == 0) return begin_stream(peer, body, size);
    char text[1024];
    const char *serial = find(body, size, "serial-");
    int bytes = sprintf(text, COMPLETION_HEAD "%.*s" COMPLETION_TAIL, SERIAL_BYTES, serial ? serial + 7 : "");
    return put_json(peer, text, (size_t)bytes);
}

// Learn a request's size once its head is whole; false when it cannot be.
static bool read_head(Peer *peer) {
    char *head_end = memmem(peer->in, peer->used, "\r\n\r\n", 4);
    if (!head_end) return peer->used < ROOM_BYTES;
    *head_end = 0;
    char *length = strcasestr(peer->in, "\r\ncontent-length:");
    *head_end = '\r';
    peer->head = (size_t)(head_end + 4 - peer->in);
    peer->size = peer->head + (length ? strtoul(length + 17, NULL, 10) : 0);
    if (peer->size > REQUEST_BYTES_MAX) return false;
    if (peer->size <= peer->room) return true;
    peer->room = peer->size;
    peer->in = realloc(peer->in, peer->room + 1);
    if (!peer->in) fail("realloc");
    return true;
}

// Read what came and answer the request when it is whole; false when the peer left or sent what cannot be.
static bool hear(Peer *peer) {
    ssize_t got = recv(peer->fd, peer->in + peer->used, peer->room - peer->used, MSG_DONTWAIT);
    if (got <= 0 || peer->pace) return false;
    peer->used += (size_t)got;
    peer->in[peer->used] = 0;
    if (!peer->size && !read_head(peer)) return false;
    if (!peer->size || peer->used < peer->size) return true;
    if (peer->used > peer->size) return false;  // a proxy does not pipeline
    size_t body_bytes = peer->size - peer->head;
    peer->used = peer->size = 0;
    return answer(peer, peer->in + peer->head, body_bytes);
}

static void admit(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        Peer *peer = calloc(1, sizeof *peer);
        if (!peer || !(peer->in = malloc(ROOM_BYTES + 1))) fail("malloc");
        peer->fd = fd;
        peer->room = ROOM_BYTES;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
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

static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **words) {
    if (count != 2 || (interval_us = atol(words[1])) <= 0) {
        fprintf(stderr, "usage: upstream INTERVAL_US\n");
        return 2;
    }
    raise_descriptors();
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
