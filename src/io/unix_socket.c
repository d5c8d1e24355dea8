#include "io/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/sockopt.h"

enum { BACKLOG = 1024, LOCK_TRIES = 200, LOCK_PAUSE_NS = 1000 * 1000 };

bool
socket_path_fits(const char *path)
{
    size_t length = strlen(path);

    return length > 0 && length < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

static int
fill_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (!socket_path_fits(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

int
unix_connect(const char *path)
{
    struct sockaddr_un address;
    int fd;

    if (fill_address(&address, path) != 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    sockopt_qemu(fd);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        fd_close(&fd);
        return -1;
    }
    return fd;
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/*
 * A socket is listed by the words it was bound with, which may be another way
 * to the same file.  Where those words are relative to a directory that we
 * don't know, the last one decides: all that can come of an error here is that
 * a connection is refused.
 */
static bool
same_file(const char *bound, const char *path, const struct stat *st)
{
    struct stat other;

    if (strcmp(bound, path) == 0)
        return true;
    if (strcmp(base_name(bound), base_name(path)) != 0)
        return false;
    if (bound[0] != '/')
        return true;
    return stat(bound, &other) == 0 && other.st_dev == st->st_dev &&
           other.st_ino == st->st_ino;
}

/*
 * Columns of /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path.
 * A listening socket has the flag __SO_ACCEPTCON and the state unconnected.
 */
static bool
line_listens(char *line, const char *path, const struct stat *st)
{
    enum { FLAGS = 3, STATE = 5, PATH = 7 };
    char *rest = line;

    for (int column = 0; column < PATH; column++) {
        const char *word = strsep(&rest, " ");

        while (word != NULL && *word == '\0') /* columns may be padded */
            word = strsep(&rest, " ");
        if (word == NULL || rest == NULL)
            return false;
        if ((column == FLAGS && strcmp(word, "00010000") != 0) ||
            (column == STATE && strcmp(word, "01") != 0))
            return false;
    }
    rest[strcspn(rest, "\n")] = '\0';
    return same_file(rest, path, st);
}

int
unix_listening(const char *path)
{
    struct stat st;
    char *real, *line = NULL;
    size_t size = 0;
    int found = 0;
    FILE *file;

    real = realpath(path, NULL); /* a link to it may have another name */
    if (real == NULL)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    if (stat(real, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        free(real);
        return 0;
    }
    file = fopen("/proc/net/unix", "re");
    if (file == NULL) {
        free(real);
        return -1;
    }
    while (!found && getline(&line, &size, file) > 0)
        found = line_listens(line, real, &st);
    free(line);
    free(real);
    fclose(file);
    return found;
}

enum { DIRECTORY_MAX = sizeof((struct sockaddr_un *)NULL)->sun_path };

/* Write the directory that ${path} is in.  Return whether it fits. */
static bool
directory_of(char directory[DIRECTORY_MAX], const char *path)
{
    size_t length = (size_t)(base_name(path) - path);

    if (length >= DIRECTORY_MAX)
        return false;
    memcpy(directory, length > 0 ? path : ".", length > 0 ? length : 1);
    directory[length > 0 ? length : 1] = '\0';
    return true;
}

static bool
open_to_all(const char *path)
{
    char directory[DIRECTORY_MAX];
    struct stat st;

    return !directory_of(directory, path) || stat(directory, &st) != 0 ||
           (st.st_mode & S_IWOTH) != 0;
}

/*
 * Between the look at a stale socket and its removal another process could put
 * its own there, and lose it.  So who looks and removes holds a lock on the
 * directory meanwhile, which leaves no file behind.  Anybody who can read the
 * directory could keep it for ever, so after a fifth of a second it goes on
 * without.  Return a descriptor to close, or -1.
 */
static int
lock_directory(const char *path)
{
    static const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
    char directory[DIRECTORY_MAX];
    int fd = -1;

    if (directory_of(directory, path))
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        nanosleep(&pause, NULL);
    }
    fd_close(&fd);
    return -1;
}

bool
socket_file_trusted(const char *path, char why[SOCKET_WHY_MAX])
{
    struct stat st;

    if (lstat(path, &st) != 0 || st.st_uid == 0 || st.st_uid == geteuid() ||
        !open_to_all(path))
        return true;
    snprintf(why, SOCKET_WHY_MAX,
             "%s belongs to user %u, and everybody can write to its directory; "
             "use a directory of your own",
             path, (unsigned)st.st_uid);
    return false;
}

/* Look at ${path}.  Return 0 if nothing is there, 1 if it is a stale socket, or
 * -1 and say in ${why} what must not be touched. */
static int
look_at_path(const char *path, char why[SOCKET_WHY_MAX])
{
    const char *remedy = "remove it or choose another path";
    const char *trouble = NULL;
    struct stat st;

    if (lstat(path, &st) != 0) {
        if (errno == ENOENT)
            return 0;
        snprintf(why, SOCKET_WHY_MAX, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (S_ISLNK(st.st_mode))
        trouble = "is a symbolic link, which is not followed";
    else if (!S_ISSOCK(st.st_mode))
        trouble = "exists and is not a socket";
    else if (st.st_uid != geteuid())
        trouble = "is a socket of another user";
    else if (unix_listening(path) != 0) {
        trouble = "is in use: another process listens there";
        remedy = "end that one or choose another path";
    }
    if (trouble == NULL)
        return 1;
    snprintf(why, SOCKET_WHY_MAX, "%s %s; %s", path, trouble, remedy);
    return -1;
}

/* Make room at ${path}, or say in ${why} what must not be touched there. */
static int
clear_path(const char *path, char why[SOCKET_WHY_MAX])
{
    int stale = look_at_path(path, why);

    if (stale <= 0)
        return stale;
    if (unlink(path) != 0 && errno != ENOENT) {
        snprintf(why, SOCKET_WHY_MAX, "%s: cannot remove the stale socket: %s",
                 path, strerror(errno));
        return -1;
    }
    return 0;
}

/*
 * The mode of the file is that of the socket's own inode (unix_bind in
 * net/unix/af_unix.c), so there is no moment in which others could connect.
 */
static int
bind_private(int fd, const struct sockaddr_un *address)
{
    if (fchmod(fd, 0600) != 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        return -1;
    return listen(fd, BACKLOG);
}

static int
listen_locked(struct socket_file *file, const char *path,
              const struct sockaddr_un *address, char why[SOCKET_WHY_MAX])
{
    struct stat st;
    int fd = -1;

    if (clear_path(path, why) != 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind_private(fd, address) != 0 || lstat(path, &st) != 0) {
        snprintf(why, SOCKET_WHY_MAX, "cannot listen on %s: %s", path,
                 strerror(errno));
        fd_close(&fd);
        return -1;
    }
    memcpy(file->path, address->sun_path, sizeof file->path);
    file->dev = st.st_dev;
    file->ino = st.st_ino;
    return fd;
}

int
socket_file_listen(struct socket_file *file, const char *path,
                   char why[SOCKET_WHY_MAX])
{
    struct sockaddr_un address;
    int fd, lock;

    file->path[0] = '\0';
    if (fill_address(&address, path) != 0) {
        snprintf(why, SOCKET_WHY_MAX, "a socket path has 1 to %zu characters",
                 sizeof address.sun_path - 1);
        return -1;
    }
    /* Where it can't be, nobody's lock is waited for. */
    if (look_at_path(path, why) < 0)
        return -1;
    lock = lock_directory(path);
    fd = listen_locked(file, path, &address, why);
    fd_close(&lock);
    return fd;
}

bool
socket_file_is(const struct socket_file *file, const char *path)
{
    struct stat st;

    return file->path[0] != '\0' && stat(path, &st) == 0 &&
           st.st_dev == file->dev && st.st_ino == file->ino;
}

void
socket_file_remove(struct socket_file *file)
{
    struct stat st;
    int lock;

    if (file->path[0] == '\0')
        return;
    lock = lock_directory(file->path);
    if (lstat(file->path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        st.st_dev == file->dev && st.st_ino == file->ino)
        unlink(file->path);
    fd_close(&lock);
    file->path[0] = '\0';
}
