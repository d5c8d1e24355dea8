/*
 * Makes a transport of a TCP connection: at once if there is no TLS, else after
 * a handshake in which the peer proves who it is, in 5 s at most.
 */
#ifndef IO_HANDSHAKE_H
#define IO_HANDSHAKE_H

struct handshake;
struct loop;
struct tls;
struct transport;

enum handshake_end {
    HANDSHAKE_DONE,    /* the transport is what was asked for */
    HANDSHAKE_PLAIN,   /* server with TLS: the peer does not speak TLS */
    HANDSHAKE_REFUSED, /* one does not accept the other: trying again is no
                          use */
    HANDSHAKE_LOST,    /* broke off, or took too long */
};

struct handshake_options {
    struct loop *loop;
    int fd;          /* the handshake's from now on, also on failure */
    struct tls *tls; /* NULL for none; outlives the handshake alone */

    /**
     * on_done(arg, end, transport, why):
     * The end of the matter, never called before handshake_new has returned.
     * ${transport} is the callback's: after DONE one that is encrypted if
     * there is TLS; after PLAIN a plain one of which nothing has been read,
     * over which a refusal may go and nothing else; else NULL.  Unless it is
     * DONE, ${why} is one line on what went wrong, until the callback returns.
     * The callback may free the handshake.
     */
    void (*on_done)(void *arg, enum handshake_end end,
                    struct transport *transport, const char *why);
    void *arg;
};

/**
 * handshake_new(options):
 * Begin.  The side is that of ${options}->tls.  Return NULL with errno set if
 * there is no memory.  The caller frees it with handshake_free, which closes
 * the connection if it is not done.
 */
struct handshake *handshake_new(const struct handshake_options *options);
void handshake_free(struct handshake *handshake);

#endif
