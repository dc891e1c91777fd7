package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	testv1 "linchpin/test/peers/go/gen/test/v1"
)

// A case that has not ended by then has failed.
const caseTimeout = 20 * time.Second

type target struct {
	conn     *grpc.ClientConn
	behavior testv1.BehaviorServiceClient
}

// testCase says what must hold of a call through the target; nil when it does. Names are the same in the Python twin.
type testCase struct {
	name string
	run  func(ctx context.Context, t target) error
}

// check runs the cases, each on its own connection; false when one fails or none has such a name.
func check(address string, names []string) bool {
	good, ran := true, 0
	for _, c := range cases {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		ran++
		begun := time.Now()
		err := runCase(address, c)
		verdict := map[string]any{"case": c.name, "ok": err == nil, "ms": time.Since(begun).Milliseconds()}
		if err != nil {
			verdict["error"] = err.Error()
			good = false
		}
		_ = json.NewEncoder(os.Stdout).Encode(verdict)
	}
	if ran == 0 {
		fmt.Fprintf(os.Stderr, "no case is named %v\n", names)
	}
	return good && ran > 0
}

func runCase(address string, c testCase) error {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
	defer cancel()
	return c.run(ctx, target{conn: conn, behavior: testv1.NewBehaviorServiceClient(conn)})
}

var cases = []testCase{
	{"unary", func(ctx context.Context, t target) error {
		return echo(ctx, t, []byte("hello"))
	}},
	{"unary-empty", func(ctx context.Context, t target) error {
		return echo(ctx, t, nil)
	}},
	{"unary-3-mib", func(ctx context.Context, t target) error {
		return echo(ctx, t, pattern(3<<20))
	}},
	{"unary-gzip", func(ctx context.Context, t target) error {
		return echo(ctx, t, pattern(100<<10), grpc.UseCompressor(gzip.Name))
	}},
	{"metadata", metadataComesBack},
	{"refuse", refusal},
	{"server-stream", func(ctx context.Context, t target) error {
		return serverStream(ctx, t, 100, 1<<10)
	}},
	{"server-stream-large", func(ctx context.Context, t target) error {
		return serverStream(ctx, t, 200, 64<<10)
	}},
	{"server-stream-fails-late", failsLate},
	{"client-stream", clientStream},
	{"client-stream-refused-early", refusedEarly},
	{"bidi-ping-pong", func(ctx context.Context, t target) error {
		return pingPong(ctx, t, 50, 100)
	}},
	{"bidi-server-ends-first", serverEndsFirst},
	{"cancel", cancelled},
	{"deadline-passes", deadlinePasses},
	{"deadline-is-passed-on", deadlineIsPassedOn},
	{"concurrent-unary", func(ctx context.Context, t target) error {
		return together(500, func(i int) error { return echo(ctx, t, fmt.Appendf(nil, "call %d", i)) })
	}},
	{"concurrent-bidi", func(ctx context.Context, t target) error {
		return together(50, func(int) error { return pingPong(ctx, t, 20, 8<<10) })
	}},
	{"slow-reader-stalls-nobody", slowReader},
	{"unknown-method", func(ctx context.Context, t target) error {
		return unimplemented(ctx, t, "/test.v1.BehaviorService/Nothing")
	}},
	{"unknown-service", func(ctx context.Context, t target) error {
		return unimplemented(ctx, t, "/test.v1.NoSuchService/Nothing")
	}},
	{"health", healthy},
	{"reflection", reflects},
}

func pattern(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 31 >> 3)
	}
	return data
}

func echo(ctx context.Context, t target, data []byte, options ...grpc.CallOption) error {
	response, err := t.behavior.Unary(ctx, &testv1.UnaryRequest{Payload: data}, options...)
	if err != nil {
		return err
	}
	if !bytes.Equal(response.GetPayload(), data) {
		return fmt.Errorf("sent %d bytes, and got %d others back", len(data), len(response.GetPayload()))
	}
	return nil
}

func wantCode(err error, code codes.Code) error {
	if got := status.Code(err); got != code {
		return fmt.Errorf("ended with %v (%v), not with %v", got, err, code)
	}
	return nil
}

func metadataComesBack(ctx context.Context, t target) error {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	sent := metadata.Pairs("x-echo-text", "one", "x-echo-text", "two", "x-echo-raw-bin", string(every),
		"x-trail-text", "with, comma", "x-trail-raw-bin", string(every[:5]), "x-trail-raw-bin", string(every[5:]))
	var header, trailer metadata.MD
	response, err := t.behavior.Unary(metadata.NewOutgoingContext(ctx, sent), &testv1.UnaryRequest{},
		grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil {
		return err
	}
	for key, values := range sent {
		got := header.Get(key)
		if strings.HasPrefix(key, "x-trail-") {
			got = trailer.Get(key)
		}
		if !sameValues(key, got, values) {
			return fmt.Errorf("%s went out as %q and came back as %q", key, values, got)
		}
	}
	for _, entry := range response.GetSeen().GetMetadata() {
		if entry.GetKey() == "x-echo-raw-bin" && entry.GetValue() != "" {
			return nil
		}
	}
	return errors.New("the service did not see x-echo-raw-bin")
}

// sameValues allows what gRPC over HTTP/2 does: repeated text may arrive joined, as node:http2 does it.
func sameValues(key string, got, want []string) bool {
	if strings.HasSuffix(key, "-bin") {
		return slices.Equal(got, want)
	}
	return strings.Join(got, ", ") == strings.Join(want, ", ")
}

const message = "no such thing: 100 % ünïcödé ☃"

func refusal(ctx context.Context, t target) error {
	detail, err := anypb.New(wrapperspb.String("detail"))
	if err != nil {
		return err
	}
	refuse := &rpcstatus.Status{Code: int32(codes.NotFound), Message: message, Details: []*anypb.Any{detail}}
	ctx = metadata.AppendToOutgoingContext(ctx, "x-trail-why", "because")
	var trailer metadata.MD
	_, err = t.behavior.Unary(ctx, &testv1.UnaryRequest{Behavior: &testv1.Behavior{Refuse: refuse}}, grpc.Trailer(&trailer))
	if got := status.Convert(err).Proto(); !proto.Equal(got, refuse) {
		return fmt.Errorf("ended with %v, not with %v", got, refuse)
	}
	if got := trailer.Get("x-trail-why"); !slices.Equal(got, []string{"because"}) {
		return fmt.Errorf("the trailer x-trail-why came back as %q", got)
	}
	return nil
}

func serverStream(ctx context.Context, t target, count int32, size int) error {
	behavior := &testv1.Behavior{ResponseCount: count}
	data := pattern(size)
	stream, err := t.behavior.ServerStream(ctx, &testv1.ServerStreamRequest{Behavior: behavior, Payload: data})
	if err != nil {
		return err
	}
	for index := int32(0); ; index++ {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if index != count {
				return fmt.Errorf("%d responses, not %d", index, count)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if response.GetIndex() != index || !bytes.Equal(response.GetPayload(), data) {
			return fmt.Errorf("response %d is number %d with %d bytes", index, response.GetIndex(), len(response.GetPayload()))
		}
	}
}

func failsLate(ctx context.Context, t target) error {
	behavior := &testv1.Behavior{ResponseCount: 3, Fail: &rpcstatus.Status{Code: int32(codes.FailedPrecondition), Message: message}}
	stream, err := t.behavior.ServerStream(ctx, &testv1.ServerStreamRequest{Behavior: behavior})
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	_, err = stream.Recv()
	if status.Convert(err).Message() != message {
		return fmt.Errorf("the message is %q", status.Convert(err).Message())
	}
	return wantCode(err, codes.FailedPrecondition)
}

func clientStream(ctx context.Context, t target) error {
	stream, err := t.behavior.ClientStream(ctx)
	if err != nil {
		return err
	}
	const count, size = 50, 10 << 10
	for range count {
		if err := stream.Send(&testv1.ClientStreamRequest{Payload: pattern(size)}); err != nil {
			return err
		}
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	if response.GetRequestCount() != count || response.GetRequestBytes() != count*size {
		return fmt.Errorf("the service counted %d requests of %d bytes", response.GetRequestCount(), response.GetRequestBytes())
	}
	return nil
}

// refusedEarly keeps sending until it learns that the service has ended the call.
func refusedEarly(ctx context.Context, t target) error {
	stream, err := t.behavior.ClientStream(ctx)
	if err != nil {
		return err
	}
	refuse := &rpcstatus.Status{Code: int32(codes.PermissionDenied), Message: message}
	request := &testv1.ClientStreamRequest{Behavior: &testv1.Behavior{Refuse: refuse}, Payload: pattern(1 << 10)}
	for {
		if err := stream.Send(request); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	_, err = stream.CloseAndRecv()
	return wantCode(err, codes.PermissionDenied)
}

func pingPong(ctx context.Context, t target, count int, size int) error {
	stream, err := t.behavior.BidiStream(ctx)
	if err != nil {
		return err
	}
	data := pattern(size)
	for index := range count {
		if err := stream.Send(&testv1.BidiStreamRequest{Payload: data}); err != nil {
			return err
		}
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if response.GetIndex() != int64(index) || !bytes.Equal(response.GetPayload(), data) {
			return fmt.Errorf("response %d is number %d with %d bytes", index, response.GetIndex(), len(response.GetPayload()))
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("ended with %v, not well", err)
	}
	return nil
}

// serverEndsFirst never closes its side: the service ends the call, well, after three requests.
func serverEndsFirst(ctx context.Context, t target) error {
	stream, err := t.behavior.BidiStream(ctx)
	if err != nil {
		return err
	}
	for range 3 {
		if err := stream.Send(&testv1.BidiStreamRequest{Behavior: &testv1.Behavior{StopAfter: 3}}); err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("ended with %v, not well", err)
	}
	return nil
}

func cancelled(ctx context.Context, t target) error {
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	behavior := &testv1.Behavior{ResponseCount: 1_000_000, Interval: durationpb.New(20 * time.Millisecond)}
	stream, err := t.behavior.ServerStream(calling, &testv1.ServerStreamRequest{Behavior: behavior})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	cancel()
	for err == nil {
		_, err = stream.Recv()
	}
	if err := wantCode(err, codes.Canceled); err != nil {
		return err
	}
	return echo(ctx, t, []byte("the connection goes on"))
}

func deadlinePasses(ctx context.Context, t target) error {
	begun := time.Now()
	calling, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	behavior := &testv1.Behavior{Delay: durationpb.New(10 * time.Second)}
	_, err := t.behavior.Unary(calling, &testv1.UnaryRequest{Behavior: behavior})
	if took := time.Since(begun); took > 3*time.Second {
		return fmt.Errorf("it took %v", took)
	}
	return wantCode(err, codes.DeadlineExceeded)
}

func deadlineIsPassedOn(ctx context.Context, t target) error {
	calling, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := t.behavior.Unary(calling, &testv1.UnaryRequest{})
	if err != nil {
		return err
	}
	left := response.GetSeen().GetTimeLeft()
	if left == nil || left.AsDuration() <= 5*time.Second || left.AsDuration() > 10*time.Second {
		return fmt.Errorf("of 10 s the service saw %v", left)
	}
	return nil
}

// slowReader leaves megabytes unread, while other calls on the same connection go on.
func slowReader(ctx context.Context, t target) error {
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	behavior := &testv1.Behavior{ResponseCount: 100, ResponseBytes: 256 << 10}
	stream, err := t.behavior.ServerStream(calling, &testv1.ServerStreamRequest{Behavior: behavior})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	for i := range 20 {
		if err := echo(ctx, t, pattern(10<<10)); err != nil {
			return fmt.Errorf("call %d beside the slow reader: %w", i, err)
		}
	}
	for range 99 {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("ended with %v, not well", err)
	}
	return nil
}

func together(count int, call func(int) error) error {
	failures := make([]error, count)
	var all sync.WaitGroup
	for i := range count {
		all.Add(1)
		go func() {
			defer all.Done()
			failures[i] = call(i)
		}()
	}
	all.Wait()
	for i, err := range failures {
		if err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
	}
	return nil
}

func unimplemented(ctx context.Context, t target, method string) error {
	return wantCode(t.conn.Invoke(ctx, method, &testv1.UnaryRequest{}, &testv1.UnaryResponse{}), codes.Unimplemented)
}

func healthy(ctx context.Context, t target) error {
	response, err := grpc_health_v1.NewHealthClient(t.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if response.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health is %v", response.GetStatus())
	}
	return nil
}

func reflects(ctx context.Context, t target) error {
	stream, err := reflectionv1.NewServerReflectionClient(t.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	ask := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(ask); err != nil {
		return err
	}
	response, err := stream.Recv()
	if err != nil {
		return err
	}
	for _, service := range response.GetListServicesResponse().GetService() {
		if service.GetName() == testv1.BehaviorService_ServiceDesc.ServiceName {
			return nil
		}
	}
	return fmt.Errorf("%s is not listed: %v", testv1.BehaviorService_ServiceDesc.ServiceName, response)
}
