/* When to compress, and how hard. */
#include "wire/compression.h"

#include "support_test.h"
#include "wire/packer.h"
#include "wire/unpacker.h"

enum {
    LOOKS = 10, /* in a slot, */
    LOOK_US = 10000,
    PLAIN = 10 << 20, /* bytes a second */
    FLIGHT = 256 << 10,
    WATCHED = 3, /* slots until it tries: one is not looked at */
    TRIED = 5,   /* slots until it knows, */
    STIFF = 3,   /* or that the data does not give way */
};

/* What is waited for. */
enum waits { FOR_LINK, FOR_COMPRESSOR, FOR_PEER, FOR_SOURCE };

struct sim {
    struct compression policy;
    uint64_t now_us;
    struct compression_look look;
    unsigned ratio_percent; /* what 100 bytes become */
};

static void
begin(struct sim *sim)
{
    const struct compression_wish wish = { .mode = COMPRESSION_AUTO,
                                           .pack_log = PACKER_WINDOW_LOG };

    *sim = (struct sim){ .now_us = 1000, .ratio_percent = 30 };
    compression_init(&sim->policy, &wish);
    assert_true(compression_due(&sim->policy, sim->now_us));
    compression_look(&sim->policy, sim->now_us, &sim->look);
}

static void
look(struct sim *sim, uint64_t rate, enum waits waits)
{
    uint64_t bytes = rate / (1000000 / LOOK_US);
    uint64_t wire = FLIGHT;

    assert_false(compression_due(&sim->policy, sim->now_us));
    sim->now_us += LOOK_US;
    assert_true(compression_due(&sim->policy, sim->now_us));
    sim->look.acked += bytes;
    if (compression_level(&sim->policy) > 0) {
        sim->look.packed_in += bytes;
        sim->look.packed_out += bytes * sim->ratio_percent / 100;
        wire = wire * sim->ratio_percent / 100;
    }
    sim->look.flight = FLIGHT;
    sim->look.full = waits != FOR_SOURCE;
    sim->look.unsent = waits == FOR_PEER ? wire / 4 : wire / 4 * 3;
    sim->look.waiting = waits == FOR_COMPRESSOR ? 3 : 0;
    compression_look(&sim->policy, sim->now_us, &sim->look);
}

/* Some slots of one sort. */
static void
slots(struct sim *sim, unsigned count, uint64_t rate, enum waits waits)
{
    for (unsigned i = 0; i < count * LOOKS; i++)
        look(sim, rate, waits);
}

static void
be_on(struct sim *sim)
{
    begin(sim);
    slots(sim, WATCHED, PLAIN, FOR_LINK);
    slots(sim, TRIED, 3 * PLAIN, FOR_LINK);
    assert_int_equal(sim->policy.state, COMPRESSION_ON);
    assert_int_equal(compression_level(&sim->policy), 1);
}

static void
a_wish_is_read_as_it_stands_on_a_command_line(void **state)
{
    static const struct {
        const char *text;
        enum compression_mode mode;
        int level;
    } good[] = {
        { "auto", COMPRESSION_AUTO, 0 },
        { "off", COMPRESSION_OFF, 0 },
        { "zstd", COMPRESSION_FIXED, PACKER_LEVEL_USUAL },
        { "zstd:1", COMPRESSION_FIXED, 1 },
        { "zstd:19", COMPRESSION_FIXED, 19 },
    };
    static const char *const bad[] = { "",       "on",      "zst",    "zstd:",
                                       "zstd:0", "zstd:20", "zstd 3", "zstd3",
                                       "AUTO",   "zstd:-1", "gzip",   "auto " };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct compression_wish wish = { .pack_log = 20 };

        assert_int_equal(compression_parse(good[i].text, &wish), 0);
        assert_int_equal(wish.mode, good[i].mode);
        assert_int_equal(wish.level, good[i].level);
        assert_int_equal(wish.pack_log, 20);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct compression_wish wish = { .mode = COMPRESSION_AUTO, .level = 7 };

        assert_int_equal(compression_parse(bad[i], &wish), -1);
        assert_int_equal(wish.mode, COMPRESSION_AUTO);
        assert_int_equal(wish.level, 7);
    }
}

static void
a_window_is_a_power_of_two_that_is_large_enough(void **state)
{
    (void)state;
    assert_int_equal(compression_window_log(0), PACKED_WINDOW_LOG_MIN);
    assert_int_equal(compression_window_log(1 << 16), 16);
    assert_int_equal(compression_window_log((1 << 16) + 1), 17);
    assert_int_equal(compression_window_log(1 << 27), 27);
    assert_int_equal(compression_window_log(UINT64_MAX), PACKED_WINDOW_LOG_MAX);
}

static void
a_window_is_read_as_it_stands_on_a_command_line(void **state)
{
    static const char *const bad[] = { "",     "0",    "65535", "64",
                                       "129M", "129m", "1G",    "8 apples" };
    uint8_t log = 0;

    (void)state;
    assert_int_equal(compression_window_parse("64K", &log), 0);
    assert_int_equal(log, 16);
    assert_int_equal(compression_window_parse("65537", &log), 0);
    assert_int_equal(log, 17);
    assert_int_equal(compression_window_parse("128M", &log), 0);
    assert_int_equal(log, PACKED_WINDOW_LOG_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(compression_window_parse(bad[i], &log), -1);
    assert_int_equal(log, PACKED_WINDOW_LOG_MAX);
}

static void
off_and_a_level_stay_what_they_are_and_never_look(void **state)
{
    struct compression_wish wish = { .mode = COMPRESSION_OFF };
    struct compression policy;

    (void)state;
    compression_init(&policy, &wish);
    assert_int_equal(compression_level(&policy), 0);
    assert_false(compression_due(&policy, 1));
    wish = (struct compression_wish){ .mode = COMPRESSION_FIXED, .level = 7 };
    compression_init(&policy, &wish);
    assert_int_equal(compression_level(&policy), 7);
    assert_false(compression_due(&policy, 1));
}

static void
a_slow_link_is_tried_and_then_compressed_for(void **state)
{
    struct sim sim;

    (void)state;
    begin(&sim);
    slots(&sim, WATCHED - 1, PLAIN, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), 0);
    slots(&sim, 1, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_TRY);
    assert_int_equal(compression_level(&sim.policy), 1);
    slots(&sim, TRIED - 1, 3 * PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_TRY);
    slots(&sim, 1, 3 * PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);
}

static void
what_is_not_slow_for_the_link_is_left_alone(void **state)
{
    static const enum waits others[] = { FOR_PEER, FOR_SOURCE };
    struct sim sim;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        begin(&sim);
        slots(&sim, 100, PLAIN, others[i]);
        assert_int_equal(compression_level(&sim.policy), 0);
        for (int j = 0; j < 50; j++) { /* a slow slot alone is not enough */
            slots(&sim, 1, PLAIN, FOR_LINK);
            slots(&sim, 1, PLAIN, others[i]);
            assert_int_equal(compression_level(&sim.policy), 0);
        }
    }
}

static void
three_looks_in_four_make_a_slot_slow(void **state)
{
    struct sim sim;

    (void)state;
    for (int slow = 7; slow <= 8; slow++) {
        begin(&sim);
        for (int i = 0; i < 50 * LOOKS; i++)
            if (sim.policy.state == COMPRESSION_WATCH)
                look(&sim, PLAIN, i % LOOKS < slow ? FOR_LINK : FOR_SOURCE);
        assert_int_equal(sim.policy.state,
                         slow == 8 ? COMPRESSION_TRY : COMPRESSION_WATCH);
    }
}

static void
a_fast_link_is_left_alone_even_when_it_is_full(void **state)
{
    struct sim sim;

    (void)state;
    begin(&sim);
    slots(&sim, 100, UINT64_C(300) << 20, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), 0);
    slots(&sim, 3, UINT64_C(200) << 20, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), 1);
}

static void
what_does_not_give_way_is_given_up_after_three_slots(void **state)
{
    struct sim sim;

    (void)state;
    begin(&sim);
    sim.ratio_percent = 91;
    slots(&sim, WATCHED + STIFF - 1, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_TRY);
    slots(&sim, 1, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
    begin(&sim);
    sim.ratio_percent = 90;
    slots(&sim, WATCHED + STIFF, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_TRY);
}

static void
what_does_not_give_way_and_takes_its_time_is_given_up_at_once(void **state)
{
    struct sim sim;

    (void)state;
    begin(&sim);
    sim.ratio_percent = 91;
    slots(&sim, WATCHED, PLAIN, FOR_LINK);
    slots(&sim, 1, PLAIN, FOR_COMPRESSOR);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
}

/* Memory has stretches that were compressed before: they do not decide. */
static void
a_stretch_that_does_not_give_way_ends_no_try(void **state)
{
    struct sim sim;

    (void)state;
    for (unsigned at = 0; at < TRIED; at++) {
        begin(&sim);
        slots(&sim, WATCHED, PLAIN, FOR_LINK);
        for (unsigned i = 0; i < TRIED; i++) {
            assert_int_equal(sim.policy.state, COMPRESSION_TRY);
            sim.ratio_percent = i == at ? 100 : 50;
            slots(&sim, 1, i == at ? PLAIN : 2 * PLAIN, FOR_LINK);
        }
        assert_int_equal(sim.policy.state, COMPRESSION_ON);
    }
}

static void
what_is_not_faster_is_given_up(void **state)
{
    struct sim sim;

    (void)state;
    begin(&sim);
    slots(&sim, WATCHED, PLAIN, FOR_LINK);
    slots(&sim, 2, 10 * PLAIN, FOR_LINK); /* that may be the queue */
    slots(&sim, TRIED - 2, PLAIN + PLAIN / 25, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
    begin(&sim);
    slots(&sim, WATCHED, PLAIN, FOR_LINK);
    slots(&sim, 2, PLAIN / 10, FOR_LINK); /* that may be the start */
    slots(&sim, TRIED - 2, PLAIN + PLAIN / 15, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);
}

/* Slots until it compresses. */
static unsigned
slots_to_try(struct sim *sim)
{
    unsigned count = 0;

    while (sim->policy.state == COMPRESSION_WATCH) {
        slots(sim, 1, PLAIN, FOR_LINK);
        assert_in_range(++count, 1, 1000);
    }
    return count;
}

static void
a_try_in_vain_is_made_ever_more_rarely(void **state)
{
    static const unsigned pauses[] = { 10, 20, 40, 80, 160, 320, 320, 320 };
    struct sim sim;

    (void)state;
    begin(&sim);
    sim.ratio_percent = 100;
    assert_int_equal(slots_to_try(&sim), WATCHED);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        slots(&sim, STIFF, PLAIN, FOR_LINK);
        assert_in_range(slots_to_try(&sim), pauses[i], pauses[i] + WATCHED);
    }
    sim.ratio_percent = 30; /* and once it helps, all that is forgotten, */
    slots(&sim, TRIED + 19, 3 * PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);
    sim.ratio_percent = 100; /* but not before two seconds */
    slots(&sim, 5, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
    assert_in_range(slots_to_try(&sim), 318, 320 + WATCHED);
    sim.ratio_percent = 30;
    slots(&sim, TRIED + 20, 3 * PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);
    sim.ratio_percent = 100;
    slots(&sim, 5, PLAIN, FOR_LINK);
    assert_in_range(slots_to_try(&sim), 10, 10 + WATCHED);
}

static void
what_turns_out_slower_is_given_up_at_once(void **state)
{
    struct sim sim;

    (void)state;
    be_on(&sim);
    slots(&sim, 1, PLAIN - 1000, FOR_COMPRESSOR);
    slots(&sim, 1, PLAIN, FOR_COMPRESSOR); /* no slower */
    slots(&sim, 1, PLAIN - 1000, FOR_COMPRESSOR);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);
    slots(&sim, 1, PLAIN - 1000, FOR_COMPRESSOR);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
    assert_in_range(slots_to_try(&sim), 10, 10 + WATCHED);

    be_on(&sim); /* the link may have become slower: go on */
    slots(&sim, 20, PLAIN / 2, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);

    be_on(&sim); /* perhaps the source takes its time: look, without a pause */
    slots(&sim, 2, PLAIN / 2, FOR_SOURCE);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
    assert_int_equal(slots_to_try(&sim), WATCHED);
}

static void
a_try_that_is_slower_ends_as_soon_as_that_shows(void **state)
{
    struct sim sim;

    (void)state;
    begin(&sim);
    slots(&sim, WATCHED + 2, PLAIN, FOR_LINK);
    slots(&sim, 1, PLAIN - PLAIN / 9, FOR_COMPRESSOR);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
    begin(&sim);
    slots(&sim, WATCHED + 2, PLAIN, FOR_LINK);
    slots(&sim, 1, PLAIN - PLAIN / 11, FOR_COMPRESSOR);
    assert_int_equal(sim.policy.state, COMPRESSION_TRY);
}

static void
data_that_resists_for_a_while_is_left_alone_again(void **state)
{
    struct sim sim;

    (void)state;
    be_on(&sim);
    sim.ratio_percent = 99;
    slots(&sim, 4, PLAIN, FOR_LINK);
    sim.ratio_percent = 50; /* it was but for a while */
    slots(&sim, 1, PLAIN, FOR_LINK);
    sim.ratio_percent = 99;
    slots(&sim, 4, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);
    slots(&sim, 1, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
    assert_int_equal(compression_level(&sim.policy), 0);
}

static void
the_level_rises_while_the_link_is_what_is_waited_for(void **state)
{
    struct sim sim;

    (void)state;
    be_on(&sim);
    slots(&sim, 2, 3 * PLAIN, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), 1);
    slots(&sim, 1, 3 * PLAIN, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), 2);
    slots(&sim, 200, 3 * PLAIN, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), 9);
    assert_int_equal(sim.policy.state, COMPRESSION_ON);
}

static void
a_better_level_waits_for_four_windows(void **state)
{
    struct sim sim;

    (void)state;
    be_on(&sim);
    sim.policy.level_in = sim.look.packed_in;
    slots(&sim, 30, 1 << 20, FOR_LINK); /* 3 MiB of 8 */
    assert_int_equal(compression_level(&sim.policy), 1);
    slots(&sim, 60, 1 << 20, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), 2);
}

static void
the_level_falls_at_once_when_the_compressor_is_behind(void **state)
{
    struct sim sim;

    (void)state;
    be_on(&sim);
    slots(&sim, 20, 3 * PLAIN, FOR_LINK);
    assert_in_range(compression_level(&sim.policy), 4, 9);
    for (int level = compression_level(&sim.policy); level > 1; level--) {
        assert_int_equal(compression_level(&sim.policy), level);
        slots(&sim, 1, 3 * PLAIN, FOR_COMPRESSOR);
    }
    assert_int_equal(compression_level(&sim.policy), 1);
}

static void
a_level_that_was_too_slow_is_not_chosen_again_for_a_while(void **state)
{
    struct sim sim;
    int level;

    (void)state;
    be_on(&sim);
    slots(&sim, 10, 3 * PLAIN, FOR_LINK);
    level = compression_level(&sim.policy);
    assert_in_range(level, 2, 8);
    slots(&sim, 1, 3 * PLAIN, FOR_COMPRESSOR);
    slots(&sim, 45, 3 * PLAIN, FOR_LINK);
    assert_int_equal(compression_level(&sim.policy), level - 1);
    slots(&sim, 10, 3 * PLAIN, FOR_LINK);
    assert_in_range(compression_level(&sim.policy), level, 9);
}

static void
a_level_that_helps_nobody_falls_by_and_by(void **state)
{
    struct sim sim;
    int level;

    (void)state;
    be_on(&sim);
    slots(&sim, 10, 3 * PLAIN, FOR_LINK);
    level = compression_level(&sim.policy);
    assert_in_range(level, 2, 8);
    slots(&sim, 2, PLAIN, FOR_SOURCE);
    assert_int_equal(compression_level(&sim.policy), level);
    slots(&sim, 1, PLAIN, FOR_PEER);
    assert_int_equal(compression_level(&sim.policy), level - 1);
}

static void
a_stream_that_waits_for_something_else_is_looked_at_in_the_plain(void **state)
{
    struct sim sim;
    unsigned limit = 10;

    (void)state;
    be_on(&sim);
    for (int i = 0; i < 8; i++) {
        slots(&sim, limit - 1, 3 * PLAIN, FOR_SOURCE);
        assert_int_equal(sim.policy.state, COMPRESSION_ON);
        slots(&sim, 1, 3 * PLAIN, FOR_COMPRESSOR);
        assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
        assert_int_equal(slots_to_try(&sim), WATCHED);
        slots(&sim, TRIED, 3 * PLAIN, FOR_SOURCE); /* it did help */
        assert_int_equal(sim.policy.state, COMPRESSION_ON);
        limit = limit * 2 < 320 ? limit * 2 : 320;
    }
    slots(&sim, limit, 3 * PLAIN, FOR_SOURCE);
    slots(&sim, 100, 3 * PLAIN, FOR_SOURCE); /* now it does not */
    assert_int_equal(sim.policy.state, COMPRESSION_WATCH);
}

static void
another_path_begins_in_the_plain(void **state)
{
    struct sim sim;

    (void)state;
    be_on(&sim);
    compression_restart(&sim.policy);
    assert_int_equal(compression_level(&sim.policy), 0);
    assert_int_equal(sim.policy.wish.mode, COMPRESSION_AUTO);
    assert_true(compression_due(&sim.policy, sim.now_us));
    sim.look = (struct compression_look){ 0 };
    compression_look(&sim.policy, sim.now_us, &sim.look);
    slots(&sim, WATCHED, PLAIN, FOR_LINK);
    assert_int_equal(sim.policy.state, COMPRESSION_TRY);
}

/* On a very slow link there are few acknowledgements to look at. */
static void
a_slot_has_three_looks_at_least(void **state)
{
    struct sim sim;

    (void)state;
    begin(&sim);
    for (unsigned i = 0; i < 3 * WATCHED; i++) {
        assert_int_equal(compression_level(&sim.policy), 0);
        sim.now_us += 1000000;
        sim.look.acked += 128 << 10;
        sim.look.flight = FLIGHT;
        sim.look.unsent = FLIGHT;
        sim.look.full = true;
        compression_look(&sim.policy, sim.now_us, &sim.look);
    }
    assert_int_equal(compression_level(&sim.policy), 1);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_is_read_as_it_stands_on_a_command_line),
        cmocka_unit_test(a_window_is_a_power_of_two_that_is_large_enough),
        cmocka_unit_test(a_window_is_read_as_it_stands_on_a_command_line),
        cmocka_unit_test(off_and_a_level_stay_what_they_are_and_never_look),
        cmocka_unit_test(a_slow_link_is_tried_and_then_compressed_for),
        cmocka_unit_test(what_is_not_slow_for_the_link_is_left_alone),
        cmocka_unit_test(three_looks_in_four_make_a_slot_slow),
        cmocka_unit_test(a_fast_link_is_left_alone_even_when_it_is_full),
        cmocka_unit_test(what_does_not_give_way_is_given_up_after_three_slots),
        cmocka_unit_test(
            what_does_not_give_way_and_takes_its_time_is_given_up_at_once),
        cmocka_unit_test(a_stretch_that_does_not_give_way_ends_no_try),
        cmocka_unit_test(what_is_not_faster_is_given_up),
        cmocka_unit_test(a_try_in_vain_is_made_ever_more_rarely),
        cmocka_unit_test(what_turns_out_slower_is_given_up_at_once),
        cmocka_unit_test(a_try_that_is_slower_ends_as_soon_as_that_shows),
        cmocka_unit_test(data_that_resists_for_a_while_is_left_alone_again),
        cmocka_unit_test(the_level_rises_while_the_link_is_what_is_waited_for),
        cmocka_unit_test(a_better_level_waits_for_four_windows),
        cmocka_unit_test(the_level_falls_at_once_when_the_compressor_is_behind),
        cmocka_unit_test(
            a_level_that_was_too_slow_is_not_chosen_again_for_a_while),
        cmocka_unit_test(a_level_that_helps_nobody_falls_by_and_by),
        cmocka_unit_test(
            a_stream_that_waits_for_something_else_is_looked_at_in_the_plain),
        cmocka_unit_test(another_path_begins_in_the_plain),
        cmocka_unit_test(a_slot_has_three_looks_at_least),
    };

    return RUN_TESTS(tests);
}
