// libsocketcan, the kernel's headers for raw CAN sockets and for the state of interfaces, and what a poll on them needs.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/netlink.h>
#include <linux/can/raw.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <libsocketcan.h>

// glibc shows these only with _GNU_SOURCE, which Swift's import of glibc does not define; recvmmsg(2), sendmmsg(2), ppoll(2).
#ifndef __USE_GNU
struct mmsghdr {
  struct msghdr msg_hdr;
  unsigned int msg_len;
};
int recvmmsg(int socket, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout);
int sendmmsg(int socket, struct mmsghdr *messages, unsigned int count, int flags);
int ppoll(struct pollfd *descriptors, nfds_t count, const struct timespec *timeout, const __sigset_t *signals);
#endif
