/*
 * A TCP connection of which it is not known yet whether a QEMU speaks through
 * it: in raw mode only its first bytes can tell.  With TLS it first proves who
 * it is, and nothing is read of it before.
 */
#ifndef TUNNEL_CANDIDATE_H
#define TUNNEL_CANDIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/address.h"
#include "wire/sniff.h"

struct handshake;
struct loop;
struct timer;
struct tls;
struct transport;

enum candidate_verdict {
    CANDIDATE_UNKNOWN, /* too early to tell */
    CANDIDATE_MAIN,    /* the main channel of a migration */
    CANDIDATE_FURTHER, /* a channel that has to wait for its main channel */
    CANDIDATE_TLS,     /* a TLS client */
    CANDIDATE_FOREIGN, /* no QEMU */
    CANDIDATE_CLOSED,  /* ended or broke off too early to tell */
    CANDIDATE_SILENT,  /* said too little for too long */
    CANDIDATE_REFUSED, /* TLS refuses it, failed, or was not begun: see why */
};

struct candidate {
    char peer[ADDRESS_TEXT_MAX];      /* its address, for people */
    char peer_host[ADDRESS_HOST_MAX]; /* the same without the port */
    unsigned long accepted;           /* when, by the owner's count */
    unsigned number;                  /* its channel, once it is in the queue */
    struct handshake *handshake;      /* until there is a transport */
    struct transport *transport;
    struct timer *patience;
    unsigned char early[SNIFF_BYTES]; /* what it has said so far */
    size_t early_bytes;
    enum candidate_verdict verdict;
    const char *why; /* of REFUSED: with a transport as long as that is there,
                        else during on_judged */
    void (*on_secured)(void *arg, struct candidate *candidate);
    void (*on_judged)(void *arg, struct candidate *candidate);
    void *arg;
    TAILQ_ENTRY(candidate) entry;
};

TAILQ_HEAD(candidate_list, candidate);

struct candidate_options {
    struct loop *loop;
    int fd;          /* the candidate's from now on, also on failure */
    struct tls *tls; /* NULL for none */
    const struct sockaddr *peer;
    socklen_t peer_len;

    /**
     * on_secured(arg, candidate):
     * There is a transport now, from which nothing has been read.  Without TLS
     * there is one from the start, and this is not called.
     */
    void (*on_secured)(void *arg, struct candidate *candidate);

    /**
     * on_judged(arg, candidate):
     * A verdict has been reached; once only, but for FURTHER, which SILENT
     * may follow.  The callback may free the candidate.
     */
    void (*on_judged)(void *arg, struct candidate *candidate);
    void *arg;
};

/**
 * candidate_new(options):
 * Take the connection and listen to it.  Return NULL with errno set if there
 * is no memory.  The caller frees it with candidate_free, which resets the
 * connection.  No callback is made before this function returns.
 */
struct candidate *candidate_new(const struct candidate_options *options);
void candidate_free(struct candidate *candidate);

/**
 * candidate_look(candidate):
 * There is a transport: read what has arrived, but no more than a verdict
 * needs.  Return whether there is a verdict; no callback is made.
 */
bool candidate_look(struct candidate *candidate);

/**
 * candidate_stop(candidate):
 * Listen no more: its place in a migration is decided.
 */
void candidate_stop(struct candidate *candidate);

/**
 * candidate_take(candidate):
 * Return the transport, which is the caller's from now on.
 */
struct transport *candidate_take(struct candidate *candidate);

#endif
