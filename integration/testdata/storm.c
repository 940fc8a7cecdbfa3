/*
 * Works on files while a thousand SIGALRM and a thousand SIGURG a second arrive, whose handlers do not restart system calls. Every call has to end
 * as if there were no signals: never EINTR, never a part of a write. usage: storm DIRECTORY ROUNDS SIGNALS
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define SIZE 200000

static atomic_long alarms, urgents;
static pthread_t worker;
static char data[SIZE], back[SIZE];

static void on_signal(int n) { n == SIGALRM ? alarms++ : urgents++; }

static void *urge(void *arg)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL); /* all go to the worker */
	for (;;) {
		pthread_kill(worker, SIGURG);
		struct timespec ms = {0, 1000000};
		nanosleep(&ms, NULL);
	}
	return arg;
}

static void want(const char *what, long got, long wanted)
{
	if (got == wanted)
		return;
	fprintf(stderr, "%s: %ld, not %ld: %s\n", what, got, wanted, strerror(errno));
	exit(1);
}

#define OK(call) want(#call, (call), 0)

static int opened(const char *name, int flags)
{
	int fd = open(name, flags, 0644);
	if (fd < 0)
		want(name, fd, 3);
	return fd;
}

static void check(const char *name, int n)
{
	int fd = opened(name, O_RDONLY);
	want("read", read(fd, back, n), n);
	OK(memcmp(data, back, n));
	OK(close(fd));
}

static void names(void)
{
	int n = 0;
	DIR *d = opendir(".");
	if (!d)
		want("opendir", -1, 0);
	for (errno = 0; readdir(d); n++)
		errno = 0;
	want("readdir", errno, 0);
	want("entries", n, 4);
	OK(closedir(d));
}

static void mapping(const char *name)
{
	int fd = opened(name, O_RDWR);
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		want("mmap", -1, 0);
	p[SIZE / 2] = data[SIZE / 2] = data[SIZE / 2] + 1;
	OK(msync(p, SIZE, MS_SYNC));
	OK(munmap(p, SIZE));
	OK(close(fd));
}

static void once(int round)
{
	struct stat st;
	for (int i = 0; i < SIZE; i++)
		data[i] = round + i / 1000;
	int fd = opened("a", O_CREAT | O_EXCL | O_WRONLY);
	want("write", write(fd, data, SIZE), SIZE);
	OK(fsync(fd));
	for (int off = 0; off < SIZE; off += 4000)
		want("pwrite", pwrite(fd, data + off, 4000, off), 4000);
	OK(fdatasync(fd));
	OK(close(fd));
	OK(rename("a", "b"));
	OK(mkdir("dir", 0755));
	names();
	OK(link("b", "dir/hard"));
	OK(symlink("../b", "dir/soft"));
	check("dir/soft", SIZE);
	mapping("b");
	check("dir/hard", SIZE);
	OK(stat("b", &st));
	want("size", st.st_size, SIZE);
	OK(truncate("b", 10));
	OK(chmod("b", 0600));
	check("b", 10);
	OK(unlink("dir/hard"));
	OK(unlink("dir/soft"));
	OK(rmdir("dir"));
	OK(unlink("b"));
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	if (chdir(argv[1]) != 0)
		want("chdir", -1, 0);
	struct sigaction act = {.sa_handler = on_signal}; /* without SA_RESTART */
	OK(sigaction(SIGALRM, &act, NULL));
	OK(sigaction(SIGURG, &act, NULL));
	worker = pthread_self();
	pthread_t urger;
	OK(pthread_create(&urger, NULL, urge, NULL));
	struct itimerval ms = {{0, 1000}, {0, 1000}};
	OK(setitimer(ITIMER_REAL, &ms, NULL));
	int round = 0;
	for (long enough = atol(argv[3]); round < atoi(argv[2]) || alarms < enough || urgents < enough; round++)
		once(round);
	printf("%d rounds, %ld SIGALRM, %ld SIGURG\n", round, alarms, urgents);
	return 0;
}
