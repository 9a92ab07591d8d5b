// The clients of a benchmark: they check every byte that comes back and say what they saw.
//
//     load requests PORT CONNECTIONS PROMPT_BYTES WARM_S WINDOW_S   each connection asks again as soon as it was answered
//     load streams  PORT STREAMS INTERVAL_US WARM_S WINDOW_S        streams begin during WARM_S, all run through the window
//     load latency  PORT... WARM_S WINDOW_S                         one connection a port, asked in turns, one at a time
//     load crowd    PORT IDLE STREAMS INTERVAL_US PER_S WARM_S WINDOW_S
//                   IDLE connections that were answered once and stay, STREAMS slow streams, and others that ask PER_S
//
// PROMPT_BYTES 0: of many lengths. The API keys are in BENCH_KEYS, with commas between them; BENCH_SEED draws the texts.
// Prints `open` and `close` when the measured window begins and ends, so that the caller reads the proxy's CPU time then
// (a crowd prints `idle` before, when all idle connections are there), and one line of JSON at the end. One thread, one
// epoll. An error is an answer that is not the whole expected one: it is counted, its connection is dropped, and the
// first is told on stderr.

#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_SPARE = 10, GRACE_S = 20, PORTS_MAX = 8, ASKERS = 32, OPENING = 32, STREAMS_PER_S = 400 };

static Target targets[PORTS_MAX];
static Samples samples, turns[PORTS_MAX];
static long in_window;
static double bytes_in_window;
static bool window_open, window_closed, has_crowd;  // a crowd's tokens are not what is measured

static void mark(const char *word) {
    puts(word);
    fflush(stdout);
}

// --- what is counted -------------------------------------------------------------------------------------------------

static bool is_measured(void) { return window_open && !window_closed; }

// Called for each token of a stream that came whole and in its order.
void count_token(Client *client, bool is_first) {
    if (is_measured() && !has_crowd) {
        in_window++;
        if (!is_first) keep(&samples, (int64_t)(client->answered_ns - client->last_ns));
    }
    client->last_ns = client->answered_ns;
}

static void take(Client *client) {
    if (!is_measured()) return;
    in_window++;
    bytes_in_window += (double)client->shape->body_bytes;
    keep(&samples, (int64_t)(client->answered_ns - client->asked_ns));
}

// --- the window ------------------------------------------------------------------------------------------------------

static uint64_t open_ns, close_ns;

static void plan_window(double warm_s, double window_s) {
    open_ns = now_ns() + (uint64_t)(warm_s * 1e9);
    close_ns = open_ns + (uint64_t)(window_s * 1e9);
}

// Open and close the window when it is time; returns when that is next, or when the grace after it ends.
static uint64_t turn_window(void) {
    uint64_t now = now_ns();
    if (!window_open && now >= open_ns) window_open = true, mark("open");
    if (!window_closed && now >= close_ns) window_closed = true, mark("close");
    return !window_open ? open_ns : !window_closed ? close_ns : close_ns + GRACE_S * 1000000000ull;
}

static int count_asked(const Client *clients, int count) {
    int asked = 0;
    for (int i = 0; i < count; i++) asked += clients[i].asked;
    return asked;
}

// After the window: until all that was asked is answered, or the grace is over.
static void drain(const Client *clients, int count, void (*on_answer)(Client *)) {
    while (count_asked(clients, count) && now_ns() < turn_window()) serve(turn_window(), on_answer);
    for (int late = count_asked(clients, count); late; late--) wrong("an answer did not come in time");
}

// --- requests --------------------------------------------------------------------------------------------------------

static Shapes asked_for;

static void ask_again(Client *client) {
    take(client);
    if (!window_closed) ask(client, &asked_for);
}

static void drive_requests(int count, long prompt_bytes, double warm_s, double window_s) {
    Client *clients = make_clients(count, targets);
    asked_for = make_shapes((Wish){.model = "bench", .port = targets->port, .prompt_bytes = prompt_bytes, .pace_us = 20000});
    join_all(clients, count);
    plan_window(warm_s, window_s);
    for (int i = 0; i < count; i++) ask(&clients[i], &asked_for);
    for (uint64_t next; next = turn_window(), !window_closed;) serve(next, ask_again);
    drain(clients, count, ask_again);
}

// --- streams ---------------------------------------------------------------------------------------------------------

static void leave(Client *client) { (void)client; }

// When stream `i` begins. They begin over most of the warm-up, and no two fall on the same moment of the interval:
// tokens would come in bursts otherwise, and a proxy that is woken once for many looks cheap.
static uint64_t begin_ns(int i, int count, double interval_s, double span_s) {
    long slots = (long)(span_s / interval_s) + 1;
    return (uint64_t)(1e9 * interval_s * ((double)((long)i * slots / count) + (double)i / count));
}

static void begin_stream(Client *client, const Shapes *shapes, long tokens) {
    client->tokens_wanted = tokens;
    ask(client, shapes);
}

static void drive_streams(int count, long interval_us, double warm_s, double window_s) {
    double interval_s = (double)interval_us / 1e6;
    long tokens = (long)((warm_s + window_s) / interval_s) + TOKENS_SPARE;
    Client *clients = make_clients(count, targets);
    asked_for = make_shapes((Wish){.model = "bench", .port = targets->port, .tokens = tokens, .pace_us = interval_us});
    join_all(clients, count);
    plan_window(warm_s, window_s);
    uint64_t start = now_ns();
    int i = 0;
    for (uint64_t next; next = turn_window(), !window_closed;) {
        uint64_t due = i < count ? start + begin_ns(i, count, interval_s, 0.8 * warm_s) : next;
        if (i < count && now_ns() >= due) begin_stream(&clients[i++], &asked_for, tokens);
        else serve(due < next ? due : next, leave);
    }
    drain(clients, count, leave);
}

// --- latency ---------------------------------------------------------------------------------------------------------

static bool was_answered;

static void note(Client *client) {
    (void)client;
    was_answered = true;
}

// One request to each port, one after the other; kept when all were answered.
static void take_turn(Client *clients, int count, const Shapes *shapes) {
    int64_t took_ns[PORTS_MAX];
    Shapes one = {.count = 1};  // each port is asked the same
    one.shapes = (Shape *)pick_shape(shapes);
    for (int i = 0; i < count; i++) {
        uint64_t late_ns = now_ns() + GRACE_S * 1000000000ull;
        was_answered = false;
        ask(&clients[i], &one);
        while (!was_answered && clients[i].asked && now_ns() < late_ns) serve(late_ns, note);
        if (!was_answered) {
            wrong("an answer did not come in time");
            return;
        }
        took_ns[i] = (int64_t)(clients[i].answered_ns - clients[i].asked_ns);
    }
    if (!is_measured()) return;
    in_window++;
    for (int i = 0; i < count; i++) keep(&turns[i], took_ns[i]);
}

// The first port is the engine itself: what the others take beyond it, turn by turn, is what they add.
static void tell_turns(int count) {
    Samples added[PORTS_MAX] = {0};
    for (int i = 0; i < count; i++) {
        for (size_t k = 0; k < turns[i].count; k++) keep(&added[i], turns[i].ns[k] - turns[0].ns[k]);
        sort(&added[i]);
    }
    printf("{\"done\":%ld,\"errors\":%ld,\"ports\":[", in_window, errors);
    for (int i = 0; i < count; i++) {
        sort(&turns[i]);
        printf("%s{\"p50_us\":%.1f,\"p99_us\":%.1f,\"added_p50_us\":%.1f,\"added_p99_us\":%.1f}", i ? "," : "",
               quantile_us(&turns[i], 0.5), quantile_us(&turns[i], 0.99), quantile_us(&added[i], 0.5),
               quantile_us(&added[i], 0.99));
    }
    printf("]}\n");
}

static void drive_latency(int count, double warm_s, double window_s) {
    Client *clients = make_clients(count, targets);
    for (int i = 0; i < count; i++) clients[i].target = &targets[i];
    asked_for = make_shapes((Wish){.model = "bench", .port = targets->port, .pace_us = 20000});
    join_all(clients, count);
    plan_window(warm_s, window_s);
    while (turn_window(), !window_closed && !errors) take_turn(clients, count, &asked_for);
    for (uint64_t next; next = turn_window(), !window_closed;) serve(next, note);
}

// --- a crowd ---------------------------------------------------------------------------------------------------------

// Connect and ask `count` clients once, a few at a time, until all are answered.
static void settle(Client *clients, int count) {
    int joined = 0, late_s = 120;
    uint64_t late_ns = now_ns() + (uint64_t)late_s * 1000000000u;
    for (int first = 0; joined < count || count_asked(clients + first, joined - first);) {
        while (first < joined && !clients[first].asked) first++;
        while (joined < count && joined - first < OPENING) {
            join(&clients[joined]);
            ask(&clients[joined++], &asked_for);
        }
        serve(now_ns() + 100000000u, leave);
        if (now_ns() > late_ns) {
            wrong("idle connections were not answered in %d s", late_s);
            return;
        }
    }
}

static void begin_streams(Client *clients, int count, long interval_us, long tokens) {
    Shapes slow = make_shapes((Wish){.model = "slow", .port = targets->port, .tokens = tokens, .pace_us = interval_us});
    double span_s = (double)count / STREAMS_PER_S;
    uint64_t start = now_ns(), end = start + (uint64_t)(1e9 * span_s) + 2 * (uint64_t)interval_us * 1000u;
    for (int i = 0; count && (i < count || now_ns() < end);) {
        uint64_t due = i < count ? start + begin_ns(i, count, (double)interval_us / 1e6, span_s) : end;
        if (i == count || now_ns() < due) {
            serve(due, leave);
            continue;
        }
        join(&clients[i]);
        begin_stream(&clients[i++], &slow, tokens);
    }
}

// Ask at a steady pace; what waits for a connection waited since it was due.
static void ask_steadily(Client *askers, double per_s, double warm_s, double window_s) {
    plan_window(warm_s, window_s);
    uint64_t due = now_ns(), step_ns = (uint64_t)(1e9 / per_s), next;
    while (next = turn_window(), !window_closed) {
        int free_one = 0;
        while (free_one < ASKERS && (askers[free_one].asked || askers[free_one].fd < 0)) free_one++;
        if (free_one == ASKERS || now_ns() < due) {
            serve(free_one == ASKERS || next < due ? next : due, take);
            continue;
        }
        ask(&askers[free_one], &asked_for);
        askers[free_one].asked_ns = due;
        due += step_ns;
    }
    drain(askers, ASKERS, take);
}

static void drive_crowd(int idle, int streams, long interval_us, double per_s, double warm_s, double window_s) {
    has_crowd = true;
    long tokens = 1000000;  // they outlast the window and are left then
    asked_for = make_shapes((Wish){.model = "bench", .port = targets->port, .pace_us = 20000});
    Client *askers = make_clients(ASKERS, targets), *idlers = make_clients(idle, targets);
    Client *slow = make_clients(streams, targets);
    settle(askers, ASKERS);
    mark("ready");
    settle(idlers, idle);
    mark("idle");
    begin_streams(slow, streams, interval_us, tokens);
    ask_steadily(askers, per_s, warm_s, window_s);
    for (int i = 0; i < idle; i++)
        if (idlers[i].fd < 0) wrong("an idle connection was lost");
    for (int i = 0; i < streams; i++)
        if (slow[i].fd < 0 || slow[i].last_ns + 4000u * (uint64_t)interval_us < close_ns) wrong("a slow stream fell silent");
}

// --- words -----------------------------------------------------------------------------------------------------------

static int refuse(void) {
    fprintf(stderr, "usage: load requests PORT CONNECTIONS PROMPT_BYTES WARM_S WINDOW_S\n"
                    "       load streams PORT STREAMS INTERVAL_US WARM_S WINDOW_S\n"
                    "       load latency PORT... WARM_S WINDOW_S\n"
                    "       load crowd PORT IDLE STREAMS INTERVAL_US PER_S WARM_S WINDOW_S\n");
    return 2;
}

int main(int count, char **words) {
    if (count < 5) return refuse();
    double warm_s = atof(words[count - 2]), window_s = atof(words[count - 1]);
    const char *mode = words[1];
    signal(SIGPIPE, SIG_IGN);
    open_net();
    targets->port = atoi(words[2]);
    if (strcmp(mode, "latency") == 0 && count - 4 <= PORTS_MAX) {
        for (int i = 0; i < count - 4; i++) targets[i].port = atoi(words[2 + i]);
        drive_latency(count - 4, warm_s, window_s);
        tell_turns(count - 4);
        return 0;
    }
    if (strcmp(mode, "requests") == 0 && count == 7)
        drive_requests(atoi(words[3]), atol(words[4]), warm_s, window_s);
    else if (strcmp(mode, "streams") == 0 && count == 7)
        drive_streams(atoi(words[3]), atol(words[4]), warm_s, window_s);
    else if (strcmp(mode, "crowd") == 0 && count == 9)
        drive_crowd(atoi(words[3]), atoi(words[4]), atol(words[5]), atof(words[6]), warm_s, window_s);
    else
        return refuse();
    sort(&samples);
    printf("{\"done\":%ld,\"errors\":%ld,\"p50_us\":%.1f,\"p99_us\":%.1f,\"mib\":%.3f}\n", in_window, errors,
           quantile_us(&samples, 0.5), quantile_us(&samples, 0.99), bytes_in_window / 1048576);
    return 0;
}
