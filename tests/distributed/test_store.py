"""Stores: what each of them does with keys, and the TCP store's ways of failing."""
import socket
import threading
import time
from datetime import timedelta

import pytest

from flambeau import distributed as dist

SECOND = timedelta(seconds=1)


@pytest.fixture(params=["hash", "file", "tcp", "prefix"])
def store(request, tmp_path):
    if request.param == "hash":
        yield dist.HashStore()
    elif request.param == "file":
        yield dist.FileStore(str(tmp_path / "store"), 1)
    else:
        made = dist.TCPStore("127.0.0.1", 0, is_master=True)
        yield made if request.param == "tcp" else dist.PrefixStore("a/b", made)
        made.shutdown()


def test_keys_and_values(store):
    store.set("key", "value")
    store.set("bytes", b"\0\xff" * 5000)
    assert store.get("key") == b"value" and store.get("bytes") == b"\0\xff" * 5000
    store.set("key", "")
    assert store.get("key") == b""
    assert store.add("n", 2) == 2 and store.add("n", -5) == -3 and store.get("n") == b"-3"
    store.append("list", "a")
    store.append("list", "b")
    assert store.get("list") == b"ab"
    assert store.check(["key", "n"]) and not store.check(["key", "absent"])
    assert store.delete_key("n") and not store.delete_key("n") and not store.check(["n"])
    store.multi_set(["x", "y"], ["1", "2"])
    assert store.multi_get(["y", "x"]) == [b"2", b"1"]


def test_compare_set_as_pytorch(store):
    assert store.compare_set("q", "", "v") == b"v"
    assert store.compare_set("q", "z", "w") == b"v"
    assert store.compare_set("q", "v", "w") == b"w"
    assert store.compare_set("absent", "a", "w") == b"a" and not store.check(["absent"])


def test_what_is_missing_is_waited_for(store):
    store.set_timeout(timedelta(milliseconds=60))
    assert store.timeout == timedelta(milliseconds=60)
    with pytest.raises(dist.DistStoreError, match="wait timeout after 60ms, keys: /absent"):
        store.get("absent")
    with pytest.raises(dist.DistStoreError, match="wait timeout after 30ms, keys: /a, /b"):
        store.wait(["a", "b"], timedelta(milliseconds=30))
    threading.Timer(0.1, store.set, ["late", "1"]).start()
    store.wait(["late"], 5 * SECOND)
    assert store.get("late") == b"1"


def test_prefixes_keep_stores_apart():
    whole = dist.HashStore()
    a, b = dist.PrefixStore("a", whole), dist.PrefixStore("b", whole)
    a.set("key", "1")
    b.set("key", "2")
    assert a.get("key") == b"1" and whole.get("b/key") == b"2" and whole.num_keys() == 2


def test_processes_meet_in_a_file(tmp_path):
    path = str(tmp_path / "store")
    one, other = dist.FileStore(path, 2), dist.FileStore(path, 2)
    threads = [threading.Thread(target=lambda s=s: [s.add("n", 1) for _ in range(50)]) for s in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.get("n") == other.get("n") == b"100"


def test_clients_of_a_tcp_store():
    host = dist.TCPStore("127.0.0.1", 0, is_master=True)
    clients = [dist.TCPStore("127.0.0.1", host.port) for _ in range(3)]
    clients[0].set("key", "1")
    assert [client.get("key") for client in clients] == [b"1"] * 3
    # one that waits does not keep the others from using the connection
    waiting = threading.Thread(target=clients[1].wait, args=(["late"],))
    waiting.start()
    begin = time.monotonic()
    clients[2].set("late", "")
    waiting.join(5)
    assert not waiting.is_alive() and time.monotonic() - begin < 5
    for client in clients[1:]:
        client.close()
    host.shutdown()
    with pytest.raises(dist.DistNetworkError, match="lost the connection to the store"):
        clients[0].get("key")
        clients[0].get("key")


def test_a_will_is_carried_out_unless_goodbye_is_said():
    host = dist.TCPStore("127.0.0.1", 0, is_master=True)
    polite, gone = dist.TCPStore("127.0.0.1", host.port), dist.TCPStore("127.0.0.1", host.port)
    polite.set_will("lost", "polite ")
    gone.set_will("lost", "gone ")
    polite.close()
    gone._disconnect()
    host.wait(["lost"], 5 * SECOND)
    assert host.get("lost") == b"gone "
    host.shutdown()


def test_all_workers_are_waited_for():
    with pytest.raises(dist.DistStoreError, match="1/2 clients joined"):
        dist.TCPStore("127.0.0.1", 0, 2, True, timeout=timedelta(milliseconds=50))


def test_port_in_use_and_nobody_there(free_port):
    host = dist.TCPStore("127.0.0.1", 0, is_master=True)
    with pytest.raises(dist.DistNetworkError, match=f"port: {host.port}.*EADDRINUSE, address already in use"):
        dist.TCPStore("127.0.0.1", host.port, is_master=True)
    host.shutdown()
    with pytest.raises(dist.DistNetworkError, match="client socket has timed out after 50ms"):
        dist.TCPStore("127.0.0.1", free_port, timeout=timedelta(milliseconds=50))


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\x01" + b"\0" * 7 + b"\x03" + b"\0" * 7 + b"bad"])
def test_strangers_do_no_harm(noise):
    host = dist.TCPStore("127.0.0.1", 0, is_master=True)
    with socket.create_connection(("127.0.0.1", host.port)) as stranger:
        stranger.sendall(noise)
        stranger.settimeout(5)
        try:
            assert stranger.recv(1) == b""
        except ConnectionResetError:
            pass
    host.set("key", "1")
    assert host.get("key") == b"1"
    host.shutdown()


def test_a_secret():
    """Only who knows it can use the store; a host that is asked for it must know it, too."""
    host = dist.TCPStore("127.0.0.1", 0, is_master=True, secret=b"one")
    host.set("key", "value")
    friend = dist.TCPStore("127.0.0.1", host.port, timeout=SECOND, secret=b"one")
    assert friend.get("key") == b"value"
    with pytest.raises(dist.DistNetworkError, match="has another one"):
        dist.TCPStore("127.0.0.1", host.port, timeout=SECOND, secret=b"two")
    stranger = dist.TCPStore("127.0.0.1", host.port, timeout=SECOND)
    with pytest.raises(dist.DistError):
        stranger.get("key")
    host.shutdown()
    host = dist.TCPStore("127.0.0.1", 0, is_master=True)
    with pytest.raises(dist.DistNetworkError, match="was not asked for this job's secret"):
        dist.TCPStore("127.0.0.1", host.port, timeout=SECOND, secret=b"one")
    host.shutdown()


def test_a_host_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = dist.TCPStore("127.0.0.1", silent.getsockname()[1], timeout=SECOND)
        with pytest.raises(dist.DistStoreError, match="has not answered for 1000ms"):
            store.set("key", "value")
        store.close()
