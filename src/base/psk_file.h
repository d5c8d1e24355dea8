/*
 * Pre-shared keys, in the format that GnuTLS's psktool writes and that QEMU
 * reads as keys.psk: a line for each user, "user:hexadecimal key".  Empty lines
 * and lines that begin with '#' say nothing.
 */
#ifndef BASE_PSK_FILE_H
#define BASE_PSK_FILE_H

#include <stddef.h>

enum {
    PSK_USER_MAX = 64,      /* bytes of a user's name */
    PSK_KEY_MIN_BYTES = 16, /* a shorter key could be guessed */
    PSK_KEY_MAX_BYTES = 64, /* psktool makes no longer ones */
    PSK_FILE_MAX_BYTES = 1 << 20,
};

struct psk {
    char user[PSK_USER_MAX + 1];
    unsigned char key[PSK_KEY_MAX_BYTES];
    size_t key_bytes;
};

/**
 * psk_file_check(text, length, line):
 * Return NULL if each line of the ${length} bytes at ${text} is one that a file
 * of keys may have, and there is a key at all; else a static text that says
 * what is wrong, and its number (from 1) in *${line}, or 0 if it concerns no
 * line.  No user may be there twice.
 */
const char *psk_file_check(const char *text, size_t length, unsigned *line);

/**
 * psk_file_find(text, length, user, user_length, psk):
 * Find the user with the ${user_length} bytes of name at ${user} (any bytes: a
 * peer has sent them) and write the key into ${psk}, which the caller clears
 * after use.  Return 0, or -1 if there is no such user.
 */
int psk_file_find(const char *text, size_t length, const char *user,
                  size_t user_length, struct psk *psk);

#endif
