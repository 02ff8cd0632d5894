"""xenstore: as much of a xenstored as jitsu-xen-vif needs: `xenstore.py SOCKET DIRECTORY`, each key
a file there, slashes as percent signs."""
import os
import socket
import struct
import sys

READ, WRITE, ERROR = 2, 11, 16


def answer(directory, kind, body):
    path, _, value = body.partition(b'\0')
    name = directory + '/' + path.decode().replace('/', '%')
    if kind == WRITE:
        with open(name, 'wb') as f:
            f.write(value)
        return kind, b'OK\0'
    if kind == READ and os.path.exists(name):
        with open(name, 'rb') as f:
            return kind, f.read()
    return ERROR, b'ENOENT\0' if kind == READ else b'EINVAL\0'


def serve(directory, conn):
    with conn, conn.makefile('rb') as f:
        while len(head := f.read(16)) == 16:
            kind, request, transaction, size = struct.unpack('=IIII', head)
            kind, body = answer(directory, kind, f.read(size))
            conn.sendall(struct.pack('=IIII', kind, request, transaction, len(body)) + body)


with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[1])
    listening.listen()
    while True:
        serve(sys.argv[2], listening.accept()[0])
