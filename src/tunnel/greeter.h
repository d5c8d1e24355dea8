/*
 * A TCP connection at the server whose greeting is awaited: with TLS 5 s for
 * the handshake, in which it proves who it is, then 5 s for the greeting.
 * Nothing is believed of it before that.
 */
#ifndef TUNNEL_GREETER_H
#define TUNNEL_GREETER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/address.h"
#include "wire/greeting.h"

struct handshake;
struct loop;
struct timer;
struct tls;
struct transport;

struct greeter {
    char peer[ADDRESS_TEXT_MAX];
    bool tls;                    /* this server takes TLS, */
    bool plain;                  /* but the client does not speak it */
    struct handshake *handshake; /* until there is a transport */
    struct transport *transport;
    struct timer *patience;
    unsigned char bytes[GREETING_MAX];
    size_t length; /* of what has come */
    size_t used;   /* of it by the greeting */
    struct client_greeting greeting;
    enum reason refusal; /* what a client in trouble is to be told, if */
    void (*on_greeted)(void *arg, struct greeter *greeter, const char *trouble);
    void *arg;
    TAILQ_ENTRY(greeter) entry;
};

TAILQ_HEAD(greeter_list, greeter);

struct greeter_options {
    struct loop *loop;
    int fd;          /* the greeter's from now on, also on failure */
    struct tls *tls; /* NULL for none */
    const struct sockaddr *peer;
    socklen_t peer_len;

    /**
     * on_greeted(arg, greeter, trouble):
     * ${greeter}->greeting is filled in; or ${trouble} says why there is none
     * that counts, and then ${greeter}->refusal, unless it is REASON_NONE, what
     * greeter_refuse is to say.  The callback frees the greeter.
     */
    void (*on_greeted)(void *arg, struct greeter *greeter, const char *trouble);
    void *arg;
};

/**
 * greeter_new(options):
 * Return NULL with errno set if there is no memory.  The caller frees it with
 * greeter_free, which resets the connection unless it has been taken.
 */
struct greeter *greeter_new(const struct greeter_options *options);
void greeter_free(struct greeter *greeter);

/**
 * greeter_answer(greeter, answer):
 * Send the server's greeting.  Return 0, or -1 if the connection is gone.
 */
int greeter_answer(struct greeter *greeter,
                   const struct server_greeting *answer);

/**
 * greeter_refuse(greeter, reason):
 * Send the server's greeting with a reason to refuse, and close in order.
 */
void greeter_refuse(struct greeter *greeter, enum reason reason);

/**
 * greeter_identity(greeter):
 * Return whom the client has proved to be, "" without TLS, for as long as the
 * transport is the greeter's.
 */
const char *greeter_identity(const struct greeter *greeter);

/**
 * greeter_take(greeter):
 * Return the transport, which is the caller's from now on.
 */
struct transport *greeter_take(struct greeter *greeter);

#endif
