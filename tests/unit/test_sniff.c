/* What the first bytes of a connection show. */
#include "wire/sniff.h"

#include <string.h>

#include "support_test.h"

/*
 * Judge ${length} bytes, one more at a time: there is no verdict before
 * ${needed} of them, and the same one from there on.
 */
static void
assert_kind_after(const char *bytes, size_t length, enum sniff_kind kind,
                  size_t needed)
{
    for (size_t i = 0; i < needed; i++)
        assert_int_equal(sniff_stream(bytes, i), SNIFF_MORE);
    for (size_t i = needed; i <= length; i++)
        assert_int_equal(sniff_stream(bytes, i), kind);
}

static void
no_byte_shows_nothing(void **state)
{
    (void)state;
    assert_int_equal(sniff_stream("", 0), SNIFF_MORE);
}

static void
a_main_channel_shows_itself_with_its_fourth_byte(void **state)
{
    (void)state;
    assert_kind_after("QEVM\0\0\0\3", 8, SNIFF_MAIN, 4);
    assert_kind_after("QEVMQEVM", 8, SNIFF_MAIN, 4);
}

static void
a_multifd_channel_shows_itself_with_its_fourth_byte(void **state)
{
    (void)state;
    assert_kind_after("\x11\x22\x33\x44\0\0\0\1", 8, SNIFF_MULTIFD, 4);
}

static void
a_resumed_main_channel_begins_with_a_request_for_the_bitmap(void **state)
{
    (void)state;
    assert_kind_after("\x08\x00\x0a\x00\x07\x06pc.ram", 12, SNIFF_RESUME, 6);
    assert_kind_after("\x08\x00\x0a\x01\x00\xff", 6, SNIFF_RESUME, 6);
    assert_kind_after("\x08\x00\x0a\x00\x02\x01", 6, SNIFF_RESUME, 6);
    assert_kind_after("\x08\x00\x0a\x00\x01\x00", 6, SNIFF_FOREIGN, 6);
    assert_kind_after("\x08\x00\x0a\x02\x00\x01", 6, SNIFF_FOREIGN, 4);
    assert_kind_after("\x08\x00\x09\x00\x02\x01", 6, SNIFF_FOREIGN, 3);
    assert_kind_after("\x08\x01\x0a\x00\x02\x01", 6, SNIFF_FOREIGN, 2);
}

static void
a_tls_client_shows_itself_with_its_hello(void **state)
{
    char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc";

    (void)state;
    for (char minor = 0; minor <= 4; minor++) {
        hello[2] = minor;
        assert_kind_after(hello, sizeof hello - 1, SNIFF_TLS, 6);
    }
    hello[2] = 5;
    assert_kind_after(hello, sizeof hello - 1, SNIFF_FOREIGN, 3);
    assert_kind_after("\x16\x03\x01\x02\x00\x02", 6, SNIFF_FOREIGN, 6);
    assert_kind_after("\x16\x02\x01\x02\x00\x01", 6, SNIFF_FOREIGN, 2);
    assert_kind_after("\x15\x03\x01\x00\x02\x01", 6, SNIFF_FOREIGN, 1);
}

static void
a_main_channel_that_goes_wrong_is_foreign_at_once(void **state)
{
    (void)state;
    assert_kind_after("qEVM", 4, SNIFF_FOREIGN, 1);
    assert_kind_after("QeVM", 4, SNIFF_FOREIGN, 2);
    assert_kind_after("QEvM", 4, SNIFF_FOREIGN, 3);
    assert_kind_after("QEVm", 4, SNIFF_FOREIGN, 4);
    assert_kind_after("\x11\x22\x33\x45", 4, SNIFF_FOREIGN, 4);
}

static void
what_scanners_say_is_foreign(void **state)
{
    static const char *const words[] = { "GET / HTTP/1.0\r\n\r\n", "SSH-2.0-x",
                                         "\r\n", "HELP", "\xff\xfb\x1f" };

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_int_equal(sniff_stream(words[i], strlen(words[i])),
                         SNIFF_FOREIGN);
    assert_int_equal(sniff_stream("\0\0\0\0\0\0", 6), SNIFF_FOREIGN);
}

static void
there_is_always_a_verdict_on_six_bytes(void **state)
{
    /* Each pattern's bytes, so that long prefixes of them come about. */
    static const unsigned char alphabet[] = { 'Q',  'E',  'V',  'M',  0x11,
                                              0x22, 0x33, 0x44, 0x08, 0x00,
                                              0x0a, 0x01, 0x16, 0x03 };
    enum { LETTERS = sizeof alphabet };
    unsigned char bytes[SNIFF_BYTES];
    unsigned long words = 1;

    (void)state;
    for (int i = 0; i < SNIFF_BYTES; i++)
        words *= LETTERS;
    for (unsigned long word = 0; word < words; word += 7) {
        unsigned long rest = word;

        for (int i = 0; i < SNIFF_BYTES; i++, rest /= LETTERS)
            bytes[i] = alphabet[rest % LETTERS];
        if (sniff_stream(bytes, sizeof bytes) == SNIFF_MORE)
            fail_msg("no verdict on word %lu", word);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_shows_nothing),
        cmocka_unit_test(a_main_channel_shows_itself_with_its_fourth_byte),
        cmocka_unit_test(a_multifd_channel_shows_itself_with_its_fourth_byte),
        cmocka_unit_test(
            a_resumed_main_channel_begins_with_a_request_for_the_bitmap),
        cmocka_unit_test(a_tls_client_shows_itself_with_its_hello),
        cmocka_unit_test(a_main_channel_that_goes_wrong_is_foreign_at_once),
        cmocka_unit_test(what_scanners_say_is_foreign),
        cmocka_unit_test(there_is_always_a_verdict_on_six_bytes),
    };

    return RUN_TESTS(tests);
}
