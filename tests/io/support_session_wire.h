/*
 * A wire between two ends under test, which the test cuts: what is on it then
 * is lost.
 */
#ifndef SUPPORT_SESSION_WIRE_H
#define SUPPORT_SESSION_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct stage;

enum { WIRE_CHUNK_MAX = 64 << 10, WIRE_FOREVER = 1 << 30 };

struct wire_half {
    struct session_wire *wire;
    int from;
    int to;
    struct event *readable;
    struct event *writable;
    unsigned char bytes[WIRE_CHUNK_MAX];
    size_t at;
    size_t length;
    struct event *rested;
};

struct session_wire {
    struct stage *stage;
    struct wire_half halves[2];
    size_t chunk;   /* at most so much at once */
    uint64_t left;  /* bytes until it is cut */
    uint64_t moved; /* bytes that have gone through */
    bool is_cut;
    unsigned pause_ms; /* after each chunk; 0 unless it is set */
    int fds[2];        /* our ends */
};

/**
 * session_wire_over(pair):
 * Make the wires from now on of such pairs of sockets: net_unix_pair, unless
 * this is called, or net_tcp_pair.  TCP keeps megabytes on their way, which
 * look to a sender as if a slow reader had them, and not as a slow link.
 */
void session_wire_over(void (*pair)(int fds[2]));

/**
 * session_wire_open(wire, stage, chunk, bytes, ends):
 * Make a wire that moves ${chunk} bytes at a time, and is cut when ${bytes}
 * have gone through it.  ${ends} are the sockets for the ends under test.
 */
void session_wire_open(struct session_wire *wire, struct stage *stage,
                       size_t chunk, uint64_t bytes, int ends[2]);

/**
 * session_wire_cut(wire):
 * Cut it now, unless that is done.
 */
void session_wire_cut(struct session_wire *wire);

#endif
