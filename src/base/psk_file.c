#include "base/psk_file.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *text;
    size_t length;
};

struct entry {
    struct span user;
    struct span digits;
};

/*
 * Users that may have been there before, a bit for each by its hash.  A bit
 * that is not set saves a search through all lines above, which would take
 * seconds in a file of the largest size.
 */
enum { SEEN_BITS = 1 << 18 };

struct seen {
    uint8_t bytes[SEEN_BITS / 8];
};

/*
 * Cut the first line off ${rest}; false if nothing is left.  Editors on some
 * systems end a line with CR LF.
 */
static bool
next_line(struct span *rest, struct span *line)
{
    const char *end;

    if (rest->length == 0)
        return false;
    *line = *rest;
    end = memchr(rest->text, '\n', rest->length);
    if (end != NULL)
        line->length = (size_t)(end - rest->text);
    rest->text += line->length;
    rest->length -= line->length;
    if (end != NULL) {
        rest->text++;
        rest->length--;
    }
    if (line->length > 0 && line->text[line->length - 1] == '\r')
        line->length--;
    return true;
}

static bool
says_nothing(struct span line)
{
    return line.length == 0 || line.text[0] == '#';
}

/* The user ends with the first colon, since a key has none. */
static bool
split_line(struct span line, struct entry *entry)
{
    const char *colon = memchr(line.text, ':', line.length);

    if (colon == NULL)
        return false;
    entry->user.text = line.text;
    entry->user.length = (size_t)(colon - line.text);
    entry->digits.text = colon + 1;
    entry->digits.length = line.length - entry->user.length - 1;
    return true;
}

static int
digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/*
 * A name goes into the log, so nothing is in it that a terminal would obey.  A
 * space at one of its ends, or the mark that some editors write before the
 * first line, can't be seen, and the user would never be found.
 */
static const char *
check_user(struct span user)
{
    if (user.length == 0)
        return "no user before the colon";
    if (user.length > PSK_USER_MAX)
        return "the user's name is longer than 64 bytes";
    for (size_t i = 0; i < user.length; i++)
        if (user.text[i] < ' ' || user.text[i] > '~')
            return "the user's name is not of printable ASCII characters";
    if (user.text[0] == ' ' || user.text[user.length - 1] == ' ')
        return "a space before or after the user's name";
    return NULL;
}

static const char *
check_digits(struct span digits)
{
    if (digits.length == 0)
        return "no key after the colon";
    for (size_t i = 0; i < digits.length; i++)
        if (digit_value(digits.text[i]) < 0)
            return "the key is not of hexadecimal digits alone";
    if (digits.length % 2 != 0)
        return "the key has an odd number of hexadecimal digits";
    if (digits.length < 2 * (size_t)PSK_KEY_MIN_BYTES)
        return "the key is shorter than 32 hexadecimal digits";
    if (digits.length > 2 * (size_t)PSK_KEY_MAX_BYTES)
        return "the key is longer than 128 hexadecimal digits";
    return NULL;
}

static const char *
parse_line(struct span line, struct entry *entry)
{
    const char *why;

    if (!split_line(line, entry))
        return "not a user, a colon and a key";
    why = check_user(entry->user);
    return why != NULL ? why : check_digits(entry->digits);
}

static bool
find_entry(struct span text, struct span user, struct entry *entry)
{
    struct span line;

    while (next_line(&text, &line)) {
        if (says_nothing(line) || !split_line(line, entry))
            continue;
        if (entry->user.length == user.length &&
            memcmp(entry->user.text, user.text, user.length) == 0)
            return true;
    }
    return false;
}

/* Return whether the user may have been marked before (FNV-1a). */
static bool
mark_seen(struct seen *seen, struct span user)
{
    uint32_t hash = 2166136261U;
    uint8_t bit, *byte;
    bool was_set;

    for (size_t i = 0; i < user.length; i++)
        hash = (hash ^ (uint8_t)user.text[i]) * 16777619U;
    hash %= SEEN_BITS;
    byte = &seen->bytes[hash / 8];
    bit = (uint8_t)(1U << (hash % 8));
    was_set = (*byte & bit) != 0;
    *byte |= bit;
    return was_set;
}

const char *
psk_file_check(const char *text, size_t length, unsigned *line)
{
    struct span rest = { text, length }, one, above = { text, 0 };
    struct seen seen = { { 0 } };
    struct entry entry, other;
    bool any = false;
    const char *why;

    *line = 0;
    if (length > PSK_FILE_MAX_BYTES)
        return "the file is larger than 1 MiB";
    for (unsigned number = 1; next_line(&rest, &one); number++) {
        if (says_nothing(one))
            continue;
        *line = number;
        if ((why = parse_line(one, &entry)) != NULL)
            return why;
        above.length = (size_t)(one.text - text);
        if (mark_seen(&seen, entry.user) &&
            find_entry(above, entry.user, &other))
            return "the user is there a second time";
        any = true;
    }
    *line = 0;
    return any ? NULL : "no key is in it";
}

int
psk_file_find(const char *text, size_t length, const char *user,
              size_t user_length, struct psk *psk)
{
    struct span all = { text, length }, wanted = { user, user_length };
    struct entry entry;

    if (check_user(wanted) != NULL || !find_entry(all, wanted, &entry) ||
        check_digits(entry.digits) != NULL)
        return -1;
    memcpy(psk->user, user, user_length);
    psk->user[user_length] = '\0';
    psk->key_bytes = entry.digits.length / 2;
    for (size_t i = 0; i < psk->key_bytes; i++)
        psk->key[i] =
            (unsigned char)(digit_value(entry.digits.text[2 * i]) * 16 +
                            digit_value(entry.digits.text[2 * i + 1]));
    return 0;
}
