/* The two ends of a session, what is between them, and how it ended. */
#ifndef SUPPORT_SESSION_H
#define SUPPORT_SESSION_H

#include "support_tunnel.h"

struct proxy;

/**
 * session_start(e2e, tunnel, server_args, client_args):
 * Start a mig-server and a mig-client that speak the session protocol, with
 * these further arguments; either list may be NULL.
 */
void session_start(struct e2e *e2e, struct tunnel *tunnel,
                   const char *const *server_args,
                   const char *const *client_args);

/**
 * session_start_partners(e2e, tunnel):
 * Start both ends of a session, through which the helpers find each other.
 */
void session_start_partners(struct e2e *e2e, struct tunnel *tunnel);

/**
 * session_start_proxied(e2e, tunnel, server_args, client_args):
 * As session_start, with a fault proxy between the two, which is returned.
 */
struct proxy *session_start_proxied(struct e2e *e2e, struct tunnel *tunnel,
                                    const char *const *server_args,
                                    const char *const *client_args);

/**
 * session_expect_ends(tunnel, words, count):
 * session_expect_end(tunnel, words):
 * Wait until both ends have said that a migration has ended with ${words}, and
 * check that each has said so ${count} times so far; once.
 */
void session_expect_ends(const struct tunnel *tunnel, const char *words,
                         unsigned count);
void session_expect_end(const struct tunnel *tunnel, const char *words);

/**
 * session_count(process, text):
 * Return how often ${text} stands in what the process has logged so far.
 */
unsigned session_count(const struct process *process, const char *text);

/**
 * session_wait_count(process, text, count):
 * Wait until session_count is ${count} or more.
 */
void session_wait_count(struct process *process, const char *text,
                        unsigned count);

#endif
