#include "tunnel/raw_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/text.h"
#include "io/dialer.h"
#include "io/handshake.h"
#include "io/listener.h"
#include "io/net_options.h"
#include "io/timer.h"
#include "io/tls.h"
#include "io/transport.h"
#include "tunnel/raw_end.h"
#include "tunnel/raw_migration.h"

/*
 * Theory of operation.  A connection of QEMU's waits in a queue until the ones
 * before it have their TCP connection; only the first in the queue is dialled,
 * and the next one when it has that and TLS, if there is any, has accepted it.
 * So the TCP connections are established in QEMU's order, and since nothing
 * waits for a byte, a channel that stays silent holds nobody up.
 *
 * A connection that can't be served dooms the migration (raw_migration.h).
 */
enum {
    /*
     * QEMU 7.2 aborts when we close earlier; see DESIGN.md.  The loop's clock
     * is coarse, so that a timer may be a few milliseconds early.
     */
    HOLD_MS = 1000 + 20,
    ATTEMPT_MS = 10000,
};

struct waiting {
    unsigned number;
    struct transport *qemu;
    TAILQ_ENTRY(waiting) entry;
};

struct raw_client {
    struct raw_client_options options;
    struct socket_file file;
    struct listener *listener;
    struct raw_end *end;
    unsigned accepted; /* channels of this migration so far */
    TAILQ_HEAD(waiting_list, waiting) queue;
    struct dialer *dialer;
    struct handshake *handshake; /* of what was dialled for the first */
    struct timer *look;          /* is the source still there while we dial? */
    bool told_retry;
};

static void dial_next(struct raw_client *client);

static struct transport *
queue_pop(struct raw_client *client)
{
    struct waiting *waiting = TAILQ_FIRST(&client->queue);
    struct transport *qemu = waiting->qemu;

    TAILQ_REMOVE(&client->queue, waiting, entry);
    free(waiting);
    return qemu;
}

static void
stop_dialling(struct raw_client *client)
{
    dialer_free(client->dialer);
    client->dialer = NULL;
    handshake_free(client->handshake);
    client->handshake = NULL;
    timer_stop(client->look);
}

static void
drop_queue(void *arg)
{
    struct raw_client *client = arg;

    stop_dialling(client);
    while (!TAILQ_EMPTY(&client->queue))
        raw_migration_doom(raw_end_migration(client->end), queue_pop(client));
}

static bool
is_expecting(void *arg)
{
    struct raw_client *client = arg;

    return !TAILQ_EMPTY(&client->queue);
}

static void
on_over(void *arg)
{
    struct raw_client *client = arg;

    client->accepted = 0;
}

static void
halt(void *arg)
{
    struct raw_client *client = arg;

    listener_free(client->listener);
    client->listener = NULL;
    socket_file_remove(&client->file);
}

static void
cannot_reach(struct raw_client *client, const char *why)
{
    char dest[ADDRESS_TEXT_MAX];

    log_warnx("channel %u: cannot connect to mig-server at %s: %s; "
              "is it running there, and does a firewall let it through?",
              TAILQ_FIRST(&client->queue)->number,
              address_text(dest, &client->options.dest), why);
    raw_end_break(client->end);
}

static void
on_retry(void *arg, const char *why)
{
    struct raw_client *client = arg;
    char dest[ADDRESS_TEXT_MAX], wait[TEXT_MAX];

    if (!client->told_retry)
        log_warnx("cannot connect to mig-server at %s: %s; trying for %s",
                  address_text(dest, &client->options.dest), why,
                  text_duration(wait, client->options.wait_ms));
    client->told_retry = true;
    timer_start(client->look, 0); /* the dialer can't be freed from here */
}

static void
on_look(void *arg)
{
    struct raw_client *client = arg;

    if (transport_hung_up(TAILQ_FIRST(&client->queue)->qemu)) {
        log_info("channel %u: QEMU gave up",
                 TAILQ_FIRST(&client->queue)->number);
        raw_end_break(client->end);
    }
}

/* The first in the queue has its connection, ${net}. */
static void
connect_first(struct raw_client *client, struct transport *net)
{
    unsigned number = TAILQ_FIRST(&client->queue)->number;

    client->told_retry = false;
    log_debug("channel %u: connected", number);
    if (number == 1)
        net_say(client->options.net, transport_fd(net), "channel 1");
    if (raw_migration_add(raw_end_migration(client->end),
                          &(struct raw_channel_options){
                              .number = number,
                              .sides = { queue_pop(client), net },
                          }) != 0) {
        log_warn("channel %u", number);
        raw_end_break(client->end);
        return;
    }
    dial_next(client);
}

static void
on_handshake(void *arg, enum handshake_end end, struct transport *transport,
             const char *why)
{
    struct raw_client *client = arg;
    char dest[ADDRESS_TEXT_MAX];

    (void)end;
    if (transport == NULL) {
        log_warnx("channel %u: no TLS session with mig-server at %s: %s",
                  TAILQ_FIRST(&client->queue)->number,
                  address_text(dest, &client->options.dest), why);
        raw_end_break(client->end);
        return;
    }
    handshake_free(client->handshake);
    client->handshake = NULL;
    connect_first(client, transport);
}

static void
secure(struct raw_client *client, int fd)
{
    tls_refresh(client->options.tls);
    client->handshake = handshake_new(&(struct handshake_options){
        .loop = client->options.loop,
        .fd = fd,
        .tls = client->options.tls,
        .on_done = on_handshake,
        .arg = client,
    });
    if (client->handshake == NULL)
        cannot_reach(client, strerror(errno));
}

static void
on_dialled(void *arg, int fd, const char *why)
{
    struct raw_client *client = arg;
    struct transport *net;

    stop_dialling(client);
    if (fd < 0) {
        cannot_reach(client, why);
    } else if (client->options.tls != NULL) {
        secure(client, fd);
    } else {
        net = transport_new(client->options.loop, fd);
        if (net != NULL)
            connect_first(client, net);
        else
            cannot_reach(client, strerror(errno));
    }
}

static void
dial_next(struct raw_client *client)
{
    if (client->dialer != NULL || client->handshake != NULL ||
        TAILQ_EMPTY(&client->queue))
        return;
    client->dialer =
        dialer_new(client->options.loop, &(struct dialer_options){
                                             .address = client->options.dest,
                                             .net = client->options.net,
                                             .wait_ms = client->options.wait_ms,
                                             .attempt_ms = ATTEMPT_MS,
                                             .on_done = on_dialled,
                                             .on_retry = on_retry,
                                             .arg = client,
                                         });
    if (client->dialer == NULL)
        cannot_reach(client, strerror(errno));
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct raw_client *client = arg;
    struct raw_migration *migration;
    struct transport *qemu = transport_new(client->options.loop, fd);
    struct waiting *waiting = calloc(1, sizeof *waiting);

    (void)peer;
    (void)peer_len;
    raw_end_renew(client->end);
    migration = raw_end_migration(client->end);
    if (migration == NULL)
        migration = raw_end_begin(client->end);
    if (qemu == NULL || waiting == NULL || migration == NULL) {
        log_warn("a connection of QEMU's is lost");
        transport_free(qemu);
        free(waiting);
        if (migration != NULL)
            raw_end_break(client->end);
        return;
    }
    raw_migration_hold(migration);
    if (raw_migration_broken(migration)) {
        free(waiting);
        raw_migration_doom(migration, qemu);
        return;
    }
    *waiting = (struct waiting){ .number = ++client->accepted, .qemu = qemu };
    TAILQ_INSERT_TAIL(&client->queue, waiting, entry);
    log_debug("channel %u: QEMU connected", waiting->number);
    dial_next(client);
}

static int
start_listening(struct raw_client *client, char why[SOCKET_WHY_MAX])
{
    int fd = socket_file_listen(&client->file, client->options.unix_path, why);

    if (fd < 0)
        return -1;
    client->listener = listener_new_fd(
        client->options.loop, fd,
        &(struct listener_options){ .on_accept = on_accept, .arg = client });
    if (client->listener != NULL)
        return 0;
    snprintf(why, SOCKET_WHY_MAX, "%s", strerror(errno));
    return -1;
}

struct raw_client *
raw_client_new(const struct raw_client_options *options,
               char why[SOCKET_WHY_MAX])
{
    struct raw_client *client = calloc(1, sizeof *client);

    if (client == NULL) {
        snprintf(why, SOCKET_WHY_MAX, "%s", strerror(errno));
        return NULL;
    }
    client->options = *options;
    TAILQ_INIT(&client->queue);
    client->look = timer_new(options->loop, on_look, client);
    client->end = raw_end_new(&(struct raw_end_options){
        .loop = options->loop,
        .pool = options->pool,
        .source = SIDE_QEMU,
        .bandwidth = options->bandwidth,
        .hold_ms = HOLD_MS,
        .once = options->once,
        .on_done = options->on_done,
        .done_arg = options->arg,
        .drop_queue = drop_queue,
        .is_expecting = is_expecting,
        .on_over = on_over,
        .halt = halt,
        .arg = client,
    });
    if (client->look == NULL || client->end == NULL)
        snprintf(why, SOCKET_WHY_MAX, "%s", strerror(ENOMEM));
    else if (start_listening(client, why) == 0)
        return client;
    raw_client_free(client);
    return NULL;
}

void
raw_client_free(struct raw_client *client)
{
    if (client == NULL)
        return;
    halt(client);
    dialer_free(client->dialer);
    handshake_free(client->handshake);
    while (!TAILQ_EMPTY(&client->queue))
        transport_free(queue_pop(client));
    raw_end_free(client->end);
    timer_free(client->look);
    free(client);
}

void
raw_client_stop(struct raw_client *client)
{
    raw_end_stop(client->end);
}
