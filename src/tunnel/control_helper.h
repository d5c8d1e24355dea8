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
    struct timer *timer; /* until hello; while it is held; until on_gone */
    bool attached;       /* it has said hello: */
    enum helper_role role;
    char program[CONTROL_PROGRAM_MAX + 1];
    struct tunnel_view view; /* what it is told of the tunnel, */
    bool view_due;           /* when there is room */
    bool partner_missed;     /* and that the partner was not there before */
    unsigned asked;          /* requests that wait for it: bits */
    bool held;               /* what it says has to wait */
    bool mute;               /* it can't be written to */
    bool gone;               /* on_gone follows */
    const char *why;         /* why it is gone, if that is a fault; else NULL */
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
 * control_helper_state(helper, view):
 * Tell it of ${view}.  While it does not read, the latest is all that waits for
 * it, with one line before that if the partner was away meanwhile; it comes
 * before whatever else is said from now on.
 */
void control_helper_state(struct control_helper *helper,
                          const struct tunnel_view *view);

/**
 * control_helper_ask(helper, request):
 * Ask it for ${request}, unless the same waits for it already.
 */
void control_helper_ask(struct control_helper *helper,
                        enum helper_request request);

/**
 * control_helper_hold(helper, held):
 * Read what it says no more; or go on, with what was read already first.  One
 * that ends while it is held is dropped, with what it has said meanwhile.
 */
void control_helper_hold(struct control_helper *helper, bool held);

/**
 * control_helper_over(helper):
 * Return whether it has ended, even if that was not noticed yet.  What it had
 * said before has been handed on then.
 */
bool control_helper_over(struct control_helper *helper);

/**
 * control_helper_drop(helper, why):
 * Read no more, and be done with it; ${why} is a static clause on what is wrong
 * with it, or NULL.
 */
void control_helper_drop(struct control_helper *helper, const char *why);

#endif
