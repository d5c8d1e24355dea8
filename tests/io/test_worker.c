/* Threads with loops, and what they let each other do. */
#include <pthread.h>
#include <signal.h>

#include "io/loop.h"
#include "io/mailbox.h"
#include "io/worker.h"
#include "support_stage.h"
#include "support_test.h"

enum { MANY = 10000, POSTERS = 4 };

struct counted {
    struct letter letter;
    unsigned count;
};

static void
count(void *arg)
{
    struct counted *counted = arg;

    counted->count++;
}

static void
letters_are_called_in_order_and_once_for_many_posts(void **state)
{
    struct counted first = { .letter = { .on_letter = count } };
    struct counted second = first, third = first;
    struct stage stage;
    struct mailbox *mailbox;

    (void)state;
    first.letter.arg = &first;
    second.letter.arg = &second;
    third.letter.arg = &third;
    stage_open(&stage);
    mailbox = mailbox_new(stage.loop);
    assert_non_null(mailbox);
    for (int i = 0; i < 3; i++) {
        mailbox_post(mailbox, &first.letter);
        mailbox_post(mailbox, &second.letter);
    }
    mailbox_post(mailbox, &third.letter);
    mailbox_take_back(mailbox, &third.letter);
    mailbox_take_back(mailbox, &third.letter);
    stage_turn(&stage);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
    STAGE_UNTIL(&stage, second.count == 1);
    assert_int_equal(stage_turns_in(&stage, 50), 0);
    assert_int_equal(first.count, 1);
    assert_int_equal(third.count, 0);
    mailbox_post(mailbox, &first.letter); /* it may come again */
    STAGE_UNTIL(&stage, first.count == 2);
    mailbox_post(mailbox, &third.letter); /* and it may stay behind */
    mailbox_free(mailbox);
    stage_close(&stage);
}

struct poster {
    struct mailbox *mailbox;
    struct letter letters[MANY];
    pthread_t thread;
};

static unsigned arrived;

static void
arrive(void *arg)
{
    (void)arg;
    arrived++;
}

static void *
post_many(void *arg)
{
    struct poster *poster = arg;

    for (int i = 0; i < MANY; i++) {
        poster->letters[i] = (struct letter){ .on_letter = arrive };
        mailbox_post(poster->mailbox, &poster->letters[i]);
    }
    return NULL;
}

static void
no_letter_is_lost_between_threads(void **state)
{
    static struct poster posters[POSTERS];
    struct mailbox *mailbox;
    struct stage stage;

    (void)state;
    arrived = 0;
    stage_open(&stage);
    mailbox = mailbox_new(stage.loop);
    assert_non_null(mailbox);
    for (int i = 0; i < POSTERS; i++) {
        posters[i].mailbox = mailbox;
        assert_int_equal(
            pthread_create(&posters[i].thread, NULL, post_many, &posters[i]),
            0);
    }
    STAGE_UNTIL(&stage, arrived == MANY * POSTERS);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i].thread, NULL);
    assert_int_equal(arrived, MANY * POSTERS);
    mailbox_free(mailbox);
    stage_close(&stage);
}

struct seen {
    pthread_t thread;
    unsigned calls;
};

static void
look(void *arg)
{
    struct seen *seen = arg;

    seen->thread = pthread_self();
    seen->calls++;
}

static void
a_call_is_made_on_the_workers_thread_and_waited_for(void **state)
{
    struct worker *worker = worker_new();
    struct seen seen = { .calls = 0 };

    (void)state;
    assert_non_null(worker);
    assert_non_null(worker_loop(worker));
    for (unsigned i = 1; i <= 1000; i++) {
        worker_call(worker, look, &seen);
        assert_int_equal(seen.calls, i);
    }
    assert_false(pthread_equal(seen.thread, pthread_self()));
    worker_free(worker);
}

static void
look_at_signals(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
}

static void
a_worker_leaves_signals_to_the_other_threads(void **state)
{
    struct worker *worker = worker_new();
    sigset_t there, here;

    (void)state;
    assert_non_null(worker);
    worker_call(worker, look_at_signals, &there);
    assert_int_equal(sigismember(&there, SIGTERM), 1);
    assert_int_equal(sigismember(&there, SIGINT), 1);
    pthread_sigmask(SIG_SETMASK, NULL, &here);
    assert_int_equal(sigismember(&here, SIGTERM), 0);
    worker_free(worker);
}

static void
a_worker_that_has_done_nothing_can_be_ended(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct worker *worker = worker_new();

        assert_non_null(worker);
        worker_free(worker);
    }
    worker_free(NULL);
    mailbox_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_called_in_order_and_once_for_many_posts),
        cmocka_unit_test(no_letter_is_lost_between_threads),
        cmocka_unit_test(a_call_is_made_on_the_workers_thread_and_waited_for),
        cmocka_unit_test(a_worker_leaves_signals_to_the_other_threads),
        cmocka_unit_test(a_worker_that_has_done_nothing_can_be_ended),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
