// SPDX-License-Identifier: LGPL-2.1-only
/*
 * xsbridge DIR DOMID SOCKPATH: be domain DOMID's xenstore frontend: accept one
 * Unix client at a time on SOCKPATH and pass its bytes through the shared ring
 * DIR/ring.DOMID that shim.c hands to the daemon. What the client sends is so
 * seen by the real daemon as coming from (unprivileged) domain DOMID.
 * The domain must exist (DIR/dom/DOMID) and be XS_INTRODUCEd first.
 * Prints "ready" once it listens, and dies with the process that started it. Built by fetch.ts.
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

static volatile struct xenstore_domain_interface *r;
static int in_fd, out_fd;
static uint32_t port;

static void kick(void) { if (write(out_fd, &port, 4) != 4) {} }

int main(int argc, char **argv)
{
    if (argc != 4) errx(2, "usage: xsbridge DIR DOMID SOCKPATH");
    char p[4096], buf[1024];
    int dom = atoi(argv[2]), fd, ls, c = -1;
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    port = 100 + dom;
    snprintf(p, sizeof p, "%s/ring.%d", argv[1], dom);
    if ((fd = open(p, O_RDWR)) < 0) err(1, "%s (introduce the domain first)", p);
    r = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (r == MAP_FAILED) err(1, "mmap");
    snprintf(p, sizeof p, "%s/evt.%d", argv[1], dom);
    mkfifo(p, 0600);
    if ((in_fd = open(p, O_RDWR | O_NONBLOCK)) < 0) err(1, "%s", p);
    snprintf(p, sizeof p, "%s/evt.in", argv[1]);
    if ((out_fd = open(p, O_RDWR)) < 0) err(1, "%s", p);

    strncpy(a.sun_path, argv[3], sizeof a.sun_path - 1);
    unlink(argv[3]);
    ls = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(ls, (void *)&a, sizeof a) || listen(ls, 8)) err(1, "%s", argv[3]);
    if (write(1, "ready\n", 6) != 6) err(1, "stdout");

    for (;;) {
        uint32_t prod = r->req_prod, cons = r->req_cons;
        uint32_t room = XENSTORE_RING_SIZE - (prod - cons);
        struct pollfd f[3] = {
            { .fd = in_fd, .events = POLLIN },
            { .fd = c < 0 ? ls : -1, .events = POLLIN },
            { .fd = c >= 0 && room ? c : -1, .events = POLLIN },
        };
        poll(f, 3, c >= 0 ? 50 : -1);
        if (f[0].revents) if (read(in_fd, buf, sizeof buf) < 0) {}
        if (f[1].revents) {
            c = accept(ls, NULL, NULL);
            r->rsp_cons = r->rsp_prod;          /* drop replies to an older client */
        }
        if (c >= 0 && f[2].revents) {
            ssize_t n = read(c, buf, room < sizeof buf ? room : sizeof buf);
            if (n <= 0) { close(c); c = -1; continue; }
            for (ssize_t i = 0; i < n; i++) r->req[MASK_XENSTORE_IDX(prod + i)] = buf[i];
            __sync_synchronize();
            r->req_prod = prod + n;
            kick();
        }
        for (;;) {                              /* daemon -> client */
            uint32_t rp = r->rsp_prod, rc = r->rsp_cons, n = 0;
            __sync_synchronize();
            if (rp == rc) break;
            while (rc + n != rp && n < sizeof buf) { buf[n] = r->rsp[MASK_XENSTORE_IDX(rc + n)]; n++; }
            __sync_synchronize();
            r->rsp_cons = rc + n;
            kick();
            if (c >= 0 && send(c, buf, n, MSG_NOSIGNAL) < 0) { close(c); c = -1; }
        }
    }
}
