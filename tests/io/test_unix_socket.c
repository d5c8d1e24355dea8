/* Unix sockets in the file system. */
#include "io/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_capture.h"
#include "support_net.h"
#include "support_test.h"

enum { PATH_ROOM = 256 };

/* A directory of the test's own, and a path in it. */
struct place {
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 2];
};

static int
place_open(void **state)
{
    static struct place place;

    net_temp_dir(place.dir);
    snprintf(place.path, sizeof place.path, "%s/s", place.dir);
    *state = &place;
    return 0;
}

static int
place_close(void **state)
{
    struct place *place = *state;

    net_remove_dir(place->dir);
    return 0;
}

static struct stat
stat_of(const char *path)
{
    struct stat st;

    assert_return_code(lstat(path, &st), errno);
    return st;
}

/* Listening is refused with a line that holds ${part}, and touches nothing. */
static void
assert_left_alone(const char *path, const char *part)
{
    char why[SOCKET_WHY_MAX] = "";
    struct socket_file file;
    struct stat before = stat_of(path), after;

    assert_int_equal(socket_file_listen(&file, path, why), -1);
    assert_int_equal(capture_count(why, path), 1);
    assert_int_equal(capture_count(why, part), 1);
    assert_int_equal(capture_count(why, "\n"), 0);
    socket_file_remove(&file);
    after = stat_of(path);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_mode, before.st_mode);
}

static void
a_socket_is_made_for_its_owner_alone(void **state)
{
    struct place *place = *state;
    mode_t umask_before = umask(0);
    char why[SOCKET_WHY_MAX];
    struct socket_file file;
    int fd, client;

    fd = socket_file_listen(&file, place->path, why);
    umask(umask_before);
    assert_true(fd >= 0);
    assert_int_equal(stat_of(place->path).st_mode, S_IFSOCK | 0600);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    client = net_connect_unix(place->path);
    assert_true(client >= 0);
    close(client);
    close(fd);
    socket_file_remove(&file);
    assert_int_equal(access(place->path, F_OK), -1);
}

static void
a_stale_socket_is_replaced(void **state)
{
    struct place *place = *state;
    char why[SOCKET_WHY_MAX];
    struct socket_file file;
    int fd;

    close(net_listen_unix(place->path, 1));
    fd = socket_file_listen(&file, place->path, why);
    assert_true(fd >= 0);
    assert_int_equal(unix_listening(place->path), 1);
    close(fd);
    socket_file_remove(&file);
}

static void
a_plain_file_is_left_alone(void **state)
{
    struct place *place = *state;
    int fd = open(place->path, O_CREAT | O_WRONLY, 0644);

    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_left_alone(place->path, "exists and is not a socket");
    assert_int_equal(stat_of(place->path).st_size, 8);
}

static void
a_directory_is_left_alone(void **state)
{
    struct place *place = *state;

    assert_return_code(mkdir(place->path, 0700), errno);
    assert_left_alone(place->path, "exists and is not a socket");
    rmdir(place->path);
}

static void
a_symbolic_link_is_left_alone_wherever_it_leads(void **state)
{
    struct place *place = *state;
    char target[PATH_ROOM];

    snprintf(target, sizeof target, "%s/target", place->dir);
    assert_return_code(symlink(target, place->path), errno);
    assert_left_alone(place->path, "is a symbolic link");
    close(net_listen_unix(target, 1));
    assert_left_alone(place->path, "is a symbolic link");
    assert_true(S_ISSOCK(stat_of(target).st_mode));
}

static void
a_socket_on_which_someone_listens_is_left_alone(void **state)
{
    struct place *place = *state;
    int fd = net_listen_unix(place->path, 1), client;

    assert_left_alone(place->path, "another process listens there");
    client = net_connect_unix(place->path);
    assert_true(client >= 0);
    close(client);
    close(fd);
}

static void
a_socket_of_another_user_is_left_alone(void **state)
{
    struct place *place = *state;

    close(net_listen_unix(place->path, 1));
    if (chown(place->path, 1, 1) != 0) {
        print_message("skipped: only root can give a file away\n");
        skip();
    }
    assert_left_alone(place->path, "is a socket of another user");
}

static void
a_place_that_cannot_hold_a_socket_is_an_error(void **state)
{
    struct place *place = *state;
    char why[SOCKET_WHY_MAX], inside[PATH_ROOM];
    struct socket_file file;

    snprintf(inside, sizeof inside, "%s/none/s", place->dir);
    assert_int_equal(socket_file_listen(&file, inside, why), -1);
    assert_int_equal(capture_count(why, "No such file or directory"), 1);
    close(open(place->path, O_CREAT | O_WRONLY, 0644));
    snprintf(inside, sizeof inside, "%s/s", place->path);
    assert_int_equal(socket_file_listen(&file, inside, why), -1);
    assert_int_equal(capture_count(why, "Not a directory"), 1);
}

/* A path of ${length} characters in ${place}. */
static void
long_path(const struct place *place, size_t length, char path[PATH_ROOM])
{
    memset(path, 'x', PATH_ROOM);
    memcpy(path, place->path, strlen(place->path));
    path[length] = '\0';
}

static void
a_path_has_1_to_107_characters(void **state)
{
    struct place *place = *state;
    char why[SOCKET_WHY_MAX], path[PATH_ROOM];
    struct socket_file file;
    int fd;

    assert_int_equal(socket_file_listen(&file, "", why), -1);
    assert_string_equal(why, "a socket path has 1 to 107 characters");
    long_path(place, 108, path);
    assert_int_equal(socket_file_listen(&file, path, why), -1);
    assert_string_equal(why, "a socket path has 1 to 107 characters");
    assert_int_equal(unix_connect(path), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    long_path(place, 107, path);
    fd = socket_file_listen(&file, path, why);
    assert_true(fd >= 0);
    assert_int_equal(unix_listening(path), 1);
    close(fd);
    socket_file_remove(&file);
    assert_int_equal(access(path, F_OK), -1);
}

static void
a_file_that_is_not_ours_any_more_is_not_removed(void **state)
{
    struct place *place = *state;
    char why[SOCKET_WHY_MAX], other[PATH_ROOM];
    struct socket_file file;
    int fd = socket_file_listen(&file, place->path, why), second;

    /* Moved away, so that its inode is not used again. */
    snprintf(other, sizeof other, "%s/other", place->dir);
    assert_return_code(rename(place->path, other), errno);
    second = net_listen_unix(place->path, 1);
    socket_file_remove(&file);
    assert_true(S_ISSOCK(stat_of(place->path).st_mode));
    close(second);
    close(fd);
}

static void
removing_twice_removes_once(void **state)
{
    struct place *place = *state;
    char why[SOCKET_WHY_MAX];
    struct socket_file file;

    close(socket_file_listen(&file, place->path, why));
    socket_file_remove(&file);
    close(net_listen_unix(place->path, 1));
    socket_file_remove(&file);
    assert_true(S_ISSOCK(stat_of(place->path).st_mode));
}

static void
a_connection_is_non_blocking(void **state)
{
    struct place *place = *state;
    int listener = net_listen_unix(place->path, 1);
    int fd = unix_connect(place->path);

    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    close(listener);
}

static void
connecting_has_the_errors_that_the_callers_tell_apart(void **state)
{
    struct place *place = *state;
    int listener, first, second;

    assert_int_equal(unix_connect(place->path), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(unix_connect(""), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    listener = net_listen_unix(place->path, 0);
    first = unix_connect(place->path);
    assert_true(first >= 0);
    second = unix_connect(place->path);
    assert_int_equal(second, -1);
    assert_int_equal(errno, EAGAIN);
    close(first);
    close(listener);
    assert_int_equal(unix_connect(place->path), -1);
    assert_int_equal(errno, ECONNREFUSED);
}

static void
a_listener_is_seen_and_not_touched(void **state)
{
    struct place *place = *state;
    int fd = net_listen_unix(place->path, 1);

    assert_int_equal(unix_listening(place->path), 1);
    assert_int_equal(accept(fd, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

static void
nobody_listens_on_what_is_absent_stale_or_no_socket(void **state)
{
    struct place *place = *state;
    char inside[PATH_ROOM];

    assert_int_equal(unix_listening(place->path), 0);
    close(net_listen_unix(place->path, 1));
    assert_int_equal(unix_listening(place->path), 0);
    unlink(place->path);
    close(open(place->path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(unix_listening(place->path), 0);
    snprintf(inside, sizeof inside, "%s/x", place->path);
    assert_int_equal(unix_listening(inside), 0);
}

static void
a_socket_that_is_bound_but_does_not_listen_is_told_apart(void **state)
{
    struct place *place = *state;
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(un.sun_path, sizeof un.sun_path, "%s", place->path);
    assert_return_code(bind(fd, (struct sockaddr *)&un, sizeof un), errno);
    assert_int_equal(unix_listening(place->path), 0);
    listen(fd, 1);
    assert_int_equal(unix_listening(place->path), 1);
    close(fd);
}

static void
a_listener_is_seen_by_another_spelling_of_its_path(void **state)
{
    struct place *place = *state;
    char other[PATH_ROOM];
    int fd = net_listen_unix(place->path, 1);

    snprintf(other, sizeof other, "%s/./s", place->dir);
    assert_int_equal(unix_listening(other), 1);
    snprintf(other, sizeof other, "/tmp/../%s//s", place->dir);
    assert_int_equal(unix_listening(other), 1);
    close(fd);
}

static void
a_listener_is_seen_through_a_symbolic_link(void **state)
{
    struct place *place = *state;
    char link[PATH_ROOM];
    int fd = net_listen_unix(place->path, 1);

    snprintf(link, sizeof link, "%s/link", place->dir);
    assert_return_code(symlink(place->path, link), errno);
    assert_int_equal(unix_listening(link), 1);
    close(fd);
    assert_int_equal(unix_listening(link), 0);
}

static void
a_listener_that_was_bound_by_a_relative_path_is_seen(void **state)
{
    struct place *place = *state;
    char before[4096];
    int fd;

    assert_non_null(getcwd(before, sizeof before));
    assert_return_code(chdir(place->dir), errno);
    fd = net_listen_unix("s", 1);
    assert_return_code(chdir(before), errno);
    assert_int_equal(unix_listening(place->path), 1);
    close(fd);
    assert_int_equal(unix_listening(place->path), 0);
}

static void
a_listener_with_the_same_name_elsewhere_is_another_one(void **state)
{
    struct place *place = *state;
    char dir[NET_PATH_MAX], other[PATH_ROOM];
    int fd;

    close(net_listen_unix(place->path, 1));
    net_temp_dir(dir);
    snprintf(other, sizeof other, "%s/s", dir);
    fd = net_listen_unix(other, 1);
    assert_int_equal(unix_listening(place->path), 0);
    close(fd);
    net_remove_dir(dir);
}

static void
a_path_with_spaces_works(void **state)
{
    struct place *place = *state;
    char path[PATH_ROOM];
    int fd;

    snprintf(path, sizeof path, "%s/a  b ", place->dir);
    fd = net_listen_unix(path, 1);
    assert_int_equal(unix_listening(path), 1);
    close(fd);
    assert_int_equal(unix_listening(path), 0);
}

static void
a_path_that_cannot_be_looked_at_is_an_error(void **state)
{
    char path[8192];

    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(unix_listening(path), -1);
    assert_int_equal(errno, ENAMETOOLONG);
}

/* One round of one of two processes: 'y' if the path is its own afterwards. */
static void
contend(const char *path, int go, int result)
{
    char byte, why[SOCKET_WHY_MAX];
    struct socket_file file;

    while (read(go, &byte, 1) == 1) {
        int fd = socket_file_listen(&file, path, why);

        byte = fd >= 0 ? 'y' : 'n';
        if (write(result, &byte, 1) != 1 || read(go, &byte, 1) != 1)
            break;
        if (fd >= 0)
            close(fd); /* and the file stays: stale */
        if (write(result, "-", 1) != 1)
            break;
    }
    _exit(0);
}

/* Both find the same stale socket. */
static void
of_two_processes_one_gets_the_path(void **state)
{
    enum { ROUNDS = 300, BOTH = 2 };
    struct place *place = *state;
    int go[BOTH][2], result[BOTH][2];
    pid_t pids[BOTH];

    close(net_listen_unix(place->path, 1));
    for (int i = 0; i < BOTH; i++) {
        assert_int_equal(pipe2(go[i], O_CLOEXEC), 0);
        assert_int_equal(pipe2(result[i], O_CLOEXEC), 0);
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            for (int j = 0; j <= i; j++)
                close(go[j][1]);
            contend(place->path, go[i][0], result[i][1]);
        }
    }
    for (int round = 0; round < ROUNDS; round++) {
        int winners = 0;
        char byte;

        for (int step = 0; step < 2; step++) {
            for (int i = 0; i < BOTH; i++)
                assert_int_equal(write(go[i][1], "g", 1), 1);
            for (int i = 0; i < BOTH; i++) {
                assert_int_equal(read(result[i][0], &byte, 1), 1);
                winners += byte == 'y';
            }
        }
        assert_int_equal(winners, 1);
    }
    for (int i = 0; i < BOTH; i++) {
        close(go[i][0]);
        close(go[i][1]);
        close(result[i][0]);
        close(result[i][1]);
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    }
}

/* Anybody may lock a directory that he can read. */
static void
a_lock_that_is_never_given_back_is_not_waited_for(void **state)
{
    struct place *place = *state;
    int lock = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char why[SOCKET_WHY_MAX];
    struct socket_file file;
    int fd;

    assert_int_equal(flock(lock, LOCK_EX), 0);
    fd = socket_file_listen(&file, place->path, why);
    assert_true(fd >= 0);
    assert_true(socket_file_is(&file, place->path));
    assert_false(socket_file_is(&file, place->dir));
    socket_file_remove(&file);
    assert_false(socket_file_is(&file, place->path));
    assert_int_equal(access(place->path, F_OK), -1);
    close(fd);
    close(lock);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, place_open, place_close)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_socket_is_made_for_its_owner_alone),
        TEST(a_stale_socket_is_replaced),
        TEST(a_plain_file_is_left_alone),
        TEST(a_directory_is_left_alone),
        TEST(a_symbolic_link_is_left_alone_wherever_it_leads),
        TEST(a_socket_on_which_someone_listens_is_left_alone),
        TEST(a_socket_of_another_user_is_left_alone),
        TEST(a_place_that_cannot_hold_a_socket_is_an_error),
        TEST(a_path_has_1_to_107_characters),
        TEST(a_file_that_is_not_ours_any_more_is_not_removed),
        TEST(removing_twice_removes_once),
        TEST(of_two_processes_one_gets_the_path),
        TEST(a_lock_that_is_never_given_back_is_not_waited_for),
        TEST(a_connection_is_non_blocking),
        TEST(connecting_has_the_errors_that_the_callers_tell_apart),
        TEST(a_listener_is_seen_and_not_touched),
        TEST(nobody_listens_on_what_is_absent_stale_or_no_socket),
        TEST(a_socket_that_is_bound_but_does_not_listen_is_told_apart),
        TEST(a_listener_is_seen_by_another_spelling_of_its_path),
        TEST(a_listener_is_seen_through_a_symbolic_link),
        TEST(a_listener_that_was_bound_by_a_relative_path_is_seen),
        TEST(a_listener_with_the_same_name_elsewhere_is_another_one),
        TEST(a_path_with_spaces_works),
        TEST(a_path_that_cannot_be_looked_at_is_an_error),
    };

    return RUN_TESTS(tests);
}
