/*
 * A connection to a QEMU's QMP socket.  Any command can be sent at any time
 * once it is ready; replies are told apart by their ids, so that several may be
 * under way, and events come in between.
 */
#ifndef MIGRATE_QMP_H
#define MIGRATE_QMP_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/qmp_message.h"
#include "wire/qmp_target.h"

struct loop;
struct qmp;

enum qmp_end {
    QMP_UNREACHABLE, /* it never got as far as being ready */
    QMP_CLOSED,      /* closed at the other end: QEMU may have exited */
    QMP_BROKEN,      /* an error, or no QMP: QEMU may live */
};

struct qmp_options {
    struct qmp_target target;
    uint64_t connect_ms; /* how long to try: the QEMU may just be starting */
    uint64_t greet_ms;   /* how long QEMU may then take until it is ready */

    /**
     * on_ready(arg, version):
     * QEMU has greeted, with its ${version}, and takes commands.
     */
    void (*on_ready)(void *arg, const struct qmp_version *version);

    /**
     * on_event(arg, name, data):
     * QEMU sent the event ${name} with ${data}, an object or NULL.
     */
    void (*on_event)(void *arg, const char *name, const json_t *data);

    /**
     * on_end(arg, end, why):
     * The end, never called before qmp_new has returned.  ${why} is a clause,
     * as in "QEMU closed the connection".  No reply comes after that.
     */
    void (*on_end)(void *arg, enum qmp_end end, const char *why);
    void *arg;
};

/* What came of a command. */
struct qmp_reply {
    const json_t *value;     /* what it returned; NULL if it failed */
    const char *error;       /* why it failed; NULL if it did not */
    const char *error_class; /* QEMU's class of the error; NULL if it gave no
                                reply in time */
};

struct qmp_command {
    const char *name;
    const json_t *arguments; /* an object, or NULL; stays the caller's */
    uint64_t timeout_ms;

    /**
     * on_reply(arg, reply):
     * Called once, unless the connection ends or is freed before.  A reply that
     * comes after the timeout is dropped.
     */
    void (*on_reply)(void *arg, const struct qmp_reply *reply);
    void *arg;
};

/**
 * qmp_new(loop, options):
 * Connect to ${options}->target and negotiate.  Return NULL with errno set if
 * there is no memory.  The caller frees it with qmp_free.
 */
struct qmp *qmp_new(struct loop *loop, const struct qmp_options *options);

/**
 * qmp_free(qmp):
 * Close the connection.  Allowed in every callback.
 */
void qmp_free(struct qmp *qmp);

/**
 * qmp_execute(qmp, command):
 * Send ${command}.  Return 0; or -1 with errno set, and then there will be no
 * reply: ENOTCONN if the connection is not ready or has ended, EILSEQ if a text
 * in ${command} is no UTF-8, or ENOMEM.
 */
int qmp_execute(struct qmp *qmp, const struct qmp_command *command);

/**
 * qmp_peer(qmp):
 * Return the process id of who began to listen on the Unix socket, as it was
 * when we connected (SO_PEERCRED, unix(7)): the QEMU itself, as a rule, or a
 * program between us and it.  0 if that can't be told, as over TCP.  Known from
 * on_ready on, also when the connection has ended.
 */
pid_t qmp_peer(const struct qmp *qmp);

/**
 * qmp_silent_ms(qmp):
 * Return for how long nothing has come from QEMU.
 */
uint64_t qmp_silent_ms(const struct qmp *qmp);

#endif
