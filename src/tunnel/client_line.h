/*
 * The client's end of one channel of a session, with what keeps it connected:
 * dialling, TLS, greeting, and the same again when its transport is lost.
 */
#ifndef TUNNEL_CLIENT_LINE_H
#define TUNNEL_CLIENT_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "wire/compression.h"
#include "wire/greeting.h"
#include "wire/reason.h"

struct bucket;
struct client_line;
struct loop;
struct net_options;
struct tls;
struct worker_channel;
struct worker_pool;

struct client_line_options {
    struct loop *loop;
    struct worker_pool *pool; /* for the channels; NULL: one thread */
    const char *label; /* "session 3f2a", for log lines; outlives the line */
    struct address dest;
    struct tls *tls;               /* NULL for plain text; outlives the line */
    const struct net_options *net; /* or NULL; outlives it */
    struct bucket *bandwidth;      /* of what goes out; NULL: no limit */
    unsigned char session[SESSION_ID_BYTES];
    char name[VM_NAME_MAX + 1];
    uint32_t number;
    uint32_t window; /* bytes, see session_channel_options */
    struct compression_wish compress;
    uint64_t wait_ms;           /* for the first connection */
    uint64_t resume_timeout_ms; /* for each further one */

    /**
     * on_up(arg):
     * The server has accepted the channel; once.
     */
    void (*on_up)(void *arg);

    /**
     * on_finished(arg):
     * Both streams have ended, proved, and the server has closed the transport.
     */
    void (*on_finished)(void *arg);

    /**
     * on_failed(arg, reason, why):
     * The channel can't be had, or can't go on: the server refuses it, it
     * could not be reached in time (REASON_LOST), TLS refuses one of the two
     * (REASON_PROTOCOL), or see session_channel.  ${why} says more until the
     * line is freed, or is NULL.
     */
    void (*on_failed)(void *arg, enum reason reason, const char *why);
    void *arg;
};

/**
 * client_line_new(options):
 * Make the channel and start to dial.  Return NULL with errno set if there is
 * no memory.  The caller frees it with client_line_free, which closes
 * everything.  Callbacks are the last statement of what makes them, and may
 * free the line.
 */
struct client_line *client_line_new(const struct client_line_options *options);
void client_line_free(struct client_line *line);

/**
 * client_line_channel(line):
 * Return the channel, which stays the line's.
 */
struct worker_channel *client_line_channel(struct client_line *line);

/**
 * client_line_give_up(line, reason):
 * Tell the server that the channel ends with ${reason}, if it is connected, and
 * dial no more.
 */
void client_line_give_up(struct client_line *line, enum reason reason);

#endif
