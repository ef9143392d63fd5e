// SPDX-License-Identifier: LGPL-2.1-only
/* shim.h: what the parts of the stand-in for Xen share (shim.c says what it is). */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

/* $XS_SHIM_DIR */
static inline const char *dir(void)
{
    const char *d = getenv("XS_SHIM_DIR");
    return d ? d : "/tmp/xs-shim";
}

static inline const char *in_dir(char *buf, size_t n, const char *fmt, unsigned int v)
{
    char leaf[64];
    snprintf(leaf, sizeof leaf, fmt, v);
    snprintf(buf, n, "%s/%s", dir(), leaf);
    return buf;
}

#define REAL(ret, name, args) \
    static ret (*real_##name) args; \
    if (!real_##name) real_##name = (ret (*) args)dlsym(RTLD_NEXT, #name)

static inline void make_page(const char *p)
{
    REAL(int, open, (const char *, int, ...));
    int fd = real_open(p, O_RDWR | O_CREAT, 0600);
    if (fd >= 0) {
        struct stat st;
        if (!fstat(fd, &st) && st.st_size < 4096 && ftruncate(fd, 4096)) {}
        close(fd);
    }
}
