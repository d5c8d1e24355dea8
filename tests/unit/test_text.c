/* Numbers as people read them. */
#include "base/text.h"

#include "support_test.h"

static void
assert_size(uint64_t bytes, const char *expected)
{
    char text[TEXT_MAX];

    assert_ptr_equal(text_size(text, bytes), text);
    assert_string_equal(text, expected);
}

static void
assert_rate(uint64_t bytes, uint64_t ms, const char *expected)
{
    char text[TEXT_MAX];

    assert_ptr_equal(text_rate(text, bytes, ms), text);
    assert_string_equal(text, expected);
}

static void
assert_duration(uint64_t ms, const char *expected)
{
    char text[TEXT_MAX];

    assert_ptr_equal(text_duration(text, ms), text);
    assert_string_equal(text, expected);
}

static void
bytes_have_no_decimal(void **state)
{
    (void)state;
    assert_size(0, "0 B");
    assert_size(1, "1 B");
    assert_size(99, "99 B");
    assert_size(1023, "1023 B");
}

static void
a_size_has_the_largest_unit_that_it_fills(void **state)
{
    static const char *const units[] = { "1.0 KiB", "1.0 MiB", "1.0 GiB",
                                         "1.0 TiB", "1.0 PiB", "1.0 EiB" };

    (void)state;
    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        assert_size(UINT64_C(1) << (10 * (i + 1)), units[i]);
    assert_size(UINT64_MAX, "16.0 EiB");
}

static void
a_size_has_a_decimal_below_100_only(void **state)
{
    (void)state;
    assert_size(1536, "1.5 KiB");
    assert_size(12 << 10, "12.0 KiB");
    assert_size((100 << 10) - 100, "99.9 KiB");
    assert_size((100 << 10) - 1, "100 KiB");
    assert_size(100 << 10, "100 KiB");
    assert_size(1023 << 10, "1023 KiB");
}

static void
a_size_is_never_written_as_1024_of_its_unit(void **state)
{
    uint64_t mib = 1 << 20;

    (void)state;
    assert_size(mib - 1, "1.0 MiB");
    assert_size(mib - 513, "1023 KiB");
    assert_size(mib - 512, "1.0 MiB");
    assert_size(mib - 40, "1.0 MiB");
}

static void
a_rate_is_a_size_each_second(void **state)
{
    (void)state;
    assert_rate(0, 1, "0 B/s");
    assert_rate(1024, 1000, "1.0 KiB/s");
    assert_rate(175 << 19, 1000, "87.5 MiB/s");
    assert_rate(1, 1, "1000 B/s");
    assert_rate(UINT64_MAX, 1, "16000 EiB/s");
}

static void
a_rate_over_no_time_is_a_dash(void **state)
{
    (void)state;
    assert_rate(0, 0, "-");
    assert_rate(UINT64_MAX, 0, "-");
}

static void
a_duration_has_the_units_that_matter(void **state)
{
    (void)state;
    assert_duration(0, "0 ms");
    assert_duration(35, "35 ms");
    assert_duration(999, "999 ms");
    assert_duration(1000, "1.0 s");
    assert_duration(4299, "4.2 s");
    assert_duration(59999, "59.9 s");
    assert_duration(60000, "1m 00s");
    assert_duration(185000, "3m 05s");
    assert_duration(3599999, "59m 59s");
    assert_duration(3600000, "1h 00m");
    assert_duration(7620000, "2h 07m");
    assert_duration(UINT64_MAX, "5124095576030h 25m");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_no_decimal),
        cmocka_unit_test(a_size_has_the_largest_unit_that_it_fills),
        cmocka_unit_test(a_size_has_a_decimal_below_100_only),
        cmocka_unit_test(a_size_is_never_written_as_1024_of_its_unit),
        cmocka_unit_test(a_rate_is_a_size_each_second),
        cmocka_unit_test(a_rate_over_no_time_is_a_dash),
        cmocka_unit_test(a_duration_has_the_units_that_matter),
    };

    return RUN_TESTS(tests);
}
