module linchpin/test/peers/go

go 1.24
