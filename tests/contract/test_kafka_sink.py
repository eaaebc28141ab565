"""What Kafka is handed: keys, headers, order by key, and what becomes of its errors."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from connectors.connections import Connection
from connectors.sinks.kafka import KafkaSink, Options, as_ours, open_sink
from schemas.errors import ConfigError, PermanentError, RefusedError, TransientError
from tests.kafka_broker import Broker


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.stop()


def event(number: int, *, key: str, stream: str = "demand", note: str = "") -> bytes:
    return json.dumps(
        {
            **{"id": f"e{number}", "type": f"crossdock.{stream}.v1", "specversion": "1.0", "partitionkey": key},
            **{"sequence": number, "datacontenttype": "application/json", "data": {"text": "Größe", "note": note}},
        }
    ).encode()


def sink(broker: Broker, topic: str, **settings: str) -> KafkaSink:
    given = {"bootstrap.servers": broker.address, **settings}
    return KafkaSink(given, topic, structured=False, timeout=timedelta(seconds=10))


def test_attributes_are_headers_and_streams_are_topics(broker: Broker) -> None:
    for stream in ("demand", "shipment"):
        broker.topic(f"dock.{stream}")
    sink(broker, "dock.{stream}").deliver([event(1, key="a"), event(2, key="b", stream="shipment")])
    [first] = broker.messages("dock.demand")
    assert first.key() == b"a"
    assert json.loads(first.value() or b"") == {"text": "Größe", "note": ""}
    assert dict(first.headers() or []) == {
        "ce_id": b"e1",
        "ce_type": b"crossdock.demand.v1",
        "ce_specversion": b"1.0",
        "ce_partitionkey": b"a",
        "ce_sequence": b"1",
        "content-type": b"application/json",
    }
    assert [message.key() for message in broker.messages("dock.shipment")] == [b"b"]


def test_order_is_kept_for_each_key_over_partitions(broker: Broker) -> None:
    topic = broker.topic("partitioned", 3)
    to = sink(broker, topic)
    for start in range(0, 300, 60):
        to.deliver([event(number, key=f"k{number % 7}") for number in range(start, start + 60)])
    read: dict[bytes, list[int]] = defaultdict(list)
    for message in broker.messages(topic, 3):
        read[message.key() or b""].append(int(dict(message.headers() or [])["ce_sequence"]))
    assert len(read) == 7
    assert sum(map(len, read.values())) == 300
    assert all(numbers == sorted(numbers) for numbers in read.values())


def test_an_event_that_is_too_large_is_refused_and_those_before_it_are_taken(broker: Broker) -> None:
    topic = broker.topic("small")
    to = sink(broker, topic, **{"message.max.bytes": "2000"})
    with pytest.raises(RefusedError, match="too large") as told:
        to.deliver([event(1, key="a"), event(2, key="a"), event(3, key="a", note="x" * 5000), event(4, key="a")])
    assert told.value.details["taken"] == 2
    assert [dict(m.headers() or [])["ce_id"] for m in broker.messages(topic)] == [b"e1", b"e2"]


def test_a_setting_that_is_none_is_a_mistake_in_the_file(broker: Broker) -> None:
    with pytest.raises(ConfigError, match=r"no\.such\.setting"):
        sink(broker, "x", **{"no.such.setting": "1"}).deliver([event(1, key="a")])


def test_login_comes_from_the_connection(tmp_path: Path) -> None:
    behind = Connection(conn_id="hub", type="kafka", host="kafka.example", login="me", password="s3cret")
    opened = open_sink(Options(conn_id="hub"), home=tmp_path, connections=lambda _: behind)
    assert isinstance(opened, KafkaSink)
    assert opened._settings["bootstrap.servers"] == "kafka.example:9092"
    assert opened._settings["sasl.password"] == "s3cret"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._ALL_BROKERS_DOWN, TransientError),
        (KafkaError._MSG_TIMED_OUT, TransientError),
        (KafkaError.NOT_ENOUGH_REPLICAS, TransientError),
        (KafkaError.MSG_SIZE_TOO_LARGE, RefusedError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, PermanentError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, PermanentError),
        (KafkaError.SASL_AUTHENTICATION_FAILED, PermanentError),
        (KafkaError._AUTHENTICATION, PermanentError),
    ],
)
def test_which_of_ours(code: int, kind: type[Exception]) -> None:
    assert type(as_ours(KafkaError(code), "hub")) is kind
