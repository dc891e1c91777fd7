package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

const timeout = 20 * time.Second

var cases = map[string]func(ctx context.Context, client testpb.TestServiceClient) error{
	"client_compressed_unary":     clientCompressedUnary,
	"server_compressed_unary":     serverCompressedUnary,
	"server_compressed_streaming": serverCompressedStreaming,
}

// check runs one case; the CA's file is empty for clear text.
func check(target, name, ca string) error {
	run, ok := cases[name]
	if !ok {
		return fmt.Errorf("no case is named %q", name)
	}
	security := insecure.NewCredentials()
	if ca != "" {
		var err error
		if security, err = credentials.NewClientTLSFromFile(ca, "localhost"); err != nil {
			return err
		}
	}
	conn, err := grpc.NewClient("passthrough:///"+target, grpc.WithTransportCredentials(security), grpc.WithStatsHandler(observer{}))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return run(ctx, testpb.NewTestServiceClient(conn))
}

const requestBytes, responseBytes = 271828, 314159

func clientCompressedUnary(ctx context.Context, client testpb.TestServiceClient) error {
	call := func(expected bool, options ...grpc.CallOption) error {
		response, err := client.UnaryCall(ctx, &testpb.SimpleRequest{
			ExpectCompressed: &testpb.BoolValue{Value: expected},
			ResponseSize:     responseBytes,
			Payload:          &testpb.Payload{Body: make([]byte, requestBytes)},
		}, options...)
		if got := len(response.GetPayload().GetBody()); err == nil && got != responseBytes {
			return fmt.Errorf("%d bytes, not %d", got, responseBytes)
		}
		return err
	}
	// The probe: a server that takes it does not look.
	if err := call(true); status.Code(err) != codes.InvalidArgument {
		return fmt.Errorf("the probe ended with %v", err)
	}
	return errors.Join(call(true, grpc.UseCompressor(gzip.Name)), call(false))
}

func serverCompressedUnary(ctx context.Context, client testpb.TestServiceClient) error {
	for _, compressed := range []bool{true, false} {
		ctx := watched(ctx)
		response, err := client.UnaryCall(ctx, &testpb.SimpleRequest{
			ResponseCompressed: &testpb.BoolValue{Value: compressed},
			ResponseSize:       responseBytes,
			Payload:            &testpb.Payload{Body: make([]byte, requestBytes)},
		})
		if err != nil {
			return err
		}
		size, got := len(response.GetPayload().GetBody()), lastCompressed(ctx).Load()
		if got != compressed || size != responseBytes {
			return fmt.Errorf("%d bytes, compressed %v, not %v", size, got, compressed)
		}
	}
	return nil
}

func serverCompressedStreaming(ctx context.Context, client testpb.TestServiceClient) error {
	wanted := []struct {
		compressed bool
		size       int32
	}{{true, 31415}, {false, 92653}}
	request := &testpb.StreamingOutputCallRequest{}
	for _, response := range wanted {
		request.ResponseParameters = append(request.ResponseParameters, &testpb.ResponseParameters{
			Size: response.size, Compressed: &testpb.BoolValue{Value: response.compressed},
		})
	}
	ctx = watched(ctx)
	stream, err := client.StreamingOutputCall(ctx, request)
	if err != nil {
		return err
	}
	for i, response := range wanted {
		got, err := stream.Recv()
		if err != nil {
			return err
		}
		compressed := lastCompressed(ctx).Load()
		if compressed != response.compressed || len(got.GetPayload().GetBody()) != int(response.size) {
			return fmt.Errorf("response %d: %d bytes, compressed %v", i, len(got.GetPayload().GetBody()), compressed)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("ended with %v, not well", err)
	}
	return nil
}
