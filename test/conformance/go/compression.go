package main

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// observer knows of each message that a call received whether it came compressed: grpc-go tells it here alone.
type observer struct{}

type seenKey struct{}

// watched gives the call that is made with the context a place for what the observer sees of it.
func watched(ctx context.Context) context.Context {
	return context.WithValue(ctx, seenKey{}, new(atomic.Bool))
}

func (observer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if ctx.Value(seenKey{}) != nil {
		return ctx
	}
	return watched(ctx)
}

func (observer) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if message, ok := event.(*stats.InPayload); ok {
		// Gzip never leaves a length as it was: what compresses gets shorter, and what does not, longer.
		lastCompressed(ctx).Store(message.CompressedLength != message.Length)
	}
}

func (observer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (observer) HandleConn(context.Context, stats.ConnStats)                       {}

// lastCompressed is about the message that was received last.
func lastCompressed(ctx context.Context) *atomic.Bool {
	seen, ok := ctx.Value(seenKey{}).(*atomic.Bool)
	if !ok {
		panic("a call without the observer")
	}
	return seen
}
