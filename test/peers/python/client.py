"""The grpcio client of the end-to-end tests: tries a target, with the same cases as the grpc-go peer.

client.py check TARGET [CASE ...]   runs all cases or those named, one line of JSON each; exit 1 if one fails
client.py cases                     the names of the cases
"""
import json
import queue
import sys
import threading
import time

import grpc
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from behavior import METHODS, OPTIONS, SERVICE, Behavior, Status

CASE_TIMEOUT = 20  # seconds
MESSAGE = "no such thing: 100 % ünïcödé ☃"


class Target:
    """A channel of its own and one callable per method."""

    def __init__(self, address: str) -> None:
        # A subchannel of its own too: grpcio shares connections between channels of one process.
        options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options=options)
        makers = {
            (False, False): self.channel.unary_unary,
            (False, True): self.channel.unary_stream,
            (True, False): self.channel.stream_unary,
            (True, True): self.channel.stream_stream,
        }
        for name, (request, response, streams_in, streams_out) in METHODS.items():
            maker = makers[streams_in, streams_out]
            setattr(self, name, maker(f"/{SERVICE}/{name}", request.SerializeToString, response.FromString))


def request(method: str, **fields):
    return METHODS[method][0](**fields)


def pattern(size: int) -> bytes:
    period = bytes(((i * 31) >> 3) & 255 for i in range(2048))
    return (period * (size // len(period) + 1))[:size]


def want(condition: bool, problem: str) -> None:
    if not condition:
        raise AssertionError(problem)


def ends_with(code: grpc.StatusCode, call) -> grpc.RpcError:
    try:
        call()
    except grpc.RpcError as error:
        want(error.code() == code, f"ended with {error.code()} ({error.details()}), not with {code}")
        return error
    raise AssertionError(f"ended well, not with {code}")


def echo(t: Target, data: bytes, **options) -> None:
    response = t.Unary(request("Unary", payload=data), timeout=CASE_TIMEOUT, **options)
    want(response.payload == data, f"sent {len(data)} bytes, and got {len(response.payload)} others back")


def metadata(t: Target) -> None:
    every = bytes(range(256))
    sent = [
        ("x-echo-text", "one"),
        ("x-echo-text", "two"),
        ("x-echo-raw-bin", every),
        ("x-trail-text", "with, comma"),
        ("x-trail-raw-bin", every[:5]),
        ("x-trail-raw-bin", every[5:]),
    ]
    response, call = t.Unary.with_call(request("Unary"), metadata=sent, timeout=CASE_TIMEOUT)
    received = [*call.initial_metadata(), *call.trailing_metadata()]
    for key in dict(sent):
        before, after = ([value for name, value in entries if name == key] for entries in (sent, received))
        # Repeated text may arrive joined: gRPC over HTTP/2 allows it, and node:http2 does it.
        same = before == after if key.endswith("-bin") else ", ".join(before) == ", ".join(after)
        want(same, f"{key} went out as {before!r:.200} and came back as {after!r:.200}")
    want(any(e.key == "x-echo-raw-bin" and e.value for e in response.seen.metadata), "the service did not see x-echo-raw-bin")


def refuse(t: Target) -> None:
    detail = any_pb2.Any()
    detail.Pack(wrappers_pb2.StringValue(value="detail"))
    status = Status(code=5, message=MESSAGE, details=[detail])
    ask = request("Unary", behavior=Behavior(refuse=status))
    sent = [("x-trail-why", "because")]
    error = ends_with(grpc.StatusCode.NOT_FOUND, lambda: t.Unary(ask, metadata=sent, timeout=CASE_TIMEOUT))
    want(error.details() == MESSAGE, f"the message is {error.details()!r}")
    trailers = dict(error.trailing_metadata())
    want(trailers.get("x-trail-why") == "because", f"the trailers are {trailers}")
    want(Status.FromString(trailers.get("grpc-status-details-bin", b"")) == status, "the details are others")


def server_stream(t: Target, count: int, size: int) -> None:
    data = pattern(size)
    ask = request("ServerStream", behavior=Behavior(response_count=count), payload=data)
    responses = list(t.ServerStream(ask, timeout=CASE_TIMEOUT))
    want([r.index for r in responses] == list(range(count)), f"{len(responses)} responses, not {count} in order")
    want(all(r.payload == data for r in responses), "a payload is another")


def fails_late(t: Target) -> None:
    ask = request("ServerStream", behavior=Behavior(response_count=3, fail=Status(code=9, message=MESSAGE)))
    got = []
    error = ends_with(grpc.StatusCode.FAILED_PRECONDITION, lambda: got.extend(t.ServerStream(ask, timeout=CASE_TIMEOUT)))
    want(error.details() == MESSAGE, f"the message is {error.details()!r}")
    want(len(got) == 3, f"{len(got)} responses, not 3")


def client_stream(t: Target) -> None:
    count, size = 50, 10 << 10
    ask = (request("ClientStream", payload=pattern(size)) for _ in range(count))
    response = t.ClientStream(ask, timeout=CASE_TIMEOUT)
    want(
        (response.request_count, response.request_bytes) == (count, count * size),
        f"the service counted {response.request_count} requests of {response.request_bytes} bytes",
    )


def refused_early(t: Target) -> None:
    over = threading.Event()

    def requests():
        behavior = Behavior(refuse=Status(code=7, message=MESSAGE))
        while not over.is_set():
            yield request("ClientStream", behavior=behavior, payload=pattern(1 << 10))

    try:
        ends_with(grpc.StatusCode.PERMISSION_DENIED, lambda: t.ClientStream(requests(), timeout=CASE_TIMEOUT))
    finally:
        over.set()


def ping_pong(t: Target, count: int, size: int) -> None:
    data = pattern(size)
    to_send: queue.SimpleQueue = queue.SimpleQueue()
    responses = t.BidiStream(iter(to_send.get, None), timeout=CASE_TIMEOUT)
    try:
        for index in range(count):
            to_send.put(request("BidiStream", payload=data))
            response = next(responses)
            want(response.index == index and response.payload == data, f"response {index} is number {response.index}")
    finally:
        to_send.put(None)
    want(next(responses, None) is None, "there is one more response")


def server_ends_first(t: Target) -> None:
    to_send: queue.SimpleQueue = queue.SimpleQueue()
    responses = t.BidiStream(iter(to_send.get, None), timeout=CASE_TIMEOUT)
    try:
        for _ in range(3):
            to_send.put(request("BidiStream", behavior=Behavior(stop_after=3)))
            next(responses)
        want(next(responses, None) is None, "there is one more response")
        want(responses.code() == grpc.StatusCode.OK, f"ended with {responses.code()}")
    finally:
        to_send.put(None)


def cancel(t: Target) -> None:
    behavior = Behavior(response_count=1_000_000, interval=duration_pb2.Duration(nanos=20_000_000))
    responses = t.ServerStream(request("ServerStream", behavior=behavior), timeout=CASE_TIMEOUT)
    next(responses)
    responses.cancel()
    ends_with(grpc.StatusCode.CANCELLED, lambda: list(responses))
    echo(t, b"the connection goes on")


def deadline_passes(t: Target) -> None:
    begun = time.monotonic()
    ask = request("Unary", behavior=Behavior(delay=duration_pb2.Duration(seconds=10)))
    ends_with(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: t.Unary(ask, timeout=0.2))
    want(time.monotonic() - begun < 3, f"it took {time.monotonic() - begun:.1f} s")


def deadline_is_passed_on(t: Target) -> None:
    seen = t.Unary(request("Unary"), timeout=10).seen
    left = seen.time_left.seconds + seen.time_left.nanos / 1e9
    # grpcio rounds the timeout that it sends up, by as much as 0.1 s.
    want(seen.HasField("time_left") and 5 < left <= 10.2, f"of 10 s the service saw {left}")


def concurrent_unary(t: Target) -> None:
    data = [f"call {i}".encode() for i in range(500)]
    futures = [t.Unary.future(request("Unary", payload=d), timeout=CASE_TIMEOUT) for d in data]
    want([f.result().payload for f in futures] == data, "a payload is another")


def concurrent_bidi(t: Target) -> None:
    failures: list = []

    def one() -> None:
        try:
            ping_pong(t, 20, 8 << 10)
        except Exception as error:  # noqa: BLE001: told below
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    want(not failures, f"{len(failures)} failed, one with {failures[:1]}")


def slow_reader(t: Target) -> None:
    behavior = Behavior(response_count=100, response_bytes=256 << 10)
    responses = t.ServerStream(request("ServerStream", behavior=behavior), timeout=CASE_TIMEOUT)
    next(responses)
    for _ in range(20):
        echo(t, pattern(10 << 10))
    rest = len(list(responses))
    want(rest == 99, f"{rest} more responses, not 99")


def unimplemented(t: Target, path: str) -> None:
    call = t.channel.unary_unary(path)
    ends_with(grpc.StatusCode.UNIMPLEMENTED, lambda: call(b"", timeout=CASE_TIMEOUT))


def healthy(t: Target) -> None:
    response = health_pb2_grpc.HealthStub(t.channel).Check(health_pb2.HealthCheckRequest(), timeout=CASE_TIMEOUT)
    want(response.status == health_pb2.HealthCheckResponse.SERVING, f"health is {response.status}")


def reflects(t: Target) -> None:
    ask = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    stub = reflection_pb2_grpc.ServerReflectionStub(t.channel)
    response = next(stub.ServerReflectionInfo(ask, timeout=CASE_TIMEOUT))
    names = [service.name for service in response.list_services_response.service]
    want(SERVICE in names, f"{SERVICE} is not listed: {names}")


CASES = {
    "unary": lambda t: echo(t, b"hello"),
    "unary-empty": lambda t: echo(t, b""),
    "unary-3-mib": lambda t: echo(t, pattern(3 << 20)),
    "unary-gzip": lambda t: echo(t, pattern(100 << 10), compression=grpc.Compression.Gzip),
    "metadata": metadata,
    "refuse": refuse,
    "server-stream": lambda t: server_stream(t, 100, 1 << 10),
    "server-stream-large": lambda t: server_stream(t, 200, 64 << 10),
    "server-stream-fails-late": fails_late,
    "client-stream": client_stream,
    "client-stream-refused-early": refused_early,
    "bidi-ping-pong": lambda t: ping_pong(t, 50, 100),
    "bidi-server-ends-first": server_ends_first,
    "cancel": cancel,
    "deadline-passes": deadline_passes,
    "deadline-is-passed-on": deadline_is_passed_on,
    "concurrent-unary": concurrent_unary,
    "concurrent-bidi": concurrent_bidi,
    "slow-reader-stalls-nobody": slow_reader,
    "unknown-method": lambda t: unimplemented(t, f"/{SERVICE}/Nothing"),
    "unknown-service": lambda t: unimplemented(t, "/test.v1.NoSuchService/Nothing"),
    "health": healthy,
    "reflection": reflects,
}


def check(address: str, names: list) -> bool:
    chosen = [name for name in CASES if not names or name in names]
    good = bool(chosen)
    for name in chosen:
        target = Target(address)
        begun = time.monotonic()
        verdict = {"case": name, "ok": True}
        try:
            CASES[name](target)
        except Exception as error:  # noqa: BLE001: the verdict tells it
            good = False
            verdict.update(ok=False, error=f"{type(error).__name__}: {error}")
        verdict["ms"] = round((time.monotonic() - begun) * 1000)
        target.channel.close()
        print(json.dumps(verdict), flush=True)
    return good


def main() -> int:
    match sys.argv[1:]:
        case ["check", address, *names]:
            return 0 if check(address, names) else 1
        case ["cases"]:
            print("\n".join(CASES))
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


sys.exit(main())
