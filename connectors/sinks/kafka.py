"""Events to Kafka, by the CloudEvents Kafka Protocol Binding 1.0.2.

One message an event, in ``binary`` mode (attributes in ``ce_`` headers, the data as value; section 3.2) or in
``structured`` mode (the whole event as value; section 3.3). Its key is the event's ``partitionkey``, so that Kafka
keeps the order of each. The producer is idempotent: what it sends again because an answer got lost is written once.
A batch is delivered when the brokers have acknowledged every message of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import Field, model_validator

from connectors.base import Sink
from connectors.connections import Connections
from connectors.sinks.columns import stream_of
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import ConfigError, CrossdockError, PermanentError, RefusedError, TransientError
from schemas.events import CloudEvent

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer


class Options(Strict):
    """``sink: {kind: kafka, brokers: "kafka.example:9092", topic: "crossdock.{stream}"}`` or with a ``conn_id``."""

    brokers: str | None = None  #: ``host:port``, several parted by commas
    conn_id: str | None = None  #: host and port unless ``brokers`` says them; login and password (SASL)
    topic: Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]|\{stream\})+$")] = "crossdock.{stream}"
    mode: Literal["binary", "structured"] = "binary"
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=60)  #: for all of a batch
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    #: any other of librdkafka's, as it calls them: ``security.protocol: SASL_SSL``
    settings: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _has_brokers(self) -> Options:
        if self.brokers is None and self.conn_id is None:
            raise ValueError("needs brokers or conn_id")
        return self


def open_sink(options: Options, *, home: Path, connections: Connections) -> Sink:  # noqa: ARG001
    brokers, login = options.brokers, {}
    if options.conn_id is not None:
        connection = connections(options.conn_id)
        brokers = brokers or f"{connection.host}:{connection.port or 9092}"
        if connection.login:
            login = {"sasl.username": connection.login, "sasl.password": connection.password}
            login |= {"sasl.mechanism": "PLAIN", "security.protocol": "SASL_SSL"}
    assert brokers is not None
    settings = {"bootstrap.servers": brokers, "compression.type": options.compression, **login, **options.settings}
    return KafkaSink(settings, options.topic, structured=options.mode == "structured", timeout=options.timeout)


_Headers = list[tuple[str, str | bytes | None]]
_Message = tuple[str, str, bytes, _Headers]  # the event's type; the message's key, value and headers

#: What becomes headers: the attributes of our events, each of which one of them may lack.
_ATTRIBUTES = tuple(name for name in CloudEvent.__struct_fields__ if name not in ("data", "datacontenttype"))
_event: Any = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Event",
        [
            *((name, str | int | UnsetType, UNSET) for name in _ATTRIBUTES),
            ("datacontenttype", str, "application/json"),
            ("data", msgspec.Raw, msgspec.Raw(b"")),
        ],
    )
).decode
_values = attrgetter(*_ATTRIBUTES)
_HEADERS = tuple(f"ce_{name}" for name in _ATTRIBUTES)
_STRUCTURED: _Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
_LISTENED = 256  #: messages handed to the producer between two looks at what the brokers say
_QUEUED = 100_000  #: messages that wait in the producer at most


class KafkaSink:
    """See the module. ``settings`` are librdkafka's."""

    def __init__(self, settings: Mapping[str, str], topic: str, *, structured: bool, timeout: timedelta) -> None:
        self._settings = settings
        self._place = settings["bootstrap.servers"]
        self._topic = topic
        self._structured = structured
        self._timeout = timeout.total_seconds()
        self._producer: Producer | None = None
        self._failed: list[KafkaError] = []  # of the batch under way

    def deliver(self, events: Sequence[bytes]) -> None:
        """Produce the batch and wait for every acknowledgment.

        Raises TransientError when brokers are away or slow, RefusedError for an event that is too large (``taken``
        says how many were delivered before it), PermanentError for what is wrong with the topic or with us.
        """
        if not events:
            return
        self._failed.clear()
        producer = self._open()
        sent, refusal = self._send(producer, events)
        if producer.flush(self._timeout) or self._failed:
            self._abandon()
            if self._failed:
                raise as_ours(self._failed[0], self._place)
            raise TransientError(f"{self._place}: not every message was acknowledged within {self._timeout:g} s")
        if refusal is not None:
            refusal.details["taken"] = sent
            raise refusal

    def close(self) -> None:
        self._producer = None

    def _send(self, producer: Producer, events: Sequence[bytes]) -> tuple[int, CrossdockError | None]:
        """Hand the messages to the producer; how many, and why the next one is refused."""
        from confluent_kafka import KafkaException

        failed, message = self._failed, _structured if self._structured else _binary
        topics: dict[str, str] = {}
        for sent, written in enumerate(events):
            if sent % _LISTENED == 0:
                producer.poll(0)
            type, key, value, headers = message(written)
            topic = topics.get(type) or topics.setdefault(type, self._topic_of(type))
            try:
                while not _queued(producer, topic, value, key, headers):
                    producer.poll(0.1)  # what is under way has to be acknowledged first
            except KafkaException as error:
                return sent, as_ours(error.args[0], self._place)
            if failed:
                return sent, None
        return len(events), None

    def _told(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._failed.append(error)

    def _topic_of(self, type: str) -> str:
        return self._topic.replace("{stream}", stream_of(type))

    def _open(self) -> Producer:
        if self._producer is None:
            from confluent_kafka import KafkaException, Producer

            ours = {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "message.timeout.ms": int(self._timeout * 1000),
                "queue.buffering.max.messages": _QUEUED,
                "on_delivery": self._told,
                "delivery.report.only.error": True,  # what went well need not be told one by one
            }
            try:
                self._producer = Producer({**ours, **self._settings}, logger=_quiet())
            except KafkaException as error:
                raise ConfigError(f"{self._place}: {error.args[0].str()}", hint="mend the outlet's settings") from None
        return self._producer

    def _abandon(self) -> None:
        """What is still under way must not arrive behind what is sent next: the producer goes with it."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(1)
            self._producer = None


def _queued(producer: Producer, topic: str, value: bytes, key: str, headers: _Headers) -> bool:
    """Whether the producer had room for it."""
    try:
        producer.produce(topic, value, key, headers=headers)
    except BufferError:
        return False
    return True


def _structured(written: bytes) -> _Message:
    event = _event(written)
    return event.type, event.partitionkey, written, _STRUCTURED


def _binary(written: bytes) -> _Message:
    """Attributes as headers: ``ce_`` and the attribute's name, its value as UTF-8 (section 3.2.3)."""
    event = _event(written)
    told = zip(_HEADERS, _values(event), strict=True)
    headers: _Headers = [
        (name, value if type(value) is str else str(value)) for name, value in told if value is not UNSET
    ]
    headers.append(("content-type", event.datacontenttype))
    return event.type, event.partitionkey, bytes(event.data), headers


def as_ours(error: KafkaError, place: str) -> CrossdockError:
    """The error of ours that one of Kafka's means."""
    from confluent_kafka import KafkaError as Theirs

    story = f"{place}: {error.str()}"
    code = error.code()
    if code in (Theirs.MSG_SIZE_TOO_LARGE, Theirs.INVALID_MSG, Theirs.INVALID_RECORD, Theirs.INVALID_MSG_SIZE):
        return RefusedError(story, hint="the topic's max.message.bytes says what it takes")
    if code in (Theirs.UNKNOWN_TOPIC_OR_PART, Theirs._UNKNOWN_TOPIC, Theirs.TOPIC_EXCEPTION):
        return PermanentError(story, hint="make the topic, or mend its name in the outlet")
    if code in _OF_US or code in (Theirs._AUTHENTICATION, Theirs.SASL_AUTHENTICATION_FAILED):
        return PermanentError(story, hint="give the outlet's connection the right credentials")
    if error.fatal() and not error.retriable():
        return TransientError(story, hint="a new producer is made for the next try")
    if error.retriable() or code < 0 or code in _PASSING:
        return TransientError(story)
    return PermanentError(story)


#: TOPIC_, GROUP_, CLUSTER_ and TRANSACTIONAL_ID_AUTHORIZATION_FAILED (error codes of the Kafka protocol).
_OF_US = frozenset({29, 30, 31, 53})
#: NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT, OUT_OF_ORDER_SEQUENCE_NUMBER,
#: UNKNOWN_PRODUCER_ID, KAFKA_STORAGE_ERROR, THROTTLING_QUOTA_EXCEEDED.
_PASSING = frozenset({7, 19, 20, 45, 56, 59, 89})


def _quiet() -> Any:
    """librdkafka writes to standard error unless it has a logger; errors come back as values anyway."""
    import logging

    logger = logging.getLogger("crossdock.kafka")
    logger.addHandler(logging.NullHandler())
    return logger
