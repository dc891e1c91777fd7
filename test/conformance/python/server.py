"""gRPC's interop server on grpcio, which publishes none: grpc.testing.TestService as gRPC's interop test descriptions
(https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md) have it, on a free port.

server.py   prints "listening on HOST:PORT" and serves until it is ended

grpcio does not tell a server whether a request came compressed: expect_compressed is not offered.
"""
import concurrent.futures
import os
import time

import grpc

from messages import INITIAL, METHODS, SERVICE, TRAILING, Empty, InputResponse, OutputResponse, SimpleResponse

# Each running call holds a thread.
THREADS = 64


def echo_metadata(context) -> None:
    received = context.invocation_metadata()
    initial = [(key, value) for key, value in received if key == INITIAL]
    if initial:
        context.send_initial_metadata(initial)
    context.set_trailing_metadata([(key, value) for key, value in received if key == TRAILING])


def echo_status(request, context) -> None:
    """Ends the call when the request asks for a status."""
    wanted = request.response_status
    if wanted.code != 0:
        context.abort(next(code for code in grpc.StatusCode if code.value[0] == wanted.code), wanted.message)


def empty_call(_request, _context):
    return Empty()


def unary_call(request, context):
    echo_metadata(context)
    echo_status(request, context)
    if request.HasField("response_compressed"):
        context.set_compression(grpc.Compression.Gzip)
        if not request.response_compressed.value:
            context.disable_next_message_compression()
    response = SimpleResponse(server_id=str(os.getpid()) if request.fill_server_id else "")
    response.payload.body = bytes(request.response_size)
    return response


def outputs(request, context):
    for wanted in request.response_parameters:
        if wanted.interval_us > 0:
            time.sleep(wanted.interval_us / 1e6)
        if wanted.HasField("compressed") and not wanted.compressed.value:
            context.disable_next_message_compression()
        response = OutputResponse()
        response.payload.body = bytes(wanted.size)
        yield response


def streaming_output_call(request, context):
    if any(wanted.HasField("compressed") for wanted in request.response_parameters):
        context.set_compression(grpc.Compression.Gzip)
    yield from outputs(request, context)


def streaming_input_call(requests, _context):
    return InputResponse(aggregated_payload_size=sum(len(request.payload.body) for request in requests))


def full_duplex_call(requests, context):
    echo_metadata(context)
    for request in requests:
        echo_status(request, context)
        yield from outputs(request, context)


def half_duplex_call(requests, context):
    for request in list(requests):
        yield from outputs(request, context)


HANDLERS = {
    "EmptyCall": empty_call,
    "UnaryCall": unary_call,
    "StreamingOutputCall": streaming_output_call,
    "StreamingInputCall": streaming_input_call,
    "FullDuplexCall": full_duplex_call,
    "HalfDuplexCall": half_duplex_call,
}
MAKERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def main() -> None:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(THREADS))
    methods = {}
    for name, handler in HANDLERS.items():
        request, response, streams_in, streams_out = METHODS[name]
        make = MAKERS[streams_in, streams_out]
        methods[name] = make(handler, request.FromString, response.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


main()
