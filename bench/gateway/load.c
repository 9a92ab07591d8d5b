// The clients of a benchmark: they check every byte that comes back and say what they saw.
//
//     load requests PORT CONNECTIONS WARM_S WINDOW_S          each connection asks again as soon as it was answered
//     load streams  PORT STREAMS INTERVAL_US WARM_S WINDOW_S  streams begin during WARM_S, all run through the window
//
// The API key is in BENCH_KEY. Prints `open` and `close` when the measured window begins and ends, so that the caller
// reads the proxy's CPU time then, and one line of JSON at the end. One thread, one epoll. An error is an answer that
// is not the whole expected one: it is counted, its connection is dropped, and the first is told on stderr.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, EVENTS_MAX = 512, TOKENS_SPARE = 10, GRACE_S = 10 };

#define PROMPT                                                                                                         \
    "Tell me about the tide at the foot of the cliffs: when it comes, what it leaves behind, and why the stones of "   \
    "the beach are rounder every year. Then say in one more paragraph which of it a child would want to know first. "

// Where in an HTTP response the next byte belongs.
typedef enum { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, LAST_LINE, WHOLE } Part;

typedef struct {
    int fd;
    bool asked;             // a request is out and its answer is not whole yet
    Part part;
    size_t left;            // bytes that the body or chunk still has
    size_t raw_used, body_used;
    uint64_t asked_ns, last_ns;
    long tokens;            // that came in this stream
    bool finished;          // [DONE] came
    char raw[BUFFER_BYTES + 1], body[BUFFER_BYTES + 1];
} Client;

static struct {
    uint32_t *us;
    size_t count, room;
} samples;
static long errors, in_window;
static bool window_open, window_closed;
static long tokens_wanted;  // of each stream; 0 when the mode is `requests`
static char request[8192];
static size_t request_bytes;
static char expected[BUFFER_BYTES];
static size_t expected_bytes;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void mark(const char *word) {
    puts(word);
    fflush(stdout);
}

static void keep(uint64_t ns) {
    if (samples.count == samples.room) {
        samples.room = samples.room ? samples.room * 2 : 1 << 16;
        samples.us = realloc(samples.us, samples.room * sizeof *samples.us);
        if (!samples.us) fail("realloc");
    }
    samples.us[samples.count++] = (uint32_t)(ns / 1000);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t quantile_us(double q) {
    return samples.count ? samples.us[(size_t)(q * (double)(samples.count - 1))] : 0;
}

// Count an error and tell the first; always false.
static bool wrong(const char *format, ...) {
    if (!errors++) {
        va_list arguments;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
    return false;
}

static void drop(Client *client) {
    close(client->fd);
    client->fd = -1;
    client->asked = false;
}

// --- one HTTP response, piece by piece -------------------------------------------------------------------------------

static bool read_head(Client *client, char *head, char *end) {
    *end = 0;
    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) return wrong("not 200: %.400s", head);
    char *length = strcasestr(head, "\r\ncontent-length:");
    client->left = length ? strtoul(length + 17, NULL, 10) : 0;
    if (!length && !strcasestr(head, "\r\ntransfer-encoding: chunked")) return wrong("no length: %.400s", head);
    client->part = length ? BODY : CHUNK_SIZE;
    return true;
}

// Move body bytes out of `raw`; returns how many were taken, 0 when there is no room.
static size_t take_body(Client *client, const char *from, size_t available) {
    size_t size = client->left < available ? client->left : available;
    if (size > BUFFER_BYTES - client->body_used) size = 0;
    memcpy(client->body + client->body_used, from, size);
    client->body_used += size;
    client->left -= size;
    return size;
}

// One step through `raw` from *at; 1 went on, 0 needs more bytes, -1 is wrong.
static int step(Client *client, char **at, char *end) {
    const char *stop = client->part == HEAD ? "\r\n\r\n" : "\r\n";
    char *line_end = memmem(*at, (size_t)(end - *at), stop, strlen(stop));
    switch (client->part) {
    case HEAD:
        if (!line_end) return 0;
        if (!read_head(client, *at, line_end)) return -1;
        *at = line_end + 4;
        return 1;
    case CHUNK_SIZE:
        if (!line_end) return 0;
        client->left = strtoul(*at, NULL, 16);
        client->part = client->left ? CHUNK : LAST_LINE;
        *at = line_end + 2;
        return 1;
    case BODY:
    case CHUNK:
        if (client->left && *at == end) return 0;
        *at += take_body(client, *at, (size_t)(end - *at));
        if (!client->left) client->part = client->part == BODY ? WHOLE : CHUNK_END;
        return client->left && *at < end ? wrong("an answer is too long") - 1 : 1;
    case CHUNK_END:
    case LAST_LINE:
        if (end - *at < 2) return 0;
        if (line_end != *at) return wrong("a chunk is not closed") - 1;
        client->part = client->part == CHUNK_END ? CHUNK_SIZE : WHOLE;
        *at += 2;
        return 1;
    case WHOLE:
        return *at == end ? 0 : wrong("bytes after the answer's end") - 1;
    }
    return -1;
}

static bool decode(Client *client) {
    char *at = client->raw, *end = client->raw + client->raw_used;
    int went;
    while ((went = step(client, &at, end)) > 0) continue;
    client->raw_used = (size_t)(end - at);
    memmove(client->raw, at, client->raw_used);
    return went == 0 && (client->raw_used < BUFFER_BYTES || wrong("a head is too long"));
}

// --- what must be in it ----------------------------------------------------------------------------------------------

static bool ask(Client *client) {
    client->asked = true;
    client->part = HEAD;
    client->body_used = 0;
    client->asked_ns = client->last_ns = now_ns();
    ssize_t sent = send(client->fd, request, request_bytes, MSG_NOSIGNAL);
    return sent == (ssize_t)request_bytes || wrong("a request could not be sent: %s", strerror(errno));
}

// Every answer must be the first one's bytes again, and that one a completion.
static bool check_answer(Client *client, uint64_t now) {
    if (client->part != WHOLE) return true;
    client->asked = false;
    if (!expected_bytes && memmem(client->body, client->body_used, "\"choices\":[{", 12))
        memcpy(expected, client->body, expected_bytes = client->body_used);
    if (client->body_used != expected_bytes || memcmp(client->body, expected, expected_bytes) != 0 || !expected_bytes)
        return wrong("an answer differs: %.*s", (int)client->body_used, client->body);
    if (window_open && !window_closed) {
        in_window++;
        keep(now - client->asked_ns);
    }
    return window_closed || ask(client);
}

static bool check_event(Client *client, const char *event, uint64_t now) {
    const char *token = strstr(event, "\"content\":\" tok");
    if (strcmp(event, "data: [DONE]") == 0) client->finished = true;
    if (strstr(event, "\"choices\":[]")) return wrong("usage came unasked: %.300s", event);
    if (!token) return true;
    if (atol(token + 15) != client->tokens) return wrong("token %ld is missing: %.300s", client->tokens, event);
    if (window_open && !window_closed) {
        in_window++;
        if (client->tokens) keep(now - client->last_ns);
    }
    client->tokens++;
    client->last_ns = now;
    return true;
}

// Every token must come once and in order, then [DONE], then the end of the body.
static bool check_stream(Client *client, uint64_t now) {
    char *line = client->body, *end = client->body + client->body_used, *line_end;
    for (; (line_end = memchr(line, '\n', (size_t)(end - line))); line = line_end + 1) {
        *line_end = 0;
        if (!check_event(client, line, now)) return false;
    }
    client->body_used = (size_t)(end - line);
    memmove(client->body, line, client->body_used);
    if (client->part != WHOLE) return true;
    client->asked = false;
    if (client->finished && client->tokens == tokens_wanted) return true;
    return wrong("a stream ended after %ld tokens", client->tokens);
}

static bool hear(Client *client) {
    ssize_t got = recv(client->fd, client->raw + client->raw_used, BUFFER_BYTES - client->raw_used, MSG_DONTWAIT);
    uint64_t now = now_ns();
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0 || !client->asked) return wrong("a connection was closed");
    client->raw_used += (size_t)got;
    if (!decode(client)) return false;
    return tokens_wanted ? check_stream(client, now) : check_answer(client, now);
}

// --- the run ---------------------------------------------------------------------------------------------------------

static void write_request(int port) {
    char body[4096], more[128] = "";
    const char *key = getenv("BENCH_KEY");
    if (tokens_wanted) sprintf(more, ",\"stream\":true,\"max_tokens\":%ld", tokens_wanted);
    int size = sprintf(body,
                       "{\"model\":\"bench\",\"messages\":["
                       "{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},"
                       "{\"role\":\"user\",\"content\":\"" PROMPT PROMPT "\"}],\"temperature\":0.7%s}",
                       more);
    request_bytes = (size_t)sprintf(request,
                                    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                                    "Authorization: Bearer %.200s\r\nContent-Type: application/json\r\nAccept: */*\r\n"
                                    "Content-Length: %d\r\n\r\n%s",
                                    port, key ? key : "", size, body);
}

static void connect_all(Client *clients, int count, int port, int poll_fd) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    for (int i = 0; i < count; i++) {
        int fd = clients[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
}

static int count_asked(const Client *clients, int count) {
    int asked = 0;
    for (int i = 0; i < count; i++) asked += clients[i].asked;
    return asked;
}

// When client `i` asks first. Streams begin over most of the warm-up, and no two fall on the same moment of the
// interval: tokens would come in bursts otherwise, and a proxy that is woken once for many looks cheap.
static uint64_t begin_ns(int i, int count, double interval_s, double warm_s) {
    if (interval_s == 0) return 0;
    long slots = (long)(0.8 * warm_s / interval_s);
    return (uint64_t)(1e9 * interval_s * ((double)(i * slots / count) + (double)i / count));
}

// Ask, then serve answers until the window is closed and all that was asked is answered, or the grace is over.
static void drive(Client *clients, int count, int poll_fd, double interval_s, double warm_s, double window_s) {
    struct epoll_event events[EVENTS_MAX];
    uint64_t start = now_ns(), now = start;
    uint64_t open_ns = start + (uint64_t)(warm_s * 1e9), close_ns = open_ns + (uint64_t)(window_s * 1e9);
    int begun = 0;
    while ((!window_closed || count_asked(clients, count)) && now < close_ns + GRACE_S * 1000000000ull) {
        for (; begun < count && now >= start + begin_ns(begun, count, interval_s, warm_s); begun++)
            if (!ask(&clients[begun])) drop(&clients[begun]);
        int ready = epoll_wait(poll_fd, events, EVENTS_MAX, begun < count ? 0 : 10);
        for (int i = 0; i < ready; i++)
            if (!hear(events[i].data.ptr)) drop(events[i].data.ptr);
        now = now_ns();
        if (!window_open && now >= open_ns) {
            window_open = true;
            mark("open");
        }
        if (!window_closed && now >= close_ns) {
            window_closed = true;
            mark("close");
        }
    }
    for (int late = count_asked(clients, count); late; late--) wrong("an answer did not come in time");
}

int main(int count, char **words) {
    bool streams = count == 7 && strcmp(words[1], "streams") == 0;
    if (!streams && !(count == 6 && strcmp(words[1], "requests") == 0)) {
        fprintf(stderr, "usage: load requests PORT CONNECTIONS WARM_S WINDOW_S\n"
                        "       load streams PORT STREAMS INTERVAL_US WARM_S WINDOW_S\n");
        return 2;
    }
    int port = atoi(words[2]), clients_count = atoi(words[3]);
    double warm_s = atof(words[count - 2]), window_s = atof(words[count - 1]);
    double interval_s = streams ? atof(words[4]) / 1e6 : 0;
    if (streams) tokens_wanted = (long)((warm_s + window_s) / interval_s) + TOKENS_SPARE;
    signal(SIGPIPE, SIG_IGN);
    write_request(port);
    Client *clients = calloc((size_t)clients_count, sizeof *clients);
    int poll_fd = epoll_create1(0);
    if (!clients || poll_fd < 0) fail("start");
    connect_all(clients, clients_count, port, poll_fd);
    drive(clients, clients_count, poll_fd, interval_s, warm_s, window_s);
    qsort(samples.us, samples.count, sizeof *samples.us, by_size);
    printf("{\"done\":%ld,\"errors\":%ld,\"p50_us\":%u,\"p99_us\":%u}\n", in_window, errors, quantile_us(0.5),
           quantile_us(0.99));
    free(samples.us);
    free(clients);
    return 0;
}
