/*
 * One helper that is connected to the control socket: lines come in, lines go
 * out, and it never has to be waited for.
 */
#ifndef TUNNEL_CONTROL_HELPER_H
#define TUNNEL_CONTROL_HELPER_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "io/outbox.h"
#include "wire/control_line.h"
#include "wire/splitter.h"

struct control_helper;
struct loop;
struct timer;
struct transport;

struct control_helper_options {
    struct loop *loop;
    int fd; /* the helper's from now on, also when control_helper_new fails */
    pid_t pid;

    /**
     * on_line(arg, helper, line):
     * It says ${line}; one of a later version is left out.  The callback must
     * not free the helper.
     */
    void (*on_line)(void *arg, struct control_helper *helper,
                    const struct helper_line *line);

    /**
     * on_gone(arg, helper):
     * The last callback: it has been closed, by it or by us, and
     * ${helper}->why says why.  The callback frees it.
     */
    void (*on_gone)(void *arg, struct control_helper *helper);
    void *arg;
};

struct control_helper {
    struct control_helper_options options;
    struct transport *transport;
    struct splitter splitter;
    struct outbox outbox;
    struct timer *timer; /* until hello; then, until on_gone */
    bool attached;       /* it has said hello: */
    enum helper_role role;
    char program[CONTROL_PROGRAM_MAX + 1];
    bool held;       /* what it says has to wait */
    bool mute;       /* it can't be written to */
    bool gone;       /* on_gone follows */
    const char *why; /* why it is gone, if that is a fault; else NULL */
    TAILQ_ENTRY(control_helper) entry; /* the owner's */
};
TAILQ_HEAD(control_helper_list, control_helper);

/**
 * control_helper_new(options):
 * Wait for the helper's hello, for 5 s at most.  Return NULL with errno set if
 * there is no memory.  The caller frees it with control_helper_free.
 */
struct control_helper *control_helper_new(
    const struct control_helper_options *options);
void control_helper_free(struct control_helper *helper);

/**
 * control_helper_attach(helper, hello):
 * It has said ${hello} and stays.
 */
void control_helper_attach(struct control_helper *helper,
                           const struct helper_line *hello);

/**
 * control_helper_say(helper, line):
 * control_helper_send(helper, text):
 * Say ${line}, or the line that ${text} is already.  A helper that does not
 * read, so that 1 MiB waits for it, is dropped.
 */
void control_helper_say(struct control_helper *helper,
                        const struct tunnel_line *line);
void control_helper_send(struct control_helper *helper, const char *text);

/**
 * control_helper_hold(helper, held):
 * Read what it says no more; or go on, with what was read already first.
 */
void control_helper_hold(struct control_helper *helper, bool held);

/**
 * control_helper_serve(helper):
 * Read everything that it has said so far, which may show that it is gone.
 */
void control_helper_serve(struct control_helper *helper);

/**
 * control_helper_drop(helper, why):
 * Read no more, and be done with it; ${why} is a static clause on what is wrong
 * with it, or NULL.
 */
void control_helper_drop(struct control_helper *helper, const char *why);

#endif
