/* Files of pre-shared keys. */
#include "base/psk_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"

#define KEY "00112233445566778899aabbccddeeff"

/* A copy without a byte to spare, so that one that is read beyond is found. */
static char *
exactly(const char *text, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    return copy;
}

static void
assert_checked(const char *text, size_t length, const char *why, unsigned line)
{
    char *copy = exactly(text, length);
    unsigned number = 12345;
    const char *said = psk_file_check(copy, length, &number);

    if (why == NULL)
        assert_null(said);
    else
        assert_string_equal(said, why);
    assert_int_equal(number, line);
    free(copy);
}

#define GOOD(text) assert_checked(text, sizeof(text) - 1, NULL, 0)
#define BAD(text, why, line) assert_checked(text, sizeof(text) - 1, why, line)

static int
find(const char *text, size_t length, const char *user, size_t user_length,
     struct psk *psk)
{
    char *copy = exactly(text, length);
    char *name = exactly(user, user_length);
    int result = psk_file_find(copy, length, name, user_length, psk);

    free(name);
    free(copy);
    return result;
}

static void
assert_found(const char *text, const char *user, const char *digits)
{
    char found[2 * PSK_KEY_MAX_BYTES + 1] = "";
    struct psk psk;

    memset(&psk, 0xee, sizeof psk);
    assert_int_equal(find(text, strlen(text), user, strlen(user), &psk), 0);
    assert_string_equal(psk.user, user);
    assert_int_equal(2 * psk.key_bytes, strlen(digits));
    for (size_t i = 0; i < psk.key_bytes; i++)
        snprintf(found + 2 * i, 3, "%02x", (unsigned)psk.key[i]);
    assert_string_equal(found, digits);
}

static void
refute_found(const char *text, const char *user, size_t user_length)
{
    struct psk psk;

    memset(&psk, 0xee, sizeof psk);
    assert_int_equal(find(text, strlen(text), user, user_length, &psk), -1);
    assert_int_equal(psk.key_bytes, (size_t)0xeeeeeeeeeeeeeeeeULL);
}

/* A line "${user} times 'u', a colon, ${digits} times '5'". */
static size_t
make_line(char *line, size_t user, size_t digits)
{
    memset(line, 'u', user);
    line[user] = ':';
    memset(line + user + 1, '5', digits);
    line[user + 1 + digits] = '\0';
    return user + 1 + digits;
}

static void
a_file_without_a_key_is_refused(void **state)
{
    unsigned line = 1;

    (void)state;
    assert_string_equal(psk_file_check(NULL, 0, &line), "no key is in it");
    assert_int_equal(line, 0);
    BAD("", "no key is in it", 0);
    BAD("\n", "no key is in it", 0);
    BAD("\r", "no key is in it", 0);
    BAD("#", "no key is in it", 0);
    BAD("\n\r\n# qemu:" KEY "\n", "no key is in it", 0);
}

static void
lines_that_say_nothing_are_passed_over(void **state)
{
    (void)state;
    GOOD("qemu:" KEY "\n");
    GOOD("\n\n# a note: \0 \x80\n\r\n#\r\nqemu:" KEY "\n\n");
    assert_found("\n#qemu:ff\nqemu:" KEY "\n\n", "qemu", KEY);
    refute_found("#qemu:" KEY "\n", "#qemu", 5);
    refute_found("#qemu:" KEY "\n", "qemu", 4);
}

static void
the_last_line_may_lack_its_end(void **state)
{
    (void)state;
    GOOD("qemu:" KEY);
    GOOD("qemu:" KEY "\r");
    assert_found("a:ff\nqemu:" KEY, "qemu", KEY);
    assert_found("qemu:" KEY "\r", "qemu", KEY);
}

static void
a_line_may_end_as_on_windows(void **state)
{
    (void)state;
    GOOD("a:" KEY "\r\nb:" KEY "\r\n");
    assert_found("a:" KEY "11\r\nb:" KEY "22\r\n", "a", KEY "11");
    assert_found("a:" KEY "11\r\nb:" KEY "22\r\n", "b", KEY "22");
    BAD("a:" KEY "\r\r\n", "the key is not of hexadecimal digits alone", 1);
}

static void
digits_are_taken_in_either_case(void **state)
{
    (void)state;
    GOOD("qemu:00112233445566778899AABBCCDDEEFFaAbB");
    assert_found("qemu:00112233445566778899AABBCCDDEEFFaAbB", "qemu",
                 KEY "aabb");
}

static void
what_is_not_a_digit_is_refused(void **state)
{
    static const char near[] = "/:@G`g \t\0\x7f\x80\xff";
    char line[] = "q:" KEY;

    (void)state;
    for (size_t i = 0; i < sizeof near - 1; i++) {
        line[sizeof line - 2] = near[i];
        assert_checked(line, sizeof line - 1,
                       "the key is not of hexadecimal digits alone", 1);
        line[sizeof line - 2] = 'f';
        line[2] = near[i];
        assert_checked(line, sizeof line - 1,
                       "the key is not of hexadecimal digits alone", 1);
        line[2] = '0';
    }
}

static void
a_key_has_from_16_to_64_bytes(void **state)
{
    static const struct {
        size_t digits;
        const char *why;
    } keys[] = {
        { 0, "no key after the colon" },
        { 1, "the key has an odd number of hexadecimal digits" },
        { 2, "the key is shorter than 32 hexadecimal digits" },
        { 30, "the key is shorter than 32 hexadecimal digits" },
        { 31, "the key has an odd number of hexadecimal digits" },
        { 32, NULL },
        { 33, "the key has an odd number of hexadecimal digits" },
        { 34, NULL },
        { 126, NULL },
        { 127, "the key has an odd number of hexadecimal digits" },
        { 128, NULL },
        { 129, "the key has an odd number of hexadecimal digits" },
        { 130, "the key is longer than 128 hexadecimal digits" },
        { 1000, "the key is longer than 128 hexadecimal digits" },
    };
    char line[1024];

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t length = make_line(line, 1, keys[i].digits);

        assert_checked(line, length, keys[i].why, keys[i].why != NULL);
        if (keys[i].why == NULL)
            assert_found(line, "u", line + 2);
        else
            refute_found(line, "u", 1);
    }
}

static void
a_user_has_from_1_to_64_bytes(void **state)
{
    char line[256], user[PSK_USER_MAX + 2];

    (void)state;
    memset(user, 'u', sizeof user);
    BAD(":" KEY, "no user before the colon", 1);
    refute_found(":" KEY, "", 0);
    for (size_t length = 1; length <= PSK_USER_MAX; length++) {
        assert_checked(line, make_line(line, length, 32), NULL, 0);
        user[length] = '\0';
        assert_found(line, user, line + length + 1);
        user[length] = 'u';
    }
    assert_checked(line, make_line(line, PSK_USER_MAX + 1, 32),
                   "the user's name is longer than 64 bytes", 1);
    refute_found(line, user, PSK_USER_MAX + 1);
}

static void
a_user_is_of_characters_that_can_be_seen(void **state)
{
    static const char why[] =
        "the user's name is not of printable ASCII characters";
    char line[] = "a?b:" KEY;

    (void)state;
    for (int c = 0; c <= UINT8_MAX; c++) {
        line[1] = (char)c;
        if (c == '\n' || c == ':')
            continue;
        if (c < ' ' || c > '~')
            assert_checked(line, sizeof line - 1, why, 1);
        else
            assert_checked(line, sizeof line - 1, NULL, 0);
    }
    BAD("\xef\xbb\xbfqemu:" KEY, why, 1);
    BAD(" qemu:" KEY, "a space before or after the user's name", 1);
    BAD("qemu :" KEY, "a space before or after the user's name", 1);
    BAD(" :" KEY, "a space before or after the user's name", 1);
    assert_found("my host:" KEY, "my host", KEY);
}

static void
a_line_without_a_colon_is_refused(void **state)
{
    (void)state;
    BAD("q", "not a user, a colon and a key", 1);
    BAD("a:" KEY "\n" KEY "\n", "not a user, a colon and a key", 2);
    BAD("\0", "not a user, a colon and a key", 1);
    assert_found(KEY "\nq\nqemu:" KEY, "qemu", KEY);
}

static void
the_first_line_that_is_wrong_is_named(void **state)
{
    (void)state;
    BAD("#\r\n\r\na:" KEY "\nb:0\nc\n",
        "the key has an odd number of hexadecimal digits", 4);
    BAD("a:" KEY "\n\n\n:\n", "no user before the colon", 4);
}

static void
no_user_is_there_twice(void **state)
{
    (void)state;
    BAD("a:" KEY "\na:" KEY "\n", "the user is there a second time", 2);
    BAD("#\na:" KEY "\nb:" KEY "\r\n\na:" KEY "ff",
        "the user is there a second time", 5);
    GOOD("#a:" KEY "\na:" KEY "\nA:" KEY "\naa:" KEY "\n");
}

/* As many as a file can have, so that hashes meet and time would show. */
static void
a_large_file_is_checked_for_users_that_are_there_twice(void **state)
{
    enum { LINE = 8 + 1 + 32 + 1, USERS = PSK_FILE_MAX_BYTES / LINE };
    char *text = malloc((size_t)USERS * LINE + 1);
    size_t length = 0;
    unsigned line = 1;

    (void)state;
    assert_non_null(text);
    for (unsigned i = 0; i < USERS; i++)
        length +=
            (size_t)snprintf(text + length, LINE + 1, "%08x:" KEY "\n", i);
    assert_null(psk_file_check(text, length, &line));
    memcpy(text + length - LINE, text + (size_t)LINE * 777, 8);
    assert_string_equal(psk_file_check(text, length, &line),
                        "the user is there a second time");
    assert_int_equal(line, USERS);
    free(text);
}

static void
a_file_has_at_most_1_MiB(void **state)
{
    static const char key[] = "qemu:" KEY "\n";
    char *text = malloc(PSK_FILE_MAX_BYTES + 1);

    (void)state;
    assert_non_null(text);
    memset(text, '\n', PSK_FILE_MAX_BYTES + 1);
    memcpy(text, key, sizeof key - 1);
    assert_checked(text, PSK_FILE_MAX_BYTES - 1, NULL, 0);
    assert_checked(text, PSK_FILE_MAX_BYTES, NULL, 0);
    assert_checked(text, PSK_FILE_MAX_BYTES + 1,
                   "the file is larger than 1 MiB", 0);
    free(text);
}

static void
whatever_name_a_peer_sends_finds_its_own_key_or_none(void **state)
{
    static const char file[] = "qemu:" KEY "\nqemu2:" KEY "22\n";
    char longest[UINT16_MAX];
    struct psk psk;

    (void)state;
    memset(longest, 'q', sizeof longest);
    refute_found(file, longest, sizeof longest);
    refute_found(file, "", 0);
    refute_found(file, "qem", 3);
    refute_found(file, "qemu3", 5);
    refute_found(file, "QEMU", 4);
    refute_found(file, "qemu\0", 5);
    refute_found(file, "\0qemu", 5);
    refute_found(file, "qemu:" KEY, 4 + 1 + 32);
    refute_found(file, "qemu:", 5);
    refute_found(file, "qemu:" KEY "\nqemu2", 4 + 1 + 32 + 1 + 5);
    refute_found(file, "\n", 1);
    refute_found(file, "\xff\xfe", 2);
    assert_found(file, "qemu", KEY);
    assert_found(file, "qemu2", KEY "22");
    assert_int_equal(psk_file_find(NULL, 0, "qemu", 4, &psk), -1);
    assert_int_equal(psk_file_find(file, sizeof file - 1, NULL, 0, &psk), -1);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_a_key_is_refused),
        cmocka_unit_test(lines_that_say_nothing_are_passed_over),
        cmocka_unit_test(the_last_line_may_lack_its_end),
        cmocka_unit_test(a_line_may_end_as_on_windows),
        cmocka_unit_test(digits_are_taken_in_either_case),
        cmocka_unit_test(what_is_not_a_digit_is_refused),
        cmocka_unit_test(a_key_has_from_16_to_64_bytes),
        cmocka_unit_test(a_user_has_from_1_to_64_bytes),
        cmocka_unit_test(a_user_is_of_characters_that_can_be_seen),
        cmocka_unit_test(a_line_without_a_colon_is_refused),
        cmocka_unit_test(the_first_line_that_is_wrong_is_named),
        cmocka_unit_test(no_user_is_there_twice),
        cmocka_unit_test(
            a_large_file_is_checked_for_users_that_are_there_twice),
        cmocka_unit_test(a_file_has_at_most_1_MiB),
        cmocka_unit_test(whatever_name_a_peer_sends_finds_its_own_key_or_none),
    };

    return RUN_TESTS(tests);
}
