/* Sizes, rates, durations, counts and switches. */
#include "base/value.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"

enum { UNTOUCHED = 12345 };

static void
assert_size(const char *text, uint64_t expected)
{
    uint64_t out = UNTOUCHED;

    assert_int_equal(value_size(text, 0, UINT64_MAX, &out), 0);
    assert_int_equal(out, expected);
}

static void
refute_size(const char *text)
{
    uint64_t out = UNTOUCHED;

    assert_int_equal(value_size(text, 0, UINT64_MAX, &out), -1);
    assert_int_equal(out, UNTOUCHED);
}

static void
assert_rate(const char *text, uint64_t expected)
{
    uint64_t out = UNTOUCHED;

    assert_int_equal(value_rate(text, &out), 0);
    assert_int_equal(out, expected);
}

static void
refute_rate(const char *text)
{
    uint64_t out = UNTOUCHED;

    assert_int_equal(value_rate(text, &out), -1);
    assert_int_equal(out, UNTOUCHED);
}

static void
assert_duration(const char *text, uint64_t expected_ms)
{
    uint64_t out = UNTOUCHED;

    assert_int_equal(value_duration(text, UINT64_MAX, &out), 0);
    assert_int_equal(out, expected_ms);
}

static void
refute_duration(const char *text, uint64_t max_ms)
{
    uint64_t out = UNTOUCHED;

    assert_int_equal(value_duration(text, max_ms, &out), -1);
    assert_int_equal(out, UNTOUCHED);
}

static void
a_count_is_taken_between_its_limits_only(void **state)
{
    uint64_t out = UNTOUCHED;

    (void)state;
    assert_int_equal(value_count("9", 10, 20, &out), -1);
    assert_int_equal(value_count("21", 10, 20, &out), -1);
    assert_int_equal(out, UNTOUCHED);
    assert_int_equal(value_count("10", 10, 20, &out), 0);
    assert_int_equal(out, 10);
    assert_int_equal(value_count("20", 10, 20, &out), 0);
    assert_int_equal(out, 20);
    assert_int_equal(value_count("0", 0, 0, &out), 0);
    assert_int_equal(out, 0);
}

static void
a_count_holds_every_64_bit_number(void **state)
{
    uint64_t out = UNTOUCHED;

    (void)state;
    assert_int_equal(value_count("18446744073709551616", 0, UINT64_MAX, &out),
                     -1);
    assert_int_equal(out, UNTOUCHED);
    assert_int_equal(value_count("18446744073709551615", 0, UINT64_MAX, &out),
                     0);
    assert_true(out == UINT64_MAX);
}

static void
a_count_is_digits_and_nothing_else(void **state)
{
    static const char *const bad[] = { "",   " 1",  "+1", "-1",   "1 ",
                                       "1x", "0x1", "x",  "1.0\n" };
    uint64_t out = UNTOUCHED;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(value_count(bad[i], 0, UINT64_MAX, &out), -1);
    assert_int_equal(out, UNTOUCHED);
    assert_int_equal(value_count("007", 0, 7, &out), 0);
    assert_int_equal(out, 7);
}

static void
a_size_is_bytes_without_a_unit(void **state)
{
    (void)state;
    assert_size("0", 0);
    assert_size("1", 1);
    assert_size("1b", 1);
    assert_size("1B", 1);
    assert_size("4096", 4096);
}

static void
a_size_unit_is_a_power_of_1024_in_any_spelling(void **state)
{
    static const char letters[] = "kmgt";
    static const char *const endings[] = { "", "b", "ib", "B", "iB" };

    (void)state;
    for (size_t i = 0; i < strlen(letters); i++) {
        for (size_t j = 0; j < sizeof endings / sizeof *endings; j++) {
            char text[8];

            snprintf(text, sizeof text, "1%c%s", letters[i], endings[j]);
            assert_size(text, UINT64_C(1) << (10 * (i + 1)));
            text[1] = (char)(text[1] - 'a' + 'A');
            assert_size(text, UINT64_C(1) << (10 * (i + 1)));
        }
    }
}

static void
a_size_may_have_a_fraction_which_is_rounded(void **state)
{
    (void)state;
    assert_size("1.5k", 1536);
    assert_size("0.5", 1);
    assert_size("0.4", 0);
    assert_size("1.", 1);
    assert_size("0.001k", 1);
}

static void
a_size_is_taken_between_its_limits_only(void **state)
{
    uint64_t out = UNTOUCHED;

    (void)state;
    assert_int_equal(value_size("1023", 1024, 2048, &out), -1);
    assert_int_equal(value_size("2049", 1024, 2048, &out), -1);
    assert_int_equal(out, UNTOUCHED);
    assert_int_equal(value_size("1k", 1024, 2048, &out), 0);
    assert_int_equal(out, 1024);
    assert_int_equal(value_size("2k", 1024, 2048, &out), 0);
    assert_int_equal(out, 2048);
}

static void
a_size_that_a_double_cannot_hold_exactly_is_refused(void **state)
{
    char digits[400];

    (void)state;
    assert_size("9007199254740991", UINT64_C(9007199254740991));
    refute_size("9007199254740992");
    assert_size("8191t", UINT64_C(8191) << 40);
    refute_size("8192t");
    memset(digits, '9', sizeof digits);
    digits[sizeof digits - 1] = '\0';
    refute_size(digits);
}

static void
a_size_is_digits_a_fraction_and_a_unit_and_nothing_else(void **state)
{
    static const char *const bad[] = { "",    "k",   "-1",  "+1",   " 1",
                                       "1 k", "0x1", "1e3", "1.e3", "inf",
                                       "nan", ".5",  "1..", "1.5.", "1kk",
                                       "1p",  "1ki", "1k ", "1/s" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refute_size(bad[i]);
}

static void
a_rate_is_a_size_each_second(void **state)
{
    (void)state;
    assert_rate("0", 0);
    assert_rate("0/s", 0);
    assert_rate("1", 1);
    assert_rate("100M", UINT64_C(100) << 20);
    assert_rate("100MiB/s", UINT64_C(100) << 20);
    assert_rate("1g/S", UINT64_C(1) << 30);
}

static void
a_rate_in_bits_counts_in_thousands(void **state)
{
    (void)state;
    assert_rate("8bit", 1);
    assert_rate("8bit/s", 1);
    assert_rate("1kbit", 125);
    assert_rate("1Mbit/s", 125000);
    assert_rate("10gbit", 1250000000);
    assert_rate("2.5Gbit/s", 312500000);
}

static void
a_rate_above_0_never_becomes_0(void **state)
{
    (void)state; /* which would mean "without limit" */
    refute_rate("1bit");
    refute_rate("0.4");
    assert_rate("4bit", 1);
    assert_rate("0.0", 0);
    assert_rate("0Gbit/s", 0);
}

static void
a_rate_is_refused_when_it_is_no_rate(void **state)
{
    static const char *const bad[] = { "",      "/s",   "1/",   "1/h",
                                       "1/s/s", "fast", "-1",   "1tbit",
                                       "1bits", "1 M",  "1M /s" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refute_rate(bad[i]);
}

static void
a_rate_of_64_characters_is_refused(void **state)
{
    char text[65];

    (void)state;
    memset(text, '0', sizeof text);
    text[63] = '\0';
    assert_rate(text, 0);
    text[63] = '0';
    text[64] = '\0';
    refute_rate(text);
}

static void
a_duration_is_seconds_without_a_unit(void **state)
{
    (void)state;
    assert_duration("0", 0);
    assert_duration("1", 1000);
    assert_duration("0.5", 500);
    assert_duration("0.0004", 0);
    assert_duration("0.0005", 1);
}

static void
a_duration_has_a_unit_in_any_case(void **state)
{
    (void)state;
    assert_duration("35ms", 35);
    assert_duration("35MS", 35);
    assert_duration("2s", 2000);
    assert_duration("2m", 120000);
    assert_duration("1.5h", 5400000);
    refute_duration("1d", UINT64_MAX);
    refute_duration("ms", UINT64_MAX);
    refute_duration("-1", UINT64_MAX);
}

static void
a_duration_above_its_limit_is_refused(void **state)
{
    uint64_t out = UNTOUCHED;

    (void)state;
    refute_duration("1001ms", 1000);
    refute_duration("1.001", 1000);
    assert_int_equal(value_duration("1", 1000, &out), 0);
    assert_int_equal(out, 1000);
    assert_int_equal(value_duration("0", 0, &out), 0);
    assert_int_equal(out, 0);
    refute_duration("1ms", 0);
}

static void
a_mark_is_a_number_or_a_name(void **state)
{
    static const struct {
        const char *text;
        unsigned value;
    } good[] = { { "0", 0 },     { "63", 63 },   { "cs0", 0 },   { "CS7", 56 },
                 { "af11", 10 }, { "AF43", 38 }, { "af31", 26 }, { "le", 1 },
                 { "VA", 44 },   { "ef", 46 } };
    unsigned out;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        out = UNTOUCHED;
        assert_int_equal(value_dscp(good[i].text, &out), 0);
        assert_int_equal(out, good[i].value);
    }
}

static void
a_mark_that_there_is_not_is_refused(void **state)
{
    static const char *const bad[] = { "",     "64",   "-1",   "cs8",  "cs",
                                       "cs10", "csx",  "af",   "af01", "af51",
                                       "af10", "af14", "afx1", "af1x", "af111",
                                       "e",    "eff",  "ef " };
    unsigned out = UNTOUCHED;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(value_dscp(bad[i], &out), -1);
    assert_int_equal(out, UNTOUCHED);
}

static void
a_switch_has_four_words_each_way(void **state)
{
    static const char *const on[] = { "on", "yes", "true", "1", "ON", "Yes" };
    static const char *const off[] = { "off", "no", "false", "0", "OFF", "No" };
    bool out;

    (void)state;
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        out = false;
        assert_int_equal(value_switch(on[i], &out), 0);
        assert_true(out);
    }
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        out = true;
        assert_int_equal(value_switch(off[i], &out), 0);
        assert_false(out);
    }
}

static void
a_switch_of_another_word_is_refused(void **state)
{
    static const char *const bad[] = { "", "o", "onn", "2", "on ", "enabled" };
    bool out = true;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(value_switch(bad[i], &out), -1);
    assert_true(out);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_taken_between_its_limits_only),
        cmocka_unit_test(a_count_holds_every_64_bit_number),
        cmocka_unit_test(a_count_is_digits_and_nothing_else),
        cmocka_unit_test(a_size_is_bytes_without_a_unit),
        cmocka_unit_test(a_size_unit_is_a_power_of_1024_in_any_spelling),
        cmocka_unit_test(a_size_may_have_a_fraction_which_is_rounded),
        cmocka_unit_test(a_size_is_taken_between_its_limits_only),
        cmocka_unit_test(a_size_that_a_double_cannot_hold_exactly_is_refused),
        cmocka_unit_test(
            a_size_is_digits_a_fraction_and_a_unit_and_nothing_else),
        cmocka_unit_test(a_rate_is_a_size_each_second),
        cmocka_unit_test(a_rate_in_bits_counts_in_thousands),
        cmocka_unit_test(a_rate_above_0_never_becomes_0),
        cmocka_unit_test(a_rate_is_refused_when_it_is_no_rate),
        cmocka_unit_test(a_rate_of_64_characters_is_refused),
        cmocka_unit_test(a_duration_is_seconds_without_a_unit),
        cmocka_unit_test(a_duration_has_a_unit_in_any_case),
        cmocka_unit_test(a_duration_above_its_limit_is_refused),
        cmocka_unit_test(a_mark_is_a_number_or_a_name),
        cmocka_unit_test(a_mark_that_there_is_not_is_refused),
        cmocka_unit_test(a_switch_has_four_words_each_way),
        cmocka_unit_test(a_switch_of_another_word_is_refused),
    };

    return RUN_TESTS(tests);
}
