# SPDX-License-Identifier: LGPL-2.1-only
"""What a program on pyxs does, one request at a time, for comparison. The commands of peer.c."""
import sys
import time

from pyxs import Client, PyXSError

requests = 0


def read(client, path):
    global requests
    requests += 1
    try:
        return client.read(path)
    except PyXSError:
        return None


def listing(client, path):
    global requests
    requests += 1
    try:
        return client.list(path)
    except PyXSError:
        return []


def controller(client, domid, record, devid):
    read(client, record + b"/type")
    backend = read(client, record + b"/backend")
    if backend is None:
        return
    for key in (b"/usb-ver", b"/num-ports"):
        read(client, backend + key)
    read(client, record + b"/type")
    global requests
    requests += 1
    frontend = client.get_domain_path(int(domid)) + b"/device/vusb/" + devid
    read(client, record + b"/backend")
    for key in (b"/state", b"/event-channel", b"/urb-ring-ref", b"/urb-ring-ref"):
        read(client, frontend + key)
    ports = int(read(client, backend + b"/num-ports") or 0)
    read(client, backend + b"/usb-ver")
    for port in range(1, ports + 1):
        read(client, record + b"/type")
        read(client, record + b"/backend")
        read(client, backend + b"/port/%d" % port)


def domain(client, domid):
    folder = b"/libxl/" + domid + b"/device/vusb"
    for devid in listing(client, folder):
        controller(client, domid, folder + b"/" + devid, devid)


def run(client, words):
    if words[0] == b"reads":
        for _ in range(int(words[1])):
            read(client, words[2])
    elif len(words) > 1:
        domain(client, words[1])
    else:
        for domid in listing(client, b"/local/domain"):
            domain(client, domid)


def main():
    global requests
    with Client() as client:
        for line in sys.stdin:
            requests = 0
            start = time.perf_counter()
            run(client, line.encode().split())
            print("%.1f %d" % ((time.perf_counter() - start) * 1e6, requests), flush=True)


main()
