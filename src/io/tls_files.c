#include "io/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/fd.h"

static int
check_owner(const char *path, const struct stat *st, char why[TLS_WHY_MAX])
{
    if (st->st_uid == 0 || st->st_uid == geteuid())
        return 0;
    snprintf(why, TLS_WHY_MAX,
             "%s belongs to user %u, who is neither root nor this user (%u)",
             path, (unsigned)st->st_uid, (unsigned)geteuid());
    return -1;
}

static int
check_mode(const char *path, enum tls_file_kind kind, const struct stat *st,
           char why[TLS_WHY_MAX])
{
    mode_t mode = st->st_mode & 07777;

    if (kind == TLS_FILE_SECRET && (mode & (S_IRWXG | S_IRWXO)) != 0) {
        snprintf(why, TLS_WHY_MAX,
                 "%s holds a key and is open to others (mode %04o): "
                 "chmod 600 %s",
                 path, (unsigned)mode, path);
        return -1;
    }
    if ((mode & (S_IWGRP | S_IWOTH)) != 0) {
        snprintf(why, TLS_WHY_MAX,
                 "%s can be written by others (mode %04o): chmod 644 %s", path,
                 (unsigned)mode, path);
        return -1;
    }
    return 0;
}

static int
check_file(const char *path, enum tls_file_kind kind, const struct stat *st,
           char why[TLS_WHY_MAX])
{
    const char *trouble = NULL;

    if (!S_ISREG(st->st_mode))
        trouble = "is not a regular file";
    else if (st->st_size == 0)
        trouble = "is empty";
    else if (st->st_size > TLS_FILE_MAX_BYTES)
        trouble = "is larger than 1 MiB";
    if (trouble != NULL) {
        snprintf(why, TLS_WHY_MAX, "%s %s", path, trouble);
        return -1;
    }
    if (check_owner(path, st, why) != 0)
        return -1;
    return check_mode(path, kind, st, why);
}

/* Read ${length} bytes, or fewer if the file has become shorter. */
static int
read_all(int fd, char *bytes, size_t length, size_t *have)
{
    for (*have = 0; *have < length;) {
        ssize_t n = read(fd, bytes + *have, length - *have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        *have += (size_t)n;
    }
    return 0;
}

int
tls_file_read(const char *path, enum tls_file_kind kind, struct tls_text *text,
              char why[TLS_WHY_MAX])
{
    struct stat st;
    int fd, result = -1;

    *text = (struct tls_text){ 0 };
    /* What is checked is what has been opened; a FIFO does not hold us up. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        goto fail;
    if (check_file(path, kind, &st, why) != 0) {
        fd_close(&fd);
        return -1;
    }
    text->bytes = malloc((size_t)st.st_size + 1);
    if (text->bytes == NULL)
        goto fail;
    text->length = (size_t)st.st_size;
    result = read_all(fd, text->bytes, (size_t)st.st_size, &text->length);
    if (result == 0)
        text->bytes[text->length] = '\0';
fail:
    if (result != 0) {
        snprintf(why, TLS_WHY_MAX, "cannot read %s: %s", path, strerror(errno));
        tls_text_clear(text);
    }
    fd_close(&fd);
    return result;
}

/*
 * Where the sticky bit is set, as in /tmp, others can add files but not replace
 * ours; and what they add belongs to them, which is found when it is read.
 */
int
tls_folder_check(const char *path, char why[TLS_WHY_MAX])
{
    struct stat st;

    if (stat(path, &st) != 0) {
        snprintf(why, TLS_WHY_MAX, "cannot look at %.320s: %s", path,
                 strerror(errno));
        return -1;
    }
    if (check_owner(path, &st, why) != 0)
        return -1;
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (st.st_mode & S_ISVTX) != 0)
        return 0;
    snprintf(why, TLS_WHY_MAX,
             "others can replace what is in %.200s (mode %04o): chmod go-w "
             "%.200s",
             path, (unsigned)st.st_mode & 07777, path);
    return -1;
}

void
tls_text_clear(struct tls_text *text)
{
    if (text->bytes != NULL)
        OPENSSL_cleanse(text->bytes, text->length);
    free(text->bytes);
    *text = (struct tls_text){ 0 };
}

static int64_t
nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

bool
tls_file_absent(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 && errno == ENOENT;
}

struct tls_stamp
tls_file_stamp(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        int error = errno;

        return (struct tls_stamp){ .error = tls_file_absent(path) ? 0 : error };
    }
    return (struct tls_stamp){
        .dev = st.st_dev,
        .ino = st.st_ino,
        .size = (uint64_t)st.st_size,
        .mtime_ns = nanoseconds(&st.st_mtim),
        .ctime_ns = nanoseconds(&st.st_ctim), /* modes count, too */
    };
}

bool
tls_stamp_equal(const struct tls_stamp *a, const struct tls_stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
           a->error == b->error;
}
