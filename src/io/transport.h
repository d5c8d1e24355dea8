/*
 * A transport is a connected stream socket on a loop: a TCP connection, plain
 * or with TLS, or a Unix one to a QEMU.  Everything above reads and writes
 * through it and need not know which it is.
 *
 * Its owner says which readiness it waits for; nothing is read or written
 * behind its back.
 */
#ifndef IO_TRANSPORT_H
#define IO_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct loop;
struct tls_stream;
struct transport;

/**
 * transport_new(loop, fd):
 * Take over the connected, non-blocking socket ${fd}.  Return NULL with errno
 * set if there is no memory; ${fd} is then closed.  It waits for nothing yet.
 * The caller ends it with transport_free or transport_abort.
 */
struct transport *transport_new(struct loop *loop, int fd);

/**
 * transport_new_tls(loop, fd, stream):
 * The same with TLS, after the handshake: ${stream} is the transport's from now
 * on, too, and is freed before ${fd} is closed.
 */
struct transport *transport_new_tls(struct loop *loop, int fd,
                                    struct tls_stream *stream);

/**
 * transport_move(transport, loop):
 * Wait for nothing any more, and be on ${loop} from now on.  Called by the
 * thread of the loop on which it is; after that it is the other one's.
 */
void transport_move(struct transport *transport, struct loop *loop);

/**
 * transport_identity(transport):
 * Return whom the peer has proved to be (io/tls.h), "" where there is no TLS.
 * Good as long as the transport is.
 */
const char *transport_identity(const struct transport *transport);

/**
 * transport_why(transport):
 * Return one line on the read or write that failed last, for which errno must
 * still be as it was: what TLS says of EPROTO, else strerror's words.  Good as
 * long as the transport is.
 */
const char *transport_why(const struct transport *transport);

/**
 * transport_free(transport):
 * Close the connection and free it.  What was written is still delivered, as
 * far as the kernel can.
 */
void transport_free(struct transport *transport);

/**
 * transport_abort(transport):
 * Close the connection so that the peer can't take it for a clean end, and
 * free it: a TCP peer gets a reset (SO_LINGER 0, socket(7)), a Unix peer an
 * error if it still writes.  What the peer has not got is lost.
 */
void transport_abort(struct transport *transport);

/**
 * transport_on_ready(transport, on_ready, arg):
 * From now on call ${on_ready}(${arg}, readable, writable) when something that
 * is waited for has come about.  An error or a hang-up counts as what is
 * waited for.  The callback may free the transport.
 */
void transport_on_ready(struct transport *transport,
                        void (*on_ready)(void *arg, bool readable,
                                         bool writable),
                        void *arg);

/**
 * transport_want(transport, readable, writable):
 * Wait for exactly this.  Costs nothing when nothing changes.
 */
void transport_want(struct transport *transport, bool readable, bool writable);

/**
 * transport_await(transport, bytes):
 * As long as there are fewer than ${bytes} (>= 1) to read, do not call for them
 * (SO_RCVLOWAT, socket(7)); an end or an error is told at once.  The caller
 * knows that so many come.  They are counted as they arrive, so over TLS this
 * changes nothing.  Costs nothing when nothing changes.
 */
void transport_await(struct transport *transport, uint32_t bytes);

/**
 * transport_readv(transport, iov, count):
 * Read into the ${count} (>= 1) pieces of ${iov}.  Return the number of bytes,
 * fewer than there was room for only if there was no more, and if more has come
 * since, readiness tells; 0 at the end of the stream; -1 with errno set, EAGAIN
 * when there is nothing yet, EPROTO when TLS fails.  EINTR does not come out.
 */
ssize_t transport_readv(struct transport *transport, const struct iovec *iov,
                        int count);

/**
 * transport_writev(transport, iov, count):
 * Write from the ${count} pieces of ${iov}.  Return the number of bytes that
 * were taken, which may be fewer; -1 with errno set, EAGAIN when none can be
 * taken yet.  Bytes that were not taken have to be offered again next, followed
 * by others or not: TLS may have encrypted them already.  EINTR does not come
 * out, and no SIGPIPE is raised.
 */
ssize_t transport_writev(struct transport *transport, struct iovec *iov,
                         int count);

/**
 * transport_splice_in(transport, pipe_fd, bytes):
 * Read at most ${bytes} straight into the empty pipe ${pipe_fd}, without
 * copying where the kernel can (splice(2)).  As transport_readv; EINVAL if this
 * transport can't.  The pipe must be empty, or EAGAIN could mean that it is
 * full: pipes fill by slots and not by bytes.
 */
ssize_t transport_splice_in(struct transport *transport, int pipe_fd,
                            size_t bytes);

/**
 * transport_splice_out(transport, pipe_fd, bytes):
 * Write ${bytes} that are in the pipe ${pipe_fd}, or some of them.  As
 * transport_writev; EINVAL if this transport can't.
 */
ssize_t transport_splice_out(struct transport *transport, int pipe_fd,
                             size_t bytes);

/**
 * transport_shutdown_write(transport):
 * Let the peer read an end of stream after what was written.  A peer that is
 * gone already (ENOTCONN, ECONNRESET, EPIPE) is no error.  Return 0, or -1
 * with errno set: EAGAIN, where there is TLS alone, means to call again when
 * the transport is writable.
 */
int transport_shutdown_write(struct transport *transport);

/**
 * transport_shutdown_read(transport):
 * Let a Unix peer that writes get EPIPE at once (unix(7)); of no use on TCP.
 */
void transport_shutdown_read(struct transport *transport);

/**
 * transport_unsent(transport):
 * Return how many bytes the peer's kernel has not acknowledged (SIOCOUTQ,
 * tcp(7); for a Unix socket, what the peer has not read), encrypted ones that
 * the own kernel has not got included.
 */
size_t transport_unsent(const struct transport *transport);

/**
 * transport_unread(transport):
 * Return how many bytes wait in the kernel to be read (FIONREAD).
 */
size_t transport_unread(const struct transport *transport);

/**
 * transport_hung_up(transport):
 * Return whether the peer has ended its stream or is gone, even if there is
 * still something to read before that.
 */
bool transport_hung_up(const struct transport *transport);

/**
 * transport_error(transport):
 * Return the errno with which the connection has broken off (SO_ERROR), and
 * forget it, or 0.
 */
int transport_error(struct transport *transport);

/**
 * transport_fd(transport):
 * Return the descriptor, which stays the transport's.
 */
int transport_fd(const struct transport *transport);

#endif
