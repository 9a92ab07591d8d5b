// One HTTP answer, piece by piece, and what must be in it. Everything that is not the whole expected answer is an error.

#define _GNU_SOURCE
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

long errors;

// Count an error and tell the first; always false.
bool wrong(const char *format, ...) {
    if (!errors++) {
        va_list arguments;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
    return false;
}

static bool read_head(Client *client, char *head, char *end) {
    *end = 0;
    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0)
        return wrong("not 200: %.400s %.400s", head, end + 4 < client->raw + client->raw_used ? end + 4 : "");
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

bool decode(Client *client) {
    char *at = client->raw, *end = client->raw + client->raw_used;
    int went;
    *end = 0;
    while ((went = step(client, &at, end)) > 0) continue;
    client->raw_used = (size_t)(end - at);
    memmove(client->raw, at, client->raw_used);
    return went == 0 && (client->raw_used < BUFFER_BYTES || wrong("a head is too long"));
}

// The first answer of a server, which the others must be: a completion that repeats its request's serial.
static bool learn(Client *client, Target *target) {
    client->body[client->body_used] = 0;
    char *serial = memmem(client->body, client->body_used, client->serial, SERIAL_BYTES);
    if (!memmem(client->body, client->body_used, "\"choices\":[{", 12)) return wrong("no completion: %.400s", client->body);
    if (!serial) return wrong("an answer is not its request's: %.400s", client->body);
    memcpy(target->expected, client->body, client->body_used);
    target->expected_bytes = client->body_used;
    target->serial_at = (size_t)(serial - client->body);
    return true;
}

// Every answer must be the first one's bytes again, but for the serial, which must be that of its own request.
bool check_answer(Client *client) {
    Target *target = client->target;
    if (!target->expected_bytes && !learn(client, target)) return false;
    memcpy(target->expected + target->serial_at, client->serial, SERIAL_BYTES);
    return (client->body_used == target->expected_bytes &&
            memcmp(client->body, target->expected, target->expected_bytes) == 0) ||
           wrong("an answer differs: %.*s", (int)client->body_used, client->body);
}

static bool check_event(Client *client, const char *event) {
    const char *token = strstr(event, "\"content\":\" tok");
    if (strcmp(event, "data: [DONE]") == 0) client->finished = true;
    if (strstr(event, "\"choices\":[]")) return wrong("usage came unasked: %.300s", event);
    if (!token) return true;
    if (atol(token + 15) != client->tokens) return wrong("token %ld is missing: %.300s", client->tokens, event);
    client->tokens++;
    count_token(client, client->tokens == 1);
    return true;
}

// Every token must come once and in order, then [DONE], then the end of the body.
bool check_stream(Client *client) {
    char *line = client->body, *end = client->body + client->body_used, *line_end;
    for (; (line_end = memchr(line, '\n', (size_t)(end - line))); line = line_end + 1) {
        *line_end = 0;
        if (!check_event(client, line)) return false;
    }
    client->body_used = (size_t)(end - line);
    memmove(client->body, line, client->body_used);
    if (client->part != WHOLE) return true;
    if (client->finished && client->tokens == client->tokens_wanted) return true;
    return wrong("a stream ended after %ld tokens", client->tokens);
}
