/*
 * test-usb DEVICE INTERFACE TEST ITERATIONS LENGTH VARY SGLEN
 *
 * Has the kernel's driver usbtest run one of its tests on a device (/dev/bus/usb/001/002), and prints `ok` or the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* What usbtest takes (drivers/usb/misc/usbtest.c: usbtest_param_64). */
struct parameters {
	__u32 test, iterations, length, vary, sglen;
	__s64 seconds, microseconds;
};

int main(int argc, char **argv)
{
	if (argc != 8)
		return 2;
	struct parameters parameters = {
		.test = (unsigned)atoi(argv[3]),
		.iterations = (unsigned)atoi(argv[4]),
		.length = (unsigned)atoi(argv[5]),
		.vary = (unsigned)atoi(argv[6]),
		.sglen = (unsigned)atoi(argv[7]),
	};
	struct usbdevfs_ioctl call = {
		.ifno = atoi(argv[2]),
		.ioctl_code = (int)_IOWR('U', 100, struct parameters),
		.data = &parameters,
	};
	int device = open(argv[1], O_RDWR);
	if (device < 0 || ioctl(device, USBDEVFS_IOCTL, &call) < 0) {
		printf("%s\n", strerror(errno));
		return 1;
	}
	puts("ok");
	return 0;
}
