package main

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// serve runs the published test service, with what it leaves out: expect_compressed and, for one response, whether it
// is to be compressed. grpc-go cannot compress one message of a stream and not the next.
func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on %v\n", listener.Addr())
	server := grpc.NewServer(
		grpc.StatsHandler(observer{}),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := asExpected(ctx, request); err != nil {
				return nil, err
			}
			if simple, ok := request.(*testpb.SimpleRequest); ok && simple.GetResponseCompressed().GetValue() {
				if err := grpc.SetSendCompressor(ctx, gzip.Name); err != nil {
					return nil, err
				}
			}
			return handle(ctx, request)
		}),
		grpc.StreamInterceptor(func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			return handle(service, checkedStream{stream})
		}))
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	return server.Serve(listener)
}

type checkedStream struct{ grpc.ServerStream }

func (s checkedStream) RecvMsg(message any) error {
	if err := s.ServerStream.RecvMsg(message); err != nil {
		return err
	}
	return asExpected(s.Context(), message)
}

// asExpected refuses a message that came otherwise than it says; nil for one that says nothing.
func asExpected(ctx context.Context, message any) error {
	request, ok := message.(interface{ GetExpectCompressed() *testpb.BoolValue })
	if !ok || request.GetExpectCompressed() == nil {
		return nil
	}
	if want, got := request.GetExpectCompressed().GetValue(), lastCompressed(ctx).Load(); got != want {
		return status.Errorf(codes.InvalidArgument, "compressed: %v, expected: %v", got, want)
	}
	return nil
}
