#include "io/mailbox.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/loop.h"

/*
 * Theory of operation.  The eventfd is written when the first letter comes into
 * an empty mailbox, and read before the letters are taken out: so it is
 * readable whenever there is one, and a busy mailbox costs one write.
 */
struct mailbox {
    int fd;
    struct event *event;
    pthread_mutex_t lock; /* for what follows, and each letter's `queued` */
    TAILQ_HEAD(letters, letter) letters;
};

static struct letter *
take_first(struct mailbox *mailbox)
{
    struct letter *letter;

    pthread_mutex_lock(&mailbox->lock);
    letter = TAILQ_FIRST(&mailbox->letters);
    if (letter != NULL) {
        TAILQ_REMOVE(&mailbox->letters, letter, entry);
        letter->queued = false;
    }
    pthread_mutex_unlock(&mailbox->lock);
    return letter;
}

static void
wake(struct mailbox *mailbox)
{
    const uint64_t one = 1;

    /* It can't fail: nobody counts that far. */
    while (write(mailbox->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/*
 * One letter at a time: it may take others back, or post itself again, and what
 * comes late must not keep the loop from its sockets.  A letter may even free
 * the mailbox, so nothing is touched after it.
 */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct mailbox *mailbox = arg;
    struct letter *letter;
    uint64_t count;
    bool more;

    (void)what;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    letter = take_first(mailbox);
    pthread_mutex_lock(&mailbox->lock);
    more = !TAILQ_EMPTY(&mailbox->letters);
    pthread_mutex_unlock(&mailbox->lock);
    if (more)
        wake(mailbox);
    if (letter != NULL)
        letter->on_letter(letter->arg);
}

struct mailbox *
mailbox_new(struct loop *loop)
{
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);

    if (mailbox == NULL)
        return NULL;
    TAILQ_INIT(&mailbox->letters);
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->fd >= 0)
        mailbox->event = event_new(loop_base(loop), mailbox->fd,
                                   EV_READ | EV_PERSIST, on_readable, mailbox);
    if (mailbox->event == NULL || event_add(mailbox->event, NULL) != 0) {
        int error = errno;

        mailbox_free(mailbox);
        errno = error;
        return NULL;
    }
    return mailbox;
}

void
mailbox_free(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    if (mailbox->event != NULL)
        event_free(mailbox->event);
    if (mailbox->fd >= 0)
        close(mailbox->fd);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

void
mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    bool first;

    pthread_mutex_lock(&mailbox->lock);
    first = TAILQ_EMPTY(&mailbox->letters);
    if (!letter->queued) {
        TAILQ_INSERT_TAIL(&mailbox->letters, letter, entry);
        letter->queued = true;
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (first)
        wake(mailbox);
}

void
mailbox_take_back(struct mailbox *mailbox, struct letter *letter)
{
    pthread_mutex_lock(&mailbox->lock);
    if (letter->queued) {
        TAILQ_REMOVE(&mailbox->letters, letter, entry);
        letter->queued = false;
    }
    pthread_mutex_unlock(&mailbox->lock);
}
