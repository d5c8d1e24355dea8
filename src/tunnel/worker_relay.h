/*
 * A relay on one of the program's threads, for an owner on the main one.  What
 * it offers is what relay.h says; what it tells comes a moment later.
 */
#ifndef TUNNEL_WORKER_RELAY_H
#define TUNNEL_WORKER_RELAY_H

#include "tunnel/relay.h"

struct worker_pool;
struct worker_relay;

/**
 * worker_relay_new(pool, options):
 * Relay, from a place in ${pool}; NULL for the main thread.  ${options}->loop,
 * its callback and its transports are the main thread's; otherwise see
 * relay_new.
 */
struct worker_relay *worker_relay_new(struct worker_pool *pool,
                                      const struct relay_options *options);

/**
 * worker_relay_free(relay):
 * worker_relay_break(relay):
 * worker_relay_lost_qemu(relay):
 * worker_relay_left(relay):
 * worker_relay_drop_qemu(relay):
 * worker_relay_confirms(relay, source):
 * worker_relay_qemu_hung_up(relay):
 * worker_relay_report(relay, report):
 * As the functions of these names in relay.h, from the main thread.  A relay
 * counts as open until its end has been told, or it is broken.
 */
void worker_relay_free(struct worker_relay *relay);
void worker_relay_break(struct worker_relay *relay);
bool worker_relay_lost_qemu(const struct worker_relay *relay);
size_t worker_relay_left(struct worker_relay *relay);
void worker_relay_drop_qemu(struct worker_relay *relay);
bool worker_relay_confirms(struct worker_relay *relay, enum side source);
bool worker_relay_qemu_hung_up(struct worker_relay *relay);
void worker_relay_report(struct worker_relay *relay,
                         struct relay_report *report);

#endif
