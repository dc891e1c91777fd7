// linchpin-interop: what gRPC's published interop client and server in Go leave out, on the same messages and library.
package main

import (
	"fmt"
	"os"
)

const usage = `linchpin-interop protoset                   the services' descriptors, a FileDescriptorSet, on stdout
linchpin-interop serve                      a server that heeds what requests say of compression
linchpin-interop check TARGET CASE [CA]     a case with compression; TLS with a CA's file
`

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "protoset":
		err = writeProtoset(os.Stdout)
	case len(args) == 1 && args[0] == "serve":
		err = serve()
	case (len(args) == 3 || len(args) == 4) && args[0] == "check":
		err = check(args[1], args[2], append(args[3:], "")[0])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
