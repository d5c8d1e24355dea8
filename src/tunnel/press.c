#include "tunnel/press.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "io/mailbox.h"
#include "io/worker.h"
#include "tunnel/ring.h"

/*
 * Theory of operation.  The pieces lie in a circle, from `first` on, which is
 * the loop's.  A piece is the thread's from `to_thread` to `to_loop`, and else
 * the loop's.  Pieces are done in order, so the first one is done first.
 *
 * A restart can't take back what the thread has: it makes these pieces stale.
 * The thread leaves a stale piece alone, and it goes when it has come back.
 */
struct piece {
    struct press *press;
    struct letter to_thread;
    struct letter to_loop;
    struct pressed pressed;
    unsigned generation;
    int level;
    bool restart; /* it begins a stream */
    bool done;
    unsigned char in[PACKER_IN_BYTES];
    unsigned char out[PACKER_OUT_BYTES];
};

struct press {
    struct worker *worker;
    struct mailbox *mailbox; /* on the loop */
    struct packer *packer;   /* the thread's */
    void (*on_pressed)(void *arg);
    void *arg;
    atomic_uint generation;
    bool restart;
    unsigned first;
    unsigned count;
    unsigned stale; /* the first ones of them */
    unsigned waiting;
    struct piece pieces[PRESS_PIECES];
};

static bool
is_stale(struct press *press, const struct piece *piece)
{
    return piece->generation != atomic_load(&press->generation);
}

/* In the thread. */
static void
on_piece(void *arg)
{
    struct piece *piece = arg;
    struct press *press = piece->press;
    struct pressed *pressed = &piece->pressed;

    pressed->payload = NULL;
    if (!is_stale(press, piece)) {
        if (piece->restart)
            packer_reset(press->packer);
        pressed->payload_bytes =
            packer_pack(press->packer, piece->level, piece->in, pressed->length,
                        piece->out);
        if (pressed->payload_bytes > 0)
            pressed->payload = piece->out;
    }
    mailbox_post(press->mailbox, &piece->to_loop);
}

static struct piece *
piece_at(struct press *press, unsigned index)
{
    return &press->pieces[(press->first + index) % PRESS_PIECES];
}

/* So a piece that is done is not stale. */
static void
drop_stale(struct press *press)
{
    while (press->stale > 0 && piece_at(press, 0)->done) {
        press_pop(press);
        press->stale--;
    }
}

static void
on_done(void *arg)
{
    struct piece *piece = arg;
    struct press *press = piece->press;

    piece->done = true;
    if (!is_stale(press, piece))
        press->waiting--;
    drop_stale(press);
    press->on_pressed(press->arg);
}

struct press *
press_new(struct loop *loop, unsigned window_log, void (*on_pressed)(void *arg),
          void *arg)
{
    struct press *press = calloc(1, sizeof *press);
    int error;

    if (press == NULL)
        return NULL;
    press->on_pressed = on_pressed;
    press->arg = arg;
    press->restart = true;
    for (unsigned i = 0; i < PRESS_PIECES; i++) {
        struct piece *piece = &press->pieces[i];

        piece->press = press;
        piece->to_thread =
            (struct letter){ .on_letter = on_piece, .arg = piece };
        piece->to_loop = (struct letter){ .on_letter = on_done, .arg = piece };
    }
    errno = ENOMEM;
    press->packer = packer_new(window_log);
    if (press->packer != NULL)
        press->mailbox = mailbox_new(loop);
    if (press->mailbox != NULL)
        press->worker = worker_new();
    if (press->worker != NULL)
        return press;
    error = errno;
    press_free(press);
    errno = error;
    return NULL;
}

void
press_free(struct press *press)
{
    if (press == NULL)
        return;
    press_restart(press); /* nothing more is begun */
    worker_free(press->worker);
    mailbox_free(press->mailbox);
    packer_free(press->packer);
    free(press);
}

void
press_restart(struct press *press)
{
    atomic_fetch_add(&press->generation, 1);
    press->restart = true;
    press->stale = press->count;
    press->waiting = 0;
    drop_stale(press);
}

static void
copy_in(struct piece *piece, const struct ring *ring)
{
    struct iovec iov[2];
    size_t left = piece->pressed.length;
    unsigned char *to = piece->in;
    int count = ring_bytes_iov(ring, piece->pressed.offset, iov);

    for (int i = 0; i < count && left > 0; i++) {
        size_t n = left < iov[i].iov_len ? left : iov[i].iov_len;

        memcpy(to, iov[i].iov_base, n);
        to += n;
        left -= n;
    }
}

bool
press_take(struct press *press, int level, const struct ring *ring,
           uint64_t offset, uint32_t length)
{
    struct piece *piece = piece_at(press, press->count);

    if (press->count == PRESS_PIECES)
        return false;
    piece->pressed = (struct pressed){ .offset = offset, .length = length };
    piece->generation = atomic_load(&press->generation);
    piece->level = level;
    piece->restart = press->restart;
    piece->done = false;
    copy_in(piece, ring);
    press->restart = false;
    press->count++;
    press->waiting++;
    mailbox_post(worker_mailbox(press->worker), &piece->to_thread);
    return true;
}

const struct pressed *
press_front(const struct press *press)
{
    const struct piece *piece = &press->pieces[press->first];

    if (press->count == 0 || !piece->done)
        return NULL;
    return &piece->pressed;
}

void
press_pop(struct press *press)
{
    press->first = (press->first + 1) % PRESS_PIECES;
    press->count--;
}

unsigned
press_pieces(const struct press *press)
{
    return press->count - press->stale;
}

unsigned
press_waiting(const struct press *press)
{
    return press->waiting;
}
