/*
 * measure-disk DISK BYTES COUNT read|write|scattered
 *
 * Reads or writes blocks one after the other, past the page cache, and prints in one line: the median and the 99th
 * percentile of their times in microseconds, and MB/s. The pages of a block are side by side in memory, so that they are
 * one piece to a driver, or with `scattered` never.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define POOL 4096
#define PIECES 64

struct page {
	uint64_t frame;
	char *address;
};

static int by_frame(const void *a, const void *b)
{
	uint64_t x = ((const struct page *)a)->frame, y = ((const struct page *)b)->frame;
	return (x > y) - (x < y);
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* Pages for a block, in the order in which they are filled. */
static int choose(struct page *pool, size_t wanted, int scattered, struct iovec *pieces)
{
	size_t run = 0;
	const struct page *last = NULL;
	for (size_t at = 0; at < POOL; at++) {
		int follows = last != NULL && pool[at].frame == last->frame + 1;
		if (scattered && follows)
			continue;
		if (!scattered && !follows)
			run = 0;
		last = &pool[at];
		pieces[run].iov_base = pool[at].address;
		pieces[run].iov_len = PAGE;
		if (++run == wanted)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	size_t bytes = strtoul(argv[2], NULL, 10), count = strtoul(argv[3], NULL, 10);
	int writing = !strcmp(argv[4], "write"), scattered = !strcmp(argv[4], "scattered");
	size_t pages = (bytes + PAGE - 1) / PAGE;
	if (bytes == 0 || count == 0 || pages > PIECES)
		return 2;

	char *memory = mmap(NULL, POOL * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int map = open("/proc/self/pagemap", O_RDONLY);
	if (memory == MAP_FAILED || map < 0)
		fail("memory");
	static struct page pool[POOL];
	for (size_t at = 0; at < POOL; at++) {
		uint64_t entry;
		pool[at].address = memory + at * PAGE;
		memset(pool[at].address, (int)at, PAGE);
		off_t where = (off_t)((uintptr_t)pool[at].address / PAGE * 8);
		if (pread(map, &entry, 8, where) != 8)
			fail("pagemap");
		pool[at].frame = entry & ((1ULL << 55) - 1);
	}
	qsort(pool, POOL, sizeof *pool, by_frame);
	struct iovec pieces[PIECES];
	if (!choose(pool, pages, scattered, pieces)) {
		fprintf(stderr, "no such pages\n");
		return 1;
	}
	if (bytes < PAGE)
		pieces[0].iov_len = bytes;

	int disk = open(argv[1], (writing ? O_RDWR : O_RDONLY) | O_DIRECT);
	uint64_t size;
	if (disk < 0 || ioctl(disk, BLKGETSIZE64, &size))
		fail(argv[1]);
	double *times = malloc(count * sizeof *times), begin = now_us();
	/* The second half: files are in the first. */
	off_t first = (off_t)(size / 2), at = first;
	for (size_t n = 0; n < count; n++, at += (off_t)bytes) {
		if (at + bytes > size)
			at = first;
		double from = now_us();
		ssize_t done = writing ? pwritev(disk, pieces, (int)pages, at) : preadv(disk, pieces, (int)pages, at);
		times[n] = now_us() - from;
		if (done != (ssize_t)bytes)
			fail("transfer");
	}
	double taken = now_us() - begin;
	qsort(times, count, sizeof *times, by_time);
	printf("%.0f %.0f %.2f\n", times[count / 2], times[count * 99 / 100], bytes * count / taken);
	return 0;
}
