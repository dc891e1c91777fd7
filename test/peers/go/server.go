package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
	"time"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // takes compressed requests, and answers them compressed
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	testv1 "linchpin/test/peers/go/gen/test/v1"
)

const maxMessageBytes = 64 << 20

// serve runs until the process is ended; SIGTERM lets running calls end before.
func serve(instance, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxConcurrentStreams(1000))
	testv1.RegisterBehaviorServiceServer(server, &behaviorServer{instance: instance})
	healthServer := health.NewServer()
	healthServer.SetServingStatus(testv1.BehaviorService_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthServer)
	reflection.Register(server)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		server.GracefulStop()
	}()
	fmt.Printf("listening on %s\n", listener.Addr())
	return server.Serve(listener)
}

type behaviorServer struct {
	testv1.UnimplementedBehaviorServiceServer
	instance string
}

// begin does what comes before the first response: metadata, wait, refuse. A unary call takes nil for sendHeader.
func begin(ctx context.Context, behavior *testv1.Behavior, setHeader, sendHeader func(metadata.MD) error, setTrailer func(metadata.MD)) error {
	header, trailer := metadata.MD{}, metadata.MD{}
	received, _ := metadata.FromIncomingContext(ctx)
	for key, values := range received {
		switch {
		case strings.HasPrefix(key, "x-echo-"):
			header.Append(key, values...)
		case strings.HasPrefix(key, "x-trail-"):
			trailer.Append(key, values...)
		}
	}
	setTrailer(trailer)
	if behavior.GetHeadersFirst() {
		if err := sendHeader(header); err != nil {
			return err
		}
	}
	if err := wait(ctx, behavior.GetDelay()); err != nil {
		return err
	}
	if err := asError(behavior.GetRefuse()); err != nil {
		return err
	}
	if behavior.GetHeadersFirst() {
		return nil
	}
	return setHeader(header)
}

func wait(ctx context.Context, duration *durationpb.Duration) error {
	if duration.AsDuration() <= 0 {
		return nil
	}
	select {
	case <-time.After(duration.AsDuration()):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func asError(s *rpcstatus.Status) error {
	if s == nil {
		return nil
	}
	return status.ErrorProto(s)
}

func payload(behavior *testv1.Behavior, request []byte) []byte {
	if size := behavior.GetResponseBytes(); size > 0 {
		return make([]byte, size)
	}
	return request
}

func (s *behaviorServer) seen(ctx context.Context) *testv1.Seen {
	seen := &testv1.Seen{Instance: s.instance}
	received, _ := metadata.FromIncomingContext(ctx)
	for key, values := range received {
		for _, value := range values {
			if strings.HasSuffix(key, "-bin") {
				value = base64.StdEncoding.EncodeToString([]byte(value))
			}
			seen.Metadata = append(seen.Metadata, &testv1.Entry{Key: key, Value: value})
		}
	}
	sort.SliceStable(seen.Metadata, func(a, b int) bool { return seen.Metadata[a].Key < seen.Metadata[b].Key })
	if deadline, ok := ctx.Deadline(); ok {
		seen.TimeLeft = durationpb.New(time.Until(deadline))
	}
	return seen
}

func (s *behaviorServer) Unary(ctx context.Context, request *testv1.UnaryRequest) (*testv1.UnaryResponse, error) {
	behavior := request.GetBehavior()
	err := begin(ctx, behavior,
		func(md metadata.MD) error { return grpc.SetHeader(ctx, md) },
		func(md metadata.MD) error { return grpc.SendHeader(ctx, md) },
		func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) })
	if err == nil {
		err = asError(behavior.GetFail())
	}
	if err != nil {
		return nil, err
	}
	return &testv1.UnaryResponse{Payload: payload(behavior, request.GetPayload()), Seen: s.seen(ctx)}, nil
}

func beginStream(stream grpc.ServerStream, behavior *testv1.Behavior) error {
	return begin(stream.Context(), behavior, stream.SetHeader, stream.SendHeader, stream.SetTrailer)
}

func (s *behaviorServer) ServerStream(request *testv1.ServerStreamRequest, stream testv1.BehaviorService_ServerStreamServer) error {
	behavior := request.GetBehavior()
	if err := beginStream(stream, behavior); err != nil {
		return err
	}
	for index := int32(0); index < behavior.GetResponseCount(); index++ {
		response := &testv1.ServerStreamResponse{Payload: payload(behavior, request.GetPayload()), Index: index}
		if index == 0 {
			response.Seen = s.seen(stream.Context())
		} else if err := wait(stream.Context(), behavior.GetInterval()); err != nil {
			return err
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	return asError(behavior.GetFail())
}

func (s *behaviorServer) ClientStream(stream testv1.BehaviorService_ClientStreamServer) error {
	response := &testv1.ClientStreamResponse{}
	var behavior *testv1.Behavior
	var last []byte
	for {
		request, err := stream.Recv()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		ended := err != nil
		if response.RequestCount == 0 {
			behavior = request.GetBehavior()
			if err := beginStream(stream, behavior); err != nil {
				return err
			}
		}
		if !ended {
			response.RequestCount++
			response.RequestBytes += int64(len(request.GetPayload()))
			last = request.GetPayload()
		}
		if ended || response.RequestCount == int64(behavior.GetStopAfter()) {
			break
		}
	}
	if err := asError(behavior.GetFail()); err != nil {
		return err
	}
	response.Payload = payload(behavior, last)
	response.Seen = s.seen(stream.Context())
	return stream.SendAndClose(response)
}

func (s *behaviorServer) BidiStream(stream testv1.BehaviorService_BidiStreamServer) error {
	var behavior *testv1.Behavior
	for index := int64(0); ; index++ {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		response := &testv1.BidiStreamResponse{Index: index}
		if index == 0 {
			behavior = request.GetBehavior()
			if err := beginStream(stream, behavior); err != nil {
				return err
			}
			response.Seen = s.seen(stream.Context())
		}
		response.Payload = payload(behavior, request.GetPayload())
		if err := stream.Send(response); err != nil {
			return err
		}
		if index+1 == int64(behavior.GetStopAfter()) {
			break
		}
	}
	return asError(behavior.GetFail())
}
