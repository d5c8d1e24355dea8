#include "support_security.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "io/transport.h"
#include "support_certs.h"
#include "support_stage.h"
#include "support_test.h"

#define KEY_QEMU "00112233445566778899aabbccddeeff"
#define KEY_OTHER "ffeeddccbbaa99887766554433221100"
#define KEY_WRONG "0123456789abcdef0123456789abcdef"
#define KEYS_OF(qemu) "qemu:" qemu "\nother:" KEY_OTHER "\n"

enum { KEY_MODE = 0600, PATH_MAX_HERE = 80 };

static struct tls *
load(struct tls_options options)
{
    char why[TLS_WHY_MAX] = "";
    struct tls *tls = tls_new(&options, why);

    if (tls == NULL)
        fail_msg("%s", why);
    return tls;
}

void
security_open_keys(struct security *security)
{
    char server[PATH_MAX_HERE], client[PATH_MAX_HERE];

    security->other_dir[0] = '\0';
    net_temp_dir(security->dir);
    certs_put_text(security->dir, "server.psk", KEY_MODE, KEYS_OF(KEY_QEMU));
    certs_put_text(security->dir, "client.psk", KEY_MODE, KEYS_OF(KEY_QEMU));
    snprintf(server, sizeof server, "%s/server.psk", security->dir);
    snprintf(client, sizeof client, "%s/client.psk", security->dir);
    security->server =
        load((struct tls_options){ .server = true, .psk_path = server });
    security->client =
        load((struct tls_options){ .psk_path = client, .psk_user = "qemu" });
    security->other =
        load((struct tls_options){ .psk_path = client, .psk_user = "other" });
}

void
security_open_certificates(struct security *security, const char *allow)
{
    const struct certs_wanted other = { .common_name = "host3",
                                        .organization = "Example",
                                        .usage = "clientAuth" };
    struct certs_ca *ca = certs_ca_new("test CA");

    net_temp_dir(security->dir);
    net_temp_dir(security->other_dir);
    certs_put_both(ca, security->dir);
    certs_put_ca(ca, security->other_dir);
    certs_put(ca, &other, security->other_dir, "client");
    security->server = load((struct tls_options){
        .server = true,
        .dir = security->dir,
        .allow = &allow,
        .allow_count = allow != NULL ? 1 : 0,
    });
    security->client = load(
        (struct tls_options){ .dir = security->dir, .hostname = "127.0.0.1" });
    security->other = load((struct tls_options){ .dir = security->other_dir,
                                                 .hostname = "127.0.0.1" });
    certs_ca_free(ca);
}

void
security_close(struct security *security)
{
    tls_free(security->server);
    tls_free(security->client);
    tls_free(security->other);
    net_remove_dir(security->dir);
    if (security->other_dir[0] != '\0')
        net_remove_dir(security->other_dir);
}

void
security_break_key(struct security *security, bool broken)
{
    certs_put_text(security->dir, "client.psk", KEY_MODE,
                   broken ? KEYS_OF(KEY_WRONG) : KEYS_OF(KEY_QEMU));
}

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct secure_peer *peer = arg;
    struct iovec iov = { peer->bytes + peer->received,
                         sizeof peer->bytes - peer->received };
    ssize_t n = transport_readv(peer->transport, &iov, 1);

    (void)readable;
    (void)writable;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0) {
        peer->received += (size_t)n;
        return;
    }
    snprintf(peer->why, sizeof peer->why, "%s",
             n < 0 ? transport_why(peer->transport) : "");
    peer->ended = true;
    transport_want(peer->transport, false, false);
}

static void
on_handshake(void *arg, enum handshake_end end, struct transport *transport,
             const char *why)
{
    struct secure_peer *peer = arg;

    peer->shaken = true;
    peer->end = end;
    peer->transport = transport;
    snprintf(peer->why, sizeof peer->why, "%s", why != NULL ? why : "");
    if (transport == NULL)
        return;
    transport_on_ready(transport, on_ready, peer);
    transport_want(transport, true, false);
}

void
secure_peer_open(struct secure_peer *peer, struct stage *stage, int fd,
                 struct tls *tls)
{
    *peer = (struct secure_peer){ .stage = stage };
    peer->handshake = handshake_new(&(struct handshake_options){
        .loop = stage->loop,
        .fd = fd,
        .tls = tls,
        .on_done = on_handshake,
        .arg = peer,
    });
    assert_non_null(peer->handshake);
}

void
secure_peer_close(struct secure_peer *peer)
{
    handshake_free(peer->handshake);
    transport_free(peer->transport);
    peer->handshake = NULL;
    peer->transport = NULL;
}

void
secure_peer_connect(struct secure_peer *peer, struct stage *stage,
                    uint16_t port, struct tls *tls)
{
    secure_peer_open(peer, stage, net_connect_tcp(NULL, port), tls);
    STAGE_UNTIL(stage, peer->shaken);
}

void
secure_peer_say(struct secure_peer *peer, const void *bytes, size_t length)
{
    struct iovec iov = { (void *)(uintptr_t)bytes, length };

    assert_int_equal(transport_writev(peer->transport, &iov, 1), length);
}

enum reason
secure_peer_greet(struct secure_peer *peer,
                  const struct client_greeting *greeting)
{
    unsigned char bytes[GREETING_CLIENT_BYTES];
    struct server_greeting answer;
    size_t used;

    client_greeting_encode(greeting, bytes);
    secure_peer_say(peer, bytes, sizeof bytes);
    STAGE_UNTIL(peer->stage,
                peer->ended || peer->received >= GREETING_SERVER_BYTES);
    assert_int_equal(
        server_greeting_parse(&answer, peer->bytes, peer->received, &used),
        GREETING_DONE);
    return answer.reason;
}
