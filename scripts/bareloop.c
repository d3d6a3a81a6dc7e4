// The yardstick of scripts/bench: the least that a program can do with datagrams on Linux. It receives with recvmmsg
// and appends each datagram and a line feed to a file, one write a batch. It checks nothing and rotates nothing.
//
//	bareloop PORT FILE MEBIBYTES
//
// The last is the socket's receive buffer.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 256, DATAGRAM = 65536 };

static struct mmsghdr headers[BATCH];
static struct iovec vectors[BATCH];
static char datagrams[BATCH][DATAGRAM];
static char lines[BATCH * DATAGRAM];

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void stop(int number) {
	(void)number;
	_exit(0);
}

static int open_socket(int port, int size) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("bind");
	return fd;
}

// join copies n datagrams into lines and returns how many bytes that makes.
static size_t join(int n) {
	char *end = lines;
	for (int i = 0; i < n; i++) {
		memcpy(end, datagrams[i], headers[i].msg_len);
		end += headers[i].msg_len;
		*end++ = '\n';
	}
	return end - lines;
}

int main(int argc, char **argv) {
	if (argc != 4) {
		fprintf(stderr, "usage: %s PORT FILE MEBIBYTES\n", argv[0]);
		return 2;
	}
	signal(SIGTERM, stop);
	int fd = open_socket(atoi(argv[1]), atoi(argv[3]) << 20);
	int file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (file < 0)
		die("open");
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){datagrams[i], DATAGRAM};
		headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	for (;;) {
		int n = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			die("recvmmsg");
		size_t size = join(n);
		if (write(file, lines, size) != (ssize_t)size)
			die("write");
	}
}
