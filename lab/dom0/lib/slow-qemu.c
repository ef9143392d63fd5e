/*
 * slow-qemu.so: stops a QEMU right before it answers that it has added a device, as long as the file /run/slow-qemu
 * exists. It continues when it gets SIGCONT. That gives a test a QEMU that does what it was told but does not answer in
 * time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char command[] = "device_add";
static int known;         /* so many of its bytes were read */
static int answering = -1; /* the socket that it came by */

/* QEMU reads its commands byte by byte. */
static void read_byte(int fd, char byte)
{
	known = byte == command[known] ? known + 1 : byte == command[0];
	if (command[known])
		return;
	known = 0;
	answering = fd;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t size = REAL(recvmsg)(fd, message, flags);

	for (ssize_t at = 0; at < size && message->msg_iovlen == 1; at++)
		read_byte(fd, ((char *)message->msg_iov[0].iov_base)[at]);
	return size;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (fd == answering) {
		answering = -1;
		if (!access("/run/slow-qemu", F_OK))
			kill(getpid(), SIGSTOP);
	}
	return REAL(sendmsg)(fd, message, flags);
}
