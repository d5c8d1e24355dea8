/* Migrations whose two ends have proved to each other who they are. */
#include <stdio.h>

#include "support_memory.h"
#include "support_move.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"
#include "support_tls.h"
#include "support_vm.h"
#include "support_wiretap.h"

enum { RESETS = 20, FILL_MIB = 64, FILL_FULL_MIB = 512, TAPPED_MIB = 32 };

static void
use_certificates(struct e2e *e2e, struct tunnel *tunnel)
{
    struct certs certs;

    certs_make(e2e, &certs, ARGS("src", "dst,127.0.0.1"));
    tunnel->server_security = certs_options(&certs, "dst");
    tunnel->client_security = certs_options(&certs, "src");
}

static void
use_keys(struct e2e *e2e, struct tunnel *tunnel)
{
    char path[CASE_PATH_MAX];

    psk_make(e2e, path, "qemu");
    tunnel->server_security = psk_options(e2e, path, NULL);
    tunnel->client_security = psk_options(e2e, path, NULL);
}

static void
use_nothing(struct e2e *e2e, struct tunnel *tunnel)
{
    (void)e2e;
    tunnel->server_security = tunnel->client_security = NULL;
}

typedef void use_security(struct e2e *e2e, struct tunnel *tunnel);

/* Start a server, and a proxy in front of it. */
static struct proxy *
start_proxied(struct e2e *e2e, struct tunnel *tunnel, bool session,
              use_security *use)
{
    struct proxy *proxy;

    tunnel_init(e2e, tunnel);
    tunnel->session = session;
    use(e2e, tunnel);
    tunnel_start_server(e2e, tunnel, NULL);
    proxy = proxy_start(e2e, tunnel->port);
    tunnel->dest_port = proxy_port(proxy);
    return proxy;
}

static void
check_faults(struct proxy *proxy, const struct tunnel *tunnel)
{
    struct proxy_report report;

    proxy_report(proxy, &report);
    print_message("             %u faults, %u connections\n", report.faults,
                  report.connections);
    assert_int_equal(report.faults, RESETS);
    assert_in_range(report.connections, RESETS + 2, UINT32_MAX);
    assert_in_range(session_count(tunnel->client, ": resumed after "), 1,
                    UINT32_MAX);
}

/* Move a guest while connections are reset, evenly over its memory.  The proxy
 * can't see channels here: it counts the bytes of all of them. */
static void
move_through_resets(struct e2e *e2e, use_security *use, const char *const *args)
{
    struct guest guest = guest_calm;
    struct proxy *proxy;
    struct move move;

    guest.fill_mib = e2e_full() ? FILL_FULL_MIB : FILL_MIB;
    move_prepare(e2e, &move, &guest);
    proxy = start_proxied(e2e, &move.tunnel, true, use);
    proxy_do(proxy, "rule * > bytes %u times %u reset",
             (guest.fill_mib << 20) / (RESETS + 1), RESETS);
    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_start(e2e, &move, args, args);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    check_faults(proxy, &move.tunnel);
}

static void
precopy_with_certificates_survives_resets(struct e2e *e2e)
{
    move_through_resets(e2e, use_certificates, NULL);
}

static void
precopy_with_a_shared_key_survives_resets(struct e2e *e2e)
{
    move_through_resets(e2e, use_keys, NULL);
}

static void
multifd_with_certificates_survives_resets(struct e2e *e2e)
{
    move_through_resets(e2e, use_certificates, ARGS("--multifd", "4"));
}

static void
multifd_with_a_shared_key_survives_resets(struct e2e *e2e)
{
    move_through_resets(e2e, use_keys, ARGS("--multifd", "4"));
}

static void
move_raw(struct e2e *e2e, const char *const *args)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    use_certificates(e2e, &move.tunnel);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_start(e2e, &move, args, args);
    move_finish(e2e, &move);
}

static void
raw_precopy_moves_with_certificates(struct e2e *e2e)
{
    move_raw(e2e, NULL);
}

static void
raw_multifd_moves_with_certificates(struct e2e *e2e)
{
    move_raw(e2e, ARGS("--multifd", "2"));
}

/* Move a guest, and look for its memory in what somebody on the way sees. */
static void
move_tapped(struct e2e *e2e, bool session, use_security *use,
            struct wiretap_report *report)
{
    struct guest guest = guest_calm;
    struct wiretap wiretap;
    struct memory memory;
    struct proxy *proxy;
    struct move move;

    guest.fill_mib = TAPPED_MIB;
    move_prepare(e2e, &move, &guest);
    proxy = start_proxied(e2e, &move.tunnel, session, use);
    wiretap_start(e2e, &wiretap, proxy);
    /* What is searched for has to be there as it is. */
    tunnel_start_client(e2e, &move.tunnel,
                        session ? ARGS("--compress", "off") : NULL);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    memory_dump(e2e, move.source, &memory);
    wiretap_search(&wiretap, &memory, report);
    memory_fini(&memory);
    print_message("             %u of %u samples of the memory found in %u "
                  "bytes\n",
                  report->found, report->samples, (unsigned)report->bytes);
    assert_in_range(report->samples, (TAPPED_MIB - 1) << 10, UINT32_MAX);
    assert_in_range(report->bytes, (TAPPED_MIB - 1) << 20, UINT32_MAX);
}

/* Without this those below would prove nothing.  A frame's header may lie in
 * the middle of a sample. */
static void
wiretap_of_plain_text_sees_all_memory(struct e2e *e2e)
{
    struct wiretap_report report;

    move_tapped(e2e, true, use_nothing, &report);
    assert_in_range(report.found, report.samples / 100 * 99, report.samples);
}

static void
wiretap_with_certificates_sees_no_memory(struct e2e *e2e)
{
    struct wiretap_report report;

    move_tapped(e2e, true, use_certificates, &report);
    assert_int_equal(report.found, 0);
}

static void
wiretap_with_a_shared_key_sees_no_memory(struct e2e *e2e)
{
    struct wiretap_report report;

    move_tapped(e2e, true, use_keys, &report);
    assert_int_equal(report.found, 0);
}

static void
wiretap_of_raw_mode_with_certificates_sees_no_memory(struct e2e *e2e)
{
    struct wiretap_report report;

    move_tapped(e2e, false, use_certificates, &report);
    assert_int_equal(report.found, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(precopy_with_certificates_survives_resets),
        E2E_TEST(precopy_with_a_shared_key_survives_resets),
        E2E_TEST(multifd_with_certificates_survives_resets),
        E2E_TEST(multifd_with_a_shared_key_survives_resets),
        E2E_TEST(raw_precopy_moves_with_certificates),
        E2E_TEST(raw_multifd_moves_with_certificates),
        E2E_TEST(wiretap_of_plain_text_sees_all_memory),
        E2E_TEST(wiretap_with_certificates_sees_no_memory),
        E2E_TEST(wiretap_with_a_shared_key_sees_no_memory),
        E2E_TEST(wiretap_of_raw_mode_with_certificates_sees_no_memory),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
