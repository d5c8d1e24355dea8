/*
 * A session_channel on one of the program's threads, for an owner on the main
 * one.  What it offers is what session_channel.h says, but for two things: the
 * loop on which it works may be another thread's, and what it tells then comes
 * a moment later.
 */
#ifndef TUNNEL_WORKER_CHANNEL_H
#define TUNNEL_WORKER_CHANNEL_H

#include "tunnel/session_channel.h"

struct worker_channel;
struct worker_pool;

/**
 * worker_channel_new(pool, options):
 * Make a channel and take a place for it in ${pool}; NULL for the main thread.
 * ${options}->loop is the main thread's, as are its callbacks and every
 * transport that is handed over or taken back.  Return NULL with errno set if
 * there is no memory.
 */
struct worker_channel *worker_channel_new(
    struct worker_pool *pool, const struct session_channel_options *options);

/**
 * worker_channel_free(channel):
 * worker_channel_set_local(channel, local):
 * worker_channel_greet(channel, position):
 * worker_channel_accepts(channel, peer):
 * worker_channel_fresh(channel):
 * worker_channel_attach(channel, transport, peer, early, early_bytes, replay):
 * worker_channel_reset(channel, reason):
 * worker_channel_flushed(channel):
 * worker_channel_drop_local(channel):
 * worker_channel_close_transport(channel):
 * worker_channel_take_local(channel):
 * worker_channel_connected(channel):
 * worker_channel_complete(channel):
 * worker_channel_ended(channel):
 * worker_channel_local_ended(channel):
 * worker_channel_report(channel, report):
 * worker_channel_verdict(channel, at_source):
 * As the functions of these names in session_channel.h, from the main thread.
 * A callback never tells of what the owner has since put an end to.  From
 * attach on, the transport is not the caller's to touch.
 */
void worker_channel_free(struct worker_channel *channel);
void worker_channel_set_local(struct worker_channel *channel,
                              struct transport *local);
void worker_channel_greet(struct worker_channel *channel,
                          struct greeting_position *position);
bool worker_channel_accepts(struct worker_channel *channel,
                            const struct greeting_position *peer);
bool worker_channel_fresh(struct worker_channel *channel);
enum reason worker_channel_attach(struct worker_channel *channel,
                                  struct transport *transport,
                                  const struct greeting_position *peer,
                                  const void *early, size_t early_bytes,
                                  uint64_t *replay);
void worker_channel_reset(struct worker_channel *channel, enum reason reason);
bool worker_channel_flushed(struct worker_channel *channel);
void worker_channel_drop_local(struct worker_channel *channel);
void worker_channel_close_transport(struct worker_channel *channel);
struct transport *worker_channel_take_local(struct worker_channel *channel);
bool worker_channel_connected(struct worker_channel *channel);
bool worker_channel_complete(struct worker_channel *channel);
bool worker_channel_ended(struct worker_channel *channel);
bool worker_channel_local_ended(struct worker_channel *channel);
void worker_channel_report(struct worker_channel *channel,
                           struct session_channel_report *report);
enum reason worker_channel_verdict(struct worker_channel *channel,
                                   bool at_source);

/**
 * worker_channel_fd(channel):
 * As session_channel_fd for a channel on the main thread; -1 for one on a
 * worker, which may close it at any time.
 */
int worker_channel_fd(const struct worker_channel *channel);

#endif
