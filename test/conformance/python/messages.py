"""Messages and methods of grpc.testing.TestService, from the descriptors that `make tools` leaves in .tools."""
import pathlib

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "grpc.testing.TestService"

_pool = descriptor_pool.DescriptorPool()
_file = pathlib.Path(__file__).resolve().parents[3] / ".tools/interop.binpb"
for _each in descriptor_pb2.FileDescriptorSet.FromString(_file.read_bytes()).file:
    _pool.Add(_each)


def message(name: str):
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"grpc.testing.{name}"))


Empty = message("Empty")
SimpleRequest = message("SimpleRequest")
SimpleResponse = message("SimpleResponse")
InputRequest = message("StreamingInputCallRequest")
InputResponse = message("StreamingInputCallResponse")
OutputRequest = message("StreamingOutputCallRequest")
OutputResponse = message("StreamingOutputCallResponse")

# method name: (request class, response class, requests are a stream, responses are a stream)
METHODS = {
    method.name: (
        message(method.input_type.name),
        message(method.output_type.name),
        method.client_streaming,
        method.server_streaming,
    )
    for method in _pool.FindServiceByName(SERVICE).methods
}
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
