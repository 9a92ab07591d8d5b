// What the clients ask: many texts of many lengths, with the headers of several clients, each with a serial of its own.

#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPES = 512, LARGE_SHAPES = 16, LARGE_BYTES = 16 * 1024, KEYS_MAX = 64, HEADS = 4, SYSTEMS = 8, MIX = 16 };

// Words of prompts as JSON has them: escapes and other scripts too.
static const char *const words[] = {
    "the", "tide", "at", "foot", "of", "cliffs", "leaves", "behind", "stones", "rounder", "every", "year", "and", "why",
    "a", "child", "would", "ask", "first", "what", "comes", "before", "storm", "in", "harbour", "boats", "are", "counted",
    "twice", "please", "write", "short", "explain", "code", "function", "returns", "value", "list", "table", "answer",
    "\\n", "\\\"quoted\\\"", "na\xc3\xafve", "\\u00e9t\\u00e9", "\xe6\xbd\xae\xe6\xb1\x90", "path\\\\to", "1,024", "\xf0\x9f\x8c\x8a",
};

// Bytes of the last message; one of them is drawn for each shape.
static const long lengths[MIX] = {60, 90, 120, 160, 220, 300, 380, 450, 520, 640, 800, 1000, 1300, 1800, 2600, 4000};

// Behind the key and before Content-Length: as OpenAI's clients and two others send them.
static const char *const heads[HEADS] = {
    "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 3.54.0\r\nX-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 3.54.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\n"
    "X-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.2\r\nX-Stainless-Async: false\r\n"
    "x-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n",
    "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nUser-Agent: AsyncOpenAI/Python 3.54.0\r\nX-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 3.54.0\r\nX-Stainless-OS: MacOS\r\nX-Stainless-Arch: arm64\r\n"
    "X-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.13.1\r\nX-Stainless-Async: async:asyncio\r\n"
    "x-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n",
    "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: Python/3.11 aiohttp/3.14.5\r\n"
    "Content-Type: application/json\r\n",
    "User-Agent: curl/7.88.1\r\nAccept: */*\r\nContent-Type: application/json\r\n",
};

static uint64_t state;  // from BENCH_SEED: the same seed sends the same texts, and its serials in the same order
static char keys[KEYS_MAX][256];
static int keys_count;

// splitmix64: each state is met once, so each serial is.
static uint64_t draw(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void next_serial(char *serial) {
    uint64_t bits = draw();
    for (int i = 0; i < SERIAL_BYTES; i++, bits >>= 4) serial[i] = "0123456789abcdef"[bits & 15];
    serial[SERIAL_BYTES] = 0;
}

const Shape *pick_shape(const Shapes *shapes) { return &shapes->shapes[draw() % (uint64_t)shapes->count]; }

static void read_environment(void) {
    const char *at = getenv("BENCH_KEYS"), *seed = getenv("BENCH_SEED");
    state = seed ? strtoull(seed, NULL, 10) << 32 : 0;
    while (at && *at && keys_count < KEYS_MAX) {
        size_t size = strcspn(at, ",");
        snprintf(keys[keys_count++], sizeof *keys, "%.*s", (int)size, at);
        at += size + (at[size] == ',');
    }
    if (!keys_count) keys_count = 1;
}

// --- texts -----------------------------------------------------------------------------------------------------------

typedef struct {
    char *bytes;
    size_t used, room;
} Text;

static void add(Text *text, const char *format, ...) {
    va_list arguments;
    for (;;) {
        va_start(arguments, format);
        int size = vsnprintf(text->bytes + text->used, text->room - text->used, format, arguments);
        va_end(arguments);
        if ((size_t)size < text->room - text->used) {
            text->used += (size_t)size;
            return;
        }
        text->room = 2 * text->room + (size_t)size + 1;
        text->bytes = realloc(text->bytes, text->room);
        if (!text->bytes) fail("realloc");
    }
}

static void add_words(Text *text, long bytes) {
    size_t end = text->used + (size_t)bytes;
    while (text->used < end) add(text, "%s ", words[draw() % (sizeof words / sizeof *words)]);
}

static Text systems[SYSTEMS];  // the same for many requests, as systems' prompts are

static void add_messages(Text *before, Text *after, long prompt_bytes, bool has_history, bool has_parts) {
    const Text *said = &systems[draw() % SYSTEMS];
    add(before, "\"messages\":[{\"role\":\"system\",\"content\":\"%s\"},", said->bytes);
    if (has_history) {
        add(before, "{\"role\":\"user\",\"content\":\"");
        add_words(before, 40 + (long)(draw() % 200));
        add(before, "\"},{\"role\":\"assistant\",\"content\":\"");
        add_words(before, 100 + (long)(draw() % 600));
        add(before, "\"},");
    }
    add(before, has_parts ? "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" : "{\"role\":\"user\",\"content\":\"");
    add(before, "serial-");
    add(after, " ");
    add_words(after, prompt_bytes);
    add(after, has_parts ? "\"}]}]" : "\"}]");
}

static void add_options(Text *after, Wish wish) {
    add(after, ",\"temperature\":0.%d", (int)(draw() % 10));
    if (draw() % 2) add(after, ",\"top_p\":0.95");
    if (wish.tokens) add(after, ",\"stream\":true");
    if (wish.tokens || draw() % 2) add(after, ",\"max_tokens\":%ld", wish.tokens ? wish.tokens : 256);
    if (wish.pace_us) add(after, ",\"user\":\"pace-%ld\"", wish.pace_us);
}

static Shape make_shape(Wish wish) {
    Text before = {0}, after = {0}, head = {0};
    long prompt_bytes = wish.prompt_bytes ? wish.prompt_bytes : lengths[draw() % MIX];
    bool is_large = prompt_bytes >= LARGE_BYTES, names_model_first = draw() % 2;
    add(&before, names_model_first ? "{\"model\":\"%s\"," : "{", wish.model);
    add_messages(&before, &after, prompt_bytes, !is_large && draw() % 3 == 0, draw() % 4 == 0);
    if (!names_model_first) add(&after, ",\"model\":\"%s\"", wish.model);
    add_options(&after, wish);
    add(&after, "}");
    size_t body_bytes = before.used + SERIAL_BYTES + after.used;
    add(&head, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sAuthorization: Bearer %s\r\n", wish.port,
        heads[draw() % HEADS], keys[draw() % (uint64_t)keys_count]);
    add(&head, "Content-Length: %zu\r\n\r\n%s", body_bytes, before.bytes);
    free(before.bytes);
    return (Shape){head.bytes, after.bytes, head.used, after.used, body_bytes};
}

Shapes make_shapes(Wish wish) {
    if (!keys_count) read_environment();
    for (int i = 0; i < SYSTEMS && !systems[i].bytes; i++) add_words(&systems[i], 30 + 120 * i);
    Shapes made = {.count = wish.prompt_bytes >= LARGE_BYTES ? LARGE_SHAPES : SHAPES};
    made.shapes = malloc((size_t)made.count * sizeof *made.shapes);
    if (!made.shapes) fail("malloc");
    for (int i = 0; i < made.count; i++) made.shapes[i] = make_shape(wish);
    return made;
}
