/*
 * kill-at.so: ends a program, as kill -9 would, right before its n-th change to the host. Preloaded by kill-at, with
 * KILL_AT=n. That way a test reaches every state that a killed program can leave behind, and the same ones each time.
 *
 * A change is: a write to sysfs or to libxl's files, renaming or removing these, a request to xenstored that writes
 * outside a transaction or commits one, a command to QEMU that is about a device.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* xenstored's requests (xen/include/public/io/xs_wire.h). */
enum { TRANSACTION_END = 7, WRITE = 11, MKDIR = 12, RM = 13, SET_PERMS = 14 };

struct header {
	uint32_t type, request, transaction, length;
};

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void change(void)
{
	static atomic_int changes;
	const char *limit = getenv("KILL_AT");

	if (!limit || atomic_fetch_add(&changes, 1) + 1 != atoi(limit))
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static int starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static int is_of_host(const char *path)
{
	return starts_with(path, "/sys/") || starts_with(path, "/var/lib/xen/");
}

/* Whether one of these requests changes xenstore by itself, or commits what a transaction has changed. */
static int changes_xenstore(const char *bytes, size_t size)
{
	struct header header;

	for (size_t at = 0; at + sizeof(header) <= size; at += sizeof(header) + header.length) {
		memcpy(&header, bytes + at, sizeof(header));
		const char *payload = bytes + at + sizeof(header);
		if (header.type == TRANSACTION_END && header.length && payload < bytes + size && *payload == 'T')
			return 1;
		if (header.type >= WRITE && header.type <= SET_PERMS && !header.transaction)
			return 1;
	}
	return 0;
}

static int changes_device(const char *bytes, size_t size)
{
	return memmem(bytes, size, "device_add", 10) || memmem(bytes, size, "device_del", 10);
}

static int is_change(int fd, const char *bytes, size_t size)
{
	char link[32], path[256] = "";
	struct sockaddr_un peer = { 0 };
	socklen_t length = sizeof(peer) - 1;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		return 0;
	if (!strcmp(path, "/dev/xen/xenbus"))
		return changes_xenstore(bytes, size);
	if (!starts_with(path, "socket:"))
		return is_of_host(path);
	if (getpeername(fd, (struct sockaddr *)&peer, &length) || peer.sun_family != AF_UNIX)
		return 0;
	if (strstr(peer.sun_path, "xenstored"))
		return changes_xenstore(bytes, size);
	return strstr(peer.sun_path, "qmp-") && changes_device(bytes, size);
}

static void before_write(int fd, const void *bytes, size_t size)
{
	int saved = errno;

	if (is_change(fd, bytes, size))
		change();
	errno = saved;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	before_write(fd, bytes, size);
	return REAL(write)(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	before_write(fd, bytes, size);
	return REAL(pwrite64)(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	size_t size = 0;
	char *bytes, *end;

	for (int i = 0; i < count; i++)
		size += pieces[i].iov_len;
	bytes = end = malloc(size + 1);
	if (!bytes)
		abort();
	for (int i = 0; i < count; i++)
		end = mempcpy(end, pieces[i].iov_base, pieces[i].iov_len);
	before_write(fd, bytes, size);
	free(bytes);
	return REAL(writev)(fd, pieces, count);
}

int rename(const char *from, const char *to)
{
	if (is_of_host(to))
		change();
	return REAL(rename)(from, to);
}

int unlink(const char *path)
{
	if (is_of_host(path))
		change();
	return REAL(unlink)(path);
}
