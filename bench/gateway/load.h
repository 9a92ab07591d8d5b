// What the parts of the load generator share: a client, the requests that it sends, and how its answers are checked.

#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUFFER_BYTES = 64 * 1024, SERIAL_BYTES = 16 };

// A request but for its serial, which stands between `before` and `after`: no two requests of a run are the same.
typedef struct {
    char *before, *after;
    size_t before_bytes, after_bytes, body_bytes;
} Shape;

// A server under load. Its first answer, serial cut out, is what the rest must be.
typedef struct {
    int port;
    char expected[BUFFER_BYTES];
    size_t expected_bytes, serial_at;
} Target;

// Where in an HTTP response the next byte belongs.
typedef enum { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, LAST_LINE, WHOLE } Part;

typedef struct {
    int fd;
    Target *target;
    bool asked;             // a request is out and its answer is not whole yet
    bool waits_to_send;     // for room in its socket
    const Shape *shape;     // of the request that is out
    char serial[SERIAL_BYTES + 1];
    size_t sent;            // bytes of it
    Part part;
    size_t left;            // bytes that the body or chunk still has
    size_t raw_used, body_used;
    uint64_t asked_ns, last_ns, answered_ns;
    long tokens, tokens_wanted;  // that came in this stream; of a stream, 0 when it asks for whole answers
    bool finished;          // [DONE] came
    char raw[BUFFER_BYTES + 1], body[BUFFER_BYTES + 1];
} Client;

typedef struct {
    int64_t *ns;
    size_t count, room;
} Samples;

// load_shapes.c: what is asked
typedef struct {
    const char *model;
    int port;
    long prompt_bytes;      // 0: of many lengths
    long tokens;            // of the stream that is asked for, 0: no stream
    long pace_us;           // of that stream, 0: not said
} Wish;
typedef struct {
    Shape *shapes;
    int count;
} Shapes;
Shapes make_shapes(Wish wish);
const Shape *pick_shape(const Shapes *shapes);
void next_serial(char *serial);

// load_answers.c: what comes back
extern long errors;
bool wrong(const char *format, ...);
bool decode(Client *client);
bool check_answer(Client *client);
bool check_stream(Client *client);

// load_net.c: what carries it
uint64_t now_ns(void);
void fail(const char *what);
void keep(Samples *of, int64_t ns);
void sort(Samples *of);
double quantile_us(const Samples *of, double q);
void open_net(void);
Client *make_clients(int count, Target *target);
void join(Client *client);
void join_all(Client *clients, int count);
void ask(Client *client, const Shapes *shapes);
void serve(uint64_t until_ns, void (*on_answer)(Client *client));

// load.c
void count_token(Client *client, bool is_first);

#endif
