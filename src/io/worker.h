/*
 * A worker is a thread with a loop of its own.  What belongs to that loop is
 * touched from that thread alone, which means: by callbacks of the loop, by
 * letters, and by worker_call.
 */
#ifndef IO_WORKER_H
#define IO_WORKER_H

struct loop;
struct mailbox;
struct worker;

/**
 * worker_new():
 * Start a thread that serves a loop; signals go to the other threads.  Return
 * NULL with errno set if that fails.  The caller ends it with worker_free,
 * which waits for the thread, after everything on its loop is gone.
 */
struct worker *worker_new(void);
void worker_free(struct worker *worker);

/**
 * worker_loop(worker):
 * worker_mailbox(worker):
 * Return the loop, and the mailbox on it.
 */
struct loop *worker_loop(const struct worker *worker);
struct mailbox *worker_mailbox(const struct worker *worker);

/**
 * worker_call(worker, call, arg):
 * Let the worker's thread call ${call}(${arg}), and return when it has.  What
 * is done there must not wait for the caller's thread.  Not from the worker's
 * own thread.
 */
void worker_call(struct worker *worker, void (*call)(void *arg), void *arg);

#endif
