"""Processes that compare notes; here they are threads."""
import socket
from datetime import timedelta
from threading import Thread

import pytest

import flambeau.distributed as dist
from flambeau.distributed._agreement import Agreement


def in_threads(size, body):
    """What body(rank) returns or raises, by rank."""
    found = [None] * size

    def run(rank):
        try:
            found[rank] = body(rank)
        except Exception as error:
            found[rank] = error
    threads = [Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def agreements(size):
    store = dist.HashStore()
    return in_threads(size, lambda rank: Agreement(store, rank, size, "127.0.0.1", timedelta(seconds=10)))


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_the_same_note_is_agreement_and_another_one_is_not(size):
    group = agreements(size)
    try:
        for odd in (None, 0, size - 1, None):
            notes = [5 + (rank == odd) for rank in range(size)]
            assert in_threads(size, lambda rank: group[rank].reached(notes[rank])) == [odd is None] * size
    finally:
        for each in group:
            each.close()


def test_who_waits_for_one_that_is_gone_is_told():
    group = agreements(4)
    group[3].close()
    found = in_threads(4, lambda rank: group[rank].reached(1) if rank == 1 else None)  # above number 3
    assert isinstance(found[1], dist.DistBackendError) and "Connection closed by peer" in str(found[1])
    group[0].close()
    found = in_threads(4, lambda rank: group[rank].reached(1) if rank == 2 else None)  # below number 0
    assert isinstance(found[2], dist.DistBackendError)
    for each in group:
        each.close()


def test_strangers_are_not_let_in():
    """They may come first, say something else, or nothing."""
    store = dist.HashStore()

    def body(rank):
        if rank == 2:
            address, _, port = store.get("below 0").decode().rpartition(":")
            with socket.create_connection((address, int(port))) as wrong, socket.create_connection((address, int(port))) as silent:
                wrong.sendall(b"x" * 32)
                assert wrong.recv(1) == b""
                silent.shutdown(socket.SHUT_RDWR)
            return store.set("knocked", "")
        if rank == 1:
            store.get("knocked")
        return Agreement(store, rank, 2, "127.0.0.1", timedelta(seconds=10))
    first, second, _ = in_threads(3, body)
    assert in_threads(2, lambda rank: [first, second][rank].reached(7)) == [True, True]
    first.close()
    second.close()
