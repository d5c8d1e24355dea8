/*
 * The files that hold keys and certificates: read whole, and only if nobody
 * else can have put something into them, or have read a key.
 *
 * A file may be a link, as those of several tools that renew certificates are:
 * what is opened is its target, and it is the target that has to belong to the
 * right user with the right mode.  Of the folders only the one that was named
 * is looked at, not those above it, and not those where a link leads: whoever
 * makes a path or a link through a folder that others can write gives them the
 * credentials.
 */
#ifndef IO_TLS_FILES_H
#define IO_TLS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/tls.h"

enum {
    TLS_FILE_MAX_BYTES = 1 << 20,
    TLS_PATH_MAX = 320, /* of what fits into a line together with the trouble */
};

enum tls_file_kind {
    TLS_FILE_PUBLIC, /* others may read it, but not write it */
    TLS_FILE_SECRET, /* others may do neither */
};

struct tls_text {
    char *bytes;
    size_t length;
};

/**
 * tls_file_read(path, kind, text, why):
 * Read the file into ${text}.  Return 0, or -1 with a line in ${why} if it
 * can't be read, is empty or too large, is no regular file, belongs to somebody
 * else than this user and root, or can be used by others in a way that ${kind}
 * does not allow.  The caller ends ${text} with tls_text_clear.
 */
int tls_file_read(const char *path, enum tls_file_kind kind,
                  struct tls_text *text, char why[TLS_WHY_MAX]);

/**
 * tls_text_clear(text):
 * Overwrite the text in memory and free it.
 */
void tls_text_clear(struct tls_text *text);

/**
 * tls_folder_check(path, why):
 * Return 0 if the folder at ${path} belongs to this user or root, and nobody
 * else can replace what is in it; else -1 with a line in ${why}.
 */
int tls_folder_check(const char *path, char why[TLS_WHY_MAX]);

/**
 * tls_file_absent(path):
 * Return whether there is nothing at ${path}, not even a link that leads
 * nowhere.  What can't be told is not absent.
 */
bool tls_file_absent(const char *path);

/* By what a file is known to have changed: all 0 if it is not there. */
struct tls_stamp {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
    int error; /* why there is no more to say of it, 0 if there is */
};

/**
 * tls_file_stamp(path):
 * Return the stamp of the file.
 */
struct tls_stamp tls_file_stamp(const char *path);

/**
 * tls_stamp_equal(a, b):
 * Return whether the two are of the same file with the same content.
 */
bool tls_stamp_equal(const struct tls_stamp *a, const struct tls_stamp *b);

#endif
