/* Unix stream sockets in the file system. */
#ifndef IO_UNIX_SOCKET_H
#define IO_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/* A listening socket's file, as it was when we made it. */
struct socket_file {
    char path[108]; /* sun_path, unix(7); "" when there is none */
    dev_t dev;
    ino_t ino;
};

enum { SOCKET_WHY_MAX = 512 };

/**
 * socket_path_fits(path):
 * Return whether ${path} can be that of a Unix socket (sun_path, unix(7)).
 */
bool socket_path_fits(const char *path);

/**
 * unix_connect(path):
 * Return a non-blocking socket connected to ${path}, or -1 with errno set:
 * EAGAIN means that the listener's backlog is full and that only trying again
 * later helps, for such a socket can't be polled (unix(7)).
 */
int unix_connect(const char *path);

/**
 * unix_listening(path):
 * Return 1 if some process listens on the socket file ${path}, 0 if none does
 * and -1 with errno set if that can't be seen.  Never connects: a QEMU that
 * waits for a migration dies of a connection that closes.  Reads
 * /proc/net/unix (proc(5)), so it sees this network namespace alone.
 */
int unix_listening(const char *path);

/**
 * socket_file_trusted(path, why):
 * Return whether the socket at ${path} was put there by somebody whom the
 * administrator trusts with a VM: root, this user, or anybody who may write to
 * a directory that is not open to all.  In one that is, such as /tmp, another
 * user could have put a socket or a symbolic link there first, to be sent the
 * VM's memory.  If not, write one line into ${why}.  A path at which there is
 * nothing is trusted.
 */
bool socket_file_trusted(const char *path, char why[SOCKET_WHY_MAX]);

/**
 * socket_file_listen(file, path, why):
 * Listen on a new socket file at ${path}, mode 0600 from the first moment.  A
 * socket that this user left behind there and that nobody listens on is
 * replaced; anything else there, a symbolic link included, is left alone and
 * is an error.  Of several processes that want the same path at once, one gets
 * it.  Return the non-blocking listening socket and fill in ${file},
 * or return -1 and write one line into ${why} that says what is in the way and
 * what to do.
 */
int socket_file_listen(struct socket_file *file, const char *path,
                       char why[SOCKET_WHY_MAX]);

/**
 * socket_file_is(file, path):
 * Return whether ${path} leads to ${file}, under whatever name.
 */
bool socket_file_is(const struct socket_file *file, const char *path);

/**
 * socket_file_remove(file):
 * Remove the file if it is still the one that we made.
 */
void socket_file_remove(struct socket_file *file);

#endif
