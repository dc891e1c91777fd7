# Messages and method names of test.v1.BehaviorService, from the descriptor image: nothing to generate.
import pathlib

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Each brings its file into the pool, where the image's own copy would clash with it.
from google.protobuf import any_pb2, duration_pb2  # noqa: F401
from google.rpc import status_pb2

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVICE = "test.v1.BehaviorService"

# The default pool: reflection serves from it, and google.rpc.Status is in it already.
POOL = descriptor_pool.Default()


def _load() -> None:
    image = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "generated/image.binpb").read_bytes())
    files = {file.name: file for file in image.file}

    def add(name: str) -> None:
        try:
            POOL.FindFileByName(name)
            return
        except KeyError:
            pass
        for dependency in files[name].dependency:
            add(dependency)
        POOL.Add(files[name])

    add("test/v1/behavior.proto")


_load()


def message(name: str):
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"test.v1.{name}"))


Behavior = message("Behavior")
Status = status_pb2.Status
# method name: (request class, response class, requests are a stream, responses are a stream)
METHODS = {
    method.name: (
        message(method.input_type.name),
        message(method.output_type.name),
        method.client_streaming,
        method.server_streaming,
    )
    for method in POOL.FindServiceByName(SERVICE).methods
}
MAX_MESSAGE_BYTES = 64 << 20
OPTIONS = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.max_send_message_length", MAX_MESSAGE_BYTES)]
