/* Real sockets on this machine. */
#ifndef SUPPORT_NET_H
#define SUPPORT_NET_H

#include <stdbool.h>
#include <stdint.h>

enum { NET_PATH_MAX = 32 };

/**
 * net_tcp_pair(fds):
 * net_unix_pair(fds):
 * Make two connected, non-blocking stream sockets.
 */
void net_tcp_pair(int fds[2]);
void net_unix_pair(int fds[2]);

/**
 * net_listen_tcp(port, backlog):
 * Listen on 127.0.0.1, on a port that is stored in *${port}.
 */
int net_listen_tcp(uint16_t *port, int backlog);

/**
 * net_connect_tcp(from, port):
 * Connect from the address ${from} (NULL: any) to 127.0.0.1:${port}.
 */
int net_connect_tcp(const char *from, uint16_t port);

/**
 * net_unused_port():
 * Return a port of 127.0.0.1 on which nobody listens.
 */
uint16_t net_unused_port(void);

/**
 * net_listening_port():
 * Return the port of the one TCP socket of this process that listens.
 */
uint16_t net_listening_port(void);

/**
 * net_someone_listens(port):
 * Return whether a socket of this process listens on 127.0.0.1:${port}.
 */
bool net_someone_listens(uint16_t port);

/**
 * net_listen_unix(path, backlog):
 * Listen on a new socket file.
 */
int net_listen_unix(const char *path, int backlog);

/**
 * net_connect_unix(path):
 * Connect, with a non-blocking socket.  Return -1 if nobody listens there.
 */
int net_connect_unix(const char *path);

/**
 * net_send_buffer(fd, bytes):
 * net_receive_buffer(fd, bytes):
 * Ask for a buffer of ${bytes}.
 */
void net_send_buffer(int fd, int bytes);
void net_receive_buffer(int fd, int bytes);

/**
 * net_temp_dir(path):
 * net_remove_dir(path):
 * Make an empty directory, and remove it with the files in it.
 */
void net_temp_dir(char path[NET_PATH_MAX]);
void net_remove_dir(const char *path);

/**
 * net_open_fds():
 * Return how many descriptors this process has open.
 */
unsigned net_open_fds(void);

#endif
