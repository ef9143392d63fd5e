// SPDX-License-Identifier: LGPL-2.1-only
/*
 * xsbridge DIR: be the xenstore frontends of domains: for each, accept one
 * Unix client at a time on DIR/guestN and pass its bytes through the shared
 * ring DIR/ring.N that shim.c hands to the daemon. What the client sends is so
 * seen by the real daemon as coming from (unprivileged) domain N.
 * A line on standard input, "+N" or "-N", adds or removes a domain, and is
 * repeated on standard output when that is done. A domain to add must exist
 * (DIR/dom/N) and be XS_INTRODUCEd first.
 * Ends with its standard input, and dies with the process that started it. Built by fetch.ts.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define GUESTS_MAX 64
#define POLLED 3

struct guest {
    int domid, in_fd, listener, client;
    volatile struct xenstore_domain_interface *ring;
};

static const char *dir;
static int kicks;
static struct guest guests[GUESTS_MAX];
static int count;

static void kick(const struct guest *g)
{
    uint32_t port = 100 + g->domid;
    if (write(kicks, &port, 4) != 4) {}
}

static const char *path(const char *name, int domid)
{
    static char p[4096];
    snprintf(p, sizeof p, "%s/%s%d", dir, name, domid);
    return p;
}

static void add(int domid)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct guest *g = &guests[count];
    const char *p;
    int fd;

    if (count++ == GUESTS_MAX) errx(2, "too many domains");
    *g = (struct guest){ .domid = domid, .client = -1 };
    p = path("ring.", domid);
    if ((fd = open(p, O_RDWR)) < 0) err(1, "%s (introduce the domain first)", p);
    g->ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (g->ring == MAP_FAILED) err(1, "mmap");
    close(fd);
    p = path("evt.", domid);
    mkfifo(p, 0600);
    if ((g->in_fd = open(p, O_RDWR | O_NONBLOCK)) < 0) err(1, "%s", p);
    p = path("guest", domid);
    strncpy(a.sun_path, p, sizeof a.sun_path - 1);
    unlink(p);
    g->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(g->listener, (void *)&a, sizeof a) || listen(g->listener, 8)) err(1, "%s", p);
}

static void drop(int domid)
{
    for (struct guest *g = guests; g < guests + count; g++) {
        if (g->domid != domid) continue;
        if (g->client >= 0) close(g->client);
        close(g->listener);
        close(g->in_fd);
        munmap((void *)g->ring, 4096);
        *g = guests[--count];
        return;
    }
}

/* Carries out whole lines; false at the end of standard input. */
static int obey(void)
{
    static char line[256];
    static size_t filled;
    ssize_t n = read(0, line + filled, sizeof line - 1 - filled);
    char *end;

    if (n <= 0) return 0;
    line[filled += n] = 0;
    while ((end = strchr(line, '\n'))) {
        *end++ = 0;
        (line[0] == '+' ? add : drop)(atoi(line + 1));
        dprintf(1, "%s\n", line);
        filled -= end - line;
        memmove(line, end, filled + 1);
    }
    return 1;
}

static void to_client(struct guest *g)
{
    volatile struct xenstore_domain_interface *r = g->ring;
    char buf[XENSTORE_RING_SIZE];
    for (;;) {
        uint32_t rp = r->rsp_prod, rc = r->rsp_cons, n = 0;
        __sync_synchronize();
        if (rp == rc) return;
        while (rc + n != rp && n < sizeof buf) { buf[n] = r->rsp[MASK_XENSTORE_IDX(rc + n)]; n++; }
        __sync_synchronize();
        r->rsp_cons = rc + n;
        kick(g);
        if (g->client >= 0 && send(g->client, buf, n, MSG_NOSIGNAL) < 0) { close(g->client); g->client = -1; }
    }
}

static uint32_t room(const struct guest *g)
{
    return XENSTORE_RING_SIZE - (g->ring->req_prod - g->ring->req_cons);
}

static void to_daemon(struct guest *g)
{
    volatile struct xenstore_domain_interface *r = g->ring;
    char buf[XENSTORE_RING_SIZE];
    uint32_t prod = r->req_prod;
    ssize_t n = read(g->client, buf, room(g));
    if (n <= 0) { close(g->client); g->client = -1; return; }
    for (ssize_t i = 0; i < n; i++) r->req[MASK_XENSTORE_IDX(prod + i)] = buf[i];
    __sync_synchronize();
    r->req_prod = prod + n;
    kick(g);
}

int main(int argc, char **argv)
{
    if (argc != 2) errx(2, "usage: xsbridge DIR");
    char p[4096], buf[1024];
    dir = argv[1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(p, sizeof p, "%s/evt.in", dir);
    if ((kicks = open(p, O_RDWR)) < 0) err(1, "%s", p);

    for (;;) {
        struct pollfd f[1 + POLLED * GUESTS_MAX] = { { .fd = 0, .events = POLLIN } };
        int connected = 0;
        for (int i = 0; i < count; i++) {
            struct guest *g = &guests[i];
            struct pollfd *own = f + 1 + POLLED * i;
            own[0] = (struct pollfd){ .fd = g->in_fd, .events = POLLIN };
            own[1] = (struct pollfd){ .fd = g->client < 0 ? g->listener : -1, .events = POLLIN };
            own[2] = (struct pollfd){ .fd = g->client >= 0 && room(g) ? g->client : -1, .events = POLLIN };
            connected |= g->client >= 0;
        }
        poll(f, 1 + POLLED * count, connected ? 50 : -1);
        for (int i = 0; i < count; i++) {
            struct guest *g = &guests[i];
            struct pollfd *own = f + 1 + POLLED * i;
            if (own[0].revents && read(g->in_fd, buf, sizeof buf) < 0) {}
            if (own[1].revents) {
                g->client = accept(g->listener, NULL, NULL);
                g->ring->rsp_cons = g->ring->rsp_prod;  /* drop replies to an older client */
            }
            if (own[2].revents) to_daemon(g);
            to_client(g);
        }
        /* Last: it moves guests around. */
        if (f[0].revents && !obey()) return 0;
    }
}
