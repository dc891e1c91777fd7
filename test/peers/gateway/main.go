// The samples' and tests' services behind grpc-gateway v2, as its README sets it up: the generated handlers and
// runtime.NewServeMux. It answers what the hub's preset of that name is held against.
//
//	linchpin-peer-gateway -library HOST:PORT -behavior HOST:PORT -files HOST:PORT -kinds HOST:PORT
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the details that a failure can be shown with
	libraryv1 "linchpin/test/peers/gateway/gen/library/v1"
	testv1 "linchpin/test/peers/gateway/gen/test/v1"
)

func main() {
	library := flag.String("library", "", "address of library.v1.LibraryService")
	behavior := flag.String("behavior", "", "address of test.v1.BehaviorService")
	files := flag.String("files", "", "address of test.v1.FileService")
	kinds := flag.String("kinds", "", "address of test.v1.KindsService")
	flag.Parse()

	// The default before 2.33, which took it away from clients because services trust names of metadata.
	mux := runtime.NewServeMux(runtime.WithLegacyHeaderMatching())
	register(mux, *library, libraryv1.RegisterLibraryServiceHandler)
	register(mux, *behavior, testv1.RegisterBehaviorServiceHandler)
	register(mux, *files, testv1.RegisterFileServiceHandler)
	register(mux, *kinds, testv1.RegisterKindsServiceHandler)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}

func register(mux *runtime.ServeMux, address string, handler func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	if err := handler(context.Background(), mux, connection); err != nil {
		log.Fatal(err)
	}
}
