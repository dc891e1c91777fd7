"""The grpcio server of the end-to-end tests: test.v1.BehaviorService, health and reflection on a free port.

server.py [NAME [--no-reflection]]   prints "listening on HOST:PORT" and serves until it is ended
"""
import base64
import concurrent.futures
import sys
import time

import grpc
from google.protobuf import duration_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from behavior import METHODS, OPTIONS, POOL, SERVICE

# Each running call holds a thread: more than any test opens streams at once.
THREADS = 120
INSTANCE = sys.argv[1] if len(sys.argv) > 1 else "grpcio"
REFLECTION = "--no-reflection" not in sys.argv


def seconds(duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def wait(context, duration) -> None:
    """Waits so long, or until the call is over."""
    until = time.monotonic() + seconds(duration)
    while context.is_active() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.05))


def end_with(context, status) -> None:
    """Ends the call with a google.rpc.Status; does not return."""
    trailers = list(context.trailing_metadata() or ())
    context.set_trailing_metadata([*trailers, ("grpc-status-details-bin", status.SerializeToString())])
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    context.abort(code, status.message)


def begin(context, behavior) -> None:
    """What comes before the first response: metadata, wait, refuse."""
    received = context.invocation_metadata()
    header = [(key, value) for key, value in received if key.startswith("x-echo-")]
    context.set_trailing_metadata([(key, value) for key, value in received if key.startswith("x-trail-")])
    if behavior.headers_first:
        context.send_initial_metadata(header)
    wait(context, behavior.delay)
    if behavior.HasField("refuse"):
        end_with(context, behavior.refuse)
    if not behavior.headers_first:
        context.send_initial_metadata(header)


def finish(context, behavior) -> None:
    if behavior.HasField("fail"):
        end_with(context, behavior.fail)


def payload(behavior, request: bytes) -> bytes:
    return bytes(behavior.response_bytes) if behavior.response_bytes > 0 else request


def fill_seen(context, seen) -> None:
    seen.instance = INSTANCE
    for key, value in sorted(context.invocation_metadata(), key=lambda entry: entry[0]):
        text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
        seen.metadata.add(key=key, value=text)
    left = context.time_remaining()
    # Without a deadline it is None, or years.
    if left is not None and left < 1e8:
        seen.time_left.CopyFrom(duration_pb2.Duration(seconds=int(left), nanos=int(left % 1 * 1e9)))


def unary(request, context):
    behavior = request.behavior
    begin(context, behavior)
    finish(context, behavior)
    response = METHODS["Unary"][1](payload=payload(behavior, request.payload))
    fill_seen(context, response.seen)
    return response


def server_stream(request, context):
    behavior = request.behavior
    begin(context, behavior)
    for index in range(behavior.response_count):
        response = METHODS["ServerStream"][1](payload=payload(behavior, request.payload), index=index)
        if index == 0:
            fill_seen(context, response.seen)
        else:
            wait(context, behavior.interval)
        if not context.is_active():
            return
        yield response
    finish(context, behavior)


def client_stream(requests, context):
    response = METHODS["ClientStream"][1]()
    behavior, last = METHODS["ClientStream"][0]().behavior, b""
    for request in requests:
        if response.request_count == 0:
            behavior = request.behavior
            begin(context, behavior)
        response.request_count += 1
        response.request_bytes += len(request.payload)
        last = request.payload
        if response.request_count == behavior.stop_after:
            break
    finish(context, behavior)
    response.payload = payload(behavior, last)
    fill_seen(context, response.seen)
    return response


def bidi_stream(requests, context):
    behavior = METHODS["BidiStream"][0]().behavior
    for index, request in enumerate(requests):
        response = METHODS["BidiStream"][1](index=index)
        if index == 0:
            behavior = request.behavior
            begin(context, behavior)
            fill_seen(context, response.seen)
        response.payload = payload(behavior, request.payload)
        yield response
        if index + 1 == behavior.stop_after:
            break
    finish(context, behavior)


HANDLERS = {
    "Unary": (grpc.unary_unary_rpc_method_handler, unary),
    "ServerStream": (grpc.unary_stream_rpc_method_handler, server_stream),
    "ClientStream": (grpc.stream_unary_rpc_method_handler, client_stream),
    "BidiStream": (grpc.stream_stream_rpc_method_handler, bidi_stream),
}


def main() -> None:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(THREADS), options=OPTIONS)
    methods = {
        name: make(handle, METHODS[name][0].FromString, METHODS[name][1].SerializeToString)
        for name, (make, handle) in HANDLERS.items()
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    states = health.HealthServicer()
    states.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(states, server)
    if REFLECTION:
        names = [SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, server, pool=POOL)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


main()
