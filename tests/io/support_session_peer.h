/*
 * One end of a transport that the test plays: greetings and frames, honest or
 * not, on the test's loop.
 */
#ifndef SUPPORT_SESSION_PEER_H
#define SUPPORT_SESSION_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"
#include "wire/greeting.h"

struct event;
struct stage;

enum { SESSION_PEER_BUFFER = 4096, SESSION_PEER_TEXT = 2048 };
enum { SESSION_PEER_TYPES = FRAME_PONG + 1 };

enum session_role {
    ROLE_CLIENT, /* of a server under test */
    ROLE_SERVER, /* of a client under test */
    ROLE_FRAMES, /* greetings are over */
};

struct session_peer {
    struct stage *stage;
    int fd;
    struct event *readable;
    enum session_role role;
    bool silent; /* take what comes, but send no PONG and no ACK */

    unsigned char buffer[SESSION_PEER_BUFFER]; /* not looked at yet */
    size_t buffered;

    bool greeted; /* the other end's greeting is there: */
    struct client_greeting client;
    struct server_greeting server;
    void (*on_greeted)(void *arg, struct session_peer *peer); /* or NULL */
    void *arg;

    unsigned frames[SESSION_PEER_TYPES]; /* how many came, by type */
    struct frame last[SESSION_PEER_TYPES];
    bool broken; /* what came was no frame, or did not follow on */

    uint64_t received; /* end of the payload that came; a start may be set */
    uint32_t payload_left;
    bool expects; /* the stream of ${expected_seed}, as in support_peer.h */
    uint64_t expected_seed;
    bool mismatch;
    char text[SESSION_PEER_TEXT]; /* the first payload that came */
    bool got_end;

    uint64_t sent; /* where session_peer_text goes on */

    bool eof;
    int read_error;
    uint64_t ended_ms;
};

/**
 * session_peer_open(peer, stage, fd, role):
 * Take over the socket ${fd} and read from it.  PINGs are answered and payload
 * is acknowledged, unless ${peer}->silent.
 */
void session_peer_open(struct session_peer *peer, struct stage *stage, int fd,
                       enum session_role role);

/**
 * session_peer_close(peer):
 * session_peer_reset(peer):
 * Close the socket, which may be closed already, in order or by force.
 */
void session_peer_close(struct session_peer *peer);
void session_peer_reset(struct session_peer *peer);

/**
 * session_peer_read(peer, on):
 * Read on, or no more.
 */
void session_peer_read(struct session_peer *peer, bool on);

/**
 * session_peer_say(peer, bytes, length):
 * Send these bytes, whatever they are; serve the loop while there is no room.
 */
void session_peer_say(struct session_peer *peer, const void *bytes,
                      size_t length);

/**
 * session_peer_greet(peer, greeting):
 * session_peer_answer(peer, greeting):
 * Send a greeting.
 */
void session_peer_greet(struct session_peer *peer,
                        const struct client_greeting *greeting);
void session_peer_answer(struct session_peer *peer,
                         const struct server_greeting *greeting);

/**
 * session_peer_frame(peer, frame):
 * Send a header, which need not make sense.
 */
void session_peer_frame(struct session_peer *peer, struct frame frame);

/**
 * session_peer_data(peer, seed, offset, length):
 * Send one DATA frame from the stream of ${seed}.
 */
void session_peer_data(struct session_peer *peer, uint64_t seed,
                       uint64_t offset, uint32_t length);

/**
 * session_peer_text(peer, text):
 * Send ${text} in a DATA frame that follows on.
 */
void session_peer_text(struct session_peer *peer, const char *text);

/**
 * session_peer_ended(peer):
 * Return whether the other end has ended or broken the connection.
 */
bool session_peer_ended(const struct session_peer *peer);

/**
 * session_peer_reset_with(peer):
 * Return the reason of the RESET that came, or REASON_NONE.
 */
enum reason session_peer_reset_with(const struct session_peer *peer);

/* The greeting of an honest client of version 1, for a session by its letter.
 */
struct client_greeting session_greeting(char session, const char *name,
                                        uint32_t channel);

#endif
