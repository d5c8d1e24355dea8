/* File descriptors. */
#ifndef BASE_FD_H
#define BASE_FD_H

/**
 * fd_close(fd):
 * Close *${fd} if it is not negative, and set it to -1.  errno is kept.
 */
void fd_close(int *fd);

/**
 * fd_raise_limit():
 * Raise the soft limit of open descriptors to the hard one.
 */
void fd_raise_limit(void);

#endif
