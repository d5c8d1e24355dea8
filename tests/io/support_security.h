/*
 * Both ends' credentials, in a folder of their own; and a peer of the test's
 * that speaks TLS, for a server under test.
 */
#ifndef SUPPORT_SECURITY_H
#define SUPPORT_SECURITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/handshake.h"
#include "io/tls.h"
#include "support_net.h"
#include "wire/greeting.h"

struct stage;

struct security {
    char dir[NET_PATH_MAX];
    char other_dir[NET_PATH_MAX]; /* of ${other}, if that is apart */
    struct tls *server;
    struct tls *client; /* PSK user qemu; or CN=host2,O=Example */
    struct tls *other;  /* PSK user other; or CN=host3,O=Example */
};

/* Whom the two clients prove to be. */
#define SECURITY_KEY_CLIENT "PSK user qemu"
#define SECURITY_KEY_OTHER "PSK user other"
#define SECURITY_CERT_CLIENT "certificate CN=host2,O=Example"
#define SECURITY_CERT_OTHER "certificate CN=host3,O=Example"

/**
 * security_open_keys(security):
 * security_open_certificates(security, allow):
 * Make credentials that fit together, of the one form or the other; the server
 * allows the clients that match ${allow}, or all if it is NULL.
 */
void security_open_keys(struct security *security);
void security_open_certificates(struct security *security, const char *allow);
void security_close(struct security *security);

/**
 * security_break_key(security, broken):
 * Let the client have a wrong key from its next connection on, or the right one
 * again.
 */
void security_break_key(struct security *security, bool broken);

/* A client of the test's own. */
struct secure_peer {
    struct stage *stage;
    struct handshake *handshake;
    struct transport *transport;
    bool shaken; /* the handshake is over, */
    enum handshake_end end;
    char why[TLS_WHY_MAX]; /* of a handshake or of a read that failed */
    unsigned char bytes[4096];
    size_t received;
    bool ended; /* there is nothing more to read */
};

/**
 * secure_peer_open(peer, stage, fd, tls):
 * Begin the handshake on the connected socket ${fd}.
 */
void secure_peer_open(struct secure_peer *peer, struct stage *stage, int fd,
                      struct tls *tls);
void secure_peer_close(struct secure_peer *peer);

/**
 * secure_peer_connect(peer, stage, port, tls):
 * Connect, and wait for the end of the handshake.
 */
void secure_peer_connect(struct secure_peer *peer, struct stage *stage,
                         uint16_t port, struct tls *tls);

/**
 * secure_peer_say(peer, bytes, length):
 * Send these few bytes.
 */
void secure_peer_say(struct secure_peer *peer, const void *bytes,
                     size_t length);

/**
 * secure_peer_greet(peer, greeting):
 * Greet, wait for the answer and return its reason.
 */
enum reason secure_peer_greet(struct secure_peer *peer,
                              const struct client_greeting *greeting);

#endif
