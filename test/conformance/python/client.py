"""gRPC's interop client on grpcio, which publishes none: the cases of gRPC's interop test descriptions
(https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md) against a target.

client.py TARGET CASE [CA]   runs a case; TLS with a CA's file. Exit code 1 and why, when it fails.

grpcio does not tell a client whether a response came compressed: server_compressed_* is not offered.
"""
import os
import pathlib
import queue
import sys

import grpc

from messages import INITIAL, METHODS, SERVICE, TRAILING, Empty, InputRequest, OutputRequest, SimpleRequest

TIMEOUT = 20  # seconds
REQUEST_SIZES = [27182, 8, 1828, 45904]
RESPONSE_SIZES = [31415, 9, 2653, 58979]
LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
SOAK_ITERATIONS = 10
GZIP = grpc.Compression.Gzip


class Target:
    """A channel of its own and one callable per method."""

    def __init__(self, address: str, ca: str | None) -> None:
        # A subchannel of its own too: grpcio shares connections between channels of one process.
        options = [("grpc.use_local_subchannel_pool", 1)]
        if ca is None:
            self.channel = grpc.insecure_channel(address, options=options)
        else:
            credentials = grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes())
            self.channel = grpc.secure_channel(address, credentials, options=options)
        self.again = lambda: Target(address, ca)
        makers = {
            (False, False): self.channel.unary_unary,
            (False, True): self.channel.unary_stream,
            (True, False): self.channel.stream_unary,
            (True, True): self.channel.stream_stream,
        }
        for name, (request, response, streams_in, streams_out) in METHODS.items():
            maker = makers[streams_in, streams_out]
            setattr(self, name, maker(f"/{SERVICE}/{name}", request.SerializeToString, response.FromString))


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


def payload(request, body: bytes):
    request.payload.body = body
    return request


def simple(request_size: int, response_size: int, **fields):
    return payload(SimpleRequest(response_size=response_size, **fields), bytes(request_size))


def sized(response, size: int) -> None:
    want(len(response.payload.body) == size, f"a payload of {len(response.payload.body)} bytes, not {size}")


class Sending:
    """Requests that are given one by one."""

    def __init__(self) -> None:
        self.queue: queue.Queue = queue.Queue()

    def send(self, request) -> None:
        self.queue.put(request)

    def end(self) -> None:
        self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


def output(size: int, response_size: int):
    return payload(OutputRequest(response_parameters=[{"size": response_size}]), bytes(size))


def empty_unary(t: Target) -> None:
    want(t.EmptyCall(Empty(), timeout=TIMEOUT) == Empty(), "the response is not empty")


def large_unary(t: Target) -> None:
    sized(t.UnaryCall(simple(LARGE_REQUEST, LARGE_RESPONSE), timeout=TIMEOUT), LARGE_RESPONSE)


def client_compressed_unary(t: Target) -> None:
    def call(expected: bool, compression):
        request = simple(LARGE_REQUEST, LARGE_RESPONSE, expect_compressed={"value": expected})
        return t.UnaryCall(request, timeout=TIMEOUT, compression=compression)

    # The probe: a server that takes it does not look.
    ends_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: call(True, None))
    sized(call(True, GZIP), LARGE_RESPONSE)
    sized(call(False, None), LARGE_RESPONSE)


def client_compressed_streaming(t: Target) -> None:
    def asking(expected: bool, body: bytes):
        return payload(InputRequest(expect_compressed={"value": expected}), body)

    def call(requests, compression):
        return t.StreamingInputCall(iter(requests), timeout=TIMEOUT, compression=compression)

    ends_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: call([asking(True, bytes(27182))], None))
    # What gzip does not make shorter is sent as it is: how grpcio comes by a message without compression in such a call.
    response = call([asking(True, bytes(27182)), asking(False, os.urandom(45904))], GZIP)
    want(response.aggregated_payload_size == 73086, f"{response.aggregated_payload_size} bytes, not 73086")


def client_streaming(t: Target) -> None:
    requests = [payload(InputRequest(), bytes(size)) for size in REQUEST_SIZES]
    response = t.StreamingInputCall(iter(requests), timeout=TIMEOUT)
    want(response.aggregated_payload_size == 74922, f"{response.aggregated_payload_size} bytes, not 74922")


def server_streaming(t: Target) -> None:
    request = OutputRequest(response_parameters=[{"size": size} for size in RESPONSE_SIZES])
    responses = list(t.StreamingOutputCall(request, timeout=TIMEOUT))
    want(len(responses) == len(RESPONSE_SIZES), f"{len(responses)} responses")
    for response, size in zip(responses, RESPONSE_SIZES):
        sized(response, size)


def ping_pong(t: Target) -> None:
    sending = Sending()
    call = t.FullDuplexCall(iter(sending), timeout=TIMEOUT)
    for size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        sending.send(output(size, response_size))
        sized(next(call), response_size)
    sending.end()
    want(list(call) == [], "there are more responses")


def empty_stream(t: Target) -> None:
    want(list(t.FullDuplexCall(iter([]), timeout=TIMEOUT)) == [], "there are responses")


def custom_metadata(t: Target) -> None:
    sent = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))

    def echoed(call) -> None:
        initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
        want(initial.get(INITIAL) == sent[0][1], f"the initial metadata are {initial}")
        want(trailing.get(TRAILING) == sent[1][1], f"the trailing metadata are {trailing}")

    response, call = t.UnaryCall.with_call(simple(1, 1), metadata=sent, timeout=TIMEOUT)
    sized(response, 1)
    echoed(call)
    duplex = t.FullDuplexCall(iter([output(1, 1)]), metadata=sent, timeout=TIMEOUT)
    want(len(list(duplex)) == 1, "there is not one response")
    echoed(duplex)


def has_status(t: Target, message: str) -> None:
    wanted = {"code": 2, "message": message}
    calls = [
        lambda: t.UnaryCall(SimpleRequest(response_status=wanted), timeout=TIMEOUT),
        lambda: list(t.FullDuplexCall(iter([OutputRequest(response_status=wanted)]), timeout=TIMEOUT)),
    ]
    for call in calls:
        error = ends_with(grpc.StatusCode.UNKNOWN, call)
        want(error.details() == message, f"the message is {error.details()!r}")


def status_code_and_message(t: Target) -> None:
    has_status(t, "test status message")


def special_status_message(t: Target) -> None:
    has_status(t, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")


def unimplemented(t: Target, path: str) -> None:
    call = t.channel.unary_unary(path, Empty.SerializeToString, Empty.FromString)
    ends_with(grpc.StatusCode.UNIMPLEMENTED, lambda: call(Empty(), timeout=TIMEOUT))


def unimplemented_method(t: Target) -> None:
    unimplemented(t, f"/{SERVICE}/UnimplementedCall")


def unimplemented_service(t: Target) -> None:
    unimplemented(t, "/grpc.testing.UnimplementedService/UnimplementedCall")


def cancel_after_begin(t: Target) -> None:
    sending = Sending()
    call = t.StreamingInputCall.future(iter(sending), timeout=TIMEOUT)
    call.cancel()
    want(call.cancelled() and call.code() == grpc.StatusCode.CANCELLED, f"ended with {call.code()}")
    sending.end()


def cancel_after_first_response(t: Target) -> None:
    sending = Sending()
    call = t.FullDuplexCall(iter(sending), timeout=TIMEOUT)
    sending.send(output(27182, 31415))
    sized(next(call), 31415)
    call.cancel()
    ends_with(grpc.StatusCode.CANCELLED, lambda: next(call))
    sending.end()


def timeout_on_sleeping_server(t: Target) -> None:
    grpc.channel_ready_future(t.channel).result(TIMEOUT)
    sending = Sending()
    call = t.FullDuplexCall(iter(sending), timeout=0.001)
    sending.send(payload(OutputRequest(), bytes(27182)))
    ends_with(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: next(call))
    sending.end()


def pick_first_unary(t: Target) -> None:
    request = simple(1, 1, fill_server_id=True)
    ids = {t.UnaryCall(request, timeout=TIMEOUT).server_id for _ in range(100)}
    want(len(ids) == 1 and "" not in ids, f"the servers are {ids}")


def rpc_soak(t: Target) -> None:
    for _ in range(SOAK_ITERATIONS):
        large_unary(t)


def channel_soak(t: Target) -> None:
    for _ in range(SOAK_ITERATIONS):
        again = t.again()
        large_unary(again)
        again.channel.close()


CASES = [
    empty_unary,
    large_unary,
    client_compressed_unary,
    client_compressed_streaming,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    timeout_on_sleeping_server,
    cancel_after_begin,
    cancel_after_first_response,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    pick_first_unary,
    rpc_soak,
    channel_soak,
]


def main() -> None:
    _, address, name, *rest = sys.argv
    case = next((case for case in CASES if case.__name__ == name), None)
    if case is None:
        sys.exit(f"no case is named {name}")
    target = Target(address, rest[0] if rest else None)
    try:
        case(target)
    except (AssertionError, grpc.RpcError) as error:
        sys.exit(f"{name}: {error!r}".replace("\n", " "))
    finally:
        target.channel.close()


main()
