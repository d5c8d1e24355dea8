#include "tunnel/session_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/net_options.h"
#include "io/timer.h"
#include "tunnel/door.h"
#include "tunnel/greeter.h"
#include "tunnel/helper_talk.h"
#include "tunnel/server_session.h"
#include "tunnel/session_label.h"
#include "tunnel/spent_sockets.h"
#include "wire/vm_path.h"

/*
 * Theory of operation.  A connection is a greeter until its greeting is there:
 * 10 s at most, and at most DOOR_STRANGERS_MAX at once, of which the oldest has
 * to go when one more comes.  A greeting names its session: a new one is made
 * for channel 0, anything else goes to the session it names.
 *
 * A session belongs to whom its first client has proved to be.  Nobody else
 * gets to it, nor learns more of it than that it is not theirs.
 *
 * Helpers attach for all time to a server of one VM; by name, to the session
 * that goes on, and when that has ended, to the next one of this name.
 */
enum {
    SESSIONS_MAX = 1024,
    STOP_MS = 5000,
    FLUSH_MS = 300,
    ONCE_LINGER_MS = 5000,
    DRIVER_MS = 5000, /* for a driver to leave, with --once */
};

struct served_session {
    struct server_session *session;
    struct helper_talk *talk; /* its own, where the server goes by name */
    TAILQ_ENTRY(served_session) entry;
};
TAILQ_HEAD(served_session_list, served_session);

struct session_server {
    struct session_server_options options;
    struct listener *listener;
    struct greeter_list greeters; /* the oldest first */
    unsigned greeter_count;
    struct served_session_list sessions;
    unsigned session_count;
    struct timer *stop_timer;
    struct spent_sockets spent;
    struct door door;
    struct helper_talk *talk; /* all sessions', or the last one's; or NULL */
    bool driver_left;
    bool stopping;
    bool flushing; /* all is over but for telling the clients */
    bool ended_one;
    enum exit_status status;
};

static void
forget_greeter(struct session_server *server, struct greeter *greeter)
{
    TAILQ_REMOVE(&server->greeters, greeter, entry);
    server->greeter_count--;
    greeter_free(greeter);
}

static void check_done(struct session_server *server);

static void
on_driver_left(void *arg)
{
    struct session_server *server = arg;

    server->driver_left = true; /* or has had its time */
    check_done(server);
}

/* Nothing more to do: all sessions are gone, and there will be no other. */
static void
check_done(struct session_server *server)
{
    bool over = server->stopping || (server->options.once && server->ended_one);

    if (!over || !TAILQ_EMPTY(&server->sessions))
        return;
    if (!server->stopping && !server->driver_left &&
        helper_talk_farewell(server->talk, DRIVER_MS, on_driver_left, server))
        return;
    timer_stop(server->stop_timer);
    server->options.on_done(server->options.arg, server->status);
}

static void
on_ended(void *arg, struct server_session *session, enum reason reason)
{
    struct session_server *server = arg;

    if (!server_session_used(session))
        return; /* no migration has ended */
    server->ended_one = true;
    server->status = session_status(reason);
}

static void
forget_session(struct session_server *server, struct served_session *served)
{
    TAILQ_REMOVE(&server->sessions, served, entry);
    server->session_count--;
    server_session_free(served->session);
    if (server->talk == NULL && server->options.once && server->ended_one) {
        server->talk = served->talk; /* until its driver has left */
        served->talk = NULL;
    }
    helper_talk_free(served->talk);
    free(served);
}

static void
on_gone(void *arg, struct server_session *session)
{
    struct session_server *server = arg;
    struct served_session *served;

    TAILQ_FOREACH (served, &server->sessions, entry)
        if (served->session == session)
            break;
    if (served != NULL)
        forget_session(server, served);
    check_done(server);
}

static struct server_session *
find_session(struct session_server *server,
             const struct client_greeting *greeting)
{
    struct served_session *served;

    TAILQ_FOREACH (served, &server->sessions, entry)
        if (server_session_is(served->session, greeting->session) &&
            server_session_named(served->session, greeting->name))
            return served->session;
    return NULL;
}

static bool
by_name(const struct session_server *server)
{
    return vm_path_named(server->options.unix_path);
}

static struct helper_talk_options
talk_options(const struct session_server *server, const char *path)
{
    return (struct helper_talk_options){
        .loop = server->options.loop,
        .path = path,
        .program = server->options.program,
        .needed = server->options.control_needed,
        .bandwidth = server->options.bandwidth,
    };
}

/*
 * The helpers of a session of ${name}: those of one that has ended, if it is
 * still known.  A session goes on without helpers, if it has to.
 */
static struct helper_talk *
talk_for(struct session_server *server, const char *name)
{
    char path[CONTROL_PATH_MAX], why[SOCKET_WHY_MAX];
    struct helper_talk_options options = talk_options(server, path);
    struct served_session *served;
    struct helper_talk *talk;

    TAILQ_FOREACH (served, &server->sessions, entry)
        if (served->talk != NULL &&
            server_session_named(served->session, name)) {
            talk = served->talk;
            served->talk = NULL;
            return talk;
        }
    if (server->options.control_path == NULL)
        return NULL;
    if (!vm_path(path, server->options.control_path, name))
        snprintf(why, sizeof why, "the path for %s is too long", name);
    else if (helper_talk_open(&talk, &options, why) == 0)
        return talk;
    log_warnx("mig-send and mig-recv can't attach here: %s", why);
    return NULL;
}

static bool
is_control(void *arg, const char *path)
{
    struct session_server *server = arg;
    struct served_session *served;

    TAILQ_FOREACH (served, &server->sessions, entry)
        if (helper_talk_is(served->talk, path))
            return true;
    return helper_talk_is(server->talk, path);
}

/*
 * Whoever may choose a name must not get at another VM's helpers by it.  So a
 * name that would lead to where another name's control socket is, or would be
 * by default, is none; also where this server makes no such sockets, for
 * another one may.
 */
static bool
may_be_named(const struct session_server *server, const char *name)
{
    const char *control = server->options.control_path;
    char path[VM_PATH_MAX];

    if (!by_name(server))
        return name[0] == '\0' || vm_name_valid(name);
    if (!vm_name_valid(name))
        return false;
    return !vm_path(path, server->options.unix_path, name) ||
           (!vm_path_meets(path, server->options.unix_path, CONTROL_SUFFIX) &&
            (control == NULL || !vm_path_meets(path, control, "")));
}

static bool
belongs_to(const struct server_session *session, const char *identity)
{
    return strcmp(server_session_identity(session), identity) == 0;
}

/* Whether a new session may begin, and if not, why. */
static enum reason
may_begin(struct session_server *server, const struct client_greeting *greeting,
          const char *identity)
{
    bool named = by_name(server);
    struct served_session *served;

    if (!may_be_named(server, greeting->name))
        return REASON_NAME;
    if (server->stopping || (server->options.once && server->ended_one))
        return REASON_STOPPED;
    if (server->session_count >= SESSIONS_MAX)
        return REASON_LIMIT;
    TAILQ_FOREACH (served, &server->sessions, entry) {
        if (!server_session_live(served->session) ||
            (named && !server_session_named(served->session, greeting->name)))
            continue;
        if (!server_session_abandoned(served->session) ||
            !belongs_to(served->session, identity))
            return REASON_BUSY;
        server_session_end(served->session, REASON_CANCELLED);
    }
    return REASON_NONE;
}

static struct server_session *
begin(struct session_server *server, const struct client_greeting *greeting,
      const char *identity)
{
    char path[VM_PATH_MAX];
    struct server_session_options options = {
        .loop = server->options.loop,
        .pool = server->options.pool,
        .unix_path = path,
        .identity = identity,
        .wait_ms = server->options.wait_ms,
        .resume_timeout_ms = server->options.resume_timeout_ms,
        .linger_ms = server->options.once ? ONCE_LINGER_MS
                                          : server->options.resume_timeout_ms,
        .window = server->options.window,
        .pack_log = server->options.pack_log,
        .net = server->options.net,
        .bandwidth = server->options.bandwidth,
        .spent = &server->spent,
        .is_control = is_control,
        .on_ended = on_ended,
        .on_gone = on_gone,
        .arg = server,
    };
    struct served_session *served = calloc(1, sizeof *served);

    memcpy(options.id, greeting->session, sizeof options.id);
    memcpy(options.name, greeting->name, sizeof options.name);
    if (served == NULL ||
        !vm_path(path, server->options.unix_path, greeting->name)) {
        free(served);
        return NULL;
    }
    if (by_name(server))
        served->talk = talk_for(server, greeting->name);
    options.talk = by_name(server) ? served->talk : server->talk;
    served->session = server_session_new(&options);
    if (served->session == NULL) {
        helper_talk_free(served->talk);
        free(served);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&server->sessions, served, entry);
    server->session_count++;
    return served->session;
}

static enum reason
route(struct session_server *server, const struct greeter *greeter,
      struct server_session **session)
{
    const struct client_greeting *greeting = &greeter->greeting;
    const char *identity = greeter_identity(greeter);
    enum reason reason;

    if (greeting_version(greeting) == 0)
        return REASON_VERSION;
    *session = find_session(server, greeting);
    if (*session != NULL)
        return belongs_to(*session, identity) ? REASON_NONE : REASON_IDENTITY;
    if (greeting->resume || greeting->channel != 0)
        return REASON_UNKNOWN;
    reason = may_begin(server, greeting, identity);
    if (reason == REASON_NONE && greeting_claims(greeting))
        reason = REASON_BAD_RESUME;
    if (reason != REASON_NONE)
        return reason;
    *session = begin(server, greeting, identity);
    return *session != NULL ? REASON_NONE : REASON_LIMIT;
}

static void
say_refused(struct session_server *server, const struct greeter *greeter,
            const struct server_session *session, enum reason reason)
{
    if (reason != REASON_IDENTITY)
        door_say_dropped(&server->door, greeter->peer, reason_text(reason));
    else if (door_may_warn(&server->door))
        log_warnx("%s dropped: it is %s, and greets for a session that "
                  "belongs to %s",
                  greeter->peer, greeter_identity(greeter),
                  server_session_identity(session));
}

static void
on_greeted(void *arg, struct greeter *greeter, const char *trouble)
{
    struct session_server *server = arg;
    struct server_session *session = NULL;
    enum reason reason;

    if (trouble != NULL) {
        door_say_dropped(&server->door, greeter->peer, trouble);
        if (greeter->refusal != REASON_NONE)
            greeter_refuse(greeter, greeter->refusal);
        forget_greeter(server, greeter);
        return;
    }
    reason = route(server, greeter, &session);
    if (reason == REASON_NONE)
        reason = server_session_admit(session, greeter);
    if (reason != REASON_NONE) {
        say_refused(server, greeter, session, reason);
        greeter_refuse(greeter, reason);
    }
    forget_greeter(server, greeter);
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct session_server *server = arg;
    struct greeter *greeter;

    if (!door_admits(&server->door, fd, peer, peer_len))
        return;
    net_prepare(server->options.net, fd);
    if (server->greeter_count >= DOOR_STRANGERS_MAX) {
        struct greeter *oldest = TAILQ_FIRST(&server->greeters);

        door_say_dropped(&server->door, oldest->peer,
                         "too many connections do not greet");
        forget_greeter(server, oldest);
    }
    greeter = greeter_new(&(struct greeter_options){
        .loop = server->options.loop,
        .fd = fd,
        .tls = server->options.tls,
        .peer = peer,
        .peer_len = peer_len,
        .on_greeted = on_greeted,
        .arg = server,
    });
    if (greeter == NULL) {
        log_warn("a connection is lost");
        return;
    }
    TAILQ_INSERT_TAIL(&server->greeters, greeter, entry);
    server->greeter_count++;
}

/* Tell the clients, and give that a moment. */
static void
stop_now(struct session_server *server)
{
    struct served_session *served;

    if (server->flushing)
        return;
    server->flushing = true;
    TAILQ_FOREACH (served, &server->sessions, entry)
        server_session_end(served->session, REASON_STOPPED);
    timer_start(server->stop_timer, FLUSH_MS);
}

static void
on_stop_timer(void *arg)
{
    struct session_server *server = arg;

    if (server->flushing)
        server->options.on_done(server->options.arg, server->status);
    else
        stop_now(server);
}

static int
open_talk(struct session_server *server, char why[SOCKET_WHY_MAX])
{
    struct helper_talk_options options =
        talk_options(server, server->options.control_path);

    if (by_name(server))
        return 0;
    return helper_talk_open(&server->talk, &options, why);
}

struct session_server *
session_server_new(const struct session_server_options *options,
                   char why[LISTENER_WHY_MAX])
{
    struct session_server *server = calloc(1, sizeof *server);

    snprintf(why, LISTENER_WHY_MAX, "%s", strerror(ENOMEM));
    if (server == NULL)
        return NULL;
    server->options = *options;
    door_init(&server->door, options->loop, options->allow,
              options->allow_count);
    TAILQ_INIT(&server->greeters);
    TAILQ_INIT(&server->sessions);
    server->stop_timer = timer_new(options->loop, on_stop_timer, server);
    if (server->stop_timer != NULL && open_talk(server, why) == 0)
        server->listener = listener_new_tcp(
            options->loop, &options->listen,
            &(struct listener_options){
                .net = options->net, .on_accept = on_accept, .arg = server },
            why);
    if (server->listener != NULL)
        return server;
    session_server_free(server);
    return NULL;
}

void
session_server_free(struct session_server *server)
{
    if (server == NULL)
        return;
    listener_free(server->listener);
    while (!TAILQ_EMPTY(&server->greeters))
        forget_greeter(server, TAILQ_FIRST(&server->greeters));
    while (!TAILQ_EMPTY(&server->sessions))
        forget_session(server, TAILQ_FIRST(&server->sessions));
    helper_talk_free(server->talk);
    timer_free(server->stop_timer);
    free(server);
}

/* Sessions in which no VM is on its way need no time.  Return whether there are
 * others. */
static bool
end_idle_sessions(struct session_server *server)
{
    struct served_session *served;
    bool others = false;

    TAILQ_FOREACH (served, &server->sessions, entry)
        if (!server_session_used(served->session))
            server_session_end(served->session, REASON_STOPPED);
        else
            others |= server_session_live(served->session);
    return others;
}

void
session_server_stop(struct session_server *server)
{
    if (server->stopping) {
        stop_now(server);
        return;
    }
    server->stopping = true;
    if (!server->ended_one && server->options.once)
        server->status = STATUS_CANCELLED;
    if (TAILQ_EMPTY(&server->sessions)) {
        check_done(server);
        return;
    }
    timer_start(server->stop_timer, STOP_MS);
    if (end_idle_sessions(server))
        log_info("stopping: migrations under way have %d s to end",
                 STOP_MS / 1000);
}
