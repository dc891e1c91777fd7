// The benchmark's service behind grpc-gateway v2, as its README sets it up: one port for HTTP/1.1 and HTTP/2 in clear
// text, the generated handlers, the marshaler that it has by default, one connection to the backend.
//
//	linchpin-bench-gateway -listen 127.0.0.1:8080 -backend 127.0.0.1:9000
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"runtime/debug"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	benchv1 "linchpin/bench/grpc-gateway/gen/bench/v1"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve on")
	backend := flag.String("backend", "127.0.0.1:9000", "address of the gRPC service")
	version := flag.Bool("version", false, "print the version of grpc-gateway")
	flag.Parse()
	if *version {
		info, _ := debug.ReadBuildInfo()
		for _, dependency := range info.Deps {
			if dependency.Path == "github.com/grpc-ecosystem/grpc-gateway/v2" {
				fmt.Println(dependency.Version)
			}
		}
		return
	}
	connection, err := grpc.NewClient(*backend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	mux := runtime.NewServeMux()
	if err := benchv1.RegisterEchoServiceHandler(context.Background(), mux, connection); err != nil {
		log.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: *listen, Handler: mux, Protocols: protocols}
	log.Fatal(server.ListenAndServe())
}
