/*
 * How one thread lets another one's loop do something.  A mailbox belongs to a
 * loop; any thread may post into it.
 */
#ifndef IO_MAILBOX_H
#define IO_MAILBOX_H

#include <stdbool.h>
#include <sys/queue.h>

struct loop;
struct mailbox;

/* What is to be done.  Its memory is the owner's; only the mailbox touches
 * queued and entry. */
struct letter {
    void (*on_letter)(void *arg);
    void *arg;
    bool queued;
    TAILQ_ENTRY(letter) entry;
};

/**
 * mailbox_new(loop):
 * Return NULL with errno set if there is no memory or no descriptor.  The
 * caller frees it with mailbox_free when nobody posts any more; what is still
 * in it is not done.
 */
struct mailbox *mailbox_new(struct loop *loop);
void mailbox_free(struct mailbox *mailbox);

/**
 * mailbox_post(mailbox, letter):
 * Let the loop call ${letter}->on_letter(${letter}->arg), after what was posted
 * before it; what the caller wrote before is seen there.  A letter that is in
 * the mailbox already stays as it is, so that one that is posted often is
 * called once for all that has happened.  From any thread.
 */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

/**
 * mailbox_take_back(mailbox, letter):
 * Do not call ${letter} any more, if it is in the mailbox.  Only from the
 * loop's own thread, and after that the letter's memory may go.
 */
void mailbox_take_back(struct mailbox *mailbox, struct letter *letter);

#endif
