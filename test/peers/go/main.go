// The grpc-go peer of the end-to-end tests: test.v1.BehaviorService as a server, a client that tries a target, and HPACK.
package main

import (
	"fmt"
	"os"
)

const usage = `linchpin-peer-go serve [NAME [ADDRESS]]  serves, by default on a free port of 127.0.0.1, and prints "listening on HOST:PORT"
linchpin-peer-go check TARGET [CASE …]    runs all cases or those named, one line of JSON each; exit 1 if one fails
linchpin-peer-go cases                    the names of the cases
linchpin-peer-go hpack                    reads and writes HPACK: a conversation per line of JSON on stdin`

func main() {
	args := os.Args[1:]
	switch {
	case len(args) >= 1 && len(args) <= 3 && args[0] == "serve":
		name, address := "grpc-go", "127.0.0.1:0"
		if len(args) >= 2 {
			name = args[1]
		}
		if len(args) == 3 {
			address = args[2]
		}
		if err := serve(name, address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(args) >= 2 && args[0] == "check":
		if !check(args[1], args[2:]) {
			os.Exit(1)
		}
	case len(args) == 1 && args[0] == "cases":
		for _, c := range cases {
			fmt.Println(c.name)
		}
	case len(args) == 1 && args[0] == "hpack":
		if err := compareHpack(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}
