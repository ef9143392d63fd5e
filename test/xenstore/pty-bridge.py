"""A character device that leads to a Unix socket: a pseudo terminal in raw mode, whose path is printed.

Stands in for /dev/xen/xenbus in tests. Ends when either side does, or when its standard input ends.
"""
import os
import select
import socket
import sys
import tty

peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
master, slave = os.openpty()
tty.setraw(slave)
# Written in one piece: print may be unbuffered.
os.write(1, os.ttyname(slave).encode() + b"\n")
# Kept open until the client has it: the master reads EIO while nobody has the other end.
to_peer, to_client = b"", b""
os.set_blocking(master, False)
peer.setblocking(False)
while True:
    readers = [0] + ([master] if len(to_peer) < 65536 else []) + ([peer] if len(to_client) < 65536 else [])
    writers = ([peer] if to_peer else []) + ([master] if to_client else [])
    readable, writable, _ = select.select(readers, writers, [])
    try:
        if 0 in readable and not os.read(0, 1):
            sys.exit(0)
        if master in readable:
            to_peer += os.read(master, 65536)
            if slave >= 0:
                os.close(slave)
                slave = -1
        if peer in readable:
            chunk = peer.recv(65536)
            if not chunk:
                sys.exit(0)
            to_client += chunk
        if peer in writable:
            to_peer = to_peer[peer.send(to_peer):]
        if master in writable:
            to_client = to_client[os.write(master, to_client):]
    except BlockingIOError:
        pass
    except OSError:
        # The client has closed its end.
        os.write(1, b"closed\n")
        sys.exit(0)
