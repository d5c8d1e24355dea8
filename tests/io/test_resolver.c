/* Looking names up. */
#include "io/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support_faults.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

struct question {
    struct stage stage;
    struct resolver *resolver;
    struct addrinfo *list;
    char why[128];
    unsigned answers;
};

static void
on_done(void *arg, struct addrinfo *list, const char *why)
{
    struct question *question = arg;

    question->answers++;
    question->list = list;
    resolver_free(question->resolver);
    question->resolver = NULL;
    if (list == NULL)
        snprintf(question->why, sizeof question->why, "%s", why);
}

static void
ask(struct question *question, const char *host)
{
    struct address address = { .port = 80 };

    *question = (struct question){ 0 };
    stage_open(&question->stage);
    snprintf(address.host, sizeof address.host, "%s", host);
    question->resolver =
        resolver_new(question->stage.loop, &address, on_done, question);
    assert_non_null(question->resolver);
    assert_int_equal(question->answers, 0);
}

static void
done(struct question *question)
{
    if (question->list != NULL)
        freeaddrinfo(question->list);
    resolver_free(question->resolver);
    stage_close(&question->stage);
}

static void
assert_found(const char *host, const char *expected)
{
    struct question question;
    char text[64] = "", port[8] = "";
    bool found = false;

    ask(&question, host);
    STAGE_UNTIL(&question.stage, question.answers > 0);
    assert_non_null(question.list);
    for (struct addrinfo *ai = question.list; ai != NULL; ai = ai->ai_next) {
        assert_int_equal(ai->ai_socktype, SOCK_STREAM);
        getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
        assert_string_equal(port, "80");
        found = found || strcmp(text, expected) == 0;
    }
    assert_true(found);
    assert_int_equal(stage_turns_in(&question.stage, 20), 0);
    assert_int_equal(question.answers, 1);
    done(&question);
}

static void
a_number_is_its_own_address(void **state)
{
    (void)state;
    assert_found("127.0.0.1", "127.0.0.1");
    assert_found("::1", "::1");
}

static void
a_number_needs_no_thread(void **state)
{
    (void)state;
    faults_clear();
    assert_found("127.0.0.1", "127.0.0.1");
    assert_found("::1", "::1");
    assert_int_equal(fault_count(FAULT_PTHREAD_CREATE), 0);
}

static void
a_name_for_which_there_is_no_thread_is_not_looked_up(void **state)
{
    struct address address = { .host = "localhost", .port = 80 };
    struct stage stage;

    (void)state;
    faults_clear();
    stage_open(&stage);
    fault_error(FAULT_PTHREAD_CREATE, 1, EAGAIN);
    assert_null(resolver_new(stage.loop, &address, on_done, NULL));
    assert_int_equal(errno, EAGAIN);
    stage_close(&stage);
}

static void
a_name_is_looked_up(void **state)
{
    (void)state;
    assert_found("localhost", "127.0.0.1");
}

static void
a_name_that_nobody_knows_has_a_reason(void **state)
{
    struct question question;

    (void)state;
    ask(&question, "300.0.0.1.");
    STAGE_UNTIL(&question.stage, question.answers > 0);
    assert_null(question.list);
    assert_int_not_equal(strlen(question.why), 0);
    done(&question);
}

static void
a_resolver_may_be_freed_before_it_has_answered(void **state)
{
    struct question question;
    unsigned fds = net_open_fds();
    uint64_t start_ms;

    (void)state;
    faults_clear();
    /* A name has a thread, which may be anywhere by then, so: often. */
    for (int i = 0; i < 200; i++) {
        ask(&question, i % 4 < 2 ? "localhost" : "127.0.0.1");
        if (i % 2 == 0)
            stage_turns_in(&question.stage, 0);
        done(&question);
    }
    assert_int_equal(fault_count(FAULT_PTHREAD_CREATE), 100);
    /* The threads that were left behind close their ends. */
    start_ms = stage_now_ms();
    while (net_open_fds() > fds) {
        assert_true(stage_now_ms() - start_ms < 30000);
        assert_int_not_equal(usleep(1000), -1);
    }
}

static void
no_resolver_may_be_freed(void **state)
{
    (void)state;
    resolver_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_its_own_address),
        cmocka_unit_test(a_number_needs_no_thread),
        cmocka_unit_test(a_name_is_looked_up),
        cmocka_unit_test(a_name_for_which_there_is_no_thread_is_not_looked_up),
        cmocka_unit_test(a_name_that_nobody_knows_has_a_reason),
        cmocka_unit_test(a_resolver_may_be_freed_before_it_has_answered),
        cmocka_unit_test(no_resolver_may_be_freed),
    };

    return RUN_TESTS(tests);
}
